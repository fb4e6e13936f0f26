package schemas

import (
	"strings"
	"testing"
)

// formsTable has a column of every form and mode that has a decoder of its own.
func formsTable() *Table {
	var columns []Column
	add := func(types ...Type) {
		for _, t := range types {
			columns = append(columns, Column{Name: "c" + strings.Repeat("x", len(columns)), Type: t, Nullable: true})
		}
	}
	for _, form := range []Form{
		FormPoint, FormLine, FormLseg, FormBox, FormPath, FormPolygon, FormCircle, FormGeometry, FormGeography, FormVector, FormHalfVec, FormSparseVec,
		FormTimeTZ, FormHstore, FormXML, FormLtree, FormTSVector, "inet", FormUnknown,
	} {
		add(formed(form, 0))
	}
	add(formed(FormBit, 1), formed(FormBit, 11), formed(FormVarbit, 0), arrayOf(formed(FormPolygon, 0)), arrayOf(formed(FormBit, 3)), arrayOf(formed(FormPoint, 0)))
	add(Type{Kind: String, Form: FormHstore, Mode: ModeMap}, Type{Kind: Bytes, Mode: ModeHex}, Type{Kind: Bytes, Mode: ModeBase64}, Type{Kind: Bytes, Mode: ModeBase64URL})
	add(Type{Kind: Decimal, Precision: 10, Scale: 2, Mode: ModeDouble}, Type{Kind: Decimal, Mode: ModeString}, Type{Kind: Decimal, Precision: 19, Scale: 2, Form: FormMoney})
	add(Type{Kind: Date, Mode: ModeISOString}, Type{Kind: Time, Precision: 6, Mode: ModeISOString}, Type{Kind: Timestamp, Precision: 6, Mode: ModeISOString}, Type{Kind: Interval, Mode: ModeString})
	columns = append(columns, Column{Name: "id", Type: kind(Int32), Key: 1})
	return table("public", "forms", columns...)
}

// codec encodes and decodes rows of one table.
type codec struct {
	enc *Encoder
	dec *Decoder
}

func newCodec(t testing.TB, tab *Table) codec {
	t.Helper()
	enc, err := NewEncoder(tab, Mapping{Prefix: "x"})
	if err != nil {
		t.Fatal(err)
	}
	dec, err := NewDecoder(enc.ValueSchema(), tab)
	if err != nil {
		t.Fatal(err)
	}
	return codec{enc, dec}
}

// TestTextsWithAFormComeBack writes PostgreSQL's text of a value in Debezium's form and makes the text again. Texts with ~ before
// them come back by their header alone.
func TestTextsWithAFormComeBack(t *testing.T) {
	for form, texts := range map[Form][]string{
		FormPoint:     {"(1,1)", "(NaN,Infinity)", "(-0,0.1)", "(1e+300,-2.5e-10)"},
		FormLine:      {"{1,-1,0}", "{0,1,-1e-300}"},
		FormLseg:      {"[(0,0),(1,1)]", "[(1,1),(1,1)]"},
		FormBox:       {"(1,1),(0,0)", "(0,0),(0,0)", "(3.5,-1),(2,-7)"},
		FormPath:      {"((0,0),(1,1),(2,0))", "[(0,0),(1,1)]", "((0,0))", "[(0,0)]", "((0,0),(1,1),(0,0))"},
		FormPolygon:   {"((0,0),(1,1),(2,0))", "((0,0))", "~((0,0),(1,1),(2,0),(0,0))"},
		FormCircle:    {"<(1.5,-2.5),3>", "<(0,0),0>"},
		FormGeometry:  {"0101000000000000000000F03F0000000000000040", "0101000020E6100000000000000000F03F0000000000000040", "00000000013FF00000000000004000000000000000"},
		FormGeography: {"0101000020E6100000000000000000F03F0000000000000040"},
		FormVector:    {"[1,2.5,-3e-05]", "[0.1]", "[1e+06,123456]"},
		FormHalfVec:   {"[1,2.5]"},
		FormSparseVec: {"{1:0.5,3:-2}/5", "{}/3", "{32767:1e+06}/32767", "~{1:1,40000:2}/40000", "~{}/1000000000"},
		FormHstore:    {"", `"a"=>"1", "b"=>NULL`, `"a b"=>"\"\\"`, `"0"=>"", "1"=>"", "2"=>"", "3"=>"", "4"=>"", "5"=>"", "6"=>"", "7"=>"", "8"=>"", "9"=>"", "10"=>"", "11"=>"", "12"=>"", "13"=>""`},
		FormTimeTZ:    {"13:51:30.12+00", "~13:51:30+02", "24:00:00+00"},
		FormVarbit:    {"", "1", "101", "~0101"},
	} {
		c := newCodec(t, table("public", "t", key(1, col("id", kind(Int32))), Column{Name: "v", Type: formed(form, 0), Nullable: true}))
		for _, text := range texts {
			text, beside := strings.CutPrefix(text, "~")
			wire, err := c.enc.AppendValue(nil, &Change{Op: Create, After: []Value{IntValue(1), StringValue(text)}}, 0)
			if err != nil {
				t.Errorf("%s %s: %v", form, text, err)
				continue
			}
			raw := c.enc.Beside().RawAfter
			if (len(raw) == 1) != beside || beside && string(raw[0].Text) != text {
				t.Errorf("%s %s: the header has %v", form, text, raw)
			}
			var got Change
			if err := c.dec.Decode(wire[wireHeader:], &got, new(Arena)); err != nil {
				t.Errorf("%s %s: %v", form, text, err)
			} else if v := got.After[1].String(); v != text && !beside {
				t.Errorf("%s %s comes back as %q", form, text, v)
			}
		}
	}
}

// TestArraysOfVectorsComeBack: those are arrays of arrays.
func TestArraysOfVectorsComeBack(t *testing.T) {
	for form, text := range map[Form]string{FormVector: `{"[1,2.5]",[3],[]}`, FormHalfVec: `{"[1,2.5]"}`, FormSparseVec: `{"{1:0.5,3:-2}/5","{}/3"}`} {
		typ := arrayOf(formed(form, 0))
		c := newCodec(t, table("public", "t", key(1, col("id", kind(Int32))), col("v", typ)))
		wire, err := c.enc.AppendValue(nil, &Change{Op: Create, After: []Value{IntValue(1), must(ParseText([]byte(text), &typ, new(Arena)))}}, 0)
		if err != nil {
			t.Fatal(err)
		}
		var got Change
		if err := c.dec.Decode(wire[wireHeader:], &got, new(Arena)); err != nil {
			t.Errorf("%s %s: %v", form, text, err)
		} else if v := string(AppendText(nil, &typ, got.After[1])); v != text {
			t.Errorf("%s %s comes back as %s", form, text, v)
		}
	}
}

// TestTextsThatAreNotOfTheirFormStandInTheHeader: a server of the future may print what nobody here has seen.
func TestTextsThatAreNotOfTheirFormStandInTheHeader(t *testing.T) {
	for form, text := range map[Form]string{
		FormPoint: "(1)", FormBox: "(1,1)", FormPolygon: "((0,0),(1))", FormLine: "{1,x,3}", FormGeometry: "POINT(1 2)", FormVector: "[1,a]", FormSparseVec: "{1:2}", FormHstore: "a=>1",
		FormTimeTZ: "noon", FormBit: "2", FormVarbit: "012",
	} {
		c := newCodec(t, table("public", "t", key(1, col("id", kind(Int32))), Column{Name: "v", Type: formed(form, 0), Nullable: true}))
		wire, err := c.enc.AppendValue(nil, &Change{Op: Create, After: []Value{IntValue(1), StringValue(text)}}, 0)
		if err != nil {
			t.Errorf("%s: %v", form, err)
			continue
		}
		var got Change
		if err := c.dec.Decode(wire[wireHeader:], &got, new(Arena)); err != nil || !got.After[1].IsNull() {
			t.Errorf("%s: %v, %v", form, got.After, err)
		}
		if raw := c.enc.Beside().RawAfter; len(raw) != 1 || string(raw[0].Text) != text {
			t.Errorf("%s: the header has %v", form, raw)
		}
	}
}

// TestSchemasOfForms are those of types that not every server has, and of money.
func TestSchemasOfForms(t *testing.T) {
	for form, want := range map[Form]string{
		FormMoney: `{"type":"bytes","scale":2,"precision":64,"connect.version":1,"connect.parameters":{"scale":"2"},` +
			`"connect.name":"org.apache.kafka.connect.data.Decimal","logicalType":"decimal"}`,
		FormVector:  `{"type":"array","items":"double","connect.version":1,"connect.name":"io.debezium.data.DoubleVector"}`,
		FormHalfVec: `{"type":"array","items":"float","connect.version":1,"connect.name":"io.debezium.data.FloatVector"}`,
		FormGeography: `{"type":"record","name":"Geography","namespace":"io.debezium.data.geometry","fields":[{"name":"wkb","type":"bytes"},{"name":"srid","type":["null","int"],"default":null}],` +
			`"connect.doc":"Geography","connect.version":1,"connect.name":"io.debezium.data.geometry.Geography"}`,
	} {
		var w schemaWriter
		typ := formed(form, 0)
		if form == FormMoney {
			typ = Type{Kind: Decimal, Precision: 19, Scale: 2, Form: form}
		}
		out := debeziumOutput(&typ)
		if out.print(&w, ""); w.String() != want {
			t.Errorf("%s: %s\nwant %s", form, w.String(), want)
		}
	}
}

// TestItemsOfArraysMayBeNullAsInDebezium: of types that it has no array of its own for, it takes the type as it stands.
func TestItemsOfArraysMayBeNullAsInDebezium(t *testing.T) {
	for form, want := range map[Form]string{
		"":           `{"type":"array","items":["null","string"]}`,
		"inet":       `{"type":"array","items":["null","string"]}`,
		"isbn":       `{"type":"array","items":"string"}`,
		FormUnknown:  `{"type":"array","items":"bytes"}`,
		FormLabel:    `{"type":"array","items":{"type":"string","connect.version":1,"connect.parameters":{"allowed":""},"connect.name":"io.debezium.data.Enum"}}`,
		FormTSVector: `{"type":"array","items":{"type":"string","connect.version":1,"connect.name":"io.debezium.data.Tsvector"}}`,
		FormLtree:    `{"type":"array","items":["null",{"type":"string","connect.version":1,"connect.name":"io.debezium.data.Ltree"}]}`,
	} {
		var w schemaWriter
		typ := arrayOf(formed(form, 0))
		if form == FormUnknown {
			typ = arrayOf(Type{Kind: Bytes, Form: form})
		}
		out := debeziumOutput(&typ)
		if out.print(&w, ""); w.String() != want {
			t.Errorf("%s[]: %s\nwant %s", form, w.String(), want)
		}
		c := newCodec(t, table("public", "t", key(1, col("id", kind(Int32))), col("v", typ)))
		for _, text := range []string{"{a,b}", "{a,NULL}", "{}"} {
			read := arrayOf(kind(String)) // bytes have a text of their own
			v := must(ParseText([]byte(text), &read, new(Arena)))
			wire, err := c.enc.AppendValue(nil, &Change{Op: Create, After: []Value{IntValue(1), v}}, 0)
			if err != nil {
				t.Fatal(err)
			}
			var got Change
			if err := c.dec.Decode(wire[wireHeader:], &got, new(Arena)); err != nil {
				t.Fatal(err)
			}
			beside := !strings.Contains(want, "null") && text == "{a,NULL}"
			if raw := c.enc.Beside().RawAfter; beside != (len(raw) == 1) || !beside && string(AppendText(nil, &read, got.After[1])) != text {
				t.Errorf("%s[] %s comes back as %v, with %v beside it", form, text, got.After[1], raw)
			}
		}
	}
}

// TestEveryFieldHasBytesWhereItsValueIsNotKnown: a NOT NULL field without any would shift those behind it.
func TestEveryFieldHasBytesWhereItsValueIsNotKnown(t *testing.T) {
	tab := formsTable()
	for i := range tab.Columns {
		tab.Columns[i].Nullable = false
	}
	for _, types := range []Types{TypesDebezium, TypesAvro} {
		enc, err := NewEncoder(tab, Mapping{Prefix: "x", Types: types})
		if err != nil {
			t.Fatal(err)
		}
		for i := range enc.columns {
			if len(enc.columns[i].fallback) == 0 || len(enc.columns[i].placeholder) == 0 {
				t.Errorf("%s: %v has nothing", types, enc.columns[i].typ)
			}
		}
	}
}

// TestRowsWithFormsAllocateNothing: the way of every row.
func TestRowsWithFormsAllocateNothing(t *testing.T) {
	tab := table("public", "t", key(1, col("id", kind(Int32))), col("b", formed(FormBit, 9)), col("v", formed(FormVarbit, 0)), col("t", formed(FormTimeTZ, 0)),
		col("h", formed(FormHstore, 0)), col("p", formed(FormPoint, 0)), col("po", formed(FormPolygon, 0)), col("pa", formed(FormPath, 0)), col("bx", formed(FormBox, 0)),
		col("g", formed(FormGeometry, 0)), col("ve", formed(FormVector, 0)), col("m", Type{Kind: Decimal, Precision: 19, Scale: 2, Form: FormMoney}),
		col("x", Type{Kind: Bytes, Mode: ModeBase64}), col("d", Type{Kind: Decimal, Precision: 10, Scale: 2, Mode: ModeDouble}), col("iv", Type{Kind: Interval, Mode: ModeString}))
	c := newCodec(t, tab)
	var a Arena
	row := []Value{
		IntValue(1), StringValue("100000011"), StringValue("00101"), StringValue("13:51:30.12+02"), StringValue(`"key"=>"v\"al", "b"=>NULL`), StringValue("(1,2.5)"),
		StringValue("((0,0),(1,1),(2,0))"), StringValue("[(0,0),(1,1)]"), StringValue("(1,1),(0,0)"), StringValue("0101000020E6100000000000000000F03F0000000000000040"),
		StringValue("[1,2.5]"), must(ParseDecimal([]byte("-12.50"), &a)), StringValue("bytes"), must(ParseDecimal([]byte("12.50"), &a)), IntervalValue(14, 3, 14706780000),
	}
	change := &Change{Op: Create, After: row}
	dst := make([]byte, 0, 8192)
	if n := testing.AllocsPerRun(100, func() { _, _ = c.enc.AppendValue(dst, change, 0) }); n != 0 {
		t.Errorf("%v allocations for a row", n)
	}
}

// FuzzForms feeds bytes to the decoders of texts with a form: what they make must be something that can be written again.
func FuzzForms(f *testing.F) {
	tab := formsTable()
	enc, err := NewEncoder(tab, Mapping{Prefix: "x", Shape: ShapeRow})
	if err != nil {
		f.Fatal(err)
	}
	dec, err := NewDecoder(enc.ValueSchema(), tab)
	if err != nil {
		f.Fatal(err)
	}
	row := make([]Value, len(tab.Columns))
	row[len(row)-1] = IntValue(1)
	for i := range row[:len(row)-1] {
		row[i] = zeroOf(&tab.Columns[i].Type)
	}
	seed, err := enc.AppendValue(nil, &Change{Op: Create, After: row}, 0)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(seed[wireHeader:])
	f.Fuzz(func(t *testing.T, body []byte) {
		var c Change
		var a Arena
		if err := dec.Decode(body, &c, &a); err != nil {
			return
		}
		if _, err := enc.AppendValue(nil, &c, 0); err != nil {
			t.Fatalf("what was read cannot be written: %v", err)
		}
	})
}

// FuzzFormTexts feeds texts to the encoders: what they write must be readable.
func FuzzFormTexts(f *testing.F) {
	tab := formsTable()
	c := newCodec(f, tab)
	f.Add("((0,0),(1,1))")
	f.Add(`"k"=>"v", "k2"=>NULL`)
	f.Add("24:00:00+05:30")
	f.Fuzz(func(t *testing.T, text string) {
		row := make([]Value, len(tab.Columns))
		row[len(row)-1] = IntValue(1)
		for i := range row[:len(row)-1] {
			if k := tab.Columns[i].Type.Kind; k == String || k == Bytes {
				row[i] = StringValue(text)
			}
		}
		wire, err := c.enc.AppendValue(nil, &Change{Op: Create, After: row}, 0)
		if err != nil {
			t.Fatal(err)
		}
		var got Change
		if err := c.dec.Decode(wire[wireHeader:], &got, new(Arena)); err != nil {
			t.Fatalf("%q: what was written cannot be read: %v", text, err)
		}
	})
}

// TestKeysOfAnHstoreAreInTheOrderOfJava: the orders are those that a HashMap of Java 17 printed, of keys put in this order.
func TestKeysOfAnHstoreAreInTheOrderOfJava(t *testing.T) {
	for keys, want := range map[string]string{
		"b|c|a|banana|apple|cherry": "banana|a|apple|cherry|b|c",
		"a|z|bb|AaAa|BBBB|AaBB|é|🙂|key|banana|cherry|apple|k 1|zzzz|quite a long key": "bb|banana|a|cherry|é|apple|quite a long key|zzzz|z|k 1|🙂|key|AaAa|BBBB|AaBB",
	} {
		var pairs []hstorePair
		for key := range strings.SplitSeq(keys, "|") {
			pairs = append(pairs, hstorePair{key: []byte(key), hash: javaHash([]byte(key))})
		}
		sortAsJava(pairs)
		var got []string
		for _, p := range pairs {
			got = append(got, string(p.key))
		}
		if text := strings.Join(got, "|"); text != want {
			t.Errorf("%s, want %s", text, want)
		}
	}
}
