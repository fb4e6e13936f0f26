package load

import (
	"os"
	"testing"

	"github.com/syncline-io/syncline/integration/engines"
)

func TestMain(m *testing.M) { os.Exit(engines.Main(m)) }

func TestRowsArriveWithTheLedger(t *testing.T) {
	w := newWorld(t, ordersTopic)
	f := w.feed(orders(900)).describe()
	f.send(insert(1, "a", "x"), insert(2, "b", "y"))
	l := w.start()
	w.holds("public.orders", "id=1 note=a big=x", "id=2 note=b big=y")
	f.send(update(1, "a2", "unchanged"), remove(2, nil, nil), insert(3, nil, "z"))
	w.holds("public.orders", "id=1 note=a2 big=x", "id=3 note=NULL big=z")
	eventually(t, func() string {
		if st := l.Status(); st.Lag != 0 || !st.Ready || len(st.Partitions) != 1 {
			return "lag does not reach zero"
		}
		return ""
	})
	if err := l.stop(); err != nil {
		t.Fatal(err)
	}
	// 2 inserts, commit, update, delete, tombstone, insert, commit.
	if e := w.db.entry(ordersTopic, 0); e.Next != 8 || e.Fence != 1 {
		t.Errorf("ledger has next %d fence %d, want 8 and 1", e.Next, e.Fence)
	}
}
