package schemas

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/linkedin/goavro/v2"
)

func goldenSchema(t testing.TB, subject string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "debezium", subject+".avsc"))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestTablesAreDerivedFromForeignSchemas(t *testing.T) {
	got, err := DeriveTable(goldenSchema(t, "conf.o.t_ckey-key"), goldenSchema(t, "conf.o.t_ckey-value"))
	if err != nil {
		t.Fatal(err)
	}
	want := &Table{System: "postgresql", Schema: "o", Name: "t_ckey", Identity: IdentityKey, Columns: []Column{
		{Name: "v", Type: kind(String), Nullable: true},
		{Name: "b", Type: kind(String), Key: 2},
		{Name: "a", Type: kind(Int32), Key: 1},
		{Name: "ts", Type: digits(TimestampTZ, 6), Key: 3},
		{Name: "u", Type: kind(UUID), Key: 4},
	}}
	if !got.SameShape(want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestDerivedTypesAreTheCapturedOnes(t *testing.T) {
	for _, tab := range capturedTables() {
		got, err := DeriveTable("", goldenSchema(t, TopicName("conf", tab.Schema, tab.Name)+"-value"))
		if err != nil {
			t.Error(err)
			continue
		}
		for i := range tab.Columns {
			g, w := got.Columns[i].Type, tab.Columns[i].Type
			if g.Kind != w.Kind || g.Scale != w.Scale || (g.Elem == nil) != (w.Elem == nil) || g.Elem != nil && g.Elem.Kind != w.Elem.Kind || strings.Join(g.Labels, ",") != strings.Join(w.Labels, ",") {
				t.Errorf("%s.%s: derived %+v, is %+v", tab, tab.Columns[i].Name, g, w)
			}
			if got.Columns[i].Nullable != tab.Columns[i].Nullable {
				t.Errorf("%s.%s: nullable %v", tab, tab.Columns[i].Name, got.Columns[i].Nullable)
			}
		}
	}
}

// foreign is an envelope as another version or another program may write it.
func foreign(fields string) string {
	return `{"type":"record","name":"Envelope","namespace":"x.s.t","fields":[` + fields + `]}`
}

func TestFieldsAreFoundByNameInAnyOrder(t *testing.T) {
	schema := foreign(`{"name":"op","type":"string"},{"name":"extra","type":{"type":"map","values":["null","double"]}},` +
		`{"name":"after","type":[{"type":"record","name":"Value","fields":[{"name":"gone","type":{"type":"array","items":"bytes"}},` +
		`{"name":"b","type":["string","null"]},{"name":"a","type":"int"},{"name":"e","type":{"type":"enum","name":"E","symbols":["x","y"]}}]},"null"]},` +
		`{"name":"source","type":{"type":"record","name":"Src","fields":[{"name":"lsn","type":["long","null"]},{"name":"ts_ms","type":"long"},{"name":"new","type":"boolean"}]}},` +
		`{"name":"before","type":["Value","null"]}`)
	tab := table("s", "t", key(1, col("a", kind(Int64))), col("b", kind(String)), col("e", kind(String)), col("missing", kind(Bool)))
	codec, err := goavro.NewCodec(schema)
	if err != nil {
		t.Fatal(err)
	}
	body, err := codec.BinaryFromNative(nil, map[string]any{
		"op": "u", "extra": map[string]any{"k": nil, "l": inUnion("double", 1.5)}, "before": nil,
		"after":  inUnion("x.s.t.Value", map[string]any{"gone": []any{[]byte("1"), []byte("22")}, "b": inUnion("string", "bb"), "a": 7, "e": "y"}),
		"source": map[string]any{"lsn": inUnion("long", 99), "ts_ms": 5, "new": true},
	})
	if err != nil {
		t.Fatal(err)
	}
	d, err := NewDecoder(schema, tab)
	if err != nil {
		t.Fatal(err)
	}
	var c Change
	if err := d.Decode(body, &c, new(Arena)); err != nil {
		t.Fatal(err)
	}
	if c.Op != Update || c.Before != nil || c.Source != (Origin{Time: 5000, LSN: 99}) {
		t.Errorf("got %+v", c)
	}
	if c.After[0].Int() != 7 || c.After[1].String() != "bb" || c.After[2].String() != "y" || !c.After[3].IsNull() {
		t.Errorf("after %+v", c.After)
	}
}

func TestOldDebeziumWithoutFineTimesIsRead(t *testing.T) {
	schema := foreign(`{"name":"before","type":["null",{"type":"record","name":"Value","fields":[{"name":"id","type":"int"}]}],"default":null},{"name":"after","type":["null","Value"],"default":null},` +
		`{"name":"source","type":{"type":"record","name":"Source","namespace":"io.debezium.connector.postgresql","fields":[{"name":"version","type":"string"},{"name":"ts_ms","type":"long"},` +
		`{"name":"snapshot","type":[{"type":"string","connect.default":"false"},"null"],"default":"false"},{"name":"lsn","type":["null","long"]}]}},{"name":"op","type":"string"},{"name":"ts_ms","type":["null","long"]}`)
	d, err := NewDecoder(schema, nil)
	if err != nil {
		t.Fatal(err)
	}
	body := []byte{0, 2, 14}
	body = appendBytes(body, "1.9.7.Final")
	body = appendLong(body, 1234)
	body = appendBytes(append(body, 0), "true")
	body = append(body, 0)
	body = append(appendBytes(body, "r"), 0)
	var c Change
	if err := d.Decode(body, &c, new(Arena)); err != nil {
		t.Fatal(err)
	}
	if c.Op != Read || c.After[0].Int() != 7 || c.Source != (Origin{Time: 1_234_000, Snapshot: SnapshotTrue}) || d.Table().System != "postgresql" {
		t.Errorf("got %+v of %+v", c, d.Table())
	}
}

func TestAvroLogicalTypesAreRead(t *testing.T) {
	for _, tc := range []struct {
		schema string
		body   []byte
		want   string
		kind   Kind
	}{
		{`{"type":"int","logicalType":"date"}`, appendLong(nil, 17109), "2016-11-04", Date},
		{`{"type":"int","logicalType":"time-millis"}`, appendLong(nil, 49890124), "13:51:30.124", Time},
		{`{"type":"long","logicalType":"time-micros"}`, appendLong(nil, 49890123456), "13:51:30.123456", Time},
		{`{"type":"long","logicalType":"timestamp-millis"}`, appendLong(nil, 1478267490123), "2016-11-04 13:51:30.123+00", TimestampTZ},
		{`{"type":"long","logicalType":"timestamp-micros"}`, appendLong(nil, 1478267490123456), "2016-11-04 13:51:30.123456+00", TimestampTZ},
		{`{"type":"long","logicalType":"local-timestamp-micros"}`, appendLong(nil, -1), "1969-12-31 23:59:59.999999", Timestamp},
		{`{"type":"long","connect.name":"io.debezium.time.NanoTimestamp"}`, appendLong(nil, -1), "1969-12-31 23:59:59.999999", Timestamp},
		{`{"type":"long","connect.name":"org.apache.kafka.connect.data.Timestamp","logicalType":"timestamp-millis"}`, appendLong(nil, 1), "1970-01-01 00:00:00.001", Timestamp},
		{`{"type":"string","logicalType":"uuid"}`, appendBytes(nil, "A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11"), "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", UUID},
		{`{"type":"string","connect.name":"io.debezium.time.Interval"}`, appendBytes(nil, "P1Y2M3DT4H5M6.78S"), "P1Y2M3DT4H5M6.78S", Interval},
		{`{"type":"bytes","logicalType":"decimal","precision":4,"scale":2}`, []byte{4, 4, 0xd2}, "12.34", Decimal},
		{`{"type":"fixed","name":"F","size":2,"logicalType":"decimal","precision":4,"scale":2}`, []byte{4, 0xd2}, "12.34", Decimal},
		{`{"type":"fixed","name":"F","size":2}`, []byte{4, 0xd2}, `\x04d2`, Bytes},
		{
			`{"type":"record","name":"Point","fields":[{"name":"x","type":"double"},{"name":"wkb","type":["null","bytes"]},{"name":"m","type":{"type":"map","values":["null","string"]}},{"name":"l","type":{"type":"array","items":"boolean"}}]}`,
			[]byte{0, 0, 0, 0, 0, 0, 0xf8, 0x3f, 2, 2, 'a', 2, 2, 'k', 2, 2, '"', 0, 4, 1, 0, 0},
			`{"x":1.5,"wkb":"YQ==","m":{"k":"\""},"l":[true,false]}`, JSON,
		},
		{`["int","string","null"]`, []byte{2, 2, 'a'}, `"a"`, JSON},
		{`["int","string","null"]`, []byte{4}, ``, JSON},
		{`{"type":"int","connect.type":"int8"}`, appendLong(nil, -3), "-3", Int16},
	} {
		schema := foreign(`{"name":"op","type":"string"},{"name":"after","type":{"type":"record","name":"Value","fields":[{"name":"c","type":` + tc.schema + `}]}}`)
		d, err := NewDecoder(schema, nil)
		if err != nil {
			t.Error(err)
			continue
		}
		var c Change
		if err := d.Decode(append([]byte{2, 'c'}, tc.body...), &c, new(Arena)); err != nil {
			t.Errorf("%s: %v", tc.schema, err)
			continue
		}
		typ := &d.Table().Columns[0].Type
		if got := string(AppendText(nil, typ, c.After[0])); got != tc.want || typ.Kind != tc.kind {
			t.Errorf("%s: %s %v, want %s %v", tc.schema, got, typ, tc.want, tc.kind)
		}
	}
}

func TestValuesOfAnotherTypeAreConverted(t *testing.T) {
	for _, tc := range []struct {
		avro string
		body []byte
		to   Type
		want string // "" for an error
	}{
		{`"int"`, appendLong(nil, 7), kind(Int64), "7"},
		{`"int"`, appendLong(nil, 7), numeric(10, 2), "7"},
		{`"long"`, appendLong(nil, 70000), kind(Int16), ""},
		{`"int"`, appendLong(nil, 70000), kind(Int16), ""},
		{`"long"`, appendLong(nil, 7), kind(Int16), "7"},
		{`"string"`, appendBytes(nil, "12.5"), numeric(10, 2), "12.5"},
		{`"string"`, appendBytes(nil, "x"), numeric(10, 2), ""},
		{`"double"`, []byte{0, 0, 0, 0, 0, 0, 0xf8, 0x3f}, kind(String), "1.5"},
		{`{"type":"array","items":"int"}`, []byte{2, 4, 0}, arrayOf(kind(String)), "{2}"},
		{`{"type":"array","items":["int","null"]}`, []byte{2, 0, 4, 0}, kind(String), "{2}"},
		{`{"type":"array","items":"int"}`, []byte{1, 2, 4, 2, 6, 0}, arrayOf(kind(Int32)), "{2,3}"},
	} {
		d, err := NewDecoder(foreign(`{"name":"op","type":"string"},{"name":"after","type":{"type":"record","name":"Value","fields":[{"name":"c","type":`+tc.avro+`}]}}`), table("s", "t", col("c", tc.to)))
		if err != nil {
			t.Errorf("%s: %v", tc.avro, err)
			continue
		}
		var c Change
		err = d.Decode(append([]byte{2, 'c'}, tc.body...), &c, new(Arena))
		if tc.want == "" {
			if err == nil {
				t.Errorf("%s to %v: no error", tc.avro, tc.to)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s to %v: %v", tc.avro, tc.to, err)
		} else if got := string(AppendText(nil, &tc.to, c.After[0])); got != tc.want {
			t.Errorf("%s to %v: %s, want %s", tc.avro, tc.to, got, tc.want)
		}
	}
}

func TestBrokenBodiesAreRefusedWithFieldAndOffset(t *testing.T) {
	e, c := orderEncoder(t)
	wire, err := e.AppendValue(nil, c, benchMicros)
	if err != nil {
		t.Fatal(err)
	}
	d, err := NewDecoder(e.ValueSchema(), e.Table())
	if err != nil {
		t.Fatal(err)
	}
	body := wire[wireHeader:]
	var got Change
	for n := range body {
		if err := d.Decode(body[:n], &got, new(Arena)); err == nil {
			t.Fatalf("the first %d of %d bytes were read", n, len(body))
		}
	}
	mutated := func(change func([]byte) []byte) []byte { return change(bytes.Clone(body)) }
	at := bytes.Index(body, []byte("2025-01-01T"))
	for _, tc := range []struct {
		body []byte
		want string
	}{
		{mutated(func(b []byte) []byte { return append(b, 0) }), "bytes after the end"},
		{mutated(func(b []byte) []byte { b[0] = 8; return b }), `field "before", byte 1: a union branch`},
		{mutated(func(b []byte) []byte { b[at-2] = 6; return b }), `field "after.created_at", byte`},
		{mutated(func(b []byte) []byte { b[at] = 'x'; return b }), `field "after.created_at", byte`},
		{mutated(func(b []byte) []byte { b[at-1] = 0xff; return b }), `field "after.created_at", byte`},
		{mutated(func(b []byte) []byte { return append(b[:2], bytes.Repeat([]byte{0xff}, 12)...) }), `field "after.id", byte 12: a number of more than 64 bits`},
		{mutated(func(b []byte) []byte { return append(b[:2], 0x80) }), `field "after.id", byte 3: the body ends`},
		{mutated(func(b []byte) []byte { copy(b[bytes.Index(b, []byte{0, 2, 'c', 2}):], []byte{0, 2, 'q'}); return b }), `field "op"`},
	} {
		if err := d.Decode(tc.body, &got, new(Arena)); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%v, want %q", err, tc.want)
		}
	}
}

func TestEventsWithoutTheRowOfTheirOperationAreRefused(t *testing.T) {
	e, c := orderEncoder(t)
	d, err := NewDecoder(e.ValueSchema(), e.Table())
	if err != nil {
		t.Fatal(err)
	}
	c.After = nil
	for op, refused := range map[Op]bool{Read: true, Create: true, Update: true, Delete: false, Truncate: false} {
		c.Op = op
		wire, err := e.AppendValue(nil, c, benchMicros)
		if err != nil {
			t.Fatal(err)
		}
		var got Change
		if err := d.Decode(wire[wireHeader:], &got, new(Arena)); errors.Is(err, errNoAfter) != refused {
			t.Errorf("%c: %v", op, err)
		}
	}
}

func TestHostileLengthsTakeNoMemory(t *testing.T) {
	huge := appendLong(nil, math.MaxInt64)
	smallest := appendLong(nil, math.MinInt64)
	for _, tc := range []struct {
		avro string
		body []byte
	}{
		{`{"type":"array","items":"int"}`, huge},
		{`{"type":"array","items":"int"}`, smallest},
		{`{"type":"array","items":"int"}`, append(bytes.Clone(smallest), 0, 0)},
		{`"long"`, append(bytes.Repeat([]byte{0xff}, 9), 2)},
		{`{"type":"array","items":"int"}`, append(appendLong(nil, -5), huge...)},
		{`{"type":"array","items":"int"}`, append(appendLong(nil, -(1<<40)), 0)},
		{`"string"`, huge},
		{`"bytes"`, appendLong(nil, -1)},
		{goldenVariable, append(huge, 2, 1)},
		{goldenVariable, append(appendLong(nil, math.MaxInt32), 2, 1)},
	} {
		d, err := NewDecoder(foreign(`{"name":"op","type":"string"},{"name":"after","type":{"type":"record","name":"Value","fields":[{"name":"c","type":`+tc.avro+`}]}}`), nil)
		if err != nil {
			t.Fatal(err)
		}
		var c Change
		var a Arena
		if err := d.Decode(append([]byte{2, 'c'}, tc.body...), &c, &a); err == nil {
			t.Errorf("%s: %x was read", tc.avro, tc.body)
		}
		if a.Size() > 1<<17 {
			t.Errorf("%s: %x took %d bytes", tc.avro, tc.body, a.Size())
		}
	}
}

const variableScaleDecimal = `{"type":"record","name":"VariableScaleDecimal","namespace":"io.debezium.data","fields":[{"name":"scale","type":"int"},` +
	`{"name":"value","type":"bytes"}],"connect.doc":"Variable scaled decimal","connect.version":1,"connect.name":"io.debezium.data.VariableScaleDecimal"}`

const goldenVariable = variableScaleDecimal

func TestSchemasThatAreNoEventsAreRefused(t *testing.T) {
	deep := strings.Repeat(`{"type":"array","items":`, 100) + `"int"` + strings.Repeat("}", 100)
	doubling := `{"type":"record","name":"R0","fields":[]}`
	for i := range 25 {
		doubling = fmt.Sprintf(`{"type":"record","name":"R%d","fields":[{"name":"a","type":%s},{"name":"b","type":"R%d"}]}`, i+1, doubling, i)
	}
	row := func(typ string) string {
		return foreign(`{"name":"op","type":"string"},{"name":"after","type":{"type":"record","name":"Value","fields":[{"name":"c","type":` + typ + `}]}}`)
	}
	for _, tc := range []struct{ schema, want string }{
		{``, "avro schema"},
		{`"string"`, "not a record"},
		{`{"type":"record","name":"R","fields":[]}`, "a row without fields"},
		{`{"type":"record","name":"R"}`, "without fields"},
		{`{"type":"record","fields":[]}`, "without a name"},
		{foreign(`{"name":"op","type":"int"},{"name":"after","type":{"type":"record","name":"V","fields":[{"name":"c","type":"int"}]}}`), "not a change event"},
		{foreign(`{"name":"op","type":"string"},{"name":"after","type":["null","string"]},{"name":"source","type":{"type":"record","name":"S","fields":[{"name":"connector","type":"string"}]}}`), "rows are not records"},
		{row(`"nosuch"`), `unknown type "nosuch"`},
		{row(deep), "nested too deeply"},
		{row(`["int",["null"]]`), "a union in a union"},
		{row(`[]`), "empty union"},
		{row(`"null"`), `field "c"`},
		{row(doubling), "types in"},
		{row(`{"type":"record","name":"Value","fields":[]}`), "defined twice"},
	} {
		if _, err := NewDecoder(tc.schema, nil); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%.80s: %v, want %q", tc.schema, err, tc.want)
		}
	}
}

func TestHeadersThatDoNotFitAreRefused(t *testing.T) {
	e, c := orderEncoder(t)
	d, err := NewDecoder(e.ValueSchema(), e.Table())
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct{ name, value, want string }{
		{HeaderVersion, "short", "5 bytes"},
		{HeaderUnchanged, "", "not what the header holds"},
		{HeaderUnchanged, `["note"`, "not what the header holds"},
		{HeaderUnchanged, `["note",]`, "not what the header holds"},
		{HeaderUnchanged, `[note]`, "not what the header holds"},
		{HeaderUnchanged, `["nosuch"]`, "no such column"},
		{HeaderRaw + "nosuch", "1", "no such column"},
		{HeaderRawBefore + "note", "1", "no such row"},
		{HeaderBefore, "whole", "not what the header holds"},
	} {
		got := *c
		if err := d.ApplyHeader(&got, tc.name, []byte(tc.value), new(Arena)); err == nil || !strings.Contains(err.Error(), tc.want) || !strings.Contains(err.Error(), tc.name) {
			t.Errorf("%s %q: %v, want %q", tc.name, tc.value, err, tc.want)
		}
	}
	got := *c
	if err := d.ApplyHeader(&got, HeaderUnchanged, []byte(`["\u006eote","tags"]`), new(Arena)); err != nil || !got.After[9].IsUnchanged() || !got.After[11].IsUnchanged() {
		t.Errorf("%v %+v", err, got.After)
	}
}

func TestPlaceholdersOfOthersAreMarkedOnRequest(t *testing.T) {
	tab := capturedTables()
	for _, r := range capturedRecords(t) {
		if r.Topic != "conf.o.t_toast" {
			continue
		}
		var toast *Table
		for _, x := range tab {
			if x.Name == "t_toast" {
				toast = x
			}
		}
		d, err := NewDecoder(goldenSchema(t, "conf.o.t_toast-value"), toast)
		if err != nil {
			t.Fatal(err)
		}
		_, body := r.bodies(t)
		var c Change
		if err := d.Decode(body, &c, new(Arena)); err != nil {
			t.Fatal(err)
		}
		if !bytes.Contains(body, []byte(Placeholder)) {
			continue
		}
		before := 0
		for _, v := range c.After {
			if v.IsUnchanged() {
				before++
			}
		}
		d.MarkPlaceholders(&c)
		if before != 0 || !c.After[4].IsUnchanged() && !c.After[2].IsUnchanged() {
			t.Errorf("%d marked before, then %+v", before, c.After)
		}
	}
	numbers := make([]Value, len(Placeholder))
	for i := range numbers {
		numbers[i] = IntValue(int64(Placeholder[i]))
	}
	if typ := arrayOf(kind(Int32)); !isPlaceholder(ArrayValue(numbers), &typ) {
		t.Error("an array of the placeholder's bytes is not taken for it")
	}
}

func TestKeysThatCannotBeExactAreRefused(t *testing.T) {
	for _, tc := range []struct {
		typ   Type
		value Value
		want  error
	}{
		{kind(Decimal), SpecialDecimal(NaN), errKeyValue},
		{numeric(5, 2), DecimalValue([]byte{1}, 3), errKeyValue},
		{formed(FormVarbit, 0), StringValue("001"), errKeyValue},
		{kind(Int32), Null(), ErrNull},
		{kind(Int32), Unchanged(), errKeyValue},
		{kind(Int32), StringValue("1"), errWrongKind},
	} {
		e, err := NewEncoder(table("s", "t", key(1, col("k", tc.typ))), Mapping{})
		if err != nil {
			t.Fatal(err)
		}
		if dst, err := e.AppendKey([]byte("x"), []Value{tc.value}); !errors.Is(err, tc.want) || string(dst) != "x" {
			t.Errorf("%v: %q %v, want %v", tc.typ, dst, err, tc.want)
		}
	}
}

func TestEqualNumbersHaveEqualKeys(t *testing.T) {
	e, err := NewEncoder(table("s", "t", key(1, col("k", kind(Decimal)))), Mapping{})
	if err != nil {
		t.Fatal(err)
	}
	long := strings.Repeat("7", 40)
	for _, group := range [][]string{{"1", "1.0", "1.000"}, {"0", "0.00"}, {"-2.5", "-2.50"}, {long + ".5", long + ".500"}, {"100", "100.0"}} {
		var first []byte
		for _, text := range group {
			key, err := e.AppendKey(nil, []Value{must(ParseDecimal([]byte(text), new(Arena)))})
			if err != nil {
				t.Fatal(err)
			}
			if first == nil {
				first = key
			} else if !bytes.Equal(first, key) {
				t.Errorf("%s is %x, %s is %x", group[0], first, text, key)
			}
		}
	}
}

func TestKeyJSONIsWhatDebeziumWrites(t *testing.T) {
	tab := capturedTables()[6] // t_ckey
	e, err := NewEncoder(tab, Mapping{Prefix: "conf"})
	if err != nil {
		t.Fatal(err)
	}
	row := []Value{Null(), StringValue("bé"), IntValue(1), must(ParseText([]byte("2020-01-01 00:00:00.000001+00"), &tab.Columns[3].Type, new(Arena))), StringValue("a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11")}
	want := `{"a":1,"b":"bé","ts":"2020-01-01T00:00:00.000001Z","u":"a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"}`
	if got := string(e.AppendKeyJSON(nil, row)); got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func TestNullInANotNullColumnIsNotMadeUp(t *testing.T) {
	e, err := NewEncoder(table("s", "t", key(1, col("k", kind(Int32))), notNull(col("v", kind(Int32)))), Mapping{})
	if err != nil {
		t.Fatal(err)
	}
	row := []Value{IntValue(1), Null()}
	for _, c := range []Change{{Op: Create, After: row}, {Op: Delete, Before: row}} {
		if dst, err := e.AppendValue([]byte("x"), &c, 0); !errors.Is(err, ErrNull) || string(dst) != "x" {
			t.Errorf("%c: %q %v", c.Op, dst, err)
		}
	}
	if _, err := e.AppendValue(nil, &Change{Op: Delete, Before: row, BeforeKeyOnly: true}, 0); err != nil {
		t.Error(err)
	}
}

func TestKeysComeBack(t *testing.T) {
	tab := capturedTables()[6]
	d, err := NewKeyDecoder(goldenSchema(t, "conf.o.t_ckey-key"), tab)
	if err != nil {
		t.Fatal(err)
	}
	derived, err := NewKeyDecoder(goldenSchema(t, "conf.o.t_ckey-key"), nil)
	if err != nil {
		t.Fatal(err)
	}
	if cols := derived.Table().KeyColumns(); len(cols) != 4 || len(derived.Table().Columns) != 4 {
		t.Errorf("derived %+v", derived.Table())
	}
	row := make([]Value, 5)
	row[0] = StringValue("left over")
	for _, r := range capturedRecords(t) {
		if r.Topic != "conf.o.t_ckey" {
			continue
		}
		body, _ := r.bodies(t)
		if err := d.Decode(body, row, new(Arena)); err != nil {
			t.Fatal(err)
		}
		if !row[0].IsNull() || row[2].Int() != 1 || row[4].String() != "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11" || row[3].Int() != 1577836800000001 {
			t.Errorf("%+v", row)
		}
		if err := d.Decode(append(bytes.Clone(body), 0), row, new(Arena)); !errors.Is(err, errTrailing) {
			t.Errorf("trailing byte: %v", err)
		}
		if err := d.Decode(body[:len(body)-1], row, new(Arena)); err == nil || !strings.Contains(err.Error(), `field "u"`) {
			t.Errorf("cut: %v", err)
		}
	}
	if err := d.Decode(nil, nil, new(Arena)); !errors.Is(err, errWidth) {
		t.Errorf("a row of no columns: %v", err)
	}
}

func TestSplitWireRefusesOtherBytes(t *testing.T) {
	for _, b := range []string{"", "\x00\x00\x00\x01", "\x01\x00\x00\x00\x01x", `{"json":1}`} {
		if _, _, err := SplitWire([]byte(b)); err == nil {
			t.Errorf("%q was split", b)
		}
	}
	if id, body, err := SplitWire([]byte("\x00\x00\x00\x01\x02x")); id != 258 || string(body) != "x" || err != nil {
		t.Errorf("%d %q %v", id, body, err)
	}
}
