package postgres

import (
	"strings"
	"testing"

	"github.com/syncline-io/syncline/framework/sink"
)

// sinkTypesTable has every type that has a canonical one, and many that travel as text, with the values at their ends.
const sinkTypesTable = `
create schema source;
create type source.mood as enum ('sad', 'it''s ok', 'happy');
create domain source.positive as int check (value > 0);
create table source.everything (
	id bigint primary key,
	b boolean, i2 smallint, i4 integer, i8 bigint, f4 real, f8 double precision,
	n numeric, np numeric(10,2), nneg numeric(5,-2), nsmall numeric(3,5),
	c char(5), v varchar(20), vu varchar, t text, ba bytea,
	d date, ti time, ti3 time(3), ts timestamp, ts3 timestamp(3), tz timestamptz, tz0 timestamptz(0), iv interval, ivd interval day to second(3),
	u uuid, j json, jb jsonb, m source.mood, ma source.mood[], dom source.positive,
	ta text[], va varchar(5)[], ia int[], ia2 smallint[], ia8 bigint[], na numeric(6,2)[], tza timestamptz[], uu uuid[],
	ttz time with time zone, inet inet, cidr cidr, mac macaddr, bi bit(5), vb bit varying(8), bany bit varying, ch "char", mo money,
	p point, box box, circle circle, r int4range, tr tstzrange, mr nummultirange, tsv tsvector, x xml, o oid, lsn pg_lsn, jp jsonpath, ina inet[]
);
insert into source.everything (id) values (1);
insert into source.everything values (2,
	true, -32768, -2147483648, -9223372036854775808, '-infinity', 'nan',
	'nan', 12345678.90, 12300, 0.00123,
	'ab', 'twenty äöü', 'unbounded', E'tab\t\\ "quoted" \n', '\x00ff5c',
	'-infinity', '24:00:00', '12:34:56.789', 'infinity', '2024-02-29 12:00:00.123', '4713-01-01 00:00:00+00 BC', '2000-01-01 00:00:01+02',
	'-1 year 2 mons -3 days 04:05:06.789', '1 day 00:00:01.5', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11',
	'{"b": 1,  "a": [1, 2]}', '{"b": 1,  "a": [1, 2.50]}', 'it''s ok', '{sad,NULL,happy}', 7,
	'{a,NULL,"NULL","with \"quotes\", commas",""}', '{abcde}', '{1,NULL,3}', '{}', '{9223372036854775807}', '{1.50,NULL,NaN}', '{2024-01-01 00:00:00+00,infinity}', '{a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11}',
	'12:00:00+05:30', '10.1.2.3/8', '10.0.0.0/8', '08:00:2b:01:02:03', '10101', '1', '111000111', 'x', '-1234.56',
	'(1.5,-2)', '((0,0),(1,1))', '<(0,0),5>', '[1,10)', '[2024-01-01 00:00:00+00,)', '{[1.5,2.5)}', 'a fat cat', '<a b="1">x</a>', 4294967295, '16/B374D848', '$.a[*]', '{10.0.0.1,NULL}');
insert into source.everything (id, i2, i4, i8, f4, f8, n, np, d, ti, ts, tz, iv, ia, ta) values
	(3, 32767, 2147483647, 9223372036854775807, 3.4028235e38, 1.7976931348623157e308, 'infinity', -99999999.99, '5874897-12-31', '00:00', '294276-12-31 23:59:59.999999',
		'294276-12-31 23:59:59.999999+00', '178000000 years', '{{1,2},{3,4}}', '{{a,b}}'),
	(4, 0, 0, 0, '-0', 5e-324, '-infinity', 0, '4713-01-01 BC', '23:59:59.999999', '4713-01-01 BC', 'infinity', '-178000000 years', '[2:3]={5,6}', '[0:0]={x}'),
	(5, 1, 1, 1, 1e-45, 0.1, 123456789012345678901234567890.123456789012345678901234567890, 0.01, '1969-12-31', '00:00:00.000001', '1969-12-31 23:59:59.999999', '1969-12-31 23:59:59.999999+00', '0', '{}', '{}'),
	(6, 1, 1, 1, 1, 1, 0.000000000000000000000000000000000000001, 0, null, null, null, null, null, null, null),
	(7, 1, 1, 1, 1, 1, -1e131000, 0, null, null, null, null, null, null, null),
	(8, 1, 1, 1, 1, 1, 10000, 0, null, null, null, null, null, null, null),
	(9, 1, 1, 1, 1, 1, 0.0000, 0, null, null, null, null, null, null, null),
	(10, 1, 1, 1, 1, 1, -0.00010, 0, null, null, null, null, null, null, null),
	(11, 1, 1, 1, 1, 1, -18446744073709551616, 0, null, null, null, null, null, null, null),
	(12, 1, 1, 1, 1, 1, 1e-16383, 0, null, null, null, null, null, null, null);
`

func TestWhatLeftPostgreSQLComesBackTheSame(t *testing.T) {
	f := newSinkFixture(t)
	f.exec(sinkTypesTable)
	table, rows := f.source("source", "everything", 1)
	f.evolve(table)
	for _, c := range []struct {
		name  string
		write func()
	}{
		{"row by row", func() { f.write(table, rows...) }},
		{"in bulk", func() { f.write(table, repeatRows(rows)...) }},
		{"replaced in bulk", func() { f.write(table, repeatRows(rows)...) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.name == "in bulk" {
				f.exec("delete from target.everything")
			}
			c.write()
			for i := range table.Columns {
				name := table.Columns[i].Name
				want := f.text(`select t.id, "` + name + `"::text from source.everything t order by t.id`)
				if got := f.text(`select t.id, "` + name + `"::text from target.everything t where id < 1000 order by t.id`); got != want {
					t.Errorf("column %s %s\ngot:\n%.2000s\nwant:\n%.2000s", name, table.Columns[i].SourceType, got, want)
				}
			}
		})
	}
	// A domain becomes its base type, and an array of an enum text, because the source tells no labels.
	const types = `select attname, replace(format_type(atttypid, atttypmod), 'target.', 'source.') from pg_attribute
where attrelid = '%s.everything'::regclass and attnum > 0 and attname not in ('dom', 'ma') order by attnum`
	got, want := f.text(strings.ReplaceAll(types, "%s", "target")), f.text(strings.ReplaceAll(types, "%s", "source"))
	if got != want {
		t.Errorf("types of the target:\n%s\nwant:\n%s", got, want)
	}
}

// repeatRows adds copies under other keys until the batch is written in bulk.
func repeatRows(rows []sink.Row) []sink.Row {
	all := append([]sink.Row(nil), rows...)
	for n := 1000; len(all) < 3*sinkBulkRows; n++ {
		r := rows[0]
		r.Values = append(r.Values[:0:0], r.Values...)
		r.Values[0] = value(n)
		all = append(all, r)
	}
	return all
}

func TestTypeTextsAreReadAndWrittenBack(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"integer", "integer"},
		{"int4[]", "integer[]"},
		{"numeric(10,2)", "numeric(10,2)"},
		{"numeric(10)", "numeric(10,0)"},
		{"character varying(20)", "character varying(20)"},
		{"varchar(20)[]", "character varying(20)[]"},
		{"timestamp(3) with time zone", "timestamp(3) with time zone"},
		{"timestamptz", "timestamp with time zone"},
		{"time without time zone", "time without time zone"},
		{"interval", "interval"},
		{"interval(3)", "interval(3)"},
		{"interval day to second(3)", "interval day to second(3)"},
		{"interval year to month", "interval year to month"},
		{"character(5)", "character(5)"},
		{"bpchar", "bpchar"},
		{"bit", "bit(1)"},
		{`"bit"`, `pg_catalog."bit"`},
		{"bit varying(8)", "bit varying(8)"},
		{`"char"`, `pg_catalog."char"`},
		{"pg_catalog.int8", "bigint"},
	} {
		got, ok := parseSinkType(c.text)
		if !ok || got.String() != c.want {
			t.Errorf("%s became %s (%v), want %s", c.text, got, ok, c.want)
		}
	}
	for _, text := range []string{"hstore", "public.geometry(Point,4326)", "regclass", ""} {
		if got, ok := parseSinkType(text); ok {
			t.Errorf("%q became %s, want no type", text, got)
		}
	}
}
