package load

import (
	"fmt"
	"slices"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/syncline-io/syncline/framework/failure"
	"github.com/syncline-io/syncline/framework/sink"
	"github.com/syncline-io/syncline/schemas"
)

func TestWhatBecameOfAWriteIsReadFromAClaimThatNobodyCameBefore(t *testing.T) {
	const mine, from, to = 7, 10, 20
	for name, c := range map[string]struct {
		fence, next int64
		landed      bool
		class       failure.Class
	}{
		"it landed":              {fence: mine + 1, next: to, landed: true},
		"it did not":             {fence: mine + 1, next: from},
		"another member wrote":   {fence: mine + 1, next: 15, class: failure.Fenced},
		"another member claimed": {fence: mine + 2, next: from, class: failure.Fenced},
		"another member claimed and was set here": {fence: mine + 2, next: to, class: failure.Fenced},
		"a failover lost our claim":               {fence: mine, next: from, class: failure.Fenced},
	} {
		t.Run(name, func(t *testing.T) {
			p := &partition{Partition: sink.Partition{Topic: ordersTopic}}
			p.entry = sink.Entry{Partition: p.Partition, Fence: mine, Next: from}
			landed, err := compare([]sink.Entry{{Partition: p.Partition, Fence: c.fence, Next: c.next}}, []end{{part: p, next: to}})
			if landed != c.landed || err != nil && failure.Classify(err) != c.class || (err != nil) != (c.class == failure.Fenced) {
				t.Errorf("landed %v, error %v", landed, err)
			}
			if err == nil && p.entry.Fence != c.fence {
				t.Errorf("the fence is %d, want the claim's %d", p.entry.Fence, c.fence)
			}
		})
	}
}

// TestAConflictGathersNoMoreThanItsBytes is about wide rows: each try adds a batch to those in conflict.
func TestAConflictGathersNoMoreThanItsBytes(t *testing.T) {
	const value = 1 << 20
	p := &partition{Partition: sink.Partition{Topic: ordersTopic}}
	wide := func(offset int64) *batch {
		b := &batch{}
		b.add(event{part: p, record: &kgo.Record{Topic: ordersTopic, Offset: offset, Value: make([]byte, value)}})
		b.ends = reach(b.ends, p, offset+1, b.events[0].version)
		return b
	}
	size := wide(0).size()
	for _, c := range []struct {
		limits Limits
		want   int
	}{
		{Limits{Rows: 1000, Bytes: size}, joinBatches},
		{Limits{Rows: 1, Bytes: 1000 * size}, joinBatches},
	} {
		in, free := make(chan *batch, 1), make(chan *batch, 1)
		core, logged := observer.New(zap.WarnLevel)
		s := &session{Loader: &Loader{opts: Options{Batch: c.limits}, log: zap.New(core)}, target: newTarget(plainSink{})}
		w := &writer{session: s, in: in, free: free}
		first := wide(0)
		g := gather(first.events, first)
		for offset := int64(1); ; offset++ {
			in <- wide(offset)
			before := len(g.events)
			var err error
			if g, err = w.join(t.Context(), t.Context(), g); err != nil {
				t.Fatal(err)
			}
			if len(g.events) == before {
				break
			}
			<-free // the reader's next
			if offset > 10*joinBatches {
				break
			}
		}
		if len(g.events) != c.want || len(in) != 1 {
			t.Errorf("%+v: %d batches were gathered, want %d, and the next one left where it is", c.limits, len(g.events), c.want)
		}
		if logged.FilterMessageSnippet("no more can be gathered").Len() != 1 {
			t.Errorf("%+v: nobody is told", c.limits)
		}
		p.entry.Next = int64(c.want) - 1 // all but the last one could be written
		g.undone()
		var err error
		if g, err = w.join(t.Context(), t.Context(), g); err != nil {
			t.Fatal(err)
		}
		if len(g.events) != 2 || len(in) != 0 {
			t.Errorf("%+v: %d batches are gathered after those before were written, want the last one and the next", c.limits, len(g.events))
		}
		p.entry.Next = 0
	}
}

// TestWhatIsGatheredHoldsTheArenasOfWhatIsLeft is about memory: values lie in the arena of the batch in which they came.
func TestWhatIsGatheredHoldsTheArenasOfWhatIsLeft(t *testing.T) {
	p := &partition{}
	events := func(offsets ...int64) []event {
		var events []event
		for _, offset := range offsets {
			events = append(events, event{part: p, record: &kgo.Record{Offset: offset}})
		}
		return events
	}
	g := gathered{events: events(0, 1, 2, 3, 4, 5), shares: []share{{2, 10}, {2, 200}, {2, 3000}}}
	for _, c := range []struct {
		next          int64
		events, arena int
	}{
		{0, 6, 3210}, {1, 5, 3210}, {3, 3, 3210}, {4, 2, 3010}, {6, 0, 10},
	} {
		p.entry.Next = c.next
		g.undone()
		if want := c.events*eventSize + c.arena; len(g.events) != c.events || g.bytes() != want {
			t.Errorf("up to %d: %d events of %d bytes, want %d of %d", c.next, len(g.events), g.bytes(), c.events, want)
		}
	}
}

// TestTheSourcesOrderKeepsThatOfEachPartition is about records of another program among ours: they have no version.
func TestTheSourcesOrderKeepsThatOfEachPartition(t *testing.T) {
	p, q := &partition{}, &partition{}
	at := func(part *partition, offset int64, version uint64) event {
		return event{part: part, record: &kgo.Record{Offset: offset}, version: schemas.Version{High: version}}
	}
	events := []event{at(p, 5, 10), at(p, 6, 30), at(p, 7, 0), at(p, 8, 0), at(p, 9, 40), at(q, 1, 20), at(q, 2, 0), at(q, 3, 35)}
	var got []string
	for _, e := range inSourceOrder(events) {
		name := "p"
		if e.part == q {
			name = "q"
		}
		got = append(got, fmt.Sprint(name, e.record.Offset))
	}
	want := []string{"p5", "q1", "q2", "p6", "p7", "p8", "q3", "p9"}
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
