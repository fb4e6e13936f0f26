package simtest

import (
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/syncline-io/syncline/framework/simtest/model"
	"github.com/syncline-io/syncline/framework/source"
	"github.com/syncline-io/syncline/schemas"
)

// topicsHold: every change of the upstream is in its topic, or a dead letter of the source's.
type topicsHold struct{ verdict }

func (v *topicsHold) End(o *Outcome) {
	dead := map[schemas.Version]bool{}
	for _, r := range o.SourceDead {
		if version, ok := versionOf(r); ok {
			dead[version] = true
		}
	}
	for t := range v.w.work.tables {
		there := map[schemas.Version]int{}
		v.w.each(o, t, func(r *kgo.Record, version schemas.Version) {
			if r.Value != nil {
				there[version]++
			}
		})
		if _, read := o.Snapshots[v.w.work.tables[t].String()]; !read {
			v.fail("the snapshot of %s is not finished", v.w.work.tables[t])
		}
		for _, c := range v.w.expected(o, t) {
			want := 1
			if c.Op == schemas.Truncate {
				want = int(v.w.plan.Setup.Partitions)
			}
			if n := there[c.Version]; n < want && !dead[c.Version] {
				v.fail("%s: change %c %s is in %d partitions, want %d", topicOf(t), c.Op, c.Version, n, want)
			}
		}
	}
}

// each calls f with the records of a table's topic that have a version, partition by partition.
func (w *World) each(o *Outcome, table int, f func(r *kgo.Record, v schemas.Version)) {
	for p := range w.plan.Setup.Partitions {
		for _, r := range o.Records[model.TopicPartition{Topic: topicOf(table), Partition: p}] {
			if version, ok := versionOf(r); ok {
				f(r, version)
			}
		}
	}
}

// topicsRepeat: nothing is in a topic twice, but for what an at-least-once source repeats: whole runs of changes, each
// from a position on that was durable.
type topicsRepeat struct{ verdict }

func (v *topicsRepeat) End(o *Outcome) {
	known := map[schemas.Version]bool{}
	for _, c := range v.w.upstream.Changes() {
		known[c.Version] = true
	}
	for t := range v.w.work.tables {
		seen := map[int32]map[schemas.Version]bool{}
		v.w.each(o, t, func(r *kgo.Record, version schemas.Version) {
			if !ofSnapshot(version) && !known[version] {
				v.fail("%s/%d offset %d: nobody made the change %s", r.Topic, r.Partition, r.Offset, version)
			}
			if r.Value == nil {
				return // a tombstone has its delete's version
			}
			if seen[r.Partition] == nil {
				seen[r.Partition] = map[schemas.Version]bool{}
			}
			if seen[r.Partition][version] && !v.w.plan.Setup.AtLeastOnce {
				v.fail("%s/%d offset %d: change %s is there a second time", r.Topic, r.Partition, r.Offset, version)
			}
			seen[r.Partition][version] = true
		})
	}
}

// topicsOrder: a key is in one partition only, and what comes for the first time comes in order.
type topicsOrder struct{ verdict }

func (v *topicsOrder) End(o *Outcome) {
	for t := range v.w.work.tables {
		home, last := map[string]int32{}, map[int32]schemas.Version{}
		seen := map[int32]map[schemas.Version]bool{}
		v.w.each(o, t, func(r *kgo.Record, version schemas.Version) {
			if _, body, err := schemas.SplitWire(r.Key); err == nil { // the same key has another id when the registry was restored
				if p, ok := home[string(body)]; ok && p != r.Partition {
					v.fail("%s: key %x is in partitions %d and %d", r.Topic, body, p, r.Partition)
				}
				home[string(body)] = r.Partition
			}
			if seen[r.Partition] == nil {
				seen[r.Partition] = map[schemas.Version]bool{}
			}
			if seen[r.Partition][version] {
				return
			}
			seen[r.Partition][version] = true
			if version.Compare(last[r.Partition]) < 0 {
				v.fail("%s/%d offset %d: change %s comes for the first time after %s", r.Topic, r.Partition, r.Offset, version, last[r.Partition])
			}
			last[r.Partition] = version
		})
	}
}

// confirmBehind: the upstream is never told of more than what is durable in Kafka, and never goes back within a tenure.
type confirmBehind struct{ verdict }

func (v *confirmBehind) Confirmed(p source.Position) {
	if at := v.w.wire.position(); p.Version.Compare(at) > 0 {
		v.fail("%s is confirmed to the upstream, and the offsets topic stands at %s", p.Version, at)
	}
}
