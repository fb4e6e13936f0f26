package schemas

import (
	"bytes"
	"errors"
	"math/big"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestTextReadsBackAsPostgreSQLPrintsIt(t *testing.T) {
	intArray := &Type{Kind: Array, Elem: &Type{Kind: Int32}}
	textArray := &Type{Kind: Array, Elem: &Type{Kind: String}}
	boxArray := &Type{Kind: Array, Elem: &Type{Kind: String, Form: FormBox}}
	for _, tc := range []struct {
		typ  *Type
		text string
		want string // of AppendText; "" means text itself
	}{
		{&Type{Kind: Bool}, "t", ""},
		{&Type{Kind: Bool}, "f", ""},
		{&Type{Kind: Int16}, "-32768", ""},
		{&Type{Kind: Int64}, "-9223372036854775808", ""},
		{&Type{Kind: Float32}, "3.3", ""},
		{&Type{Kind: Float32}, "1.6777216e+07", ""},
		{&Type{Kind: Float32}, "1e-45", ""},
		{&Type{Kind: Float64}, "NaN", ""},
		{&Type{Kind: Float64}, "-Infinity", ""},
		{&Type{Kind: Float64}, "-0", ""},
		{&Type{Kind: Float64}, "2.2250738585072014e-308", ""},
		{&Type{Kind: Float64}, "123456789012345.6", ""},
		{&Type{Kind: Float64}, "0.0001", ""},
		{&Type{Kind: Decimal}, "0", ""},
		{&Type{Kind: Decimal}, "-0.000000000000000000000000000001", ""},
		{&Type{Kind: Decimal}, "100.00", ""},
		{&Type{Kind: Decimal}, "NaN", ""},
		{&Type{Kind: Decimal}, "-Infinity", ""},
		{&Type{Kind: Decimal}, strings.Repeat("9", 500) + "." + strings.Repeat("7", 500), ""},
		{&Type{Kind: Decimal}, "-1" + strings.Repeat("0", 131071) + "." + strings.Repeat("3", 16383), ""},
		{&Type{Kind: Bytes}, `\x`, ""},
		{&Type{Kind: Bytes}, `\xdeadbeef5c78`, ""},
		{&Type{Kind: Date}, "2016-11-04", ""},
		{&Type{Kind: Date}, "0001-12-31 BC", ""},
		{&Type{Kind: Date}, "0001-02-29 BC", ""},
		{&Type{Kind: Date}, "4713-11-24 BC", ""},
		{&Type{Kind: Date}, "5874897-12-31", ""},
		{&Type{Kind: Date}, "-infinity", ""},
		{&Type{Kind: Time}, "24:00:00", ""},
		{&Type{Kind: Time}, "13:51:30.1234", ""},
		{&Type{Kind: Timestamp}, "2016-11-04 13:51:30.123456", ""},
		{&Type{Kind: Timestamp}, "1969-12-31 23:59:59.999999", ""},
		{&Type{Kind: Timestamp}, "0044-03-15 12:00:00 BC", ""},
		{&Type{Kind: Timestamp}, "4713-11-24 00:00:00 BC", ""},
		{&Type{Kind: Timestamp}, "294246-12-31 23:59:58.999", ""},
		{&Type{Kind: Timestamp}, "infinity", ""},
		{&Type{Kind: TimestampTZ}, "2025-01-01 12:00:00.123456+00", ""},
		{&Type{Kind: TimestampTZ}, "2025-01-01 12:00:00.123456000Z", "2025-01-01 12:00:00.123456+00"},
		{&Type{Kind: TimestampTZ}, "2025-01-01 00:30:00+05:30", "2024-12-31 19:00:00+00"},
		{&Type{Kind: TimestampTZ}, "1883-11-18 12:03:57-04:56:02", "1883-11-18 16:59:59+00"},
		{&Type{Kind: TimestampTZ}, "0001-01-01 00:00:00+00 BC", ""},
		{&Type{Kind: TimestampTZ}, "-0043-03-15T12:00:00.000000Z", "0044-03-15 12:00:00+00 BC"},
		{&Type{Kind: TimestampTZ}, "+21016-11-04T06:51:30.123456Z", "21016-11-04 06:51:30.123456+00"},
		{&Type{Kind: Interval}, "1 year 2 mons 3 days 04:05:06.78", "P1Y2M3DT4H5M6.78S"},
		{&Type{Kind: Interval}, "-1 years -2 mons +3 days -04:05:06.000001", "P-1Y-2M3DT-4H-5M-6.000001S"},
		{&Type{Kind: Interval}, "00:00:00", "PT0S"},
		{&Type{Kind: Interval}, "-00:00:00.001", "PT-0.001S"},
		{&Type{Kind: Interval}, "178000000 years", "P178000000Y"},
		{&Type{Kind: Interval}, "1 mon -1 days", "P1M-1D"},
		{&Type{Kind: Interval}, "100000:00:00", "PT100000H"},
		{&Type{Kind: Interval}, "P1Y2M3DT4H5M6.78S", ""},
		{&Type{Kind: Interval}, "PT0S", ""},
		{&Type{Kind: UUID}, "A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"},
		{&Type{Kind: JSON}, `{"b":1,  "a":2}`, ""},
		{intArray, "{}", ""},
		{intArray, "{1,NULL,-3}", ""},
		{intArray, "{{1,2},{3,NULL}}", ""},
		{intArray, "[1:2]={7,8}", "{7,8}"},
		{textArray, `{one,"two words","with,comma","with\"quote","back\\slash","NULL",NULL,"","{"}`, ""},
		{textArray, `{a\,b}`, `{"a,b"}`},
		{textArray, `{a;b}`, ""},
		{boxArray, `{(1,1),(0,0);NULL;(3.5,-1),(2,-7)}`, ""},
		{boxArray, `{{(1,1),(0,0);(2,2),(0,0)};{(3,3),(0,0);NULL}}`, ""},
		{&Type{Kind: Array, Elem: &Type{Kind: String, Form: FormPath}}, `{"((0,0),(1,1))","[(0,0)]",NULL}`, ""},
		{&Type{Kind: Array, Elem: &Type{Kind: String, Form: FormPolygon}}, `{"((0,0),(1,1),(2,0))"}`, ""},
		{&Type{Kind: Array, Elem: &Type{Kind: Timestamp}}, `{"2020-04-01 00:01:02",infinity}`, ""},
		{&Type{Kind: Array, Elem: &Type{Kind: Decimal, Precision: 10, Scale: 2}}, `{1.20,NULL,3.45,NaN}`, ""},
		{&Type{Kind: Array, Elem: &Type{Kind: Bytes}}, `{"\\x000102",NULL,"\\x"}`, ""},
		{&Type{Kind: Array, Elem: &Type{Kind: JSON}}, `{"{\"a\": \"b,c\"}","null"}`, ""},
	} {
		var a Arena
		v, err := ParseText([]byte(tc.text), tc.typ, &a)
		if err != nil {
			t.Errorf("%v: %v", tc.typ, err)
			continue
		}
		want := tc.want
		if want == "" {
			want = tc.text
		}
		if got := string(AppendText([]byte("x"), tc.typ, v)); got != "x"+want {
			t.Errorf("%v: %q came back as %q, want %q", tc.typ, shown([]byte(tc.text)), got[1:], want)
		}
	}
}

func TestTextThatIsNoValueIsRefused(t *testing.T) {
	for _, tc := range []struct {
		kind Kind
		text string
	}{
		{Bool, ""},
		{Bool, "yes"},
		{Int16, "32768"},
		{Int32, ""},
		{Int32, "1 "},
		{Float64, "1,5"},
		{Decimal, ""},
		{Decimal, "."},
		{Decimal, "-"},
		{Decimal, "1.2.3"},
		{Decimal, "1e5"},
		{Bytes, "abc"},
		{Bytes, `\x1`},
		{Bytes, `\xzz`},
		{Date, "2025-02-29"},
		{Date, "2025-13-01"},
		{Date, "2025-1-1"},
		{Date, "2025-01-01x"},
		{Date, "0000-01-01 BC"},
		{Time, "24:00:00.000001"},
		{Time, "12:60:00"},
		{Time, "12:00:00."},
		{Timestamp, "2025-01-01"},
		{Timestamp, "2025-01-01 00:00:00+00"},
		{TimestampTZ, "2025-01-01 00:00:00"},
		{Interval, ""},
		{Interval, "P"},
		{Interval, "PT"},
		{Interval, "1"},
		{Interval, "1 parsec"},
		{Interval, "P1H"},
		{Interval, "P1.5Y"},
		{UUID, "a0eebc99"},
		{UUID, "g0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"},
	} {
		if v, err := ParseText([]byte(tc.text), &Type{Kind: tc.kind}, new(Arena)); err == nil {
			t.Errorf("%v %q was read as %+v", tc.kind, tc.text, v)
		}
	}
	for _, text := range []string{"", "{", "{1", "{1,", "{1,}", "{,1}", "1}", "{1}2", `{"1}`, `{1"2"}`, `{"1"2}`, "[0:1", "[1:2]{1,2}", `{1\`, strings.Repeat("{", 13) + strings.Repeat("}", 13)} {
		if v, err := ParseText([]byte(text), &Type{Kind: Array, Elem: &Type{Kind: Int32}}, new(Arena)); err == nil {
			t.Errorf("array %q was read as %+v", text, v)
		}
	}
}

func TestTextOutsideTheCanonicalRangeIsMarked(t *testing.T) {
	for _, tc := range []struct {
		kind Kind
		text string
		want error
	}{
		{Timestamp, "294247-01-11 00:00:00", ErrRange},
		{Timestamp, "294276-12-31 23:59:59.999999", ErrRange},
		{TimestampTZ, "294276-12-31 23:59:59.999999+00", ErrRange},
		{TimestampTZ, "2025-01-01 12:00:00.1234567+00", ErrRange},
		{TimestampTZ, "0000000000:0:.000000001Z", errNoDateTime},
		{TimestampTZ, "2025-01-01 12:00:00.1234567+00 at noon", errNoDateTime},
		{Interval, "infinity", ErrRange},
		{Interval, "200000000 years", ErrRange},
		{Interval, "9999999999:00:00", ErrRange},
		{Array, "[0:2]={7,8,9}", ErrArrayBounds},
		{Array, "[1:1][5:6]={{1,2}}", ErrArrayBounds},
	} {
		if _, err := ParseText([]byte(tc.text), &Type{Kind: tc.kind, Elem: &Type{Kind: Int32}}, new(Arena)); !errors.Is(err, tc.want) {
			t.Errorf("%v %q: %v, want %v", tc.kind, tc.text, err, tc.want)
		}
	}
}

func TestDecimalTextAgreesWithBigIntegers(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		digits := rapid.StringMatching(`-?[1-9][0-9]{0,60}`).Draw(rt, "digits")
		if rapid.Bool().Draw(rt, "long") {
			digits += strings.Repeat("0123456789", rapid.IntRange(0, 200).Draw(rt, "more"))
		}
		want, _ := new(big.Int).SetString(digits, 10)
		v, err := ParseDecimal([]byte(digits), new(Arena))
		if err != nil {
			rt.Fatal(err)
		}
		unscaled, scale, _ := v.Decimal()
		if bigFromTwos(unscaled).Cmp(want) != 0 || scale != 0 {
			rt.Fatalf("%s became %x", digits, unscaled)
		}
		if short := twosFromBig(want, new(Arena)); !bytes.Equal(short, unscaled) {
			rt.Fatalf("%s: %x is not the shortest form %x", digits, unscaled, short)
		}
		if got := string(AppendDecimalText(nil, unscaled, 0)); got != digits {
			rt.Fatalf("%s came back as %s", digits, got)
		}
	})
}

func TestShortDecimalsAreMinimal(t *testing.T) {
	for v := int64(-70000); v < 70000; v++ {
		if got, want := twosFromInt(v, new(Arena)), twosFromBig(big.NewInt(v), new(Arena)); !bytes.Equal(got, want) {
			t.Fatalf("%d: %x, want %x", v, got, want)
		}
	}
}

func TestEveryDayReadsBack(t *testing.T) {
	for days := int64(-2_500_000); days < 3_000_000; days += 7 {
		text := AppendDate(nil, days)
		if got, err := ParseDate(text); err != nil || got != days {
			t.Fatalf("day %d is %q, read as %d, %v", days, text, got, err)
		}
	}
}

func TestIntervalsReadBack(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		m, d, us := rapid.Int32().Draw(rt, "months"), rapid.Int32().Draw(rt, "days"), rapid.Int64().Draw(rt, "micros")
		text := AppendInterval(nil, m, d, us)
		m2, d2, us2, err := ParseInterval(text)
		if err != nil || m2 != m || d2 != d || us2 != us {
			rt.Fatalf("%d %d %d is %q, read as %d %d %d, %v", m, d, us, text, m2, d2, us2, err)
		}
	})
}

func TestTextDoesNotAllocate(t *testing.T) {
	var a Arena
	dst := make([]byte, 0, 4096)
	for _, tc := range []struct {
		typ  *Type
		text string
	}{
		{&Type{Kind: Decimal}, "12345.67"},
		{&Type{Kind: Decimal}, strings.Repeat("9", 60) + ".5"},
		{&Type{Kind: TimestampTZ}, "2025-01-01 12:00:00.123456+00"},
		{&Type{Kind: Interval}, "1 year 04:05:06.78"},
		{&Type{Kind: UUID}, "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"},
		{&Type{Kind: Float64}, "123.456"},
		{&Type{Kind: Int32}, "123"},
		{&Type{Kind: Bytes}, `\xdead`},
		{&Type{Kind: Array, Elem: &Type{Kind: String}}, `{a,"b c","d\"e",NULL,{f}}`},
	} {
		text := []byte(tc.text)
		if n := testing.AllocsPerRun(100, func() {
			a.Reset()
			v, err := ParseText(text, tc.typ, &a)
			if err != nil {
				t.Fatal(err)
			}
			dst = AppendText(dst[:0], tc.typ, v)
		}); n != 0 {
			t.Errorf("%v %s: %v allocations", tc.typ, tc.text, n)
		}
	}
}

func FuzzParseText(f *testing.F) {
	for kind, text := range map[Kind]string{
		Decimal: "-12.50", Date: "0044-03-15 BC", Time: "24:00:00", Timestamp: "2025-01-01 12:00:00.5",
		TimestampTZ: "2025-01-01 12:00:00.5+05:30", Interval: "1 mon -1 days 04:05:06", UUID: "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", Array: `{a,"b c",NULL}`,
	} {
		f.Add(uint8(kind), []byte(text))
	}
	f.Fuzz(func(t *testing.T, kind uint8, text []byte) {
		typ := &Type{Kind: Kind(kind) % (Array + 1), Elem: &Type{Kind: String}}
		var a Arena
		v, err := ParseText(text, typ, &a)
		if err != nil {
			return
		}
		printed := AppendText(nil, typ, v)
		again, err := ParseText(printed, typ, &a)
		if err != nil {
			t.Fatalf("%q printed as %q: %v", text, printed, err)
		}
		if second := AppendText(nil, typ, again); !bytes.Equal(printed, second) {
			t.Fatalf("%q printed as %q, then as %q", text, printed, second)
		}
	})
}
