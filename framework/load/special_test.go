package load

import (
	"fmt"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/syncline-io/syncline/schemas"
)

// TestTopicsWithoutRowsArePassedOver has a sink read everything of a prefix: what is no row makes no table and no dead letter,
// whoever wrote it, and is behind it.
func TestTopicsWithoutRowsArePassedOver(t *testing.T) {
	special := []string{"shop.message", "shop.transaction", "__debezium-heartbeat.shop"}
	w := newWorld(t, append(special, ordersTopic)...)
	message := w.feed(schemas.MessageTable("postgresql", "shop", schemas.Type{Kind: schemas.Bytes}))
	marks := w.feed(schemas.TransactionTable("postgresql", "shop"))
	id := []schemas.Value{schemas.StringValue("7:300")}
	write := func(f *feed, headers []kgo.RecordHeader, c schemas.Change) *kgo.Record {
		key, err := f.encoder.AppendKey(nil, c.After)
		if err != nil {
			t.Fatal(err)
		}
		value, err := f.encoder.AppendValue(nil, &c, 0)
		if err != nil {
			t.Fatal(err)
		}
		return &kgo.Record{Topic: f.encoder.Topic(), Key: key, Value: value, Headers: headers}
	}
	beat := w.producer(special[2], `{"type":"record","name":"ServerNameKey","namespace":"io.debezium.connector.common","fields":[{"name":"serverName","type":"string"}]}`,
		`{"type":"record","name":"Heartbeat","namespace":"io.debezium.connector.common","fields":[{"name":"ts_ms","type":"long"}]}`)
	for _, headers := range [][]kgo.RecordHeader{nil, {{Key: schemas.HeaderVersion, Value: schemas.Version{High: 7, Low: 1}.AppendBinary(nil)}}} {
		w.commit(kgo.TryCommit, beat.record(fields{"serverName": "shop"}, fields{"ts_ms": 5}),
			write(message, headers, schemas.Change{Op: schemas.Message, After: []schemas.Value{schemas.StringValue("p"), schemas.BytesValue([]byte("x"))}}),
			write(marks, headers, schemas.Change{Op: schemas.Begin, After: id}), write(marks, headers, schemas.Change{Op: schemas.End, After: id}))
	}
	w.feed(orders(1)).describe().send(insert(1, "a", nil))
	l := w.start(func(o *Options) { o.Topics = append(special, ordersTopic); o.DeadLetters.Stop = true })
	w.holds("public.orders", "id=1 note=a big=NULL")
	eventually(t, func() string {
		for _, p := range l.Status().Partitions {
			if p.Lag != 0 {
				return fmt.Sprintf("partition %+v", p)
			}
		}
		if n := len(l.Status().Partitions); n != 4 {
			return fmt.Sprintf("%d partitions", n)
		}
		return ""
	})
	for _, table := range []string{"message", "transaction", "shop"} {
		if lines := w.db.Lines(table); lines != nil {
			t.Errorf("table %s: %q", table, lines)
		}
	}
}
