package postgres

import (
	"strconv"
	"strings"

	"github.com/syncline-io/syncline/framework/sink"
	"github.com/syncline-io/syncline/schemas"
)

// rowStatement writes one row by parameters. Every set of unchanged and raw columns has its own.
type rowStatement struct {
	sql  string
	oids []uint32
	// id is the text and the type of every parameter: two versions of a table may have the same text with other types.
	id      string
	columns []int  // the column of each parameter
	raw     []bool // by parameter: the source's text is sent, and read by the column's own input function
	// exact says that the statement must touch one row.
	exact bool
}

// statement returns the statement for a row. shape is scratch that is returned for the next call.
func (p *sinkPlan) statement(r *sink.Row, shape []byte) (*rowStatement, []byte) {
	shape = append(shape[:0], byte('0'+r.Action))
	for i := range r.Values {
		letter := byte('v')
		switch {
		case r.Action == sink.Delete && !p.isKey(i):
			letter = '-'
		case r.Values[i].IsUnchanged():
			letter = 'u'
		case r.Values[i].Kind() == schemas.KindUnrepresentable:
			letter = 'r'
		}
		shape = append(shape, letter)
	}
	if st := p.rowStatements[string(shape)]; st != nil {
		return st, shape
	}
	b := statementBuilder{plan: p, shape: shape[1:], st: &rowStatement{}}
	b.build(r)
	b.st.id = b.st.sql + b.types.String()
	p.rowStatements[string(shape)] = b.st
	return b.st, shape
}

type statementBuilder struct {
	plan  *sinkPlan
	shape []byte // by column
	st    *rowStatement
	types strings.Builder
}

// parameter adds column i as a parameter and returns the expression of its value.
func (b *statementBuilder) parameter(i int) string {
	c := &b.plan.columns[i]
	raw := b.shape[i] == 'r'
	oid, cast := c.oid, c.cast
	if raw || c.textual {
		oid, cast = 0, ""
	}
	b.st.columns = append(b.st.columns, i)
	b.st.raw = append(b.st.raw, raw)
	b.st.oids = append(b.st.oids, oid)
	// Where the server takes the type from the column, it does so once, when the statement is prepared.
	b.types.WriteString("\x00" + strconv.FormatUint(uint64(oid), 10))
	if oid == 0 {
		b.types.WriteString(" " + c.full)
	}
	expression := "$" + strconv.Itoa(len(b.st.columns))
	if cast != "" {
		expression += "::" + cast
	}
	return expression
}

func (b *statementBuilder) build(r *sink.Row) {
	switch {
	case r.Action == sink.Delete:
		b.st.sql = "delete from " + b.plan.name + " where " + b.match()
	case r.Action == sink.Remove:
		b.remove()
	case r.Action == sink.Upsert && r.Partial:
		b.partial()
	default:
		values := make([]string, len(b.plan.columns))
		for i := range values {
			values[i] = b.parameter(i)
		}
		b.st.sql = "insert into " + b.plan.name + b.plan.columnList() + " values (" + strings.Join(values, ", ") + ")"
		if len(values) == 0 {
			b.st.sql = "insert into " + b.plan.name + " default values" // a table without columns has rows all the same
		}
		if r.Action == sink.Upsert {
			b.st.sql += b.plan.onConflict()
		}
	}
}

// match is the condition on the key.
func (b *statementBuilder) match() string {
	terms := make([]string, len(b.plan.key))
	for i, k := range b.plan.key {
		terms[i] = b.plan.columns[k].name + " " + b.plan.columns[k].equals + " " + b.parameter(k)
	}
	return strings.Join(terms, " and ")
}

func (b *statementBuilder) partial() {
	b.st.exact = true
	var sets []string
	for i := range b.plan.columns {
		if !b.plan.isKey(i) && b.shape[i] != 'u' {
			sets = append(sets, b.plan.columns[i].name+" = "+b.parameter(i))
		}
	}
	if len(sets) == 0 {
		b.st.sql = "select from " + b.plan.name + " where " + b.match()
		return
	}
	b.st.sql = "update " + b.plan.name + " set " + strings.Join(sets, ", ") + " where " + b.match()
}

// remove deletes one row that has the same bytes in every column, nulls included. Comparing the image rather than the
// value needs no equality operator (json, xml and point have none) and tells 1.0 from 1.00. The parameters take the
// columns' full types, so that they become what an insert would have stored. Without the casts to record the rows would
// be compared column by column.
func (b *statementBuilder) remove() {
	b.st.exact = true
	columns := make([]string, len(b.plan.columns))
	values := make([]string, len(b.plan.columns))
	for i := range b.plan.columns {
		columns[i] = "t." + b.plan.columns[i].name
		values[i] = b.parameter(i) + "::" + b.plan.columns[i].full
	}
	b.st.sql = "delete from " + b.plan.name + " where ctid = (select t.ctid from " + b.plan.name + " t where row(" +
		strings.Join(columns, ", ") + ")::record operator(pg_catalog.*=) row(" + strings.Join(values, ", ") + ")::record limit 1)"
}
