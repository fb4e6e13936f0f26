// Command fetch fetches the engines that tests run and that no package manager has, unless they are in the user's cache
// folder: Apache Kafka, the schema registry, Kafka Connect with Debezium's connectors.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/syncline-io/syncline/integration/engines"
)

func main() {
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer cancel()
	if err := engines.Fetch(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "fetch:", err)
		os.Exit(1)
	}
}
