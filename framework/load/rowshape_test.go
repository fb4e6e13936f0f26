package load

import (
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/syncline-io/syncline/schemas"
)

// rowFeed writes records whose value is the row alone.
func (w *world) rowFeed(t *schemas.Table, types schemas.Types) *feed {
	w.t.Helper()
	return w.feedAs(t, schemas.Mapping{Prefix: w.prefix, Types: types, Shape: schemas.ShapeRow})
}

func TestRowsWithoutAnEnvelopeAreApplied(t *testing.T) {
	for _, types := range []schemas.Types{schemas.TypesDebezium, schemas.TypesAvro} {
		t.Run(string(types), func(t *testing.T) {
			w := newWorld(t, ordersTopic)
			f := w.rowFeed(orders(900), types).describe()
			read := insert(1, "a", "x")
			read.Op, read.Source.Snapshot = schemas.Read, schemas.SnapshotTrue
			f.send(read, insert(2, "b", "y"), insert(3, "c", "z"))
			w.start()
			w.holds("public.orders", "id=1 note=a big=x", "id=2 note=b big=y", "id=3 note=c big=z")
			f.send(update(1, "aa", "unchanged"), remove(2, nil, nil))
			w.holds("public.orders", "id=1 note=aa big=x", "id=3 note=c big=z")
			// A change of the key: the old one goes, the new one comes.
			f.send(remove(3, nil, nil), insert(4, "c", "z"))
			w.holds("public.orders", "id=1 note=aa big=x", "id=4 note=c big=z")
			f.send(truncate(), insert(5, "e", nil))
			w.holds("public.orders", "id=5 note=e big=NULL")
		})
	}
}

func TestARowTopicCanBeginWithADelete(t *testing.T) {
	w := newWorld(t, ordersTopic)
	f := w.rowFeed(orders(900), schemas.TypesAvro).describe()
	f.send(insert(1, "a", "x"), insert(2, "b", "y"))
	l := w.start()
	w.holds("public.orders", "id=1 note=a big=x", "id=2 note=b big=y")
	if err := l.stop(); err != nil {
		t.Fatal(err)
	}
	f.send(remove(1, nil, nil))
	w.start()
	w.holds("public.orders", "id=2 note=b big=y")
}

func TestARowTopicKeepsUpWithItsTable(t *testing.T) {
	w := newWorld(t, ordersTopic)
	f := w.rowFeed(orders(900), schemas.TypesAvro).describe()
	f.send(insert(1, "a", "x"))
	w.start()
	w.holds("public.orders", "id=1 note=a big=x")
	renamed := orders(901)
	renamed.Columns[1].Name = "remark"
	f = w.rowFeed(renamed, schemas.TypesAvro).describe()
	f.send(insert(2, "b", "y"), remove(1, nil, nil))
	w.holds("public.orders", "id=2 remark=b big=y")
}

func TestARowRecordThatContradictsItselfIsADeadLetter(t *testing.T) {
	w := newWorld(t, ordersTopic)
	f := w.rowFeed(orders(900), schemas.TypesAvro).describe()
	good := f.records(insert(1, "a", "x"), remove(2, nil, nil), insert(3, "c", "z"), insert(4, "d", "z"))
	good[0].Headers[2].Value = []byte("d") // a delete with a row
	good[1].Headers = good[1].Headers[:4]  // a delete that does not say of what
	good[2].Headers[3].Value = []byte("{") // no object
	w.commit(kgo.TryCommit, good...)
	w.start()
	for i, letter := range w.deadLetters(3) {
		if got, want := headerOf(letter, headerMessage), []string{"operation d", "neither a value nor the header", schemas.HeaderSource}[i]; !strings.Contains(got, want) {
			t.Errorf("letter %d: %s, want %s", i, got, want)
		}
	}
	w.holds("public.orders", "id=4 note=d big=z")
}
