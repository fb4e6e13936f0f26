package publish

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/syncline-io/syncline/framework/crash"
	"github.com/syncline-io/syncline/framework/failure"
	"github.com/syncline-io/syncline/framework/source"
	"github.com/syncline-io/syncline/schemas"
)

// tenure is the time from holding the lease until something ends it. Nothing of it is used afterwards: the next tenure
// has new clients, new buffers and a new source.
type tenure struct {
	opts   *Options
	stats  *stats
	kafka  *transactor // events and positions
	side   *kgo.Client // topics and the tables topic
	topics *topics
	source source.Source
	guard  *guard
	// aside are the topics whose changes go to quarantine, because earlier ones are there still.
	aside map[string]bool
	// ahead says that nothing in the topics of tables may be as new as what the source is about to send.
	ahead bool
	// environment gives the source's errors the class that they have in this process.
	environment func(error) error
}

// serve runs one tenure. It returns nil when ctx has ended and everything is committed or given up.
func (p *Publisher) serve(ctx context.Context) error {
	t := &tenure{opts: &p.opts, stats: p.stats, guard: newGuard(&p.opts), aside: map[string]bool{}}
	p.stats.allHome()
	// Since the last tenure the registry may have become another one.
	p.opts.Registry.Forget()
	defer t.closeKafka()
	if err := t.openKafka(ctx); err != nil {
		return err
	}
	src, err := p.opts.Open(ctx, p.env())
	if err != nil {
		return p.environment(err)
	}
	t.source, t.environment = src, p.environment
	from, err := t.takeOver(ctx)
	if err == nil {
		err = t.bringHome(ctx)
	}
	if err == nil {
		p.stats.start(from)
		err = t.publish(ctx, from)
	}
	if closeErr := src.Close(); closeErr != nil && err == nil {
		err = fmt.Errorf("close the source: %w", closeErr)
	}
	return err
}

// openKafka connects and prepares the topics. It comes before the source is opened, so that a cluster that is away
// costs the source nothing.
func (t *tenure) openKafka(ctx context.Context) error {
	var err error
	if t.side, err = t.opts.side(); err != nil {
		return failure.As(failure.Config, fmt.Errorf("kafka: %w", err), "see the key kafka")
	}
	if err := ping(ctx, t.side); err != nil {
		return err
	}
	t.topics = &topics{opts: t.opts, admin: kadm.NewClient(t.side)}
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	if err := t.topics.internal(ctx); err != nil {
		return err
	}
	if t.kafka, err = t.opts.producer(t.topics); err != nil {
		return failure.As(failure.Config, fmt.Errorf("kafka: %w", err), "see the key kafka")
	}
	return nil
}

func (t *tenure) closeKafka() {
	if t.kafka != nil {
		t.kafka.Close()
	}
	if t.side != nil {
		t.side.Close()
	}
}

// takeOver makes this instance the only one: in this order, the lease, the producer id, the position. After the lease
// nobody else begins; after the producer id nobody else can finish; so the position that is read then is the last.
func (t *tenure) takeOver(ctx context.Context) (source.Position, error) {
	if err := t.source.Lease(ctx); err != nil {
		return source.Position{}, fmt.Errorf("wait for the lease: %w", err)
	}
	crash.Point("publish.after-lease")
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	// With the timeout of a transaction that its owner left open long ago this may wait for the brokers to abort it.
	if _, err := epoch(ctx, t.kafka.Client); err != nil {
		return source.Position{}, err
	}
	crash.Point("publish.after-fence")
	mark, err := t.writeMark(ctx)
	if err != nil {
		return source.Position{}, fmt.Errorf("write to topic %s: %w", t.opts.offsetsTopic(), err)
	}
	crash.Point("publish.after-mark")
	last, err := t.opts.lastPosition(ctx, mark)
	if err != nil {
		return source.Position{}, err
	}
	// After a position that was not part of its transaction, changes may be there that it does not cover.
	t.ahead = last.position == nil || !t.opts.AtLeastOnce && last.position.Attrs.IsTransactional()
	return t.opts.position(last)
}

// writeMark begins the tenure in the offsets topic and returns the offset of its record.
func (t *tenure) writeMark(ctx context.Context) (int64, error) {
	mark, err := t.opts.markRecord()
	if err != nil {
		return 0, err
	}
	if t.opts.AtLeastOnce {
		err := produceSync(ctx, t.kafka.Client, mark)
		if err != nil {
			return 0, err
		}
		return mark.Offset, nil // the offset is known only now
	}
	if err := t.kafka.BeginTransaction(); err != nil {
		return 0, err
	}
	if err := produceSync(ctx, t.kafka.Client, mark); err != nil {
		return 0, err
	}
	return mark.Offset, t.kafka.EndTransaction(ctx, kgo.TryCommit)
}

// publish runs the source, the committer and the guard over the schemas' ids until one of them ends.
//
// When the source ends, for whatever reason, what it has emitted is still committed: it is in order and complete up to
// where it stopped. When the committer ends, the source is stopped.
func (t *tenure) publish(ctx context.Context, from source.Position) error {
	running, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	// A soft stop ends the source only; the committer goes on, and the drain timeout is its hard stop.
	hard, kill := context.WithCancelCause(context.WithoutCancel(ctx))
	defer kill(nil)

	if !t.opts.Transactions {
		from.Open = nil
	}
	q := newQueue(t.opts.BufferBytes, from)
	committed, c := make(chan error, 1), t.committer(q, from)
	go func() {
		err := c.run(hard)
		if err != nil {
			q.fail(err)
			stop(err)
		}
		committed <- err
	}()

	guarded := make(chan struct{})
	go func() {
		defer close(guarded)
		if err := t.guard.run(running); err != nil {
			q.fail(err)
			stop(err)
		}
	}()
	defer func() { stop(nil); <-guarded }()

	out := t.emitter(running, q)
	sourceErr := t.source.Run(running, from, out)
	q.end()
	timer := time.AfterFunc(t.opts.DrainTimeout, func() {
		kill(fmt.Errorf("what was buffered could not be committed within %v", t.opts.DrainTimeout))
	})
	defer timer.Stop()
	commitErr := <-committed
	err := out.err // the source may have wrapped it, and with it what it means
	if err == nil && sourceErr == nil {
		err = errors.New("the source stopped by itself")
	}
	if err == nil {
		err = t.environment(sourceErr)
	}
	switch {
	case commitErr != nil:
		return commitErr // the source's error is that it was stopped, or comes second
	case ctx.Err() != nil:
		return nil
	case failure.Classify(err) == failure.Gap:
		return t.proveGap(ctx, c.written, err)
	}
	return err
}

// proveGap returns the gap if this instance still can commit. What the topics hold and we do not know of, and how far the
// upstream is confirmed beyond our position, may be the work of a successor, who has the lease now and has fenced us: who is
// fenced goes back to the lease, and must not stop for good. Without transactions nobody is fenced: there a position that is not
// ours is the sign of a successor.
func (t *tenure) proveGap(ctx context.Context, ours source.Position, gap error) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	mark, err := t.writeMark(ctx)
	if err != nil {
		return fmt.Errorf("write to topic %s: %w", t.opts.offsetsTopic(), err)
	}
	if !t.opts.AtLeastOnce {
		return gap
	}
	last, err := t.opts.lastPosition(ctx, mark)
	if err != nil {
		return err
	}
	if p, err := t.opts.position(last); err == nil && !same(p, ours) {
		return failure.As(failure.Fenced, fmt.Errorf("another instance has come to %s, which is not told by the lease: %w", p.Version, gap), "")
	}
	return gap
}

func (t *tenure) committer(q *queue, from source.Position) *committer {
	return &committer{
		opts: t.opts, kafka: t.kafka, q: q, stats: t.stats,
		confirm: t.source.Confirm, positionMax: int(t.topics.maxBatch(t.opts.offsetsTopic())),
		pace: newPace(t.opts.LowestLatency), complete: newCompletion(t.kafka.Client, t.opts.transactionalID()),
		written: from,
		ended:   time.Now(), // the mark's transaction has just ended
	}
}

func (t *tenure) emitter(ctx context.Context, q *queue) *emitter {
	return &emitter{
		ctx: ctx, q: q, opts: t.opts, stats: t.stats,
		tables: &tables{
			opts: t.opts, topics: t.topics, stats: t.stats, side: t.side, guard: t.guard, aside: t.aside, ahead: t.ahead,
			known:   map[*schemas.Table]*table{},
			streams: map[string]*stream{},
		},
	}
}
