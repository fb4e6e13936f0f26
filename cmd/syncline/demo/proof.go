package demo

import (
	"context"
	"fmt"

	"github.com/syncline-io/syncline/framework/run"
)

// prove compares every target with the source, and prints rows and content hash of every table at both sides.
func prove(ctx context.Context, o Options, f files) (equal bool, err error) {
	equal = true
	for _, sink := range f.sinks() {
		result, err := run.Verify(ctx, o.Connectors, f.Source, sink, 0)
		if err != nil {
			return false, err
		}
		fmt.Fprintf(o.Out, "\nproof      %s\n", sink)
		if err := result.WriteText(o.Out); err != nil {
			return false, err
		}
		equal = equal && result.Equal
	}
	return equal, nil
}
