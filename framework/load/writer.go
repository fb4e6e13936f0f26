package load

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"go.uber.org/zap"

	"github.com/syncline-io/syncline/framework/crash"
	"github.com/syncline-io/syncline/framework/failure"
	"github.com/syncline-io/syncline/framework/sink"
	"github.com/syncline-io/syncline/schemas"
)

// writer brings batches into the target, one after the other. Everything in it belongs to its goroutine.
type writer struct {
	*session
	fold *folder
	// known holds the version of each target table that Evolve was given last, by "schema.name".
	known map[string]*sink.Table
	in    <-chan *batch
	free  chan<- *batch
	// deadLetterTopic says that the topic is known to exist.
	deadLetterTopic bool
	// held is a batch received early, to be written next. A fresh one has taken its place in the rounds.
	held *batch
	// ended is closed when run returns.
	ended chan<- struct{}
}

// run writes batches until in is closed. soft ends when the connector shall stop: then nothing is tried again. hard
// ends when it must.
func (w *writer) run(soft, hard context.Context) error {
	defer close(w.ended)
	for {
		b := w.held
		if w.held = nil; b == nil {
			if b = <-w.in; b == nil {
				return nil
			}
		}
		if err := w.batch(soft, hard, b); err != nil {
			return err
		}
		w.stats.setState(Running)
		if w.held == nil { // else the rounds have their two batches: the held one, and that which took its place
			b.reset()
			w.free <- b
		}
	}
}

// batch makes one batch durable, together with others when it stands in their way.
func (w *writer) batch(soft, hard context.Context, b *batch) error {
	events, err := w.prepare(soft, hard, b)
	if err != nil {
		return err
	}
	g := gather(events, b)
	var backoff failure.Backoff
	for {
		err := w.split(soft, hard, g.events, g.ends, failure.Refused)
		if failure.Classify(err) == failure.Conflict {
			g.undone()
			err = w.split(soft, hard, inSourceOrder(g.events), g.ends, failure.Conflict)
		}
		if failure.Classify(err) != failure.Conflict {
			return err
		}
		w.stats.retrying(err)
		w.log.Warn("rows are in conflict with some that are still to come", zap.Error(err))
		if err := failure.Sleep(soft, backoff.Next(err)); err != nil {
			return err
		}
		g.undone()
		if g, err = w.join(soft, hard, g); err != nil {
			return err
		}
	}
}

// gathered is what is written together, and the memory of the batches that it came in.
type gathered struct {
	events []event
	ends   []end
	shares []share
}

// share is what a batch has in what is gathered: the next so many events, and an arena that lives as long as one of them.
type share struct{ events, arena int }

func gather(events []event, b *batch) gathered {
	return gathered{events, b.ends, []share{{len(events), b.arena.Size()}}}
}

// with returns g and the events of b behind it.
func (g gathered) with(events []event, b *batch) gathered {
	ends := append([]end(nil), g.ends...)
	for _, e := range b.ends {
		ends = reach(ends, e.part, e.next, e.applied)
	}
	shares := append(append([]share(nil), g.shares...), share{len(events), b.arena.Size()})
	return gathered{append(append([]event(nil), g.events...), events...), ends, shares}
}

// bytes is the memory that is held.
func (g gathered) bytes() int {
	n := 0
	for i := range g.events {
		n += g.events[i].size()
	}
	for _, s := range g.shares {
		n += s.arena
	}
	return n
}

// undone leaves out the events that are in the target already. The first batch keeps its arena: it goes back to the reader.
func (g *gathered) undone() {
	left, shares := g.events[:0], g.shares[:0]
	from := 0
	for i, s := range g.shares {
		before := len(left)
		for _, e := range g.events[from : from+s.events] {
			if e.record.Offset >= e.part.entry.Next {
				left = append(left, e)
			}
		}
		from += s.events
		if n := len(left) - before; n > 0 || i == 0 {
			shares = append(shares, share{n, s.arena})
		}
	}
	clear(g.events[len(left):]) // the records go to the garbage collector
	g.events, g.shares = left, shares
}

// prepare sets aside what cannot be read and makes the target's tables ready for the rest, which it returns.
func (w *writer) prepare(soft, hard context.Context, b *batch) ([]event, error) {
	events, _, err := live(b.events, b.ends)
	if err != nil {
		return nil, err
	}
	events, err = w.buryUnreadable(soft, hard, events)
	if err != nil {
		return nil, err
	}
	return events, w.evolve(soft, hard, events)
}

// joinBatches bounds what a conflict may gather, in multiples of a batch's rows and of its bytes. With the batch that came
// early and could not be joined, and that which the reader fills, memory holds two more.
const joinBatches = 4

// join adds the next batch to events that are in conflict: what frees the value that they need may be in it. Nothing is
// added when there is none, when too much has been gathered, or when it has other versions of the same tables; the
// events then wait for other members.
func (w *writer) join(soft, hard context.Context, g gathered) (gathered, error) {
	bytes := g.bytes()
	if w.held != nil || len(g.events) > (joinBatches-1)*w.opts.Batch.Rows || bytes > (joinBatches-1)*w.opts.Batch.Bytes {
		w.log.Warn("rows in conflict wait, and this copy reads nothing meanwhile: no more can be gathered with them. "+
			"If no other copy brings what they need, drop the constraint, or make the batches larger",
			zap.Int("rows", len(g.events)), zap.Int("bytes", bytes))
		return g, nil
	}
	select {
	case w.held = <-w.in:
	default:
	}
	if w.held != nil {
		w.free <- &batch{} // the reader goes on: it waits for a batch, and the one in conflict may never come back
	}
	if w.held == nil || !sameVersions(g.events, w.held.events) {
		return g, nil
	}
	b := w.held
	w.held = nil // it stays with the events until they are written
	added, err := w.prepare(soft, hard, b)
	if err != nil {
		return g, err
	}
	return g.with(added, b), nil
}

// sameVersions reports whether no table is in a in one version and in b in another.
func sameVersions(a, b []event) bool {
	version := map[string]*sink.Table{}
	for _, events := range [...][]event{a, b} {
		var last *sink.Table
		for i := range events {
			t := events[i].table
			if t == nil || t == last {
				continue
			}
			last = t
			if before := version[t.String()]; before != nil && before != t {
				return false
			}
			version[t.String()] = t
		}
	}
	return true
}

// live leaves out what belongs to partitions that are no longer ours. It returns errTorn when the truncates of a topic's
// partitions would be torn apart by that.
func live(events []event, ends []end) ([]event, []end, error) {
	kept := liveEnds(ends)
	if len(kept) == len(ends) {
		return events, ends, nil
	}
	var left []event
	for i := range events {
		switch e := &events[i]; {
		case owned(kept, e.part):
			left = append(left, *e)
		case e.op == schemas.Truncate && e.part.siblings > 1:
			return nil, nil, fmt.Errorf("truncate %s of %s: %w", e.version, e.part.Topic, errTorn)
		}
	}
	return left, kept, nil
}

// errTorn ends the session: everything from the truncate on is read again, by whoever has the partitions then. Without
// it the partitions that are left would empty the table before the one that went has written the rows in front of its
// own truncate, and nobody would remove those.
var errTorn = errors.New("a partition of the topic was handed over before it was written")

// liveEnds leaves out the partitions that are no longer ours.
func liveEnds(ends []end) []end {
	kept := ends[:0:0]
	for _, e := range ends {
		if !e.part.gone.Load() {
			kept = append(kept, e)
		}
	}
	return kept
}

func owned(ends []end, p *partition) bool {
	for i := range ends {
		if ends[i].part == p {
			return true
		}
	}
	return false
}

// split makes events durable, in one step if the target takes them, else in halves down to the record that it refuses;
// that one becomes a dead letter. What is in order stays in order: the second half waits for the first. With also
// failure.Conflict, rows in each other's way are halved too, down to one that needs what is not here yet.
func (w *writer) split(soft, hard context.Context, events []event, ends []end, also failure.Class) error {
	err := w.write(soft, hard, events, ends)
	class := failure.Classify(err)
	if err == nil || class != failure.Refused && class != also {
		return err
	}
	if len(events) <= 1 {
		if class != failure.Refused {
			return err
		}
		if err := w.bury(soft, hard, &events[0], stagePut, err); err != nil {
			return err
		}
		return w.write(soft, hard, nil, ends)
	}
	half := middle(events)
	if err := w.split(soft, hard, events[:half], endsOf(events[:half]), also); err != nil {
		return err
	}
	crash.Point("load.between-halves")
	return w.split(soft, hard, events[half:], ends, also)
}

// inSourceOrder returns the events in the order in which the source made the changes, whatever their tables and partitions.
// A constraint of the target that the source has too holds after each of them, but not on every way from the first to the
// last: two rows that swap a unique value over a third one come out of the fold as two that collide, and a batch writes
// tables in an order of its own, which can bring a row before the one that it refers to.
//
// Events of one partition never change places: what is written of it is told by an offset. An event without a version
// (another program's record among ours) stays behind the one before it.
func inSourceOrder(events []event) []event {
	versions := make([]schemas.Version, len(events))
	reached := map[*partition]schemas.Version{}
	order := make([]int, len(events))
	for i := range events {
		p := events[i].part
		reached[p] = later(reached[p], events[i].version)
		versions[i], order[i] = reached[p], i
	}
	slices.SortStableFunc(order, func(a, b int) int { return versions[a].Compare(versions[b]) })
	ordered := make([]event, len(events))
	for to, from := range order {
		ordered[to] = events[from]
	}
	return ordered
}

// middle halves events, but not between the truncates of one topic's partitions, which must stay together.
func middle(events []event) int {
	half := len(events) / 2
	for at := half; at > 0; at-- {
		if !together(events, at) {
			return at
		}
	}
	for at := half + 1; at < len(events); at++ {
		if !together(events, at) {
			return at
		}
	}
	return half
}

func together(events []event, at int) bool {
	a, b := &events[at-1], &events[at]
	return a.op == schemas.Truncate && b.op == schemas.Truncate && a.table == b.table && a.version == b.version
}

// write makes events and the ends durable in one step, however long that takes. Errors that it returns: Refused when
// some event is never taken; those that end the session; soft's, when the connector shall stop.
func (w *writer) write(soft, hard context.Context, events []event, ends []end) error {
	var backoff failure.Backoff
	for {
		var err error
		if events, ends, err = live(events, ends); err != nil || len(ends) == 0 {
			return err
		}
		rows, err := w.try(hard, events, ends)
		if err == nil {
			w.written(events, ends, rows)
			return nil
		}
		if errors.Is(err, errHandedOver) {
			continue
		}
		switch failure.Classify(err) {
		case failure.Config, failure.Gap, failure.Conflict:
			return err
		case failure.Refused:
			if len(events) > 0 {
				return err
			}
		case failure.Fenced:
			if len(liveEnds(ends)) < len(ends) {
				continue // it was handed over while we wrote
			}
			return err
		}
		w.stats.retrying(err)
		w.log.Warn("write to the target", zap.Int("tries", backoff.Tries()+1), zap.Error(err))
		if err := failure.Sleep(soft, backoff.Next(err)); err != nil {
			return err
		}
		landed, err := w.settle(soft, ends)
		if err != nil {
			return err
		}
		if landed {
			w.written(events, ends, rows)
			return nil
		}
	}
}

// try folds the events and hands them to the sink once. It returns how many rows they come to.
func (w *writer) try(ctx context.Context, events []event, ends []end) (rows int, err error) {
	b, err := w.fold.fold(events)
	if err != nil {
		return 0, err
	}
	for _, e := range ends {
		b.Moves = append(b.Moves, sink.Move{Entry: e.part.entry, To: e.next, Applied: later(e.part.entry.Applied, e.applied)})
	}
	crash.Point("load.before-write")
	began := time.Now()
	err = w.target.write(ctx, b, ends)
	w.metrics.writeSeconds.Observe(time.Since(began).Seconds())
	crash.Point("load.after-write")
	return b.Rows(), err
}

// written notes what is durable now.
func (w *writer) written(events []event, ends []end, rows int) {
	for _, e := range ends {
		e.part.entry.Next = e.next
		e.part.entry.Applied = later(e.part.entry.Applied, e.applied)
		e.part.written.Store(e.next)
	}
	w.stats.durable(events, rows, time.Now())
	select {
	case w.uncommitted <- struct{}{}:
	default: // the commit loop has not begun with the last word yet, and will see this too
	}
}

// settle finds out, after a Write of unknown outcome, whether it was committed: it claims the partitions again, which
// also keeps a commit still under way from landing later, and compares what the ledger says.
func (w *writer) settle(soft context.Context, ends []end) (landed bool, err error) {
	if w.target.ledger == nil {
		return false, nil
	}
	var backoff failure.Backoff
	for {
		ends = liveEnds(ends)
		wanted := make([]sink.Partition, len(ends))
		for i, e := range ends {
			wanted[i] = e.part.Partition
		}
		if len(wanted) == 0 {
			return false, nil
		}
		crash.Point("load.before-settling")
		entries, err := w.target.claim(soft, wanted)
		crash.Point("load.after-settling")
		if err == nil {
			return compare(entries, ends)
		}
		if failure.IsFinal(err) {
			return false, err
		}
		w.stats.retrying(err)
		w.log.Warn("claim partitions after a write of unknown outcome", zap.Error(err))
		if err := failure.Sleep(soft, backoff.Next(err)); err != nil {
			return false, err
		}
	}
}

// compare takes the fences of the new claim, and says whether the ends are in the ledger. All of them are, or none:
// anything else is another member's work. So is a fence that was raised by more than this claim, whatever the offsets say:
// the other one may have obeyed an operator's reset to one of them, and what this member wrote then would come between that
// and its mark.
func compare(entries []sink.Entry, ends []end) (landed bool, err error) {
	at, before := 0, 0
	for _, e := range ends {
		entry, err := entryOf(entries, e.part)
		if err != nil {
			return false, err
		}
		if entry.Fence != e.part.entry.Fence+1 {
			return false, failure.As(failure.Fenced, fmt.Errorf("%s partition %d was claimed by another member", e.part.Topic, e.part.Partition.Partition), "")
		}
		if entry.Next == e.next {
			at++
		}
		if entry.Next == e.part.entry.Next {
			before++
		}
		e.part.entry.Fence = entry.Fence
	}
	switch len(ends) {
	case at:
		return true, nil
	case before:
		return false, nil
	}
	return false, failure.As(failure.Fenced, fmt.Errorf("%d partitions of the ledger were moved by another member", len(ends)), "")
}

// evolve prepares the target's tables for the versions that the events are in.
func (w *writer) evolve(soft, hard context.Context, events []event) error {
	if w.target.evolver == nil {
		return nil
	}
	var ready *sink.Table
	for i := range events {
		p, t := events[i].part, events[i].table
		if t == ready || p.gone.Load() {
			continue
		}
		if w.known[t.String()] != t {
			err := w.evolveTable(soft, hard, p, t)
			if errors.Is(err, errHandedOver) {
				continue // the table is still to be made ready for the events of other partitions
			}
			if err != nil {
				return err
			}
		}
		ready = t
	}
	return nil
}

// evolveTable prepares the target's table for t, however long that takes, or until p is no longer ours. Once it has
// failed, the soft stop ends the try under way too: Evolve can be begun again.
func (w *writer) evolveTable(soft, hard context.Context, p *partition, t *sink.Table) error {
	prev := w.known[t.String()]
	if prev == nil {
		prev = w.before(p, t)
	}
	var backoff failure.Backoff
	began := time.Now()
	for ctx := hard; !p.gone.Load(); ctx = soft {
		err := w.mayRename(ctx, p, prev, t)
		if err == nil {
			crash.Point("load.before-evolve")
			err = w.target.evolve(ctx, prev, t)
			crash.Point("load.after-evolve")
		}
		if err == nil {
			w.known[t.String()] = t
			w.log.Info("table of the target is ready", zap.Stringer("table", t), zap.Uint64("version", t.Source.Version))
			return nil
		}
		if ctx.Err() != nil {
			return context.Cause(soft) // whatever the error is called: it is the stop that cut the try off
		}
		err = fmt.Errorf("prepare table %s: %w", t, err)
		if failure.Classify(err) == failure.Gap {
			return failure.As(failure.Gap, err, w.opts.resetHint(p.Topic))
		}
		if failure.IsFinal(err) || errors.Is(err, errScattered) && time.Since(began) > scatteredPatience {
			return err
		}
		w.stats.retrying(err)
		w.log.Warn("schema change waits", zap.Error(err))
		if err := failure.Sleep(soft, backoff.Next(err)); err != nil {
			return err
		}
	}
	return errHandedOver
}

// before returns the version of t that the target has from an earlier run, by what the ledger says was applied: without
// it a rename that came while we were down would look like a new column. nil when nothing is known.
func (w *writer) before(p *partition, t *sink.Table) *sink.Table {
	return w.asOf(p.Topic, p.entry.Applied.High, t)
}

// asOf returns what t was when the source stood at an earlier position, nil when that is not known.
func (w *writer) asOf(topic string, position uint64, t *sink.Table) *sink.Table {
	source := w.tables.at(topic, position)
	if source == nil || source.Version >= t.Source.Version {
		return nil
	}
	prev, err := w.opts.Naming.table(topic, source)
	if err != nil {
		return nil // a key column that this version did not have yet
	}
	return prev
}

// errScattered says that a change waits for all partitions of its topic.
var errScattered = errors.New("are at several members")

// scatteredPatience is for how long such a change waits within a session. The reader, whose batch stands before the writer,
// does not poll meanwhile, and so does not learn that one of the partitions is ours and could not begin: nobody would read it,
// and the change would wait for it for ever. The end of the session also leaves all partitions to another copy for a moment.
const scatteredPatience = time.Minute

// mayRename refuses to rename a column while another member may still write to its old name. Where the target has the new
// name already, the member that gave it had all partitions, and whoever came later found it. A member that has met no version
// of the table yet, and whose target has no ledger that tells what was applied, asks the target which version it has.
func (w *writer) mayRename(ctx context.Context, p *partition, prev, t *sink.Table) error {
	if p.siblings == 1 || len(w.siblings(p.Topic)) == p.siblings {
		return nil
	}
	version, err := w.target.version(ctx, t)
	if err != nil || version >= t.Source.Version {
		return err
	}
	if prev == nil {
		prev = w.asOf(p.Topic, version, t)
	}
	if prev == nil {
		return nil
	}
	for i := range t.Columns {
		j := counterpart(prev.Source, t.Source, i)
		if j >= 0 && prev.Columns[j].Name != t.Columns[i].Name {
			return fmt.Errorf("column %q is now %q, and the %d partitions of %s %w: run one copy of the connector until they have passed",
				prev.Columns[j].Name, t.Columns[i].Name, p.siblings, p.Topic, errScattered)
		}
	}
	return nil
}
