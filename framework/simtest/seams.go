package simtest

import (
	"bytes"
	"context"
	"errors"
	"time"

	"github.com/syncline-io/syncline/framework/simtest/model"
	"github.com/syncline-io/syncline/framework/sink"
	"github.com/syncline-io/syncline/framework/source"
	"github.com/syncline-io/syncline/schemas"
)

// sourceSeam stands between the source's loop and the model source.
type sourceSeam struct {
	source.Source
	p *process
}

func (p *process) openSource(_ context.Context, env source.Env) (source.Source, error) {
	if p.isDead() {
		return nil, errDead
	}
	session := p.w.upstream.Session(env)
	broken := p.w.upstreamBreaks()
	n := 0
	session.Pace = func(ctx context.Context) error {
		if n++; n%4 == 0 {
			select {
			case <-time.After(time.Millisecond):
			case <-broken:
				return errCut
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		p.hold()
		return p.pass(Place{Emit, false})
	}
	p.atCrash(func() { _ = session.Close() }) // the server sees the connection go
	var s source.Source = session
	if m := p.w.mistake; m != nil && m.Source != nil {
		s = m.Source(s)
	}
	return &sourceSeam{s, p}, nil
}

func (s *sourceSeam) Lease(ctx context.Context) error {
	if err := s.p.pass(Place{Lease, false}); err != nil {
		return err
	}
	if err := s.Source.Lease(ctx); err != nil {
		return err
	}
	return s.p.pass(Place{Lease, true})
}

func (s *sourceSeam) Run(ctx context.Context, from source.Position, out source.Emitter) error {
	return s.Source.Run(ctx, from, &emitterSeam{Emitter: out, p: s.p, memory: s.p.w.newTenure(s.p)})
}

func (s *sourceSeam) Confirm(pos source.Position) {
	s.p.hold()
	if s.p.pass(Place{Confirm, false}) != nil || s.p.isDead() {
		return
	}
	s.Source.Confirm(pos)
	_ = s.p.pass(Place{Confirm, true})
}

func (s *sourceSeam) Close() error { return s.Source.Close() }

type emitterSeam struct {
	source.Emitter
	p      *process
	memory *tenureMemory
}

func (e *emitterSeam) Emit(c *schemas.Change) error {
	err := e.Emitter.Emit(c)
	if err == nil {
		e.memory.emitted(c)
	}
	return err
}

var (
	errTarget = errors.New("simulation: the target is away")
	errLost   = errors.New("simulation: connection lost while committing")
)

// sinkSeam stands between the sink's loop and the target; ledgerSeam where the target has a ledger.
type (
	sinkSeam struct {
		sink.Sink
		p *process
	}
	ledgerSeam struct{ sinkSeam }
)

var (
	_ sink.Evolver   = (*sinkSeam)(nil)
	_ sink.Versioner = (*sinkSeam)(nil)
	_ sink.Ledger    = (*ledgerSeam)(nil)
)

func (p *process) openSink(context.Context, sink.Env) (sink.Sink, error) {
	if p.isDead() {
		return nil, errDead
	}
	s := p.w.target.Connect()
	if m := p.w.mistake; m != nil && m.Sink != nil {
		s = m.Sink(p.w, s)
	}
	if p.w.target.Class == model.Transactional {
		return &ledgerSeam{sinkSeam{s, p}}, nil
	}
	return &sinkSeam{s, p}, nil
}

// reach waits until the target can be reached, or fails as one that cannot.
func (s *sinkSeam) reach(ctx context.Context, at Place) error {
	if err := s.p.pass(at); err != nil {
		return err
	}
	s.p.hold()
	time.Sleep(latency)
	if err := s.p.w.targetReached(ctx, s.p); err != nil {
		return err
	}
	if s.p.isDead() {
		return errDead
	}
	return nil
}

func (s *sinkSeam) Write(ctx context.Context, b *sink.Batch) error {
	s.p.w.sees(func(v Validator) {
		if v, ok := v.(batchObserver); ok {
			v.Batch(b)
		}
	})
	if err := s.reach(ctx, Place{Write, false}); err != nil {
		var late *lateError
		if errors.As(err, &late) {
			s.later(copyBatch(b), late.after)
		}
		return err
	}
	time.Sleep(s.p.w.writeTime())
	if s.p.isDead() {
		return errDead
	}
	err := s.Sink.Write(ctx, b)
	if passed := s.p.pass(Place{Write, true}); err == nil && passed != nil {
		return errLost
	}
	return err
}

// later commits b when nobody waits for it any more.
func (s *sinkSeam) later(b *sink.Batch, after time.Duration) {
	s.p.w.processes.Go(func() {
		time.Sleep(after)
		err := s.Sink.Write(context.Background(), b)
		s.p.w.journal("%s: the write that was late has landed: %v", s.p.name, err)
	})
}

func (s *sinkSeam) Evolve(ctx context.Context, prev, next *sink.Table) error {
	if err := s.reach(ctx, Place{Evolve, false}); err != nil {
		return err
	}
	err := s.Sink.(sink.Evolver).Evolve(ctx, prev, next)
	if passed := s.p.pass(Place{Evolve, true}); err == nil && passed != nil {
		return errLost
	}
	return err
}

func (s *sinkSeam) Version(ctx context.Context, t *sink.Table) (uint64, error) {
	if err := s.reach(ctx, Place{Version, false}); err != nil {
		return 0, err
	}
	version, err := s.Sink.(sink.Versioner).Version(ctx, t)
	if passed := s.p.pass(Place{Version, true}); err == nil && passed != nil {
		return 0, errLost
	}
	return version, err
}

func (s *ledgerSeam) Claim(ctx context.Context, parts []sink.Partition) ([]sink.Entry, error) {
	if err := s.reach(ctx, Place{Claim, false}); err != nil {
		return nil, err
	}
	entries, err := s.Sink.(sink.Ledger).Claim(ctx, parts)
	if passed := s.p.pass(Place{Claim, true}); err == nil && passed != nil {
		return nil, errLost
	}
	return entries, err
}

func (s *ledgerSeam) Reset(ctx context.Context, e sink.Entry, next int64) error {
	if s.p.isDead() {
		return errDead
	}
	err := s.Sink.(sink.Ledger).Reset(ctx, e, next)
	if err == nil {
		s.p.w.resets.obeyed(s.p.w, e, next)
	}
	return err
}

// copyBatch copies what a sink must not keep.
func copyBatch(b *sink.Batch) *sink.Batch {
	c := &sink.Batch{Moves: append([]sink.Move(nil), b.Moves...)}
	for _, t := range b.Tables {
		rows := make([]sink.Row, len(t.Rows))
		for i, r := range t.Rows {
			rows[i] = r
			rows[i].Values = make([]schemas.Value, len(r.Values))
			for k, v := range r.Values {
				if v.Kind() == schemas.KindBytes { // text too
					v = schemas.BytesValue(bytes.Clone(v.Bytes()))
				}
				rows[i].Values[k] = v
			}
		}
		t.Rows = rows
		c.Tables = append(c.Tables, t)
	}
	return c
}

// registrySeam is the registry as one process sees it.
type registrySeam struct{ p *process }

func (r registrySeam) ask(f func() error) error {
	if err := r.p.pass(Place{Register, false}); err != nil {
		return err
	}
	r.p.hold()
	time.Sleep(latency)
	if err := f(); err != nil {
		return err
	}
	return r.p.pass(Place{Register, true})
}

func (r registrySeam) Register(ctx context.Context, subject, schema string) (id uint32, err error) {
	err = r.ask(func() error { id, err = r.p.w.registry.Register(ctx, subject, schema); return err })
	return id, err
}

func (r registrySeam) ByID(ctx context.Context, id uint32) (text string, err error) {
	err = r.ask(func() error { text, err = r.p.w.registry.ByID(ctx, id); return err })
	return text, err
}

func (r registrySeam) Verify(ctx context.Context, schema string, id uint32) error {
	return r.ask(func() error { return r.p.w.registry.Verify(ctx, schema, id) })
}

func (r registrySeam) Forget() {}

func (r registrySeam) Latest(ctx context.Context, subject string) (id uint32, text string, err error) {
	err = r.ask(func() error { id, text, err = r.p.w.registry.Latest(ctx, subject); return err })
	return id, text, err
}
