package evolution

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"github.com/syncline-io/syncline/connectors/postgres"
	"github.com/syncline-io/syncline/framework/config"
	"github.com/syncline-io/syncline/framework/embedded"
	"github.com/syncline-io/syncline/framework/registry/compat"
	"github.com/syncline-io/syncline/integration/engines"
)

var update = flag.Bool("update", false, "write the table in docs/schema-evolution.md")

const (
	page  = "../../docs/schema-evolution.md"
	begin = "<!-- the table: go test ./integration/evolution -update -->\n"
	end   = "<!-- end of the table -->\n"
)

// database is where the changes are made.
type database struct {
	t    *testing.T
	url  string
	conn *pgx.Conn
}

func open(t *testing.T) *database {
	t.Helper()
	d := &database{t: t, url: engines.Database(t)}
	var err error
	if d.conn, err = pgx.Connect(t.Context(), d.url); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.conn.Close(context.Background()) })
	return d
}

func (d *database) exec(sql string) {
	d.t.Helper()
	if err := d.conn.PgConn().Exec(d.t.Context(), sql).Close(); err != nil {
		d.t.Fatalf("%s: %v", sql, err)
	}
}

// versions makes the change and returns what the source would register before it and after each of its statements.
func (d *database) versions(c change) []version {
	d.t.Helper()
	d.exec(setup)
	defer d.exec(teardown)
	all := []version{d.now()}
	for _, s := range c.statements {
		if strings.HasPrefix(s, "TYPE ") {
			d.exec("ALTER " + s)
		} else {
			d.exec("ALTER TABLE item " + s)
		}
		all = append(all, d.now())
	}
	return all
}

func (d *database) now() version {
	d.t.Helper()
	cfg := postgres.SourceConnector.Defaults
	cfg.URL, cfg.Tables = config.URL(d.url), []string{"public.*"}
	tables, err := postgres.SourceConnector.Tables(d.t.Context(), cfg)
	if err != nil || len(tables) != 1 {
		d.t.Fatalf("%d tables, %v", len(tables), err)
	}
	v, err := versionOf(tables[0])
	if err != nil {
		d.t.Fatal(err)
	}
	return v
}

func TestThePageSaysWhatEachLevelTakes(t *testing.T) {
	d := open(t)
	server := startRegistry(t)
	var rows []row
	for n, c := range changes {
		r := row{change: c, refused: map[compat.Level]*compat.Incompatibility{}}
		versions := d.versions(c)
		var err error
		if r.turned, err = turnedIn(versions); err != nil {
			t.Fatalf("%s: %v", c.title, err)
		}
		for _, level := range compat.Levels() {
			i, err := verdict(level, versions)
			if err != nil {
				t.Fatalf("%s: %v", c.title, err)
			}
			r.refused[level] = i
			if got := server.takes(fmt.Sprintf("row%d.%s.", n, level), level, versions); got != (i == nil) {
				t.Errorf("%s under %s: the registry takes it: %v; our check: %v", c.title, level, got, i)
			}
		}
		rows = append(rows, r)
	}
	compare(t, markdown(rows))
}

func compare(t *testing.T, want string) {
	t.Helper()
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(text), begin)
	have, after, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		t.Fatalf("%s has no place for the table", page)
	}
	if *update {
		if err := os.WriteFile(page, []byte(before+begin+want+end+after), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(strings.Split(have, "\n"), strings.Split(want, "\n")); diff != "" {
		t.Errorf("%s is stale; run: go test ./integration/evolution -update\n%s", page, diff)
	}
}

// server is the embedded registry, asked as any client asks.
type server struct {
	t   *testing.T
	url string
}

func startRegistry(t *testing.T) *server {
	t.Helper()
	s, err := embedded.Start(t.Context(), embedded.Config{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return &server{t, s.RegistryURL()}
}

// takes registers all but the last version without rules, and says whether the last one is taken under the level.
func (s *server) takes(prefix string, level compat.Level, versions []version) bool {
	s.t.Helper()
	taken := true
	for subject, text := range versions[len(versions)-1] {
		name := prefix + subject
		s.must(http.MethodPut, "/config/"+name, map[string]string{"compatibility": "NONE"}, 200)
		for _, old := range historyOf(subject, versions) {
			s.must(http.MethodPost, "/subjects/"+name+"/versions", map[string]string{"schema": old}, 200)
		}
		s.must(http.MethodPut, "/config/"+name, map[string]string{"compatibility": string(level)}, 200)
		if s.must(http.MethodPost, "/subjects/"+name+"/versions", map[string]string{"schema": text}, 200, 409) == 409 {
			taken = false
		}
	}
	return taken
}

func (s *server) must(method, path string, body any, codes ...int) int {
	s.t.Helper()
	text, err := json.Marshal(body)
	if err != nil {
		s.t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(s.t.Context(), method, s.url+path, bytes.NewReader(text))
	if err != nil {
		s.t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close() //nolint:errcheck // it was read
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	for _, c := range codes {
		if resp.StatusCode == c {
			return c
		}
	}
	s.t.Fatalf("%s %s: %d %s", method, path, resp.StatusCode, answer)
	return 0
}
