package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/syncline-io/syncline/cmd/syncline/demo"
	"github.com/syncline-io/syncline/connectors/duckdb"
)

type demoCommand struct {
	Dir         string        `default:"syncline-demo" env:"SYNCLINE_DEMO_DIR" help:"Folder for everything that the demo makes; emptied when it ends well."`
	PostgresURL string        `name:"postgres-url" env:"POSTGRES_URL" help:"Use this server instead of starting one."`
	Traffic     time.Duration `default:"8s" help:"How long the shop is open."`
	Keep        bool          `help:"Leave everything running after the proof and say what to try."`
	Break       bool          `help:"Change one row of a target before the proof, which must fail and name it."`
}

func (c *demoCommand) Run(ctx context.Context) error {
	err := demo.Run(ctx, demo.Options{
		Dir: c.Dir, PostgresURL: c.PostgresURL, Traffic: c.Traffic, Keep: c.Keep, Break: c.Break,
		DuckDB: duckdb.Available, Connectors: connectors, Out: os.Stdout,
	})
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		fmt.Println("\nstopped; nothing is left running. The next demo goes on from here:", c.Dir)
		return nil
	}
	return err
}
