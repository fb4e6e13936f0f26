package broker

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"go.uber.org/zap"
)

// retention deletes whole segments from the front of partitions, by Kafka's own request and so safely at any moment:
//
//   - retention.bytes and retention.ms, as Kafka does; the last segment stays in any case.
//   - of a compacted topic, the segments at the front in which every key has a newer value further on. That bounds a
//     topic whose few keys are written again and again (positions, status); one whose keys are written once (schemas,
//     tables) grows with its keys anyway. A key that is never written again keeps its segment and those after it.
//
// One goroutine, one look per interval; it keeps the keys of the compacted topic that it looks at in memory.
type retention struct {
	dir    string
	bytes  int64 // for a topic that sets no retention.bytes
	admin  *kadm.Client
	log    *zap.Logger
	cancel context.CancelFunc
	done   sync.WaitGroup
	looked map[string]int64 // by compacted partition, the last segment's base when it was looked at
}

func startRetention(ctx context.Context, dir, addr string, o Options) (*retention, error) {
	client, err := kgo.NewClient(kgo.SeedBrokers(addr), kgo.ClientID("syncline-retention"))
	if err != nil {
		return nil, err
	}
	// The broker outlives the context that starts it: Close ends it.
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	r := &retention{dir: dir, bytes: o.RetentionBytes, admin: kadm.NewClient(client), log: o.Log, cancel: cancel, looked: make(map[string]int64)}
	r.done.Go(func() { r.run(ctx, o.RetentionInterval) })
	return r, nil
}

func (r *retention) close() {
	r.cancel()
	r.done.Wait()
	r.admin.Close()
}

func (r *retention) run(ctx context.Context, interval time.Duration) {
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if err := r.look(ctx); err != nil && ctx.Err() == nil {
			r.log.Warn("retention of the embedded broker", zap.Error(err))
		}
	}
}

// look deletes what may go now.
func (r *retention) look(ctx context.Context) error {
	all, err := partitions(r.dir)
	if err != nil || len(all) == 0 {
		return err
	}
	rules, err := r.rules(ctx)
	if err != nil {
		return err
	}
	old := make(kadm.Offsets)
	for _, p := range all {
		rule, ok := rules[p.topic]
		if !ok {
			continue
		}
		before, err := r.deletable(p, rule)
		if err != nil {
			return fmt.Errorf("partition %v: %w", p, err)
		}
		if before > 0 {
			old.Add(kadm.Offset{Topic: p.topic, Partition: p.number, At: before})
		}
	}
	if len(old) == 0 {
		return nil
	}
	deleted, err := r.admin.DeleteRecords(ctx, old)
	if err != nil {
		return err
	}
	return deleted.Error()
}

// rule is what a topic's settings say.
type rule struct {
	bytes   int64         // -1: no bound
	age     time.Duration // -1: no bound
	deletes bool          // cleanup.policy has delete
	compact bool
}

func (r *retention) rules(ctx context.Context) (map[string]rule, error) {
	topics, err := r.admin.ListTopics(ctx)
	if err != nil {
		return nil, err
	}
	configs, err := r.admin.DescribeTopicConfigs(ctx, topics.Names()...)
	if err != nil {
		return nil, err
	}
	rules := make(map[string]rule, len(configs))
	for _, c := range configs {
		if c.Err == nil {
			rules[c.Name] = ruleOf(c.Configs, r.bytes)
		}
	}
	return rules, nil
}

// ruleOf reads a topic's settings; bytes is for one that sets no retention.bytes of its own.
func ruleOf(configs []kadm.Config, bytes int64) rule {
	rule := rule{bytes: bytes, age: -1, deletes: true}
	for _, c := range configs {
		value := c.MaybeValue()
		switch c.Key {
		case "cleanup.policy":
			rule.compact = strings.Contains(value, "compact")
			rule.deletes = !rule.compact || strings.Contains(value, "delete")
		case "retention.bytes":
			if n, err := strconv.ParseInt(value, 10, 64); err == nil && c.Source == kmsg.ConfigSourceDynamicTopicConfig {
				rule.bytes = n
			}
		case "retention.ms":
			if n, err := strconv.ParseInt(value, 10, 64); err == nil && n >= 0 {
				rule.age = time.Duration(min(n, int64(never/time.Millisecond))) * time.Millisecond
			}
		}
	}
	return rule
}

// deletable returns the offset before which everything may go; 0 when nothing may.
func (r *retention) deletable(p partition, rule rule) (before int64, err error) {
	segments, err := p.segments()
	if err != nil || len(segments) < 2 {
		return 0, err
	}
	if rule.deletes {
		before = expired(segments, rule, time.Now())
	}
	if rule.compact {
		superseded, err := r.superseded(p, segments)
		if err != nil {
			return 0, err
		}
		before = max(before, superseded)
	}
	return before, nil
}

func expired(segments []segment, rule rule, now time.Time) (before int64) {
	var total int64
	for _, s := range segments {
		total += s.size
	}
	for i, s := range segments[:len(segments)-1] {
		tooMuch := rule.bytes >= 0 && total > rule.bytes
		tooOld := rule.age >= 0 && now.Sub(s.modified) > rule.age
		if !tooMuch && !tooOld {
			break
		}
		before = segments[i+1].base
		total -= s.size
	}
	return before
}

// superseded returns the base of the first segment that holds a key's last value. It looks again only when there is a
// new segment.
func (r *retention) superseded(p partition, segments []segment) (before int64, err error) {
	newest := segments[len(segments)-1].base
	if r.looked[p.path] == newest {
		return 0, nil
	}
	latest := make(map[string]int) // by key, the segment with its last value
	for i, s := range segments {
		_, err := s.scan(true, func(b batch, raw []byte) error {
			if b.attributes&attrControl != 0 {
				return nil
			}
			return eachRecord(raw, func(rec kmsg.Record) {
				if rec.Value == nil {
					delete(latest, string(rec.Key)) // what is before it goes too when it goes
					return
				}
				latest[string(rec.Key)] = i
			})
		})
		if err != nil {
			return 0, err
		}
	}
	first := len(segments) - 1
	for _, i := range latest {
		first = min(first, i)
	}
	if first == 0 {
		r.looked[p.path] = newest // only now: a deletion that fails must be tried again
		return 0, nil
	}
	return segments[first].base, nil
}

func eachRecord(raw []byte, each func(kmsg.Record)) error {
	var b kmsg.RecordBatch
	if err := b.ReadFrom(raw); err != nil {
		return err
	}
	records, err := kfake.BatchRecords(b)
	if err != nil {
		return err
	}
	for _, rec := range records {
		each(rec)
	}
	return nil
}
