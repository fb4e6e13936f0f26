// Package tail shows the records of a topic decoded: changes of tables, and the records of the internal topics.
//
// start.go says where it begins, scan.go reads, decode.go makes an [Event] of a record with the values of value.go, filter.go
// leaves out what is not asked for, text.go prints for people. Its JSON is Event's.
package tail

import (
	"cmp"
	"context"
	"encoding/json"
	"io"
	"slices"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/syncline-io/syncline/framework/load"
	"github.com/syncline-io/syncline/framework/registry"
)

// Options says what to show.
type Options struct {
	// Kafka says how to reach the brokers, Registry the schema registry; nil when there is none, which is enough for
	// topics without Avro.
	Kafka    []kgo.Opt
	Registry *registry.Client
	// InternalPrefix begins the names of the internal topics.
	InternalPrefix string
	Topic          string
	// From says where to begin, as [ParseStart] reads it; "" shows the last Count events.
	From string
	// Count is how many events are shown at most: the first ones after From, or the last ones when From is "". 0 is all,
	// or the last 10.
	Count int
	// Follow goes on with what comes, until the context ends.
	Follow bool
	// Keys and Ops choose events; see [Filter].
	Keys, Ops []string
	// Headers shows the records' headers.
	Headers bool
	// JSON prints an object per line.
	JSON bool
	Out  io.Writer
}

// lastByDefault is how many events are shown when nothing says where to begin.
const lastByDefault = 10

// Run shows what o asks for. The end of ctx is no error.
func Run(ctx context.Context, o Options) error {
	err := run(ctx, o)
	if ctx.Err() != nil {
		return nil
	}
	return err
}

func run(ctx context.Context, o Options) error {
	filter, err := NewFilter(o.Keys, o.Ops)
	if err != nil {
		return err
	}
	start, err := ParseStart(o.From)
	if err != nil {
		return err
	}
	log, err := openLog(ctx, o.Kafka, o.Topic)
	if err != nil {
		return err
	}
	defer log.close()
	t := &tail{log: log, decoder: newDecoder(&o), filter: filter, print: printer(&o)}
	if o.From == "" {
		count := o.Count
		if count == 0 {
			count = lastByDefault
		}
		if err := t.last(ctx, count); err != nil || !o.Follow {
			return err
		}
		return t.follow(ctx, log.ends, 0)
	}
	from, err := log.from(ctx, start)
	if err != nil {
		return err
	}
	if o.Follow {
		return t.follow(ctx, from, o.Count)
	}
	return t.until(ctx, from, o.Count)
}

// printer writes an event.
func printer(o *Options) func(*Event) error {
	if !o.JSON {
		p := &text{out: o.Out}
		return p.print
	}
	e := json.NewEncoder(o.Out)
	e.SetEscapeHTML(false)
	return func(event *Event) error { return e.Encode(event) }
}

// tail is one run.
type tail struct {
	log     *log
	decoder *decoder
	filter  *Filter
	print   func(*Event) error
}

// wanted decodes a record and returns the event if it is asked for, else nil.
func (t *tail) wanted(ctx context.Context, r *kgo.Record) (*Event, error) {
	e, err := t.decoder.event(ctx, r)
	if err != nil {
		return nil, err
	}
	ok, err := t.filter.takes(e)
	if err != nil || !ok {
		return nil, err
	}
	return e, nil
}

// shower prints what is asked for, and ends the scan after count events; 0 is without end.
func (t *tail) shower(ctx context.Context, count int) func(*kgo.Record) (bool, error) {
	shown := 0
	return func(r *kgo.Record) (more bool, err error) {
		e, err := t.wanted(ctx, r)
		if err != nil || e == nil {
			return true, err
		}
		shown++
		return count == 0 || shown < count, t.print(e)
	}
}

func (t *tail) follow(ctx context.Context, from map[int32]int64, count int) error {
	return t.log.scan(ctx, from, nil, t.shower(ctx, count))
}

func (t *tail) until(ctx context.Context, from map[int32]int64, count int) error {
	return t.log.scan(ctx, from, t.log.ends, t.shower(ctx, count))
}

// last prints the last count events in the order of their times. It reads backwards in growing windows, because control
// records, compaction and the filter leave fewer events than offsets.
func (t *tail) last(ctx context.Context, count int) error {
	for window := 4*int64(count) + 64; ; window *= 8 {
		from, whole := t.log.before(window)
		found := map[int32][]*Event{}
		err := t.log.scan(ctx, from, t.log.ends, func(r *kgo.Record) (bool, error) {
			e, err := t.wanted(ctx, r)
			if err == nil && e != nil {
				events := append(found[e.Partition], e)
				found[e.Partition] = events[max(0, len(events)-count):]
			}
			return true, err
		})
		if err != nil {
			return err
		}
		if !whole && t.short(from, found, count) {
			continue
		}
		return t.printLast(found, count)
	}
}

// short reports whether a partition that was not read from its start lacks events.
func (t *tail) short(from map[int32]int64, found map[int32][]*Event, count int) bool {
	for n, offset := range from {
		if offset > t.log.starts[n] && len(found[n]) < count {
			return true
		}
	}
	return false
}

func (t *tail) printLast(found map[int32][]*Event, count int) error {
	var all []*Event
	for _, events := range found {
		all = append(all, events...)
	}
	slices.SortFunc(all, func(a, b *Event) int {
		if a.Partition == b.Partition {
			return cmp.Compare(a.Offset, b.Offset)
		}
		return cmp.Or(a.Timestamp.Compare(b.Timestamp), cmp.Compare(a.Partition, b.Partition))
	})
	for _, e := range all[max(0, len(all)-count):] {
		if err := t.print(e); err != nil {
			return err
		}
	}
	return nil
}

var _ load.Registry = (*registry.Client)(nil)
