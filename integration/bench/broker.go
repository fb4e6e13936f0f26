package main

import (
	"context"
	"fmt"
	"path/filepath"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/syncline-io/syncline/framework/child"
	"github.com/syncline-io/syncline/integration/engines"
)

// broker is where a subject publishes: the embedded broker or Apache Kafka.
type broker struct {
	name, address string
	admin         *kadm.Client
	pid           int
}

func (b *broker) cpu() float64 { return cpuOfProcess(b.pid) }

// place finds the broker of a side, and starts it when it is needed first.
type place func(ctx context.Context, s *stage) (*broker, error)

func toEmbedded(_ context.Context, s *stage) (*broker, error) { return s.broker, nil }

// toKafka is Apache Kafka, one broker in a process of its own.
func toKafka(ctx context.Context, s *stage) (*broker, error) {
	return started(s, "Apache Kafka", func(dir string) (*broker, func(), error) {
		server, err := engines.StartKafka(ctx, engines.KafkaOptions{Dir: dir})
		if err != nil {
			return nil, nil, err
		}
		b, err := connectBroker("Apache Kafka", server.Address(), child.Leftover(filepath.Join(dir, "pid"), dir))
		if err != nil {
			server.Stop()
			return nil, nil, err
		}
		return b, func() { b.close(); server.Stop() }, nil
	})
}

func connectBroker(name, address string, pid int) (*broker, error) {
	// The client remembers for its metadata's least age that a topic does not exist: by default five seconds, in which a
	// subject that had made it and filled it would go unseen.
	client, err := kgo.NewClient(kgo.SeedBrokers(address), kgo.MetadataMinAge(10*time.Millisecond))
	if err != nil {
		return nil, err
	}
	return &broker{name, address, kadm.NewClient(client), pid}, nil
}

func (b *broker) close() { b.admin.Close() }

// delivery is how a subject publishes, and with it how its end is recognised.
type delivery string

const (
	atLeastOnce delivery = "at_least_once"
	exactlyOnce delivery = "exactly_once"
)

// arrived returns how many offsets the topics have, 0 for those that do not exist; with exactly_once those before the
// first open transaction, marks of commits among them.
func (b *broker) arrived(ctx context.Context, how delivery, topics []string) (int64, error) {
	list := b.admin.ListEndOffsets
	if how == exactlyOnce {
		list = b.admin.ListCommittedOffsets
	}
	ends, err := list(ctx, topics...)
	if err != nil {
		return 0, fmt.Errorf("look at topics of %s: %w", b.name, err)
	}
	sum := int64(0)
	ends.Each(func(o kadm.ListedOffset) {
		if o.Err == nil {
			sum += max(o.Offset, 0)
		}
	})
	return sum, nil
}

// untilArrived returns when the topics came to have so many records. failure says why they never will.
func (b *broker) untilArrived(ctx context.Context, failure func() error, how delivery, topics []string, records int) (time.Time, error) {
	look := func() (int64, error) {
		if err := failure(); err != nil {
			return 0, err
		}
		return b.arrived(ctx, how, topics)
	}
	what := fmt.Sprintf("%d records in topics like %s", records, topics[0])
	if how == atLeastOnce {
		return until(ctx, slowLook, what, func() (bool, error) {
			n, err := look()
			return n >= int64(records), err
		})
	}
	return b.untilCommitted(ctx, what, look, topics, records)
}

// settled is how long a topic must not have grown before its records are counted.
const settled = 500 * time.Millisecond

// untilCommitted returns when the topics grew for the last time. How many marks of commits there are among the records
// nobody knows beforehand, so what has not grown for a while is read and counted.
func (b *broker) untilCommitted(ctx context.Context, what string, look func() (int64, error), topics []string, records int) (time.Time, error) {
	var grew time.Time
	seen := int64(-1)
	_, err := until(ctx, slowLook, what, func() (bool, error) {
		n, err := look()
		if err != nil {
			return false, err
		}
		now := time.Now()
		if n != seen {
			seen, grew = n, now
		}
		if n < int64(records) || now.Sub(grew) < settled {
			return false, nil
		}
		count, err := b.count(ctx, topics, records)
		if count < records {
			seen = -1 // more is on its way
		}
		return count == records, err
	})
	return grew, err
}

// countPatience is how long a consumer that counts waits for one more record.
const countPatience = time.Second

// count reads the topics as a read-committed consumer does and counts, up to more than limit.
func (b *broker) count(ctx context.Context, topics []string, limit int) (int, error) {
	client, err := kgo.NewClient(kgo.SeedBrokers(b.address), kgo.ConsumeTopics(topics...), kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		return 0, err
	}
	defer client.Close()
	count := 0
	for {
		poll, cancel := context.WithTimeout(ctx, countPatience)
		fetches := client.PollFetches(poll)
		cancel()
		if ctx.Err() != nil {
			return count, context.Cause(ctx)
		}
		if fetches.NumRecords() == 0 {
			return count, nil
		}
		if count += fetches.NumRecords(); count > limit {
			return count, fmt.Errorf("topics like %s hold %d records or more, want %d", topics[0], count, limit)
		}
	}
}

// dropTopics gives the disk of a run's records back.
func (b *broker) dropTopics(ctx context.Context, topics []string) error {
	_, err := b.admin.DeleteTopics(ctx, topics...)
	return err
}
