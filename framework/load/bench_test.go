package load

import (
	"context"
	"testing"
	"time"

	"github.com/syncline-io/syncline/framework/sink"
	"github.com/syncline-io/syncline/schemas"
)

// benchReader is a reader with one partition whose pending records are the same every time.
func benchReader(b testing.TB, rows int) (*reader, *partition, func()) {
	w := &world{t: b, name: "bench", prefix: testPrefix, internal: "syncline", registry: newRegistry(), lsn: 1000}
	f := w.feed(orders(900))
	var changes []schemas.Change
	for i := range rows {
		changes = append(changes, insert(i, "a note of a usual length", "and some more text, as rows have it: about a hundred bytes in all of it"))
	}
	records := f.records(changes...)
	o := w.options()
	o.Batch = Limits{Bytes: 1 << 30, Rows: 1 << 30}
	l, err := New(o)
	if err != nil {
		b.Fatal(err)
	}
	key := schemas.TableKey{Topic: ordersTopic, SchemaID: f.valueID, Version: 900}
	l.tables.byKey[key] = f.encoder.Table()
	s := &session{Loader: l, target: newTarget(&memorySink{}), owned: map[topicPartition]*partition{}}
	r := &reader{session: s, catalog: newCatalog(&l.opts, l.tables), batch: &batch{}}
	p := &partition{siblings: 1}
	p.Partition = sink.Partition{Topic: ordersTopic}
	return r, p, func() {
		r.batch.reset()
		p.seen, p.pending = schemas.Version{}, append(p.pending[:0], records...)
		r.active = append(r.active[:0], p)
	}
}

func BenchmarkDecodeAndFold(b *testing.B) {
	const rows = 10_000
	r, _, again := benchReader(b, rows)
	f := newFolder()
	b.ReportAllocs()
	began := time.Now()
	for range b.N {
		again()
		if err := r.fill(context.Background()); err != nil {
			b.Fatal(err)
		}
		if _, err := f.fold(r.batch.events); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)*rows/time.Since(began).Seconds(), "rows/s")
}

func TestARowIsDecodedAndFoldedWithoutAllocations(t *testing.T) {
	const rows = 5_000
	r, p, again := benchReader(t, rows)
	f := newFolder()
	allocs := testing.AllocsPerRun(5, func() {
		again()
		if err := r.fill(context.Background()); err != nil {
			t.Fatal(err)
		}
		if _, err := f.fold(r.batch.events); err != nil {
			t.Fatal(err)
		}
		if len(r.batch.events) != rows || len(p.pending) != 0 {
			t.Fatalf("%d events, %d pending", len(r.batch.events), len(p.pending))
		}
	})
	// Chunks of the arenas and the queue of records, but nothing per row.
	if allocs > rows/10 {
		t.Errorf("%.0f allocations for %d rows", allocs, rows)
	}
}
