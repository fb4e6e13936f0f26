package load

import (
	"errors"
	"fmt"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/syncline-io/syncline/framework/failure"
	"github.com/syncline-io/syncline/framework/simtest/model"
	"github.com/syncline-io/syncline/framework/sink"
	"github.com/syncline-io/syncline/schemas"
)

// wider is orders with one column more.
func wider(version uint64) *schemas.Table {
	t := orders(version)
	t.Columns = append(t.Columns, schemas.Column{ID: 4, Name: "extra", Type: schemas.Type{Kind: schemas.Int32}, SourceType: "integer", Nullable: true})
	return t
}

// heldBatch brings a loader to where the writer has a batch in conflict and has taken the next one, which is in another
// version of the table, so that it must wait; and where more records come behind it.
func heldBatch(t *testing.T, free *atomic.Bool) (*world, *running, *feed) {
	t.Helper()
	w := newWorld(t, ordersTopic)
	w.db.setFault(func(_ int, _ *sink.Batch, apply func() error) error {
		if !free.Load() {
			return failure.As(failure.Conflict, errors.New("note is not unique"), "")
		}
		return apply()
	})
	w.feed(orders(900)).describe().send(insert(1, "a", "x"))
	l := w.start()
	eventually(t, func() string {
		if st := l.Status(); st.State != Retrying {
			return "no conflict"
		}
		return ""
	})
	f := w.feed(wider(2000)).describe()
	w.lsn = 2000
	f.send(insert(2, "b", "x", 5))
	read := func(end int64) {
		t.Helper()
		eventually(t, func() string {
			if st := l.Status(); len(st.Partitions) != 1 || st.Partitions[0].End < end {
				return fmt.Sprintf("the reader stands still: %+v", st)
			}
			return ""
		})
	}
	read(4)
	time.Sleep(time.Second) // the next tries of the conflict: one takes the batch that waits
	f.send(insert(3, "c", "x", 6))
	read(6)
	return w, l, f
}

func TestAConflictThatHoldsTheNextBatchDoesNotHoldUpTheStop(t *testing.T) {
	var free atomic.Bool
	_, l, _ := heldBatch(t, &free)
	began := time.Now()
	if err := l.stop(); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("the stop took %s", took)
	}
}

func TestBatchesGoOnAfterAConflictThatHeldTheNext(t *testing.T) {
	var free atomic.Bool
	w, _, f := heldBatch(t, &free)
	free.Store(true)
	want := []string{"id=1 note=a big=x extra=NULL", "id=2 note=b big=x extra=5", "id=3 note=c big=x extra=6"}
	w.holds("public.orders", want...)
	for i := range 5 {
		f.send(insert(4+i, "d", "x", 7))
		want = append(want, fmt.Sprintf("id=%d note=d big=x extra=7", 4+i))
		w.holds("public.orders", want...)
	}
}

// uniqueNotes is a unique constraint on orders.note that is checked at every row, as PostgreSQL checks it.
func uniqueNotes(db *database) func(int, *sink.Batch, func() error) error {
	return func(_ int, b *sink.Batch, apply func() error) error {
		notes := map[string]string{} // by id
		db.Look(func(v model.View) {
			for _, row := range v.Table("public.orders").Rows {
				notes[row.Values["id"]] = row.Values["note"]
			}
		})
		for _, t := range b.Tables {
			for _, r := range t.Rows {
				id, note := strconv.FormatInt(r.Values[0].Int(), 10), string(r.Values[1].Bytes())
				delete(notes, id)
				if r.Action == sink.Delete {
					continue
				}
				for _, taken := range notes {
					if taken == note {
						return failure.As(failure.Conflict, errors.New("note is not unique"), "")
					}
				}
				notes[id] = note
			}
		}
		return apply()
	}
}

// TestAUniqueValueThatIsSwappedOverAThirdIsNotWaitedForForEver is about changes of which each is good, and whose fold is not.
func TestAUniqueValueThatIsSwappedOverAThirdIsNotWaitedForForEver(t *testing.T) {
	w := newWorld(t, ordersTopic)
	f := w.feed(orders(900)).describe()
	w.db.setFault(uniqueNotes(w.db))
	f.send(insert(1, "a", "x"), insert(2, "b", "x"), insert(3, "c", "x"))
	w.start()
	w.holds("public.orders", "id=1 note=a big=x", "id=2 note=b big=x", "id=3 note=c big=x")
	f.send(update(3, "d", "x"), update(1, "tmp", "x"), update(2, "a", "x"), update(1, "b", "x"), update(3, "c", "x"))
	w.holds("public.orders", "id=1 note=b big=x", "id=2 note=a big=x", "id=3 note=c big=x")
}
