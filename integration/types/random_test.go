package types

import (
	"context"
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/syncline-io/syncline/framework/embedded"
	"github.com/syncline-io/syncline/integration/engines"
)

var seed = flag.Uint64("seed", 1, "of the values of TestRandomValues; 0 is any")

// randomRows is how many rows a type gets.
const randomRows = 40

// dice makes values of a type, each as an SQL expression.
type dice struct{ *rand.Rand }

// of is one of some texts.
func (d dice) of(texts ...string) string { return texts[d.IntN(len(texts))] }

// seldom is first in one of n cases, else second.
func (d dice) seldom(n int, first, second string) string {
	if d.IntN(n) == 0 {
		return first
	}
	return second
}

func (d dice) digits(most int) string {
	var b strings.Builder
	for range 1 + d.IntN(most) {
		b.WriteByte(byte('0' + d.IntN(10)))
	}
	return b.String()
}

func (d dice) whole(bits int) string {
	edge := int64(1)<<(bits-1) - 1
	return d.of(strconv.FormatInt(edge, 10), strconv.FormatInt(-edge, 10), "0", "-1", strconv.FormatInt(int64(d.Uint64())>>(64-bits), 10))
}

func (d dice) float(bits int) string {
	f := math.Float64frombits(d.Uint64())
	if bits == 32 {
		f = float64(math.Float32frombits(d.Uint32()))
	}
	return d.of("NaN", "Infinity", "-Infinity", "-0", "1e+06", "123456", "0.0001", strconv.FormatFloat(f, 'e', -1, bits), strconv.FormatFloat(d.NormFloat64(), 'f', 3, bits))
}

func (d dice) finite() string {
	return strconv.FormatFloat(d.NormFloat64()*math.Pow(10, float64(d.IntN(20)-5)), 'g', -1, 64)
}

// text has what array literals, JSON, hstore and SQL have a meaning for.
func (d dice) text() string {
	const alphabet = `a,b"\{}()[]<>:;=|'  NULLnull` + "\t\n\v\f\réß産🙂\u200f\ufeff\u0301%_$&-"
	runes := []rune(alphabet)
	var b strings.Builder
	for range d.IntN(12) {
		b.WriteRune(runes[d.IntN(len(runes))])
	}
	return d.of(b.String(), b.String(), "NULL", "", " ")
}

func (d dice) bits(least, most int) string {
	var b strings.Builder
	for range least + d.IntN(most-least+1) {
		b.WriteByte(byte('0' + d.IntN(2)))
	}
	return b.String()
}

func (d dice) point() string { return "(" + d.of(d.finite(), d.float(64)) + "," + d.finite() + ")" }

func (d dice) points(least int) string {
	var all []string
	for range least + d.IntN(4) {
		all = append(all, "("+d.finite()+","+d.finite()+")")
	}
	return strings.Join(all, ",")
}

func (d dice) moment() string {
	return fmt.Sprintf("(timestamp '2000-01-01' + interval '%d days %d microseconds')", d.IntN(400_000)-200_000, d.Int64N(86_400_000_000))
}

func (d dice) between(a, b, typ string) string {
	return d.seldom(8, "'empty'", fmt.Sprintf("%s(least(%s, %s), greatest(%s, %s), '%s')", typ, a, b, a, b, d.of("[]", "[)", "(]", "()")))
}

func literal(text string) string {
	return "E'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(text) + "'"
}

// randomTypes are the types, and the expressions of their values.
var randomTypes = []struct {
	name  string
	value func(d dice) string
}{
	{"bool", func(d dice) string { return d.of("true", "false") }},
	{"int2", func(d dice) string { return "'" + d.whole(16) + "'" }},
	{"int4", func(d dice) string { return "'" + d.whole(32) + "'" }},
	{"int8", func(d dice) string { return "'" + d.whole(64) + "'" }},
	{"oid", func(d dice) string { return "'" + strconv.FormatUint(uint64(d.Uint32()), 10) + "'" }},
	{"float4", func(d dice) string { return "'" + d.float(32) + "'" }},
	{"float8", func(d dice) string { return "'" + d.float(64) + "'" }},
	{"numeric", func(d dice) string {
		return "'" + d.of("NaN", "-Infinity", "-"+d.digits(40)+"."+d.digits(30), d.digits(5)+"000", "1e-"+d.digits(2)) + "'"
	}},
	{"numeric(38,9)", func(d dice) string { return d.seldom(8, "'NaN'", "'-"+d.digits(29)+"."+d.digits(9)+"'") }},
	{"numeric(5,-2)", func(d dice) string { return "'" + d.digits(6) + "'" }},
	{"numeric(3,6)", func(d dice) string { return "'0.000" + d.digits(3) + "'" }},
	{"money", func(d dice) string { return "'" + d.of("-", "") + d.digits(14) + "." + d.digits(2) + "'" }},
	{"text", func(d dice) string { return literal(d.text()) }},
	{"varchar(12)", func(d dice) string { return literal(d.text()) }},
	{"char(15)", func(d dice) string { return literal(d.text()) }},
	{"citext", func(d dice) string { return literal(d.text()) }},
	{"name", func(d dice) string { return literal(d.text()) }},
	{`"char"`, func(d dice) string { return literal(d.of("a", "", " ", ",", `"`, `{`)) }},
	{"bytea", func(d dice) string { return fmt.Sprintf(`'\x%x'`, d.text()) }},
	{"bit(1)", func(d dice) string { return "'" + d.bits(1, 1) + "'" }},
	{"bit(11)", func(d dice) string { return "'" + d.bits(11, 11) + "'" }},
	{"varbit(1)", func(d dice) string { return "'" + d.bits(0, 1) + "'" }},
	{"varbit", func(d dice) string { return "'" + d.bits(0, 70) + "'" }},
	{"date", func(d dice) string {
		return d.seldom(6, d.of("'infinity'", "'-infinity'", "'5874897-12-31'", "'4713-11-24 BC'"), fmt.Sprintf("(date '2000-01-01' + %d)", d.IntN(8_000_000)-2_400_000))
	}},
	{"time", func(d dice) string { return d.seldom(8, "'24:00:00'", "("+d.moment()+")::time") }},
	{"time(2)", func(d dice) string { return d.seldom(8, "'24:00:00'", "("+d.moment()+")::time") }},
	{"timetz", func(d dice) string {
		return fmt.Sprintf("(%s::time::text || '%s%02d:%02d:%02d')::timetz", d.moment(), d.of("+", "-"), d.IntN(15), d.IntN(60), d.IntN(2)*d.IntN(60))
	}},
	{"timestamp", func(d dice) string {
		return d.seldom(6, d.of("'infinity'", "'-infinity'", "'294276-12-31 23:59:59.999999'", "'4713-11-24 00:00 BC'"), d.moment())
	}},
	{"timestamp(1)", func(d dice) string { return d.seldom(6, d.of("'infinity'", "'-infinity'"), d.moment()) }},
	{"timestamptz", func(d dice) string {
		return d.seldom(6, d.of("'infinity'", "'-infinity'", "'294276-12-31 23:59:59.999999+00'", "'4713-11-24 00:00+00 BC'"), "("+d.moment()+" at time zone 'UTC')")
	}},
	{"timestamptz(4)", func(d dice) string { return "(" + d.moment() + " at time zone 'UTC')" }},
	{"interval", func(d dice) string {
		return fmt.Sprintf("interval '%d months %d days %d microseconds'", d.IntN(5000)-2500, d.IntN(100_000)-50_000, d.Int64N(1<<50)-1<<49)
	}},
	{"uuid", func(d dice) string { return fmt.Sprintf("'%08x-0000-4000-8000-%012x'", d.Uint32(), d.Uint64()>>16) }},
	{"json", func(d dice) string {
		return fmt.Sprintf("json_build_object(%s, %s, 'n', %s)", literal(d.text()), literal(d.text()), d.finite())
	}},
	{"jsonb", func(d dice) string {
		return fmt.Sprintf("jsonb_build_object(%s, jsonb_build_array(%s, %s, null))", literal(d.text()), literal(d.text()), d.finite())
	}},
	{"xml", func(d dice) string {
		return fmt.Sprintf("xmlelement(name a, %s)", literal(strings.NewReplacer("\v", "", "\f", "").Replace(d.text())))
	}},
	{"hstore", func(d dice) string {
		return fmt.Sprintf("hstore(array[%s, %s, 'n'], array[%s, %s, null])", literal(d.text()), literal(d.text()+"k"), literal(d.text()), literal(d.text()))
	}},
	{"ltree", func(d dice) string { return "'" + d.of("", "Top.a_"+d.digits(3), "a.b.c") + "'" }},
	{"tsvector", func(d dice) string {
		return fmt.Sprintf("array_to_tsvector(array_remove(array[%s, %s, 'x'], ''))", literal(d.text()), literal(d.text()))
	}},
	{"inet", func(d dice) string { return fmt.Sprintf("('10.0.0.0'::inet + %d)", d.IntN(1<<24)) }},
	{"cidr", func(d dice) string {
		return fmt.Sprintf("network(set_masklen('10.0.0.0'::inet + %d, %d))", d.IntN(1<<24), d.IntN(33))
	}},
	{"macaddr", func(d dice) string { return fmt.Sprintf("'%012x'", d.Uint64()>>16) }},
	{"macaddr8", func(d dice) string { return fmt.Sprintf("'%016x'", d.Uint64()) }},
	{"point", func(d dice) string { return "'" + d.point() + "'" }},
	{"line", func(d dice) string { return "'{" + d.finite() + "," + d.digits(3) + "1," + d.finite() + "}'" }},
	{"lseg", func(d dice) string { return "'[" + d.point() + "," + d.point() + "]'" }},
	{"box", func(d dice) string { return "'" + d.point() + "," + d.point() + "'" }},
	{"path", func(d dice) string { return "'" + d.of("["+d.points(1)+"]", "("+d.points(1)+")") + "'" }},
	{"polygon", func(d dice) string { return "'(" + d.points(1) + ")'" }},
	{"circle", func(d dice) string { return "'<" + d.point() + "," + d.digits(4) + ">'" }},
	{"int4range", func(d dice) string {
		return d.between(strconv.Itoa(d.IntN(1000)), strconv.Itoa(d.IntN(1000)), "int4range")
	}},
	{"numrange", func(d dice) string { return d.between(d.digits(9)+"."+d.digits(3), d.digits(9), "numrange") }},
	{"tsrange", func(d dice) string { return d.between(d.moment(), d.moment(), "tsrange") }},
	{"tstzrange", func(d dice) string { return d.between("("+d.moment()+" at time zone 'UTC')", "null", "tstzrange") }},
	{"daterange", func(d dice) string { return d.between(d.moment()+"::date", d.moment()+"::date", "daterange") }},
	{"nummultirange", func(d dice) string {
		return "nummultirange(" + d.between(d.digits(4), d.digits(4), "numrange") + "::numrange)"
	}},
	{"mood", func(d dice) string { return literal(d.of(`a,b`, `it's`, ``, `NULL`, `"q"`, `{`)) }},
	{"d_price", func(d dice) string { return "'" + d.digits(7) + "." + d.digits(2) + "'" }},
	{"d_tags", func(d dice) string { return "array[" + literal(d.text()) + ", null]" }},
	{"d_mood", func(d dice) string { return literal(d.of(`a,b`, `it's`)) }},
	{"addr", func(d dice) string {
		return "row(" + d.seldom(4, "null", literal(d.text())) + ", " + d.seldom(4, "null", d.digits(5)) + ")::addr"
	}},
	{"tsquery", func(d dice) string { return d.of("'a & b'", "'!(c:* | d) <-> e'", "''") }},
	{"jsonpath", func(d dice) string { return "'$.a[*] ? (@ > 1" + d.digits(3) + ")'" }},
	{"pg_lsn", func(d dice) string { return fmt.Sprintf("'%X/%X'", d.Uint32(), d.Uint32()) }},
	{"xid8", func(d dice) string { return "'" + strconv.FormatUint(d.Uint64(), 10) + "'" }},
	{"tid", func(d dice) string { return fmt.Sprintf("'(%d,%d)'", d.Uint32(), d.IntN(65536)) }},
}

// array is the expression of an array of values: of one dimension or two, with a lower bound of its own, with nulls.
func (d dice) array(typ string, value func(dice) string) string {
	elements := func(n int) string {
		var all []string
		for range n {
			all = append(all, "("+d.seldom(5, "null", value(d))+")::"+typ)
		}
		return "array[" + strings.Join(all, ", ") + "]"
	}
	n := 1 + d.IntN(3)
	array := elements(n)
	switch d.IntN(6) {
	case 0:
		return "'{}'"
	case 1:
		array = "array[" + array + ", " + elements(n) + "]"
	case 2:
		from := d.IntN(9) - 4
		return fmt.Sprintf("('[%d:%d]=' || %s::text)::%s[]", from, from+n-1, array, typ)
	}
	return array
}

// TestRandomValues writes values of every type, alone and in arrays, which nobody has thought of: the log and a snapshot must
// make the same of them, and a PostgreSQL target must have them as they were.
func TestRandomValues(t *testing.T) {
	number := *seed
	if number == 0 {
		number = rand.Uint64()
	}
	d := dice{rand.New(rand.NewPCG(number, 1))}
	server, err := embedded.Start(t.Context(), embedded.Config{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close() //nolint:errcheck // nothing of it is needed afterwards
	name := engines.Unique(t)
	m := &maker{t: t, name: name, kafka: server.Brokers()[0], registry: server.RegistryURL(), source: engines.Database(t)}
	if m.conn, err = pgx.Connect(t.Context(), m.source); err != nil {
		t.Fatal(err)
	}
	defer m.conn.Close(context.Background()) //nolint:errcheck // nothing is lost with it
	m.exec(`create table public.part_end (id int primary key); create publication types_pub for all tables;
		create extension hstore schema public; create extension citext schema public; create extension ltree schema public;
		create schema types; set search_path = types, public; set timezone = 'UTC'; set lc_monetary = 'C';
		create type mood as enum ('a,b', 'it''s', '', 'NULL', '"q"', '{'); create domain d_price as numeric(10,2); create domain d_tags as text[];
		create domain d_mood as mood; create type addr as (street text, zip int)`)
	m.exec(fmt.Sprintf("select pg_create_logical_replication_slot('%s_streaming', 'pgoutput')", name))
	var topics []string
	for i, typ := range randomTypes {
		table := fmt.Sprintf("r%02d", i)
		topics = append(topics, fmt.Sprintf("%q", name+".types."+table))
		m.exec(fmt.Sprintf("create table %s (pk int primary key, v %s, a %s[])", table, typ.name, typ.name))
		for pk := range randomRows {
			m.exec(fmt.Sprintf("insert into %s values (%d, %s, %s)", table, pk, d.seldom(8, "null", typ.value(d)), d.seldom(8, "null", d.array(typ.name, typ.value))))
		}
	}
	m.exec("insert into public.part_end values (0)")
	m.marks++
	from := m.start("streaming", fmt.Sprintf("start: stream, publication: types_pub, slot: %s_streaming", name), name)
	m.until(from, name, m.marks)
	late := m.start("late", "publication: types_pub", "")
	m.untilSnapshot(late, name+"_late")
	late.Stop()
	from.Stop()
	streamed, snapshot := readTopics(t, m.kafka, m.registry, name), readTopics(t, m.kafka, m.registry, name+"_late")
	reports, _ := m.load(from, topics, "postgres-sink", fmt.Sprintf("postgres: {url: %q}", engines.Database(t)))
	for i, typ := range randomTypes {
		table := fmt.Sprintf("r%02d", i)
		t.Run(typ.name, func(t *testing.T) {
			rows := fold(streamed.records[name+".types."+table])
			if len(rows) != randomRows {
				t.Errorf("%d rows came, want %d", len(rows), randomRows)
			}
			sameRows(t, rows, fold(snapshot.records[name+"_late.types."+table]))
			if report, ok := reports[table]; !ok || !report.Equal {
				t.Errorf("the target differs: %.2000s", report.Differences)
			}
		})
	}
	if t.Failed() {
		t.Logf("again with -run TestRandomValues -seed=%d", number)
	}
}
