package load

import (
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/zap"

	"github.com/syncline-io/syncline/framework/failure"
	"github.com/syncline-io/syncline/framework/sink"
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
		s := &session{Loader: &Loader{opts: Options{Batch: c.limits}, log: zap.NewNop()}, target: newTarget(plainSink{})}
		w := &writer{session: s, in: in, free: free}
		first := wide(0)
		g := gathered{first.events, first.ends, first.size()}
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
	}
}
