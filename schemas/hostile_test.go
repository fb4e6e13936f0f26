package schemas

import (
	"bytes"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/linkedin/goavro/v2"
)

// plainRow is the schema of a row with one field.
func plainRow(typ string) string {
	return `{"type":"record","name":"V","namespace":"n","fields":[{"name":"c","type":` + typ + `}]}`
}

func TestHostileSchemasAreRefusedInWords(t *testing.T) {
	many := func(n int, field string) string {
		var b strings.Builder
		for i := range n {
			if i > 0 {
				b.WriteByte(',')
			}
			fmt.Fprintf(&b, field, i)
		}
		return b.String()
	}
	for _, tc := range []struct{ name, schema, want string }{
		{"5 MB of text", plainRow(`"int"`) + strings.Repeat(" ", 5<<20), "bytes of text"},
		{"brackets", strings.Repeat("[", 1<<20), "avro schema"},
		{"objects", strings.Repeat(`{"type":`, 5000) + `"int"` + strings.Repeat("}", 5000), "nested too deeply"},
		{"a long name", `{"type":"record","name":"` + strings.Repeat("n", 1<<20) + `","fields":[{"name":"c","type":"int"}]}`, "a name of 1048576 bytes"},
		{"a name with a line", plainRow(`{"type":"fixed","name":"a\nb","size":1}`), `the name "n.a\nb"`},
		{"a field's name with a zero", `{"type":"record","name":"V","fields":[{"name":"a\u0000","type":"int"}]}`, `the name "a\x00"`},
		{"a long symbol", plainRow(`{"type":"enum","name":"E","symbols":["` + strings.Repeat("s", 2000) + `"]}`), "a name of 2000 bytes"},
		{"fields of one name", `{"type":"record","name":"V","fields":[{"name":"a","type":"int"},{"name":"a","type":"string"}]}`, `two fields "a"`},
		{"a fixed of a terabyte", plainRow(`{"type":"fixed","name":"F","size":1099511627776}`), "fixed n.F of size"},
		{"a fixed of less than nothing", plainRow(`{"type":"fixed","name":"F","size":-1}`), "fixed n.F of size -1"},
		{"a fixed without size", plainRow(`{"type":"fixed","name":"F"}`), "fixed n.F of size"},
		{"a union with itself", plainRow(`["null",["null","int"]]`), "a union in a union"},
		{"a type that is its own", `{"type":"record","name":"V","fields":[{"name":"c","type":"W"}]}`, `unknown type "W"`},
		{"a million types", `{"type":"record","name":"V","fields":[{"name":"c","type":{"type":"record","name":"R","fields":[` + many(2000, `{"name":"f%d","type":"null"}`) + `]}},` + many(2000, `{"name":"g%d","type":"R"}`) + `]}`, "more than 1048576 types"},
	} {
		if _, err := DeriveTable("", tc.schema); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %.200v, want %q", tc.name, err, tc.want)
		}
	}
}

// TestHostileBodiesTakeLittleTimeAndMemory has schemas in which a few bytes stand for a great many values.
func TestHostileBodiesTakeLittleTimeAndMemory(t *testing.T) {
	nulls := `{"type":"record","name":"N","fields":[` + strings.TrimSuffix(strings.Repeat(`{"name":"a_","type":"null"},`, 1), ",") + `]}`
	for i := range 15 {
		nulls = fmt.Sprintf(`{"type":"record","name":"N%d","fields":[{"name":"a","type":%s},{"name":"b","type":"%s"}]}`, i, nulls, strings.TrimSuffix(fmt.Sprintf("N%d", i-1), "-1"))
	}
	blocks := func(n int, count int64) []byte { // n blocks that say they hold count items
		var b []byte
		for range n {
			b = appendLong(b, count)
		}
		return append(b, bytes.Repeat([]byte{0}, int(count))...)
	}
	wide := `{"type":"record","name":"W","fields":[{"name":"` + strings.Repeat("w", 1000) + `","type":"int"}]}`
	for _, tc := range []struct {
		name, typ string
		body      []byte
	}{
		{"arrays of nothing", `{"type":"array","items":{"type":"fixed","name":"F","size":0}}`, blocks(100_000, 500_000)},
		{"arrays of empty records", `{"type":"array","items":{"type":"record","name":"E","fields":[]}}`, blocks(100_000, 500_000)},
		{"arrays of many nulls", `{"type":"array","items":` + nulls + `}`, blocks(100_000, 500_000)},
		{"arrays of an int and many nulls", `{"type":"array","items":{"type":"record","name":"M","fields":[{"name":"i","type":"int"},{"name":"n","type":` + nulls + `}]}}`, blocks(1, 500_000)},
		{"a tree", `{"type":"record","name":"T","fields":[{"name":"l","type":["null","T"]},{"name":"r","type":["null","T"]},{"name":"n","type":` + nulls + `}]}`, bytes.Repeat([]byte{2, 0}, 500_000)},
		{"long names before short values", `{"type":"map","values":{"type":"array","items":` + wide + `}}`, append([]byte{2, 0}, blocks(1, 500_000)...)},
		{"a record that holds itself", `{"type":"record","name":"S","fields":[{"name":"s","type":"S"}]}`, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			// With and without a column for the field, which is then skipped.
			for _, tab := range []*Table{nil, table("s", "t", col("other", kind(Int32)))} {
				d, err := NewDecoder(plainRow(tc.typ), tab)
				if err != nil {
					t.Fatal(err)
				}
				var before, after runtime.MemStats
				runtime.ReadMemStats(&before)
				began := time.Now()
				var c Change
				if err := d.Decode(tc.body, &c, new(Arena)); err == nil {
					t.Error("it was read")
				}
				runtime.ReadMemStats(&after)
				// A bound with much room: what it is about takes minutes and gigabytes.
				if took := time.Since(began); took > 20*time.Second {
					t.Errorf("%v for %d bytes", took, len(tc.body))
				}
				if grown := after.TotalAlloc - before.TotalAlloc; grown > 512<<20 {
					t.Errorf("%d MB for %d bytes", grown>>20, len(tc.body))
				}
			}
		})
	}
}

func TestDecimalsThatStandForTooManyDigitsAreRefused(t *testing.T) {
	const big, plain = `{"type":"bytes","logicalType":"big-decimal"}`, `{"type":"bytes","logicalType":"decimal","precision":40,"scale":38}`
	array := func(items string) string { return `{"type":"array","items":` + items + `}` }
	variable := func(unscaled []byte, scale int64) []byte { return appendBytes(appendLong(nil, scale), unscaled) }
	bigDecimal := func(unscaled []byte, scale int64) []byte {
		return appendBytes(nil, appendLong(appendBytes(nil, unscaled), scale))
	}
	many := func(n int, item []byte) []byte {
		return append(append(appendLong(nil, int64(n)), bytes.Repeat(item, n)...), 0)
	}
	one, long, longest := []byte{1}, bytes.Repeat([]byte{0x5a}, 1<<20), bytes.Repeat([]byte{0x5a}, 61_500)
	for _, tc := range []struct {
		name, typ string
		body      []byte
		want      string // in the error; "" is read
	}{
		{"500 of great scale", array(variableScaleDecimal), many(500, variable(one, maxScale)), "too many digits"},
		{"500 of great scale below zero", array(variableScaleDecimal), many(500, variable(one, -maxScale)), "too many digits"},
		{"500 big-decimals", array(big), many(500, bigDecimal(one, maxScale)), "too many digits"},
		{"500 in a map", `{"type":"map","values":` + variableScaleDecimal + `}`, many(500, append([]byte{2, 'k'}, variable(one, maxScale)...)), "too many digits"},
		{"a scale beyond all", variableScaleDecimal, variable(one, 1<<40), "outside its type"},
		{"a number of 1 MB", variableScaleDecimal, variable(long, 2), "outside its type"},
		{"a big-decimal of 1 MB", big, bigDecimal(long, 2), "outside its type"},
		{"a decimal of 1 MB", plain, appendBytes(nil, long), "outside its type"},
		{"one of great scale", variableScaleDecimal, variable(one, maxScale), ""},
		{"the longest numerics of PostgreSQL", array(variableScaleDecimal), many(100, variable(longest, 16383)), ""},
		{"a million small ones", array(plain), many(1_000_000, appendBytes(nil, one)), ""},
	} {
		d, err := NewDecoder(plainRow(tc.typ), nil)
		if err != nil {
			t.Fatal(err)
		}
		var c Change
		switch err := d.Decode(tc.body, &c, new(Arena)); {
		case tc.want == "" && err != nil:
			t.Errorf("%s: %v", tc.name, err)
		case tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want)):
			t.Errorf("%s: %v, want %q", tc.name, err, tc.want)
		}
	}
}

// FuzzForeign reads a body by a schema, both of others. What we read, goavro must read too.
func FuzzForeign(f *testing.F) {
	for _, s := range []string{
		plainRow(`["null","int"]`), plainRow(`{"type":"array","items":["null","string"]}`), plainRow(`{"type":"map","values":"double"}`), plainRow(`["int","string",{"type":"fixed","name":"F","size":2}]`),
		plainRow(`{"type":"enum","name":"E","symbols":["a","b"]}`), plainRow(`{"type":"record","name":"R","fields":[{"name":"next","type":["null","R"]},{"name":"u","type":{"type":"string","logicalType":"uuid"}}]}`),
		plainRow(`{"type":"bytes","logicalType":"decimal","precision":4,"scale":2}`), plainRow(`{"type":"long","logicalType":"timestamp-micros"}`), plainRow(`{"type":"fixed","name":"D","size":12,"logicalType":"duration"}`),
		plainRow(`{"type":"array","items":{"type":"fixed","name":"Z","size":0}}`), plainRow(variableScaleDecimal),
		foreign(`{"name":"op","type":["null","string"]},{"name":"after","type":["null",{"type":"record","name":"V","fields":[{"name":"next","type":["null","V"]}]}]}`),
	} {
		f.Add(s, []byte{2, 2, 2, 'c', 0, 0, 0})
	}
	f.Fuzz(func(t *testing.T, schema string, body []byte) {
		d, err := NewDecoder(schema, nil)
		if err != nil {
			return
		}
		var c Change
		var a Arena
		if err := d.Decode(body, &c, &a); err != nil {
			return
		}
		if a.Size() > 1<<20+64*maxFree+64*len(body)+len(schema)*(len(body)+1) {
			t.Fatalf("%d bytes took %d", len(body), a.Size())
		}
		for i := range c.After {
			AppendText(nil, &d.Table().Columns[i].Type, c.After[i])
		}
		if strings.Contains(schema, "ogicalType") || strings.Contains(schema, `\u`) {
			return // goavro refuses more values of them, such as dates far away
		}
		codec, err := goavro.NewCodec(schema)
		if err != nil {
			return // it knows less: aliases of types, names that are types, records that hold themselves
		}
		if _, rest, err := codec.NativeFromBinary(body); err != nil || len(rest) > 0 {
			t.Fatalf("goavro does not read what we read: %v, %d bytes left", err, len(rest))
		}
	})
}

// FuzzRowHeaders gives a record of shape row headers of others.
func FuzzRowHeaders(f *testing.F) {
	tab, c := orderChange(f)
	e, err := NewEncoder(tab, Mapping{Prefix: "shop", Types: TypesAvro, Shape: ShapeRow})
	if err != nil {
		f.Fatal(err)
	}
	wire, err := e.AppendValue(nil, c, 0)
	if err != nil {
		f.Fatal(err)
	}
	d, err := NewDecoder(e.ValueSchema(), tab)
	if err != nil {
		f.Fatal(err)
	}
	f.Add("c", AppendOrigin(nil, &Origin{Time: -5, TxID: 1, LSN: 1 << 63, LastCommit: 3, Snapshot: SnapshotFirst, ReplicationOrigin: "p\"q"}), []byte(`["note"]`), []byte("NaN"))
	f.Fuzz(func(t *testing.T, op string, source, unchanged, raw []byte) {
		var got, again Change
		var a Arena
		if err := d.Decode(wire[wireHeader:], &got, &a); err != nil {
			t.Fatal(err)
		}
		_ = d.ApplyHeader(&got, HeaderOp, []byte(op), &a)
		_ = d.ApplyHeader(&got, HeaderUnchanged, unchanged, &a)
		_ = d.ApplyHeader(&got, HeaderRaw+"total", raw, &a)
		if err := d.ApplyHeader(&got, HeaderSource, source, &a); err != nil {
			return
		}
		if err := d.Decode(wire[wireHeader:], &again, &a); err != nil {
			t.Fatal(err)
		}
		if err := d.ApplyHeader(&again, HeaderSource, AppendOrigin(nil, &got.Source), &a); err != nil || again.Source != got.Source {
			t.Fatalf("%+v became %+v, %v", got.Source, again.Source, err)
		}
	})
}

func FuzzDecode(f *testing.F) {
	e, c := orderEncoder(f)
	wire, err := e.AppendValue(nil, c, benchMicros)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(wire[wireHeader:])
	d, err := NewDecoder(e.ValueSchema(), e.Table())
	if err != nil {
		f.Fatal(err)
	}
	codec, err := goavro.NewCodec(e.ValueSchema())
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		var c, again Change
		var a Arena
		if err := d.Decode(body, &c, &a); err != nil {
			return
		}
		if _, _, err := codec.NativeFromBinary(body); err != nil {
			t.Fatalf("goavro does not read what we read: %v", err)
		}
		if a.Size() > 1<<17+64*len(body) {
			t.Fatalf("%d bytes took %d", len(body), a.Size())
		}
		wire, err := e.AppendValue(nil, &c, 0)
		if err != nil {
			t.Fatal(err)
		}
		if err := d.Decode(wire[wireHeader:], &again, &a); err != nil {
			t.Fatal(err)
		}
		if err := applyBeside(e, d, &again, &c, &a); err != nil {
			t.Fatal(err)
		}
		sameRow(t, e.Table(), "before", again.Before, c.Before)
		sameRow(t, e.Table(), "after", again.After, c.After)
	})
}

func FuzzKeyDecode(f *testing.F) {
	tab := capturedTables()[6]
	e, err := NewEncoder(tab, Mapping{Prefix: "conf"})
	if err != nil {
		f.Fatal(err)
	}
	d, err := NewKeyDecoder(e.KeySchema(), tab)
	if err != nil {
		f.Fatal(err)
	}
	f.Add([]byte("\x02\x06b\xc3\xa962020-01-01T00:00:00.000001ZHa0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"))
	f.Fuzz(func(t *testing.T, body []byte) {
		row, again := make([]Value, 5), make([]Value, 5)
		var a Arena
		if err := d.Decode(body, row, &a); err != nil {
			return
		}
		if row[3].Kind() == KindUnrepresentable {
			return // a time out of range: no key of ours
		}
		wire, err := e.AppendKey(nil, row)
		if err != nil {
			t.Fatal(err)
		}
		if err := d.Decode(wire[wireHeader:], again, &a); err != nil {
			t.Fatal(err)
		}
		sameRow(t, tab, "key", again, row)
	})
}

func FuzzParseSchema(f *testing.F) {
	f.Add(goldenSchema(f, "conf.o.t_arr-value"))
	f.Add(foreign(`{"name":"op","type":"string"},{"name":"after","type":["null",{"type":"record","name":"V","fields":[{"name":"next","type":["null","V"]}]}]}`))
	f.Fuzz(func(_ *testing.T, text string) {
		d, err := NewDecoder(text, nil)
		if err != nil {
			return
		}
		var c Change
		_ = d.Decode([]byte{2, 2, 2, 2, 'c', 0, 0, 0, 0}, &c, new(Arena))
	})
}
