package postgres

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.uber.org/zap"

	"github.com/syncline-io/syncline/framework/crash"
	"github.com/syncline-io/syncline/framework/failure"
	"github.com/syncline-io/syncline/framework/source"
	"github.com/syncline-io/syncline/schemas"
)

// reading is one run of the source from a position on.
//
// There are two ways in. A first start makes the slot, reads all tables under the snapshot of the slot's own consistent
// point S, and streams from S. Every other start streams from its position; if tables are still to be read (a crash in
// the snapshot, tables that came to match, a slot that a DBA made), it takes the snapshot of a temporary slot, whose
// point S lies further on, streams up to S without those tables' changes, reads them there, and streams on. So versions
// only grow, and the position is a single one whatever happens: everything before it has been sent.
type reading struct {
	source  *pgSource
	catalog *catalog
	out     source.Emitter

	// known holds the current version of every table that was met, so that one version is one *Table.
	known map[uint32]*schemas.Table
	// pos is the last version that was emitted, or said to need no emitting.
	pos schemas.Version
	// cut is the snapshot that is still ahead, nil when none is. cutAgain is when to ask for it again, where it could not be
	// had on account of waitsFor.
	cut      *snapshot
	cutAgain time.Time
	waitsFor transaction
	change   schemas.Change
	arena    schemas.Arena
	// messages and marks stand for the tables of what is no row.
	messages, marks *schemas.Table
	messageRow      [2]schemas.Value
	// deaf is what the stream's is to be.
	deaf lsn
	// behind is where the log ended when the run began, 0 once the stream is there.
	behind lsn

	stream stream
}

// begin brings publication, slot and state in line, and reads the snapshot of a first start.
func (r *reading) begin(ctx context.Context, from source.Position) error {
	s := r.source
	log, err := identify(ctx, s.server)
	if err != nil {
		return err
	}
	chosen, err := chooseTables(ctx, r.catalog.conn, s.cfg)
	if err != nil {
		return err
	}
	if from.State == nil {
		return r.first(ctx, log, chosen)
	}
	if s.state, err = parseState(from.State); err != nil {
		return err
	}
	if err := r.checkLog(log); err != nil {
		return err
	}
	if s.state.Creating {
		return r.create(ctx, chosen)
	}
	return r.resume(ctx, from, log, chosen)
}

// checkLog refuses to go on in another log than the position's.
func (r *reading) checkLog(log serverLog) error {
	s, st := r.source, r.source.state
	var cause error
	switch {
	case st.System != log.system:
		cause = fmt.Errorf("the position belongs to the server with system identifier %s, and this one has %s", st.System, log.system)
	case st.Timeline != log.timeline:
		cause = fmt.Errorf("the position belongs to timeline %d, and the server is on %d: a standby was promoted or a backup restored",
			st.Timeline, log.timeline)
	case st.Database != r.catalog.database:
		cause = fmt.Errorf("the position belongs to database %s, and postgres.url names %s", st.Database, r.catalog.database)
	case st.Slot != s.cfg.Slot:
		cause = fmt.Errorf("the position belongs to replication slot %s, and postgres.slot is %s", st.Slot, s.cfg.Slot)
	}
	return failure.As(failure.Gap, cause, hintAfterGap)
}

// first begins without a position.
func (r *reading) first(ctx context.Context, log serverLog, chosen []relationName) error {
	s := r.source
	slot, err := readSlot(ctx, r.catalog.conn, s.cfg.Slot)
	if err != nil {
		return err
	}
	if slot != nil && s.cfg.Start == "" {
		return failure.As(failure.Gap,
			fmt.Errorf("replication slot %s exists, but there is no position: either the position was lost, or the slot was made on purpose", slot.name),
			"say what is meant: postgres.start: snapshot reads the tables again and then the changes, postgres.start: stream goes on from the slot")
	}
	s.state = &state{
		Format: stateFormat, System: log.system, Timeline: log.timeline, Database: r.catalog.database,
		Slot: s.cfg.Slot, Publication: s.cfg.Publication, Settings: s.settings(), Creating: true,
	}
	if slot == nil {
		// From here on a slot of this name is ours, even if it is all that is left after a crash.
		if err := r.awaitState(ctx); err != nil {
			return err
		}
		crash.Point("postgres-source.after-intent")
	}
	return r.create(ctx, chosen)
}

// create makes publication and slot, where they do not exist, and decides what is to be read.
func (r *reading) create(ctx context.Context, chosen []relationName) error {
	s := r.source
	existing, err := readSlot(ctx, r.catalog.conn, s.cfg.Slot)
	if err != nil {
		return err
	}
	// The publication comes before the slot: PostgreSQL cannot decode changes from before its creation.
	if err := r.preparePublication(ctx, existing, chosen); err != nil {
		return err
	}
	crash.Point("postgres-source.after-publication")
	for _, c := range chosen {
		if s.state.table(c.oid) != nil {
			continue
		}
		s.state.Tables = append(s.state.Tables, &tableState{
			OID: c.oid, Name: c.String(), Done: s.cfg.Start == startStream,
			// Who asks for a snapshot by name may have had a position before, and rows of that time are in the targets.
			Again: s.cfg.Start == startSnapshot,
		})
	}
	s.state.Creating = false
	if err := r.remember(ctx, nil, nil); err != nil {
		return err
	}
	r.watch()
	if existing != nil {
		if err := existing.check(r.catalog.database); err != nil {
			return err
		}
		r.pos = schemas.Version{High: uint64(existing.confirmed)}
		return r.prepareCut(ctx)
	}
	created, err := r.makeSlot(ctx, s.cfg.Slot, false)
	if err != nil {
		return err
	}
	defer created.close()
	crash.Point("postgres-source.after-slot")
	s.log.Info("created the replication slot", zap.String("slot", s.cfg.Slot), zap.Stringer("lsn", created.consistent))
	if len(s.state.pending()) == 0 {
		r.pos = schemas.Version{High: uint64(created.consistent)}
		return r.setState(true)
	}
	cut, err := r.openSnapshot(ctx, created)
	if err != nil {
		return err
	}
	crash.Point("postgres-source.after-import")
	return r.readSnapshot(ctx, cut)
}

// resume goes on from a position.
func (r *reading) resume(ctx context.Context, from source.Position, log serverLog, chosen []relationName) error {
	s := r.source
	slot, err := readSlot(ctx, r.catalog.conn, s.cfg.Slot)
	switch {
	case err != nil:
		return err
	case slot == nil:
		return slotGone(s.cfg.Slot, nil)
	}
	if err := slot.check(r.catalog.database); err != nil {
		return err
	}
	at := s.state.resumeAt(from.Version)
	if err := slot.checkPosition(at, log.end); err != nil {
		return err
	}
	if slot.wal == "unreserved" {
		s.log.Warn("the slot is about to lose its log: it is further behind than max_slot_wal_keep_size", zap.String("slot", slot.name))
	}
	within := from.Version.Low != 0 && at == lsn(from.Version.High)
	switch {
	case within && s.state.Settings == s.settingsWithoutMessages():
		r.deaf = at
	case s.state.Settings != s.settings():
		if within {
			return failure.As(failure.Config, fmt.Errorf("postgres.publication: it was %s when the transaction began that the position is in",
				s.state.Publication), "set it back until that transaction is through")
		}
		s.state.Settings = s.settings()
	}
	compared, entries, err := r.keepPublication(ctx, from, chosen)
	if err != nil {
		return err
	}
	exists, err := existingTables(ctx, r.catalog.conn, s.state)
	if err != nil {
		return err
	}
	s.state.choose(chosen, func(oid uint32) bool { return exists[oid] }, at, log.end)
	if err := r.remember(ctx, compared, entries); err != nil {
		return err
	}
	r.watch()
	r.pos, r.behind = from.Version, log.end
	return r.prepareCut(ctx)
}

// watch remembers whose changes count.
func (r *reading) watch() {
	s := r.source
	s.tables = map[uint32]bool{}
	for _, t := range s.state.Tables {
		s.tables[t.OID] = true
	}
}

// preparePublication makes the publication of a first start, or takes one that is there; existing is the slot, nil when
// there is none.
func (r *reading) preparePublication(ctx context.Context, existing *slot, chosen []relationName) error {
	s, conn := r.source, r.catalog.conn
	p, err := readPublication(ctx, conn, s.cfg.Publication)
	if err != nil {
		return err
	}
	lacking := chosen
	if p != nil {
		if err := p.check(chosen, s.cfg.PartitionRoot, s.log); err != nil {
			return err
		}
		lacking = p.lacking(chosen)
	}
	if existing != nil && s.cfg.Start == startStream && len(lacking) > 0 {
		return failure.As(failure.Gap,
			fmt.Errorf("replication slot %s is older than what publication %s publishes of %s: changes in between are not in the stream",
				existing.name, s.cfg.Publication, nameList(lacking)),
			"with postgres.start: snapshot the tables are read first; or drop the slot: it is made again once everything is published")
	}
	if p == nil {
		return createPublication(ctx, conn, s.cfg.Publication, chosen, s.cfg.PartitionRoot)
	}
	return p.fit(ctx, conn, chosen, s.log)
}

// keepPublication brings the publication of a position in line with the chosen tables. It returns the publication as it
// was found, and by what it published the tables then.
func (r *reading) keepPublication(ctx context.Context, from source.Position, chosen []relationName) (*publication, via, error) {
	s, conn := r.source, r.catalog.conn
	p, err := readPublication(ctx, conn, s.cfg.Publication)
	if err != nil {
		return nil, nil, err
	}
	if p == nil {
		return nil, nil, publicationGone(s.cfg.Publication, nil)
	}
	if err := p.check(chosen, s.cfg.PartitionRoot, s.log); err != nil {
		return nil, nil, err
	}
	if err := s.state.checkIdentity(p); err != nil {
		return nil, nil, err
	}
	entries, err := p.readVia(ctx, conn, s.state.oids())
	if err != nil {
		return nil, nil, err
	}
	if err := r.missed(ctx, from, s.state.interrupted(chosen, p, entries)); err != nil {
		return nil, nil, err
	}
	err = p.fit(ctx, conn, chosen, s.log)
	crash.Point("postgres-source.after-fit")
	return p, entries, err
}

// prepareCut takes the snapshot for tables that are still to be read; they are read when the stream has come there. Where
// it cannot be had soon, the other tables do not wait for it.
func (r *reading) prepareCut(ctx context.Context) error {
	s := r.source
	if err := r.setState(true); err != nil || len(s.state.pending()) == 0 {
		return err
	}
	temporary, err := r.makeSlot(ctx, temporarySlot(s.cfg.Slot), true)
	if errors.Is(err, errOthersRun) {
		r.cutAgain = time.Now().Add(s.patience.cut)
		r.waitsFor, err = oldestTransaction(ctx, r.catalog.conn)
		return err
	}
	if err != nil {
		return err
	}
	defer temporary.close()
	crash.Point("postgres-source.after-temporary-slot")
	r.cut, err = r.openSnapshot(ctx, temporary)
	return err
}

// temporarySlot gives a name that no slot of a connector has: derived and chosen names do not begin so.
func temporarySlot(slot string) string { return "syncline_tmp_" + shortHash(slot) }

// setState tells the emitter the state as it is now.
func (r *reading) setState(advance bool) error {
	if err := r.out.SetState(r.source.state.encode()); err != nil {
		return err
	}
	if !advance {
		return nil
	}
	return r.out.Advance(r.pos, true)
}

// awaitState makes the state durable before it returns.
func (r *reading) awaitState(ctx context.Context) error {
	encoded := r.source.state.encode()
	if err := r.out.SetState(encoded); err != nil {
		return err
	}
	return r.source.awaitConfirm(ctx, r.out, r.pos, encoded)
}
