package schemas

import "testing"

func TestDefaultsAreDeclaredAsDebeziumDoes(t *testing.T) {
	for _, tc := range []struct {
		column Column
		expr   string
		want   string
	}{
		{col("c", kind(Int32)), "0", "0"},
		{col("c", kind(Int32)), "'-7'::integer", "-7"},
		{col("c", kind(Int32)), "(-7)", ""}, // PostgreSQL prints '-7'::integer
		{col("c", kind(Int32)), "(5)::bigint", ""},
		{col("c", kind(Int32)), "COALESCE(1, 2)", "0"},
		{col("c", kind(Int32)), "((random() * (100)::double precision))::integer", ""},
		{col("c", kind(Int32)), "nextval('s'::regclass)", "0"},
		{col("c", kind(Int32)), "(1 + 1)", ""},
		{col("c", kind(Int16)), "70000", ""},
		{col("c", kind(Bool)), "true", "true"},
		{col("c", kind(Bool)), "is_nice()", "false"},
		{col("c", kind(Float64)), "1.5", "1.5"},
		{col("c", kind(Float64)), "'1e10'::double precision", "1.0E10"},
		{col("c", kind(Float32)), "0.1", "0.1"},
		{col("c", kind(Float64)), "'NaN'::double precision", ""},
		{col("c", numeric(6, 2)), "1.5", "\"\\u0000\u0096\""},
		{col("c", numeric(6, 2)), "'-1'::integer", "\"\u009c\""},
		{col("c", numeric(6, 2)), "1.555", ""},
		{col("c", kind(Decimal)), "1.5", ""},
		{col("c", kind(String)), "'it''s \"\\ \n'::text", `"it's \"\\ \n"`},
		{col("c", kind(String)), "''::text", `""`},
		{col("c", kind(String)), "('a'::text || 'b'::text)", `"a"`},
		{col("c", kind(String)), "upper('a'::text)", `""`},
		{col("c", kind(String)), "CURRENT_USER", `"CURRENT_USER"`},
		{col("c", kind(String)), "NULL::character varying", ""},
		{other("c", "character varying(10)"), "'x'::character varying(10)", `"x"`},
		{other("c", "inet"), "'10.0.0.1'::inet", ""},
		{col("c", formed(FormBit, 3)), `B'101'::"bit"`, `"\u0005"`},
		{col("c", formed(FormBit, 1)), `B'1'::"bit"`, "true"},
		{col("c", formed(FormVarbit, 0)), `B'0011'::"bit"`, `"\u0003"`},
		{col("c", formed(FormTimeTZ, 0)), "'12:00:00+00'::time with time zone", ""},
		{col("c", kind(Date)), "'2016-11-04'::date", "17109"},
		{col("c", kind(Date)), "CURRENT_DATE", "0"},
		{col("c", kind(Date)), "(CURRENT_DATE + 1)", ""},
		{col("c", kind(Date)), "('now'::text)::date", ""},
		{col("c", kind(Date)), "('2020-01-01'::date + 5)", "18262"},
		{col("c", digits(Timestamp, 6)), "(now() - '1 day'::interval)", "0"},
		{col("c", digits(TimestampTZ, 6)), "'infinity'::timestamp with time zone", ""},
		{col("c", digits(Time, 6)), "'00:00:01'::time without time zone", "1000000"},
		{col("c", digits(Timestamp, 3)), "'1970-01-01 00:00:01'::timestamp(3) without time zone", "1000"},
		{col("c", digits(Timestamp, 6)), "now()", "0"},
		{col("c", digits(TimestampTZ, 6)), "CURRENT_TIMESTAMP", `"1970-01-01T00:00:00.000000Z"`},
		{col("c", kind(Interval)), "'1 mon'::interval", "2629800000000"},
		{col("c", kind(UUID)), "gen_random_uuid()", `"00000000-0000-0000-0000-000000000000"`},
		{col("c", kind(JSON)), `'{}'::jsonb`, `"{}"`},
		{col("c", Type{Kind: Enum, Labels: []string{"a b"}}), `'a b'::"Odd Enum"`, `"a b"`},
		{col("c", Type{Kind: Enum, Labels: []string{"a"}}), `first_mood()`, ""},
		{col("c", kind(Bytes)), `'\x00'::bytea`, ""},
		{col("c", arrayOf(kind(Int32))), "'{}'::integer[]", ""},
		{col("c", kind(Int32)), "()", ""},
		{col("c", kind(Int32)), "'unfinished", ""},
		{col("c", kind(Int32)), "CASE WHEN true THEN 1 ELSE 2 END", ""},
		{col("c", kind(Bool)), "(1 = 1)", "false"},
		{col("c", kind(Interval)), "('1 day'::interval * (2)::double precision)", "86400000000"},
		{col("c", numeric(6, 2)), "(1.0 / (3)::numeric)", ""},
		{col("c", formed(FormBit, 3)), "(5)::bit(3)", `""`},
		{col("c", Type{Kind: Decimal, Precision: 6, Scale: 2, Mode: ModeString}), "1.5", `"1.50"`},
	} {
		c := tc.column
		c.Default = tc.expr
		out := debeziumOutput(&c.Type)
		if _, got := defaultOf(&c, &out, false); got != tc.want {
			t.Errorf("%v default %s: %s, want %s", c.Type, tc.expr, got, tc.want)
		}
	}
}

func TestDefaultsOfDomainsAreDeclaredInTheOtherTypesAlone(t *testing.T) {
	for _, tc := range []struct {
		typ      Type
		source   string
		expr     string
		debezium string
		avro     string
	}{
		{kind(String), "text", "'x'::text", `"x"`, `"x"`},
		{Type{Kind: String, Length: 5}, "character varying(5)", "'x'::character varying", `"x"`, `"x"`},
		{kind(String), "shop.code", "'x'::text", "", `"x"`},
		{kind(Int32), "d_count", "7", "", "7"},
		{kind(Int64), "oid", "7", "", "7"},
		{digits(Timestamp, 3), "timestamp(3) without time zone", "'1970-01-01 00:00:01'::timestamp(3) without time zone", "1000", "1000000"},
		{digits(Time, 6), "time without time zone", "'00:00:01'::time without time zone", "1000000", "1000000"},
		{digits(TimestampTZ, 6), "timestamp with time zone", "now()", `"1970-01-01T00:00:00.000000Z"`, "0"},
		{kind(Interval), "interval day to second(3)", "'00:00:01'::interval", "1000000", `"PT1S"`},
		{formed(FormBit, 3), "bit(3)", `B'101'::"bit"`, `"\u0005"`, `"101"`},
		{formed(FormVarbit, 0), "bit varying", `B'101'::"bit"`, `"\u0005"`, `"101"`},
		{formed(FormBit, 3), "d_bit", `B'101'::"bit"`, "", `"101"`},
		{Type{Kind: Enum, Labels: []string{"a"}}, "shop.status", "'a'::shop.status", `"a"`, `"a"`},
	} {
		for types, want := range map[Types]string{TypesDebezium: tc.debezium, TypesAvro: tc.avro} {
			tab := table("public", "t", key(1, col("id", kind(Int32))), Column{Name: "c", Type: tc.typ, SourceType: tc.source, Default: tc.expr})
			l, err := newLayout(tab, Mapping{Prefix: "x", Types: types})
			if err != nil {
				t.Fatal(err)
			}
			if got := l.fields[1].literal; got != want {
				t.Errorf("%s: %s default %s: %s, want %s", types, tc.source, tc.expr, got, want)
			}
		}
	}
}

func TestConstantDefaultsAreToldFromThoseOfTheSourceAlone(t *testing.T) {
	const none = "\x00"
	for _, tc := range []struct {
		column Column
		expr   string
		want   string
	}{
		{col("c", kind(Int32)), "5", "5"},
		{col("c", kind(Int32)), "'-5'::integer", "-5"},
		{col("c", kind(Int32)), "(-5)", "-5"},
		{col("c", kind(Int32)), "1.5", "2"},
		{col("c", kind(Int32)), "'5'::integer % 3", none},
		{col("c", kind(Int32)), "1 + 1", none},
		{col("c", kind(Int64)), "nextval('s'::regclass)", none},
		{col("c", kind(Bool)), "true", "true"},
		{col("c", kind(Bool)), "is_nice()", none},
		{col("c", numeric(6, 2)), "0.5", "0.5"},
		{col("c", numeric(6, 2)), "(-1.555)", "-1.56"},
		{col("c", kind(Decimal)), "1.50", "1.50"},
		{col("c", kind(Decimal)), "'NaN'::numeric", "NaN"},
		{col("c", kind(String)), "'it''s'::character varying(5)", "it's"},
		{col("c", kind(String)), "''::text", ""},
		{col("c", kind(String)), "('a'::text || 'b'::text)", none},
		{col("c", kind(String)), "'a'::text || 'b'::text", none},
		{col("c", kind(String)), "'unclosed", none},
		{col("c", kind(String)), "NULL::character varying", none},
		{other("c", "regclass"), "'orders'::regclass", none},
		{other("c", "shop.status"), "'a'::shop.status", "a"},
		{col("c", kind(JSON)), "'{}'::jsonb", "{}"},
		{col("c", kind(Bytes)), `'\x00'::bytea`, `\x00`},
		{col("c", arrayOf(kind(Int32))), "'{1,2}'::integer[]", "{1,2}"},
		{col("c", kind(Date)), "'2016-11-04'::date", "2016-11-04"},
		{col("c", kind(Date)), "'soon'::date", none},
		{col("c", digits(Timestamp, 6)), "'infinity'::timestamp without time zone", "infinity"},
		{col("c", digits(Timestamp, 3)), "'now'::text::timestamp(3) + '1 day'::interval", none},
		{col("c", digits(TimestampTZ, 6)), "CURRENT_TIMESTAMP", none},
		{col("c", kind(Int32)), "", none},
		{col("c", kind(Int32)), "-", none},
	} {
		c := tc.column
		c.Default = tc.expr
		got, ok := c.ConstantDefault()
		if !ok {
			got = none
		}
		if got != tc.want {
			t.Errorf("%v default %s: %q, want %q", c.Type, tc.expr, got, tc.want)
		}
	}
}
