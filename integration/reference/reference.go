// Package reference makes docs/config.md out of the configuration structs themselves: their keys and defaults by
// reflection, their meaning from the comments in the source. So the page cannot say what the program does not.
//
//	go test ./integration/reference -update    writes the page
//	go test ./integration/reference            fails when the page is stale, or a key has no comment
//
// Read reference.go (what the page consists of), fields.go (a struct's keys), comments.go (their comments).
package reference

import (
	"fmt"
	"strings"

	"github.com/syncline-io/syncline/connectors/duckdb"
	"github.com/syncline-io/syncline/connectors/postgres"
	"github.com/syncline-io/syncline/framework/config"
)

// chapter is a part of the page: the keys of one struct.
type chapter struct {
	title, text string
	prefix      string // of every key
	defaults    any    // a struct with yaml tags, filled with the defaults
}

// chapters are the page's parts, in its order.
func chapters() []chapter {
	source, sink := config.SourceDefaults(), config.SinkDefaults()
	pgSource, pgSink, duck := postgres.SourceConnector, postgres.SinkConnector, duckdb.SinkConnector
	return []chapter{
		{"Every connector", "What the files of all connectors have in common.", "", source.Common},
		{"Sources", "What every source's file can hold besides.", "", source},
		{"Sinks", "What every sink's file can hold besides.", "", sink},
		{pgSource.Name, "The section `postgres` of a PostgreSQL source; see [its page](connectors/postgres.md).", pgSource.Section + ".", pgSource.Defaults},
		{pgSink.Name, "The section `postgres` of a PostgreSQL sink; see [its page](connectors/postgres.md#the-sink).", pgSink.Section + ".", pgSink.Defaults},
		{duck.Name, "The section `duckdb` of a DuckDB sink; see [its page](connectors/duckdb.md).", duck.Section + ".", duck.Defaults},
	}
}

const preface = `# Configuration

<!-- Made from the comments of the configuration structs by: go test ./integration/reference -update -->

A connector is described by one YAML file. A key that is not listed here is an error, and so is a value of the wrong
type; every problem of a file is reported at once, with its line and, for a misspelt key, a suggestion.

A string may name an environment variable, ` + "`${NAME}`" + `, or a file, ` + "`${file:/run/secrets/password}`" + ` (a relative path
begins at the configuration's folder); ` + "`$${`" + ` stands for a plain ` + "`${`" + `. They are replaced after the YAML was parsed, so a
secret may hold any character.

A *duration* has its unit: ` + "`500ms`, `10s`, `5m`" + `. A *size* too: ` + "`512KB`, `64MB`, `2GB`" + ` (powers of 1024). A dash means that
there is no default.
`

// escape keeps Markdown from taking characters of a comment for its own.
var escape = strings.NewReplacer("|", `\|`, "*", `\*`, "<", `\<`)

// Markdown returns the page. root is the module's folder, where the sources are read.
func Markdown(root string) (string, error) {
	c := &comments{root: root, packages: map[string]map[string]structComments{}}
	var page strings.Builder
	page.WriteString(preface)
	for _, ch := range chapters() {
		fields, err := fieldsOf(c, ch.prefix, ch.defaults)
		if err != nil {
			return "", fmt.Errorf("%s: %w", ch.title, err)
		}
		fmt.Fprintf(&page, "\n## %s\n\n%s\n\n| key | value | default | |\n|---|---|---|---|\n", ch.title, ch.text)
		for _, f := range fields {
			fmt.Fprintf(&page, "| `%s` | %s | %s | %s |\n", f.key, f.kind, f.standard, escape.Replace(f.meaning))
		}
	}
	return page.String(), nil
}
