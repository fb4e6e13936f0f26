// Command check holds the rows' own path against a committed baseline, by figures that do not depend on how busy the
// machine is:
//
//	go run ./integration/bench/check            compares, and ends with 1 when something has become worse
//	go run ./integration/bench/check -update    writes the baseline anew, for a change that is meant
//
// For each leg of the path (legs.go) it takes from the leg's own benchmark the allocations and the bytes allocated per
// row, the bytes that a row has in Kafka, and the statements of our code that are executed per row: the counters of the
// coverage tool, which say the same on every machine. Where the machine counts instructions for us (Linux, and not in
// most virtual machines), they are compared too. Time is printed and compared with nothing.
//
// Read in this order: legs.go, measure.go (a leg's figures), statements.go and instructions_linux.go (two of the
// counters), baseline.go (the file and the comparison).
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := program(ctx, os.Args[1:], os.Stdout)
	stop()
	switch {
	case errors.Is(err, flag.ErrHelp):
	case err != nil:
		fmt.Fprintf(os.Stderr, "check: %v\n", err)
		os.Exit(1)
	}
}

// baselineFile is where the baseline is, seen from the module's root.
const baselineFile = "integration/bench/baseline.json"

func program(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("check", flag.ContinueOnError)
	update := flags.Bool("update", false, "write the baseline anew instead of comparing with it")
	if err := flags.Parse(args); err != nil {
		return err
	}
	root, err := moduleRoot(ctx)
	if err != nil {
		return err
	}
	file := filepath.Join(root, baselineFile)
	base, err := readBaseline(file)
	if err != nil && !(*update && errors.Is(err, os.ErrNotExist)) {
		return err
	}
	measured, err := measureLegs(ctx, root, out)
	if err != nil {
		return err
	}
	if err := print(out, legs, base, measured); err != nil {
		return err
	}
	if *update {
		return writeBaseline(file, measured)
	}
	return compare(base, measured)
}
