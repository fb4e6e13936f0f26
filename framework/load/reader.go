package load

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/zap"

	"github.com/syncline-io/syncline/framework/crash"
	"github.com/syncline-io/syncline/framework/failure"
	"github.com/syncline-io/syncline/schemas"
)

// reader turns polled records into batches. Everything in it belongs to its goroutine; a partition that is handed over
// meanwhile is marked as gone, and the writer leaves its events out.
//
// It never waits while records polled are not yet in the partitions' own queues: a rebalance is held up by those.
type reader struct {
	*session
	catalog *catalog
	batch   *batch
	// active holds the partitions with pending records.
	active []*partition
	// cut says that the batch must be handed over before the next record: a newer version of a table follows.
	cut bool
	// released says that partitions may go on that could not a moment ago.
	released bool
	out      chan<- *batch
	// free brings the next batch to fill. Whenever the writer takes a batch from out, one is there or on its way: that
	// it has written before, or a fresh one.
	free <-chan *batch
	// ended is closed when the writer has returned: it takes no batch and gives none back.
	ended <-chan struct{}
}

// moveAge is how long a batch without events may wait. Control records and tombstones alone are worth a write at a low
// rate only, so that lag reaches zero.
const moveAge = time.Second

// run ends when ctx does. What is decoded then is still handed over, unless hard ends before the writer is free.
func (r *reader) run(ctx, hard context.Context) error {
	defer close(r.out)
	polling := false
	for {
		if err := r.fill(ctx); err != nil {
			return err
		}
		if !polling && !r.full() && !r.backlog() {
			r.want <- struct{}{}
			polling = true
		}
		out, wait := r.offer(time.Now())
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return r.finish(ctx, hard)
		case fetches := <-r.polled:
			polling = false
			err := r.take(fetches)
			r.client.AllowRebalance()
			if err != nil {
				return err
			}
		case out <- r.batch:
			if !r.refill() {
				return nil
			}
		case <-timer.C:
		}
		timer.Stop()
	}
}

// refill takes an empty batch. It returns false when the writer has ended.
func (r *reader) refill() bool {
	select {
	case r.batch = <-r.free:
		r.cut = false
		r.batch.shrink(r.opts.Batch.Bytes)
		return true
	case <-r.ended:
		return false
	}
}

// finish hands over what is decoded when the stop was asked for, and nothing when the session failed: then all of it is
// read again.
func (r *reader) finish(ctx, hard context.Context) error {
	if failed := context.Cause(ctx); failed != nil && !errors.Is(failed, context.Canceled) {
		return nil
	}
	if r.batch.empty() {
		return nil
	}
	select {
	case r.out <- r.batch:
	case <-r.ended: // it was trying something again, and the stop ended that
	case <-hard.Done():
	}
	return nil
}

// full reports whether the batch takes no more records. One without events never is: nobody would write it and so make room.
func (r *reader) full() bool {
	n := len(r.batch.events)
	return r.cut || n > 0 && (n >= r.opts.Batch.Rows || r.batch.size() >= r.opts.Batch.Bytes)
}

// backlog reports whether records wait that could be decoded now.
func (r *reader) backlog() bool {
	for _, p := range r.active {
		if !p.gone.Load() && p.truncate == nil && p.stalled.IsZero() {
			return true
		}
	}
	return false
}

// offer returns the channel to offer the batch on, nil when it is not due, and for how long nothing will change by
// itself.
func (r *reader) offer(now time.Time) (chan<- *batch, time.Duration) {
	wait := time.Minute
	for _, p := range r.active {
		if !p.stalled.IsZero() {
			wait = min(wait, p.stalled.Sub(now))
		}
	}
	if r.batch.empty() {
		return nil, max(wait, 0)
	}
	age := r.opts.Batch.Age
	if len(r.batch.events) == 0 {
		age = max(age, moveAge)
	}
	if left := r.batch.opened.Add(age).Sub(now); left > 0 && !r.full() {
		return nil, max(min(wait, left), 0)
	}
	return r.out, max(wait, 0)
}

// take puts polled records into the queues of their partitions.
func (r *reader) take(fetches kgo.Fetches) error {
	for _, e := range fetches.Errors() {
		if err := r.fetchError(e); err != nil {
			return err
		}
	}
	fetches.EachPartition(func(f kgo.FetchTopicPartition) {
		p := r.partition(f.Topic, f.Partition)
		if p == nil {
			return
		}
		p.committable.Store(f.LastStableOffset)
		if f.LastStableOffset < 0 {
			p.committable.Store(f.HighWatermark)
		}
		if len(f.Records) == 0 {
			return
		}
		if len(p.pending) == 0 {
			r.active = append(r.active, p)
		}
		p.pending = append(p.pending, f.Records...)
	})
	return nil
}

// fetchError tells the errors after which going on would lose something from those that pass.
func (r *reader) fetchError(e kgo.FetchError) error {
	var lost *kgo.ErrDataLoss
	switch {
	case errors.Is(e.Err, context.Canceled), errors.Is(e.Err, kgo.ErrClientClosed):
		return nil
	case errors.Is(e.Err, kerr.OffsetOutOfRange), errors.As(e.Err, &lost):
		return failure.As(failure.Gap, fmt.Errorf("%s partition %d no longer has the offset that comes next: %w", e.Topic, e.Partition, e.Err),
			"records were removed before they were read, by retention or by a loss at the broker; take a new snapshot, or "+r.opts.resetHint(e.Topic))
	case errors.Is(e.Err, kerr.UnknownTopicID):
		return failure.As(failure.Gap, fmt.Errorf("%s was deleted and made again while it was read: %w", e.Topic, e.Err), r.opts.resetHint(e.Topic))
	}
	if e.Topic != "" && r.partition(e.Topic, e.Partition) == nil {
		// The group gave it to us, and the client could not learn where it begins (permission lost, a coordinator in
		// trouble). It leaves such a partition alone for as long as it is a member, so that nobody would read it.
		return fmt.Errorf("%s partition %d is ours and cannot begin: %w", e.Topic, e.Partition, e.Err)
	}
	r.stats.failed(fmt.Errorf("fetch %s: %w", e.Topic, e.Err))
	r.log.Warn("fetch", zap.String("topic", e.Topic), zap.Int32("partition", e.Partition), zap.Error(e.Err))
	return nil
}

// fill decodes pending records until the batch is full or nothing more can be decoded now.
func (r *reader) fill(ctx context.Context) error {
	for r.released = true; r.released; {
		r.released = false
		waiting := r.active[:0]
		for _, p := range r.active {
			if err := r.drain(ctx, p); err != nil {
				return err
			}
			if len(p.pending) > 0 {
				waiting = append(waiting, p)
			}
		}
		clear(r.active[len(waiting):])
		r.active = waiting
	}
	return nil
}

// drain decodes one partition's pending records.
func (r *reader) drain(ctx context.Context, p *partition) error {
	if p.gone.Load() {
		p.pending = nil
		return nil
	}
	now := time.Now()
	if p.stalled.After(now) {
		return nil
	}
	p.stalled = time.Time{}
	if p.truncate != nil && !r.full() {
		if err := r.hold(ctx, p, now); err != nil || p.truncate != nil {
			return err
		}
	}
	for len(p.pending) > 0 && !r.full() && ctx.Err() == nil {
		err := r.record(ctx, p, p.pending[0], now)
		switch {
		case err == nil:
			p.pending[0] = nil
			p.pending = p.pending[1:]
		case errors.Is(err, errCut):
			r.cut = true
			return nil
		case errors.Is(err, errBarrier):
			if err := r.hold(ctx, p, now); err != nil || len(p.pending) == 0 || p.truncate != nil || !p.stalled.IsZero() {
				return err
			}
		case failure.IsFinal(err):
			return err
		default:
			err = fmt.Errorf("%s partition %d offset %d: %w", p.Topic, p.Partition.Partition, p.pending[0].Offset, err)
			r.pause(p)
			p.stall(now, err)
			r.stats.failed(err)
			r.log.Warn("partition waits", zap.String("topic", p.Topic), zap.Int32("partition", p.Partition.Partition), zap.Error(err))
			return nil
		}
	}
	return nil
}

// errCut says that the batch must be written before this record can come in.
var errCut = errors.New("a newer version of the table follows")

// record takes one record into the batch. After an error it stays at the head of its queue.
func (r *reader) record(ctx context.Context, p *partition, rec *kgo.Record, now time.Time) error {
	if rec.Attrs.IsControl() {
		r.advance(p, rec, p.seen, now)
		return nil
	}
	s, err := stampOf(rec)
	if err == nil && s.hasVersion && s.version.Compare(p.seen) <= 0 {
		if rec.Value != nil || s.hasOp {
			r.stats.repeats.Add(1)
		}
		r.advance(p, rec, p.seen, now)
		return nil
	}
	if err == nil && rec.Value == nil && rec.Key != nil && s.hasVersion && !s.hasOp {
		s, err = r.catalog.alone(ctx, rec, s, p.codec)
	}
	var id uint32
	var body []byte
	if err == nil {
		id, body, err = r.catalog.valueOf(ctx, rec, s, p.codec)
	}
	if err == nil && rec.Value == nil && id == 0 {
		r.advance(p, rec, later(p.seen, s.version), now)
		return nil
	}
	var e event
	if err == nil {
		e, err = r.event(ctx, p, rec, id, body, s)
	}
	if err != nil {
		bad, ok := errors.AsType[*unreadable](err)
		if !ok {
			return err
		}
		if bad.stage == stageKey && p.codec.speaksTwice(rec) {
			r.advance(p, rec, later(p.seen, s.version), now)
			return nil
		}
		e = event{record: rec, unreadable: bad, version: s.version}
	}
	if e.op != schemas.Message || e.unreadable != nil {
		e.part = p
		r.batch.add(e)
	}
	r.advance(p, rec, later(p.seen, s.version), now)
	return nil
}

// event decodes a record, whose value has the schema id and the body, once the batch may hold its version of the table.
func (r *reader) event(ctx context.Context, p *partition, rec *kgo.Record, id uint32, body []byte, s stamp) (_ event, err error) {
	if !p.codec.fits(rec, id, s) {
		if p.codec, err = r.catalog.codec(ctx, rec, id, s); err != nil {
			return event{}, err
		}
	}
	if p.codec.special {
		return event{record: rec, op: schemas.Message, version: s.version}, nil
	}
	if newer := r.catalog.newer(p.codec); newer || !p.met {
		source := p.codec.source
		if !p.met {
			if source, err = r.standing(ctx, p.codec); err != nil {
				return event{}, err
			}
		}
		if newer || r.catalog.behind(rec.Topic, source) {
			if r.holds(rec.Topic) {
				return event{}, errCut
			}
			if err := r.catalog.adopt(rec.Topic, source); err != nil {
				return event{}, err
			}
		}
		p.met = true
	}
	r.catalog.aim(p.codec)
	e, err := r.catalog.decode(ctx, p.codec, rec, body, s, &r.batch.arena)
	if err == nil && e.op == schemas.Truncate && p.siblings > 1 && !s.hasVersion {
		return event{}, &unreadable{stageValue, fmt.Errorf("a truncate in one of %d partitions, without a version: what of the others comes before it "+
			"is not known (empty %s in the target by hand, or have the topic written with one partition)", p.siblings, p.codec.target)}
	}
	if err == nil && e.op == schemas.Truncate && p.siblings > 1 && p.truncate == nil {
		version := s.version // a copy, so that not every record's stamp lands on the heap
		p.truncate = &version
		crash.Point("load.truncate-met")
		return event{}, errBarrier
	}
	return e, err
}

// standing returns the version of the table that the topic's rows are to be mapped onto when a partition has just been given
// to this member: that of its first record, or where that is later the one for which the target was made ready, by another
// member, which may have had the partition meanwhile, or by this one before it began again. A partition that lags behind
// brings rows from before a rename to a target that has the new name alone.
func (r *reader) standing(ctx context.Context, k *codec) (*schemas.Table, error) {
	if !k.ours {
		return k.source, nil
	}
	t, err := r.opts.Naming.table(k.topic, k.source)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, lookupTimeout)
	defer cancel()
	version, err := r.target.version(ctx, t)
	if err != nil {
		return nil, fmt.Errorf("ask the target for the version of table %s: %w", t, err)
	}
	if version <= k.source.Version {
		return k.source, nil
	}
	later := r.tables.since(k.topic, k.source.Version, version)
	if later == nil { // another member may have met it after we have read the tables topic
		if err := r.tables.refresh(ctx); err != nil {
			return nil, err
		}
		later = r.tables.since(k.topic, k.source.Version, version)
	}
	if later == nil {
		return k.source, nil
	}
	return later, nil
}

// holds reports whether the batch has an event of the topic.
func (r *reader) holds(topic string) bool {
	for i := range r.batch.events {
		if e := &r.batch.events[i]; e.record.Topic == topic && e.table != nil {
			return true
		}
	}
	return false
}

// advance says that a record is dealt with, whatever became of it: the partition goes on.
func (r *reader) advance(p *partition, rec *kgo.Record, seen schemas.Version, now time.Time) {
	p.unstall()
	r.resume(p)
	p.next, p.seen = rec.Offset+1, seen
	r.batch.reach(p, p.next, seen, now)
}

func later(a, b schemas.Version) schemas.Version {
	if a.Compare(b) < 0 {
		return b
	}
	return a
}

// errBarrier says that a truncate waits for the other partitions of its topic.
var errBarrier = errors.New("a truncate waits for the other partitions of its topic")

// hold keeps p at its truncate until all partitions of the topic have come to the same one; then it lets all of them
// pass at once. The truncates stand side by side in the batch, with no row between them, are never bisected, and are
// written together or not at all.
func (r *reader) hold(ctx context.Context, p *partition, now time.Time) error {
	siblings := r.siblings(p.Topic)
	version := *p.truncate
	if len(siblings) < p.siblings {
		p.truncate = nil
		r.pause(p)
		p.stall(now, fmt.Errorf("truncate %s of %s partition %d: the topic's %d partitions are at several members: "+
			"run one copy of the connector until it has passed", version, p.Topic, p.Partition.Partition, p.siblings))
		return nil
	}
	for _, q := range siblings {
		arrived, err := q.arrived(p)
		if errors.Is(err, errTorn) {
			return err
		}
		if err != nil {
			return failure.As(failure.Gap, err, r.opts.resetHint(p.Topic))
		}
		if !arrived {
			r.pause(p)
			p.awaits(q)
			return nil
		}
	}
	crash.Point("load.truncate-arrived")
	for _, q := range siblings {
		if q.truncate == nil || *q.truncate != version {
			continue
		}
		if err := r.record(ctx, q, q.pending[0], now); err != nil {
			return fmt.Errorf("truncate of %s partition %d: %w", q.Topic, q.Partition.Partition, err)
		}
		q.pending, q.truncate = q.pending[1:], nil
	}
	r.released = true
	return nil
}

// arrived reports whether q, a partition of p's topic, has come to the truncate at which p waits: it waits there too, or
// has passed it, or at least nothing is left of it in front of it. Rows of q behind the truncate that have been read
// already would be lost with it: that is an error. Where p was given away, with the truncates under way, and has come back,
// what q has read since it was given to us is perhaps not written: then everything is to be read again, by a session of
// which p is no second stay. Otherwise q no longer has the truncate, or never had it, and would not the next time.
func (q *partition) arrived(p *partition) (bool, error) {
	switch q.seen.Compare(*p.truncate) {
	case 0:
		return true, nil
	case 1:
		if p.again && q.from.Compare(*p.truncate) <= 0 {
			return false, fmt.Errorf("truncate %s of %s: partition %d comes to it again, and partition %d has read on: %w",
				*p.truncate, p.Topic, p.Partition.Partition, q.Partition.Partition, errTorn)
		}
		return false, fmt.Errorf("truncate %s of %s: partition %d comes to it only now, at offset %d, and partition %d stands behind it already, at %s",
			*p.truncate, p.Topic, p.Partition.Partition, p.next, q.Partition.Partition, q.seen)
	}
	return q.truncate != nil && q.truncate.Compare(*p.truncate) >= 0, nil
}

// awaits says in the status that p waits for q.
func (p *partition) awaits(q *partition) {
	err := fmt.Errorf("truncate %s waits for partition %d", *p.truncate, q.Partition.Partition)
	p.trouble.Store(&err)
}

// pause stops fetching a partition that cannot go on, so that its queue stays as it is. The client's pause is by name and
// outlives the stay of a partition: one that has come back meanwhile must not be paused for what its first stay waited for.
func (r *reader) pause(p *partition) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.owned[topicPartition{p.Topic, p.Partition.Partition}] == p {
		r.client.PauseFetchPartitions(map[string][]int32{p.Topic: {p.Partition.Partition}})
		p.paused = true
	}
}

func (r *reader) resume(p *partition) {
	if !p.paused {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.owned[topicPartition{p.Topic, p.Partition.Partition}] == p {
		r.client.ResumeFetchPartitions(map[string][]int32{p.Topic: {p.Partition.Partition}})
	}
	p.paused = false
}
