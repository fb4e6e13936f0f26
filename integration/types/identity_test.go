package types

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/twmb/avro"
)

// omitted is the prefix of the topics that have the columns of Debezium's and no others.
func (r *run) omitted() string { return r.prefix + "_omitting" }

// captured is what a real Debezium wrote for the first part of testdata/types.sql, with the schema called o and the prefix
// conf; see testdata/debezium/README.md.
type captured struct {
	subjects map[string]string
	records  map[string][]*record // by topic
	clipped  map[*record]bool     // those of which only the beginnings of long values are there
}

// readCaptured gives the capture under the run's own names.
func readCaptured(t *testing.T, prefix string) *captured {
	t.Helper()
	rename := strings.NewReplacer("conf.o.", prefix+".types.", "conf.", prefix+".").Replace
	out := &captured{subjects: map[string]string{}, records: map[string][]*record{}, clipped: map[*record]bool{}}
	written := map[string]*avro.Schema{}
	readLines(t, "subjects.jsonl", func(line []byte) error {
		var s struct{ Subject, Schema string }
		err := json.Unmarshal(line, &s)
		out.subjects[rename(s.Subject)] = rename(s.Schema)
		written[rename(s.Subject)] = parse(t, s.Schema)
		return err
	})
	readLines(t, "records.jsonl", func(line []byte) error {
		var r struct {
			Topic      string
			Key, Value any
			KeyHex     string `json:"key_hex"`
			ValueHex   string `json:"value_hex"`
			Clipped    any
		}
		numbers := json.NewDecoder(bytes.NewReader(line))
		numbers.UseNumber()
		err := numbers.Decode(&r)
		topic := rename(r.Topic)
		rec := &record{key: untagged(r.Key), value: untagged(r.Value)}
		defer rec.renamePrefix()
		if out.clipped[rec] = r.Clipped != nil; !out.clipped[rec] {
			rec.key, rec.value = decodeHex(t, written[topic+"-key"], r.KeyHex), decodeHex(t, written[topic+"-value"], r.ValueHex)
		}
		out.records[topic] = append(out.records[topic], rec)
		return err
	})
	return out
}

// renamePrefix gives a message the prefix that ours have in the place of the capture's.
func (r *record) renamePrefix() {
	key, _ := r.key.(map[string]any)
	if key["prefix"] == "oracle" {
		key["prefix"] = "types"
		r.value.(map[string]any)["message"].(map[string]any)["prefix"] = "types"
	}
}

// decodeHex decodes a key or value in Confluent's wire format, of which each captured subject had one version.
func decodeHex(t *testing.T, schema *avro.Schema, text string) any {
	t.Helper()
	if text == "" {
		return nil
	}
	wire, err := hex.DecodeString(text)
	if err != nil || len(wire) < 5 {
		t.Fatalf("%q is no record: %v", text, err)
	}
	return decodeBody(t, schema, wire[5:])
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
	"t_ridx-key": "with replica identity using an index the key is the index's: PostgreSQL sends no other column of a deleted row, so the " +
		"primary key of a delete does not exist here, and Debezium makes one up, {\"id\":0}",
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
		reason := otherRecords[short]
		placed := func(got, want *record) bool { return reason.orders || samePlace(got, want) }
		same := func(got, want *record) bool { return placed(got, want) && sameRecord(got, want) }
		if text := want.subjects[topic+"-value"]; slices.ContainsFunc(records, func(r *record) bool { return want.clipped[r] }) {
			scales := scalesOf(t, text)
			same = func(got, w *record) bool {
				if want.clipped[w] {
					return placed(got, w) && sameClipped(got, w, scales)
				}
				return placed(got, w) && sameRecord(got, w)
			}
		}
		missing, extra := unmatched(got, records, same)
		all += len(records)
		equal += len(records) - len(missing)
		if slices.Equal(labels(missing), reason.missing) && slices.Equal(labels(extra), reason.extra) {
			if reason.why != "" {
				t.Logf("%s: %d of %d differ: %s", short, len(missing), len(records), reason.why)
			}
			continue
		}
		t.Errorf("%s: of Debezium's %q are not ours, and should be %q; of ours %q are not its, and should be %q: %s",
			short, labels(missing), reason.missing, labels(extra), reason.extra, reason.why)
		for _, m := range missing {
			t.Logf("Debezium: %s", rowText(m.key, m.value))
		}
		for _, g := range extra {
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

// other says which records of a topic are not what Debezium writes, and why.
type other struct {
	missing []string // Debezium's that have no equal among ours, in order: see labels
	extra   []string // ours that have none among Debezium's
	why     string
	// orders says that the places of its events in their transactions are others too, because not all of them are sent.
	orders bool
}

// labels name records by operation and key, a tombstone's being -, and where there is no key by the row's first column.
func labels(records []*record) (names []string) {
	for _, r := range records {
		op, key := r.op(), r.key
		if op == "" {
			op = "-"
		}
		row := r.part("after")
		if row == nil {
			row = r.part("before")
		}
		for _, first := range []string{"pk", "id"} {
			if key == nil && row[first] != nil {
				key = map[string]any{first: row[first]}
			}
		}
		names = append(names, op+" "+shown(key))
	}
	return names
}

var otherRecords = map[string]other{
	"t_num": {
		why:     "the zeros at the end of an unconstrained numeric stay",
		missing: []string{`c {"pk":8}`, `c {"pk":9}`},
		extra:   []string{`c {"pk":8}`, `c {"pk":9}`},
	},
	"t_str": {
		why:     "a value of type name is the value, and not null",
		missing: []string{`c {"pk":1}`, `c {"pk":2}`, `c {"pk":4}`},
		extra:   []string{`c {"pk":1}`, `c {"pk":2}`, `c {"pk":4}`},
	},
	"t_time": {
		why:     "a time whose offset has seconds is a time, and not null",
		missing: []string{`c {"pk":4}`},
		extra:   []string{`c {"pk":4}`},
	},
	"t_enum": {
		why:     "NULL in a column with a default is NULL; 50 and 51 are of the second part of the statements, which was not captured",
		missing: []string{`c {"pk":3}`},
		extra:   []string{`c {"pk":3}`, `c {"pk":50}`, `c {"pk":51}`},
	},
	"t_def": {
		why:     "NULL in a column with a default is NULL",
		missing: []string{`c {"id":1}`, `c {"id":1000}`, `u {"id":1}`},
		extra:   []string{`c {"id":1}`, `c {"id":1000}`, `u {"id":1}`},
	},
	"t_arr": {
		why:     "arrays of several dimensions are null with their text beside them, not nonsense; an infinite date in an array is the number that it is elsewhere",
		missing: []string{`c {"pk":1}`, `c {"pk":4}`, `c {"pk":5}`},
		extra:   []string{`c {"pk":1}`, `c {"pk":4}`, `c {"pk":5}`},
	},
	"t_full": {
		why:     "zeros at the end stay; without a key there is no tombstone",
		missing: []string{`c {"id":1}`, `c {"id":1}`, `u {"id":1}`, `u {"id":1}`, `d {"id":1}`, `- null`, `d {"id":1}`, `- null`},
		extra:   []string{`c {"id":1}`, `c {"id":1}`, `u {"id":1}`, `u {"id":1}`, `d {"id":1}`, `d {"id":1}`},
	},
	"t_ridx": {
		why:     "the key is that of the replica identity",
		missing: []string{`c {"id":1}`, `c {"id":2}`, `u {"id":1}`, `u {"id":10}`, `d {"id":0}`, `- {"id":0}`, `c {"id":10}`, `d {"id":0}`, `- {"id":0}`},
		extra:   []string{`c {"code":"A"}`, `c {"code":"B"}`, `u {"code":"A"}`, `u {"code":"A"}`, `d {"code":"A"}`, `- {"code":"A"}`, `c {"code":"A2"}`, `d {"code":"B"}`, `- {"code":"B"}`},
	},
	"t_pkupd": {
		why:     "a delete of a key that another row has taken in the same statement is not sent",
		missing: []string{`d {"id":3}`, `- {"id":3}`},
		orders:  true,
	},
	"t_comp": {
		why:   "the second part of the statements, which was not captured",
		extra: []string{`c {"pk":10}`},
	},
}

// unmatched returns the records of each side that have no equal on the other, in order: the longest common run of both counts.
func unmatched(got, want []*record, same func(got, want *record) bool) (missing, extra []*record) {
	// longest[i][j] is the length for got[i:] and want[j:].
	longest := make([][]int, len(got)+1)
	for i := range longest {
		longest[i] = make([]int, len(want)+1)
	}
	for i := len(got) - 1; i >= 0; i-- {
		for j := len(want) - 1; j >= 0; j-- {
			longest[i][j] = max(longest[i+1][j], longest[i][j+1])
			if same(got[i], want[j]) {
				longest[i][j] = max(longest[i][j], 1+longest[i+1][j+1])
			}
		}
	}
	i, j := 0, 0
	for i < len(got) && j < len(want) {
		switch {
		case same(got[i], want[j]) && longest[i][j] == 1+longest[i+1][j+1]:
			i, j = i+1, j+1
		case longest[i+1][j] == longest[i][j]:
			extra = append(extra, got[i])
			i++
		default:
			missing = append(missing, want[j])
			j++
		}
	}
	return append(missing, want[j:]...), append(extra, got[i:]...)
}

// sameRecord compares everything but times, versions and what identifies a run: positions, transactions, names of the
// database, of the schema and of the prefix.
func sameRecord(got, want *record) bool {
	return samePart(got, want, func(_ string, got, want any) bool { return reflect.DeepEqual(got, want) })
}

// samePlace compares where two events stand in their transactions.
func samePlace(got, want *record) bool {
	order := func(r *record) string { // as text: of a record that is cut off the numbers are JSON's
		return fmt.Sprintf("%v %v", r.place()["total_order"], r.place()["data_collection_order"])
	}
	return order(got) == order(want)
}

// place is the block transaction, nil when it is null.
func (r *record) place() map[string]any {
	v, _ := r.value.(map[string]any)
	block, _ := v["transaction"].(map[string]any)
	return block
}

// sameClipped is sameRecord for a record whose long values are cut off and whose decimals are fractions.
func sameClipped(got, want *record, scales map[string]int) bool {
	return samePart(got, want, func(column string, got, want any) bool { return matches(got, want, scales, column) })
}

func samePart(got, want *record, same func(name string, got, want any) bool) bool {
	if !same("", got.key, want.key) {
		return false
	}
	g, ok := got.value.(map[string]any)
	w, wanted := want.value.(map[string]any)
	if !ok || !wanted {
		return ok == wanted
	}
	for _, part := range []string{"before", "after", "op", "message"} {
		if !same("", g[part], w[part]) {
			return false
		}
	}
	gs, _ := g["source"].(map[string]any)
	ws, _ := w["source"].(map[string]any)
	for _, field := range []string{"connector", "snapshot", "table", "xmin", "origin_lsn"} {
		if !same("", gs[field], ws[field]) {
			return false
		}
	}
	return len(g) == len(w) && len(gs) == len(ws)
}

// scalesOf gives the scales of the decimals in the rows of a schema, by column.
func scalesOf(t *testing.T, text string) map[string]int {
	t.Helper()
	scales := map[string]int{}
	var tree any
	if err := json.Unmarshal([]byte(text), &tree); err != nil {
		t.Fatal(err)
	}
	var walk func(column string, tree any)
	walk = func(column string, tree any) {
		switch tree := tree.(type) {
		case map[string]any:
			if name, ok := tree["name"].(string); ok && tree["type"] != "record" {
				column = name
			}
			if scale, ok := tree["scale"].(float64); ok && tree["logicalType"] == "decimal" {
				scales[column] = int(scale)
			}
			for _, inner := range tree {
				walk(column, inner)
			}
		case []any:
			for _, inner := range tree {
				walk(column, inner)
			}
		}
	}
	walk("", tree)
	return scales
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
func matches(got, want any, scales map[string]int, column string) bool {
	switch want := want.(type) {
	case map[string]any:
		g, ok := got.(map[string]any)
		if !ok || len(g) != len(want) {
			return false
		}
		for name := range want {
			if inner, ok := g[name]; !ok || !matches(inner, want[name], scales, name) {
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
			if !matches(g[i], want[i], scales, column) {
				return false
			}
		}
		return true
	case json.Number:
		g, ok := got.(int64)
		return ok && strconv.FormatInt(g, 10) == want.String()
	case string:
		g, ok := got.(string)
		scale, decimal := scales[column]
		return ok && (matchesText(g, want) || decimal && matchesText(fraction(g, scale), want))
	}
	return got == want
}

func matchesText(got, want string) bool {
	if cut := cutOff.FindStringSubmatch(want); cut != nil {
		return strings.HasPrefix(got, cut[1]) && strconv.Itoa(utf8.RuneCountInString(got)) == cut[2]
	}
	return got == want
}

// fraction is a decimal as the capture has it: its unscaled number over a power of ten.
func fraction(hexText string, scale int) string {
	n, ok := new(big.Int).SetString(unscaled(hexText), 10)
	if !ok {
		return ""
	}
	return new(big.Rat).SetFrac(n, new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(scale)), nil)).String()
}
