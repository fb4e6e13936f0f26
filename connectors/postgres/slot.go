package postgres

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pglogrepl"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/syncline-io/syncline/framework/failure"
)

func slotGone(slot string, err error) error {
	cause := fmt.Errorf("replication slot %s is gone although a position exists", slot)
	if err != nil {
		cause = fmt.Errorf("%w: %w", cause, err)
	}
	return failure.As(failure.Gap, cause, hintAfterGap)
}

// slot is what the catalog says of a replication slot.
type slot struct {
	name, plugin, kind, database string
	activePID                    int32 // 0 when nobody reads it
	confirmed                    lsn
	// wal is reserved, extended, unreserved or lost.
	wal string
}

// readSlot returns nil when there is none of this name.
func readSlot(ctx context.Context, conn *pgx.Conn, name string) (*slot, error) {
	s := &slot{name: name}
	var confirmed string
	err := conn.QueryRow(ctx, `select coalesce(plugin, ''), slot_type, coalesce(database, ''), coalesce(active_pid, 0),
		coalesce(confirmed_flush_lsn, '0/0')::text, coalesce(wal_status, '') from pg_replication_slots where slot_name = $1`, name).
		Scan(&s.plugin, &s.kind, &s.database, &s.activePID, &confirmed, &s.wal)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read replication slot %s: %w", name, err)
	}
	return s, s.confirmed.UnmarshalText([]byte(confirmed))
}

// check refuses a slot that cannot serve this database, or whose log the server has given up.
func (s *slot) check(database string) error {
	switch {
	case s.kind != "logical" || s.plugin != "pgoutput":
		return failure.As(failure.Config, fmt.Errorf("postgres.slot: %s is a %s slot with plugin %q", s.name, s.kind, s.plugin),
			"name another slot, or make one with the plugin pgoutput")
	case s.database != database:
		return failure.As(failure.Config, fmt.Errorf("postgres.slot: %s belongs to database %s", s.name, s.database),
			"name another slot: slots are shared by all databases of a server")
	case s.wal == "lost":
		return failure.As(failure.Gap,
			fmt.Errorf("replication slot %s has lost its log: it fell behind by more than max_slot_wal_keep_size allows", s.name),
			hintAfterGap)
	}
	return nil
}

// checkPosition compares the slot with the place from which a position goes on.
func (s *slot) checkPosition(resume, end lsn) error {
	switch {
	case s.confirmed > resume:
		return failure.As(failure.Gap,
			fmt.Errorf("replication slot %s is ahead of the position: the slot is at %s, the position at %s", s.name, s.confirmed, resume),
			"somebody else has read from the slot, or the position was set back; "+hintAfterGap)
	case resume > end:
		return failure.As(failure.Gap,
			fmt.Errorf("the position %s is beyond the end of the server's log, %s", resume, end),
			"the server was restored from a backup, or is another one; "+hintAfterGap)
	}
	return nil
}

// createdSlot is a new slot. Its exported snapshot lives until conn is used or closed.
type createdSlot struct {
	conn       *pgconn.PgConn
	consistent lsn
	snapshot   string
}

// createSlot makes a logical slot and exports the snapshot of its consistent point. It waits for the transactions that
// are running now. A temporary slot goes away with conn.
func createSlot(ctx context.Context, s *server, name string, temporary bool) (*createdSlot, error) {
	conn, err := s.replication(ctx, nil)
	if err != nil {
		return nil, err
	}
	result, err := pglogrepl.CreateReplicationSlot(ctx, conn, quoteName(name), "pgoutput",
		pglogrepl.CreateReplicationSlotOptions{Temporary: temporary, SnapshotAction: "EXPORT_SNAPSHOT"})
	if err != nil {
		_ = conn.Close(ctx)
		err = fmt.Errorf("create replication slot %s: %w", name, err)
		if sqlState(err) == codeLimitExceeded {
			return nil, failure.WithHint(err, "raise max_replication_slots, or drop a slot that nobody reads; "+
				"reading tables later needs a second slot for a moment")
		}
		return nil, err
	}
	created := &createdSlot{conn: conn, snapshot: result.SnapshotName}
	if err := created.consistent.UnmarshalText([]byte(result.ConsistentPoint)); err != nil {
		_ = conn.Close(ctx)
		return nil, fmt.Errorf("create replication slot %s: %w", name, err)
	}
	return created, nil
}

func (c *createdSlot) close() {
	ctx, cancel := context.WithTimeout(context.Background(), farewellTimeout)
	defer cancel()
	_ = c.conn.Close(ctx)
}

// serverLog identifies the server's log, and where it ends.
type serverLog struct {
	system   string
	timeline int32
	end      lsn
}

// identify asks the server for its log; it needs, and so proves, the right to replicate.
func identify(ctx context.Context, s *server) (serverLog, error) {
	conn, err := s.replication(ctx, nil)
	if err != nil {
		return serverLog{}, err
	}
	defer func() { _ = conn.Close(ctx) }()
	id, err := pglogrepl.IdentifySystem(ctx, conn)
	if err != nil {
		return serverLog{}, fmt.Errorf("identify the server: %w", err)
	}
	return serverLog{system: id.SystemID, timeline: id.Timeline, end: lsn(id.XLogPos)}, nil
}
