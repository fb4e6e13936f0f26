package types

import (
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// ranCases are the cases whose subtests have run.
var ranCases = map[string]bool{}

// runCase runs the subtest of a case of testdata/types.sql.
func runCase(t *testing.T, id string, test func(t *testing.T)) {
	t.Helper()
	ranCases[id] = true
	t.Run(id, test)
}

// TestHistories has the cases about tables and transactions whose course counts, and not single values.
func TestHistories(t *testing.T) {
	r := sharedRun(t)
	for id, test := range map[string]func(r *run, t *testing.T){
		"PG-180": (*run).altered, "PG-181": (*run).alteredInside, "PG-182": (*run).swapped, "PG-184": (*run).renamed, "PG-185": (*run).otherKeys,
		"PG-186": (*run).otherLabels, "PG-189": (*run).otherAttributes, "PG-191": (*run).prepared,
		"PG-194": (*run).subtransactions, "PG-195": (*run).large, "PG-196": (*run).origins,
	} {
		runCase(t, id, func(t *testing.T) { test(r, t) })
	}
}

// TestEveryCaseHasASubtest holds the cases that testdata/types.sql names against the subtests that have run.
func TestEveryCaseHasASubtest(t *testing.T) {
	if flag.Lookup("test.run").Value.String() != "" {
		t.Skip("-run has chosen some of the tests")
	}
	text, err := os.ReadFile(filepath.Join("testdata", "types.sql"))
	if err != nil {
		t.Fatal(err)
	}
	named := map[string]bool{}
	for _, m := range regexp.MustCompile(`(?m)^-- (PG-\d+)`).FindAllSubmatch(text, -1) {
		named[string(m[1])] = true
	}
	if len(named) < 60 {
		t.Errorf("the statements name %d cases", len(named))
	}
	for id := range named {
		if !ranCases[id] {
			t.Errorf("%s has no subtest", id)
		}
	}
	for id := range ranCases {
		if !named[id] {
			t.Errorf("%s is a subtest, and no case", id)
		}
	}
}

// rows are the rows of a table's changes in order, each as text, "-" where there is none.
func (r *run) rows(table string) (rows []string) {
	for _, rec := range r.streamed.records[r.topic(table)] {
		if row := rec.part("after"); row != nil {
			rows = append(rows, shown(row))
		} else {
			rows = append(rows, "-")
		}
	}
	return rows
}

// operations are a table's changes in order.
func (r *run) operations(table string) string {
	var all []string
	for _, rec := range r.streamed.records[r.topic(table)] {
		all = append(all, operation(rec))
	}
	return strings.Join(all, " ")
}

func wantRows(t *testing.T, got, want []string) {
	t.Helper()
	for i, w := range want {
		if i >= len(got) || got[i] != w {
			t.Errorf("change %d is not %s: %q", i, w, got)
			return
		}
	}
}

func (r *run) altered(t *testing.T) {
	wantRows(t, r.rows("t_ddl"), []string{
		`{"a":1,"b":"b1","id":1}`, `{"a":2,"b":"b2","c":"c2","id":2}`, `{"a":3,"b":null,"c":null,"d":5,"id":3}`, `{"a":11,"b":"b1","c":null,"d":5,"id":1}`,
		`{"a":4,"c":"c4","d":5,"id":4}`, `{"a2":5,"c":null,"d":5,"id":5}`, `{"a2":6000000000,"c":null,"d":5,"id":6}`, `{"a2":null,"c":"vc","d":5,"id":7}`,
		`{"a2":"now text","c":null,"d":5,"id":8}`, `{"a2":null,"b":9,"c":null,"d":5,"id":9}`, `{"a2":null,"b":null,"c":null,"d":18262,"id":10}`,
	})
}

// alteredInside has a row of each shape of one transaction, and none of the transaction that was rolled back.
func (r *run) alteredInside(t *testing.T) {
	rows := r.rows("t_ddl")
	wantRows(t, rows[max(0, len(rows)-3):], []string{
		`{"a2":null,"b":null,"c":"before","d":null,"id":20}`, `{"a2":null,"b":null,"c":"after","d":null,"e":2,"id":21}`,
		`{"a2":null,"b":null,"c":null,"d":null,"e":1,"id":23}`,
	})
}

func (r *run) swapped(t *testing.T) {
	wantRows(t, r.rows("t_swap"), []string{`{"id":1,"x":1,"y":"y"}`, `{"id":2,"x":"was y","y":2}`, `{"id":3,"x":"3.5","y":3}`})
}

// renamed is about a table that was renamed, moved, and dropped before the source came to its changes: there are none.
func (r *run) renamed(t *testing.T) {
	if all := r.operations("t_ren") + r.operations("t_ren2"); all != "" {
		t.Errorf("changes of a table that is gone: %s", all)
	}
}

// otherKeys is about a primary key that is replaced, widened and dropped: each change has the key of its time.
func (r *run) otherKeys(t *testing.T) {
	const want = "c:1 u:a u:1,a c"
	if got := r.operations("t_chpk"); got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

// otherLabels is about a label that is added and one that is renamed: both are allowed when they come.
func (r *run) otherLabels(t *testing.T) {
	topic := r.topic("t_enum")
	for pk, want := range map[string]string{"50": `"glad"`, "51": `"blue"`} {
		if got := r.first(topic, pk, "m"); got != want {
			t.Errorf("row %s: %s, want %s", pk, got, want)
		}
	}
	versions := r.streamed.subjects[topic+"-value"]
	if last := versions[len(versions)-1]; !strings.Contains(last, "glad") || !strings.Contains(last, "blue") {
		t.Errorf("glad and blue are not allowed: %s", last)
	}
}

func (r *run) otherAttributes(t *testing.T) {
	if got := r.first(r.topic("t_comp"), "10", "a"); got != `"(s,1,no)"` {
		t.Errorf("a row with a third attribute is %s", got)
	}
}

// number is how often a row was made.
func (r *run) number(table string, id int) (n int) {
	for _, rec := range r.streamed.records[r.topic(table)] {
		if row := rec.part("after"); row != nil && row["id"] == int64(id) {
			n++
		}
	}
	return n
}

func (r *run) prepared(t *testing.T) {
	for id, want := range map[int]int{10: 1, 11: 0, 12: 1} {
		if n := r.number("t_sp", id); n != want {
			t.Errorf("row %d was made %d times, want %d", id, n, want)
		}
	}
}

func (r *run) subtransactions(t *testing.T) {
	next := int64(1001)
	for _, rec := range r.streamed.records[r.topic("t_sp")] {
		row := rec.part("after")
		if row["v"] != "sub" {
			continue
		}
		if row["id"] != next {
			t.Errorf("row %v, want %d", row["id"], next)
		}
		next++
	}
	if next != 1101 {
		t.Errorf("the last row is %d", next-1)
	}
}

func (r *run) large(t *testing.T) {
	all := r.streamed.records[r.topic("t_big")]
	last := all[len(all)-1].part("after")
	if text, _ := last["v"].(string); last["id"] != int64(-1) || len(text) != bigValue {
		t.Errorf("row %v has %d bytes, want %d", last["id"], len(text), bigValue)
	}
}

// origins is about a transaction that came from elsewhere, and the one behind it, which did not.
func (r *run) origins(t *testing.T) {
	for _, rec := range r.streamed.records[r.topic("t_sp")] {
		row := rec.part("after")
		origin := rec.value.(map[string]any)["source"].(map[string]any)["origin"]
		switch {
		case row["id"] == int64(30) && origin != "types_peer", row["id"] == int64(31) && origin != nil:
			t.Errorf("row %v has the origin %v", row, origin)
		}
	}
	if r.number("t_sp", 30) != 1 || r.number("t_sp", 31) != 1 {
		t.Error("a row is missing")
	}
}
