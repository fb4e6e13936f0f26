package load

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/zap"

	"github.com/syncline-io/syncline/framework/crash"
	"github.com/syncline-io/syncline/framework/failure"
	"github.com/syncline-io/syncline/framework/sink"
)

// mark is the metadata of the group offsets that a sink with a ledger commits. An offset without it was set by someone
// else: by an operator with Kafka's own tools.
const mark = "syncline:ledger"

type topicPartition struct {
	topic     string
	partition int32
}

// groupOffset is what the consumer group holds for a partition.
type groupOffset struct {
	offset int64 // negative: none
	ours   bool
}

// set says that somebody else has set the offset: an operator.
func (g groupOffset) set() bool { return g.offset >= 0 && !g.ours }

// groupOffsets asks the consumer group for its offsets: kgo passes on those that it has fetched without their metadata, and
// at a time that does not do (see begin).
func (s *session) groupOffsets(ctx context.Context, parts []*partition) (map[*partition]groupOffset, error) {
	offsets, err := kadm.NewClient(s.client).FetchOffsets(ctx, s.opts.group())
	if err != nil {
		return nil, fmt.Errorf("read the offsets of %s: %w", s.opts.group(), err)
	}
	group := make(map[*partition]groupOffset, len(parts))
	for _, p := range parts {
		group[p] = groupOffset{offset: -1}
		if o, ok := offsets.Lookup(p.Topic, p.Partition.Partition); ok {
			if o.Err != nil {
				return nil, fmt.Errorf("read the offset of %s partition %d: %w", p.Topic, p.Partition.Partition, o.Err)
			}
			group[p] = groupOffset{o.At, strings.HasPrefix(o.Metadata, mark)}
		}
	}
	return group, nil
}

// assign claims the partitions that the group has given to this member and says where each begins. It is called before
// the first fetch of each; ctx ends when the group takes the partitions away again.
func (s *session) assign(ctx context.Context, offsets map[string]map[int32]kgo.Offset) (map[string]map[int32]kgo.Offset, error) {
	<-s.made
	parts, err := s.describe(ctx, offsets)
	if err != nil {
		return nil, err
	}
	for {
		err := s.begin(ctx, parts)
		if err == nil {
			break
		}
		if failure.IsFinal(err) {
			s.stop(err)
			return nil, err
		}
		s.stats.failed(err)
		s.log.Warn("claim partitions", zap.Error(err))
		if err := failure.Sleep(ctx, s.claimBackoff.Next(err)); err != nil {
			return nil, err
		}
	}
	s.claimBackoff.Reset()
	// For the lag of a partition that brings no records. Without an answer it is unknown until the first poll.
	ends, _ := kadm.NewClient(s.client).ListCommittedOffsets(ctx, topicsOf(offsets)...)
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range parts {
		o := kgo.NewOffset().AtStart()
		if p.next >= 0 {
			o = kgo.NewOffset().At(p.next) // without an epoch: what the topic no longer has must be an error
		}
		offsets[p.Topic][p.Partition.Partition] = o
		tp := topicPartition{p.Topic, p.Partition.Partition}
		if stale := s.owned[tp]; stale != nil {
			stale.gone.Store(true) // its fence is the old one
		}
		s.owned[tp] = p
		p.again, s.given[tp] = s.given[tp], true
		// A pause outlives the stay of a partition. From here on nobody pauses for the stay before: see reader.pause.
		s.client.ResumeFetchPartitions(map[string][]int32{p.Topic: {p.Partition.Partition}})
		if end, ok := ends.Lookup(p.Topic, p.Partition.Partition); ok && end.Err == nil {
			p.committable.Store(end.Offset)
		}
	}
	s.stats.setState(Running)
	return offsets, nil
}

// describe makes the partitions and asks Kafka for the ids of their topics.
func (s *session) describe(ctx context.Context, offsets map[string]map[int32]kgo.Offset) ([]*partition, error) {
	if len(offsets) == 0 {
		return nil, nil
	}
	details, err := kadm.NewClient(s.client).ListTopicsWithInternal(ctx, topicsOf(offsets)...)
	if err != nil {
		return nil, fmt.Errorf("describe topics: %w", err)
	}
	var parts []*partition
	for topic, ps := range offsets {
		d := details[topic]
		if d.Err != nil {
			return nil, fmt.Errorf("describe topic %s: %w", topic, d.Err)
		}
		for n := range ps {
			p := &partition{siblings: len(d.Partitions)}
			p.Partition = sink.Partition{Topic: topic, TopicID: d.ID, Partition: n}
			p.committable.Store(-1)
			p.committed.Store(-1) // so that even offset 0 is told: it may be an operator's, and wait for our mark
			parts = append(parts, p)
		}
	}
	return parts, nil
}

func topicsOf(offsets map[string]map[int32]kgo.Offset) []string {
	return slices.Collect(maps.Keys(offsets))
}

// begin finds where each partition begins.
//
// The group's offsets are read when the partitions are claimed: from then on no other member writes. Between an earlier
// reading and the claim this process may have slept. Had it seen an operator's reset, another member may have obeyed that,
// marked the offset and written on, and to obey it again would repeat all that. Had it seen none, another member may have
// obeyed one and died before it marked the offset: what this one wrote then would be repeated by the next.
func (s *session) begin(ctx context.Context, parts []*partition) error {
	if len(parts) == 0 {
		return nil
	}
	var entries []sink.Entry
	if s.target.ledger != nil {
		wanted := make([]sink.Partition, len(parts))
		for i, p := range parts {
			wanted[i] = p.Partition
		}
		crash.Point("load.before-claim")
		var err error
		entries, err = s.target.claim(ctx, wanted)
		crash.Point("load.after-claim")
		if err != nil {
			return fmt.Errorf("claim %d partitions in the ledger: %w", len(parts), err)
		}
	}
	group, err := s.groupOffsets(ctx, parts)
	if err != nil {
		return err
	}
	if s.target.ledger == nil {
		for _, p := range parts {
			p.start(sink.Entry{Partition: p.Partition, Next: max(group[p].offset, -1)})
		}
		return nil
	}
	for _, p := range parts {
		e, err := entryOf(entries, p)
		if err != nil {
			return err
		}
		if e, err = s.reconcile(ctx, p, e, group[p]); err != nil {
			return err
		}
		p.start(e)
	}
	return s.adopt(ctx, group)
}

// adopt puts our mark on the offsets that an operator set, before the first batch: an offset that stayed without it
// would be taken for another reset after a crash, and what was written since would be repeated.
func (s *session) adopt(ctx context.Context, group map[*partition]groupOffset) error {
	var set []*partition
	for p, g := range group {
		if g.set() {
			set = append(set, p)
		}
	}
	if len(set) == 0 {
		return nil
	}
	err := s.commitOffsets(ctx, set)
	crash.Point("load.after-reset-mark")
	return err
}

// start sets the partition to the ledger's entry.
func (p *partition) start(e sink.Entry) {
	p.entry, p.next, p.seen, p.from = e, e.Next, e.Applied, e.Applied
	p.written.Store(e.Next)
}

// entryOf finds p's entry by topic and number: a topic made again has another id, and that is for reconcile to see.
func entryOf(entries []sink.Entry, p *partition) (sink.Entry, error) {
	for _, e := range entries {
		if e.Topic == p.Topic && e.Partition.Partition == p.Partition.Partition {
			return e, nil
		}
	}
	return sink.Entry{}, fmt.Errorf("the ledger gave no entry for %s/%d", p.Topic, p.Partition.Partition)
}

// resetHint is the way out of a gap: the operator says where to go on.
func (o *Options) resetHint(topic string) string {
	return fmt.Sprintf("stop all copies and say where to go on, such as from the beginning: "+
		"kafka-consumer-groups --group %s --topic %s --reset-offsets --to-earliest --execute", o.group(), topic)
}

var (
	errVanished   = errors.New("the consumer group was here before, but the ledger in the target has no entry: the target was emptied or is another one")
	errOtherTopic = errors.New("the topic was deleted and made again since the ledger in the target was written")
)

// reconcile compares the ledger's entry with what the group says, and obeys an operator's reset.
func (s *session) reconcile(ctx context.Context, p *partition, e sink.Entry, g groupOffset) (sink.Entry, error) {
	fail := func(err error) (sink.Entry, error) {
		return e, failure.As(failure.Gap, fmt.Errorf("%s partition %d: %w", p.Topic, p.Partition.Partition, err), s.opts.resetHint(p.Topic))
	}
	known := e.Next >= 0
	switch {
	case g.set() && (!known || g.offset != e.Next || e.TopicID != p.TopicID):
		return s.obeyReset(ctx, p, e, g.offset)
	case known && e.TopicID != p.TopicID:
		return fail(errOtherTopic)
	case !known && g.offset >= 0 && g.ours:
		return fail(errVanished)
	case e.TopicID != p.TopicID:
		return s.claimAgain(ctx, p, e)
	}
	return e, nil
}

// claimAgain gives an entry that nothing was written under to the topic that is there now: the one that was claimed was
// deleted and made again before its first batch.
func (s *session) claimAgain(ctx context.Context, p *partition, e sink.Entry) (sink.Entry, error) {
	e.TopicID = p.TopicID
	if err := s.target.reset(ctx, e, e.Next); err != nil {
		return e, fmt.Errorf("set the ledger of %s partition %d to the topic's new id: %w", p.Topic, p.Partition.Partition, err)
	}
	crash.Point("load.after-new-topic-id")
	s.log.Info("topic was deleted and made again before its first batch", zap.String("topic", p.Topic), zap.Int32("partition", p.Partition.Partition))
	return e, nil
}

func (s *session) obeyReset(ctx context.Context, p *partition, e sink.Entry, next int64) (sink.Entry, error) {
	from := e.Next
	e.TopicID = p.TopicID
	crash.Point("load.before-reset")
	if err := s.target.reset(ctx, e, next); err != nil {
		return e, fmt.Errorf("set the ledger of %s partition %d to offset %d: %w", p.Topic, p.Partition.Partition, next, err)
	}
	crash.Point("load.after-reset")
	s.log.Warn("offset was set by an operator: the ledger follows", zap.String("topic", p.Topic),
		zap.Int32("partition", p.Partition.Partition), zap.Int64("from", from), zap.Int64("to", next))
	e.Next = next
	e.Applied.High, e.Applied.Low = 0, 0
	return e, nil
}

// handOverPatience is how long a Write may hold up the hand-over of a partition.
const handOverPatience = 20 * time.Second

// revoke is called before partitions go to another member: when it returns nothing of them is written any more.
func (s *session) revoke(ctx context.Context, _ *kgo.Client, revoked map[string][]int32) {
	parts := s.disown(revoked)
	if len(parts) == 0 {
		return
	}
	crash.Point("load.before-hand-over")
	s.target.quiesce(handOverPatience)
	crash.Point("load.in-hand-over")
	if err := s.commitOffsets(ctx, parts); err != nil {
		s.log.Info("commit offsets at the hand-over", zap.Error(err))
	}
	crash.Point("load.after-hand-over")
}

// lose is called when partitions may already be another member's.
func (s *session) lose(_ context.Context, _ *kgo.Client, lost map[string][]int32) {
	if len(s.disown(lost)) > 0 {
		s.target.quiesce(handOverPatience)
	}
}

// disown marks partitions as gone and takes them off the list.
func (s *session) disown(gone map[string][]int32) []*partition {
	s.mu.Lock()
	defer s.mu.Unlock()
	var parts []*partition
	for topic, ps := range gone {
		for _, n := range ps {
			tp := topicPartition{topic, n}
			if p := s.owned[tp]; p != nil {
				p.gone.Store(true)
				delete(s.owned, tp)
				parts = append(parts, p)
			}
		}
	}
	return parts
}

// siblings returns the partitions of a topic that this member owns.
func (s *session) siblings(topic string) []*partition {
	s.mu.Lock()
	defer s.mu.Unlock()
	var parts []*partition
	for tp, p := range s.owned {
		if tp.topic == topic {
			parts = append(parts, p)
		}
	}
	return parts
}
