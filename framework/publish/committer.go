package publish

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/syncline-io/syncline/framework/crash"
	"github.com/syncline-io/syncline/framework/failure"
	"github.com/syncline-io/syncline/framework/source"
)

// transactionBytes is where a transaction is cut whatever its age. A source transaction of any size spans as many as it
// needs: each ends with a position within it.
const transactionBytes = 16 << 20

// committer takes batches from the queue to Kafka and decides where one Kafka transaction ends. While it completes a
// commit the emitter fills the next batch, so that everything that arrived meanwhile shares the next commit.
//
// It is one goroutine. Every error is final for the tenure.
type committer struct {
	opts    *Options
	kafka   *transactor
	q       *queue
	confirm func(source.Position)
	stats   *stats
	// positionMax bounds the position's record, in bytes.
	positionMax int

	pace     pace
	complete completion
	ended    time.Time     // when the last transaction ended
	ending   time.Duration // how long its EndTransaction took
	written  source.Position
	batches  []*batch
	position []byte
	state    stated

	open cut
	// firstAck is how long the acknowledgement of the transaction's first record took, in nanoseconds.
	firstAck atomic.Int64
}

// cut is the transaction being filled.
type cut struct {
	began   time.Time // first produce; zero while nothing was produced
	epoch   [2]int64
	bytes   int
	rows    int
	backlog bool
	timed   bool // the first record is on its way
	samples []samples
	upTo    source.Position // after the last batch produced
}

// stated is the state that was written in a record of its own last, and in this tenure; the digest is empty when there is none.
// It is the emitter's copy, which nobody changes.
type stated struct {
	state  []byte
	digest string
}

// run commits until the source has ended and everything is in Kafka, or until something fails. ctx is the hard stop.
func (c *committer) run(ctx context.Context) error {
	for {
		w, err := c.something(ctx)
		if err != nil {
			return err
		}
		if !w.changes && !w.urgent && w.ended {
			return nil
		}
		if err := c.transaction(ctx); err != nil {
			return err
		}
	}
}

// something waits until there is something to commit, or the source has ended.
func (c *committer) something(ctx context.Context) (waiting, error) {
	for {
		w := c.q.look()
		if w.err != nil || w.changes || w.urgent || w.ended {
			return w, w.err
		}
		if err := c.wait(ctx, -1); err != nil {
			return w, err
		}
	}
}

// wait returns when the queue has news or d is over; a negative d is for ever.
func (c *committer) wait(ctx context.Context, d time.Duration) error {
	var over <-chan time.Time
	if d >= 0 {
		t := time.NewTimer(d)
		defer t.Stop()
		over = t.C
	}
	select {
	case <-c.q.wake:
	case <-over:
	case <-c.q.failed:
		return c.q.failure()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	return nil
}

// transaction fills one transaction and commits it.
func (c *committer) transaction(ctx context.Context) error {
	if err := c.rest(ctx); err != nil {
		return err
	}
	// A commit that takes longer than the brokers keep the transaction open is over, whoever notices first.
	ctx, cancel := context.WithTimeoutCause(ctx, c.opts.TransactionTimeout, errors.New("the transaction took longer than its timeout"))
	defer cancel()
	if err := c.begin(ctx); err != nil {
		return err
	}
	if err := c.fill(ctx); err != nil {
		return err
	}
	return c.commit(ctx)
}

// rest waits until the brokers are through with the last transaction, for the gap where they do not say.
func (c *committer) rest(ctx context.Context) error {
	if c.opts.AtLeastOnce {
		return nil
	}
	if known, err := c.complete.wait(ctx, c.ended); known || err != nil {
		return err
	}
	until := c.ended.Add(c.pace.gap)
	for d := time.Until(until); d > 0; d = time.Until(until) {
		if err := c.wait(ctx, d); err != nil {
			return err
		}
	}
	return nil
}

func (c *committer) begin(ctx context.Context) error {
	samples := c.open.samples[:0]
	c.open = cut{samples: samples}
	if c.opts.AtLeastOnce {
		return nil
	}
	if err := c.kafka.BeginTransaction(); err != nil {
		return fmt.Errorf("begin a Kafka transaction: %w", err)
	}
	var err error
	c.open.epoch, err = epoch(ctx, c.kafka.Client)
	return err
}

// fill produces whole batches as they come, until it is time to cut.
func (c *committer) fill(ctx context.Context) error {
	limit := c.opts.TransactionTimeout / 3
	var seen uint64
	var since time.Time // when seen was last new
	for {
		for c.open.bytes < transactionBytes {
			b := c.q.take()
			if b == nil {
				break
			}
			c.open.backlog = true
			c.produce(ctx, b)
		}
		now, w := time.Now(), c.q.look()
		if w.err != nil {
			return w.err
		}
		if w.emitted != seen {
			seen, since = w.emitted, now
		}
		left := c.left(now, w, since)
		if !c.open.began.IsZero() {
			left = min(left, limit-now.Sub(c.open.began))
		}
		if left <= 0 {
			return nil
		}
		if err := c.wait(ctx, left); err != nil {
			return err
		}
	}
}

// left is how long the transaction may still wait for more.
func (c *committer) left(now time.Time, w waiting, since time.Time) time.Duration {
	if c.open.bytes >= transactionBytes || w.ended || w.urgent && !w.changes && c.open.rows == 0 {
		return 0
	}
	from := w.oldest
	if !c.open.began.IsZero() && (!w.changes || c.open.began.Before(from)) {
		from = c.open.began
	}
	quiet := c.pace.quiet()
	if quiet == 0 && !c.open.backlog {
		return 0
	}
	return min(c.pace.age(c.open.backlog)-now.Sub(from), max(quiet, time.Millisecond)-now.Sub(since))
}

// produce hands a batch to the client. Its memory comes back through the queue when the brokers have it.
func (c *committer) produce(ctx context.Context, b *batch) {
	crash.Point("publish.before-produce")
	if c.open.began.IsZero() {
		c.open.began = time.Now()
	}
	c.open.bytes += len(b.data)
	c.open.rows += b.rows
	c.open.upTo = b.end
	if b.samples.n > 0 {
		c.open.samples = append(c.open.samples, b.samples)
	}
	// From the last Produce on the batch belongs to its promises: read what is needed first.
	records, promise := b.records, c.timed(b.acked)
	b.pending.Store(int32(len(records)))
	for i := range records {
		c.kafka.Produce(ctx, &records[i], promise)
		promise = b.acked
	}
}

// timed wraps the promise of the transaction's first record, to see whether the broker parked the request.
func (c *committer) timed(promise func(*kgo.Record, error)) func(*kgo.Record, error) {
	if c.open.timed {
		return promise
	}
	c.open.timed = true
	began := c.open.began
	return func(r *kgo.Record, err error) {
		c.firstAck.Store(int64(time.Since(began)))
		promise(r, err)
	}
}

// commit ends the transaction: the rest of what is here, the position, the commit itself, and then the confirmation.
func (c *committer) commit(ctx context.Context) error {
	start := time.Now()
	up := c.open.upTo
	if c.open.bytes < transactionBytes {
		c.batches, up = c.q.takeAll(c.batches[:0])
		for _, b := range c.batches {
			c.produce(ctx, b)
		}
	}
	if c.open.rows == 0 && same(up, c.written) {
		// An urgent position that was written already: nothing to do but to say so again.
		c.confirm(up)
		return c.end(ctx, kgo.TryAbort)
	}
	if c.opts.AtLeastOnce {
		// Without a transaction the order is all there is: the position must not be there before its changes.
		if err := c.flush(ctx); err != nil {
			return err
		}
		if c.opts.Sync != nil && c.open.rows > 0 {
			// A loss of power must not leave the position and take its changes, which lie in other files.
			if err := c.opts.Sync(); err != nil {
				return err
			}
		}
	}
	crash.Point("publish.before-position")
	if err := c.writePosition(ctx, up); err != nil {
		return err
	}
	if err := c.flush(ctx); err != nil {
		return err
	}
	crash.Point("publish.before-commit")
	if err := c.end(ctx, kgo.TryCommit); err != nil {
		return err
	}
	crash.Point("publish.after-commit")
	c.learn(start)
	c.written = up
	c.stats.committed(&c.open, up, c.ended, c.ended.Sub(start))
	c.confirm(up)
	crash.Point("publish.after-confirm")
	return nil
}

// writePosition produces the position, and before it the state that it names, unless this tenure has written that already.
func (c *committer) writePosition(ctx context.Context, p source.Position) error {
	if c.open.began.IsZero() {
		c.open.began = time.Now()
	}
	if c.opts.AtLeastOnce || len(p.State) <= inlineState {
		c.state = stated{}
	} else if c.state.digest == "" || !bytes.Equal(c.state.state, p.State) {
		c.state = stated{state: p.State, digest: digestOf(p.State)}
		value := appendState(nil, c.opts.Name, c.state.digest, p.State)
		if err := c.produceOther(ctx, stateKey(c.opts.Name), value); err != nil {
			return err
		}
	}
	// Nothing of the last position is in flight any more, so its memory can be used again.
	c.position = appendPosition(c.position[:0], c.opts.Name, p, c.state.digest, time.Now())
	return c.produceOther(ctx, c.opts.Name, c.position)
}

// produceOther produces a record to the offsets topic.
func (c *committer) produceOther(ctx context.Context, key string, value []byte) error {
	r := &kgo.Record{Topic: c.opts.offsetsTopic(), Key: []byte(key), Value: value}
	if size := recordSize(r.Key, r.Value, nil); size > c.positionMax {
		return failure.WithHint(fmt.Errorf("write the position: %w", &tooLarge{size: size, limit: c.positionMax, topic: r.Topic}),
			"raise the topic's max.message.bytes, and its segment.bytes with it: the state grows with the number of tables")
	}
	c.kafka.Produce(ctx, r, c.timed(c.q.ackedOther))
	return nil
}

// flush waits until the brokers have acknowledged everything.
func (c *committer) flush(ctx context.Context) error {
	if err := c.kafka.Flush(ctx); err != nil {
		return fmt.Errorf("wait for the brokers: %w", context.Cause(ctx))
	}
	// An error of a single record must be looked for here: the client would commit what succeeded.
	if err := c.q.failure(); err != nil {
		return fmt.Errorf("produce: %w", err)
	}
	return nil
}

// end ends the Kafka transaction. After an error its outcome is unknown, and must be read from the offsets topic.
func (c *committer) end(ctx context.Context, how kgo.TransactionEndTry) error {
	defer func() { c.ended = time.Now() }()
	if c.opts.AtLeastOnce {
		return nil
	}
	// The client renews a producer id that it believes lost without telling. What was produced before that is then not
	// part of the transaction that would be committed now.
	now, err := epoch(ctx, c.kafka.Client)
	if err != nil {
		return err
	}
	if now != c.open.epoch {
		return errEpochChanged
	}
	start := time.Now()
	if err := c.kafka.EndTransaction(ctx, how); err != nil {
		return fmt.Errorf("commit a Kafka transaction: %w", err)
	}
	c.ending = time.Since(start)
	return nil
}

func (c *committer) learn(start time.Time) {
	c.pace.committed(c.ended.Sub(start))
	if !c.opts.AtLeastOnce {
		c.pace.produced(time.Duration(c.firstAck.Load()), c.ending)
	}
}

func same(a, b source.Position) bool {
	return a.Version == b.Version && string(a.State) == string(b.State)
}
