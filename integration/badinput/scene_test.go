package badinput

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/syncline-io/syncline/integration/engines"
	"github.com/syncline-io/syncline/integration/programs"
)

func TestMain(m *testing.M) {
	// Most of the time is waiting: for servers, and for what a program does after a while. -parallel wins over this.
	if err := flag.Set("test.parallel", "6"); err != nil {
		panic(err)
	}
	os.Exit(programs.Main(m))
}

// readyPatience bounds how long a program takes that has nothing to complain of.
const readyPatience = 30 * time.Second

// scene is one test's servers and names. An address that a test replaces counts for the configurations made later.
type scene struct {
	t testing.TB
	// name is the connector's; the sinks' have "-copy" and "-duck" after it.
	name            string
	kafka, registry string
	source, target  string // URLs of databases
	duck            string // the DuckDB file

	replace  []replacement
	programs []*programs.Program
}

// replacement is a value of this run and what stands for it in a golden file.
type replacement struct{ value, name string }

// newScene is a source database with the table item, and everything else as it should be.
func newScene(t *testing.T) *scene {
	t.Helper()
	t.Parallel()
	s := &scene{t: t, name: engines.Unique(t), kafka: engines.KafkaForTest(t), registry: engines.RegistryForTest(t), duck: t.TempDir() + "/warehouse.duckdb"}
	s.stands(s.name, "NAME")
	s.source = s.database("SOURCE")
	s.exec(s.source, "CREATE TABLE item (id int PRIMARY KEY, label text); INSERT INTO item VALUES (1, 'one')")
	t.Cleanup(s.mustKeepSecrets)
	return s
}

// database makes one and lets name stand for its own.
func (s *scene) database(name string) string {
	u := engines.Database(s.t)
	p, err := url.Parse(u)
	if err != nil {
		s.t.Fatal(err)
	}
	s.stands(strings.TrimPrefix(p.Path, "/"), name)
	return u
}

func (s *scene) stands(value, name string) {
	s.replace = append([]replacement{{value, name}}, s.replace...)
}

// withTarget adds the target database.
func (s *scene) withTarget() *scene {
	s.target = s.database("TARGET")
	return s
}

// common is what all configurations hold. A password is wherever one can be.
func (s *scene) common() string {
	return fmt.Sprintf("kafka: {brokers: [%q]}\nregistry: {url: %q, username: syncline, password: %q}\nadmin: {listen: %q}\n",
		s.kafka, s.registry, password, "{admin}")
}

// withUser puts user and password into a URL. The servers of the tests take any password, but for those that say so.
func withUser(t testing.TB, address, user, password string) string {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	u.User = url.UserPassword(user, password)
	return u.String()
}

// sourceYAML is the configuration of the source; more is added to the section postgres.
func (s *scene) sourceYAML(more string) string {
	u := s.source
	if p, err := url.Parse(u); err == nil && p.User.Username() == "postgres" {
		u = withUser(s.t, u, "postgres", password)
	}
	return fmt.Sprintf("connector: postgres-source\nname: %s\n%spostgres: {url: %q%s}\n", s.name, s.common(), u, more)
}

func (s *scene) copyYAML() string {
	u := s.target
	if p, err := url.Parse(u); err == nil && p.User.Username() == "postgres" {
		u = withUser(s.t, u, "postgres", password)
	}
	return fmt.Sprintf("connector: postgres-sink\nname: %s-copy\ntopics: [%q]\n%spostgres: {url: %q}\n", s.name, s.topic("*"), s.common(), u)
}

func (s *scene) duckYAML() string {
	return fmt.Sprintf("connector: duckdb-sink\nname: %s-duck\ntopics: [%q]\nbatch: {age: 10ms}\n%sduckdb: {path: %q}\n", s.name, s.topic("*"), s.common(), s.duck)
}

func (s *scene) topic(table string) string { return s.name + ".public." + table }

// start runs a program with this configuration.
func (s *scene) start(binary, yaml string) *programs.Program {
	s.t.Helper()
	p := programs.New(s.t, binary, yaml)
	s.programs = append(s.programs, p)
	p.Start()
	return p
}

// startSource runs the source; startPublished waits until it has published the table.
func (s *scene) startSource() *programs.Program {
	s.t.Helper()
	return s.start("postgres-source", s.sourceYAML(""))
}

func (s *scene) startPublished() *programs.Program {
	s.t.Helper()
	p := s.startSource()
	s.streams(p)
	return p
}

// streams waits until the source has read its tables and follows their changes.
func (s *scene) streams(p *programs.Program) {
	s.t.Helper()
	programs.Eventually(s.t, readyPatience, "the source streams", func() error {
		if !p.Running() {
			s.t.Fatalf("the source has ended with code %d", p.Wait(0))
		}
		var status struct {
			State    string
			Position string
			Progress struct{ Phase string }
		}
		if err := p.Status(&status); err != nil {
			return err
		}
		if status.State != "streaming" || status.Progress.Phase != "stream" {
			return fmt.Errorf("it is %s, %s", status.State, status.Progress.Phase)
		}
		return nil
	})
}

func (s *scene) stop(p *programs.Program) {
	s.t.Helper()
	if code := p.Stop(); code != 0 {
		s.t.Errorf("%s: exit code %d after SIGTERM", p.Name, code)
	}
}

// exec runs SQL in a database.
func (s *scene) exec(database, sql string) {
	s.t.Helper()
	if err := execute(database, sql); err != nil {
		s.t.Fatalf("%s: %v", sql, err)
	}
}

func execute(database, sql string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	c, err := pgx.Connect(ctx, database)
	if err != nil {
		return err
	}
	defer c.Close(ctx) //nolint:errcheck // nothing is lost with it
	return c.PgConn().Exec(ctx, sql).Close()
}

// rows waits until the query gives one row with this text.
func (s *scene) rows(database, query, want string) {
	s.t.Helper()
	programs.Eventually(s.t, readyPatience, query+" gives "+want, func() error {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		c, err := pgx.Connect(ctx, database)
		if err != nil {
			return err
		}
		defer c.Close(ctx) //nolint:errcheck // it was only read from
		var got string
		if err := c.QueryRow(ctx, query).Scan(&got); err != nil {
			return err
		}
		if got != want {
			return errors.New(got)
		}
		return nil
	})
}

const itemsQuery = "SELECT coalesce(string_agg(id || '=' || label, ' ' ORDER BY id), '') FROM item"
