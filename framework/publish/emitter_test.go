package publish

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/syncline-io/syncline/framework/source"
	"github.com/syncline-io/syncline/schemas"
)

// offline returns an emitter that has its table ready and no Kafka behind it.
func offline(t testing.TB, table *schemas.Table) *emitter {
	t.Helper()
	return offlineAs(t, table, schemas.Mapping{Prefix: "shop"})
}

func offlineAs(t testing.TB, table *schemas.Table, m schemas.Mapping) *emitter {
	t.Helper()
	stats, err := newStats(nil)
	if err != nil {
		t.Fatal(err)
	}
	encoder, err := schemas.NewEncoder(table, m)
	if err != nil {
		t.Fatal(err)
	}
	encoder.SetIDs(1, 2)
	known := newTable(table, encoder, topic{name: encoder.Topic(), partitions: 1, maxRecord: defaultMaxBatch},
		&stream{of: table.String(), emitted: stats.changes.WithLabelValues(encoder.Topic())})
	opts := &Options{Name: "shop"}
	return &emitter{
		ctx: context.Background(), q: newQueue(16<<20, source.Position{State: []byte(`{}`)}), opts: opts, stats: stats,
		tables: &tables{opts: opts, stats: stats, latest: known},
	}
}

// drain gives back every full batch, as the brokers would.
func (e *emitter) drain() {
	for b := e.q.take(); b != nil; b = e.q.take() {
		b.pending.Store(1)
		b.acked(nil, nil)
	}
}

func TestEmitDoesNotAllocate(t *testing.T) {
	for _, m := range []schemas.Mapping{{Prefix: "shop"}, {Prefix: "shop", Types: schemas.TypesAvro}, {Prefix: "shop", Shape: schemas.ShapeRow}} {
		emitsWithoutAllocation(t, offlineAs(t, itemsTable("items"), m))
	}
}

func emitsWithoutAllocation(t *testing.T, e *emitter) {
	t.Helper()
	creation, update, deletion := create(itemsTable("items"), 7), create(itemsTable("items"), 7), remove(itemsTable("items"), 7)
	update.Op = schemas.Update
	update.After[1] = schemas.Unchanged()
	changes := []*schemas.Change{&creation, &update, &deletion}
	version := uint64(0)
	emit := func() {
		for range 3000 {
			version++
			c := changes[version%3]
			c.Table, c.Version = e.tables.latest.table, schemas.Version{High: version, Low: 1}
			if err := e.Emit(c); err != nil {
				t.Fatal(err)
			}
			if err := e.Advance(schemas.Version{High: version, Low: 1}, false); err != nil {
				t.Fatal(err)
			}
		}
		e.drain()
	}
	emit() // makes the batches
	if allocs := testing.AllocsPerRun(10, emit); allocs > 1 {
		t.Errorf("%.0f allocations for 3,000 changes", allocs)
	}
}

func TestHeadersSayWhatTheValueCannot(t *testing.T) {
	table := itemsTable("items")
	row := func(id int64, name schemas.Value) []schemas.Value { return []schemas.Value{schemas.IntValue(id), name} }
	for name, test := range map[string]struct {
		change schemas.Change
		want   map[string]string
	}{
		"an unchanged column": {
			schemas.Change{Op: schemas.Update, After: row(1, schemas.Unchanged())},
			map[string]string{schemas.HeaderUnchanged: `["name"]`},
		},
		"before with the key only": {
			schemas.Change{Op: schemas.Update, Before: row(1, schemas.Null()), BeforeKeyOnly: true, After: row(1, schemas.StringValue("b"))},
			map[string]string{schemas.HeaderBefore: "key"},
		},
		"the deletion of a key change": {
			schemas.Change{Op: schemas.Delete, Before: row(1, schemas.StringValue("a")), OtherKey: row(2, schemas.Null())},
			map[string]string{schemas.HeaderNewKey: `{"id":2}`},
		},
		"the creation of a key change": {
			schemas.Change{Op: schemas.Create, After: row(2, schemas.StringValue("a")), OtherKey: row(1, schemas.Null())},
			map[string]string{schemas.HeaderOldKey: `{"id":1}`},
		},
		"a value without form": {
			schemas.Change{Op: schemas.Create, After: row(2, schemas.UnrepresentableValue([]byte("\\xzz")))},
			map[string]string{schemas.HeaderRaw + "name": "\\xzz"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			e := offline(t, table)
			test.change.Table, test.change.Version = table, schemas.Version{High: 5, Low: 6}
			if err := e.Emit(&test.change); err != nil {
				t.Fatal(err)
			}
			r := &e.q.filling.records[0]
			got := map[string]string{}
			for _, h := range r.Headers {
				got[h.Key] = string(h.Value)
			}
			test.want[schemas.HeaderVersion] = string(test.change.Version.AppendBinary(nil))
			test.want[schemas.HeaderTable] = "\x00\x00\x00\x00\x00\x00\x00\x07"
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestTheTombstoneOfAKeyChangeNamesTheNewKey(t *testing.T) {
	table := itemsTable("items")
	row := func(id int64) []schemas.Value { return []schemas.Value{schemas.IntValue(id), schemas.StringValue("a")} }
	e := offline(t, table)
	for i, other := range [][]schemas.Value{row(2), nil} {
		c := schemas.Change{Table: table, Op: schemas.Delete, Before: row(1), OtherKey: other, Version: schemas.Version{High: 5, Low: uint64(i)}}
		if err := e.Emit(&c); err != nil {
			t.Fatal(err)
		}
		r := &e.q.filling.records[2*i+1]
		got := map[string]string{}
		for _, h := range r.Headers {
			got[h.Key] = string(h.Value)
		}
		want := map[string]string{schemas.HeaderVersion: string(c.Version.AppendBinary(nil))}
		if other != nil {
			want[schemas.HeaderNewKey] = `{"id":2}`
		}
		if diff := cmp.Diff(want, got); diff != "" || r.Value != nil {
			t.Errorf("the tombstone with value %x: %s", r.Value, diff)
		}
	}
}

func TestVersionThatDoesNotGrowStopsTheTenure(t *testing.T) {
	e := offline(t, itemsTable("items"))
	c := create(e.tables.latest.table, 1)
	c.Version = schemas.Version{High: 3, Low: 2}
	if err := e.Emit(&c); err != nil {
		t.Fatal(err)
	}
	if err := e.Emit(&c); err == nil || !strings.Contains(err.Error(), "versions must grow") {
		t.Errorf("the same version again: %v", err)
	}
	c.Version.Low++
	if err := e.Emit(&c); err == nil {
		t.Error("the next change was taken all the same")
	}
}

func TestEmitWaitsWhileTheBufferIsFull(t *testing.T) {
	e := offline(t, itemsTable("items"))
	e.q.limit = 2
	ctx, cancel := context.WithCancelCause(context.Background())
	e.ctx = ctx
	emitted := make(chan int)
	go func() {
		defer close(emitted)
		c := create(e.tables.latest.table, 1)
		for i := 1; ; i++ {
			c.Version = schemas.Version{High: uint64(i)}
			if e.Emit(&c) != nil {
				emitted <- i - 1
				return
			}
		}
	}()
	await(t, "two full batches", func() bool { e.q.mu.Lock(); defer e.q.mu.Unlock(); return len(e.q.full) == 2 })
	time.Sleep(20 * time.Millisecond)
	if w := e.q.look(); w.emitted != 2*batchRecords {
		t.Errorf("%d changes are in, want two batches of %d", w.emitted, batchRecords)
	}
	b := e.q.take()
	b.pending.Store(1)
	b.acked(nil, nil)
	await(t, "the third batch", func() bool { return e.q.look().emitted == 3*batchRecords })
	cancel(fmt.Errorf("the end"))
	if n := <-emitted; n != 3*batchRecords {
		t.Errorf("%d changes went in, want %d", n, 3*batchRecords)
	}
}

func TestVeryLargeChangesCountForTheBound(t *testing.T) {
	e := offline(t, itemsTable("items"))
	e.tables.latest.maxRecord = 1 << 30
	e.q.bound = 10 << 20
	c := create(e.tables.latest.table, 1)
	c.After[1] = schemas.StringValue(strings.Repeat("x", 7<<20))
	ctx, cancel := context.WithTimeout(context.Background(), 300*time.Millisecond)
	defer cancel()
	e.ctx = ctx
	n := 0
	for err := error(nil); err == nil && n < 10; n++ {
		c.Version = schemas.Version{High: uint64(n + 1)}
		err = e.Emit(&c)
	}
	if n > 4 {
		t.Errorf("%d changes of 7 MB went into a buffer of 10 MB", n)
	}
}

func TestPace(t *testing.T) {
	p := newPace(false)
	for range 50 {
		p.committed(20 * time.Millisecond)
	}
	if got := p.age(false); got != 40*time.Millisecond {
		t.Errorf("age %v when a commit takes 20 ms", got)
	}
	p.produced(50*time.Millisecond, time.Millisecond)
	for range 100 {
		p.produced(time.Millisecond, time.Millisecond)
	}
	if p.gap != gapMin {
		t.Errorf("one slow produce made the gap %v", p.gap)
	}
	for range 10 {
		p.produced(21*time.Millisecond, time.Millisecond)
	}
	if p.gap < 2*gapMin {
		t.Errorf("the gap is %v after ten parked produces", p.gap)
	}
	for range 1000 {
		p.produced(time.Millisecond, time.Millisecond)
	}
	if p.gap != gapMin {
		t.Errorf("the gap is %v after a thousand good ones", p.gap)
	}
	for range 1000 {
		p.produced(25*time.Millisecond, 15*time.Millisecond)
	}
	if p.gap != gapMin {
		t.Errorf("the gap is %v where everything is slow, and not the first produce alone", p.gap)
	}
}

func BenchmarkEmit(b *testing.B) {
	e := offline(b, itemsTable("items"))
	c := create(e.tables.latest.table, 7)
	c.After[1] = schemas.StringValue(strings.Repeat("0123456789", 20))
	version := uint64(0)
	for b.Loop() {
		version++
		c.Version = schemas.Version{High: version}
		if err := e.Emit(&c); err != nil {
			b.Fatal(err)
		}
		if version%batchRecords == 0 {
			e.drain()
		}
	}
	b.ReportAllocs()
}
