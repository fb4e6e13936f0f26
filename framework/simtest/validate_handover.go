package simtest

import (
	"github.com/syncline-io/syncline/framework/simtest/model"
	"github.com/syncline-io/syncline/framework/sink"
)

// handOver: where neither a ledger nor the rows' versions keep two members apart, what is written of a partition goes on where the last write
// stopped, or from an offset that the group was told: a member that writes on after the partition went to another
// leaves a gap, or a step back, between the two.
type handOver struct {
	verdict
	from, to map[model.TopicPartition]int64
	told     map[model.TopicPartition]map[int64]bool
}

func (v *handOver) Committed(topic string, partition int32, next int64) {
	v.mu.Lock()
	defer v.mu.Unlock()
	tp := model.TopicPartition{Topic: topic, Partition: partition}
	if v.told == nil {
		v.told = map[model.TopicPartition]map[int64]bool{}
	}
	if v.told[tp] == nil {
		v.told[tp] = map[int64]bool{}
	}
	v.told[tp][next] = true
}

func (v *handOver) Wrote(_ model.View, b *sink.Batch) {
	if v.w.plan.Setup.Class != model.Effective {
		return
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.to == nil {
		v.from, v.to = map[model.TopicPartition]int64{}, map[model.TopicPartition]int64{}
	}
	for _, m := range b.Moves {
		tp := model.TopicPartition{Topic: m.Topic, Partition: m.Partition.Partition}
		last, known := v.to[tp]
		if known && m.Next != last && m.Next != v.from[tp] && m.Next >= 0 && !v.told[tp][m.Next] {
			v.fail("%s/%d: a write begins at %d, and the last one went from %d to %d", tp.Topic, tp.Partition, m.Next, v.from[tp], last)
		}
		v.from[tp], v.to[tp] = m.Next, m.To
	}
}
