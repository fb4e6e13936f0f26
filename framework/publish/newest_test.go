package publish

import (
	"fmt"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/syncline-io/syncline/framework/failure"
	"github.com/syncline-io/syncline/schemas"
)

func (c cluster) admin(t *testing.T) *kadm.Client {
	t.Helper()
	cl, err := kgo.NewClient(c.opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cl.Close)
	return kadm.NewClient(cl)
}

// A server that begins anew counts its log from the beginning; sinks would take all of it for repeats.
func TestSourceThatBeginsBelowItsTopicIsAGap(t *testing.T) {
	inBubble(t, func(t *testing.T, c cluster, _ *kfake.Cluster) {
		up, table := newUpstream(), itemsTable("items")
		up.rows(table, 1, 100)
		o := c.options(up)
		o.Topics.Partitions = 3
		p := run(t, o)
		await(t, "the old server's changes", func() bool { return up.lastConfirmed().Version.High == 100 })
		if err := p.stop(); err != nil {
			t.Fatal(err)
		}

		up = newUpstream()
		up.rows(itemsTable("other"), 1, 1)
		up.rows(table, 1, 3)
		o.Open, o.InternalPrefix = up.open, "another" // the position is lost
		for try := range 2 {                          // the second one has a position, but nothing has become well
			p := run(t, o)
			await(t, "the end", func() bool { return p.Status().State == Stopped })
			err := <-p.done
			if failure.Classify(err) != failure.Gap || !strings.Contains(fmt.Sprint(err), "delete topic shop.public.items") {
				t.Fatalf("try %d: Run returned %v, want a gap", try, err)
			}
		}
		if got := up.lastConfirmed().Version; got.High != 1 {
			t.Errorf("the position went on to %v, past what was refused", got)
		}
		if n := len(c.committed(t, "shop.public.items")); n != 100 {
			t.Errorf("%d records in the old topic, want 100", n)
		}

		if _, err := c.admin(t).DeleteTopics(t.Context(), "shop.public.items"); err != nil {
			t.Fatal(err)
		}
		p = run(t, o)
		await(t, "the new server's changes", func() bool { return up.lastConfirmed().Version.High == 4 })
		if err := p.stop(); err != nil {
			t.Fatal(err)
		}
		if n := len(c.committed(t, "shop.public.items")); n != 3 {
			t.Errorf("%d records in the new topic, want 3", n)
		}
	})
}

func TestNewestLooksBehindWhatWasAborted(t *testing.T) {
	inBubble(t, func(t *testing.T, c cluster, _ *kfake.Cluster) {
		admin := c.admin(t)
		if _, err := admin.CreateTopic(t.Context(), 3, 1, nil, "topic"); err != nil {
			t.Fatal(err)
		}
		cl, err := kgo.NewClient(append(c.opts, kgo.TransactionalID("test"), kgo.RecordPartitioner(kgo.ManualPartitioner()))...)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(cl.Close)
		write := func(end kgo.TransactionEndTry, partition int32, from, n uint64) {
			t.Helper()
			if err := cl.BeginTransaction(); err != nil {
				t.Fatal(err)
			}
			for i := range n {
				version := schemas.Version{High: from + i}.AppendBinary(nil)
				r := &kgo.Record{Topic: "topic", Partition: partition, Headers: []kgo.RecordHeader{{Key: schemas.HeaderVersion, Value: version}}}
				if err := cl.ProduceSync(t.Context(), r).FirstErr(); err != nil {
					t.Fatal(err)
				}
			}
			if err := cl.EndTransaction(t.Context(), end); err != nil {
				t.Fatal(err)
			}
		}
		o := c.options(newUpstream())
		o, err = o.withDefaults()
		if err != nil {
			t.Fatal(err)
		}
		ts := &topics{opts: &o, admin: admin}
		check := func(want uint64) {
			t.Helper()
			if got, err := ts.newest(t.Context(), "topic"); err != nil || got.High != want {
				t.Errorf("got %v, %v; want %d", got, err, want)
			}
		}
		check(0)
		write(kgo.TryAbort, 0, 70, 3)
		check(0)
		write(kgo.TryCommit, 0, 1, 20)
		write(kgo.TryCommit, 2, 21, 1)
		check(21)
		write(kgo.TryCommit, 0, 22, 10)
		write(kgo.TryAbort, 0, 80, 100)
		check(31)
	})
}
