package publish

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/syncline-io/syncline/framework/registry"
	"github.com/syncline-io/syncline/framework/source"
	"github.com/syncline-io/syncline/schemas"
)

// upstream is the system that the model source reads: a log of changes, a lease, and what was confirmed.
type upstream struct {
	lease chan struct{} // holds one token while nobody has the lease

	mu        sync.Mutex
	log       []schemas.Change
	more      chan struct{} // closed and replaced when the log grows
	confirmed []source.Position
	opened    int
}

func newUpstream() *upstream {
	u := &upstream{lease: make(chan struct{}, 1), more: make(chan struct{})}
	u.lease <- struct{}{}
	return u
}

// append adds a change; its version is its place in the log.
func (u *upstream) append(c schemas.Change) {
	u.mu.Lock()
	defer u.mu.Unlock()
	c.Version = schemas.Version{High: uint64(len(u.log) + 1), Low: 1}
	c.Source.Time = time.Now().UnixMicro()
	u.log = append(u.log, c)
	close(u.more)
	u.more = make(chan struct{})
}

// rows appends n creations of t with ids from first on.
func (u *upstream) rows(t *schemas.Table, first, n int) {
	for i := range n {
		u.append(create(t, first+i))
	}
}

func (u *upstream) next(i int) (schemas.Change, <-chan struct{}, bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if i < len(u.log) {
		return u.log[i], nil, true
	}
	return schemas.Change{}, u.more, false
}

func (u *upstream) lastConfirmed() source.Position {
	u.mu.Lock()
	defer u.mu.Unlock()
	if len(u.confirmed) == 0 {
		return source.Position{}
	}
	return u.confirmed[len(u.confirmed)-1]
}

// model is the source that reads an upstream.
type model struct {
	up   *upstream
	env  source.Env
	held bool
}

func (u *upstream) open(_ context.Context, env source.Env) (source.Source, error) {
	u.mu.Lock()
	u.opened++
	u.mu.Unlock()
	return &model{up: u, env: env}, nil
}

func (m *model) Lease(ctx context.Context) error {
	select {
	case <-m.up.lease:
	default:
		m.env.Standby(true, "another")
		select {
		case <-m.up.lease:
		case <-ctx.Done():
			return ctx.Err()
		}
		m.env.Standby(false, "")
	}
	m.held = true
	return nil
}

func (m *model) Run(ctx context.Context, from source.Position, out source.Emitter) error {
	if from.State == nil {
		if err := out.SetState([]byte(`{"log": "model", "since": 1}`)); err != nil {
			return err
		}
	}
	m.env.Progress(source.Progress{Phase: "stream", LogBehind: -1})
	for i := int(from.Version.High); ; i++ {
		c, more, ok := m.up.next(i)
		if !ok {
			select {
			case <-more:
			case <-ctx.Done():
				return ctx.Err()
			}
			i--
			continue
		}
		if err := out.Emit(&c); err != nil {
			return err
		}
		if err := out.Advance(schemas.Version{High: c.Version.High, Low: 1}, false); err != nil {
			return err
		}
	}
}

func (m *model) Confirm(p source.Position) {
	m.up.mu.Lock()
	defer m.up.mu.Unlock()
	if n := len(m.up.confirmed); n > 0 && p.Version.Compare(m.up.confirmed[n-1].Version) < 0 {
		panic(fmt.Sprintf("confirmed %s after %s", p.Version, m.up.confirmed[n-1].Version))
	}
	m.up.confirmed = append(m.up.confirmed, p)
}

func (m *model) Close() error {
	if m.held {
		m.up.lease <- struct{}{}
	}
	return nil
}

// ids is a registry that takes everything.
type ids struct {
	refuse    func(subject string) error // nil: nothing is refused
	forgotten func()
	// schemaRefuse is refuse for those who must see the schema.
	schemaRefuse func(subject, schema string) error

	mu       sync.Mutex
	byID     map[string]uint32
	first    uint32   // ids begin after it
	away     error    // what Verify says
	verified []uint32 // what Verify was asked about
}

func (r *ids) Register(_ context.Context, subject, schema string) (uint32, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.refuse != nil {
		if err := r.refuse(subject); err != nil {
			return 0, err
		}
	}
	if r.schemaRefuse != nil {
		if err := r.schemaRefuse(subject, schema); err != nil {
			return 0, err
		}
	}
	if r.byID == nil {
		r.byID = map[string]uint32{}
	}
	k := subject + schema
	if r.byID[k] == 0 {
		r.byID[k] = r.first + uint32(len(r.byID)+1)
	}
	return r.byID[k], nil
}

func (r *ids) Verify(_ context.Context, schema string, id uint32) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.verified = append(r.verified, id)
	if r.away != nil {
		return r.away
	}
	for k, known := range r.byID {
		if known == id && strings.HasSuffix(k, schema) {
			return nil
		}
	}
	return fmt.Errorf("schema %d is another now: %w", id, registry.ErrReplaced)
}

// asked returns the ids that Verify was asked about.
func (r *ids) asked() []uint32 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.verified)
}

func (r *ids) ByID(_ context.Context, id uint32) (string, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for k, known := range r.byID {
		if known == id {
			return k[strings.IndexByte(k, '{'):], nil
		}
	}
	return "", fmt.Errorf("schema %d: %w", id, registry.ErrUnknownID)
}

func (r *ids) Forget() {
	if r.forgotten != nil {
		r.forgotten()
	}
}

// replace makes it an empty registry, whose ids begin after first.
func (r *ids) replace(first uint32) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.byID, r.first = nil, first
}

func itemsTable(name string) *schemas.Table {
	return &schemas.Table{
		System: "postgresql", Database: "shop", Schema: "public", Name: name, ID: 1, Version: 7, Identity: schemas.IdentityKey,
		Columns: []schemas.Column{
			{ID: 1, Name: "id", Type: schemas.Type{Kind: schemas.Int64}, SourceType: "bigint", Key: 1},
			{ID: 2, Name: "name", Type: schemas.Type{Kind: schemas.String}, SourceType: "text", Nullable: true},
		},
	}
}

func create(t *schemas.Table, id int) schemas.Change {
	return schemas.Change{
		Table: t, Op: schemas.Create,
		After: []schemas.Value{schemas.IntValue(int64(id)), schemas.StringValue(fmt.Sprintf("item %d", id))},
	}
}

func remove(t *schemas.Table, id int) schemas.Change {
	return schemas.Change{
		Table: t, Op: schemas.Delete, BeforeKeyOnly: true,
		Before: []schemas.Value{schemas.IntValue(int64(id)), schemas.Null()},
	}
}

// cluster is a Kafka for a test and how to reach it.
type cluster struct {
	opts []kgo.Opt
	name string // of the connector
}

func (c cluster) options(up *upstream) Options {
	return Options{
		Name: c.name, Open: up.open, Kafka: c.opts, Registry: &ids{},
		Mapping:            schemas.Mapping{Prefix: c.name},
		InternalPrefix:     c.name + "_internal",
		TransactionTimeout: 10 * time.Second,
	}
}

// running is a publisher that runs until stop.
type running struct {
	*Publisher
	cancel context.CancelFunc
	done   chan error
}

func run(t testing.TB, o Options) *running {
	t.Helper()
	p, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	r := &running{Publisher: p, cancel: cancel, done: make(chan error, 1)}
	go func() { r.done <- p.Run(ctx) }()
	t.Cleanup(func() { r.cancel() })
	return r
}

// stop stops softly and returns what Run returned.
func (r *running) stop() error {
	r.cancel()
	return <-r.done
}

// await waits until ok, at most a minute (of the bubble's clock inside one).
func await(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not within a minute", what)
		}
	}
}

// committed returns the records of the topic that a reader of committed records sees, control records left out.
func (c cluster) committed(t testing.TB, topic string) []*kgo.Record {
	t.Helper()
	return c.read(t, topic, kgo.ReadCommitted())
}

func (c cluster) read(t testing.TB, topic string, level kgo.IsolationLevel) []*kgo.Record {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	cl, err := kgo.NewClient(append(c.opts, kgo.FetchIsolationLevel(level), kgo.ConsumeTopics(topic), kgo.KeepControlRecords(),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))...)
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	ends := settledEnds(ctx, t, kadm.NewClient(cl), topic)
	left := map[int32]int64{}
	ends.Each(func(o kadm.ListedOffset) {
		if o.Offset > 0 {
			left[o.Partition] = o.Offset
		}
	})
	var records []*kgo.Record
	for len(left) > 0 {
		fetches := cl.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			t.Fatalf("read %s: %v; still to come: %v", topic, err, left)
		}
		fetches.EachRecord(func(r *kgo.Record) {
			if !r.Attrs.IsControl() {
				records = append(records, r)
			}
			if r.Offset+1 >= left[r.Partition] {
				delete(left, r.Partition)
			}
		})
	}
	return records
}

// settledEnds returns the end of every partition once no transaction is open in any of them. A commit returns before the
// readers of committed records see it.
func settledEnds(ctx context.Context, t testing.TB, admin *kadm.Client, topic string) kadm.ListedOffsets {
	t.Helper()
	for {
		ends, err := admin.ListEndOffsets(ctx, topic)
		stable, stableErr := admin.ListCommittedOffsets(ctx, topic)
		if err := errors.Join(err, stableErr, ends.Error(), stable.Error()); err != nil {
			t.Fatal(err)
		}
		open := false
		ends.Each(func(o kadm.ListedOffset) {
			at, _ := stable.Lookup(topic, o.Partition)
			open = open || at.Offset < o.Offset
		})
		if !open {
			return ends
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func header(r *kgo.Record, name string) ([]byte, bool) {
	for _, h := range r.Headers {
		if h.Key == name {
			return h.Value, true
		}
	}
	return nil, false
}

// versions returns the places in the upstream's log of the records, in their order.
func versions(t testing.TB, records []*kgo.Record) []uint64 {
	t.Helper()
	vs := make([]uint64, 0, len(records))
	for _, r := range records {
		b, ok := header(r, schemas.HeaderVersion)
		v, err := schemas.ParseVersion(b)
		if !ok || err != nil {
			t.Fatalf("record at offset %d has no version: %v", r.Offset, err)
		}
		vs = append(vs, v.High)
	}
	return vs
}

// wantOnce checks that the records are the changes 1 to n, each once and in order.
func wantOnce(t testing.TB, records []*kgo.Record, n int) {
	t.Helper()
	vs := versions(t, records)
	if len(vs) != n {
		t.Fatalf("%d records, want %d", len(vs), n)
	}
	for i, v := range vs {
		if v != uint64(i+1) {
			t.Fatalf("record %d has version %d, want %d", i, v, i+1)
		}
	}
}
