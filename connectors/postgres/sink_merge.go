package postgres

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strconv"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/syncline-io/syncline/framework/crash"
	"github.com/syncline-io/syncline/framework/failure"
	"github.com/syncline-io/syncline/framework/sink"
	"github.com/syncline-io/syncline/schemas"
)

const (
	// sinkBulkRows is the number of rows from which on a staging table and one merge are cheaper than a prepared
	// statement per row.
	sinkBulkRows = 40
	// sinkPartialSets bounds the sets of unchanged columns that are merged in bulk; rows of further sets have their own
	// statements.
	sinkPartialSets = 16
	// sinkPipelineRows bounds how many single-row statements are under way before their results are read.
	sinkPipelineRows = 256
)

// sinkWriter writes the rows of one table inside a transaction.
type sinkWriter struct {
	session *sinkSession
	plan    *sinkPlan
	tx      pgx.Tx
}

// truncate empties the table. TRUNCATE takes no time whatever the size, can be rolled back, and holds readers off until
// the commit; where a foreign key or a missing privilege forbids it, DELETE does the same row by row.
func (w *sinkWriter) truncate(ctx context.Context) error {
	sql := "truncate table " + w.plan.name
	if !w.plan.truncates {
		sql = "delete from " + w.plan.name
	}
	_, err := w.tx.Exec(ctx, sql)
	return err
}

// keyless adds and removes rows in their order: runs of additions in bulk, everything else one by one.
func (w *sinkWriter) keyless(ctx context.Context, rows []sink.Row) error {
	for start := 0; start < len(rows); {
		end := start
		for end < len(rows) && rows[end].Action == sink.Append && !rows[end].Raw {
			end++
		}
		if end-start >= sinkBulkRows {
			if err := w.add(ctx, rows[start:end]); err != nil {
				return err
			}
			start = end
			continue
		}
		for end < len(rows) && (rows[end].Action != sink.Append || rows[end].Raw) {
			end++
		}
		if err := w.oneByOne(ctx, rows[start:end], nil); err != nil {
			return err
		}
		start = end
	}
	return nil
}

// add appends rows to a table without key, straight into it where every column takes the values as they are sent.
func (w *sinkWriter) add(ctx context.Context, rows []sink.Row) error {
	if w.plan.direct {
		return w.copy(ctx, w.plan.copyTarget(), rows, nil)
	}
	ops := w.session.opsFor(len(rows))
	clear(ops)
	stage, err := w.session.stage(ctx, w.plan)
	if err != nil {
		return err
	}
	if err := w.copy(ctx, w.plan.copyStage(stage), rows, ops); err != nil {
		return err
	}
	if _, err := w.merge(ctx, w.plan.insertStaged(stage)); err != nil {
		return w.rowsError(rows, err)
	}
	return nil
}

// keyed applies at most one change per key, in whatever order is cheapest.
func (w *sinkWriter) keyed(ctx context.Context, rows []sink.Row) error {
	if len(rows) < sinkBulkRows {
		return w.oneByOne(ctx, rows, nil)
	}
	c := w.classify(rows)
	if c.absent == len(rows) && w.plan.new.worthATry() {
		if done, err := w.addNew(ctx, rows); done || err != nil {
			return err
		}
	}
	if c.alone < len(rows) {
		if err := w.bulk(ctx, rows, c); err != nil {
			return err
		}
	}
	if c.alone > 0 {
		return w.oneByOne(ctx, rows, c.ops)
	}
	return nil
}

// sinkClasses says what is to be done with each row of a batch.
type sinkClasses struct {
	ops      []int16
	upserts  int // of these some are absent: they should be new
	absent   int
	present  int
	deletes  int
	alone    int
	partials []sinkPartial
}

// sinkPartial is the partial updates with one set of unchanged columns.
type sinkPartial struct {
	unchanged []bool
	rows      int
}

func (w *sinkWriter) classify(rows []sink.Row) *sinkClasses {
	c := &sinkClasses{ops: w.session.opsFor(len(rows))}
	for i := range rows {
		r := &rows[i]
		switch {
		case r.Raw, r.Action == sink.Delete && w.rawKey(r):
			c.ops[i] = opAlone
		case r.Action == sink.Delete:
			c.ops[i] = opDelete
			c.deletes++
		case r.Partial:
			c.ops[i] = c.partial(r)
		case r.Known == sink.Present && w.plan.unique:
			c.ops[i] = opPresent
			c.present++
		default:
			c.ops[i] = opUpsert
			c.upserts++
			if r.Known == sink.Absent {
				c.absent++
			}
		}
		if c.ops[i] == opAlone {
			c.alone++
		}
	}
	return c
}

// rawKey reports whether only the source's text of a key is known. The Raw of a delete does not say so.
func (w *sinkWriter) rawKey(r *sink.Row) bool {
	for _, i := range w.plan.key {
		if r.Values[i].Kind() == schemas.KindUnrepresentable {
			return true
		}
	}
	return false
}

// partial returns the op of the row's set of unchanged columns.
func (c *sinkClasses) partial(r *sink.Row) int16 {
	for k := range c.partials {
		if sameUnchanged(c.partials[k].unchanged, r) {
			c.partials[k].rows++
			return opPartial + int16(k)
		}
	}
	if len(c.partials) == sinkPartialSets {
		return opAlone
	}
	unchanged := make([]bool, len(r.Values))
	for i := range r.Values {
		unchanged[i] = r.Values[i].IsUnchanged()
	}
	c.partials = append(c.partials, sinkPartial{unchanged, 1})
	return opPartial + int16(len(c.partials)-1)
}

func sameUnchanged(unchanged []bool, r *sink.Row) bool {
	for i := range r.Values {
		if r.Values[i].IsUnchanged() != unchanged[i] {
			return false
		}
	}
	return true
}

// bulk stages the rows that are not alone and merges them. Deletes come first, because they may free values of a unique
// constraint that the target's owner made.
func (w *sinkWriter) bulk(ctx context.Context, rows []sink.Row, c *sinkClasses) error {
	stage, err := w.session.stage(ctx, w.plan)
	if err != nil {
		return err
	}
	if err := w.copy(ctx, w.plan.copyStage(stage), rows, c.ops); err != nil {
		return err
	}
	crash.Point("postgres-sink.rows-staged")
	if c.deletes > 0 {
		if _, err := w.merge(ctx, w.plan.deleteStaged(stage)); err != nil {
			return w.rowsError(rows, err)
		}
	}
	for k, partial := range c.partials {
		op := opPartial + int16(k)
		tag, err := w.merge(ctx, w.plan.updateStaged(stage, op, partial.unchanged))
		if err != nil {
			return w.rowsError(rows, err)
		}
		if tag.RowsAffected() != int64(partial.rows) {
			return w.missing(ctx, stage, op)
		}
	}
	return w.upsert(ctx, stage, rows, c)
}

// upsert merges the staged rows that replace whole ones. Those that should be there are updated, which costs less than to
// find out by a conflict; if one of them is not, all go the way of the others.
func (w *sinkWriter) upsert(ctx context.Context, stage string, rows []sink.Row, c *sinkClasses) error {
	var ops []int
	if c.present > 0 {
		tag, err := w.merge(ctx, w.plan.updateStaged(stage, opPresent, nil))
		if err != nil {
			return w.rowsError(rows, err)
		}
		if tag.RowsAffected() != int64(c.present) {
			ops = append(ops, opPresent)
		}
	}
	if c.upserts > 0 {
		ops = append(ops, opUpsert)
	}
	if len(ops) == 0 {
		return nil
	}
	if c.upserts == len(rows) {
		ops = nil // the staging table holds nothing else
	}
	_, err := w.merge(ctx, w.plan.insertStaged(stage, ops...))
	if err != nil {
		return w.rowsError(rows, err)
	}
	return nil
}

// merge runs a statement over the staging table. It is planned anew each time: a kept plan may stem from the time when
// the target was empty.
func (w *sinkWriter) merge(ctx context.Context, sql string) (pgconn.CommandTag, error) {
	result := w.session.conn.PgConn().ExecParams(ctx, sql, nil, nil, nil, nil).Read()
	return result.CommandTag, result.Err
}

// missing names a row that a partial update did not find.
func (w *sinkWriter) missing(ctx context.Context, stage string, op int16) error {
	var key string
	if err := w.tx.QueryRow(ctx, w.plan.missingStaged(stage, op), pgx.QueryExecModeExec).Scan(&key); err != nil {
		return err
	}
	return missingError(w.plan.table, "with key ("+key+")")
}

func missingError(t *sink.Table, which string) error {
	return failure.As(failure.Refused, fmt.Errorf("table %s has no row %s, of which only some columns were sent", t, which), "")
}

// copy sends rows by binary COPY: all of them when ops is nil, else those that are not alone, each with its op.
func (w *sinkWriter) copy(ctx context.Context, sql string, rows []sink.Row, ops []int16) error {
	r := &w.session.rows
	r.reset(w.plan, rows, ops)
	_, err := w.session.conn.PgConn().CopyFrom(ctx, r, sql)
	r.rows = nil // the caller's
	if r.err != nil {
		return r.err
	}
	if err != nil {
		return w.copyError(rows, ops, err)
	}
	return nil
}

// copyLine finds the row's number in the context of a server's error.
var copyLine = regexp.MustCompile(`(?m)^COPY .*?, line (\d+)`)

// copyError names the row that the server stopped at.
func (w *sinkWriter) copyError(rows []sink.Row, ops []int16, err error) error {
	e, ok := errors.AsType[*pgconn.PgError](err)
	if !ok {
		return fmt.Errorf("copy into %s: %w", w.plan.table, err)
	}
	at := copyLine.FindStringSubmatch(e.Where)
	if at == nil {
		return w.rowsError(rows, err)
	}
	line, _ := strconv.Atoi(at[1])
	for i := range rows {
		if ops != nil && ops[i] == opAlone {
			continue
		}
		if line--; line == 0 {
			return w.rowError(&rows[i], err)
		}
	}
	return w.rowsError(rows, err)
}

// rowsError is an error of one row among many; the framework splits the batch until it is known which.
func (w *sinkWriter) rowsError(rows []sink.Row, err error) error {
	if len(rows) == 1 {
		return w.rowError(&rows[0], err)
	}
	return fmt.Errorf("write %d rows to %s: %w", len(rows), w.plan.table, err)
}

func (w *sinkWriter) rowError(r *sink.Row, err error) error {
	return fmt.Errorf("write row %s to %s: %w", rowText(w.plan.table, r.Values), w.plan.table, err)
}

// oneByOne sends a prepared statement per row, many at a time: all rows when ops is nil, else those that are alone.
func (w *sinkWriter) oneByOne(ctx context.Context, rows []sink.Row, ops []int16) error {
	sent := w.session.sent[:0]
	defer func() {
		clear(sent[:cap(sent)]) // the rows are the caller's
		w.session.sent = sent[:0]
	}()
	for i := range rows {
		if ops != nil && ops[i] != opAlone {
			continue
		}
		st, shape := w.plan.statement(&rows[i], w.session.shape)
		w.session.shape = shape
		if err := w.session.prepare(ctx, st); err != nil {
			return w.rowError(&rows[i], err)
		}
		sent = append(sent, sentRow{&rows[i], st})
		if len(sent) == sinkPipelineRows {
			if err := w.send(ctx, sent); err != nil {
				return err
			}
			sent = sent[:0]
		}
	}
	return w.send(ctx, sent)
}

// sentRow is a row on its way with its own statement.
type sentRow struct {
	row *sink.Row
	st  *rowStatement
}

// send runs the statements in one pipeline and checks each result.
func (w *sinkWriter) send(ctx context.Context, sent []sentRow) (err error) {
	if len(sent) == 0 {
		return nil
	}
	pipeline := w.session.conn.PgConn().StartPipeline(ctx)
	defer func() {
		if closed := pipeline.Close(); err == nil && closed != nil {
			err = closed
		}
	}()
	for _, s := range sent {
		values, formats, err := w.session.parameters(w.plan, s)
		if err != nil {
			return w.valueError(s.row, err)
		}
		pipeline.SendQueryPrepared(w.session.prepared[s.st.id], values, formats, nil)
	}
	if err := pipeline.Sync(); err != nil {
		return err
	}
	for _, s := range sent {
		results, err := pipeline.GetResults()
		if err != nil {
			return w.rowError(s.row, err)
		}
		reader, ok := results.(*pgconn.ResultReader)
		if !ok {
			return fmt.Errorf("write to %s: the server answered with %T instead of a result", w.plan.table, results)
		}
		tag, err := reader.Close()
		if err != nil {
			return w.rowError(s.row, err)
		}
		if s.st.exact && tag.RowsAffected() != 1 {
			return w.untouched(s.row)
		}
	}
	return nil
}

// untouched is the error of a statement that found no row.
func (w *sinkWriter) untouched(r *sink.Row) error {
	if r.Action == sink.Remove {
		return failure.As(failure.Refused, fmt.Errorf("table %s has no row equal to %s, which is to be removed", w.plan.table, rowText(w.plan.table, r.Values)), "")
	}
	return missingError(w.plan.table, rowText(w.plan.table, r.Values))
}

// valueError marks a value that cannot be sent.
func (w *sinkWriter) valueError(r *sink.Row, err error) error {
	err = w.rowError(r, err)
	if errors.Is(err, errCopyValue) {
		return failure.As(failure.Refused, err, "")
	}
	return err
}
