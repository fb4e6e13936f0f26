package publish

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/syncline-io/syncline/framework/failure"
	"github.com/syncline-io/syncline/framework/source"
	"github.com/syncline-io/syncline/schemas"
)

// fakeKafka is a broker inside the test, without a socket, so that it lives in the bubble's time.
func fakeKafka(t *testing.T) (cluster, *kfake.Cluster) {
	t.Helper()
	var network kfake.VirtualNetwork
	fake, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.Ports(9092), kfake.ListenFn(network.Listen))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(fake.Close)
	opts := []kgo.Opt{kgo.SeedBrokers(fake.ListenAddrs()...), kgo.Dialer(network.DialContext), kgo.DisableClientMetrics()}
	return cluster{opts: opts, name: "shop"}, fake
}

// inBubble runs the test with a clock that jumps over every wait.
func inBubble(t *testing.T, test func(t *testing.T, c cluster, fake *kfake.Cluster)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		c, fake := fakeKafka(t)
		test(t, c, fake)
	})
}

// script is a source that runs a function.
type script struct {
	model
	run func(ctx context.Context, from source.Position, out source.Emitter) error
}

func (s *script) Run(ctx context.Context, from source.Position, out source.Emitter) error {
	return s.run(ctx, from, out)
}

// scripted returns an Open for a source that calls run.
func (u *upstream) scripted(run func(ctx context.Context, from source.Position, out source.Emitter) error) func(context.Context, source.Env) (source.Source, error) {
	return func(_ context.Context, env source.Env) (source.Source, error) {
		return &script{model: model{up: u, env: env}, run: run}, nil
	}
}

func stay(ctx context.Context) error {
	<-ctx.Done()
	return ctx.Err()
}

// produced returns the topics of a produce request.
func produced(fake *kfake.Cluster, r kmsg.Request) []string {
	var topics []string
	for _, topic := range r.(*kmsg.ProduceRequest).Topics {
		name := topic.Topic
		if info := fake.TopicIDInfo(topic.TopicID); info != nil {
			name = info.Topic
		}
		topics = append(topics, name)
	}
	return topics
}

// positions returns the committed positions, oldest first.
func (c cluster) positions(t *testing.T) []source.Position {
	t.Helper()
	var ps []source.Position
	var state []byte
	for _, r := range c.committed(t, c.name+"_internal.offsets."+c.name) {
		if string(r.Key) == stateKey(c.name) {
			state = r.Value
		}
		if string(r.Key) != c.name {
			continue
		}
		p, err := parsePosition(r.Value, state)
		if err != nil {
			t.Fatalf("position at offset %d: %v", r.Offset, err)
		}
		ps = append(ps, p)
	}
	return ps
}

func TestEachTransactionEndsWithThePositionThatItCovers(t *testing.T) {
	inBubble(t, func(t *testing.T, c cluster, fake *kfake.Cluster) {
		// The client may send two topics' records in any order; within a transaction that means nothing.
		offsets := c.name + "_internal.offsets." + c.name
		var position bool
		var ends int
		fake.ControlKey(kmsg.Produce.Int16(), func(r kmsg.Request) (kmsg.Response, error, bool) {
			fake.KeepControl()
			position = position || slices.Contains(produced(fake, r), offsets)
			return nil, nil, false
		})
		fake.ControlKey(kmsg.EndTxn.Int16(), func(kmsg.Request) (kmsg.Response, error, bool) {
			fake.KeepControl()
			if !position {
				t.Errorf("transaction %d has no position", ends)
			}
			ends++
			position = false
			return nil, nil, false
		})
		up := newUpstream()
		table := itemsTable("items")
		p := run(t, c.options(up))
		for i := range 20 {
			up.rows(table, i*10+1, 10)
			if i == 0 {
				await(t, "the first", func() bool { return up.lastConfirmed().Version.High > 0 })
			}
			time.Sleep(time.Duration(i) * 10 * time.Millisecond)
		}
		await(t, "everything", func() bool { return up.lastConfirmed().Version.High == 200 })
		if err := p.stop(); err != nil {
			t.Fatal(err)
		}
		wantOnce(t, c.committed(t, c.name+".public.items"), 200)
		positions := c.positions(t)
		if len(positions) != len(up.confirmed) || len(positions) < 15 {
			t.Fatalf("%d positions and %d confirmations, want as many of each and at least 15", len(positions), len(up.confirmed))
		}
		for i, p := range positions {
			if p.Version != up.confirmed[i].Version || string(p.State) != string(up.confirmed[i].State) {
				t.Errorf("position %d is %v %s, confirmed was %v %s", i, p.Version, p.State, up.confirmed[i].Version, up.confirmed[i].State)
			}
		}
		if ends != len(positions)+1 { // the mark has a transaction of its own
			t.Errorf("%d transactions for %d positions", ends, len(positions))
		}
	})
}

func TestQuietSourceIsCommittedBeforeTheAge(t *testing.T) {
	inBubble(t, func(t *testing.T, c cluster, _ *kfake.Cluster) {
		up := newUpstream()
		p := run(t, c.options(up))
		up.rows(itemsTable("items"), 1, 1)
		await(t, "the first", func() bool { return up.lastConfirmed().Version.High == 1 })
		time.Sleep(time.Second)
		began := time.Now()
		up.rows(itemsTable("items"), 2, 1)
		for up.lastConfirmed().Version.High < 2 {
			time.Sleep(100 * time.Microsecond)
		}
		if took := time.Since(began); took >= ageMin {
			t.Errorf("a lone change was committed after %v, not before %v", took, ageMin)
		}
		if err := p.stop(); err != nil {
			t.Fatal(err)
		}
	})
}

func TestTransactionsAreCutByAgeWhileChangesKeepComing(t *testing.T) {
	inBubble(t, func(t *testing.T, c cluster, _ *kfake.Cluster) {
		up := newUpstream()
		o, table := c.options(up), itemsTable("items")
		p := run(t, o)
		up.rows(table, 1, 1)
		await(t, "the first", func() bool { return up.lastConfirmed().Version.High == 1 })
		for i := range 999 {
			up.rows(table, i+2, 1)
			time.Sleep(200 * time.Microsecond)
		}
		await(t, "everything", func() bool { return up.lastConfirmed().Version.High == 1000 })
		if err := p.stop(); err != nil {
			t.Fatal(err)
		}
		// 200 ms of changes; the commits of a broker in the bubble take no time.
		if n := p.Status().Transactions; n < 20 || n > 60 {
			t.Errorf("%d transactions in 200 ms, want about one in %v", n, ageMin)
		}
	})
}

func TestHugeSourceTransactionSpansSeveralKafkaTransactions(t *testing.T) {
	inBubble(t, func(t *testing.T, c cluster, _ *kfake.Cluster) {
		const n = 3000
		up, table := newUpstream(), itemsTable("items")
		text := strings.Repeat("x", 20_000)
		o := c.options(up)
		o.Open = up.scripted(func(ctx context.Context, from source.Position, out source.Emitter) error {
			if err := out.SetState([]byte(`1`)); err != nil {
				return err
			}
			for i := range n {
				ch := create(table, i)
				ch.After[1] = schemas.StringValue(text)
				ch.Version = schemas.Version{High: 1, Low: uint64(i + 1)}
				if err := out.Emit(&ch); err != nil {
					return err
				}
			}
			return errors.Join(out.Advance(schemas.Version{High: 2}, false), stay(ctx))
		})
		p := run(t, o)
		await(t, "everything", func() bool { return p.Status().Rows == n })
		if err := p.stop(); err != nil {
			t.Fatal(err)
		}
		if got := p.Status().Transactions; got < 4 {
			t.Errorf("%d MB in %d transactions, want one for each %d MB at most", n*20/1000, got, transactionBytes>>20)
		}
		if got := len(c.committed(t, c.name+".public.items")); got != n {
			t.Errorf("%d records, want %d", got, n)
		}
		for i, at := range c.positions(t)[1:] {
			if at.Version.Compare(c.positions(t)[i].Version) <= 0 {
				t.Errorf("position %d does not grow", i+1)
			}
		}
	})
}

func TestIdlePublisherWritesAnUrgentPositionAndOnlyOnce(t *testing.T) {
	inBubble(t, func(t *testing.T, c cluster, _ *kfake.Cluster) {
		up := newUpstream()
		o := c.options(up)
		o.Open = up.scripted(func(ctx context.Context, from source.Position, out source.Emitter) error {
			err := errors.Join(out.SetState([]byte(`{"a":1}`)), out.Advance(schemas.Version{High: 5}, false))
			time.Sleep(10 * time.Second)
			if up.lastConfirmed().State != nil {
				err = errors.Join(err, errors.New("a position was written that nobody asked for"))
			}
			for range 3 {
				err = errors.Join(err, out.Advance(schemas.Version{High: 9}, true))
				time.Sleep(10 * time.Second)
			}
			return errors.Join(err, stay(ctx))
		})
		p := run(t, o)
		time.Sleep(time.Minute)
		if err := p.stop(); err != nil || p.Status().LastError != "" {
			t.Fatal(err, p.Status().LastError)
		}
		want := source.Position{State: []byte(`{"a":1}`), Version: schemas.Version{High: 9}}
		if ps := c.positions(t); len(ps) != 1 || !same(ps[0], want) {
			t.Errorf("positions %v, want one, %v", ps, want)
		}
		if got := up.lastConfirmed(); !same(got, want) {
			t.Errorf("confirmed %v, want %v", got, want)
		}
	})
}

// The state of many tables is written when it changes, and comes back with the positions that name it.
func TestALargeStateIsWrittenWhenItChanges(t *testing.T) {
	const topic = "shop_internal.offsets.shop"
	wide := func(c string) []byte { return []byte(`"` + strings.Repeat(c, 2*inlineState) + `"`) }
	for _, atLeastOnce := range []bool{false, true} {
		t.Run(fmt.Sprintf("at_least_once=%t", atLeastOnce), func(t *testing.T) {
			inBubble(t, func(t *testing.T, c cluster, _ *kfake.Cluster) {
				up := newUpstream()
				o := c.options(up)
				o.AtLeastOnce = atLeastOnce
				var began []source.Position
				o.Open = up.scripted(func(ctx context.Context, from source.Position, out source.Emitter) error {
					began = append(began, from)
					var err error
					for i, state := range [][]byte{wide("a"), wide("a"), wide("b"), wide("b"), []byte(`"small"`), wide("b")} {
						err = errors.Join(err, out.SetState(state), out.Advance(schemas.Version{High: from.Version.High + uint64(i) + 1}, true))
						time.Sleep(10 * time.Second)
					}
					return errors.Join(err, stay(ctx))
				})
				for tenure := range uint64(2) {
					p := run(t, o)
					await(t, "the positions", func() bool { return up.lastConfirmed().Version.High == 6*(tenure+1) })
					if err := p.stop(); err != nil {
						t.Fatal(err)
					}
				}
				if len(began) != 2 || !bytes.Equal(began[1].State, wide("b")) {
					t.Fatalf("the second tenure began with %.40s", began[1].State)
				}
				states, bytes := 0, 0
				for _, r := range c.committed(t, topic) {
					if bytes += len(r.Value); string(r.Key) == stateKey("shop") {
						states++
					}
				}
				want := 6 // a, b and, after the small one, b again, twice
				if atLeastOnce {
					want = 0
				}
				if states != want || len(c.positions(t)) != 12 {
					t.Errorf("%d states and %d positions, want %d and 12", states, len(c.positions(t)), want)
				}
				if whole := 10 * 2 * inlineState; atLeastOnce != (bytes > whole) {
					t.Errorf("the topic has %d bytes", bytes)
				}
			})
		})
	}
}

// A source of many tables has a large state, which one record holds.
func TestLargePositionIsWrittenWhereItsTopicAllowsIt(t *testing.T) {
	large := []byte(`"` + strings.Repeat("x", 3<<20) + `"`)
	open := func(up *upstream, o *Options) {
		o.Open = up.scripted(func(ctx context.Context, _ source.Position, out source.Emitter) error {
			return errors.Join(out.SetState(large), out.Advance(schemas.Version{High: 9}, true), stay(ctx))
		})
	}
	inBubble(t, func(t *testing.T, c cluster, _ *kfake.Cluster) {
		up := newUpstream()
		o := c.options(up)
		open(up, &o)
		p := run(t, o)
		await(t, "the position", func() bool { return up.lastConfirmed().Version.High == 9 })
		if err := p.stop(); err != nil {
			t.Fatal(err)
		}
		if ps := c.positions(t); len(ps) != 1 || !bytes.Equal(ps[0].State, large) {
			t.Errorf("%d positions are committed", len(ps))
		}
	})
	inBubble(t, func(t *testing.T, c cluster, fake *kfake.Cluster) { // made by an older program
		const topic = "shop_internal.offsets.shop"
		if err := fake.CreateTopic(topic, 1, map[string]string{"cleanup.policy": "compact"}); err != nil {
			t.Fatal(err)
		}
		up := newUpstream()
		o := c.options(up)
		open(up, &o)
		p := run(t, o)
		time.Sleep(time.Minute)
		if s := p.Status(); s.State != Retrying || !strings.Contains(s.LastError, "write the position: a record of 31") ||
			!strings.Contains(s.LastError, topic) || !strings.Contains(s.LastError, "raise the topic's max.message.bytes") {
			t.Errorf("state %s, last error %q", s.State, s.LastError)
		}
		cl, err := kgo.NewClient(c.opts...)
		if err != nil {
			t.Fatal(err)
		}
		defer cl.Close()
		larger := "8388608"
		_, err = kadm.NewClient(cl).AlterTopicConfigs(t.Context(), []kadm.AlterConfig{{Name: "max.message.bytes", Value: &larger}}, topic)
		if err != nil {
			t.Fatal(err)
		}
		await(t, "the position", func() bool { return up.lastConfirmed().Version.High == 9 })
		if err := p.stop(); err != nil {
			t.Fatal(err)
		}
	})
}

func TestFencedPublisherGoesBackToTheLease(t *testing.T) {
	inBubble(t, func(t *testing.T, c cluster, fake *kfake.Cluster) {
		up, table := newUpstream(), itemsTable("items")
		p := run(t, c.options(up))
		up.rows(table, 1, 10)
		await(t, "the first changes", func() bool { return up.lastConfirmed().Version.High == 10 })
		fake.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.EndTxn}, Err: kerr.ProducerFenced, TopLevel: true})
		up.rows(table, 11, 10)
		await(t, "the second tenure", func() bool { return up.lastConfirmed().Version.High == 20 })
		if err := p.stop(); err != nil {
			t.Fatal(err)
		}
		if positions := c.positions(t); len(positions) != len(up.confirmed) {
			t.Errorf("%d positions are committed, and %d were confirmed", len(positions), len(up.confirmed))
		}
		if up.opened != 2 || !strings.Contains(p.Status().LastError, "PRODUCER_FENCED") {
			t.Errorf("the source was opened %d times, the last error is %q", up.opened, p.Status().LastError)
		}
		wantOnce(t, c.committed(t, c.name+".public.items"), 20)
	})
}

// The client would commit what succeeded; a transaction with a hole must not be.
func TestRecordThatFailsFailsItsTransaction(t *testing.T) {
	inBubble(t, func(t *testing.T, c cluster, fake *kfake.Cluster) {
		up, table := newUpstream(), itemsTable("items")
		p := run(t, c.options(up))
		up.rows(table, 1, 10)
		await(t, "the first changes", func() bool { return up.lastConfirmed().Version.High == 10 })
		fake.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: c.name + ".public.items", Err: kerr.InvalidRecord})
		up.rows(table, 11, 10)
		await(t, "the others", func() bool { return up.lastConfirmed().Version.High == 20 })
		if err := p.stop(); err != nil {
			t.Fatal(err)
		}
		if last := p.Status().LastError; !strings.Contains(last, "INVALID_RECORD") {
			t.Errorf("the last error is %q", last)
		}
		wantOnce(t, c.committed(t, c.name+".public.items"), 20)
	})
}

func TestFailuresAreTriedAgainWithBackOff(t *testing.T) {
	inBubble(t, func(t *testing.T, c cluster, _ *kfake.Cluster) {
		up := newUpstream()
		var tries []time.Time
		o := c.options(up)
		o.Open = func(context.Context, source.Env) (source.Source, error) {
			tries = append(tries, time.Now())
			return nil, errors.New("connection refused")
		}
		p := run(t, o)
		time.Sleep(10 * time.Minute)
		if s := p.Status(); s.State != Retrying || s.LastError != "connection refused" {
			t.Errorf("state %s, last error %q", s.State, s.LastError)
		}
		if err := p.stop(); err != nil {
			t.Fatal(err)
		}
		if n := len(tries); n < 20 || n > 40 {
			t.Errorf("%d tries in ten minutes", n)
		}
		if first, last := tries[1].Sub(tries[0]), tries[len(tries)-1].Sub(tries[len(tries)-2]); first > time.Second || last < 20*time.Second {
			t.Errorf("the first wait was %v, the last %v", first, last)
		}
	})
}

func TestFinalErrorEndsRun(t *testing.T) {
	inBubble(t, func(t *testing.T, c cluster, _ *kfake.Cluster) {
		gap := failure.As(failure.Gap, errors.New("the slot is gone"), "take a new snapshot")
		up := newUpstream()
		o := c.options(up)
		o.Open = up.scripted(func(context.Context, source.Position, source.Emitter) error { return gap })
		p := run(t, o)
		if err := <-p.done; !errors.Is(err, gap) {
			t.Errorf("Run returned %v, want %v", err, gap)
		}
		if s := p.Status(); s.State != Stopped || s.LastError == "" {
			t.Errorf("status %+v", s)
		}
	})
}

func TestWhatWasEmittedBeforeAFailureIsKept(t *testing.T) {
	inBubble(t, func(t *testing.T, c cluster, _ *kfake.Cluster) {
		up, table := newUpstream(), itemsTable("items")
		up.rows(table, 1, 3)
		o := c.options(up)
		o.Open = up.scripted(func(ctx context.Context, from source.Position, out source.Emitter) error {
			if from.State == nil {
				if err := out.SetState([]byte(`{}`)); err != nil {
					return err
				}
			}
			// Every tenure gets one change further.
			c, _, ok := up.next(int(from.Version.High))
			if !ok {
				return stay(ctx)
			}
			return errors.Join(out.Emit(&c), errors.New("connection reset"))
		})
		p := run(t, o)
		await(t, "three tenures", func() bool { return up.lastConfirmed().Version.High == 3 })
		if err := p.stop(); err != nil {
			t.Fatal(err)
		}
		wantOnce(t, c.committed(t, c.name+".public.items"), 3)
	})
}

func TestDeletionIsFollowedByATombstone(t *testing.T) {
	inBubble(t, func(t *testing.T, c cluster, _ *kfake.Cluster) {
		for _, tombstones := range []bool{true, false} {
			c := cluster{opts: c.opts, name: fmt.Sprintf("shop-%v", tombstones)}
			up, table := newUpstream(), itemsTable("items")
			up.rows(table, 1, 1)
			up.append(remove(table, 1))
			o := c.options(up)
			o.NoTombstones = !tombstones
			p := run(t, o)
			await(t, "both", func() bool { return up.lastConfirmed().Version.High == 2 })
			if err := p.stop(); err != nil {
				t.Fatal(err)
			}
			records := c.committed(t, c.name+".public.items")
			want := 2
			if tombstones {
				want = 3
			}
			if len(records) != want {
				t.Fatalf("%d records, want %d", len(records), want)
			}
			if before, _ := header(records[1], schemas.HeaderBefore); string(before) != "key" {
				t.Errorf("header %s of the deletion is %q", schemas.HeaderBefore, before)
			}
			if last := records[len(records)-1]; tombstones && (last.Value != nil || string(last.Key) != string(records[0].Key)) {
				t.Errorf("the last record is not a tombstone: key %x, value %x", last.Key, last.Value)
			}
		}
	})
}

func TestLargeChangeBecomesADeadLetterAndTheOthersGoOn(t *testing.T) {
	inBubble(t, func(t *testing.T, c cluster, fake *kfake.Cluster) {
		limit := "50000"
		up, table := newUpstream(), itemsTable("items")
		o := c.options(up)
		o.Topics.Configs = map[string]string{"max.message.bytes": limit}
		up.rows(table, 1, 1)
		large := create(table, 2)
		large.After[1] = schemas.StringValue(strings.Repeat("x", 60_000))
		up.append(large)
		fits := create(table, 3)
		fits.After[1] = schemas.StringValue(strings.Repeat("x", 49_000))
		up.append(fits)
		p := run(t, o)
		await(t, "all three", func() bool { return up.lastConfirmed().Version.High == 3 })
		if err := p.stop(); err != nil || p.Status().LastError != "" {
			t.Fatal(err, p.Status().LastError)
		}
		if got := versions(t, c.committed(t, c.name+".public.items")); len(got) != 2 || got[0] != 1 || got[1] != 3 {
			t.Errorf("published changes %v, want 1 and 3", got)
		}
		dead := c.committed(t, c.name+".dlq")
		if len(dead) != 1 || p.Status().DeadLetters != 1 {
			t.Fatalf("%d dead letters, the status counts %d, want 1", len(dead), p.Status().DeadLetters)
		}
		if topic, _ := header(dead[0], "__connect.errors.topic"); string(topic) != c.name+".public.items" {
			t.Errorf("the dead letter is of topic %q", topic)
		}
		if message, _ := header(dead[0], "__connect.errors.exception.message"); !strings.Contains(string(message), limit) {
			t.Errorf("the dead letter's message %q does not tell the limit", message)
		}
		if !strings.Contains(string(dead[0].Value), `"key":{"id":2}`) {
			t.Errorf("the dead letter's stub %s does not tell the key", dead[0].Value)
		}
	})
}

func TestTableIsAnnouncedBeforeItsFirstRecord(t *testing.T) {
	inBubble(t, func(t *testing.T, c cluster, fake *kfake.Cluster) {
		var order []string
		fake.ControlKey(kmsg.Produce.Int16(), func(r kmsg.Request) (kmsg.Response, error, bool) {
			fake.KeepControl()
			order = append(order, produced(fake, r)...)
			return nil, nil, false
		})
		up, table := newUpstream(), itemsTable("items")
		up.rows(table, 1, 1)
		p := run(t, c.options(up))
		await(t, "the change", func() bool { return up.lastConfirmed().Version.High == 1 })
		if err := p.stop(); err != nil {
			t.Fatal(err)
		}
		tables := c.name + "_internal.tables"
		var announced, first int
		for i, topic := range order {
			switch topic {
			case tables:
				announced = i + 1
			case c.name + ".public.items":
				first = i + 1
			}
		}
		if announced == 0 || announced > first {
			t.Errorf("produced to %v: %s must come before the table's topic", order, tables)
		}
		records := c.committed(t, tables)
		key, got, err := schemas.ParseTableRecord(records[0].Key, records[0].Value)
		if err != nil {
			t.Fatal(err)
		}
		value := c.committed(t, c.name+".public.items")[0].Value
		if id := binary.BigEndian.Uint32(value[1:]); key.SchemaID != id || !got.SameShape(table) {
			t.Errorf("the record says schema %d and %v, want %d and %v", key.SchemaID, got, id, table)
		}
	})
}

func TestRegistryThatIsAwayIsWaitedForWithTheLeaseHeld(t *testing.T) {
	inBubble(t, func(t *testing.T, c cluster, _ *kfake.Cluster) {
		up, first, second := newUpstream(), itemsTable("first"), itemsTable("second")
		o := c.options(up)
		tries := 0
		o.Registry = &ids{refuse: func(subject string) error {
			if strings.Contains(subject, "second") && tries < 5 {
				tries++
				return errors.New("registry: connection refused")
			}
			return nil
		}}
		up.rows(first, 1, 1)
		up.rows(second, 2, 1)
		p := run(t, o)
		await(t, "the first table", func() bool { return up.lastConfirmed().Version.High == 1 })
		await(t, "the retry to be seen", func() bool { return p.Status().State == Retrying })
		await(t, "the second table", func() bool { return up.lastConfirmed().Version.High == 2 })
		if s := p.Status(); s.State != Streaming || up.opened != 1 {
			t.Errorf("state %s, the source was opened %d times", s.State, up.opened)
		}
		if err := p.stop(); err != nil {
			t.Fatal(err)
		}
	})
}

func TestRefusedSchemaStopsAfterWhatCameBefore(t *testing.T) {
	inBubble(t, func(t *testing.T, c cluster, _ *kfake.Cluster) {
		up := newUpstream()
		o := c.options(up)
		refused := failure.As(failure.Config, errors.New("schema is incompatible"), "")
		o.Registry = &ids{refuse: func(subject string) error {
			if strings.Contains(subject, "second") {
				return refused
			}
			return nil
		}}
		up.rows(itemsTable("first"), 1, 10)
		up.rows(itemsTable("second"), 11, 1)
		if err := <-run(t, o).done; !errors.Is(err, refused) || !strings.Contains(err.Error(), "public.second") {
			t.Errorf("Run returned %v", err)
		}
		wantOnce(t, c.committed(t, c.name+".public.first"), 10)
		if got := up.lastConfirmed().Version.High; got != 10 {
			t.Errorf("confirmed up to %d, want 10", got)
		}
	})
}

func TestUnreachableKafkaCostsTheSourceNothing(t *testing.T) {
	inBubble(t, func(t *testing.T, c cluster, fake *kfake.Cluster) {
		fake.Close()
		up := newUpstream()
		p := run(t, c.options(up))
		time.Sleep(time.Hour)
		if s := p.Status(); s.State != Retrying || !strings.Contains(s.LastError, "reach Kafka") {
			t.Errorf("state %s, last error %q", s.State, s.LastError)
		}
		if up.opened != 0 {
			t.Errorf("the source was opened %d times", up.opened)
		}
		if err := p.stop(); err != nil {
			t.Fatal(err)
		}
	})
}

func TestKeyWithoutFormBecomesADeadLetter(t *testing.T) {
	inBubble(t, func(t *testing.T, c cluster, _ *kfake.Cluster) {
		up, table := newUpstream(), itemsTable("items")
		broken := create(table, 1)
		broken.After[0] = schemas.UnrepresentableValue([]byte("0xZZ"))
		up.append(broken)
		up.rows(table, 2, 1)
		p := run(t, c.options(up))
		await(t, "both", func() bool { return up.lastConfirmed().Version.High == 2 })
		if err := p.stop(); err != nil {
			t.Fatal(err)
		}
		if dead := c.committed(t, c.name+".dlq"); len(dead) != 1 || p.Status().DeadLetters != 1 {
			t.Errorf("%d dead letters, want 1", len(dead))
		} else {
			t.Logf("%s", dead[0].Value)
		}
		if got := versions(t, c.committed(t, c.name+".public.items")); len(got) != 1 || got[0] != 2 {
			t.Errorf("published changes %v, want 2 alone", got)
		}
	})
}

func TestTablesOfOneTopicAreRefused(t *testing.T) {
	inBubble(t, func(t *testing.T, c cluster, _ *kfake.Cluster) {
		up := newUpstream()
		up.rows(itemsTable("a b"), 1, 1)
		up.rows(itemsTable("a?b"), 1, 1)
		err := <-run(t, c.options(up)).done
		if failure.Classify(err) != failure.Config || !strings.Contains(fmt.Sprint(err), "public.a b and public.a?b") {
			t.Errorf("Run returned %v", err)
		}
	})
}

func TestTopicsThatCannotServeAreRefused(t *testing.T) {
	for name, test := range map[string]struct {
		topic      string
		partitions int32
		configs    map[string]string
		want       string
	}{
		"offsets with two partitions":             {"shop_internal.offsets.shop", 2, map[string]string{"cleanup.policy": "compact"}, "has 2 partitions, and must have 1"},
		"offsets that expire":                     {"shop_internal.offsets.shop", 1, nil, "cleanup.policy delete"},
		"tables that expire":                      {"shop_internal.tables", 1, map[string]string{"cleanup.policy": "compact,delete"}, "cleanup.policy compact,delete"},
		"another number of partitions":            {"shop.public.items", 2, nil, "topics.partitions is 3"},
		"compaction of a table with large values": {"shop.public.items", 3, map[string]string{"cleanup.policy": "compact,delete"}, "column name"},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, c cluster, fake *kfake.Cluster) {
				if err := fake.CreateTopic(test.topic, test.partitions, test.configs); err != nil {
					t.Fatal(err)
				}
				up := newUpstream()
				up.rows(itemsTable("items"), 1, 1)
				o := c.options(up)
				o.Topics.Partitions = 3
				err := <-run(t, o).done
				if failure.Classify(err) != failure.Config || !strings.Contains(fmt.Sprint(err), test.topic) || !strings.Contains(fmt.Sprint(err), test.want) {
					t.Errorf("Run returned %v", err)
				}
			})
		})
	}
}

func TestTruncateGoesToEveryPartition(t *testing.T) {
	inBubble(t, func(t *testing.T, c cluster, _ *kfake.Cluster) {
		up, table := newUpstream(), itemsTable("items")
		up.rows(table, 1, 100)
		up.append(schemas.Change{Table: table, Op: schemas.Truncate})
		o := c.options(up)
		o.Topics.Partitions = 4
		p := run(t, o)
		await(t, "everything", func() bool { return up.lastConfirmed().Version.High == 101 })
		if err := p.stop(); err != nil {
			t.Fatal(err)
		}
		truncates, rows := map[int32]int{}, map[int32]int{}
		records := c.committed(t, c.name+".public.items")
		for i, v := range versions(t, records) {
			if v == 101 {
				truncates[records[i].Partition]++
			} else {
				rows[records[i].Partition]++
			}
		}
		for part := range int32(4) {
			if truncates[part] != 1 || rows[part] == 0 {
				t.Errorf("partition %d has %d rows and %d truncates, want some and one", part, rows[part], truncates[part])
			}
		}
	})
}

// TestACompactedTopicTakesNoTruncate is about brokers, which refuse a record without key there; kfake does not.
func TestACompactedTopicTakesNoTruncate(t *testing.T) {
	inBubble(t, func(t *testing.T, c cluster, fake *kfake.Cluster) {
		up, table := newUpstream(), itemsTable("items")
		table.Identity = schemas.IdentityFull // else the topic would be refused at once
		topic := c.name + ".public.items"
		if err := fake.CreateTopic(topic, 1, map[string]string{"cleanup.policy": "compact"}); err != nil {
			t.Fatal(err)
		}
		up.rows(table, 1, 3)
		up.append(schemas.Change{Table: table, Op: schemas.Truncate})
		up.rows(table, 5, 1)
		err := <-run(t, c.options(up)).done
		if failure.Classify(err) != failure.Config || !strings.Contains(fmt.Sprint(err), topic) || !strings.Contains(fmt.Sprint(err), "cleanup.policy to delete") {
			t.Errorf("Run returned %v", err)
		}
		if v := up.lastConfirmed().Version.High; v != 3 {
			t.Errorf("confirmed up to %d, want 3: what came before the truncate, and not it", v)
		}
	})
}

// The truncate with which the reading of a table begins is left out of a compacted topic that holds nothing; one that holds
// what was committed before it is refused, though this tenure has written nothing yet.
func TestACompactedTopicIsReadIntoWhileItHoldsNothing(t *testing.T) {
	inBubble(t, func(t *testing.T, c cluster, fake *kfake.Cluster) {
		up, table := newUpstream(), itemsTable("items")
		table.Identity = schemas.IdentityFull // else the topic would be refused at once
		topic := c.name + ".public.items"
		if err := fake.CreateTopic(topic, 1, map[string]string{"cleanup.policy": "compact"}); err != nil {
			t.Fatal(err)
		}
		reading := schemas.Change{Table: table, Op: schemas.Truncate, Source: schemas.Origin{Snapshot: schemas.SnapshotTrue}}
		up.append(reading)
		up.rows(table, 1, 2)
		p := run(t, c.options(up))
		await(t, "everything", func() bool { return up.lastConfirmed().Version.High == 3 })
		if err := p.stop(); err != nil {
			t.Fatal(err)
		}
		if got := versions(t, c.committed(t, topic)); !slices.Equal(got, []uint64{2, 3}) {
			t.Errorf("versions %v, want the two rows", got)
		}
		up.append(reading)
		p = run(t, c.options(up))
		await(t, "the end", func() bool { return p.Status().State == Stopped })
		if err := <-p.done; failure.Classify(err) != failure.Config || !strings.Contains(fmt.Sprint(err), "cleanup.policy to delete") {
			t.Errorf("with rows in the topic Run returned %v", err)
		}
	})
}

func TestOnlyTheUpstreamsOwnTruncatesAreSkipped(t *testing.T) {
	inBubble(t, func(t *testing.T, c cluster, _ *kfake.Cluster) {
		up, table := newUpstream(), itemsTable("items")
		up.rows(table, 1, 1)
		up.append(schemas.Change{Table: table, Op: schemas.Truncate})
		up.append(schemas.Change{Table: table, Op: schemas.Truncate, Source: schemas.Origin{Snapshot: schemas.SnapshotTrue}})
		up.rows(table, 4, 1)
		o := c.options(up)
		o.SkipTruncates = true
		p := run(t, o)
		await(t, "everything", func() bool { return up.lastConfirmed().Version.High == 4 })
		if err := p.stop(); err != nil {
			t.Fatal(err)
		}
		if got := versions(t, c.committed(t, c.name+".public.items")); !slices.Equal(got, []uint64{1, 3, 4}) {
			t.Errorf("versions %v, want the row, the snapshot's truncate and the other row", got)
		}
	})
}

func TestConfigurationThatWorkedIsTriedAgain(t *testing.T) {
	inBubble(t, func(t *testing.T, c cluster, _ *kfake.Cluster) {
		up := newUpstream()
		up.rows(itemsTable("items"), 1, 1)
		refused := failure.As(failure.Config, errors.New("password authentication failed"), "check user and password")
		o := c.options(up)
		tenures := 0
		o.Open = func(ctx context.Context, env source.Env) (source.Source, error) {
			tenures++
			switch tenures {
			case 1: // the connection is cut once something is committed
				return &script{model: model{up: up, env: env}, run: func(ctx context.Context, from source.Position, out source.Emitter) error {
					if err := out.SetState([]byte(`{}`)); err != nil {
						return err
					}
					change, _, _ := up.next(0)
					if err := out.Emit(&change); err != nil {
						return err
					}
					time.Sleep(time.Second)
					return errors.New("connection reset")
				}}, nil
			case 2, 3:
				return nil, refused
			case 4:
				return &script{model: model{up: up, env: env}, run: func(context.Context, source.Position, source.Emitter) error {
					return refused
				}}, nil
			}
			return up.open(ctx, env)
		}
		p := run(t, o)
		await(t, "the refusal", func() bool { return strings.Contains(p.Status().LastError, "check user and password") })
		up.rows(itemsTable("items"), 2, 1)
		await(t, "the change after it", func() bool { return up.lastConfirmed().Version.High == 2 || p.Status().State == Stopped })
		if err := p.stop(); err != nil {
			t.Fatal(err)
		}
	})
}

func TestTooFewBrokersAreWaitedFor(t *testing.T) {
	if err := creation(kerr.InvalidReplicationFactor); failure.Classify(err) != failure.Retry || !strings.Contains(err.Error(), "topics.replication") {
		t.Errorf("got %v, want to try again, with a hint", err)
	}
	if err := creation(kerr.InvalidConfig); failure.Classify(err) != failure.Config {
		t.Errorf("got %v, want a refusal", err)
	}
}

func TestAPositionThatCannotBeReadIsAGap(t *testing.T) {
	for _, value := range []string{
		`{"format":3,"connector":"shop","version":"00000000000000010000000000000001","state":1}`, `x`, `{"format":1,"state":null}`,
		`{"format":2,"connector":"shop","version":"00000000000000010000000000000001","state_digest":"ab"}`,
	} {
		for _, state := range [][]byte{nil, []byte(`x`), appendState(nil, "shop", "cd", []byte(`{}`)), appendState(nil, "shop", "ab", []byte(`{}`))} {
			_, err := (&Options{}).position(found{&kgo.Record{Topic: "t", Value: []byte(value)}, state})
			if failure.Classify(err) != failure.Gap {
				t.Errorf("position %s with state %s: %v, want a gap", value, state, err)
			}
		}
	}
}

func TestStateComesBackByteForByte(t *testing.T) {
	want := source.Position{State: []byte("{\"a\" : [1, 2.50,\n \"<&>\"]}"), Version: schemas.Version{High: 1 << 63, Low: 3}}
	digest := digestOf(want.State)
	for name, value := range map[string][]byte{
		"in the position":        appendPosition(nil, "shop", want, "", time.Now()),
		"in a record of its own": appendPosition(nil, "shop", want, digest, time.Now()),
	} {
		got, err := parsePosition(value, appendState(nil, "shop", digest, want.State))
		if err != nil || !same(got, want) {
			t.Errorf("%s: got %v %s, %v; want %v %s", name, got.Version, got.State, err, want.Version, want.State)
		}
	}
}

func TestAKeysPlaceDoesNotDependOnItsSchemasID(t *testing.T) {
	java := kgo.StickyKeyPartitioner(nil).ForTopic("t")
	for i := range 1000 {
		body := strings.Repeat("k", i%9) + fmt.Sprint(i)
		want := java.Partition(&kgo.Record{Key: []byte(body)}, 7)
		for _, id := range []string{"\x00\x00\x00\x00\x01", "\x00\x00\x00\x01\x02"} {
			if got := partition([]byte(id+body), 7); int(got) != want {
				t.Fatalf("key %q: partition %d, want %d", id+body, got, want)
			}
		}
	}
}

// The brokers go away with an announcement unanswered: the client cannot say what became of it, and a stop must not ask.
func TestStopDoesNotWaitForAnAnnouncementThatIsNotAnswered(t *testing.T) {
	inBubble(t, func(t *testing.T, c cluster, fake *kfake.Cluster) {
		tried := make(chan struct{}, 1000)
		fake.ControlKey(kmsg.Produce.Int16(), func(r kmsg.Request) (kmsg.Response, error, bool) {
			fake.KeepControl()
			if !slices.Contains(produced(fake, r), c.name+"_internal.tables") {
				return nil, nil, false
			}
			tried <- struct{}{}
			return nil, errors.New("cut"), true
		})
		up := newUpstream()
		up.rows(itemsTable("items"), 1, 1)
		p := run(t, c.options(up))
		<-tried
		p.cancel()
		select {
		case err := <-p.done:
			if err != nil {
				t.Error(err)
			}
		case <-time.After(time.Minute):
			t.Error("the stop has not ended within a minute")
			fake.Close()
			<-p.done
		}
	})
}

// Who has lost the lease without noticing finds its successor's changes in a topic that it meets for the first time, and the
// slot ahead of its own position.
func TestFencedPublisherDoesNotTakeItsSuccessorsWorkForAGap(t *testing.T) {
	for name, find := range map[string]func(up *upstream, out source.Emitter) error{
		"changes in a topic": func(up *upstream, out source.Emitter) error {
			if err := out.SetState([]byte(`{}`)); err != nil {
				return err
			}
			change, _, _ := up.next(0)
			return out.Emit(&change)
		},
		"a slot that is ahead": func(*upstream, source.Emitter) error {
			return failure.As(failure.Gap, errors.New("the slot is ahead of the position"), "take a new snapshot")
		},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, c cluster, _ *kfake.Cluster) { findsASuccessorsWork(t, c, find) })
		})
	}
}

func findsASuccessorsWork(t *testing.T, c cluster, find func(*upstream, source.Emitter) error) {
	old, young := newUpstream(), newUpstream() // each has a lease of its own
	table := itemsTable("items")
	old.rows(table, 1, 1)
	young.rows(table, 1, 5)
	began, succeeded, tenures := make(chan struct{}), make(chan struct{}), 0
	o := c.options(old)
	o.Open = old.scripted(func(ctx context.Context, _ source.Position, out source.Emitter) error {
		if tenures++; tenures > 1 {
			return stay(ctx)
		}
		close(began)
		<-succeeded
		return find(old, out)
	})
	first := run(t, o)
	<-began
	second := run(t, c.options(young))
	await(t, "the successor", func() bool { return young.lastConfirmed().Version.High == 5 })
	close(succeeded)
	await(t, "the first to notice", func() bool { return first.Status().LastError != "" })
	if s := first.Status(); s.State == Stopped {
		t.Errorf("it stopped for good: %s", s.LastError)
	}
	for _, p := range []*running{second, first} {
		if err := p.stop(); err != nil {
			t.Error(err)
		}
	}
}

// kfake lets the records of compacted topics expire as if they were not, after a week unless the topic says otherwise.
func TestPositionsAndTablesDoNotExpire(t *testing.T) {
	inBubble(t, func(t *testing.T, c cluster, fake *kfake.Cluster) {
		up := newUpstream()
		p := run(t, c.options(up))
		up.rows(itemsTable("items"), 1, 1)
		await(t, "the row", func() bool { return up.lastConfirmed().Version.High == 1 })
		if err := p.stop(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(400 * 24 * time.Hour)
		fake.ApplyRetention()
		if len(c.positions(t)) == 0 {
			t.Error("the position is gone")
		}
		if len(c.committed(t, c.name+"_internal.tables")) == 0 {
			t.Error("the table is gone")
		}
	})
}
