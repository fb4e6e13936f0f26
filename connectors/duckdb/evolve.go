//go:build cgo

package duckdb

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"go.uber.org/zap"

	"github.com/syncline-io/syncline/framework/crash"
	"github.com/syncline-io/syncline/framework/failure"
	"github.com/syncline-io/syncline/framework/sink"
	"github.com/syncline-io/syncline/framework/warehouse"
)

// Evolve implements [sink.Evolver]. All that it does is one transaction.
func (s *Sink) Evolve(ctx context.Context, _, t *sink.Table) error {
	var compiled *loader
	err := s.session.transaction(ctx, func() error {
		have, columns, err := s.makeReady(ctx, t)
		if err != nil {
			return err
		}
		m, err := newMerge(t, have, columns)
		if err != nil {
			return err
		}
		stage, err := newStage(m)
		compiled = &loader{m, stage}
		return err
	})
	if err != nil {
		return err
	}
	s.tables[tableKey(t)] = compiled
	return nil
}

// Version implements [sink.Versioner].
func (s *Sink) Version(ctx context.Context, t *sink.Table) (version uint64, err error) {
	err = s.session.transaction(ctx, func() error {
		known, err := s.readRecord(ctx, t)
		version = known.version
		return err
	})
	return version, err
}

func tableKey(t *sink.Table) string {
	schema, name := targetName(t)
	return strings.ToLower(warehouse.QuoteTable(schema, name))
}

// makeReady creates or changes the table and returns it as it then is, and the name that it has for each of t's columns.
func (s *Sink) makeReady(ctx context.Context, t *sink.Table) (*target, []string, error) {
	schema, name := targetName(t)
	have, err := s.describe(ctx, schema, name)
	if err != nil {
		return nil, nil, err
	}
	known, err := s.readRecord(ctx, t)
	if err != nil {
		return nil, nil, err
	}
	if err := s.checkNamesake(ctx, t); err != nil {
		return nil, nil, err
	}
	if len(have.columns) == 0 && known.made {
		return nil, nil, s.droppedError(t)
	}
	var statements []string
	after := record{names: names{}, version: sourceVersion(t), made: true}
	if len(have.columns) == 0 {
		create, err := createTable(have, t, s.texts)
		if err != nil {
			return nil, nil, err
		}
		statements = []string{"CREATE SCHEMA IF NOT EXISTS " + warehouse.QuoteTable(have.catalog, schema), create}
		for i := range t.Columns {
			after.names.learn(&t.Columns[i])
		}
	} else if statements, after, err = planChanges(have, known, t, s.texts); err != nil {
		return nil, nil, err
	}
	for _, statement := range statements {
		if _, err := s.session.exec(ctx, statement); err != nil {
			return nil, nil, fmt.Errorf("%s: %w", firstLine(statement), err)
		}
		crash.Point("duckdb-sink.statement-done")
	}
	if len(statements) > 0 {
		s.log.Info("target table changed", zap.String("table", t.String()), zap.Strings("statements", statements))
	}
	if !after.equal(known) {
		if err := s.writeRecord(ctx, t, after); err != nil {
			return nil, nil, err
		}
		crash.Point("duckdb-sink.table-recorded")
	}
	have, err = s.describe(ctx, schema, name)
	return have, after.columns(t), err
}

// checkNamesake refuses a table whose name differs only in case from that of another which was made ready, in this run or
// before: to DuckDB they are one, and their rows would be mixed.
func (s *Sink) checkNamesake(ctx context.Context, t *sink.Table) error {
	schema, name := targetName(t)
	rows, err := s.session.query(ctx, fmt.Sprintf("SELECT table_schema, table_name FROM %s WHERE lower(table_schema) = lower(%s) AND lower(table_name) = lower(%s) AND NOT (%s)",
		s.columns, warehouse.QuoteText(schema), warehouse.QuoteText(name), whereTable(t)))
	if err != nil || len(rows) == 0 {
		return err
	}
	return failure.As(failure.Config, fmt.Errorf("tables %s.%s and %s are one to DuckDB, which does not tell upper from lower case", rows[0][0], rows[0][1], t),
		"name another target for one of them in target.tables, or leave it out of topics")
}

// droppedError is about a table that was made ready before and is there no more. Made again it would have the rows from the
// ledger's offset on, and none of those before it.
func (s *Sink) droppedError(t *sink.Table) error {
	return failure.As(failure.Gap, fmt.Errorf("table %s of the target was dropped, and the rows in it are gone", t),
		fmt.Sprintf("put it back with its rows; or stop the sink, run: DELETE FROM %s WHERE %s, and read its topic from the beginning", s.columns, whereTable(t)))
}

func (s *Sink) describe(ctx context.Context, schema, name string) (*target, error) {
	rows, err := s.session.query(ctx, describeSQL(schema, name))
	if err != nil {
		return nil, err
	}
	t := &target{catalog: s.session.catalog, schema: schema, name: name}
	for _, row := range rows {
		t.columns = append(t.columns, targetColumn{name: row[0], columnType: row[1], required: row[2] != ""})
	}
	return t, nil
}

func (s *Sink) createColumns(ctx context.Context) error {
	_, err := s.session.exec(ctx, "CREATE TABLE IF NOT EXISTS "+s.columns+` (
  table_schema VARCHAR NOT NULL,
  table_name VARCHAR NOT NULL,
  source_table BIGINT NOT NULL,
  column_id INTEGER NOT NULL,
  column_name VARCHAR NOT NULL
)`)
	if err == nil {
		// Files of earlier releases have no versions; they are taken for older than every table.
		_, err = s.session.exec(ctx, "ALTER TABLE "+s.columns+" ADD COLUMN IF NOT EXISTS version UBIGINT DEFAULT 0")
	}
	return err
}

func whereTable(t *sink.Table) string {
	schema, name := targetName(t)
	return "table_schema = " + warehouse.QuoteText(schema) + " AND table_name = " + warehouse.QuoteText(name)
}

// sourceID is the identity of the source's table: a table made again under its old name numbers its columns anew.
func sourceID(t *sink.Table) uint32 {
	if t.Source == nil {
		return 0
	}
	return t.Source.ID
}

// readRecord returns what was recorded of the target's columns for this very table of the source. A source without ids
// of tables has none of columns either: of its tables is recorded that they were made, and what an earlier release recorded
// of their columns is not believed.
func (s *Sink) readRecord(ctx context.Context, t *sink.Table) (record, error) {
	r := record{names: names{}}
	rows, err := s.session.query(ctx, fmt.Sprintf("SELECT CAST(column_id AS VARCHAR), column_name, CAST(version AS VARCHAR) FROM %s WHERE %s AND source_table = %d",
		s.columns, whereTable(t), sourceID(t)))
	if err != nil {
		return r, err
	}
	r.made = len(rows) > 0
	if sourceID(t) == 0 {
		return r, nil
	}
	for _, row := range rows {
		id, err := strconv.ParseInt(row[0], 10, 32)
		if err != nil {
			return r, err
		}
		r.names[int32(id)] = row[1]
		if r.version, err = strconv.ParseUint(row[2], 10, 64); err != nil {
			return r, err
		}
	}
	return r, nil
}

func (s *Sink) writeRecord(ctx context.Context, t *sink.Table, r record) error {
	if _, err := s.session.exec(ctx, "DELETE FROM "+s.columns+" WHERE "+whereTable(t)); err != nil {
		return err
	}
	schema, name := targetName(t)
	var values []string
	add := func(id int32, column string) {
		values = append(values, fmt.Sprintf("(%s, %s, %d, %d, %s, %d)",
			warehouse.QuoteText(schema), warehouse.QuoteText(name), sourceID(t), id, warehouse.QuoteText(column), r.version))
	}
	for _, id := range sortedIDs(r.names) {
		add(id, r.names[id])
	}
	if len(r.names) == 0 {
		add(0, "") // that the table was made
	}
	_, err := s.session.exec(ctx, "INSERT INTO "+s.columns+
		" (table_schema, table_name, source_table, column_id, column_name, version) VALUES "+strings.Join(values, ", "))
	return err
}
