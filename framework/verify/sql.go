package verify

import (
	"fmt"
	"strings"

	"github.com/syncline-io/syncline/framework/warehouse"
	"github.com/syncline-io/syncline/schemas"
)

// Dialect is what differs between engines in the statements of a comparison.
type Dialect struct {
	// Catalog stands before a table's schema where the name is ambiguous without it; it may be empty.
	Catalog string
	// Text is the expression of a column's canonical text in the form of a type; null for null.
	Text func(c Column, form schemas.Type) (string, error)
	// Bytes is the function that counts the bytes of a text.
	Bytes string
	// Hex60 gives the number that 15 hexadecimal digits of a text are, from a position counted from 1.
	Hex60 func(text string, from int) string
	// Divide is the operator of whole-number division.
	Divide string
	// Barrier ends a subquery whose expressions are computed once, however often they are used; it may be empty.
	Barrier string
}

// Field is the expression of a field whose text is expr.
func (d Dialect) Field(expr string) string {
	return fmt.Sprintf("CASE WHEN %[1]s IS NULL THEN 'N' ELSE CAST(%[2]s(%[1]s) AS VARCHAR) || ':' || %[1]s END", expr, d.Bytes)
}

// TrimDecimal is the expression of a decimal's canonical text, made of its text.
func TrimDecimal(text string) string {
	return fmt.Sprintf("CASE WHEN strpos(%[1]s, '.') > 0 THEN rtrim(rtrim(%[1]s, '0'), '.') ELSE %[1]s END", text)
}

// Query is one side of the comparison of one table.
type Query struct {
	table   Name
	dialect Dialect
	columns []Column // those that are compared, in the same order at both sides
	forms   []schemas.Type
	key     []int // indexes into columns
	byKey   bool  // the place is the key itself
}

// span is an interval of places, both ends included.
type span struct{ lo, hi int64 }

func (q *Query) quoted() string {
	name := warehouse.QuoteTable(q.table.Schema, q.table.Table)
	if q.dialect.Catalog == "" {
		return name
	}
	return warehouse.QuoteName(q.dialect.Catalog) + "." + name
}

// fields is a subquery with the columns f0, f1, ... (the canonical texts) and place.
func (q *Query) fields(s span) (string, error) {
	texts := make([]string, len(q.columns))
	for i, c := range q.columns {
		text, err := q.dialect.Text(c, q.forms[i])
		if err != nil {
			return "", err
		}
		texts[i] = fmt.Sprintf("%s AS f%d", text, i)
	}
	list := strings.Join(texts, ", ")
	if q.byKey {
		key := warehouse.QuoteName(q.columns[q.key[0]].Name)
		return fmt.Sprintf("SELECT CAST(%[1]s AS BIGINT) AS place, %[2]s FROM %[3]s WHERE %[1]s BETWEEN %[4]s AND %[5]s %[6]s",
			key, list, q.quoted(), number(s.lo), number(s.hi), q.dialect.Barrier), nil
	}
	by := q.key
	if len(by) == 0 {
		by = make([]int, len(q.columns))
		for i := range by {
			by[i] = i
		}
	}
	place := q.dialect.Hex60("md5("+q.row(by)+")", 1)
	return fmt.Sprintf("SELECT * FROM (SELECT %s AS place, * FROM (SELECT %s FROM %s %s) a %[4]s) b WHERE place BETWEEN %d AND %d",
		place, list, q.quoted(), q.dialect.Barrier, s.lo, s.hi), nil
}

// number writes a bound; the least one has no literal of its own.
func number(n int64) string { return fmt.Sprintf("CAST('%d' AS BIGINT)", n) }

// row is the text of the given columns.
func (q *Query) row(columns []int) string {
	fields := make([]string, len(columns))
	for n, i := range columns {
		fields[n] = q.dialect.Field(fmt.Sprintf("f%d", i))
	}
	return strings.Join(fields, " || ")
}

func (q *Query) all() []int {
	all := make([]int, len(q.columns))
	for i := range all {
		all[i] = i
	}
	return all
}

// sums returns a row per part of the span that is not empty: the part's number, its rows, and both sums.
func (q *Query) sums(s span, width int64) (string, error) {
	fields, err := q.fields(s)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("SELECT CAST(part AS VARCHAR), CAST(count(*) AS VARCHAR), CAST(sum(%s) AS VARCHAR), CAST(sum(%s) AS VARCHAR)"+
		" FROM (SELECT (place - %s) %s %d AS part, md5(%s) AS m FROM (%s) c %s) d GROUP BY part",
		q.dialect.Hex60("m", 1), q.dialect.Hex60("m", 17), number(s.lo), q.dialect.Divide, width, q.row(q.all()), fields, q.dialect.Barrier), nil
}

// shownBytes is how much of a text a difference shows.
const shownBytes = 160

// rows returns the distinct rows of the span: each field, and how often the row is there. A long text is cut off and
// has its md5 behind it.
func (q *Query) rows(s span, limit int) (string, error) {
	fields, err := q.fields(s)
	if err != nil {
		return "", err
	}
	shown, groups := make([]string, len(q.columns)), make([]string, len(q.columns))
	for i := range shown {
		f := fmt.Sprintf("f%d", i)
		shown[i] = fmt.Sprintf("CASE WHEN %[1]s IS NULL THEN 'N' WHEN %[2]s(%[1]s) <= %[3]d THEN 'T' || %[1]s"+
			" ELSE 'L' || left(%[1]s, 60) || '... (' || CAST(%[2]s(%[1]s) AS VARCHAR) || ' bytes, md5 ' || md5(%[1]s) || ')' END",
			f, q.dialect.Bytes, shownBytes)
		groups[i] = f
	}
	return fmt.Sprintf("SELECT %s, CAST(count(*) AS VARCHAR) FROM (%s) c GROUP BY %s LIMIT %d",
		strings.Join(shown, ", "), fields, strings.Join(groups, ", "), limit), nil
}

// bounds returns the least and the greatest key, none when the table is empty.
func (q *Query) bounds() string {
	key := warehouse.QuoteName(q.columns[q.key[0]].Name)
	return fmt.Sprintf("SELECT CAST(min(%[1]s) AS VARCHAR), CAST(max(%[1]s) AS VARCHAR) FROM %[2]s HAVING count(%[1]s) > 0", key, q.quoted())
}

// nullKeys returns the number of rows whose key is null: they have no place.
func (q *Query) nullKeys() string {
	return fmt.Sprintf("SELECT CAST(count(*) AS VARCHAR) FROM %s WHERE %s IS NULL", q.quoted(), warehouse.QuoteName(q.columns[q.key[0]].Name))
}
