package schemas

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func kind(k Kind) Type                  { return Type{Kind: k} }
func digits(k Kind, precision int) Type { return Type{Kind: k, Precision: precision} }
func numeric(p, s int) Type             { return Type{Kind: Decimal, Precision: p, Scale: s} }
func arrayOf(t Type) Type               { return Type{Kind: Array, Elem: &t} }

// key makes c part n of the key.
func key(n int, c Column) Column {
	c.Key, c.Nullable = n, false
	return c
}

func notNull(c Column) Column {
	c.Nullable = false
	return c
}

func withDefault(c Column, expr string) Column {
	c.Default = expr
	return c
}

func serial(c Column) Column {
	c.Default, c.Generated, c.Nullable = "nextval('s'::regclass)", true, false
	return c
}

func col(name string, t Type) Column {
	return Column{Name: name, Type: t, Nullable: true, SourceType: sourceTypes[t.Kind]}
}

var sourceTypes = map[Kind]string{String: "text", JSON: "jsonb", Int32: "integer"}

func other(name, sourceType string) Column {
	form := Form(strings.Trim(sourceType, `"`))
	switch form, _, _ := strings.Cut(sourceType, "("); form {
	case "character", "character varying", "bpchar":
		return Column{Name: name, Type: kind(String), Nullable: true, SourceType: sourceType}
	}
	return Column{Name: name, Type: Type{Kind: String, Form: form}, Nullable: true, SourceType: sourceType}
}

func table(schema, name string, columns ...Column) *Table {
	for i := range columns {
		columns[i].ID = int32(i + 1)
	}
	return &Table{System: "postgresql", Database: "db", Schema: schema, Name: name, Version: 1, Identity: IdentityKey, Columns: columns}
}

// capturedTables are tables of a PostgreSQL whose schemas Debezium registered; see testdata/debezium.
func capturedTables() []*Table {
	pk := key(1, col("pk", kind(Int32)))
	id := key(1, col("id", kind(Int32)))
	mood := Type{Kind: Enum, Labels: []string{"sad", "ok", "happy"}}
	odd := Type{Kind: Enum, Labels: []string{"a,b", "it's", "", "UPPER", "é", "1st"}}
	us, ustz := digits(Timestamp, 6), digits(TimestampTZ, 6)
	text := kind(String)
	return []*Table{
		table("We\"ird . Sch-ema", "Ta\"ble . X", key(1, col("Pk Id", kind(Int32))), col("col\"q . uote", text), col("a\\b", text), col("$dollar", kind(Int32)), col("sp ace", kind(Int32))),
		table("o", "CaseTable", id, col("v", text)),
		table("o", "casetable", id, col("v", text)),
		table("o", "t_arr", pk, col("i", arrayOf(kind(Int32))), col("bi", arrayOf(kind(Int64))), col("t", arrayOf(text)), col("ch", arrayOf(text)), col("vc", arrayOf(text)),
			col("n", arrayOf(numeric(10, 2))), col("nv", arrayOf(kind(Decimal))), col("d", arrayOf(kind(Date))), col("ts", arrayOf(ustz)), col("b", arrayOf(kind(Bool))),
			col("f", arrayOf(kind(Float32))), col("u", arrayOf(kind(UUID))), col("j", arrayOf(kind(JSON))), col("r", arrayOf(text)), col("inet", arrayOf(text)), col("i2", arrayOf(kind(Int32)))),
		table("o", "t_big", id, col("v", text)),
		table("o", "t_bytea", pk, col("b", kind(Bytes)), notNull(col("bn", kind(Bytes))), col("ba", arrayOf(kind(Bytes)))),
		table("o", "t_ckey", col("v", text), key(2, col("b", text)), key(1, col("a", kind(Int32))), key(3, col("ts", ustz)), key(4, col("u", kind(UUID)))),
		table("o", "t_date", pk, col("d", kind(Date))),
		table("o", "t_def", key(1, col("id", kind(Int64))), notNull(col("id2", kind(Int32))), withDefault(notNull(col("a", kind(Int32))), "7"), withDefault(col("b", text), "'x''y'::text"),
			withDefault(col("c", ustz), "'2020-01-01 00:00:00+00'::timestamp with time zone"), withDefault(col("d", numeric(6, 2)), "1.5"), withDefault(col("e", kind(JSON)), `'{"k": []}'::jsonb`),
			withDefault(col("f", kind(UUID)), "gen_random_uuid()"), withDefault(col("h", mood), "'ok'::o.mood"), withDefault(col("i", arrayOf(kind(Int32))), "'{1,2}'::integer[]"),
			withDefault(col("j", kind(Interval)), "'1 day'::interval"), withDefault(col("k", kind(Bytes)), `'\x00ff'::bytea`), withDefault(col("l", text), "NULL::text")),
		table("o", "t_enum", pk, withDefault(col("m", mood), "'ok'::o.mood"), col("ma", arrayOf(mood)), col("w", odd)),
		table("o", "t_filter", id, notNull(col("keep", kind(Bool))), col("secret", text)),
		table("o", "t_float", pk, col("r", kind(Float32)), col("d", kind(Float64))),
		table("o", "t_full", col("id", kind(Int32)), col("v", text), col("n", kind(Decimal))),
		table("o", "t_int", serial(pk), col("si", kind(Int16)), col("i", kind(Int32)), col("bi", kind(Int64)), col("b", kind(Bool)), col("o", kind(Int64)), serial(col("ss", kind(Int16))), serial(col("bs", kind(Int64)))),
		table("o", "t_iv", pk, col("iv", kind(Interval)), col("iym", kind(Interval)), col("ids", kind(Interval))),
		table("o", "t_json", pk, col("j", kind(JSON)), col("jb", kind(JSON))),
		table("o", "t_meta_names", id, col("before", kind(Int32)), col("after", kind(Int32)), col("op", text), col("source", text), col("ts_ms", kind(Int64)), col("__deleted", text), col("_PEERDB_IS_DELETED", kind(Bool))),
		table("o", "t_net", pk, other("i", "inet"), other("c", "cidr"), other("m", "macaddr"), other("m8", "macaddr8")),
		table("o", "t_nopk", col("id", kind(Int32)), col("v", text)),
		table("o", "t_num", pk, col("d32", numeric(3, 2)), col("d4", numeric(4, 0)), col("dv", kind(Decimal)), notNull(col("nn", numeric(3, 2))), col("big", numeric(1000, 500)), col("n38", numeric(38, 9)), col("n7638", numeric(76, 38))),
		table("o", "t_part_us", col("v", text), key(2, col("region", text)), key(1, col("id", kind(Int32)))),
		table("o", "t_rng", pk, other("i4", "int4range"), other("i8", "int8range"), other("n", "numrange"), other("ts", "tsrange"), other("tz", "tstzrange"), other("d", "daterange")),
		table("o", "t_str", pk, other("c1", `"char"`), other("ch", "character(10)"), other("vc", "character varying(10)"), col("t", text), other("ct", "citext"), other("nm", "name"), other("bp", "bpchar")),
		table("o", "t_toast", id, col("small", kind(Int32)), col("big", text), col("bigj", kind(JSON)), col("biga", arrayOf(text)), col("bigb", kind(Bytes))),
		table("o", "t_ts", pk, col("ts", us), col("ts0", digits(Timestamp, 0)), col("ts3", digits(Timestamp, 3)), col("ts6", us)),
		table("o", "t_tz", pk, col("tz", ustz), col("tz3", digits(TimestampTZ, 3))),
		table("o", "t_xml", pk, other("x", "xml"), col("u", kind(UUID))),
		table("o", "tbl_with_a_name_that_is_exactly_sixty_three_bytes_long_abcdefgh", id, col("col_with_a_name_that_is_exactly_sixty_three_bytes_long_abcdefgh", kind(Int32))),
	}
}

func TestSchemasAreWhatDebeziumRegisters(t *testing.T) {
	seen := make(map[string]bool)
	compare := func(subject, got string) {
		file := filepath.Join("testdata", "debezium", subject+".avsc")
		seen[file] = true
		want, err := os.ReadFile(file)
		if err != nil {
			t.Error(err)
			return
		}
		if got != strings.TrimSuffix(string(want), "\n") {
			t.Errorf("%s\ngot  %s\nwant %s", subject, got, want)
		}
	}
	for _, tab := range capturedTables() {
		e, err := NewEncoder(tab, Mapping{Prefix: "conf"})
		if err != nil {
			t.Error(err)
			continue
		}
		if e.KeySchema() != "" {
			compare(e.Topic()+"-key", e.KeySchema())
		}
		compare(e.Topic()+"-value", e.ValueSchema())
	}
	files, err := filepath.Glob(filepath.Join("testdata", "debezium", "*.avsc"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if !seen[file] {
			t.Errorf("%s belongs to no table", file)
		}
	}
}

func TestFieldNamesNeverCollide(t *testing.T) {
	for _, tc := range []struct{ columns, want string }{
		{"a|b", "a|b"},
		{"a b|c", "a_b|c"},
		{"a b|a_b", "a_x20_b|a_b"},
		{"a b|a-b", "a_x20_b|a_x2d_b"},
		{"a b|a_b|a_x20_b", "a_x20_b_1|a_b|a_x20_b"},
		{"1st|é|", "_1st|_xe9_|_x_"},
		{"A|a", "A|a"},
	} {
		var columns []Column
		for name := range strings.SplitSeq(tc.columns, "|") {
			columns = append(columns, col(name, kind(Int32)))
		}
		names := fieldNames(table("s", "t", columns...))
		seen := make(map[string]bool)
		for _, name := range names {
			if seen[name] {
				t.Errorf("%s: %q twice", tc.columns, name)
			}
			seen[name] = true
		}
		if got := strings.Join(names, "|"); got != tc.want {
			t.Errorf("%s: %s, want %s", tc.columns, got, tc.want)
		}
	}
}

// TestFieldNamesAreThoseOnThePage holds the table of docs/avro.md.
func TestFieldNamesAreThoseOnThePage(t *testing.T) {
	for _, tc := range []struct{ columns, fields string }{
		{"unit-price", "unit_price"}, {"unit-price unit_price", "unit_x2d_price unit_price"}, {"a.b,a b", "a_x2e_b a_x20_b"}, {"2nd", "_2nd"}, {"größe", "gr__e"},
	} {
		names := strings.Fields(tc.columns)
		if strings.Contains(tc.columns, ",") {
			names = strings.Split(tc.columns, ",")
		}
		var columns []Column
		for _, name := range names {
			columns = append(columns, col(name, kind(Int32)))
		}
		if got := strings.Join(fieldNames(table("s", "t", columns...)), " "); got != tc.fields {
			t.Errorf("%s: %s, want %s", tc.columns, got, tc.fields)
		}
	}
}
