package postgres

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/syncline-io/syncline/framework/config"
	"github.com/syncline-io/syncline/framework/verify"
	"github.com/syncline-io/syncline/schemas"
)

// verifyReader reads one PostgreSQL database for a comparison.
type verifyReader struct {
	conn *pgx.Conn
	// source is the section of a source, which chooses tables and columns; nil at a target.
	source *SourceConfig
}

var _ verify.Lister = (*verifyReader)(nil)

// VerifySource opens a source's database for a comparison of the tables that cfg chooses.
func VerifySource(ctx context.Context, cfg SourceConfig) (verify.Lister, error) {
	return openVerify(ctx, cfg.URL, &cfg)
}

// VerifySink opens a target database for a comparison.
func VerifySink(ctx context.Context, cfg SinkConfig) (verify.Reader, error) {
	return openVerify(ctx, cfg.URL, nil)
}

func openVerify(ctx context.Context, url config.URL, source *SourceConfig) (*verifyReader, error) {
	server, err := newServer(url, "syncline verify")
	if err != nil {
		return nil, err
	}
	conn, err := server.session(ctx)
	if err != nil {
		return nil, err
	}
	r := &verifyReader{conn: conn, source: source}
	// The texts of types without a canonical text of their own depend on these.
	_, err = conn.Exec(ctx, "set timezone = 'UTC'; set datestyle = 'ISO, YMD'; set intervalstyle = 'postgres'; set extra_float_digits = 3;"+
		" set bytea_output = 'hex'; set default_transaction_read_only = on; set statement_timeout = 0", pgx.QueryExecModeSimpleProtocol)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("prepare the session at %s: %w", server.address(), err), r.Close())
	}
	return r, nil
}

// Close implements [verify.Reader].
func (r *verifyReader) Close() error { return r.conn.Close(context.Background()) }

// Snapshot implements [verify.Reader].
func (r *verifyReader) Snapshot(ctx context.Context) error {
	// The first query takes the snapshot; it is made here so that the moment is this one.
	for _, statement := range []string{"begin isolation level repeatable read read only", "select 1"} {
		if _, err := r.conn.Exec(ctx, statement); err != nil {
			return fmt.Errorf("begin a snapshot: %w", err)
		}
	}
	return nil
}

// Release implements [verify.Reader].
func (r *verifyReader) Release() error {
	if r.conn.IsClosed() || r.conn.PgConn().TxStatus() == 'I' {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), connectTimeout)
	defer cancel()
	if _, err := r.conn.Exec(ctx, "rollback"); err != nil {
		return fmt.Errorf("end the snapshot: %w", err)
	}
	return nil
}

// Tables implements [verify.Lister].
func (r *verifyReader) Tables(ctx context.Context) ([]verify.Name, error) {
	chosen, err := chooseTables(ctx, r.conn, *r.source)
	if err != nil {
		return nil, err
	}
	names := make([]verify.Name, len(chosen))
	for i, t := range chosen {
		names[i] = verify.Name{Schema: t.schema, Table: t.name}
	}
	return names, nil
}

// Describe implements [verify.Reader].
func (r *verifyReader) Describe(ctx context.Context, name verify.Name) (*verify.Table, error) {
	schema := name.Schema
	if schema == "" {
		schema = "public"
	}
	var oid uint32
	err := r.conn.QueryRow(ctx, "select c.oid from pg_class c join pg_namespace n on n.oid = c.relnamespace"+
		" where n.nspname = $1 and c.relname = $2 and c.relkind in ('r', 'p', 'v', 'm', 'f')", schema, name.Table).Scan(&oid)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	c := catalog{conn: r.conn}
	if r.source != nil {
		c.hide, c.modes = r.source.ExcludeColumns, r.source.modes()
	}
	relation, err := c.relation(ctx, oid)
	if err != nil || relation == nil {
		return nil, err
	}
	layout, err := c.layout(ctx, relation, relation.sent())
	if err != nil {
		return nil, err
	}
	t := &verify.Table{Name: verify.Name{Schema: schema, Table: name.Table}}
	for _, column := range layout.table.Columns {
		t.Columns = append(t.Columns, verify.Column{Name: column.Name, Type: column.Type, Native: column.SourceType})
	}
	for _, i := range layout.table.KeyColumns() {
		t.Key = append(t.Key, layout.table.Columns[i].Name)
	}
	return t, nil
}

// Query implements [verify.Reader].
func (r *verifyReader) Query(ctx context.Context, sql string) ([][]string, error) {
	rows, err := r.conn.Query(ctx, sql, pgx.QueryExecModeSimpleProtocol)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all [][]string
	for rows.Next() {
		row := make([]string, 0, len(rows.RawValues()))
		for _, raw := range rows.RawValues() {
			row = append(row, string(raw))
		}
		all = append(all, row)
	}
	return all, rows.Err()
}

// Dialect implements [verify.Reader].
func (r *verifyReader) Dialect() verify.Dialect {
	return verify.Dialect{
		Text:  verifyText,
		Bytes: "octet_length",
		Hex60: func(text string, from int) string {
			return fmt.Sprintf("('x0' || substr(%s, %d, 15))::bit(64)::bigint", text, from)
		},
		Divide:  "/",
		Barrier: "OFFSET 0",
	}
}

// verifyText is the canonical text of a column, by the rules of package verify.
func verifyText(c verify.Column, form schemas.Type) (string, error) {
	native := strings.TrimSuffix(c.Native, "[]")
	return canonicalText(quoteName(c.Name), native, c.Type, form)
}

// canonicalText renders x, of the given native and canonical type, as a value of form. The native type is that of the
// elements where x is an array.
func canonicalText(x, native string, t, form schemas.Type) (string, error) {
	if form.Kind == schemas.Array {
		if t.Kind != schemas.Array {
			return "", fmt.Errorf("%s cannot be compared as %s", t, form)
		}
		return arrayText(x, native, *t.Elem, *form.Elem)
	}
	// What has no type of its own, and char(n) with its blanks, is what the type's output function writes: a cast to
	// text adds a mask to an address and takes blanks away.
	// (A row of nulls "is null", and is none.)
	text := fmt.Sprintf("case when num_nulls(%[1]s) = 0 then format('%%s', %[1]s) end", x)
	switch form.Kind {
	case schemas.Decimal:
		if t.Form == schemas.FormMoney {
			x += "::numeric"
		}
		return verify.TrimDecimal(x + "::text"), nil
	case schemas.Date, schemas.Timestamp, schemas.Time, schemas.Bool, schemas.UUID, schemas.Int16, schemas.Int32, schemas.Int64:
		return x + "::text", nil
	case schemas.TimestampTZ:
		if t.Kind == schemas.TimestampTZ {
			x = "(" + x + " at time zone 'UTC')"
		}
		return x + "::text", nil
	}
	if t.Kind == schemas.String {
		return text, nil
	}
	switch form.Kind {
	case schemas.Float32:
		return fmt.Sprintf("case when %[1]s = 'NaN' then 'nan' else encode(float4send(%[1]s::float4), 'hex') end", x), nil
	case schemas.Float64:
		return fmt.Sprintf("case when %[1]s::float8 = 'NaN' then 'nan' else encode(float8send(%[1]s::float8), 'hex') end", x), nil
	case schemas.Bytes:
		if t.Form != "" { // the text of a type that nobody knows
			x = "convert_to(" + text + ", 'UTF8')"
		}
		return fmt.Sprintf("encode(%s, 'hex')", x), nil
	case schemas.Interval:
		return fmt.Sprintf("case when isfinite(%[1]s) then (extract(year from %[1]s) * 12 + extract(month from %[1]s))::bigint"+
			" || ' ' || extract(day from %[1]s)::bigint || ' ' || ((extract(hour from %[1]s) * 60 + extract(minute from %[1]s))::bigint * 60000000"+
			" + extract(microseconds from %[1]s)::bigint) else %[1]s::text end", x), nil
	case schemas.String, schemas.Enum, schemas.JSON:
		return text, nil
	}
	return "", fmt.Errorf("%s (%s) has no canonical text", t, native)
}

// arrayText renders the elements as fields. Bounds and dimensions come first where they are not those of a plain list.
func arrayText(x, native string, t, form schemas.Type) (string, error) {
	element, err := canonicalText("e", native, t, form)
	if err != nil {
		return "", err
	}
	dialect := (*verifyReader)(nil).Dialect()
	return fmt.Sprintf("case when %[1]s is not null then"+
		" case when array_ndims(%[1]s) > 1 or array_lower(%[1]s, 1) <> 1 then array_dims(%[1]s) else '' end ||"+
		" coalesce((select string_agg(%[2]s, '' order by o) from (select %[3]s as f, o from unnest(%[1]s) with ordinality u(e, o) offset 0) v), '') end",
		x, dialect.Field("f"), element), nil
}
