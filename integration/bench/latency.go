package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

func latencyLine(name string, rate int, mode string, how delivery, usual bool, p50, p99 float64) line {
	heading := fmt.Sprintf("commit → visible in Apache Kafka, %s, latency: %s, %s rows/s", how, mode, thousands(float64(rate)))
	return line{
		name, heading, usual,
		Goal{P50: p50, P99: p99, Latency: true},
		over[*clocked]{rateOf(rate), bareProducer, warmed(untilVisible(mode, how))},
	}
}

// untilVisible is the subject: the time from a commit at the source until a read-committed consumer on Apache Kafka has
// the record. The clock starts when the writer sends the transaction, so the server's own work for it and its fsync count;
// it stops when the consumer's poll returns.
func untilVisible(mode string, how delivery) side[*clocked] {
	return side[*clocked]{name: "Syncline", run: func(ctx context.Context, s *stage, l *clocked) (Sample, error) {
		b, err := toKafka(ctx, s)
		if err != nil {
			return Sample{}, err
		}
		p, slot, err := l.startSource(ctx, b, mode, how)
		if err != nil {
			return Sample{}, err
		}
		defer p.kill()
		topic := p.name + ".public.rows"
		brokerBefore := b.cpu()
		m, err := l.measure(ctx, l.insert, b.consume(topic, rowID))
		if err != nil {
			return Sample{}, errors.Join(err, p.failure())
		}
		sample := m.sample(l.rows())
		sample.BrokerCPU = b.cpu() - brokerBefore
		offsets, err := b.arrived(ctx, how, []string{topic})
		if err != nil {
			return Sample{}, err
		}
		sample.Transactions = int(offsets) - sample.Rows // every commit's mark has an offset
		if err := p.stop(&sample); err != nil {
			return Sample{}, err
		}
		if err := b.dropTopics(ctx, []string{topic}); err != nil {
			return Sample{}, err
		}
		return sample, slot.drop(ctx)
	}}
}

// rows is how many rows a measurement writes, those of its warm-up too: what a connector used is from its start on.
func (l *clocked) rows() int { return (l.seconds + int(warmUp.Seconds())) * l.rate }

// startSource starts a source that streams from now on.
func (l *clocked) startSource(ctx context.Context, b *broker, mode string, how delivery) (*connector, slot, error) {
	name := l.stage.unique("latency")
	slot := slot{l.conn, underscored(name)}
	p, err := l.stage.startConnector(ctx, spec{name: name, where: l.stage.with(b), yaml: fmt.Sprintf(`connector: postgres-source
delivery: %s
latency: %s
postgres: {url: %q, tables: [public.rows], slot: %s, start: stream}
`, how, mode, l.url(), slot.name)})
	if err != nil {
		return nil, slot, err
	}
	if _, err := slot.untilUsed(ctx, p.failure); err != nil {
		p.kill()
		return nil, slot, err
	}
	return p, slot, nil
}

// rowID takes the row's id from the record's key: five bytes of the wire format, and Avro's zigzag long.
func rowID(r *kgo.Record) int {
	id, _ := binary.Varint(r.Key[5:])
	return int(id)
}

// bareSize is the size of the bare producer's records: about that of an order in Debezium's envelope.
const bareSize = 400

// bareProducer is the baseline: the least that any producer could reach in the same place. Records of the same size are
// produced by a bare client at the same rate without transactions, and seen by the same consumer.
var bareProducer = side[*clocked]{name: "bare producer", run: func(ctx context.Context, s *stage, l *clocked) (Sample, error) {
	b, err := toKafka(ctx, s)
	if err != nil {
		return Sample{}, err
	}
	topic := s.unique("bare")
	client, err := kgo.NewClient(kgo.SeedBrokers(b.address), kgo.DefaultProduceTopic(topic), kgo.ProducerLinger(0))
	if err != nil {
		return Sample{}, err
	}
	defer client.Close()
	if _, err := b.admin.CreateTopic(ctx, 1, 1, nil, topic); err != nil {
		return Sample{}, err
	}
	value := make([]byte, bareSize)
	m, err := l.measure(ctx, func(ctx context.Context, _, first, n int) error {
		records := make([]*kgo.Record, n)
		for i := range records {
			records[i] = &kgo.Record{Key: binary.BigEndian.AppendUint64(nil, uint64(first+i)), Value: value}
		}
		return client.ProduceSync(ctx, records...).FirstErr()
	}, b.consume(topic, func(r *kgo.Record) int { return int(binary.BigEndian.Uint64(r.Key)) }))
	if err != nil {
		return Sample{}, err
	}
	return m.sample(0), b.dropTopics(ctx, []string{topic})
}}

// consume reads a topic's committed records. idOf finds a row's id in a record.
func (b *broker) consume(topic string, idOf func(*kgo.Record) int) receiveAll {
	return func(ctx context.Context, first, count int, seen func(int, time.Time) error) error {
		client, err := kgo.NewClient(kgo.SeedBrokers(b.address), kgo.ConsumeTopics(topic), kgo.FetchIsolationLevel(kgo.ReadCommitted()),
			kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.MetadataMinAge(50*time.Millisecond), kgo.UnknownTopicRetries(-1))
		if err != nil {
			return err
		}
		defer client.Close()
		for left := count; left > 0; {
			fetches := client.PollFetches(ctx)
			now := time.Now()
			if ctx.Err() != nil {
				return fmt.Errorf("topic %s: %w", topic, context.Cause(ctx))
			}
			var wrong error
			fetches.EachRecord(func(r *kgo.Record) {
				if err := seen(idOf(r)-first, now); err != nil && wrong == nil {
					wrong = fmt.Errorf("topic %s, offset %d: %w", topic, r.Offset, err)
				}
				left--
			})
			if wrong != nil {
				return wrong
			}
		}
		return nil
	}
}
