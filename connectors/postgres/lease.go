package postgres

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"go.uber.org/zap"

	"github.com/syncline-io/syncline/framework/failure"
	"github.com/syncline-io/syncline/framework/source"
)

const (
	leasePollMin = 250 * time.Millisecond
	leasePollMax = 3 * time.Second
	confirmPoll  = 2 * time.Second
	// monitorTimeout bounds one look at the server; a session that does not answer has lost the lease.
	monitorTimeout = 30 * time.Second
)

// Lease takes the advisory lock of the connector's name, which lives as long as the session, and then waits until
// nobody reads from the slot: a predecessor whose session has died may still be streaming.
func (s *pgSource) Lease(ctx context.Context) error {
	wait := failure.Backoff{Min: leasePollMin, Max: leasePollMax}
	waiting := false
	for {
		holder, err := s.tryLease(ctx)
		if err != nil {
			return err
		}
		if holder == "" {
			if waiting {
				s.tellStandby(false, "")
			}
			return nil
		}
		if !waiting {
			s.log.Info("waiting as a standby", zap.String("holder", holder))
		}
		waiting = true
		s.tellStandby(true, holder)
		if err := failure.Sleep(ctx, wait.Next(nil)); err != nil {
			return err
		}
	}
}

func (s *pgSource) tellStandby(waiting bool, holder string) {
	if s.env.Standby != nil {
		s.env.Standby(waiting, holder)
	}
}

// tryLease returns who holds the lease, "" when it is ours now. A server that is gone without a word must not keep a
// standby waiting for its answer.
func (s *pgSource) tryLease(ctx context.Context) (holder string, err error) {
	ctx, cancel := context.WithTimeout(ctx, s.answerTimeout)
	defer cancel()
	key := leaseKey(s.env.Name)
	var locked bool
	if err := s.session.QueryRow(ctx, "select pg_try_advisory_lock($1)", key).Scan(&locked); err != nil {
		return "", fmt.Errorf("take the lease: %w", err)
	}
	if !locked {
		return s.describeHolder(ctx, `select pid from pg_locks where locktype = 'advisory' and granted
			and database = (select oid from pg_database where datname = current_database())
			and (classid::bigint << 32 | objid::bigint) = $1 and objsubid = 1`, key)
	}
	slot, err := readSlot(ctx, s.session, s.cfg.Slot)
	if err != nil {
		return "", err
	}
	if slot == nil || slot.activePID == 0 {
		return "", nil
	}
	// Not ours after all. The lock is kept out of others' way until the slot is free.
	if _, err := s.session.Exec(ctx, "select pg_advisory_unlock($1)", key); err != nil {
		return "", fmt.Errorf("give the lease back: %w", err)
	}
	return s.describeHolder(ctx, "select $1::int", slot.activePID)
}

// describeHolder names the process that the query finds.
func (s *pgSource) describeHolder(ctx context.Context, pidQuery string, arg any) (string, error) {
	var holder string
	err := s.session.QueryRow(ctx, `select format('process %s of the server (%s from %s)', pid, application_name,
		coalesce(host(client_addr), 'a local socket')) from pg_stat_activity where pid in (`+pidQuery+`) limit 1`, arg).Scan(&holder)
	if errors.Is(err, pgx.ErrNoRows) {
		return "a process that is just ending", nil
	}
	if err != nil {
		return "", fmt.Errorf("look for the lease's holder: %w", err)
	}
	return holder, nil
}

// leaseKey is the advisory lock of a connector. Advisory locks belong to one database, as a source does.
func leaseKey(connector string) int64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte("syncline source " + connector))
	return int64(h.Sum64())
}

// progress is written by Run and read by the monitor.
type progress struct {
	snapshot               atomic.Bool
	table                  atomic.Pointer[string]
	rowsDone, rowsExpected atomic.Int64
	// read is how far the log has been handled; active is raised with every transaction of ours.
	read, active atomic.Uint64
}

// monitor watches over the lease's session, tells the progress, and makes the log move on while nothing of ours is
// written to it. It returns an error when the session, and with it the lease, is lost, or the publication was altered.
func (s *pgSource) monitor(ctx context.Context) error {
	ticker := time.NewTicker(monitorInterval)
	defer ticker.Stop()
	var beat heartbeat
	looked := time.Now()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
		end, err := s.look(ctx)
		if err == nil && beat.due(s, end) {
			err = s.emitHeartbeat(ctx)
		}
		if err == nil && time.Since(looked) >= s.publicationInterval {
			looked = time.Now()
			err = s.checkPublication(ctx)
		}
		if ctx.Err() != nil {
			return nil
		}
		if errors.Is(err, errAltered) || failure.IsFinal(err) {
			return err
		}
		if err != nil {
			return fmt.Errorf("the session that holds the lease is lost: %w", err)
		}
		s.tellProgress(end)
	}
}

const monitorInterval = time.Second

// look asks the server for the end of its log, on the session that holds the lease.
func (s *pgSource) look(ctx context.Context) (end lsn, err error) {
	ctx, cancel := context.WithTimeout(ctx, monitorTimeout)
	defer cancel()
	var text string
	err = s.session.QueryRow(ctx, `select (case when pg_is_in_recovery() then pg_last_wal_receive_lsn()
		else pg_current_wal_lsn() end)::text`).Scan(&text)
	if err != nil {
		return 0, err
	}
	return end, end.UnmarshalText([]byte(text))
}

func (s *pgSource) tellProgress(end lsn) {
	if s.env.Progress == nil {
		return
	}
	p := source.Progress{
		LogBehind: -1,
		RowsDone:  s.progress.rowsDone.Load(), RowsExpected: s.progress.rowsExpected.Load(),
	}
	if read := lsn(s.progress.read.Load()); read != 0 { // else slot and snapshot are still being made
		p.Phase = "stream"
		p.LogBehind = int64(max(end, read) - read)
	}
	if s.progress.snapshot.Load() {
		p.Phase = "snapshot"
		if t := s.progress.table.Load(); t != nil {
			p.Table = *t
		}
	}
	s.env.Progress(p)
}

// heartbeat decides when the log needs a push: others write to it, and nothing of ours has passed for an interval.
type heartbeat struct {
	last   time.Time
	active uint64
	end    lsn
}

// heartbeatLag is how much of the log others must have written for a heartbeat to be worth its own few bytes; without
// it, heartbeats alone would keep an idle server's log growing.
const heartbeatLag = 64 << 10

func (h *heartbeat) due(s *pgSource, end lsn) bool {
	active := s.progress.active.Load()
	if h.last.IsZero() || active != h.active {
		h.last, h.active, h.end = time.Now(), active, end
		return false
	}
	if time.Since(h.last) < s.cfg.HeartbeatInterval || end < h.end+heartbeatLag {
		return false
	}
	h.last, h.end = time.Now(), end
	return true
}

// emitHeartbeat writes a message into the log, so that the walsender has something to decode and to report.
func (s *pgSource) emitHeartbeat(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, monitorTimeout)
	defer cancel()
	_, err := s.session.Exec(ctx, "select pg_logical_emit_message(false, $1, '') where not pg_is_in_recovery()", heartbeatPrefix)
	if sqlState(err) == codeNoPrivilege {
		s.log.Warn("heartbeats are not allowed: grant EXECUTE on pg_logical_emit_message", zap.Error(err))
		return nil
	}
	return err
}
