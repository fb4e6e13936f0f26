package jdbc

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/syncline-io/syncline/integration/engines"
)

// run is one run of shop and types through both sources and the sinks.
type run struct {
	kafka, registry string
	shop            string // the URL of the shop's database
	connect         *engines.Connect
	client          *kgo.Client
	admin           *kadm.Client
	sides           []*side
	alone           int // sinks of one topic so far
}

// The sides by name: whose source wrote the topics.
const (
	ours     = "ours"
	debezium = "debezium"
)

// side is one of the two sources, and what the sink makes of its topics.
type side struct {
	name, prefix string // of the side, of its topics
	types, slot  string // the URL of the database with the types, and the slot in it
	target       string // the URL of the database that the sink fills
	outcomes     outcomes
}

var theRun struct {
	once sync.Once
	run  *run
}

// sharedRun makes the run when the first test asks for it.
func sharedRun(t *testing.T) *run {
	t.Helper()
	engines.PostgresForTest(t)
	theRun.once.Do(func() { makeRun(t) })
	if theRun.run == nil {
		t.Fatal("the run has failed, in another test")
	}
	return theRun.run
}

func makeRun(t *testing.T) {
	begin := time.Now()
	r := &run{kafka: engines.KafkaForTest(t), registry: engines.RegistryForTest(t)}
	r.connect = engines.NewConnect(t, engines.ConnectOptions{Kafka: r.kafka, Registry: r.registry})
	var err error
	if r.client, err = kgo.NewClient(kgo.SeedBrokers(r.kafka)); err != nil {
		t.Fatal(err)
	}
	defer r.client.Close()
	r.admin = kadm.NewClient(r.client)
	r.shop = makeShop(t)
	for _, name := range sides() {
		s := &side{name: name, prefix: engines.Unique(t), outcomes: outcomes{columns: map[string]string{}, types: map[string]string{}}}
		r.sides = append(r.sides, s)
		if name == ours {
			s.types, s.slot = makeTypes(t, typesSQL(t, altered))
			r.startOurs(t, s)
		} else {
			s.types, s.slot = makeTypes(t, debeziumSQL(t))
			r.startDebezium(t, s)
		}
	}
	r.publish(t)
	t.Logf("%v: the topics are there", time.Since(begin).Round(time.Second))
	for _, s := range r.sides {
		s.target = engines.Database(t)
		execute(t, s.target, "CREATE EXTENSION hstore", "CREATE EXTENSION ltree", "CREATE EXTENSION citext", "CREATE EXTENSION isn")
		r.load(t, s)
		t.Logf("%v: loaded %s", time.Since(begin).Round(time.Second), s.name)
		s.compare(t, s.types, "types", `We"ird . Sch-ema`)
		s.compare(t, r.shop, "public")
		r.refuse(t, s)
		t.Logf("%v: refused %s", time.Since(begin).Round(time.Second), s.name)
	}
	theRun.run = r
}

func (r *run) put(t *testing.T, name string, config map[string]string) {
	t.Helper()
	if err := r.connect.PutConnector(t.Context(), name, config); err != nil {
		t.Fatal(err)
	}
}

// checkSources ends the test when a connector of Debezium's has failed.
func (r *run) checkSources(t *testing.T, s *side) {
	t.Helper()
	if s.name != debezium {
		return
	}
	for _, name := range []string{s.prefix + "_types", s.prefix + "_shop"} {
		if state, trace, err := r.connect.ConnectorTask(t.Context(), name); err != nil || state == "FAILED" {
			t.Fatalf("Debezium's source %s: %v %s", name, err, trace)
		}
	}
}

// content is how much a topic of one partition holds: records of data, and the offset behind the last of them.
type content struct {
	records int
	end     int64
}

// topics are the names of the topics of a side's tables: those of messages and transactions have no schema in their names.
func (r *run) topics(t *testing.T, s *side) []string {
	t.Helper()
	all, err := r.admin.ListTopics(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return slices.DeleteFunc(all.Names(), func(n string) bool { return !strings.HasPrefix(n, s.prefix+".") || strings.Count(n, ".") < 2 })
}

// read reads what is committed to topics.
func (r *run) read(t *testing.T, topics ...string) map[string]content {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
	defer cancel()
	ends, err := r.admin.ListCommittedOffsets(ctx, topics...)
	if err != nil {
		t.Fatal(err)
	}
	all, left := map[string]content{}, map[string]int64{}
	ends.Each(func(o kadm.ListedOffset) {
		if o.Err == nil && o.Offset > 0 {
			left[o.Topic] = o.Offset
		}
	})
	if len(left) == 0 {
		return all
	}
	client, err := kgo.NewClient(kgo.SeedBrokers(r.kafka), kgo.ConsumeTopics(topics...), kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.KeepControlRecords())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	for len(left) > 0 {
		fetches := client.PollFetches(ctx)
		if err := fetches.Err0(); err != nil {
			t.Fatalf("read the topics: %v (left: %v)", err, left)
		}
		fetches.EachRecord(func(rec *kgo.Record) {
			if rec.Offset >= left[rec.Topic]-1 {
				delete(left, rec.Topic)
			}
			if c := all[rec.Topic]; !rec.Attrs.IsControl() {
				all[rec.Topic] = content{c.records + 1, rec.Offset + 1}
			}
		})
	}
	return all
}
