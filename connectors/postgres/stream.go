package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"go.uber.org/zap"

	"github.com/syncline-io/syncline/framework/crash"
	"github.com/syncline-io/syncline/framework/failure"
	"github.com/syncline-io/syncline/schemas"
)

// stream is the state of reading changes.
type stream struct {
	conn      *replication
	relations map[uint32]*relation
	typeNames map[uint32]string
	// last holds the columns of the last version of each table that was compiled here.
	last map[uint32][]attribute
	// collisions holds what the open transaction has written under keys that are deferrable.
	collisions collisions

	// from is the position that was resumed: changes up to it are passed over.
	from schemas.Version
	// The transaction that is open. index counts its changes as the server sends them, before any choice of ours, so
	// that it is the same whenever the transaction is sent again. An update counts twice: whether it changes the key,
	// and is a delete and a create, must not change the numbers of what follows.
	open   bool
	commit lsn
	index  uint64
	origin schemas.Origin
	// deaf is the commit of a transaction whose changes an older program has begun to number without its messages; so its
	// messages have no numbers, and are not published.
	deaf lsn
	// visible is the commit of the last transaction that other sessions are known to see.
	visible lsn

	lastCommit uint64
	lastUrgent time.Time
	msg        rowMessage
}

// follow streams changes until the context ends. A binary stream that comes to what it cannot carry is followed by one of
// text, from the position on.
func (r *reading) follow(ctx context.Context) error {
	s := r.source
	defer func() {
		if r.cut != nil {
			closeConn(r.cut.conn)
		}
	}()
	binary, err := r.chooseBinary(ctx)
	if err != nil {
		return err
	}
	err = r.receive(ctx, binary)
	if binary && needsText(err) {
		if s.cfg.Binary == binaryYes {
			return binaryRefused(err)
		}
		s.log.Warn("the stream goes on as text: something cannot be read from its binary form", zap.Error(err), zap.Any("position", r.pos))
		if err := r.dropStream(ctx); err != nil {
			return err
		}
		err = r.receive(ctx, false)
	}
	return err
}

// receive streams changes from the position on until the context ends.
func (r *reading) receive(ctx context.Context, binary bool) error {
	s := r.source
	at := s.state.resumeAt(r.pos)
	conn, err := startReplication(ctx, s.server, s.cfg.Slot, s.cfg.Publication, at, binary, s.cfg.StatusInterval)
	if err != nil {
		return streamError(err, s.cfg.Slot, s.cfg.Publication)
	}
	s.setStream(conn)
	crash.Point("postgres-source.after-stream-start")
	if err := r.warnOfStandbyNames(ctx); err != nil {
		return err
	}
	s.progress.read.Store(uint64(at))
	r.stream = stream{conn: conn, relations: map[uint32]*relation{}, typeNames: map[uint32]string{}, last: map[uint32][]attribute{}, from: r.pos, deaf: r.deaf}
	r.stream.collisions = newCollisions(newKeySet("", s.keySetBytes))
	defer r.stream.collisions.reset()
	if r.pos.Low == 0 {
		r.stream.lastCommit = r.pos.High
	}
	s.log.Info("streaming changes", zap.Stringer("lsn", at), zap.Bool("binary", binary))
	defer context.AfterFunc(ctx, conn.interrupt)()
	for {
		m, err := conn.receive()
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err != nil {
			return &streamBroken{streamError(err, s.cfg.Slot, s.cfg.Publication)}
		}
		if err := r.handle(ctx, m); err != nil {
			return err
		}
		conn.received.Store(uint64(m.end))
	}
}

func (r *reading) handle(ctx context.Context, m streamMessage) error {
	if m.keepalive {
		return r.keepalive(ctx, m.end)
	}
	if len(m.data) == 0 {
		return errShortMessage
	}
	w := &wire{b: m.data[1:]}
	switch kind := m.data[0]; kind {
	case 'I', 'U', 'D':
		return r.row(ctx, kind, m.start, w)
	case 'B':
		return r.beginTransaction(ctx, m.start, w)
	case 'C':
		return r.commitTransaction(ctx, m.start, w)
	case 'R':
		msg, err := parseRelation(w)
		if err != nil {
			return err
		}
		r.announce(msg)
		return nil
	case 'T':
		return r.truncate(ctx, m.start, w)
	case 'Y':
		oid, name, err := parseType(w)
		r.stream.typeNames[oid] = name
		return err
	case 'O':
		name, err := parseOrigin(w)
		r.stream.origin.ReplicationOrigin = name
		return err
	case 'M':
		return r.message(ctx, w)
	default:
		return fmt.Errorf("the server sent a message of unknown kind %q", kind)
	}
}

func (r *reading) beginTransaction(ctx context.Context, at lsn, w *wire) error {
	b, err := parseBegin(w)
	if err != nil {
		return err
	}
	if err := r.reach(ctx, b.commit); err != nil {
		return err
	}
	st := &r.stream
	r.catchUp(b.commit)
	st.open, st.commit, st.index = true, b.commit, 0
	st.collisions.reset()
	st.origin = schemas.Origin{Time: b.micros, TxID: b.xid, LastCommit: st.lastCommit}
	if err := r.settle(); err != nil {
		return err
	}
	return r.mark(schemas.Begin, at, 0)
}

// settle takes on the settings of today behind a transaction that began under others.
func (r *reading) settle() error {
	s := r.source
	if r.stream.commit == r.stream.deaf || s.state.Settings == s.settings() {
		return nil
	}
	s.state.Settings = s.settings()
	return r.setState(false)
}

func (r *reading) commitTransaction(ctx context.Context, at lsn, w *wire) error {
	c, err := parseCommit(w)
	if err != nil {
		return err
	}
	st := &r.stream
	if !st.open || c.commit != st.commit {
		return fmt.Errorf("commit at %s does not belong to the transaction that is open, of %s", c.commit, st.commit)
	}
	if err := r.mark(schemas.End, at, st.index+1); err != nil {
		return err
	}
	st.open, st.lastCommit = false, uint64(c.end)
	st.collisions.reset()
	r.source.progress.active.Add(1)
	return r.advance(ctx, c.end)
}

// keepalive is how a log without changes of ours moves on. Outside a transaction everything before end has been sent:
// what commits later has a commit LSN of end or more. Inside one, end is that of an earlier record, and nothing new.
func (r *reading) keepalive(ctx context.Context, end lsn) error {
	if r.stream.open {
		return nil
	}
	return r.advance(ctx, end)
}

// advance says that everything before end has been handled. While nothing of ours is emitted, the position is written
// for its own sake once in a heartbeat interval.
func (r *reading) advance(ctx context.Context, end lsn) error {
	if err := r.reach(ctx, end); err != nil {
		return err
	}
	st := &r.stream
	r.source.progress.read.Store(max(r.source.progress.read.Load(), uint64(end)))
	v := schemas.Version{High: uint64(end)}
	if err := r.tryCut(ctx, v); err != nil {
		return err
	}
	now := time.Now()
	urgent := now.Sub(st.lastUrgent) >= r.source.cfg.HeartbeatInterval && st.conn.durable.Load() < v.High
	if order := v.Compare(r.pos); order < 0 || order == 0 && !urgent {
		return nil
	}
	r.pos = v
	if urgent {
		st.lastUrgent = now
	}
	return r.out.Advance(v, urgent)
}

// reach reads the tables that wait for the stream to come to their snapshot's point, once it is there.
func (r *reading) reach(ctx context.Context, at lsn) error {
	if r.cut == nil || at < r.cut.at {
		return nil
	}
	cut := r.cut
	r.cut = nil
	crash.Point("postgres-source.at-cut")
	return r.readSnapshot(ctx, cut)
}

// next counts a change of the open transaction and reports whether it is still to be emitted.
func (r *reading) next(n uint64) (v schemas.Version, fresh bool) {
	st := &r.stream
	st.index += n
	v = schemas.Version{High: uint64(st.commit), Low: st.index}
	return v, v.Compare(st.from) > 0
}

func (r *reading) row(ctx context.Context, kind byte, at lsn, w *wire) error {
	st := &r.stream
	n := uint64(1)
	if kind == 'U' {
		n = 2
	}
	v, fresh := r.next(n)
	if !fresh {
		return r.passOver(ctx, kind, w)
	}
	if err := st.msg.parse(kind, w); err != nil {
		return err
	}
	rel, err := r.relation(ctx, st.msg.relation)
	if err != nil || rel == nil {
		return err
	}
	r.arena.Reset()
	st.origin.LSN = uint64(at)
	switch kind {
	case 'I':
		return r.insert(ctx, rel, v)
	case 'U':
		return r.update(ctx, rel, v)
	default:
		return r.delete(ctx, rel, v)
	}
}

// passOver takes note of a row that was emitted before this run, where what follows may depend on it.
func (r *reading) passOver(ctx context.Context, kind byte, w *wire) error {
	st := &r.stream
	ahead := *w
	oid := ahead.uint32()
	rel := st.relations[oid]
	if rel == nil || rel.message.identity != 'f' || !r.source.tables[oid] || !r.source.state.table(oid).Done {
		return nil
	}
	if !rel.described {
		if _, _, err := r.describe(ctx, rel); err != nil {
			return err
		}
	}
	if rel.written == nil {
		return nil
	}
	if err := st.msg.parse(kind, w); err != nil {
		return err
	}
	return rel.written.note(kind, &st.msg)
}

func (r *reading) insert(ctx context.Context, rel *relation, v schemas.Version) error {
	if err := r.decode(ctx, rel, r.stream.msg.new, rel.after); err != nil {
		return err
	}
	if rel.written != nil {
		if err := rel.written.create(r.stream.msg.new, nil); err != nil {
			return err
		}
	}
	return r.emit(schemas.Change{Table: rel.layout.table, Op: schemas.Create, After: rel.after, Version: v})
}

func (r *reading) delete(ctx context.Context, rel *relation, v schemas.Version) error {
	before, keyOnly, err := r.decodeOld(ctx, rel)
	if err != nil {
		return err
	}
	return r.remove(ctx, rel, schemas.Change{
		Table: rel.layout.table, Op: schemas.Delete, Before: before, BeforeKeyOnly: keyOnly, Version: v,
	})
}

// remove emits a delete, unless another row has the key.
func (r *reading) remove(ctx context.Context, rel *relation, c schemas.Change) error {
	fresh := c.Version.Compare(r.stream.from) > 0
	if rel.written != nil {
		v, err := rel.written.remove(r.stream.msg.old)
		if err != nil || !fresh {
			return err
		}
		now, send, err := r.standing(ctx, rel, v)
		if err != nil || !send {
			return err
		}
		if now != nil {
			c.Op, c.After, c.OtherKey = schemas.Update, now, nil
		}
	}
	if !fresh {
		return nil
	}
	return r.emit(c)
}

func (r *reading) update(ctx context.Context, rel *relation, v schemas.Version) error {
	before, keyOnly, err := r.decodeOld(ctx, rel)
	if err != nil {
		return err
	}
	if err := r.decode(ctx, rel, r.stream.msg.new, rel.after); err != nil {
		return err
	}
	fillUnchanged(rel, before, keyOnly)
	if before == nil || !rel.keyChanged() {
		after := rel.after
		if rel.written != nil {
			v, err := rel.written.replace(r.stream.msg.old, r.stream.msg.new)
			if err != nil {
				return err
			}
			now, send, err := r.standing(ctx, rel, v)
			if err != nil || !send {
				return err
			}
			if now != nil {
				after = now
			}
		}
		return r.emit(schemas.Change{
			Table: rel.layout.table, Op: schemas.Update, Before: before, BeforeKeyOnly: keyOnly, After: after, Version: v,
		})
	}
	if err := r.complete(ctx, rel); err != nil {
		return err
	}
	err = r.remove(ctx, rel, schemas.Change{
		Table: rel.layout.table, Op: schemas.Delete, Before: before, BeforeKeyOnly: keyOnly, OtherKey: rel.after,
		Version: schemas.Version{High: v.High, Low: v.Low - 1},
	})
	if err != nil {
		return err
	}
	if rel.written != nil {
		if err := rel.written.create(r.stream.msg.new, r.stream.msg.old); err != nil {
			return err
		}
	}
	return r.emit(schemas.Change{
		Table: rel.layout.table, Op: schemas.Create, After: rel.after, OtherKey: before, Version: v,
	})
}

// truncate emits one change for each table; every table counts, chosen or not.
func (r *reading) truncate(ctx context.Context, at lsn, w *wire) error {
	oids, err := parseTruncate(w)
	if err != nil {
		return err
	}
	r.stream.origin.LSN = uint64(at)
	for _, oid := range oids {
		v, fresh := r.next(1)
		if !fresh {
			continue
		}
		rel, err := r.relation(ctx, oid)
		if err != nil {
			return err
		}
		if rel == nil {
			continue
		}
		if err := r.emit(schemas.Change{Table: rel.layout.table, Op: schemas.Truncate, Version: v}); err != nil {
			return err
		}
	}
	return nil
}

// emit sends a change of the open transaction.
func (r *reading) emit(c schemas.Change) error {
	c.Source = r.stream.origin
	r.change = c
	r.pos = c.Version
	return r.out.Emit(&r.change)
}

// complete reads the columns that a key change did not send: for the new key they are nowhere else. The row may have
// changed since; then the change that follows brings what is read here already, and does no harm. If it is gone, what
// removed it follows. If the table cannot be read as it was, the row may live all the same.
func (r *reading) complete(ctx context.Context, rel *relation) error {
	if !rel.incomplete() {
		return nil
	}
	if err := r.untilVisible(ctx, r.stream.origin.TxID); err != nil {
		return fmt.Errorf("read the unchanged columns of a row of %s by its new key: %w", rel.layout.table, err)
	}
	sql, params := rel.lookup(&r.stream.msg)
	result := r.query(ctx, sql, params)
	if isGone(result.Err) {
		return r.whetherGone(ctx, rel)
	}
	if result.Err != nil {
		return fmt.Errorf("read the unchanged columns of a row of %s by its new key: %w", rel.layout.table, result.Err)
	}
	if len(result.Rows) != 1 {
		return r.whetherRenamed(ctx, rel)
	}
	rel.fillFrom(result, &r.arena)
	return nil
}

// untilVisible waits until other sessions see what the transaction did. The server sends a transaction as soon as its
// commit record is in the log, a moment before the session that commits it says so to the others (and, with synchronous
// replication, long before). A read in that moment finds no row for the new key, or an older row that had the key.
func (r *reading) untilVisible(ctx context.Context, xid uint32) error {
	if r.stream.visible == r.stream.commit && r.stream.commit != 0 {
		return nil
	}
	backoff := failure.Backoff{Min: time.Millisecond, Max: 100 * time.Millisecond}
	late := time.Now().Add(r.source.patience.visible)
	for {
		held, err := goesOn(ctx, r.catalog.conn, xid)
		if err != nil {
			return err
		}
		if !held {
			r.stream.visible = r.stream.commit
			return nil
		}
		if !late.IsZero() && time.Now().After(late) {
			late = time.Time{} // it is told once
			if err := r.invisible(ctx, xid); err != nil {
				return err
			}
		}
		if err := failure.Sleep(ctx, backoff.Next(nil)); err != nil {
			return err
		}
	}
}

// isGone tells that the table, its schema or one of its columns does not exist any more, or that a column of the key has a
// type that does not compare with the one that it had.
func isGone(err error) bool {
	switch sqlState(err) {
	case "42P01", "42703", "3F000", "42883":
		return true
	}
	return false
}

// fillFrom takes the values that complete has read, which are in the order of lookup.
func (rel *relation) fillFrom(result *pgconn.Result, a *schemas.Arena) {
	i := 0
	for _, c := range rel.layout.columns {
		if c.row < 0 || !rel.after[c.row].IsUnchanged() {
			continue
		}
		if text := result.Rows[0][i]; text != nil {
			rel.after[c.row] = c.decode(text, a)
		} else {
			rel.after[c.row] = schemas.Null()
		}
		i++
	}
}
