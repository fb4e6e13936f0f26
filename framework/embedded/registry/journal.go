package registry

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// Topic holds the registry's state: one partition, compacted.
const Topic = "_schemas"

// appendTimeout bounds the wait for the broker to take a record.
const appendTimeout = 10 * time.Second

// recordMax bounds a record. Kafka takes a batch of 1 MB unless it is told otherwise, and so does what the topic may move
// to; a schema makes a record that is larger than its text, because quotes are escaped.
const recordMax = 960 << 10

// journal is the topic as a log of records with one writer.
type journal struct {
	brokers []string
	client  *kgo.Client
}

func openJournal(ctx context.Context, brokers []string) (*journal, error) {
	client, err := kgo.NewClient(
		kgo.SeedBrokers(brokers...),
		kgo.ClientID("syncline-registry"),
		kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.ProducerLinger(0),
		kgo.RecordDeliveryTimeout(appendTimeout),
	)
	if err != nil {
		return nil, err
	}
	j := &journal{brokers, client}
	if err := j.create(ctx); err != nil {
		client.Close()
		return nil, fmt.Errorf("create topic %s: %w", Topic, err)
	}
	return j, nil
}

func (j *journal) create(ctx context.Context) error {
	compact := "compact"
	_, err := kadm.NewClient(j.client).CreateTopic(ctx, 1, 1, map[string]*string{"cleanup.policy": &compact}, Topic)
	if errors.Is(err, kerr.TopicAlreadyExists) {
		return nil
	}
	return err
}

// append writes records and waits until the broker has them, in this order. After an error the first of them may be in
// the topic.
func (j *journal) append(ctx context.Context, records []record) error {
	ctx, cancel := context.WithTimeout(ctx, appendTimeout)
	defer cancel()
	produced := make([]*kgo.Record, 0, len(records))
	for _, r := range records {
		produced = append(produced, &kgo.Record{Topic: Topic, Key: r.key, Value: r.value})
	}
	return j.client.ProduceSync(ctx, produced...).FirstErr()
}

// read gives every record up to the end of the topic as of now.
func (j *journal) read(ctx context.Context, each func(record) error) error {
	adm := kadm.NewClient(j.client)
	starts, err := adm.ListStartOffsets(ctx, Topic)
	if err != nil {
		return err
	}
	ends, err := adm.ListEndOffsets(ctx, Topic)
	if err != nil {
		return err
	}
	start, _ := starts.Lookup(Topic, 0)
	end, ok := ends.Lookup(Topic, 0)
	if !ok || end.Err != nil {
		return fmt.Errorf("topic %s has no partition 0: %w", Topic, end.Err)
	}
	if start.Offset >= end.Offset {
		return nil
	}
	reader, err := kgo.NewClient(kgo.SeedBrokers(j.brokers...), kgo.ClientID("syncline-registry"),
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{Topic: {0: kgo.NewOffset().AtStart()}}))
	if err != nil {
		return err
	}
	defer reader.Close()
	for {
		fetches := reader.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			return err
		}
		for _, r := range fetches.Records() {
			if err := each(record{r.Key, r.Value}); err != nil {
				return fmt.Errorf("topic %s, offset %d: %w", Topic, r.Offset, err)
			}
			if r.Offset >= end.Offset-1 {
				return nil
			}
		}
	}
}

func (j *journal) close() { j.client.Close() }
