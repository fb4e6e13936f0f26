package run

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"

	"github.com/syncline-io/syncline/framework/sink"
	"github.com/syncline-io/syncline/framework/source"
)

// defaultFile is where a container finds its configuration.
const defaultFile = "/etc/syncline/connector.yaml"

// Source is the main function of a source connector's own program.
func Source[C interface{ Validate() error }](c source.Connector[C]) {
	os.Exit(program(OfSource(c), os.Args[1:], os.Stderr))
}

// Sink is the main function of a sink connector's own program.
func Sink[C interface{ Validate() error }](c sink.Connector[C]) {
	os.Exit(program(OfSink(c), os.Args[1:], os.Stderr))
}

func program(c Connector, args []string, out io.Writer) int {
	flags := flag.NewFlagSet(c.Name, flag.ContinueOnError)
	flags.SetOutput(out)
	version := flags.Bool("version", false, "print the version and exit")
	flags.Usage = func() {
		fmt.Fprintf(out, "Usage: %s [FILE]\n\nRuns the connector that FILE (default %s) describes.\n\n", c.Name, defaultFile)
		flags.PrintDefaults()
	}
	if err := flags.Parse(args); err != nil {
		return 2
	}
	if *version {
		fmt.Fprintln(out, c.Name, Version())
		return 0
	}
	file := defaultFile
	if flags.NArg() > 0 {
		file = flags.Arg(0)
	}
	ctx, stop := Signals(context.Background())
	defer stop()
	return Report(out, Files(ctx, []Connector{c}, []string{file}, Platform{}))
}

// Files opens the files' connectors and runs them until ctx ends or one stops for good.
func Files(ctx context.Context, known []Connector, files []string, p Platform) error {
	proc, err := Open(known, files, p)
	if err != nil {
		return err
	}
	err = proc.Run(ctx)
	if closing := proc.Close(); err == nil {
		err = closing
	}
	return err
}

// Report prints err, if there is one, and returns the exit code for it.
func Report(out io.Writer, err error) int {
	if err != nil {
		fmt.Fprintf(out, "syncline: %v\n", err)
	}
	return ExitCode(err)
}

// Signals returns a context that ends at the first SIGINT or SIGTERM, the soft stop. The second one is the hard stop:
// the process exits at once with code 130, and what was not durable is read again at the next start.
func Signals(parent context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(parent)
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		select {
		case <-signals:
			cancel()
		case <-ctx.Done():
		}
		select {
		case <-signals:
			os.Exit(130)
		case <-parent.Done():
		}
	}()
	return ctx, func() { signal.Stop(signals); cancel() }
}

// Version is the module's version and commit as the build recorded them.
func Version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	version := info.Main.Version
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && version == "(devel)" {
			version += " " + s.Value
		}
	}
	return version
}
