package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/syncline-io/syncline/framework/embedded"
	"github.com/syncline-io/syncline/framework/localpg"
	"github.com/syncline-io/syncline/integration/engines"
)

// stage is what all lines share: one PostgreSQL server, the embedded broker with its registry (in this process, so in
// another one than the connector), other servers once they are needed, the loads, and a folder.
type stage struct {
	dir      string
	programs string // folder of psql and pg_recvlogical
	server   *engines.Postgres
	embedded *embedded.Server
	broker   *broker        // the embedded one
	started  map[string]any // servers that are started when they are needed first
	stops    []func()       // stop them, the last first
	loads    map[string]load
	binaries map[string]string
	names    int
	progress io.Writer
	profile  string
	began    time.Time
}

// serverSettings keep checkpoints and vacuum out of the runs of both sides.
var serverSettings = map[string]string{
	"shared_buffers":            "512MB",
	"max_wal_size":              "16GB",
	"checkpoint_timeout":        "1h",
	"autovacuum":                "off",
	"max_locks_per_transaction": "256", // a publication of a thousand tables locks them all
}

func openStage(ctx context.Context, progress io.Writer, profile string) (s *stage, err error) {
	s = &stage{progress: progress, profile: profile, began: time.Now(), started: map[string]any{}, loads: map[string]load{}, binaries: map[string]string{}}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.close())
		}
	}()
	if profile != "" {
		if err := os.MkdirAll(profile, 0o755); err != nil {
			return s, err
		}
	}
	if s.dir, err = engines.TemporaryFolder(); err != nil {
		return s, err
	}
	if s.programs, err = localpg.Find(); err != nil {
		return s, err
	}
	// fsync stays on: subject and baseline of the sink write to this same server.
	s.server, err = engines.StartPostgres(ctx, engines.PostgresOptions{Dir: s.file("postgres"), Settings: serverSettings, Fsync: true})
	if err != nil {
		return s, err
	}
	if s.embedded, err = embedded.Start(ctx, embedded.Config{Dir: s.file("broker")}); err != nil {
		return s, err
	}
	s.broker, err = connectBroker("embedded broker", s.embedded.Brokers()[0], os.Getpid())
	return s, err
}

func (s *stage) close() error {
	var errs []error
	for _, stop := range slices.Backward(s.stops) {
		stop()
	}
	if s.broker != nil {
		s.broker.close()
	}
	if s.embedded != nil {
		errs = append(errs, s.embedded.Close())
	}
	if s.server != nil {
		s.server.Stop()
	}
	if s.dir != "" {
		errs = append(errs, os.RemoveAll(s.dir))
	}
	return errors.Join(errs...)
}

// started returns the server of the name, which is started when it is asked for first and stopped with the stage.
func started[T any](s *stage, name string, start func(dir string) (server T, stop func(), err error)) (T, error) {
	if server, ok := s.started[name]; ok {
		return server.(T), nil
	}
	s.say("starting %s", name)
	server, stop, err := start(s.file(strings.ReplaceAll(name, " ", "-")))
	if err != nil {
		return server, err
	}
	s.started[name] = server
	s.stops = append(s.stops, stop)
	return server, nil
}

func (s *stage) file(name string) string { return filepath.Join(s.dir, name) }

// unique makes a name that no other run has; it is good for connectors, and for slots with its dashes as underscores.
func (s *stage) unique(what string) string {
	s.names++
	return fmt.Sprintf("bench-%s-%d", what, s.names)
}

func underscored(name string) string { return strings.ReplaceAll(name, "-", "_") }

// say tells whoever waits what is going on.
func (s *stage) say(format string, args ...any) {
	fmt.Fprintf(s.progress, "%5.0fs  %s\n", time.Since(s.began).Seconds(), fmt.Sprintf(format, args...))
}

// dropLoad gives back what a load holds, unless it was never made.
func (s *stage) dropLoad(ctx context.Context, name string) error {
	l, ok := s.loads[name]
	if !ok {
		return nil
	}
	delete(s.loads, name)
	return l.drop(ctx)
}

// database makes a database, unless it exists, and connects to it.
func (s *stage) database(ctx context.Context, name string) (*pgx.Conn, error) {
	if err := s.server.CreateDatabase(ctx, name); err != nil {
		return nil, err
	}
	c, err := pgx.Connect(ctx, s.server.URL(name))
	if err != nil {
		return nil, fmt.Errorf("connect to database %s: %w", name, err)
	}
	return c, nil
}

// dropDatabase removes a database that nobody needs any more; its slots must be gone. c is a connection to it.
func (s *stage) dropDatabase(ctx context.Context, c *pgx.Conn) error {
	name := c.Config().Database
	disconnect(c)
	admin, err := pgx.Connect(ctx, s.server.URL(""))
	if err != nil {
		return err
	}
	defer disconnect(admin)
	return execute(ctx, admin, "drop database "+pgx.Identifier{name}.Sanitize()+" with (force)", "checkpoint")
}

func disconnect(c *pgx.Conn) { _ = c.Close(context.Background()) }

// execute runs statements; each is a transaction of its own.
func execute(ctx context.Context, c *pgx.Conn, statements ...string) error {
	for _, sql := range statements {
		if err := c.PgConn().Exec(ctx, sql).Close(); err != nil {
			first, _, _ := strings.Cut(sql, "\n")
			return fmt.Errorf("%.200s: %w", first, err)
		}
	}
	return nil
}

// one asks for a single value.
func one[T any](ctx context.Context, c *pgx.Conn, sql string, args ...any) (v T, err error) {
	if err := c.QueryRow(ctx, sql, args...).Scan(&v); err != nil {
		return v, fmt.Errorf("%s: %w", sql, err)
	}
	return v, nil
}
