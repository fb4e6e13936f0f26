package publish

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/syncline-io/syncline/framework/failure"
	"github.com/syncline-io/syncline/framework/registry"
	"github.com/syncline-io/syncline/schemas"
)

// widerTable is itemsTable with a column more.
func widerTable(name string) *schemas.Table {
	t := itemsTable(name)
	t.Version = 8
	t.Columns = append(slices.Clone(t.Columns), schemas.Column{ID: 3, Name: "size", Type: schemas.Type{Kind: schemas.Int64}, SourceType: "bigint"})
	return t
}

func createWide(t *schemas.Table, id int) schemas.Change {
	c := create(t, id)
	c.After = append(c.After, schemas.IntValue(int64(10*id)))
	return c
}

func removeWide(t *schemas.Table, id int) schemas.Change {
	c := remove(t, id)
	c.Before = append(c.Before, schemas.IntValue(0))
	return c
}

// strict is a registry that refuses any second schema of a subject of values, until it is told not to mind.
type strict struct {
	ids
	lax    atomic.Bool
	values map[string]string // by subject
}

func newStrict() *strict {
	s := &strict{values: map[string]string{}}
	s.schemaRefuse = func(subject, schema string) error {
		if !strings.Contains(subject, "-value") {
			return nil
		}
		if had, ok := s.values[subject]; ok && had != schema && !s.lax.Load() {
			return failure.As(failure.Config, fmt.Errorf("subject %q: incompatible: %w", subject, registry.ErrRefused), "")
		}
		s.values[subject] = schema
		return nil
	}
	return s
}

// quarantined is a publisher with policy quarantine whose table items was changed in a way that the registry refuses.
func quarantined(t *testing.T, c cluster) (*upstream, *strict, Options) {
	t.Helper()
	up, reg := newUpstream(), newStrict()
	o := c.options(up)
	o.Registry, o.Quarantine = reg, true
	return up, reg, o
}

func TestATableWhoseSchemaIsRefusedGoesToQuarantineAndTheOthersGoOn(t *testing.T) {
	inBubble(t, func(t *testing.T, c cluster, _ *kfake.Cluster) {
		up, _, o := quarantined(t, c)
		p := run(t, o)
		narrow, wide, other := itemsTable("items"), widerTable("items"), itemsTable("other")
		up.rows(narrow, 1, 2)          // versions 1, 2
		up.append(createWide(wide, 3)) // 3
		up.rows(other, 4, 1)           // 4
		up.append(removeWide(wide, 3)) // 5
		again := widerTable("items")   // what is in quarantine changes once more
		again.Version, again.Columns[2].Name = 9, "weight"
		up.append(createWide(again, 6)) // 6
		await(t, "everything", func() bool { return up.lastConfirmed().Version.High == 6 })
		status := p.Status()
		if err := p.stop(); err != nil {
			t.Fatal(err)
		}
		for topic, want := range map[string][]uint64{
			"items": {1, 2}, "items.quarantine": {3, 5, 5, 6}, "other": {4},
		} {
			if got := versions(t, c.committed(t, c.name+".public."+topic)); !slices.Equal(got, want) {
				t.Errorf("topic %s has the versions %v, want %v", topic, got, want)
			}
		}
		for _, r := range c.committed(t, c.name+".public.items.quarantine") {
			if of, _ := header(r, schemas.HeaderQuarantine); string(of) != c.name+"\x00"+c.name+".public.items" {
				t.Errorf("header %q at offset %d", of, r.Offset)
			}
		}
		if q := status.Quarantined; len(q) != 1 || q[0].Topic != c.name+".public.items" || q[0].Aside != q[0].Topic+".quarantine" || !strings.Contains(q[0].Reason, "incompatible") {
			t.Errorf("status tells of %+v", q)
		}
	})
}

func TestWhatIsInQuarantineComesHomeInOrderBeforeAnythingNew(t *testing.T) {
	inBubble(t, func(t *testing.T, c cluster, _ *kfake.Cluster) {
		up, reg, o := quarantined(t, c)
		narrow, wide := itemsTable("items"), widerTable("items")
		p := run(t, o)
		up.rows(narrow, 1, 2)
		for i := 3; i <= 10; i++ {
			up.append(createWide(wide, i))
		}
		await(t, "all", func() bool { return up.lastConfirmed().Version.High == 10 })
		if err := p.stop(); err != nil {
			t.Fatal(err)
		}

		p = run(t, o) // the registry still refuses it
		up.append(createWide(wide, 11))
		await(t, "the one after", func() bool { return up.lastConfirmed().Version.High == 11 })
		if len(p.Status().Quarantined) != 1 {
			t.Error("after a start the quarantine is not in the status")
		}
		if err := p.stop(); err != nil {
			t.Fatal(err)
		}
		if got := versions(t, c.committed(t, c.name+".public.items")); len(got) != 2 {
			t.Fatalf("the own topic has %v although the registry refuses the schema", got)
		}

		reg.lax.Store(true)
		p = run(t, o)
		up.append(createWide(wide, 12))
		await(t, "the last", func() bool { return up.lastConfirmed().Version.High == 12 })
		if len(p.Status().Quarantined) != 0 {
			t.Errorf("still in quarantine: %+v", p.Status().Quarantined)
		}
		if err := p.stop(); err != nil {
			t.Fatal(err)
		}
		records := c.committed(t, c.name+".public.items")
		wantOnce(t, records, 12)
		c.wantReadable(t, reg, records)
		if c.has(t, c.name+".public.items.quarantine") {
			t.Error("the quarantine topic is still there")
		}
	})
}

func TestRowsWithoutAnEnvelopeComeHomeUnderTheIDsOfTheirOwnTopic(t *testing.T) {
	inBubble(t, func(t *testing.T, c cluster, _ *kfake.Cluster) {
		up, reg, o := quarantined(t, c)
		o.Mapping.Shape = schemas.ShapeRow
		narrow, wide := itemsTable("items"), widerTable("items")
		p := run(t, o)
		up.rows(narrow, 1, 1)
		up.append(createWide(wide, 2))
		up.append(removeWide(wide, 2))
		await(t, "all", func() bool { return up.lastConfirmed().Version.High == 3 })
		if err := p.stop(); err != nil {
			t.Fatal(err)
		}
		reg.lax.Store(true)
		p = run(t, o)
		up.append(createWide(wide, 4))
		await(t, "the last", func() bool { return up.lastConfirmed().Version.High == 4 })
		if err := p.stop(); err != nil {
			t.Fatal(err)
		}
		records := c.committed(t, c.name+".public.items")
		wantOnce(t, records, 4)
		c.wantReadable(t, reg, records)
		removed, _ := header(records[2], schemas.HeaderSchema)
		if records[2].Value != nil || len(removed) != 4 || binary.BigEndian.Uint32(removed) != binary.BigEndian.Uint32(records[1].Value[1:]) {
			t.Errorf("the deletion has the value %x and the schema %x", records[2].Value, removed)
		}
	})
}

// wantReadable checks that each record's id is that of the own topic's subject, and described in the tables topic.
func (c cluster) wantReadable(t *testing.T, reg *strict, records []*kgo.Record) {
	t.Helper()
	described := map[schemas.TableKey]bool{}
	for _, r := range c.read(t, c.name+"_internal.tables", kgo.ReadCommitted()) {
		key, _, err := schemas.ParseTableRecord(r.Key, r.Value)
		if err != nil {
			t.Fatal(err)
		}
		described[key] = true
	}
	own := map[uint32]string{}
	for k, id := range reg.byID {
		own[id] = k[:strings.IndexByte(k, '{')]
	}
	for _, r := range records {
		if r.Value == nil {
			continue
		}
		id := binary.BigEndian.Uint32(r.Value[1:])
		if own[id] != r.Topic+"-value" {
			t.Errorf("offset %d has the schema of subject %q", r.Offset, own[id])
		}
		version, _ := header(r, schemas.HeaderTable)
		if key := (schemas.TableKey{Topic: r.Topic, SchemaID: id, Version: binary.BigEndian.Uint64(version)}); !described[key] {
			t.Errorf("offset %d: %+v is not described", r.Offset, key)
		}
		if _, ok := header(r, schemas.HeaderQuarantine); ok {
			t.Errorf("offset %d is still marked as in quarantine", r.Offset)
		}
	}
}

func (c cluster) has(t *testing.T, topic string) bool {
	t.Helper()
	cl, err := kgo.NewClient(c.opts...)
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	listed, err := kadm.NewClient(cl).ListTopics(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return listed.Has(topic)
}

func TestAHomecomingThatWasCutOffGoesOnWhereItStood(t *testing.T) {
	inBubble(t, func(t *testing.T, c cluster, fake *kfake.Cluster) {
		up, reg, o := quarantined(t, c)
		narrow, wide := itemsTable("items"), widerTable("items")
		p := run(t, o)
		up.rows(narrow, 1, 1)
		up.append(createWide(wide, 2))
		up.append(removeWide(wide, 2))
		await(t, "all", func() bool { return up.lastConfirmed().Version.High == 3 })
		if err := p.stop(); err != nil {
			t.Fatal(err)
		}
		reg.lax.Store(true)
		// The records are copied, and the topic cannot be deleted for a while.
		fake.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.DeleteTopics}, Err: kerr.PolicyViolation, Count: 3})
		p = run(t, o)
		up.append(createWide(wide, 4))
		await(t, "a failure", func() bool { return p.Status().LastError != "" })
		await(t, "the last", func() bool { return up.lastConfirmed().Version.High == 4 })
		if last := p.Status().LastError; !strings.Contains(last, "needs Delete on the topic") {
			t.Errorf("last error %q", last)
		}
		if err := p.stop(); err != nil {
			t.Fatal(err)
		}
		got := c.committed(t, c.name+".public.items")
		// A tombstone may be there twice: it has its deletion's version.
		got = slices.CompactFunc(got, func(a, b *kgo.Record) bool { return a.Value == nil && b.Value == nil })
		if v := versions(t, got); !slices.Equal(v, []uint64{1, 2, 3, 3, 4}) {
			t.Errorf("versions %v", v)
		}
	})
}

func TestAQuarantineIsNotForgottenWhenThePolicyIsStopAgain(t *testing.T) {
	inBubble(t, func(t *testing.T, c cluster, _ *kfake.Cluster) {
		up, _, o := quarantined(t, c)
		p := run(t, o)
		up.rows(itemsTable("items"), 1, 1)
		up.append(createWide(widerTable("items"), 2))
		await(t, "both", func() bool { return up.lastConfirmed().Version.High == 2 })
		if err := p.stop(); err != nil {
			t.Fatal(err)
		}
		o.Quarantine = false
		p = run(t, o)
		if err := <-p.done; failure.Classify(err) != failure.Config || !strings.Contains(err.Error(), "items.quarantine home: the changes in it cannot follow") {
			t.Errorf("%v", err)
		}
	})
}

func TestWithoutThePolicyARefusedSchemaStops(t *testing.T) {
	inBubble(t, func(t *testing.T, c cluster, _ *kfake.Cluster) {
		up, _, o := quarantined(t, c)
		o.Quarantine = false
		p := run(t, o)
		up.rows(itemsTable("items"), 1, 1)
		up.append(createWide(widerTable("items"), 2))
		if err := <-p.done; !errors.Is(err, registry.ErrRefused) {
			t.Errorf("%v", err)
		}
		if v := versions(t, c.committed(t, c.name+".public.items")); !slices.Equal(v, []uint64{1}) {
			t.Errorf("versions %v", v)
		}
	})
}

// foreign writes a record of another program's to the topic, making it first if it is not there; nil only makes it.
func (c cluster) foreign(t *testing.T, topic string, value []byte) {
	t.Helper()
	cl, err := kgo.NewClient(c.opts...)
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	if _, err := kadm.NewClient(cl).CreateTopic(t.Context(), 1, 1, nil, topic); err != nil && !errors.Is(err, kerr.TopicAlreadyExists) {
		t.Fatal(err)
	}
	if value == nil {
		return
	}
	if err := cl.ProduceSync(t.Context(), &kgo.Record{Topic: topic, Value: value}).FirstErr(); err != nil {
		t.Fatal(err)
	}
}

func TestATopicThatOnlyLooksLikeAQuarantineIsLeftAlone(t *testing.T) {
	for _, value := range [][]byte{nil, []byte("mine")} {
		for _, policy := range []bool{false, true} {
			inBubble(t, func(t *testing.T, c cluster, _ *kfake.Cluster) {
				topic := c.name + ".billing.quarantine"
				c.foreign(t, topic, value)
				up, _, o := quarantined(t, c)
				o.Quarantine = policy
				p := run(t, o)
				up.rows(itemsTable("items"), 1, 1)
				await(t, "the row", func() bool { return up.lastConfirmed().Version.High == 1 || p.Status().State == Stopped })
				if err := p.stop(); err != nil {
					t.Error(err)
				}
				if !c.has(t, topic) || c.has(t, c.name+".billing") {
					t.Errorf("with value %q: %s is there: %v, %s.billing was made: %v", value, topic, c.has(t, topic), c.name, c.has(t, c.name+".billing"))
				} else if got := len(c.committed(t, topic)); got != min(len(value), 1) {
					t.Errorf("%d records are in the topic that had the value %q", got, value)
				}
			})
		}
	}
}

// The prefix of one source may begin as another's whole name of a topic does.
func TestTheQuarantineOfAnotherSourceIsLeftAlone(t *testing.T) {
	inBubble(t, func(t *testing.T, c cluster, _ *kfake.Cluster) {
		up, reg, o := quarantined(t, c)
		o.Mapping.Prefix = "shop.eu"
		p := run(t, o)
		up.rows(itemsTable("items"), 1, 1)
		up.append(createWide(widerTable("items"), 2))
		await(t, "both", func() bool { return up.lastConfirmed().Version.High == 2 })

		reg.lax.Store(true)
		other := newUpstream()
		o2 := c.options(other)
		o2.Name, o2.Mapping.Prefix, o2.Registry, o2.Quarantine = "other", "shop", reg, true
		p2 := run(t, o2)
		other.rows(itemsTable("z"), 1, 1)
		await(t, "the other source", func() bool { return other.lastConfirmed().Version.High == 1 })
		for _, p := range []*running{p, p2} {
			if err := p.stop(); err != nil {
				t.Error(err)
			}
		}
		if v := versions(t, c.committed(t, "shop.eu.public.items")); !slices.Equal(v, []uint64{1}) {
			t.Errorf("the own topic has the versions %v, want 1 alone", v)
		}
		if !c.has(t, "shop.eu.public.items.quarantine") {
			t.Fatal("the quarantine topic is gone")
		}
		if v := versions(t, c.committed(t, "shop.eu.public.items.quarantine")); !slices.Equal(v, []uint64{2}) {
			t.Errorf("the quarantine topic has the versions %v, want 2 alone", v)
		}
	})
}

// What lay there would not come home: its first record says that the topic is another's.
func TestATableIsNotSetAsideAmongTheRecordsOfAnother(t *testing.T) {
	inBubble(t, func(t *testing.T, c cluster, _ *kfake.Cluster) {
		topic := c.name + ".public.items.quarantine"
		c.foreign(t, topic, []byte("mine"))
		up, _, o := quarantined(t, c)
		p := run(t, o)
		up.rows(itemsTable("items"), 1, 1)
		up.append(createWide(widerTable("items"), 2))
		await(t, "the end", func() bool { return p.Status().State == Stopped })
		if err := <-p.done; failure.Classify(err) != failure.Config || !strings.Contains(err.Error(), topic) {
			t.Errorf("%v", err)
		}
		if n := len(c.committed(t, topic)); n != 1 {
			t.Errorf("%d records are in the topic, want the one of its owner", n)
		}
	})
}

func TestAForeignRecordAmongThoseInQuarantineStops(t *testing.T) {
	inBubble(t, func(t *testing.T, c cluster, _ *kfake.Cluster) {
		up, reg, o := quarantined(t, c)
		p := run(t, o)
		up.rows(itemsTable("items"), 1, 1)
		up.append(createWide(widerTable("items"), 2))
		await(t, "both", func() bool { return up.lastConfirmed().Version.High == 2 })
		if err := p.stop(); err != nil {
			t.Fatal(err)
		}
		topic := c.name + ".public.items.quarantine"
		c.foreign(t, topic, []byte("mine"))
		reg.lax.Store(true)
		p = run(t, o)
		if err := <-p.done; failure.Classify(err) != failure.Config || !strings.Contains(err.Error(), "is no change in quarantine") {
			t.Errorf("%v", err)
		}
		if n := len(c.committed(t, topic)); n != 2 {
			t.Errorf("%d records are left of 2", n)
		}
	})
}
