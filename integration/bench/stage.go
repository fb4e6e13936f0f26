package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/syncline-io/syncline/framework/embedded"
	"github.com/syncline-io/syncline/framework/localpg"
	"github.com/syncline-io/syncline/integration/engines"
)

// stage is what all subjects share: one PostgreSQL server, the embedded broker with its registry (in this process, so in
// another one than the connector), and a folder.
type stage struct {
	dir      string
	programs string // folder of psql and pg_recvlogical
	server   *engines.Postgres
	embedded *embedded.Server
	admin    *kadm.Client
	progress io.Writer
	profile  string
	began    time.Time
}

// serverSettings keep checkpoints and vacuum out of the runs of both sides.
var serverSettings = map[string]string{
	"shared_buffers":     "512MB",
	"max_wal_size":       "8GB",
	"checkpoint_timeout": "1h",
	"autovacuum":         "off",
}

func openStage(ctx context.Context, progress io.Writer, profile string) (s *stage, err error) {
	s = &stage{progress: progress, profile: profile, began: time.Now()}
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
	// The client remembers for its metadata's least age that a topic does not exist: by default five seconds, in which a
	// subject that had made it and filled it would go unseen.
	client, err := kgo.NewClient(kgo.SeedBrokers(s.embedded.Brokers()...), kgo.MetadataMinAge(10*time.Millisecond))
	if err != nil {
		return s, err
	}
	s.admin = kadm.NewClient(client)
	return s, nil
}

func (s *stage) close() error {
	var errs []error
	if s.admin != nil {
		s.admin.Close()
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

func (s *stage) file(name string) string { return filepath.Join(s.dir, name) }

// say tells whoever waits what is going on.
func (s *stage) say(format string, args ...any) {
	fmt.Fprintf(s.progress, "%5.0fs  %s\n", time.Since(s.began).Seconds(), fmt.Sprintf(format, args...))
}

// database makes a database and connects to it.
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

func disconnect(c *pgx.Conn) { _ = c.Close(context.Background()) }

// execute runs statements; each is a transaction of its own.
func execute(ctx context.Context, c *pgx.Conn, statements ...string) error {
	for _, sql := range statements {
		if err := c.PgConn().Exec(ctx, sql).Close(); err != nil {
			first, _, _ := strings.Cut(sql, "\n")
			return fmt.Errorf("%s: %w", first, err)
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

// arrived returns how many records a topic's only partition has, 0 when there is no such topic.
func arrived(ctx context.Context, admin *kadm.Client, topic string) (int64, error) {
	ends, err := admin.ListEndOffsets(ctx, topic)
	if err != nil {
		return 0, fmt.Errorf("look at topic %s: %w", topic, err)
	}
	if end, ok := ends.Lookup(topic, 0); ok && end.Err == nil {
		return end.Offset, nil
	}
	return 0, nil
}

// untilArrived returns when the topic came to have so many records.
func (s *stage) untilArrived(ctx context.Context, p *connector, topic string, records int) (time.Time, error) {
	return until(ctx, slowLook, fmt.Sprintf("%d records in %s", records, topic), func() (bool, error) {
		if err := p.failure(); err != nil {
			return false, err
		}
		n, err := arrived(ctx, s.admin, topic)
		return n >= int64(records), err
	})
}

// dropTopic gives the disk of a run's records back.
func (s *stage) dropTopic(ctx context.Context, topic string) error {
	_, err := s.admin.DeleteTopic(ctx, topic)
	return err
}
