package types

import (
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/syncline-io/syncline/schemas"
)

// textOnly are the tables that a binary stream does not carry, and why. It is held against what the source itself says.
var textOnly = map[string]string{
	"types.t_int":    "rc is regclass: the server sends a number, and its text is a name",
	"types.t_ext":    "tq is tsquery: its text is made from its tree by the server",
	"types.t_geo":    "points: the digits of a floating-point number are the server's own",
	"types.t_comp":   "composite types: the types of their fields are not known here",
	"types.t_shapes": "arrays of shapes, as t_geo",
}

func textOnlyTables() []string { return slices.Sorted(maps.Keys(textOnly)) }

var refusedColumn = regexp.MustCompile(`column \S+ of (\S+), of type`)

// TestTablesThatOnlyTextCarries holds textOnly against the columns that a source names which is asked for a binary stream of
// all tables, so that no case is left out of the binary stream without need.
func TestTablesThatOnlyTextCarries(t *testing.T) {
	r := sharedRun(t)
	named := map[string]bool{}
	for i, output := range r.refused {
		if !strings.Contains(output, "postgres.binary") || strings.Contains(output, " more (") {
			t.Errorf("part %d: %s", i, output)
		}
		for _, m := range refusedColumn.FindAllStringSubmatch(output, -1) {
			named[m[1]] = true
		}
	}
	if got := slices.Sorted(maps.Keys(named)); !slices.Equal(got, textOnlyTables()) {
		t.Errorf("the source refuses columns of %v, want %v", got, textOnlyTables())
	}
}

// sameInBinary holds the records of a topic that came as text against those that came in binary, all but what tells the two
// sources apart: their name, when they wrote, and the ids of their schemas.
func sameInBinary(t *testing.T, table string, text, binary []*record) {
	t.Helper()
	if len(text) != len(binary) {
		t.Errorf("%s: %d records of text, %d of binary", table, len(text), len(binary))
		return
	}
	for i := range text {
		a, b := neutral(text[i]), neutral(binary[i])
		if !reflect.DeepEqual(a, b) {
			t.Errorf("%s, record %d:\ntext   %.900s\nbinary %.900s", table, i, shown(a), shown(b))
			return
		}
	}
}

// neutral is a record without what is a source's own.
func neutral(r *record) map[string]any {
	headers := map[string]string{}
	for name, value := range r.headers {
		switch name {
		case schemas.HeaderOldKey, schemas.HeaderNewKey:
			value = value[5:] // the id of the key's schema
		}
		headers[name] = value
	}
	out := map[string]any{"key": r.key, "headers": headers, "value": r.value}
	if value, ok := r.value.(map[string]any); ok {
		value = maps.Clone(value)
		maps.DeleteFunc(value, func(name string, _ any) bool { return strings.HasPrefix(name, "ts_") })
		if source, ok := value["source"].(map[string]any); ok {
			source = maps.Clone(source)
			delete(source, "name")
			value["source"] = source
		}
		out["value"] = value
	}
	return out
}

// TestBinaryStreamIsTheTextStream compares every topic of the two, and the schemas of their subjects.
func TestBinaryStreamIsTheTextStream(t *testing.T) {
	r := sharedRun(t)
	compared := 0
	for topic, text := range r.streamed.records {
		table := strings.TrimPrefix(topic, r.prefix+".")
		if textOnly[table] != "" {
			continue
		}
		sameInBinary(t, table, text, r.binary.records[r.prefix+"_binary."+table])
		compared += len(text)
	}
	for topic := range r.binary.records {
		if table := strings.TrimPrefix(topic, r.prefix+"_binary."); r.streamed.records[r.prefix+"."+table] == nil {
			t.Errorf("only the binary stream has %s", topic)
		}
	}
	for subject, texts := range r.binary.subjects {
		for i := range texts {
			texts[i] = strings.ReplaceAll(texts[i], r.prefix+"_binary.", r.prefix+".")
		}
		if want := r.streamed.subjects[strings.Replace(subject, r.prefix+"_binary", r.prefix, 1)]; !slices.Equal(texts, want) {
			t.Errorf("%s: %.600q, of text %.600q", subject, texts, want)
		}
	}
	t.Logf("%d records of %d topics are the same", compared, len(r.binary.records))
	if compared < 500 {
		t.Errorf("only %d records were compared", compared)
	}
}

// inBinary is the case's topic in the binary stream, "" for a table that only text carries.
func (r *run) inBinary(c *typeCase) string {
	topic := r.topic(c.table)
	if textOnly[strings.TrimPrefix(topic, r.prefix+".")] != "" {
		return ""
	}
	return strings.Replace(topic, r.prefix, r.prefix+"_binary", 1)
}
