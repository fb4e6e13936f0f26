package types

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"
)

// wrongValues are values that look much like those that the rows have, or that the engine takes for equal: verify must name each.
var wrongValues = []struct{ table, pk, column, value string }{
	{"t_int", "1", "si", "1"},
	{"t_int", "2", "i", "2147483646"},
	{"t_int", "2", "bi", "9223372036854775806"},
	{"t_int", "1", "b", "false"},
	{"t_int", "3", "b", "false"}, // was null
	{"t_int", "2", "o", "0"},
	{"t_int", "2", "x8", "'4294967294'"},
	{"t_int", "2", "tid", "'(4294967295,65534)'"},
	{"t_int", "3", "lsn", "'16/B374D849'"},
	{"t_int", "1", "rc", "'pg_type'"},
	{"t_float", "5", "d", "0"}, // was -0
	{"t_float", "5", "r", "0"},
	{"t_float", "7", "d", "0"},
	{"t_float", "2", "d", "'Infinity'"},
	{"t_float", "10", "r", "0.10000001"},
	{"t_num", "1", "d32", "1.11"},
	{"t_num", "3", "d32", "null"}, // was NaN
	{"t_num", "20", "dv", "'-Infinity'"},
	{"t_num", "4", "dv", "0"},
	{"t_num", "5", "big", "0"},
	{"t_num15", "1", "neg", "124000"},
	{"t_num15", "1", "tiny", "0.00124"},
	{"t_money", "1", "m", "'1234.12'"},
	{"t_money", "1", "ma", "'{1.10,NULL,-2.01}'"},
	{"t_str", "1", "c1", "'b'"},
	{"t_str", "5", "ch", "' lead'"},
	{"t_str", "5", "vc", "'trail  '"}, // a blank less
	{"t_str", "2", "t", "null"},       // was empty
	{"t_str", "6", "ct", "'null'"},    // citext takes it for equal
	{"t_str", "1", "nm", "'a_nam'"},
	{"t_str", "1", "bp", "'ab'"}, // bpchar takes it for equal
	{"t_bytea", "1", "b", `'\x010204'`},
	{"t_bytea", "1", "ba", `array['\x000102'::bytea, null, null]`},
	{"t_bit", "1", "b1", "B'1'"},
	{"t_bit", "1", "b64", "B'0000000000000000000000000000000000000000000000000000000000000000'"},
	{"t_bit", "2", "v1", "null"}, // was empty
	{"t_bit", "1", "vu", "B'0101'"},
	{"t_bit", "1", "ba", "array[B'101',B'011']"},
	{"t_date", "5", "d", "'0001-12-31'"}, // was BC
	{"t_date", "10", "d", "'-infinity'"},
	{"t_ts", "14", "ts", "'2018-06-20 15:13:16.945105'"},
	{"t_ts", "10", "ts3", "'infinity'"},
	{"t_tz", "1", "tz", "'2016-11-04 13:51:30.123456+01:00'"},
	{"t_time", "3", "t", "'00:00'"},                  // was 24:00
	{"t_time", "1", "tz", "'12:51:30.123789+01:00'"}, // the same moment
	{"t_iv", "7", "iv", "'4166 days 16:00'"},         // PostgreSQL takes it for equal
	{"t_iv", "1", "iym", "'1 year 3 mons'"},
	{"t_json", "9", "j", "'[1,2]'"},
	{"t_json", "11", "jb", "'1.1'"}, // jsonb takes it for equal
	{"t_xml", "1", "x", "'<foo>bar</foo><foo>baz</foo>'"},
	{"t_xml", "2", "u", "'00000000-0000-0000-0000-000000000001'"},
	{"t_hs", "5", "h", "'k=>NULL'"}, // was the text NULL
	{"t_hs", "2", "ha", "array['a=>1'::hstore, 'b=>2']"},
	{"t_ext", "1", "lt", "'Top.Collections'"},
	{"t_ext", "1", "lta", "'{Ship.Destroyer,Ship.Frigate}'"},
	{"t_ext", "3", "tv", "$$'direct':6 'it''s':1,3B$$"},
	{"t_ext", "1", "tq", "'fat & cat'"},
	{"t_net", "1", "i", "'192.168.2.0/13'"},
	{"t_net", "1", "c", "'192.168.100.128/26'"},
	{"t_net", "1", "m8", "'08:00:2b:01:02:03:04:06'"},
	{"t_geo", "4", "p", "'(0,0.1)'"}, // was -0
	{"t_geo", "1", "pa", "'[(0,0),(1,1),(2,0)]'"},
	{"t_geo", "1", "b", "'(1,1),(0,0.5)'"},
	{"t_geo", "1", "c", "'<(1.5,-2.5),3.0000001>'"},
	{"t_rng", "1", "i4", "'[1,5)'"},
	{"t_rng", "2", "n", "'(,)'"}, // was empty
	{"t_rng", "4", "n", "'[1.0,1.0]'"},
	{"t_mrng", "1", "m4", "'{[1,8)}'"},
	{"t_enum", "2", "m", "'happy'"},
	{"t_enum", "4", "w", "'1st'"},
	{"t_dom", "1", "p", "12.31"},
	{"t_dom", "1", "tg", `'{a,"b c","NULL"}'`}, // was a null
	{"t_dom", "1", "b", "B'100'"},
	{"t_dom", "1", "pa", "'{1.51,NULL}'"},
	{"t_comp", "3", "a", "null"}, // was a row of nulls
	{"t_comp", "1", "aa", "array[null, row('a',1,null)::types.addr, row(null,null,null)::types.addr]"},
	{"t_comp", "10", "a", "row('s',1,'NO')"},
	{"t_arr", "1", "i", "'[0:2]={1,2,3}'"}, // PostgreSQL prints and compares the bounds
	{"t_arr", "1", "i2", "'{1,2,3,NULL}'"}, // was {{1,2},{3,NULL}}
	{"t_arr", "1", "bi", "'{1550166368505037573}'"},
	{"t_arr", "1", "ch", "'{ab}'"},
	{"t_arr", "1", "n", "'{1.2,NULL,3.46}'"},
	{"t_arr", "1", "d", "'{2016-11-04,-infinity}'"},
	{"t_arr", "1", "ts", "'{2020-04-01 00:01:03+00}'"},
	{"t_arr", "1", "b", "'{t,f}'"},
	{"t_arr", "1", "f", "'{NaN,Infinity,-1.5}'"},
	{"t_arr", "2", "u", "null"}, // was empty
	{"t_arr", "2", "t", "'{NULL}'"},
	{"t_arr", "5", "i", "'{{{1},{2}},{{3},{5}}}'"},
}

func (m *maker) writeWrongValues() {
	for _, w := range wrongValues {
		m.exec(fmt.Sprintf("set search_path = types, public; update types.%s set %s = %s where pk = %s", w.table, w.column, w.value, w.pk))
	}
}

// TestVerifyNamesEachWrongValue has a value altered in each type: what verify says of the targets must name row and column.
func TestVerifyNamesEachWrongValue(t *testing.T) {
	r := sharedRun(t)
	for engine, report := range r.wrong {
		t.Run(engine, func(t *testing.T) {
			for _, w := range wrongValues {
				if !report[w.table].names(t, w.pk, w.column) {
					t.Errorf("%s, row %s, column %s: %s is taken for what the target has", w.table, w.pk, w.column, w.value)
				}
			}
		})
	}
}

// names reports whether a difference is of this row and column.
func (v verified) names(t *testing.T, pk, column string) bool {
	t.Helper()
	var differences []struct {
		Kind    string
		Key     []struct{ Text string }
		Columns []struct{ Column string }
	}
	if len(v.Differences) > 0 {
		if err := json.Unmarshal(v.Differences, &differences); err != nil {
			t.Fatal(err)
		}
	}
	for _, d := range differences {
		if d.Kind == "different row" && len(d.Key) == 1 && d.Key[0].Text == pk &&
			slices.ContainsFunc(d.Columns, func(c struct{ Column string }) bool { return c.Column == column }) {
			return true
		}
	}
	return false
}
