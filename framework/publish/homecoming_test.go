package publish

import (
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"go.uber.org/zap"

	"github.com/syncline-io/syncline/schemas"
)

// setAside leaves version 1 in the topic of items and the versions 2 to last in quarantine, and a registry that takes all.
func setAside(t *testing.T, c cluster, o Options, up *upstream, reg *strict, last int) {
	t.Helper()
	p := run(t, o)
	up.rows(itemsTable("items"), 1, 1)
	for i := 2; i <= last; i++ {
		up.append(createWide(widerTable("items"), i))
	}
	await(t, "all", func() bool { return up.lastConfirmed().Version.High == uint64(last) })
	if err := p.stop(); err != nil {
		t.Fatal(err)
	}
	if !c.has(t, c.name+".public.items.quarantine") {
		t.Fatal("nothing is in quarantine")
	}
	reg.lax.Store(true)
}

// A predecessor was cut off while it brought records home, or a standby took over from it: its transaction is not over
// yet, and commits as long as nobody fences it.
func TestAHomecomingFencesItsPredecessorBeforeItLooksHowFarThatCame(t *testing.T) {
	inBubble(t, func(t *testing.T, c cluster, fake *kfake.Cluster) {
		up, reg, o := quarantined(t, c)
		setAside(t, c, o, up, reg, 6)
		old, err := kgo.NewClient(append(slices.Clone(c.opts),
			kgo.TransactionalID(o.InternalPrefix+"."+c.name+".home"), kgo.RecordPartitioner(kgo.ManualPartitioner()))...)
		if err != nil {
			t.Fatal(err)
		}
		defer old.Close()
		if err := old.BeginTransaction(); err != nil {
			t.Fatal(err)
		}
		for _, r := range c.committed(t, c.name+".public.items.quarantine")[:3] {
			h := slices.DeleteFunc(slices.Clone(r.Headers), func(x kgo.RecordHeader) bool { return x.Key == schemas.HeaderQuarantine })
			if err := old.ProduceSync(t.Context(), &kgo.Record{Topic: c.name + ".public.items", Key: r.Key, Value: r.Value, Headers: h}).FirstErr(); err != nil {
				t.Fatal(err)
			}
		}
		// It goes on when the successor, having looked at the own topic, reads the first record of the quarantine for good.
		looked, began := make(chan struct{}, 1), false
		fake.ControlKey(kmsg.ListOffsets.Int16(), func(r kmsg.Request) (kmsg.Response, error, bool) {
			fake.KeepControl()
			for _, x := range r.(*kmsg.ListOffsetsRequest).Topics {
				began = began || x.Topic == c.name+".public.items"
			}
			return nil, nil, false
		})
		fake.ControlKey(kmsg.Fetch.Int16(), func(r kmsg.Request) (kmsg.Response, error, bool) {
			fake.KeepControl()
			for _, x := range r.(*kmsg.FetchRequest).Topics {
				if info := fake.TopicIDInfo(x.TopicID); began && info != nil && info.Topic == c.name+".public.items.quarantine" {
					select {
					case looked <- struct{}{}:
					default:
					}
				}
			}
			return nil, nil, false
		})
		ended := make(chan error, 1)
		go func() {
			<-looked
			ended <- old.EndTransaction(t.Context(), kgo.TryCommit)
		}()
		p := run(t, o)
		up.append(createWide(widerTable("items"), 7))
		await(t, "the last", func() bool { return up.lastConfirmed().Version.High == 7 })
		if err := p.stop(); err != nil {
			t.Fatal(err)
		}
		if err := <-ended; err == nil {
			t.Error("the predecessor was not fenced")
		}
		wantOnce(t, c.committed(t, c.name+".public.items"), 7)
	})
}

// With the times of long ago the brokers would remove the records at the next look, before anybody has read them.
func TestRecordsComeHomeWithTheTimeOfTheirHomecoming(t *testing.T) {
	inBubble(t, func(t *testing.T, c cluster, _ *kfake.Cluster) {
		up, reg, o := quarantined(t, c)
		setAside(t, c, o, up, reg, 3)
		time.Sleep(2 * time.Hour)
		began := time.Now()
		p := run(t, o)
		await(t, "the homecoming", func() bool { return !c.has(t, c.name+".public.items.quarantine") })
		if err := p.stop(); err != nil {
			t.Fatal(err)
		}
		for _, r := range c.committed(t, c.name+".public.items")[1:] {
			if r.Timestamp.Before(began) {
				t.Errorf("offset %d has the time %v, and came home at %v", r.Offset, r.Timestamp, began)
			}
		}
	})
}

func TestWhatCameHomeIsSyncedBeforeItsQuarantineIsDeleted(t *testing.T) {
	inBubble(t, func(t *testing.T, c cluster, _ *kfake.Cluster) {
		up, reg, o := quarantined(t, c)
		o.AtLeastOnce = true
		setAside(t, c, o, up, reg, 3)
		synced := 0
		o.Sync = func() error {
			synced++
			if !c.has(t, c.name+".public.items.quarantine") {
				t.Error("the quarantine topic is gone already")
			}
			wantOnce(t, c.committed(t, c.name+".public.items"), 3)
			return nil
		}
		p := run(t, o)
		await(t, "the homecoming", func() bool { return !c.has(t, c.name+".public.items.quarantine") })
		if err := p.stop(); err != nil {
			t.Fatal(err)
		}
		if synced != 1 {
			t.Errorf("synced %d times, want once", synced)
		}
	})
}

// A successor goes on setting changes aside in the same topic.
func TestWhoWasFencedMeanwhileDoesNotDeleteTheQuarantine(t *testing.T) {
	inBubble(t, func(t *testing.T, c cluster, _ *kfake.Cluster) {
		up, reg, o := quarantined(t, c)
		setAside(t, c, o, up, reg, 3)
		var kept, took bool
		o.Sync = func() error { // it comes when the records are in their own topic
			if took {
				kept = c.has(t, c.name+".public.items.quarantine")
				return nil
			}
			took = true
			successor, err := kgo.NewClient(append(slices.Clone(c.opts), kgo.TransactionalID(o.InternalPrefix+"."+c.name))...)
			if err != nil {
				return err
			}
			defer successor.Close()
			_, _, err = successor.ProducerID(t.Context())
			return err
		}
		p := run(t, o)
		await(t, "the next tenure", func() bool { return !c.has(t, c.name+".public.items.quarantine") })
		if err := p.stop(); err != nil {
			t.Fatal(err)
		}
		if !kept {
			t.Error("the tenure that was fenced has deleted the topic")
		}
	})
}

// Another program's topic may be one that cannot be read; so may ours, while a broker is away.
func TestAQuarantineThatCannotBeReadIsNamed(t *testing.T) {
	inBubble(t, func(t *testing.T, c cluster, fake *kfake.Cluster) {
		up, reg, o := quarantined(t, c)
		setAside(t, c, o, up, reg, 3)
		var cut atomic.Bool
		cut.Store(true)
		fake.ControlKey(kmsg.Fetch.Int16(), func(r kmsg.Request) (kmsg.Response, error, bool) {
			fake.KeepControl()
			for _, x := range r.(*kmsg.FetchRequest).Topics {
				if info := fake.TopicIDInfo(x.TopicID); cut.Load() && info != nil && info.Topic == c.name+".public.items.quarantine" {
					time.Sleep(time.Millisecond)
					return r.ResponseKind(), nil, true // an answer with nothing in it
				}
			}
			return nil, nil, false
		})
		p := run(t, o)
		await(t, "the error", func() bool { return strings.Contains(p.Status().LastError, c.name+".public.items.quarantine") })
		cut.Store(false)
		await(t, "the homecoming", func() bool { return !c.has(t, c.name+".public.items.quarantine") })
		if err := p.stop(); err != nil {
			t.Fatal(err)
		}
		wantOnce(t, c.committed(t, c.name+".public.items"), 3)
	})
}

func (c cluster) homecoming(t *testing.T, o *Options) *homecoming {
	t.Helper()
	o.Log = zap.NewNop()
	cl, err := kgo.NewClient(c.opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cl.Close)
	topics := &topics{opts: o, admin: kadm.NewClient(cl)}
	h := &homecoming{tenure: &tenure{opts: o, topics: topics, side: cl}, own: c.name + ".public.items", aside: c.name + ".public.items.quarantine"}
	listed, err := topics.admin.ListTopics(t.Context(), h.aside)
	if err != nil {
		t.Fatal(err)
	}
	h.id = listed[h.aside].ID
	return h
}

func TestAQuarantineIsKeptWhileItsOwnTopicLacksItsRecords(t *testing.T) {
	inBubble(t, func(t *testing.T, c cluster, _ *kfake.Cluster) {
		up, reg, o := quarantined(t, c)
		setAside(t, c, o, up, reg, 3)
		h := c.homecoming(t, &o)
		h.last = map[int32]schemas.Version{0: {High: 3, Low: 1}}
		if err := h.remove(t.Context()); err == nil || !c.has(t, h.aside) {
			t.Errorf("error %v; the topic is there: %v", err, c.has(t, h.aside))
		}
	})
}

func TestAYoungerQuarantineOfTheSameNameIsNotDeleted(t *testing.T) {
	inBubble(t, func(t *testing.T, c cluster, _ *kfake.Cluster) {
		up, reg, o := quarantined(t, c)
		setAside(t, c, o, up, reg, 3)
		h := c.homecoming(t, &o)
		if _, err := h.topics.admin.DeleteTopics(t.Context(), h.aside); err != nil {
			t.Fatal(err)
		}
		c.foreign(t, h.aside, nil)
		if err := h.remove(t.Context()); err == nil || !c.has(t, h.aside) {
			t.Errorf("error %v; the topic is there: %v", err, c.has(t, h.aside))
		}
	})
}
