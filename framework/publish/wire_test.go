package publish

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/syncline-io/syncline/framework/source"
	"github.com/syncline-io/syncline/integration/wiredoc"
	"github.com/syncline-io/syncline/schemas"
)

var update = flag.Bool("update", false, "write the dumps into docs/wire.md")

// wireTable is the table of the page: small, with one of each kind of trouble.
func wireTable() *schemas.Table {
	return &schemas.Table{
		System: "postgresql", Database: "shop", Schema: "public", Name: "orders", ID: 16385, Version: 26475688,
		Identity: schemas.IdentityKey,
		Columns: []schemas.Column{
			{ID: 1, Name: "id", Type: schemas.Type{Kind: schemas.Int64}, SourceType: "bigint", Key: 1},
			{ID: 2, Name: "total", Type: schemas.Type{Kind: schemas.Decimal, Precision: 10, Scale: 2}, SourceType: "numeric(10,2)"},
			{ID: 4, Name: "note", Type: schemas.Type{Kind: schemas.String}, SourceType: "text", Nullable: true},
		},
	}
}

// wireNow is when the records of the page were made, and wireThen when their changes were committed.
var (
	wireThen = time.Date(2026, 11, 25, 12, 0, 0, 250_000_000, time.UTC)
	wireNow  = wireThen.Add(3 * time.Millisecond)
)

// wire makes the records of the page as the emitter makes them.
type wire struct {
	*testing.T
	emitter *emitter
	table   *table
	schemas map[uint32]string
	page    *wiredoc.Page
}

func newWire(t *testing.T) *wire { return newWireAs(t, schemas.Mapping{Prefix: "shop"}) }

func newWireAs(t *testing.T, m schemas.Mapping) *wire {
	e := offlineAs(t, wireTable(), m)
	known := e.tables.latest
	known.schemaID = binary.BigEndian.AppendUint32(nil, 2)
	return &wire{
		T: t, emitter: e, table: known, page: wiredoc.Open(t, "../../docs/wire.md", *update),
		schemas: map[uint32]string{1: known.encoder.KeySchema(), 2: known.encoder.ValueSchema()},
	}
}

// records encodes the change that is number n of its transaction.
func (w *wire) records(n uint64, c schemas.Change) []kgo.Record {
	w.Helper()
	b := newBatch(func(*batch, error) {})
	c = w.completed(n, c)
	if err := w.emitter.encode(b, &c, w.table, wireNow); err != nil {
		w.Fatal(err)
	}
	return b.records
}

func (w *wire) completed(n uint64, c schemas.Change) schemas.Change {
	c.Table, c.Version = w.table.table, schemas.Version{High: 26475960, Low: n}
	c.Source = schemas.Origin{Time: wireThen.UnixMicro(), TxID: 771, LSN: 26475800 + 8*n, LastCommit: 26475688}
	return c
}

func order(id int64, total, note schemas.Value) []schemas.Value {
	return []schemas.Value{schemas.IntValue(id), total, note}
}

func TestTheDumpsOfRecordsAreTrue(t *testing.T) {
	w := newWire(t)
	folded := []string{"source", "transaction", "ts_ms", "ts_us", "ts_ns"}
	price, word := schemas.DecimalValue([]byte{0x04, 0xce}, 2), schemas.StringValue("Ada")

	created := w.records(1, schemas.Change{Op: schemas.Create, After: order(7, price, word)})
	w.page.Shows("create", wiredoc.Record(&created[0], w.schemas))

	updated := w.records(2, schemas.Change{Op: schemas.Update, After: order(7, price, schemas.Unchanged())})
	w.page.Shows("unchanged", wiredoc.Record(&updated[0], w.schemas, folded...))

	inexact := w.records(3, schemas.Change{Op: schemas.Update, After: order(7, schemas.SpecialDecimal(schemas.NaN), word)})
	w.page.Shows("raw", wiredoc.Record(&inexact[0], w.schemas, folded...))

	moved := w.records(4, schemas.Change{Op: schemas.Delete, Before: order(7, schemas.Null(), schemas.Null()), BeforeKeyOnly: true, OtherKey: order(8, price, word)})
	w.page.Shows("newkey", wiredoc.Headers(&moved[0]))
	moved = w.records(5, schemas.Change{Op: schemas.Create, After: order(8, price, word), OtherKey: order(7, schemas.Null(), schemas.Null())})
	w.page.Shows("oldkey", wiredoc.Headers(&moved[0]))

	deleted := w.records(6, schemas.Change{Op: schemas.Delete, Before: order(8, schemas.Null(), schemas.Null()), BeforeKeyOnly: true})
	w.page.Shows("delete", wiredoc.Record(&deleted[0], w.schemas, folded...))
	w.page.Shows("tombstone", wiredoc.Record(&deleted[1], w.schemas))

	truncated := w.records(7, schemas.Change{Op: schemas.Truncate})
	w.page.Shows("truncate", wiredoc.Record(&truncated[0], w.schemas, folded...))
}

func TestTheDumpsOfRowsWithoutEnvelopeAreTrue(t *testing.T) {
	w := newWireAs(t, schemas.Mapping{Prefix: "shop", Types: schemas.TypesAvro, Shape: schemas.ShapeRow})
	w.page.Shows("row-schema", strings.ReplaceAll(w.schemas[2], `{"name":`, "\n  {\"name\":"))
	created := w.records(1, schemas.Change{Op: schemas.Create, After: order(7, schemas.DecimalValue([]byte{0x04, 0xce}, 2), schemas.StringValue("Ada"))})
	w.page.Shows("row-create", wiredoc.Record(&created[0], w.schemas))
	deleted := w.records(2, schemas.Change{Op: schemas.Delete, Before: order(7, schemas.Null(), schemas.Null()), BeforeKeyOnly: true})
	if len(deleted) != 1 {
		t.Errorf("a delete is %d records", len(deleted))
	}
	w.page.Shows("row-delete", wiredoc.Record(&deleted[0], w.schemas))
}

func TestTheSchemasOfTheDumpsAreTrue(t *testing.T) {
	w := newWire(t)
	for name, id := range map[string]uint32{"key-schema": 1, "value-schema": 2} {
		// A line for each field, so that people can read it; the registry holds it in one.
		w.page.Shows(name, strings.ReplaceAll(w.schemas[id], `{"name":`, "\n  {\"name\":"))
	}
}

func TestTheDumpsOfInternalRecordsAreTrue(t *testing.T) {
	w := newWire(t)
	key, value, err := schemas.AppendTableRecord(w.table.topic, 2, w.table.table)
	if err != nil {
		t.Fatal(err)
	}
	w.page.Shows("table", wiredoc.Record(&kgo.Record{Key: key, Value: value}, nil))
	w.page.Shows("table-value", indented(t, value))

	position := appendPosition(nil, "shop", source.Position{
		State: []byte(`{"format":1,"system":"7577000000000000001"}`), Version: schemas.Version{High: 26475968},
	}, "", wireNow)
	w.page.Shows("position", wiredoc.Record(&kgo.Record{Key: []byte("shop"), Value: position}, nil))
	if _, err := parsePosition(position, nil); err != nil {
		t.Error(err)
	}

	digest := digestOf([]byte(`{"format":1,"tables":[]}`))
	w.page.Shows("state", fmt.Sprintf("key    %s\nvalue  %s\n\nkey    shop\nvalue  %s", stateKey("shop"),
		appendState(nil, "shop", digest, []byte(`{"format":1,"tables":[]}`)),
		appendPosition(nil, "shop", source.Position{Version: schemas.Version{High: 26475968}}, digest, wireNow)))

	mark, err := w.emitter.opts.markRecord()
	if err != nil {
		t.Fatal(err)
	}
	fields := map[string]any{}
	if err := json.Unmarshal(mark.Value, &fields); err != nil {
		t.Fatal(err)
	}
	fields["host"], fields["pid"], fields["since"] = "db-1", 4242, wireThen
	text, err := json.Marshal(fields)
	if err != nil {
		t.Fatal(err)
	}
	w.page.Shows("tenure", fmt.Sprintf("key    %s\nvalue  %s", mark.Key, text))
}

func TestTheDumpOfASourcesDeadLetterIsTrue(t *testing.T) {
	w := newWire(t)
	b := newBatch(func(*batch, error) {})
	c := w.completed(8, schemas.Change{Op: schemas.Create, After: order(9, schemas.Null(), schemas.Null())})
	w.emitter.deadLetter(b, &c, w.table, &tooLarge{size: 2097200, limit: 1048588, topic: w.table.topic}, wireNow)
	letter := b.records[0]
	value := letter.Value
	letter.Value = nil
	w.page.Shows("source-dead-letter", wiredoc.Record(&letter, w.schemas))
	w.page.Shows("source-dead-letter-value", indented(t, value))
}

func TestTheSettingsOfStateTopicsAreTrue(t *testing.T) {
	var lines []string
	for _, key := range slices.Sorted(maps.Keys(stateConfigs)) {
		lines = append(lines, key+"="+stateConfigs[key])
	}
	newWire(t).page.Shows("state-settings", strings.Join(lines, "\n"))
}

func indented(t *testing.T, text []byte) string {
	t.Helper()
	var out bytes.Buffer
	if err := json.Indent(&out, text, "", "  "); err != nil {
		t.Fatal(err)
	}
	return out.String()
}
