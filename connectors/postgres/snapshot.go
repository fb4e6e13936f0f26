package postgres

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"go.uber.org/zap"

	"github.com/syncline-io/syncline/framework/crash"
	"github.com/syncline-io/syncline/schemas"
)

// snapshot is an open transaction that sees the database as it was at one point of the log: exactly the transactions
// that committed before it.
type snapshot struct {
	at    lsn
	conn  *pgx.Conn
	taken int64 // microseconds since 1970
	txid  uint32
}

// openSnapshot imports the slot's exported snapshot; the slot is not needed for it any more.
func (r *reading) openSnapshot(ctx context.Context, from *createdSlot) (*snapshot, error) {
	conn, err := r.source.server.bulk(ctx)
	if err != nil {
		return nil, err
	}
	s := &snapshot{at: from.consistent, conn: conn, taken: time.Now().UnixMicro()}
	_, err = conn.Exec(ctx, "begin isolation level repeatable read read only")
	if err == nil {
		_, err = conn.Exec(ctx, "set transaction snapshot "+quoteLiteral(from.snapshot))
	}
	var txid int64
	if err == nil {
		err = conn.QueryRow(ctx, "select pg_snapshot_xmax(pg_current_snapshot())::text::bigint").Scan(&txid)
	}
	if err != nil {
		closeConn(conn)
		return nil, fmt.Errorf("import the snapshot of slot at %s: %w", from.consistent, err)
	}
	s.txid = uint32(txid)
	return s, nil
}

// readSnapshot reads all tables that are still to be read. Everything that committed before the snapshot, of the other
// tables, has been emitted; afterwards the stream goes on at the snapshot's point.
func (r *reading) readSnapshot(ctx context.Context, snap *snapshot) error {
	defer closeConn(snap.conn)
	s := r.source
	pending := s.state.pending()
	slices.SortFunc(pending, func(a, b *tableState) int { return strings.Compare(a.Name, b.Name) })
	for _, t := range pending {
		t.Again = t.Again || t.Snapshot != 0
		t.Snapshot = snap.at
	}
	s.state.Cut = snap.at
	r.pos = schemas.Version{High: uint64(snap.at) - 1}
	// Once rows are on their way, only a state that says so makes a second reading begin with a truncate.
	if err := r.awaitState(ctx); err != nil {
		return err
	}
	crash.Point("postgres-source.after-cut")
	in := &catalog{conn: snap.conn, database: r.catalog.database, hide: r.catalog.hide, modes: r.catalog.modes}
	plan, err := r.planSnapshot(ctx, in, snap, pending)
	if err != nil {
		return err
	}
	s.log.Info("reading tables", zap.Int("tables", len(plan)), zap.Stringer("snapshot", snap.at))
	s.progress.snapshot.Store(true)
	defer s.progress.snapshot.Store(false)
	for i := range plan {
		if err := r.readTable(ctx, in, snap, &plan[i]); err != nil {
			return fmt.Errorf("snapshot of %s: %w", plan[i].info, err)
		}
	}
	crash.Point("postgres-source.before-snapshot-end")
	r.pos = schemas.Version{High: uint64(snap.at)}
	s.progress.read.Store(uint64(snap.at))
	s.log.Info("read all tables", zap.Int64("rows", s.progress.rowsDone.Load()))
	return r.out.Advance(r.pos, true)
}

// plannedTable is a table to be read.
type plannedTable struct {
	state *tableState
	info  *relationInfo
	// firstOfAll and lastOfAll mark the first and last table with rows, for Debezium's marks.
	firstOfAll, lastOfAll bool
}

// planSnapshot looks at all tables before the first is read. It gives back the locks that it takes: they would keep
// everybody from altering the last table until all before it have been read.
func (r *reading) planSnapshot(ctx context.Context, in *catalog, snap *snapshot, pending []*tableState) ([]plannedTable, error) {
	if _, err := snap.conn.Exec(ctx, "savepoint planning"); err != nil {
		return nil, err
	}
	plan := make([]plannedTable, len(pending))
	first, last := -1, -1
	var expected int64
	for i, t := range pending {
		info, err := in.relation(ctx, t.OID)
		if err == nil && info == nil {
			err = fmt.Errorf("table %s was made after the snapshot", t.Name)
		}
		if err == nil {
			err = info.checkKey(info.identity)
		}
		if err != nil {
			return nil, err
		}
		var hasRows bool
		if err := snap.conn.QueryRow(ctx, "select exists (select from "+info.from()+")").Scan(&hasRows); err != nil {
			return nil, fmt.Errorf("look into %s: %w", info, err)
		}
		if hasRows {
			if last = i; first < 0 {
				first = i
			}
		}
		expected += max(0, info.rows)
		plan[i] = plannedTable{state: t, info: info}
	}
	if first >= 0 {
		plan[first].firstOfAll, plan[last].lastOfAll = true, true
	}
	r.source.progress.rowsExpected.Store(expected)
	_, err := snap.conn.Exec(ctx, "rollback to planning; release planning")
	return plan, err
}

// from is the table as it stands behind FROM: rows of children by inheritance belong to the children, rows of
// partitions to their root.
func (i *relationInfo) from() string {
	if i.kind == 'p' {
		return quoteTable(i.schema, i.name)
	}
	return "only " + quoteTable(i.schema, i.name)
}

// readTable emits one table's rows. It holds the table's lock no longer than that: whoever waits to alter the table
// makes everybody else wait.
func (r *reading) readTable(ctx context.Context, in *catalog, snap *snapshot, t *plannedTable) error {
	name := t.info.String()
	r.source.progress.table.Store(&name)
	if _, err := snap.conn.Exec(ctx, "savepoint reading"); err != nil {
		return err
	}
	if err := r.lockUnaltered(ctx, snap, t.info); err != nil {
		return err
	}
	lay, err := in.layout(ctx, t.info, t.info.sent())
	if err != nil {
		return err
	}
	r.source.state.version(lay.table, uint64(snap.at)-1)
	t.state.note(lay.attributes)
	t.state.Deferrable, t.state.Keyless = t.info.deferrable, len(lay.key) == 0
	r.known[lay.table.ID] = lay.table
	if err := r.setState(false); err != nil {
		return err
	}
	if t.state.Again {
		if err := r.emitTruncate(lay.table, snap.origin()); err != nil {
			return err
		}
		crash.Point("postgres-source.after-truncate")
	}
	rows := newSnapshotRows(r, snap, lay, t)
	if _, err := snap.conn.PgConn().CopyTo(ctx, rows, copySQL(t.info, lay)); err != nil {
		return err
	}
	if err := rows.finish(); err != nil {
		return err
	}
	crash.Point("postgres-source.before-table-end")
	t.state.Done, t.state.Again = true, false
	if err := r.setState(true); err != nil {
		return err
	}
	crash.Point("postgres-source.after-table-end")
	_, err = snap.conn.Exec(ctx, "rollback to reading")
	return err
}

// lockUnaltered keeps the table from being altered, and makes sure that it has not been since the snapshot: COPY sees
// the rows of the snapshot through the columns of today, and a table that was rewritten looks empty to it.
func (r *reading) lockUnaltered(ctx context.Context, snap *snapshot, info *relationInfo) error {
	if _, err := snap.conn.Exec(ctx, "lock table "+info.from()+" in access share mode"); err != nil {
		return err
	}
	now, err := r.catalog.relation(ctx, info.oid)
	if err != nil {
		return err
	}
	if now != nil {
		now.rows = info.rows // an estimate, which analyze may change
	}
	if !reflect.DeepEqual(now, info) {
		return errors.New("the table was altered or truncated after the snapshot was taken; a new one will be")
	}
	return nil
}

func (s *snapshot) origin() schemas.Origin {
	return schemas.Origin{Time: s.taken, TxID: s.txid, LSN: uint64(s.at), Snapshot: schemas.SnapshotTrue}
}

// emitTruncate undoes what an earlier reading of the table may have sent.
func (r *reading) emitTruncate(t *schemas.Table, o schemas.Origin) error {
	r.pos.Low++
	r.change = schemas.Change{Table: t, Op: schemas.Truncate, Version: r.pos, Source: o}
	return r.out.Emit(&r.change)
}

// copySQL reads the visible columns in binary; what has no binary decoder is read as the text of its output function,
// which is what the stream sends too. (A cast to text is not: it trims char(n), and writes booleans and inet differently.)
func copySQL(info *relationInfo, lay *layout) string {
	var columns []string
	for i, c := range lay.columns {
		if c.row < 0 {
			continue
		}
		name := quoteName(lay.attributes[i].name)
		if c.copied() == nil {
			name = "case when num_nulls(" + name + ") = 0 then concat(" + name + ") end"
		}
		columns = append(columns, name)
	}
	return "copy (select " + strings.Join(columns, ", ") + " from " + info.from() + ") to stdout (format binary)"
}

// snapshotRows takes the output of a binary COPY, row by row, and emits one row behind: only then is the last one known.
type snapshotRows struct {
	r      *reading
	decode []binaryDecoder
	table  *plannedTable

	started bool
	held    []byte // the row that is to be emitted next
	holds   bool
	count   int64
	row     []schemas.Value
	layout  *layout
}

func newSnapshotRows(r *reading, snap *snapshot, lay *layout, t *plannedTable) *snapshotRows {
	c := &snapshotRows{r: r, table: t, layout: lay, row: make([]schemas.Value, len(lay.table.Columns))}
	r.change = schemas.Change{Table: lay.table, Op: schemas.Read, After: c.row, Source: snap.origin()}
	for _, col := range lay.columns {
		if col.row < 0 {
			continue
		}
		decode := col.copied()
		if decode == nil {
			text := col.decode
			decode = func(b []byte, a *schemas.Arena) (schemas.Value, error) { return text(b, a), nil }
		}
		c.decode = append(c.decode, decode)
	}
	return c
}

// snapshotHeader is the size of the signature, flags and extension length that come before the first row.
const snapshotHeader = 19

var errCopyRow = errors.New("unexpected content of a row of COPY")

// Write takes one message: the protocol puts every row into one of its own.
func (c *snapshotRows) Write(b []byte) (int, error) {
	n := len(b)
	if !c.started {
		if len(b) < snapshotHeader {
			return 0, errCopyRow
		}
		c.started, b = true, b[snapshotHeader:]
	}
	if len(b) == 0 || len(b) == 2 && b[0] == 0xff && b[1] == 0xff { // the end
		return n, nil
	}
	if c.holds {
		if err := c.emit(false); err != nil {
			return 0, err
		}
	}
	c.held, c.holds = append(c.held[:0], b...), true
	return n, nil
}

func (c *snapshotRows) finish() error {
	if !c.holds {
		return nil
	}
	c.holds = false
	return c.emit(true)
}

func (c *snapshotRows) emit(last bool) error {
	r := c.r
	r.arena.Reset()
	if err := c.parse(c.held); err != nil {
		return err
	}
	c.count++
	r.pos.Low++
	r.change.Version = r.pos
	r.change.Source.Snapshot = snapshotMark(c.table.firstOfAll && c.count == 1, c.count == 1, last, c.table.lastOfAll && last)
	r.source.progress.rowsDone.Add(1)
	crash.Point("postgres-source.snapshot-row")
	return r.out.Emit(&r.change)
}

// snapshotMark is Debezium's choice where several marks fit.
func snapshotMark(firstOfAll, first, last, lastOfAll bool) schemas.Snapshot {
	switch {
	case lastOfAll:
		return schemas.SnapshotLast
	case firstOfAll:
		return schemas.SnapshotFirst
	case last:
		return schemas.SnapshotLastInTable
	case first:
		return schemas.SnapshotFirstInTable
	}
	return schemas.SnapshotTrue
}

// parse reads a row: the number of values, then for each its length, -1 for null, and its bytes.
func (c *snapshotRows) parse(b []byte) error {
	if len(b) < 2 || int(binary.BigEndian.Uint16(b)) != len(c.decode) {
		return errCopyRow
	}
	b = b[2:]
	for i, decode := range c.decode {
		if len(b) < 4 {
			return errCopyRow
		}
		size := int32(binary.BigEndian.Uint32(b))
		b = b[4:]
		if size < 0 {
			c.row[i] = schemas.Null()
			continue
		}
		if int64(size) > int64(len(b)) {
			return errCopyRow
		}
		v, err := decode(b[:size:size], &c.r.arena)
		if err != nil {
			return fmt.Errorf("column %s: %w", c.layout.table.Columns[i].Name, err)
		}
		c.row[i] = v
		b = b[size:]
	}
	return nil
}
