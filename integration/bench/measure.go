package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"time"
)

// batchRows is the number of rows in a batch of the sink and of the merge by hand, where nothing else is said.
const batchRows = 10_000

// Sample is one run of a baseline or of a subject.
type Sample struct {
	// Value is rows per second, or the median in milliseconds where the Result is one of latency.
	Value float64 `json:"value"`
	// P99 is in milliseconds, for latency only.
	P99 float64 `json:"p99,omitempty"`
	// Rows is what the process worked on, for its CPU.
	Rows int `json:"rows,omitempty"`
	Usage
	// ServerCPU and BrokerCPU are the seconds that PostgreSQL's walsender and the broker used for it; the embedded
	// broker's are those of the bench, whose looking is in them, and with exactly_once the reading that counts the records
	// is. They are measured for the stream only, the broker's for latency too.
	ServerCPU float64 `json:"server_cpu_seconds,omitempty"`
	BrokerCPU float64 `json:"broker_cpu_seconds,omitempty"`
	// Transactions is how many Kafka transactions there were, for latency with exactly_once.
	Transactions int `json:"transactions,omitempty"`
}

// Goal is what a line is to reach; what is zero is not asked for.
type Goal struct {
	// Ratio is subject divided by baseline, at least.
	Ratio float64 `json:"ratio,omitempty"`
	// P50 and P99 are milliseconds at most.
	P50 float64 `json:"p50,omitempty"`
	P99 float64 `json:"p99,omitempty"`
	// CPU is the connector's seconds for a million rows, at most, and CPURatio what that may be of the baseline's.
	CPU      float64 `json:"cpu,omitempty"`
	CPURatio float64 `json:"cpu_ratio,omitempty"`
	// MB is the most memory that may be resident.
	MB float64 `json:"mb,omitempty"`
	// Latency says that milliseconds are measured although none is asked for.
	Latency bool `json:"-"`
}

func (g Goal) isLatency() bool { return g.Latency || g.P50 > 0 || g.P99 > 0 }

// Result is one line of the table, measured.
type Result struct {
	Name  string `json:"name"`
	Title string `json:"title"`
	// Against names the baseline.
	Against string `json:"against"`
	// Latency says that the samples are milliseconds, and fewer is better.
	Latency  bool     `json:"latency,omitempty"`
	Goal     Goal     `json:"goal"`
	Baseline []Sample `json:"baseline"`
	Subject  []Sample `json:"subject"`
}

// Ratio is the median over the pairs of runs of subject divided by baseline. Pairs ran next to each other, so what
// disturbs the machine for longer than one run disturbs both sides of a pair.
func (r Result) Ratio() float64 { return median(r.ratios()) }

func (r Result) ratios() []float64 {
	var all []float64
	for i := range min(len(r.Baseline), len(r.Subject)) {
		all = append(all, r.Subject[i].Value/r.Baseline[i].Value)
	}
	return all
}

// verdict is one goal, in words, and whether it was reached.
type verdict struct {
	goal string
	met  bool
}

// Verdicts judges every goal that was asked for and measured.
func (r Result) Verdicts() []verdict {
	var all []verdict
	judge := func(asked float64, format string, met bool) {
		if asked > 0 {
			all = append(all, verdict{fmt.Sprintf(format, asked), met})
		}
	}
	cpu, theirs, g := cpuPerMillion(r.Subject), cpuPerMillion(r.Baseline), r.Goal
	judge(g.Ratio, "≥ %g ×", r.Ratio() >= g.Ratio)
	judge(g.P50, "p50 ≤ %g ms", median(each(r.Subject, value)) <= g.P50)
	judge(g.P99, "p99 ≤ %g ms", median(each(r.Subject, p99)) <= g.P99)
	if cpu > 0 {
		judge(g.CPU, "≤ %g CPU s", cpu <= g.CPU)
	}
	if cpu > 0 && theirs > 0 {
		judge(g.CPURatio, "≤ %.3g × its CPU", cpu <= g.CPURatio*theirs)
	}
	if peak := peakMB(r.Subject); peak > 0 {
		judge(g.MB, "≤ %g MB", peak <= g.MB)
	}
	return all
}

func value(s Sample) float64 { return s.Value }
func p99(s Sample) float64   { return s.P99 }

// cpuPerMillion is the median of the process's CPU seconds for a million rows, 0 when unknown.
func cpuPerMillion(samples []Sample) float64 {
	return perMillion(samples, func(s Sample) float64 { return s.CPUSeconds })
}

// perMillion is the median of seconds for a million rows, 0 when unknown.
func perMillion(samples []Sample, seconds func(Sample) float64) float64 {
	return median(known(samples, func(s Sample) float64 {
		if s.Rows == 0 {
			return 0
		}
		return seconds(s) / float64(s.Rows) * 1e6
	}))
}

// steadyMB and peakMB are what the process usually held in memory, and the most that it held in any run; 0 when unknown.
func steadyMB(samples []Sample) float64 {
	return median(known(samples, func(s Sample) float64 { return float64(s.SteadyBytes) / (1 << 20) }))
}

func peakMB(samples []Sample) float64 {
	_, most := spread(each(samples, func(s Sample) float64 { return float64(s.PeakBytes) / (1 << 20) }))
	return most
}

func each(samples []Sample, of func(Sample) float64) []float64 {
	var all []float64
	for _, s := range samples {
		all = append(all, of(s))
	}
	return all
}

// known leaves out what was not measured.
func known(samples []Sample, of func(Sample) float64) []float64 {
	return slices.DeleteFunc(each(samples, of), func(v float64) bool { return v == 0 })
}

// median of no values is 0.
func median(all []float64) float64 {
	if len(all) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(all))
	half := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[half]
	}
	return (sorted[half-1] + sorted[half]) / 2
}

// spread is the least and the greatest value.
func spread(all []float64) (least, greatest float64) {
	if len(all) == 0 {
		return 0, 0
	}
	return slices.Min(all), slices.Max(all)
}

// timeProgram runs a program of the baseline and returns the time from the moment that begun finds until its end. begun
// is told why the moment will never come.
func timeProgram(command *exec.Cmd, begun func(failure func() error) (time.Time, error)) (time.Duration, error) {
	var out bytes.Buffer
	command.Stdout, command.Stderr = &out, &out
	if err := command.Start(); err != nil {
		return 0, err
	}
	ended := make(chan struct{})
	var end time.Time
	var err error
	go func() {
		defer close(ended)
		if err = command.Wait(); err != nil {
			err = fmt.Errorf("%s: %w: %s", filepath.Base(command.Path), err, out.Bytes())
		}
		end = time.Now()
	}()
	start, missed := begun(func() error {
		select {
		case <-ended:
			return errors.Join(errors.New("the program has ended before"), err)
		default:
			return nil
		}
	})
	<-ended
	return end.Sub(start), errors.Join(missed, err)
}

func perSecond(rows int, took time.Duration) float64 { return float64(rows) / took.Seconds() }

const (
	// patience is how long anything may take before the bench gives up on it.
	patience = 10 * time.Minute
	// quickLook and slowLook are the pauses between two looks at whether a run has begun, and whether it is through: the
	// first bounds the error, and the second keeps the looking from disturbing what is measured.
	quickLook = 2 * time.Millisecond
	slowLook  = 10 * time.Millisecond
)

// until calls look until it reports true, and returns when that was.
func until(ctx context.Context, pause time.Duration, what string, look func() (bool, error)) (time.Time, error) {
	deadline := time.Now().Add(patience)
	for {
		done, err := look()
		now := time.Now()
		switch {
		case err != nil:
			return now, fmt.Errorf("%s: %w", what, err)
		case done:
			return now, nil
		case now.After(deadline):
			return now, fmt.Errorf("%s: not within %v", what, patience)
		}
		select {
		case <-ctx.Done():
			return now, context.Cause(ctx)
		case <-time.After(pause):
		}
	}
}
