package postgres

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/syncline-io/syncline/framework/sink"
	"github.com/syncline-io/syncline/framework/warehouse"
	"github.com/syncline-io/syncline/schemas"
)

// sinkQuerier is a connection, or a transaction on it.
type sinkQuerier interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

// targetTable is a table of the target as its catalog has it.
type targetTable struct {
	kind    string // pg_class.relkind
	columns []targetColumn
	indexes []targetIndex
	// truncates says that TRUNCATE is allowed and no foreign key forbids it.
	truncates bool
}

type targetColumn struct {
	name      string
	typ       sinkType
	typeText  string // for messages
	notNull   bool
	filled    bool // has a default or an identity
	always    bool // GENERATED ALWAYS: no value can be given
	dependent bool // GENERATED ... STORED
}

// targetIndex is a unique index that ON CONFLICT can use: on plain columns, of all rows, checked at once.
type targetIndex struct {
	columns    []string
	constraint string // of a primary key; else ""
}

func (t *targetTable) column(name string) *targetColumn {
	for i := range t.columns {
		if t.columns[i].name == name {
			return &t.columns[i]
		}
	}
	return nil
}

// keyIndex returns the unique index on exactly these columns, in whatever order, or nil.
func (t *targetTable) keyIndex(key []string) *targetIndex {
	want := slices.Sorted(slices.Values(key))
	for i := range t.indexes {
		if slices.Equal(slices.Sorted(slices.Values(t.indexes[i].columns)), want) {
			return &t.indexes[i]
		}
	}
	return nil
}

const (
	sinkTableQuery = `select c.oid::int8, c.relkind::text,
	coalesce(has_table_privilege(c.oid, 'TRUNCATE'), false)
		and not exists (select from pg_constraint f where f.confrelid = c.oid and f.conrelid <> c.oid)
from pg_class c join pg_namespace n on n.oid = c.relnamespace
where n.nspname = $1 and c.relname = $2`

	// An array's element stands in for it: both have the same modifiers.
	sinkColumnsQuery = `select a.attname, format_type(a.atttypid, a.atttypmod), e.typtype::text, n.nspname, e.typname,
	t.typcategory = 'A' and t.typelem <> 0, a.attnotnull, a.atthasdef or a.attidentity <> '', a.attidentity = 'a', a.attgenerated <> '',
	array(select l.enumlabel::text from pg_enum l where l.enumtypid = e.oid order by l.enumsortorder),
	exists (select from pg_depend d where d.classid = 'pg_type'::regclass and d.objid = e.oid and d.deptype = 'e'),
	array(select x.attname::text from pg_attribute x where x.attrelid = e.typrelid and x.attnum > 0 and not x.attisdropped order by x.attnum)
from pg_attribute a
	join pg_type t on t.oid = a.atttypid
	join pg_type e on e.oid = case when t.typcategory = 'A' and t.typelem <> 0 then t.typelem else t.oid end
	join pg_namespace n on n.oid = e.typnamespace
where a.attrelid = $1::int8::oid and a.attnum > 0 and not a.attisdropped
order by a.attnum`

	sinkIndexesQuery = `select array(select a.attname::text from unnest(i.indkey::int2[]) with ordinality k(attnum, position)
		join pg_attribute a on a.attrelid = i.indrelid and a.attnum = k.attnum
		where k.position <= i.indnkeyatts order by k.position),
	coalesce((select c.conname::text from pg_constraint c where c.conindid = i.indexrelid and c.contype = 'p'), '')
from pg_index i
where i.indrelid = $1::int8::oid and i.indisunique and i.indisvalid and i.indimmediate and i.indpred is null and i.indexprs is null
order by i.indisprimary desc, i.indexrelid`
)

// readTable reads a table from the target's catalog; nil when there is none.
func readTable(ctx context.Context, q sinkQuerier, schema, name string) (*targetTable, error) {
	var oid int64
	t := &targetTable{}
	err := q.QueryRow(ctx, sinkTableQuery, schema, name).Scan(&oid, &t.kind, &t.truncates)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	rows, err := q.Query(ctx, sinkColumnsQuery, oid)
	if err != nil {
		return nil, err
	}
	if t.columns, err = pgx.CollectRows(rows, scanTargetColumn); err != nil {
		return nil, err
	}
	if rows, err = q.Query(ctx, sinkIndexesQuery, oid); err != nil {
		return nil, err
	}
	t.indexes, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (i targetIndex, err error) {
		return i, row.Scan(&i.columns, &i.constraint)
	})
	return t, err
}

func scanTargetColumn(row pgx.CollectableRow) (c targetColumn, err error) {
	var kind, schema, name string
	var array, extension bool
	var labels, attributes []string
	if err := row.Scan(&c.name, &c.typeText, &kind, &schema, &name, &array, &c.notNull, &c.filled, &c.always, &c.dependent, &labels, &extension, &attributes); err != nil {
		return c, err
	}
	switch {
	case extension:
		_, mods := cutModifiers(strings.TrimSuffix(c.typeText, "[]"))
		c.typ = sinkType{made: byExtension, schema: schema, name: name, mods: mods, array: array}
		return c, nil
	case kind == "e":
		c.typ = sinkType{made: asEnum, schema: schema, name: name, array: array, labels: labels}
		return c, nil
	case kind == "c":
		c.typ = sinkType{made: asComposite, schema: schema, name: name, array: array}
		for _, attribute := range attributes {
			c.typ.attributes = append(c.typ.attributes, sinkAttribute{name: attribute})
		}
		return c, nil
	}
	typ, ok := parseSinkType(c.typeText)
	if !ok {
		// A type that the sink never makes: it equals nothing, so that the column is a conflict if it is wanted.
		typ = sinkType{schema: "", name: c.typeText, array: array}
	}
	c.typ = typ
	return c, nil
}

// tableRecord is what the sink remembers of a table in its own table "tables": under which name the target has each of
// the source's columns, so that a rename is seen after a restart too.
type tableRecord struct {
	SourceID uint32
	Version  uint64
	Columns  []columnRecord
}

type columnRecord struct {
	// ID is 0 where the source has no ids of columns: then the name is all there is.
	ID   int32  `json:"id"`
	Name string `json:"name"`
	// Default says that the target's column has the default with which the source added it.
	Default bool `json:"default,omitempty"`
}

// filled reports whether a column has a default of ours.
func (r *tableRecord) filled(id int32) bool {
	return r != nil && slices.ContainsFunc(r.Columns, func(c columnRecord) bool { return c.ID == id && c.Default })
}

// name returns the target's name of a column id, "" when it is not recorded.
func (r *tableRecord) name(id int32) string {
	if r == nil || id == 0 {
		return ""
	}
	for _, c := range r.Columns {
		if c.ID == id {
			return c.Name
		}
	}
	return ""
}

// readRecord reads the record of a table; nil when there is none, or when it is about another source table that had
// the same name.
func (s *pgSink) readRecord(ctx context.Context, q sinkQuerier, t *sink.Table) (*tableRecord, error) {
	r, err := s.storedRecord(ctx, q, t)
	return r.of(t), err
}

// of returns the record if it is about t's source table, else nil.
func (r *tableRecord) of(t *sink.Table) *tableRecord {
	if r == nil || t.Source == nil || r.SourceID != t.Source.ID {
		return nil
	}
	return r
}

// storedRecord reads the record under a table's name, whichever source table it is about; nil when there is none.
func (s *pgSink) storedRecord(ctx context.Context, q sinkQuerier, t *sink.Table) (*tableRecord, error) {
	var sourceID int64
	var version string
	var columns []byte
	sql := "select source_id, version::text, columns::text from " + s.own("tables") + " where table_schema = $1 and table_name = $2"
	err := q.QueryRow(ctx, sql, t.Schema, t.Name).Scan(&sourceID, &version, &columns)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	r := &tableRecord{SourceID: uint32(sourceID)}
	if r.Version, err = strconv.ParseUint(version, 10, 64); err != nil {
		return nil, fmt.Errorf("version of %s in %s: %w", t, s.own("tables"), err)
	}
	if err := json.Unmarshal(columns, &r.Columns); err != nil {
		return nil, fmt.Errorf("columns of %s in %s: %w", t, s.own("tables"), err)
	}
	if r.SourceID == 0 {
		// A source without ids of tables has none of columns either; earlier releases recorded places instead.
		for i := range r.Columns {
			r.Columns[i].ID = 0
		}
	}
	return r, nil
}

// is reports whether the record is about column c of the same table.
func (r columnRecord) is(c *schemas.Column) bool {
	if r.ID == 0 || c.ID == 0 {
		return r.Name == c.Name
	}
	return r.ID == c.ID
}

// errTableChanged says that a table was changed since its plan was made: the next try reads it again.
var errTableChanged = errors.New("another member, or somebody, has changed the table meanwhile")

// stampSQL gives a text that changes whenever a member evolves a table to another version, and when somebody makes or drops
// a unique index, or changes the columns. Without the index on the key, repeats would be added and rows missed that ON
// CONFLICT would refuse; a COPY sends the bytes of the type that the column had, and float8 takes those of a bigint.
func (s *pgSink) stampSQL() string {
	return "select coalesce((select source_id || ' ' || version from " + s.own("tables") + ` where table_schema = $1 and table_name = $2), '') || ' ' ||
	coalesce((select string_agg(i.indexrelid::text, ' ' order by i.indexrelid)
		from pg_index i where i.indrelid = c.oid and i.indisunique and i.indisvalid and i.indimmediate), '') || ' ' ||
	coalesce((select string_agg(concat_ws(':', a.attnum, a.atttypid, a.atttypmod, (select nullif(count(*), 0) from pg_type y join pg_attribute x
			on x.attrelid = y.typrelid where y.oid = a.atttypid and x.attnum > 0)), ' ' order by a.attnum)
		from pg_attribute a where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped), '')
from (select) one left join (pg_class c join pg_namespace n on n.oid = c.relnamespace and n.nspname = $1) on c.relname = $2`
}

// own returns the quoted name of one of the sink's own tables.
func (s *pgSink) own(table string) string { return warehouse.QuoteTable(s.cfg.Schema, table) }
