// Command postgres-sink loads change events from Kafka into a PostgreSQL database.
package main

import (
	"github.com/syncline-io/syncline/connectors/postgres"
	"github.com/syncline-io/syncline/framework/run"
)

func main() { run.Sink(postgres.SinkConnector) }
