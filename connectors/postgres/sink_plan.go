package postgres

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/syncline-io/syncline/framework/failure"
	"github.com/syncline-io/syncline/framework/sink"
	"github.com/syncline-io/syncline/framework/warehouse"
	"github.com/syncline-io/syncline/schemas"
)

// sinkPlan is what writing rows of one table version needs: per column how a value travels and what becomes of it in
// the target, and the statements. It is compiled once and holds for one session.
type sinkPlan struct {
	table     *sink.Table
	name      string // quoted, with its schema
	columns   []planColumn
	key       []int
	truncates bool
	direct    bool // every column's bytes fit the target's own type
	composite bool // a column is of a composite type, or an array of one
	// unique says that an index keeps the key's values apart.
	unique bool
	// new is the way for rows that should be new.
	new newRows
	// stamp is what stampSQL gave when the plan was made.
	stamp string
	// rowStatements by what each column is (value, unchanged, raw); see statement.
	rowStatements map[string]*rowStatement
}

// planColumn is one column's way. A value is encoded in the binary form of the canonical type; where the target's type
// is another one, it is cast there: from text for types that only their input function reads, else by assignment.
type planColumn struct {
	name    string // quoted, in the target
	full    string // the target's type with modifiers
	encode  copyAppend
	oid     uint32 // of a parameter; 0: taken from where it is used, and the value is sent as text
	staged  string // type in the staging table
	cast    string // applied to the staged value; "" for none
	equals  string // the operator that compares two values
	direct  bool
	textual bool // a parameter is sent in text format
}

// planFor returns the plan of t, reading the target's catalog when t is new to this session.
func (s *pgSink) planFor(ctx context.Context, tx pgx.Tx, t *sink.Table) (*sinkPlan, error) {
	id := t.Schema + "\x00" + t.Name
	if p := s.plans[id]; p != nil && p.table == t {
		return p, nil
	}
	// First of all: what changes after it is noticed before the commit.
	var stamp string
	if err := tx.QueryRow(ctx, s.stampSQL(), t.Schema, t.Name).Scan(&stamp); err != nil {
		return nil, err
	}
	have, err := readTable(ctx, tx, t.Schema, t.Name)
	if err != nil {
		return nil, err
	}
	record, err := s.readRecord(ctx, tx, t)
	if err != nil {
		return nil, err
	}
	if have == nil {
		return nil, s.droppedError(t)
	}
	p, err := newSinkPlan(t, have, record)
	if err != nil {
		return nil, err
	}
	p.stamp = stamp
	s.plans[id] = p
	return p, nil
}

// forget makes the next Write of t read the catalog again.
func (s *pgSink) forget(t *sink.Table) { delete(s.plans, t.Schema+"\x00"+t.Name) }

func newSinkPlan(t *sink.Table, have *targetTable, record *tableRecord) (*sinkPlan, error) {
	p := &sinkPlan{
		table: t, name: warehouse.QuoteTable(t.Schema, t.Name), key: t.Key, truncates: have.truncates, direct: true,
		rowStatements: map[string]*rowStatement{},
	}
	var key []string
	for i := range t.Columns {
		name := targetName(record, t, i)
		column := have.column(name)
		if column == nil {
			return nil, fmt.Errorf("column %s of %s does not exist any more", name, t)
		}
		c, err := compileColumn(t.Columns[i].Type, column.typ)
		if err != nil {
			return nil, failure.As(failure.Config, fmt.Errorf("column %s of %s: %w", name, t, err), "")
		}
		c.name = warehouse.QuoteName(name)
		p.columns = append(p.columns, c)
		p.direct = p.direct && c.direct
		p.composite = p.composite || column.typ.made == asComposite
		if p.isKey(i) {
			key = append(key, name)
		}
	}
	p.unique = have.keyIndex(key) != nil
	p.new.possible = p.direct && p.unique
	return p, nil
}

// compileColumn chooses how values of type t reach a column of type have.
func compileColumn(t schemas.Type, have sinkType) (planColumn, error) {
	encode, oid, err := copyAppendFor(t, have.name == "jsonb")
	if err != nil {
		return planColumn{}, err
	}
	c := planColumn{encode: encode, oid: oid, full: have.String(), equals: "="}
	if have.made == byExtension && !have.array {
		c.equals = "operator(" + warehouse.QuoteName(have.schema) + ".=)" // which no search_path of ours finds
	}
	plain := have.made == builtIn && !have.array
	switch t.Kind {
	case schemas.String, schemas.Enum, schemas.UUID, schemas.JSON:
		switch {
		case plain && (have.name == "text" || have.name == "varchar"):
			c.encode, c.oid, c.staged, c.direct = copyBytes, 25, "text", true
		case plain && have.name == "bpchar":
			c.oid, c.staged, c.direct = 1042, "bpchar", true
		case t.Kind == schemas.UUID && have.name == "uuid", t.Kind == schemas.JSON && (have.name == "json" || have.name == "jsonb"):
			c.staged, c.direct = have.name, true
		case !have.array && (have.made == asEnum || have.made == byExtension && have.name == "citext"): // whose binary form is their text
			c.oid, c.textual, c.staged, c.direct = 0, true, have.bare(), true
		default:
			c.encode, c.oid, c.textual, c.staged, c.cast = copyBytes, 0, true, "text", have.cast()
		}
		if have.made == asComposite {
			c.encode = copyComposite(len(have.attributes), have.array)
		}
		return c, nil
	}
	native := typeOf(withoutForm(t))
	if t.Kind == schemas.Array {
		// The element's type is part of an array's binary form: see copyArrayOf.
		switch {
		case t.Elem.Kind == schemas.String:
			native.name = "text"
		case t.Elem.Kind == schemas.JSON && have.name != "jsonb":
			native.name = "json"
		}
	}
	c.staged = native.cast()
	if have.made == builtIn && have.name == native.name && have.array == native.array {
		c.direct = true
	} else {
		c.cast = have.cast()
	}
	return c, nil
}

// staged returns the expression that takes column i out of the staging table s.
func (p *sinkPlan) staged(i int) string {
	expression := "s.c" + strconv.Itoa(i+1)
	if cast := p.columns[i].cast; cast != "" {
		expression += "::" + cast
	}
	return expression
}

// names returns the quoted names of all columns.
func (p *sinkPlan) names() string {
	names := make([]string, len(p.columns))
	for i := range p.columns {
		names[i] = p.columns[i].name
	}
	return strings.Join(names, ", ")
}

// columnList is the names in parentheses, or nothing for a table without columns.
func (p *sinkPlan) columnList() string {
	if len(p.columns) == 0 {
		return ""
	}
	return " (" + p.names() + ")"
}

func (p *sinkPlan) keyNames() string {
	names := make([]string, len(p.key))
	for i, k := range p.key {
		names[i] = p.columns[k].name
	}
	return strings.Join(names, ", ")
}

func (p *sinkPlan) isKey(i int) bool { return slices.Contains(p.key, i) }

// The operations in a staging table. Those from opPartial on are partial updates, one per set of unchanged columns.
const (
	opUpsert  = 0
	opDelete  = 1
	opPresent = 2 // an upsert of a row that should be there
	opPartial = 3
	opAlone   = -1 // not staged: the row has its own statement
)

// createStage is the staging table of this plan. It is emptied by every commit, and gone with the session.
func (p *sinkPlan) createStage(stage string) string {
	lines := make([]string, len(p.columns))
	for i := range p.columns {
		lines[i] = ",\n\tc" + strconv.Itoa(i+1) + " " + p.columns[i].staged
	}
	return "create temporary table " + stage + " (\n\top int2 not null" + strings.Join(lines, "") + "\n) on commit delete rows"
}

// copyStage is the COPY into the staging table.
func (p *sinkPlan) copyStage(stage string) string {
	return "copy " + stage + " from stdin (format binary)"
}

// copyTarget is the COPY into the table itself, for rows that are only added.
func (p *sinkPlan) copyTarget() string {
	return "copy " + p.name + p.columnList() + " from stdin (format binary)"
}

// insertStaged adds the staged rows with one of the operations, all rows where none is named; with a key it replaces those
// that are there.
func (p *sinkPlan) insertStaged(stage string, ops ...int) string {
	expressions := make([]string, len(p.columns))
	for i := range p.columns {
		expressions[i] = p.staged(i)
	}
	sql := "insert into " + p.name + " as t" + p.columnList() + "\nselect " + strings.Join(expressions, ", ") + "\nfrom " + stage + " s"
	for i, op := range ops {
		if i == 0 {
			sql += "\nwhere s.op in ("
		} else {
			sql += ", "
		}
		sql += strconv.Itoa(op)
	}
	if len(ops) > 0 {
		sql += ")"
	}
	return sql + p.onConflict()
}

// onConflict replaces every column but the key's; "" for a table without key.
func (p *sinkPlan) onConflict() string {
	if len(p.key) == 0 {
		return ""
	}
	var sets []string
	for i := range p.columns {
		if !p.isKey(i) {
			sets = append(sets, p.columns[i].name+" = excluded."+p.columns[i].name)
		}
	}
	if len(sets) == 0 {
		return "\non conflict (" + p.keyNames() + ") do nothing"
	}
	return "\non conflict (" + p.keyNames() + ") do update set " + strings.Join(sets, ", ")
}

// matchStaged is the condition that a row of the target t and a staged row s have the same key.
func (p *sinkPlan) matchStaged() string {
	terms := make([]string, len(p.key))
	for i, k := range p.key {
		terms[i] = "t." + p.columns[k].name + " " + p.columns[k].equals + " " + p.staged(k)
	}
	return strings.Join(terms, " and ")
}

func (p *sinkPlan) deleteStaged(stage string) string {
	return "delete from " + p.name + " t\nusing " + stage + " s\nwhere s.op = " + strconv.Itoa(opDelete) + " and " + p.matchStaged()
}

// updateStaged is the update of the staged rows with this op: the columns of which unchanged is true keep the target's
// values; nil is for none. A partial update must change as many rows as were staged.
func (p *sinkPlan) updateStaged(stage string, op int16, unchanged []bool) string {
	var sets []string
	for i := range p.columns {
		if !p.isKey(i) && (unchanged == nil || !unchanged[i]) {
			sets = append(sets, p.columns[i].name+" = "+p.staged(i))
		}
	}
	condition := "s.op = " + strconv.Itoa(int(op)) + " and " + p.matchStaged()
	if len(sets) == 0 {
		return "select from " + p.name + " t, " + stage + " s\nwhere " + condition
	}
	return "update " + p.name + " t\nset " + strings.Join(sets, ", ") + "\nfrom " + stage + " s\nwhere " + condition
}

// missingStaged finds the key of a staged partial update whose row the target lacks.
func (p *sinkPlan) missingStaged(stage string, op int16) string {
	texts := make([]string, len(p.key))
	for i, k := range p.key {
		texts[i] = "s.c" + strconv.Itoa(k+1) + "::text"
	}
	return "select concat_ws(', ', " + strings.Join(texts, ", ") + ")\nfrom " + stage + " s\nwhere s.op = " + strconv.Itoa(int(op)) +
		" and not exists (select from " + p.name + " t where " + p.matchStaged() + ")\nlimit 1"
}
