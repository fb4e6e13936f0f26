package simtest

import (
	"context"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/syncline-io/syncline/framework/simtest/model"
	"github.com/syncline-io/syncline/framework/sink"
	"github.com/syncline-io/syncline/framework/source"
	"github.com/syncline-io/syncline/schemas"
)

// Mistake is one that a loop or a connector could make, planted where the two meet: what comes out is what would come
// out if the loop made it. It is how the validators are tested.
type Mistake struct {
	Name string
	// Validator is who must find it.
	Validator string
	// Source, Sink and Kafka plant it; those that are nil plant nothing.
	Source func(source.Source) source.Source
	Sink   func(*World, sink.Sink) sink.Sink
	Kafka  func(*World)
}

// Mistakes are those that the validators are known to find.
var Mistakes = []Mistake{
	{Name: "confirm before commit", Validator: "confirm-behind-kafka", Source: func(s source.Source) source.Source {
		return &hastySource{s}
	}},
	{Name: "offset before write", Validator: "ledger-behind-rows", Sink: offsetBeforeWrite},
	{Name: "rows lost before a truncate", Validator: "ledger-behind-rows", Sink: loseOnce},
	{Name: "retry that overtakes", Validator: "target-order", Sink: overtakingRetry},
	{Name: "dedupe by LSN alone", Validator: "nothing-lost", Source: func(s source.Source) source.Source {
		return &forgetfulSource{s}
	}},
	{Name: "schema change applied backwards", Validator: "contract", Sink: backwardsEvolve},
	{Name: "unchanged TOAST written as null", Validator: "row-as-of-version", Sink: nullForUnchanged},
	{Name: "fence not checked", Validator: "target-order", Sink: noFence},
	{Name: "rebalance without hand-over", Validator: "hand-over", Sink: writesOn},
	{Name: "dead letter after the ledger", Validator: "dead-letters", Kafka: lateDeadLetters},
	{Name: "repeat after an ambiguous commit", Validator: "target-order", Sink: blindRepeat},
}

// hastySource confirms what it has emitted.
type hastySource struct{ source.Source }

func (s *hastySource) Run(ctx context.Context, from source.Position, out source.Emitter) error {
	return s.Source.Run(ctx, from, &hastyEmitter{out, s.Source})
}

type hastyEmitter struct {
	source.Emitter
	s source.Source
}

func (e *hastyEmitter) Advance(v schemas.Version, urgent bool) error {
	err := e.Emitter.Advance(v, urgent)
	e.s.Confirm(source.Position{Version: v})
	return err
}

// forgetfulSource takes a transaction that was begun for one that is finished.
type forgetfulSource struct{ source.Source }

func (s *forgetfulSource) Run(ctx context.Context, from source.Position, out source.Emitter) error {
	return s.Source.Run(ctx, from, &forgetfulEmitter{out, from})
}

type forgetfulEmitter struct {
	source.Emitter
	from source.Position
}

func (e *forgetfulEmitter) Emit(c *schemas.Change) error {
	if e.from.State != nil && c.Version.High == e.from.Version.High {
		return nil
	}
	return e.Emitter.Emit(c)
}

// mistaken is a sink of which some methods are replaced.
type mistaken struct {
	sink.Sink
	write  func(ctx context.Context, b *sink.Batch) error
	evolve func(ctx context.Context, prev, next *sink.Table) error
	claim  func(ctx context.Context, parts []sink.Partition) ([]sink.Entry, error)
}

func (m *mistaken) Write(ctx context.Context, b *sink.Batch) error {
	if m.write != nil {
		return m.write(ctx, b)
	}
	return m.Sink.Write(ctx, b)
}

func (m *mistaken) Evolve(ctx context.Context, prev, next *sink.Table) error {
	if m.evolve != nil {
		return m.evolve(ctx, prev, next)
	}
	return m.Sink.(sink.Evolver).Evolve(ctx, prev, next)
}

func (m *mistaken) Version(ctx context.Context, t *sink.Table) (uint64, error) {
	return m.Sink.(sink.Versioner).Version(ctx, t)
}

func (m *mistaken) Claim(ctx context.Context, parts []sink.Partition) ([]sink.Entry, error) {
	if m.claim != nil {
		return m.claim(ctx, parts)
	}
	return m.Sink.(sink.Ledger).Claim(ctx, parts)
}

func (m *mistaken) Reset(ctx context.Context, e sink.Entry, next int64) error {
	return m.Sink.(sink.Ledger).Reset(ctx, e, next)
}

// offsetBeforeWrite commits the ledger on its own, then the rows.
func offsetBeforeWrite(_ *World, s sink.Sink) sink.Sink {
	return &mistaken{Sink: s, write: func(ctx context.Context, b *sink.Batch) error {
		if err := s.Write(ctx, &sink.Batch{Moves: b.Moves}); err != nil {
			return err
		}
		return s.Write(ctx, &sink.Batch{Tables: b.Tables})
	}}
}

// loseOnce moves the ledger past the rows of the fifth batch that has some.
func loseOnce(_ *World, s sink.Sink) sink.Sink {
	n := 0
	return &mistaken{Sink: s, write: func(ctx context.Context, b *sink.Batch) error {
		if b.Rows() > 0 {
			if n++; n == 5 {
				return s.Write(ctx, &sink.Batch{Moves: b.Moves})
			}
		}
		return s.Write(ctx, b)
	}}
}

// overtakingRetry lets the rows of every fourth batch fail once, and tries them again after the batch that follows.
func overtakingRetry(_ *World, s sink.Sink) sink.Sink {
	var failed *sink.Batch
	n := 0
	return &mistaken{Sink: s, write: func(ctx context.Context, b *sink.Batch) error {
		if failed == nil && b.Rows() > 0 {
			if n++; n%4 == 0 {
				failed = &sink.Batch{Tables: copyBatch(b).Tables}
				return s.Write(ctx, &sink.Batch{Moves: b.Moves})
			}
		}
		if err := s.Write(ctx, b); err != nil || failed == nil || b.Rows() == 0 {
			return err
		}
		again := failed
		failed = nil
		return s.Write(ctx, again)
	}}
}

// backwardsEvolve goes to the version before.
func backwardsEvolve(_ *World, s sink.Sink) sink.Sink {
	return &mistaken{Sink: s, evolve: func(ctx context.Context, prev, next *sink.Table) error {
		if prev != nil {
			prev, next = next, prev
		}
		return s.(sink.Evolver).Evolve(ctx, prev, next)
	}}
}

// nullForUnchanged takes what was not sent for nothing.
func nullForUnchanged(_ *World, s sink.Sink) sink.Sink {
	return &mistaken{Sink: s, write: func(ctx context.Context, b *sink.Batch) error {
		b = copyBatch(b)
		for i := range b.Tables {
			for k := range b.Tables[i].Rows {
				r := &b.Tables[i].Rows[k]
				r.Partial = false
				for n, v := range r.Values {
					if v.IsUnchanged() {
						r.Values[n] = schemas.Null()
					}
				}
			}
		}
		return s.Write(ctx, b)
	}}
}

// writesOn returns from Write when the first member of the group still has the rows under way, for four seconds: a
// partition is handed over, and its former owner still writes.
func writesOn(w *World, s sink.Sink) sink.Sink {
	w.mu.Lock()
	first := w.started[Sink] == 1
	w.mu.Unlock()
	if !first {
		return s
	}
	before := make(chan struct{})
	close(before)
	return &mistaken{Sink: s, write: func(_ context.Context, b *sink.Batch) error {
		b = copyBatch(b)
		landed, due, previous := make(chan struct{}), time.After(4*time.Second), before
		before = landed
		w.processes.Go(func() {
			defer close(landed)
			<-previous
			<-due
			if err := s.Write(context.Background(), b); err != nil {
				w.journal("a write that went on: %v", err)
			}
		})
		return nil
	}}
}

// unfenced lets moves pass whoever has the ledger.
func unfenced(w *World, moves []sink.Move) []sink.Move {
	moves = append([]sink.Move(nil), moves...)
	w.target.Look(func(v model.View) {
		for i := range moves {
			m := &moves[i]
			now := v.Entry(model.TopicPartition{Topic: m.Topic, Partition: m.Partition.Partition})
			m.Fence, m.Next, m.Entry.Applied = now.Fence, now.Next, now.Applied
			m.To = max(m.To, now.Next)
			if m.Applied.Compare(now.Applied) < 0 {
				m.Applied = now.Applied
			}
		}
	})
	return moves
}

// noFence writes whatever comes.
func noFence(w *World, s sink.Sink) sink.Sink {
	return &mistaken{Sink: s, write: func(ctx context.Context, b *sink.Batch) error {
		return s.Write(ctx, &sink.Batch{Tables: b.Tables, Moves: unfenced(w, b.Moves)})
	}}
}

// blindRepeat does not look whether a write whose answer was lost has been committed.
func blindRepeat(w *World, s sink.Sink) sink.Sink {
	var last []sink.Move
	return &mistaken{
		Sink: s,
		write: func(ctx context.Context, b *sink.Batch) error {
			last = append([]sink.Move(nil), b.Moves...)
			moves := unfenced(w, b.Moves)
			for i := range moves {
				moves[i].Fence = b.Moves[i].Fence // that much is still looked at
			}
			return s.Write(ctx, &sink.Batch{Tables: b.Tables, Moves: moves})
		},
		claim: func(ctx context.Context, parts []sink.Partition) ([]sink.Entry, error) {
			entries, err := s.(sink.Ledger).Claim(ctx, parts)
			for i := range entries {
				for _, m := range last {
					if m.Topic == entries[i].Topic && m.Partition.Partition == entries[i].Partition.Partition {
						entries[i].Next = m.Next
					}
				}
			}
			return entries, err
		},
	}
}

// lateDeadLetters acknowledges a dead letter of the sink at once and sends it three seconds later, unless a sink has
// crashed meanwhile: the ledger has long passed the record.
func lateDeadLetters(w *World) {
	var mu sync.Mutex
	w.cluster.ControlKey(kmsg.Produce.Int16(), func(r kmsg.Request) (kmsg.Response, error, bool) {
		w.cluster.KeepControl()
		req := r.(*kmsg.ProduceRequest)
		if len(req.Topics) != 1 || len(req.Topics[0].Partitions) != 1 || w.wire.topic(&req.Topics[0]) != sinkName+".dlq" {
			return nil, nil, false
		}
		var batch kmsg.RecordBatch
		if batch.ReadFrom(req.Topics[0].Partitions[0].Records) != nil {
			return nil, nil, false
		}
		records, err := kfake.BatchRecords(batch)
		if err != nil || len(records) > 0 && records[0].Headers[0].Key == late {
			return nil, nil, false
		}
		w.processes.Go(func() {
			began := w.crashes(Sink)
			time.Sleep(3 * time.Second)
			mu.Lock()
			defer mu.Unlock()
			if w.crashes(Sink) == began {
				w.letter(records)
			}
		})
		resp := req.ResponseKind().(*kmsg.ProduceResponse)
		topic := kmsg.NewProduceResponseTopic()
		topic.Topic, topic.TopicID = req.Topics[0].Topic, req.Topics[0].TopicID
		topic.Partitions = append(topic.Partitions, kmsg.NewProduceResponseTopicPartition())
		resp.Topics = append(resp.Topics, topic)
		return resp, nil, true
	})
}

// late is the header of a dead letter that was sent late.
const late = "simulation.late"

// letter produces records to the sink's dead letters.
func (w *World) letter(records []kmsg.Record) {
	cl, err := w.client()
	if err != nil {
		w.violate("setup", "%v", err)
		return
	}
	defer cl.Close()
	for _, rec := range records {
		r := &kgo.Record{Topic: sinkName + ".dlq", Key: rec.Key, Value: rec.Value, Headers: []kgo.RecordHeader{{Key: late}}}
		for _, h := range rec.Headers {
			r.Headers = append(r.Headers, kgo.RecordHeader{Key: h.Key, Value: h.Value})
		}
		if err := cl.ProduceSync(context.Background(), r).FirstErr(); err != nil {
			w.violate("setup", "%v", err)
		}
	}
}
