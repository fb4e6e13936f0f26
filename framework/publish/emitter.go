package publish

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/syncline-io/syncline/framework/crash"
	"github.com/syncline-io/syncline/framework/source"
	"github.com/syncline-io/syncline/schemas"
)

// emitter encodes changes into the queue's batches. It belongs to the goroutine of the source's Run; it allocates
// nothing per change.
type emitter struct {
	ctx    context.Context // of the source's Run
	q      *queue
	tables *tables
	opts   *Options
	stats  *stats

	// now is when one of the last changes was taken, and commit the upstream commit time of the change before.
	now    time.Time
	commit int64

	// err is why nothing more is taken, for reasons of its own: a table that cannot be published, a source that breaks
	// the contract. What was taken before it is still committed.
	err error
}

var _ source.Emitter = (*emitter)(nil)

// Emit encodes one change. Truncates that are the source's own, before it reads a table again, are no operation of the
// upstream's and never skipped: without them rows that are gone would stay in the targets. What cannot be encoded, or is larger than its topic allows, becomes a dead letter.
func (e *emitter) Emit(c *schemas.Change) error {
	if e.opts.SkipTruncates && c.Op == schemas.Truncate && c.Source.Snapshot == schemas.SnapshotFalse {
		return e.Advance(c.Version, false)
	}
	if e.err != nil {
		return e.err
	}
	if c.Op == schemas.Begin || c.Op == schemas.End {
		return e.mark(c)
	}
	return e.publish(c)
}

// publish encodes a change or a mark.
func (e *emitter) publish(c *schemas.Change) error {
	t, err := e.tables.of(e.ctx, c.Table)
	needless := false
	if err == nil && c.Op == schemas.Truncate {
		needless, err = e.tables.needless(e.ctx, t, c)
	}
	if err == nil && !needless {
		err = t.takes(c)
	}
	if err != nil {
		e.err = err
		return err
	}
	if needless {
		return e.Advance(c.Version, false)
	}
	refusal, err := e.put(c, t)
	if refusal == nil || err != nil {
		return err
	}
	// The topic is made outside the queue's lock, so that the committer goes on meanwhile.
	if err := e.tables.topics.deadLetters(e.ctx); err != nil {
		e.err = err
		return err
	}
	crash.Point("publish.before-dead-letter")
	err = e.putDeadLetter(c, t, refusal)
	crash.Point("publish.after-dead-letter")
	return err
}

// put encodes the change into a batch. A refusal says why it must become a dead letter; the batch is then as before.
func (e *emitter) put(c *schemas.Change, t *table) (refusal, err error) {
	e.q.mu.Lock()
	defer e.q.mu.Unlock()
	b, err := e.open(e.records(c, t))
	if err != nil {
		return nil, err
	}
	now := e.clock(b, c)
	m := b.mark()
	e.q.counts.place(c, t)
	if refusal = e.encode(b, c, t, now); refusal != nil {
		b.rewind(m)
		return refusal, nil
	}
	e.q.counts.published(c, t)
	e.account(b, c, t, now)
	return nil, nil
}

// clockRows is how many changes of one upstream transaction, or of a snapshot, share a look at the clock: it costs as much as
// a sixth of encoding a row. A batch waits a tenth of a second at most, so the time is never older than that.
const clockRows = 16

// clock returns the time at which c, which goes into b next, was taken. It is never before the commit of c.
func (e *emitter) clock(b *batch, c *schemas.Change) time.Time {
	if b.rows%clockRows == 0 || c.Source.Time != e.commit {
		e.now, e.commit = time.Now(), c.Source.Time
	}
	return e.now
}

func (e *emitter) putDeadLetter(c *schemas.Change, t *table, refusal error) error {
	now := time.Now()
	e.q.mu.Lock()
	defer e.q.mu.Unlock()
	b, err := e.open(1)
	if err != nil {
		return err
	}
	e.deadLetter(b, c, t, refusal, now)
	e.stats.deadLetter(t.topic)
	e.q.counts.refused(c)
	e.account(b, c, t, now)
	return nil
}

// records is how many records the change becomes.
func (e *emitter) records(c *schemas.Change, t *table) int {
	switch {
	case c.Op == schemas.Truncate:
		return int(t.partitions)
	case e.tombstone(c, t):
		return 2
	}
	return 1
}

func (e *emitter) tombstone(c *schemas.Change, t *table) bool {
	return c.Op == schemas.Delete && t.keyed && !e.opts.NoTombstones && !t.rows
}

func (e *emitter) open(records int) (*batch, error) {
	if e.q.pos.State == nil {
		return nil, errors.New("emit: a change came before SetState")
	}
	return e.q.open(e.ctx, records)
}

func (e *emitter) account(b *batch, c *schemas.Change, t *table, now time.Time) {
	b.rows++
	if c.Source.Snapshot == schemas.SnapshotFalse && !timeless(c) {
		b.samples.add(c.Source.Time)
	}
	t.last = c.Version
	t.emitted.Add(1)
	e.q.pos.Version = c.Version
	e.q.added(now)
}

// timeless reports whether the change's time is not its own: that of a message outside of transactions is of what was before.
func timeless(c *schemas.Change) bool { return c.Op == schemas.Message && c.Source.TxID == 0 }

// encode appends the records of one change to b. An error says that the change cannot be published as it is.
func (e *emitter) encode(b *batch, c *schemas.Change, t *table, now time.Time) error {
	at := len(b.headers)
	var key []byte
	if t.keyed && c.Op != schemas.Truncate {
		start, err := len(b.data), error(nil)
		if b.data, err = t.encoder.AppendKey(b.data, c.Key()); err != nil {
			return fmt.Errorf("key: %w", err)
		}
		key = b.data[start:len(b.data):len(b.data)]
	}
	start, err := len(b.data), error(nil)
	if b.data, err = t.encoder.AppendValue(b.data, c, now.UnixMicro()); err != nil {
		return fmt.Errorf("value: %w", err)
	}
	value := b.data[start:len(b.data):len(b.data)]

	version := e.versionHeader(b, c)
	if t.described() {
		b.header(schemas.HeaderTable, t.version)
	}
	if t.rows {
		if len(value) == 0 {
			value = nil // the tombstone is the delete
		}
		t.rowHeaders(b, c, value == nil)
	}
	t.besideHeaders(b, c)
	headers := b.since(at)
	if size := recordSize(key, value, headers); size > t.maxRecord {
		return &tooLarge{size: size, limit: t.maxRecord, topic: t.topic}
	}

	if c.Op == schemas.Truncate {
		for p := range t.partitions {
			fill(b.add(), t.topic, p, nil, value, headers, now)
		}
		return nil
	}
	p := partition(key, t.partitions)
	fill(b.add(), t.topic, p, key, value, headers, now)
	if e.tombstone(c, t) {
		at := len(b.headers)
		b.header(schemas.HeaderVersion, version)
		if t.aside != nil {
			b.header(schemas.HeaderQuarantine, t.aside)
		}
		t.otherKey(b, c)
		fill(b.add(), t.topic, p, key, nil, b.since(at), now)
	}
	return nil
}

func (e *emitter) versionHeader(b *batch, c *schemas.Change) []byte {
	start := len(b.data)
	b.data = c.Version.AppendBinary(b.data)
	version := b.data[start:len(b.data):len(b.data)]
	b.header(schemas.HeaderVersion, version)
	return version
}

// Advance notes that everything up to v is covered.
func (e *emitter) Advance(v schemas.Version, urgent bool) error {
	e.q.mu.Lock()
	defer e.q.mu.Unlock()
	if err := e.broken(); err != nil {
		return err
	}
	if urgent && e.q.pos.State == nil {
		return errors.New("advance: no SetState came before it")
	}
	e.q.pos.Version = v
	if b := e.q.filling; b != nil && !b.empty() {
		b.end.Version = v
	}
	if urgent && !e.q.urgent {
		e.q.urgent = true
		notify(e.q.wake)
	}
	return nil
}

// SetState replaces the state from the next position on.
func (e *emitter) SetState(state []byte) error {
	state, err := cleanState(state)
	if err != nil {
		return err
	}
	e.q.mu.Lock()
	defer e.q.mu.Unlock()
	if err := e.broken(); err != nil {
		return err
	}
	e.q.pos.State = state
	if b := e.q.filling; b != nil && !b.empty() {
		b.end.State = state
	}
	return nil
}

// broken returns why nothing can be published any more, nil while it can. mu is held.
func (e *emitter) broken() error {
	if e.err != nil {
		return e.err
	}
	if e.q.err != nil {
		return e.q.err
	}
	if e.ctx.Err() != nil {
		return context.Cause(e.ctx)
	}
	return nil
}

func fill(r *kgo.Record, topic string, partition int32, key, value []byte, headers []kgo.RecordHeader, now time.Time) {
	r.Topic, r.Partition, r.Key, r.Value, r.Headers, r.Timestamp = topic, partition, key, value, headers, now
}

// recordSize is an upper bound for a record in a batch of its own, uncompressed, which is what the brokers' limit is
// compared with here: whether it would fit when compressed is known too late, when the transaction has failed.
func recordSize(key, value []byte, headers []kgo.RecordHeader) int {
	const batchHeader, recordHeader, perHeader = 61, 40, 10
	n := batchHeader + recordHeader + len(key) + len(value)
	for i := range headers {
		n += perHeader + len(headers[i].Key) + len(headers[i].Value)
	}
	return n
}
