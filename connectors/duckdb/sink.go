//go:build cgo

package duckdb

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/duckdb/duckdb-go/mapping"
	"go.uber.org/zap"

	"github.com/syncline-io/syncline/framework/crash"
	"github.com/syncline-io/syncline/framework/failure"
	"github.com/syncline-io/syncline/framework/sink"
	"github.com/syncline-io/syncline/framework/warehouse"
)

// Available says whether this binary can open a DuckDB file: DuckDB is a C++ library.
const Available = true

// SinkConnector is the DuckDB sink.
var SinkConnector = sink.Connector[SinkConfig]{
	Name:     "duckdb-sink",
	Section:  "duckdb",
	Defaults: sinkDefaults,
	Open: func(ctx context.Context, cfg SinkConfig, env sink.Env) (sink.Sink, error) {
		return openSink(ctx, cfg, env)
	},
	BatchAge: batchAge,
	Memory:   SinkConfig.within,
	Verify:   VerifySink,
}

// batchAge is how long rows gather: a transaction costs DuckDB a few milliseconds for each table in it, so that small
// ones in a row would keep a core busy.
const batchAge = 200 * time.Millisecond

// Sink writes to one DuckDB file.
type Sink struct {
	session *session
	ledger  ledger
	columns string // our table of column names, quoted
	texts   textColumns
	log     *zap.Logger
	// tables holds what is compiled, by the target's name.
	tables map[string]*loader
}

var (
	_ sink.Sink      = (*Sink)(nil)
	_ sink.Ledger    = (*Sink)(nil)
	_ sink.Evolver   = (*Sink)(nil)
	_ sink.Versioner = (*Sink)(nil)
)

// loader writes batches of one table at one version.
type loader struct {
	*merge
	stage *stage
}

func openSink(ctx context.Context, cfg SinkConfig, env sink.Env) (*Sink, error) {
	session, err := openSession(ctx, cfg)
	if err != nil {
		return nil, err
	}
	log := env.Log
	if log == nil {
		log = zap.NewNop()
	}
	s := &Sink{
		session: session,
		ledger: ledger{
			session: session, connector: warehouse.QuoteText(env.Name), table: quoteTable(session.catalog, cfg.Schema, "ledger"),
		},
		columns: quoteTable(session.catalog, cfg.Schema, "columns"),
		texts:   textColumns(cfg.TextColumns),
		log:     log,
		tables:  map[string]*loader{},
	}
	if err := s.createOwnTables(ctx, cfg.Schema); err != nil {
		session.close()
		return nil, fmt.Errorf("prepare %s: %w", cfg.Path, err)
	}
	return s, nil
}

func (s *Sink) createOwnTables(ctx context.Context, schema string) error {
	return s.session.transaction(ctx, func() error {
		if _, err := s.session.exec(ctx, "CREATE SCHEMA IF NOT EXISTS "+warehouse.QuoteTable(s.session.catalog, schema)); err != nil {
			return err
		}
		if err := s.ledger.create(ctx); err != nil {
			return err
		}
		err := s.createColumns(ctx)
		crash.Point("duckdb-sink.own-tables-made")
		return err
	})
}

// Close implements [sink.Sink].
func (s *Sink) Close() error {
	s.session.close()
	return nil
}

// Write implements [sink.Sink].
func (s *Sink) Write(ctx context.Context, b *sink.Batch) error {
	return s.session.transaction(ctx, func() error {
		// The ledger first: a member that has lost its claim must not spend its time on the rows.
		if err := s.ledger.move(ctx, b.Moves); err != nil {
			return err
		}
		crash.Point("duckdb-sink.ledger-moved")
		for i := range b.Tables {
			if err := s.writeTable(ctx, &b.Tables[i]); err != nil {
				return err
			}
			crash.Point("duckdb-sink.table-written")
		}
		return nil
	})
}

func (s *Sink) writeTable(ctx context.Context, b *sink.TableBatch) error {
	l := s.tables[tableKey(b.Table)]
	if l == nil || l.table != b.Table && !sameColumns(l.table, b.Table) {
		return fmt.Errorf("table %s: a batch came before its table was made ready", b.Table)
	}
	if b.Truncate {
		if _, err := s.session.exec(ctx, l.truncate()); err != nil {
			return fmt.Errorf("truncate %s: %w", b.Table, err)
		}
		crash.Point("duckdb-sink.table-truncated")
	}
	if len(b.Rows) == 0 {
		return nil
	}
	if _, err := s.session.exec(ctx, l.createStage()); err != nil {
		return fmt.Errorf("make the stage of %s: %w", b.Table, err)
	}
	if err := l.stage.load(ctx, s.session.conn, b.Rows); err != nil {
		return err
	}
	crash.Point("duckdb-sink.rows-staged")
	apply := l.applyKeyed
	if len(b.Table.Key) == 0 {
		apply = l.applyKeyless
	}
	if err := apply(ctx, s.session, b.Rows); err != nil {
		return l.applyError(err)
	}
	_, err := s.session.exec(ctx, "DROP TABLE "+stageName)
	return err
}

// sameColumns reports whether rows of u can be loaded as rows of t.
func sameColumns(t, u *sink.Table) bool {
	if len(t.Columns) != len(u.Columns) || len(t.Key) != len(u.Key) {
		return false
	}
	for i := range t.Columns {
		if t.Columns[i].Name != u.Columns[i].Name || !t.Columns[i].Type.Equal(u.Columns[i].Type) {
			return false
		}
	}
	for i := range t.Key {
		if t.Key[i] != u.Key[i] {
			return false
		}
	}
	return true
}

// applyKeyed applies the stage to a table with a key.
func (l *loader) applyKeyed(ctx context.Context, s *session, rows []sink.Row) error {
	partial := false
	for _, word := range l.stage.unchanged {
		partial = partial || word != 0
	}
	if partial {
		missing, err := s.query(ctx, l.missingPartial())
		if err != nil {
			return err
		}
		if len(missing) > 0 {
			return failure.As(failure.Refused, fmt.Errorf("the change of key %s keeps values of a row that the target does not have",
				strings.Join(missing[0], ", ")), "")
		}
	}
	statements := []string{l.deleteStaged(), l.insertStaged()}
	if partial || len(l.others) > 0 {
		statements = []string{l.createWhole(l.stage.unchanged), l.deleteStaged(), l.insertFound(), l.insertNew(), "DROP TABLE " + wholeName}
	} else if !slices.ContainsFunc(rows, func(r sink.Row) bool { return r.Action != sink.Delete }) {
		statements = statements[:1]
	}
	for _, statement := range statements {
		if _, err := s.exec(ctx, statement); err != nil {
			return err
		}
	}
	return nil
}

// applyKeyless applies the stage to a table without key, where equal rows are counted.
func (l *loader) applyKeyless(ctx context.Context, s *session, rows []sink.Row) error {
	removes := false
	for i := range rows {
		removes = removes || rows[i].Action == sink.Remove
	}
	if !removes {
		_, err := s.exec(ctx, l.insertStaged()+" ORDER BY s.ord")
		return err
	}
	if _, err := s.exec(ctx, l.createNet()); err != nil {
		return err
	}
	missing, err := s.query(ctx, l.missingRow())
	if err != nil {
		return err
	}
	if len(missing) > 0 {
		return failure.As(failure.Refused, fmt.Errorf("no row of the target equals the one to remove: %s", excerpt([]byte(missing[0][0]))), "")
	}
	for _, statement := range []string{l.deleteNet(), l.insertNet(), "DROP TABLE " + netName} {
		if _, err := s.exec(ctx, statement); err != nil {
			return err
		}
	}
	return nil
}

// applyError names the table, and marks what DuckDB refuses because of a row's values: a constraint that someone has
// put on the table, a value that a narrower column of someone's making does not take.
func (l *loader) applyError(err error) error {
	named := fmt.Errorf("table %s: %w", l.table, err)
	if e, ok := errors.AsType[*sqlError](err); ok {
		switch e.kind {
		case mapping.ErrorTypeConstraint, mapping.ErrorTypeConversion, mapping.ErrorTypeOutOfRange:
			return failure.As(failure.Refused, named, "")
		}
	}
	return named
}
