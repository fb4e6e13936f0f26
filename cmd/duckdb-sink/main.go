// Command duckdb-sink loads change events from Kafka into a DuckDB file.
package main

import (
	"github.com/syncline-io/syncline/connectors/duckdb"
	"github.com/syncline-io/syncline/framework/run"
)

func main() { run.Sink(duckdb.SinkConnector) }
