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

// TestMain lets the test program be the connector, as the bench lets its own.
func TestMain(m *testing.M) {
	if isConnector(os.Args) {
		os.Exit(runConnector(os.Args[2:], os.Stderr))
	}
	os.Exit(m.Run())
}

func samples(all ...float64) []Sample {
	var s []Sample
	for _, v := range all {
		s = append(s, Sample{Value: v})
	}
	return s
}

func TestTheRatioIsTheMedianOfThePairs(t *testing.T) {
	r := Result{Goal: 0.9, Baseline: samples(100, 200, 100), Subject: samples(90, 220, 50)}
	if got := r.Ratio(); got != 0.9 {
		t.Errorf("ratio %v, want that of the first pair, 0.9", got)
	}
	if !r.Met() {
		t.Error("a ratio equal to the goal does not meet it")
	}
	r.Subject[0].Value = 80
	if r.Met() {
		t.Error("a ratio of 0.8 meets the goal 0.9")
	}
}

func TestALatencyMeetsItsGoalFromBelow(t *testing.T) {
	r := Result{Latency: true, Goal: 6, Baseline: samples(1, 1), Subject: samples(5, 6)}
	if !r.Met() {
		t.Error("5.5 ms do not meet 6 ms")
	}
	r.Subject = samples(6, 7)
	if r.Met() {
		t.Error("6.5 ms meet 6 ms")
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
	if got := peakOf([]byte("VmPeak:\t  99 kB\nVmHWM:\t  20 kB\n")); got != 20<<10 {
		t.Errorf("peak %d, want %d", got, 20<<10)
	}
}

func TestTheTableSaysWhatWasMissed(t *testing.T) {
	var out bytes.Buffer
	err := writeMarkdown(&out, []Result{{
		Name: "subject", Against: "baseline", Goal: 1, Baseline: samples(1000, 3000), Subject: []Sample{
			{Value: 900, CPUSeconds: 2, Rows: 1_000_000, PeakBytes: 50 << 20}, {Value: 2700, CPUSeconds: 3, Rows: 1_000_000, PeakBytes: 60 << 20},
		},
	}})
	if err != nil {
		t.Fatal(err)
	}
	const want = "| subject | baseline | 2,000 rows/s (1,000–3,000) | 1,800 rows/s (900–2,700) | **0.90** (0.90–0.90) | ≥ 1 ×, **missed** | 2.5 | 60 MB |"
	if lines := strings.Split(out.String(), "\n"); lines[2] != want {
		t.Errorf("got  %s\nwant %s", lines[2], want)
	}
}

// TestEverySubjectMovesItsRows runs the bench on few rows: what it times must have happened. How long it took is no
// test's business.
func TestEverySubjectMovesItsRows(t *testing.T) {
	if _, err := localpg.Find(); errors.Is(err, localpg.ErrNotInstalled) {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	file := filepath.Join(t.TempDir(), "bench.json")
	var out, progress bytes.Buffer
	err := program(context.Background(), []string{"-only", "stream,snapshot,sink", "-rows", "20000", "-runs", "1", "-json", file}, &out, &progress)
	if err != nil {
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
	if len(d.Results) != 4 {
		t.Fatalf("%d results, want 4:\n%s", len(d.Results), out.Bytes())
	}
	for _, r := range d.Results {
		if len(r.Baseline) != 1 || len(r.Subject) != 1 || r.Baseline[0].Value <= 0 || r.Subject[0].Value <= 0 {
			t.Errorf("%s was not measured: %+v", r.Name, r)
		}
	}
}

func TestAnUnknownSubjectIsRefused(t *testing.T) {
	_, err := parse([]string{"-only", "stream,sinks"}, new(bytes.Buffer))
	if err == nil || !strings.Contains(err.Error(), `"sinks"`) {
		t.Errorf("got %v", err)
	}
}
