package postgres

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"go.uber.org/zap/zaptest"

	"github.com/syncline-io/syncline/framework/config"
	"github.com/syncline-io/syncline/framework/sink"
	"github.com/syncline-io/syncline/integration/engines"
	"github.com/syncline-io/syncline/schemas"
)

// sinkFixture is a sink on a database of its own, and a connection beside it that makes source tables and looks.
type sinkFixture struct {
	t    testing.TB
	url  string
	conn *pgx.Conn
	sink *pgSink
}

func newSinkFixture(t testing.TB) *sinkFixture {
	t.Helper()
	return sinkFixtureAt(t, engines.Database(t))
}

// sinkFixtureAt is for a server that has what others have not.
func sinkFixtureAt(t testing.TB, url string) *sinkFixture {
	t.Helper()
	f := &sinkFixture{t: t, url: url}
	conn, err := pgx.Connect(t.Context(), f.url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close(context.Background()) })
	f.conn = conn
	// What the source's own sessions have, so that texts are those that a source sees.
	for name, value := range sessionSettings {
		f.exec(fmt.Sprintf("select set_config('%s', '%s', false)", name, value))
	}
	f.sink = f.open("test")
	return f
}

func (f *sinkFixture) open(name string) *pgSink {
	f.t.Helper()
	s, err := SinkConnector.Open(f.t.Context(), SinkConfig{URL: config.URL(f.url), Schema: "syncline"}, sink.Env{Name: name, Log: zaptest.NewLogger(f.t)})
	if err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(func() { s.Close() })
	return s.(*pgSink)
}

func (f *sinkFixture) exec(sql string, args ...any) {
	f.t.Helper()
	if _, err := f.conn.Exec(f.t.Context(), sql, args...); err != nil {
		f.t.Fatalf("%s: %v", sql, err)
	}
}

// text returns the rows of a query as text: columns joined by "|", rows by newlines.
func (f *sinkFixture) text(sql string) string {
	f.t.Helper()
	result, err := f.conn.PgConn().Exec(f.t.Context(), sql).ReadAll()
	if err != nil {
		f.t.Fatalf("%s: %v", sql, err)
	}
	var lines []string
	for _, row := range result[len(result)-1].Rows {
		fields := make([]string, len(row))
		for i, v := range row {
			fields[i] = string(v)
			if v == nil {
				fields[i] = "null"
			}
		}
		lines = append(lines, strings.Join(fields, "|"))
	}
	return strings.Join(lines, "\n")
}

func (f *sinkFixture) want(sql, want string) {
	f.t.Helper()
	if got := f.text(sql); got != want {
		f.t.Errorf("%s\ngot:\n%s\nwant:\n%s", sql, got, want)
	}
}

// source describes a table of this database as the source would, mapped to the schema target, and reads its rows.
func (f *sinkFixture) source(schema, name string, version uint64) (*sink.Table, []sink.Row) {
	f.t.Helper()
	ctx := f.t.Context()
	var oid uint32
	if err := f.conn.QueryRow(ctx, "select c.oid from pg_class c join pg_namespace n on n.oid = c.relnamespace where n.nspname = $1 and c.relname = $2", schema, name).Scan(&oid); err != nil {
		f.t.Fatal(err)
	}
	c := &catalog{conn: f.conn}
	relation, err := c.relation(ctx, oid)
	if err != nil {
		f.t.Fatal(err)
	}
	l, err := c.layout(ctx, relation, relation.sent())
	if err != nil {
		f.t.Fatal(err)
	}
	l.table.Version = version
	return targetOf(l.table), f.rows(l, fmt.Sprintf(`select * from "%s"."%s"`, schema, name))
}

func targetOf(source *schemas.Table) *sink.Table {
	return &sink.Table{Schema: "target", Name: source.Name, Columns: source.Columns, Key: source.KeyColumns(), Source: source}
}

func (f *sinkFixture) rows(l *layout, sql string) []sink.Row {
	result, err := f.conn.PgConn().Exec(f.t.Context(), sql).ReadAll()
	if err != nil {
		f.t.Fatal(err)
	}
	var rows []sink.Row
	arena := &schemas.Arena{}
	for _, fields := range result[0].Rows {
		row := sink.Row{Action: sink.Upsert, Values: make([]schemas.Value, len(l.table.Columns))}
		if len(l.key) == 0 {
			row.Action = sink.Append
		}
		for i, text := range fields {
			if text == nil || l.columns[i].row < 0 {
				continue
			}
			v := l.columns[i].decode(text, arena)
			row.Raw = row.Raw || v.Kind() == schemas.KindUnrepresentable
			row.Values[l.columns[i].row] = v
		}
		rows = append(rows, row)
	}
	return rows
}

func (f *sinkFixture) evolve(t *sink.Table) {
	f.t.Helper()
	if err := f.sink.Evolve(f.t.Context(), nil, t); err != nil {
		f.t.Fatal(err)
	}
}

func (f *sinkFixture) write(t *sink.Table, rows ...sink.Row) {
	f.t.Helper()
	if err := f.tryWrite(t, rows...); err != nil {
		f.t.Fatal(err)
	}
}

func (f *sinkFixture) tryWrite(t *sink.Table, rows ...sink.Row) error {
	return f.sink.Write(f.t.Context(), &sink.Batch{Tables: []sink.TableBatch{{Table: t, Rows: rows}}})
}

// row makes a row of values given as Go values; nil is null.
func row(action sink.Action, values ...any) sink.Row {
	r := sink.Row{Action: action}
	for _, v := range values {
		r.Values = append(r.Values, value(v))
	}
	r.Partial = action == sink.Upsert && slices.ContainsFunc(r.Values, schemas.Value.IsUnchanged)
	r.Raw = slices.ContainsFunc(r.Values, func(v schemas.Value) bool { return v.Kind() == schemas.KindUnrepresentable })
	return r
}

func value(v any) schemas.Value {
	switch v := v.(type) {
	case nil:
		return schemas.Null()
	case schemas.Value:
		return v
	case int:
		return schemas.IntValue(int64(v))
	case string:
		return schemas.StringValue(v)
	}
	panic(fmt.Sprintf("no value for %T", v))
}

var unchanged = schemas.Unchanged()
