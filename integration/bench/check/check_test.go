package main

import (
	"bytes"
	"path/filepath"
	"strings"
	"testing"
)

func TestALineOfABenchmarkIsRead(t *testing.T) {
	f, err := parseLine("BenchmarkTupleToAvro/insert-2 \t 20000\t  1564 ns/op\t 305.0 wire-B/row\t  2 B/op\t 0 allocs/op\n")
	if err != nil || f != (Figures{Bytes: 2, WireBytes: 305, nanoseconds: 1564}) {
		t.Errorf("got %+v, %v", f, err)
	}
	if _, err := parseLine("BenchmarkX-2 20 1564 ns/op\n"); err == nil {
		t.Error("a line without allocations is taken")
	}
}

func TestPreparationsAreInNoFigure(t *testing.T) {
	// 500 allocations beforehand, then one for each of the ten rows of an operation.
	l := leg{rows: 10, few: 5, many: 25}
	got := l.between(Figures{Allocations: 110}, Figures{Allocations: 30})
	if got.Allocations != 1 {
		t.Errorf("%v allocations per row, want 1", got.Allocations)
	}
}

func TestStatementsAreCountedAsOftenAsTheyAreExecuted(t *testing.T) {
	n, err := statements([]byte("mode: count\na/b.go:1.2,3.4 2 10\na/b.go:5.2,6.4 1 0\na/c.go:1.1,2.2 3 1\n"))
	if n != 23 || err != nil {
		t.Errorf("%d statements, %v; want 23", n, err)
	}
	if _, err := statements([]byte("mode: set\na/b.go:1.2,3.4 2 1\n")); err == nil {
		t.Error("a profile without counts is taken")
	}
}

func TestWhatIsWorseIsSaid(t *testing.T) {
	base := here()
	base.Legs = map[string]Figures{
		"same":         {Statements: 100, WireBytes: 300, Instructions: 1000},
		"allocates":    {Statements: 100},
		"longer":       {Statements: 100},
		"larger":       {WireBytes: 300},
		"instructions": {Instructions: 1000},
		"uncounted":    {Instructions: 1000},
		"gone":         {},
	}
	measured := map[string]Figures{
		"same":         {Statements: 102, WireBytes: 300, Instructions: 1040, nanoseconds: 1e9},
		"allocates":    {Statements: 100, Allocations: 1, Bytes: 16},
		"longer":       {Statements: 110},
		"larger":       {WireBytes: 301},
		"instructions": {Instructions: 2000},
		"uncounted":    {},
		"new":          {},
	}
	err := compare(base, measured)
	if err == nil {
		t.Fatal("nothing is worse")
	}
	var got []string
	for line := range strings.Lines(err.Error()) {
		if text, found := strings.CutPrefix(line, "  "); found {
			got = append(got, strings.TrimSpace(text))
		}
	}
	want := []string{
		"allocates: allocations per row: 1, the baseline says 0",
		"allocates: bytes allocated per row: 16, the baseline says 0",
		"instructions: instructions per row: 2000, the baseline says 1000",
		"larger: bytes in Kafka per row: 301, the baseline says 300",
		"longer: statements per row: 110, the baseline says 100",
		"new: the baseline does not know this leg",
		"gone: the baseline has a leg that is not measured any more",
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestInstructionsOfAnotherProcessorAreNotCompared(t *testing.T) {
	base := baseline{Processor: "other", Go: here().Go, Legs: map[string]Figures{"leg": {Instructions: 1}}}
	if err := compare(base, map[string]Figures{"leg": {Instructions: 1000}}); err != nil {
		t.Error(err)
	}
}

// TestTheBaselineKnowsEveryLeg reads the file that is committed.
func TestTheBaselineKnowsEveryLeg(t *testing.T) {
	base, err := readBaseline(filepath.Join("..", "baseline.json"))
	if err != nil {
		t.Fatal(err)
	}
	measured := map[string]Figures{}
	for _, l := range legs {
		measured[l.name] = base.Legs[l.name]
	}
	if err := compare(base, measured); err != nil {
		t.Error(err)
	}
	var out bytes.Buffer
	if err := print(&out, legs, base, measured); err != nil || strings.Count(out.String(), "\n") != len(legs)+2 {
		t.Errorf("%v\n%s", err, out.String())
	}
}
