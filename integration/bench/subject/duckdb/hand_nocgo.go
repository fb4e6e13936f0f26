//go:build !cgo

package main

import (
	"context"
	"errors"
	"time"
)

// load is what is loaded by hand where there is a C++ toolchain.
type load struct {
	source, query string
	file          string
	batch         int
	upsert        bool
}

var errNoCgo = errors.New("built without cgo, and so without DuckDB: make deps installs what it takes")

func loadByHand(context.Context, load) (time.Duration, error) { return 0, errNoCgo }

func check(context.Context, string) error { return errNoCgo }
