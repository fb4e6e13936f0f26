package publish

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/sasl/plain"

	"github.com/syncline-io/syncline/framework/failure"
	"github.com/syncline-io/syncline/framework/source"
	"github.com/syncline-io/syncline/integration/engines"
	"github.com/syncline-io/syncline/schemas"
)

// A broker that is killed, and one that hangs for longer than a transaction may take.
func TestBrokerThatGoesAwayNeitherLosesNorRepeats(t *testing.T) {
	k := engines.NewKafka(t, engines.KafkaOptions{})
	c := cluster{opts: []kgo.Opt{kgo.SeedBrokers(k.Address())}, name: "shop"}
	up, table := newUpstream(), itemsTable("items")
	o := c.options(up)
	o.TransactionTimeout = 2 * time.Second
	p := run(t, o)
	n := 0
	emit := func(d time.Duration) {
		for end := time.Now().Add(d); time.Now().Before(end); time.Sleep(time.Millisecond) {
			n++
			up.rows(table, n, 1)
		}
	}
	emit(500 * time.Millisecond)
	await(t, "the first changes", func() bool { return p.Status().Rows > 0 })

	k.Kill()
	emit(2200 * time.Millisecond)
	await(t, "the failure to be seen", func() bool { return p.Status().State == Retrying })
	if err := k.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	await(t, "the changes after the kill", func() bool { return up.lastConfirmed().Version.High == uint64(n) })

	k.Pause()
	emit(3 * time.Second)
	k.Resume()
	emit(500 * time.Millisecond)
	await(t, "the changes after the pause", func() bool { return up.lastConfirmed().Version.High == uint64(n) })
	if err := p.stop(); err != nil {
		t.Fatal(err)
	}
	wantOnce(t, c.committed(t, c.name+".public.items"), n)
}

func TestAtLeastOnceLosesNothingAndKeepsTheOrder(t *testing.T) {
	inBubble(t, func(t *testing.T, c cluster, _ *kfake.Cluster) {
		up, table := newUpstream(), itemsTable("items")
		o := c.options(up)
		o.AtLeastOnce = true
		for i := range 5 {
			p := run(t, o)
			up.rows(table, i*100+1, 100)
			await(t, "a hundred more", func() bool { return up.lastConfirmed().Version.High == uint64(i*100+100) })
			if err := p.stop(); err != nil {
				t.Fatal(err)
			}
		}
		wantOnce(t, c.committed(t, c.name+".public.items"), 500)
		for _, r := range c.committed(t, c.name+".public.items") {
			if r.Attrs.IsTransactional() {
				t.Fatal("a record is part of a transaction")
			}
		}
	})
}

// The position of an at-least-once publisher must not be in Kafka before the changes that it covers.
func TestAtLeastOnceWritesThePositionAfterTheChanges(t *testing.T) {
	inBubble(t, func(t *testing.T, c cluster, fake *kfake.Cluster) {
		up, table := newUpstream(), itemsTable("items")
		o := c.options(up)
		o.AtLeastOnce = true
		p := run(t, o)
		up.rows(table, 1, 1)
		await(t, "the first", func() bool { return up.lastConfirmed().Version.High == 1 })
		topic := c.name + ".public.items"
		refuse := fake.Fault(kfake.Fault{Topic: topic, Count: -1, Err: kerr.NotEnoughReplicas})
		up.rows(table, 2, 1)
		time.Sleep(3 * time.Second)
		if got := c.positions(t); got[len(got)-1].Version.High != 1 {
			t.Errorf("the position is %v while the change is not there", got[len(got)-1].Version)
		}
		refuse.Remove()
		await(t, "the second", func() bool { return up.lastConfirmed().Version.High == 2 })
		if err := p.stop(); err != nil {
			t.Fatal(err)
		}
	})
}

func TestRefusedCredentialsAtTheStartAreFinal(t *testing.T) {
	inBubble(t, func(t *testing.T, _ cluster, _ *kfake.Cluster) {
		var network kfake.VirtualNetwork
		fake, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.Ports(9093), kfake.ListenFn(network.Listen),
			kfake.EnableSASL(), kfake.Superuser("PLAIN", "shop", "secret-word"))
		if err != nil {
			t.Fatal(err)
		}
		defer fake.Close()
		// The fake only hangs up on a wrong password; a real broker says what is wrong.
		fake.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.SASLAuthenticate}, Err: kerr.SaslAuthenticationFailed, Count: -1, TopLevel: true})
		c := cluster{name: "shop", opts: []kgo.Opt{
			kgo.SeedBrokers(fake.ListenAddrs()...), kgo.Dialer(network.DialContext),
			kgo.SASL(plain.Auth{User: "shop", Pass: "secret-word"}.AsMechanism()),
		}}
		p := run(t, c.options(newUpstream()))
		select {
		case err = <-p.done:
		case <-time.After(time.Minute):
			t.Fatalf("it goes on trying: %s", p.Status().LastError)
		}
		if failure.Classify(err) != failure.Config {
			t.Errorf("Run returned %v (class %v), want a configuration error", err, failure.Classify(err))
		}
		if strings.Contains(fmt.Sprint(err), "secret-word") {
			t.Errorf("the error tells the password: %v", err)
		}
	})
}

// A soft stop while Kafka hangs must end in time, and nothing may be lost by it.
func TestSoftStopEndsInTimeWhenKafkaHangs(t *testing.T) {
	inBubble(t, func(t *testing.T, c cluster, fake *kfake.Cluster) {
		up, table := newUpstream(), itemsTable("items")
		o := c.options(up)
		o.DrainTimeout = 5 * time.Second
		p := run(t, o)
		up.rows(table, 1, 1)
		await(t, "the first", func() bool { return up.lastConfirmed().Version.High == 1 })
		refuse := fake.Fault(kfake.Fault{Topic: c.name + ".public.items", Count: -1, Err: kerr.NotEnoughReplicas})
		up.rows(table, 2, 1)
		time.Sleep(time.Second)
		began := time.Now()
		if err := p.stop(); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(began); took > 7*time.Second {
			t.Errorf("the stop took %v with a drain timeout of %v", took, o.DrainTimeout)
		}
		refuse.Remove()
		p = run(t, o)
		await(t, "the second, by the next start", func() bool { return up.lastConfirmed().Version.High == 2 })
		if err := p.stop(); err != nil {
			t.Fatal(err)
		}
		wantOnce(t, c.committed(t, c.name+".public.items"), 2)
	})
}

func TestSoftStopCommitsWhatWasEmitted(t *testing.T) {
	inBubble(t, func(t *testing.T, c cluster, _ *kfake.Cluster) {
		up, table := newUpstream(), itemsTable("items")
		emitted := make(chan struct{})
		o := c.options(up)
		o.Open = up.scripted(func(ctx context.Context, _ source.Position, out source.Emitter) error {
			if err := out.SetState([]byte(`{}`)); err != nil {
				return err
			}
			for i := range 100 {
				ch := create(table, i)
				ch.Version = schemas.Version{High: uint64(i + 1)}
				if err := out.Emit(&ch); err != nil {
					return err
				}
			}
			close(emitted)
			return stay(ctx)
		})
		p := run(t, o)
		<-emitted
		if err := p.stop(); err != nil {
			t.Fatal(err)
		}
		wantOnce(t, c.committed(t, c.name+".public.items"), 100)
	})
}
