//go:build cgo

package duckdb

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/duckdb/duckdb-go/mapping"

	"github.com/syncline-io/syncline/framework/failure"
	"github.com/syncline-io/syncline/framework/sink"
	"github.com/syncline-io/syncline/schemas"
)

// stage loads the rows of a batch into the temporary table of one target table. It is compiled once per version of the
// table and used for every batch.
type stage struct {
	table   *sink.Table
	fillers []filler
	words   int
	isKey   []bool
	values  []schemas.Value // of one column, one chunk
	// unchanged holds the columns that any row of the last load keeps.
	unchanged []uint64
}

func newStage(m *merge) (*stage, error) {
	s := &stage{
		table: m.table, words: m.keepWords(), isKey: make([]bool, len(m.table.Columns)),
		values: make([]schemas.Value, mapping.VectorSize()), unchanged: make([]uint64, m.keepWords()),
	}
	for _, i := range m.table.Key {
		s.isKey[i] = true
	}
	for i := range m.table.Columns {
		f, err := newFiller(m.table.Columns[i].Type, m.stageTypes[i])
		if err != nil {
			return nil, conflict(m.table, m.table.Columns[i].Name, err.Error())
		}
		s.fillers = append(s.fillers, f)
	}
	return s, nil
}

// load appends the rows to the stage's table, which must exist. An appender works within its connection's transaction,
// so that a rollback takes its rows back too.
func (s *stage) load(ctx context.Context, conn mapping.Connection, rows []sink.Row) error {
	clear(s.unchanged)
	var appender mapping.Appender
	if mapping.AppenderCreateExt(conn, "temp", "main", stageName, &appender) == mapping.StateError {
		defer mapping.AppenderDestroy(&appender)
		return appenderError(appender)
	}
	defer mapping.AppenderDestroy(&appender)
	types := make([]mapping.LogicalType, mapping.AppenderColumnCount(appender))
	for i := range types {
		types[i] = mapping.AppenderColumnType(appender, mapping.IdxT(i))
		defer mapping.DestroyLogicalType(&types[i])
	}
	chunk := mapping.CreateDataChunk(types)
	defer mapping.DestroyDataChunk(&chunk)
	for from := 0; from < len(rows); from += len(s.values) {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		part := rows[from:min(from+len(s.values), len(rows))]
		if err := s.fill(chunk, part, from); err != nil {
			return err
		}
		mapping.DataChunkSetSize(chunk, mapping.IdxT(len(part)))
		if mapping.AppendDataChunk(appender, chunk) == mapping.StateError {
			return appenderError(appender)
		}
		mapping.DataChunkReset(chunk)
	}
	if mapping.AppenderFlush(appender) == mapping.StateError {
		return appenderError(appender)
	}
	return nil
}

func appenderError(appender mapping.Appender) error {
	data := mapping.AppenderErrorData(appender)
	defer mapping.DestroyErrorData(&data)
	return errors.New("append to the stage: " + firstLine(mapping.ErrorDataMessage(data)))
}

// fill writes rows, at most a chunk of them, column by column.
func (s *stage) fill(chunk mapping.DataChunk, rows []sink.Row, ord int) error {
	column := func(i int) vector { return vectorAt(mapping.DataChunkGetVector(chunk, mapping.IdxT(i))) }
	ords, gone := column(0), column(1)
	for i := range rows {
		set(ords, i, int64(ord+i))
		set(gone, i, rows[i].Action == sink.Delete || rows[i].Action == sink.Remove)
	}
	s.fillKeeps(column, rows)
	values := s.values[:len(rows)]
	for c, f := range s.fillers {
		for i := range rows {
			values[i] = schemas.Null()
			if row := &rows[i]; row.Action != sink.Delete || s.isKey[c] {
				if v := row.Values[c]; !v.IsUnchanged() {
					values[i] = v
				}
			}
		}
		if bad, err := f.fill(column(2+s.words+c), values); err != nil {
			return s.refuse(&rows[bad], c, err)
		}
	}
	return nil
}

// fillKeeps writes the masks of the columns that keep the target's value.
func (s *stage) fillKeeps(column func(int) vector, rows []sink.Row) {
	for w := range s.words {
		masks := column(2 + w)
		for i := range rows {
			var mask uint64
			if rows[i].Partial {
				for c := w * 64; c < min(w*64+64, len(s.fillers)); c++ {
					if rows[i].Values[c].IsUnchanged() {
						mask |= 1 << (c % 64)
					}
				}
				s.unchanged[w] |= mask
			}
			set(masks, i, mask)
		}
	}
}

// refuse says that a row can never be taken, and why.
func (s *stage) refuse(row *sink.Row, column int, err error) error {
	c, hint := &s.table.Columns[column], ""
	if values := mayMisfit(c.Type); values != "" && !errors.Is(err, errNotUTF8) {
		hint = fmt.Sprintf("name the column in duckdb.text_columns and read the record again: as text it holds %s", values)
	}
	return failure.As(failure.Refused, fmt.Errorf("table %s, key %s: column %q: %w", s.table, s.keyOf(row), c.Name, err), hint)
}

// keyOf gives the key of a row for a message.
func (s *stage) keyOf(row *sink.Row) string {
	if len(s.table.Key) == 0 {
		return "(none)"
	}
	texts := make([]string, len(s.table.Key))
	for n, i := range s.table.Key {
		texts[n] = describe(row.Values[i])
	}
	return strings.Join(texts, ", ")
}

// describe gives a value for a message.
func describe(v schemas.Value) string {
	switch v.Kind() {
	case schemas.KindNull:
		return "null"
	case schemas.KindBool:
		return fmt.Sprint(v.Bool())
	case schemas.KindInt:
		return fmt.Sprint(v.Int())
	case schemas.KindFloat:
		return fmt.Sprint(v.Float())
	case schemas.KindDecimal:
		return excerptDecimal(v)
	case schemas.KindBytes, schemas.KindUnrepresentable:
		return excerpt(v.Bytes())
	}
	return "?"
}
