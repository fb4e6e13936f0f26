package publish

import (
	"context"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/syncline-io/syncline/framework/source"
)

// queue stands between the emitter and the committer: one batch being filled, full ones in order, empty ones for reuse.
// It holds at most limit batches; when all of them are on their way, or fewer that are larger, the emitter waits for the
// brokers, who free them whatever the committer does. After fail nothing goes in or out any more.
type queue struct {
	mu      sync.Mutex
	filling *batch // nil when the emitter must find an empty one first
	full    []*batch
	free    []*batch
	made    int
	limit   int
	// excess is what batches on their way hold beyond their standard size, because of very large changes. bound is for both
	// together: while it is reached the emitter waits as if no batch were free.
	excess, bound int

	pos     source.Position // after the last Emit, Advance or SetState, but for what counts holds
	counts  counts          // of the upstream transaction that is open
	emitted uint64          // changes so far: the committer sees by it that the source is quiet
	oldest  time.Time       // when the first change that is still here was emitted
	urgent  bool            // the position must be written even if no change is here
	ended   bool            // the source will emit nothing more
	err     error

	wake   chan struct{} // to the committer: there is something, or more; capacity 1
	room   chan struct{} // to the emitter: a batch is free; capacity 1
	failed chan struct{} // closed by fail
}

// batchesLeast is how many batches there are whatever the bound: one that fills, one on its way, and one between.
const batchesLeast = 3

func newQueue(bytes int, from source.Position) *queue {
	limit := max(bytes/batchFootprint, batchesLeast)
	return &queue{
		limit:  limit,
		bound:  max(bytes, limit*batchFootprint),
		pos:    source.Position{State: from.State, Version: from.Version},
		counts: countsFrom(from),
		wake:   make(chan struct{}, 1),
		room:   make(chan struct{}, 1),
		failed: make(chan struct{}),
	}
}

// open returns the batch to fill with a change of n records, waiting for an empty one. It is called, and returns, with
// mu held.
func (q *queue) open(ctx context.Context, n int) (*batch, error) {
	if q.filling != nil && q.filling.full(n) {
		q.seal()
		notify(q.wake)
	}
	for q.filling == nil {
		if q.err != nil {
			return nil, q.err
		}
		if b := q.empty(); b != nil {
			q.filling = b
			break
		}
		q.mu.Unlock()
		select {
		case <-q.room:
		case <-q.failed:
		case <-ctx.Done():
		}
		q.mu.Lock()
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
	}
	return q.filling, q.err
}

// empty returns an empty batch, nil when the bound on memory is reached.
func (q *queue) empty() *batch {
	away := q.made - len(q.free)
	if away > 0 && away*batchFootprint+q.excess >= q.bound {
		return nil
	}
	if k := len(q.free); k > 0 {
		b := q.free[k-1]
		q.free = q.free[:k-1]
		return b
	}
	if q.made < q.limit {
		q.made++
		return newBatch(q.acked)
	}
	return nil
}

// added accounts for the change that was just put into the filling batch. mu is held.
func (q *queue) added(now time.Time) {
	q.emitted++
	q.filling.end = q.pos
	if len(q.full) == 0 && q.filling.rows == 1 {
		q.oldest = now
		notify(q.wake)
	}
}

func (q *queue) seal() {
	q.filling.end.Open = q.counts.open() // end is where the queue is: whoever moves that moves the other
	q.excess += q.filling.excess()
	q.full = append(q.full, q.filling)
	q.filling = nil
}

// waiting tells the committer what is here.
type waiting struct {
	changes bool
	urgent  bool
	ended   bool
	emitted uint64
	oldest  time.Time
	err     error
}

func (q *queue) look() waiting {
	q.mu.Lock()
	defer q.mu.Unlock()
	return waiting{
		changes: len(q.full) > 0 || q.filling != nil && !q.filling.empty(),
		urgent:  q.urgent, ended: q.ended, emitted: q.emitted, oldest: q.oldest, err: q.err,
	}
}

// take returns the oldest full batch, nil if there is none.
func (q *queue) take() *batch {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.pop()
}

func (q *queue) pop() *batch {
	if len(q.full) == 0 {
		return nil
	}
	b := q.full[0]
	q.full = append(q.full[:0], q.full[1:]...)
	// What remains came later; how much later is not known, and now is close enough for deciding when to cut.
	q.oldest = time.Now()
	return b
}

// takeAll returns everything that is here and the position after it. buf is reused for the result.
func (q *queue) takeAll(buf []*batch) ([]*batch, source.Position) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.filling != nil && !q.filling.empty() {
		q.seal()
	}
	for b := q.pop(); b != nil; b = q.pop() {
		buf = append(buf, b)
	}
	q.urgent = false
	pos := q.pos
	pos.Open = q.counts.open()
	return buf, pos
}

// acked is the promise of every record of b. When the last one is on the brokers' disks the memory is free.
func (q *queue) acked(b *batch, err error) {
	if err != nil {
		q.fail(err)
		return
	}
	if b.pending.Add(-1) > 0 {
		return
	}
	excess := b.excess()
	b.reset()
	q.mu.Lock()
	q.excess -= excess
	q.free = append(q.free, b)
	q.mu.Unlock()
	notify(q.room)
}

// ackedOther is the promise of a record that belongs to no batch.
func (q *queue) ackedOther(_ *kgo.Record, err error) {
	if err != nil {
		q.fail(err)
	}
}

// fail ends the tenure with err; the first error counts.
func (q *queue) fail(err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.err == nil {
		q.err = err
		close(q.failed)
	}
}

// end says that nothing more will be emitted.
func (q *queue) end() {
	q.mu.Lock()
	q.ended = true
	q.mu.Unlock()
	notify(q.wake)
}

func (q *queue) failure() error {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.err
}

func notify(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
