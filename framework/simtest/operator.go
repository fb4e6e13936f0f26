package simtest

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"

	"github.com/syncline-io/syncline/framework/simtest/model"
	"github.com/syncline-io/syncline/framework/sink"
)

// resets are the offsets that an operator has set and that may still be obeyed. A reset is obeyed until a batch behind it is
// written, once or several times; after that it is over.
type resets struct {
	mu      sync.Mutex
	pending map[model.TopicPartition]int64
	begun   map[model.TopicPartition]bool // it was obeyed
	ever    map[string]bool               // topics that were set back
}

func (r *resets) set(tp model.TopicPartition, to int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.pending == nil {
		r.pending, r.begun, r.ever = map[model.TopicPartition]int64{}, map[model.TopicPartition]bool{}, map[string]bool{}
	}
	r.pending[tp] = to
	r.ever[tp.Topic] = true
	delete(r.begun, tp)
}

// of reports whether a topic was ever set back.
func (r *resets) of(topic string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.ever[topic]
}

// obeyed is told that the loop has set the ledger.
func (r *resets) obeyed(w *World, e sink.Entry, next int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	tp := model.TopicPartition{Topic: e.Topic, Partition: e.Partition.Partition}
	to, ok := r.pending[tp]
	switch {
	case next < 0: // the topic was made again before its first batch
	case !ok:
		w.violate("operators-reset", "%s/%d is set to %d, and no operator asks for it any more", tp.Topic, tp.Partition, next)
	case to != next:
		w.violate("operators-reset", "%s/%d is set to %d, and the operator asked for %d", tp.Topic, tp.Partition, next, to)
	default:
		r.begun[tp] = true
	}
}

// moved is told of a batch: a reset that was obeyed is over. It reports whether it was the first behind the reset.
func (r *resets) moved(tp model.TopicPartition) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.begun[tp] {
		return false
	}
	delete(r.begun, tp)
	delete(r.pending, tp)
	return true
}

func (w *World) isOperating() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.operating
}

func (w *World) setOperating(on bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.operating = on
}

// operate is what the hint of a gap tells an operator to do: stop all copies, set the offsets, start them.
func (w *World) operate(f Fault) {
	w.setOperating(true)
	for _, p := range w.copies(Sink) {
		p.stop()
		select {
		case <-p.done:
		case <-time.After(stopTime):
			p.crash()
		}
	}
	time.Sleep(sessionTimeout + 2*time.Second) // Kafka's tools refuse while the group has members
	topic := topicOf(f.Nth % w.work.early())
	if err := w.setOffsets(topic); err != nil {
		w.journal("the operator gives up: %v", err)
	}
	w.setOperating(false)
	for len(w.copies(Sink)) == 0 {
		w.keep(w.start(Sink))
	}
}

// setOffsets sets a topic's partitions back to the beginning, without the loop's mark.
func (w *World) setOffsets(topic string) error {
	if info := w.cluster.GroupInfo(prefix + "." + sinkName); info != nil && len(info.Members) > 0 {
		return fmt.Errorf("the group has members: %v", info.Members)
	}
	cl, err := w.client()
	if err != nil {
		return err
	}
	defer cl.Close()
	offsets := kadm.Offsets{}
	for _, p := range w.cluster.PartitionInfos(topic) {
		offsets.AddOffset(topic, p.Partition, 0, -1)
		w.resets.set(model.TopicPartition{Topic: topic, Partition: p.Partition}, 0)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	resp, err := kadm.NewClient(cl).CommitOffsets(ctx, prefix+"."+sinkName, offsets)
	if err == nil {
		err = resp.Error()
	}
	w.journal("the offsets of %s are set back: %v", topic, err)
	return err
}
