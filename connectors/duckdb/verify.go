//go:build cgo

package duckdb

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/syncline-io/syncline/framework/failure"
	"github.com/syncline-io/syncline/framework/verify"
	"github.com/syncline-io/syncline/framework/warehouse"
	"github.com/syncline-io/syncline/schemas"
)

// verifyReader reads one DuckDB file for a comparison.
type verifyReader struct {
	session *session
	begun   bool
}

var _ verify.Reader = (*verifyReader)(nil)

// VerifySink opens a DuckDB file for a comparison. While a sink of another process has the file open it cannot be
// opened; a sink of this process shares it.
func VerifySink(ctx context.Context, cfg SinkConfig) (verify.Reader, error) {
	if _, err := os.Stat(cfg.Path); errors.Is(err, os.ErrNotExist) {
		return nil, failure.As(failure.Config, fmt.Errorf("path: %s does not exist", cfg.Path), "the sink makes it when it starts")
	}
	session, err := openSession(ctx, cfg)
	if err != nil {
		return nil, err
	}
	return &verifyReader{session: session}, nil
}

// Close implements [verify.Reader].
func (r *verifyReader) Close() error {
	r.session.close()
	return nil
}

// Snapshot implements [verify.Reader]. The first query of a transaction takes DuckDB's snapshot.
func (r *verifyReader) Snapshot(ctx context.Context) error {
	for _, statement := range []string{"BEGIN", "SELECT 1 FROM duckdb_tables() LIMIT 1"} {
		if _, err := r.session.exec(ctx, statement); err != nil {
			return fmt.Errorf("begin a snapshot: %w", err)
		}
		r.begun = true
	}
	return nil
}

// Release implements [verify.Reader].
func (r *verifyReader) Release() error {
	if !r.begun {
		return nil
	}
	r.begun = false
	if _, err := r.session.exec(context.Background(), "ROLLBACK"); err != nil {
		return fmt.Errorf("end the snapshot: %w", err)
	}
	return nil
}

// Describe implements [verify.Reader].
func (r *verifyReader) Describe(ctx context.Context, name verify.Name) (*verify.Table, error) {
	if name.Schema == "" {
		name.Schema = "main"
	}
	rows, err := r.session.query(ctx, describeSQL(name.Schema, name.Table))
	if err != nil || len(rows) == 0 {
		return nil, err
	}
	t := &verify.Table{Name: name}
	for _, row := range rows {
		canonical, _ := parseType(row[1])
		t.Columns = append(t.Columns, verify.Column{Name: row[0], Type: canonical, Native: row[1]})
	}
	return t, nil
}

// Query implements [verify.Reader].
func (r *verifyReader) Query(ctx context.Context, sql string) ([][]string, error) {
	return r.session.query(ctx, sql)
}

// textBytes is the function that counts a text's bytes.
const textBytes = "strlen"

// Dialect implements [verify.Reader].
func (r *verifyReader) Dialect() verify.Dialect {
	return verify.Dialect{
		Catalog: r.session.catalog,
		Text: func(c verify.Column, form schemas.Type) (string, error) {
			return canonicalText(warehouse.QuoteName(c.Name), c.Type, form)
		},
		Bytes: textBytes,
		Hex60: func(text string, from int) string {
			return fmt.Sprintf("CAST('0x' || substr(%s, %d, 15) AS BIGINT)", text, from)
		},
		Divide: "//",
	}
}

// canonicalText renders x, of canonical type t, as a value of form, by the rules of package verify.
func canonicalText(x string, t, form schemas.Type) (string, error) {
	text := "CAST(" + x + " AS VARCHAR)"
	if form.Kind == schemas.Array {
		if t.Kind != schemas.Array {
			return "", fmt.Errorf("%s cannot be compared as %s", t, form)
		}
		return arrayText(x, *t.Elem, *form.Elem)
	}
	switch {
	case form.Kind == schemas.Decimal:
		return verify.TrimDecimal(text), nil
	case t.Kind == schemas.String && form.Kind == schemas.TimestampTZ:
		return "regexp_replace(" + text + ", '[+]00( BC)?$', '\\1')", nil // which the canonical text, in UTC, leaves out
	case t.Kind == schemas.String:
		return text, nil // the text stands for itself
	}
	switch form.Kind {
	case schemas.Bool, schemas.Int16, schemas.Int32, schemas.Int64, schemas.String, schemas.Enum, schemas.JSON, schemas.UUID, schemas.Time:
		return text, nil
	case schemas.Float32:
		return floatText(x, "FLOAT"), nil
	case schemas.Float64:
		return floatText(x, "DOUBLE"), nil
	case schemas.Bytes:
		return "lower(hex(" + x + "))", nil
	case schemas.Date, schemas.Timestamp:
		return eraLast(text), nil
	case schemas.TimestampTZ:
		// By way of the microseconds: the cast of a TIMESTAMPTZ asks the calendar of ICU.
		return fmt.Sprintf("CASE WHEN isfinite(%s) THEN %s ELSE %s END", x, eraLast("CAST(make_timestamp(epoch_us("+x+")) AS VARCHAR)"), text), nil
	case schemas.Interval:
		return fmt.Sprintf("CAST(datepart('year', %[1]s) * 12 + datepart('month', %[1]s) AS VARCHAR) || ' ' || CAST(datepart('day', %[1]s) AS VARCHAR)"+
			" || ' ' || CAST((datepart('hour', %[1]s) * 60 + datepart('minute', %[1]s)) * 60000000 + datepart('microsecond', %[1]s) AS VARCHAR)", x), nil
	}
	return "", fmt.Errorf("%s cannot be compared as %s", t, form)
}

// eraLast moves DuckDB's mark of years before 1 to the end, where PostgreSQL has it.
func eraLast(text string) string {
	return fmt.Sprintf("CASE WHEN contains(%[1]s, ' (BC)') THEN replace(%[1]s, ' (BC)', '') || ' BC' ELSE %[1]s END", text)
}

func floatText(x, columnType string) string {
	return fmt.Sprintf("CASE WHEN isnan(%[1]s) THEN 'nan' ELSE lower(hex(CAST(CAST(CAST(%[1]s AS %[2]s) AS BIT) AS BLOB))) END", x, columnType)
}

// arrayText renders the elements as fields.
func arrayText(x string, t, form schemas.Type) (string, error) {
	element, err := canonicalText("e", t, form)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("CASE WHEN %[1]s IS NOT NULL THEN coalesce(array_to_string(list_transform(%[1]s, lambda e: %[2]s), ''), '') END",
		x, verify.Dialect{Bytes: textBytes}.Field("("+element+")")), nil
}
