package publish

import (
	"testing"

	"github.com/syncline-io/syncline/framework/source"
	"github.com/syncline-io/syncline/schemas"
)

// The bound on memory counts a batch's slabs as they are made.
func TestABatchEndsBeforeItsHeadersOutgrowTheirSlab(t *testing.T) {
	e := offlineAs(t, itemsTable("items"), schemas.Mapping{Prefix: "shop", Shape: schemas.ShapeRow})
	e.tables.latest.aside = []byte("shop.public.items")
	for i := range 3 * batchRecords {
		c := create(e.tables.latest.table, i)
		c.Version = schemas.Version{High: uint64(i + 1), Low: 1}
		if err := e.Emit(&c); err != nil {
			t.Fatal(err)
		}
		if n := cap(e.q.filling.headers); n != batchHeaders {
			t.Fatalf("after %d changes the batch has room for %d headers, and %d are counted", i+1, n, batchHeaders)
		}
	}
}

func TestHeadersOfOneVeryWideChangeAreCountedAndGivenBack(t *testing.T) {
	b := newBatch(func(*batch, error) {})
	for range batchHeaders + 1 {
		b.header("h", nil)
	}
	if got, least := b.excess(), (batchHeaders+1)*headerFootprint; got < least {
		t.Errorf("an excess of %d bytes, want %d at least", got, least)
	}
	b.reset()
	if cap(b.headers) != batchHeaders || b.excess() != 0 {
		t.Errorf("after it the batch has room for %d headers and an excess of %d bytes", cap(b.headers), b.excess())
	}
}

// Every batch on its way may hold changes of some hundred kilobytes: together they stay within the bound all the same.
func TestBatchesOfWideChangesCountForWhatTheyHold(t *testing.T) {
	const bound = 8 * batchFootprint
	q := newQueue(bound, source.Position{})
	held := 0
	for range 100 {
		b := q.empty()
		if b == nil {
			break
		}
		b.add()
		b.data = append(b.data, make([]byte, batchBytes-1)...)
		b.data = append(b.data, make([]byte, batchBytes)...)
		q.filling = b
		q.seal()
		held += batchRoom + cap(b.data)
	}
	if held < bound/2 || held > bound+4*batchBytes {
		t.Errorf("%d bytes are held, and the bound is %d", held, bound)
	}
	b := q.full[0]
	b.pending.Store(1)
	before := q.excess
	q.acked(b, nil)
	if cap(b.data) != batchRoom || q.excess >= before {
		t.Errorf("a batch keeps %d bytes, and the queue an excess of %d", cap(b.data), q.excess)
	}
}
