package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/syncline-io/syncline/integration/engines"
)

const (
	latencyDatabase = "latency"
	// perSecondOneRow is the load: so many transactions of one row.
	perSecondOneRow = 1000
	// warmUp is left out at the beginning of a measurement: the topic is made then, and the transaction's first partition
	// is added.
	warmUp = 2 * time.Second
	// writers share the load, so that one commit's wait for the disk does not hold up the next transaction.
	writers = 4
)

// measureLatency takes the time from a commit at the source until a read-committed consumer on Apache Kafka has the
// record. The clock starts when the writer sends the transaction, so the server's own work for it and its fsync count;
// it stops when the consumer's poll returns. The baseline is the least that any producer could reach in the same place:
// records of the same size, produced by a bare client at the same rate without transactions, and seen by the same
// consumer.
func measureLatency(ctx context.Context, s *stage, o options) (results []Result, err error) {
	l := &latencyLoad{stage: s, seconds: o.seconds}
	s.say("latency: starting Apache Kafka")
	kafka, err := engines.StartKafka(ctx, engines.KafkaOptions{Dir: s.file("kafka")})
	if err != nil {
		return nil, err
	}
	defer kafka.Stop()
	l.kafka = kafka.Address()
	if l.conn, err = s.database(ctx, latencyDatabase); err != nil {
		return nil, err
	}
	defer disconnect(l.conn)
	for range writers {
		w, err := s.database(ctx, latencyDatabase)
		if err != nil {
			return nil, err
		}
		defer disconnect(w)
		l.writers = append(l.writers, w)
	}
	if err := execute(ctx, l.conn, rowsTable); err != nil {
		return nil, err
	}
	// A broker that has just started compiles its transaction's way for some seconds, and shares the processors for that.
	s.say("latency: warming the broker up")
	if _, err := l.publish(ctx, "lowest", o.runs); err != nil {
		return nil, fmt.Errorf("warm up: %w", err)
	}
	var bare []latencies
	for _, mode := range []latencyMode{{"lowest", 6, 15}, {"default", 0, 0}} {
		p50 := l.result(mode, "p50", mode.p50)
		p99 := l.result(mode, "p99", mode.p99)
		for n := range o.runs {
			if len(bare) <= n {
				m, err := l.bare(ctx, n)
				if err != nil {
					return nil, fmt.Errorf("bare producer: %w", err)
				}
				bare = append(bare, m)
				s.say("bare producer, run %d: %s", n+1, m)
			}
			m, err := l.publish(ctx, mode.name, n)
			if err != nil {
				return nil, fmt.Errorf("latency %s: %w", mode.name, err)
			}
			s.say("latency %s, run %d: %s", mode.name, n+1, m)
			p50.add(bare[n], m, 50)
			p99.add(bare[n], m, 99)
		}
		results = append(results, p50, p99)
	}
	return results, nil
}

// latencyMode is a value of the source's key latency, with its goals in milliseconds; 0 for none.
type latencyMode struct {
	name     string
	p50, p99 float64
}

// latencyLoad is a table into which single rows are written.
type latencyLoad struct {
	*stage
	kafka   string
	seconds int
	conn    *pgx.Conn
	writers []*pgx.Conn
	// next is the id of the next row.
	next int
}

func (l *latencyLoad) result(m latencyMode, quantile string, goal float64) Result {
	return Result{
		Name:    fmt.Sprintf("commit → visible in Apache Kafka, exactly_once, latency: %s, %d one-row transactions/s, %s", m.name, perSecondOneRow, quantile),
		Against: "bare producer, " + quantile, Latency: true, Goal: goal,
	}
}

func (r *Result) add(bare, m latencies, percent int) {
	r.Baseline = append(r.Baseline, Sample{Value: bare.percentile(percent)})
	m.used.Value = m.percentile(percent)
	r.Subject = append(r.Subject, m.used)
}

// latencies are the sorted times of one measurement, in milliseconds, and what the connector used.
type latencies struct {
	sorted []float64
	used   Sample
}

// percentile is the value that so many percent of the values do not exceed.
func (m latencies) percentile(percent int) float64 {
	if len(m.sorted) == 0 {
		return 0
	}
	return m.sorted[(len(m.sorted)*percent+99)/100-1]
}

func (m latencies) String() string {
	return fmt.Sprintf("p50 %.1f, p99 %.1f, p99.9 %.1f ms of %d", m.percentile(50), m.percentile(99), m.sorted[len(m.sorted)*999/1000], len(m.sorted))
}

// publish is the subject.
func (l *latencyLoad) publish(ctx context.Context, mode string, n int) (m latencies, err error) {
	name := fmt.Sprintf("bench-latency-%s-%d", mode, n)
	slot := slot{l.conn, fmt.Sprintf("bench_latency_%s_%d", mode, n)}
	p, err := l.startConnector(name, l.kafka, fmt.Sprintf(`connector: postgres-source
delivery: exactly_once
latency: %s
postgres: {url: %q, tables: [public.rows], slot: %s, start: stream}
`, mode, l.server.URL(latencyDatabase), slot.name))
	if err != nil {
		return m, err
	}
	defer p.kill()
	if _, err := slot.untilUsed(ctx, p.failure); err != nil {
		return m, err
	}
	if m, err = l.measure(ctx, name+".public.rows", l.insert, rowID); err != nil {
		return m, errors.Join(err, p.failure())
	}
	m.used.Rows = l.seconds * perSecondOneRow
	if err := p.stop(&m.used); err != nil {
		return m, err
	}
	return m, slot.drop(ctx)
}

// insert commits one row.
func (l *latencyLoad) insert(ctx context.Context, writer, id int) error {
	_, err := l.writers[writer].Exec(ctx, "insert into rows "+fmt.Sprintf(rowsOf, "$1::bigint", "$1::bigint"), id)
	return err
}

// rowID takes the row's id from the record's key: five bytes of the wire format, and Avro's zigzag long.
func rowID(r *kgo.Record) int {
	id, _ := binary.Varint(r.Key[5:])
	return int(id)
}

// bare is the baseline.
func (l *latencyLoad) bare(ctx context.Context, n int) (latencies, error) {
	topic := fmt.Sprintf("bench-bare-%d", n)
	client, err := kgo.NewClient(kgo.SeedBrokers(l.kafka), kgo.DefaultProduceTopic(topic), kgo.ProducerLinger(0))
	if err != nil {
		return latencies{}, err
	}
	defer client.Close()
	if _, err := kadm.NewClient(client).CreateTopic(ctx, 1, 1, nil, topic); err != nil {
		return latencies{}, err
	}
	value := make([]byte, 400)
	return l.measure(ctx, topic, func(ctx context.Context, _, id int) error {
		r := &kgo.Record{Key: binary.BigEndian.AppendUint64(nil, uint64(id)), Value: value}
		return client.ProduceSync(ctx, r).FirstErr()
	}, func(r *kgo.Record) int { return int(binary.BigEndian.Uint64(r.Key)) })
}

// measure sends ids at the rate of the load and waits until the consumer has seen all of them. idOf finds an id in a
// record.
func (l *latencyLoad) measure(ctx context.Context, topic string, send func(ctx context.Context, writer, id int) error, idOf func(*kgo.Record) int) (latencies, error) {
	first := l.next
	warm := int(warmUp.Seconds()) * perSecondOneRow
	count := warm + l.seconds*perSecondOneRow
	l.next += count
	sent := make([]time.Time, count)

	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var group sync.WaitGroup
	failed := make(chan error, writers)
	began := time.Now()
	for w := range writers {
		group.Go(func() {
			for i := w; i < count; i += writers {
				time.Sleep(time.Until(began.Add(time.Duration(i) * time.Second / perSecondOneRow)))
				sent[i] = time.Now()
				if err := send(ctx, w, first+i); err != nil {
					failed <- err
					cancel()
					return
				}
			}
		})
	}
	seen, err := l.consume(ctx, topic, count, func(r *kgo.Record) int { return idOf(r) - first })
	if err != nil {
		cancel()
	}
	group.Wait()
	select {
	case sending := <-failed:
		return latencies{}, sending
	default:
	}
	if err != nil {
		return latencies{}, err
	}
	var m latencies
	for i := warm; i < count; i++ {
		m.sorted = append(m.sorted, float64(seen[i].Sub(sent[i]))/float64(time.Millisecond))
	}
	slices.Sort(m.sorted)
	return m, nil
}

// consume reads committed records until it has seen every index once, and returns when it saw each.
func (l *latencyLoad) consume(ctx context.Context, topic string, count int, index func(*kgo.Record) int) ([]time.Time, error) {
	client, err := kgo.NewClient(kgo.SeedBrokers(l.kafka), kgo.ConsumeTopics(topic), kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.MetadataMinAge(50*time.Millisecond), kgo.UnknownTopicRetries(-1))
	if err != nil {
		return nil, err
	}
	defer client.Close()
	seen := make([]time.Time, count)
	for left := count; left > 0; {
		fetches := client.PollFetches(ctx)
		now := time.Now()
		if ctx.Err() != nil {
			return nil, fmt.Errorf("%d of %d records of %s did not come: %w", left, count, topic, context.Cause(ctx))
		}
		var wrong error
		fetches.EachRecord(func(r *kgo.Record) {
			i := index(r)
			if i < 0 || i >= count || !seen[i].IsZero() {
				wrong = fmt.Errorf("topic %s: offset %d holds row %d, which was not sent or was there before", topic, r.Offset, i)
				return
			}
			seen[i] = now
			left--
		})
		if wrong != nil {
			return nil, wrong
		}
	}
	return seen, nil
}
