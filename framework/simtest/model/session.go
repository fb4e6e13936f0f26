package model

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/syncline-io/syncline/framework/failure"
	"github.com/syncline-io/syncline/framework/source"
	"github.com/syncline-io/syncline/schemas"
)

// Session is a source that reads an [Upstream]: a snapshot of each table at an exact point, then the log.
type Session struct {
	up  *Upstream
	env source.Env
	// Pace is called before each change is emitted; a test lets it wait, fail, or both. nil: nothing.
	Pace func(ctx context.Context) error
}

var _ source.Source = (*Session)(nil)

// Open begins a session.
func (u *Upstream) Open(_ context.Context, env source.Env) (source.Source, error) {
	return u.Session(env), nil
}

// Session is Open for those who want to set its fields.
func (u *Upstream) Session(env source.Env) *Session { return &Session{up: u, env: env} }

// Lease waits until no other session has the lease.
func (s *Session) Lease(ctx context.Context) error {
	waiting := false
	for {
		moved, ok := s.tryLease()
		if ok {
			if waiting && s.env.Standby != nil {
				s.env.Standby(false, "")
			}
			return nil
		}
		if !waiting && s.env.Standby != nil {
			s.env.Standby(true, "another")
		}
		waiting = true
		select {
		case <-moved:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (s *Session) tryLease() (moved <-chan struct{}, ok bool) {
	s.up.mu.Lock()
	defer s.up.mu.Unlock()
	if s.up.holder != nil {
		return s.up.moved, false
	}
	s.up.holder = s
	return nil, true
}

// Close lets go of the lease.
func (s *Session) Close() error {
	s.up.mu.Lock()
	defer s.up.mu.Unlock()
	if s.up.holder == s {
		s.up.letGo()
	}
	return nil
}

// Confirm gives up the log of whole transactions up to p.
func (s *Session) Confirm(p source.Position) {
	if s.up.OnConfirm != nil {
		s.up.OnConfirm(p)
	}
	s.up.mu.Lock()
	defer s.up.mu.Unlock()
	whole := p.Version.High
	if p.Version.Low > 0 {
		whole-- // within a transaction: it is needed again
	}
	s.up.released = max(s.up.released, whole)
}

// state is the position's document.
type state struct {
	Log string `json:"log"`
	// Read holds, by table, the point of its finished snapshot. Reading is the table under way.
	Read    map[string]uint64 `json:"read"`
	Reading string            `json:"reading,omitempty"`
	// Wide is there for its size alone.
	Wide string `json:"wide,omitempty"`
}

const wideState = 2 << 10

const logName = "model"

func (s *state) encode() []byte {
	text, err := json.Marshal(s)
	if err != nil {
		panic(err) // it has a JSON form
	}
	return text
}

// Run reads the tables that are not read yet, then streams.
func (s *Session) Run(ctx context.Context, from source.Position, out source.Emitter) error {
	st := state{Log: logName, Read: map[string]uint64{}}
	if s.up.WideState {
		st.Wide = strings.Repeat("x", wideState)
	}
	if from.State != nil {
		if err := json.Unmarshal(from.State, &st); err != nil || st.Log != logName {
			return failure.As(failure.Gap, fmt.Errorf("position %s is not of this log: %w", from.State, errors.Join(err)), "")
		}
	}
	r := &reading{Session: s, ctx: ctx, out: out, pos: from.Version, state: st}
	if err := r.gap(from); err != nil {
		return err
	}
	s.progress("snapshot")
	if err := r.snapshots(from); err != nil {
		return err
	}
	s.progress("stream")
	return r.stream(0)
}

func (s *Session) progress(phase string) {
	if s.env.Progress != nil {
		s.env.Progress(source.Progress{Phase: phase, LogBehind: -1})
	}
}

// reading is one Run.
type reading struct {
	*Session
	ctx   context.Context
	out   source.Emitter
	pos   schemas.Version // what is done
	state state
}

// gap reports log that is needed and gone.
func (r *reading) gap(from source.Position) error {
	if from.State == nil {
		return nil // everything is read from the tables
	}
	r.up.mu.Lock()
	defer r.up.mu.Unlock()
	for i := range r.up.log {
		tx := &r.up.log[i]
		if tx.end <= r.up.released && tx.changes[len(tx.changes)-1].Version.Compare(r.pos) > 0 {
			return failure.As(failure.Gap, fmt.Errorf("the log begins at %d, and the position is %s: changes of transaction %d are gone",
				r.up.released, r.pos, tx.commit), "")
		}
	}
	return nil
}

// snapshots reads the tables that have no finished snapshot, all at one new point. Changes of the other tables up to
// that point come first; those of the tables read are part of what is read.
func (r *reading) snapshots(from source.Position) error {
	unread := r.unread()
	if len(unread) == 0 {
		return nil
	}
	at, rows := r.up.snapshot(unread)
	if from.State != nil {
		if err := r.stream(at); err != nil {
			return err
		}
	} else if err := r.out.SetState(r.state.encode()); err != nil {
		return err
	}
	v := schemas.Version{High: at - 1}
	if r.pos.Compare(v) < 0 {
		r.pos = v
	}
	for i, t := range unread {
		again := r.state.Reading == t.String()
		r.state.Reading = t.String()
		if err := r.out.SetState(r.state.encode()); err != nil {
			return err
		}
		if again {
			if err := r.emit(&schemas.Change{Table: t, Op: schemas.Truncate, Source: schemas.Origin{Snapshot: schemas.SnapshotTrue}}); err != nil {
				return err
			}
		}
		for _, row := range rows[i] {
			if err := r.emit(&schemas.Change{Table: t, Op: schemas.Read, After: row, Source: schemas.Origin{Snapshot: schemas.SnapshotTrue}}); err != nil {
				return err
			}
		}
		r.state.Read = maps.Clone(r.state.Read)
		r.state.Read[t.String()], r.state.Reading = at, ""
		if err := r.out.SetState(r.state.encode()); err != nil {
			return err
		}
	}
	r.pos = schemas.Version{High: at}
	return r.out.Advance(r.pos, true)
}

// emit sends a row of a snapshot under the next version.
func (r *reading) emit(c *schemas.Change) error {
	r.pos.Low++
	c.Version = r.pos
	return r.send(c)
}

func (r *reading) send(c *schemas.Change) error {
	if r.Pace != nil {
		if err := r.Pace(r.ctx); err != nil {
			return err
		}
	}
	return r.out.Emit(c)
}

func (r *reading) unread() []*schemas.Table {
	r.up.mu.Lock()
	defer r.up.mu.Unlock()
	var unread []*schemas.Table
	for _, rel := range r.up.tables {
		if _, done := r.state.Read[rel.table.String()]; !done {
			unread = append(unread, rel.table)
		}
	}
	// The one that was cut off comes first, so that one table at most is half read.
	slices.SortStableFunc(unread, func(a, b *schemas.Table) int {
		switch r.state.Reading {
		case a.String():
			return -1
		case b.String():
			return 1
		}
		return 0
	})
	return unread
}

// snapshot returns the rows of tables at a new, exact point in the log. The tables are refreshed to their versions then.
func (u *Upstream) snapshot(tables []*schemas.Table) (at uint64, rows [][][]schemas.Value) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.lsn += lsnStep
	for i, t := range tables {
		for _, rel := range u.tables {
			if rel.table.String() != t.String() {
				continue
			}
			tables[i] = rel.table
			all := slices.Clone(rel.list)
			for _, k := range slices.Sorted(maps.Keys(rel.keyed)) {
				all = append(all, rel.keyed[k])
			}
			rows = append(rows, all)
		}
	}
	return u.lsn, rows
}

// quiet is after how long without a transaction the position is to be written, so that the log can be given up.
const quiet = 5 * time.Second

// stream emits the log after r.pos, of the tables whose snapshot is finished, up to the log position until (0: for ever).
func (r *reading) stream(until uint64) error {
	for i := 0; ; i++ {
		tx, more := r.up.transaction(i)
		if tx == nil && until > 0 || tx != nil && until > 0 && tx.commit > until {
			return nil
		}
		if tx == nil {
			select {
			case <-more:
			case <-time.After(quiet):
				if err := r.out.Advance(r.pos, true); err != nil {
					return err
				}
			case <-r.ctx.Done():
				return r.ctx.Err()
			}
			i--
			continue
		}
		if err := r.transaction(tx); err != nil {
			return err
		}
	}
}

func (r *reading) transaction(tx *transaction) error {
	if (schemas.Version{High: tx.end}).Compare(r.pos) <= 0 {
		return nil
	}
	for i := range tx.changes {
		c := tx.changes[i] // a copy: the emitter may do with it what it likes
		point, read := r.state.Read[c.Table.String()]
		if c.Version.Compare(r.pos) <= 0 || !read || tx.commit < point {
			continue
		}
		if err := r.send(&c); err != nil {
			return err
		}
		r.pos = c.Version
	}
	r.pos = schemas.Version{High: tx.end}
	return r.out.Advance(r.pos, false)
}

func (u *Upstream) transaction(i int) (*transaction, <-chan struct{}) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if i < len(u.log) {
		return &u.log[i], nil
	}
	return nil, u.more
}
