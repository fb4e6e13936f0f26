package postgres

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"slices"

	"github.com/jackc/pgx/v5/pgtype"

	"github.com/syncline-io/syncline/framework/crash"
	"github.com/syncline-io/syncline/framework/failure"
	"github.com/syncline-io/syncline/schemas"
)

// A deferrable key is checked at the end of a statement or of the transaction. Until then two rows may have it, and the
// stream tells of one's arrival before the other's leaving: swapping the keys 2 and 3 is "2 becomes 3, 3 becomes 2", as
// changes of keys delete 2, create 3, delete 3, create 2, and the second delete is not of the row that was just written.
// Sent as it is, it removes that row from every target.
//
// So for tables with such a key, and for no others, what one transaction has written is remembered by key. Their replica
// identity is full (PostgreSQL takes no deferrable key for one), so each removal tells the whole row that has gone:
// whether it is the row that was written here can be seen. Where it cannot, the row that has the key now is read, as for
// unchanged columns of a key change: if it has changed since, the change that follows brings it once more.
// docs/decisions/20261125-keys-that-collide-within-a-transaction.md has the reasons.

// rememberedKeys bounds the keys that are remembered for one transaction, of all tables: about 64 MiB. Beyond it, rows
// are asked for instead of remembered.
const rememberedKeys = 1 << 19

// rememberedKey is what one of them takes, its place in the map included.
const rememberedKey = 128

// keysWithin is how many keys may be remembered in so many bytes; 0 is for nothing said.
func keysWithin(bytes int64) int {
	if bytes == 0 {
		return rememberedKeys
	}
	return int(min(bytes/rememberedKey, rememberedKeys))
}

// rememberedRows bounds the rows that are remembered for one key. More of them have one key at a time only while a
// transaction with deferred checks is far from its end.
const rememberedRows = 4

// collisions holds what the open transaction has written to tables whose keys are deferrable.
type collisions struct {
	tables     map[uint32]*writtenKeys
	held, most int
}

// reset forgets everything: a transaction begins.
func (c *collisions) reset() {
	for _, w := range c.tables {
		w.clear()
	}
}

// of returns the memory for a table, which stays the same for the stream's whole life. A table that has come to look
// another way within the transaction has rows that cannot be compared any more.
func (c *collisions) of(m *relationMessage, lay *layout, partitioned bool) *writtenKeys {
	w := c.tables[m.oid]
	if w == nil {
		w = &writtenKeys{all: c, rows: map[digest]written{}, hash: sha256.New()}
		c.tables[m.oid] = w
	}
	w.partial = partitioned
	columns, key := m.columns, lay.keyFields()
	if w.columns != nil && len(w.rows) > 0 {
		w.unsure = w.unsure || !slices.Equal(w.columns, columns)
		w.forgetful = w.forgetful || !slices.Equal(w.key, key)
	}
	w.columns, w.key = columns, key
	return w
}

// keyField is a place in a tuple that belongs to the key.
type keyField struct {
	at   int
	wire uint32
}

func (l *layout) keyFields() (key []keyField) {
	for i, c := range l.columns {
		if slices.Contains(l.key, c.row) {
			key = append(key, keyField{at: i, wire: c.wire})
		}
	}
	return key
}

// digest stands for a key or a row. Two of them that are equal by accident would lose a change, so it is a cryptographic
// one.
type digest [16]byte

// written is what a transaction has written under one key and not removed again.
type written struct {
	top   digest   // the row that was written last: the one that was sent
	below []digest // rows that were written before it and are still there
	// left says that the row that had the key before the transaction has gone; many, that not every row is remembered.
	left, many bool
}

// writtenKeys is what the open transaction has written to one table.
type writtenKeys struct {
	all     *collisions
	columns []relationColumn
	key     []keyField
	rows    map[digest]written
	hash    hash.Hash
	buf     []byte
	// unsure says that the table was altered: rows of before compare with none of after. forgetful says that not every
	// key was remembered. partial says that old rows may be incomplete: those of partitions, which have identities of
	// their own.
	unsure, forgetful, partial bool
}

// verdict is what to do with a change of a row whose key may have another row by now.
type verdict int

const (
	send verdict = iota
	// drop: it is not of the row that was sent for this key.
	drop
	// ask: which row has the key now can only be read.
	ask
)

func (w *writtenKeys) clear() {
	w.all.held -= len(w.rows)
	clear(w.rows)
	w.unsure, w.forgetful = false, false
}

// create notes a row that has been written under a key that it had not. old is the row that it was, for columns that were
// not sent again, or nil.
func (w *writtenKeys) create(row, old []field) {
	key, image := w.keyOf(row, old), w.imageOf(row, old)
	e, ok := w.rows[key]
	switch {
	case ok && (e.many || len(e.below) == rememberedRows-1):
		e = written{many: true}
	case ok:
		e.below = append(e.below, e.top)
	case w.all.held >= w.all.most:
		w.forgetful = true
		return
	default:
		w.all.held++
	}
	e.top = image
	w.rows[key] = e
}

// remove judges the removal of a row from its key.
func (w *writtenKeys) remove(row []field) verdict {
	key := w.keyOf(row, nil)
	e, ok := w.rows[key]
	if v, certain := w.judge(e, ok); certain {
		return v
	}
	image := w.imageOf(row, nil)
	if i := slices.Index(e.below, image); image != e.top && i >= 0 {
		e.below = slices.Delete(e.below, i, i+1)
		w.rows[key] = e
		return drop
	}
	if image != e.top { // it had the key before
		e.left = true
		w.rows[key] = e
		return drop
	}
	if n := len(e.below); n > 0 {
		e.top, e.below = e.below[n-1], e.below[:n-1]
		w.rows[key] = e
		return ask
	}
	delete(w.rows, key)
	w.all.held--
	if e.left {
		return send
	}
	return ask // the row that had the key before may still be there
}

// replace judges an update that leaves the key as it is.
func (w *writtenKeys) replace(old, row []field) verdict {
	key := w.keyOf(old, nil)
	e, ok := w.rows[key]
	if v, certain := w.judge(e, ok); certain {
		return v
	}
	was, is := w.imageOf(old, nil), w.imageOf(row, old)
	if was == e.top {
		e.top = is
		w.rows[key] = e
		return send
	}
	if i := slices.Index(e.below, was); i >= 0 {
		e.below[i] = is
	}
	return drop
}

// judge decides what can be told without the row: known says that the key was written and remembered.
func (w *writtenKeys) judge(e written, known bool) (v verdict, certain bool) {
	switch {
	case known && (e.many || w.unsure || w.partial), !known && w.forgetful:
		return ask, true
	case !known:
		return send, true
	}
	return send, false
}

// note takes a message of this table into account whose changes have been judged before.
func (w *writtenKeys) note(kind byte, m *rowMessage) {
	switch {
	case kind == 'I':
		w.create(m.new, nil)
	case kind == 'D':
		w.remove(m.old)
	case w.keyChanged(m):
		w.remove(m.old)
		w.create(m.new, m.old)
	default:
		w.replace(m.old, m.new)
	}
}

// keyChanged is [relation.keyChanged] for rows that are not decoded: values are the same when their texts are.
func (w *writtenKeys) keyChanged(m *rowMessage) bool {
	return slices.ContainsFunc(w.key, func(k keyField) bool {
		return !bytes.Equal(sentField(m.new, m.old, k.at).text, sentField(m.old, nil, k.at).text)
	})
}

func (w *writtenKeys) keyOf(row, old []field) digest {
	w.hash.Reset()
	for _, k := range w.key {
		f := sentField(row, old, k.at)
		if f.kind == 'b' {
			f.text = equalBinary(k.wire, f.text)
		} else {
			f.text = equalText(k.wire, f.text)
		}
		w.write(f)
	}
	return w.sum()
}

func (w *writtenKeys) imageOf(row, old []field) digest {
	w.hash.Reset()
	for i := range row {
		w.write(sentField(row, old, i))
	}
	return w.sum()
}

// sentField is a value of a row, which may not have been sent again because it is that of the old one.
func sentField(row, old []field, i int) field {
	if i >= len(row) {
		return field{}
	}
	if row[i].kind == 'u' && i < len(old) {
		return old[i]
	}
	return row[i]
}

func (w *writtenKeys) write(f field) {
	var head [9]byte
	head[0] = f.kind
	binary.BigEndian.PutUint64(head[1:], uint64(len(f.text)))
	_, _ = w.hash.Write(head[:])
	_, _ = w.hash.Write(f.text)
}

func (w *writtenKeys) sum() (d digest) {
	w.buf = w.hash.Sum(w.buf[:0])
	copy(d[:], w.buf)
	return d
}

// equalText gives equal numbers the same text: as keys 1.0 and 1.00 are one, and so are 0 and -0.
func equalText(wire uint32, text []byte) []byte {
	switch wire {
	case pgtype.NumericOID:
		if bytes.IndexByte(text, '.') >= 0 {
			text = bytes.TrimRight(bytes.TrimRight(text, "0"), ".")
		}
	case pgtype.Float4OID, pgtype.Float8OID:
		if string(text) == "-0" {
			text = text[1:]
		}
	}
	return text
}

// standing carries a verdict out as far as reading is concerned: now is the row that has the key of the current message's
// old row, nil when the change is to be sent as it is.
func (r *reading) standing(ctx context.Context, rel *relation, v verdict) (now []schemas.Value, send bool, err error) {
	if v != ask {
		return nil, v != drop, nil
	}
	now, err = r.readByKey(ctx, rel)
	if err != nil {
		return nil, false, fmt.Errorf("read the row of %s that has a key now: %w", rel.layout.table, err)
	}
	return now, true, nil
}

// readByKey reads the row that has the key of the current message's old row, nil when there is none.
func (r *reading) readByKey(ctx context.Context, rel *relation) ([]schemas.Value, error) {
	if err := r.untilVisible(ctx, r.stream.origin.TxID); err != nil {
		return nil, err
	}
	sql, params := rel.lookupRow(&r.stream.msg)
	result := r.query(ctx, sql, params)
	if isGone(result.Err) {
		return nil, r.whetherGone(ctx, rel)
	}
	if result.Err != nil {
		return nil, result.Err
	}
	if len(result.Rows) != 1 {
		return nil, r.whetherRenamed(ctx, rel)
	}
	row := make([]schemas.Value, len(rel.layout.table.Columns))
	i := 0
	for _, c := range rel.layout.columns {
		if c.row < 0 {
			continue
		}
		row[c.row] = schemas.Null()
		if text := result.Rows[0][i]; text != nil {
			row[c.row] = c.decode(text, &r.arena)
		}
		i++
	}
	return row, nil
}

// lookupRow gives the query that reads a row as text by the key of the message's old row.
func (rel *relation) lookupRow(m *rowMessage) (sql string, params keyParams) {
	var columns, where []string
	for i, c := range rel.layout.columns {
		if c.row < 0 {
			continue
		}
		name := quoteName(rel.layout.attributes[i].name)
		columns = append(columns, name)
		if rel.layout.table.Columns[c.row].Key > 0 {
			where = append(where, fmt.Sprintf("%s = $%d", name, params.add(m.old[i], c.wire)))
		}
	}
	return rel.selectWhere(columns, where), params
}

// errUntold ends a run: the next one reads the table.
var errUntold = errors.New("the table was altered since, so that it cannot be told; it is read again")

// whetherGone says what it means that the table cannot be read as the stream describes it. If it was dropped, its rows
// are nobody's concern. Else what became of the row is known to no one, and the whole table has to be read again.
func (r *reading) whetherGone(ctx context.Context, rel *relation) error {
	info, err := r.catalog.relation(ctx, rel.message.oid)
	if err != nil || info == nil {
		return err
	}
	return r.untold(ctx, rel)
}

// whetherRenamed says what it means that no row was found: whether the table was looked for under a name that it has no
// more.
func (r *reading) whetherRenamed(ctx context.Context, rel *relation) error {
	info, err := r.catalog.relation(ctx, rel.message.oid)
	if err != nil || info == nil || info.schema == rel.message.schema && info.name == rel.message.name {
		return err
	}
	return r.untold(ctx, rel)
}

// untold has the table read again by the next run, and ends this one.
func (r *reading) untold(ctx context.Context, rel *relation) error {
	s := r.source
	if s.cfg.Start == startStream {
		return failure.As(failure.Gap, errors.New("the table was altered since, so that it cannot be told"),
			"with postgres.start: snapshot the table is read again")
	}
	if err := r.readAgain(ctx, s.state.table(rel.message.oid)); err != nil {
		return err
	}
	crash.Point("postgres-source.after-untold")
	return errUntold
}
