package load

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/goleak"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest"

	"github.com/syncline-io/syncline/framework/registry"
	"github.com/syncline-io/syncline/framework/simtest/model"
	"github.com/syncline-io/syncline/framework/sink"
	"github.com/syncline-io/syncline/integration/engines"
	"github.com/syncline-io/syncline/schemas"
)

// database is the model of a transactional target, with the test's own faults.
type database struct {
	*model.Target

	mu sync.Mutex
	// fault, when set, decides what becomes of the n-th write since then.
	fault func(n int, b *sink.Batch, apply func() error) error
	n     int
}

func newDatabase(t testing.TB) *database {
	return &database{Target: model.NewTarget(model.Transactional, t.Errorf)}
}

// memorySink is one connection to the database. It does not say for which version a table was made ready (sink.Versioner).
type memorySink struct {
	sink.Ledger
	sink.Evolver
	db *database
}

func (db *database) open() *memorySink {
	s := db.Connect()
	return &memorySink{s.(sink.Ledger), s.(sink.Evolver), db}
}

func (s *memorySink) Close() error { return nil }

func (s *memorySink) Write(_ context.Context, b *sink.Batch) error {
	s.db.mu.Lock()
	s.db.n++
	n, fault := s.db.n, s.db.fault
	s.db.mu.Unlock()
	apply := func() error { return s.db.Apply(b) }
	if fault != nil {
		return fault(n, b, apply)
	}
	return apply()
}

func (db *database) setFault(f func(n int, b *sink.Batch, apply func() error) error) {
	db.mu.Lock()
	defer db.mu.Unlock()
	db.fault, db.n = f, 0
}

func (db *database) entry(topic string, n int32) (e sink.Entry) {
	db.Look(func(v model.View) { e = v.Entry(model.TopicPartition{Topic: topic, Partition: n}) })
	return e
}

// setEntry puts an entry into the ledger, as its owner.
func (db *database) setEntry(e sink.Entry) {
	db.SetLedger(func(ledger map[model.TopicPartition]sink.Entry) {
		ledger[model.TopicPartition{Topic: e.Topic, Partition: e.Partition.Partition}] = e
	})
}

// registryModel is a registry in memory. Ids that are hidden are not known yet.
type registryModel struct {
	mu     sync.Mutex
	texts  map[uint32]string
	latest map[string]uint32 // by subject
	hidden map[uint32]bool
	asked  atomic.Int64
	// fault, when set, is asked before an answer is given; an error of it is the answer.
	fault atomic.Pointer[func() error]
}

// failing sets the fault.
func (r *registryModel) failing(f func() error) { r.fault.Store(&f) }

func (r *registryModel) fails() error {
	if f := r.fault.Load(); f != nil {
		return (*f)()
	}
	return nil
}

func newRegistry() *registryModel {
	return &registryModel{texts: map[uint32]string{}, latest: map[string]uint32{}, hidden: map[uint32]bool{}}
}

func (r *registryModel) Latest(_ context.Context, subject string) (uint32, string, error) {
	if err := r.fails(); err != nil {
		return 0, "", err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	id, ok := r.latest[subject]
	if !ok {
		return 0, "", fmt.Errorf("subject %s: %w", subject, registry.ErrNotRegistered)
	}
	return id, r.texts[id], nil
}

func (r *registryModel) ByID(_ context.Context, id uint32) (string, error) {
	r.asked.Add(1)
	if err := r.fails(); err != nil {
		return "", err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if text, ok := r.texts[id]; ok && !r.hidden[id] {
		return text, nil
	}
	return "", fmt.Errorf("schema %d not found", id)
}

// swap gives the id to another text and returns the one that it had.
func (r *registryModel) swap(id uint32, text string) (had string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	had, r.texts[id] = r.texts[id], text
	return had
}

func (r *registryModel) register(subject, text string) (id uint32) {
	r.mu.Lock()
	defer r.mu.Unlock()
	defer func() { r.latest[subject] = id }()
	for id, t := range r.texts {
		if t == text {
			return id
		}
	}
	id = uint32(len(r.texts) + 1)
	r.texts[id] = text
	return id
}

// rename gives the subject's schemas to another subject.
func (r *registryModel) rename(subject, other string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.latest[other] = r.latest[subject]
	delete(r.latest, subject)
}

func (r *registryModel) hide(id uint32, hidden bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.hidden[id] = hidden
}

// world is Kafka, a registry, a source that writes as publish does, and a target.
type world struct {
	t        testing.TB
	cluster  *kfake.Cluster // nil: real brokers
	name     string         // the connector's
	topic    string         // of orders
	prefix   string         // of the topics
	internal string
	kafka    []kgo.Opt
	client   *kgo.Client
	registry *registryModel
	db       *database
	lsn      uint64
}

const testPrefix = "shop"

func newWorld(t testing.TB, topics ...string) *world {
	t.Helper()
	leavesNothing(t)
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(1, append(topics, "syncline.tables")...),
		kfake.BrokerConfigs(map[string]string{"group.initial.rebalance.delay.ms": "0", "message.max.bytes": "100000000"}))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Close)
	w := &world{cluster: cluster, name: "warehouse", topic: ordersTopic, prefix: testPrefix, internal: "syncline"}
	w.connect(t, cluster.ListenAddrs()...)
	return w
}

// leavesNothing checks at the very end of the test that no goroutine begun after this call is left.
func leavesNothing(t testing.TB) {
	left := goleak.IgnoreCurrent()
	// A client that left its group before Close can leave the goroutine of Close's own leaving behind: seen once in
	// some hundred runs, in kgo and with nothing of ours in it.
	leaving := goleak.IgnoreAnyFunction("github.com/twmb/franz-go/pkg/kgo.(*Client).LeaveGroupContext.func1")
	t.Cleanup(func() { goleak.VerifyNone(t, left, leaving) })
}

// newRealWorld is a world on real brokers, with names that no other test has.
func newRealWorld(t testing.TB, partitions int32) *world {
	t.Helper()
	broker, name := engines.KafkaForTest(t), engines.Unique(t)
	leavesNothing(t)
	w := &world{name: name, topic: name + ".public.orders", prefix: name, internal: name + "_internal"}
	w.connect(t, broker)
	compact := "compact"
	admin := kadm.NewClient(w.client)
	if _, err := admin.CreateTopic(t.Context(), partitions, 1, nil, w.topic); err != nil {
		t.Fatal(err)
	}
	if _, err := admin.CreateTopic(t.Context(), 1, 1, map[string]*string{"cleanup.policy": &compact}, w.internal+".tables"); err != nil {
		t.Fatal(err)
	}
	return w
}

func (w *world) connect(t testing.TB, brokers ...string) {
	t.Helper()
	w.t, w.db, w.lsn = t, newDatabase(t), 1000
	w.kafka = []kgo.Opt{kgo.SeedBrokers(brokers...), kgo.MetadataMinAge(50 * time.Millisecond)}
	w.registry = newRegistry()
	var err error
	w.client, err = kgo.NewClient(append(w.kafka[:2:2], kgo.TransactionalID(w.name+"-source"), kgo.RecordPartitioner(kgo.ManualPartitioner()))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.client.Close)
}

// orders is the table of most tests, at one version.
func orders(version uint64, columns ...schemas.Column) *schemas.Table {
	if columns == nil {
		columns = []schemas.Column{
			{ID: 1, Name: "id", Type: schemas.Type{Kind: schemas.Int32}, SourceType: "integer", Key: 1},
			{ID: 2, Name: "note", Type: schemas.Type{Kind: schemas.String}, SourceType: "text", Nullable: true},
			{ID: 3, Name: "big", Type: schemas.Type{Kind: schemas.String}, SourceType: "text", Nullable: true},
		}
	}
	return &schemas.Table{
		System: "postgresql", Database: "shop", Schema: "public", Name: "orders", ID: 77, Version: version,
		Identity: schemas.IdentityKey, Columns: columns,
	}
}

const ordersTopic = "shop.public.orders"

// row makes values of numbers, strings and nil; "unchanged" is the mark.
func row(values ...any) []schemas.Value {
	var out []schemas.Value
	for _, v := range values {
		switch v := v.(type) {
		case nil:
			out = append(out, schemas.Null())
		case int:
			out = append(out, schemas.IntValue(int64(v)))
		case string:
			if v == "unchanged" {
				out = append(out, schemas.Unchanged())
				continue
			}
			out = append(out, schemas.StringValue(v))
		}
	}
	return out
}

func insert(values ...any) schemas.Change {
	return schemas.Change{Op: schemas.Create, After: row(values...)}
}

func update(values ...any) schemas.Change {
	return schemas.Change{Op: schemas.Update, After: row(values...)}
}

func remove(values ...any) schemas.Change {
	return schemas.Change{Op: schemas.Delete, Before: row(values...), BeforeKeyOnly: true}
}

func truncate() schemas.Change { return schemas.Change{Op: schemas.Truncate} }

// writer of one table version: describes it in the tables topic and encodes its changes.
type feed struct {
	w       *world
	encoder *schemas.Encoder
	valueID uint32
	// partition to write to; truncates go to all of partitions.
	partition, partitions int32
	// foreign leaves our headers out.
	foreign bool
}

func (w *world) feed(t *schemas.Table) *feed {
	w.t.Helper()
	return w.feedAs(t, schemas.Mapping{Prefix: w.prefix})
}

func (w *world) feedAs(t *schemas.Table, m schemas.Mapping) *feed {
	w.t.Helper()
	e, err := schemas.NewEncoder(t, m)
	if err != nil {
		w.t.Fatal(err)
	}
	f := &feed{w: w, encoder: e, valueID: w.registry.register(e.Topic()+"-value", e.ValueSchema()), partitions: 1}
	keyID := uint32(0)
	if e.KeySchema() != "" {
		keyID = w.registry.register(e.Topic()+"-key", e.KeySchema())
	}
	e.SetIDs(keyID, f.valueID)
	return f
}

// describe writes the table to the tables topic, as a source does before the first record.
func (f *feed) describe() *feed {
	key, value, err := schemas.AppendTableRecord(f.encoder.Topic(), f.valueID, f.encoder.Table())
	if err != nil {
		f.w.t.Fatal(err)
	}
	f.w.commit(kgo.TryCommit, &kgo.Record{Topic: f.w.internal + ".tables", Key: key, Value: value})
	return f
}

// send writes changes in one committed transaction, each with a version of its own.
func (f *feed) send(changes ...schemas.Change) {
	f.w.t.Helper()
	f.w.commit(kgo.TryCommit, f.records(changes...)...)
}

// records encodes changes.
func (f *feed) records(changes ...schemas.Change) []*kgo.Record {
	f.w.t.Helper()
	f.w.lsn += 100
	var records []*kgo.Record
	for i := range changes {
		c := &changes[i]
		c.Table = f.encoder.Table()
		if c.Version == (schemas.Version{}) {
			c.Version = schemas.Version{High: f.w.lsn, Low: uint64(i + 1)}
		}
		c.Source.Time = time.Now().UnixMicro()
		records = append(records, f.record(c)...)
	}
	return records
}

func (f *feed) record(c *schemas.Change) []*kgo.Record {
	f.w.t.Helper()
	var key []byte
	var err error
	if f.encoder.KeySchema() != "" && c.Op != schemas.Truncate {
		if key, err = f.encoder.AppendKey(nil, c.Key()); err != nil {
			f.w.t.Fatal(err)
		}
	}
	value, err := f.encoder.AppendValue(nil, c, time.Now().UnixMicro())
	if err != nil {
		f.w.t.Fatal(err)
	}
	version := kgo.RecordHeader{Key: schemas.HeaderVersion, Value: c.Version.AppendBinary(nil)}
	headers := []kgo.RecordHeader{version, {Key: schemas.HeaderTable, Value: binary.BigEndian.AppendUint64(nil, c.Table.Version)}}
	if names := f.encoder.Beside().Unchanged; len(names) > 0 {
		var list []string
		for _, i := range names {
			list = append(list, c.Table.Columns[i].Name)
		}
		text, _ := json.Marshal(list)
		headers = append(headers, kgo.RecordHeader{Key: schemas.HeaderUnchanged, Value: text})
	}
	if f.encoder.Shape() == schemas.ShapeRow {
		headers = append(headers, kgo.RecordHeader{Key: schemas.HeaderOp, Value: []byte{byte(c.Op)}},
			kgo.RecordHeader{Key: schemas.HeaderSource, Value: schemas.AppendOrigin(nil, &c.Source)})
		if len(value) == 0 {
			value = nil
			headers = append(headers, kgo.RecordHeader{Key: schemas.HeaderSchema, Value: binary.BigEndian.AppendUint32(nil, f.valueID)})
		}
	} else if c.BeforeKeyOnly {
		headers = append(headers, kgo.RecordHeader{Key: schemas.HeaderBefore, Value: []byte("key")})
	}
	if f.foreign {
		headers = nil
	}
	r := func(partition int32, value []byte, headers []kgo.RecordHeader) *kgo.Record {
		return &kgo.Record{Topic: f.encoder.Topic(), Partition: partition, Key: key, Value: value, Headers: headers}
	}
	switch {
	case c.Op == schemas.Truncate:
		var all []*kgo.Record
		for p := range f.partitions {
			all = append(all, r(p, value, headers))
		}
		return all
	case c.Op == schemas.Delete && key != nil && value != nil:
		if !f.foreign {
			return []*kgo.Record{r(f.partition, value, headers), r(f.partition, nil, []kgo.RecordHeader{version})}
		}
		return []*kgo.Record{r(f.partition, value, nil), r(f.partition, nil, nil)}
	}
	return []*kgo.Record{r(f.partition, value, headers)}
}

// commit writes records in one transaction and ends it.
func (w *world) commit(how kgo.TransactionEndTry, records ...*kgo.Record) {
	w.t.Helper()
	if err := w.client.BeginTransaction(); err != nil {
		w.t.Fatal(err)
	}
	if err := w.client.ProduceSync(context.Background(), records...).FirstErr(); err != nil {
		w.t.Fatal(err)
	}
	if err := w.client.EndTransaction(context.Background(), how); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) options() Options {
	return Options{
		Name: w.name, Kafka: w.kafka, Registry: w.registry, Topics: []string{w.prefix + ".public.*"}, InternalPrefix: w.internal,
		Batch: Limits{Bytes: 1 << 20, Rows: 1000, Age: time.Millisecond},
		Open:  func(context.Context, sink.Env) (sink.Sink, error) { return w.db.open(), nil },
		Log:   zaptest.NewLogger(w.t, zaptest.Level(zap.WarnLevel)),
	}
}

// running is a loader under test.
type running struct {
	*Loader
	t    testing.TB
	stop func() error
}

// start runs a loader and stops it at the end of the test.
func (w *world) start(change ...func(*Options)) *running {
	w.t.Helper()
	o := w.options()
	for _, c := range change {
		c(&o)
	}
	l, err := New(o)
	if err != nil {
		w.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- l.Run(ctx) }()
	stop := sync.OnceValue(func() error {
		cancel()
		select {
		case err := <-done:
			return err
		case <-time.After(30 * time.Second):
			return errors.New("Run did not return")
		}
	})
	r := &running{l, w.t, stop}
	w.t.Cleanup(func() { _ = stop() })
	return r
}

// fails waits for Run to return by itself.
func (r *running) fails(timeout time.Duration) error {
	r.t.Helper()
	deadline := time.Now().Add(timeout)
	for r.Status().State != Stopped {
		if time.Now().After(deadline) {
			r.t.Fatalf("still running: %+v", r.Status())
		}
		time.Sleep(5 * time.Millisecond)
	}
	return r.stop()
}

// eventually waits until check finds nothing wrong.
func eventually(t testing.TB, check func() string) {
	t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for {
		wrong := check()
		if wrong == "" {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal(wrong)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// holds waits until the table has exactly these rows.
func (w *world) holds(table string, want ...string) {
	w.t.Helper()
	eventually(w.t, func() string { return cmp.Diff(want, w.db.Lines(table)) })
}

// deadLetters reads n dead letters.
func (w *world) deadLetters(n int) []*kgo.Record {
	w.t.Helper()
	client, err := kgo.NewClient(append(w.kafka[:2:2], kgo.ConsumeTopics(w.name+".dlq"))...)
	if err != nil {
		w.t.Fatal(err)
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	var letters []*kgo.Record
	for len(letters) < n {
		fetches := client.PollFetches(ctx)
		letters = append(letters, fetches.Records()...)
		if ctx.Err() != nil {
			w.t.Fatalf("%d dead letters, want %d", len(letters), n)
		}
	}
	return letters
}

func headerOf(r *kgo.Record, key string) string {
	for _, h := range r.Headers {
		if h.Key == key {
			return string(h.Value)
		}
	}
	return ""
}
