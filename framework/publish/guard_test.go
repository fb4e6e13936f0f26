package publish

import (
	"encoding/binary"
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"go.uber.org/zap"

	"github.com/syncline-io/syncline/framework/failure"
)

// schemaIDs returns the ids that the values of records carry, each time that it changes.
func schemaIDs(t *testing.T, c cluster, topic string) []uint32 {
	t.Helper()
	var got []uint32
	for _, r := range c.committed(t, topic) {
		got = append(got, binary.BigEndian.Uint32(r.Value[1:5]))
	}
	return slices.Compact(got)
}

func TestARegistryThatWasReplacedIsNoticedWithoutANewSchema(t *testing.T) {
	inBubble(t, func(t *testing.T, c cluster, _ *kfake.Cluster) {
		up, reg := newUpstream(), &ids{}
		o := c.options(up)
		o.Registry = reg
		p := run(t, o)
		table := itemsTable("items")
		up.rows(table, 1, 1)
		await(t, "the first", func() bool { return up.lastConfirmed().Version.High == 1 })
		reg.replace(40)
		time.Sleep(2 * guardInterval)
		up.rows(table, 2, 1)
		await(t, "the second", func() bool { return up.lastConfirmed().Version.High == 2 })
		if err := p.stop(); err != nil {
			t.Fatal(err)
		}
		if got := schemaIDs(t, c, c.name+".public.items"); !slices.Equal(got, []uint32{2, 41}) {
			t.Errorf("values carry the ids %v, want 2, and 41 after the registry was replaced", got)
		}
		if last := p.Status().LastError; !strings.Contains(last, "was restored or replaced") || !strings.Contains(last, "the id 41 now instead of 2") {
			t.Errorf("last error %q", last)
		}
		wantOnce(t, c.committed(t, c.name+".public.items"), 2)
	})
}

func TestARegistryThatLostASchemaGetsItAgain(t *testing.T) {
	inBubble(t, func(t *testing.T, c cluster, _ *kfake.Cluster) {
		up, reg := newUpstream(), &ids{}
		o := c.options(up)
		o.Registry = reg
		p := run(t, o)
		up.rows(itemsTable("items"), 1, 1)
		await(t, "the first", func() bool { return up.lastConfirmed().Version.High == 1 })
		reg.mu.Lock()
		for k, id := range reg.byID {
			if id == 2 {
				delete(reg.byID, k)
			}
		}
		reg.mu.Unlock()
		time.Sleep(3 * guardInterval)
		if err := p.stop(); err != nil || p.Status().LastError != "" || up.opened != 1 {
			t.Errorf("%v, last error %q, opened %d times", err, p.Status().LastError, up.opened)
		}
		if len(reg.byID) != 2 {
			t.Error("nothing was registered again")
		}
	})
}

func TestIDsAreVerifiedAtTheStartOfEachTenure(t *testing.T) {
	inBubble(t, func(t *testing.T, c cluster, _ *kfake.Cluster) {
		up, reg := newUpstream(), &ids{}
		var forgets atomic.Int32
		reg.forgotten = func() { forgets.Add(1) }
		o := c.options(up)
		o.Registry = reg
		p := run(t, o)
		up.rows(itemsTable("items"), 1, 1)
		await(t, "the first", func() bool { return up.lastConfirmed().Version.High == 1 })
		if err := p.stop(); err != nil {
			t.Fatal(err)
		}
		p = run(t, o)
		up.rows(itemsTable("items"), 2, 1)
		await(t, "the second", func() bool { return up.lastConfirmed().Version.High == 2 })
		if err := p.stop(); err != nil || forgets.Load() != 2 {
			t.Errorf("%v, forgotten %d times, want once in each tenure", err, forgets.Load())
		}
	})
}

func TestARegistryThatIsAwayStopsNothingAndIsVerifiedWholeWhenItIsBack(t *testing.T) {
	inBubble(t, func(t *testing.T, _ cluster, _ *kfake.Cluster) {
		reg := &ids{}
		g := newGuard(&Options{Registry: reg, Log: zap.NewNop()})
		for _, subject := range []string{"a", "b", "c", "d", "e"} {
			id, err := reg.Register(t.Context(), subject, "schema of "+subject)
			if err != nil {
				t.Fatal(err)
			}
			g.watch(watched{subject, "schema of " + subject, id})
		}
		done := make(chan error, 1)
		go func() { done <- g.run(t.Context()) }()
		time.Sleep(guardInterval + time.Second)
		if asked := reg.asked(); len(asked) != 2 || asked[0] != 5 {
			t.Errorf("asked about %v, want the highest and one in turn", asked)
		}
		reg.mu.Lock()
		reg.away = errors.New("connection refused")
		reg.mu.Unlock()
		time.Sleep(5 * time.Minute)
		reg.mu.Lock()
		reg.away, reg.verified = nil, nil
		reg.mu.Unlock()
		time.Sleep(40 * time.Second)
		if asked := reg.asked(); len(asked) < 5 || !slices.Equal(asked[:5], []uint32{1, 2, 3, 4, 5}) {
			t.Errorf("asked about %v, want all of them first", asked)
		}
		reg.replace(10)
		reg.mu.Lock()
		reg.refuse = func(string) error { return failure.As(failure.Config, errors.New("refused"), "") }
		reg.mu.Unlock()
		if err := <-done; failure.Classify(err) != failure.Config {
			t.Errorf("%v is not the registry's refusal", err)
		}
	})
}

// The registry that stands there now holds another schema under the subject of one table; it is no reason to stop the others.
func TestATableThatAReplacedRegistryRefusesGoesToQuarantine(t *testing.T) {
	inBubble(t, func(t *testing.T, c cluster, _ *kfake.Cluster) {
		up, reg, o := quarantined(t, c)
		p := run(t, o)
		up.rows(itemsTable("items"), 1, 1)
		await(t, "the first", func() bool { return up.lastConfirmed().Version.High == 1 })
		reg.replace(40)
		reg.mu.Lock()
		reg.values[c.name+".public.items-value"] = "another schema"
		reg.mu.Unlock()
		time.Sleep(3 * guardInterval)
		up.rows(itemsTable("items"), 2, 1)
		up.rows(itemsTable("other"), 1, 1)
		await(t, "the others", func() bool { return up.lastConfirmed().Version.High == 3 || p.Status().State == Stopped })
		if q := p.Status().Quarantined; len(q) != 1 || q[0].Topic != c.name+".public.items" {
			t.Errorf("in quarantine: %+v", q)
		}
		if err := p.stop(); err != nil {
			t.Fatal(err)
		}
		for topic, want := range map[string][]uint64{"items": {1}, "items.quarantine": {2}, "other": {3}} {
			if got := versions(t, c.committed(t, c.name+".public."+topic)); !slices.Equal(got, want) {
				t.Errorf("topic %s has the versions %v, want %v", topic, got, want)
			}
		}
	})
}
