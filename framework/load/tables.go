package load

import (
	"context"
	"fmt"
	"sort"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/zap"

	"github.com/syncline-io/syncline/schemas"
)

// tables is what the topic "<prefix>.tables" says of the topics that we read: the whole description of every version
// of their tables. A source writes it before the first record that needs it. It is safe for concurrent use.
type tables struct {
	kafka  []kgo.Opt
	topic  string
	wanted func(topic string) bool
	log    *zap.Logger

	reading sync.Mutex // held through a refresh
	next    map[int32]int64

	mu      sync.Mutex
	byKey   map[schemas.TableKey]*schemas.Table
	byTopic map[string][]*schemas.Table // by version, lowest first
	said    map[schemas.TableKey]int64  // at which offset last
}

func newTables(opts *Options, wanted func(string) bool) *tables {
	return &tables{
		kafka: opts.Kafka, topic: opts.tablesTopic(), wanted: wanted, log: opts.Log,
		next:  map[int32]int64{},
		byKey: map[schemas.TableKey]*schemas.Table{}, byTopic: map[string][]*schemas.Table{}, said: map[schemas.TableKey]int64{},
	}
}

// find returns the table of a key, or nil.
func (t *tables) find(key schemas.TableKey) *schemas.Table {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.byKey[key]
}

// at returns the table that the topic carried when the source stood at the position, or nil.
func (t *tables) at(topic string, position uint64) *schemas.Table {
	t.mu.Lock()
	defer t.mu.Unlock()
	var found *schemas.Table
	for _, table := range t.byTopic[topic] {
		if table.Version <= position {
			found = table
		}
	}
	return found
}

// keyAt returns the key of the table that the topic carried when the source stood at the position, of its first one where that
// came later.
func (t *tables) keyAt(topic string, position uint64) (found schemas.TableKey, ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for key := range t.byKey {
		switch {
		case key.Topic != topic:
		case !ok, found.Version > position && key.Version < found.Version,
			key.Version <= position && key.Version > found.Version:
			found, ok = key, true
		}
	}
	return found, ok
}

// since returns the table that the topic has carried since an earlier version of it; nil when it does not say so. A later
// version that was described before the earlier one is of another time: the topic was made again, and its source's log counts
// from the beginning. What the target remembers of that time is nothing that this topic's rows can be mapped onto.
func (t *tables) since(topic string, earlier, later uint64) *schemas.Table {
	t.mu.Lock()
	defer t.mu.Unlock()
	var found *schemas.Table
	before, after := int64(-1), int64(-1)
	for key, offset := range t.said {
		switch {
		case key.Topic != topic:
		case key.Version == earlier:
			before = max(before, offset)
		case key.Version == later && offset > after:
			found, after = t.byKey[key], offset
		}
	}
	if after < before {
		return nil
	}
	return found
}

// quietTime is how long a read of the topic goes on without a record before it counts as its end: compaction can leave
// the topic's last offsets empty.
const quietTime = 2 * time.Second

// kafkaRetries is how often a request is tried before its error shows in the status. The caller tries again for ever.
const kafkaRetries = 3

// refresh reads what was written since the last call, up to the end of the topic.
func (t *tables) refresh(ctx context.Context) error {
	t.reading.Lock()
	defer t.reading.Unlock()
	client, err := kgo.NewClient(append(t.kafka[:len(t.kafka):len(t.kafka)],
		kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.KeepControlRecords(),
		kgo.RequestRetries(kafkaRetries), kgo.FetchMaxBytes(fetchTablesBytes))...)
	if err != nil {
		return fmt.Errorf("read topic %s: %w", t.topic, err)
	}
	defer client.Close()
	ends, err := t.ends(ctx, client)
	if err != nil || len(ends) == 0 {
		return err
	}
	from := map[int32]kgo.Offset{}
	for n := range ends {
		from[n] = kgo.NewOffset().At(t.next[n])
	}
	client.AddConsumePartitions(map[string]map[int32]kgo.Offset{t.topic: from})
	for len(ends) > 0 {
		if err := t.poll(ctx, client, ends); err != nil {
			return err
		}
	}
	return nil
}

// ends returns the end offsets of the partitions that hold something new; none when there is no such topic.
func (t *tables) ends(ctx context.Context, client *kgo.Client) (map[int32]int64, error) {
	admin := kadm.NewClient(client)
	topics, err := admin.ListTopicsWithInternal(ctx, t.topic)
	if err != nil {
		return nil, fmt.Errorf("read topic %s: %w", t.topic, err)
	}
	if !topics.Has(t.topic) {
		return nil, nil
	}
	listed, err := admin.ListCommittedOffsets(ctx, t.topic)
	if err == nil {
		err = listed.Error()
	}
	if err != nil {
		return nil, fmt.Errorf("read topic %s: end offsets: %w", t.topic, err)
	}
	ends := map[int32]int64{}
	listed.Each(func(o kadm.ListedOffset) {
		if o.Offset > t.next[o.Partition] {
			ends[o.Partition] = o.Offset
		}
	})
	return ends, nil
}

// poll takes what has come and strikes off the partitions whose end is reached.
func (t *tables) poll(ctx context.Context, client *kgo.Client, ends map[int32]int64) error {
	quiet, cancel := context.WithTimeout(ctx, quietTime)
	defer cancel()
	fetches := client.PollFetches(quiet)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if quiet.Err() != nil {
		clear(ends)
		return nil
	}
	for _, e := range fetches.Errors() {
		return fmt.Errorf("read topic %s: %w", t.topic, e.Err)
	}
	fetches.EachRecord(func(r *kgo.Record) {
		t.next[r.Partition] = r.Offset + 1
		if r.Offset+1 >= ends[r.Partition] {
			delete(ends, r.Partition)
		}
		if !r.Attrs.IsControl() && len(r.Value) > 0 {
			t.add(r)
		}
	})
	return nil
}

// add takes one record. One that cannot be read is another program's or a later version's: what needs it waits.
func (t *tables) add(r *kgo.Record) {
	key, table, err := schemas.ParseTableRecord(r.Key, r.Value)
	if err != nil {
		t.log.Warn("record of the tables topic cannot be read", zap.String("topic", t.topic), zap.Int64("offset", r.Offset), zap.Error(err))
		return
	}
	if !t.wanted(key.Topic) {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.byKey[key] == nil {
		versions := append(t.byTopic[key.Topic], table)
		sort.SliceStable(versions, func(i, j int) bool { return versions[i].Version < versions[j].Version })
		t.byTopic[key.Topic] = versions
	}
	t.byKey[key], t.said[key] = table, r.Offset
}
