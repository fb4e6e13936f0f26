package tail

import (
	"context"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/syncline-io/syncline/framework/failure"
)

// quietTime is how long a scan goes on without a record before what it has read counts as the end: compaction can leave a
// partition's last offsets empty.
const quietTime = 5 * time.Second

// kafkaRetries is how often a request is tried: someone is waiting for the answer.
const kafkaRetries = 3

// log is a topic as it was when the run began.
type log struct {
	kafka  []kgo.Opt
	topic  string
	client *kgo.Client
	admin  *kadm.Client
	warn   io.Writer
	// starts and ends are the offsets of the first record and of the end of what is committed, by partition.
	starts, ends map[int32]int64
}

func openLog(ctx context.Context, kafka []kgo.Opt, topic string) (*log, error) {
	l := &log{topic: topic, warn: os.Stderr, kafka: append(kafka[:len(kafka):len(kafka)], kgo.RequestRetries(kafkaRetries))}
	var err error
	if l.client, err = kgo.NewClient(l.kafka...); err != nil {
		return nil, failure.As(failure.Config, fmt.Errorf("reach Kafka: %w", err), "")
	}
	l.admin = kadm.NewClient(l.client)
	if err := l.look(ctx); err != nil {
		l.close()
		return nil, err
	}
	return l, nil
}

func (l *log) close() { l.client.Close() }

// look finds the partitions with their offsets.
func (l *log) look(ctx context.Context) error {
	topics, err := l.admin.ListTopicsWithInternal(ctx, l.topic)
	if err != nil {
		return failure.WithHint(fmt.Errorf("look up topic %s: %w", l.topic, err), "see that the brokers run and can be reached from here")
	}
	if !topics.Has(l.topic) {
		return failure.As(failure.Config, fmt.Errorf("there is no topic %s", l.topic), "a source makes the topic of a table when it publishes the first row")
	}
	starts, err := l.admin.ListStartOffsets(ctx, l.topic)
	if err != nil {
		return fmt.Errorf("topic %s: first offsets: %w", l.topic, err)
	}
	ends, err := l.admin.ListCommittedOffsets(ctx, l.topic)
	if err != nil {
		return fmt.Errorf("topic %s: end offsets: %w", l.topic, err)
	}
	if l.starts, err = offsetsOf(starts); err == nil {
		l.ends, err = offsetsOf(ends)
	}
	return err
}

func offsetsOf(listed kadm.ListedOffsets) (map[int32]int64, error) {
	if err := listed.Error(); err != nil {
		return nil, fmt.Errorf("list offsets: %w", err)
	}
	offsets := map[int32]int64{}
	listed.Each(func(o kadm.ListedOffset) { offsets[o.Partition] = o.Offset })
	return offsets, nil
}

// from gives the offsets at which s begins. Offsets that the topic no longer has become the first that it has.
func (l *log) from(ctx context.Context, s Start) (map[int32]int64, error) {
	switch {
	case s.end:
		return l.ends, nil
	case !s.at.IsZero():
		listed, err := l.admin.ListOffsetsAfterMilli(ctx, s.at.UnixMilli(), l.topic)
		if err != nil {
			return nil, fmt.Errorf("topic %s: offsets at %s: %w", l.topic, s.at, err)
		}
		return offsetsOf(listed)
	case s.offset < 0:
		return l.starts, nil
	}
	from := map[int32]int64{}
	for n, start := range l.starts {
		if s.partition < 0 || s.partition == n {
			from[n] = max(s.offset, start)
		}
	}
	if len(from) == 0 {
		return nil, failure.As(failure.Config, fmt.Errorf("--from: topic %s has %d partitions, and no %d", l.topic, len(l.starts), s.partition), "")
	}
	return from, nil
}

// before gives the offsets n before the ends, and whether these are the first of every partition.
func (l *log) before(n int64) (from map[int32]int64, whole bool) {
	from, whole = map[int32]int64{}, true
	for p, end := range l.ends {
		from[p] = max(l.starts[p], end-n)
		whole = whole && from[p] == l.starts[p]
	}
	return from, whole
}

// scan calls each for the committed records from the offsets on, up to the ends; without ends it goes on until ctx ends or each
// wants no more.
func (l *log) scan(ctx context.Context, from, ends map[int32]int64, each func(*kgo.Record) (more bool, err error)) error {
	offsets, open := map[int32]kgo.Offset{}, maps.Clone(ends)
	for n, offset := range from {
		if ends == nil || offset < ends[n] {
			offsets[n] = kgo.NewOffset().At(offset)
		}
	}
	maps.DeleteFunc(open, func(n int32, _ int64) bool { _, reads := offsets[n]; return !reads })
	if len(offsets) == 0 {
		return nil
	}
	// Control records are kept, because the last one of a partition may be what the end comes after.
	client, err := kgo.NewClient(append(l.kafka[:len(l.kafka):len(l.kafka)], kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.KeepControlRecords(), kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{l.topic: offsets}))...)
	if err != nil {
		return fmt.Errorf("read topic %s: %w", l.topic, err)
	}
	defer client.Close()
	for ends == nil || len(open) > 0 {
		records, err := l.poll(ctx, client, ends != nil)
		if err != nil {
			return err
		}
		if records == nil {
			_, err := fmt.Fprintf(l.warn, "syncline tail: topic %s: nothing came for %v, and partitions %v have not reached their end: there may be more\n",
				l.topic, quietTime, slices.Sorted(maps.Keys(open)))
			return err
		}
		for _, r := range records {
			end, bounded := ends[r.Partition]
			if bounded && r.Offset+1 >= end {
				delete(open, r.Partition)
			}
			if r.Attrs.IsControl() || bounded && r.Offset >= end {
				continue
			}
			if more, err := each(r); err != nil || !more {
				return err
			}
		}
	}
	return nil
}

// poll returns the next records; nil when a bounded scan has found its end.
func (l *log) poll(ctx context.Context, client *kgo.Client, bounded bool) ([]*kgo.Record, error) {
	quiet := ctx
	if bounded {
		var cancel context.CancelFunc
		quiet, cancel = context.WithTimeout(ctx, quietTime)
		defer cancel()
	}
	for {
		fetches := client.PollFetches(quiet)
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		if records := fetches.Records(); len(records) > 0 {
			return records, nil
		}
		if quiet.Err() != nil {
			return nil, nil
		}
		for _, e := range fetches.Errors() {
			return nil, fmt.Errorf("read topic %s partition %d: %w", e.Topic, e.Partition, e.Err)
		}
	}
}
