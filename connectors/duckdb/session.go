//go:build cgo

package duckdb

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"unsafe"

	"github.com/duckdb/duckdb-go/mapping"
	duckdb "github.com/duckdb/duckdb-go/v2"

	"github.com/syncline-io/syncline/framework/crash"
	"github.com/syncline-io/syncline/framework/failure"
	"github.com/syncline-io/syncline/framework/warehouse"
)

// session is one connection to one DuckDB file. It is not safe for concurrent use.
type session struct {
	cfg  SinkConfig
	db   mapping.Database
	conn mapping.Connection
	// catalog is DuckDB's name of the file.
	catalog string
	// broken is set when a rollback did not work, or when DuckDB gave the instance up (it does so when the disk is full
	// while it writes): the file is opened again before the next transaction.
	broken bool
}

// openSession opens the file, or creates it. Within the process all who open one file share one instance, as DuckDB
// demands; another process is kept out by DuckDB's lock.
func openSession(ctx context.Context, cfg SinkConfig) (*session, error) {
	path, err := filepath.Abs(cfg.Path)
	if err != nil {
		return nil, failure.As(failure.Config, fmt.Errorf("path: %w", err), "")
	}
	if _, err := os.Stat(filepath.Dir(path)); errors.Is(err, os.ErrNotExist) {
		return nil, failure.As(failure.Config, fmt.Errorf("path: the folder of %s does not exist", path), "create it")
	}
	cfg.Path = path
	s := &session{cfg: cfg}
	return s, s.open(ctx)
}

// open opens the file; it leaves nothing open when it returns an error.
func (s *session) open(ctx context.Context) error {
	if err := s.connect(s.cfg.Path); err != nil {
		return err
	}
	settings := []string{"SET TimeZone = 'UTC'"}
	if s.cfg.Threads > 0 {
		settings = append(settings, fmt.Sprintf("SET threads = %d", s.cfg.Threads))
	}
	if s.cfg.MemoryLimit != "" {
		settings = append(settings, "SET memory_limit = "+warehouse.QuoteText(s.cfg.MemoryLimit))
	}
	for _, setting := range settings {
		if _, err := s.exec(ctx, setting); err != nil {
			s.close()
			return failure.As(failure.Config, err, "")
		}
	}
	rows, err := s.query(ctx, "SELECT current_database()")
	if err != nil {
		s.close()
		return err
	}
	s.catalog = rows[0][0]
	return nil
}

func (s *session) connect(path string) error {
	var config mapping.Config
	if mapping.CreateConfig(&config) == mapping.StateError {
		return errors.New("create the configuration of DuckDB")
	}
	defer mapping.DestroyConfig(&config)
	// The same setting as the driver's, so that both can share one instance.
	mapping.SetConfig(config, "duckdb_api", "go")
	var message string
	if mapping.GetOrCreateFromCache(duckdb.GetInstanceCache(), path, &s.db, config, &message) == mapping.StateError {
		mapping.Close(&s.db)
		return openError(path, message)
	}
	if mapping.Connect(s.db, &s.conn) == mapping.StateError {
		mapping.Close(&s.db)
		return fmt.Errorf("connect to %s", path)
	}
	return nil
}

// openError says what DuckDB's message means for the operator.
func openError(path, message string) error {
	err := fmt.Errorf("open %s: %s", path, firstLine(message))
	switch {
	case strings.Contains(message, "Could not set lock"):
		return failure.WithHint(err, "one process at a time can write a DuckDB file: end the one that holds it")
	case strings.Contains(message, "not a valid DuckDB database file"), strings.Contains(message, "different version"):
		return failure.As(failure.Config, err, "path must name a file that this version of DuckDB can read, or a new one")
	}
	return err
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(s), "\n")
	return line
}

func (s *session) close() {
	mapping.Disconnect(&s.conn)
	mapping.Close(&s.db)
}

// exec runs statements and returns the number of rows that the last one changed. When ctx ends, it is interrupted.
func (s *session) exec(ctx context.Context, sql string) (int64, error) {
	var changed int64
	err := s.run(ctx, sql, func(res *mapping.Result) {
		changed = int64(mapping.RowsChanged(res))
	})
	return changed, err
}

// query runs one statement whose columns are all VARCHAR, and returns its rows. A null becomes "".
func (s *session) query(ctx context.Context, sql string) ([][]string, error) {
	var rows [][]string
	err := s.run(ctx, sql, func(res *mapping.Result) {
		columns := int(mapping.ColumnCount(res))
		for {
			chunk := mapping.FetchChunk(*res)
			if chunk.Ptr == nil {
				return
			}
			rows = appendTexts(rows, chunk, columns)
			mapping.DestroyDataChunk(&chunk)
		}
	})
	return rows, err
}

func appendTexts(rows [][]string, chunk mapping.DataChunk, columns int) [][]string {
	from, n := len(rows), int(mapping.DataChunkGetSize(chunk))
	for range n {
		rows = append(rows, make([]string, columns))
	}
	for c := range columns {
		v := mapping.DataChunkGetVector(chunk, mapping.IdxT(c))
		texts := unsafe.Slice((*mapping.StringT)(mapping.VectorGetData(v)), n)
		valid := (*uint64)(mapping.VectorGetValidity(v))
		for i := range n {
			if valid != nil && unsafe.Slice(valid, i/64+1)[i/64]&(1<<(i%64)) == 0 {
				continue
			}
			rows[from+i][c] = mapping.StringTData(&texts[i])
		}
	}
	return rows
}

// run executes sql and hands over its result, which is gone when take returns.
func (s *session) run(ctx context.Context, sql string, take func(*mapping.Result)) error {
	if err := ctx.Err(); err != nil {
		return context.Cause(ctx)
	}
	defer s.interruptWith(ctx)()
	var res mapping.Result
	defer mapping.DestroyResult(&res)
	if mapping.Query(s.conn, sql, &res) == mapping.StateError {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		return &sqlError{message: firstLine(mapping.ResultError(&res)), kind: mapping.ResultErrorType(&res)}
	}
	take(&res)
	return nil
}

// interruptWith interrupts the running statement when ctx ends, until the function that it returns is called.
func (s *session) interruptWith(ctx context.Context) (stop func()) {
	done := make(chan struct{})
	cancel := context.AfterFunc(ctx, func() {
		defer close(done)
		mapping.Interrupt(s.conn)
	})
	return func() {
		if !cancel() {
			<-done // the connection may not be closed under the call
		}
	}
}

// transaction runs do in a transaction, and takes everything back when do returns an error. The commit itself is not
// interrupted: it happens or it does not, and then DuckDB says so.
func (s *session) transaction(ctx context.Context, do func() error) error {
	if s.broken {
		s.close()
		if err := s.open(ctx); err != nil {
			return fmt.Errorf("open the file again: %w", err)
		}
		s.broken = false
	}
	if _, err := s.exec(ctx, "BEGIN"); err != nil {
		s.broken = ctx.Err() == nil
		return fmt.Errorf("begin: %w", err)
	}
	uncancelled := context.WithoutCancel(ctx)
	err := do()
	if err == nil {
		if _, err = s.exec(uncancelled, "COMMIT"); err == nil {
			crash.Point("duckdb-sink.after-commit")
			return nil
		}
		err = fmt.Errorf("commit: %w", err)
	}
	// A transaction that a failed commit has ended cannot be rolled back: that error says nothing new.
	if _, rollback := s.exec(uncancelled, "ROLLBACK"); rollback != nil &&
		!strings.Contains(rollback.Error(), "no transaction is active") {
		s.broken = true
		err = errors.Join(err, fmt.Errorf("rollback: %w", rollback))
	}
	return err
}

// sqlError is what DuckDB said about a statement. It leaves the statement out: that can hold values.
type sqlError struct {
	message string
	kind    mapping.ErrorType
}

func (e *sqlError) Error() string { return "duckdb: " + e.message }
