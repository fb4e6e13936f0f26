package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

const (
	sinkSource = "sink_source"
	sinkTarget = "sink_target"
	// sinkShare is the part of the rows that the sink gets: it is slower than reading, and a run should not be longer.
	sinkShare = 0.5
)

// measureSink compares how fast rows come into a PostgreSQL table: by the whole sink, which reads their topic from the
// embedded broker, decodes, folds, merges and keeps its ledger; and by a merge written by hand, which has the rows in
// memory already, encoded as binary COPY. Both take batches of the same size, one transaction each, into tables of the
// same definition in the same database. The clock of the sink runs from its claim of the partition (a committed step of
// its own before the first fetch) until the ledger has the last row; that by hand from the first statement to the last
// commit.
func measureSink(ctx context.Context, s *stage, o options) ([]Result, error) {
	l, err := s.prepareSink(ctx, max(int(float64(o.rows)*sinkShare), batchRows))
	if err != nil {
		return nil, err
	}
	defer disconnect(l.source)
	defer disconnect(l.target)
	var results []Result
	for _, load := range l.loads {
		r := Result{
			Name: "PostgreSQL sink, " + load.name, Goal: 0.75,
			Against: fmt.Sprintf("merge by hand (binary COPY → staging → ON CONFLICT, %d rows)", batchRows),
		}
		err := s.alternate(ctx, &r, o.runs,
			func(ctx context.Context, _ int) (Sample, error) { return l.byHand(ctx, load) },
			func(ctx context.Context, n int) (Sample, error) { return l.load(ctx, load, n) })
		if err != nil {
			return nil, err
		}
		results = append(results, r)
	}
	return results, nil
}

// sinkLoad is a source table, and topics with its rows and with an update of each.
type sinkLoad struct {
	*stage
	source, target *pgx.Conn
	rows           int
	loads          []*rowsLoad
}

// rowsLoad is one change of every row.
type rowsLoad struct {
	name string
	// topic holds the changes, batches the rows after them.
	topic   string
	batches [][]byte
	// before are the rows that the target has at the start, nil for none.
	before [][]byte
	// check is the sum of a column afterwards.
	check int64
}

func (s *stage) prepareSink(ctx context.Context, rows int) (l *sinkLoad, err error) {
	l = &sinkLoad{stage: s, rows: rows}
	if l.source, err = s.database(ctx, sinkSource); err != nil {
		return nil, err
	}
	if l.target, err = s.database(ctx, sinkTarget); err != nil {
		return nil, err
	}
	s.say("sink: preparing topics with %d rows and as many updates", rows)
	if err := execute(ctx, l.source, rowsTable); err != nil {
		return nil, err
	}
	if err := fillRows(ctx, l.source, rows, 100*rowsPerTransaction); err != nil {
		return nil, err
	}
	fresh, err := l.record(ctx, "new rows", "bench-sink-new", "snapshot", nil)
	if err != nil {
		return nil, err
	}
	updates, err := l.record(ctx, "updates", "bench-sink-updates", "stream", func() error {
		return execute(ctx, l.source, "update rows set quantity = quantity + 1, status = 'back', updated = now()")
	})
	if err != nil {
		return nil, err
	}
	updates.before = fresh.batches
	l.loads = []*rowsLoad{fresh, updates}
	return l, nil
}

// record publishes the table's changes to a topic, with a source of its own that starts as given; change makes them once
// it streams.
func (l *sinkLoad) record(ctx context.Context, what, name, start string, change func() error) (*rowsLoad, error) {
	slot := slot{l.source, strings.ReplaceAll(name, "-", "_")}
	p, err := l.startConnector(name, "", fmt.Sprintf(`connector: postgres-source
delivery: at_least_once
postgres: {url: %q, tables: [public.rows], slot: %s, start: %s}
`, l.server.URL(sinkSource), slot.name, start))
	if err != nil {
		return nil, err
	}
	defer p.kill()
	if change != nil {
		if _, err := slot.untilUsed(ctx, p.failure); err != nil {
			return nil, err
		}
		if err := change(); err != nil {
			return nil, err
		}
	}
	load := &rowsLoad{name: what, topic: name + ".public.rows"}
	if _, err := l.untilArrived(ctx, p, load.topic, l.rows); err != nil {
		return nil, err
	}
	if err := p.stop(new(Sample)); err != nil {
		return nil, err
	}
	if err := slot.drop(ctx); err != nil {
		return nil, err
	}
	if load.batches, err = copyBatches(ctx, l.source, l.rows); err != nil {
		return nil, err
	}
	load.check, err = one[int64](ctx, l.source, "select sum(quantity) from rows")
	return load, err
}

// prepareTarget makes the table anew, with the rows that are to be there before.
func (l *sinkLoad) prepareTarget(ctx context.Context, load *rowsLoad) error {
	if err := execute(ctx, l.target, "drop table if exists rows", rowsTable); err != nil {
		return err
	}
	for _, b := range load.before {
		if _, err := l.target.PgConn().CopyFrom(ctx, bytes.NewReader(b), "copy rows from stdin (format binary)"); err != nil {
			return fmt.Errorf("fill the target: %w", err)
		}
	}
	return execute(ctx, l.target, "vacuum analyze rows", "checkpoint")
}

// mustBeThere makes sure that what was timed was done.
func (l *sinkLoad) mustBeThere(ctx context.Context, load *rowsLoad) error {
	var count, sum int64
	if err := l.target.QueryRow(ctx, "select count(*), sum(quantity) from rows").Scan(&count, &sum); err != nil {
		return err
	}
	if count != int64(l.rows) || sum != load.check {
		return fmt.Errorf("the target has %d rows with the sum %d; want %d with %d", count, sum, l.rows, load.check)
	}
	return nil
}

const (
	handStage = "create temporary table if not exists hand (like rows) on commit delete rows"
	handCopy  = "copy pg_temp.hand from stdin (format binary)"
	handMerge = `insert into rows select * from pg_temp.hand on conflict (id) do update set customer_id = excluded.customer_id,
	sku = excluded.sku, status = excluded.status, quantity = excluded.quantity, price = excluded.price, weight = excluded.weight,
	active = excluded.active, note = excluded.note, reference = excluded.reference, created = excluded.created, updated = excluded.updated`
)

// byHand is the baseline.
func (l *sinkLoad) byHand(ctx context.Context, load *rowsLoad) (Sample, error) {
	if err := l.prepareTarget(ctx, load); err != nil {
		return Sample{}, err
	}
	start := time.Now()
	if err := execute(ctx, l.target, handStage); err != nil {
		return Sample{}, err
	}
	for _, b := range load.batches {
		if err := execute(ctx, l.target, "begin"); err != nil {
			return Sample{}, err
		}
		if _, err := l.target.PgConn().CopyFrom(ctx, bytes.NewReader(b), handCopy); err != nil {
			return Sample{}, fmt.Errorf("copy by hand: %w", err)
		}
		if err := execute(ctx, l.target, handMerge, "commit"); err != nil {
			return Sample{}, err
		}
	}
	return Sample{Value: perSecond(l.rows, time.Since(start))}, l.mustBeThere(ctx, load)
}

// load is the subject.
func (l *sinkLoad) load(ctx context.Context, load *rowsLoad, n int) (Sample, error) {
	if err := l.prepareTarget(ctx, load); err != nil {
		return Sample{}, err
	}
	name := fmt.Sprintf("%s-%d", strings.TrimSuffix(load.topic, ".public.rows"), n)
	p, err := l.startConnector(name, "", fmt.Sprintf(`connector: postgres-sink
topics: [%q]
batch: {rows: %d}
postgres: {url: %q}
`, load.topic, batchRows, l.server.URL(sinkTarget)))
	if err != nil {
		return Sample{}, err
	}
	defer p.kill()
	start, err := l.untilApplied(ctx, p, quickLook, -1)
	if err != nil {
		return Sample{}, err
	}
	end, err := l.untilApplied(ctx, p, slowLook, int64(l.rows))
	if err != nil {
		return Sample{}, err
	}
	sample := Sample{Value: perSecond(l.rows, end.Sub(start)), Rows: l.rows}
	if err := p.stop(&sample); err != nil {
		return sample, err
	}
	return sample, l.mustBeThere(ctx, load)
}

// untilApplied returns when the sink's ledger has come to the offset; -1 is that of a partition just claimed.
func (l *sinkLoad) untilApplied(ctx context.Context, p *connector, pause time.Duration, next int64) (time.Time, error) {
	return until(ctx, pause, fmt.Sprintf("the ledger of %s is at %d", p.name, next), func() (bool, error) {
		if err := p.failure(); err != nil {
			return false, err
		}
		// Before the sink's first start there is no ledger to look at.
		made, err := one[bool](ctx, l.target, "select to_regclass('syncline.ledger') is not null")
		if err != nil || !made {
			return false, err
		}
		var at int64
		err = l.target.QueryRow(ctx, "select next_offset from syncline.ledger where connector = $1", p.name).Scan(&at)
		if errors.Is(err, pgx.ErrNoRows) {
			return false, nil
		}
		return err == nil && at >= next, err
	})
}
