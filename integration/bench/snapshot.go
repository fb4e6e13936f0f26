package main

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/jackc/pgx/v5"
)

const snapshotDatabase = "snapshot"

// measureSnapshot compares how fast a table is read: into a topic of the embedded broker, and by psql's COPY TO as text
// into nothing. The clock runs from the moment when the server is at the COPY until the broker has acknowledged the last
// row, or until psql has ended.
func measureSnapshot(ctx context.Context, s *stage, o options) ([]Result, error) {
	c, err := s.database(ctx, snapshotDatabase)
	if err != nil {
		return nil, err
	}
	defer disconnect(c)
	s.say("snapshot: preparing %d rows", o.rows)
	if err := execute(ctx, c, rowsTable); err != nil {
		return nil, err
	}
	if err := fillRows(ctx, c, o.rows, 100*rowsPerTransaction); err != nil {
		return nil, err
	}
	// The first reader of new rows also writes: their hint bits.
	if err := execute(ctx, c, "vacuum (freeze, analyze) rows", "checkpoint"); err != nil {
		return nil, err
	}
	l := &snapshotLoad{stage: s, conn: c, rows: o.rows}
	r := Result{Name: "snapshot → embedded broker", Against: "psql COPY TO (text → /dev/null)", Goal: 0.9}
	err = s.alternate(ctx, &r, o.runs, l.copyOut, l.publish)
	return []Result{r}, err
}

// snapshotLoad is a table to be read whole.
type snapshotLoad struct {
	*stage
	conn *pgx.Conn
	rows int
}

// untilCopying returns when the server has begun to copy a table of the database.
func (l *snapshotLoad) untilCopying(ctx context.Context, failure func() error) (time.Time, error) {
	return until(ctx, quickLook, "the server copies", func() (bool, error) {
		if err := failure(); err != nil {
			return false, err
		}
		return one[bool](ctx, l.conn, "select exists (select from pg_stat_progress_copy where datname = current_database())")
	})
}

// copyOut is the baseline.
func (l *snapshotLoad) copyOut(ctx context.Context, _ int) (Sample, error) {
	command := exec.CommandContext(ctx, filepath.Join(l.programs, "psql"), "--no-psqlrc", "--quiet", "--dbname", l.server.URL(snapshotDatabase),
		"--output", "/dev/null", "--command", "copy rows to stdout")
	took, err := timeProgram(command, func(failure func() error) (time.Time, error) { return l.untilCopying(ctx, failure) })
	return Sample{Value: perSecond(l.rows, took)}, err
}

// publish is the subject.
func (l *snapshotLoad) publish(ctx context.Context, n int) (Sample, error) {
	name := fmt.Sprintf("bench-snapshot-%d", n)
	slot := slot{l.conn, fmt.Sprintf("bench_snapshot_%d", n)}
	p, err := l.startConnector(name, "", fmt.Sprintf(`connector: postgres-source
delivery: at_least_once
postgres: {url: %q, tables: [public.rows], slot: %s}
`, l.server.URL(snapshotDatabase), slot.name))
	if err != nil {
		return Sample{}, err
	}
	defer p.kill()
	start, err := l.untilCopying(ctx, p.failure)
	if err != nil {
		return Sample{}, err
	}
	topic := name + ".public.rows"
	end, err := l.untilArrived(ctx, p, topic, l.rows)
	if err != nil {
		return Sample{}, err
	}
	sample := Sample{Value: perSecond(l.rows, end.Sub(start)), Rows: l.rows}
	if err := p.stop(&sample); err != nil {
		return sample, err
	}
	if err := l.dropTopic(ctx, topic); err != nil {
		return sample, err
	}
	return sample, slot.drop(ctx)
}
