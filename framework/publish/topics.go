package publish

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/syncline-io/syncline/framework/crash"
	"github.com/syncline-io/syncline/framework/failure"
	"github.com/syncline-io/syncline/schemas"
)

// topics creates and checks every topic that is written to. Nothing relies on auto-creation: a topic made with the
// brokers' defaults may have the wrong number of partitions or forget positions.
type topics struct {
	opts  *Options
	admin *kadm.Client
	// limits holds, by topic, the size of the largest batch; the producer asks for it when it first meets the topic.
	limits sync.Map

	hasDeadLetters bool
}

// topic is what must be known of a topic to write to it.
type topic struct {
	name       string
	partitions int32
	compacted  bool // cleanup.policy has compact
	expires    bool // cleanup.policy has delete
	maxRecord  int  // bytes
	fresh      bool // made just now, and so empty
}

func (t *topic) policy() string {
	if t.compacted {
		return "compact,delete"
	}
	return "delete"
}

// defaultMaxBatch is Kafka's own default of max.message.bytes.
const defaultMaxBatch = 1048588

// maxBatch tells the producer how large a batch may become.
func (ts *topics) maxBatch(topic string) int32 {
	if v, ok := ts.limits.Load(topic); ok {
		return v.(int32)
	}
	return defaultMaxBatch
}

// internal makes the topics of the connector's own state and checks that they can hold it.
func (ts *topics) internal(ctx context.Context) error {
	for _, name := range []string{ts.opts.offsetsTopic(), ts.opts.tablesTopic()} {
		t, err := ts.ensure(ctx, name, 1, stateConfigs)
		if err != nil {
			return err
		}
		if t.partitions != 1 {
			err := fmt.Errorf("topic %s has %d partitions, and must have 1", name, t.partitions)
			return failure.As(failure.Config, err, "it is a state topic: make it again with one partition, or choose another internal_prefix")
		}
		if !t.compacted || t.expires {
			err := fmt.Errorf("topic %s has the cleanup.policy %s, so that its records would expire", name, t.policy())
			return failure.As(failure.Config, err, "set its cleanup.policy to compact, and to nothing else")
		}
	}
	return nil
}

// stateRecord bounds a record of a state topic. A position holds the source's state, which grows with the number of its
// tables: PostgreSQL's has some 200 bytes for each.
const stateRecord = 8 << 20

// stateConfigs keep state topics short to read: each commit adds a position, only the last of which counts. A segment must
// hold the largest record. Apache Kafka keeps what is compacted whatever its age; retention.ms says so to brokers that do not
// (kfake), and to who adds delete to the policy.
var stateConfigs = map[string]string{
	"cleanup.policy":            "compact",
	"max.message.bytes":         strconv.Itoa(stateRecord),
	"retention.ms":              "-1",
	"segment.bytes":             strconv.Itoa(stateRecord),
	"min.cleanable.dirty.ratio": "0.1",
	"delete.retention.ms":       "600000",
}

// forTable makes the topic of a table or checks the one that is there.
func (ts *topics) forTable(ctx context.Context, name string, t *schemas.Table) (topic, error) {
	if strings.HasPrefix(name, ts.opts.InternalPrefix+".offsets.") || name == ts.opts.tablesTopic() || name == ts.opts.deadLetterTopic() {
		err := fmt.Errorf("table %s has the topic %s, which is an internal one", t, name)
		return topic{}, failure.As(failure.Config, err, "choose another topic_prefix or internal_prefix")
	}
	if of, ok := schemas.QuarantineOf(name); ok {
		err := fmt.Errorf("table %s has the topic %s, which is kept for the quarantine of topic %s", t, name, of)
		return topic{}, failure.As(failure.Config, err, "rename the table or leave it out of the connector's tables")
	}
	if t.Content != schemas.ContentRows {
		return ts.forSpecial(ctx, name, t)
	}
	want := max(ts.opts.Topics.Partitions, 1)
	found, err := ts.ensure(ctx, name, want, ts.opts.Topics.Configs)
	if err != nil {
		return topic{}, err
	}
	if n := ts.opts.Topics.Partitions; n > 0 && found.partitions != n {
		err := fmt.Errorf("topic %s of table %s has %d partitions, and topics.partitions is %d", name, t, found.partitions, n)
		return topic{}, failure.As(failure.Config, err, "set topics.partitions to what the topic has")
	}
	if why := losesValues(t); found.compacted && why != "" {
		err := fmt.Errorf("topic %s is compacted, which would lose values of table %s: %s", name, t, why)
		return topic{}, failure.As(failure.Config, err, "set the topic's cleanup.policy to delete")
	}
	return found, nil
}

// forSpecial makes the topic of messages or of transactions, or checks the one that is there. Its records are events with a key
// that many of them share, so it is never compacted, and has one partition: their order is all that they have. One that
// somebody has made with more is taken as it is.
func (ts *topics) forSpecial(ctx context.Context, name string, t *schemas.Table) (topic, error) {
	configs := maps.Clone(ts.opts.Topics.Configs)
	delete(configs, "cleanup.policy")
	found, err := ts.ensure(ctx, name, 1, configs)
	if err == nil && found.compacted {
		err = fmt.Errorf("topic %s is compacted, which would lose %s", name, t.Content)
		err = failure.As(failure.Config, err, "set the topic's cleanup.policy to delete")
	}
	return found, err
}

// losesValues says why compaction would lose something of the table, "" if it would not.
func losesValues(t *schemas.Table) string {
	if len(t.KeyColumns()) == 0 {
		return "it has no key"
	}
	if t.System != "postgresql" || t.Identity == schemas.IdentityFull {
		return ""
	}
	for i := range t.Columns {
		switch t.Columns[i].Type.Kind {
		case schemas.String, schemas.Bytes, schemas.JSON, schemas.Array, schemas.Decimal:
			return "an update leaves out the value of column " + t.Columns[i].Name +
				" when it is large and unchanged, unless the table's replica identity is full"
		}
	}
	return ""
}

// deadLetters makes the topic of dead letters when it is first needed.
func (ts *topics) deadLetters(ctx context.Context) error {
	if ts.hasDeadLetters {
		return nil
	}
	if _, err := ts.ensure(ctx, ts.opts.deadLetterTopic(), 1, map[string]string{"retention.ms": "-1"}); err != nil {
		return err
	}
	ts.hasDeadLetters = true
	return nil
}

// forQuarantine makes the topic beside a table's own, as like it as matters, or checks the one that is there. Its records
// must not expire: they are nowhere else.
func (ts *topics) forQuarantine(ctx context.Context, own topic) (topic, error) {
	name := schemas.QuarantineTopic(own.name)
	found, err := ts.ensure(ctx, name, own.partitions, map[string]string{
		"retention.ms": "-1", "retention.bytes": "-1", "cleanup.policy": "delete", "max.message.bytes": strconv.Itoa(own.maxRecord),
	})
	if err != nil {
		return topic{}, err
	}
	if !found.fresh {
		ours, empty, err := ts.setAsideHere(ctx, name, own.name)
		if err != nil {
			return topic{}, err
		}
		if !ours && !empty { // what were written among its records would not be found again
			err := fmt.Errorf("topic %s, which topic %s needs for its quarantine, holds records that this connector has not set aside", name, own.name)
			return topic{}, failure.As(failure.Config, err, "see whose it is; delete it, or set on_refused_schema: stop")
		}
	}
	found.maxRecord = min(found.maxRecord, own.maxRecord)
	switch {
	case found.partitions != own.partitions:
		err = fmt.Errorf("topic %s has %d partitions, and %s has %d", name, found.partitions, own.name, own.partitions)
	case found.compacted:
		err = fmt.Errorf("topic %s is compacted, which would lose changes", name)
	}
	return found, failure.As(failure.Config, err, "delete topic "+name+" while it is empty; it is made again as it must be")
}

// ensure describes the topic, making it first if it is not there.
func (ts *topics) ensure(ctx context.Context, name string, partitions int32, configs map[string]string) (topic, error) {
	t, err := ts.describe(ctx, name)
	if !errors.Is(err, kerr.UnknownTopicOrPartition) {
		return t, err
	}
	values := make(map[string]*string, len(configs))
	for k, v := range configs {
		values[k] = &v
	}
	replication := ts.opts.Topics.Replication
	if replication <= 0 {
		replication = -1
	}
	made, err := ts.admin.CreateTopic(ctx, partitions, replication, values, name)
	crash.Point("publish.after-topic")
	if err != nil && !errors.Is(err, kerr.TopicAlreadyExists) {
		return topic{}, fmt.Errorf("create topic %s: %w", name, creation(err))
	}
	if err != nil || made.NumPartitions <= 0 {
		return ts.appears(ctx, name)
	}
	// The answer says all there is to know, unless describing the topic's settings is not permitted; brokers of other makes may
	// leave the settings out. To ask for the topic again would take a tenth of a second: the client has just learned that there
	// is none, and asks no more often than that.
	t = topic{name: name, partitions: made.NumPartitions, maxRecord: defaultMaxBatch, fresh: true}
	if len(made.Configs) > 0 {
		ts.configure(&t, slices.Collect(maps.Values(made.Configs)))
		return t, nil
	}
	if err = ts.settings(ctx, &t); errors.Is(err, kerr.UnknownTopicOrPartition) {
		return ts.appears(ctx, name)
	}
	return t, err
}

// appears describes a topic that was just made; the brokers take a moment to tell each other.
func (ts *topics) appears(ctx context.Context, name string) (topic, error) {
	backoff := failure.Backoff{Min: 5 * time.Millisecond, Max: 200 * time.Millisecond}
	for until := time.Now().Add(10 * time.Second); ; {
		t, err := ts.describe(ctx, name)
		if !errors.Is(err, kerr.UnknownTopicOrPartition) || time.Now().After(until) {
			return t, err
		}
		if err := failure.Sleep(ctx, backoff.Next(nil)); err != nil {
			return topic{}, fmt.Errorf("wait for topic %s: %w", name, err)
		}
	}
}

// creation marks what no later try can change. Too few brokers for the replicas may be as many again in a moment.
func creation(err error) error {
	if errors.Is(err, kerr.InvalidReplicationFactor) {
		return failure.WithHint(err, "as many brokers must be up as topics.replication, or their default.replication.factor, says")
	}
	for _, final := range []error{kerr.InvalidConfig, kerr.InvalidPartitions, kerr.InvalidTopicException, kerr.PolicyViolation} {
		if errors.Is(err, final) {
			return failure.As(failure.Config, err, "see the key topics, or create the topic yourself")
		}
	}
	return err
}

func (ts *topics) describe(ctx context.Context, name string) (topic, error) {
	listed, err := ts.admin.ListTopics(ctx, name)
	if err != nil {
		return topic{}, fmt.Errorf("look up topic %s: %w", name, err)
	}
	if err := listed[name].Err; err != nil {
		return topic{}, fmt.Errorf("look up topic %s: %w", name, err)
	}
	t := topic{name: name, partitions: int32(len(listed[name].Partitions)), maxRecord: defaultMaxBatch}
	if t.partitions == 0 {
		return topic{}, fmt.Errorf("look up topic %s: %w", name, kerr.UnknownTopicOrPartition)
	}
	err = ts.settings(ctx, &t)
	return t, err
}

// settings asks for the topic's settings.
func (ts *topics) settings(ctx context.Context, t *topic) error {
	described, err := ts.admin.DescribeTopicConfigs(ctx, t.name)
	if err != nil {
		return fmt.Errorf("look up the settings of topic %s: %w", t.name, err)
	}
	config, err := described.On(t.name, nil)
	if err == nil {
		err = config.Err
	}
	if err != nil {
		return fmt.Errorf("look up the settings of topic %s: %w", t.name, err)
	}
	ts.configure(t, config.Configs)
	return nil
}

// configure takes from a topic's settings what matters here.
func (ts *topics) configure(t *topic, configs []kadm.Config) {
	for _, c := range configs {
		switch {
		case c.Value == nil:
		case c.Key == "cleanup.policy":
			t.compacted, t.expires = strings.Contains(*c.Value, "compact"), strings.Contains(*c.Value, "delete")
		case c.Key == "max.message.bytes":
			if n, err := strconv.Atoi(*c.Value); err == nil && n > 0 {
				t.maxRecord = n
			}
		}
	}
	t.maxRecord = min(t.maxRecord, maxRequest)
	ts.limits.Store(t.name, int32(t.maxRecord))
}
