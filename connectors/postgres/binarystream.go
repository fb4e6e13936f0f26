package postgres

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"go.uber.org/zap"

	"github.com/syncline-io/syncline/framework/failure"
)

// The choices of SourceConfig.Binary.
const (
	binaryAuto = "auto"
	binaryYes  = "true"
	binaryNo   = "false"
)

// notBinary is why a value, or a whole column, cannot be read as the server sends it in a binary stream.
type notBinary struct {
	layout *layout
	column int // of the layout
	cause  error
}

func (e *notBinary) Error() string {
	a := e.layout.attributes[e.column]
	return fmt.Sprintf("column %s of %s, of type %s: %v", a.name, e.layout.table, a.typeText, e.cause)
}

func (e *notBinary) Unwrap() error { return e.cause }

// streamBroken is what ended the stream itself, as against what was done on account of its messages.
type streamBroken struct{ cause error }

func (e *streamBroken) Error() string { return e.cause.Error() }

func (e *streamBroken) Unwrap() error { return e.cause }

// needsText reports whether an error of a binary stream goes away when the server sends text: a value that is not
// understood here, or that the server has no function to send. Whatever else is raised in a type's send function is not
// told apart, and is tried again like every other error; and so is a function that is missing elsewhere, such as in a snapshot
// that is read on the way: going on behind that would leave its tables out.
func needsText(err error) bool {
	if _, ok := errors.AsType[*notBinary](err); ok {
		return true
	}
	broken, ok := errors.AsType[*streamBroken](err)
	return ok && sqlState(broken) == codeUndefinedFunction
}

// binaryRefused is what becomes of such an error where the stream has to be binary.
func binaryRefused(err error) error {
	return failure.As(failure.Config, fmt.Errorf("postgres.binary: %w", err),
		"with binary: auto, or false, the server sends text, and nothing is lost; a column that is not needed is left out with exclude_columns")
}

// chooseBinary decides how the stream begins, after what the publication holds now.
func (r *reading) chooseBinary(ctx context.Context) (bool, error) {
	s := r.source
	if s.cfg.Binary == binaryNo {
		return false, nil
	}
	p, err := readPublication(ctx, r.catalog.conn, s.cfg.Publication)
	if err != nil {
		return false, err
	}
	if p == nil {
		return false, publicationGone(s.cfg.Publication, nil)
	}
	tables := s.state.oids()
	for _, t := range p.covered {
		tables = append(tables, t.oid)
	}
	only, err := r.catalog.textOnly(ctx, tables, func(oid uint32) bool { return s.tables[oid] })
	switch {
	case err != nil:
		return false, err
	case len(only) == 0:
		return true, nil
	case s.cfg.Binary == binaryYes:
		return false, binaryRefused(noBinaryForm(only))
	}
	s.log.Info("the stream is text: not every column can be read from its binary form", zap.Error(noBinaryForm(only)))
	return false, nil
}

// checkBinary refuses, before anything is read, columns that a stream that has to be binary cannot carry.
func (s *pgSource) checkBinary(ctx context.Context, chosen []relationName) error {
	if s.cfg.Binary != binaryYes {
		return nil
	}
	c := &catalog{conn: s.session, hide: s.cfg.ExcludeColumns, modes: s.cfg.modes()}
	tables := make([]uint32, len(chosen))
	for i, t := range chosen {
		tables[i] = t.oid
	}
	only, err := c.textOnly(ctx, tables, func(uint32) bool { return true })
	if err == nil && len(only) > 0 {
		err = binaryRefused(noBinaryForm(only))
	}
	return err
}

// busyPatience bounds the wait for the server to let go of the slot of a stream that has ended.
const busyPatience = 10 * time.Second

// dropStream ends the stream, so that another one can begin from its slot.
func (r *reading) dropStream(ctx context.Context) error {
	s := r.source
	s.mu.Lock()
	stream := s.stream
	s.stream = nil
	s.mu.Unlock()
	if stream == nil {
		return nil
	}
	_ = stream.Close() // it has failed already, or has nothing more to say
	backoff := failure.Backoff{Min: 5 * time.Millisecond, Max: time.Second}
	for late := time.Now().Add(busyPatience); ; {
		slot, err := readSlot(ctx, r.catalog.conn, s.cfg.Slot)
		if err != nil || slot == nil || slot.activePID == 0 || time.Now().After(late) {
			return err // whoever begins now is told what is wrong
		}
		if err := failure.Sleep(ctx, backoff.Next(nil)); err != nil {
			return err
		}
	}
}

// publishedColumn is a column of a table in the publication.
type publishedColumn struct {
	table     relationName
	attribute attribute
	// sent says that its type has a function that sends it in binary: without one, the server sends text.
	sent bool
}

// columnsShown bounds how many columns a message names.
const columnsShown = 20

// noBinaryForm names columns that cannot be read from their binary form.
func noBinaryForm(columns []publishedColumn) error {
	var names []string
	for _, c := range columns[:min(len(columns), columnsShown)] {
		names = append(names, fmt.Sprintf("column %s of %s, of type %s", c.attribute.name, c.table, c.attribute.typeText))
	}
	if more := len(columns) - len(names); more > 0 {
		names = append(names, fmt.Sprintf("and %d more", more))
	}
	return fmt.Errorf("no binary form is read of %s", strings.Join(names, "; "))
}

const publishedColumnsQuery = `
select c.oid, n.nspname, c.relname, a.attname, a.atttypid, a.atttypmod, format_type(a.atttypid, a.atttypmod), t.typsend <> 0
from pg_class c join pg_namespace n on n.oid = c.relnamespace
join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped and a.attgenerated = ''
join pg_type t on t.oid = a.atttypid
where c.oid = any($1::oid[])
order by 2, 3, a.attnum`

// Elements, bounds and fields are sent by their own types' functions, and where one of them has none the server gives up.
const unsendableQuery = `
with recursive used(top, oid, inside) as (
	select t.oid, t.oid, false from pg_type t where t.oid = any($1::oid[]) and t.typsend <> 0
	union
	select u.top, x.oid, x.inside from used u join pg_type t on t.oid = u.oid cross join lateral (
		select t.typbasetype, u.inside where t.typtype = 'd'
		union all select t.typelem, true where t.typtype = 'b' and t.typelem <> 0
		union all select a.atttypid, true from pg_attribute a
			where t.typtype = 'c' and a.attrelid = t.typrelid and a.attnum > 0 and not a.attisdropped
		union all select g.rngsubtype, true from pg_range g where g.rngtypid = t.oid
		union all select g.rngtypid, true from pg_range g where g.rngmultitypid = t.oid) x(oid, inside))
select distinct u.top from used u join pg_type t on t.oid = u.oid where u.inside and t.typsend = 0`

// textOnly returns the columns on account of which the tables cannot be streamed in binary. The server sends all of the
// tables, chosen are those whose rows are read.
func (c *catalog) textOnly(ctx context.Context, tables []uint32, chosen func(oid uint32) bool) (only []publishedColumn, err error) {
	columns, err := c.publishedColumns(ctx, tables)
	if err != nil {
		return nil, err
	}
	attributes := make([]attribute, len(columns))
	var oids []uint32
	for i, p := range columns {
		attributes[i], oids = p.attribute, append(oids, p.attribute.typ)
	}
	rows, err := c.conn.Query(ctx, unsendableQuery, oids)
	var unsendable []uint32
	if err == nil {
		unsendable, err = pgx.CollectRows(rows, pgx.RowTo[uint32])
	}
	if err != nil {
		return nil, fmt.Errorf("look for types that cannot be sent in binary: %w", err)
	}
	types, err := c.userTypes(ctx, attributes)
	if err != nil {
		return nil, err
	}
	refused := map[uint32]bool{}
	for _, oid := range unsendable {
		refused[oid] = true
	}
	for _, p := range columns {
		if refused[p.attribute.typ] || p.sent && chosen(p.table.oid) && !c.readsBinary(&p, types) {
			only = append(only, p)
		}
	}
	return only, nil
}

// readsBinary reports whether a column is left out, or its binary form is known.
func (c *catalog) readsBinary(p *publishedColumn, types userTypes) bool {
	a := &p.attribute
	wire, _ := types.resolve(a.typ, a.typmod)
	typ := types.columnType(a.typ, a.typmod)
	c.modes.apply(&typ, types.isArray(a.typ))
	if c.modes.omits(&typ) || c.hide.matches(p.table.String()+"."+a.name) {
		return true
	}
	decode, _ := binaryDecoderOf(wire, &typ, types)
	return decode != nil
}

func (c *catalog) publishedColumns(ctx context.Context, tables []uint32) ([]publishedColumn, error) {
	rows, err := c.conn.Query(ctx, publishedColumnsQuery, tables)
	if err != nil {
		return nil, fmt.Errorf("read the columns of the publication: %w", err)
	}
	columns, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (p publishedColumn, err error) {
		err = row.Scan(&p.table.oid, &p.table.schema, &p.table.name, &p.attribute.name, &p.attribute.typ, &p.attribute.typmod,
			&p.attribute.typeText, &p.sent)
		return p, err
	})
	if err != nil {
		return nil, fmt.Errorf("read the columns of the publication: %w", err)
	}
	return columns, nil
}
