package tail

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/zap"

	"github.com/syncline-io/syncline/framework/embedded"
	"github.com/syncline-io/syncline/framework/failure"
	"github.com/syncline-io/syncline/framework/publish"
	"github.com/syncline-io/syncline/framework/registry"
	"github.com/syncline-io/syncline/framework/source"
	"github.com/syncline-io/syncline/schemas"
)

// world is an embedded broker and registry in which a source has published, for all tests of the package.
type world struct {
	kafka    []kgo.Opt
	registry *registry.Client
	client   *kgo.Client
}

var w world

func TestMain(m *testing.M) { os.Exit(inWorld(m)) }

func inWorld(m *testing.M) int {
	dir, err := os.MkdirTemp("", "syncline-tail-")
	must(err)
	defer os.RemoveAll(dir) //nolint:errcheck // a temporary folder
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	server, err := embedded.Start(ctx, embedded.Config{Dir: dir})
	must(err)
	defer server.Close() //nolint:errcheck // the data are thrown away
	w.kafka = []kgo.Opt{kgo.SeedBrokers(server.Brokers()...)}
	w.registry, err = registry.New(registry.Config{URLs: []string{server.RegistryURL()}})
	must(err)
	defer w.registry.Close()
	w.client, err = kgo.NewClient(append(w.kafka, kgo.RecordPartitioner(kgo.ManualPartitioner()))...)
	must(err)
	defer w.client.Close()
	must(w.publish(ctx, "shop", schemas.Mapping{Prefix: "shop"}))
	must(w.publish(ctx, "rows", schemas.Mapping{Prefix: "rows", Types: schemas.TypesAvro, Shape: schemas.ShapeRow}))
	return m.Run()
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}

// orders is the published table; its updates tell the whole old row.
var orders = &schemas.Table{
	System: "postgresql", Database: "shop", Schema: "public", Name: "orders", ID: 16385, Version: 100, Identity: schemas.IdentityFull,
	Columns: []schemas.Column{
		{ID: 1, Name: "id", Type: schemas.Type{Kind: schemas.Int64}, SourceType: "bigint", Key: 1},
		{ID: 2, Name: "total", Type: schemas.Type{Kind: schemas.Decimal, Precision: 10, Scale: 2}, SourceType: "numeric(10,2)"},
		{ID: 3, Name: "note", Type: schemas.Type{Kind: schemas.String}, SourceType: "text", Nullable: true},
		{ID: 4, Name: "tags", Type: schemas.Type{Kind: schemas.Array, Elem: &schemas.Type{Kind: schemas.String}}, SourceType: "text[]", Nullable: true},
	},
}

func order(id int64, cents byte, note, tags schemas.Value) []schemas.Value {
	return []schemas.Value{schemas.IntValue(id), schemas.DecimalValue([]byte{cents}, 2), note, tags}
}

var (
	committed = time.Date(2026, 11, 25, 12, 0, 0, 250_000_000, time.UTC)
	small     = schemas.StringValue("two words")
	tags      = schemas.ArrayValue([]schemas.Value{schemas.StringValue("new"), schemas.Null()})
)

// changes are what the source publishes, in this order.
var changes = []schemas.Change{
	{Op: schemas.Create, After: order(1, 120, small, tags)},
	{Op: schemas.Update, Before: order(1, 120, small, tags), After: order(1, 125, small, tags)},
	{Op: schemas.Update, After: order(1, 126, schemas.Unchanged(), schemas.Null())},
	{Op: schemas.Create, After: order(2, 5, schemas.StringValue(strings.Repeat("x", 1<<20)), tags)}, // too large: a dead letter
	{Op: schemas.Create, After: order(3, 5, schemas.Null(), schemas.UnrepresentableValue([]byte("{{1,2},{3,4}}")))},
	{Op: schemas.Delete, Before: order(1, 126, schemas.Null(), schemas.Null()), BeforeKeyOnly: true},
	{Op: schemas.Truncate},
}

// publish runs a source that emits the changes, with the real publisher.
func (w *world) publish(ctx context.Context, name string, m schemas.Mapping) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	p, err := publish.New(publish.Options{
		Name: name, Kafka: w.kafka, Registry: w.registry.Registrar(registry.Policy{AutoRegister: true}), Mapping: m, AtLeastOnce: true, Log: zap.NewNop(),
		Open: func(context.Context, source.Env) (source.Source, error) { return &script{cancel}, nil },
	})
	if err != nil {
		return err
	}
	return p.Run(ctx)
}

// script is a source that emits the changes and asks for the soft stop when they are durable.
type script struct{ done func() }

func (*script) Lease(context.Context) error { return nil }
func (*script) Close() error                { return nil }

func (s *script) Confirm(p source.Position) {
	if p.Version == (schemas.Version{High: 26475960, Low: uint64(len(changes))}) {
		s.done()
	}
}

func (s *script) Run(ctx context.Context, _ source.Position, out source.Emitter) error {
	if err := out.SetState([]byte(`{"slot":"syncline_shop"}`)); err != nil {
		return err
	}
	for i, c := range changes {
		c.Table, c.Version = orders, schemas.Version{High: 26475960, Low: uint64(i + 1)}
		c.Source = schemas.Origin{Time: committed.UnixMicro(), TxID: 771, LSN: 26475808}
		if err := out.Emit(&c); err != nil {
			return err
		}
	}
	<-ctx.Done()
	return nil
}

// shown runs a tail and returns what it prints.
func shown(t *testing.T, o Options) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var out bytes.Buffer
	o.Kafka, o.Registry, o.Out = w.kafka, w.registry, &out
	if o.InternalPrefix == "" {
		o.InternalPrefix = "syncline"
	}
	if err := Run(ctx, o); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// events are the lines of a tail's JSON.
func events(t *testing.T, o Options) []map[string]any {
	t.Helper()
	o.JSON = true
	var all []map[string]any
	for line := range strings.Lines(shown(t, o)) {
		var e map[string]any
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		all = append(all, e)
	}
	return all
}

// offsets are those of the events.
func offsets(all []map[string]any) string {
	var list []string
	for _, e := range all {
		list = append(list, fmt.Sprint(e["offset"]))
	}
	return strings.Join(list, " ")
}

const ordersTopic = "shop.public.orders"

func TestALineForEachChange(t *testing.T) {
	want := `TIME                      OP         KEY           AT         WHAT
2026-11-25T12:00:00.250Z  c          id=1          0@0        total=1.20 note="two words" tags={new,NULL}
2026-11-25T12:00:00.250Z  u          id=1          0@1        total: 1.20 → 1.25
2026-11-25T12:00:00.250Z  u          id=1          0@2        total=1.26 tags=null (unchanged: note)
2026-11-25T12:00:00.250Z  c          id=3          0@3        total=0.05 note=null tags={{1,2},{3,4}}
2026-11-25T12:00:00.250Z  d          id=1          0@4
`
	got := shown(t, Options{Topic: ordersTopic, From: "beginning", Ops: []string{"c", "u", "d"}})
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	got = shown(t, Options{Topic: ordersTopic, Count: 1, Headers: true})
	for _, part := range []string{"  t                        0@6        all rows of public.orders\n", "    syncline.version = \"0/193FDB8 #7\"\n", "    syncline.table = 100\n"} {
		if !strings.Contains(got, part) {
			t.Errorf("the truncate lacks %q:\n%s", part, got)
		}
	}
}

func TestRowsWithoutAnEnvelopeAreChangesToo(t *testing.T) {
	want := `TIME                      OP         KEY           AT         WHAT
2026-11-25T12:00:00.250Z  c          id=1          0@0        total=1.20 note="two words" tags={new,NULL}
2026-11-25T12:00:00.250Z  u          id=1          0@1        total=1.25 note="two words" tags={new,NULL}
2026-11-25T12:00:00.250Z  u          id=1          0@2        total=1.26 tags=null (unchanged: note)
2026-11-25T12:00:00.250Z  c          id=3          0@3        total=0.05 note=null tags={{1,2},{3,4}}
2026-11-25T12:00:00.250Z  d          id=1          0@4
2026-11-25T12:00:00.250Z  t                        0@5        all rows of public.orders
`
	if diff := cmp.Diff(want, shown(t, Options{Topic: "rows.public.orders", From: "beginning"})); diff != "" {
		t.Error(diff)
	}
}

func TestJSONHasTheDocumentedFields(t *testing.T) {
	all := events(t, Options{Topic: ordersTopic, From: "beginning", Count: 6})
	for i, want := range []string{
		`{"topic":"shop.public.orders","partition":0,"offset":0,"kind":"change","op":"c","key":{"id":1},"after":{"id":1,"total":"1.20","note":"two words","tags":["new",null]},
		  "table":"public.orders","version":"000000000193fdb80000000000000001","source":{"time":"2026-11-25T12:00:00.25Z","tx_id":771,"lsn":"0/193FD20"}}`,
		`{"topic":"shop.public.orders","partition":0,"offset":1,"kind":"change","op":"u","key":{"id":1},"before":{"id":1,"total":"1.20","note":"two words","tags":["new",null]},"before_complete":true,
		  "after":{"id":1,"total":"1.25","note":"two words","tags":["new",null]},"changed":["total"],
		  "table":"public.orders","version":"000000000193fdb80000000000000002","source":{"time":"2026-11-25T12:00:00.25Z","tx_id":771,"lsn":"0/193FD20"}}`,
		`{"topic":"shop.public.orders","partition":0,"offset":2,"kind":"change","op":"u","key":{"id":1},"after":{"id":1,"total":"1.26","tags":null},"unchanged":["note"],
		  "table":"public.orders","version":"000000000193fdb80000000000000003","source":{"time":"2026-11-25T12:00:00.25Z","tx_id":771,"lsn":"0/193FD20"}}`,
		`{"topic":"shop.public.orders","partition":0,"offset":3,"kind":"change","op":"c","key":{"id":3},"after":{"id":3,"total":"0.05","note":null,"tags":[["1","2"],["3","4"]]},
		  "table":"public.orders","version":"000000000193fdb80000000000000005","source":{"time":"2026-11-25T12:00:00.25Z","tx_id":771,"lsn":"0/193FD20"}}`,
		`{"topic":"shop.public.orders","partition":0,"offset":4,"kind":"change","op":"d","key":{"id":1},"before":{"id":1},
		  "table":"public.orders","version":"000000000193fdb80000000000000006","source":{"time":"2026-11-25T12:00:00.25Z","tx_id":771,"lsn":"0/193FD20"}}`,
		`{"topic":"shop.public.orders","partition":0,"offset":5,"kind":"tombstone","key":{"id":1},"version":"000000000193fdb80000000000000006"}`,
	} {
		var expected map[string]any
		if err := json.Unmarshal([]byte(want), &expected); err != nil {
			t.Fatal(err)
		}
		if at, err := time.Parse(time.RFC3339Nano, fmt.Sprint(all[i]["timestamp"])); err != nil || time.Since(at) > time.Hour {
			t.Errorf("timestamp %v", all[i]["timestamp"])
		}
		delete(all[i], "timestamp")
		if diff := cmp.Diff(expected, all[i]); diff != "" {
			t.Errorf("event %d:\n%s", i, diff)
		}
	}
}

func TestWhereItBeginsAndHowManyItShows(t *testing.T) {
	for _, test := range []struct {
		name string
		o    Options
		want string
	}{
		{"the last ones", Options{}, "0 1 2 3 4 5 6"},
		{"the last two", Options{Count: 2}, "5 6"},
		{"the first two", Options{From: "beginning", Count: 2}, "0 1"},
		{"an offset", Options{From: "5"}, "5 6"},
		{"an offset of a partition", Options{From: "0@6"}, "6"},
		{"the end", Options{From: "end"}, ""},
		{"an hour ago", Options{From: "1h", Count: 1}, "0"},
		{"the future", Options{From: "2199-01-01T00:00:00Z"}, ""},
		{"the last two of a kind", Options{Count: 2, Ops: []string{"u"}}, "1 2"},
		{"a key", Options{Keys: []string{"id=1"}}, "0 1 2 4 5"},
		{"a key as JSON", Options{Keys: []string{`{"id": 3}`}}, "3"},
		{"a key alone", Options{Keys: []string{"03"}}, "3"},
		{"a key and operations", Options{Keys: []string{"id=1"}, Ops: []string{"d", "tombstone"}}, "4 5"},
	} {
		t.Run(test.name, func(t *testing.T) {
			test.o.Topic = ordersTopic
			if got := offsets(events(t, test.o)); got != test.want {
				t.Errorf("got the offsets %s, want %s", got, test.want)
			}
		})
	}
}

func TestTheLastOnesAreFoundHoweverFarBack(t *testing.T) {
	good := published(t)
	records := []*kgo.Record{good[4]}
	for range 1500 {
		again := *good[1]
		records = append(records, &again)
	}
	for _, r := range records {
		r.Headers = nil
	}
	put(t, "long", records...)
	if got := offsets(events(t, Options{Topic: "long", Ops: []string{"d"}, Count: 1})); got != "0" {
		t.Errorf("got the offsets %s", got)
	}
	if got := offsets(events(t, Options{Topic: "long", Count: 3})); got != "1498 1499 1500" {
		t.Errorf("got the offsets %s", got)
	}
}

func TestWhatCannotBeIsAnErrorOfTheConfiguration(t *testing.T) {
	for _, test := range []struct {
		o    Options
		want string
	}{
		{Options{Topic: ordersTopic, From: "yesterday"}, `--from: "yesterday" is none of`},
		{Options{Topic: ordersTopic, From: "7@1"}, "has 1 partitions, and no 7"},
		{Options{Topic: ordersTopic, Keys: []string{"nosuch=1"}}, `has no column "nosuch" (it has id)`},
		{Options{Topic: ordersTopic, Keys: []string{"{"}}, "--key"},
		{Options{Topic: ordersTopic, Ops: []string{"x"}}, `--op: "x" is neither`},
		{Options{Topic: "nosuch"}, "there is no topic nosuch"},
	} {
		test.o.Kafka, test.o.Registry, test.o.InternalPrefix, test.o.Out = w.kafka, w.registry, "syncline", io.Discard
		err := Run(t.Context(), test.o)
		if err == nil || failure.Classify(err) != failure.Config || !strings.Contains(err.Error(), test.want) {
			t.Errorf("got %v, want %s", err, test.want)
		}
	}
	err := Run(t.Context(), Options{Topic: ordersTopic, Kafka: w.kafka, InternalPrefix: "syncline", Out: io.Discard})
	if failure.Classify(err) != failure.Config || !strings.Contains(err.Error(), "need a schema registry") {
		t.Errorf("without a registry: %v", err)
	}
}

func TestAPositionNamesAStateOfItsOwn(t *testing.T) {
	for key, c := range map[string]struct{ value, want string }{
		"shop":       {`{"format":2,"version":"000000000193fdb80000000000000007","state_digest":"10f2"}`, "0/193FDB8 #7  state 10f2"},
		"shop#state": {`{"format":2,"digest":"10f2","state":{"tables":[]}}`, `{"format":2,"digest":"10f2","state":{"tables":[]}}`},
	} {
		var e Event
		(&decoder{}).position(&e, &kgo.Record{Key: []byte(key), Value: []byte(c.value)})
		if got := what(&e); got != c.want {
			t.Errorf("%s is a %s that reads %q, want %q", key, e.Kind, got, c.want)
		}
	}
}

func TestInternalTopicsAreReadable(t *testing.T) {
	without := Options{Topic: "syncline.offsets.shop", From: "beginning", Kafka: w.kafka}
	got := shown(t, without)
	for _, part := range []string{"tenure     shop#tenure", `"host":`, "position   shop", `0/193FDB8 #7  {"slot":"syncline_shop"}`} {
		if !strings.Contains(got, part) {
			t.Errorf("the offsets topic lacks %q:\n%s", part, got)
		}
	}
	positions := events(t, Options{Topic: "syncline.offsets.shop", Ops: []string{"position"}, Keys: []string{"shop"}, Count: 1})
	if len(positions) != 1 || positions[0]["version"] != "000000000193fdb80000000000000007" || positions[0]["document"].(map[string]any)["connector"] != "shop" {
		t.Errorf("got %v", positions)
	}
	got = shown(t, Options{Topic: "syncline.tables"})
	if want := "table      shop.public.orders#2  0@0        public.orders: id bigint key, total numeric(10,2) not null, note text, tags text[]"; !strings.Contains(got, want) {
		t.Errorf("the tables topic lacks %q:\n%s", want, got)
	}
	got = shown(t, Options{Topic: "shop.dlq"})
	if !strings.Contains(got, "dead       id=2") || !strings.Contains(got, "shop.public.orders, shop, TASK_PUT: a record of") {
		t.Errorf("the dead letter is\n%s", got)
	}
}

// put makes a topic with the records.
func put(t *testing.T, topic string, records ...*kgo.Record) {
	t.Helper()
	admin := kadm.NewClient(w.client)
	if _, err := admin.CreateTopic(t.Context(), 1, 1, nil, topic); err != nil {
		t.Fatal(err)
	}
	for _, r := range records {
		r.Topic = topic
	}
	if err := w.client.ProduceSync(t.Context(), records...).FirstErr(); err != nil {
		t.Fatal(err)
	}
}

// published returns the records of the orders topic.
func published(t *testing.T) []*kgo.Record {
	t.Helper()
	log, err := openLog(t.Context(), w.kafka, ordersTopic)
	if err != nil {
		t.Fatal(err)
	}
	defer log.close()
	var all []*kgo.Record
	err = log.scan(t.Context(), log.starts, log.ends, func(r *kgo.Record) (bool, error) {
		all = append(all, &kgo.Record{Key: r.Key, Value: r.Value, Headers: r.Headers})
		return true, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestASinksDeadLetterShowsItsOrigin(t *testing.T) {
	letter := published(t)[0]
	for key, value := range map[string]string{"topic": ordersTopic, "partition": "0", "offset": "4711", "connector.name": "copy", "stage": "TASK_PUT", "exception.message": "too long"} {
		letter.Headers = append(letter.Headers, kgo.RecordHeader{Key: connectErrors + key, Value: []byte(value)})
	}
	put(t, "copy.dlq", letter)
	got := events(t, Options{Topic: "copy.dlq"})
	if len(got) != 1 || got[0]["kind"] != "dead_letter" || got[0]["op"] != "c" || got[0]["key"].(map[string]any)["id"] != 1.0 {
		t.Fatalf("got %v", got)
	}
	want := map[string]any{"topic": ordersTopic, "partition": 0.0, "offset": 4711.0, "connector": "copy", "stage": "TASK_PUT", "message": "too long"}
	if diff := cmp.Diff(want, got[0]["dead_letter"]); diff != "" {
		t.Error(diff)
	}
}

func TestWhatCannotBeDecodedIsShownAndDoesNotEndTheTail(t *testing.T) {
	good := published(t)
	cut := *good[0]
	cut.Value, cut.Headers = cut.Value[:20], nil
	odd := *good[0]
	odd.Value, odd.Headers = bytes.Replace(odd.Value, []byte{2, 'c', 2}, []byte{2, 'x', 2}, 1), nil
	put(t, "broken", &kgo.Record{Key: []byte("k"), Value: []byte("no Avro")}, &cut, &kgo.Record{Value: []byte{0, 0, 0, 1, 0, 1}}, &odd, good[5])
	got := events(t, Options{Topic: "broken", Keys: []string{"id=77"}})
	if len(got) != 4 { // the tombstone is of another key
		t.Fatalf("got %v", got)
	}
	for i, want := range []string{"not in Confluent's wire format", "byte 7", "schema 256", "an operation that does not exist"} {
		e := got[i]
		if e["kind"] != "unreadable" || !strings.Contains(fmt.Sprint(e["error"]), want) || e["hex"] == "" {
			t.Errorf("got %v, want the error %s", e, want)
		}
	}
	if got[0]["hex"] != "6e6f204176726f" {
		t.Errorf("hex is %v", got[0]["hex"])
	}
	if text := shown(t, Options{Topic: "broken"}); !strings.Contains(text, "error      k             0@0        cannot be decoded: not in Confluent's wire format") || !strings.Contains(text, "tombstone  id=1") {
		t.Errorf("for people:\n%s", text)
	}
}

func TestForeignTopicsAreReadable(t *testing.T) {
	good := published(t)
	// As another connector would have written them: without our headers, in a topic that no description speaks of.
	var plain []*kgo.Record
	for _, r := range good[:3] {
		plain = append(plain, &kgo.Record{Key: r.Key, Value: r.Value})
	}
	id, err := w.registry.Register(t.Context(), "clicks-value", `{"type":"record","name":"click","fields":[{"name":"page","type":"string"},{"name":"user","type":["null","long"]}]}`)
	if err != nil {
		t.Fatal(err)
	}
	click := append([]byte{0, 0, 0, 0, byte(id)}, 4, '/', 'a', 2, 14)
	put(t, "foreign", append(plain, &kgo.Record{Key: []byte("plain"), Value: click})...)
	got := events(t, Options{Topic: "foreign"})
	if len(got) != 4 {
		t.Fatalf("got %v", got)
	}
	if got[1]["op"] != "u" || got[1]["key"].(map[string]any)["id"] != 1.0 || got[1]["version"] != nil {
		t.Errorf("got %v", got[1])
	}
	if diff := cmp.Diff([]any{"note"}, got[2]["unchanged"]); diff != "" {
		t.Errorf("the placeholder: %s", diff)
	}
	if diff := cmp.Diff(map[string]any{"page": "/a", "user": 7.0}, got[3]["document"]); diff != "" || got[3]["kind"] != "record" || got[3]["key"] != "plain" {
		t.Errorf("%v: %s", got[3], diff)
	}
}

// TestMessagesAndTransactionsAreReadable shows what stands in the topics without rows.
func TestMessagesAndTransactionsAreReadable(t *testing.T) {
	record := func(topic string, c schemas.Change) *kgo.Record {
		encoder, err := schemas.NewEncoder(c.Table, schemas.Mapping{Prefix: "shop"})
		if err != nil {
			t.Fatal(err)
		}
		key, err := w.registry.Register(t.Context(), topic+"-key", encoder.KeySchema())
		if err != nil {
			t.Fatal(err)
		}
		value, err := w.registry.Register(t.Context(), topic+"-value", encoder.ValueSchema())
		if err != nil {
			t.Fatal(err)
		}
		encoder.SetIDs(key, value)
		c.Source = schemas.Origin{Time: committed.UnixMicro(), TxID: 771, LSN: 26475808}
		r := &kgo.Record{Headers: []kgo.RecordHeader{{Key: schemas.HeaderVersion, Value: schemas.Version{High: 7, Low: 1}.AppendBinary(nil)}}}
		if r.Key, err = encoder.AppendKey(nil, c.Key()); err == nil {
			r.Value, err = encoder.AppendValue(nil, &c, 0)
		}
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	message, marks := schemas.MessageTable("postgresql", "shop", schemas.Type{Kind: schemas.Bytes}), schemas.TransactionTable("postgresql", "shop")
	id := []schemas.Value{schemas.StringValue("771:26475808")}
	put(t, "shop.message", record("shop.message", schemas.Change{
		Table: message, Op: schemas.Message, After: []schemas.Value{schemas.StringValue("outbox"), schemas.BytesValue([]byte("two words"))},
	}))
	put(t, "shop.transaction", record("shop.transaction", schemas.Change{Table: marks, Op: schemas.Begin, After: id}),
		record("shop.transaction", schemas.Change{
			Table: marks, Op: schemas.End, After: id, Place: schemas.Place{Total: 3}, Counts: []schemas.Count{{Table: "public.a", Events: 2}, {Table: "public.b", Events: 1}},
		}))
	for topic, want := range map[string][]string{
		"shop.message":     {`message    prefix=outbox`, `"two words"`},
		"shop.transaction": {"transaction  id=771:26475808", "BEGIN\n", "END of 3 events: public.a 2, public.b 1\n"},
	} {
		text := shown(t, Options{Topic: topic, From: "beginning"})
		for _, part := range want {
			if !strings.Contains(text, part) {
				t.Errorf("%s: no %q in\n%s", topic, part, text)
			}
		}
	}
	got := events(t, Options{Topic: "shop.message", From: "beginning", Ops: []string{"m"}})
	if len(got) != 1 || got[0]["kind"] != "message" || got[0]["version"] == nil || got[0]["document"].(map[string]any)["message"] == nil {
		t.Errorf("got %v", got)
	}
	if got = events(t, Options{Topic: "shop.transaction", From: "beginning"}); len(got) != 2 || got[1]["kind"] != "transaction" {
		t.Errorf("got %v", got)
	}
}

func TestATableThatNothingDescribesIsShownByItsSchema(t *testing.T) {
	all := events(t, Options{Topic: ordersTopic, From: "beginning", Count: 3, InternalPrefix: "elsewhere"})
	if len(all) != 3 || all[2]["kind"] != "change" || all[2]["after"].(map[string]any)["total"] != "1.26" {
		t.Fatalf("got %v", all)
	}
	if diff := cmp.Diff([]any{"note"}, all[2]["unchanged"]); diff != "" {
		t.Error(diff)
	}
}

// lines collects what is written and can be waited on.
type lines struct {
	mu   sync.Mutex
	text strings.Builder
	news chan struct{}
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	defer func() { l.news <- struct{}{} }()
	return l.text.Write(b)
}

func TestFollowGoesOnWithWhatComes(t *testing.T) {
	good := published(t)
	for _, r := range good {
		r.Headers = nil // with them the schema must have been made for the topic
	}
	put(t, "followed", good[0])
	out := &lines{news: make(chan struct{}, 16)}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		ended <- Run(ctx, Options{Kafka: w.kafka, Registry: w.registry, InternalPrefix: "syncline", Topic: "followed", Follow: true, JSON: true, Out: out})
	}()
	wait := func() {
		t.Helper()
		select {
		case <-out.news:
		case err := <-ended:
			t.Fatalf("the tail ended: %v", err)
		case <-time.After(time.Minute):
			t.Fatal("nothing came within a minute")
		}
	}
	wait()
	again := *good[1]
	again.Topic = "followed"
	if err := w.client.ProduceSync(t.Context(), &again).FirstErr(); err != nil {
		t.Fatal(err)
	}
	wait()
	cancel()
	if err := <-ended; err != nil {
		t.Errorf("after the end of the context: %v", err)
	}
	if text := out.text.String(); strings.Count(text, "\n") != 2 || !strings.Contains(text, `"op":"u"`) {
		t.Errorf("got %s", text)
	}
}
