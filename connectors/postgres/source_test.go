package postgres

import (
	"testing"

	"github.com/syncline-io/syncline/framework/source"
)

func TestSnapshotThenChanges(t *testing.T) {
	d := newDatabase(t)
	d.exec(`create table orders (id int primary key, note text, price numeric(10,2));
		insert into orders values (1, 'one', 1.50), (2, null, -2)`)
	r := d.start(d.config(), source.Position{}, newRecorder())
	r.waitCount(2)
	d.exec("insert into orders values (3, 'three', 0)")
	d.exec("update orders set note = 'zwei' where id = 2")
	d.exec("update orders set id = 10 where id = 1")
	d.exec("delete from orders where id = 3")
	d.exec("truncate orders")
	diff(t, texts(r.waitCount(8)),
		"r orders - (1,one,0096/2/0)",
		"r orders - (2,NULL,ff38/2/0)",
		"c orders - (3,three,00/2/0)",
		"u orders - (2,zwei,ff38/2/0)",
		"d orders k(1,NULL,NULL) - other 10",
		"c orders - (10,one,0096/2/0) other 1",
		"d orders k(3,NULL,NULL) -",
		"t orders - -",
	)
}

// typesTable has every type that the connector maps, and some that travel as text; typesRows are their edges.
const typesTable = `create type mood as enum ('sad', 'so, so', 'happy');
	create domain price as numeric(10,2);
	create table t_types (id int primary key, b bool, i2 int2, i4 int4, i8 int8, o oid, f4 float4, f8 float8,
		n numeric, n102 numeric(10,2), c5 char(5), v10 varchar(10), t text, by bytea, d date, ti time, ti0 time(0),
		ts timestamp, ts3 timestamp(3), tz timestamptz, iv interval, u uuid, j json, jb jsonb, m mood, ta text[], ia int[],
		i8a int8[], va varchar(5)[], dp price, mo money, ine inet, bi bit(3), ma mood[], na name, ch "char", xm xml,
		r int4range, tt timetz, pt point, na2 numeric[])`

const typesRows = `insert into t_types values
	(1, true, 32767, 2147483647, 9223372036854775807, 4000000000, 'NaN', 5e-324, 10.1111, 1.1, 'ab', 'ab', 'Grüße', '\x00ff10',
		'2018-06-20', '11:51:30.123456', '23:59:59.6', '2018-06-20 15:13:16.945104', '2018-06-20 15:13:16.945104',
		'2016-11-04 13:51:30.123456+02', '1 year 2 mons 3 days 04:05:06.78', 'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11',
		'{"a" : 1, "a":2}', '{"b":1.10,"a":3}', 'so, so', array['one', 'two "words"', 'NULL', null, '', 'back\slash', '{}'],
		'{1,null,-3}', '{9223372036854775807}', '{ab,"c,d"}', 1.5, '1234.11', '10.0.0.1/32', '101', '{sad,"so, so"}', 'nm', 'x', '<a/>',
		'[1,5]', '11:51:30+02:00', '(1,2)', '{1.0,2}'),
	(2, false, -32768, -2147483648, -9223372036854775808, 0, '-Infinity', '-0', 'NaN', -0.01, '', '', '', '',
		'infinity', '24:00:00', '00:00:00', 'infinity', '-infinity', 'infinity', '-1 year +3 days -00:00:00.000001',
		'00000000-0000-0000-0000-000000000000', 'null', 'null', 'sad', '{}', '{{1,2},{3,4}}', '[0:1]={1,2}', '{}', null, '-92233720368547758.08',
		'::1/64', '000', '{}', '', '', null, 'empty', '24:00:00+00', '(NaN,-0)', '{}'),
	(3, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null,
		null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null),
	(4, true, 0, 0, 0, 1, 16777217, 9007199254740993, 123456789012345678901234567890123456789012345678901234567890.000100, 99999999.99,
		'abcde', 'x', repeat('long', 5000), decode(repeat('0bad', 2000), 'hex'), '0001-12-31 BC', '00:00:00', '12:00:00',
		'4713-01-01 00:00:00 BC', '294276-12-31 23:59:59.999', '0044-03-15 12:00:00+00 BC', '-178000000 years', gen_random_uuid(), '[1e400]',
		'[1e40, -0]', 'happy', array[repeat('a', 9000)], '{}', '{-9223372036854775808,0}', '{""}', -12345678.90, '0', '192.168.0.0/16', '111',
		'{happy}', repeat('n', 60), E'\\200', '<b>x</b>', '(,)', '00:00:00-15:59:59', '(1e300,5)', '{NaN}'),
	(5, true, 1, 1, 1, 1, 1.5, 1e308, 0, 0, ' a ', ' a ', E'tab\tnl\nback\\', '\x', '5874897-12-31', '00:00:00.000001', '01:00:00',
		'294247-01-10 04:00:54.775806', '1969-12-31 23:59:59.999', '294276-12-31 23:59:59.999999+00', '178000000 years', gen_random_uuid(), '""', '"\u00e9"',
		'sad', '{a,b}', '{0}', '{}', null, 0, '1', '10.1.2.3', '010', null, 'a', 'a', null, '[3,)', '00:00:00+05:30', '(0,0)', null),
	(6, true, 1, 1, 1, 1, 1.1, 0.1, 'Infinity', 0.10, 'a', 'a', 'a', '\x01', '4713-01-01 BC', '12:00:00.5', '01:00:00',
		'1582-10-04 00:00:00', '2000-01-01', '1900-01-01 00:00:00+00', '-00:00:01', gen_random_uuid(), '0', '0',
		'sad', '{a,b}', '{0}', '{}', null, 0, '1', '10.1.2.3', '010', null, 'a', 'a', null, '[3,)', '00:00:00+05:30', '(0,0)', null),
	(7, true, 1, 1, 1, 1, 1.1, 0.1, '-Infinity', 0.10, 'a', 'a', 'a', '\x01', '-infinity', '12:00:00.5', '01:00:00',
		'1582-10-04 00:00:00', '2000-01-01', '1900-01-01 00:00:00+00', '0', gen_random_uuid(), '0', '0',
		'sad', '{a,b}', '{0}', '{}', null, 0, '1', '10.1.2.3', '010', null, 'a', 'a', null, '[3,)', '00:00:00+05:30', '(0,0)', null),
	(8, true, 1, 1, 1, 1, 1.1, 0.1, 1e131071, 0.10, 'a', 'a', 'a', '\x01', '1969-12-31', '12:00:00.5', '01:00:00',
		'1582-10-04 00:00:00', '2000-01-01', '1900-01-01 00:00:00+00', '0', gen_random_uuid(), '0', '0',
		'sad', '{a,b}', '{0}', '{}', null, 0, '1', '10.1.2.3', '010', null, 'a', 'a', null, '[3,)', '00:00:00+05:30', '(0,0)', null),
	(9, true, 1, 1, 1, 1, 1.1, 0.1, 1e-16383, 0.10, 'a', 'a', 'a', '\x01', '1969-12-31', '12:00:00.5', '01:00:00',
		'1582-10-04 00:00:00', '2000-01-01', '1900-01-01 00:00:00+00', '0', gen_random_uuid(), '0', '0',
		'sad', '{a,b}', '{0}', '{}', null, 0, '1', '10.1.2.3', '010', null, 'a', 'a', null, '[3,)', '00:00:00+05:30', '(0,0)', null)`

func TestEveryTypeIsTheSameInSnapshotAndStream(t *testing.T) {
	d := newDatabase(t)
	d.exec(typesTable)
	d.exec("create table t_copy (like t_types including all)")
	d.exec(typesRows)
	r := d.start(d.config(), source.Position{}, newRecorder())
	read := r.waitCount(9)
	d.exec("insert into t_copy select * from t_types")
	events := r.waitCount(18)
	for i, snap := range read[:9] {
		streamed := events[9+i]
		for j, c := range snap.table.Columns {
			if snap.after[j] != streamed.after[j] {
				t.Errorf("row %s, column %s %s: %.200s in the snapshot, %.200s in the stream",
					snap.after[0], c.Name, c.SourceType, snap.after[j], streamed.after[j])
			}
		}
		if tc := streamed.table; len(tc.Columns) != len(snap.table.Columns) {
			t.Fatalf("%d columns in the snapshot, %d in the stream", len(snap.table.Columns), len(tc.Columns))
		}
	}
	want := map[string]string{ // of row 1
		"i8": "9223372036854775807", "o": "4000000000", "f4": "NaN", "f8": "5e-324", "n": "018af7/4/0", "n102": "6e/2/0",
		"c5": "ab   ", "by": "\x00\xff\x10", "d": "17702", "ti": "42690123456", "ti0": "86400000000",
		"ts": "1529507596945104", "ts3": "1529507596945000", "tz": "1478260290123456", "iv": "14m3d14706780000u",
		"u": "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", "j": `{"a" : 1, "a":2}`, "jb": `{"a": 3, "b": 1.10}`, "m": "so, so",
		"ta": `[one two "words" NULL NULL  back\slash {}]`, "ia": "[1 NULL -3]", "dp": "0096/2/0", "mo": "01e213/2/0",
		"ine": "10.0.0.1", "bi": "101", "ma": "[sad so, so]", "r": "[1,6)", "tt": "11:51:30+02",
	}
	for name, text := range want {
		if got := read[0].after[read[0].table.Column(name)]; got != text {
			t.Errorf("column %s: got %q, want %q", name, got, text)
		}
	}
	for _, c := range [][3]string{
		{"2", "d", "9223372036854775807"},
		{"2", "ia", "?{{1,2},{3,4}}"},
		{"2", "i8a", "?[0:1]={1,2}"},
		{"2", "iv", "-12m3d-1u"},
		{"5", "tz", "?294276-12-31 23:59:59.999999+00"},
		{"5", "ts", "9223372036854775806"},
		{"4", "d", "-719163"},
		{"2", "n102", "ff/2/0"},
		{"5", "d", "2145042905"},
	} {
		for _, e := range read {
			if e.after[0] == c[0] && e.after[e.table.Column(c[1])] != c[2] {
				t.Errorf("row %s, column %s: got %q, want %q", c[0], c[1], e.after[e.table.Column(c[1])], c[2])
			}
		}
	}
}

func TestSnapshotAndStreamGiveTheSameTable(t *testing.T) {
	d := newDatabase(t)
	d.exec(typesTable)
	d.exec(`alter table t_types add g int generated always as (i4 + 1) stored, add s serial, add de text not null default 'x'`)
	d.exec("insert into t_types (id, i4) values (1, 5)")
	r := d.start(d.config(), source.Position{}, newRecorder())
	r.waitCount(1)
	d.exec("insert into t_types (id) values (2)")
	events := r.waitCount(2)
	if events[0].table != events[1].table {
		t.Errorf("tables differ:\n%+v\n%+v", events[0].table, events[1].table)
	}
	table := events[0].table
	if table.Column("g") >= 0 {
		t.Error("the stored generated column is there, but the stream cannot send it")
	}
	for _, c := range []struct{ name, typ, source, def string }{
		{"n102", "decimal(10,2)", "numeric(10,2)", ""},
		{"dp", "decimal(10,2)", "public.price", ""},
		{"m", "enum", "public.mood", ""},
		{"va", "array of string(5)", "character varying(5)[]", ""},
		{"s", "int32", "integer", "nextval('public.t_types_s_seq'::regclass)"},
		{"de", "string", "text", "'x'::text"},
	} {
		got := table.Columns[table.Column(c.name)]
		if got.Type.String() != c.typ || got.SourceType != c.source || got.Default != c.def {
			t.Errorf("column %s: %s, %s, default %q", c.name, got.Type, got.SourceType, got.Default)
		}
	}
	if got := table.Columns[table.Column("m")].Type.Labels; len(got) != 3 || got[1] != "so, so" {
		t.Errorf("labels %q", got)
	}
}
