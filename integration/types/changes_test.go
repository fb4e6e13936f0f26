package types

import (
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/syncline-io/syncline/schemas"
)

// changeCases are the cases about what becomes of changes: the operations of a topic in order, each with its key; x is a
// tombstone.
var changeCases = []struct{ id, table, want string }{
	{"PG-150", "t_nocol", "c c"},
	{"PG-151", "t_nopk", "c c c"},
	{"PG-152", "t_full", "c c c u u u d d"},
	{"PG-153", "t_ridx", "c:A c:B u:A u:A d:A x:A c:A2 d:B x:B"},
	{"PG-154", "t_rnone", "c:1"},
	{"PG-156", "t_pkupd", "c:1 c:2 c:3 d:1 x:1 c:100 d:2 x:2 c:3 c:2 d:3 x:3 c:4 d:2 x:2 c:3 u:100 u:4 u:3 u:100 u:4 u:3"},
	{"PG-157", "t_pkupd2", "c:1 c:2 d:1 x:1 c:3 d:2 x:2 c:4 d:3 x:3"},
	{"PG-158", "t_churn", "c:1 u:1 d:1 x:1 c:1 u:1 c:2 u:1 c:3"},
	{"PG-160", "t_toast", "c:1 u:1 u:1 u:1 d:1 x:1 c:2 d:2 x:2 c:5 u:5"},
	{"PG-161", "t_toastf", "c:1 u:1 d:1 x:1 c:2 d:2 x:2"},
	{"PG-163", "t_toast", "c:1 u:1 u:1 u:1 d:1 x:1 c:2 d:2 x:2 c:5 u:5"},
	{"PG-170", "t_part_def_1", "c:3,apac d:3,apac x:3,apac c:10,us t"},
	{"PG-171", "t_child", "c:2 u:2 d:2 x:2"},
	{"PG-172", "t_unlogged", ""},
	{"PG-173", "t_tr1", "c:1 c:2 t c:3 t c:4 t c:5"},
	{"PG-174", "t_fkc", "c:1 c:2 u:1 u:2 d:1 x:1 d:2 x:2"},
	{"PG-175", "t_ctas", "c:1 c:2 c:3 c:4 c:5"},
	{"PG-183", "t_again", "c:new"}, // the first table of the name was gone before the source began
	{"PG-187", "t_rw", "c:1 c:2 c:3 c:4 c:5 c:6 c:7 c:8 c:9 c:10 c:11"},
	{"PG-188", "t_richg", "c:1 u:1 u:1 d:1 x:1"},
	{"PG-197", "t_filter", "c:1 c:2 u:1 u:2 d:1 x:1 d:2 x:2"},
}

func TestChanges(t *testing.T) {
	r := sharedRun(t)
	for _, c := range changeCases {
		runCase(t, c.id, func(t *testing.T) {
			var got []string
			for _, rec := range r.streamed.records[r.topic(c.table)] {
				got = append(got, operation(rec))
			}
			if text := strings.Join(got, " "); text != c.want {
				t.Errorf("%s: %s\nwant %s", c.table, text, c.want)
			}
		})
	}
	runCase(t, "PG-190", func(t *testing.T) { r.savepoints(t) })
	runCase(t, "PG-192", func(t *testing.T) { r.logicalMessages(t) })
}

// logicalMessages are in the order of the log: one outside of transactions comes before the transaction around it, and outlives its end.
func (r *run) logicalMessages(t *testing.T) {
	var got []string
	for _, rec := range r.streamed.records[r.prefix+".message"] {
		message := rec.value.(map[string]any)["message"].(map[string]any)
		content, err := hex.DecodeString(strings.TrimPrefix(message["content"].(string), "0x"))
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, fmt.Sprintf("%s:%s", message["prefix"], content))
	}
	want := []string{"types:tx message", "types:not tx", "types:in tx", "types:survives rollback", ":", "bin:\x00\xff\x10", "types:@@END"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// operation is a record as its letter and its key's values.
func operation(rec *record) string {
	op := rec.op()
	if op == "" {
		op = "x"
	}
	key, ok := rec.key.(map[string]any)
	if !ok {
		return op
	}
	var values []string
	for _, name := range []string{"id", "code", "k", "region"} {
		if v, ok := key[name]; ok {
			values = append(values, strings.Trim(shown(v), `"`))
		}
	}
	return op + ":" + strings.Join(values, ",")
}

// savepoints looks for what was rolled back, to a savepoint, whole, or after it was prepared.
func (r *run) savepoints(t *testing.T) {
	want := []int{1, 2, 3, 4, 6, 10, 12, 20, 21, 30, 31}
	for i := range 100 {
		want = append(want, 1001+i)
	}
	slices.Sort(want)
	var got []int
	for _, rec := range r.streamed.records[r.topic("t_sp")] {
		row := rec.part("after")
		got = append(got, int(row["id"].(int64)))
		if v := row["v"]; v == "drop" || v == "never" || v == "2pc never" {
			t.Errorf("row %v was rolled back", row)
		}
		if source := rec.value.(map[string]any)["source"].(map[string]any); (source["origin"] == "types_peer") != (row["v"] == "from peer") {
			t.Errorf("row %v has the origin %v", row, source["origin"])
		}
	}
	if slices.Sort(got); !slices.Equal(got, want) {
		t.Errorf("rows %v, want %v", got, want)
	}
}

// TestRightWhereDebeziumIsWrong has a case for each value or change that Debezium is known to lose or alter: what it does is in
// docs/debezium.md.
func TestRightWhereDebeziumIsWrong(t *testing.T) {
	r := sharedRun(t)
	value := func(table, pk, column, want string) func(*testing.T) {
		return func(t *testing.T) {
			t.Helper()
			if got := r.first(r.topic(table), pk, column); got != want {
				t.Errorf("%s, row %s, column %s: %s, want %s", table, pk, column, got, want)
			}
		}
	}
	records := func(table string) []*record { return r.streamed.records[r.topic(table)] }
	sequence := func(table string) string {
		var all []string
		for _, rec := range records(table) {
			all = append(all, operation(rec))
		}
		return strings.Join(all, " ")
	}
	t.Run("keys swapped in one statement", func(t *testing.T) {
		if got := sequence("t_pkupd"); !strings.Contains(got, "d:2 x:2 c:3 c:2") {
			t.Errorf("%s: a delete of 3 comes after the row that has taken the key", got)
		}
	})
	t.Run("keys shifted in one statement", func(t *testing.T) {
		if got := sequence("t_pkupd"); !strings.Contains(got, "d:3 x:3 c:4 d:2 x:2 c:3") {
			t.Errorf("%s: the rows 3 and 2 are not 4 and 3", got)
		}
		rows := fold(records("t_pkupd"))
		for id, v := range map[int]string{100: "one", 4: "two", 3: "three"} {
			key, want := fmt.Sprintf(`{"id":%d}`, id), fmt.Sprintf(`{"id":%d,"v":%q}`, id, v)
			if got := rows[key]; len(got) != 1 || got[0] != want {
				t.Errorf("row %d is %v, want %s", id, got, want)
			}
			delete(rows, key)
		}
		if len(rows) > 0 {
			t.Errorf("further rows: %v", rows)
		}
	})
	t.Run("a key that changes with a large value that does not", func(t *testing.T) {
		for _, rec := range records("t_toastf") { // the old row has the value
			if row := rec.part("after"); row != nil && len(row["big"].(string)) != 20000 {
				t.Errorf("big is %.40q", row["big"])
			}
		}
		for _, rec := range records("t_toast") { // the row is gone when it is asked for: the value is marked, and a delete follows
			if row := rec.part("after"); row != nil && row["bigj"] == schemas.Placeholder && !slices.Contains(rec.unchanged(), "bigj") {
				t.Errorf("%s: a placeholder without a mark", operation(rec))
			}
		}
	})
	t.Run("replica identity by an index", func(t *testing.T) {
		for _, rec := range records("t_ridx") {
			if key := rec.key.(map[string]any); key["code"] == nil || len(key) != 1 {
				t.Errorf("key %v", key)
			}
		}
	})
	t.Run("NULL in a column with a default", value("t_enum", "3", "m", "null"))
	t.Run("NULL in a column whose default is a function", value("t_def", "1", "f", "null"))
	t.Run("NaN", value("t_num", "3", "d32", "null ~NaN"))
	t.Run("an infinite number", value("t_num", "20", "dv", "null ~Infinity"))
	t.Run("an infinite date in an array", value("t_arr", "1", "d", "[17109,2146033979]"))
	t.Run("a time whose offset has seconds", value("t_time", "4", "tz3", `"08:00:01Z" ~00:00:00+15:59:59`))
	t.Run("an empty varbit(1)", value("t_bit", "2", "v1", "null ~"))
	t.Run("an array of labels with a NULL", value("t_enum", "1", "ma", "null ~{sad,NULL,happy}"))
	t.Run("an array of bits", value("t_bit", "1", "ba", "null ~{101,010}"))
	t.Run("name", value("t_str", "1", "nm", `"a_name"`))
	t.Run("arrays of arrays", func(t *testing.T) {
		value("t_arr", "4", "t", "null ~{{a,b},{c,d}}")(t)
		value("t_arr", "1", "i2", "null ~{{1,2},{3,NULL}}")(t)
	})
	t.Run("columns that differ in case alone", func(t *testing.T) {
		value("CaseCol", "1", "val", "1")(t)
		value("CaseCol", "1", "VAL", "2")(t)
	})
	t.Run("tables that differ in case alone", func(t *testing.T) {
		value("CaseTable", "1", "v", `"upper"`)(t)
		value("casetable", "1", "v", `"lower"`)(t)
	})
	t.Run("names that Avro does not allow", func(t *testing.T) {
		value("select", "1", "a_x2d_b", "6")(t)
		value("select", "1", "a_x2e_b", "7")(t)
		value("select", "1", "a_b", "8")(t)
	})
	t.Run("columns altered while the source lags", func(t *testing.T) {
		for i, want := range []string{
			`{"a":1,"b":"b1","id":1}`, `{"a":2,"b":"b2","c":"c2","id":2}`, `{"a":3,"b":null,"c":null,"d":5,"id":3}`, `{"a":11,"b":"b1","c":null,"d":5,"id":1}`,
			`{"a":4,"c":"c4","d":5,"id":4}`, `{"a2":5,"c":null,"d":5,"id":5}`, `{"a2":6000000000,"c":null,"d":5,"id":6}`, `{"a2":null,"c":"vc","d":5,"id":7}`,
			`{"a2":"now text","c":null,"d":5,"id":8}`, `{"a2":null,"b":9,"c":null,"d":5,"id":9}`,
		} {
			if all := records("t_ddl"); i >= len(all) || shown(all[i].part("after")) != want {
				t.Errorf("change %d is not %s", i, want)
			}
		}
		for i, want := range []string{`{"id":1,"x":1,"y":"y"}`, `{"id":2,"x":"was y","y":2}`, `{"id":3,"x":"3.5","y":3}`} {
			if all := records("t_swap"); i >= len(all) || shown(all[i].part("after")) != want {
				t.Errorf("change %d of t_swap is not %s", i, want)
			}
		}
	})
	t.Run("a message of more than 1 MB", func(t *testing.T) {
		all := records("t_big")
		last := all[len(all)-1].part("after")
		if text, _ := last["v"].(string); len(text) != bigValue {
			t.Errorf("the last row has %d bytes, want %d", len(text), bigValue)
		}
	})
	t.Run("columns of types that it does not know", func(t *testing.T) {
		for _, want := range []string{`t_ext 1 tq "'fat' \u003c-\u003e 'cat'"`, `t_mrng 1 m4 "{[1,3),[5,8)}"`, `t_comp 3 a "(,)"`, `t_int 3 lsn "16/B374D848"`} {
			var table, pk, column, text string
			if _, err := fmt.Sscanf(want, "%s %s %s", &table, &pk, &column); err != nil {
				t.Fatal(err)
			}
			text = strings.TrimPrefix(want, table+" "+pk+" "+column+" ")
			value(table, pk, column, text)(t)
		}
	})
}
