package main

import (
	"context"
	"errors"
	"os"
	"time"

	"github.com/syncline-io/syncline/framework/run"
)

type verifyCommand struct {
	Source string        `arg:"" help:"The source's YAML file."`
	Sink   string        `arg:"" help:"The sink's YAML file."`
	JSON   bool          `name:"json" help:"Print the result as JSON."`
	Wait   time.Duration `help:"Compare again for as long as this while the sides differ, such as 30s."`
}

// Run prints the result; its error, and so the exit code 1, says that the sides differ.
func (c *verifyCommand) Run(ctx context.Context) error {
	result, err := run.Verify(ctx, connectors, c.Source, c.Sink, c.Wait)
	if err != nil {
		return err
	}
	if c.JSON {
		err = result.WriteJSON(os.Stdout)
	} else {
		err = result.WriteText(os.Stdout)
	}
	if err == nil && !result.Equal {
		err = errors.New("source and target differ")
	}
	return err
}
