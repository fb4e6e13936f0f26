package postgres

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"go.uber.org/zap"

	"github.com/syncline-io/syncline/framework/crash"
	"github.com/syncline-io/syncline/framework/failure"
	"github.com/syncline-io/syncline/framework/sink"
	"github.com/syncline-io/syncline/framework/warehouse"
)

// pgSink writes to one PostgreSQL database over one session. Rows and ledger commit together (class A).
//
// The session is dropped after every error that may have hurt it, and made again by the next call: staging tables and
// prepared statements live in it, and are made when they are first needed.
type pgSink struct {
	cfg    SinkConfig
	config *pgx.ConnConfig
	env    sink.Env

	user, database string

	// frozen is for how long a member may bring nothing in the middle of a COPY before another that it holds up ends it.
	frozen time.Duration

	session *sinkSession // nil: connect first
	plans   map[string]*sinkPlan
}

// sinkFrozen is more than any COPY of a batch waits for its sender.
const sinkFrozen = 2 * time.Minute

// sinkConnectTimeout bounds one connection attempt when the URL does not.
const sinkConnectTimeout = 15 * time.Second

func openSink(ctx context.Context, cfg SinkConfig, env sink.Env) (sink.Sink, error) {
	if err := cfg.Validate(); err != nil {
		return nil, failure.As(failure.Config, err, "")
	}
	config, err := pgx.ParseConfig(cfg.URL.Reveal())
	if err != nil {
		return nil, failure.As(failure.Config, fmt.Errorf("url: %w", err), "")
	}
	if config.ConnectTimeout == 0 {
		config.ConnectTimeout = sinkConnectTimeout
	}
	if config.RuntimeParams["application_name"] == "" {
		config.RuntimeParams["application_name"] = "syncline " + env.Name
	}
	s := &pgSink{cfg: cfg, config: config, env: env, frozen: sinkFrozen, plans: map[string]*sinkPlan{}}
	if err := s.connect(ctx); err != nil {
		return nil, openError(err)
	}
	if err := s.prepareTarget(ctx); err != nil {
		return nil, errors.Join(s.explain(err), s.Close())
	}
	return s, nil
}

// sinkSettings makes the session independent of the role's and the database's defaults: texts are read in one way,
// names of types and operators mean the built-in ones, and a commit is durable when it is acknowledged. A session that
// holds locks and hears nothing for a minute is ended by the server, so that a frozen process cannot keep the one that
// took over waiting; in the middle of a COPY that does not count (see endFrozen), and a machine that went away without a
// word is found out by the server's keepalives. Plans of single-row statements are made anew: a kept one may stem from the time when the table
// was empty. A staging table is joined with the target by the index on its key, whatever the planner thinks of a table whose
// statistics it does not know: reading the whole target for a batch is never right.
const sinkSettings = `select set_config(name, value, false) from (values
	('search_path', 'pg_catalog'), ('DateStyle', 'ISO, YMD'), ('IntervalStyle', 'postgres'), ('TimeZone', 'UTC'), ('lc_monetary', 'C'),
	('client_encoding', 'UTF8'), ('standard_conforming_strings', 'on'), ('xmloption', 'content'),
	('statement_timeout', '0'), ('lock_timeout', '30s'), ('idle_in_transaction_session_timeout', '60s'),
	('tcp_keepalives_idle', '10'), ('tcp_keepalives_interval', '5'), ('tcp_keepalives_count', '4'),
	('plan_cache_mode', 'force_custom_plan'), ('enable_hashjoin', 'off'), ('enable_mergejoin', 'off'), ('jit', 'off'), ('client_min_messages', 'warning'),
	('synchronous_commit', case current_setting('synchronous_commit') when 'off' then 'on' else current_setting('synchronous_commit') end)
) s(name, value)`

// connect makes the session if there is none.
func (s *pgSink) connect(ctx context.Context) error {
	if s.session != nil && !s.session.conn.IsClosed() && len(s.session.prepared) < sinkStatements {
		return nil
	}
	s.drop()
	conn, err := pgx.ConnectConfig(ctx, s.config)
	if err != nil {
		return s.connectError(err)
	}
	if _, err := conn.Exec(ctx, sinkSettings); err != nil {
		_ = conn.Close(ctx)
		return fmt.Errorf("session settings: %w", err)
	}
	if _, err := conn.Exec(ctx, "select pg_advisory_lock_shared($1, $2)", int32(sinkMarkLock), s.mark()); err != nil {
		_ = conn.Close(ctx)
		return fmt.Errorf("mark the session as this connector's: %w", err)
	}
	s.session = newSinkSession(conn)
	return nil
}

// drop ends the session without waiting for the server.
func (s *pgSink) drop() {
	if s.session == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_ = s.session.conn.Close(ctx)
	s.session = nil
	clear(s.plans)
}

// prepareTarget checks the role and makes the sink's own tables.
func (s *pgSink) prepareTarget(ctx context.Context) error {
	return s.transact(ctx, func(tx pgx.Tx) error {
		var standby, mayCreate, exists, mayUse, mayFill, ready bool
		const sql = `select current_user, current_database(), pg_is_in_recovery(), has_database_privilege(current_database(), 'CREATE'),
	n.oid is not null, coalesce(has_schema_privilege(n.oid, 'USAGE'), false), coalesce(has_schema_privilege(n.oid, 'CREATE'), false),
	exists (select from pg_class c where c.relnamespace = n.oid and c.relname = 'ledger')
		and exists (select from pg_class c where c.relnamespace = n.oid and c.relname = 'tables')
from (select) one left join pg_namespace n on n.nspname = $1`
		err := tx.QueryRow(ctx, sql, s.cfg.Schema).
			Scan(&s.user, &s.database, &standby, &mayCreate, &exists, &mayUse, &mayFill, &ready)
		switch {
		case err != nil:
			return err
		case standby:
			return failure.WithHint(fmt.Errorf("database %s is a standby that takes no writes", s.database), "point url at the primary")
		case !exists && !mayCreate:
			return failure.As(failure.Config, fmt.Errorf("schema: role %s may not create %q in database %s", s.user, s.cfg.Schema, s.database),
				s.grantCreate(s.cfg.Schema))
		case exists && !mayUse, exists && !ready && !mayFill:
			return failure.As(failure.Config, fmt.Errorf("schema: role %s may not use %q in database %s", s.user, s.cfg.Schema, s.database),
				fmt.Sprintf("grant usage, create on schema %s to %s", warehouse.QuoteName(s.cfg.Schema), warehouse.QuoteName(s.user)))
		case ready:
			return nil
		}
		return s.createOwnTables(ctx, tx)
	})
}

func (s *pgSink) createOwnTables(ctx context.Context, tx pgx.Tx) error {
	if _, err := tx.Exec(ctx, sinkDDLLock); err != nil {
		return err
	}
	if err := s.createSchema(ctx, tx, s.cfg.Schema); err != nil {
		return err
	}
	if _, err := tx.Exec(ctx, fmt.Sprintf(ledgerTables, warehouse.QuoteName(s.cfg.Schema))); err != nil {
		return err
	}
	crash.Point("postgres-sink.own-tables-made")
	return nil
}

// sinkBegin begins a transaction. Constraints of the target's owner that can wait for its end do: rows come by table, not in
// the order in which the source wrote them.
const sinkBegin = "begin isolation level read committed read write; set constraints all deferred"

// transact runs f in a transaction of its own. After an error the transaction is rolled back, or the session dropped
// when the server cannot be asked to: then it is unknown whether the transaction was committed, and the caller must
// look (the framework claims again).
func (s *pgSink) transact(ctx context.Context, f func(tx pgx.Tx) error) error {
	if err := s.connect(ctx); err != nil {
		return err
	}
	tx, err := s.session.conn.BeginTx(ctx, pgx.TxOptions{BeginQuery: sinkBegin})
	if err != nil {
		s.drop()
		return err
	}
	if err := f(tx); err != nil {
		if rollback := tx.Rollback(ctx); rollback != nil {
			s.drop()
		} else {
			s.session.rolledBack()
			if sinkState(err) == "55P03" {
				s.endFrozen(ctx)
			}
		}
		return err
	}
	if err := tx.Commit(ctx); err != nil {
		if strings.HasPrefix(sinkState(err), "23") { // a deferred constraint: that is an answer
			s.session.rolledBack()
		} else {
			s.drop()
		}
		return fmt.Errorf("commit: %w", err)
	}
	s.session.committed()
	return nil
}

// sinkMarkLock is the class of the advisory locks by which the sessions of a connector's members know each other: they share
// one. Another connector may have the same role, and the same application_name if its URL sets one.
const sinkMarkLock = 7310036

// mark is the number of the lock that this connector's sessions share.
func (s *pgSink) mark() int32 {
	h := fnv.New32a()
	_, _ = io.WriteString(h, s.cfg.Schema+"\x00"+s.env.Name)
	return int32(h.Sum32())
}

// endFrozen ends sessions of other members that hold locks in the middle of a COPY and have brought nothing for long: the
// process is frozen, its kernel still answers keepalives, and idle_in_transaction_session_timeout does not count while a COPY
// waits for its client. It is called when a lock was waited for in vain. A member that is merely slow loses its transaction
// and begins again. A role that the URL sets is laid aside: a session may be ended by the role that it was opened with.
func (s *pgSink) endFrozen(ctx context.Context) {
	const sql = `select count(pg_terminate_backend(pid)) from pg_stat_activity
where datname = current_database() and usename = session_user and pid <> pg_backend_pid()
	and pid in (select l.pid from pg_locks l join pg_database d on d.oid = l.database
		where d.datname = current_database() and l.locktype = 'advisory' and l.classid::bigint = $1 and l.objid::bigint = $2 and l.objsubid = 2)
	and state = 'active' and wait_event = 'ClientRead' and query_start < clock_timestamp() - make_interval(secs => $3)`
	var ended int
	err := pgx.BeginFunc(ctx, s.session.conn, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "set local role none"); err != nil {
			return err
		}
		return tx.QueryRow(ctx, sql, int64(sinkMarkLock), int64(uint32(s.mark())), s.frozen.Seconds()).Scan(&ended)
	})
	if err != nil {
		s.drop() // the lock is waited for again, and whoever holds it looked for
	}
	if ended > 0 || err != nil {
		s.env.Log.Warn("ended sessions of members that stand still in a COPY", zap.Int("sessions", ended), zap.Error(err))
	}
}

// Write applies the batch and moves the ledger in one transaction. Tables come in the order of their names and the
// ledger last, in every member, so that no two wait for each other; the ledger's rows are locked for the shortest time.
func (s *pgSink) Write(ctx context.Context, b *sink.Batch) error {
	tables := make([]*sink.TableBatch, len(b.Tables))
	for i := range b.Tables {
		tables[i] = &b.Tables[i]
	}
	slices.SortStableFunc(tables, func(a, b *sink.TableBatch) int {
		return cmp.Or(cmp.Compare(a.Table.Schema, b.Table.Schema), cmp.Compare(a.Table.Name, b.Table.Name))
	})
	err := s.write(ctx, tables, b.Moves)
	if sinkState(err) == "22P02" || errors.Is(err, errAttributes) {
		// A composite type may have been given an attribute by another member since the plan was made, and a row that is
		// refused is a dead letter. (What is right is refused once more.)
		if s.forgetComposites(tables) {
			err = s.write(ctx, tables, b.Moves)
		}
	}
	if staleState(sinkState(err)) || errors.Is(err, errTableChanged) {
		// Another member or a person changed a table. What is remembered of it is read again by the next try.
		s.drop()
	}
	return s.explain(err)
}

func (s *pgSink) write(ctx context.Context, tables []*sink.TableBatch, moves []sink.Move) error {
	return s.transact(ctx, func(tx pgx.Tx) error {
		var plans []*sinkPlan
		for _, t := range tables {
			p, err := s.planFor(ctx, tx, t.Table)
			if err != nil {
				return fmt.Errorf("read table %s: %w", t.Table, s.deniedRows(err, t.Table))
			}
			if err := s.writeTable(ctx, tx, p, t); err != nil {
				return s.deniedRows(err, t.Table)
			}
			plans = append(plans, p)
			tableWritten()
		}
		err := s.finish(ctx, tx, plans, moves)
		ledgerMoved()
		return err
	})
}

// tableWritten and ledgerMoved are points of [pgSink.write]; in its function literal the compiler would keep their names.
func tableWritten() { crash.Point("postgres-sink.table-written") }
func ledgerMoved()  { crash.Point("postgres-sink.ledger-moved") }

// forgetComposites makes the next write read the tables with composite types again, and reports whether there are any.
func (s *pgSink) forgetComposites(tables []*sink.TableBatch) (any bool) {
	for _, t := range tables {
		p := s.plans[t.Table.Schema+"\x00"+t.Table.Name]
		if p != nil && p.composite {
			s.forget(t.Table)
			any = true
		}
	}
	return any
}

// staleState reports whether a table is not what its plan took it for.
func staleState(code string) bool {
	switch code {
	case "42P01", "42703", "42704", "42804", "42P10", "3F000", "0A000", "22P03":
		return true
	}
	return false
}

// writeTable applies one table's changes inside the transaction.
func (s *pgSink) writeTable(ctx context.Context, tx pgx.Tx, p *sinkPlan, b *sink.TableBatch) error {
	w := sinkWriter{session: s.session, plan: p, tx: tx}
	if b.Truncate {
		if err := w.truncate(ctx); err != nil {
			return fmt.Errorf("truncate %s: %w", b.Table, err)
		}
		crash.Point("postgres-sink.table-truncated")
	}
	if len(b.Rows) == 0 {
		return nil
	}
	if len(b.Table.Key) == 0 {
		return w.keyless(ctx, b.Rows)
	}
	return w.keyed(ctx, b.Rows)
}

// Close ends the session.
func (s *pgSink) Close() error {
	s.drop()
	return nil
}
