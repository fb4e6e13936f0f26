package badinput

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/syncline-io/syncline/framework/registry"
	"github.com/syncline-io/syncline/integration/programs"
	"github.com/syncline-io/syncline/schemas"
)

// client is a Kafka client of the test's own.
func (s *scene) client(opts ...kgo.Opt) *kgo.Client {
	s.t.Helper()
	c, err := kgo.NewClient(append(opts, kgo.SeedBrokers(s.kafka))...)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(c.Close)
	return c
}

func (s *scene) createTopic(name string, partitions int32) {
	s.t.Helper()
	programs.Eventually(s.t, 10*time.Second, "topic "+name+" is created", func() error {
		_, err := kadm.NewClient(s.client()).CreateTopic(context.Background(), partitions, -1, nil, name)
		return err
	})
}

func (s *scene) deleteTopics(names ...string) {
	s.t.Helper()
	deleted, err := kadm.NewClient(s.client()).DeleteTopics(context.Background(), names...)
	if err == nil {
		err = deleted.Error()
	}
	if err != nil {
		s.t.Fatal(err)
	}
}

// records waits until a topic holds so many records that are no tombstones, and returns them.
func (s *scene) records(topic string, n int) []*kgo.Record {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), readyPatience)
	defer cancel()
	c := s.client(kgo.ConsumeTopics(topic), kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.MetadataMinAge(50*time.Millisecond), kgo.MetadataMaxAge(time.Second))
	var all []*kgo.Record
	for len(all) < n {
		fetches := c.PollFetches(ctx)
		if ctx.Err() != nil {
			s.t.Fatalf("topic %s holds %d records, want %d", topic, len(all), n)
		}
		fetches.EachRecord(func(r *kgo.Record) {
			if r.Value != nil {
				all = append(all, r)
			}
		})
	}
	return all
}

// operations is the operations of the first n rows in a table's topic, by their letters; truncates are left out.
func (s *scene) operations(table string, n int) string {
	s.t.Helper()
	r, err := registry.New(registry.Config{URLs: []string{s.registry}})
	if err != nil {
		s.t.Fatal(err)
	}
	defer r.Close()
	for wait := n; ; wait++ {
		var all strings.Builder
		for _, record := range s.records(s.topic(table), wait) {
			if op := s.operation(r, record.Value); op != schemas.Truncate {
				all.WriteByte(byte(op))
			}
		}
		if all.Len() >= n {
			return all.String()
		}
	}
}

func (s *scene) operation(r *registry.Client, value []byte) schemas.Op {
	s.t.Helper()
	id, body, err := schemas.SplitWire(value)
	if err != nil {
		s.t.Fatal(err)
	}
	text, err := r.ByID(s.t.Context(), id)
	if err != nil {
		s.t.Fatal(err)
	}
	d, err := schemas.NewDecoder(text, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	var change schemas.Change
	if err := d.Decode(body, &change, &schemas.Arena{}); err != nil {
		s.t.Fatal(err)
	}
	return change.Op
}

func TestAnUnreachableKafkaIsTriedAgain(t *testing.T) {
	s := newScene(t).withTarget()
	s.kafka = programs.FreeAddress(t)
	source, sink := s.startSource(), s.start("postgres-sink", s.copyYAML())
	s.mustRetry(source, "Kafka", "kafka-unreachable")
	s.mustRetry(sink, "Kafka", "kafka-unreachable-sink")
	s.stop(source)
	s.stop(sink)
}

func TestKafkaThatTakesNoPasswordIsRefused(t *testing.T) {
	s := newScene(t).withTarget()
	sasl := func(yaml string) string {
		return strings.Replace(yaml, "kafka: {", "kafka: {sasl: {mechanism: plain, username: me, password: "+password+"}, ", 1)
	}
	s.mustStop(s.start("postgres-source", sasl(s.sourceYAML(""))), 2, "kafka-refused")
	s.mustStop(s.start("postgres-sink", sasl(s.copyYAML())), 2, "kafka-refused-sink")
}

func TestATopicWithOtherPartitionsIsRefused(t *testing.T) {
	s := newScene(t)
	s.createTopic(s.topic("item"), 3)
	p := s.startSource()
	s.mustStop(p, 2, "topic-partitions")
	p.Configure(s.sourceYAML("") + "topics: {partitions: 3}\n")
	p.Start()
	s.streams(p)
	s.stop(p)
}

func TestOffsetsThatAreGoneAskWhatIsMeant(t *testing.T) {
	s := newScene(t)
	p := s.startPublished()
	s.stop(p)
	s.deleteTopics("syncline.offsets." + s.name)
	p.Start()
	s.mustStop(p, 3, "offsets-gone")
}

// deadLetters waits for so many and returns the headers of each that Kafka Connect has too.
func (s *scene) deadLetters(topic string, n int) ([]*kgo.Record, string) {
	s.t.Helper()
	letters := s.records(topic, n)
	var all []map[string]string
	for _, l := range letters {
		headers := map[string]string{}
		for _, h := range l.Headers {
			if strings.HasPrefix(h.Key, "__connect.errors.") {
				headers[strings.TrimPrefix(h.Key, "__connect.errors.")] = string(h.Value)
			}
		}
		delete(headers, "offset") // control records make gaps
		all = append(all, headers)
	}
	text, err := json.MarshalIndent(all, "", "  ")
	if err != nil {
		s.t.Fatal(err)
	}
	return letters, string(text) + "\n"
}

func TestRecordsThatCannotBeReadAreSetAside(t *testing.T) {
	s := newScene(t).withTarget()
	source := s.startPublished()
	whole := s.records(s.topic("item"), 1)[0]
	foreign := []byte("hello, I am no change event")
	truncated := whole.Value[:len(whole.Value)/2]
	producer := s.client(kgo.RecordPartitioner(kgo.ManualPartitioner()))
	for _, value := range [][]byte{foreign, truncated} {
		r := &kgo.Record{Topic: s.topic("item"), Key: whole.Key, Value: value, Headers: []kgo.RecordHeader{{Key: "from", Value: []byte("elsewhere")}}}
		if err := producer.ProduceSync(context.Background(), r).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	sink := s.start("postgres-sink", s.copyYAML())
	s.exec(s.source, "INSERT INTO item VALUES (2, 'two')")
	s.rows(s.target, itemsQuery, "1=one 2=two")
	letters, headers := s.deadLetters(s.name+"-copy.dlq", 2)
	s.compare("record-unreadable", headers)
	for i, want := range [][]byte{foreign, truncated} {
		l := letters[i]
		if string(l.Value) != string(want) || string(l.Key) != string(whole.Key) || string(l.Headers[0].Value) != "elsewhere" {
			t.Errorf("dead letter %d is not the record as it came: key %x, value %x, headers %v", i, l.Key, l.Value, l.Headers)
		}
	}
	s.mustLog(sink, "dead letter", "record-unreadable-log")
	if !sink.Ready() {
		t.Error("a dead letter makes the sink not ready")
	}
	s.stop(sink)
	s.stop(source)
}

func TestARecordThatCannotBeReadStopsASinkThatIsToStop(t *testing.T) {
	s := newScene(t).withTarget()
	s.createTopic(s.topic("item"), 1)
	r := &kgo.Record{Topic: s.topic("item"), Value: []byte("hello")}
	if err := s.client().ProduceSync(context.Background(), r).FirstErr(); err != nil {
		t.Fatal(err)
	}
	s.mustStop(s.start("postgres-sink", s.copyYAML()+"dead_letters: {policy: stop}\n"), 2, "record-unreadable-stop")
}

func TestATopicMadeAgainIsAGap(t *testing.T) {
	for _, kind := range sinkKinds() {
		t.Run(kind.name, func(t *testing.T) {
			s := newScene(t).withTarget()
			source := s.startPublished()
			s.stop(source)
			sink := s.start(kind.binary, kind.yaml(s))
			s.caughtUp(sink, 1)
			s.stop(sink)
			s.deleteTopics(s.topic("item"))
			s.createTopic(s.topic("item"), 1)
			sink.Start()
			s.mustStop(sink, 3, "topic-again-"+kind.name)

			// The way out, as the message gives it.
			s.resetOffset(kind.group(s), s.topic("item"), 0)
			sink.Start()
			s.exec(s.source, "INSERT INTO item VALUES (2, 'two')")
			source.Start()
			s.caughtUp(sink, 1)
			s.stop(sink)
			s.stop(source)
		})
	}
}

// resetOffset sets a group's offset as kafka-consumer-groups --reset-offsets does.
func (s *scene) resetOffset(group, topic string, offset int64) {
	s.t.Helper()
	offsets := kadm.Offsets{}
	offsets.AddOffset(topic, 0, offset, -1)
	committed, err := kadm.NewClient(s.client()).CommitOffsets(context.Background(), group, offsets)
	if err == nil {
		err = committed.Error()
	}
	if err != nil {
		s.t.Fatal(err)
	}
}
