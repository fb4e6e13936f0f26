package badinput

import (
	"database/sql"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/syncline-io/syncline/connectors/duckdb"
	"github.com/syncline-io/syncline/integration/engines"
	"github.com/syncline-io/syncline/integration/programs"
)

// sinkKind is one of the sinks that keep a ledger.
type sinkKind struct {
	name, binary string
	yaml         func(s *scene) string
	group        func(s *scene) string
	// empty takes everything out of the target.
	empty func(s *scene)
	// run runs SQL in the target.
	run func(s *scene, sql string)
}

func sinkKinds() []sinkKind {
	kinds := []sinkKind{{
		name: "postgres", binary: "postgres-sink", yaml: (*scene).copyYAML,
		group: func(s *scene) string { return "syncline." + s.name + "-copy" },
		empty: func(s *scene) { s.exec(s.target, "DROP SCHEMA syncline CASCADE; DROP TABLE item") },
		run:   func(s *scene, sql string) { s.exec(s.target, sql) },
	}}
	if duckdb.Available {
		kinds = append(kinds, sinkKind{
			name: "duckdb", binary: "duckdb-sink", yaml: (*scene).duckYAML,
			group: func(s *scene) string { return "syncline." + s.name + "-duck" },
			empty: func(s *scene) {
				if err := os.Remove(s.duck); err != nil {
					s.t.Fatal(err)
				}
			},
			run: (*scene).execDuckDB,
		})
	}
	return kinds
}

// caughtUp waits until the sink has written so many rows since its start and has nothing before it.
func (s *scene) caughtUp(p *programs.Program, rows int64) {
	s.t.Helper()
	programs.Eventually(s.t, readyPatience, p.Name+" has written its rows", func() error {
		if !p.Running() {
			s.t.Fatalf("%s has ended with code %d", p.Name, p.Wait(0))
		}
		var status struct {
			State     string
			Rows, Lag int64
			LastError string `json:"last_error"`
		}
		if err := p.Status(&status); err != nil {
			return err
		}
		if status.Rows < rows || status.Lag > 0 || !p.Ready() {
			return fmt.Errorf("%+v", status)
		}
		return nil
	})
}

func TestAnUnreachableTargetIsTriedAgain(t *testing.T) {
	s := newScene(t).withTarget()
	s.startPublished()
	direct := s.target
	proxy := engines.NewProxy(t, strings.Split(strings.Split(s.target, "@")[1], "/")[0])
	s.target = proxy.URL(s.target)
	proxy.Down()
	sink := s.start("postgres-sink", s.copyYAML())
	s.mustRetry(sink, "connect to the target", "target-unreachable")
	proxy.Up()
	s.caughtUp(sink, 1)

	proxy.Down()
	s.exec(s.source, "INSERT INTO item VALUES (2, 'two')")
	s.mustRetry(sink, "connect to the target", "target-lost")
	proxy.Up()
	s.rows(direct, itemsQuery, "1=one 2=two")
	s.stop(sink)
}

func TestATargetWithoutPrivilegeSaysWhatToGrant(t *testing.T) {
	s := newScene(t).withTarget()
	s.startPublished()
	role := engines.Unique(t)
	s.stands(role, "ROLE")
	owner := s.target
	s.exec(owner, "CREATE ROLE "+role+" LOGIN")
	t.Cleanup(func() { _ = execute(owner, "DROP OWNED BY "+role+" CASCADE; DROP ROLE "+role) })
	s.target = withUser(t, owner, role, password)
	sink := s.start("postgres-sink", s.copyYAML())
	s.mustStop(sink, 2, "target-no-create")
	database := owner[strings.LastIndex(owner, "/")+1:]
	database, _, _ = strings.Cut(database, "?")
	s.exec(owner, `GRANT CREATE ON DATABASE "`+database+`" TO "`+role+`"`)
	sink.Start()
	s.mustRetry(sink, "permission denied for schema public", "target-no-schema")
	s.exec(owner, `GRANT USAGE, CREATE ON SCHEMA public TO "`+role+`"`)
	s.caughtUp(sink, 1)

	// A permission that is lost while the sink runs.
	s.exec(owner, "ALTER TABLE item OWNER TO postgres; REVOKE ALL ON item FROM \""+role+`"`)
	s.exec(s.source, "INSERT INTO item VALUES (2, 'two')")
	s.mustRetry(sink, "permission denied for table", "target-no-insert")
	s.exec(owner, `GRANT USAGE ON SCHEMA public TO "`+role+`"; GRANT SELECT, INSERT, UPDATE, DELETE ON public.item TO "`+role+`"`)
	s.rows(owner, itemsQuery, "1=one 2=two")
	s.stop(sink)
}

func TestATableWithAConflictingColumnIsRefused(t *testing.T) {
	s := newScene(t).withTarget()
	s.startPublished()
	s.exec(s.target, "CREATE TABLE item (id int PRIMARY KEY, label date)")
	s.mustStop(s.start("postgres-sink", s.copyYAML()), 2, "target-column")
	s.exec(s.target, "DROP TABLE item; CREATE TABLE item (id int, label text)")
	s.mustStop(s.start("postgres-sink", s.copyYAML()), 2, "target-key")
	s.exec(s.target, "DROP TABLE item; CREATE TABLE item (id int PRIMARY KEY, label text, owner text NOT NULL)")
	s.mustStop(s.start("postgres-sink", s.copyYAML()), 2, "target-not-null")
}

func TestAColumnThatDuckDBHasOtherwiseIsRefused(t *testing.T) {
	s := newScene(t)
	s.mustHaveDuckDB()
	s.startPublished()
	s.execDuckDB("CREATE SCHEMA IF NOT EXISTS public; CREATE TABLE public.item (id INTEGER, label DATE)")
	s.mustStop(s.start("duckdb-sink", s.duckYAML()), 2, "duckdb-column")
}

func (s *scene) mustHaveDuckDB() {
	s.t.Helper()
	if !duckdb.Available {
		s.t.Skip("this binary was built without cgo and has no DuckDB in it")
	}
}

// execDuckDB runs SQL in the DuckDB file; the connector's package has registered the driver.
func (s *scene) execDuckDB(statement string) {
	s.t.Helper()
	db, err := sql.Open("duckdb", s.duck)
	if err == nil {
		_, err = db.ExecContext(s.t.Context(), statement)
	}
	if err == nil {
		err = db.Close()
	}
	if err != nil {
		s.t.Fatalf("%s: %v", statement, err)
	}
}

func TestALedgerThatVanishedIsAGap(t *testing.T) {
	for _, kind := range sinkKinds() {
		t.Run(kind.name, func(t *testing.T) {
			s := newScene(t).withTarget()
			s.startPublished()
			sink := s.start(kind.binary, kind.yaml(s))
			s.caughtUp(sink, 1)
			s.stop(sink)
			kind.empty(s)
			sink.Start()
			s.mustStop(sink, 3, "ledger-gone-"+kind.name)

			// The way out, as the message gives it.
			s.resetOffset(kind.group(s), s.topic("item"), 0)
			sink.Start()
			s.caughtUp(sink, 1)
			s.stop(sink)
		})
	}
}

// recordOf finds the statement of the message; in the log it has escapes.
var recordOf = regexp.MustCompile(`(?im)^syncline: .*run: (delete from .*?), and read`)

func TestATableThatWasDroppedIsAGap(t *testing.T) {
	for _, kind := range sinkKinds() {
		t.Run(kind.name, func(t *testing.T) {
			s := newScene(t).withTarget()
			s.startPublished()
			sink := s.start(kind.binary, kind.yaml(s))
			s.caughtUp(sink, 1)
			s.stop(sink)
			kind.run(s, "DROP TABLE public.item")
			s.exec(s.source, "INSERT INTO item VALUES (2, 'two')")
			sink.Start()
			s.mustStop(sink, 3, "target-dropped-"+kind.name)

			// The way out, as the message gives it.
			statement := recordOf.FindStringSubmatch(sink.Output())
			if statement == nil {
				t.Fatalf("no statement in the message: %s", sink.Output())
			}
			kind.run(s, statement[1])
			s.resetOffset(kind.group(s), s.topic("item"), 0)
			sink.Start()
			s.caughtUp(sink, 2)
			s.stop(sink)
		})
	}
}

func TestADuckDBFileThatCannotBeOpened(t *testing.T) {
	s := newScene(t)
	s.mustHaveDuckDB()
	s.startPublished()
	whole := s.duck
	s.duck = t.TempDir() + "/nowhere/warehouse.duckdb"
	s.mustStop(s.start("duckdb-sink", s.duckYAML()), 2, "duckdb-no-folder")
	s.duck = t.TempDir() + "/notes.txt"
	if err := os.WriteFile(s.duck, []byte(strings.Repeat("These are my notes, and no database. ", 200)), 0o600); err != nil {
		t.Fatal(err)
	}
	s.mustStop(s.start("duckdb-sink", s.duckYAML()), 2, "duckdb-no-database")
	s.duck = whole
	first := s.start("duckdb-sink", s.duckYAML())
	s.caughtUp(first, 1)
	second := s.start("duckdb-sink", s.duckYAML())
	s.mustRetry(second, "one process at a time", "duckdb-locked")
	s.stop(first)
	second.UntilReady(readyPatience)
	s.stop(second)
}
