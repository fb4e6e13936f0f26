package schemas

import (
	"math"
	"strings"
	"testing"
)

func TestAValueIsConvertedAsPostgreSQLConvertsIt(t *testing.T) {
	kind := func(k Kind) Type { return Type{Kind: k} }
	array := func(k Kind) Type { return Type{Kind: Array, Elem: &Type{Kind: k}} }
	const unfit = "unrepresentable "
	for _, tt := range []struct {
		from Type
		text string // of the value
		to   Type
		want string // its text afterwards
	}{
		{kind(Date), "2026-11-25", kind(Timestamp), "2026-11-25 00:00:00"},
		{kind(Date), "0044-03-15 BC", kind(TimestampTZ), "0044-03-15 00:00:00+00 BC"},
		{kind(Date), "infinity", kind(Timestamp), "infinity"},
		{kind(Date), "294248-01-01", kind(Timestamp), unfit + "294248-01-01"},
		{kind(Timestamp), "2026-11-25 23:59:59", kind(Date), "2026-11-25"},
		{kind(Timestamp), "1969-12-31 23:00:00", kind(Date), "1969-12-31"},
		{kind(TimestampTZ), "-infinity", kind(Date), "-infinity"},
		{kind(Timestamp), "2026-11-25 12:00:00", kind(TimestampTZ), "2026-11-25 12:00:00+00"},
		{kind(Int16), "-7", kind(Int64), "-7"},
		{kind(Int64), "2147483647", kind(Int32), "2147483647"},
		{kind(Int64), "2147483648", kind(Int32), unfit + "2147483648"},
		{kind(Int64), "-32769", kind(Int16), unfit + "-32769"},
		{kind(Int32), "5", kind(Float64), "5"},
		{kind(Int32), "5", kind(String), "5"},
		{kind(Int32), "5", kind(Decimal), "5"},
		{kind(Float64), "2.5", kind(Int32), "2"},
		{kind(Float64), "NaN", kind(Int32), unfit + "NaN"},
		{kind(Float64), "1e+20", kind(Int64), unfit + "1e+20"},
		{kind(Float64), "1e+20", kind(Decimal), "100000000000000000000"},
		{kind(Float64), "-Infinity", kind(Decimal), "-Infinity"},
		{kind(Float64), "1e+300", kind(Float32), unfit + "1e+300"},
		{kind(Float64), "0.1", kind(Float32), "0.1"},
		{kind(Decimal), "2.50", kind(Int32), "3"},
		{kind(Decimal), "-0.5", kind(Int32), "-1"},
		{kind(Decimal), "12.49", kind(Int32), "12"},
		{kind(Decimal), "9223372036854775807.5", kind(Int64), unfit + "9223372036854775807.5"},
		{kind(Decimal), "99999999999999999999", kind(Int64), unfit + "99999999999999999999"},
		{kind(Decimal), "NaN", kind(Int16), unfit + "NaN"},
		{kind(Decimal), "12.25", kind(Float64), "12.25"},
		{kind(Decimal), "12.25", kind(String), "12.25"},
		{kind(Bool), "t", kind(String), "true"},
		{kind(String), "t", kind(Bool), "t"},
		{kind(String), "12", kind(Int32), "12"},
		{kind(String), "12000000000", kind(Int32), unfit + "12000000000"},
		{kind(String), `\x6162`, kind(Bytes), `\x6162`},
		{kind(String), "ab", kind(Bytes), `\x6162`},
		{kind(Bytes), `\x6162`, kind(String), `\x6162`},
		{kind(Time), "12:00:00", kind(String), "12:00:00"},
		{kind(Timestamp), "2026-11-25 12:00:00", kind(String), "2026-11-25 12:00:00"},
		{kind(Enum), "ok", kind(String), "ok"},
		{kind(String), "{}", kind(JSON), "{}"},
		{array(Int64), "{1,NULL,3}", array(Int32), "{1,NULL,3}"},
		{array(Int64), "{{1,2},{3,4}}", array(String), "{{1,2},{3,4}}"},
		{array(Int64), "{1,2147483648}", array(Int32), unfit + "{1,2147483648}"},
		{array(Int32), "{1,2}", kind(String), "{1,2}"},
		{kind(String), "{a,b}", array(String), "{a,b}"},
	} {
		var a Arena
		v, err := ParseText([]byte(tt.text), &tt.from, &a)
		if err != nil {
			t.Fatal(err)
		}
		out := v
		if convert := NewConverter(tt.from, tt.to); convert != nil {
			if out, err = convert(v, &a); err != nil {
				t.Errorf("%s of %v as %v: %v", tt.text, tt.from, tt.to, err)
				continue
			}
		}
		got := string(AppendText(nil, &tt.to, out))
		if out.Kind() == KindUnrepresentable {
			got = unfit + got
		} else if want, err := ParseText([]byte(got), &tt.to, &a); err != nil || want.Kind() != out.Kind() {
			t.Errorf("%s of %v as %v: representation %d, want %d: %v", tt.text, tt.from, tt.to, out.Kind(), want.Kind(), err)
		}
		if got != tt.want {
			t.Errorf("%s of %v as %v: %s, want %s", tt.text, tt.from, tt.to, got, tt.want)
		}
	}
}

func TestAConversionThatMeansNothingIsRefused(t *testing.T) {
	var a Arena
	if _, err := NewConverter(Type{Kind: String}, Type{Kind: Int32})(StringValue("abc"), &a); err == nil || !strings.Contains(err.Error(), "int32") {
		t.Errorf("abc as int32: %v", err)
	}
	if _, err := NewConverter(Type{Kind: String}, Type{Kind: Bytes})(StringValue(`a\001`), &a); err == nil {
		t.Error("an octal escape is taken for bytes")
	}
}

func TestWhatIsNoValueIsNotConverted(t *testing.T) {
	convert := NewConverter(Type{Kind: Date}, Type{Kind: Timestamp})
	for _, v := range []Value{Null(), Unchanged(), UnrepresentableValue([]byte("x"))} {
		if out, err := convert(v, new(Arena)); err != nil || out != v {
			t.Errorf("kind %d: %v %v", v.Kind(), out, err)
		}
	}
}

func TestTheSameFormCostsNothing(t *testing.T) {
	for _, pair := range [][2]Type{
		{{Kind: Int32}, {Kind: Int64}},
		{{Kind: Timestamp, Precision: 3}, {Kind: Timestamp, Precision: 6}},
		{{Kind: Decimal, Precision: 10, Scale: 2}, {Kind: Decimal}},
		{{Kind: Array, Elem: &Type{Kind: Int16}}, {Kind: Array, Elem: &Type{Kind: Int32}}},
	} {
		if NewConverter(pair[0], pair[1]) != nil {
			t.Errorf("%v to %v is converted", pair[0], pair[1])
		}
	}
	if v, err := NewConverter(Type{Kind: Int64}, Type{Kind: Int16})(IntValue(math.MinInt16), nil); err != nil || v.Int() != math.MinInt16 {
		t.Errorf("the smallest int16: %v %v", v, err)
	}
}
