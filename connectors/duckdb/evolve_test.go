//go:build cgo

package duckdb

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/syncline-io/syncline/framework/failure"
	"github.com/syncline-io/syncline/framework/sink"
	"github.com/syncline-io/syncline/schemas"
)

var update = flag.Bool("update", false, "write the golden files again")

func sqlOf(t testing.TB, s *Sink, statements ...string) {
	t.Helper()
	for _, statement := range statements {
		if _, err := s.session.exec(context.Background(), statement); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
}

func withID(id int32, c schemas.Column) schemas.Column {
	c.ID = id
	return c
}

func withDefault(expr string, c schemas.Column) schemas.Column {
	c.Default = expr
	return c
}

const describeOrders = "SELECT column_name, data_type FROM duckdb_columns() WHERE table_name = 'orders' ORDER BY column_index"

func TestTableFollowsItsSource(t *testing.T) {
	path := filepath.Join(t.TempDir(), "warehouse.duckdb")
	s := openTest(t, path)
	defer func() { s.Close() }()
	id := col("id", kind(schemas.Int32))
	v1 := tableOf("orders", 1, id, col("total", decimal(8, 2)), col("note", kind(schemas.String)), col("old", kind(schemas.Int32)))
	mustEvolve(t, s, v1)
	mustEvolve(t, s, v1)
	mustWrite(t, s, batch(v1, row(sink.Upsert, num(1), schemas.DecimalValue([]byte{5}, 0), text("n"), num(8)), row(sink.Upsert, num(2), null, null, num(9))))
	s.Close()

	// After a restart: id and total widened, note renamed, old dropped, four columns added.
	s = openTest(t, path)
	v2 := tableOf("orders", 1, col("id", kind(schemas.Int64)), col("total", decimal(12, 3)), col("remark", kind(schemas.String)),
		withID(5, withDefault("'it''s new'::text", col("status", kind(schemas.String)))), withID(6, withDefault("-1", col("n", kind(schemas.Int16)))),
		withID(7, withDefault("now()", col("at", schemas.Type{Kind: schemas.TimestampTZ}))), withID(8, withDefault("'{}'::jsonb", col("data", kind(schemas.JSON)))))
	mustEvolve(t, s, v2)
	mustEvolve(t, s, v2)
	wantRows(t, s, describeOrders, "id|BIGINT", "total|DECIMAL(12,3)", "remark|VARCHAR", "old|INTEGER", "status|VARCHAR", "n|SMALLINT", "at|TIMESTAMP WITH TIME ZONE", "data|JSON")
	mustWrite(t, s, batch(v2, row(sink.Upsert, num(2), null, text("changed"), null, null, null, null), row(sink.Delete, num(3), null, null, null, null, null, null)))
	wantRows(t, s, "SELECT * FROM shop.orders ORDER BY id", "1|5.000|n|8|it's new|-1||{}", "2||changed|9||||")

	// A new column takes the name of the dropped one; two columns swap their names.
	v3 := tableOf("orders", 1, col("id", kind(schemas.Int64)), withID(2, col("remark", decimal(12, 3))), withID(3, col("total", kind(schemas.String))), withID(9, col("old", kind(schemas.String))))
	mustEvolve(t, s, v3)
	wantRows(t, s, describeOrders, "id|BIGINT", "remark|DECIMAL(12,3)", "total|VARCHAR", "old__dropped_4|INTEGER", "status|VARCHAR", "n|SMALLINT", "at|TIMESTAMP WITH TIME ZONE", "data|JSON", "old|VARCHAR")
	wantRows(t, s, "SELECT remark, total, old, old__dropped_4 FROM shop.orders ORDER BY id", "5.000|n||8", "|changed||9")

	// The source's table is made again: its columns have new ids, and names are what counts.
	v4 := tableOf("orders", 1, col("id", kind(schemas.Int64)), col("old", kind(schemas.String)), col("total", kind(schemas.String)))
	v4.Source = &schemas.Table{ID: 8}
	mustEvolve(t, s, v4)
	mustWrite(t, s, batch(v4, row(sink.Upsert, num(1), text("o"), text("t"))))
	wantRows(t, s, "SELECT id, old, total, remark FROM shop.orders ORDER BY id", "1|o|t|5.000", "2||changed|")
}

// versionOf makes a table of version v of the source's.
func versionOf(v uint64, columns ...schemas.Column) *sink.Table {
	t := tableOf("orders", 1, columns...)
	t.Source = &schemas.Table{ID: 7, Version: v}
	return t
}

func TestTableIsNotTakenBackToAnEarlierVersion(t *testing.T) {
	path := filepath.Join(t.TempDir(), "warehouse.duckdb")
	s := openTest(t, path)
	defer func() { s.Close() }()
	word := kind(schemas.String)
	v1 := versionOf(1, col("id", kind(schemas.Int64)), col("a", word), col("b", word), col("old", word))
	v2 := versionOf(2, col("id", kind(schemas.Int64)), col("b", word), col("a", word), withID(5, col("old", kind(schemas.Int32))))
	mustEvolve(t, s, v1)
	mustWrite(t, s, batch(v1, row(sink.Upsert, num(1), text("2nd"), text("3rd"), text("4th"))))
	mustEvolve(t, s, v2)
	mustWrite(t, s, batch(v2, row(sink.Upsert, num(2), text("2nd"), text("3rd"), num(5))))
	if got, err := s.Version(t.Context(), v1); err != nil || got != 2 {
		t.Errorf("the file is ready for version %d (%v), want 2", got, err)
	}
	s.Close()

	// After a restart the first rows come from a partition that lags behind.
	s = openTest(t, path)
	for id := range int64(2) {
		mustEvolve(t, s, v1)
		mustWrite(t, s, batch(v1, row(sink.Upsert, num(3+id), text("2nd"), text("3rd"), text("4th"))))
		wantRows(t, s, describeOrders, "id|BIGINT", "b|VARCHAR", "a|VARCHAR", "old__dropped_4|VARCHAR", "old|INTEGER")
		mustEvolve(t, s, v2)
	}
	wantRows(t, s, "SELECT id, b, a, old__dropped_4, old FROM shop.orders ORDER BY id",
		"1|2nd|3rd|4th|", "2|2nd|3rd||5", "3|2nd|3rd|4th|", "4|2nd|3rd|4th|")
	wantRows(t, s, "SELECT string_agg(column_id || column_name, ' ' ORDER BY column_id) FROM syncline.columns", "1id 2b 3a 4old__dropped_4 5old")
}

func TestColumnsWithoutIdsAreFoundByName(t *testing.T) {
	s := newTest(t)
	word := kind(schemas.String)
	foreign := func(version uint64, names ...string) *sink.Table {
		table := tableOf("orders", 1)
		for _, name := range names {
			table.Columns = append(table.Columns, col(name, word))
		}
		table.Key, table.Source = []int{0}, &schemas.Table{Version: version}
		return table
	}
	first, second := foreign(3, "id", "a", "b", "c"), foreign(5, "id", "b", "c")
	mustEvolve(t, s, first)
	mustWrite(t, s, batch(first, row(sink.Upsert, text("1"), text("a"), text("b"), text("c"))))
	// An earlier release took the places for ids.
	sqlOf(t, s, "INSERT INTO syncline.columns SELECT 'shop', 'orders', 0, column_index, column_name, 0 FROM duckdb_columns() WHERE table_name = 'orders'")
	mustEvolve(t, s, second)
	mustWrite(t, s, batch(second, row(sink.Upsert, text("2"), text("b"), text("c"))))
	wantRows(t, s, "SELECT id, a, b, c FROM shop.orders ORDER BY id", "1|a|b|c", "2||b|c")
	wantRows(t, s, "SELECT * FROM syncline.columns", "shop|orders|0|0||5")
}

func TestFileOfAnEarlierReleaseHasNoVersions(t *testing.T) {
	path := filepath.Join(t.TempDir(), "warehouse.duckdb")
	s := openTest(t, path)
	defer func() { s.Close() }()
	v1 := versionOf(1, col("id", kind(schemas.Int64)), col("a", kind(schemas.String)))
	mustEvolve(t, s, v1)
	sqlOf(t, s, "ALTER TABLE syncline.columns DROP COLUMN version")
	s.Close()
	s = openTest(t, path)
	mustEvolve(t, s, versionOf(2, col("id", kind(schemas.Int64)), col("b", kind(schemas.String))))
	wantRows(t, s, describeOrders, "id|BIGINT", "b|VARCHAR")
}

func TestFileMayBeNamedLikeASchema(t *testing.T) {
	for _, name := range []string{"shop.duckdb", "syncline.duckdb", "my-shop 1.duckdb"} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), name)
			s := openTest(t, path)
			defer func() { s.Close() }()
			claim(t, s, partition(0))
			id, word := col("id", kind(schemas.Int64)), kind(schemas.String)
			v1, v2 := versionOf(1, id, col("a", word)), versionOf(2, id, col("b", word), col("c", word))
			mustEvolve(t, s, v1)
			mustWrite(t, s, batch(v1, row(sink.Upsert, num(1), text("a"))))
			mustEvolve(t, s, v2)
			mustWrite(t, s, batch(v2, row(sink.Upsert, num(1), keep, text("c"))))
			wantRows(t, s, "SELECT id, b, c FROM "+quoteTable(s.session.catalog, "shop", "orders"), "1|a|c")
			r, err := VerifySink(context.Background(), SinkConfig{Path: path})
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close()
			if catalog := r.Dialect().Catalog; catalog != s.session.catalog {
				t.Errorf("compared in catalog %q, want %q", catalog, s.session.catalog)
			}
			b := batch(v2)
			b.Tables[0].Truncate = true
			mustWrite(t, s, b)
		})
	}
}

func TestFittingTableOfSomeoneElseIsUsed(t *testing.T) {
	s := newTest(t)
	sqlOf(t, s, "CREATE SCHEMA shop", `CREATE TABLE shop.orders (extra INT DEFAULT 7, "ID" BIGINT PRIMARY KEY, amount DECIMAL(20,4), doc VARCHAR, label VARCHAR NOT NULL)`,
		"INSERT INTO shop.orders VALUES (1, 1, 1, NULL, 'a')")
	table := tableOf("orders", 1, col("id", kind(schemas.Int32)), col("amount", decimal(10, 2)), col("doc", kind(schemas.JSON)), col("label", kind(schemas.String)))
	mustEvolve(t, s, table)
	five := schemas.DecimalValue([]byte{5}, 0)
	for range 3 {
		mustWrite(t, s, batch(table, row(sink.Upsert, num(1), five, text("{}"), text("b")), row(sink.Upsert, num(2), five, keepIf(false), text("c"))))
	}
	wantRows(t, s, "SELECT * FROM shop.orders ORDER BY id", "1|1|5.0000|{}|b", "7|2|5.0000||c")
	wantClass(t, s.Write(context.Background(), batch(table, row(sink.Upsert, num(3), five, null, null))), failure.Refused, "shop.orders", "label")
}

func keepIf(yes bool) schemas.Value {
	if yes {
		return keep
	}
	return null
}

func TestConflictNamesTableColumnAndBothTypes(t *testing.T) {
	for _, c := range []struct {
		name, column string
		t            schemas.Type
		parts        []string
	}{
		{"another type", "v DATE", kind(schemas.Int32), []string{`"v"`, "DATE", "int32"}},
		{"a type that is never made", "v UTINYINT", kind(schemas.Int16), []string{`"v"`, "UTINYINT", "int16"}},
		{"a number into a text", "v VARCHAR", kind(schemas.Int32), []string{`"v"`, "VARCHAR", "int32"}},
		{"a column that nobody fills", "v INTEGER, must INTEGER NOT NULL", kind(schemas.Int32), []string{`"must"`, "NOT NULL"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newTest(t)
			sqlOf(t, s, "CREATE SCHEMA shop", "CREATE TABLE shop.orders (id INTEGER, "+c.column+")")
			err := s.Evolve(context.Background(), nil, tableOf("orders", 1, col("id", kind(schemas.Int32)), col("v", c.t), col("added", kind(schemas.Bool))))
			wantClass(t, err, failure.Config, append(c.parts, "shop.orders")...)
			if got := rowsOf(t, s, describeOrders+" LIMIT 1 OFFSET 2"); len(got) > 0 && strings.HasPrefix(got[0], "added") {
				t.Errorf("a conflict left a part of the change: %s", got)
			}
		})
	}
	s := newTest(t)
	wantClass(t, s.Evolve(context.Background(), nil, tableOf("orders", 1, col("id", kind(schemas.Int32)), col("ID", kind(schemas.Int32)))), failure.Config, `"ID"`, "case")
}

// TestStatements shows every statement that a table causes.
func TestStatements(t *testing.T) {
	table := tableOf(`or"ders`, 2, col("id", kind(schemas.Int64)), schemas.Column{Name: "part", Type: kind(schemas.String), Nullable: true},
		col("total", decimal(10, 2)), col("any", decimal(0, 0)), col("at", schemas.Type{Kind: schemas.TimestampTZ}), col("doc", kind(schemas.JSON)),
		col("tags", arrayOf(kind(schemas.String))), col("every", kind(schemas.Interval)))
	var got []string
	add := func(statements ...string) { got = append(got, statements...) }
	have := &target{catalog: "warehouse", schema: "shop", name: `or"ders`}
	create, err := createTable(have, table, nil)
	if err != nil {
		t.Fatal(err)
	}
	add("-- create", create)
	for i := range table.Columns {
		columnType, _ := columnType(table.Columns[i].Type)
		have.columns = append(have.columns, targetColumn{name: table.Columns[i].Name, columnType: columnType})
	}
	known := record{names: names{1: "id", 2: "part", 3: "total", 4: "any", 5: "at", 6: "doc", 7: "tags", 8: "every"}}
	changed := tableOf(`or"ders`, 1, col("id", kind(schemas.Int64)), col("piece", kind(schemas.String)), col("any", decimal(14, 4)), col("total", decimal(0, 0)),
		withID(9, withDefault("0.5", col("at", kind(schemas.Float64)))))
	statements, _, err := planChanges(have, known, changed, nil)
	if err != nil {
		t.Fatal(err)
	}
	add("-- change")
	add(statements...)
	m, err := newMerge(table, have, record{}.columns(table))
	if err != nil {
		t.Fatal(err)
	}
	add("-- stage", m.createStage(), "-- with key", m.truncate(), m.deleteStaged(), m.insertStaged(), m.missingPartial(), m.createWhole([]uint64{1<<2 | 1<<5}), m.insertFound(), m.insertNew())
	m.table = tableOf(`or"ders`, 0, table.Columns...)
	add("-- without key", m.createNet(), m.missingRow(), m.deleteNet(), m.insertNet())
	golden(t, "statements.sql", strings.Join(got, "\n\n")+"\n")
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", path, diff)
	}
}

func TestAddedColumnsFillTheRowsThatAreThere(t *testing.T) {
	s := newTest(t)
	id := col("id", kind(schemas.Int64))
	v1 := versionOf(1, id)
	mustEvolve(t, s, v1)
	mustWrite(t, s, batch(v1, row(sink.Upsert, num(1))))
	digits := func(k schemas.Kind) schemas.Type { return schemas.Type{Kind: k, Precision: 6} }
	columns := []schemas.Column{id}
	var want []string
	for i, c := range []struct {
		t          schemas.Type
		expr, want string
	}{
		{kind(schemas.Int32), "2.5", "3"},
		{kind(schemas.Int32), "'5'::integer % 3", ""},
		{kind(schemas.Bool), "true", "true"},
		{kind(schemas.Float64), "'-Infinity'::double precision", "-inf"},
		{decimal(5, 2), "'1.005'::numeric", "1.01"},
		{decimal(0, 0), "1.50", "1.50"},
		{kind(schemas.String), "'it''s'::character varying(5)", "it's"},
		{kind(schemas.Bytes), `'\x00ff'::bytea`, `\x00\xFF`},
		{kind(schemas.Date), "'infinity'::date", "infinity"},
		{digits(schemas.Time), "'24:00:00'::time without time zone", "24:00:00"},
		{digits(schemas.Timestamp), "'0044-03-15 12:00:00 BC'::timestamp without time zone", "0044-03-15 (BC) 12:00:00"},
		{digits(schemas.TimestampTZ), "'2024-01-01 00:00:00+02'::timestamp with time zone", "2023-12-31 22:00:00+00"},
		{kind(schemas.Interval), "'1 year 2 mons -3 days +04:05:06.789'::interval", "1 year 2 months -3 days 04:05:06.789"},
		{kind(schemas.UUID), "'01234567-89ab-cdef-0123-456789abcdef'::uuid", "01234567-89ab-cdef-0123-456789abcdef"},
		{kind(schemas.JSON), `'{"a": 1}'::jsonb`, `{"a": 1}`},
		{schemas.Type{Kind: schemas.Enum, Labels: []string{"new"}}, "'new'::shop.status", "new"},
		{arrayOf(kind(schemas.Int32)), "'{1,NULL}'::integer[]", "[1, NULL]"},
		{arrayOf(kind(schemas.String)), `'{"a,b",c}'::text[]`, "['a,b', c]"},
		{kind(schemas.TimestampTZ), "now()", ""},
	} {
		columns = append(columns, withDefault(c.expr, col(fmt.Sprintf("c%d", i), c.t)))
		want = append(want, c.want)
	}
	mustEvolve(t, s, versionOf(2, columns...))
	wantRows(t, s, "SELECT * EXCLUDE (id) FROM shop.orders", strings.Join(want, "|"))
	wantRows(t, s, "SELECT column_name FROM duckdb_columns() WHERE table_name = 'orders' AND column_default <> 'NULL'")
}

func TestWrongConfigNamesItsKey(t *testing.T) {
	err := SinkConfig{Threads: -1}.Validate()
	for _, part := range []string{"path:", "schema:", "threads:"} {
		if err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("%v does not name %s", err, part)
		}
	}
	cfg := sinkDefaults
	cfg.Path = filepath.Join(t.TempDir(), "missing", "file")
	_, err = openSink(context.Background(), cfg, sink.Env{})
	wantClass(t, err, failure.Config, "path", "missing")
	cfg.Path = filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(cfg.Path, []byte(strings.Repeat("no database", 9999)), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err = openSink(context.Background(), cfg, sink.Env{})
	wantClass(t, err, failure.Config, cfg.Path)
	cfg.Path = filepath.Join(t.TempDir(), "file")
	cfg.MemoryLimit = "much"
	_, err = openSink(context.Background(), cfg, sink.Env{})
	wantClass(t, err, failure.Config, "memory")
}

// TestTablesThatDifferInCaseAloneAreRefused: their rows would end up in one table.
func TestTablesThatDifferInCaseAloneAreRefused(t *testing.T) {
	s := openTest(t, filepath.Join(t.TempDir(), "test.duckdb"))
	mustEvolve(t, s, customers())
	other := customers()
	other.Name = "Customers"
	wantClass(t, s.Evolve(t.Context(), nil, other), failure.Config, "customers", "Customers", "case")
}

// TestATableThatWasDroppedIsNotMadeAgainEmpty is about rows that nobody would miss: the ledger stands behind them.
func TestATableThatWasDroppedIsNotMadeAgainEmpty(t *testing.T) {
	foreign := tableOf("customers", 1, customers().Columns...)
	foreign.Source = &schemas.Table{Version: 4}
	for i := range foreign.Columns {
		foreign.Columns[i].ID = 0
	}
	for _, table := range []*sink.Table{customers(), foreign} {
		path := filepath.Join(t.TempDir(), "warehouse.duckdb")
		s := openTest(t, path)
		mustEvolve(t, s, table)
		sqlOf(t, s, "DROP TABLE shop.customers")
		s.Close()
		s = openTest(t, path)
		defer s.Close()
		const record = `DELETE FROM "warehouse"."syncline"."columns" WHERE table_schema = 'shop' AND table_name = 'customers'`
		if err := s.Evolve(t.Context(), nil, table); failure.Classify(err) != failure.Gap || !strings.Contains(err.Error(), record) {
			t.Errorf("got %v, want a gap with the way out", err)
		}
		sqlOf(t, s, record)
		mustEvolve(t, s, table)
		mustEvolve(t, s, table)
		mustWrite(t, s, batch(table, row(sink.Upsert, num(1), text("a"), null)))
		wantRows(t, s, "SELECT id, name FROM shop.customers", "1|a")
	}
}

func TestTablesThatDifferOnlyInCaseAreNotMixed(t *testing.T) {
	path := filepath.Join(t.TempDir(), "warehouse.duckdb")
	s := openTest(t, path)
	defer func() { s.Close() }()
	namesake := customers()
	namesake.Name, namesake.Source = "Customers", &schemas.Table{ID: 9}
	refused := func() {
		t.Helper()
		if err := s.Evolve(t.Context(), nil, namesake); failure.Classify(err) != failure.Config || !strings.Contains(err.Error(), "shop.customers and shop.Customers") {
			t.Errorf("got %v, want that the names are refused", err)
		}
	}
	mustEvolve(t, s, customers())
	refused()
	s.Close()
	s = openTest(t, path)
	refused()
	mustEvolve(t, s, customers())
}

func TestARenameOntoAColumnThatIsNotOursStops(t *testing.T) {
	s := newTest(t)
	mustEvolve(t, s, customers())
	mustWrite(t, s, batch(customers(), row(sink.Upsert, num(1), text("a"), text("n"))))
	sqlOf(t, s, "ALTER TABLE shop.customers ADD COLUMN remark VARCHAR", "UPDATE shop.customers SET remark = 'mine'")
	renamed := tableOf("customers", 1, col("id", kind(schemas.Int64)), col("name", kind(schemas.String)), col("remark", kind(schemas.String)))
	renamed.Source.Version = 2
	if err := s.Evolve(t.Context(), nil, renamed); failure.Classify(err) != failure.Config || !strings.Contains(err.Error(), "renamed at the source") {
		t.Errorf("got %v, want a conflict", err)
	}
	sqlOf(t, s, "ALTER TABLE shop.customers RENAME COLUMN remark TO mine")
	mustEvolve(t, s, renamed)
	wantRows(t, s, "SELECT id, name, remark, mine FROM shop.customers", "1|a|n|mine")
}

func TestAColumnFollowsItsType(t *testing.T) {
	enum := func(labels ...string) schemas.Type { return schemas.Type{Kind: schemas.Enum, Labels: labels} }
	composite := schemas.Type{Kind: schemas.String, Form: schemas.FormUnknown}
	list := schemas.ArrayValue
	for _, c := range []struct {
		name          string
		from, to      schemas.Type
		before, after schemas.Value
		want          string // the column's type, and both values
	}{
		{"int to bigint", kind(schemas.Int32), kind(schemas.Int64), num(1), num(1 << 40), "BIGINT 1 1099511627776"},
		{"real to double precision", kind(schemas.Float32), kind(schemas.Float64), schemas.FloatValue(0.5), schemas.FloatValue(0.1), "DOUBLE 0.5 0.1"},
		{"varchar(3) to text", schemas.Type{Kind: schemas.String, Length: 3}, kind(schemas.String), text("abc"), text("abcd"), "VARCHAR abc abcd"},
		{"numeric(4,2) to numeric(6,3)", decimal(4, 2), decimal(6, 3), schemas.DecimalValue(unscaled("150"), 2), schemas.DecimalValue(unscaled("1501"), 3), "DECIMAL(6,3) 1.500 1.501"},
		{"numeric(4,2) to numeric", decimal(4, 2), decimal(0, 0), schemas.DecimalValue(unscaled("150"), 2), schemas.SpecialDecimal(schemas.NaN), "VARCHAR 1.50 NaN"},
		{"int[] to bigint[]", arrayOf(kind(schemas.Int32)), arrayOf(kind(schemas.Int64)), list([]schemas.Value{num(1)}), list([]schemas.Value{num(1 << 40)}), "BIGINT[] [1] [1099511627776]"},
		{"label added", enum("a"), enum("a", "b"), text("a"), text("b"), "VARCHAR a b"},
		{"attribute added", composite, composite, text("(a,1)"), text("(a,1,b)"), "VARCHAR (a,1) (a,1,b)"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newTest(t)
			v1 := versionOf(1, col("id", kind(schemas.Int32)), col("v", c.from))
			v2 := versionOf(2, col("id", kind(schemas.Int32)), col("v", c.to))
			mustEvolve(t, s, v1)
			mustWrite(t, s, batch(v1, row(sink.Upsert, num(1), c.before)))
			mustEvolve(t, s, v2)
			mustWrite(t, s, batch(v2, row(sink.Upsert, num(2), c.after)))
			got := rowsOf(t, s, "SELECT data_type FROM duckdb_columns() WHERE table_name = 'orders' AND column_name = 'v'")
			got = append(got, rowsOf(t, s, "SELECT v FROM shop.orders ORDER BY id")...)
			if text := strings.Join(got, " "); text != c.want {
				t.Errorf("%s, want %s", text, c.want)
			}
		})
	}
}
