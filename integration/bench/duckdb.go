package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"
)

// appendByHand is the baseline: rows that are in memory already are appended to a temporary table and merged, a batch in
// a transaction, by a program of its own as the sink is one. It fetches, decodes and remembers nothing.
func appendByHand(size int) side[*recorded] {
	return side[*recorded]{name: fmt.Sprintf("appender and merge by hand, %s rows", thousands(float64(size))), run: func(ctx context.Context, s *stage, l *recorded) (Sample, error) {
		file := s.file(s.unique("hand") + ".duckdb")
		defer os.Remove(file) //nolint:errcheck // the folder goes with the stage
		mode := "new"
		if l.skipped > 0 {
			mode = "upsert"
		}
		out, err := s.duckdb(ctx, "hand", l.sourceURL(), l.batch(0, l.count), file, fmt.Sprint(size), mode)
		if err != nil {
			return Sample{}, err
		}
		var seconds float64
		if _, err := fmt.Sscan(out, &seconds); err != nil {
			return Sample{}, fmt.Errorf("the merge by hand said %q: %w", out, err)
		}
		return Sample{Value: float64(l.count) / seconds}, l.mustBeInFile(ctx, file)
	}}
}

// duckdb runs the program that has DuckDB in it and returns what it prints.
func (s *stage) duckdb(ctx context.Context, args ...string) (string, error) {
	path, err := s.built(ctx, duckdbProgram)
	if err != nil {
		return "", err
	}
	command := exec.CommandContext(ctx, path, args...)
	var trouble strings.Builder
	command.Stderr = &trouble
	out, err := command.Output()
	if err != nil {
		return "", fmt.Errorf("duckdb %s: %w: %s", args[0], err, trouble.String())
	}
	return string(out), nil
}

func (l *recorded) mustBeInFile(ctx context.Context, file string) error {
	out, err := l.stage.duckdb(ctx, "check", file)
	if err != nil {
		return err
	}
	var count, sum int64
	if _, err := fmt.Sscan(out, &count, &sum); err != nil {
		return fmt.Errorf("the check of the file said %q: %w", out, err)
	}
	return l.equals(count, sum)
}

// sinkIntoFile is the subject: the whole sink, from the topic of the embedded broker into a DuckDB file. The clock runs
// from its claim of the partition, or from the last of the records that only prepare the table, until the last record is
// in the file; the sink's own status says where it is.
func sinkIntoFile(size int) side[*recorded] {
	return side[*recorded]{name: "Syncline", run: func(ctx context.Context, s *stage, l *recorded) (Sample, error) {
		name := s.unique("duckdb")
		file := s.file(name + ".duckdb")
		defer os.Remove(file) //nolint:errcheck // the folder goes with the stage
		p, err := s.startConnector(ctx, spec{name: name, program: duckdbProgram, where: l.where, watched: true, yaml: fmt.Sprintf(`connector: duckdb-sink
topics: [%q]
batch: %s
duckdb: {path: %q}
`, l.topic, batchLimits(size), file)})
		if err != nil {
			return Sample{}, err
		}
		defer p.kill()
		start, at, err := l.untilInFile(ctx, p, quickLook, int64(l.skipped))
		if err != nil {
			return Sample{}, err
		}
		end, _, err := l.untilInFile(ctx, p, slowLook, int64(l.records))
		if err != nil {
			return Sample{}, err
		}
		// A batch may have gone beyond what only prepares.
		timed := l.records - max(int(at), l.skipped)
		sample := Sample{Value: perSecond(timed, end.Sub(start)), Rows: l.records}
		if err := p.stop(&sample); err != nil {
			return sample, err
		}
		return sample, l.mustBeInFile(ctx, file)
	}}
}

// untilInFile returns when the sink has applied the records before next, and where it was then.
func (l *recorded) untilInFile(ctx context.Context, p *connector, pause time.Duration, next int64) (when time.Time, at int64, err error) {
	when, err = until(ctx, pause, fmt.Sprintf("%s is at %d", p.name, next), func() (bool, error) {
		st, err := p.status(ctx)
		if err != nil || len(st.Partitions) == 0 {
			return false, err
		}
		at = st.Partitions[0].Next
		return next == 0 || at >= next, nil
	})
	return when, at, err
}
