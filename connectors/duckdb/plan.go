package duckdb

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/syncline-io/syncline/framework/config"
	"github.com/syncline-io/syncline/framework/failure"
	"github.com/syncline-io/syncline/framework/sink"
	"github.com/syncline-io/syncline/framework/warehouse"
	"github.com/syncline-io/syncline/schemas"
)

// names remembers which column of the target holds which column of the source: column id to name. It is what tells a
// rename from a drop and an add, also after a restart.
type names map[int32]string

// learn takes a column's own name. Without an id there is nothing to know it by.
func (n names) learn(c *schemas.Column) {
	if c.ID != 0 {
		n[c.ID] = c.Name
	}
}

// record is what is kept of a table between two runs: the names, and the version of the source's table that they are of.
type record struct {
	names   names
	version uint64
	// made says that the table was there once.
	made bool
}

func (r record) equal(s record) bool {
	return r.version == s.version && r.made == s.made && maps.Equal(r.names, s.names)
}

// passed says that the target has seen a later version than t: its columns were renamed since, and stay as they are.
func (r record) passed(t *sink.Table) bool { return sourceVersion(t) < r.version }

// sourceVersion is the version of the source's table; 0 when the source is not known.
func sourceVersion(t *sink.Table) uint64 {
	if t.Source == nil {
		return 0
	}
	return t.Source.Version
}

// columns returns the name that the target has for each of t's columns.
func (r record) columns(t *sink.Table) []string {
	list := make([]string, len(t.Columns))
	for i := range t.Columns {
		list[i] = r.column(t, i)
	}
	return list
}

// column is the recorded name where the target has passed t, else the column's own.
func (r record) column(t *sink.Table, i int) string {
	c := &t.Columns[i]
	if name, ok := r.names[c.ID]; ok && c.ID != 0 && r.passed(t) {
		return name
	}
	return c.Name
}

// textColumns chooses columns that are kept as text although DuckDB has a type for most of their values.
type textColumns config.Pattern

// choose reports whether column c of t is to be text, which counts for types that may misfit alone.
func (p textColumns) choose(t *sink.Table, c *schemas.Column) bool {
	return mayMisfit(c.Type) != "" && config.Pattern(p).Matches(t.String()+"."+c.Name)
}

// columnType is the type of a new column for c.
func (p textColumns) columnType(t *sink.Table, c *schemas.Column) (string, error) {
	if p.choose(t, c) {
		return "VARCHAR", nil
	}
	return columnType(c.Type)
}

// createTable returns the statement that makes t's table under the name of have, which has no columns.
func createTable(have *target, t *sink.Table, texts textColumns) (string, error) {
	if len(t.Columns) == 0 {
		return "", failure.As(failure.Config, fmt.Errorf("table %s has no columns", t), "leave it out")
	}
	if err := checkNames(t); err != nil {
		return "", err
	}
	var b strings.Builder
	fmt.Fprintf(&b, "CREATE TABLE %s (", have.quoted())
	for i := range t.Columns {
		c := &t.Columns[i]
		columnType, err := texts.columnType(t, c)
		if err != nil {
			return "", conflict(t, c.Name, err.Error())
		}
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, "\n  %s %s", warehouse.QuoteName(c.Name), columnType)
	}
	b.WriteString("\n)")
	return b.String(), nil
}

// planChanges returns the statements that make the existing table have ready for rows of t, in order, and the record
// afterwards. known is that of the last time, without names for a table that another made.
//
// A column that the source dropped stays, with its values. When its name is wanted again by another column it is set
// aside under a name of ours, so that its old values are not taken for the new column's.
//
// Rows of a version that the target has passed, such as those of a partition that lags behind, go into the columns as
// they are named now: nothing is renamed back.
func planChanges(have *target, known record, t *sink.Table, texts textColumns) ([]string, record, error) {
	if err := checkNames(t); err != nil {
		return nil, known, err
	}
	p := planner{table: t, texts: texts, now: &target{catalog: have.catalog, schema: have.schema, name: have.name}, record: record{names: names{}, version: known.version, made: true}}
	p.now.columns = append(p.now.columns, have.columns...)
	for id, name := range known.names {
		if p.now.column(name) >= 0 {
			p.names[id] = name
		}
	}
	if !p.passed(t) {
		p.version = sourceVersion(t)
		p.setAside()
		if err := p.rename(); err != nil {
			return nil, known, err
		}
		for i := range t.Columns {
			p.names.learn(&t.Columns[i])
		}
	}
	for i := range t.Columns {
		if err := p.fitColumn(i); err != nil {
			return nil, known, err
		}
	}
	return p.statements, p.record, p.checkOthers()
}

type planner struct {
	record
	table      *sink.Table
	texts      textColumns
	now        *target // the table after the statements so far
	statements []string
}

func (p *planner) alter(format string, args ...any) {
	p.statements = append(p.statements, "ALTER TABLE "+p.now.quoted()+" "+fmt.Sprintf(format, args...))
}

func (p *planner) renameColumn(id int32, to string) {
	from := p.names[id]
	p.alter("RENAME COLUMN %s TO %s", warehouse.QuoteName(from), warehouse.QuoteName(to))
	p.now.columns[p.now.column(from)].name = to
	p.names[id] = to
}

// setAside frees the names that a column of the table wants and another column has.
func (p *planner) setAside() {
	wanted := map[string]int32{}
	id := map[int32]bool{}
	for i := range p.table.Columns {
		c := &p.table.Columns[i]
		wanted[strings.ToLower(c.Name)] = c.ID
		id[c.ID] = true
	}
	for _, owner := range sortedIDs(p.names) {
		by, ok := wanted[strings.ToLower(p.names[owner])]
		if !ok || by == owner || by == 0 {
			continue
		}
		suffix := "dropped"
		if id[owner] {
			suffix = "moving" // it gets its own new name in rename
		}
		p.renameColumn(owner, fmt.Sprintf("%s__%s_%d", p.names[owner], suffix, owner))
	}
}

// rename gives the columns that were renamed at the source their new names. A column of that name that is not ours stops it:
// its values would be taken for the renamed one's.
func (p *planner) rename() error {
	for i := range p.table.Columns {
		c := &p.table.Columns[i]
		old, ok := p.names[c.ID]
		if !ok || old == c.Name {
			continue
		}
		if !strings.EqualFold(old, c.Name) && p.now.column(c.Name) >= 0 {
			return conflict(p.table, c.Name, fmt.Sprintf("was called %q and was renamed at the source, but the target has another column of this name", old))
		}
		p.renameColumn(c.ID, c.Name)
	}
	return nil
}

// fitColumn adds the column or makes it wide enough.
func (p *planner) fitColumn(i int) error {
	c, name := &p.table.Columns[i], p.column(p.table, i)
	wants, err := p.texts.columnType(p.table, c)
	if err != nil {
		return conflict(p.table, c.Name, err.Error())
	}
	at := p.now.column(name)
	if at < 0 {
		p.addColumn(c, name, wants)
		return nil
	}
	have := &p.now.columns[at]
	asText := p.texts.choose(p.table, c)
	widened, ok := fit(have.columnType, c.Type, asText)
	switch {
	case !ok && asText:
		return conflict(p.table, c.Name, fmt.Sprintf("is %s in the target, which cannot become the text that text_columns asks for", have.columnType))
	case !ok && have.columnType == "VARCHAR" && mayMisfit(c.Type) != "":
		return conflict(p.table, c.Name, fmt.Sprintf("is VARCHAR in the target, and the source's is %s (%s): name the column in text_columns to keep it as text",
			c.SourceType, c.Type))
	case !ok:
		return conflict(p.table, c.Name, fmt.Sprintf("is %s in the target, and the source's %s (%s) does not fit into it",
			have.columnType, c.SourceType, c.Type))
	}
	if widened != "" {
		p.alter("ALTER COLUMN %s SET DATA TYPE %s", warehouse.QuoteName(have.name), widened)
		have.columnType = widened
	}
	return nil
}

// addColumn adds a column. The rows that are there get the source's default, as they did at the source when the column
// was added there with one; later rows bring their own values, so that the default goes again.
func (p *planner) addColumn(c *schemas.Column, name, columnType string) {
	p.now.columns = append(p.now.columns, targetColumn{name: name, columnType: columnType})
	name = warehouse.QuoteName(name)
	value, ok := defaultOf(c, columnType)
	if !ok {
		p.alter("ADD COLUMN %s %s", name, columnType)
		return
	}
	p.alter("ADD COLUMN %s %s DEFAULT %s", name, columnType, value)
	p.alter("ALTER COLUMN %s DROP DEFAULT", name)
}

// checkOthers refuses columns that no row of ours could fill.
func (p *planner) checkOthers() error {
	columns := p.columns(p.table)
	for i := range p.now.columns {
		c := &p.now.columns[i]
		ours := slices.ContainsFunc(columns, func(name string) bool { return strings.EqualFold(name, c.name) })
		if c.required && !ours {
			return conflict(p.table, c.name, "is NOT NULL without a default in the target, and the source has no such column")
		}
	}
	return nil
}

// checkNames refuses names that DuckDB does not tell apart.
func checkNames(t *sink.Table) error {
	seen := map[string]bool{}
	for i := range t.Columns {
		name := strings.ToLower(t.Columns[i].Name)
		if seen[name] {
			return conflict(t, t.Columns[i].Name, "differs from another column only in upper and lower case, which DuckDB does not tell apart")
		}
		seen[name] = true
	}
	return nil
}

func conflict(t *sink.Table, column, why string) error {
	return failure.As(failure.Config, fmt.Errorf("table %s: column %q %s", t, column, why),
		"change the column in the target, or let the table go to another name")
}

// sortedIDs returns the ids in ascending order.
func sortedIDs(n names) []int32 { return slices.Sorted(maps.Keys(n)) }
