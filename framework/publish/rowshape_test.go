package publish

import (
	"bytes"
	"encoding/binary"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kfake"

	"github.com/syncline-io/syncline/schemas"
)

func TestInShapeRowTheDeleteIsTheTombstone(t *testing.T) {
	inBubble(t, func(t *testing.T, c cluster, _ *kfake.Cluster) {
		up, table := newUpstream(), itemsTable("items")
		up.rows(table, 1, 1)
		up.append(remove(table, 1))
		up.append(schemas.Change{Table: table, Op: schemas.Truncate})
		o := c.options(up)
		o.Mapping = schemas.Mapping{Prefix: c.name, Types: schemas.TypesAvro, Shape: schemas.ShapeRow}
		p := run(t, o)
		await(t, "all", func() bool { return up.lastConfirmed().Version.High == 3 })
		if err := p.stop(); err != nil {
			t.Fatal(err)
		}
		records := c.committed(t, c.name+".public.items")
		if len(records) != 3 {
			t.Fatalf("%d records, want 3", len(records))
		}
		id, _, err := schemas.SplitWire(records[0].Value)
		if err != nil {
			t.Fatal(err)
		}
		for i, want := range []struct {
			op         string
			key, value bool
		}{{"c", true, true}, {"d", true, false}, {"t", false, false}} {
			r := records[i]
			op, _ := header(r, schemas.HeaderOp)
			if string(op) != want.op || (r.Key != nil) != want.key || (r.Value != nil) != want.value {
				t.Errorf("record %d: op %q, key %x, value %x; want %+v", i, op, r.Key, r.Value, want)
			}
			if source, _ := header(r, schemas.HeaderSource); !bytes.HasPrefix(source, []byte(`{"ts_us":`)) {
				t.Errorf("record %d: source %q", i, source)
			}
			if of, ok := header(r, schemas.HeaderSchema); ok == want.value || ok && !bytes.Equal(of, binary.BigEndian.AppendUint32(nil, id)) {
				t.Errorf("record %d: schema %x, want that of the rows, %d, where there is no value", i, of, id)
			}
			if _, ok := header(r, schemas.HeaderBefore); ok {
				t.Errorf("record %d speaks of an old row", i)
			}
		}
		if !bytes.Equal(records[0].Key, records[1].Key) {
			t.Error("row and tombstone have different keys")
		}
	})
}

func TestInShapeRowADeleteWithoutAKeyIsADeadLetter(t *testing.T) {
	inBubble(t, func(t *testing.T, c cluster, _ *kfake.Cluster) {
		up, table := newUpstream(), itemsTable("items")
		table.Columns[0].Key, table.Identity = 0, schemas.IdentityFull
		up.rows(table, 1, 1)
		gone := remove(table, 1)
		gone.BeforeKeyOnly = false
		up.append(gone)
		o := c.options(up)
		o.Mapping.Shape = schemas.ShapeRow
		p := run(t, o)
		await(t, "both", func() bool { return up.lastConfirmed().Version.High == 2 })
		if err := p.stop(); err != nil {
			t.Fatal(err)
		}
		if n := len(c.committed(t, c.name+".public.items")); n != 1 {
			t.Errorf("%d records, want 1", n)
		}
		letters := c.committed(t, c.name+".dlq")
		if len(letters) != 1 || !strings.Contains(string(letters[0].Value), "carries no old row") {
			t.Errorf("dead letters: %v", letters)
		}
	})
}
