package main

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/jackc/pgx/v5"
)

const (
	streamDatabase = "stream"
	publication    = "bench"
)

// measureStream compares how fast a slot is drained: into a topic of the embedded broker, and by pg_recvlogical into
// nothing. Every run drains its own copy of one prepared slot, so that the server decodes the same log each time. The
// clock runs from the moment when the slot is in use until the broker has acknowledged the last row, or until
// pg_recvlogical has ended, which it does when it has everything.
func measureStream(ctx context.Context, s *stage, o options) ([]Result, error) {
	l, err := s.prepareStream(ctx, o.rows)
	if err != nil {
		return nil, err
	}
	defer disconnect(l.conn)
	r := Result{
		Name: "stream → embedded broker, idempotent", Against: "pg_recvlogical (pgoutput → /dev/null)", Goal: 1.0,
	}
	if err := s.alternate(ctx, &r, o.runs, l.receive, l.publish); err != nil {
		return nil, err
	}
	return []Result{r}, l.slot.drop(ctx)
}

// streamLoad is a slot with rows behind it.
type streamLoad struct {
	*stage
	conn *pgx.Conn
	slot slot
	rows int
	// end is where the log ended when all rows were in it.
	end string
}

func (s *stage) prepareStream(ctx context.Context, rows int) (*streamLoad, error) {
	c, err := s.database(ctx, streamDatabase)
	if err != nil {
		return nil, err
	}
	l := &streamLoad{stage: s, conn: c, rows: rows}
	s.say("stream: preparing %d rows in transactions of %d", rows, rowsPerTransaction)
	// The publication comes first: the server cannot decode changes from before its creation.
	err = execute(ctx, c, rowsTable, "create publication "+publication+" for table rows")
	if err == nil {
		l.slot, err = makeSlot(ctx, c, "bench_prepared")
	}
	if err == nil {
		err = fillRows(ctx, c, rows, rowsPerTransaction)
	}
	if err == nil {
		err = execute(ctx, c, "checkpoint")
	}
	if err == nil {
		l.end, err = one[string](ctx, c, "select pg_current_wal_lsn()::text")
	}
	if err != nil {
		disconnect(c)
		return nil, err
	}
	return l, nil
}

// receive is the baseline.
func (l *streamLoad) receive(ctx context.Context, n int) (Sample, error) {
	slot, err := l.slot.copy(ctx, fmt.Sprintf("bench_receive_%d", n))
	if err != nil {
		return Sample{}, err
	}
	command := exec.CommandContext(ctx, filepath.Join(l.programs, "pg_recvlogical"), "--dbname", l.server.URL(streamDatabase),
		"--slot", slot.name, "--start", "--file", "/dev/null", "--endpos", l.end, "--no-loop",
		"--option", "proto_version=1", "--option", "publication_names="+publication)
	took, err := timeProgram(command, func(failure func() error) (time.Time, error) { return slot.untilUsed(ctx, failure) })
	if err != nil {
		return Sample{}, err
	}
	return Sample{Value: perSecond(l.rows, took)}, slot.drop(ctx)
}

// publish is the subject.
func (l *streamLoad) publish(ctx context.Context, n int) (Sample, error) {
	name := fmt.Sprintf("bench-stream-%d", n)
	slot, err := l.slot.copy(ctx, fmt.Sprintf("bench_publish_%d", n))
	if err != nil {
		return Sample{}, err
	}
	p, err := l.startConnector(name, "", fmt.Sprintf(`connector: postgres-source
delivery: at_least_once
postgres: {url: %q, tables: [public.rows], slot: %s, publication: %s, start: stream}
`, l.server.URL(streamDatabase), slot.name, publication))
	if err != nil {
		return Sample{}, err
	}
	defer p.kill()
	start, err := slot.untilUsed(ctx, p.failure)
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
