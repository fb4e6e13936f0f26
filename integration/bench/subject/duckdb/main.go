// Command duckdb is the DuckDB sink as the bench measures it, and what the bench asks of DuckDB besides: everything that
// links DuckDB's library is here, so that its memory is in no other process.
//
//	duckdb CONFIGURATION [PROFILE]                       runs the sink
//	duckdb hand SOURCE QUERY FILE BATCH new|upsert       loads rows by appender and merge, and prints seconds
//	duckdb check FILE                                    prints the number of rows, and the sum of their quantities
package main

import (
	"context"
	"fmt"
	"os"
	"strconv"

	"github.com/syncline-io/syncline/connectors/duckdb"
	"github.com/syncline-io/syncline/framework/run"
	"github.com/syncline-io/syncline/integration/bench/subject"
)

func main() {
	args := os.Args[1:]
	var err error
	switch {
	case len(args) == 6 && args[0] == "hand":
		err = hand(context.Background(), args[1:])
	case len(args) == 2 && args[0] == "check":
		err = check(context.Background(), args[1])
	default:
		subject.Main(run.OfSink(duckdb.SinkConnector))
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "duckdb: %v\n", err)
		os.Exit(1)
	}
}

// hand loads the query's rows; args are those of the command line.
func hand(ctx context.Context, args []string) error {
	size, err := strconv.Atoi(args[3])
	if err != nil {
		return err
	}
	took, err := loadByHand(ctx, load{source: args[0], query: args[1], file: args[2], batch: size, upsert: args[4] == "upsert"})
	if err != nil {
		return err
	}
	fmt.Println(took.Seconds())
	return nil
}
