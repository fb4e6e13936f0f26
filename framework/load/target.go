package load

import (
	"context"
	"errors"
	"time"

	"github.com/syncline-io/syncline/framework/sink"
)

// target is the sink behind a lock: the claims of a rebalance and the writer's batches come from two goroutines, and a
// sink is called from one at a time.
type target struct {
	sink    sink.Sink
	ledger  sink.Ledger  // nil: the sink keeps no offsets
	evolver sink.Evolver // nil: the sink has no schema
	// versions is nil when the sink does not remember for which version of a table it was made ready.
	versions sink.Versioner
	lock     chan struct{}
	// cut ends the Write under way; it belongs to who holds the lock.
	cut chan context.CancelFunc
}

func newTarget(s sink.Sink) *target {
	t := &target{sink: s, lock: make(chan struct{}, 1), cut: make(chan context.CancelFunc, 1)}
	t.ledger, _ = s.(sink.Ledger)
	t.evolver, _ = s.(sink.Evolver)
	t.versions, _ = s.(sink.Versioner)
	return t
}

func (t *target) acquire(ctx context.Context) error {
	select {
	case t.lock <- struct{}{}:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (t *target) release() { <-t.lock }

// errHandedOver says that a batch was not written because one of its partitions is no longer ours.
var errHandedOver = errors.New("a partition was handed over")

// write makes b durable, unless one of its partitions has gone.
func (t *target) write(ctx context.Context, b *sink.Batch, ends []end) error {
	if err := t.acquire(ctx); err != nil {
		return err
	}
	defer t.release()
	for i := range ends {
		if ends[i].part.gone.Load() {
			return errHandedOver
		}
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	t.cut <- cancel
	defer func() {
		select {
		case <-t.cut:
		default: // quiesce took it
		}
	}()
	return t.sink.Write(ctx, b)
}

func (t *target) claim(ctx context.Context, partitions []sink.Partition) ([]sink.Entry, error) {
	if err := t.acquire(ctx); err != nil {
		return nil, err
	}
	defer t.release()
	return t.ledger.Claim(ctx, partitions)
}

func (t *target) reset(ctx context.Context, e sink.Entry, next int64) error {
	if err := t.acquire(ctx); err != nil {
		return err
	}
	defer t.release()
	return t.ledger.Reset(ctx, e, next)
}

func (t *target) evolve(ctx context.Context, prev, next *sink.Table) error {
	if err := t.acquire(ctx); err != nil {
		return err
	}
	defer t.release()
	return t.evolver.Evolve(ctx, prev, next)
}

// version is that of the source's table which t was made ready for last, 0 when it is not known.
func (t *target) version(ctx context.Context, table *sink.Table) (uint64, error) {
	if t.versions == nil {
		return 0, nil
	}
	if err := t.acquire(ctx); err != nil {
		return 0, err
	}
	defer t.release()
	return t.versions.Version(ctx, table)
}

// quiesce returns when no Write is under way that began before the call. One that takes longer than patience is cut
// off; what became of it the ledger tells the partitions' next owner.
func (t *target) quiesce(patience time.Duration) {
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case t.lock <- struct{}{}:
		t.release()
		return
	case <-timer.C:
	}
	select {
	case cancel := <-t.cut:
		cancel()
	default:
	}
	t.lock <- struct{}{}
	t.release()
}
