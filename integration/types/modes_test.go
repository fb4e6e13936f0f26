package types

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write testdata/modes anew: read the difference before it is kept")

// TestTypesInHandlingModes holds the types that each set of handling modes registers, where they are not those of the default
// modes, against testdata/modes: a column to a line.
func TestTypesInHandlingModes(t *testing.T) {
	r := sharedRun(t)
	usual := registeredTypes(t, r.late, r.prefix+"_late")
	for set := range handlingModes {
		var lines []string
		for column, typ := range registeredTypes(t, r.modes[set], r.prefix+"_"+set) {
			if typ != usual[column] {
				lines = append(lines, column+" "+typ+"\n")
			}
		}
		slices.Sort(lines)
		got, name := strings.Join(lines, ""), filepath.Join("testdata", "modes", set+".txt")
		if *update {
			if err := os.WriteFile(name, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		wanted := slices.Collect(strings.Lines(string(want)))
		for _, line := range lines {
			if !slices.Contains(wanted, line) {
				t.Errorf("%s: registered and not in %s: %s", set, name, line)
			}
		}
		for _, line := range wanted {
			if !slices.Contains(lines, line) {
				t.Errorf("%s: in %s and not registered: %s", set, name, line)
			}
		}
	}
}

// registeredTypes are the texts of the columns' types in the newest schema of each table, by table and column.
func registeredTypes(t *testing.T, from *topics, prefix string) map[string]string {
	t.Helper()
	types := map[string]string{}
	for subject, versions := range from.subjects {
		table, ok := strings.CutSuffix(strings.TrimPrefix(subject, prefix+".types."), "-value")
		if !ok || strings.Contains(table, ".") {
			continue
		}
		var envelope struct {
			Fields []struct{ Type json.RawMessage }
		}
		var before []json.RawMessage
		var row struct {
			Fields []struct {
				Name string
				Type json.RawMessage
			}
		}
		err := json.Unmarshal([]byte(versions[len(versions)-1]), &envelope)
		if err == nil {
			err = json.Unmarshal(envelope.Fields[0].Type, &before) // null, or the record of a row
		}
		if err == nil {
			err = json.Unmarshal(before[1], &row)
		}
		if err != nil {
			t.Fatalf("%s: %v", subject, err)
		}
		for _, f := range row.Fields {
			types[table+"."+f.Name] = strings.ReplaceAll(string(f.Type), prefix+".", "")
		}
	}
	return types
}
