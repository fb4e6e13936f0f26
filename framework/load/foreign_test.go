package load

import (
	"encoding/binary"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/linkedin/goavro/v2"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/syncline-io/syncline/framework/registry"
	"github.com/syncline-io/syncline/schemas"
)

// producer is a program that is none of ours and knows nothing of change events.
type producer struct {
	w          *world
	topic      string
	key, value *goavro.Codec
	ids        [2]uint32
}

func (w *world) producer(topic, key, value string) *producer {
	w.t.Helper()
	p := &producer{w: w, topic: topic}
	var err error
	if key != "" {
		if p.key, err = goavro.NewCodec(key); err != nil {
			w.t.Fatal(err)
		}
		p.ids[0] = w.registry.register(topic+"-key", key)
	}
	// To goavro the type "record" is a record of that name, where Flink has made one.
	if p.value, err = goavro.NewCodec(strings.ReplaceAll(value, `"name":"record",`, `"name":"changes",`)); err != nil {
		w.t.Fatal(err)
	}
	p.ids[1] = w.registry.register(topic+"-value", value)
	return p
}

// record makes a record; key is bytes, or what the key's schema says, value nil for a record without one.
func (p *producer) record(key, value any) *kgo.Record {
	p.w.t.Helper()
	r := &kgo.Record{Topic: p.topic}
	wire := func(id uint32, codec *goavro.Codec, native any) []byte {
		out, err := codec.BinaryFromNative(binary.BigEndian.AppendUint32([]byte{0}, id), native)
		if err != nil {
			p.w.t.Fatal(err)
		}
		return out
	}
	if raw, ok := key.([]byte); ok {
		r.Key = raw
	} else if key != nil {
		r.Key = wire(p.ids[0], p.key, key)
	}
	if value != nil {
		r.Value = wire(p.ids[1], p.value, value)
	}
	return r
}

func reads(topic string) func(*Options) { return func(o *Options) { o.Topics = []string{topic} } }

type fields = map[string]any

const (
	customerKey   = `{"type":"record","name":"CustomerKey","namespace":"com.shop","fields":[{"name":"id","type":"long"}]}`
	customerValue = `{"type":"record","name":"Customer","namespace":"com.shop","fields":[{"name":"id","type":"long"},{"name":"name","type":["string","null"]}]}`
)

func TestRowsOfAPlainProducerAreUpsertedAndItsTombstonesDelete(t *testing.T) {
	const topic = "crm.customers"
	w := newWorld(t, topic)
	p := w.producer(topic, customerKey, customerValue)
	row := func(id int64, name string) *kgo.Record {
		return p.record(fields{"id": id}, fields{"id": id, "name": fields{"string": name}})
	}
	w.commit(kgo.TryCommit, p.record(fields{"id": 9}, nil), row(1, "a"), row(2, "b"), row(1, "c"), p.record(fields{"id": 2}, nil), p.record(fields{"id": 3}, fields{"id": 3, "name": nil}))
	l := w.start(reads(topic))
	w.holds("customers", "id=1 name=c", "id=3 name=NULL")
	if err := l.stop(); err != nil {
		t.Fatal(err)
	}
	w.commit(kgo.TryCommit, p.record(fields{"id": 1}, nil)) // the first record that the next member sees
	w.start(reads(topic))
	w.holds("customers", "id=3 name=NULL")
}

func TestATombstoneWhoseTopicHasNoSubjectIsADeadLetterThatSaysTheWayOut(t *testing.T) {
	const topic = "crm.customers"
	w := newWorld(t, topic)
	p := w.producer(topic, customerKey, customerValue)
	w.registry.rename(topic+"-value", "com.shop.Customer")
	w.commit(kgo.TryCommit, p.record(fields{"id": 1}, nil), p.record(fields{"id": 3}, fields{"id": 3, "name": nil}))
	w.start(reads(topic))
	letter := w.deadLetters(1)[0]
	if got := headerOf(letter, headerMessage); !strings.Contains(got, "register the schema under that subject") || !strings.Contains(got, topic+"-value") ||
		headerOf(letter, headerStage) != stageValue {
		t.Errorf("%s: %s", headerOf(letter, headerStage), got)
	}
	w.holds("customers", "id=3 name=NULL")
}

func TestATombstoneIsKnownByWhatAnotherPartitionHasShown(t *testing.T) {
	const topic = "crm.customers"
	table, err := tableOf(topic, customerKey, customerValue)
	if err != nil {
		t.Fatal(err)
	}
	row, err := schemas.NewDecoder(customerValue, table)
	if err != nil {
		t.Fatal(err)
	}
	envelope, err := schemas.NewDecoder(flinkEnvelope, table)
	if err != nil {
		t.Fatal(err)
	}
	c := newCatalog(&Options{Registry: newRegistry()}, nil)
	add := func(topic string, id uint32, d *schemas.Decoder) {
		c.codecs[codecKey{topic: topic, id: id}] = &codec{topic: topic, id: id, value: d}
	}
	add("crm.others", 9, envelope)
	add(topic, 4, row)
	add(topic, 5, row)
	add("flink.customers", 6, envelope)
	for topic, want := range map[string]uint32{topic: 5, "flink.customers": 6} {
		if id, err := c.latest(t.Context(), topic, nil); id != want || err != nil {
			t.Errorf("%s: schema %d, %v; want %d", topic, id, err, want)
		}
	}
}

func TestTheSchemaOfATombstoneIsFoundUnderEveryStrategy(t *testing.T) {
	const topic = "my-app.public.orders"
	for _, subject := range []string{topic + "-value", "my_app.public.orders.Envelope", topic + "-my_app.public.orders.Envelope"} {
		c := newCatalog(&Options{Registry: newRegistry()}, nil)
		want := c.registry.(*registryModel).register(subject, flinkEnvelope)
		if id, err := c.latest(t.Context(), topic, nil); id != want || err != nil {
			t.Errorf("%s: schema %d, %v; want %d", subject, id, err, want)
		}
	}
}

// TestAForeignTruncateInOneOfSeveralPartitionsErasesNothing is about rows of other partitions that came after it.
func TestAForeignTruncateInOneOfSeveralPartitionsErasesNothing(t *testing.T) {
	w := newWorld(t)
	if err := w.cluster.CreateTopic(ordersTopic, 2, nil); err != nil {
		t.Fatal(err)
	}
	f := w.feed(orders(900))
	f.foreign = true
	f.partition = 1
	f.send(insert(2, "after", "x"))
	l := w.start()
	w.holds("public.orders", "id=2 note=after big=x")
	f.partition = 0
	f.send(truncate())
	f.send(insert(1, "b", "y"))
	w.holds("public.orders", "id=1 note=b big=y", "id=2 note=after big=x")
	if got := headerOf(w.deadLetters(1)[0], headerMessage); !strings.Contains(got, "empty public.orders in the target by hand") {
		t.Error(got)
	}
	if st := l.Status(); !st.Ready {
		t.Errorf("%+v", st)
	}
}

func TestKeysThatAreNoRowsNeedAKeyInTheConfiguration(t *testing.T) {
	const topic = "crm.customers"
	w := newWorld(t, topic)
	p := w.producer(topic, "", customerValue)
	row := func(key string, id int64, name string) *kgo.Record {
		return p.record([]byte(key), fields{"id": id, "name": fields{"string": name}})
	}
	w.commit(kgo.TryCommit, row("1", 1, "a"))
	l := w.start(reads(topic))
	letter := w.deadLetters(1)[0]
	if got := headerOf(letter, headerMessage); !strings.Contains(got, "tables: customers: key") || headerOf(letter, headerStage) != "KEY_CONVERTER" {
		t.Errorf("%s: %s", headerOf(letter, headerStage), got)
	}
	if err := l.stop(); err != nil {
		t.Fatal(err)
	}
	w.commit(kgo.TryCommit, row("1", 1, "b"), row("2", 2, "c"), row("1", 1, "d"))
	w.start(reads(topic), func(o *Options) { o.Naming.Tables = map[string]Target{"customers": {Key: []string{"id"}}} })
	w.holds("customers", "id=1 name=d", "id=2 name=c")
}

// flinkEnvelope is a schema as Flink's format debezium-avro-confluent registers it for a table (id BIGINT NOT NULL,
// name STRING): every row of its own name, and an operation that may be null.
const flinkEnvelope = `{"type":"record","name":"record","namespace":"org.apache.flink.avro.generated","fields":[` +
	`{"name":"before","type":["null",{"type":"record","name":"record_before","fields":[{"name":"id","type":"long"},{"name":"name","type":["null","string"],"default":null}]}],"default":null},` +
	`{"name":"after","type":["null",{"type":"record","name":"record_after","fields":[{"name":"id","type":"long"},{"name":"name","type":["null","string"],"default":null}]}],"default":null},` +
	`{"name":"op","type":["null","string"],"default":null}]}`

func TestAChangelogOfFlinkIsApplied(t *testing.T) {
	const topic = "flink.customers"
	w := newWorld(t, topic)
	key := `{"type":"record","name":"record","namespace":"org.apache.flink.avro.generated","fields":[{"name":"id","type":"long"}]}`
	p := w.producer(topic, key, flinkEnvelope)
	event := func(op string, id int64, name string) *kgo.Record {
		row := fields{"id": id, "name": fields{"string": name}}
		native := fields{"before": nil, "after": nil, "op": fields{"string": op}}
		if op == "d" {
			native["before"] = fields{"org.apache.flink.avro.generated.record_before": row}
		} else {
			native["after"] = fields{"org.apache.flink.avro.generated.record_after": row}
		}
		return p.record(fields{"id": id}, native)
	}
	// Flink writes an update as a delete and an insert.
	w.commit(kgo.TryCommit, event("c", 1, "a"), event("c", 2, "b"), event("d", 1, "a"), event("c", 1, "aa"), event("d", 2, "b"))
	w.start(reads(topic))
	w.holds("customers", "id=1 name=aa")
}

func TestValuesThatAreNotAvroAreRefusedInWords(t *testing.T) {
	w := newWorld(t, ordersTopic)
	reg := httptest.NewServer(http.HandlerFunc(func(out http.ResponseWriter, r *http.Request) {
		out.Header().Set("Content-Type", "application/vnd.schemaregistry.v1+json")
		switch {
		case strings.HasSuffix(r.URL.Path, "/schemas/ids/7"):
			fmt.Fprint(out, `{"schemaType":"PROTOBUF","schema":"syntax = \"proto3\"; message Order { int32 id = 1; }"}`)
		case strings.HasSuffix(r.URL.Path, "/schemas/ids/8"):
			fmt.Fprint(out, `{"schemaType":"JSON","schema":"{\"type\":\"object\"}"}`)
		default:
			out.WriteHeader(http.StatusNotFound)
			fmt.Fprint(out, `{"error_code":40401,"message":"Subject not found."}`)
		}
	}))
	t.Cleanup(reg.Close)
	client, err := registry.New(registry.Config{URLs: []string{reg.URL}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	w.commit(kgo.TryCommit, &kgo.Record{Topic: ordersTopic, Value: []byte("\x00\x00\x00\x00\x07\x00\x08\x01")},
		&kgo.Record{Topic: ordersTopic, Value: []byte("\x00\x00\x00\x00\x08{}")},
		&kgo.Record{Topic: ordersTopic, Value: []byte(`{"id":1}`)},
		&kgo.Record{Topic: ordersTopic, Value: []byte("\x00\x00\x00\x00\x00\x00\x00\x00\x05\x02")})
	w.start(func(o *Options) { o.Registry = client })
	for i, letter := range w.deadLetters(4) {
		if got, want := headerOf(letter, headerMessage), []string{`schema 7 is "PROTOBUF", not Avro`, `schema 8 is "JSON", not Avro`, "wire format", "eight bytes"}[i]; !strings.Contains(got, want) {
			t.Errorf("letter %d: %s, want %s", i, got, want)
		}
	}
}
