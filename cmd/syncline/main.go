// Command syncline is the operator's tool, with every connector in it.
package main

import (
	"context"
	"fmt"
	"io"
	"os"

	"github.com/alecthomas/kong"

	"github.com/syncline-io/syncline/cmd/syncline/schema"
	"github.com/syncline-io/syncline/framework/run"
)

type commands struct {
	Demo    demoCommand     `cmd:"" help:"Show the whole line on this machine: a shop in PostgreSQL, kept in step with a DuckDB file and a second database, and the proof."`
	Run     runCommand      `cmd:"" help:"Run the connectors that the files describe, all in this process."`
	Verify  verifyCommand   `cmd:"" help:"Compare a source's tables with a sink's target, row by row, and name every difference."`
	Tail    tailCommand     `cmd:"" help:"Show the records of a topic decoded: changes, positions, tables, dead letters."`
	Schema  schema.Commands `cmd:"" help:"What the schema registry holds, and what a source would ask of it."`
	Version versionCommand  `cmd:"" help:"Print the version."`
}

type versionCommand struct{}

func (versionCommand) Run() error {
	fmt.Println("syncline", run.Version())
	return nil
}

func main() {
	var c commands
	parser := kong.Must(&c, kong.Name("syncline"), kong.UsageOnError(), kong.ConfigureHelp(kong.HelpOptions{Compact: true}),
		kong.Description("Keeps systems in step through your own Kafka."))
	parsed, err := parser.Parse(os.Args[1:])
	if err != nil {
		fmt.Fprintf(os.Stderr, "syncline: %v\n", err)
		os.Exit(2)
	}
	ctx, stop := run.Signals(context.Background())
	parsed.Bind(connectors)
	parsed.BindTo(os.Stdout, (*io.Writer)(nil))
	parsed.BindTo(ctx, (*context.Context)(nil))
	err = parsed.Run()
	stop()
	os.Exit(run.Report(os.Stderr, err))
}
