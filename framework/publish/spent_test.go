package publish

import (
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// kgo keeps the answer for as long as the client lives: the table would never be described, and nothing of it published.
func TestATableIsDescribedThoughTheClientWasRefusedAProducerID(t *testing.T) {
	inBubble(t, func(t *testing.T, c cluster, fake *kfake.Cluster) {
		refused := 0
		fake.ControlKey(kmsg.InitProducerID.Int16(), func(r kmsg.Request) (kmsg.Response, error, bool) {
			fake.KeepControl()
			if r.(*kmsg.InitProducerIDRequest).TransactionalID != nil || refused == 2 {
				return nil, nil, false
			}
			refused++
			resp := r.ResponseKind().(*kmsg.InitProducerIDResponse)
			resp.ErrorCode = kerr.InvalidProducerEpoch.Code
			return resp, nil, true
		})
		up, table := newUpstream(), itemsTable("items")
		p := run(t, c.options(up))
		up.rows(table, 1, 100)
		await(t, "the rows", func() bool { return up.lastConfirmed().Version.High == 100 })
		if err := p.stop(); err != nil {
			t.Fatal(err)
		}
		if refused != 2 {
			t.Errorf("refused %d times", refused)
		}
		wantOnce(t, c.committed(t, c.name+".public.items"), 100)
	})
}
