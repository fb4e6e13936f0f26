// Command bench measures Syncline against what the machine's own tools reach with the same rows, in the same run.
//
//	go run ./integration/bench [-only stream,snapshot,sink,latency] [-runs 3] [-rows 1000000] [-json FILE] [-profile DIR]
//
// Each load is prepared once. Then baseline and subject take turns, and what is reported is the median, the spread and
// the ratio of the pairs. The subject is a connector in a process of its own, as users run it: this program started
// again, so that it can be profiled. docs/performance.md has the rules and what was measured.
//
// Read in this order: main.go (the program), measure.go (what a measurement is), stage.go (the servers that all subjects
// share), connector.go (the subject's process), rows.go (the load), then one file for each subject: stream.go,
// snapshot.go, sink.go, latency.go; report.go prints.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/syncline-io/syncline/framework/run"
)

func main() {
	if isConnector(os.Args) {
		os.Exit(runConnector(os.Args[2:], os.Stderr))
	}
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

// options is what the command line says.
type options struct {
	only    []string
	runs    int
	rows    int
	seconds int
	json    string
	profile string
}

// subject is one entry of the flag -only. measure prepares the load and measures it; a subject may have several rows in
// the table.
type subject struct {
	name    string
	measure func(ctx context.Context, s *stage, o options) ([]Result, error)
}

var subjects = []subject{
	{"stream", measureStream},
	{"snapshot", measureSnapshot},
	{"sink", measureSink},
	{"latency", measureLatency},
}

func parse(args []string, errOut io.Writer) (options, error) {
	var names []string
	for _, s := range subjects {
		names = append(names, s.name)
	}
	o := options{}
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.SetOutput(errOut)
	only := flags.String("only", strings.Join(names, ","), "what to measure")
	flags.IntVar(&o.runs, "runs", 3, "how often baseline and subject take turns")
	flags.IntVar(&o.rows, "rows", 1_000_000, "rows of the stream and of the snapshot; the sink gets half of them")
	flags.IntVar(&o.seconds, "seconds", 10, "how long each measurement of latency lasts")
	flags.StringVar(&o.json, "json", "", "write the measurements to this file too")
	flags.StringVar(&o.profile, "profile", "", "write CPU profiles to this folder, of each connector and of this process with the broker; it costs a little")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	o.only = strings.Split(*only, ",")
	for _, name := range o.only {
		if !slices.Contains(names, name) {
			return o, fmt.Errorf("-only: %q is none of %s", name, strings.Join(names, ", "))
		}
	}
	if o.runs < 1 || o.rows < batchRows || o.seconds < 1 {
		return o, fmt.Errorf("want at least 1 of -runs, %d of -rows and 1 of -seconds", batchRows)
	}
	return o, nil
}

func program(ctx context.Context, args []string, out, progress io.Writer) (err error) {
	o, err := parse(args, progress)
	if err != nil {
		return err
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
	var results []Result
	for _, subject := range subjects {
		if !slices.Contains(o.only, subject.name) {
			continue
		}
		measured, err := subject.measure(ctx, s, o)
		if err != nil {
			return fmt.Errorf("%s: %w", subject.name, err)
		}
		results = append(results, measured...)
	}
	if o.json != "" {
		if err := writeJSON(o.json, o, results); err != nil {
			return err
		}
	}
	return writeMarkdown(out, results)
}
