//go:build !cgo

package duckdb

import (
	"context"
	"errors"

	"github.com/syncline-io/syncline/framework/failure"
	"github.com/syncline-io/syncline/framework/sink"
	"github.com/syncline-io/syncline/framework/verify"
)

// Available says whether this binary can open a DuckDB file: DuckDB is a C++ library.
const Available = false

var errNoCgo = failure.As(failure.Config, errors.New("this binary was built without cgo and has no DuckDB in it"),
	"build it with CGO_ENABLED=1 and a C++ toolchain")

// SinkConnector is the DuckDB sink. In this binary it can only say that it is not there.
var SinkConnector = sink.Connector[SinkConfig]{
	Name:     "duckdb-sink",
	Section:  "duckdb",
	Defaults: sinkDefaults,
	Open: func(context.Context, SinkConfig, sink.Env) (sink.Sink, error) {
		return nil, errNoCgo
	},
	Memory: SinkConfig.within,
	Verify: VerifySink,
}

// VerifySink opens a DuckDB file for a comparison. In this binary it can only say that DuckDB is not there.
func VerifySink(context.Context, SinkConfig) (verify.Reader, error) { return nil, errNoCgo }
