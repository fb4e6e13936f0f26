package postgres

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
	"go.uber.org/zap"

	"github.com/syncline-io/syncline/framework/failure"
	"github.com/syncline-io/syncline/framework/sink"
	"github.com/syncline-io/syncline/framework/warehouse"
	"github.com/syncline-io/syncline/schemas"
)

// What is needed for types that are not built in: enums and composite types are made, in the schema of the table; those of
// extensions are used where the target has the extension. Everything else is text, and so is what the target lacks.

// wantedTypes returns the type of each column, text for those that this server does not have.
func (s *pgSink) wantedTypes(ctx context.Context, tx pgx.Tx, t *sink.Table) ([]sinkType, error) {
	wanted := make([]sinkType, len(t.Columns))
	var names []string
	for i := range t.Columns {
		wanted[i] = wantedType(t, i)
		names = append(names, wanted[i].name)
		for _, a := range wanted[i].attributes {
			names = append(names, a.typ.name)
		}
	}
	known, err := readKnown(ctx, tx, names)
	if err != nil {
		return nil, err
	}
	for i := range wanted {
		w, c := &wanted[i], &t.Columns[i]
		if !known.find(w) {
			*w = typeOf(c.Type)
			s.env.Log.Info("a column becomes text, because the target has no such type", zap.Stringer("table", t), zap.String("column", c.Name),
				zap.String("type", c.SourceType), zap.String("hint", "create the extension before the table is made, or change the column's type afterwards"))
		}
		for k := range w.attributes {
			if a := &w.attributes[k]; !known.find(&a.typ) {
				a.typ = sinkType{name: "text"}
			}
		}
	}
	return wanted, nil
}

// knownTypes says of names of types where this server has them: the schema of a type of an extension, "" of a built-in one.
type knownTypes struct{ extensions, builtIn map[string]string }

// readKnown looks names of types up.
func readKnown(ctx context.Context, q sinkQuerier, names []string) (knownTypes, error) {
	known := knownTypes{extensions: map[string]string{}, builtIn: map[string]string{}}
	const sql = `select t.typname, n.nspname, n.nspname <> 'pg_catalog' from pg_type t join pg_namespace n on n.oid = t.typnamespace
where t.typname = any($1) and (n.nspname = 'pg_catalog' or exists (
	select from pg_depend d where d.classid = 'pg_type'::regclass and d.objid = t.oid and d.deptype = 'e'))`
	rows, err := q.Query(ctx, sql, names)
	if err != nil {
		return known, err
	}
	var name, schema string
	var extension bool
	_, err = pgx.ForEachRow(rows, []any{&name, &schema, &extension}, func() error {
		if extension {
			known.extensions[name] = schema
		} else {
			known.builtIn[name] = ""
		}
		return nil
	})
	return known, err
}

// find completes a type by its schema, and reports whether it is there or can be made.
func (k knownTypes) find(t *sinkType) (ok bool) {
	switch t.made {
	case byExtension:
		t.schema, ok = k.extensions[t.name]
		return ok
	case builtIn:
		_, ok = k.builtIn[t.name]
		return ok
	}
	return true
}

// madeTypes are those wanted enums and composite types that exist, by their quoted names.
type madeTypes map[string]sinkType

// readMade reads what the target has of the wanted enums and composite types.
func readMade(ctx context.Context, q sinkQuerier, wanted []sinkType) (madeTypes, error) {
	made := madeTypes{}
	for _, w := range wanted {
		if w.made != asEnum && w.made != asComposite {
			continue
		}
		const sql = `select t.typtype::text || coalesce(c.relkind::text, ''), array(select l.enumlabel::text from pg_enum l where l.enumtypid = t.oid order by l.enumsortorder),
	array(select a.attname::text from pg_attribute a where a.attrelid = t.typrelid and a.attnum > 0 and not a.attisdropped order by a.attnum),
	array(select format_type(a.atttypid, a.atttypmod) from pg_attribute a where a.attrelid = t.typrelid and a.attnum > 0 and not a.attisdropped order by a.attnum)
from pg_type t join pg_namespace n on n.oid = t.typnamespace left join pg_class c on c.oid = t.typrelid
where n.nspname = $1 and t.typname = $2`
		var kind string
		var attributes, types []string
		have := sinkType{made: w.made, schema: w.schema, name: w.name}
		err := q.QueryRow(ctx, sql, w.schema, w.name).Scan(&kind, &have.labels, &attributes, &types)
		switch {
		case errors.Is(err, pgx.ErrNoRows):
			continue
		case err != nil:
			return nil, err
		case w.made == asEnum && kind != "e":
			return nil, failure.As(failure.Config, fmt.Errorf("type %s exists and is no enum, but the source has an enum of this name", w.bare()),
				"drop or rename the type, or map the table to another schema")
		case w.made == asComposite && kind != "cc":
			have.made = builtIn // or anything else that is no composite type of its own: the rows of a table are of a type too
		}
		for i := range attributes {
			have.attributes = append(have.attributes, sinkAttribute{attributes[i], attributeType(types[i])})
		}
		made[w.bare()] = have
	}
	return made, nil
}

// attributeType reads the type of an attribute in the target. One of an extension keeps the schema that stands before it.
func attributeType(text string) sinkType {
	if t, ok := parseSinkType(text); ok {
		return t
	}
	t, _ := parseExtensionType(text)
	return t
}

// withoutStrangers makes text of those composite types whose name is another type's: one in the target with other attributes, as
// far as it has them (they were dropped, renamed or given another type at the source, or somebody made the type), the table's
// own, or one of another schema of the source that comes before in the same table.
func (s *pgSink) withoutStrangers(t *sink.Table, wanted []sinkType, made madeTypes) {
	taken := maps.Clone(made)
	taken[warehouse.QuoteTable(t.Schema, t.Name)] = sinkType{}
	for _, w := range wanted {
		if w.made == asEnum {
			taken[w.bare()] = w
		}
	}
	for i, w := range wanted {
		if w.made != asComposite {
			continue
		}
		have, exists := taken[w.bare()]
		switch {
		case exists && (have.made != asComposite || !have.begins(w)):
			wanted[i] = sinkType{name: "text"}
			s.env.Log.Warn("a column becomes text, because the target has another type of the name of its composite type, or one with other attributes",
				zap.Stringer("table", t), zap.String("column", t.Columns[i].Name), zap.String("type", t.Columns[i].SourceType))
		case !exists || len(w.attributes) > len(have.attributes):
			taken[w.bare()] = w
		}
	}
}

// begins reports whether one of two composite types is the other with attributes behind it.
func (t sinkType) begins(u sinkType) bool {
	for i := range min(len(t.attributes), len(u.attributes)) {
		a, b := t.attributes[i], u.attributes[i]
		same := a.typ.made == b.typ.made && a.typ.name == b.typ.name && a.typ.mods == b.typ.mods && a.typ.array == b.typ.array
		if a.name != b.name || !same {
			return false
		}
	}
	return true
}

// enum creates an enum's type or adds the labels that it lacks, each where the source has it.
func (e *evolution) enum(w sinkType) {
	if w.made != asEnum {
		return
	}
	have, exists := e.made[w.bare()]
	if !exists {
		quoted := make([]string, len(w.labels))
		for i, label := range w.labels {
			quoted[i] = warehouse.QuoteText(label)
		}
		e.do("create type %s as enum (%s)", w.bare(), strings.Join(quoted, ", "))
		e.made[w.bare()] = w
		return
	}
	have.labels = e.addLabels(w.bare(), have.labels, w.labels)
	e.made[w.bare()] = have
}

// addLabels returns have with the labels that it lacks: behind the one that stands before it in want, or first.
func (e *evolution) addLabels(enum string, have, want []string) []string {
	have = slices.Clone(have)
	add := func(format string, args ...any) { e.labels = append(e.labels, fmt.Sprintf(format, args...)) }
	for i, label := range want {
		if slices.Contains(have, label) {
			continue
		}
		if i > 0 {
			add("alter type %s add value if not exists %s after %s", enum, warehouse.QuoteText(label), warehouse.QuoteText(want[i-1]))
			have = slices.Insert(have, slices.Index(have, want[i-1])+1, label)
			continue
		}
		add("alter type %s add value if not exists %s before %s", enum, warehouse.QuoteText(label), warehouse.QuoteText(have[0]))
		have = slices.Insert(have, 0, label)
	}
	return have
}

// composite creates a composite type or adds the attributes that it lacks.
func (e *evolution) composite(w sinkType) {
	if w.made != asComposite {
		return
	}
	have, exists := e.made[w.bare()]
	attributes := make([]string, 0, len(w.attributes))
	for _, a := range w.attributes[min(len(have.attributes), len(w.attributes)):] {
		attributes = append(attributes, warehouse.QuoteName(a.name)+" "+a.typ.String())
	}
	switch {
	case !exists:
		e.do("create type %s as (%s)", w.bare(), strings.Join(attributes, ", "))
	case len(attributes) > 0:
		e.do("alter type %s add attribute %s", w.bare(), strings.Join(attributes, ", add attribute "))
	default:
		return
	}
	e.made[w.bare()] = w
}

// errAttributes refuses a composite value with more attributes than the target's type has.
var errAttributes = fmt.Errorf("%w: a composite value has other attributes than its type in the target; "+
	"change the column's type to text, or add to the type what it lacks, and read the record again", errCopyValue)

// copyComposite returns the function that sends the text of values of a composite type with n attributes, or of arrays of them.
// Those of before an attribute was added are completed by nulls, as PostgreSQL completes the rows that are there.
func copyComposite(n int, array bool) copyAppend {
	return func(dst []byte, v schemas.Value, _ *copyScratch) ([]byte, error) {
		if err := copyKind(v, schemas.KindBytes); err != nil {
			return dst, err
		}
		text := v.Bytes()
		count := countAttributes(text)
		missing := n - count
		switch {
		case array && count == 0: // no elements but nulls
			return append(dst, text...), nil
		case missing < 0:
			return dst, errAttributes
		case missing == 0 || !array && !bytes.HasSuffix(text, []byte{')'}):
			return append(dst, text...), nil
		case array:
			return appendCompleted(dst, text, missing), nil
		}
		return appendNulls(append(dst, text[:len(text)-1]...), missing), nil
	}
}

// appendCompleted appends the text of an array of composite values, each with further attributes, which are null. Elements that need no
// quotes, those of one attribute, need them then.
func appendCompleted(dst, text []byte, missing int) []byte {
	quoted := false
	for i := 0; i < len(text); i++ {
		c := text[i]
		switch {
		case c == '\\' && i+1 < len(text):
			dst = append(dst, c)
			i++
			c = text[i]
		case c == '"':
			if quoted = !quoted; !quoted && text[i-1] == ')' {
				dst = appendNulls(dst[:len(dst)-1], missing)
			}
		case c == '(' && !quoted:
			if n := bytes.IndexByte(text[i:], ')'); n > 0 {
				dst = appendNulls(append(append(dst, '"'), text[i:i+n]...), missing)
				i, c = i+n, '"'
			}
		}
		dst = append(dst, c)
	}
	return dst
}

// appendNulls ends a composite value by n attributes that are null.
func appendNulls(dst []byte, n int) []byte {
	for range n {
		dst = append(dst, ',')
	}
	return append(dst, ')')
}
