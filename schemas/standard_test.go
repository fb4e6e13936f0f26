package schemas

import (
	"math"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/linkedin/goavro/v2"
)

// standardSubjects are the types of the second mapping. What goavro does not know (local-timestamp-micros, uuid) it
// reads as the base type, as Avro wants it.
func standardSubjects() []subject {
	at := func(text string) any { return must(time.Parse(time.RFC3339Nano, text)) }
	day := func(text string) any { return must(time.Parse(time.DateOnly, text)) }
	const micros = time.Microsecond
	all := []subject{
		{typ: kind(Bool), union: "boolean", zero: false, samples: []sample{exactly("t", true), exactly("f", false)}},
		{typ: kind(Int16), union: "int", zero: int32(0), samples: []sample{exactly("32767", int32(32767)), exactly("-32768", int32(-32768))}},
		{typ: kind(Int32), union: "int", zero: int32(0), samples: []sample{exactly("-2147483648", int32(math.MinInt32)), exactly("0", int32(0))}},
		{typ: kind(Int64), union: "long", zero: int64(0), samples: []sample{exactly("9223372036854775807", int64(math.MaxInt64))}},
		{typ: kind(Float32), union: "float", zero: float32(0), samples: []sample{exactly("3.3", float32(3.3)), exactly("-Infinity", float32(math.Inf(-1)))}},
		{typ: kind(Float64), union: "double", zero: float64(0), samples: []sample{exactly("4.44", 4.44), exactly("NaN", math.NaN())}},
		{typ: numeric(10, 2), union: "bytes.decimal", zero: new(big.Rat), samples: []sample{exactly("12.34", big.NewRat(1234, 100)), exactly("-99999999.99", big.NewRat(-9999999999, 100)), not("NaN")}},
		{typ: numeric(3, -3), union: "bytes.decimal", zero: new(big.Rat), samples: []sample{exactly("123000", big.NewRat(123000, 1))}},
		{typ: numeric(2, 5), union: "bytes.decimal", zero: new(big.Rat), samples: []sample{exactly("0.00099", big.NewRat(99, 100000))}},
		{typ: kind(Decimal), union: "string", zero: "0", samples: []sample{exactly("10.1111", "10.1111"), exactly("1.10", "1.10"), exactly("-0.1", "-0.1"), exactly("NaN", "NaN"), exactly("Infinity", "Infinity"), exactly("-Infinity", "-Infinity"), exactly(strings.Repeat("9", 200)+".5", strings.Repeat("9", 200)+".5")}},
		{typ: kind(String), union: "string", zero: "", samples: []sample{exactly("", ""), exactly("žš 🙂", "žš 🙂"), exactly(Placeholder, Placeholder)}},
		{typ: kind(Bytes), union: "bytes", zero: []byte{}, samples: []sample{exactly(`\x00ff`, []byte{0, 255})}},
		{typ: kind(Date), union: "int.date", zero: day("1970-01-01"), samples: []sample{exactly("2016-11-04", day("2016-11-04")), exactly("1900-02-28", day("1900-02-28")), not("infinity"), not("-infinity")}},
		{typ: digits(Time, 3), union: "long.time-micros", zero: time.Duration(0), samples: []sample{exactly("13:51:30.124", 49890124000*micros), exactly("00:00:00.0005", 500*micros), not("24:00:00")}},
		{typ: digits(Time, 6), union: "long.time-micros", zero: time.Duration(0), samples: []sample{exactly("13:51:30.123456", 49890123456*micros), exactly("23:59:59.999999", 86399999999*micros), not("24:00:00")}},
		{typ: digits(Timestamp, 3), union: "long", zero: int64(0), samples: []sample{exactly("2016-11-04 13:51:30.123", int64(1478267490123000)), exactly("1969-12-31 23:59:59.999999", int64(-1)), not("infinity")}},
		{typ: digits(Timestamp, 6), union: "long", zero: int64(0), samples: []sample{exactly("4713-11-24 00:00:00 BC", int64(-210835180800000000)), not("-infinity")}},
		{typ: digits(TimestampTZ, 6), union: "long.timestamp-micros", zero: at("1970-01-01T00:00:00Z"), samples: []sample{exactly("2016-11-04 13:51:30.123456+02", at("2016-11-04T11:51:30.123456Z")), exactly("1883-11-18 12:03:57-04:56:02", at("1883-11-18T16:59:59Z")), not("infinity"), not("-infinity")}},
		{typ: kind(Interval), union: "string", zero: "PT0S", samples: []sample{exactly("04:05:06.78", "PT4H5M6.78S"), exactly("1 year 2 mons 3 days 04:05:06.78", "P1Y2M3DT4H5M6.78S"), exactly("-1 mons +2 days", "P-1M2D")}},
		{typ: kind(UUID), union: "string", zero: "00000000-0000-0000-0000-000000000000", samples: []sample{exactly("a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11")}},
		{typ: kind(JSON), union: "string", zero: "{}", samples: []sample{exactly(`{"b":1,  "a":2}`, `{"b":1,  "a":2}`)}},
		{typ: Type{Kind: Enum, Labels: []string{"sad", "not ok"}}, union: "string", zero: "", samples: []sample{exactly("sad", "sad"), exactly("not ok", "not ok")}},
		{typ: arrayOf(kind(Int32)), union: "array", zero: []any{}, samples: []sample{exactly("{}", []any{}), exactly("{1,NULL,-3}", ints("int", int32(1), nil, int32(-3))), not("{{1,2},{3,NULL}}")}},
		{typ: arrayOf(kind(String)), union: "array", zero: []any{}, samples: []sample{exactly(`{one,"with,comma",NULL,"NULL",""}`, ints("string", "one", "with,comma", nil, "NULL", ""))}},
		{typ: arrayOf(kind(Decimal)), union: "array", zero: []any{}, samples: []sample{exactly("{1.10,NaN,NULL}", ints("string", "1.10", "NaN", nil))}},
		{typ: arrayOf(kind(Date)), union: "array", zero: []any{}, samples: []sample{exactly("{2016-11-04,NULL}", ints("int.date", day("2016-11-04"), nil)), not("{2016-11-04,infinity}")}},
		{typ: arrayOf(digits(TimestampTZ, 6)), union: "array", zero: []any{}, samples: []sample{exactly(`{"2016-11-04 11:51:30+00"}`, ints("long.timestamp-micros", at("2016-11-04T11:51:30Z")))}},
		{typ: arrayOf(kind(Interval)), union: "array", zero: []any{}, samples: []sample{exactly(`{"1 mon"}`, ints("string", "P1M"))}},
		{typ: arrayOf(Type{Kind: Enum, Labels: []string{"sad", "ok"}}), union: "array", zero: []any{}, samples: []sample{exactly("{sad,NULL}", ints("string", "sad", nil))}},
	}
	for i := range all {
		all[i].nullFirst = true
	}
	return all
}

func TestStandardSchemasSayNothingOfConnect(t *testing.T) {
	tab := table("public", "t",
		key(1, Column{Name: "id", Type: kind(Int32), SourceType: "integer", Default: "nextval('s')", Generated: true}),
		Column{Name: "n", Type: kind(Decimal), SourceType: "numeric"}, Column{Name: "at", Type: digits(TimestampTZ, 3), SourceType: "timestamp(3) with time zone", Default: "'2020-01-01 00:00:00+00'::timestamptz"},
		Column{Name: "note", Type: kind(String), SourceType: "text", Nullable: true, Default: "'none'::text"},
		Column{Name: "never", Type: kind(Date), SourceType: "date", Default: "'infinity'::date"},
		Column{Name: "range", Type: kind(String), SourceType: "int4multirange"},
		Column{Name: "price", Type: numeric(2, 5), SourceType: "numeric(2,5)", Nullable: true})
	for name, tc := range map[string]struct {
		shape Shape
		want  string
	}{
		"envelope": {ShapeEnvelope, `{"type":"record","name":"Envelope","namespace":"x.public.t","fields":[{"name":"before","type":["null",{"type":"record","name":"Value","fields":[ROW]}],"default":null},{"name":"after","type":["null","Value"],"default":null},` +
			standardSourceField + `,` + standardTransactionField + `,{"name":"op","type":"string"},{"name":"ts_ms","type":["null","long"],"default":null},{"name":"ts_us","type":["null","long"],"default":null},{"name":"ts_ns","type":["null","long"],"default":null}]}`},
		"row": {ShapeRow, `{"type":"record","name":"Value","namespace":"x.public.t","fields":[ROW]}`},
	} {
		e, err := NewEncoder(tab, Mapping{Prefix: "x", Types: TypesAvro, Shape: tc.shape})
		if err != nil {
			t.Fatal(err)
		}
		want := strings.Replace(tc.want, "ROW", `{"name":"id","type":"int","default":0},{"name":"n","type":"string"},{"name":"at","type":{"type":"long","logicalType":"timestamp-micros"},"default":1577836800000000},`+
			`{"name":"note","type":["null","string"],"default":null},{"name":"never","type":{"type":"int","logicalType":"date"}},{"name":"range","type":"string"},`+
			`{"name":"price","type":["null",{"type":"bytes","logicalType":"decimal","precision":5,"scale":5}],"default":null}`, 1)
		if got := e.ValueSchema(); got != want {
			t.Errorf("%s:\n%s\nwant\n%s", name, got, want)
		}
		if strings.Contains(e.ValueSchema()+e.KeySchema(), "connect.") {
			t.Errorf("%s has a property of Connect's", name)
		}
		if _, err := goavro.NewCodec(e.ValueSchema()); err != nil {
			t.Errorf("%s: goavro: %v", name, err)
		}
		if got, want := e.KeySchema(), `{"type":"record","name":"Key","namespace":"x.public.t","fields":[{"name":"id","type":"int","default":0}]}`; got != want {
			t.Errorf("key %s, want %s", got, want)
		}
	}
}

func TestStandardKeysOfEqualNumbersAreEqual(t *testing.T) {
	tab := table("public", "t", key(1, col("n", kind(Decimal))), key(2, col("at", digits(TimestampTZ, 6))))
	tab.Columns[0].Nullable, tab.Columns[1].Nullable = false, false
	e, err := NewEncoder(tab, Mapping{Prefix: "x", Types: TypesAvro})
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]string{"1.10": "1.1", "1.1": "1.1", "1.00": "1", "100": "100", "0.00": "0", "-0.50": "-0.5", "NaN": "NaN"} {
		row := []Value{must(ParseText([]byte(text), &tab.Columns[0].Type, new(Arena))), IntValue(1)}
		got, err := e.AppendKey(nil, row)
		if err != nil || string(got[wireHeader:]) != string(appendBytes(nil, want))+"\x02" {
			t.Errorf("%s: %q, %v", text, got, err)
		}
		if got := string(e.AppendKeyJSON(nil, row)); got != `{"n":"`+want+`","at":1}` {
			t.Errorf("%s: %s", text, got)
		}
	}
}

func TestStandardRowsTakeNoMemory(t *testing.T) {
	for _, shape := range []Shape{ShapeEnvelope, ShapeRow} {
		tab, c := orderChange(t)
		tab.Columns = append(tab.Columns, col("n", kind(Decimal)), col("i", kind(Interval)))
		c.After = append(c.After, DecimalValue([]byte{0x6e}, 2), IntervalValue(1, 2, 3))
		e, err := NewEncoder(tab, Mapping{Prefix: "shop", Types: TypesAvro, Shape: shape})
		if err != nil {
			t.Fatal(err)
		}
		d, err := NewDecoder(e.ValueSchema(), tab)
		if err != nil {
			t.Fatal(err)
		}
		dst := make([]byte, 0, 4096)
		var got Change
		var a Arena
		op := []byte("u")
		if n := testing.AllocsPerRun(1000, func() {
			a.Reset()
			var err error
			if dst, err = e.AppendValue(dst[:0], c, benchMicros); err != nil {
				t.Fatal(err)
			}
			if err := d.Decode(dst[wireHeader:], &got, &a); err != nil {
				t.Fatal(err)
			}
			n := len(dst)
			dst = AppendOrigin(dst, &c.Source)
			if err := d.ApplyHeader(&got, HeaderSource, dst[n:], &a); err != nil {
				t.Fatal(err)
			}
			if err := d.ApplyHeader(&got, HeaderOp, op, &a); err != nil {
				t.Fatal(err)
			}
		}); n != 0 {
			t.Errorf("%s: %v allocations per row", shape, n)
		}
		sameRow(t, tab, "after", got.After, c.After)
	}
}
