package kills

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/syncline-io/syncline/connectors/duckdb"
	"github.com/syncline-io/syncline/integration/programs"
	"github.com/syncline-io/syncline/integration/proof"
)

func TestMain(m *testing.M) {
	flag.Parse()
	// Most of a kill is waiting: for sessions to end, for a group to notice a topic.
	if err := flag.Set("test.parallel", "4"); err != nil {
		panic(err)
	}
	os.Exit(programs.MainWithTags(m, "syncline_crash"))
}

var (
	passFlag = flag.String("pass", "first", "at which pass of its point a program is killed: first, second, or random")
	seedFlag = flag.Uint64("seed", uint64(time.Now().UnixNano()), "chooses the passes of -pass=random")
)

// kill is one death: where a program is killed, and what makes it pass there.
type kill struct {
	// at is the point, and pass which of its passes is the last; 0 is the first.
	at   string
	pass int
	// stand is how long it stands there before it dies, while its other goroutines go on.
	stand time.Duration
	// down runs once, while the program is down, before the start at which it dies.
	down func(*pipeline)
	// traffic runs again and again from that start until the program is dead.
	traffic func(*pipeline)
	// dead runs once between the death and the next start.
	dead func(*pipeline)
	// then is a point at which the next start ends as well.
	then string
	// up runs after the start at which nothing ends, before sides are compared.
	up func(*pipeline)
}

// chain is a pipeline whose source or sink dies again and again.
type chain struct {
	name   string
	victim string // source or sink
	sink   string // the sink's program
	source string // what else stands in the source's configuration
	tables string // SQL
	// fresh says that each kill needs a pipeline that has done nothing yet.
	fresh bool
	// repeats says that changes may be in the topics twice; in the target they may not.
	repeats bool
	kills   []kill
}

// laterPass is how long a later pass than the first is waited for: many points are passed once in a process.
const laterPass = 4 * time.Second

// chains are all kills. The longest come first.
var chains = []*chain{&sourceChain, &sinkChain, &quarantineChain, &duckChain, &repeatsChain, &snapshotChain}

// TestAProgramKilledAtAnyPointNeitherLosesNorRepeats is the promise, point by point. What it runs alone repeats one kill:
//
//	go test ./integration/kills -run 'TestAProgramKilled.*/sink/load.after-write'
func TestAProgramKilledAtAnyPointNeitherLosesNorRepeats(t *testing.T) {
	if *passFlag == "random" {
		t.Logf("-seed=%d chooses the same passes again", *seedFlag)
	}
	for _, c := range chains {
		t.Run(c.name, func(t *testing.T) {
			if c.sink == "duckdb-sink" && !duckdb.Available {
				t.Skip("no C++ program links here, so there is no duckdb-sink")
			}
			t.Parallel()
			if c.fresh {
				for _, k := range c.kills {
					t.Run(k.name(), func(t *testing.T) {
						t.Parallel()
						p := newPipeline(t, c)
						p.die(k)
						p.count()
					})
				}
				return
			}
			c.run(t)
		})
	}
}

// run has the kills one after the other on one pipeline.
func (c *chain) run(t *testing.T) {
	p := newPipeline(t, c)
	if p.victim == p.sink {
		p.source.Start()
	}
	for _, k := range c.kills {
		t.Run(k.name(), func(t *testing.T) {
			p.t = t
			p.die(k)
		})
		if t.Failed() {
			return // what comes after it would fail with it
		}
	}
	p.t = t
	if !c.repeats {
		p.count()
	}
	p.letters()
}

func (k *kill) name() string {
	name := k.at
	if k.then != "" {
		name += "," + k.then
	}
	return name
}

// die has the victim die at the point, starts it again and compares.
func (p *pipeline) die(k kill) {
	p.t.Helper()
	p.stop(p.victim)
	if k.down != nil {
		k.down(p)
	}
	began := time.Now()
	p.kill(k.at, passOf(k), k.stand, k.traffic)
	died := time.Since(began)
	if k.dead != nil {
		k.dead(p)
	}
	if k.then != "" {
		p.kill(k.then, 1, 0, nil)
	}
	p.victim.Start()
	if p.sink != p.victim && !p.sink.Running() {
		p.published() // a topic that a sink does not find at its start is noticed seconds later
		p.sink.Start()
	}
	if k.up != nil {
		k.up(p)
	}
	p.equal()
	p.t.Logf("dead after %v, equal after %v", died.Round(time.Millisecond), (time.Since(began) - died).Round(time.Millisecond))
}

// kill starts the victim and waits until it is dead.
func (p *pipeline) kill(point string, pass int, stand time.Duration, traffic func(*pipeline)) {
	p.t.Helper()
	p.victim.Env = []string{fmt.Sprintf("SYNCLINE_CRASH_AT=%s:%d:%s", point, pass, stand)}
	p.victim.Start()
	p.victim.Env = nil
	end := time.Now().Add(patience)
	for p.victim.Running() {
		if time.Now().After(end) {
			p.t.Fatalf("%s was not killed: it has not passed %s %d times", p.victim.Name, point, pass)
		}
		if *passFlag != "first" && time.Until(end) < patience-laterPass {
			// It may pass here once only.
			p.t.Logf("%s has not passed %s %d times: it is killed where it is", p.victim.Name, point, pass)
			p.victim.Kill()
			break
		}
		if traffic != nil {
			traffic(p)
		}
		time.Sleep(20 * time.Millisecond)
	}
	if p.victim.Signal() != syscall.SIGKILL {
		p.t.Fatalf("%s ended by itself with code %d before it passed %s", p.victim.Name, p.victim.Wait(0), point)
	}
	if p.victim == p.sink && p.second == nil {
		p.forget()
	}
}

func passOf(k kill) int {
	first := max(k.pass, 1)
	switch *passFlag {
	case "second":
		return first + 1
	case "random":
		return first + rand.New(rand.NewPCG(*seedFlag, hash(k.at))).IntN(10)
	}
	return first
}

func hash(s string) (h uint64) {
	for _, c := range []byte(s) {
		h = h*31 + uint64(c)
	}
	return h
}

// count looks for changes that are in the topics twice, or out of order.
func (p *pipeline) count() {
	p.t.Helper()
	var topics []string
	for _, name := range p.topics() {
		if name != p.topic("garbage") {
			topics = append(topics, name)
		}
	}
	if listed, err := p.admin.ListTopics(p.t.Context(), p.name+".dlq"); err == nil && listed.Has(p.name+".dlq") && listed[p.name+".dlq"].Err == nil {
		topics = append(topics, p.name+".dlq")
	}
	counts := proof.CountCommitted(p.t, p.brokers, topics...)
	if len(counts) == 0 {
		p.t.Error("there is nothing in the topics")
	}
	if letters := counts[p.name+".dlq"].Changes; letters != p.large {
		p.t.Errorf("the source has %d dead letters of %d rows that are too large", letters, p.large)
	}
	p.t.Logf("in the topics, each once: %v", counts)
}

func (p *pipeline) topic(table string) string { return p.name + ".public." + table }

// origin is where a dead letter comes from.
type origin struct{ topic, partition, offset string }

// letters looks at the sink's dead letters: all that must be there is, perhaps more than once, and nothing else.
func (p *pipeline) letters() {
	p.t.Helper()
	found := map[origin]string{}
	topic := p.name + "-copy.dlq"
	listed, err := p.admin.ListTopics(p.t.Context(), topic)
	if err != nil {
		p.t.Fatal(err)
	}
	if listed.Has(topic) && listed[topic].Err == nil {
		p.read(topic, func(r *kgo.Record) {
			headers := map[string]string{}
			for _, h := range r.Headers {
				headers[h.Key] = string(h.Value)
			}
			at := origin{headers["__connect.errors.topic"], headers["__connect.errors.partition"], headers["__connect.errors.offset"]}
			found[at] = headers["__connect.errors.exception.message"]
		})
	}
	for i := range p.garbage {
		at := origin{p.topic("garbage"), "0", fmt.Sprint(i)}
		if _, ok := found[at]; !ok {
			p.t.Errorf("the unreadable record at offset %d is no dead letter", i)
		}
		delete(found, at)
	}
	for at, message := range found {
		if !strings.Contains(message, refusedBy) {
			p.t.Errorf("the record of %s/%s at offset %s is a dead letter: %s", at.topic, at.partition, at.offset, message)
		}
	}
	if len(found) != p.refusals {
		p.t.Errorf("%d rows are dead letters, and the target refused %d", len(found), p.refusals)
	}
}

// read reads the only partition of a topic whole.
func (p *pipeline) read(topic string, each func(*kgo.Record)) {
	p.t.Helper()
	ends, err := p.admin.ListEndOffsets(p.t.Context(), topic)
	if err != nil {
		p.t.Fatal(err)
	}
	end, _ := ends.Lookup(topic, 0)
	if end.Offset == 0 {
		return
	}
	client, err := kgo.NewClient(kgo.SeedBrokers(p.brokers),
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: {0: kgo.NewOffset().AtStart()}}))
	if err != nil {
		p.t.Fatal(err)
	}
	defer client.Close()
	for next := int64(0); next < end.Offset; {
		fetches := client.PollFetches(p.t.Context())
		if err := fetches.Err(); err != nil {
			p.t.Fatal(err)
		}
		fetches.EachRecord(func(r *kgo.Record) { each(r); next = r.Offset + 1 })
	}
}
