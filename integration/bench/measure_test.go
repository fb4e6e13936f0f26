package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/syncline-io/syncline/framework/localpg"
)

func samples(all ...float64) []Sample {
	var s []Sample
	for _, v := range all {
		s = append(s, Sample{Value: v})
	}
	return s
}

func met(t *testing.T, r Result) bool {
	t.Helper()
	all := r.Verdicts()
	if len(all) != 1 {
		t.Fatalf("%d verdicts, want 1: %v", len(all), all)
	}
	return all[0].met
}

func TestTheRatioIsTheMedianOfThePairs(t *testing.T) {
	r := Result{Goal: Goal{Ratio: 0.9}, Baseline: samples(100, 200, 100), Subject: samples(90, 220, 50)}
	if got := r.Ratio(); got != 0.9 {
		t.Errorf("ratio %v, want that of the first pair, 0.9", got)
	}
	if !met(t, r) {
		t.Error("a ratio equal to the goal does not meet it")
	}
	r.Subject[0].Value = 80
	if met(t, r) {
		t.Error("a ratio of 0.8 meets the goal 0.9")
	}
}

func TestALatencyMeetsItsGoalFromBelow(t *testing.T) {
	r := Result{Latency: true, Goal: Goal{P50: 6}, Baseline: samples(1, 1), Subject: samples(5, 6)}
	if !met(t, r) {
		t.Error("5.5 ms do not meet 6 ms")
	}
	r.Subject = samples(6, 7)
	if met(t, r) {
		t.Error("6.5 ms meet 6 ms")
	}
}

func TestMemoryIsJudgedByTheMostOfAllRuns(t *testing.T) {
	sample := func(mb int64) Sample { return Sample{Usage: Usage{PeakBytes: mb << 20}} }
	r := Result{Goal: Goal{MB: 60}, Subject: []Sample{sample(10), sample(60)}}
	if !met(t, r) {
		t.Error("60 MB do not meet 60 MB")
	}
	r.Subject[0] = sample(61)
	if met(t, r) {
		t.Error("61 MB meet 60 MB")
	}
}

func TestAGoalThatCouldNotBeMeasuredIsNotJudged(t *testing.T) {
	r := Result{Goal: Goal{CPU: 2.5, CPURatio: 0.1, MB: 60}, Subject: samples(1)}
	if all := r.Verdicts(); len(all) > 0 {
		t.Errorf("judged without /proc: %v", all)
	}
}

func TestPercentileIsAValueThatWasMeasured(t *testing.T) {
	var m latencies
	for i := 1; i <= 200; i++ {
		m.sorted = append(m.sorted, float64(i))
	}
	for percent, want := range map[int]float64{50: 100, 99: 198, 100: 200} {
		if got := m.percentile(percent); got != want {
			t.Errorf("percentile %d is %v, want %v", percent, got, want)
		}
	}
}

func TestUsageIsReadFromProc(t *testing.T) {
	stat := "42 (a) b) S 1 2 3 4 5 6 7 8 9 10 250 50 0 0 20 0 9 0 1 2 3"
	if got := cpuOf([]byte(stat)); got != 3 {
		t.Errorf("CPU seconds %v, want 3", got)
	}
	if got := kilobytes([]byte("VmPeak:\t  99 kB\nVmHWM:\t  20 kB\n"), "VmHWM:"); got != 20 {
		t.Errorf("peak %d kB, want 20", got)
	}
}

func TestTheTablesSayWhatWasMissed(t *testing.T) {
	used := func(v, cpu float64, mb int64) Sample {
		return Sample{Value: v, Rows: 1_000_000, Usage: Usage{CPUSeconds: cpu, PeakBytes: mb << 20, SteadyBytes: 40 << 20}}
	}
	var out bytes.Buffer
	err := writeMarkdown(&out, []Result{
		{
			Title: "subject", Against: "baseline", Goal: Goal{Ratio: 1, MB: 60}, Baseline: samples(1000, 3000),
			Subject: []Sample{used(900, 2, 50), used(2700, 3, 60)},
		},
		{Title: "quick", Against: "bare", Latency: true, Goal: Goal{P99: 5}, Baseline: []Sample{{Value: 0.5, P99: 1}}, Subject: []Sample{{Value: 2, P99: 6}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(out.String(), "\n")
	for i, want := range map[int]string{
		2: "| subject | baseline | 2,000 (1,000–3,000) | 1,800 (900–2,700) | 0.90 (0.90–0.90) | 2.5 | – / – | 40 / 60 MB | ≥ 1 ×, **missed**; ≤ 60 MB, met |",
		6: "| quick | bare | 0.5 | 2.0 | 1.0 | 6.0 | – | – | p99 ≤ 5 ms, **missed** |",
	} {
		if lines[i] != want {
			t.Errorf("got  %s\nwant %s", lines[i], want)
		}
	}
}

func TestNamesAreChosenByPattern(t *testing.T) {
	for only, want := range map[string]string{
		"snapshot,stream": "stream snapshot", "sink-new*": "sink-new-1k sink-new sink-new-100k",
	} {
		o, err := parse([]string{"-only", only}, new(bytes.Buffer))
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, l := range o.lines {
			names = append(names, l.name)
		}
		if got := strings.Join(names, " "); got != want {
			t.Errorf("-only %s chooses %q, want %q", only, got, want)
		}
	}
	o, err := parse([]string{"-only", "all"}, new(bytes.Buffer))
	if err != nil || len(o.lines) != len(lines()) {
		t.Errorf("all chooses %d of %d: %v", len(o.lines), len(lines()), err)
	}
	if _, err := parse([]string{"-only", "stream,sinks"}, new(bytes.Buffer)); err == nil || !strings.Contains(err.Error(), `"sinks"`) {
		t.Errorf("a name that is none gives %v", err)
	}
}

func TestNamesAreUnique(t *testing.T) {
	names := map[string]bool{}
	for _, l := range lines() {
		if names[l.name] {
			t.Errorf("two lines are called %s", l.name)
		}
		names[l.name] = true
	}
}

// requirePostgres skips where no server can be started.
func requirePostgres(t *testing.T) {
	t.Helper()
	if _, err := localpg.Find(); errors.Is(err, localpg.ErrNotInstalled) {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
}

// measured runs the bench and returns what it wrote. How long it took is no test's business.
func measured(t *testing.T, args ...string) document {
	t.Helper()
	file := filepath.Join(t.TempDir(), "bench.json")
	var out, progress bytes.Buffer
	if err := program(context.Background(), append(args, "-runs", "1", "-json", file), &out, &progress); err != nil {
		t.Fatalf("%v\n%s", err, progress.Bytes())
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var d document
	if err := json.Unmarshal(text, &d); err != nil {
		t.Fatal(err)
	}
	return d
}

// TestLinesMoveTheirRows runs lines of every kind of load on few rows: what is timed must have happened.
func TestLinesMoveTheirRows(t *testing.T) {
	requirePostgres(t)
	lines := []string{"stream", "stream-toast", "stream-tables", "snapshot", "sink-new", "sink-updates", "sink-mixed"}
	d := measured(t, "-only", strings.Join(lines, ","), "-rows", "20000")
	if len(d.Results) != len(lines) {
		t.Fatalf("%d results, want %d", len(d.Results), len(lines))
	}
	for _, r := range d.Results {
		if len(r.Baseline) != 1 || len(r.Subject) != 1 || r.Baseline[0].Value <= 0 || r.Subject[0].Value <= 0 {
			t.Errorf("%s was not measured: %+v", r.Name, r)
		}
	}
}

func TestCurvesHaveAPointForEachSize(t *testing.T) {
	requirePostgres(t)
	d := measured(t, "-curves", "-only", "transaction,sink-partitions", "-scale", "0.0001")
	if len(d.Curves) != 2 || len(d.Curves[0].Points) != 4 || len(d.Curves[1].Points) != 5 {
		t.Fatalf("got %+v", d.Curves)
	}
	for _, c := range d.Curves {
		for _, p := range c.Points {
			if p.Subject.Value <= 0 || p.Rows < 1000 {
				t.Errorf("%s at %d was not measured: %+v", c.Name, p.Size, p)
			}
		}
	}
}
