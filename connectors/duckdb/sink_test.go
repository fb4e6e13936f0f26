//go:build cgo

package duckdb

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/syncline-io/syncline/framework/failure"
	"github.com/syncline-io/syncline/framework/sink"
	"github.com/syncline-io/syncline/schemas"
)

func openTest(t testing.TB, path string) *Sink {
	t.Helper()
	cfg := sinkDefaults
	cfg.Path = path
	s, err := openSink(context.Background(), cfg, sink.Env{Name: "test"})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// newTest opens a sink on a new file, closed at the end of the test.
func newTest(t testing.TB) *Sink {
	t.Helper()
	s := openTest(t, filepath.Join(t.TempDir(), "warehouse.duckdb"))
	t.Cleanup(func() { s.Close() })
	return s
}

func kind(k schemas.Kind) schemas.Type { return schemas.Type{Kind: k} }

// column makes a column whose id is its place.
func tableOf(name string, key int, columns ...schemas.Column) *sink.Table {
	t := &sink.Table{Schema: "shop", Name: name, Source: &schemas.Table{ID: 7}}
	for i, c := range columns {
		if c.ID == 0 {
			c.ID = int32(i + 1)
		}
		if i < key {
			c.Key = i + 1
			t.Key = append(t.Key, i)
		}
		t.Columns = append(t.Columns, c)
	}
	return t
}

func col(name string, t schemas.Type) schemas.Column {
	return schemas.Column{Name: name, Type: t, SourceType: t.String()}
}

func customers() *sink.Table {
	return tableOf("customers", 1, col("id", kind(schemas.Int64)), col("name", kind(schemas.String)), col("note", kind(schemas.String)))
}

func row(action sink.Action, values ...schemas.Value) sink.Row {
	r := sink.Row{Action: action, Values: values}
	for _, v := range values {
		r.Partial = r.Partial || v.IsUnchanged()
		r.Raw = r.Raw || v.Kind() == schemas.KindUnrepresentable
	}
	return r
}

var (
	num  = schemas.IntValue
	text = schemas.StringValue
	null = schemas.Null()
	keep = schemas.Unchanged()
)

func batch(t *sink.Table, rows ...sink.Row) *sink.Batch {
	return &sink.Batch{Tables: []sink.TableBatch{{Table: t, Rows: rows}}}
}

func mustEvolve(t testing.TB, s *Sink, table *sink.Table) {
	t.Helper()
	if err := s.Evolve(context.Background(), nil, table); err != nil {
		t.Fatal(err)
	}
}

func mustWrite(t testing.TB, s *Sink, b *sink.Batch) {
	t.Helper()
	if err := s.Write(context.Background(), b); err != nil {
		t.Fatal(err)
	}
}

// rows returns the result of a query, each row with its values joined by "|".
func rowsOf(t testing.TB, s *Sink, query string) []string {
	t.Helper()
	rows, err := s.session.query(context.Background(), "SELECT COLUMNS(*)::VARCHAR FROM ("+query+")")
	if err != nil {
		t.Fatal(err)
	}
	var joined []string
	for _, row := range rows {
		joined = append(joined, strings.Join(row, "|"))
	}
	return joined
}

func wantRows(t testing.TB, s *Sink, query string, want ...string) {
	t.Helper()
	if diff := cmp.Diff(want, rowsOf(t, s, query)); diff != "" {
		t.Errorf("%s (-want +got):\n%s", query, diff)
	}
}

func wantClass(t testing.TB, err error, class failure.Class, parts ...string) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error, want class %d naming %q", class, parts)
	}
	if got := failure.Classify(err); got != class {
		t.Errorf("class %d, want %d: %v", got, class, err)
	}
	for _, part := range parts {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("error %q does not name %q", err, part)
		}
	}
}

const byID = "SELECT * FROM shop.customers ORDER BY id"

func TestUpsertDeleteAndTruncate(t *testing.T) {
	s, table := newTest(t), customers()
	mustEvolve(t, s, table)
	mustWrite(t, s, batch(table, row(sink.Upsert, num(1), text("Ada"), null), row(sink.Upsert, num(2), text("Bob"), text("x")), row(sink.Upsert, num(3), text("Cy"), null)))
	mustWrite(t, s, batch(table, row(sink.Upsert, num(1), text("Ada L."), text("a text of more than twelve bytes")), row(sink.Delete, num(2), null, null), row(sink.Delete, num(9), null, null)))
	wantRows(t, s, byID, "1|Ada L.|a text of more than twelve bytes", "3|Cy|")
	wantRows(t, s, "SELECT id FROM shop.customers WHERE note IS NULL", "3")
	b := batch(table, row(sink.Upsert, num(4), text("Dee"), null))
	b.Tables[0].Truncate = true
	mustWrite(t, s, b)
	wantRows(t, s, byID, "4|Dee|")
}

func TestPartialRowKeepsTheTargetsValue(t *testing.T) {
	s, table := newTest(t), customers()
	mustEvolve(t, s, table)
	mustWrite(t, s, batch(table, row(sink.Upsert, num(1), text("Ada"), text("long")), row(sink.Upsert, num(2), text("Bob"), text("old"))))
	mustWrite(t, s, batch(table, row(sink.Upsert, num(1), text("Eve"), keep), row(sink.Upsert, num(2), keep, null), row(sink.Upsert, num(3), text("new"), null)))
	wantRows(t, s, byID, "1|Eve|long", "2|Bob|", "3|new|")
}

func TestPartialRowThatIsNotThereIsRefused(t *testing.T) {
	s, table := newTest(t), customers()
	mustEvolve(t, s, table)
	err := s.Write(context.Background(), batch(table, row(sink.Upsert, num(1), text("Ada"), null), row(sink.Upsert, num(42), text("Eve"), keep)))
	wantClass(t, err, failure.Refused, "shop.customers", "42")
	wantRows(t, s, byID)
}

// DuckDB's UPDATE and MERGE leave a value that compares equal to the new one.
func TestValueThatOnlyComparesEqualIsReplaced(t *testing.T) {
	s := newTest(t)
	table := tableOf("pairs", 1, col("id", kind(schemas.Int32)), col("f", kind(schemas.Float64)), col("i", kind(schemas.Interval)), col("note", kind(schemas.String)))
	mustEvolve(t, s, table)
	mustWrite(t, s, batch(table, row(sink.Upsert, num(1), schemas.FloatValue(math.Copysign(0, -1)), schemas.IntervalValue(1, 0, 0), text("a"))))
	mustWrite(t, s, batch(table, row(sink.Upsert, num(1), schemas.FloatValue(0), schemas.IntervalValue(0, 30, 0), keep)))
	wantRows(t, s, "SELECT * FROM shop.pairs", "1|0.0|30 days|a")
}

func keyless() *sink.Table {
	return tableOf("log", 0, col("a", kind(schemas.Int32)), col("d", kind(schemas.Interval)), col("l", schemas.Type{Kind: schemas.Array, Elem: &schemas.Type{Kind: schemas.String}}))
}

func TestRemoveTakesExactlyOneEqualRow(t *testing.T) {
	s, table := newTest(t), keyless()
	mustEvolve(t, s, table)
	month, days := schemas.IntervalValue(1, 0, 0), schemas.IntervalValue(0, 30, 0)
	list := schemas.ArrayValue([]schemas.Value{text("x"), null})
	mustWrite(t, s, batch(table, row(sink.Append, num(1), month, list), row(sink.Append, num(1), month, list), row(sink.Append, num(1), days, list), row(sink.Append, null, null, null), row(sink.Append, null, null, null)))
	mustWrite(t, s, batch(table, row(sink.Remove, num(1), month, list), row(sink.Append, num(2), month, null), row(sink.Remove, null, null, null)))
	wantRows(t, s, "SELECT a, d, l FROM shop.log ORDER BY a, d::VARCHAR", "1|1 month|[x, NULL]", "1|30 days|[x, NULL]", "2|1 month|", "||")
	// Within one batch: a row that comes and goes, and comes again.
	mustWrite(t, s, batch(table, row(sink.Append, num(5), month, null), row(sink.Remove, num(5), month, null), row(sink.Append, num(5), month, null), row(sink.Append, num(5), month, null)))
	wantRows(t, s, "SELECT count(*) FROM shop.log WHERE a = 5", "2")
}

func TestRemoveOfAMissingRowIsRefused(t *testing.T) {
	s, table := newTest(t), keyless()
	mustEvolve(t, s, table)
	month := schemas.IntervalValue(1, 0, 0)
	mustWrite(t, s, batch(table, row(sink.Append, num(1), month, null)))
	wantClass(t, s.Write(context.Background(), batch(table, row(sink.Remove, num(1), schemas.IntervalValue(0, 30, 0), null))), failure.Refused, "shop.log", "30 days")
	// It is there after the batch, but not when its turn comes.
	wantClass(t, s.Write(context.Background(), batch(table, row(sink.Remove, num(2), month, null), row(sink.Append, num(2), month, null))), failure.Refused, "shop.log")
	wantRows(t, s, "SELECT a FROM shop.log", "1")
}

// unscaled gives the two's complement bytes of a number.
func unscaled(digits string) []byte {
	n, _ := new(big.Int).SetString(digits, 10)
	if n.Sign() >= 0 {
		return append([]byte{0}, n.Bytes()...)
	}
	size := uint(len(n.Bytes()) + 1)
	return new(big.Int).Add(n, new(big.Int).Lsh(big.NewInt(1), size*8)).Bytes()
}

func decimal(precision, scale int) schemas.Type {
	return schemas.Type{Kind: schemas.Decimal, Precision: precision, Scale: scale}
}

func arrayOf(t schemas.Type) schemas.Type { return schemas.Type{Kind: schemas.Array, Elem: &t} }

func TestEveryTypeKeepsItsValues(t *testing.T) {
	nines := strings.Repeat("9", 38)
	dec := func(digits string, scale int32) schemas.Value { return schemas.DecimalValue(unscaled(digits), scale) }
	raw := func(s string) schemas.Value { return schemas.UnrepresentableValue([]byte(s)) }
	list := func(v ...schemas.Value) schemas.Value { return schemas.ArrayValue(v) }
	long := strings.Repeat("ä", 40)
	for _, c := range []struct {
		name, columnType string
		t                schemas.Type
		values           []schemas.Value
		want             []string
	}{
		{"bool", "BOOLEAN", kind(schemas.Bool), []schemas.Value{schemas.BoolValue(true), schemas.BoolValue(false)}, []string{"true", "false"}},
		{"int16", "SMALLINT", kind(schemas.Int16), []schemas.Value{num(math.MinInt16), num(math.MaxInt16)}, []string{"-32768", "32767"}},
		{"int32", "INTEGER", kind(schemas.Int32), []schemas.Value{num(math.MinInt32), num(math.MaxInt32)}, []string{"-2147483648", "2147483647"}},
		{"int64", "BIGINT", kind(schemas.Int64), []schemas.Value{num(math.MinInt64), num(math.MaxInt64)}, []string{"-9223372036854775808", "9223372036854775807"}},
		{"float32", "FLOAT", kind(schemas.Float32), []schemas.Value{schemas.FloatValue(float64(float32(0.1))), schemas.FloatValue(math.NaN()), schemas.FloatValue(math.SmallestNonzeroFloat32)}, []string{"0.1", "nan", "1e-45"}},
		{"float64", "DOUBLE", kind(schemas.Float64), []schemas.Value{schemas.FloatValue(math.Copysign(0, -1)), schemas.FloatValue(math.Inf(-1)), schemas.FloatValue(5e-324), schemas.FloatValue(math.NaN())}, []string{"-0.0", "-inf", "5e-324", "nan"}},
		{"decimal(4,1)", "DECIMAL(4,1)", decimal(4, 1), []schemas.Value{dec("9999", 1), dec("-5", 0), dec("500", 2)}, []string{"999.9", "-5.0", "5.0"}},
		{"decimal(9,2)", "DECIMAL(9,2)", decimal(9, 2), []schemas.Value{dec("-999999999", 2), dec("5", -2)}, []string{"-9999999.99", "500.00"}},
		{"decimal(18,0)", "DECIMAL(18,0)", decimal(18, 0), []schemas.Value{dec("-999999999999999999", 0)}, []string{"-999999999999999999"}},
		{"decimal(38,10)", "DECIMAL(38,10)", decimal(38, 10), []schemas.Value{dec(nines, 10), dec("-"+nines, 10), dec("-1", 10), dec("0", 0)}, []string{nines[:28] + "." + nines[:10], "-" + nines[:28] + "." + nines[:10], "-0.0000000001", "0.0000000000"}},
		{"decimal", "VARCHAR", decimal(0, 0), []schemas.Value{dec("-1500", 3), dec(nines+nines, 40), dec("12", -3), dec("-7", 2), dec("0", 2), schemas.SpecialDecimal(schemas.NaN), schemas.SpecialDecimal(schemas.NegInf), raw("Infinity")}, []string{"-1.500", nines[:36] + "." + nines + "99", "12000", "-0.07", "0.00", "NaN", "-Infinity", "Infinity"}},
		{"decimal(50,2)", "VARCHAR", decimal(50, 2), []schemas.Value{dec("-"+nines+nines[:12], 2)}, []string{"-" + nines + nines[:10] + ".99"}},
		{"string", "VARCHAR", kind(schemas.String), []schemas.Value{text(""), text("twelve bytes"), text("thirteen byte"), text(long), text("a'b\"c\\d\n")}, []string{"", "twelve bytes", "thirteen byte", long, "a'b\"c\\d\n"}},
		{"bytes", "BLOB", kind(schemas.Bytes), []schemas.Value{text(""), text("\x00\xff"), text(strings.Repeat("\x01", 20))}, []string{"", `\x00\xFF`, strings.Repeat(`\x01`, 20)}},
		{"date", "DATE", kind(schemas.Date), []schemas.Value{num(0), num(-719529), num(2932896), num(schemas.PosInfinity), raw("-infinity"), num(2145042905)}, []string{"1970-01-01", "0002-12-31 (BC)", "9999-12-31", "infinity", "-infinity", "5874897-12-31"}},
		{"time", "TIME", schemas.Type{Kind: schemas.Time, Precision: 6}, []schemas.Value{num(0), num(86399999999), num(dayMicros), raw("24:00:00")}, []string{"00:00:00", "23:59:59.999999", "24:00:00", "24:00:00"}},
		{"timestamp", "TIMESTAMP", schemas.Type{Kind: schemas.Timestamp, Precision: 6}, []schemas.Value{num(1), num(-210866803200000000), num(schemas.NegInfinity), raw("infinity"), num(9223371244799999999)}, []string{"1970-01-01 00:00:00.000001", "4714-11-24 (BC) 00:00:00", "-infinity", "infinity", "294246-12-31 23:59:59.999999"}},
		{"timestamptz", "TIMESTAMP WITH TIME ZONE", schemas.Type{Kind: schemas.TimestampTZ, Precision: 6}, []schemas.Value{num(1700000000123456), num(schemas.PosInfinity)}, []string{"2023-11-14 22:13:20.123456+00", "infinity"}},
		{"interval", "INTERVAL", kind(schemas.Interval), []schemas.Value{schemas.IntervalValue(14, -3, 14706789000), schemas.IntervalValue(-1, 0, -1)}, []string{"1 year 2 months -3 days 04:05:06.789", "-1 month -00:00:00.000001"}},
		{"uuid", "UUID", kind(schemas.UUID), []schemas.Value{text("01234567-89ab-cdef-0123-456789abcdef"), text("ffffffff-ffff-ffff-ffff-ffffffffffff")}, []string{"01234567-89ab-cdef-0123-456789abcdef", "ffffffff-ffff-ffff-ffff-ffffffffffff"}},
		{"json", "JSON", kind(schemas.JSON), []schemas.Value{text(`{"a": 1,  "a": 1.50}`), text(`"x"`)}, []string{`{"a": 1,  "a": 1.50}`, `"x"`}},
		{"enum", "VARCHAR", schemas.Type{Kind: schemas.Enum, Labels: []string{"new", "paid"}}, []schemas.Value{text("paid")}, []string{"paid"}},
		{"array of string", "VARCHAR[]", arrayOf(kind(schemas.String)), []schemas.Value{list(), list(text("a"), null, text(long)), list(text(""))}, []string{"[]", "[a, NULL, " + long + "]", "['']"}},
		{"array of int", "INTEGER[]", arrayOf(kind(schemas.Int32)), []schemas.Value{list(num(1), num(-2), null), list()}, []string{"[1, -2, NULL]", "[]"}},
		{"array of arrays", "INTEGER[][]", arrayOf(arrayOf(kind(schemas.Int32))), []schemas.Value{list(list(num(1), num(2)), null, list()), null, list(list(num(3)))}, []string{"[[1, 2], NULL, []]", "", "[[3]]"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newTest(t)
			table := tableOf("types", 1, col("id", kind(schemas.Int32)), col("v", c.t))
			mustEvolve(t, s, table)
			wantRows(t, s, "SELECT data_type FROM duckdb_columns() WHERE table_name = 'types' AND column_name = 'v'", c.columnType)
			rows := []sink.Row{row(sink.Upsert, num(-1), null)}
			for i, v := range c.values {
				rows = append(rows, row(sink.Upsert, num(int64(i)), v))
			}
			mustWrite(t, s, batch(table, rows...))
			wantRows(t, s, "SELECT v FROM shop.types WHERE id >= 0 ORDER BY id", c.want...)
			wantRows(t, s, "SELECT count(*) FROM shop.types WHERE id = -1 AND v IS NULL", "1")
			// Again over what is there, through the other way of writing.
			rows = append(rows, row(sink.Upsert, num(-1), keep))
			mustWrite(t, s, batch(table, rows[1:]...))
			wantRows(t, s, "SELECT v FROM shop.types WHERE id >= 0 ORDER BY id", c.want...)
		})
	}
}

func TestValuesThatNoColumnHoldsAreRefused(t *testing.T) {
	dec := func(digits string, scale int32) schemas.Value { return schemas.DecimalValue(unscaled(digits), scale) }
	for _, c := range []struct {
		name string
		t    schemas.Type
		v    schemas.Value
		part string
	}{
		{"NaN in a decimal", decimal(10, 2), schemas.SpecialDecimal(schemas.NaN), "NaN"},
		{"too many digits", decimal(4, 2), dec("10000", 2), "100.00"},
		{"digits behind the scale", decimal(4, 2), dec("1001", 3), "1.001"},
		{"int out of range", kind(schemas.Int16), num(40000), "40000"},
		{"timestamp after DuckDB's last", schemas.Type{Kind: schemas.Timestamp}, schemas.UnrepresentableValue([]byte("294276-12-31 23:59:59")), "294276-12-31"},
		{"bytes that are not text", kind(schemas.String), text("\xff"), "UTF-8"},
		{"bytes within an array", arrayOf(kind(schemas.String)), schemas.ArrayValue([]schemas.Value{text("a"), text("\xff")}), "UTF-8"},
		{"more dimensions than the column", arrayOf(kind(schemas.Int32)), schemas.ArrayValue([]schemas.Value{schemas.ArrayValue([]schemas.Value{num(1)})}), "dimensions"},
		{"an array with bounds of its own", arrayOf(kind(schemas.Int32)), schemas.UnrepresentableValue([]byte("[0:1]={1,2}")), "\"[0:1]={1,2}\" has bounds of its own"},
		{"no uuid", kind(schemas.UUID), text("x"), `"x"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newTest(t)
			table := tableOf("types", 1, col("id", kind(schemas.Int32)), col("v", c.t))
			mustEvolve(t, s, table)
			err := s.Write(context.Background(), batch(table, row(sink.Upsert, num(1), null), row(sink.Upsert, num(77), c.v)))
			wantClass(t, err, failure.Refused, "shop.types", "77", `"v"`, c.part)
			if mayMisfit(c.t) != "" && !strings.Contains(c.part, "UTF-8") {
				wantClass(t, err, failure.Refused, "duckdb.text_columns")
			}
			wantRows(t, s, "SELECT * FROM shop.types")
		})
	}
}

func TestColumnsOfTextHoldWhatDuckDBsTypesDoNot(t *testing.T) {
	stamp, zoned := schemas.Type{Kind: schemas.Timestamp, Precision: 6}, schemas.Type{Kind: schemas.TimestampTZ, Precision: 6}
	raw := func(s string) schemas.Value { return schemas.UnrepresentableValue([]byte(s)) }
	list := func(v ...schemas.Value) schemas.Value { return schemas.ArrayValue(v) }
	for _, c := range []struct {
		name   string
		t      schemas.Type
		values []schemas.Value
		want   []string
	}{
		{"NaN in a decimal", decimal(10, 2), []schemas.Value{schemas.SpecialDecimal(schemas.NaN), schemas.DecimalValue(unscaled("150"), 2)}, []string{"NaN", "1.50"}},
		{"arrays", arrayOf(kind(schemas.Int32)), []schemas.Value{list(num(1), null), list(list(num(1)), list(num(2))), raw("[0:1]={1,2}"), list()}, []string{"{1,NULL}", "{{1},{2}}", "[0:1]={1,2}", "{}"}},
		{"arrays of text", arrayOf(kind(schemas.String)), []schemas.Value{list(text("a b"), text("NULL"), text(`q"\`))}, []string{`{"a b","NULL","q\"\\"}`}},
		{"timestamps", stamp, []schemas.Value{num(1), raw("294276-12-31 23:59:59"), num(schemas.PosInfinity)}, []string{"1970-01-01 00:00:00.000001", "294276-12-31 23:59:59", "infinity"}},
		{"moments", zoned, []schemas.Value{num(1), raw("294276-12-31 23:59:59+00")}, []string{"1970-01-01 00:00:00.000001+00", "294276-12-31 23:59:59+00"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newTest(t)
			s.texts = textColumns{"shop.types.v"}
			table := tableOf("types", 1, col("id", kind(schemas.Int32)), col("v", c.t), col("w", c.t))
			mustEvolve(t, s, table)
			mustEvolve(t, s, table)
			var rows []sink.Row
			for i, v := range c.values {
				rows = append(rows, row(sink.Upsert, num(int64(i)), v, null))
			}
			mustWrite(t, s, batch(table, rows...))
			wantRows(t, s, "SELECT v FROM shop.types ORDER BY id", c.want...)
			if c.t.Kind == schemas.Decimal {
				return // whose text every VARCHAR holds
			}
			s.texts = nil
			wantClass(t, s.Evolve(context.Background(), nil, table), failure.Config, "shop.types", `"v"`, "text_columns")
		})
	}
}

func TestADecimalBecomesTextWhenItIsAskedFor(t *testing.T) {
	s := newTest(t)
	table := tableOf("types", 1, col("id", kind(schemas.Int32)), col("v", decimal(10, 2)), col("a", arrayOf(kind(schemas.Int32))))
	mustEvolve(t, s, table)
	mustWrite(t, s, batch(table, row(sink.Upsert, num(1), schemas.DecimalValue(unscaled("150"), 2), null)))
	nan := batch(table, row(sink.Upsert, num(2), schemas.SpecialDecimal(schemas.NaN), null))
	wantClass(t, s.Write(context.Background(), nan), failure.Refused, `"v"`, "DECIMAL(10,2) has no NaN", "duckdb.text_columns")
	s.texts = textColumns{"shop.*.v"}
	mustEvolve(t, s, table)
	mustWrite(t, s, nan)
	wantRows(t, s, "SELECT v FROM shop.types ORDER BY id", "1.50", "NaN")
	// A list has another text than PostgreSQL's.
	s.texts = textColumns{"shop.types.a"}
	wantClass(t, s.Evolve(context.Background(), nil, table), failure.Config, "shop.types")
}

func TestDecimalKeysAreComparedAsNumbers(t *testing.T) {
	s := newTest(t)
	dec := func(digits string, scale int32) schemas.Value { return schemas.DecimalValue(unscaled(digits), scale) }
	table := tableOf("prices", 1, col("price", decimal(0, 0)), col("note", kind(schemas.String)))
	mustEvolve(t, s, table)
	mustWrite(t, s, batch(table, row(sink.Upsert, dec("10", 1), text("a")), row(sink.Upsert, dec("10", 0), text("b")), row(sink.Upsert, dec("0", 0), text("c")),
		row(sink.Upsert, schemas.SpecialDecimal(schemas.NaN), text("d"))))
	// Keys that went from 1.0 to 1.00 and from 0 to 0.000: the framework folds delete and create to one.
	mustWrite(t, s, batch(table, row(sink.Upsert, dec("100", 2), text("a")), row(sink.Upsert, dec("0", 3), keep), row(sink.Delete, dec("1000", 2), null),
		row(sink.Delete, schemas.SpecialDecimal(schemas.NaN), null)))
	wantRows(t, s, "SELECT price, note FROM shop.prices ORDER BY note", "1.00|a", "0.000|c")
}

func TestRowsOfManyChunksKeepTheirPlace(t *testing.T) {
	s := newTest(t)
	table := tableOf("many", 1, col("id", kind(schemas.Int64)), col("name", kind(schemas.String)), col("tags", arrayOf(kind(schemas.String))))
	mustEvolve(t, s, table)
	var rows []sink.Row
	for i := range 10_000 {
		name, tags := null, null
		if i%3 != 0 {
			name = text(fmt.Sprintf("%0*d", 1+i%30, i))
			tags = schemas.ArrayValue([]schemas.Value{name, null}[:i%3])
		}
		rows = append(rows, row(sink.Upsert, num(int64(i)), name, tags))
	}
	mustWrite(t, s, batch(table, rows...))
	wantRows(t, s, `SELECT count(*), count(name), sum(len(tags)), count(*) FILTER (WHERE name::INT = id AND tags[1] = name) FROM shop.many`,
		"10000|6666|9999|6666")
}

func partition(n int32) sink.Partition {
	return sink.Partition{Topic: "shop.public.customers", TopicID: [16]byte{1, 2, 3}, Partition: n}
}

func claim(t testing.TB, s *Sink, p ...sink.Partition) []sink.Entry {
	t.Helper()
	entries, err := s.Claim(context.Background(), p)
	if err != nil {
		t.Fatal(err)
	}
	return entries
}

func TestLedgerMovesWithTheRows(t *testing.T) {
	ctx := context.Background()
	s, table := newTest(t), customers()
	mustEvolve(t, s, table)
	e := claim(t, s, partition(0), partition(1))
	if e[0].Next != -1 || e[0].Fence != 1 || e[1].Partition != partition(1) {
		t.Fatalf("first claim: %+v", e)
	}
	v := schemas.Version{High: math.MaxUint64, Low: 3}
	b := batch(table, row(sink.Upsert, num(1), text("Ada"), null))
	b.Moves = []sink.Move{{Entry: e[0], To: 10}, {Entry: e[1], To: 5, Applied: v}}
	mustWrite(t, s, b)
	again := claim(t, s, partition(1), partition(0))
	if again[0].Next != 5 || again[0].Fence != 2 || again[0].Applied != v || again[1].Next != 10 {
		t.Fatalf("second claim: %+v", again)
	}
	// The first claim is fenced, and its rows are not written.
	b = batch(table, row(sink.Upsert, num(2), text("Bob"), null))
	e[0].Next = 10
	b.Moves = []sink.Move{{Entry: e[0], To: 11}}
	wantClass(t, s.Write(ctx, b), failure.Fenced)
	// So is a batch that begins elsewhere than the ledger stands, with its other moves.
	wrong := again[0]
	wrong.Next = 4
	b.Moves = []sink.Move{{Entry: again[1], To: 11}, {Entry: wrong, To: 6}}
	wantClass(t, s.Write(ctx, b), failure.Fenced)
	wantRows(t, s, byID, "1|Ada|")
	wantRows(t, s, "SELECT next_offset FROM syncline.ledger ORDER BY partition", "10", "5")
	if err := s.Reset(ctx, again[0], 2); err != nil {
		t.Fatal(err)
	}
	if got := claim(t, s, partition(1))[0]; got.Next != 2 || got.Applied != (schemas.Version{}) {
		t.Errorf("after a reset: %+v", got)
	}
	wantClass(t, s.Reset(ctx, again[0], 3), failure.Fenced)
}

func TestTopicMadeAgainShowsInTheEntryUntilAReset(t *testing.T) {
	s := newTest(t)
	claim(t, s, partition(0))
	other := partition(0)
	other.TopicID = [16]byte{9}
	e := claim(t, s, other)[0]
	if e.TopicID != partition(0).TopicID {
		t.Fatalf("the entry has the id %x, want the one that the ledger was written with", e.TopicID)
	}
	e.TopicID = other.TopicID
	if err := s.Reset(context.Background(), e, 4); err != nil {
		t.Fatal(err)
	}
	if e = claim(t, s, other)[0]; e.TopicID != other.TopicID || e.Next != 4 {
		t.Errorf("after a reset: %+v", e)
	}
}

func TestRefusedRowTakesTheWholeBatchBack(t *testing.T) {
	s, table := newTest(t), customers()
	mustEvolve(t, s, table)
	e := claim(t, s, partition(0))[0]
	var rows []sink.Row
	for i := range 5000 { // more than one chunk, so that some are appended before the bad one is met
		rows = append(rows, row(sink.Upsert, num(int64(i)), text("x"), null))
	}
	rows[4999].Values[1] = text("\xff")
	b := batch(table, rows...)
	b.Moves = []sink.Move{{Entry: e, To: 1}}
	wantClass(t, s.Write(context.Background(), b), failure.Refused, "4999")
	wantRows(t, s, byID)
	wantRows(t, s, "SELECT next_offset FROM syncline.ledger", "-1")
	b.Tables[0].Rows = rows[:4999]
	mustWrite(t, s, b)
	wantRows(t, s, "SELECT count(*) FROM shop.customers", "4999")
}

func TestEndedContextWritesNothing(t *testing.T) {
	s, table := newTest(t), customers()
	mustEvolve(t, s, table)
	ctx, cancel := context.WithTimeout(context.Background(), time.Nanosecond)
	defer cancel()
	b := batch(table, row(sink.Upsert, num(1), text("x"), null))
	if err := s.Write(ctx, b); err == nil {
		t.Fatal("no error")
	}
	wantRows(t, s, byID)
	mustWrite(t, s, b)
}

// TestMain is the writing child too: it is killed in the middle.
func TestMain(m *testing.M) {
	if path := os.Getenv("SYNCLINE_TEST_WRITE"); path != "" {
		writeForEver(path)
	}
	os.Exit(m.Run())
}

// writeForEver adds ten rows per batch, and moves the ledger by ten.
func writeForEver(path string) {
	cfg := sinkDefaults
	cfg.Path = path
	ctx := context.Background()
	s, err := openSink(ctx, cfg, sink.Env{Name: "test"})
	fail := func(err error) {
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	fail(err)
	table := customers()
	fail(s.Evolve(ctx, nil, table))
	entries, err := s.Claim(ctx, []sink.Partition{partition(0)})
	fail(err)
	e := entries[0]
	e.Next = max(e.Next, 0)
	if entries[0].Next < 0 {
		fail(s.Reset(ctx, e, 0))
	}
	for {
		var rows []sink.Row
		for i := range 10 {
			rows = append(rows, row(sink.Upsert, num(e.Next+int64(i)), text("a name of some length"), null))
		}
		b := batch(table, rows...)
		b.Moves = []sink.Move{{Entry: e, To: e.Next + 10}}
		fail(s.Write(ctx, b))
		e.Next += 10
		fmt.Println(e.Next)
	}
}

func TestKilledWriterLeavesRowsAndLedgerEqual(t *testing.T) {
	path := filepath.Join(t.TempDir(), "warehouse.duckdb")
	for round := range 5 {
		child := exec.Command(os.Args[0])
		child.Env = append(os.Environ(), "SYNCLINE_TEST_WRITE="+path)
		var errs bytes.Buffer
		child.Stderr = &errs
		out, err := child.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := child.Start(); err != nil {
			t.Fatal(err)
		}
		if _, err := out.Read(make([]byte, 1)); err != nil {
			t.Fatalf("the writer wrote nothing: %v %s", err, &errs)
		}
		if round == 0 {
			cfg := sinkDefaults
			cfg.Path = path
			_, err := openSink(context.Background(), cfg, sink.Env{Name: "test"})
			wantClass(t, err, failure.Retry, path, "lock", "one process at a time")
		}
		time.Sleep(time.Duration(50+37*round) * time.Millisecond)
		child.Process.Kill()
		child.Wait()
		s := openTest(t, path)
		if got := rowsOf(t, s, "SELECT count(*), count(DISTINCT id), max(id) + 1, (SELECT next_offset FROM syncline.ledger) FROM shop.customers")[0]; got != strings.Repeat(strings.Split(got, "|")[0]+"|", 3)+strings.Split(got, "|")[0] || got[0] == '0' {
			t.Errorf("round %d: rows, keys, greatest key + 1 and offset differ: %s", round, got)
		}
		s.Close()
	}
}
