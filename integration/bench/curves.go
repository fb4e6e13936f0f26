package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

// curve is one measurement over a range of sizes: what bends as the work grows is seen where it bends.
type curve struct {
	name, heading string
	// axis says what the sizes count, steps are the sizes. Those of a curve whose load itself grows are scaled.
	axis    string
	steps   []int
	scaled  bool
	measure func(ctx context.Context, s *stage, o options, size int) (Point, error)
}

// Curve is a curve, measured.
type Curve struct {
	Name   string  `json:"name"`
	Title  string  `json:"title"`
	Axis   string  `json:"axis"`
	Points []Point `json:"points"`
}

// Point is one size: the baseline's run, unless there is none, and the subject's.
type Point struct {
	Size     int     `json:"size"`
	Rows     int     `json:"rows"`
	Baseline *Sample `json:"baseline,omitempty"`
	Subject  Sample  `json:"subject"`
}

// curves are all of them. A point's load is made for it alone.
var curves = []curve{
	{
		"width", "stream → embedded broker, width of the rows (five million values)", "columns",
		[]int{10, 25, 50, 100, 200, 500},
		false, streamed(func(o options, columns int) history {
			return inserted(wide(columns), rowsPerTransaction)(o.sized(5_000_000 / columns))
		}),
	},
	{
		"tables", "stream → embedded broker, number of tables (inserts, updates and deletes of each in every transaction); topics and schemas are made within the time", "tables",
		[]int{1, 10, 100, 1000},
		false, streamed(func(o options, tables int) history { return mixed(tables)(o.sized(500_000)) }),
	},
	{
		"transaction", "stream → embedded broker, size of the transactions", "rows in a transaction",
		[]int{1, 10, 100, 1_000, 10_000, 100_000, 1_000_000, 2_000_000},
		true, streamed(func(o options, each int) history {
			return inserted(order, each)(max(each, o.sized(min(500_000, 100_000*each))))
		}),
	},
	{
		"backlog", "stream → embedded broker, rows behind the slot, in transactions of 1,000", "rows",
		[]int{1_000_000, 2_000_000, 5_000_000, 10_000_000},
		true, streamed(func(_ options, rows int) history {
			return inserted(order, rowsPerTransaction)(rows)
		}),
	},
	{
		"partitions", "stream → embedded broker, partitions of the topic (500,000 rows)", "partitions",
		[]int{1, 2, 4, 8, 16, 32},
		false, measurePartitions,
	},
	{
		"sink-partitions", "PostgreSQL sink, new rows, partitions of the topic (500,000 rows)", "partitions",
		[]int{1, 2, 4, 8, 16},
		false, func(ctx context.Context, s *stage, o options, size int) (Point, error) {
			return s.measureSinks(ctx, o, 1, size)
		},
	},
	{
		"sinks", "PostgreSQL sinks, new rows, on one topic, each into a database of its own (500,000 rows each)", "sinks",
		[]int{1, 2, 4, 8},
		false, func(ctx context.Context, s *stage, o options, size int) (Point, error) {
			return s.measureSinks(ctx, o, size, 1)
		},
	},
}

// sized is a number of rows by the flag -scale.
func (o options) sized(rows int) int { return max(int(float64(rows)*o.scale), rowsPerTransaction) }

func measureCurves(ctx context.Context, s *stage, o options) (all []Curve, err error) {
	for _, c := range o.chosen {
		measured := Curve{Name: c.name, Title: c.heading, Axis: c.axis}
		for _, size := range c.steps {
			if c.scaled {
				size = max(int(float64(size)*o.scale), 1)
			}
			if n := len(measured.Points); n > 0 && measured.Points[n-1].Size == size {
				continue // scaled down to the same
			}
			s.say("%s: %d %s", c.name, size, c.axis)
			p, err := c.measure(ctx, s, o, size)
			if err != nil {
				return append(all, measured), fmt.Errorf("curve %s at %d: %w", c.name, size, err)
			}
			p.Size = size
			measured.Points = append(measured.Points, p)
		}
		all = append(all, measured)
	}
	return all, nil
}

// streamed measures pg_recvlogical and the source over changes that are made for each size.
func streamed(written func(o options, size int) history) func(context.Context, *stage, options, int) (Point, error) {
	return func(ctx context.Context, s *stage, o options, size int) (p Point, err error) {
		l, err := s.writeChanges(ctx, underscored(s.unique("curve")), written(o, size))
		if err != nil {
			return p, err
		}
		theirs, err := receive.run(ctx, s, l)
		if err != nil {
			return p, fmt.Errorf("%s: %w", receive.name, err)
		}
		p.Rows, p.Baseline = l.count, &theirs
		if p.Subject, err = idempotent.run(ctx, s, l); err != nil {
			return p, err
		}
		return p, l.drop(ctx)
	}
}

// measurePartitions publishes into topics of so many partitions; the baseline is one partition's, measured just before.
func measurePartitions(ctx context.Context, s *stage, o options, size int) (p Point, err error) {
	l, err := prepared(ctx, s, o, recipe[*changes]{"partitions", func(ctx context.Context, s *stage, o options) (*changes, error) {
		return s.writeChanges(ctx, "partitions", inserted(order, rowsPerTransaction)(o.sized(500_000)))
	}})
	if err != nil {
		return p, err
	}
	p.Rows = l.count
	p.Subject, err = publish(toEmbedded, atLeastOnce, fmt.Sprintf("topics: {partitions: %d}", size)).run(ctx, s, l)
	return p, err
}

// measureSinks lets so many sinks read one topic of so many partitions at once. The clock runs from the first claim until
// the last ledger has everything; rows and usage are those of all.
func (s *stage) measureSinks(ctx context.Context, o options, sinks, partitions int) (p Point, err error) {
	l, err := s.record(ctx, s.unique("curve"), newRows(o.sized(500_000)), s.here(), partitions)
	if err != nil {
		return p, err
	}
	targets := []*pgx.Conn{l.target}
	for n := 1; n < sinks; n++ {
		c, err := s.database(ctx, fmt.Sprintf("%s_%d", l.target.Config().Database, n))
		if err != nil {
			return p, err
		}
		targets = append(targets, c)
	}
	p.Rows = l.count * sinks
	if p.Subject, err = l.loadAll(ctx, targets); err != nil {
		return p, err
	}
	for _, c := range targets[1:] {
		if err := s.dropDatabase(ctx, c); err != nil {
			return p, err
		}
	}
	return p, l.drop(ctx)
}

func (l *recorded) loadAll(ctx context.Context, targets []*pgx.Conn) (sample Sample, err error) {
	var sinks []*connector
	defer func() {
		for _, p := range sinks {
			p.kill()
		}
	}()
	for _, target := range targets {
		l := *l
		l.target = target
		if err := l.prepareTarget(ctx); err != nil {
			return sample, err
		}
		p, err := l.startSink(ctx, batchRows)
		if err != nil {
			return sample, err
		}
		sinks = append(sinks, p)
	}
	start, err := untilApplied(ctx, targets[0], sinks[0], quickLook, -1)
	if err != nil {
		return sample, err
	}
	var end time.Time
	for i, p := range sinks {
		if end, err = untilApplied(ctx, targets[i], p, slowLook, int64(l.records)); err != nil {
			return sample, err
		}
	}
	sample.Rows = l.count * len(sinks)
	sample.Value = perSecond(sample.Rows, end.Sub(start))
	var errs []error
	for i, p := range sinks {
		l := *l
		l.target = targets[i]
		errs = append(errs, p.stop(&sample), l.mustBeThere(ctx))
	}
	return sample, errors.Join(errs...)
}

// writeCurves prints a table for each curve.
func writeCurves(w io.Writer, all []Curve) error {
	var b strings.Builder
	for i, c := range all {
		if i > 0 {
			b.WriteString("\n")
		}
		fmt.Fprintf(&b, "**%s**\n\n| %s | rows | pg_recvlogical's rows/s | rows/s | ratio | CPU s per million rows | memory, usual / most |\n|---|---|---|---|---|---|---|\n", c.Title, c.Axis)
		for _, p := range c.Points {
			r := Result{Subject: []Sample{p.Subject}}
			theirs, beside := "–", "–"
			if p.Baseline != nil {
				r.Baseline = []Sample{*p.Baseline}
				theirs, beside = thousands(p.Baseline.Value), ratio(r.Ratio())
			}
			fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | %s | %s |\n", thousands(float64(p.Size)), thousands(float64(p.Rows)), theirs,
				thousands(p.Subject.Value), beside, r.showCPU(), r.showMemory())
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}
