package postgres

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/syncline-io/syncline/framework/config"
	"github.com/syncline-io/syncline/schemas"
)

// literals makes values of a type as an application writes them.
type literals func(r *rand.Rand) string

func oneOf(fixed string, others literals) literals {
	list := strings.Split(fixed, "|")
	return func(r *rand.Rand) string {
		if r.IntN(6) == 0 {
			return list[r.IntN(len(list))]
		}
		return others(r)
	}
}

func whole(bits int) literals {
	low, high := int64(-1)<<(bits-1), int64(1)<<(bits-1)-1
	return oneOf(fmt.Sprintf("0|-1|%d|%d", low, high), func(r *rand.Rand) string {
		return fmt.Sprint(int64(r.Uint64()) >> (64 - bits + r.IntN(bits)))
	})
}

func unsigned(bits int) literals {
	return func(r *rand.Rand) string { return fmt.Sprint(r.Uint64() >> (64 - 1 - r.IntN(bits))) }
}

func digits(r *rand.Rand, n int) string {
	var b strings.Builder
	for range n {
		b.WriteByte("00012345678999"[r.IntN(14)])
	}
	return b.String()
}

func numeral(r *rand.Rand) string {
	text := []string{"", "-"}[r.IntN(2)] + "0" + digits(r, r.IntN(50)>>r.IntN(4))
	if r.IntN(3) > 0 {
		text += "." + digits(r, 1+r.IntN(40)>>r.IntN(4))
	}
	return text
}

func letters(r *rand.Rand) string {
	var b strings.Builder
	for range r.IntN(12) {
		b.WriteString([]string{"a", "B", " ", `"`, `\`, "'", ",", "{", "}", "(", ")", "é", "\t", "\n", "🙂", "NULL", "=>", ";"}[r.IntN(18)])
	}
	return b.String()
}

func words(r *rand.Rand) string { return strings.Join(strings.Split(digits(r, 1+r.IntN(5)), ""), ".") }

func clock(r *rand.Rand) string {
	text := fmt.Sprintf("%02d:%02d:%02d", r.IntN(24), r.IntN(60), r.IntN(60))
	if r.IntN(2) == 0 {
		text += "." + digits(r, 1+r.IntN(6))
	}
	return text
}

func day(lastYear int) literals {
	return oneOf("infinity|-infinity|1970-01-01|2000-02-29|4714-11-24 BC|0001-01-01|0001-12-31 BC|99999-12-31", func(r *rand.Rand) string {
		text := fmt.Sprintf("%04d-%02d-%02d", 1+r.IntN(lastYear>>r.IntN(10)), 1+r.IntN(12), 1+r.IntN(28))
		if r.IntN(8) == 0 {
			text = fmt.Sprintf("%04d-%02d-%02d BC", 1+r.IntN(4713), 1+r.IntN(12), 1+r.IntN(28))
		}
		return text
	})
}

func instants(r *rand.Rand) string {
	text := day(294276)(r)
	if date, bc, ok := strings.Cut(text, " "); ok {
		return date + " " + clock(r) + " " + bc
	} else if strings.Contains(text, "inf") {
		return text
	}
	return text + " " + clock(r)
}

func spans(r *rand.Rand) string {
	return fmt.Sprintf("%d years %d mons %d days %d hours %d us", r.IntN(7)-3, r.IntN(5)-2, r.IntN(9)-4, (r.IntN(9)-4)>>r.IntN(3)<<r.IntN(12), (r.Int64N(9e9)-4e9)>>r.IntN(33))
}

func bitsOf(n int) literals {
	return func(r *rand.Rand) string {
		if n < 0 {
			n := r.IntN(40)
			return strings.Map(func(c rune) rune { return '0' + c%2 }, digits(r, n))
		}
		return strings.Map(func(c rune) rune { return '0' + c%2 }, digits(r, n))
	}
}

func address(r *rand.Rand) string {
	if r.IntN(2) == 0 {
		return fmt.Sprintf("%d.%d.%d.%d", r.IntN(256), r.IntN(3), r.IntN(256), r.IntN(2))
	}
	var parts []string
	for range 8 {
		parts = append(parts, fmt.Sprintf("%x", []uint32{0, 0, 0, 1, 0xffff, r.Uint32N(1 << 16)}[r.IntN(6)]))
	}
	return strings.Join(parts, ":")
}

func inet(r *rand.Rand) string {
	text := address(r)
	if r.IntN(2) == 0 {
		text += fmt.Sprint("/", r.IntN(33))
	}
	return text
}

func hexes(n int) literals {
	return func(r *rand.Rand) string {
		n := n
		if n < 0 {
			n = r.IntN(9)
		}
		var b strings.Builder
		for range n {
			fmt.Fprintf(&b, "%02x", r.IntN(256))
		}
		return b.String()
	}
}

func documents(r *rand.Rand) string {
	return []string{`{"b": 1,  "a":[2,{"c":null}]}`, `"é\u0020"`, "1.10", "null", `[1e3, -0.5]`, `{"k":"\"\\"}`}[r.IntN(6)]
}

func ranges(bound func(r *rand.Rand) (low, high string)) literals {
	return func(r *rand.Rand) string {
		if r.IntN(6) == 0 {
			return "empty"
		}
		low, high := bound(r)
		low, high = []string{low, ""}[r.IntN(5)/4], []string{high, ""}[r.IntN(5)/4]
		return "[("[r.IntN(2):][:1] + low + "," + high + ")]"[r.IntN(2):][:1]
	}
}

func apart(least int, unit string) func(r *rand.Rand) (string, string) {
	return func(r *rand.Rand) (string, string) {
		n := r.IntN(1000) - 500
		return fmt.Sprint(n, unit), fmt.Sprint(n+least+r.IntN(100), unit)
	}
}

func daysApart(time string) func(r *rand.Rand) (string, string) {
	return func(r *rand.Rand) (string, string) {
		low, high := fmt.Sprintf(`"%04d-05-01%s"`, 1+r.IntN(3000), time), fmt.Sprintf(`"%d-07-01%s"`, 3000+r.IntN(30000), time)
		if r.IntN(5) == 0 {
			low, high = fmt.Sprintf(`"%04d-05-01%s BC"`, 1+r.IntN(3000), time), "infinity"
		}
		return low, high
	}
}

func several(one literals) literals {
	return func(r *rand.Rand) string {
		var parts []string
		for range r.IntN(4) {
			parts = append(parts, one(r))
		}
		return "{" + strings.Join(parts, ",") + "}"
	}
}

// arrayOf makes literals of arrays: of one dimension most of the time.
func arrayOf(elem literals, delimiter string) literals {
	item := func(r *rand.Rand) string {
		if r.IntN(6) == 0 {
			return "NULL"
		}
		return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(elem(r)) + `"`
	}
	var nested func(r *rand.Rand, sizes []int) string
	nested = func(r *rand.Rand, sizes []int) string {
		var parts []string
		for range sizes[0] {
			if len(sizes) == 1 {
				parts = append(parts, item(r))
			} else {
				parts = append(parts, nested(r, sizes[1:]))
			}
		}
		return "{" + strings.Join(parts, delimiter) + "}"
	}
	return func(r *rand.Rand) string {
		if r.IntN(3) > 0 {
			return nested(r, []int{r.IntN(5)})
		}
		sizes, bounds := []int{1 + r.IntN(3)}, ""
		for range r.IntN(3) {
			sizes = append(sizes, 1+r.IntN(3))
		}
		if r.IntN(2) == 0 {
			for _, n := range sizes {
				low := r.IntN(5) - 2
				bounds += fmt.Sprintf("[%d:%d]", low, low+n-1)
			}
			bounds += "="
		}
		return bounds + nested(r, sizes)
	}
}

// binaryTypes has a generator for each type whose binary form is read.
var binaryTypes = map[string]literals{
	"boolean":  func(r *rand.Rand) string { return "ft"[r.IntN(2):][:1] },
	"smallint": whole(16),
	"integer":  whole(32),
	"bigint":   whole(64),
	"oid":      unsigned(32),
	"real": oneOf("NaN|Infinity|-Infinity|-0|1e-45|3.4028235e38|16777217", func(r *rand.Rand) string {
		return fmt.Sprint(float32(r.NormFloat64() * math.Pow(10, float64(r.IntN(60)-30))))
	}),
	"double precision": oneOf("NaN|Infinity|-Infinity|-0|5e-324|1.7976931348623157e308", func(r *rand.Rand) string { return fmt.Sprint(r.NormFloat64() * math.Pow(10, float64(r.IntN(600)-300))) }),
	"numeric":          oneOf("NaN|Infinity|-Infinity|0|0.00|-0.0|1e131071|1e-16383|10000|0.0001|100000000.00001|9999.9999", numeral),
	"numeric(10,2)":    func(r *rand.Rand) string { return fmt.Sprintf("%d.%02d", r.IntN(2e7)-1e7, r.IntN(100)) },
	"money":            oneOf("92233720368547758.07|-92233720368547758.08|0|-0.01|999.99|-1000", func(r *rand.Rand) string { return fmt.Sprintf("%d.%02d", r.IntN(2e7)-1e7, r.IntN(100)) }),
	"text":             letters,
	"varchar":          letters,
	"char(12)":         func(r *rand.Rand) string { return digits(r, r.IntN(12)) + " " },
	"name":             letters,
	`"char"`:           oneOf(`\200|\377`, func(r *rand.Rand) string { return []string{"", "a", `"`, "é"}[r.IntN(4)] }),
	"citext":           letters,
	"xml": func(r *rand.Rand) string {
		return []string{`<?xml version="1.0"?>` + "\n<a/>", "\n<b>é</b>", "<c d=\"&lt;\"/>x", ""}[r.IntN(4)]
	},
	"json":     documents,
	"jsonb":    documents,
	"jsonpath": func(r *rand.Rand) string { return []string{`$.a[*] ? (@ > 1)`, "lax $", `$."é"`}[r.IntN(3)] },
	"bytea":    func(r *rand.Rand) string { return `\x` + hexes(-1)(r) },
	"date":     day(5874897),
	"time":     oneOf("24:00:00|00:00:00", clock),
	"time with time zone": oneOf("24:00:00+15:59:59|00:00:00-15:59", func(r *rand.Rand) string {
		return clock(r) + []string{"+00", "-07", "+05:30", "-00:00:07", "+13:00:01"}[r.IntN(5)]
	}),
	"timestamp":                instants,
	"timestamp with time zone": instants,
	"interval":                 oneOf("0|178000000 years|-178000000 years|-9223372036854775808 us|9223372036854775807 us|2147483647 days", spans),
	"uuid":                     hexes(16),
	"bit(7)":                   bitsOf(7),
	"bit varying":              bitsOf(-1),
	"inet":                     oneOf("::|::1|::ffff:1.2.3.4|::1.2.3.4|::1:0|1::/64|0.0.0.0/0|::ffff:0:0/96", inet),
	"cidr":                     oneOf("::/0|10.0.0.1/32|::1|::ffff:1.2.3.4/128", address),
	"macaddr":                  hexes(6),
	"macaddr8":                 hexes(8),
	"xid":                      unsigned(32),
	"cid":                      unsigned(32),
	"xid8":                     unsigned(64),
	"tid":                      func(r *rand.Rand) string { return fmt.Sprintf("(%d,%d)", r.Uint32(), r.IntN(65536)) },
	"pg_lsn":                   func(r *rand.Rand) string { return fmt.Sprintf("%X/%X", r.Uint32()>>r.IntN(32), r.Uint32()>>r.IntN(32)) },
	"tsvector": func(r *rand.Rand) string {
		return []string{"'direct':6A 'it''s':1,3B", "a fat cat", `'b\\s':16383C 'é':2`, "", "x:1,2,3D y:4A"}[r.IntN(5)]
	},
	"hstore": func(r *rand.Rand) string {
		return []string{`k=>v`, `"k 1"=>"v=>\"1\"", k2=>NULL, ""=>""`, "", `"a\\b"=>"NULL"`, `é=>"x,y"`}[r.IntN(5)]
	},
	"ltree":          words,
	"int4range":      ranges(apart(3, "")),
	"int8range":      ranges(apart(3, "")),
	"numrange":       ranges(apart(1, ".50")),
	"daterange":      ranges(daysApart("")),
	"tsrange":        ranges(daysApart(" 01:02:03.4")),
	"tstzrange":      ranges(daysApart(" 01:02:03+02")),
	"int4multirange": several(ranges(apart(3, ""))), "int8multirange": several(ranges(apart(3, ""))), "nummultirange": several(ranges(apart(1, ".50"))),
	"datemultirange": several(ranges(daysApart(""))), "tsmultirange": several(ranges(daysApart(" 01:02:03.4"))), "tstzmultirange": several(ranges(daysApart(" 01:02:03+02"))),
	`public.mood`:  func(r *rand.Rand) string { return []string{"sad", "so, so", `it's "x"`, "NULL", ""}[r.IntN(5)] },
	`public.price`: func(r *rand.Rand) string { return fmt.Sprintf("%d.%02d", r.IntN(2e7), r.IntN(100)) },
}

// TestBinaryMeansWhatTheTextSays has the server tell random values of every type, and of arrays of every type, both as text
// and in binary: what is decoded is the same.
func TestBinaryMeansWhatTheTextSays(t *testing.T) {
	d := newDatabase(t)
	d.exec(`create extension hstore; create extension citext; create extension ltree;
		create type public.mood as enum ('sad', 'so, so', 'it''s "x"', 'NULL', ''); create domain public.price as numeric(10,2)`)
	srv, err := newServer(config.URL(d.url), d.name)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := srv.session(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer closeConn(conn)
	if _, err := conn.Exec(t.Context(), "set search_path = pg_catalog, public"); err != nil {
		t.Fatal(err)
	}
	for name, one := range binaryTypes {
		compareForms(t, conn, name, one)
		compareForms(t, conn, name+"[]", arrayOf(one, ","))
	}
}

const comparedValues = 400

func compareForms(t *testing.T, conn *pgx.Conn, name string, one literals) {
	t.Helper()
	random := rand.New(rand.NewPCG(1, 2))
	texts := make([]string, comparedValues)
	for i := range texts {
		texts[i] = one(random)
	}
	var typ attribute
	if err := conn.QueryRow(t.Context(), "select $1::regtype::oid", strings.NewReplacer("(12)", "", "(10,2)", "", "(7)", "").Replace(name)).Scan(&typ.typ); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	typ.typmod = -1
	c := &catalog{conn: conn}
	types, err := c.userTypes(t.Context(), []attribute{typ})
	if err != nil {
		t.Fatal(err)
	}
	canonical := types.columnType(typ.typ, -1)
	wire, _ := types.resolve(typ.typ, -1)
	text := textDecoderOf(&canonical)
	decode, partial := binaryDecoderOf(wire, &canonical, types)
	if decode == nil {
		t.Errorf("%s has no binary decoder", name)
		return
	}
	literal := "{"
	for i, s := range texts {
		if i > 0 {
			literal += ","
		}
		literal += `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
	}
	result := conn.PgConn().ExecParams(t.Context(), fmt.Sprintf("select v::%s, v::%[1]s from unnest($1::text[]) v", name),
		[][]byte{[]byte(literal + "}")}, nil, nil, []int16{0, 1}).Read()
	if result.Err != nil {
		t.Errorf("%s: %v", name, result.Err)
		return
	}
	refused := 0
	var a, b schemas.Arena
	for _, row := range result.Rows {
		a.Reset()
		b.Reset()
		got, err := decode(row[1], &a)
		if errors.Is(err, errTextOnly) && partial {
			refused++
			continue
		}
		if want := text(row[0], &b); err != nil || shownValue(got) != shownValue(want) || !sameValue(got, want) {
			t.Errorf("%s %q: binary %x is %s, %v; the text is %s", name, row[0], row[1], shownValue(got), err, shownValue(want))
			return
		}
	}
	if partial != (refused > 0) || refused == len(result.Rows) {
		t.Errorf("%s: %d of %d values are refused", name, refused, len(result.Rows))
	}
}

func TestEqualNumbersAreOneKeyInBinary(t *testing.T) {
	negative := func(b []byte) []byte { return append([]byte{b[0] | 0x80}, b[1:]...) }
	nan := hexed("7ff8000000000000")
	for _, c := range []struct {
		wire uint32
		a, b []byte
		same bool
	}{
		{pgtype.NumericOID, hexed("00010000000000010001"), hexed("00010000000000020001"), true},  // 1.0 and 1.00
		{pgtype.NumericOID, hexed("00010000000000010001"), hexed("00010000400000010001"), false}, // 1.0 and -1.0
		{pgtype.Float8OID, make([]byte, 8), negative(make([]byte, 8)), true},
		{pgtype.Float4OID, make([]byte, 4), negative(make([]byte, 4)), true},
		{pgtype.Float8OID, nan, negative(nan), true},
		{pgtype.Float8OID, hexed("3ff0000000000000"), hexed("bff0000000000000"), false},
		{pgtype.Int8OID, hexed("0000000000000000"), hexed("8000000000000000"), false},
	} {
		if got := bytes.Equal(equalBinary(c.wire, c.a), equalBinary(c.wire, c.b)); got != c.same {
			t.Errorf("type %d, %x and %x: the same is %t", c.wire, c.a, c.b, got)
		}
	}
}
