// Command bench measures Syncline against what the machine's own tools reach with the same rows, in the same run.
//
//	go run ./integration/bench [-only NAME,...|all] [-runs 5] [-rows 1000000] [-json FILE] [-profile DIR]
//	go run ./integration/bench -list
//	go run ./integration/bench -curves [-only NAME,...] [-scale 1]
//
// Each load is prepared once. Then baseline and subject take turns, and what is reported is the median, the spread and
// the ratio of the pairs. The subject is a connector in a process of its own, as users run it. docs/performance.md has
// the rules and what was measured.
//
// Read in this order: table.go (what is measured, against what, to reach what), comparison.go (what a line of that table
// is made of), measure.go (one run and its result), stage.go and broker.go (the servers that all lines share),
// connector.go (the subject's process). Then the loads: changes.go with tables.go (a slot with changes behind it),
// snapshot.go, sink.go with sinkload.go and duckdb.go, latency.go with endtoend.go. curves.go measures the same over a
// range of sizes; report.go prints. The folder subject has the programs of the subjects, and check what `make
// bench-check` compares.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/syncline-io/syncline/framework/run"
)

func main() {
	ctx, stop := run.Signals(context.Background())
	err := program(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	switch {
	case errors.Is(err, flag.ErrHelp):
	case err != nil:
		fmt.Fprintf(os.Stderr, "bench: %v\n", err)
		os.Exit(1)
	}
}

func program(ctx context.Context, args []string, out, progress io.Writer) (err error) {
	o, err := parse(args, progress)
	if err != nil {
		return err
	}
	if o.list {
		return writeList(out)
	}
	s, err := openStage(ctx, progress, o.profile)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	if o.profile != "" {
		stop, err := startProfile(filepath.Join(o.profile, "bench.prof"))
		if err != nil {
			return err
		}
		defer stop()
	}
	d := newDocument(o)
	if o.curves {
		d.Curves, err = measureCurves(ctx, s, o)
	} else {
		d.Results, err = measureLines(ctx, s, o)
	}
	// What was measured before something failed is not thrown away with it.
	return errors.Join(err, d.write(o.json, out))
}

// measureLines measures the chosen lines of the table, in its order. A load is dropped when no later line needs it.
func measureLines(ctx context.Context, s *stage, o options) (results []Result, err error) {
	for i, l := range o.lines {
		r := Result{Name: l.name, Title: l.heading, Goal: l.goal, Latency: l.goal.isLatency()}
		if err := l.compare.measure(ctx, s, o, &r); err != nil {
			return results, fmt.Errorf("%s: %w", l.name, err)
		}
		results = append(results, r)
		if last(o.lines, l.compare.load()) == i {
			if err := s.dropLoad(ctx, l.compare.load()); err != nil {
				return results, fmt.Errorf("%s: %w", l.name, err)
			}
		}
	}
	return results, nil
}

// last is the place of the last line that needs the load.
func last(lines []line, load string) int {
	found := -1
	for i, l := range lines {
		if l.compare.load() == load {
			found = i
		}
	}
	return found
}
