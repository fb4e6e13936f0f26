package load

import (
	"errors"
	"fmt"
	"strings"

	"github.com/syncline-io/syncline/framework/failure"
	"github.com/syncline-io/syncline/framework/sink"
	"github.com/syncline-io/syncline/schemas"
)

// Naming makes the names of the target's tables.
type Naming struct {
	// Schema and Table are patterns in which {database}, {schema}, {table} and {topic} stand for the source's names.
	// "" is "{schema}" and "{table}".
	Schema, Table string
	// Tables says something else of single source tables, by their "schema.name".
	Tables map[string]Target
}

// Target is what is said of one source table.
type Target struct {
	// Schema and Table replace the patterns where they are not empty.
	Schema, Table string
	// Key names the key's columns where the source's key is not the one wanted, or where there is none. Updates and
	// deletes then need the whole old row (PostgreSQL: replica identity full) unless these columns are in the source's
	// key.
	Key []string
}

var placeholders = []string{"{database}", "{schema}", "{table}", "{topic}"}

func (n Naming) validate() error {
	var errs []error
	check := func(key, pattern string) {
		rest := pattern
		for _, p := range placeholders {
			rest = strings.ReplaceAll(rest, p, "")
		}
		if strings.ContainsAny(rest, "{}") {
			errs = append(errs, fmt.Errorf("%s: %q knows %s only", key, pattern, strings.Join(placeholders, " ")))
		}
	}
	check("target.schema", n.Schema)
	check("target.table", n.Table)
	return errors.Join(errs...)
}

// Names gives the target's names for the source table t that topic carries, and the key's columns where the
// configuration names them.
func (n Naming) Names(topic string, t *schemas.Table) (schema, table string, key []string) {
	said := n.Tables[t.String()]
	fill := strings.NewReplacer("{database}", t.Database, "{schema}", t.Schema, "{table}", t.Name, "{topic}", topic)
	pick := func(said, pattern, otherwise string) string {
		if said != "" {
			return said
		}
		if pattern == "" {
			pattern = otherwise
		}
		return fill.Replace(pattern)
	}
	return pick(said.Schema, n.Schema, "{schema}"), pick(said.Table, n.Table, "{table}"), said.Key
}

// table gives the target's table for the source table t that topic carries.
func (n Naming) table(topic string, t *schemas.Table) (*sink.Table, error) {
	schema, name, key := n.Names(topic, t)
	target := &sink.Table{
		Schema:  schema,
		Name:    name,
		Columns: t.Columns,
		Key:     t.KeyColumns(),
		Source:  t,
	}
	if len(key) == 0 {
		return target, nil
	}
	target.Key = nil
	for _, name := range key {
		i := t.Column(name)
		if i < 0 {
			return nil, failure.As(failure.Config, fmt.Errorf("tables: %s: key column %q does not exist in the source", t, name),
				"name columns that the table has")
		}
		target.Key = append(target.Key, i)
	}
	return target, nil
}
