package postgres

import (
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/syncline-io/syncline/framework/config"
	"github.com/syncline-io/syncline/framework/sink"
)

// SinkConnector is the PostgreSQL sink: class A, a transactional ledger in the target.
var SinkConnector = sink.Connector[SinkConfig]{
	Name:     "postgres-sink",
	Section:  "postgres",
	Defaults: SinkConfig{Schema: "syncline"},
	BatchAge: 5 * time.Millisecond,
	Open:     openSink,
	Verify:   VerifySink,
}

// SinkConfig is the section postgres of a PostgreSQL sink.
type SinkConfig struct {
	// URL is the target database: postgres://user:password@host:port/database?sslmode=..., or a libpq keyword string.
	// A pooler between must keep one server session per client session: staging tables live in the session.
	URL config.URL `yaml:"url"`
	// Schema is where the sink keeps its own two tables: ledger (what is applied, up to which offset) and tables (the
	// column ids that renames are recognised by). It is created when it is missing.
	Schema string `yaml:"schema"`
}

// Validate returns all problems, each beginning with its key.
func (c SinkConfig) Validate() error {
	var problems []error
	if c.URL == "" {
		problems = append(problems, errors.New("url: missing; give postgres://user:password@host:port/database"))
	} else if _, err := pgx.ParseConfig(c.URL.Reveal()); err != nil {
		// The parser's message hides the password.
		problems = append(problems, fmt.Errorf("url: %w", err))
	}
	switch {
	case c.Schema == "":
		problems = append(problems, errors.New("schema: missing; the default is syncline"))
	case len(c.Schema) > sinkNameMax:
		problems = append(problems, fmt.Errorf("schema: %q is longer than PostgreSQL's %d bytes", c.Schema, sinkNameMax))
	}
	return errors.Join(problems...)
}

// sinkNameMax is the number of bytes of an identifier; PostgreSQL cuts a longer one off without an error.
const sinkNameMax = 63
