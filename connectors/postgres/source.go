package postgres

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"go.uber.org/zap"

	"github.com/syncline-io/syncline/framework/failure"
	"github.com/syncline-io/syncline/framework/source"
	"github.com/syncline-io/syncline/schemas"
)

// SourceConnector reads a PostgreSQL database: a snapshot of the chosen tables by COPY, then their changes from a
// logical replication slot.
var SourceConnector = source.Connector[SourceConfig]{
	Name:     "postgres-source",
	Section:  "postgres",
	Defaults: sourceDefaults(),
	Open:     openSource,
	Verify:   VerifySource,
	Tables:   describeSource,
}

// pgSource reads one database.
//
// It has up to four connections: session holds the lease and is the monitor's while Run runs; catalog belongs to Run,
// and a replication connection does; a snapshot has one of its own.
type pgSource struct {
	cfg     SourceConfig
	env     source.Env
	log     *zap.Logger
	server  *server
	session *pgx.Conn
	// answerTimeout bounds one try for the lease.
	answerTimeout time.Duration
	// publicationInterval is how often the publication is looked at while the source runs.
	publicationInterval time.Duration
	patience            patience
	prefixes            prefixes // of the messages that are published
	// keySetBytes bounds what is kept in memory of a transaction that writes to tables with deferrable keys.
	keySetBytes int

	state  *state
	tables map[uint32]bool // OIDs whose changes count, pending ones included

	mu        sync.Mutex
	confirmed source.Position
	stream    *replication  // set while there is one, for Confirm
	news      chan struct{} // has a token after every Confirm

	watched atomic.Pointer[watched] // set once the publication is as the stream needs it

	progress progress
}

var _ source.Source = (*pgSource)(nil)

// openSource connects and checks what can be checked without changing anything.
func openSource(ctx context.Context, cfg SourceConfig, env source.Env) (source.Source, error) {
	return newSource(ctx, cfg, env)
}

func newSource(ctx context.Context, cfg SourceConfig, env source.Env) (*pgSource, error) {
	if err := cfg.Validate(); err != nil {
		return nil, failure.As(failure.Config, err, "")
	}
	cfg = cfg.withNames(env.Name)
	srv, err := newServer(cfg.URL, "syncline "+env.Name)
	if err != nil {
		return nil, err
	}
	s := &pgSource{
		cfg: cfg, env: env, log: env.Log, server: srv, news: make(chan struct{}, 1), answerTimeout: monitorTimeout,
		publicationInterval: publicationInterval, patience: defaultPatience, keySetBytes: keySetWithin(env.Memory),
	}
	if s.log == nil {
		s.log = zap.NewNop()
	}
	if s.prefixes, err = newPrefixes(cfg.MessagePrefixIncludeList, cfg.MessagePrefixExcludeList); err != nil {
		return nil, failure.As(failure.Config, err, "")
	}
	if s.session, err = srv.session(ctx); err != nil {
		return nil, err
	}
	if err := s.check(ctx); err != nil {
		_ = s.Close()
		return nil, err
	}
	return s, nil
}

func (s *pgSource) check(ctx context.Context) error {
	if err := checkServer(ctx, s.session); err != nil {
		return err
	}
	if _, err := identify(ctx, s.server); err != nil {
		return err
	}
	chosen, err := chooseTables(ctx, s.session, s.cfg)
	if err != nil {
		return err
	}
	if err := checkTopics(chosen); err != nil {
		return err
	}
	if err := checkTables(ctx, s.session, chosen, s.log); err != nil {
		return err
	}
	return s.checkBinary(ctx, chosen)
}

// Confirm notes what is durable; the stream's own goroutine tells the server.
func (s *pgSource) Confirm(p source.Position) {
	s.mu.Lock()
	s.confirmed = p
	if s.stream != nil && p.Version.Low == 0 {
		s.stream.durable.Store(max(s.stream.durable.Load(), p.Version.High))
	}
	s.mu.Unlock()
	select {
	case s.news <- struct{}{}:
	default:
	}
}

// Close ends the stream with a last status, then gives the lease back.
func (s *pgSource) Close() error {
	s.mu.Lock()
	stream := s.stream
	s.stream = nil
	s.mu.Unlock()
	var errs []error
	if stream != nil {
		errs = append(errs, stream.Close())
	}
	if s.session != nil {
		ctx, cancel := context.WithTimeout(context.Background(), farewellTimeout)
		defer cancel()
		errs = append(errs, s.session.Close(ctx))
	}
	return errors.Join(errs...)
}

// Run reads from the position on. See start.go for what the position means, snapshot.go for reading tables and
// stream.go for reading changes.
func (s *pgSource) Run(ctx context.Context, from source.Position, out source.Emitter) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	conn, err := s.server.session(ctx)
	if err != nil {
		return err
	}
	defer closeConn(conn)
	monitored := make(chan struct{})
	go func() {
		defer close(monitored)
		if err := s.monitor(ctx); err != nil {
			cancel(err)
		}
	}()
	err = s.run(ctx, &catalog{conn: conn, database: s.server.config.Database, hide: s.cfg.ExcludeColumns, modes: s.cfg.modes()}, from, out)
	if cause := context.Cause(ctx); cause != nil && failure.Classify(err) == failure.Retry {
		err = cause // why the context ended says more than who noticed first
	}
	cancel(nil)
	<-monitored
	return err
}

func (s *pgSource) run(ctx context.Context, cat *catalog, from source.Position, out source.Emitter) error {
	content := schemas.Type{Kind: schemas.Bytes}
	cat.modes.apply(&content, false)
	r := &reading{
		source: s, catalog: cat, out: out, known: map[uint32]*schemas.Table{},
		messages: schemas.MessageTable(systemName, cat.database, content), marks: schemas.TransactionTable(systemName, cat.database),
	}
	if err := r.begin(ctx, from); err != nil {
		return err
	}
	return r.follow(ctx)
}

// awaitConfirm waits until a position with this state is durable. It asks for it again from time to time: the emitter
// then tells when publishing has failed.
func (s *pgSource) awaitConfirm(ctx context.Context, out source.Emitter, v schemas.Version, encoded []byte) error {
	for {
		if err := out.Advance(v, true); err != nil {
			return err
		}
		again := time.NewTimer(confirmPoll)
		for waiting := true; waiting; {
			select {
			case <-ctx.Done():
				again.Stop()
				return context.Cause(ctx)
			case <-again.C:
				waiting = false
			case <-s.news:
				s.mu.Lock()
				p := s.confirmed
				s.mu.Unlock()
				if sameState(p, encoded) {
					again.Stop()
					return nil
				}
			}
		}
	}
}

func closeConn(c *pgx.Conn) {
	ctx, cancel := context.WithTimeout(context.Background(), farewellTimeout)
	defer cancel()
	_ = c.Close(ctx)
}

// setStream makes Confirm reach the stream.
func (s *pgSource) setStream(r *replication) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stream = r
	if s.confirmed.State != nil && s.confirmed.Version.Low == 0 {
		r.durable.Store(max(r.durable.Load(), s.confirmed.Version.High))
	}
}

// settings is a hash of what, besides the publication's own history, decides which messages a transaction consists of.
func (s *pgSource) settings() string {
	return shortHash(fmt.Sprintf("pgoutput 1 messages %s", s.cfg.Publication))
}

// settingsWithoutMessages is what settings was before messages were asked for.
func (s *pgSource) settingsWithoutMessages() string {
	return shortHash(fmt.Sprintf("pgoutput 1 %s", s.cfg.Publication))
}
