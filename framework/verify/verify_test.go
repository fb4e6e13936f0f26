package verify_test

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/syncline-io/syncline/connectors/duckdb"
	"github.com/syncline-io/syncline/connectors/postgres"
	"github.com/syncline-io/syncline/framework/config"
	"github.com/syncline-io/syncline/framework/verify"
	"github.com/syncline-io/syncline/integration/engines"
)

// lab is a source with two targets: a second database, and a DuckDB file.
type lab struct {
	t                *testing.T
	source, database string // URLs
	file             string
}

func newLab(t *testing.T) *lab {
	return &lab{t: t, source: engines.Database(t), database: engines.Database(t), file: filepath.Join(t.TempDir(), "warehouse.duckdb")}
}

// postgres runs a script in one of the databases.
func (l *lab) postgres(url string, script string) {
	l.t.Helper()
	conn, err := pgx.Connect(l.t.Context(), url)
	if err != nil {
		l.t.Fatal(err)
	}
	defer conn.Close(context.Background())
	if _, err := conn.Exec(l.t.Context(), script); err != nil {
		l.t.Fatalf("%s: %v", script, err)
	}
}

// duckdb runs a script in the file, with DuckDB's own driver.
func (l *lab) duckdb(script string) {
	l.t.Helper()
	db, err := sql.Open("duckdb", l.file)
	if err != nil {
		l.t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.ExecContext(l.t.Context(), "SET TimeZone = 'UTC';"+script); err != nil {
		l.t.Fatalf("%s: %v", script, err)
	}
}

// targets calls test once per target, with a way to change it.
func (l *lab) targets(test func(t *testing.T, target verify.Reader, change func(script string))) {
	l.t.Helper()
	l.t.Run("postgres", func(t *testing.T) {
		target, err := postgres.VerifySink(t.Context(), postgres.SinkConfig{URL: config.URL(l.database)})
		if err != nil {
			t.Fatal(err)
		}
		defer target.Close()
		test(t, target, func(script string) { l.postgres(l.database, script) })
	})
	l.t.Run("duckdb", func(t *testing.T) {
		target, err := duckdb.VerifySink(t.Context(), duckdb.SinkConfig{Path: l.file})
		if err != nil {
			t.Fatal(err)
		}
		defer target.Close()
		test(t, target, l.duckdb)
	})
}

// run compares the source's tables with those of the same names.
func (l *lab) run(t *testing.T, target verify.Reader, o verify.Options) *verify.Result {
	t.Helper()
	source, err := postgres.VerifySource(t.Context(), postgres.SourceConfig{URL: config.URL(l.source), Tables: []string{"shop.*"}})
	if err != nil {
		t.Fatal(err)
	}
	defer source.Close()
	names, err := source.Tables(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		o.Pairs = append(o.Pairs, verify.Pair{Source: name, Target: name})
	}
	o.Source, o.Target = source, target
	result, err := verify.Run(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return result
}

func wantEqual(t *testing.T, r *verify.Result, rows int64) {
	t.Helper()
	for _, table := range r.Tables {
		if !table.Equal || table.SourceRows != rows || table.TargetRows != rows || table.SourceHash != table.TargetHash || table.SourceHash == "" {
			t.Errorf("%s is not equal with %d rows: %+v", table.Source, rows, table)
			for _, d := range table.Differences {
				t.Log(d)
			}
		}
	}
	if !r.Equal {
		t.Error("the result is not equal")
	}
}

// wantDifferences compares the lines that name the differences.
func wantDifferences(t *testing.T, r *verify.Result, want ...string) {
	t.Helper()
	var got []string
	for _, table := range r.Tables {
		for _, d := range table.Differences {
			got = append(got, d.String())
		}
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("differences:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if r.Equal != (len(want) == 0) {
		t.Errorf("equal is %v with %d differences", r.Equal, len(want))
	}
}

const postgresTypes = `
create schema shop;
create type shop.status as enum ('new', 'paid');
create table shop.types (id bigint primary key, b boolean, i2 smallint, i4 integer, i8 bigint, f4 real, f8 double precision,
	n numeric(12,2), nn numeric, c char(4), v varchar(40), x text, y bytea, d date, t time, ts timestamp, tz timestamptz, iv interval,
	u uuid, j json, jb jsonb, e shop.status, ta text[], ia integer[], ip inet);
insert into shop.types values
(1, true, 1, 2, 3, 0.1, 0.1, 1.50, 1.500, 'ab', 'v', 'ä "q" ''s', '\x00ff', '2020-01-02', '03:04:05.6', '2020-01-02 03:04:05.000006', '2020-01-02 03:04:05.6+02',
 '1 year 2 months -3 days 04:05:06.789', '01234567-89AB-cdef-0123-456789abcdef', '{"a" : 1,  "a":2}', '{"b": 1.50, "a": [null]}', 'paid', '{a,NULL,"",ä}', '{1,NULL,-3}', '10.0.0.1'),
(-9223372036854775808, false, -32768, -2147483648, 9223372036854775807, 'NaN', '-0', -9999999999.99, 'NaN', '', '', '', '', '0044-03-15 BC', '24:00:00', '4713-01-01 00:00:00 BC', '0044-03-15 01:02:03.04+00 BC',
 '-1 month -04:05:06.000001', 'ffffffff-ffff-ffff-ffff-ffffffffffff', '[]', '"x"', 'new', '{}', '{}', '::1'),
(0, null, 32767, 2147483647, -9223372036854775808, 'Infinity', 5e-324, 0, 123456789012345678901234567890123456789012345678901234567890.0000000001, '    ', repeat('v', 40), repeat('ä', 3000), '\x', 'infinity', '00:00:00', 'infinity', '-infinity',
 '00:00:00', null, 'null', 'null', null, '{NULL}', '{2147483647}', '10.0.0.0/8'),
(9223372036854775807, null, null, null, null, '-Infinity', 1.7976931348623157e308, 100, 1000, null, null, null, null, '12020-01-02', '23:59:59.999999', '12020-01-02 03:04:05', '2999-12-31 23:59:59.999999+00',
 '-100:30:00', null, null, null, null, null, null, null),
(5, null, null, null, null, 1e-45, 1e23, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null);`

const duckdbTypes = `
create schema shop;
create table shop.types (id bigint, b boolean, i2 smallint, i4 integer, i8 bigint, f4 float, f8 double,
	n decimal(12,2), nn varchar, c varchar, v varchar, x varchar, y blob, d date, t time, ts timestamp, tz timestamptz, iv interval,
	u uuid, j json, jb json, e varchar, ta varchar[], ia integer[], ip varchar);
insert into shop.types values
(1, true, 1, 2, 3, 0.1, 0.1, 1.50, '1.500', 'ab  ', 'v', 'ä "q" ''s', '\x00\xff', '2020-01-02', '03:04:05.6', '2020-01-02 03:04:05.000006', '2020-01-02 01:04:05.6+00',
 '1 year 2 months -3 days 04:05:06.789', '01234567-89ab-cdef-0123-456789abcdef', '{"a" : 1,  "a":2}', '{"a": [null], "b": 1.50}', 'paid', ['a',null,'','ä'], [1,null,-3], '10.0.0.1'),
(-9223372036854775808, false, -32768, -2147483648, 9223372036854775807, 'nan', '-0', -9999999999.99, 'NaN', '    ', '', '', '', '0044-03-15 (BC)', '24:00:00', '4713-01-01 (BC) 00:00:00', '0044-03-15 (BC) 01:02:03.04+00',
 '-1 month -04:05:06.000001', 'ffffffff-ffff-ffff-ffff-ffffffffffff', '[]', '"x"', 'new', [], [], '::1'),
(0, null, 32767, 2147483647, -9223372036854775808, 'inf', 5e-324, 0, '123456789012345678901234567890123456789012345678901234567890.0000000001', '    ', repeat('v', 40), repeat('ä', 3000), '', 'infinity', '00:00:00', 'infinity', '-infinity',
 '00:00:00', null, 'null', 'null', null, [null], [2147483647], '10.0.0.0/8'),
(9223372036854775807, null, null, null, null, '-inf', 1.7976931348623157e308, 100, '1000', null, null, null, null, '12020-01-02', '23:59:59.999999', '12020-01-02 03:04:05', '2999-12-31 23:59:59.999999+00',
 '-100:30:00', null, null, null, null, null, null, null),
(5, null, null, null, null, 1e-45, 1e23, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null, null);`

func TestEveryTypeHasOneTextInAllEngines(t *testing.T) {
	l := newLab(t)
	l.postgres(l.source, postgresTypes)
	l.postgres(l.database, postgresTypes)
	l.duckdb(duckdbTypes)
	l.targets(func(t *testing.T, target verify.Reader, change func(string)) {
		wantEqual(t, l.run(t, target, verify.Options{}), 5)
		for _, c := range []struct{ change, want string }{
			{"b = null where id = 1", `different row id="1": b is "true" at the source and null at the target`},
			// DuckDB's UPDATE alone would not make 0 of -0: they compare equal.
			{"f8 = 1 where id = -9223372036854775808; update shop.types set f8 = '0' where id = -9223372036854775808", `different row id="-9223372036854775808": f8 is "8000000000000000 (-0)" at the source and "0000000000000000 (0)" at the target`},
			{"n = 1.51 where id = 1", `different row id="1": n is "1.5" at the source and "1.51" at the target`},
			{"x = null where id = -9223372036854775808", `different row id="-9223372036854775808": x is "" at the source and null at the target`},
			{"c = 'ab x' where id = 1", `different row id="1": c is "ab  " at the source and "ab x" at the target`},
			{"x = repeat('ä', 2999) || 'o' where id = 0", ""},
			{"tz = '2020-01-02 03:04:05.6+00' where id = 1", `different row id="1": tz is "2020-01-02 01:04:05.6" at the source and "2020-01-02 03:04:05.6" at the target`},
			{"iv = '30 days' where id = 1", `different row id="1": iv is "14 -3 14706789000" at the source and "0 30 0" at the target`},
			{"j = '{\"a\": 1}' where id = 1", `different row id="1": j is "{\"a\" : 1,  \"a\":2}" at the source and "{\"a\": 1}" at the target`},
			{"ta = null where id = -9223372036854775808", `different row id="-9223372036854775808": ta is "" at the source and null at the target`},
			{"d = '2020-01-03', t = '00:00:00' where id = 1", `different row id="1": d is "2020-01-02" at the source and "2020-01-03" at the target; t is "03:04:05.6" at the source and "00:00:00" at the target`},
		} {
			change("create table shop.before as select * from shop.types; update shop.types set " + c.change)
			r := l.run(t, target, verify.Options{})
			if c.want != "" {
				wantDifferences(t, r, c.want)
			} else if d := r.Tables[0].Differences; len(d) != 1 || len(d[0].Columns) != 1 || *d[0].Columns[0].Source == *d[0].Columns[0].Target || len(*d[0].Columns[0].Source) > 250 {
				t.Errorf("a change at the end of a long text: %v", d)
			}
			change("delete from shop.types; insert into shop.types select * from shop.before; drop table shop.before")
		}
		wantEqual(t, l.run(t, target, verify.Options{}), 5)
	})
}

// many makes three tables of 5,000 rows: a whole-number key with gaps, a key of two columns, no key.
const (
	manyPostgres = `
create schema shop;
create table shop.orders (id bigint primary key, note text);
create table shop.items (order_id bigint, sku text, n integer, primary key (sku, order_id));
create table shop.log (a integer, b text);
insert into shop.orders select i::bigint * i * 1000 - 500, 'note ' || i from generate_series(1, 5000) i;
insert into shop.items select i % 100, 'sku ' || i, i from generate_series(1, 5000) i;
insert into shop.log select i % 10, null from generate_series(1, 5000) i;`
	manyDuckDB = `
create schema shop;
create table shop.orders (note varchar, id bigint);
create table shop.items (order_id bigint, sku varchar, n bigint);
create table shop.log (a integer, b varchar);
insert into shop.orders select 'note ' || i, i::bigint * i * 1000 - 500 from range(1, 5001) r(i);
insert into shop.items select i % 100, 'sku ' || i, i from range(1, 5001) r(i);
insert into shop.log select i % 10, null from range(1, 5001) r(i);`
)

func TestEachDifferenceIsNamed(t *testing.T) {
	l := newLab(t)
	l.postgres(l.source, manyPostgres)
	// The database has no keys at the target, so that a row can be there twice.
	l.postgres(l.database, manyPostgres+"alter table shop.orders drop constraint orders_pkey; alter table shop.items drop constraint items_pkey;")
	l.duckdb(manyDuckDB)
	l.targets(func(t *testing.T, target verify.Reader, change func(string)) {
		wantEqual(t, l.run(t, target, verify.Options{}), 5000)

		change("update shop.orders set note = 'changed' where note = 'note 77'; update shop.items set n = null where sku = 'sku 4999'; update shop.log set b = '' where a = 3")
		wantDifferences(t, l.run(t, target, verify.Options{}),
			`different row sku="sku 4999", order_id="99": n is "4999" at the source and null at the target`,
			`missing row a="3", b=null`, `extra row a="3", b=""`,
			`different row id="5928500": note is "note 77" at the source and "changed" at the target`)
		change("update shop.orders set note = 'note 77' where note = 'changed'; update shop.items set n = 4999 where sku = 'sku 4999'; update shop.log set b = null where a = 3")

		change("delete from shop.orders where id = 500; delete from shop.items where n = 17; insert into shop.log values (4, null)")
		wantDifferences(t, l.run(t, target, verify.Options{}),
			`missing row sku="sku 17", order_id="17"`,
			`other count a="4", b=null: 500 times at the source and 501 times at the target`,
			`missing row id="500"`)
		change("insert into shop.orders (id, note) values (500, 'note 1'), (500, 'note 1'), (-7, 'more'); insert into shop.items values (17, 'sku 17', 17); insert into shop.items select * from shop.items where n = 18;" +
			" update shop.log set a = 5 where a = 4")
		r := l.run(t, target, verify.Options{})
		wantDifferences(t, r,
			`other count sku="sku 18", order_id="18": 1 times at the source and 2 times at the target`,
			`other count a="5", b=null: 500 times at the source and 1001 times at the target`,
			`missing row a="4", b=null`,
			`extra row id="-7"`,
			`other count id="500": 1 times at the source and 2 times at the target`)
		if last := r.Tables[2]; last.SourceRows != 5000 || last.TargetRows != 5002 || last.SourceHash == last.TargetHash {
			t.Errorf("rows and hashes: %+v", last)
		}

		change("delete from shop.orders; drop table shop.log; alter table shop.items drop column n")
		r = l.run(t, target, verify.Options{Differences: 3})
		if orders := r.Tables[2]; len(orders.Differences) != 3 || !orders.More || orders.Equal {
			t.Errorf("an emptied table: %+v", orders)
		}
		if log := r.Tables[1]; log.Equal || len(log.Differences) != 1 || log.Differences[0].Kind != verify.MissingTable {
			t.Errorf("a table that is gone: %+v", log)
		}
		if items := r.Tables[0]; items.Equal || items.Differences[0].Kind != verify.MissingColumn || !strings.Contains(items.Differences[0].Detail, `"n"`) {
			t.Errorf("a column that is gone: %+v", items)
		}
	})
}

func TestWaitComparesUntilEqual(t *testing.T) {
	l := newLab(t)
	l.postgres(l.source, "create schema shop; create table shop.a (id integer primary key); insert into shop.a values (1), (2)")
	l.postgres(l.database, "create schema shop; create table shop.a (id integer primary key); insert into shop.a values (1)")
	target, err := postgres.VerifySink(t.Context(), postgres.SinkConfig{URL: config.URL(l.database)})
	if err != nil {
		t.Fatal(err)
	}
	defer target.Close()
	wantDifferences(t, l.run(t, target, verify.Options{Wait: 60 * time.Millisecond, Pause: 20 * time.Millisecond}), `missing row id="2"`)
	done := make(chan struct{})
	go func() {
		defer close(done)
		time.Sleep(200 * time.Millisecond)
		l.postgres(l.database, "insert into shop.a values (2)")
	}()
	wantEqual(t, l.run(t, target, verify.Options{Wait: time.Minute, Pause: 20 * time.Millisecond}), 2)
	<-done
}

func TestReportNamesTheDifferences(t *testing.T) {
	text := "x"
	r := &verify.Result{Tables: []verify.TableResult{
		{Source: verify.Name{Schema: "s", Table: "a"}, Target: verify.Name{Schema: "t", Table: "a"}, Equal: true, SourceRows: 3, TargetRows: 3, SourceHash: "12345678aa", TargetHash: "12345678aa"},
		{
			Source: verify.Name{Schema: "s", Table: "b"}, Target: verify.Name{Schema: "t", Table: "b"}, SourceRows: 3, TargetRows: 2, SourceHash: "12345678aa", TargetHash: "87654321aa", More: true,
			Differences: []verify.Difference{{Kind: verify.MissingRow, Key: []verify.ColumnText{{Column: "id", Text: &text}}, SourceRows: 1}},
		},
	}}
	var b bytes.Buffer
	if err := r.WriteText(&b); err != nil {
		t.Fatal(err)
	}
	const want = `SOURCE  TARGET  ROWS   HASH                 
s.a     t.a     3      12345678aa           equal
s.b     t.b     3 | 2  12345678 | 87654321  DIFFERENT
s.b: missing row id="x"
s.b: more rows differ than are named here
`
	if b.String() != want {
		t.Errorf("got\n%s\nwant\n%s", &b, want)
	}
	b.Reset()
	if err := r.WriteJSON(&b); err != nil {
		t.Fatal(err)
	}
	var back verify.Result
	if err := json.Unmarshal(b.Bytes(), &back); err != nil || len(back.Tables) != 2 || *back.Tables[1].Differences[0].Key[0].Text != "x" {
		t.Errorf("JSON: %v %s", err, &b)
	}
}
