package postgres

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"go.uber.org/zap"

	"github.com/syncline-io/syncline/framework/failure"
	"github.com/syncline-io/syncline/schemas"
)

// PostgreSQL makes a slot only when every transaction has ended that was running and had written something when it was
// asked, and one that was prepared and forgotten never does. And with synchronous replication a transaction stays invisible
// until a standby has it. Neither wait has a bound of the server's, so that here nobody waits without a word, and where
// others would wait too, not for ever.

// patience bounds the waits for other transactions.
type patience struct {
	// slot is how long a slot may take before somebody is told for whom it waits.
	slot time.Duration
	// giveUp is how long a temporary slot may take. It is longer than most transactions last: where there is always one that
	// lasts longer, no try comes to an end.
	giveUp time.Duration
	// cut is how long the stream goes on without the tables that are still to be read, before it is seen whether their slot can
	// be tried again.
	cut time.Duration
	// visible is how long a transaction may stay invisible before it is looked into.
	visible time.Duration
}

var defaultPatience = patience{slot: 10 * time.Second, giveUp: time.Minute, cut: 5 * time.Minute, visible: 3 * time.Second}

// errOthersRun says that no snapshot can be had now.
var errOthersRun = errors.New("transactions of others have not ended")

// errCutAgain ends a run: the next one asks for a snapshot again.
var errCutAgain = errors.New("tables are still to be read, and no snapshot could be had of them: it is tried again")

// makeSlot makes a slot and tells for whom the server waits. A temporary one it gives up with errOthersRun.
func (r *reading) makeSlot(ctx context.Context, name string, temporary bool) (*createdSlot, error) {
	s := r.source
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	type answer struct {
		created *createdSlot
		err     error
	}
	answered := make(chan answer, 1)
	go func() {
		created, err := createSlot(ctx, s.server, name, temporary)
		answered <- answer{created, err}
	}()
	late := time.NewTimer(s.patience.slot)
	defer late.Stop()
	var over <-chan time.Time
	if temporary {
		over = time.After(s.patience.giveUp)
	}
	for {
		select {
		case a := <-answered:
			return a.created, a.err
		case <-late.C:
			oldest, err := oldestTransaction(ctx, r.catalog.conn)
			s.log.Warn("a replication slot waits for a transaction to end", zap.String("slot", name), zap.String("oldest", oldest.who), zap.Error(err))
			late.Reset(10 * s.patience.slot)
		case <-over:
			cancel()
			if a := <-answered; a.err == nil { // in the last moment
				return a.created, nil
			}
			return nil, errOthersRun
		}
	}
}

// transaction is one that has written something and goes on; the zero value is none.
type transaction struct {
	xid uint32
	who string
}

// oldestTransaction says whose transaction has run longest of those that have written something, in any database.
func oldestTransaction(ctx context.Context, conn *pgx.Conn) (oldest transaction, err error) {
	err = conn.QueryRow(ctx, `select xid, who from (
		select backend_xid, format('process %s (user %s, database %s, %s) since %s', pid, usename, datname, application_name, xact_start)
			from pg_stat_activity where backend_xid is not null
		union all
		select transaction, format('prepared transaction %L (user %s, database %s) since %s', gid, owner, database, prepared)
			from pg_prepared_xacts) t(xid, who) order by age(xid) desc limit 1`).Scan(&oldest.xid, &oldest.who)
	if errors.Is(err, pgx.ErrNoRows) {
		return transaction{who: "it has just ended"}, nil
	}
	return oldest, err
}

// goesOn reports whether the transaction has not ended, or not told other sessions so. The lock on a
// transaction's id is held until then, with a session or, once it is prepared, without.
func goesOn(ctx context.Context, conn *pgx.Conn, xid uint32) (held bool, err error) {
	err = conn.QueryRow(ctx,
		"select exists (select from pg_locks where locktype = 'transactionid' and transactionid::text = $1 and granted)",
		strconv.FormatUint(uint64(xid), 10)).Scan(&held)
	return held, err
}

// tryCut ends the run once it is time to ask for the snapshot again. Until the stream is past where it was resumed, that would
// lose the way to there, which is long where somebody holds the log back; and while the transaction goes on that no snapshot was
// had for, there is none to be had, and asking would stop the other tables for as long as it takes to give up.
func (r *reading) tryCut(ctx context.Context, at schemas.Version) error {
	if r.cutAgain.IsZero() || time.Now().Before(r.cutAgain) || at.Compare(r.stream.from) <= 0 {
		return nil
	}
	s := r.source
	held, err := goesOn(ctx, r.catalog.conn, r.waitsFor.xid)
	if err != nil {
		return fmt.Errorf("look for %s: %w", r.waitsFor.who, err)
	}
	if !held {
		return errCutAgain
	}
	s.log.Warn("tables are still to be read, and no snapshot can be had of them before a transaction ends",
		zap.Int("tables", len(s.state.pending())), zap.String("oldest", r.waitsFor.who))
	r.cutAgain = time.Now().Add(s.patience.cut)
	return nil
}

// invisible looks into a transaction that others do not see for long. When it waits for us, as one of the server's
// synchronous standbys, we would wait for each other: what we have read is confirmed after it was looked up, and it can be
// looked up after it was confirmed.
func (r *reading) invisible(ctx context.Context, xid uint32) error {
	s := r.source
	var state, names string
	err := r.catalog.conn.QueryRow(ctx, `select coalesce((select r.sync_state from pg_stat_replication r
		join pg_replication_slots p on p.active_pid = r.pid where p.slot_name = $1), ''), current_setting('synchronous_standby_names')`,
		s.cfg.Slot).Scan(&state, &names)
	if err != nil {
		return err
	}
	application := s.server.application()
	// A role without pg_read_all_stats does not see the state.
	if state == "sync" || state == "quorum" || state == "" && namesStandby(names, application) {
		return failure.WithHint(fmt.Errorf("transaction %d waits for this connector, which the server takes for a synchronous standby", xid),
			fmt.Sprintf("name the standbys in synchronous_standby_names: %s fits %q", names, application))
	}
	s.log.Warn("a transaction is in the log, and nobody sees what it did: it waits for a synchronous standby", zap.Uint32("xid", xid))
	return nil
}

// warnOfStandbyNames tells of a synchronous_standby_names that could make the connector a synchronous standby.
func (r *reading) warnOfStandbyNames(ctx context.Context) error {
	s := r.source
	var names string
	if err := r.catalog.conn.QueryRow(ctx, "select current_setting('synchronous_standby_names')").Scan(&names); err != nil {
		return fmt.Errorf("read synchronous_standby_names: %w", err)
	}
	if application := s.server.application(); namesStandby(names, application) {
		s.log.Warn("the server may take the connector for a synchronous standby, and its transactions would wait for it: name the standbys",
			zap.String("synchronous_standby_names", names), zap.String("application_name", application))
	}
	return nil
}

// namesStandby reports whether a value of synchronous_standby_names, such as FIRST 1 (s1, "s 2") or *, fits the name.
func namesStandby(names, application string) bool {
	for _, name := range strings.FieldsFunc(names, func(r rune) bool { return r == ',' || r == '(' || r == ')' }) {
		if name = strings.Trim(name, ` "`); name == "*" || strings.EqualFold(name, application) {
			return true
		}
	}
	return false
}
