package main

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

// prepareTarget makes the target's table anew, with the rows that are to be there before.
func (l *recorded) prepareTarget(ctx context.Context) error {
	if err := execute(ctx, l.target, "drop table if exists rows", order.create("rows")); err != nil {
		return err
	}
	if l.before != "" {
		if err := execute(ctx, l.target, "insert into rows "+l.before); err != nil {
			return err
		}
	}
	return execute(ctx, l.target, "vacuum analyze rows", "checkpoint")
}

// mustBeThere makes sure that what was timed was done.
func (l *recorded) mustBeThere(ctx context.Context) error {
	var count, sum int64
	if err := l.target.QueryRow(ctx, "select count(*), coalesce(sum(quantity), 0) from rows").Scan(&count, &sum); err != nil {
		return err
	}
	return l.equals(count, sum)
}

func (l *recorded) equals(count, sum int64) error {
	if count != l.rows || sum != l.sum {
		return fmt.Errorf("the target has %d rows with the sum %d; want %d with %d", count, sum, l.rows, l.sum)
	}
	return nil
}

// handBatch is what one transaction of the merge by hand writes: rows and the keys of rows that are to go, both as
// streams of binary COPY.
type handBatch struct{ rows, gone []byte }

// encodeBatches encodes the batches by hand, unless they are there.
func (l *recorded) encodeBatches(ctx context.Context, size int) error {
	if l.handRows == size {
		return nil
	}
	l.hand, l.handRows = nil, 0
	for from := 0; from < l.count; from += size {
		to := min(from+size, l.count)
		var b handBatch
		var err error
		if b.rows, err = l.copied(ctx, l.batch(from, to)); err != nil {
			return err
		}
		if l.gone != nil {
			if b.gone, err = l.copied(ctx, l.gone(from, to)); err != nil {
				return err
			}
		}
		l.hand = append(l.hand, b)
	}
	l.handRows = size
	return nil
}

func (l *recorded) copied(ctx context.Context, query string) ([]byte, error) {
	var stream bytes.Buffer
	if _, err := l.source.PgConn().CopyTo(ctx, &stream, "copy ("+query+") to stdout (format binary)"); err != nil {
		return nil, fmt.Errorf("%s: %w", query, err)
	}
	return stream.Bytes(), nil
}

const (
	handStage = "create temporary table if not exists hand (like rows) on commit delete rows"
	handGone  = "create temporary table if not exists hand_gone (id bigint) on commit delete rows"
	handMerge = `insert into rows select * from pg_temp.hand on conflict (id) do update set customer_id = excluded.customer_id,
	sku = excluded.sku, status = excluded.status, quantity = excluded.quantity, price = excluded.price, weight = excluded.weight,
	active = excluded.active, note = excluded.note, reference = excluded.reference, created = excluded.created, updated = excluded.updated`
	handDelete = "delete from rows using pg_temp.hand_gone where rows.id = hand_gone.id"
)

// mergeByHand is the baseline: rows that are in memory already, encoded as binary COPY, are copied into a temporary table
// and merged, a batch in a transaction. It fetches, decodes and remembers nothing. The clock runs from the first
// statement to the last commit.
func mergeByHand(size int) side[*recorded] {
	return side[*recorded]{name: fmt.Sprintf("merge by hand (binary COPY → staging → ON CONFLICT, %s rows)", thousands(float64(size))), run: func(ctx context.Context, _ *stage, l *recorded) (Sample, error) {
		if err := l.encodeBatches(ctx, size); err != nil {
			return Sample{}, err
		}
		if err := l.prepareTarget(ctx); err != nil {
			return Sample{}, err
		}
		start := time.Now()
		if err := execute(ctx, l.target, handStage, handGone); err != nil {
			return Sample{}, err
		}
		for _, b := range l.hand {
			if err := l.mergeBatch(ctx, b); err != nil {
				return Sample{}, err
			}
		}
		return Sample{Value: perSecond(l.count, time.Since(start))}, l.mustBeThere(ctx)
	}}
}

func (l *recorded) mergeBatch(ctx context.Context, b handBatch) error {
	if err := execute(ctx, l.target, "begin"); err != nil {
		return err
	}
	if _, err := l.target.PgConn().CopyFrom(ctx, bytes.NewReader(b.rows), "copy pg_temp.hand from stdin (format binary)"); err != nil {
		return fmt.Errorf("copy by hand: %w", err)
	}
	if b.gone == nil {
		return execute(ctx, l.target, handMerge, "commit")
	}
	if _, err := l.target.PgConn().CopyFrom(ctx, bytes.NewReader(b.gone), "copy pg_temp.hand_gone from stdin (format binary)"); err != nil {
		return fmt.Errorf("copy by hand: %w", err)
	}
	return execute(ctx, l.target, handMerge, handDelete, "commit")
}

// batchLimits are the sink's settings for batches of so many rows: the default of bytes would cut the largest.
func batchLimits(rows int) string {
	if rows > batchRows {
		return fmt.Sprintf("{rows: %d, bytes: 128MB}", rows)
	}
	return fmt.Sprintf("{rows: %d}", rows)
}

// sinkInto is the subject: the whole sink, which reads the topic, decodes, folds, merges and
// keeps its ledger, into a table of the same definition on the same server as the merge by hand. The clock runs from its
// claim of the partitions (a committed step of its own before the first fetch) until the ledger has the last record.
func sinkInto(size int) side[*recorded] {
	return side[*recorded]{name: "Syncline", run: func(ctx context.Context, s *stage, l *recorded) (Sample, error) {
		if err := l.prepareTarget(ctx); err != nil {
			return Sample{}, err
		}
		p, err := l.startSink(ctx, size)
		if err != nil {
			return Sample{}, err
		}
		defer p.kill()
		start, err := untilApplied(ctx, l.target, p, quickLook, -1)
		if err != nil {
			return Sample{}, err
		}
		end, err := untilApplied(ctx, l.target, p, slowLook, int64(l.records))
		if err != nil {
			return Sample{}, err
		}
		sample := Sample{Value: perSecond(l.count, end.Sub(start)), Rows: l.count}
		if err := p.stop(&sample); err != nil {
			return sample, err
		}
		return sample, l.mustBeThere(ctx)
	}}
}

func (l *recorded) startSink(ctx context.Context, size int) (*connector, error) {
	return l.stage.startConnector(ctx, spec{name: l.stage.unique("sink"), where: l.where, yaml: fmt.Sprintf(`connector: postgres-sink
topics: [%q]
batch: %s
postgres: {url: %q}
`, l.topic, batchLimits(size), l.targetURL())})
}

// untilApplied returns when the sink's ledger in the target has come to the offset, all partitions taken together; -1 is
// that of partitions just claimed.
func untilApplied(ctx context.Context, target *pgx.Conn, p *connector, pause time.Duration, next int64) (time.Time, error) {
	return until(ctx, pause, fmt.Sprintf("the ledger of %s is at %d", p.name, next), func() (bool, error) {
		if err := p.failure(); err != nil {
			return false, err
		}
		// Before the sink's first start there is no ledger to look at.
		made, err := one[bool](ctx, target, "select to_regclass('syncline.ledger') is not null")
		if err != nil || !made {
			return false, err
		}
		at, err := one[*int64](ctx, target, "select sum(next_offset)::bigint from syncline.ledger where connector = $1", p.name)
		return err == nil && at != nil && (next < 0 || *at >= next), err
	})
}

// sinkName is the heading of a sink's line.
func sinkName(target, what string, size int) string {
	return strings.Join([]string{target + " sink", what, "batches of " + thousands(float64(size))}, ", ")
}
