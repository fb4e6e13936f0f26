package main

import (
	"context"
	"fmt"
	"os"

	"go.uber.org/zap"

	"github.com/syncline-io/syncline/framework/embedded"
	"github.com/syncline-io/syncline/framework/run"
)

type runCommand struct {
	Files        []string `arg:"" name:"file" help:"YAML files, one connector each."`
	Embedded     bool     `help:"Start a broker and a registry in this process and use them instead of the files' own. One machine, at-least-once topics, exactly-once targets."`
	Dir          string   `default:"syncline-data" help:"Folder of the embedded broker and registry."`
	KafkaPort    int      `default:"9092" help:"Port of the embedded broker on 127.0.0.1."`
	RegistryPort int      `default:"8081" help:"Port of the embedded registry on 127.0.0.1."`
}

func (c *runCommand) Run(ctx context.Context) error {
	if !c.Embedded {
		return run.Files(ctx, connectors, c.Files, run.Platform{})
	}
	log, err := zap.NewProduction()
	if err != nil {
		return err
	}
	server, err := embedded.Start(ctx, embedded.Config{Dir: c.Dir, KafkaPort: c.KafkaPort, RegistryPort: c.RegistryPort, Log: log})
	if err != nil {
		return fmt.Errorf("embedded broker and registry: %w", err)
	}
	fmt.Fprintf(os.Stderr, "syncline: Kafka at %s, registry at %s, data in %s\n", server.Brokers()[0], server.RegistryURL(), c.Dir)
	err = run.Files(ctx, connectors, c.Files, run.Platform{
		Brokers: server.Brokers(), RegistryURL: server.RegistryURL(), AtLeastOnce: true, Sync: server.Sync, Memory: embedded.Memory,
	})
	if closing := server.Close(); err == nil {
		err = closing
	}
	return err
}
