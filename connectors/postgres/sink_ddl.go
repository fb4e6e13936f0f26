package postgres

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/syncline-io/syncline/framework/crash"
	"github.com/syncline-io/syncline/framework/failure"
	"github.com/syncline-io/syncline/framework/sink"
	"github.com/syncline-io/syncline/framework/warehouse"
	"github.com/syncline-io/syncline/schemas"
)

var (
	_ sink.Evolver   = (*pgSink)(nil)
	_ sink.Versioner = (*pgSink)(nil)
)

const (
	// sinkDDLLock is the advisory lock under which every member changes schemas and tables, one at a time: IF NOT EXISTS
	// alone fails when two create at the same moment.
	sinkDDLLock = "select pg_advisory_xact_lock(7310035, 1)"
	// sinkDDLWait bounds how long a change of a table waits for its lock. While it waits, everyone who comes later waits
	// behind it, readers included, so it gives up soon and is tried again.
	sinkDDLWait = "set local lock_timeout = '5s'"
)

// Evolve makes the target's table ready for rows of t, in one transaction: it creates schema, enum types and table;
// renames columns by id; adds columns; widens columns. Columns that the source dropped stay and are nullable. Labels that an
// enum lacks are added in a transaction before, because none may be used, as a default, in the one that adds it. prev is not
// needed: what was done is recorded in the target.
func (s *pgSink) Evolve(ctx context.Context, _, t *sink.Table) (err error) {
	for labels := true; labels && err == nil; {
		err = s.transact(ctx, func(tx pgx.Tx) error {
			if _, err := tx.Exec(ctx, sinkDDLWait+";"+sinkDDLLock); err != nil {
				return err
			}
			labels, err = s.evolve(ctx, tx, t)
			return err
		})
	}
	s.forget(t)
	if err != nil {
		return s.explain(s.deniedTable(err, t))
	}
	return nil
}

// Version implements [sink.Versioner].
func (s *pgSink) Version(ctx context.Context, t *sink.Table) (version uint64, err error) {
	err = s.transact(ctx, func(tx pgx.Tx) error {
		record, err := s.readRecord(ctx, tx, t)
		if record != nil {
			version = record.Version
		}
		return err
	})
	return version, s.explain(err)
}

// evolve does all that t needs, or adds labels alone: then it reports true, and what they are needed for is still to come.
func (s *pgSink) evolve(ctx context.Context, tx pgx.Tx, t *sink.Table) (labels bool, err error) {
	if err := checkNames(t); err != nil {
		return false, err
	}
	if err := s.createSchema(ctx, tx, t.Schema); err != nil {
		return false, err
	}
	stored, err := s.storedRecord(ctx, tx, t)
	if err != nil {
		return false, err
	}
	record := stored.of(t)
	have, err := readTable(ctx, tx, t.Schema, t.Name)
	if err != nil {
		return false, err
	}
	if have == nil && record != nil {
		return false, s.droppedError(t)
	}
	e := evolution{table: t, have: have, record: record, stored: stored}
	wanted, err := s.wantedTypes(ctx, tx, t)
	if err != nil {
		return false, err
	}
	made, err := readMade(ctx, tx, wanted)
	if err != nil {
		return false, err
	}
	s.withoutStrangers(t, wanted, made)
	if err := e.plan(wanted, made); err != nil {
		return false, err
	}
	statements := e.statements
	if len(e.labels) > 0 {
		statements = e.labels
	}
	for _, sql := range statements {
		if _, err := tx.Exec(ctx, sql); err != nil {
			return false, evolveError(sql, err)
		}
		crash.Point("postgres-sink.statement-done")
	}
	if len(e.labels) > 0 {
		return true, nil
	}
	err = s.writeRecord(ctx, tx, t, record, e.defaults)
	crash.Point("postgres-sink.table-recorded")
	return false, err
}

// droppedError is about a table that was made ready before and is there no more. Made again it would have the rows from the
// ledger's offset on, and none of those before it.
func (s *pgSink) droppedError(t *sink.Table) error {
	return failure.As(failure.Gap, fmt.Errorf("table %s of the target was dropped, and the rows in it are gone", t),
		fmt.Sprintf("put it back with its rows; or stop all copies, run: delete from %s where table_schema = %s and table_name = %s, "+
			"and read its topic from the beginning", s.own("tables"), warehouse.QuoteText(t.Schema), warehouse.QuoteText(t.Name)))
}

// evolveError marks what only a person can solve: a statement that the data or other objects forbid.
func evolveError(sql string, err error) error {
	err = fmt.Errorf("%s: %w", firstLine(sql), err)
	switch code := sinkState(err); {
	case code == "0A000", code == "2BP01": // a view or rule uses the column
		return failure.As(failure.Config, err, "drop what depends on the column, let the sink change it, and create it again")
	case strings.HasPrefix(code, "22"), code == "23505", code == "23502", code == "42804":
		return failure.As(failure.Config, err, "the rows that are there do not allow it; change them or the table by hand")
	}
	return err
}

func firstLine(sql string) string {
	line, _, cut := strings.Cut(sql, "\n")
	if cut {
		line += " ..."
	}
	return line
}

func checkNames(t *sink.Table) error {
	names := []string{t.Schema, t.Name}
	for i := range t.Columns {
		names = append(names, t.Columns[i].Name)
	}
	for i, name := range names {
		if len(name) > sinkNameMax || name == "" && i > 0 || strings.ContainsRune(name, 0) {
			return failure.As(failure.Config, fmt.Errorf("table %s: %q cannot be a name in PostgreSQL, which takes 1 to %d bytes", t, name, sinkNameMax),
				"give it another name with a pattern")
		}
	}
	if t.Schema == "" {
		return failure.As(failure.Config, fmt.Errorf("table %s has no schema in the target", t), "give one with the pattern of target names")
	}
	return nil
}

// createSchema asks first, because CREATE SCHEMA IF NOT EXISTS wants the privilege even when there is nothing to do.
func (s *pgSink) createSchema(ctx context.Context, tx pgx.Tx, schema string) error {
	var exists bool
	if err := tx.QueryRow(ctx, "select to_regnamespace($1) is not null", warehouse.QuoteName(schema)).Scan(&exists); err != nil || exists {
		return err
	}
	_, err := tx.Exec(ctx, "create schema "+warehouse.QuoteName(schema))
	if sinkState(err) == "42501" {
		return failure.WithHint(fmt.Errorf("create schema %s: %w", schema, err), s.grantCreate(schema))
	}
	return err
}

// evolution works out the statements that take one table from what it is to what it must be. It touches nothing.
type evolution struct {
	table      *sink.Table
	have       *targetTable // nil: to be created
	record     *tableRecord // nil: the sink has not seen it
	stored     *tableRecord // the record, or that of another source table which had the same name
	made       madeTypes
	statements []string
	// labels holds the statements that must be committed before the others can run.
	labels []string
	// defaults holds the ids of the columns that were given a default.
	defaults []int32
}

func (e *evolution) do(format string, args ...any) {
	e.statements = append(e.statements, fmt.Sprintf(format, args...))
}

// name is the table's quoted name.
func (e *evolution) name() string { return warehouse.QuoteTable(e.table.Schema, e.table.Name) }

// old says that the target has passed this version: its columns were renamed since, and stay as they are.
func (e *evolution) old() bool {
	return e.record != nil && e.table.Source.Version < e.record.Version
}

// foreign says that the table was derived from another connector's records. What these do not show (a truncate has no
// key) is no reason to take a constraint away.
func (e *evolution) foreign() bool { return e.table.Source == nil || e.table.Source.ID == 0 }

func (e *evolution) plan(wanted []sinkType, made madeTypes) error {
	e.made = made
	for _, w := range wanted {
		e.enum(w)
	}
	if e.have == nil {
		e.create(wanted)
		return nil
	}
	if e.have.kind != "r" && (e.have.kind != "p" || len(e.table.Key) == 0) {
		return failure.As(failure.Config, fmt.Errorf("%s exists and is not a plain table", e.table), "drop or rename it, or map the table elsewhere")
	}
	e.forsake()
	if err := e.rename(); err != nil {
		return err
	}
	for i := range e.table.Columns {
		if err := e.column(i, wanted[i]); err != nil {
			return err
		}
	}
	// The key first: a column that leaves it may be nullable only then.
	if err := e.key(); err != nil {
		return err
	}
	return e.unfilled()
}

func (e *evolution) create(wanted []sinkType) {
	lines := make([]string, 0, len(wanted)+1)
	for i := range e.table.Columns {
		e.composite(wanted[i])
		line := "\t" + warehouse.QuoteName(e.table.Columns[i].Name) + " " + wanted[i].String()
		if slices.Contains(e.table.Key, i) {
			line += " not null"
		}
		lines = append(lines, line)
	}
	if len(e.table.Key) > 0 {
		lines = append(lines, "\tprimary key ("+warehouse.QuoteNames(e.keyNames())+")")
	}
	e.do("create table %s (\n%s\n)", e.name(), strings.Join(lines, ",\n"))
}

func (e *evolution) keyNames() []string {
	names := make([]string, len(e.table.Key))
	for i, k := range e.table.Key {
		names[i] = e.target(k)
	}
	return names
}

// target is the name that column i has in the target, after the renames of this evolution.
func (e *evolution) target(i int) string {
	return targetName(e.record, e.table, i)
}

// targetName is the name under which the target has column i of t: the recorded one where the target has passed t's
// version, else the column's own.
func targetName(r *tableRecord, t *sink.Table, i int) string {
	if r != nil && t.Source.Version < r.Version {
		if name := r.name(t.Columns[i].ID); name != "" {
			return name
		}
	}
	return t.Columns[i].Name
}

// rename follows the source's renames. A name that is needed by another column now is freed first: a column that the
// source dropped steps aside, and two that swap names pass over a third.
func (e *evolution) rename() error {
	if e.record == nil || e.old() {
		return nil
	}
	type step struct{ from, to string }
	var steps []step
	wanted := map[string]int32{} // the new names that a rename or a new column takes, by column id
	for i := range e.table.Columns {
		c := &e.table.Columns[i]
		if c.ID == 0 {
			continue
		}
		from := e.record.name(c.ID)
		if from == c.Name && e.have.column(from) != nil {
			continue
		}
		wanted[c.Name] = c.ID
		if from != "" && e.have.column(from) != nil {
			steps = append(steps, step{from, c.Name})
		}
	}
	for i := range steps {
		if e.have.column(steps[i].to) == nil {
			continue
		}
		// The name is taken. If by a column that is itself renamed, that one goes to a name of its own until its turn.
		for j := range steps {
			if j != i && steps[j].from == steps[i].to {
				aside := "syncline_rename_" + strconv.Itoa(j)
				e.renameColumn(steps[j].from, aside)
				steps[j].from = aside
			}
		}
		if err := e.stepAside(steps[i].to); err != nil {
			return err
		}
	}
	for _, s := range steps {
		e.renameColumn(s.from, s.to)
		delete(wanted, s.to)
	}
	for _, c := range e.record.Columns {
		if id, taken := wanted[c.Name]; taken && id != c.ID && e.have.column(c.Name) != nil && e.dropped(c) {
			e.renameColumn(c.Name, droppedName(c))
		}
	}
	return nil
}

// stepAside frees a name that a column which the source dropped still has.
func (e *evolution) stepAside(name string) error {
	if e.have.column(name) == nil {
		return nil
	}
	for _, c := range e.record.Columns {
		if c.Name == name && e.dropped(c) {
			e.renameColumn(name, droppedName(c))
			return nil
		}
	}
	return failure.As(failure.Config, fmt.Errorf("a column of %s was renamed to %q at the source, but the target has another column of this name", e.table, name),
		"rename or drop that column in the target")
}

// dropped says that the source has the recorded column no more.
func (e *evolution) dropped(r columnRecord) bool {
	return !slices.ContainsFunc(e.table.Columns, func(c schemas.Column) bool { return r.is(&c) })
}

func droppedName(c columnRecord) string {
	suffix := "_dropped_" + strconv.Itoa(int(c.ID))
	return c.Name[:min(len(c.Name), sinkNameMax-len(suffix))] + suffix
}

func (e *evolution) renameColumn(from, to string) {
	e.do("alter table %s rename column %s to %s", e.name(), warehouse.QuoteName(from), warehouse.QuoteName(to))
	e.have.column(from).name = to
	for i := range e.have.indexes {
		if at := slices.Index(e.have.indexes[i].columns, from); at >= 0 {
			e.have.indexes[i].columns[at] = to
		}
	}
}

// column adds column i or makes it hold what it must.
func (e *evolution) column(i int, want sinkType) error {
	c := &e.table.Columns[i]
	have := e.have.column(e.target(i))
	if have == nil {
		e.addColumn(c, want)
		return nil
	}
	where := fmt.Sprintf("column %s of %s", have.name, e.table)
	if have.always || have.dependent {
		return failure.As(failure.Config, fmt.Errorf("%s is generated and takes no value", where), "make it a plain column, or GENERATED BY DEFAULT")
	}
	if have.typ.made == asEnum && want.made == asEnum && have.typ.array == want.array && have.typ.bare() != want.bare() {
		e.addLabels(have.typ.bare(), have.typ.labels, want.labels)
		return nil
	}
	if have.typ.equal(sinkType{name: "text"}) && c.Type.Kind == schemas.String {
		return nil // it holds all that comes as one text, an array of composite values too
	}
	if have.typ.made == asComposite && have.typ.equal(want) {
		e.composite(want)
	}
	change, typ := have.typ.fit(want)
	switch change {
	case warehouse.Conflict:
		source := c.SourceType
		if source == "" {
			source = c.Type.String()
		}
		if needs := want.String(); needs != source {
			source += ", which needs " + needs
		}
		return failure.As(failure.Config, fmt.Errorf("%s is %s, but the source has %s", where, have.typeText, source),
			"change the column's type, rename the column, or map the table elsewhere")
	case warehouse.Widen:
		e.do("alter table %s alter column %s type %s", e.name(), warehouse.QuoteName(have.name), typ)
		have.typ = typ
	}
	return nil
}

// addColumn adds a column. Where the source's default is a constant, the rows that are there get it, as they did at the
// source, which tells nobody. The target's column keeps it, for rows of before the change that are still to come: another
// member, which has not met the change yet, writes them without the column. It does not keep one that forsake could not find:
// in the record columns have no ids, or it is that of a later version.
func (e *evolution) addColumn(c *schemas.Column, want sinkType) {
	e.composite(want)
	name := warehouse.QuoteName(c.Name)
	value, ok := c.ConstantDefault()
	if !ok {
		e.do("alter table %s add column %s %s", e.name(), name, want)
		return
	}
	e.do("alter table %s add column %s %s default %s", e.name(), name, want, warehouse.QuoteText(value))
	if c.ID == 0 || e.old() {
		e.do("alter table %s alter column %s drop default", e.name(), name)
		return
	}
	e.defaults = append(e.defaults, c.ID)
}

// forsake takes away the defaults that we gave to columns which the source has no more: its later rows have no such value. A
// table that the source made again has none of the columns of the one before.
func (e *evolution) forsake() {
	if e.stored == nil || e.old() {
		return
	}
	for i := range e.stored.Columns {
		c := &e.stored.Columns[i]
		if c.Default && (e.record == nil || e.dropped(*c)) && e.have.column(c.Name) != nil {
			e.do("alter table %s alter column %s drop default", e.name(), warehouse.QuoteName(c.Name))
			e.have.column(c.Name).filled = false
		}
	}
}

// unfilled finds columns of an existing table that no row of ours could fill.
func (e *evolution) unfilled() error {
	for i := range e.have.columns {
		c := &e.have.columns[i]
		ours := false
		for k := range e.table.Columns {
			ours = ours || e.target(k) == c.name
		}
		if ours || !c.notNull || c.filled || c.dependent {
			continue
		}
		if e.record != nil && slices.ContainsFunc(e.record.Columns, e.dropped) {
			// It was in the source's key, or a person forbade nulls, and the source dropped it.
			e.do("alter table %s alter column %s drop not null", e.name(), warehouse.QuoteName(c.name))
			continue
		}
		return failure.As(failure.Config, fmt.Errorf("column %s of %s is NOT NULL without a default, and the source has no such column", c.name, e.table),
			"give it a default, or allow nulls")
	}
	return nil
}

// key makes sure that the key's columns are unique together, and that nothing forbids repeats in a table without key.
func (e *evolution) key() error {
	names := e.keyNames()
	primary := slices.IndexFunc(e.have.indexes, func(i targetIndex) bool { return i.constraint != "" })
	if len(names) > 0 && e.have.keyIndex(names) != nil || len(names) == 0 && primary < 0 {
		return nil
	}
	if e.record == nil || e.old() || e.foreign() && primary >= 0 {
		if len(names) == 0 {
			return failure.As(failure.Config, fmt.Errorf("%s has a primary key, but its rows come without a key", e.table),
				"name the key's columns for this table, or drop the primary key")
		}
		instead := ""
		if primary >= 0 {
			instead = "drop constraint " + warehouse.QuoteName(e.have.indexes[primary].constraint) + ", "
		}
		return failure.As(failure.Config, fmt.Errorf("%s has no unique index on its key (%s)", e.table, strings.Join(names, ", ")),
			fmt.Sprintf("alter table %s %sadd primary key (%s)", e.name(), instead, warehouse.QuoteNames(names)))
	}
	if primary >= 0 {
		index := e.have.indexes[primary]
		e.do("alter table %s drop constraint %s", e.name(), warehouse.QuoteName(index.constraint))
		for _, c := range index.columns {
			if !slices.Contains(names, c) {
				e.do("alter table %s alter column %s drop not null", e.name(), warehouse.QuoteName(c))
			}
		}
	}
	if len(names) > 0 {
		e.do("alter table %s add primary key (%s)", e.name(), warehouse.QuoteNames(names))
	}
	return nil
}

// writeRecord remembers the columns' ids and names at t's version, and which have a default of ours. Ids that t no longer
// has are kept: their columns are still there.
func (s *pgSink) writeRecord(ctx context.Context, tx pgx.Tx, t *sink.Table, old *tableRecord, defaults []int32) error {
	if t.Source == nil || old != nil && t.Source.Version < old.Version {
		return nil
	}
	columns := make([]columnRecord, 0, len(t.Columns))
	taken := map[string]bool{}
	for i := range t.Columns {
		r := columnRecord{ID: t.Columns[i].ID, Name: t.Columns[i].Name}
		r.Default = r.ID != 0 && (slices.Contains(defaults, r.ID) || old.filled(r.ID))
		columns = append(columns, r)
		taken[t.Columns[i].Name] = true
	}
	if old != nil {
		for _, c := range old.Columns {
			if slices.ContainsFunc(t.Columns, func(n schemas.Column) bool { return c.is(&n) }) {
				continue
			}
			if taken[c.Name] {
				c.Name = droppedName(c)
			}
			c.Default = false
			columns = append(columns, c)
		}
	}
	document, err := json.Marshal(columns)
	if err != nil {
		return err
	}
	const sql = `insert into %s (table_schema, table_name, source_id, version, columns) values ($1, $2, $3, $4::text::numeric, $5::text::jsonb)
on conflict (table_schema, table_name) do update set source_id = excluded.source_id, version = excluded.version, columns = excluded.columns`
	_, err = tx.Exec(ctx, fmt.Sprintf(sql, s.own("tables")), t.Schema, t.Name, int64(t.Source.ID), strconv.FormatUint(t.Source.Version, 10), string(document))
	return err
}
