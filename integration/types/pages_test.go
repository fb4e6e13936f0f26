//go:build cgo

package types

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"go.uber.org/zap"

	"github.com/syncline-io/syncline/connectors/duckdb"
	"github.com/syncline-io/syncline/connectors/postgres"
	"github.com/syncline-io/syncline/framework/config"
	"github.com/syncline-io/syncline/framework/sink"
	"github.com/syncline-io/syncline/framework/verify"
	"github.com/syncline-io/syncline/integration/engines"
	"github.com/syncline-io/syncline/schemas"
)

// TestThePagesTellTheTypesOfTheTargets makes a table with a column of each type that the pages of the sinks name.
func TestThePagesTellTheTypesOfTheTargets(t *testing.T) {
	engines.PostgresForTest(t)
	for _, c := range []struct {
		page, heading string
		open          func(t *testing.T) (sink.Sink, verify.Reader)
	}{
		{"postgres.md", "### Types at the target", openPostgres},
		{"duckdb.md", "## Types", openDuckDB},
	} {
		t.Run(c.page, func(t *testing.T) {
			at, want := typesOfPage(t, c.page, c.heading)
			if len(at) < 50 {
				t.Fatalf("the page names %d types", len(at))
			}
			table := sourceTable(t, at)
			to, reader := c.open(t)
			if err := to.(sink.Evolver).Evolve(t.Context(), nil, table); err != nil {
				t.Fatal(err)
			}
			got, err := reader.Describe(t.Context(), verify.Name{Schema: "made", Table: "each"})
			if err != nil {
				t.Fatal(err)
			}
			for i := range at {
				if native := strings.ReplaceAll(got.Columns[i].Native, "public.", ""); native != want[i] {
					t.Errorf("%s becomes %s, and the page says %s", at[i], native, want[i])
				}
			}
		})
	}
}

func openPostgres(t *testing.T) (sink.Sink, verify.Reader) {
	cfg := postgres.SinkConnector.Defaults
	cfg.URL = config.URL(withExtensions(t))
	to, err := postgres.SinkConnector.Open(t.Context(), cfg, sink.Env{Name: "pages", Log: zap.NewNop()})
	if err != nil {
		t.Fatal(err)
	}
	return opened(t, to, func(ctx context.Context) (verify.Reader, error) { return postgres.VerifySink(ctx, cfg) })
}

func openDuckDB(t *testing.T) (sink.Sink, verify.Reader) {
	cfg := duckdb.SinkConnector.Defaults
	cfg.Path = filepath.Join(t.TempDir(), "pages.duckdb")
	to, err := duckdb.SinkConnector.Open(t.Context(), cfg, sink.Env{Name: "pages", Log: zap.NewNop()})
	if err != nil {
		t.Fatal(err)
	}
	return opened(t, to, func(ctx context.Context) (verify.Reader, error) { return duckdb.VerifySink(ctx, cfg) })
}

func opened(t *testing.T, to sink.Sink, open func(context.Context) (verify.Reader, error)) (sink.Sink, verify.Reader) {
	t.Helper()
	t.Cleanup(func() { _ = to.Close() })
	reader, err := open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = reader.Close() })
	return to, reader
}

// typesOfPage reads the table behind a heading: types of PostgreSQL, and what each becomes. Lines about kinds of types rather
// than types begin with an article.
func typesOfPage(t *testing.T, page, heading string) (at, want []string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", "connectors", page))
	if err != nil {
		t.Fatal(err)
	}
	_, after, ok := strings.Cut(string(text), "\n"+heading+"\n")
	if !ok {
		t.Fatalf("%s has no %q", page, heading)
	}
	inTable := false
	for line := range strings.Lines(after) {
		cells := strings.Split(strings.Trim(line, "| \n"), " | ")
		switch first, _, _ := strings.Cut(cells[0], " "); {
		case !strings.HasPrefix(line, "|"):
			if inTable {
				return at, want
			}
			continue
		case strings.HasPrefix(line, "|---"):
			inTable = true
			continue
		case !inTable || first == "a" || first == "an" || first == "any":
			continue
		}
		types, targets := splitTypes(cells[0]), splitTypes(cells[1])
		for i, typ := range types {
			target := targets[min(i, len(targets)-1)]
			if len(targets) > 1 && len(targets) != len(types) {
				t.Fatalf("%s: %d types and %d targets in %q", page, len(types), len(targets), line)
			}
			if target == "the same" {
				target = typ
			}
			at, want = append(at, typ), append(want, target)
		}
	}
	return at, want
}

// splitTypes splits at commas, but for those within parentheses.
func splitTypes(text string) (types []string) {
	depth, start := 0, 0
	for i, c := range text {
		switch {
		case c == '(':
			depth++
		case c == ')':
			depth--
		case c == ',' && depth == 0:
			types = append(types, strings.TrimSpace(text[start:i]))
			start = i + 1
		}
	}
	return append(types, strings.TrimSpace(text[start:]))
}

// sourceTable makes a table of the types and describes it as the source does.
func sourceTable(t *testing.T, types []string) *sink.Table {
	t.Helper()
	url := withExtensions(t)
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context()) //nolint:errcheck // nothing is lost with it
	columns := make([]string, len(types))
	for i, typ := range types {
		columns[i] = fmt.Sprintf("c%d %s", i, typ)
	}
	if _, err := conn.Exec(t.Context(), "create table each ("+strings.Join(columns, ", ")+")"); err != nil {
		t.Fatal(err)
	}
	reader, err := postgres.VerifySource(t.Context(), postgres.SourceConfig{URL: config.URL(url)})
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close() //nolint:errcheck // nothing is lost with it
	described, err := reader.Describe(t.Context(), verify.Name{Schema: "public", Table: "each"})
	if err != nil {
		t.Fatal(err)
	}
	table := &sink.Table{Schema: "made", Name: "each", Source: &schemas.Table{System: "postgresql", Schema: "public", Name: "each", ID: 1, Version: 1}}
	for i, c := range described.Columns {
		table.Columns = append(table.Columns, schemas.Column{ID: int32(i + 1), Name: c.Name, Type: c.Type, SourceType: c.Native, Nullable: true})
	}
	return table
}
