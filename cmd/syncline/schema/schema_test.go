package schema

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
	"github.com/jackc/pgx/v5"

	"github.com/syncline-io/syncline/connectors/postgres"
	"github.com/syncline-io/syncline/framework/embedded"
	"github.com/syncline-io/syncline/framework/registry"
	"github.com/syncline-io/syncline/framework/run"
	"github.com/syncline-io/syncline/integration/engines"
)

var update = flag.Bool("update", false, "write testdata")

func TestMain(m *testing.M) { os.Exit(engines.Main(m)) }

// place is a source's database, a registry and a file that names both.
type place struct {
	t        *testing.T
	database *pgx.Conn
	registry *registry.Client
	file     string
}

func newPlace(t *testing.T, more string) *place {
	t.Helper()
	url := engines.Database(t)
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	server, err := embedded.Start(t.Context(), embedded.Config{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Close(); err != nil {
			t.Error(err)
		}
	})
	client, err := registry.New(registry.Config{URL: server.RegistryURL()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	file := filepath.Join(t.TempDir(), "source.yaml")
	yaml := fmt.Sprintf("connector: postgres-source\nname: shop\nkafka: {brokers: [localhost:1]}\nregistry: {url: %q%s}\npostgres: {url: %q, tables: [public.*]}\n",
		server.RegistryURL(), more, url)
	if err := os.WriteFile(file, []byte(yaml), 0o600); err != nil {
		t.Fatal(err)
	}
	return &place{t, conn, client, file}
}

func (p *place) exec(sql string) {
	p.t.Helper()
	if err := p.database.PgConn().Exec(p.t.Context(), sql).Close(); err != nil {
		p.t.Fatalf("%s: %v", sql, err)
	}
}

// register registers what the source needs now.
func (p *place) register() {
	p.t.Helper()
	s, err := run.OpenSchemas(known, p.file, "")
	if err != nil {
		p.t.Fatal(err)
	}
	defer s.Registry.Close()
	all, err := s.Needed(p.t.Context())
	if err != nil {
		p.t.Fatal(err)
	}
	for _, n := range all {
		if _, err := p.registry.Register(p.t.Context(), n.Subject, n.Schema); err != nil {
			p.t.Fatal(err)
		}
	}
}

var known = []run.Connector{run.OfSource(postgres.SourceConnector)}

// syncline runs the command line, in which FILE stands for the file.
func (p *place) syncline(line string) (string, error) {
	p.t.Helper()
	var c Commands
	parser, err := kong.New(&c)
	if err != nil {
		p.t.Fatal(err)
	}
	parsed, err := parser.Parse(strings.Fields(strings.Replace(line, "FILE", p.file, 1)))
	if err != nil {
		p.t.Fatal(err)
	}
	var printed bytes.Buffer
	parsed.Bind(known)
	parsed.BindTo(p.t.Context(), (*context.Context)(nil))
	parsed.BindTo(&printed, (*io.Writer)(nil))
	err = parsed.Run()
	return printed.String(), err
}

// shows compares what the command lines print with a golden file.
func (p *place) shows(golden string, lines ...string) {
	p.t.Helper()
	var b strings.Builder
	for _, line := range lines {
		text, err := p.syncline(line)
		fmt.Fprintf(&b, "$ syncline schema %s\n%s", line, text)
		if err != nil {
			fmt.Fprintf(&b, "syncline: %v\n", err)
		}
		b.WriteByte('\n')
	}
	got := regexp.MustCompile(`127\.0\.0\.1:[0-9]+`).ReplaceAllString(b.String(), "REGISTRY")
	path := filepath.Join("testdata", golden+".txt")
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			p.t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		p.t.Fatal(err)
	}
	if got != string(want) {
		p.t.Errorf("%s:\ngot\n%s\nwant\n%s", path, got, want)
	}
}

func TestAChangeThatWouldBeRefusedIsToldBeforeItIs(t *testing.T) {
	p := newPlace(t, "")
	p.exec(`CREATE TABLE item (id int PRIMARY KEY, name text NOT NULL, price numeric(10,2)); CREATE TABLE lot (id int PRIMARY KEY)`)
	p.shows("new", "check FILE", "list FILE")
	p.register()
	p.shows("registered", "check FILE", "list FILE", "list FILE shop.public.item-*", "diff FILE shop.public.item-value")
	p.exec(`ALTER TABLE item ADD COLUMN size bigint NOT NULL, DROP COLUMN name, ALTER price TYPE numeric(12,4); ALTER TABLE lot ADD COLUMN note text`)
	p.shows("changed", "check FILE", "diff FILE shop.public.item-value", "diff FILE shop.public.lot-value")
	p.exec(`ALTER TABLE item ALTER size SET DEFAULT 0`)
	p.shows("mended", "check FILE")
	p.register()
	p.shows("versions", "diff FILE shop.public.item-value 1 2", "diff FILE shop.public.item-value 1", "show FILE shop.public.item-key", "show FILE shop.public.item-key 7")
	text, err := p.syncline("show FILE shop.public.item-value --needed --json")
	var show shown
	if err != nil || json.Unmarshal([]byte(text), &show) != nil || show.Table != "public.item" {
		t.Errorf("%v: %s", err, text)
	}
	for _, line := range []string{"list FILE --json", "check FILE --json", "diff FILE shop.public.item-value 1 2 --json", "show FILE shop.public.item-value 2 --json"} {
		if text, err := p.syncline(line); err != nil || !json.Valid([]byte(text)) {
			t.Errorf("%s: %v: %s", line, err, text)
		}
	}
}

func TestWithoutAutoRegisterWhatIsMissingIsRefused(t *testing.T) {
	p := newPlace(t, ", auto_register: false")
	p.exec(`CREATE TABLE item (id int PRIMARY KEY, name text)`)
	p.shows("held-missing", "check FILE")
	p.register()
	p.shows("held", "check FILE")
	p.exec(`ALTER TABLE item ADD COLUMN size int`)
	p.shows("held-differs", "check FILE")
}

func TestTablesThatWouldShareATopicAreNamed(t *testing.T) {
	p := newPlace(t, "")
	p.exec(`CREATE TABLE "a b" (id int PRIMARY KEY); CREATE TABLE "a_b" (id int PRIMARY KEY)`)
	p.shows("collision", "check FILE")
}

func TestAWrongSubjectIsNamed(t *testing.T) {
	p := newPlace(t, "")
	p.exec(`CREATE TABLE item (id int PRIMARY KEY)`)
	p.register()
	p.shows("wrong-subject", "show FILE shop.public.itme-value --needed", "diff FILE shop.public.item-value 1 9")
}
