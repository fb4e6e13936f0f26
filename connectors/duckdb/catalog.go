package duckdb

import (
	"strings"

	"github.com/syncline-io/syncline/framework/sink"
	"github.com/syncline-io/syncline/framework/warehouse"
)

// target is a table of the DuckDB file as its catalog has it.
type target struct {
	catalog, schema, name string
	columns               []targetColumn
}

type targetColumn struct {
	name, columnType string
	// required says that an insert must give a value: NOT NULL without a default.
	required bool
}

// targetName returns the schema and the name of t's table; without a schema it is DuckDB's "main".
func targetName(t *sink.Table) (schema, name string) {
	if t.Schema == "" {
		return "main", t.Name
	}
	return t.Schema, t.Name
}

// quoted is the table's name in a statement.
func (t *target) quoted() string { return quoteTable(t.catalog, t.schema, t.name) }

// quoteTable quotes a table's full name. Without the catalog, which has its name from the file, a table of the schema
// shop in the file shop.duckdb could be one of the catalog shop as well, and DuckDB refuses to choose.
func quoteTable(catalog, schema, name string) string {
	return warehouse.QuoteName(catalog) + "." + warehouse.QuoteTable(schema, name)
}

// column returns the index of the named column, or -1. DuckDB does not tell upper from lower case.
func (t *target) column(name string) int {
	for i := range t.columns {
		if strings.EqualFold(t.columns[i].name, name) {
			return i
		}
	}
	return -1
}

// describeSQL lists the columns of a table in their order: name, type, whether required.
func describeSQL(schema, name string) string {
	return "SELECT column_name, data_type, CASE WHEN NOT is_nullable AND column_default IS NULL THEN 'required' ELSE '' END" +
		" FROM duckdb_columns() WHERE database_name = current_database() AND " + sameTable(schema, name) +
		" ORDER BY column_index"
}

func sameTable(schema, name string) string {
	return "lower(schema_name) = lower(" + warehouse.QuoteText(schema) + ") AND lower(table_name) = lower(" +
		warehouse.QuoteText(name) + ")"
}
