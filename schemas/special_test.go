package schemas

import (
	"math/big"
	"reflect"
	"strings"
	"testing"

	"github.com/linkedin/goavro/v2"
)

// TestANumericOfNegativeScaleIsPaddedAndComesBackBare is about a schema that goavro refuses: its scale is above its precision.
func TestANumericOfNegativeScaleIsPaddedAndComesBackBare(t *testing.T) {
	tab := &Table{System: "postgresql", Schema: "public", Name: "t", Version: 1, Columns: []Column{
		{Name: "n", Type: Type{Kind: Decimal, Precision: 3, Scale: -3}},
	}}
	enc := must(NewEncoder(tab, Mapping{Prefix: "x"}))
	enc.SetIDs(1, 2)
	if want := `{"type":"bytes","scale":2045,"precision":3,`; !strings.Contains(enc.ValueSchema(), want) {
		t.Fatalf("the schema has no %s: %s", want, enc.ValueSchema())
	}
	var a Arena
	for text, n := range map[string]int64{"123000": 123000, "-999000": -999000, "0": 0} {
		row := []Value{must(ParseText([]byte(text), &tab.Columns[0].Type, &a))}
		wire := must(enc.AppendValue(nil, &Change{Table: tab, Op: Create, After: row}, 0))
		padded := new(big.Int).Mul(big.NewInt(n), new(big.Int).Exp(big.NewInt(10), big.NewInt(2045), nil))
		if field := appendBytes(nil, twosFromBig(padded, &a)); n != 0 && !strings.Contains(string(wire), string(field)) {
			t.Errorf("%s is not padded", text)
		}
		derived := must(DeriveTable("", enc.ValueSchema()))
		if got := derived.Columns[0].Type; got.Precision != 3 || got.Scale != -3 {
			t.Errorf("the schema is read as one of %v", got)
		}
		for _, as := range []*Table{tab, derived} {
			var c Change
			if err := must(NewDecoder(enc.ValueSchema(), as)).Decode(wire[wireHeader:], &c, &a); err != nil {
				t.Fatal(err)
			}
			if got := string(AppendText(nil, &as.Columns[0].Type, c.After[0])); got != text {
				t.Errorf("%s comes back as %.40s", text, got)
			}
		}
	}
}

func TestMessagesAndTransactionsReadInGoavro(t *testing.T) {
	origin := Origin{Time: 1_000_000_001_500, TxID: 7, LSN: 300, LastCommit: 200}
	for _, types := range []Types{TypesDebezium, TypesAvro} {
		for _, shape := range []Shape{ShapeEnvelope, ShapeRow} {
			m := Mapping{Prefix: "x", Types: types, Shape: shape}
			table := MessageTable("postgresql", "db", Type{Kind: Bytes})
			row := []Value{StringValue("p"), BytesValue([]byte{0, 255})}
			key, value := readInGoavro(t, table, m, &Change{Table: table, Op: Message, After: row, Source: origin, Place: Place{Total: 3, OfTable: 2}})
			want(t, "key", key, map[string]any{"prefix": inUnion("string", "p")})
			for name, field := range map[string]any{
				"op": "m", "ts_ms": inUnion("long", int64(2)),
				"transaction": inUnion("event.block", map[string]any{"id": "7:300", "total_order": int64(3), "data_collection_order": int64(2)}),
				"message":     map[string]any{"prefix": inUnion("string", "p"), "content": inUnion("bytes", []byte{0, 255})},
			} {
				want(t, name, value[name], field)
			}
			source := value["source"].(map[string]any)
			want(t, "table", source["table"], "")
			want(t, "lsn", source["lsn"], inUnion("long", int64(300)))

			table = TransactionTable("postgresql", "db")
			row = []Value{StringValue("7:300")}
			key, value = readInGoavro(t, table, m, &Change{Table: table, Op: Begin, After: row, Source: origin})
			want(t, "key", key, map[string]any{"id": "7:300"})
			want(t, "begin", value, map[string]any{
				"status": "BEGIN", "id": "7:300", "event_count": nil, "data_collections": nil, "ts_ms": int64(1_000_000_001),
			})
			_, value = readInGoavro(t, table, m, &Change{
				Table: table, Op: End, After: row, Source: origin, Place: Place{Total: 3}, Counts: []Count{{"public.a", 2}, {MessagesCounted, 1}},
			})
			count := func(table string, n int64) any {
				return inUnion("event.collection", map[string]any{"data_collection": table, "event_count": n})
			}
			want(t, "end", value, map[string]any{
				"status": "END", "id": "7:300", "event_count": inUnion("long", int64(3)), "ts_ms": int64(1_000_000_001),
				"data_collections": inUnion("array", []any{count("public.a", 2), count(MessagesCounted, 1)}),
			})
		}
	}
}

// TestAChangeTellsItsPlaceInTheTransaction writes the block of an ordinary change, and none where no place is told.
func TestAChangeTellsItsPlaceInTheTransaction(t *testing.T) {
	tab := &Table{System: "postgresql", Schema: "public", Name: "t", Version: 1, Columns: []Column{{Name: "id", Type: Type{Kind: Int32}, Key: 1}}}
	c := &Change{Table: tab, Op: Create, After: []Value{IntValue(1)}, Source: Origin{TxID: 7, LSN: 300}, Place: Place{Total: 5, OfTable: 4}}
	_, value := readInGoavro(t, tab, Mapping{Prefix: "x"}, c)
	want(t, "transaction", value["transaction"], inUnion("event.block", map[string]any{"id": "7:300", "total_order": int64(5), "data_collection_order": int64(4)}))
	c.Place = Place{}
	_, value = readInGoavro(t, tab, Mapping{Prefix: "x"}, c)
	want(t, "transaction", value["transaction"], nil)
}

func readInGoavro(t *testing.T, table *Table, m Mapping, c *Change) (key, value map[string]any) {
	t.Helper()
	enc := must(NewEncoder(table, m))
	enc.SetIDs(1, 2)
	read := func(schema string, wire []byte) map[string]any {
		t.Helper()
		codec, err := goavro.NewCodec(schema)
		if err != nil {
			t.Fatalf("%v: %s", err, schema)
		}
		if content := ContentOf(schema); schema == enc.ValueSchema() && content != table.Content || schema == enc.KeySchema() && content != ContentRows {
			t.Errorf("ContentOf is %q for %s", content, schema)
		}
		if m.Types == TypesAvro && strings.Contains(schema, "connect.") {
			t.Errorf("properties of Connect's in %s", schema)
		}
		native, rest, err := codec.NativeFromBinary(wire[wireHeader:])
		if err != nil || len(rest) > 0 {
			t.Fatalf("%v, %d bytes left", err, len(rest))
		}
		return native.(map[string]any)
	}
	return read(enc.KeySchema(), must(enc.AppendKey(nil, c.Key()))), read(enc.ValueSchema(), must(enc.AppendValue(nil, c, 2000)))
}

func want(t *testing.T, what string, got, want any) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}
