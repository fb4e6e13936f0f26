package jdbc

import (
	"context"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
)

// outcomes are what became of columns and tables in the target, where it is not the same value in the same type.
type outcomes struct {
	columns map[string]string // by table.column, or table
	types   map[string]string // the target's types by those of the source, where they differ
	equal   int               // columns that are equal in every row
}

// column is one of a source's table, and where it is in the target.
type column struct{ name, typ, base, field string }

// fieldNames are the fields of columns whose names Avro does not have.
var fieldNames = map[string]string{
	"Pk Id": "Pk_Id", `col"q . uote`: "col_q___uote", `a\b`: "a_b", "$dollar": "_dollar", "sp ace": "sp_ace",
	"1st": "_1st", "naïve": "na_ve", "列": "_", "a-b": "a_x2d_b", "a.b": "a_x2e_b",
}

// compare holds what the sink has made of each table of some schemas against the table.
func (s *side) compare(t *testing.T, url string, schemas ...string) {
	t.Helper()
	source, target := connect(t, url), connect(t, s.target)
	for _, table := range texts(t, source, `SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
		WHERE n.nspname = ANY ('{`+strings.Join(quoted(schemas), ",")+`}') AND c.relkind = 'r' AND c.relpersistence = 'p' ORDER BY 1, 2`) {
		name := table[1]
		if strings.HasSuffix(name, "_end") || name == "demo_made" || s.refuses(name, "") {
			continue
		}
		made := pgx.Identifier{name}
		if strings.Contains(name, ". X") {
			made = pgx.Identifier{"dotted"}
		}
		s.compareTable(t, source, target, pgx.Identifier(table), made)
	}
}

func (s *side) compareTable(t *testing.T, source, target *pgx.Conn, from, to pgx.Identifier) {
	t.Helper()
	name := from[1]
	types := map[string]string{}
	for _, c := range texts(t, target, columnsSQL(to)) {
		types[c[0]] = c[1]
	}
	if len(types) == 0 {
		s.outcomes.columns[name] = "no table"
		return
	}
	var key, columns []column
	for _, c := range texts(t, source, columnsSQL(from)) {
		one := column{c[0], c[1], c[2], c[0]}
		if field, ok := fieldNames[one.name]; ok {
			one.field = field
		}
		if c[3] == "t" {
			key = append(key, one)
		}
		switch made, ok := types[one.field]; {
		case s.refuses(name, one.name):
			continue // a sink of its own tries it
		case !ok:
			s.outcomes.columns[name+"."+one.name] = "no column"
			continue
		case made != one.typ:
			s.outcomes.types[one.typ] = made
		}
		columns = append(columns, one)
	}
	want, got := rowsByKey(t, source, from, key, columns, false), rowsByKey(t, target, to, key, columns, true)
	s.compareRows(t, source, name, columns, want, got)
}

// compareRows notes rows that only one side has, and the columns with values that are not the same.
func (s *side) compareRows(t *testing.T, source *pgx.Conn, name string, columns []column, want, got map[string][]*string) {
	t.Helper()
	var missing, extra []string
	for _, key := range slices.Sorted(maps.Keys(want)) {
		if got[key] == nil {
			missing = append(missing, clip(key, 40))
		}
	}
	for _, key := range slices.Sorted(maps.Keys(got)) {
		if want[key] == nil {
			extra = append(extra, clip(key, 40))
		}
	}
	if len(missing)+len(extra) > 0 {
		s.outcomes.columns[name] = fmt.Sprintf("rows missing: %s; too many: %s", some(missing), some(extra))
	}
	for i, c := range columns {
		var wrong []string
		for _, key := range slices.Sorted(maps.Keys(want)) {
			if w, g := want[key], got[key]; g != nil && !same(t, source, c, w[i], g[i]) {
				if one := fmt.Sprintf("%s is %s", shown(w[i]), shown(g[i])); !slices.Contains(wrong, one) {
					wrong = append(wrong, one)
				}
			}
		}
		if len(wrong) == 0 {
			s.outcomes.equal++
			continue
		}
		s.outcomes.columns[name+"."+c.name] = some(wrong)
	}
}

// same says whether a value of the target is the source's: the same text, or the same value once it is of the source's type.
func same(t *testing.T, source *pgx.Conn, c column, want, got *string) bool {
	t.Helper()
	if want == nil || got == nil {
		return want == got
	}
	if *want == *got {
		return true
	}
	compared := "($1::text)::%[1]s::text = ($2::text)::%[1]s::text"
	if c.base == "numeric" { // 1.10 is 1.1
		compared = "($1::text)::%[1]s = ($2::text)::%[1]s"
	}
	var equal bool
	err := source.QueryRow(t.Context(), "SELECT "+fmt.Sprintf(compared, c.base), *want, *got).Scan(&equal)
	return err == nil && equal // what cannot be of the type is not the value
}

// columnsSQL asks for a table's columns: name, type, type without length and precision, whether it is in the key.
func columnsSQL(table pgx.Identifier) string {
	return fmt.Sprintf(`SELECT a.attname, format_type(a.atttypid, a.atttypmod), format_type(a.atttypid, -1),
		coalesce(a.attnum = ANY (i.indkey::int2[]), false)
		FROM pg_attribute a LEFT JOIN pg_index i ON i.indrelid = a.attrelid AND
			(i.indisreplident OR i.indisprimary AND NOT EXISTS (SELECT FROM pg_index o WHERE o.indrelid = a.attrelid AND o.indisreplident))
		WHERE a.attrelid = to_regclass('%s') AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum`, strings.ReplaceAll(table.Sanitize(), "'", "''"))
}

// rowsByKey reads a table as text, by the texts of the key.
func rowsByKey(t *testing.T, conn *pgx.Conn, table pgx.Identifier, key, columns []column, fields bool) map[string][]*string {
	t.Helper()
	var list []string
	for _, c := range slices.Concat(key, columns) {
		name := c.name
		if fields {
			name = c.field
		}
		list = append(list, pgx.Identifier{name}.Sanitize())
	}
	rows := map[string][]*string{}
	for _, row := range values(t, conn, "SELECT "+strings.Join(list, ", ")+" FROM "+table.Sanitize()) {
		var parts []string
		for _, part := range row[:len(key)] {
			parts = append(parts, *part)
		}
		rows[strings.Join(parts, ",")] = row[len(key):]
	}
	return rows
}

// values runs a query in the simple protocol, which answers in text whatever the type.
func values(t *testing.T, conn *pgx.Conn, sql string) (rows [][]*string) {
	t.Helper()
	results, err := conn.PgConn().Exec(t.Context(), sql).ReadAll()
	if err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	for _, row := range results[0].Rows {
		out := make([]*string, len(row))
		for i, v := range row {
			if v != nil {
				text := string(v)
				out[i] = &text
			}
		}
		rows = append(rows, out)
	}
	return rows
}

// texts is values for a query without NULL.
func texts(t *testing.T, conn *pgx.Conn, sql string) (rows [][]string) {
	t.Helper()
	for _, row := range values(t, conn, sql) {
		var out []string
		for _, v := range row {
			out = append(out, *v)
		}
		rows = append(rows, out)
	}
	return rows
}

func connect(t *testing.T, url string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close(context.Background()) })
	if _, err := conn.PgConn().Exec(t.Context(), "SET search_path = types, public; SET timezone = 'UTC'; SET extra_float_digits = 1").ReadAll(); err != nil {
		t.Fatal(err)
	}
	return conn
}

// quoted are names as an array's text has them.
func quoted(names []string) (all []string) {
	for _, n := range names {
		all = append(all, `"`+strings.ReplaceAll(n, `"`, `\"`)+`"`)
	}
	return all
}

func shown(v *string) string {
	if v == nil {
		return "NULL"
	}
	return fmt.Sprintf("%q", clip(objects.ReplaceAllString(*v, "$1@"), 40))
}

// objects are the names of Java objects, whose addresses are of the run.
var objects = regexp.MustCompile(`(\[L[\w.]+;)@[0-9a-f]+`)

// clip cuts a text to so many bytes and leaves its characters whole.
func clip(text string, n int) string {
	if len(text) <= n {
		return text
	}
	return strings.ToValidUTF8(text[:n], "") + "…"
}

// some are the first of many.
func some(all []string) string {
	const shown = 4
	switch {
	case len(all) == 0:
		return "none"
	case len(all) <= shown:
		return strings.Join(all, "; ")
	}
	return fmt.Sprintf("%s; %d more", strings.Join(all[:shown], "; "), len(all)-shown)
}
