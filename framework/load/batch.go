package load

import (
	"time"
	"unsafe"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/syncline-io/syncline/framework/sink"
	"github.com/syncline-io/syncline/schemas"
)

// batch is what one round of the reader brings to the writer. The reader fills it, hands it over, and gets it back
// empty; nobody else touches it.
type batch struct {
	// events in the order of consumption: per partition that of the offsets. They are kept as they came, so that a
	// refused batch can be folded again in halves, and so that a partition that is handed over can be taken out.
	events []event
	// ends says how far each partition has come with the whole batch, records without an event included.
	ends []end
	// arena holds what the events' values do not alias in their records.
	arena schemas.Arena
	bytes int
	// opened is when the first record came in; zero while the batch is empty.
	opened time.Time
}

// event is one record that must reach the target, or the dead letters.
type event struct {
	record *kgo.Record
	part   *partition
	// table is the version that before and after are mapped onto. All events of one table in one batch have the same.
	table  *sink.Table
	op     schemas.Op
	plain  bool            // the record is a row alone, of another program's: op is a guess
	before []schemas.Value // nil when not known
	// beforeWhole says that all columns of before are known, not the key's alone.
	beforeWhole bool
	after       []schemas.Value
	version     schemas.Version
	// time is the source's commit in microseconds since 1970, 0 when unknown.
	time int64
	// unreadable is why the record could not be decoded; such an event goes to the dead letters.
	unreadable *unreadable
}

// end is where a partition stands after some records.
type end struct {
	part *partition
	// next is the offset of the first record after them.
	next int64
	// applied is the version of the last change among them, repeats included.
	applied schemas.Version
}

const (
	// eventSize is what an event takes whatever its values, and foldedSize what the fold adds while it is written: its row, and
	// its key with a place in a map.
	eventSize  = int(unsafe.Sizeof(event{})) + int(unsafe.Sizeof(kgo.Record{})) + foldedSize
	foldedSize = int(unsafe.Sizeof(sink.Row{})) + 80
)

func (b *batch) empty() bool { return len(b.ends) == 0 }

// size is the memory that the batch holds.
func (b *batch) size() int { return b.bytes + b.arena.Size() }

// add appends an event and the memory that it keeps alive.
func (b *batch) add(e event) {
	b.events = append(b.events, e)
	b.bytes += e.size()
}

// size is the memory that the event keeps alive, what is in the arena aside.
func (e *event) size() int {
	n := eventSize + len(e.record.Key) + len(e.record.Value)
	for i := range e.record.Headers {
		h := &e.record.Headers[i]
		n += int(unsafe.Sizeof(*h)) + len(h.Key) + len(h.Value)
	}
	return n
}

// reach says that a partition has been read up to next.
func (b *batch) reach(p *partition, next int64, applied schemas.Version, now time.Time) {
	if b.opened.IsZero() {
		b.opened = now
	}
	b.ends = reach(b.ends, p, next, applied)
}

// reset empties the batch and keeps its memory.
func (b *batch) reset() {
	clear(b.events) // the records go to the garbage collector
	b.events, b.ends, b.bytes, b.opened = b.events[:0], b.ends[:0], 0, time.Time{}
	b.arena.Reset()
}

// shrink gives back what the empty batch has kept, where that is much of the bound on its size: it counts as taken, and
// would leave no room.
func (b *batch) shrink(bound int) {
	if b.size() > bound/4 {
		b.arena = schemas.Arena{}
	}
}

// reach sets p's end, which only grows.
func reach(ends []end, p *partition, next int64, applied schemas.Version) []end {
	for i := len(ends) - 1; i >= 0; i-- {
		if e := &ends[i]; e.part == p {
			e.next = max(e.next, next)
			if e.applied.Compare(applied) < 0 {
				e.applied = applied
			}
			return ends
		}
	}
	return append(ends, end{p, next, applied})
}

// endsOf says where the partitions stand after events.
func endsOf(events []event) []end {
	var ends []end
	for i := range events {
		e := &events[i]
		ends = reach(ends, e.part, e.record.Offset+1, e.version)
	}
	return ends
}
