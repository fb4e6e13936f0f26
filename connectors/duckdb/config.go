package duckdb

import (
	"errors"
	"fmt"
	"strings"
)

// SinkConfig is the section "duckdb" of a sink's configuration.
type SinkConfig struct {
	// Path is the database file. It is created when it does not exist; its folder must exist.
	Path string `yaml:"path"`
	// Schema holds our own tables: the ledger and the list of columns.
	Schema string `yaml:"schema"`
	// Threads is the number of threads that DuckDB uses; 0 leaves it to DuckDB, which takes one per core.
	Threads int `yaml:"threads"`
	// MemoryLimit bounds the memory that DuckDB uses, such as "2GB"; without it DuckDB takes up to 80 % of the machine's, or
	// with memory half of that without 256 MB.
	MemoryLimit string `yaml:"memory_limit"`
	// TextColumns are patterns "schema.table.column", by the names at the target, of columns that are VARCHAR with PostgreSQL's
	// exact text: for numeric, arrays and timestamps with values that DuckDB's types do not hold. It counts for new columns,
	// and makes text of a DECIMAL that is there.
	TextColumns []string `yaml:"text_columns"`
}

var sinkDefaults = SinkConfig{Schema: "syncline"}

// Validate reports everything that is wrong.
func (c SinkConfig) Validate() error {
	var errs []error
	switch {
	case c.Path == "":
		errs = append(errs, errors.New("path: missing (the DuckDB file to write)"))
	case strings.HasPrefix(c.Path, ":memory:"):
		errs = append(errs, fmt.Errorf("path: %q would be lost when the process ends; name a file", c.Path))
	case strings.HasPrefix(c.Path, "md:") || strings.HasPrefix(c.Path, "motherduck:"):
		errs = append(errs, fmt.Errorf("path: %q is a MotherDuck address; name a local file", c.Path))
	}
	if c.Schema == "" {
		errs = append(errs, errors.New("schema: must not be empty"))
	}
	if c.Threads < 0 {
		errs = append(errs, fmt.Errorf("threads: %d is negative", c.Threads))
	}
	return errors.Join(errs...)
}
