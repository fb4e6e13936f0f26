package postgres

import (
	"bytes"
	"context"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/syncline-io/syncline/schemas"
)

// usedTypesQuery lists the domains and composite types that a type is made of, itself included, but those of extensions,
// which are made with these, and the types of tables' rows: at a target the table of that name has one, too.
const usedTypesQuery = `
with recursive used(root, oid) as (
	select r, r from unnest($1::oid[]) r
	union
	select u.root, x.oid from used u join pg_type t on t.oid = u.oid cross join lateral (
		select t.typbasetype where t.typtype = 'd'
		union all select t.typelem where t.typcategory = 'A' and t.typelem <> 0
		union all select a.atttypid from pg_attribute a where t.typtype = 'c' and a.attrelid = t.typrelid and a.attnum > 0 and not a.attisdropped
	) x(oid))
select u.root, format_type(t.oid, null), case when t.typtype = 'd' then format_type(t.typbasetype, t.typtypmod) else '' end,
	array(select a.attname::text from pg_attribute a where a.attrelid = t.typrelid and t.typtype = 'c' and a.attnum > 0 and not a.attisdropped order by a.attnum),
	array(select format_type(a.atttypid, a.atttypmod) from pg_attribute a where a.attrelid = t.typrelid and t.typtype = 'c' and a.attnum > 0 and not a.attisdropped order by a.attnum)
from used u join pg_type t on t.oid = u.oid
where (t.typtype = 'd' or t.typtype = 'c' and exists (select from pg_class c where c.oid = t.typrelid and c.relkind = 'c')) and t.oid >= 16384
	and not exists (select from pg_depend d where d.classid = 'pg_type'::regclass and d.objid = t.oid and d.deptype = 'e')
order by u.root, t.oid`

// describeTypes completes the columns of a layout by the domains and composite types that they are made of.
func (c *catalog) describeTypes(ctx context.Context, l *layout) error {
	var oids []uint32
	for i, a := range l.attributes {
		if l.columns[i].row >= 0 && !isBuiltIn(a.typ) {
			oids = append(oids, a.typ)
		}
	}
	if len(oids) == 0 {
		return nil
	}
	rows, err := c.conn.Query(ctx, usedTypesQuery, oids)
	if err != nil {
		return fmt.Errorf("read the catalog of the types of %s: %w", l.table, err)
	}
	types := map[uint32][]schemas.UserType{}
	var root uint32
	var t schemas.UserType
	var names, texts []string
	_, err = pgx.ForEachRow(rows, []any{&root, &t.Name, &t.Base, &names, &texts}, func() error {
		t.Attributes = nil
		for i := range names {
			t.Attributes = append(t.Attributes, schemas.Attribute{Name: names[i], Type: texts[i]})
		}
		types[root] = append(types[root], t)
		return nil
	})
	if err != nil {
		return fmt.Errorf("read the catalog of the types of %s: %w", l.table, err)
	}
	for i, a := range l.attributes {
		if w := &l.columns[i]; w.row >= 0 {
			column := &l.table.Columns[w.row]
			column.Types = types[a.typ]
			w.composite = len(compositeOf(column).Attributes)
		}
	}
	return nil
}

// compositeOf returns the composite type that a column's values, or their elements, are of; one without attributes for
// other columns.
func compositeOf(c *schemas.Column) schemas.UserType {
	name := strings.TrimSuffix(baseText(c.SourceType, c.Types), "[]")
	for _, t := range c.Types {
		if t.Name == name && t.Base == "" {
			return t
		}
	}
	return schemas.UserType{}
}

// baseText resolves the text of a domain, or of an array of one, to that of the type beneath it.
func baseText(text string, types []schemas.UserType) string {
	// A domain over a domain over ... is finite; the bound is for a description that lies.
	for range 32 {
		name, array := strings.CutSuffix(text, "[]")
		next := ""
		for _, t := range types {
			if t.Name == name && t.Base != "" {
				next = t.Base
			}
		}
		switch {
		case next == "":
			return text
		case array && strings.HasSuffix(next, "[]"):
			return text // elements that are arrays are none of PostgreSQL's further dimensions
		case array:
			next += "[]"
		}
		text = next
	}
	return text
}

// otherAttributes reports whether a composite value has another number of attributes than the catalog told, and whether that
// is news: ALTER TYPE alters no table, so that a row is the first that is heard of it. A row of before it, that is read behind
// it, is no news the second time.
func (rel *relation) otherAttributes(column int, text []byte) bool {
	n := countAttributes(text)
	name := rel.layout.attributes[column].name
	if n == 0 || n == rel.layout.columns[column].composite || n == rel.strange[name] {
		return false
	}
	if rel.strange == nil {
		rel.strange = map[string]int{}
	}
	rel.strange[name] = n
	return true
}

// countAttributes counts the attributes of a composite value, or of the first one of an array of them, in PostgreSQL's text; 0
// where there is none.
func countAttributes(text []byte) int {
	c := attributeCount{}
	if len(text) == 0 || text[0] == '(' {
		for _, b := range text {
			c.next(b)
		}
		return c.n
	}
	from := bytes.IndexByte(text, '(')
	if from < 0 {
		return 0
	}
	// An element with a comma is quoted in the array, and its quotes and backslashes have a backslash before them.
	for i := from; i < len(text) && text[i] != '"'; i++ {
		if text[i] == '\\' && i+1 < len(text) {
			i++
		}
		c.next(text[i])
		if c.done {
			break
		}
	}
	return c.n
}

// attributeCount counts the fields of a composite value's text: the commas outside of quotes, and one.
type attributeCount struct {
	n                     int
	quoted, escaped, done bool
}

func (c *attributeCount) next(b byte) {
	switch {
	case c.n == 0: // the opening parenthesis
		c.n = 1
	case c.escaped:
		c.escaped = false
	case b == '\\':
		c.escaped = true
	case b == '"': // a doubled one within quotes ends them and begins them anew
		c.quoted = !c.quoted
	case c.quoted:
	case b == ',':
		c.n++
	case b == ')':
		c.done = true
	}
}
