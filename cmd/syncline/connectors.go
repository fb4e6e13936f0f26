package main

import (
	"github.com/syncline-io/syncline/connectors/duckdb"
	"github.com/syncline-io/syncline/connectors/postgres"
	"github.com/syncline-io/syncline/framework/run"
)

// connectors is every connector that this program can run.
var connectors = []run.Connector{
	run.OfSource(postgres.SourceConnector),
	run.OfSink(postgres.SinkConnector),
	run.OfSink(duckdb.SinkConnector),
}
