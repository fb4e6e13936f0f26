package load

import (
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/syncline-io/syncline/schemas"
)

// dated is orders with a column of a type that changes.
func dated(version uint64, typ schemas.Type, source string) *schemas.Table {
	return orders(version,
		schemas.Column{ID: 1, Name: "id", Type: schemas.Type{Kind: schemas.Int32}, SourceType: "integer", Key: 1},
		schemas.Column{ID: 2, Name: "due", Type: typ, SourceType: source, Nullable: true})
}

// A source's rows of before the change can come behind it, from another partition.
func TestAnOlderRowIsConvertedToTheNewerType(t *testing.T) {
	type version struct {
		kind   schemas.Kind
		source string
		value  any
	}
	const day = 20000
	for _, tt := range []struct {
		older, newer version
		want         string // of older's value
	}{
		{version{schemas.Date, "date", day}, version{schemas.Timestamp, "timestamp", day * 86_400_000_000}, "2024-10-04 00:00:00"},
		{version{schemas.Timestamp, "timestamp", day*86_400_000_000 + 1}, version{schemas.Date, "date", day}, "2024-10-04"},
		{version{schemas.Date, "date", day}, version{schemas.String, "text", "x"}, "2024-10-04"},
	} {
		t.Run(tt.older.source+" "+tt.newer.source, func(t *testing.T) {
			w := newWorld(t, ordersTopic)
			older := w.feed(dated(900, schemas.Type{Kind: tt.older.kind, Precision: precisionOf(tt.older.kind)}, tt.older.source)).describe()
			newer := w.feed(dated(901, schemas.Type{Kind: tt.newer.kind, Precision: precisionOf(tt.newer.kind)}, tt.newer.source)).describe()
			late := older.records(insert(2, tt.older.value))
			newer.send(insert(1, tt.newer.value))
			late[0].Headers[0].Value = schemas.Version{High: w.lsn + 100, Low: 1}.AppendBinary(nil)
			w.commit(kgo.TryCommit, late...)
			l := w.start()
			eventually(t, func() string {
				rows := w.db.Lines("public.orders")
				if len(rows) != 2 || rows[1] != "id=2 due="+tt.want {
					return "rows " + joined(rows)
				}
				return ""
			})
			if n := l.Status().DeadLetters; n != 0 {
				t.Errorf("%d dead letters", n)
			}
		})
	}
}

func precisionOf(k schemas.Kind) int {
	if k == schemas.Timestamp {
		return 6
	}
	return 0
}

func joined(lines []string) (all string) {
	for _, l := range lines {
		all += l + "; "
	}
	return all
}

func TestAForeignTopicsOlderSchemaBehindTheNewerIsConverted(t *testing.T) {
	const topic = "crm.customers"
	w := newWorld(t, topic)
	value := func(typ string) string {
		return `{"type":"record","name":"Customer","namespace":"com.shop","fields":[{"name":"id","type":"long"},{"name":"due","type":` + typ + `}]}`
	}
	older := w.producer(topic, customerKey, value(`{"type":"int","logicalType":"date"}`))
	newer := w.producer(topic, customerKey, value(`{"type":"long","logicalType":"local-timestamp-micros"}`))
	day := time.Date(2026, 11, 25, 0, 0, 0, 0, time.UTC)
	w.commit(kgo.TryCommit, older.record(fields{"id": 1}, fields{"id": 1, "due": day}),
		newer.record(fields{"id": 2}, fields{"id": 2, "due": day.UnixMicro()}),
		older.record(fields{"id": 3}, fields{"id": 3, "due": day}))
	w.start(reads(topic))
	w.holds("customers", "id=1 due=2026-11-25", "id=2 due=2026-11-25 00:00:00", "id=3 due=2026-11-25 00:00:00")
}
