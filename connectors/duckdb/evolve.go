//go:build cgo

package duckdb

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"go.uber.org/zap"

	"github.com/syncline-io/syncline/framework/sink"
	"github.com/syncline-io/syncline/framework/warehouse"
)

// Evolve implements [sink.Evolver]. All that it does is one transaction.
func (s *Sink) Evolve(ctx context.Context, _, t *sink.Table) error {
	var compiled *loader
	err := s.session.transaction(ctx, func() error {
		have, err := s.makeReady(ctx, t)
		if err != nil {
			return err
		}
		m, err := newMerge(t, have)
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

func tableKey(t *sink.Table) string {
	schema, name := targetName(t)
	return strings.ToLower(warehouse.QuoteTable(schema, name))
}

// makeReady creates or changes the table and returns it as it then is.
func (s *Sink) makeReady(ctx context.Context, t *sink.Table) (*target, error) {
	schema, name := targetName(t)
	have, err := s.describe(ctx, schema, name)
	if err != nil {
		return nil, err
	}
	known, err := s.knownNames(ctx, t)
	if err != nil {
		return nil, err
	}
	var statements []string
	if len(have.columns) == 0 {
		create, err := createTable(t)
		if err != nil {
			return nil, err
		}
		statements = []string{"CREATE SCHEMA IF NOT EXISTS " + warehouse.QuoteName(schema), create}
		known = nil
	}
	after := names{}
	for i := range t.Columns {
		if id := t.Columns[i].ID; id != 0 {
			after[id] = t.Columns[i].Name
		}
	}
	if len(have.columns) > 0 {
		if statements, after, err = planChanges(have, known, t); err != nil {
			return nil, err
		}
	}
	for _, statement := range statements {
		if _, err := s.session.exec(ctx, statement); err != nil {
			return nil, fmt.Errorf("%s: %w", firstLine(statement), err)
		}
	}
	if len(statements) > 0 {
		s.log.Info("target table changed", zap.String("table", t.String()), zap.Strings("statements", statements))
	}
	if err := s.rememberNames(ctx, t, known, after); err != nil {
		return nil, err
	}
	return s.describe(ctx, schema, name)
}

func (s *Sink) describe(ctx context.Context, schema, name string) (*target, error) {
	rows, err := s.session.query(ctx, describeSQL(schema, name))
	if err != nil {
		return nil, err
	}
	t := &target{schema: schema, name: name}
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

// knownNames returns the names that the target's columns were last given for this very table of the source.
func (s *Sink) knownNames(ctx context.Context, t *sink.Table) (names, error) {
	rows, err := s.session.query(ctx, fmt.Sprintf("SELECT CAST(column_id AS VARCHAR), column_name FROM %s WHERE %s AND source_table = %d",
		s.columns, whereTable(t), sourceID(t)))
	if err != nil {
		return nil, err
	}
	known := names{}
	for _, row := range rows {
		id, err := strconv.ParseInt(row[0], 10, 32)
		if err != nil {
			return nil, err
		}
		known[int32(id)] = row[1]
	}
	return known, nil
}

func (s *Sink) rememberNames(ctx context.Context, t *sink.Table, before, after names) error {
	changed := len(before) != len(after)
	for id, name := range after {
		changed = changed || before[id] != name
	}
	if !changed {
		return nil
	}
	if _, err := s.session.exec(ctx, "DELETE FROM "+s.columns+" WHERE "+whereTable(t)); err != nil {
		return err
	}
	schema, name := targetName(t)
	values := make([]string, 0, len(after))
	for _, id := range sortedIDs(after) {
		values = append(values, fmt.Sprintf("(%s, %s, %d, %d, %s)",
			warehouse.QuoteText(schema), warehouse.QuoteText(name), sourceID(t), id, warehouse.QuoteText(after[id])))
	}
	_, err := s.session.exec(ctx, "INSERT INTO "+s.columns+" VALUES "+strings.Join(values, ", "))
	return err
}
