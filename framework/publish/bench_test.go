package publish

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/syncline-io/syncline/framework/source"
	"github.com/syncline-io/syncline/schemas"
)

// clocked is a source that emits n changes, one every interval (0: as fast as it can), and notes when.
type clocked struct {
	table    *schemas.Table
	n        int
	interval time.Duration
	emitted  []time.Time
	start    time.Time
	last     chan struct{} // closed when the last change is confirmed
}

func (s *clocked) Lease(context.Context) error { return nil }
func (s *clocked) Close() error                { return nil }

func (s *clocked) Confirm(p source.Position) {
	if int(p.Version.High) == s.n {
		close(s.last)
	}
}

func (s *clocked) Run(ctx context.Context, _ source.Position, out source.Emitter) error {
	if err := out.SetState([]byte(`{}`)); err != nil {
		return err
	}
	name := []byte("a row of some ordinary length, as they are in the tables of ordinary shops: about two hundred bytes with all of its columns, none of which compresses to nothing, so here are some more: 81723681 27361 28736")
	c := schemas.Change{Table: s.table, Op: schemas.Create, After: make([]schemas.Value, 2)}
	s.start = time.Now()
	for i := range s.n {
		if due := s.start.Add(time.Duration(i) * s.interval); s.interval > 0 {
			time.Sleep(time.Until(due))
		}
		c.Version = schemas.Version{High: uint64(i + 1), Low: 1}
		c.After[0], c.After[1] = schemas.IntValue(int64(i)), schemas.BytesValue(name)
		now := time.Now()
		c.Source.Time = now.UnixMicro()
		s.emitted[i] = now
		if err := out.Emit(&c); err != nil {
			return err
		}
	}
	<-ctx.Done()
	return ctx.Err()
}

func newClocked(n int, interval time.Duration) *clocked {
	return &clocked{table: itemsTable("items"), n: n, interval: interval, emitted: make([]time.Time, n), last: make(chan struct{})}
}

func (s *clocked) open(context.Context, source.Env) (source.Source, error) { return s, nil }

// BenchmarkLatency emits 1,000 changes a second, each an upstream transaction of its own, and measures the time until a
// reader of committed records has them.
func BenchmarkLatency(b *testing.B) {
	for _, mode := range []struct {
		name                string
		lowest, atLeastOnce bool
	}{{"lowest", true, false}, {"default", false, false}, {"lowest at least once", true, true}} {
		b.Run(mode.name, func(b *testing.B) {
			const warm, measured = 1000, 5000
			for b.Loop() { // one run takes long enough to be the only one
				c, s := realKafka(b), newClocked(warm+measured, time.Millisecond)
				o := c.options(newUpstream())
				o.Open, o.LowestLatency, o.AtLeastOnce = s.open, mode.lowest, mode.atLeastOnce
				p := run(b, o)
				latencies := c.follow(b, c.name+".public.items", s, warm)
				<-s.last
				if err := p.stop(); err != nil {
					b.Fatal(err)
				}
				slices.Sort(latencies)
				at := func(q float64) float64 {
					return float64(latencies[int(q*float64(len(latencies)-1))].Microseconds()) / 1000
				}
				b.ReportMetric(at(.5), "p50-ms")
				b.ReportMetric(at(.99), "p99-ms")
				b.ReportMetric(at(1), "max-ms")
				b.ReportMetric(float64(p.Status().Transactions), "transactions")
			}
		})
	}
}

// follow reads what s emits and returns the time from Emit until the reader had each change, the first warm left out.
func (c cluster) follow(b *testing.B, topic string, s *clocked, warm int) []time.Duration {
	b.Helper()
	cl, err := kgo.NewClient(append(c.opts, kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.ConsumeTopics(topic),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.MetadataMinAge(50*time.Millisecond), kgo.UnknownTopicRetries(1000))...)
	if err != nil {
		b.Fatal(err)
	}
	defer cl.Close()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	latencies := make([]time.Duration, 0, s.n)
	for seen := 0; seen < s.n; {
		fetches := cl.PollFetches(ctx)
		now := time.Now()
		if ctx.Err() != nil {
			b.Fatalf("read %d of %d changes: %v", seen, s.n, fetches.Err())
		}
		fetches.EachRecord(func(*kgo.Record) {
			if seen >= warm {
				latencies = append(latencies, now.Sub(s.emitted[seen]))
			}
			seen++
		})
	}
	return latencies
}

// BenchmarkThroughput emits as fast as the publisher takes it.
func BenchmarkThroughput(b *testing.B) {
	for _, atLeastOnce := range []bool{false, true} {
		b.Run(fmt.Sprintf("atLeastOnce=%v", atLeastOnce), func(b *testing.B) {
			for b.Loop() {
				c, s := realKafka(b), newClocked(1_000_000, 0)
				o := c.options(newUpstream())
				o.Open, o.AtLeastOnce = s.open, atLeastOnce
				p := run(b, o)
				<-s.last
				took := time.Since(s.start)
				if err := p.stop(); err != nil {
					b.Fatal(err)
				}
				b.ReportMetric(float64(s.n)/took.Seconds(), "rows/s")
				b.ReportMetric(float64(p.Status().Transactions), "transactions")
			}
		})
	}
}
