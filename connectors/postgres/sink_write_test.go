package postgres

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/syncline-io/syncline/framework/config"
	"github.com/syncline-io/syncline/framework/failure"
	"github.com/syncline-io/syncline/framework/sink"
	"github.com/syncline-io/syncline/schemas"
)

// ordersTable is a table with a key, a number, a text and a document.
func ordersTable() *sink.Table {
	return targetOf(&schemas.Table{System: "postgresql", Schema: "shop", Name: "orders", ID: 7, Version: 1, Columns: []schemas.Column{
		{ID: 1, Name: "id", Type: schemas.Type{Kind: schemas.Int64}, SourceType: "bigint", Key: 1},
		{ID: 2, Name: "total", Type: schemas.Type{Kind: schemas.Int32}, SourceType: "integer", Nullable: true},
		{ID: 3, Name: "note", Type: schemas.Type{Kind: schemas.String}, SourceType: "text", Nullable: true},
		{ID: 4, Name: "doc", Type: schemas.Type{Kind: schemas.JSON}, SourceType: "jsonb", Nullable: true},
	}})
}

// logTable has no key, and columns without an equality operator.
func logTable() *sink.Table {
	return targetOf(&schemas.Table{System: "postgresql", Schema: "shop", Name: "log", ID: 8, Version: 1, Columns: []schemas.Column{
		{ID: 1, Name: "n", Type: schemas.Type{Kind: schemas.Decimal}, SourceType: "numeric", Nullable: true},
		{ID: 2, Name: "j", Type: schemas.Type{Kind: schemas.JSON}, SourceType: "json", Nullable: true},
		{ID: 3, Name: "p", Type: schemas.Type{Kind: schemas.String}, SourceType: "point", Nullable: true},
	}})
}

// sizes runs a test with few rows, which go one by one, and with many, which are merged.
func sizes(t *testing.T, test func(t *testing.T, f *sinkFixture, n int)) {
	for _, n := range []int{3, 10 * sinkBulkRows} {
		t.Run(fmt.Sprintf("%d rows", n), func(t *testing.T) { test(t, newSinkFixture(t), n) })
	}
}

const allOrders = "select count(*), sum(id), sum(total), count(note), count(doc) from target.orders"

func fillOrders(f *sinkFixture, table *sink.Table, n int) {
	rows := make([]sink.Row, n)
	for i := range rows {
		rows[i] = row(sink.Upsert, i, 1, "note", `{"a":1}`)
	}
	f.write(table, rows...)
	f.want(allOrders, fmt.Sprintf("%d|%d|%d|%d|%d", n, n*(n-1)/2, n, n, n))
}

func TestUpsertsReplaceAndDeletesRemoveByKey(t *testing.T) {
	sizes(t, func(t *testing.T, f *sinkFixture, n int) {
		table := ordersTable()
		f.evolve(table)
		fillOrders(f, table, n)
		var rows []sink.Row
		for i := range n {
			switch i % 3 {
			case 0:
				rows = append(rows, row(sink.Upsert, i, 10, nil, nil))
			case 1:
				rows = append(rows, row(sink.Delete, i, nil, nil, nil))
			}
		}
		rows = append(rows, row(sink.Delete, 99999, nil, nil, nil))
		f.write(table, rows...)
		f.want("select count(*), count(note) from target.orders where id % 3 = 0 and total = 10 and note is null and doc is null", fmt.Sprintf("%d|0", (n+2)/3))
		f.want("select count(*) from target.orders where id % 3 = 1", "0")
		f.want("select count(*) from target.orders where id % 3 = 2 and total = 1 and note = 'note'", fmt.Sprint(n/3))
	})
}

func TestUnchangedColumnsKeepTheTargetsValue(t *testing.T) {
	sizes(t, func(t *testing.T, f *sinkFixture, n int) {
		table := ordersTable()
		f.evolve(table)
		fillOrders(f, table, n)
		var rows []sink.Row
		for i := range n {
			switch i % 3 {
			case 0:
				rows = append(rows, row(sink.Upsert, i, 5, unchanged, nil))
			case 1:
				rows = append(rows, row(sink.Upsert, i, 6, unchanged, unchanged))
			case 2:
				rows = append(rows, row(sink.Upsert, i, unchanged, unchanged, unchanged))
			}
		}
		f.write(table, rows...)
		f.want(`select id % 3, min(total), max(total), min(note), count(doc) = count(*), count(doc) from target.orders group by 1 order by 1`,
			fmt.Sprintf("0|5|5|note|f|0\n1|6|6|note|t|%d\n2|1|1|note|t|%d", (n+1)/3, n/3))

		rows = append(rows, row(sink.Upsert, 777777, 5, unchanged, nil))
		before := f.text(allOrders)
		err := f.tryWrite(table, rows...)
		if failure.Classify(err) != failure.Refused || !strings.Contains(err.Error(), "777777") || !strings.Contains(err.Error(), "target.orders") {
			t.Errorf("a partial row that is not there: %v, want a refusal that names table and key", err)
		}
		f.want(allOrders, before)
	})
}

func TestTruncateComesBeforeTheRowsAndWithThem(t *testing.T) {
	sizes(t, func(t *testing.T, f *sinkFixture, n int) {
		table := ordersTable()
		f.evolve(table)
		fillOrders(f, table, n)
		for _, referenced := range []bool{false, true} {
			if referenced {
				f.exec("create table target.referrer (id bigint references target.orders on delete cascade)")
				f.sink.drop()
			}
			b := &sink.Batch{Tables: []sink.TableBatch{{Table: table, Truncate: true, Rows: []sink.Row{row(sink.Upsert, 5, 5, "x", nil)}}}}
			if err := f.sink.Write(t.Context(), b); err != nil {
				t.Fatal(err)
			}
			f.want("select id, total from target.orders", "5|5")
		}
	})
}

func TestKeylessRowsAreAddedAndRemovedOneForOne(t *testing.T) {
	sizes(t, func(t *testing.T, f *sinkFixture, n int) {
		table := logTable()
		f.evolve(table)
		one := schemas.DecimalValue([]byte{1}, 0)
		onePointZero := schemas.DecimalValue([]byte{10}, 1)
		var rows []sink.Row
		for range n {
			rows = append(rows, row(sink.Append, one, `{"a": 1}`, "(1,2)"))
		}
		rows = append(rows, row(sink.Append, onePointZero, nil, nil), row(sink.Append, one, nil, nil))
		f.write(table, rows...)
		f.write(table, row(sink.Remove, one, `{"a": 1}`, "(1,2)"), row(sink.Append, one, nil, "(3,4)"), row(sink.Remove, one, nil, nil))
		f.want("select n::text, j::text, p::text, count(*) from target.log group by 1, 2, 3 order by 1, 2, 3",
			fmt.Sprintf("1|{\"a\": 1}|(1,2)|%d\n1|null|(3,4)|1\n1.0|null|null|1", n-1))
		err := f.tryWrite(table, row(sink.Append, one, nil, nil), row(sink.Remove, one, `{"a":1}`, "(1,2)"))
		if failure.Classify(err) != failure.Refused || !strings.Contains(err.Error(), "target.log") {
			t.Errorf("removing a row that is not there: %v, want a refusal", err)
		}
		f.want("select count(*) from target.log where j is null and p is null", "1")
	})
}

func TestRefusedRowIsNamedAndNothingIsWritten(t *testing.T) {
	sizes(t, func(t *testing.T, f *sinkFixture, n int) {
		table := ordersTable()
		f.evolve(table)
		fillOrders(f, table, n)
		before := f.text(allOrders)
		for _, c := range []struct {
			name string
			row  sink.Row
		}{
			{"zero byte in text", row(sink.Upsert, 4711, 1, "a\x00b", nil)},
			{"no JSON", row(sink.Upsert, 4711, 1, "a", "{")},
			{"raw text that is no number", row(sink.Upsert, 4711, schemas.UnrepresentableValue([]byte("12x")), nil, nil)},
		} {
			rows := []sink.Row{row(sink.Upsert, 1, 5, "x", nil), c.row}
			for i := range n {
				rows = append(rows, row(sink.Upsert, 100000+i, 5, "x", nil))
			}
			err := f.tryWrite(table, rows...)
			if failure.Classify(err) != failure.Refused || !strings.Contains(err.Error(), "id=4711") {
				t.Errorf("%s: %v, want a refusal that names the row", c.name, err)
			}
			f.want(allOrders, before)
		}
		f.write(table, row(sink.Upsert, 1, 5, "x", nil))
	})
}

func TestValueOutsidePostgreSQLsRangeIsRefused(t *testing.T) {
	sizes(t, func(t *testing.T, f *sinkFixture, n int) {
		source := *ordersTable().Source
		source.System = "other"
		source.Columns = append(source.Columns[:1:1], schemas.Column{ID: 2, Name: "day", Type: schemas.Type{Kind: schemas.Date}, Nullable: true})
		table := targetOf(&source)
		f.evolve(table)
		var rows []sink.Row
		for i := range n {
			rows = append(rows, row(sink.Upsert, i, i))
		}
		err := f.tryWrite(table, append(rows, row(sink.Upsert, 4711, 1<<40))...)
		if failure.Classify(err) != failure.Refused || !strings.Contains(err.Error(), "id=4711") || !strings.Contains(err.Error(), `"day"`) {
			t.Errorf("got %v, want a refusal that names row and column", err)
		}
		f.write(table, rows...)
		f.want("select count(*), max(day) from target.orders", fmt.Sprintf("%d|%s", n, f.text(fmt.Sprintf("select date '1970-01-01' + %d", n-1))))
	})
}

func TestRowsAreDeletedByAKeyOfWhichOnlyTheTextIsKnown(t *testing.T) {
	sizes(t, func(t *testing.T, f *sinkFixture, n int) {
		source := *ordersTable().Source
		source.Columns = append(source.Columns[:0:0], source.Columns[:2]...)
		source.Columns[0].Type, source.Columns[0].SourceType = schemas.Type{Kind: schemas.Date}, "date"
		table := targetOf(&source)
		f.evolve(table)
		never := schemas.UnrepresentableValue([]byte("infinity"))
		var rows, deletes []sink.Row
		for i := range n {
			rows = append(rows, row(sink.Upsert, i, i))
			if i > 0 {
				deletes = append(deletes, row(sink.Delete, i, nil))
			}
		}
		f.write(table, append(rows, row(sink.Upsert, never, 1))...)
		last := row(sink.Delete, never, nil)
		last.Raw = false // as the framework gives it
		f.write(table, append(deletes, last)...)
		f.want("select id, total from target.orders", "1970-01-01|0")
	})
}

func TestMessagesShowDecimalsAsPostgreSQLDoes(t *testing.T) {
	for want, v := range map[string]schemas.Value{
		"-1.50": schemas.DecimalValue([]byte{0xff, 0x6a}, 2), "1200": schemas.DecimalValue([]byte{12}, -2), "0.00": schemas.DecimalValue([]byte{0}, 2),
		"NaN": schemas.SpecialDecimal(schemas.NaN), "-Infinity": schemas.SpecialDecimal(schemas.NegInf),
	} {
		if got := valueText(schemas.Decimal, v); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

func TestElementOfWhichOnlyTheTextIsKnownIsRefused(t *testing.T) {
	sizes(t, func(t *testing.T, f *sinkFixture, n int) {
		source := *ordersTable().Source
		source.Columns = append(source.Columns[:1:1], schemas.Column{
			ID: 2, Name: "days", SourceType: "date[]", Nullable: true,
			Type: schemas.Type{Kind: schemas.Array, Elem: &schemas.Type{Kind: schemas.Date}},
		})
		table := targetOf(&source)
		f.evolve(table)
		days := schemas.ArrayValue([]schemas.Value{schemas.IntValue(1), schemas.UnrepresentableValue([]byte("10000000-01-01"))})
		rows := []sink.Row{row(sink.Upsert, 4711, days)}
		for i := range n {
			rows = append(rows, row(sink.Upsert, i, nil))
		}
		err := f.tryWrite(table, rows...)
		if failure.Classify(err) != failure.Refused || !strings.Contains(err.Error(), "id=4711") || !strings.Contains(err.Error(), "10000000-01-01") {
			t.Errorf("got %v, want a refusal that names row and value", err)
		}
	})
}

func TestSQLStatesAreToldApart(t *testing.T) {
	s := &pgSink{user: "writer", database: "shop"}
	for code, want := range map[string]failure.Class{
		"22001": failure.Refused, "22003": failure.Refused, "22021": failure.Refused, "23502": failure.Refused, "23514": failure.Refused,
		"54000": failure.Refused, "22P03": failure.Retry, "22P04": failure.Retry, "23505": failure.Conflict, "23503": failure.Conflict, "42501": failure.Retry,
		"40P01": failure.Retry, "40001": failure.Retry, "55P03": failure.Retry, "53100": failure.Retry, "57P01": failure.Retry,
		"58030": failure.Retry, "08006": failure.Retry, "21000": failure.Retry, "XX000": failure.Retry, "25006": failure.Retry,
	} {
		err := s.explain(fmt.Errorf("merge: %w", &pgconn.PgError{Code: code, Message: "no", ConstraintName: "orders_check"}))
		if got := failure.Classify(err); got != want {
			t.Errorf("%s is class %d, want %d", code, got, want)
		}
		if code == "42501" && !strings.Contains(err.Error(), `"writer"`) {
			t.Errorf("a missing privilege without the role: %v", err)
		}
	}
	if s.explain(nil) != nil {
		t.Error("no error became one")
	}
	denied, item := &pgconn.PgError{Code: "42501"}, &sink.Table{Schema: "public", Name: "item"}
	const rows, table = `grant select, insert, update, delete on "public"."item" to "writer"`, `grant usage, create on schema "public" to "writer"`
	if err := s.explain(s.deniedRows(denied, item)); failure.Classify(err) != failure.Retry || !strings.Contains(err.Error(), rows) {
		t.Errorf("rows may not be written: %v", err)
	}
	if err := s.explain(s.deniedTable(denied, item)); failure.Classify(err) != failure.Retry || !strings.Contains(err.Error(), table) {
		t.Errorf("a table may not be made: %v", err)
	}
	if err := openError(&pgconn.PgError{Code: "28P01"}); failure.Classify(err) != failure.Config {
		t.Errorf("a wrong password: %v", err)
	}
}

func TestConfigurationNamesEachProblem(t *testing.T) {
	err := SinkConfig{Schema: strings.Repeat("x", 64)}.Validate()
	if err == nil || !strings.Contains(err.Error(), "url: missing") || !strings.Contains(err.Error(), "schema: ") {
		t.Errorf("got %v", err)
	}
	err = SinkConfig{URL: "postgres://u:secret@host:port/x", Schema: "s"}.Validate()
	if err == nil || !strings.HasPrefix(err.Error(), "url: ") || strings.Contains(err.Error(), "secret") {
		t.Errorf("got %v", err)
	}
	if err := (SinkConfig{URL: "postgres://u@host/x", Schema: "s"}).Validate(); err != nil {
		t.Error(err)
	}
	if shown := fmt.Sprintf("%+v", SinkConfig{URL: "postgres://u:secret@host/x"}); strings.Contains(shown, "secret") {
		t.Errorf("the password is in %s", shown)
	}
}

func TestConstraintOfTheTargetsOwnerIsAConflict(t *testing.T) {
	f := newSinkFixture(t)
	table := ordersTable()
	f.evolve(table)
	f.exec("create unique index on target.orders (total)")
	f.write(table, row(sink.Upsert, 1, 5, nil, nil))
	if err := f.tryWrite(table, row(sink.Upsert, 2, 5, nil, nil)); failure.Classify(err) != failure.Conflict {
		t.Errorf("got %v, want a conflict", err)
	}
}

// TestForeignKeysThatCanBeDeferredAre is about a batch with a row and what it refers to: tables are written by their names.
func TestForeignKeysThatCanBeDeferredAre(t *testing.T) {
	f, orders, items := newSinkFixture(t), ordersTable(), ordersTable()
	source := *items.Source
	source.Name, source.ID = "items", 9
	items = targetOf(&source)
	f.evolve(orders)
	f.evolve(items)
	f.exec("alter table target.items add foreign key (total) references target.orders (id) deferrable")
	write := func(order, item sink.Row) error {
		return f.sink.Write(t.Context(), &sink.Batch{Tables: []sink.TableBatch{{Table: orders, Rows: []sink.Row{order}}, {Table: items, Rows: []sink.Row{item}}}})
	}
	if err := write(row(sink.Upsert, 1, 1, nil, nil), row(sink.Upsert, 10, 1, nil, nil)); err != nil {
		t.Fatal(err)
	}
	session := f.sink.session
	if err := write(row(sink.Upsert, 2, 1, nil, nil), row(sink.Upsert, 11, 3, nil, nil)); failure.Classify(err) != failure.Conflict {
		t.Errorf("an item of an order that is not there: got %v, want a conflict", err)
	}
	if f.sink.session != session {
		t.Error("the session was dropped, though the server has answered")
	}
	f.want("select count(*) from target.orders", "1")
	if err := write(row(sink.Upsert, 3, 1, nil, nil), row(sink.Upsert, 11, 3, nil, nil)); err != nil {
		t.Fatal(err)
	}
}

// TestARowWithoutAPartitionWaitsForOne is about a table that its owner has partitioned: a partition that was not made in time is no
// fault of the rows.
func TestARowWithoutAPartitionWaitsForOne(t *testing.T) {
	for _, rows := range []int{1, 2 * sinkBulkRows} {
		f, table := newSinkFixture(t), ordersTable()
		f.exec(`create schema target; create table target.orders (id bigint primary key, total int check (total < 1000), note text, doc jsonb) partition by range (id);
create table target.orders_0 partition of target.orders for values from (0) to (100)`)
		f.evolve(table)
		f.write(table, row(sink.Upsert, 1, 5, nil, nil))
		batch := known(sink.Absent, 100, rows, 5)
		if err := f.tryWrite(table, batch...); failure.Classify(err) != failure.Retry || !strings.Contains(fmt.Sprint(err), "add a partition") {
			t.Errorf("%d rows: got %v, want to wait for a partition", rows, err)
		}
		if err := f.tryWrite(table, row(sink.Upsert, 2, 1000, nil, nil)); failure.Classify(err) != failure.Refused {
			t.Errorf("got %v, want that the check refuses the row", err)
		}
		source := *table.Source
		source.Name, source.ID = "orders_0", 9
		part := targetOf(&source)
		f.evolve(part)
		if err := f.tryWrite(part, batch...); failure.Classify(err) != failure.Retry || !strings.Contains(fmt.Sprint(err), "add a partition") {
			t.Errorf("%d rows for another partition: got %v, want to wait", rows, err)
		}
		f.exec("create table target.orders_rest partition of target.orders default")
		f.write(table, batch...)
		f.want("select count(*) from target.orders", fmt.Sprint(1+rows))
	}
}

// ledgerOf returns the only entry of the ledger as "next|fence".
func (f *sinkFixture) ledgerOf() string {
	return f.text("select next_offset, fence from syncline.ledger")
}

// TestACheckOfATriggerRefusesTheRow is about an error that looks like that of a missing partition, and one that no partition ends.
func TestACheckOfATriggerRefusesTheRow(t *testing.T) {
	sizes(t, func(t *testing.T, f *sinkFixture, n int) {
		table := ordersTable()
		f.evolve(table)
		f.exec(`create function target.refuse() returns trigger language plpgsql as $$ begin
	if new.total = 13 then raise 'not this one' using errcode = 'check_violation'; end if;
	return new;
end $$;
create trigger refuse before insert or update on target.orders for each row execute function target.refuse()`)
		rows := []sink.Row{row(sink.Upsert, 4711, 13, nil, nil)}
		for i := range n {
			rows = append(rows, row(sink.Upsert, i, 7, nil, nil))
		}
		if err := f.tryWrite(table, rows...); failure.Classify(err) != failure.Refused || !strings.Contains(err.Error(), "not this one") {
			t.Errorf("got %v, want a refusal", err)
		}
	})
}

var partition0 = sink.Partition{Topic: "shop.public.orders", TopicID: [16]byte{1, 2}, Partition: 0}

func claim(t *testing.T, s *pgSink) sink.Entry {
	t.Helper()
	entries, err := s.Claim(t.Context(), []sink.Partition{partition0})
	if err != nil || len(entries) != 1 {
		t.Fatalf("claim: %v, %v", entries, err)
	}
	return entries[0]
}

func TestRowsAndLedgerMoveTogetherOrNotAtAll(t *testing.T) {
	f := newSinkFixture(t)
	table := ordersTable()
	f.evolve(table)
	e := claim(t, f.sink)
	if e.Next != -1 || e.Fence != 1 || e.TopicID != partition0.TopicID {
		t.Fatalf("new entry %+v", e)
	}
	write := func(s *pgSink, e sink.Entry, to int64, id int) error {
		return s.Write(t.Context(), &sink.Batch{
			Tables: []sink.TableBatch{{Table: table, Rows: []sink.Row{row(sink.Upsert, id, 1, nil, nil)}}},
			Moves:  []sink.Move{{Entry: e, To: to, Applied: schemas.Version{High: uint64(to), Low: 1}}},
		})
	}
	if err := write(f.sink, e, 10, 1); err != nil {
		t.Fatal(err)
	}
	f.want("select next_offset, fence, applied from syncline.ledger", "10|1|000000000000000a0000000000000001")

	// The same move again: what an earlier commit did is not done twice.
	if err := write(f.sink, e, 10, 2); failure.Classify(err) != failure.Fenced {
		t.Errorf("a move from an offset that is passed: %v, want fenced", err)
	}
	other := f.open("test")
	claimed := claim(t, other)
	if claimed.Next != 10 || claimed.Fence != 2 || claimed.Applied != (schemas.Version{High: 10, Low: 1}) {
		t.Errorf("claimed %+v", claimed)
	}
	e.Next = 10
	if err := write(f.sink, e, 20, 3); failure.Classify(err) != failure.Fenced {
		t.Errorf("a move of the former owner: %v, want fenced", err)
	}
	f.want("select id from target.orders", "1")
	if err := other.Reset(t.Context(), claimed, 3); err != nil {
		t.Fatal(err)
	}
	f.want("select next_offset, fence, applied from syncline.ledger", "3|2|"+strings.Repeat("0", 32))
	if err := f.sink.Reset(t.Context(), e, 1); failure.Classify(err) != failure.Fenced {
		t.Errorf("a reset by the former owner: %v, want fenced", err)
	}
	claimed.Next = 3
	if err := write(other, claimed, 4, 4); err != nil {
		t.Fatal(err)
	}
	// Another connector on the same topic has its own entry.
	if e := claim(t, f.open("second")); e.Next != -1 || e.Fence != 1 {
		t.Errorf("another connector's entry %+v", e)
	}
}

func TestConnectionKilledBeforeCommitAppliesNothing(t *testing.T) {
	f := newSinkFixture(t)
	table := ordersTable()
	f.evolve(table)
	e := claim(t, f.sink)
	f.write(table, row(sink.Upsert, 1, 1, nil, nil))
	// Somebody holds the ledger's row, so that the sink waits with its rows written, and is killed there.
	other, err := pgx.Connect(t.Context(), f.url)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close(context.Background())
	tx, err := other.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec(t.Context(), "select from syncline.ledger for update"); err != nil {
		t.Fatal(err)
	}
	rows := make([]sink.Row, 3*sinkBulkRows)
	for i := range rows {
		rows[i] = row(sink.Upsert, 100+i, 1, nil, nil)
	}
	batch := &sink.Batch{Tables: []sink.TableBatch{{Table: table, Rows: rows}}, Moves: []sink.Move{{Entry: e, To: 5}}}
	done := make(chan error)
	go func() { done <- f.sink.Write(t.Context(), batch) }()
	const kill = `select count(pg_terminate_backend(pid)) from pg_stat_activity where application_name = 'syncline test' and wait_event_type = 'Lock' and datname = current_database()`
	for f.text(kill) == "0" {
		time.Sleep(5 * time.Millisecond)
	}
	if err := <-done; err == nil || failure.Classify(err) != failure.Retry {
		t.Errorf("the killed write: %v, want an error to retry", err)
	}
	if err := tx.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	f.want("select count(*) from target.orders", "1")
	if got := f.ledgerOf(); got != "-1|1" {
		t.Errorf("ledger %s", got)
	}
	if err := f.sink.Write(t.Context(), batch); err != nil {
		t.Fatalf("the next try: %v", err)
	}
	f.want("select count(*) from target.orders", fmt.Sprint(1+len(rows)))
	if got := f.ledgerOf(); got != "5|1" {
		t.Errorf("ledger %s", got)
	}
}

func TestStagingOfOneTransactionDoesNotLeakIntoTheNextRun(t *testing.T) {
	f := newSinkFixture(t)
	table := logTable() // not direct: a point is cast from text
	f.evolve(table)
	one := schemas.DecimalValue([]byte{1}, 0)
	var rows []sink.Row
	for run := range 2 {
		for range sinkBulkRows {
			rows = append(rows, row(sink.Append, one, nil, fmt.Sprintf("(%d,0)", run)))
		}
		rows = append(rows, row(sink.Remove, one, nil, fmt.Sprintf("(%d,0)", run)))
	}
	f.write(table, rows...)
	f.write(table, rows...)
	f.want("select p::text, count(*) from target.log group by 1 order by 1", fmt.Sprintf("(0,0)|%d\n(1,0)|%[1]d", 2*(sinkBulkRows-1)))
}

func TestOpenTellsWhatIsWrong(t *testing.T) {
	f := newSinkFixture(t)
	f.exec("drop schema syncline cascade")
	name := f.text("select current_database()")
	role := strings.ReplaceAll(name, "t_", "r_")
	f.exec(`create role "` + role + `" login password 'right'`)
	defer f.exec(`drop role "` + role + `"`)
	url := strings.Replace(f.url, "postgres@", role+":right@", 1)
	open := func(url string) error {
		s, err := SinkConnector.Open(t.Context(), SinkConfig{URL: config.URL(url), Schema: "syncline"}, sink.Env{Name: "x"})
		if err == nil {
			s.Close()
		}
		return err
	}
	for _, c := range []struct {
		name, url string
		class     failure.Class
		parts     []string
	}{
		{"no database", strings.Replace(f.url, name, "nowhere", 1), failure.Config, []string{"nowhere", "create the database"}},
		{"no role", strings.Replace(f.url, "postgres@", "nobody:secret@", 1), failure.Config, []string{"nobody", "check user and password"}},
		{"nobody listens", "postgres://u:secret@127.0.0.1:1/x", failure.Retry, []string{"connect to the target at 127.0.0.1:1, database x as u: dial tcp", "postgres.url"}},
		{"no privilege", url, failure.Config, []string{role, "syncline", `grant create on database "` + name + `" to "` + role + `"`}},
	} {
		err := open(c.url)
		if err == nil || failure.Classify(err) != c.class {
			t.Errorf("%s: %v, want class %d", c.name, err, c.class)
			continue
		}
		for _, part := range c.parts {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("%s: %v, want %q in it", c.name, err, part)
			}
		}
		if strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: the password is in %v", c.name, err)
		}
	}
	f.exec(`create schema syncline authorization "` + role + `"`)
	if err := open(url); err != nil {
		t.Errorf("with the schema made for it: %v", err)
	}
	f.exec(`drop owned by "` + role + `"`)
}
