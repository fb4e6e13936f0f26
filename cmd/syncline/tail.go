package main

import (
	"context"
	"errors"
	"os"

	"github.com/syncline-io/syncline/cmd/syncline/tail"
	"github.com/syncline-io/syncline/framework/config"
	"github.com/syncline-io/syncline/framework/failure"
	"github.com/syncline-io/syncline/framework/run"
)

type tailCommand struct {
	Topic          string   `arg:"" help:"The topic: of a table, internal, or of dead letters."`
	From           string   `help:"Where to begin: beginning, end, an offset (42, or 0@42 for one partition), a time (2026-11-25T13:00:00Z) or how long ago (10m). Without it the last events are shown."`
	Count          int      `short:"n" help:"How many events at most: the first ones after --from, or the last ones (10 by default)."`
	Follow         bool     `short:"f" help:"Go on with what comes, until Ctrl-C."`
	Key            []string `short:"k" sep:"none" help:"Only this key: column=value (may be given again for further columns), JSON such as {\"id\":7}, or the value alone."`
	Op             []string `short:"o" help:"Only these: r, c, u, d, t, m, or kinds such as tombstone and dead_letter."`
	Headers        bool     `help:"Show the records' headers."`
	JSON           bool     `name:"json" help:"Print an object per line."`
	Brokers        []string `env:"SYNCLINE_BROKERS" help:"Kafka's addresses, such as localhost:9092."`
	Registry       string   `env:"SYNCLINE_REGISTRY" help:"The schema registry's address."`
	Config         string   `short:"c" help:"A connector's YAML file that says how to reach Kafka and the registry, with TLS and passwords."`
	InternalPrefix string   `default:"syncline" help:"First part of the internal topics' names; a file's own counts."`
}

func (c *tailCommand) Run(ctx context.Context) error {
	common, err := c.connection()
	if err != nil {
		return err
	}
	kafka, registry, err := run.Clients(common)
	if err != nil {
		return err
	}
	if registry != nil {
		defer registry.Close()
	}
	return tail.Run(ctx, tail.Options{
		Kafka: kafka, Registry: registry, InternalPrefix: common.InternalPrefix, Topic: c.Topic,
		From: c.From, Count: c.Count, Follow: c.Follow, Keys: c.Key, Ops: c.Op, Headers: c.Headers, JSON: c.JSON, Out: os.Stdout,
	})
}

// connection is the file's, or what the flags say.
func (c *tailCommand) connection() (config.Common, error) {
	if c.Count < 0 {
		return config.Common{}, failure.As(failure.Config, errors.New("-n: want a positive number"), "")
	}
	if c.Config != "" {
		return run.Common(connectors, c.Config)
	}
	common := config.Common{Name: "syncline-tail", Kafka: config.Kafka{Brokers: c.Brokers}, InternalPrefix: c.InternalPrefix}
	if len(c.Brokers) == 0 {
		return common, failure.As(failure.Config, errors.New("no brokers are named"), "give --brokers or --config")
	}
	if c.Registry != "" {
		common.Registry = config.Registry{URL: config.URL(c.Registry)}
		if err := common.Registry.Validate(); err != nil {
			return common, failure.As(failure.Config, err, "")
		}
	}
	return common, nil
}
