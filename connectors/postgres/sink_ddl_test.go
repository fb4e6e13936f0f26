package postgres

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/syncline-io/syncline/framework/config"
	"github.com/syncline-io/syncline/framework/failure"
	"github.com/syncline-io/syncline/framework/sink"
	"github.com/syncline-io/syncline/schemas"
)

var updateSQL = flag.Bool("update-sql", false, "rewrite the golden files of the sink's SQL")

const targetTypes = `select attname, format_type(atttypid, atttypmod), attnotnull from pg_attribute
where attrelid = to_regclass('target.%s') and attnum > 0 and not attisdropped order by attnum`

func (f *sinkFixture) wantTypes(table, want string) {
	f.t.Helper()
	f.want(fmt.Sprintf(targetTypes, table), want)
}

func TestTableFollowsTheSourcesChanges(t *testing.T) {
	f := newSinkFixture(t)
	f.exec(`create schema source; create type source.mood as enum ('b');
create table source.things (id int primary key, price numeric(5,2), name varchar(5) not null, mood source.mood, gone text, score real)`)
	version := uint64(0)
	step := func(sql, want string) *sink.Table {
		t.Helper()
		f.exec(sql)
		version++
		table, rows := f.source("source", "things", version)
		// Each time a process that has just started, which knows of no earlier version.
		s := f.open("test")
		for range 2 {
			if err := s.Evolve(t.Context(), nil, table); err != nil {
				t.Fatalf("%s: %v", sql, err)
			}
		}
		if got, err := s.Version(t.Context(), table); err != nil || got != version {
			t.Errorf("%s: the target is ready for version %d (%v), want %d", sql, got, err, version)
		}
		f.wantTypes("things", want)
		if err := s.Write(t.Context(), &sink.Batch{Tables: []sink.TableBatch{{Table: table, Rows: rows}}}); err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
		return table
	}
	first := step(`insert into source.things values (1, 1.5, 'one', 'b', 'gone', 1.5), (2, 2, 'two', null, null, null)`,
		"id|integer|t\nprice|numeric(5,2)|f\nname|character varying(5)|f\nmood|target.mood|f\ngone|text|f\nscore|real|f")
	step(`alter table source.things alter id type bigint, alter price type numeric(8,3), alter name type text, alter score type double precision;
alter type source.mood add value 'a' before 'b'; alter type source.mood add value 'c';`,
		"id|bigint|t\nprice|numeric(8,3)|f\nname|text|f\nmood|target.mood|f\ngone|text|f\nscore|double precision|f")
	f.want("select enum_range(null::target.mood)", "{a,b,c}")
	step(`alter table source.things rename price to cost; alter table source.things rename name to price; alter table source.things drop gone;
alter table source.things add gone int default 7; update source.things set mood = 'c'`,
		"id|bigint|t\ncost|numeric(8,3)|f\nprice|text|f\nmood|target.mood|f\ngone_dropped_5|text|f\nscore|double precision|f\ngone|integer|f")
	f.want("select id, cost, price, mood, gone_dropped_5, gone from target.things order by id", "1|1.500|one|c|gone|7\n2|2.000|two|c|null|7")
	step(`alter table source.things rename cost to x; alter table source.things rename price to cost; alter table source.things rename x to price`,
		"id|bigint|t\nprice|numeric(8,3)|f\ncost|text|f\nmood|target.mood|f\ngone_dropped_5|text|f\nscore|double precision|f\ngone|integer|f")
	f.want("select id, price, cost from target.things order by id", "1|1.500|one\n2|2.000|two")
	step(`alter table source.things drop constraint things_pkey, add primary key (cost)`,
		"id|bigint|f\nprice|numeric(8,3)|f\ncost|text|t\nmood|target.mood|f\ngone_dropped_5|text|f\nscore|double precision|f\ngone|integer|f")
	step(`alter table source.things drop constraint things_pkey, add primary key (id)`,
		"id|bigint|t\nprice|numeric(8,3)|f\ncost|text|f\nmood|target.mood|f\ngone_dropped_5|text|f\nscore|double precision|f\ngone|integer|f")

	// A member that is still at the first version neither renames back nor writes into the wrong column.
	if err := f.sink.Evolve(t.Context(), nil, first); err != nil {
		t.Fatal(err)
	}
	f.write(first, row(sink.Upsert, 9, schemas.DecimalValue([]byte{5}, 0), "nine", "b", nil, nil))
	f.want("select id, price, cost, gone from target.things where id = 9", "9|5.000|nine|7")
}

// Single rows go through prepared statements, whose texts are the same for both versions.
func TestRowsOfBothTypesAreWrittenInOneSession(t *testing.T) {
	f := newSinkFixture(t)
	first := ordersTable()
	f.evolve(first)
	raw := func(s string) schemas.Value { return schemas.UnrepresentableValue([]byte(s)) }
	f.write(first, row(sink.Upsert, 1, 7, nil, nil), row(sink.Upsert, 2, raw("7"), nil, nil))
	source := *first.Source
	source.Version, source.Columns = 2, append(source.Columns[:0:0], source.Columns...)
	source.Columns[1].Type, source.Columns[1].SourceType = schemas.Type{Kind: schemas.Int64}, "bigint"
	second := targetOf(&source)
	f.evolve(second)
	f.write(second, row(sink.Upsert, 3, 1<<40, nil, nil), row(sink.Upsert, 4, raw("1099511627777"), nil, nil), row(sink.Upsert, 1, 1<<41, unchanged, nil))
	f.want("select id, total from target.orders order by id", "1|2199023255552\n2|7\n3|1099511627776\n4|1099511627777")
}

func TestTableChangedByAnotherMemberIsReadAgain(t *testing.T) {
	f := newSinkFixture(t)
	first := ordersTable()
	first.Columns[1] = schemas.Column{ID: 2, Name: "total", Type: schemas.Type{Kind: schemas.String}, SourceType: "text", Nullable: true}
	f.evolve(first)
	f.write(first, row(sink.Upsert, 1, "total", "note", nil))
	source := *first.Source
	source.Version, source.Columns = 2, append(source.Columns[:0:0], source.Columns...)
	source.Columns[1].Name, source.Columns[2].Name = "note", "total"
	if err := f.open("test").Evolve(t.Context(), nil, targetOf(&source)); err != nil {
		t.Fatal(err)
	}
	rows := []sink.Row{row(sink.Upsert, 2, "total", "note", nil)}
	if err := f.tryWrite(first, rows...); err == nil || failure.Classify(err) != failure.Retry {
		t.Errorf("the first write after the names were swapped: %v, want an error to retry", err)
	}
	f.write(first, rows...)
	f.want("select id, note, total from target.orders order by id", "1|total|note\n2|total|note")
}

func TestKeyColumnThatTheSourceDroppedTakesNulls(t *testing.T) {
	f := newSinkFixture(t)
	first := ordersTable()
	f.evolve(first)
	f.write(first, row(sink.Upsert, 1, 5, nil, nil))
	source := *first.Source
	source.Version, source.Columns = 2, append(source.Columns[1:1:1], source.Columns[1:]...)
	source.Columns[0].Key = 1
	second := targetOf(&source)
	f.evolve(second)
	f.write(second, row(sink.Upsert, 5, "n", nil), row(sink.Upsert, 6, nil, nil))
	f.want("select id, total, note from target.orders order by total", "1|5|n\nnull|6|null")
}

// foreignTable is a table as it is derived from the schemas of Debezium's records: id and texts.
func foreignTable(t *testing.T, version uint64, keyed bool, texts ...string) *sink.Table {
	t.Helper()
	fields := `{"name":"id","type":"long"}`
	key := `{"type":"record","name":"Key","namespace":"shop.public.orders","fields":[` + fields + `]}`
	if !keyed {
		key = ""
	}
	for _, name := range texts {
		fields += `,{"name":"` + name + `","type":["null","string"]}`
	}
	source, err := schemas.DeriveTable(key, `{"type":"record","name":"Envelope","namespace":"shop.public.orders","fields":[`+
		`{"name":"after","type":["null",{"type":"record","name":"Value","fields":[`+fields+`]}]},`+
		`{"name":"source","type":{"type":"record","name":"Source","namespace":"io.debezium.connector.postgresql","fields":[]}},{"name":"op","type":"string"}]}`)
	if err != nil {
		t.Fatal(err)
	}
	source.Version = version
	return targetOf(source)
}

func TestColumnsOfForeignTopicsAreFoundByName(t *testing.T) {
	for _, recorded := range []string{"as now", "with places for ids, by an earlier release"} {
		t.Run(recorded, func(t *testing.T) {
			f := newSinkFixture(t)
			first := foreignTable(t, 3, true, "a", "b", "c")
			f.evolve(first)
			if recorded != "as now" {
				f.exec(`update syncline.tables set columns = '[{"id": 1, "name": "id"}, {"id": 2, "name": "a"}, {"id": 3, "name": "b"}, {"id": 4, "name": "c"}]'`)
			}
			f.write(first, row(sink.Upsert, 1, "a", "b", "c"))
			dropped := foreignTable(t, 5, true, "b", "c")
			f.evolve(dropped)
			f.write(dropped, row(sink.Upsert, 2, "b", "c"))
			again := foreignTable(t, 6, true, "b", "d", "a")
			f.evolve(again)
			f.write(again, row(sink.Upsert, 3, "b", "d", "a"))
			f.evolve(first)
			f.write(first, row(sink.Upsert, 4, "a", "b", "c"))
			f.want("select id, a, b, c, d from target.orders order by id", "1|a|b|c|null\n2|null|b|c|null\n3|a|b|null|d\n4|a|b|c|null")
		})
	}
}

func TestForeignRecordWithoutKeyTakesNoKeyAway(t *testing.T) {
	f := newSinkFixture(t)
	keyed := foreignTable(t, 3, true, "a")
	f.evolve(keyed)
	f.write(keyed, row(sink.Upsert, 1, "a"))
	err := f.sink.Evolve(t.Context(), nil, foreignTable(t, 4, false, "a", "b"))
	if failure.Classify(err) != failure.Config || !strings.Contains(err.Error(), "target.orders") {
		t.Errorf("without a key: %v, want a configuration error", err)
	}
	other := *keyed
	other.Key = []int{1}
	err = f.sink.Evolve(t.Context(), nil, &other)
	const way = `alter table "target"."orders" drop constraint "orders_pkey", add primary key ("a")`
	if failure.Classify(err) != failure.Config || !strings.Contains(err.Error(), way) {
		t.Errorf("with another key: %v, want a configuration error with %s", err, way)
	}
	f.evolve(keyed)
	f.write(keyed, row(sink.Upsert, 1, "again"))
	f.want("select id, a from target.orders", "1|again")
}

func TestExistingTableIsUsedWhenItsColumnsFit(t *testing.T) {
	f := newSinkFixture(t)
	f.exec(`create schema target; create table target.orders (extra text default 'x', note varchar, id bigserial, total numeric, doc json, unique (id))`)
	table := ordersTable()
	f.evolve(table)
	f.wantTypes("orders", "extra|text|f\nnote|character varying|f\nid|bigint|t\ntotal|numeric|f\ndoc|json|f")
	for _, n := range []int{1, 2 * sinkBulkRows} {
		var rows []sink.Row
		for i := range n {
			rows = append(rows, row(sink.Upsert, i, i, "n", `{"a": 1}`))
		}
		f.write(table, rows...)
		f.want("select count(*), sum(total), min(extra), min(doc::text) from target.orders", fmt.Sprintf(`%d|%d|x|{"a": 1}`, n, n*(n-1)/2))
	}
}

func TestConflictNamesTableColumnTypesAndWayOut(t *testing.T) {
	for _, c := range []struct {
		name, ddl string
		parts     []string
	}{
		{"type", "create table target.orders (id bigint primary key, total date)", []string{"column total of target.orders", "date", "integer", "change the column's type"}},
		{"no key", "create table target.orders (id bigint)", []string{"target.orders", `alter table "target"."orders" add primary key ("id")`}},
		{"view", "create view target.orders as select 1 as id", []string{"target.orders", "not a plain table"}},
		{"not null", "create table target.orders (id bigint primary key, must text not null)", []string{"column must of target.orders", "NOT NULL", "default"}},
		{"generated", "create table target.orders (id bigint generated always as identity primary key)", []string{"column id of target.orders", "generated"}},
		{"view uses the column", "create table target.orders (id int primary key); create view target.v as select id from target.orders", []string{`alter column "id" type bigint`, "view"}},
		{"type in the way of an enum", "create type target.mood as (a int); create table target.orders (id bigint primary key)", []string{`"target"."mood"`, "no enum"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newSinkFixture(t)
			f.exec("create schema target; " + c.ddl)
			table := ordersTable()
			if strings.Contains(c.name, "enum") {
				source := *table.Source
				source.Columns = append(source.Columns[:4:4], schemas.Column{ID: 5, Name: "m", SourceType: "shop.mood", Type: schemas.Type{Kind: schemas.Enum, Labels: []string{"a"}}})
				table = targetOf(&source)
			}
			err := f.sink.Evolve(t.Context(), nil, table)
			if failure.Classify(err) != failure.Config {
				t.Fatalf("got %v, want a configuration error", err)
			}
			for _, part := range c.parts {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("%v: want %q in it", err, part)
				}
			}
		})
	}
}

func TestManyMembersMakeTheSameTableAtOnce(t *testing.T) {
	f := newSinkFixture(t)
	table := ordersTable()
	const members = 6
	errs := make([]error, members)
	var wg sync.WaitGroup
	for i := range members {
		wg.Go(func() {
			s, err := SinkConnector.Open(t.Context(), SinkConfig{URL: config.URL(f.url), Schema: "own"}, sink.Env{Name: "x"})
			if err == nil {
				err = errors.Join(s.(sink.Evolver).Evolve(t.Context(), nil, table), s.Close())
			}
			errs[i] = err
		})
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Error(err)
	}
	f.wantTypes("orders", "id|bigint|t\ntotal|integer|f\nnote|text|f\ndoc|jsonb|f")
}

func TestAddedColumnsFillTheRowsThatAreThere(t *testing.T) {
	f := newSinkFixture(t)
	f.exec(`create schema source; create table source.fills (id int primary key); insert into source.fills values (1)`)
	table, rows := f.source("source", "fills", 1)
	f.evolve(table)
	f.write(table, rows...)
	f.exec(`alter table source.fills add a int default 2.5, add b numeric(5,2) default '1.005', add c varchar(5) default 'it''s', add d int[] default '{1,2}',
add e bytea default '\x00ff', add f interval default '1 day', add g jsonb default '{"a": 1}', add h int default 5 % 3, add i regclass default 'pg_class',
add j boolean default true, add k date default 'infinity', add l text`)
	table, rows = f.source("source", "fills", 2)
	f.evolve(table)
	const filled = "select id, a, b, c, d, e, f, g, j, k, l from %s.fills"
	f.want(fmt.Sprintf(filled, "target"), f.text(fmt.Sprintf(filled, "source")))
	f.want("select h, i from target.fills", "null|null")
	f.write(table, rows...)
	f.want("select h, i::text from target.fills", "2|pg_class")
}

// TestANewLabelCanBeTheDefaultOfANewColumn is about what PostgreSQL forbids in one transaction: to use a label that it adds.
func TestANewLabelCanBeTheDefaultOfANewColumn(t *testing.T) {
	f := newSinkFixture(t)
	f.exec(`create schema source; create type source.state as enum ('new', 'done');
create table source.tasks (id int primary key, state source.state); insert into source.tasks values (1, 'new')`)
	table, rows := f.source("source", "tasks", 1)
	f.evolve(table)
	f.write(table, rows...)
	f.exec("alter type source.state add value 'archived' before 'done'")
	f.exec("alter table source.tasks add next source.state default 'archived'")
	table, _ = f.source("source", "tasks", 2)
	f.evolve(table)
	f.want("select id, state, next from target.tasks", "1|new|archived")
	f.want("select array_agg(l order by l) from unnest(enum_range(null::target.state)) l", "{new,archived,done}")
	f.want("select version from syncline.tables", "2")
}

// Two members: one has not met the change of the table yet, and goes on writing rows of before it.
func TestAMemberBehindAnAddedColumnWritesItsDefault(t *testing.T) {
	f := newSinkFixture(t)
	first := ordersTable()
	f.evolve(first)
	f.write(first, row(sink.Upsert, 1, 7, nil, nil))
	source := *first.Source
	source.Version, source.Columns = 2, append(source.Columns[:len(source.Columns):len(source.Columns)], schemas.Column{
		ID: 10, Name: "state", Type: schemas.Type{Kind: schemas.String}, SourceType: "text", Nullable: true, Default: "'none'::text",
	})
	second := targetOf(&source)
	if err := f.open("test").Evolve(t.Context(), nil, second); err != nil {
		t.Fatal(err)
	}
	// The change is noticed, and the write tried again.
	if err := f.tryWrite(first, row(sink.Upsert, 2, 7, nil, nil)); err == nil || failure.Classify(err) != failure.Retry {
		t.Errorf("the first write after the change: %v, want an error to retry", err)
	}
	f.write(first, row(sink.Upsert, 2, 7, nil, nil))
	var many []sink.Row
	for id := range 300 { // these are copied
		r := row(sink.Upsert, 10+id, 7, nil, nil)
		r.Known = sink.Absent
		many = append(many, r)
	}
	f.write(first, many...)
	f.want("select distinct state from target.orders", "none")
	f.evolve(second)
	f.write(second, row(sink.Upsert, 3, 7, nil, nil, nil), row(sink.Upsert, 2, 7, nil, nil, "set"))
	f.want("select id, state from target.orders where id < 10 order by id", "1|none\n2|set\n3|null")

	// Once the source has dropped the column, its default is nobody's.
	third := *first.Source
	third.Version = 3
	f.evolve(targetOf(&third))
	f.write(targetOf(&third), row(sink.Upsert, 4, 7, nil, nil))
	f.evolve(second)
	f.write(second, row(sink.Upsert, 5, 7, nil, nil, "late"))
	f.want("select id, state from target.orders where id in (4, 5) order by id", "4|null\n5|late")
}

// withState is table with one column more, which has a constant default.
func withState(table *sink.Table, version uint64) *sink.Table {
	source := *table.Source
	source.Version, source.Columns = version, append(source.Columns[:len(source.Columns):len(source.Columns)], schemas.Column{
		ID: 10, Name: "state", Type: schemas.Type{Kind: schemas.String}, SourceType: "text", Nullable: true, Default: "'none'::text",
	})
	return targetOf(&source)
}

// laterVersion is table again, as of a later version.
func laterVersion(table *sink.Table, version uint64) *sink.Table {
	source := *table.Source
	source.Version = version
	return targetOf(&source)
}

// TestADroppedColumnThatMayNotBeNullTakesNulls is about one that was added with a default: with that, its rows need nothing.
func TestADroppedColumnThatMayNotBeNullTakesNulls(t *testing.T) {
	f, first := newSinkFixture(t), ordersTable()
	f.evolve(first)
	f.evolve(withState(first, 2))
	f.exec("alter table target.orders alter state set not null")
	third := laterVersion(first, 3)
	f.evolve(third)
	f.write(third, row(sink.Upsert, 1, 7, nil, nil))
	f.want("select id, state from target.orders", "1|null")
}

const stateDefault = "select column_default from information_schema.columns where table_schema = 'target' and table_name = 'orders' and column_name = 'state'"

// TestADefaultIsKeptOnlyWhereItCanBeTakenAway is about columns that the source has dropped: their default is nobody's.
func TestADefaultIsKeptOnlyWhereItCanBeTakenAway(t *testing.T) {
	for name, table := range map[string]func() (first, added *sink.Table){
		"a source without ids": func() (first, added *sink.Table) {
			first = foreignTable(t, 1, true, "note")
			added = withState(first, 2)
			added.Source.Columns[len(added.Source.Columns)-1].ID = 0
			return first, targetOf(added.Source)
		},
		"by a member that is behind": func() (first, added *sink.Table) {
			return laterVersion(ordersTable(), 3), withState(ordersTable(), 2)
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := newSinkFixture(t)
			first, added := table()
			f.evolve(first)
			f.exec("insert into target.orders (id) values (1)")
			f.evolve(added)
			f.want("select id, state from target.orders", "1|none")
			f.want(stateDefault, "null")
		})
	}
}

func TestATableMadeAgainKeepsNoDefaultOfTheOneBefore(t *testing.T) {
	f, first := newSinkFixture(t), ordersTable()
	f.evolve(first)
	f.evolve(withState(first, 2))
	f.want(stateDefault, "'none'::text")
	again := laterVersion(first, 3)
	again.Source.ID++
	f.evolve(again)
	f.want(stateDefault, "null")
	f.write(again, row(sink.Upsert, 1, 7, nil, nil))
	f.want("select id, state from target.orders", "1|null")
}

// TestSQLIsAsReviewed compares all that is sent for two tables with golden files: -update-sql rewrites them.
func TestSQLIsAsReviewed(t *testing.T) {
	for _, table := range []*sink.Table{ordersTable(), logTable()} {
		t.Run(table.Name, func(t *testing.T) {
			e := evolution{table: table}
			var wanted []sinkType
			have := &targetTable{kind: "r"}
			for i, c := range table.Columns {
				wanted = append(wanted, wantedType(table, i))
				have.columns = append(have.columns, targetColumn{name: c.Name, typ: wanted[i]})
			}
			if err := e.plan(wanted, madeTypes{}); err != nil {
				t.Fatal(err)
			}
			p, err := newSinkPlan(table, have, nil)
			if err != nil {
				t.Fatal(err)
			}
			const stage = "pg_temp.syncline_stage_1"
			got := strings.Join(e.statements, ";\n") + ";\n\n" + p.createStage(stage) + ";\n\n" + p.copyStage(stage) + ";\n\n" +
				p.copyTarget() + ";\n\n" + p.insertStaged(stage, opUpsert, opPresent) + ";\n"
			rows := []sink.Row{{Action: sink.Append}, {Action: sink.Remove}}
			if len(table.Key) > 0 {
				partial := make([]bool, len(table.Columns))
				partial[2] = true
				got += "\n" + p.deleteStaged(stage) + ";\n\n" + p.updateStaged(stage, opPartial, partial) + ";\n\n" + p.missingStaged(stage, opPartial) + ";\n"
				rows = []sink.Row{{Action: sink.Upsert}, {Action: sink.Delete}, row(sink.Upsert, 1, 2, unchanged, unchanged)}
			}
			for _, r := range rows {
				if r.Values == nil {
					r.Values = make([]schemas.Value, len(table.Columns))
				}
				st, _ := p.statement(&r, nil)
				got += "\n" + st.sql + ";\n"
			}
			golden(t, "sink_"+table.Name+".sql", got)
		})
	}
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *updateSQL {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s is different (-update-sql rewrites it):\n%s", path, diff)
	}
}

// TestATableThatWasDroppedIsNotMadeAgainEmpty is about rows that nobody would miss: the ledger stands behind them.
func TestATableThatWasDroppedIsNotMadeAgainEmpty(t *testing.T) {
	foreign := targetOf(&schemas.Table{Name: "orders", Version: 4, Columns: ordersTable().Columns})
	for _, table := range []*sink.Table{ordersTable(), foreign} {
		f := newSinkFixture(t)
		f.evolve(table)
		f.write(table, row(sink.Upsert, 1, 5, nil, nil))
		f.exec("drop table target.orders")
		const record = `delete from "syncline"."tables" where table_schema = 'target' and table_name = 'orders'`
		gap := func(err error) {
			t.Helper()
			if failure.Classify(err) != failure.Gap || !strings.Contains(err.Error(), record) {
				t.Errorf("got %v, want a gap with the way out", err)
			}
		}
		if err := f.tryWrite(table, row(sink.Upsert, 2, 5, nil, nil)); err == nil {
			t.Error("a table that is not there takes rows")
		}
		gap(f.tryWrite(table, row(sink.Upsert, 2, 5, nil, nil)))
		gap(f.open("test").Evolve(t.Context(), nil, table))
		f.want("select to_regclass('target.orders')", "null")
		f.exec(record)
		f.evolve(table)
		f.write(table, row(sink.Upsert, 1, 5, nil, nil))
		f.want("select id, total from target.orders", "1|5")
	}
}
