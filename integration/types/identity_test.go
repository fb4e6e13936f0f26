package types

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"
)

// omitted is the prefix of the topics that have the columns of Debezium's and no others.
func (r *run) omitted() string { return r.prefix + "_omitting" }

// captured is what a real Debezium wrote for the first part of testdata/types.sql, with the schema called o and the prefix
// conf; see testdata/debezium/README.md.
type captured struct {
	subjects map[string]string
	records  map[string][]*record // by topic
}

// readCaptured gives the capture under the run's own names.
func readCaptured(t *testing.T, prefix string) *captured {
	t.Helper()
	rename := strings.NewReplacer("conf.o.", prefix+".types.", "conf.", prefix+".").Replace
	out := &captured{subjects: map[string]string{}, records: map[string][]*record{}}
	readLines(t, "subjects.jsonl", func(line []byte) error {
		var s struct{ Subject, Schema string }
		err := json.Unmarshal(line, &s)
		out.subjects[rename(s.Subject)] = rename(s.Schema)
		return err
	})
	readLines(t, "records.jsonl", func(line []byte) error {
		var r struct {
			Topic      string
			Key, Value any
		}
		numbers := json.NewDecoder(bytes.NewReader(line))
		numbers.UseNumber()
		err := numbers.Decode(&r)
		topic := rename(r.Topic)
		out.records[topic] = append(out.records[topic], &record{key: r.Key, value: r.Value})
		return err
	})
	return out
}

func readLines(t *testing.T, name string, each func(line []byte) error) {
	t.Helper()
	f, err := os.Open(filepath.Join("testdata", "debezium", name))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close() //nolint:errcheck // it was only read from
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		if err := each(lines.Bytes()); err != nil {
			t.Fatal(err)
		}
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
}

// otherSubjects says why a subject is not what Debezium registers.
var otherSubjects = map[string]string{
	"t_num15-value": "Debezium reads the scale of numeric(3,-3) as 2045; here it is 0, in a decimal(6,0)",
	"t_ridx-key":    "with replica identity using an index the key is the index's: the primary key is not in a delete, and Debezium makes one up",

	"message-key": "logical messages are not published", "message-value": "logical messages are not published",
	"transaction-key": "there are no transaction markers", "transaction-value": "there are no transaction markers",
}

func TestSchemasAreTheTextsThatDebeziumRegisters(t *testing.T) {
	r := sharedRun(t)
	want := readCaptured(t, r.omitted())
	equal := 0
	for subject, text := range want.subjects {
		short := strings.TrimPrefix(strings.TrimPrefix(subject, r.omitted()+"."), "types.")
		reason, other := otherSubjects[short]
		same := slices.Contains(r.omitting.subjects[subject], text)
		switch {
		case same && other:
			t.Errorf("%s is what Debezium registers, and is said not to be: %s", short, reason)
		case same:
			equal++
		case other:
			t.Logf("%s differs: %s", short, reason)
		default:
			t.Errorf("%s differs\ngot  %s\nwant %s", short, strings.Join(r.omitting.subjects[subject], "\n     "), text)
		}
	}
	t.Logf("subjects equal: %d of %d", equal, len(want.subjects))
}

func TestRecordsAreWhatDebeziumWrites(t *testing.T) {
	r := sharedRun(t)
	want := readCaptured(t, r.omitted())
	equal, all := 0, 0
	for topic, records := range want.records {
		short := strings.TrimPrefix(strings.TrimPrefix(topic, r.omitted()+"."), "types.")
		got := r.omitting.records[topic]
		missing := unmatched(got, records)
		all += len(records)
		equal += len(records) - len(missing)
		reason, known := otherRecords[short]
		if len(missing) == reason.records {
			if known {
				t.Logf("%s: %d of %d differ: %s", short, len(missing), len(records), reason.why)
			}
			continue
		}
		t.Errorf("%s: %d of %d records differ, and %d should: %s", short, len(missing), len(records), reason.records, reason.why)
		for _, m := range missing {
			t.Logf("Debezium: %s", rowText(untagged(m.key), untagged(m.value)))
		}
		for _, g := range got {
			t.Logf("ours:     %s", rowText(g.key, g.value))
		}
	}
	t.Logf("records equal: %d of %d", equal, all)
}

// rowText is a record for a message: its key, its operation and its rows.
func rowText(key, value any) string {
	v, _ := value.(map[string]any)
	return fmt.Sprintf("%s %v %s -> %s", shown(key), v["op"], shown(v["before"]), shown(v["after"]))
}

// other is why so many records of a topic are not what Debezium writes.
type other struct {
	records int
	why     string
}

var otherRecords = map[string]other{
	"t_num":   {2, "the zeros at the end of an unconstrained numeric stay"},
	"t_num15": {2, "123000 is not padded with 2045 zeros"},
	"t_str":   {3, "a value of type name is the value, and not null"},
	"t_time":  {1, "a time whose offset has seconds is a time, and not null"},
	"t_enum":  {1, "NULL in a column with a default is NULL; an array of labels with a NULL has its text beside it"},
	"t_def":   {3, "NULL in a column with a default is NULL"},
	"t_arr":   {3, "arrays of several dimensions are null with their text beside them, not nonsense; an infinite date in an array is the number that it is elsewhere"},
	"t_full":  {8, "zeros at the end stay; without a key there is no tombstone"},
	"t_ridx":  {9, "the key is that of the replica identity"},
	"t_pkupd": {2, "a delete of a key that another row has taken in the same statement is not sent"},
	"t_ctas":  {3, "rows that were written before the table had a primary key have no key"},
	"message": {7, "logical messages are not published"},
}

// unmatched returns the captured records that have no equal among ours, in order: the longest common run of both counts.
func unmatched(got, want []*record) (missing []*record) {
	// longest[i][j] is the length for got[i:] and want[j:].
	longest := make([][]int, len(got)+1)
	for i := range longest {
		longest[i] = make([]int, len(want)+1)
	}
	for i := len(got) - 1; i >= 0; i-- {
		for j := len(want) - 1; j >= 0; j-- {
			longest[i][j] = max(longest[i+1][j], longest[i][j+1])
			if sameRecord(got[i], want[j]) {
				longest[i][j] = max(longest[i][j], 1+longest[i+1][j+1])
			}
		}
	}
	i := 0
	for j := range want {
		at := i
		for at < len(got) && !(sameRecord(got[at], want[j]) && longest[i][j] == 1+longest[at+1][j+1]) {
			at++
		}
		if at == len(got) || longest[i][j] == longest[i][j+1] && longest[at][j] < longest[i][j] {
			missing = append(missing, want[j])
			continue
		}
		i = at + 1
	}
	return missing
}

// sameRecord compares everything but times, versions and what identifies a run: positions, transactions, names of the
// database, of the schema and of the prefix.
func sameRecord(got, want *record) bool {
	if !matches(got.key, untagged(want.key)) {
		return false
	}
	g, ok := got.value.(map[string]any)
	w, wanted := untagged(want.value).(map[string]any)
	if !ok || !wanted {
		return ok == wanted
	}
	for _, part := range []string{"before", "after", "op"} {
		if !matches(g[part], w[part]) {
			return false
		}
	}
	gs, _ := g["source"].(map[string]any)
	ws, _ := w["source"].(map[string]any)
	for _, field := range []string{"connector", "snapshot", "table", "xmin", "origin_lsn"} {
		if !matches(gs[field], ws[field]) {
			return false
		}
	}
	return len(g) == len(w) && len(gs) == len(ws)
}

// untagged takes the names of types out of a value in Avro's own JSON.
func untagged(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for name, inner := range v {
			if len(v) == 1 && (name == "array" || name == "map" || strings.Contains(name, ".") && !strings.Contains(name, " ")) {
				return untagged(inner)
			}
		}
		out := map[string]any{}
		for name, inner := range v {
			out[name] = untagged(inner)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = untagged(v[i])
		}
		return out
	}
	return v
}

var cutOff = regexp.MustCompile(`^(?s)(.*)\.\.\.\((\d+) characters\)$`)

// matches compares a value of ours with one of the capture, where long texts are cut off and decimals are fractions.
func matches(got, want any) bool {
	switch want := want.(type) {
	case map[string]any:
		g, ok := got.(map[string]any)
		if !ok || len(g) != len(want) {
			return false
		}
		for name := range want {
			if inner, ok := g[name]; !ok || !matches(inner, want[name]) {
				return false
			}
		}
		return true
	case []any:
		g, ok := got.([]any)
		if !ok || len(g) != len(want) {
			return false
		}
		for i := range want {
			if !matches(g[i], want[i]) {
				return false
			}
		}
		return true
	case json.Number:
		g, ok := got.(int64)
		return ok && strconv.FormatInt(g, 10) == want.String()
	case string:
		g, ok := got.(string)
		return ok && matchesText(g, want)
	}
	return got == want
}

func matchesText(got, want string) bool {
	cut := cutOff.FindStringSubmatch(want)
	same := func(text string) bool {
		if cut != nil {
			return strings.HasPrefix(text, cut[1]) && strconv.Itoa(utf8.RuneCountInString(text)) == cut[2]
		}
		return text == want
	}
	switch want {
	case "+Inf", "-Inf":
		return got == strings.TrimPrefix(strings.Replace(want, "Inf", "Infinity", 1), "+")
	}
	if same(got) {
		return true
	}
	// A decimal: unscaled × 10^-scale, for the one scale that it is.
	n, ok := new(big.Int).SetString(unscaled(got), 10)
	if !strings.HasPrefix(got, "0x") || !ok {
		return false
	}
	for scale, ten := 0, big.NewInt(1); scale <= 500; scale++ {
		if same(new(big.Rat).SetFrac(n, ten).String()) {
			return true
		}
		ten = new(big.Int).Mul(ten, big.NewInt(10))
	}
	return false
}
