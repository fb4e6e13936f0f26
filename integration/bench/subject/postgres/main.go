// Command postgres is PostgreSQL's source and sink as the bench measures them.
package main

import (
	"github.com/syncline-io/syncline/connectors/postgres"
	"github.com/syncline-io/syncline/framework/run"
	"github.com/syncline-io/syncline/integration/bench/subject"
)

func main() { subject.Main(run.OfSource(postgres.SourceConnector), run.OfSink(postgres.SinkConnector)) }
