// Command postgres-source publishes the changes of a PostgreSQL database to Kafka.
package main

import (
	"github.com/syncline-io/syncline/connectors/postgres"
	"github.com/syncline-io/syncline/framework/run"
)

func main() { run.Source(postgres.SourceConnector) }
