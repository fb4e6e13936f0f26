package postgres

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/syncline-io/syncline/framework/failure"
	"github.com/syncline-io/syncline/schemas"
)

// attribute is a column as the catalog or a relation message tells it.
type attribute struct {
	num       int16 // attnum; 0 when nobody knows it any more
	name      string
	typ       uint32
	typmod    int32
	typeText  string
	notNull   bool
	relaxed   bool // a null was seen, whatever the type says
	def       string
	generated bool // serial or identity
	dropped   bool
	hidden    bool // GENERATED ALWAYS AS: in the table, but not in the stream
}

// relationInfo is a table as the catalog tells it.
type relationInfo struct {
	oid      uint32
	schema   string
	name     string
	kind     byte // pg_class.relkind: r(elation), p(artitioned)
	identity byte // pg_class.relreplident: d(efault), n(othing), f(ull), i(ndex)
	// storage changes whenever the rows are written anew: TRUNCATE, and the ALTER TABLEs that rewrite.
	storage string
	// rows is the planner's estimate, -1 when there is none.
	rows int64
	// attributes in the order of attnum, dropped and hidden ones included.
	attributes []attribute
	// key holds the attnums of the key, in its own order: those of the index that is the replica identity, else of the primary key, else
	// of the first unique index by name, as with Debezium, if it is about all rows and none of its columns can be null, is generated or
	// is left out by the user.
	key []int16
	// unsent is a generated column of the index that would be the key, "" if there is none. The log does not carry it, and what is
	// left of the key tells no rows apart: there is no key then.
	unsent string
	// deferrable says that the key is checked at the end of a statement or transaction only.
	deferrable bool
	// partial says that the identity is full and some partitions log the key alone. ALTER TABLE ... REPLICA IDENTITY stays with
	// the partitioned table; what is logged of an old row is the partition's choice, and how it is announced is the
	// partitioned table's: a row of nulls but for its key comes as a whole one. A partition that has neither a full identity
	// nor a key, as a new one of a table without a key, logs no old rows: PostgreSQL refuses to update or delete in it.
	partial bool
}

func (r *relationInfo) String() string { return r.schema + "." + r.name }

// catalog reads what PostgreSQL knows of tables and types, as of the transaction that conn is in.
type catalog struct {
	conn     *pgx.Conn
	database string
	// hide leaves columns out, by schema.table.column.
	hide pattern
	// modes say how types are mapped.
	modes modes
}

// The storage of a partitioned table or a parent is that of all the tables below it.
const relationQuery = `
select c.oid, n.nspname, c.relname, c.relkind::text, c.relreplident::text,
	(with recursive below(oid) as (
		select c.oid union all select i.inhrelid from pg_inherits i join below b on i.inhparent = b.oid
		where c.relkind = 'p')
	select string_agg(x.oid || ':' || x.relfilenode, ',' order by x.oid) from pg_class x join below b on x.oid = b.oid),
	c.reltuples::bigint,
	coalesce(k.key, '{}'), k.chosen is false, c.relreplident = 'f' and k.deferrable is true,
	c.relreplident = 'f' and c.relkind = 'p' and exists (
		with recursive below(oid) as (
			select c.oid union all select i.inhrelid from pg_inherits i join below b on i.inhparent = b.oid)
		select from below b join pg_class x on x.oid = b.oid join pg_index y on y.indrelid = x.oid
		where x.relkind <> 'p' and (x.relreplident = 'i' and y.indisreplident
			or x.relreplident = 'd' and y.indisprimary and y.indimmediate))
from pg_class c join pg_namespace n on n.oid = c.relnamespace left join lateral (
	select case when i.indisprimary or i.indisreplident then (i.indkey::int2[])[0:i.indnkeyatts - 1] else i.indkey::int2[] end as key,
		i.indisprimary or i.indisreplident as chosen, not i.indimmediate as deferrable
	from pg_index i join pg_class x on x.oid = i.indexrelid
	where i.indrelid = c.oid and i.indisvalid and i.indisunique and case
		when c.relreplident = 'i' then i.indisreplident
		else i.indisprimary or i.indpred is null and i.indexprs is null and not exists (
			select from pg_attribute a where a.attrelid = c.oid and a.attnum = any(i.indkey) and (not a.attnotnull or a.attgenerated <> '')) end
	order by i.indisprimary desc, x.relname limit 1) k on true
where c.oid = $1`

const attributeQuery = `
select a.attnum, a.attname, a.atttypid, a.atttypmod, coalesce(format_type(a.atttypid, a.atttypmod), ''), a.attnotnull,
	coalesce(pg_get_expr(d.adbin, d.adrelid), ''),
	a.attidentity <> '' or coalesce(pg_get_expr(d.adbin, d.adrelid) like 'nextval(%', false),
	a.attisdropped, a.attgenerated <> ''
from pg_attribute a left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
where a.attrelid = $1 and a.attnum > 0
order by a.attnum`

// relation describes one table; nil when it does not exist.
func (c *catalog) relation(ctx context.Context, oid uint32) (*relationInfo, error) {
	r := &relationInfo{}
	var kind, identity string
	var unique bool // the key is that of a unique index that nobody chose for it
	err := c.conn.QueryRow(ctx, relationQuery, oid).
		Scan(&r.oid, &r.schema, &r.name, &kind, &identity, &r.storage, &r.rows, &r.key, &unique, &r.deferrable, &r.partial)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the catalog for the table with OID %d: %w", oid, err)
	}
	r.kind, r.identity = kind[0], identity[0]
	rows, err := c.conn.Query(ctx, attributeQuery, oid)
	if err != nil {
		return nil, fmt.Errorf("read the columns of %s: %w", r, err)
	}
	r.attributes, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (a attribute, err error) {
		var typ *uint32
		err = row.Scan(&a.num, &a.name, &typ, &a.typmod, &a.typeText, &a.notNull, &a.def, &a.generated, &a.dropped, &a.hidden)
		if typ != nil {
			a.typ = *typ
		}
		return a, err
	})
	if err != nil {
		return nil, fmt.Errorf("read the columns of %s: %w", r, err)
	}
	for _, a := range r.attributes {
		switch {
		case !slices.Contains(r.key, a.num):
			continue
		case a.hidden:
			r.unsent = a.name
		case !unique || !c.hide.matches(r.String()+"."+a.name):
			continue
		}
		r.key, r.deferrable = nil, false
		break
	}
	return r, nil
}

// checkKey refuses a table whose old rows would be told by a part of their key alone.
func (r *relationInfo) checkKey(identity byte) error {
	if r.unsent == "" || identity == 'f' || identity == 'n' {
		return nil
	}
	return failure.As(failure.Config, fmt.Errorf("postgres.tables: column %s of the key of %s is generated, and the log does not carry it", r.unsent, r),
		fmt.Sprintf("run ALTER TABLE %s REPLICA IDENTITY FULL, or leave the table out with exclude_tables", quoteTable(r.schema, r.name)))
}

// The array type of a type is named by it: int2vector has elements too, and is no array to those who read its text.
const userTypeQuery = `
with recursive used as (
	select oid from pg_type where oid = any($1)
	union
	select x.oid from used join pg_type s using (oid) join pg_type x on x.oid = s.typbasetype or x.typarray = s.oid)
select t.oid, t.typtype::text, t.typbasetype, t.typtypmod, t.typname, coalesce((select e.oid from pg_type e where e.typarray = t.oid), 0), t.typnotnull, t.typsend <> 0,
	coalesce((select array_agg(e.enumlabel::text order by e.enumsortorder) from pg_enum e where e.enumtypid = t.oid), '{}')
from pg_type t where oid in (select oid from used)`

// userTypes looks up the types of attrs, and those that they are made of.
func (c *catalog) userTypes(ctx context.Context, attrs []attribute) (userTypes, error) {
	var oids []uint32
	for _, a := range attrs {
		if !isPlain(a.typ) {
			oids = append(oids, a.typ)
		}
	}
	if len(oids) == 0 {
		return nil, nil
	}
	rows, err := c.conn.Query(ctx, userTypeQuery, oids)
	if err != nil {
		return nil, fmt.Errorf("read the catalog of types: %w", err)
	}
	types := userTypes{}
	var oid uint32
	var t userType
	var kind string
	_, err = pgx.ForEachRow(rows, []any{&oid, &kind, &t.base, &t.typmod, &t.name, &t.elem, &t.notNull, &t.sent, &t.labels}, func() error {
		t.kind = kind[0]
		types[oid] = t
		t.labels = nil
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read the catalog of types: %w", err)
	}
	return types, nil
}

// typeText gives the text of a type that the table's catalog entry no longer tells.
func (c *catalog) typeText(ctx context.Context, typ uint32, typmod int32) (string, error) {
	var text string
	if err := c.conn.QueryRow(ctx, "select format_type($1, $2)", typ, typmod).Scan(&text); err != nil {
		return "", fmt.Errorf("read the name of the type with OID %d: %w", typ, err)
	}
	return text, nil
}

// layout is a table and how its columns are found in what the server sends.
type layout struct {
	table *schemas.Table
	// columns, one for each value of a tuple, in the order of the tuple.
	columns []wireColumn
	// key holds the indexes of the key's columns in a row, in no order that means anything.
	key []int
	// names and types as the server knows them, for reading a row by its key.
	attributes []attribute
}

// wireColumn says what to do with one value of a tuple.
type wireColumn struct {
	// row is the value's index in the row, -1 for a column that is hidden.
	row    int
	decode textDecoder
	// binary is decode for the binary form, nil where there is none; partial says that it refuses some values.
	binary  binaryDecoder
	partial bool
	// wire is the type that the server sends: domains are resolved.
	wire     uint32
	nullable bool
	// labels of an enum, nil for other types and in a snapshot.
	labels labelSet
	// composite is the number of attributes of a composite type, or of the elements of an array of one.
	composite int
}

// value decodes what the server has sent of a value, text or binary.
func (c *wireColumn) value(f field, a *schemas.Arena) (schemas.Value, error) {
	switch {
	case f.kind == 't':
		return c.decode(f.text, a), nil
	case c.binary == nil:
		return schemas.Value{}, errTextOnly
	}
	return c.binary(f.text, a)
}

// copied is how a snapshot reads the column, nil for as text.
func (c *wireColumn) copied() binaryDecoder {
	if c.partial {
		return nil
	}
	return c.binary
}

// layout makes a table out of the attributes that the server sends, in the order in which it sends them. The version is
// left to the caller.
func (c *catalog) layout(ctx context.Context, r *relationInfo, sent []attribute) (*layout, error) {
	types, err := c.userTypes(ctx, sent)
	if err != nil {
		return nil, err
	}
	l := &layout{
		table: &schemas.Table{
			System: systemName, Database: c.database, Schema: r.schema, Name: r.name, ID: r.oid, Identity: identityOf(r),
		},
		columns:    make([]wireColumn, len(sent)),
		attributes: sent,
	}
	for i, a := range sent {
		key := slices.Index(r.key, a.num) + 1
		wire, _ := types.resolve(a.typ, a.typmod)
		typ := types.columnType(a.typ, a.typmod)
		c.modes.apply(&typ, types.isArray(a.typ))
		// The NOT NULL of a domain counts for its column, as it does for Debezium.
		notNull := a.notNull || types[a.typ].notNull && !a.relaxed
		l.columns[i] = wireColumn{row: -1, decode: textDecoderOf(&typ), wire: wire, nullable: !notNull}
		l.columns[i].binary, l.columns[i].partial = binaryDecoderOf(wire, &typ, types)
		if key == 0 && (c.modes.omits(&typ) || c.hide.matches(r.String()+"."+a.name)) {
			continue
		}
		row := len(l.table.Columns)
		l.columns[i].row = row
		if key > 0 {
			l.key = append(l.key, row)
		}
		l.table.Columns = append(l.table.Columns, schemas.Column{
			ID: int32(max(0, a.num)), Name: a.name, Type: typ, SourceType: a.typeText, Domain: types[a.typ].kind == 'd',
			Nullable: !notNull, Default: a.def, Generated: a.generated, Key: key,
		})
	}
	return l, c.describeTypes(ctx, l)
}

// systemName is Debezium's name of the connector.
const systemName = "postgresql"

func identityOf(r *relationInfo) schemas.Identity {
	switch {
	case r.identity == 'f' && !r.partial:
		return schemas.IdentityFull
	case r.identity == 'n', len(r.key) == 0:
		return schemas.IdentityNothing
	}
	return schemas.IdentityKey
}

// sent returns the attributes that the stream carries.
func (r *relationInfo) sent() []attribute {
	return slices.DeleteFunc(slices.Clone(r.attributes), func(a attribute) bool { return a.dropped || a.hidden })
}
