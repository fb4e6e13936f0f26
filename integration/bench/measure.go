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

// batchRows is the number of rows in one batch of the sink and of the merge by hand.
const batchRows = 10_000

// Sample is one run of a baseline or of a subject.
type Sample struct {
	// Value is rows per second, or milliseconds where the Result is one of latency.
	Value float64 `json:"value"`
	// CPUSeconds is what the connector's process used from its start to its end, and PeakBytes the most memory that it
	// held; 0 where it was not measured: for a baseline, and on systems without /proc.
	CPUSeconds float64 `json:"cpu_seconds,omitempty"`
	PeakBytes  int64   `json:"peak_bytes,omitempty"`
	// Rows is what the process worked on, for CPUSeconds.
	Rows int `json:"rows,omitempty"`
}

// Result is one row of the table.
type Result struct {
	Name string `json:"name"`
	// Against names the baseline.
	Against string `json:"against"`
	// Latency says that the samples are milliseconds, fewer is better, and Goal is milliseconds and not a ratio.
	Latency  bool     `json:"latency,omitempty"`
	Goal     float64  `json:"goal,omitempty"`
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

// Met reports whether the goal was reached; a Result without a goal meets it.
func (r Result) Met() bool {
	switch {
	case r.Goal == 0:
		return true
	case r.Latency:
		return median(values(r.Subject)) <= r.Goal
	}
	return r.Ratio() >= r.Goal
}

// cpuPerMillion is the median of the connector's CPU seconds for a million rows, 0 when unknown.
func (r Result) cpuPerMillion() float64 {
	var all []float64
	for _, s := range r.Subject {
		if s.CPUSeconds > 0 && s.Rows > 0 {
			all = append(all, s.CPUSeconds/float64(s.Rows)*1e6)
		}
	}
	return median(all)
}

// peak is the most memory that the connector held in any run.
func (r Result) peak() int64 {
	var most int64
	for _, s := range r.Subject {
		most = max(most, s.PeakBytes)
	}
	return most
}

func values(samples []Sample) []float64 {
	var all []float64
	for _, s := range samples {
		all = append(all, s.Value)
	}
	return all
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

// measured is one run of a side; n tells the runs of a side apart.
type measured func(ctx context.Context, n int) (Sample, error)

// alternate lets baseline and subject take turns: the one that begins a pair ends the next one. Every run counts.
func (s *stage) alternate(ctx context.Context, r *Result, runs int, baseline, subject measured) error {
	sides := [2]struct {
		name    string
		run     measured
		samples *[]Sample
	}{{r.Against, baseline, &r.Baseline}, {r.Name, subject, &r.Subject}}
	for n := range runs {
		for turn := range sides {
			side := &sides[(turn+n)%len(sides)]
			sample, err := side.run(ctx, n)
			if err != nil {
				return fmt.Errorf("%s, run %d: %w", side.name, n+1, err)
			}
			*side.samples = append(*side.samples, sample)
			s.say("%s, run %d: %s", side.name, n+1, r.show(sample.Value))
		}
	}
	return nil
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
	patience = 5 * time.Minute
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
