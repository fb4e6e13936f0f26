package load

import (
	"testing"

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
