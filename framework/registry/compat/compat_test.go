package compat

import (
	"encoding/json"
	"os"
	"strings"
	"testing"
)

type caseFile struct {
	Pairs []struct {
		ID, Title               string
		Old, New                json.RawMessage
		Backward, Forward, Full bool
	}
	Histories []json.RawMessage
}

func readCases(t *testing.T) caseFile {
	t.Helper()
	raw, err := os.ReadFile("testdata/cases.json")
	if err != nil {
		t.Fatal(err)
	}
	var cases caseFile
	if err := json.Unmarshal(raw, &cases); err != nil {
		t.Fatal(err)
	}
	if len(cases.Pairs) != 65 || len(cases.Histories) != 10 {
		t.Fatalf("case file has %d pairs and %d histories, want 65 and 10", len(cases.Pairs), len(cases.Histories))
	}
	return cases
}

func parse(t *testing.T, text string) *Schema {
	t.Helper()
	s, err := Parse(text)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return s
}

func TestPairsGetTheVerdictsOfApacheAvro(t *testing.T) {
	right, all := 0, 0
	defer func() { t.Logf("%d of %d verdicts right", right, all) }()
	for _, c := range readCases(t).Pairs {
		t.Run(c.ID, func(t *testing.T) {
			next, history := parse(t, string(c.New)), []*Schema{parse(t, string(c.Old))}
			for level, want := range map[Level]bool{Backward: c.Backward, Forward: c.Forward, Full: c.Full, None: true} {
				all++
				if got := Check(level, next, history); (got == nil) != want {
					t.Errorf("%s %s: %v, want accepted = %v", c.Title, level, got, want)
					continue
				}
				right++
			}
		})
	}
}

func TestHistoriesGetTheVerdictsOfEveryLevel(t *testing.T) {
	right, all := 0, 0
	defer func() { t.Logf("%d of %d verdicts right", right, all) }()
	for _, raw := range readCases(t).Histories {
		var c map[string]json.RawMessage
		if err := json.Unmarshal(raw, &c); err != nil {
			t.Fatal(err)
		}
		t.Run(strings.Trim(string(c["id"]), `"`), func(t *testing.T) {
			var olds []json.RawMessage
			if err := json.Unmarshal(c["history_oldest_first"], &olds); err != nil {
				t.Fatal(err)
			}
			var history []*Schema
			for _, old := range olds {
				history = append(history, parse(t, string(old)))
			}
			next := parse(t, string(c["new"]))
			for _, level := range levels {
				var want bool
				if err := json.Unmarshal(c[string(level)], &want); err != nil {
					t.Fatalf("%s: %v", level, err)
				}
				all++
				if got := Check(level, next, history); (got == nil) != want {
					t.Errorf("%s %s: %v, want accepted = %v", c["title"], level, got, want)
					continue
				}
				right++
			}
		})
	}
}

func TestIncompatibilityNamesTheFieldAndTheDirection(t *testing.T) {
	envelope := func(fields string) string {
		return `{"type":"record","name":"Envelope","fields":[{"name":"before","type":["null",{"type":"record","name":"Value","fields":[` +
			fields + `]}],"default":null},{"name":"after","type":["null","Value"],"default":null}]}`
	}
	old := parse(t, envelope(`{"name":"id","type":"int"}`))
	next := parse(t, envelope(`{"name":"id","type":"int"},{"name":"amount","type":"long"}`))

	got := Check(Backward, next, []*Schema{old})
	if got == nil || got.Path != "before.amount" || got.Field() != "amount" || got.Forward {
		t.Fatalf("added field: %+v", got)
	}
	if !strings.Contains(got.Error(), `"before.amount"`) || !strings.Contains(got.Error(), "cannot read the old data") {
		t.Errorf("message %q", got)
	}

	got = Check(Forward, old, []*Schema{next})
	if got == nil || got.Field() != "amount" || !got.Forward {
		t.Fatalf("removed field: %+v", got)
	}
	if got := Check(Backward, parse(t, `"string"`), []*Schema{parse(t, `"int"`)}); got == nil || got.Path != "" {
		t.Errorf("whole schema: %+v", got)
	}
}

func TestParseRefusesWhatIsNoSchema(t *testing.T) {
	for _, text := range []string{"", "{", "int", `{"type":"recor"}`, `"int" "int"`, `{"type":"record","name":"R","fields":[{"name":"a"}]}`, `["int","int"]`} {
		if _, err := Parse(text); err == nil {
			t.Errorf("%q is taken", text)
		}
	}
}

func TestParseLevelTakesAnyCase(t *testing.T) {
	if l, err := ParseLevel("full_Transitive"); err != nil || l != FullTransitive {
		t.Errorf("%q, %v", l, err)
	}
	if _, err := ParseLevel("SIDEWAYS"); err == nil {
		t.Error("SIDEWAYS is taken")
	}
}

func TestALogicalTypeThatMakesNoSenseIsIgnored(t *testing.T) {
	s := parse(t, `{"type":"bytes","logicalType":"decimal","precision":3,"scale":2045}`)
	if got := Check(Full, s, []*Schema{parse(t, `"bytes"`)}); got != nil {
		t.Error(got)
	}
}

func TestASchemaUsesTheTypesOfOthers(t *testing.T) {
	const money = `{"type":"record","name":"Money","namespace":"shop","fields":[{"name":"amount","type":"long"}]}`
	const line = `{"type":"record","name":"Line","namespace":"shop","fields":[{"name":"price","type":"Money"}]}`
	const order = `{"type":"record","name":"Order","fields":[{"name":"lines","type":{"type":"array","items":"shop.Line"}}]}`
	narrow, err := Parse(order, money, line)
	if err != nil {
		t.Fatal(err)
	}
	wide, err := Parse(order, strings.Replace(money, "long", "double", 1), line)
	if err != nil {
		t.Fatal(err)
	}
	if got := Check(Backward, wide, []*Schema{narrow}); got != nil {
		t.Error(got)
	}
	if got := Check(Backward, narrow, []*Schema{wide}); got == nil || got.Path != "lines.items.price.amount" {
		t.Errorf("%+v, want the field in the type of another schema", got)
	}
	for _, others := range [][]string{{}, {money}, {money, line, order}, {money, "{"}} {
		if _, err := Parse(order, others...); err == nil {
			t.Errorf("taken with %q", others)
		}
	}
}

func TestEndlessRecordsAreNamed(t *testing.T) {
	for text, want := range map[string]string{
		`{"type":"record","name":"R","fields":[{"name":"r","type":"R"}]}`:                                                                                                               "R",
		`{"type":"record","name":"R","namespace":"n","fields":[{"name":"r","type":["n.R"]}]}`:                                                                                           "n.R",
		`{"type":"record","name":"A","fields":[{"name":"l","type":{"type":"array","items":{"type":"record","name":"B","fields":[{"name":"b","type":"B"}]}}}]}`:                          "B",
		`{"type":"record","name":"R","fields":[{"name":"r","type":["null","R"]},{"name":"l","type":{"type":"array","items":"R"}},{"name":"m","type":{"type":"map","values":"R"}}]}`:     "",
		`{"type":"record","name":"A","fields":[{"name":"x","type":{"type":"record","name":"B","fields":[{"name":"n","type":"int"}]}},{"name":"y","type":"B"},{"name":"z","type":"B"}]}`: "",
		`"int"`: "",
	} {
		if got := parse(t, text).Endless(); got != want {
			t.Errorf("%s: %q, want %q", text, got, want)
		}
	}
}

func TestTextsAndNamesAreBounded(t *testing.T) {
	long := strings.Repeat("n", nameMax+1)
	for _, text := range []string{
		`{"type":"enum","name":"E","symbols":["A"],"doc":"` + strings.Repeat("x", TextMax) + `"}`,
		`{"type":"enum","name":"` + long + `","symbols":["A"]}`,
		`{"type":"record","name":"R","fields":[{"name":"f","type":{"type":"fixed","name":"F","namespace":"` + long + `","size":1}}]}`,
		strings.Repeat(`{"type":"array","items":`, 2000) + `"int"` + strings.Repeat("}", 2000),
		strings.Repeat(`[`, 500_000),
	} {
		if _, err := Parse(text); err == nil {
			t.Errorf("%.60s... is taken", text)
		}
	}
}
