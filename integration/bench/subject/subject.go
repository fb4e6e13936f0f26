// Package subject is the main function of the programs that the bench measures: connectors as cmd has them, with a CPU
// profile of the process on demand.
package subject

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/pprof"

	"github.com/syncline-io/syncline/framework/run"
)

// Main runs the connector that the first argument's file describes, and ends the process. A second argument is the file
// for a CPU profile.
func Main(known ...run.Connector) { os.Exit(program(os.Args[1:], known, os.Stderr)) }

func program(args []string, known []run.Connector, out io.Writer) int {
	if len(args) == 0 {
		return run.Report(out, errors.New("want the configuration file of a connector"))
	}
	if len(args) > 1 {
		f, err := os.Create(args[1])
		if err == nil {
			err = pprof.StartCPUProfile(f)
		}
		if err != nil {
			return run.Report(out, fmt.Errorf("profile: %w", err))
		}
		defer f.Close() //nolint:errcheck // a profile that was cut off is seen by who reads it
		defer pprof.StopCPUProfile()
	}
	ctx, stop := run.Signals(context.Background())
	defer stop()
	return run.Report(out, run.Files(ctx, known, args[:1], run.Platform{}))
}
