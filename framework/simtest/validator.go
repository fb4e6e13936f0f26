package simtest

import (
	"encoding/json"
	"fmt"
	"sync"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/syncline-io/syncline/framework/simtest/model"
	"github.com/syncline-io/syncline/framework/sink"
	"github.com/syncline-io/syncline/framework/source"
	"github.com/syncline-io/syncline/schemas"
)

// Validator watches what comes out and says what is wrong with it. It implements one or more of the observers below.
// Validators know nothing of each other, and all of them watch every run.
type Validator interface {
	// Name is the promise that it watches over.
	Name() string
}

// What a validator can watch. The calls may come from any goroutine.
type (
	// batchObserver sees each batch that the loop hands to the sink.
	batchObserver interface{ Batch(b *sink.Batch) }
	// writeObserver sees the target after each batch that was committed, with the target locked.
	writeObserver interface {
		Wrote(v model.View, b *sink.Batch)
	}
	// confirmObserver sees what the source is told.
	confirmObserver interface{ Confirmed(p source.Position) }
	// groupObserver sees what the consumer group is told.
	groupObserver interface {
		Committed(topic string, partition int32, next int64)
	}
	// endObserver sees what is left when everything has come to its end.
	endObserver interface{ End(o *Outcome) }
)

// verdict is what a validator writes into.
type verdict struct {
	w    *World
	name string
	mu   sync.Mutex
}

func (v *verdict) Name() string { return v.name }

func (v *verdict) fail(format string, args ...any) { v.w.violate(v.name, format, args...) }

// validatorsOf returns all of them.
func validatorsOf(w *World) []Validator {
	of := func(name string) verdict { return verdict{w: w, name: name} }
	return []Validator{
		&topicsHold{of("nothing-lost")},
		&topicsRepeat{of("nothing-twice")},
		&topicsOrder{of("order-per-key")},
		&rowsRight{of("row-as-of-version")},
		&rowsForward{verdict: of("target-order")},
		&truncateFloor{of("truncate-order")},
		&ledgerBehind{verdict: of("ledger-behind-rows")},
		&offsetsBehind{verdict: of("offsets-behind-rows")},
		&handOver{verdict: of("hand-over")},
		&confirmBehind{verdict: of("confirm-behind-kafka")},
		&targetEqual{of("target-equals-source")},
		&lettersAccount{of("dead-letters")},
		&batchBound{of("memory")},
	}
}

func (w *World) confirmed(p source.Position) {
	w.sees(func(v Validator) {
		if v, ok := v.(confirmObserver); ok {
			v.Confirmed(p)
		}
	})
}

func (w *World) wrote(view model.View, b *sink.Batch, err error) {
	if err != nil {
		return
	}
	w.sees(func(v Validator) {
		if v, ok := v.(writeObserver); ok {
			v.Wrote(view, b)
		}
	})
}

func (w *World) groupCommit(req *kmsg.OffsetCommitRequest) {
	for i := range req.Topics {
		t := &req.Topics[i]
		name := t.Topic
		if info := w.cluster.TopicIDInfo(t.TopicID); name == "" && info != nil {
			name = info.Topic
		}
		for _, p := range t.Partitions {
			w.sees(func(v Validator) {
				if v, ok := v.(groupObserver); ok {
					v.Committed(name, p.Partition, p.Offset)
				}
			})
		}
	}
}

// topicOf is the topic of a table of the workload.
func topicOf(t int) string {
	return sourceName + ".public." + [...]string{"orders", "items", "events", "extras"}[t]
}

// topics are those that the run has.
func (w *workload) topics() []string {
	var names []string
	for i := range w.tables {
		names = append(names, topicOf(i))
	}
	return names
}

// tableOf is the index of a topic's table, -1 for another topic.
func (w *workload) tableOf(topic string) int {
	for i := range w.tables {
		if topicOf(i) == topic {
			return i
		}
	}
	return -1
}

// versionOf is the version of a record of ours.
func versionOf(r *kgo.Record) (schemas.Version, bool) {
	for _, h := range r.Headers {
		if h.Key == schemas.HeaderVersion {
			v, err := schemas.ParseVersion(h.Value)
			return v, err == nil
		}
	}
	return schemas.Version{}, false
}

func headerOf(r *kgo.Record, name string) string {
	for _, h := range r.Headers {
		if h.Key == name {
			return string(h.Value)
		}
	}
	return ""
}

// ofSnapshot reports whether a version is a snapshot's: its position is one before the point.
func ofSnapshot(v schemas.Version) bool { return v.High%16 == 15 }

// snapshotsOf returns at which point each table was read, by the last position and the state that it holds or names.
func snapshotsOf(positions []*kgo.Record) (map[string]uint64, error) {
	position, err := lastOf(positions, sourceName)
	if err != nil || position.StateDigest == "" {
		return position.State.Read, err
	}
	state, err := lastOf(positions, sourceName+"#state")
	if err == nil && state.Digest != position.StateDigest {
		err = fmt.Errorf("the last position has the state %s, the last state is %s", position.StateDigest, state.Digest)
	}
	return state.State.Read, err
}

// offsetsDocument is what a position and a state have in the offsets topic.
type offsetsDocument struct {
	State       struct{ Read map[string]uint64 } `json:"state"`
	StateDigest string                           `json:"state_digest"`
	Digest      string                           `json:"digest"`
}

func lastOf(records []*kgo.Record, key string) (doc offsetsDocument, err error) {
	for _, r := range records {
		if string(r.Key) != key {
			continue
		}
		doc = offsetsDocument{}
		if err := json.Unmarshal(r.Value, &doc); err != nil {
			return doc, fmt.Errorf("record at offset %d of the offsets topic: %w", r.Offset, err)
		}
	}
	return doc, nil
}

// expected returns the changes that must be in the topic of a table: those after its snapshot.
func (w *World) expected(o *Outcome, table int) []schemas.Change {
	var all []schemas.Change
	name := w.work.tables[table].String()
	point, read := o.Snapshots[name]
	for _, c := range w.upstream.Changes() {
		if read && c.Table.String() == name && c.Version.High > point {
			all = append(all, c)
		}
	}
	return all
}
