package load

import (
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
)

// TestATombstoneThatTheCleanerLeftAloneDeletes is about a compacted topic: a delete and its tombstone have the same key, so
// that the tombstone is all that a sink finds which was stopped meanwhile.
func TestATombstoneThatTheCleanerLeftAloneDeletes(t *testing.T) {
	for _, foreign := range []bool{false, true} {
		w := newWorld(t, ordersTopic)
		f := w.feed(orders(900)).describe()
		f.foreign = foreign
		f.send(insert(1, "a", "x"), insert(2, "b", "y"), insert(3, "c", "z"))
		l := w.start()
		w.holds("public.orders", "id=1 note=a big=x", "id=2 note=b big=y", "id=3 note=c big=z")
		w.commit(kgo.TryCommit, f.records(remove(1, nil, nil))[1]) // to who has read records of the topic
		w.holds("public.orders", "id=2 note=b big=y", "id=3 note=c big=z")
		if err := l.stop(); err != nil {
			t.Fatal(err)
		}
		w.commit(kgo.TryCommit, f.records(remove(2, nil, nil))[1]) // to who has not
		l = w.start()
		w.holds("public.orders", "id=3 note=c big=z")
		f.send(remove(3, nil, nil), insert(3, "d", "z")) // with its delete it changes nothing
		w.holds("public.orders", "id=3 note=d big=z")
		if n := l.Status().DeadLetters; n != 0 {
			t.Errorf("%d dead letters", n)
		}
	}
}
