package main

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/jackc/pgx/v5"
)

// frozen is a table to be read whole.
type frozen struct {
	stage *stage
	conn  *pgx.Conn
	rows  int
}

// frozenTable is the recipe of a table of orders.
var frozenTable = recipe[*frozen]{"snapshot", func(ctx context.Context, s *stage, o options) (*frozen, error) {
	return s.freeze(ctx, "snapshot", order, o.rows)
}}

func (s *stage) freeze(ctx context.Context, database string, shape tableShape, rows int) (*frozen, error) {
	c, err := s.database(ctx, database)
	if err != nil {
		return nil, err
	}
	err = execute(ctx, c, shape.create("rows"), inTransactions(rows, 100*rowsPerTransaction, shape.insert("rows", "at", "upto")),
		// The first reader of new rows also writes: their hint bits.
		"vacuum (freeze, analyze) rows", "checkpoint")
	if err != nil {
		disconnect(c)
		return nil, err
	}
	return &frozen{s, c, rows}, nil
}

func (l *frozen) drop(ctx context.Context) error { return l.stage.dropDatabase(ctx, l.conn) }

func (l *frozen) url() string { return l.stage.server.URL(l.conn.Config().Database) }

// untilCopying returns when the server has begun to copy a table of the database.
func (l *frozen) untilCopying(ctx context.Context, failure func() error) (time.Time, error) {
	return until(ctx, quickLook, "the server copies", func() (bool, error) {
		if err := failure(); err != nil {
			return false, err
		}
		return one[bool](ctx, l.conn, "select exists (select from pg_stat_progress_copy where datname = current_database())")
	})
}

// copyOut is the baseline: psql's COPY TO as text into nothing. The clock runs from the moment when the server is at the
// COPY until psql has ended.
var copyOut = side[*frozen]{name: "psql COPY TO (text → /dev/null)", run: func(ctx context.Context, s *stage, l *frozen) (Sample, error) {
	command := exec.CommandContext(ctx, filepath.Join(s.programs, "psql"), "--no-psqlrc", "--quiet", "--dbname", l.url(),
		"--output", "/dev/null", "--command", "copy rows to stdout")
	took, err := timeProgram(command, func(failure func() error) (time.Time, error) { return l.untilCopying(ctx, failure) })
	return Sample{Value: perSecond(l.rows, took)}, err
}}

// readWhole is the subject: the source's snapshot. The clock runs from the moment when the server is at the COPY until the
// broker has acknowledged the last row.
func readWhole(to place) side[*frozen] {
	return side[*frozen]{name: "Syncline, " + string(atLeastOnce), run: func(ctx context.Context, s *stage, l *frozen) (Sample, error) {
		b, err := to(ctx, s)
		if err != nil {
			return Sample{}, err
		}
		return l.publish(ctx, b)
	}}
}

func (l *frozen) publish(ctx context.Context, b *broker) (Sample, error) {
	name := l.stage.unique("snapshot")
	slot := slot{l.conn, underscored(name)}
	p, err := l.stage.startConnector(ctx, spec{name: name, where: l.stage.with(b), yaml: fmt.Sprintf(`connector: postgres-source
delivery: at_least_once
postgres: {url: %q, tables: [public.rows], slot: %s}
`, l.url(), slot.name)})
	if err != nil {
		return Sample{}, err
	}
	defer p.kill()
	start, err := l.untilCopying(ctx, p.failure)
	if err != nil {
		return Sample{}, err
	}
	topics := topics(name, []string{"rows"})
	end, err := b.untilArrived(ctx, p.failure, atLeastOnce, topics, l.rows)
	if err != nil {
		return Sample{}, err
	}
	sample := Sample{Value: perSecond(l.rows, end.Sub(start)), Rows: l.rows}
	if err := p.stop(&sample); err != nil {
		return sample, err
	}
	if err := b.dropTopics(ctx, topics); err != nil {
		return sample, err
	}
	return sample, slot.drop(ctx)
}
