package types

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/big"
	"slices"
	"strings"
	"testing"

	"github.com/syncline-io/syncline/schemas"
)

// typeCase is a case of the statements about the values of one table.
type typeCase struct {
	id, table string
	// values are those that must arrive, by row: "1 column value"; what stands beside the value in a header comes after a ~.
	values []string
	// postgres and duckdb say why a target does not come out equal.
	postgres, duckdb string
	// snapshot says why the changes do not make what a snapshot has.
	snapshot string
}

const (
	renamed   = "rows that are there do not change in the log when a label is renamed or an attribute is added to a type"
	nested    = "an attribute that is itself of a composite type is text in the target, and text gets no attribute"
	noColumns = "there is nothing to compare"
)

// padded is a whole number in a field of scale 2045, which numeric(3,-3) has with Debezium.
func padded(n int64) string {
	unscaled := new(big.Int).Mul(big.NewInt(n), new(big.Int).Exp(big.NewInt(10), big.NewInt(2045), nil))
	size := unscaled.BitLen()/8 + 1
	if n < 0 {
		unscaled.Add(unscaled, new(big.Int).Lsh(big.NewInt(1), uint(size)*8))
	}
	return fmt.Sprintf(`"0x%x"`, unscaled.FillBytes(make([]byte, size)))
}

var typeCases = []typeCase{
	{id: "PG-101", table: "t_int", values: []string{
		"2 si 32767", "2 i 2147483647", "2 bi 9223372036854775807", "2 b false", "2 o 4294967295", "3 o 4000000000", "3 bi -9223372036854775808",
		"4 si null", `2 x8 "4294967295"`, `2 tid "(4294967295,65535)"`, `3 lsn "16/B374D848"`, `1 rc "pg_class"`,
	}},
	{id: "PG-102", table: "t_float", values: []string{
		`1 r "3.3"`, `2 d "NaN"`, `3 r "Infinity"`, `4 d "-Infinity"`, `5 d "-0"`, `7 d "5e-324"`, `7 r "1e-45"`, `9 r "1.6777216e+07"`, `9 d "9.007199254740992e+15"`,
	}},
	{id: "PG-103", table: "t_num", values: []string{
		`1 d32 "0x6e"`, `1 d4 "0x0a"`, `1 dv {"scale":4,"value":"0x018af7"}`, `2 dv {"scale":0,"value":"0x16"}`, "3 d32 null ~NaN", "3 dv null ~NaN", "3 big null ~NaN",
		`4 dv {"scale":30,"value":"0xff"}`, `6 dv {"scale":16383,"value":"0x01"}`, `7 dv {"scale":0,"value":"0x64"}`, `8 dv {"scale":2,"value":"0x2710"}`,
	}},
	{id: "PG-104", table: "t_num", values: []string{"20 dv null ~Infinity", "21 dv null ~-Infinity"}},
	{id: "PG-105", table: "t_num15", values: []string{"1 neg " + padded(123000), "2 neg " + padded(-999000), `3 neg "0x00"`, `1 tiny "0x7b"`, `2 tiny "0xfc19"`}},
	{id: "PG-106", table: "t_money", values: []string{
		`1 m "0x01e213"`, `2 m "0xfe1ded"`, `3 m "0x00"`, `5 m "0x7fffffffffffffff"`, `6 m "0x8000000000000000"`, `1 ma "{1.10,NULL,-2.00}"`,
	}},
	{id: "PG-107", table: "t_str", values: []string{
		`1 c1 "a"`, `1 ch "cdef      "`, `1 nm "a_name"`, `1 bp "ab   "`, `2 t ""`, `2 c1 ""`, `4 vc "🙂é"`, `5 vc "trail   "`, `6 t "\\N"`, `6 vc "null"`, `6 ct "nULL"`,
	}},
	{id: "PG-108", table: "t_bytea", values: []string{`1 b "0x010203"`, `1 bn "0x"`, `1 ba ["0x000102",null,"0x"]`, `3 ba []`, "2 b null", `4 bn "0x5c"`}},
	{id: "PG-109", table: "t_bit", values: []string{
		"1 b1 false", "2 b1 true", `1 b2 "0x03"`, `1 b7 "0x40"`, `1 b64 "0x0000000000000080"`, "1 v1 true", "2 v1 null ~", `1 v24 "0x010203" ~000000110000001000000001`, `1 vu "0x05"`,
		`3 vu "0x010223da01"`, "1 ba null ~{101,010}",
	}},
	{id: "PG-110", table: "t_date", values: []string{
		"1 d 17109", "3 d -1", "5 d -719163", "6 d -2440222", "7 d 2145042905", "8 d -141438", "10 d 2146033979", "11 d -2147472691", "12 d null",
	}},
	{id: "PG-111", table: "t_ts", values: []string{
		"14 ts 1529507596945104", "14 ts0 1529507597000", "14 ts3 1529507596945", "4 ts -1", "9 ts 9223372036854775807", "9 ts3 9223372036825200000",
		"10 ts3 -9223372036832400000", "12 ts3 1478267491000",
	}},
	{id: "PG-112", table: "t_tz", values: []string{
		`1 tz "2016-11-04T11:51:30.123456Z"`, `2 tz "2021-03-14T07:30:00.000000Z"`, `4 tz "+21016-11-04T06:51:30.123456Z"`, `5 tz "infinity"`, `5 tz3 "-infinity"`,
		`3 tz3 "-0001-12-31T18:18:44.000Z"`,
	}},
	{id: "PG-113", table: "t_time", values: []string{
		"3 t 86400000000", "3 t3 86400000", "4 t0 86400000", `1 tz "11:51:30.123789Z" ~13:51:30.123789+02`, `3 tz "24:00:00Z"`, `2 tz "00:00:00Z"`, `4 tz3 "08:00:01Z" ~00:00:00+15:59:59`,
	}},
	{id: "PG-114", table: "t_iv", values: []string{"1 iv 37091106780000 ~P1Y2M3DT4H5M6.78S", "7 iv 360000000000000", "4 iv 9223372036854775807 ~P178000000Y", "2 iv 0", "3 iv -36572706000001 ~P-1Y-2M3DT-4H-5M-6.000001S"}},
	{id: "PG-120", table: "t_json", values: []string{
		`1 j "{\"b\":1,  \"a\":2, \"a\":3}"`, `1 jb "{\"a\": 3, \"b\": 1}"`, `2 j "null"`, "3 j null", `10 jb "0"`, `11 jb "1.10"`, `9 j "  [1 , 2 ]  "`,
	}},
	{id: "PG-121", table: "t_xml", values: []string{
		`1 x "\u003cfoo\u003ebar\u003c/foo\u003e\u003cfoo\u003ebar\u003c/foo\u003e"`, `1 u "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"`,
		`2 x "\u003ca b=\"\u0026lt;\"\u003eé\u003c/a\u003e"`,
	}},
	{id: "PG-122", table: "t_hs", values: []string{
		`1 h "{\"key\":\"val\"}"`, `2 h "{\"\":\"\",\"k2\":null,\"k 1\":\"v=\u003e\\\"1\\\"\"}"`, `3 h "{}"`, `5 h "{\"k\":\"NULL\"}"`, `2 ha ["{\"a\":\"1\"}",null]`,
	}},
	{id: "PG-123", table: "t_ext", values: []string{
		`1 lt "Top.Collections.Pictures"`, `1 lta ["Ship.Frigate","Ship.Destroyer"]`, `1 isbn "0-393-04002-X"`, `3 tv "'direct':6A 'it''s':1,3B"`, `1 tq "'fat' \u003c-\u003e 'cat'"`,
	}},
	{id: "PG-124", table: "t_net", values: []string{
		`2 i "10.0.0.1"`, `2 c "10.0.0.1/32"`, `2 m8 "08:00:2b:ff:fe:01:02:03"`, `1 i "192.168.2.0/12"`, `4 i "::ffff:1.2.3.4"`, `3 m "ff:ff:ff:ff:ff:ff"`,
	}},
	{id: "PG-125", table: "t_geo", values: []string{
		`4 p {"srid":null,"wkb":"0x010100000000000000000000809a9999999999b93f","x":"-0","y":"0.1"}`, `1 l {"a":"1","b":"-1","c":"0"}`,
		`2 po {"extensions":{"closed":"false","type":"path"},"srid":null,"wkb":"0x01020000000100000000000000000000000000000000000000"}`, "3 c null",
	}},
	{id: "PG-126", table: "t_rng", values: []string{
		`1 i4 "[1,6)"`, `1 i8 "[11,20)"`, `2 n "empty"`, `1 ts "[\"2019-03-31 15:30:00\",infinity)"`, `4 n "[1.0,1.00]"`, `1 tz "[\"2017-06-05 11:29:12.549426+00\",)"`,
	}},
	{id: "PG-127", table: "t_mrng", values: []string{`1 m4 "{[1,3),[5,8)}"`, `1 md "{[2020-01-01,2020-02-01)}"`, `2 m4 "{}"`, "2 mn null"}},
	{id: "PG-128", table: "t_enum", postgres: renamed, duckdb: renamed, snapshot: renamed, values: []string{`1 m "sad"`, "1 ma null ~{sad,NULL,happy}", `2 m "ok"`, "3 m null", `3 w ""`, `4 w "é"`}},
	{id: "PG-129", table: "t_dom", values: []string{`1 p "0x04ce"`, `1 p2 "0x11d7"`, `1 tg ["a","b c",null]`, `1 v "hello"`, `2 v ""`, `1 b "0x05"`, `1 pa "{1.50,NULL}"`}},
	{id: "PG-130", table: "t_comp", postgres: nested, duckdb: renamed, snapshot: renamed, values: []string{
		`1 a "(\"x, \"\"y\"\" (z)\",12345)"`, `3 a "(,)"`, "2 a null", `1 aa "{\"(a,1)\",NULL,\"(,)\"}"`, `1 p "(n,\"(s,)\",\"{t1,\"\"t 2\"\"}\")"`,
	}},
	{id: "PG-131", table: "t_arr", values: []string{
		"1 i [1,2,3]", `1 t ["one","two words","with,comma","with\"quote","back\\slash","NULL",null,""]`, `1 ch ["ab   ",null]`, "1 d [17109,2146033979]",
		"1 i2 null ~{{1,2},{3,NULL}}", "2 i []", "3 i null", "4 i [7,8,9] ~[0:2]={7,8,9}", "4 t null ~{{a,b},{c,d}}", "5 i null ~{{{1},{2}},{{3},{4}}}", "4 bi [null]",
		`1 it "{P1M-1D}"`, `1 f ["NaN","Infinity","1.5"]`,
	}},
	{id: "PG-132", table: "t_def", values: []string{"1 a 1", `1 b "x'y"`, "1 f null", `1 h "ok"`, "1000 f null", "1 i [1,2]"}},
	{id: "PG-133", table: "t_shapes", values: []string{
		`1 n "0x" ~{101,010}`, "1 last 7", `4 b [{"extensions":{"type":"box"},"srid":null,"wkb":"0x01030000000100000005000000000000000000f03f000000000000f03f000000000000f03f0000000000000000000000000000000000000000000000000000000000000000000000000000f03f000000000000f03f000000000000f03f"},null]`, "4 last 10", "2 b []",
		`1 po [{"extensions":{"type":"polygon"},"srid":null,"wkb":"0x0103000000010000000400000000000000000000000000000000000000000000000000f03f000000000000f03f0000000000000040000000000000000000000000000000000000000000000000"}]`,
	}},
	{id: "PG-140", table: `Ta"ble . X`, values: []string{`1 col_q___uote "some text"`, `1 a_b "bs"`, "1 _dollar 1", "1 sp_ace 2"}},
	{id: "PG-141", table: "select", values: []string{`1 where "w"`, "1 _1st 3", "1 na_ve 4", "1 _ 5", "1 a_x2d_b 6", "1 a_x2e_b 7", "1 a_b 8"}},
	{id: "PG-141", table: "CaseCol", duckdb: "DuckDB does not tell names apart that differ in case alone", values: []string{"1 val 1", "1 VAL 2"}},
	{id: "PG-142", table: "t_meta_names", values: []string{"1 before 1", "1 after 2", `1 op "c"`, `1 source "s"`, "1 ts_ms 3", `1 __deleted "true"`}},
	{id: "PG-150", table: "t_nocol", postgres: noColumns, duckdb: noColumns},
	{id: "PG-151", table: "t_nopk"},
	{id: "PG-152", table: "t_full"},
	{id: "PG-153", table: "t_ridx"},
	{id: "PG-154", table: "t_rnone"},
	{id: "PG-155", table: "t_ckey"},
	{id: "PG-156", table: "t_pkupd"},
	{id: "PG-157", table: "t_pkupd2"},
	{id: "PG-158", table: "t_churn"},
	{id: "PG-160", table: "t_toast"},
	{id: "PG-161", table: "t_toastf"},
	{id: "PG-162", table: "t_toastk"},
	{id: "PG-163", table: "t_toast"},
	{id: "PG-170", table: "t_part_us"},
	{id: "PG-171", table: "t_child"},
	{id: "PG-173", table: "t_tr1"},
	{id: "PG-174", table: "t_fkc"},
	{id: "PG-175", table: "t_ctas"},
	{id: "PG-176", table: "t_wide", values: []string{"1 c1 1", "1 c300 300", "1 c2 null"}},
	{id: "PG-187", table: "t_rw"},
	{id: "PG-188", table: "t_richg"},
	{id: "PG-190", table: "t_sp"},
	{id: "PG-193", table: "t_big"},
	{id: "PG-197", table: "t_filter"},
}

// TestValues holds each value against what it should be, the changes against a snapshot and against those of a binary stream,
// and both targets against the source.
func TestValues(t *testing.T) {
	r := sharedRun(t)
	for _, c := range typeCases {
		runCase(t, c.id, func(t *testing.T) {
			topic := r.topic(c.table)
			for _, want := range c.values {
				pk, rest, _ := strings.Cut(want, " ")
				column, value, _ := strings.Cut(rest, " ")
				if got := r.first(topic, pk, column); got != value {
					t.Errorf("row %s, column %s: %s, want %s", pk, column, got, value)
				}
			}
			if c.snapshot == "" {
				late := strings.Replace(topic, r.prefix, r.prefix+"_late", 1)
				sameRows(t, fold(r.streamed.records[topic]), fold(r.late.records[late]))
			}
			if binary := r.inBinary(&c); binary != "" {
				sameInBinary(t, c.table, r.streamed.records[topic], r.binary.records[binary])
			}
			for engine, why := range map[string]string{"postgres": c.postgres, "duckdb": c.duckdb} {
				table, known := r.reports[engine][c.table]
				switch {
				case !known && why == "":
					t.Errorf("%s: verify does not speak of the table", engine)
				case known && table.Equal && why != "":
					t.Errorf("%s is equal, and should not be: %s", engine, why)
				case known && !table.Equal && why == "":
					t.Errorf("%s differs from the source: %s", engine, table.Differences)
				}
			}
		})
	}
}

// TestHandlingModes looks at what each of Debezium's handling modes writes, and whether a target has the values all the same.
func TestHandlingModes(t *testing.T) {
	r := sharedRun(t)
	for set := range handlingModes {
		t.Run(set, func(t *testing.T) {
			if len(r.reports[set]) < 25 {
				t.Errorf("verify speaks of %d tables", len(r.reports[set]))
			}
			for table, report := range r.reports[set] {
				if !report.Equal && slices.ContainsFunc(typeCases, func(c typeCase) bool { return c.table == table && len(c.values) > 0 && c.postgres == "" }) {
					t.Errorf("%s differs from the source: %.600s", table, report.Differences)
				}
			}
		})
	}
	for _, c := range []struct{ set, table, pk, column, want string }{
		{"strings", "t_num", "1", "d32", `"1.10"`},
		{"strings", "t_num", "3", "d32", `"NAN"`},
		{"strings", "t_num", "20", "dv", `"POSITIVE_INFINITY"`},
		{"strings", "t_money", "1", "m", `"1234.11"`},
		{"strings", "t_date", "1", "d", `"2016-11-04Z"`},
		{"strings", "t_ts", "14", "ts", `"2018-06-20T15:13:16.945104Z"`},
		{"strings", "t_time", "1", "t", `"13:51:30.123456Z"`},
		{"strings", "t_iv", "1", "iv", `"P1Y2M3DT4H5M6.78S"`},
		{"strings", "t_bytea", "1", "b", `"AQID"`},
		{"strings", "t_bytea", "1", "ba", `["AAEC",null,""]`},
		{"strings", "t_hs", "2", "h", `{"":"","k 1":"v=\u003e\"1\"","k2":null}`},
		{"numbers", "t_num", "1", "d32", `"1.1"`},
		{"numbers", "t_num", "20", "dv", `"Infinity"`},
		{"numbers", "t_ts", "14", "ts", "1529507596945104000"},
		{"numbers", "t_ts", "9", "ts", "9223372036854775807"},
		{"numbers", "t_ts", "5", "ts", "null ~21016-11-04 13:51:30.123456"},
		{"numbers", "t_time", "1", "t", "49890123456000"},
		{"numbers", "t_bytea", "1", "b", `"010203"`},
		{"numbers", "t_ext", "1", "tq", `"2766617427203c2d3e202763617427"`},
		{"connect", "t_date", "1", "d", "17109"},
		{"connect", "t_ts", "14", "ts", "1529507596945 ~2018-06-20 15:13:16.945104"},
		{"connect", "t_time", "1", "t", "49890123 ~13:51:30.123456"},
		{"connect", "t_bytea", "3", "b", `"3q2-71x4"`},
		{"micros", "t_ts", "14", "ts0", "1529507597000000"},
		{"micros", "t_time", "1", "t0", "49891000000"},
		{"times", "t_time", "1", "t0", "49891000000"},
		{"times", "t_ts", "14", "ts0", "1529507597000"},
	} {
		topic := strings.Replace(r.topic(c.table), r.prefix, r.prefix+"_"+c.set, 1)
		if got := r.modes[c.set].first(topic, c.pk, c.column); got != c.want {
			t.Errorf("%s, %s, row %s, column %s: %s, want %s", c.set, c.table, c.pk, c.column, got, c.want)
		}
	}
}

func (r *run) topic(table string) string {
	schema := "types"
	if strings.Contains(table, `"`) {
		schema = `We"ird . Sch-ema`
	}
	return schemas.TopicName(r.prefix, schema, table)
}

// first shows a column of the first row with a key; what stands beside it in a header comes after a ~.
func (r *run) first(topic, pk, column string) string { return r.streamed.first(topic, pk, column) }

func (r *topics) first(topic, pk, column string) string {
	for _, rec := range r.records[topic] {
		row := rec.part("after")
		if row == nil || !slices.ContainsFunc([]string{"pk", "id", "from", "Pk_Id"}, func(key string) bool {
			v, ok := row[key]
			return ok && shown(v) == pk
		}) {
			continue
		}
		v, ok := row[column]
		if !ok {
			return "(no such column)"
		}
		if text, ok := rec.raw(column); ok {
			return shown(v) + " ~" + text
		}
		return shown(v)
	}
	return "(no such row)"
}

// fold plays a topic's changes: what is left is the table, each row as text, by its key where it has one.
func fold(records []*record) map[string][]string {
	rows := map[string][]string{}
	last := map[string]map[string]any{}
	for _, rec := range records {
		key := shown(rec.key)
		switch rec.op() {
		case "t":
			clear(rows)
			continue
		case "":
			continue
		}
		if before := rec.part("before"); before != nil && rec.key == nil {
			rows[key] = slices.DeleteFunc(rows[key], onlyOne(shown(before)))
		}
		after := maps.Clone(rec.part("after"))
		switch {
		case after == nil && rec.key != nil:
			delete(rows, key)
		case after != nil:
			for _, name := range rec.unchanged() {
				after[name] = last[key][name]
			}
			last[key] = after
			if rec.key != nil {
				rows[key] = nil
			}
			text := shown(after)
			for _, name := range slices.Sorted(maps.Keys(rec.headers)) {
				if column, ok := strings.CutPrefix(name, schemas.HeaderRaw); ok {
					text += "\n" + column + " is " + rec.headers[name]
				}
			}
			rows[key] = append(rows[key], text)
			slices.Sort(rows[key])
		}
	}
	return rows
}

// onlyOne reports true once.
func onlyOne(text string) func(string) bool {
	found := false
	return func(s string) bool {
		if found || s != text {
			return false
		}
		found = true
		return true
	}
}

// unchanged are the columns that were not sent.
func (r *record) unchanged() (names []string) {
	if text := r.headers[schemas.HeaderUnchanged]; text != "" {
		if err := json.Unmarshal([]byte(text), &names); err != nil {
			panic(fmt.Sprintf("%s: %q: %v", schemas.HeaderUnchanged, text, err))
		}
	}
	return names
}

func sameRows(t *testing.T, streamed, snapshot map[string][]string) {
	t.Helper()
	for key, rows := range streamed {
		if !slices.Equal(sorted(rows), sorted(snapshot[key])) {
			t.Errorf("%s: the changes make %.600q, the snapshot has %.600q", key, rows, snapshot[key])
		}
	}
	for key, rows := range snapshot {
		if streamed[key] == nil && len(rows) > 0 {
			t.Errorf("%s: only the snapshot has %.600q", key, rows)
		}
	}
}

func sorted(rows []string) []string { return slices.Sorted(slices.Values(rows)) }
