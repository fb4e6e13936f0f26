package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"

	"github.com/syncline-io/syncline/framework/load"
	"github.com/syncline-io/syncline/framework/publish"
	"github.com/syncline-io/syncline/framework/run"
)

// watch follows the connectors through their own status.
type watch struct {
	connectors *run.Process
	admin      *kadm.Client
	out        io.Writer
}

// patience is how long the demo waits without any progress before it gives up.
const patience = 60 * time.Second

// read returns the source's status and the sinks' by name.
func (w *watch) read() (source publish.Status, sinks map[string]load.Status) {
	sinks = map[string]load.Status{}
	for name, s := range w.connectors.Status() {
		switch s := s.(type) {
		case publish.Status:
			source = s
		case load.Status:
			sinks[name] = s
		}
	}
	return source, sinks
}

// snapshot shows progress until the source streams and the sinks have what it has sent.
func (w *watch) snapshot(ctx context.Context) error {
	start := time.Now()
	last, lastChange := int64(-1), time.Now()
	for {
		source, sinks := w.read()
		arrived := slowest(sinks)
		if arrived != last {
			last, lastChange = arrived, time.Now()
		}
		elapsed := time.Since(start).Seconds()
		if source.State == publish.Streaming {
			all, err := w.allWritten(ctx, sinks)
			if err != nil {
				return err
			}
			if all {
				fmt.Fprintf(w.out, "snapshot   %d rows in every target after %.1f s\n", arrived, elapsed)
				return nil
			}
		}
		if time.Since(lastChange) > patience {
			return errors.New("no progress: " + trouble(source, sinks))
		}
		expected := max(source.Progress.RowsExpected, source.Progress.RowsDone, 1)
		fmt.Fprintf(w.out, "snapshot   %8d rows read, %8d in every target, %3d %%, %7.0f rows/s\n",
			source.Progress.RowsDone, arrived, min(100, 100*arrived/expected), float64(arrived)/max(elapsed, 0.001))
		if err := sleep(ctx, time.Second); err != nil {
			return err
		}
	}
}

// slowest returns the fewest rows that a sink has written.
func slowest(sinks map[string]load.Status) int64 {
	rows := int64(-1)
	for _, s := range sinks {
		if rows < 0 || s.Rows < rows {
			rows = s.Rows
		}
	}
	return max(rows, 0)
}

// allWritten reports whether every sink has written everything that is in the topics now.
func (w *watch) allWritten(ctx context.Context, sinks map[string]load.Status) (bool, error) {
	var topics []string
	for _, t := range shopTables {
		topics = append(topics, "shop."+t)
	}
	ends, err := w.admin.ListEndOffsets(ctx, topics...)
	if err != nil {
		return false, fmt.Errorf("list the ends of the topics: %w", err)
	}
	for _, s := range sinks {
		next := map[string]int64{}
		for _, p := range s.Partitions {
			next[p.Topic] = p.Next
		}
		for _, t := range topics {
			if end, ok := ends.Lookup(t, 0); !ok || end.Err != nil || next[t] < end.Offset {
				return false, nil
			}
		}
	}
	return len(sinks) > 0, nil
}

// caughtUp waits until everything up to the source's position lsn is in the targets, and tells the latencies.
func (w *watch) caughtUp(ctx context.Context, lsn string) error {
	want, err := strconv.ParseUint(lsn, 10, 64)
	if err != nil {
		return err
	}
	deadline := time.Now().Add(patience)
	for {
		source, sinks := w.read()
		if source.Position.High >= want {
			all, err := w.allWritten(ctx, sinks)
			if err != nil {
				return err
			}
			if all {
				break
			}
		}
		if time.Now().After(deadline) {
			return errors.New("the targets do not catch up: " + trouble(source, sinks))
		}
		if err := sleep(ctx, 50*time.Millisecond); err != nil {
			return err
		}
	}
	_, sinks := w.read()
	for name, s := range sinks {
		fmt.Fprintf(w.out, "latency    commit to %-15s p50 %4d ms, p99 %4d ms\n", name, s.LatencyP50.Milliseconds(), s.LatencyP99.Milliseconds())
	}
	return nil
}

// trouble says what the connectors say is wrong.
func trouble(source publish.Status, sinks map[string]load.Status) string {
	text := fmt.Sprintf("source %s %s", source.State, source.LastError)
	for name, s := range sinks {
		text += fmt.Sprintf("; %s %s, lag %d %s", name, s.State, s.Lag, s.LastError)
	}
	return text
}

func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(d):
		return nil
	}
}
