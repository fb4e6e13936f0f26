package load

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest"

	"github.com/syncline-io/syncline/framework/sink"
	"github.com/syncline-io/syncline/schemas"
)

// evolving is a database whose Evolve is another.
type evolving struct {
	*memorySink
	evolve func(ctx context.Context, prev, t *sink.Table) error
}

func (e evolving) Evolve(ctx context.Context, prev, t *sink.Table) error {
	return e.evolve(ctx, prev, t)
}

func TestATableIsMadeReadyForThePartitionsThatStay(t *testing.T) {
	db := newDatabase(t)
	made := db.open()
	l, err := New(Options{
		Name: "warehouse", Topics: []string{ordersTopic}, Registry: &registryModel{}, Log: zaptest.NewLogger(t, zaptest.Level(zap.ErrorLevel)),
		Open: func(context.Context, sink.Env) (sink.Sink, error) { return made, nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	table := foldTable(0)
	of := func(p *partition) event {
		return event{record: &kgo.Record{Topic: ordersTopic}, part: p, table: table, op: schemas.Create, after: row(1, "a", "x")}
	}
	first, second := &partition{siblings: 2}, &partition{siblings: 2}
	s := &session{Loader: l, target: newTarget(evolving{made, func(ctx context.Context, prev, next *sink.Table) error {
		if !first.gone.Swap(true) { // it is handed over while the statement waits for a lock
			return errors.New("lock timeout")
		}
		return made.Evolve(ctx, prev, next)
	}})}
	w := &writer{session: s, known: map[string]*sink.Table{}}
	if err := w.evolve(t.Context(), t.Context(), []event{of(first), of(first), of(second)}); err != nil {
		t.Fatal(err)
	}
	if got := db.Evolved(); len(got) != 1 {
		t.Errorf("the table is not ready for the second partition: %q", got)
	}
}

// remembering is a database that remembers for which version of a table it was made ready.
type remembering struct {
	*memorySink
	version *atomic.Uint64
}

func (r remembering) Evolve(ctx context.Context, prev, t *sink.Table) error {
	if r.version.Load() >= t.Source.Version {
		return nil
	}
	r.version.Store(t.Source.Version)
	return r.memorySink.Evolve(ctx, prev, t)
}

func (r remembering) Version(context.Context, *sink.Table) (uint64, error) {
	return r.version.Load(), nil
}

// A member begins with a row from before the rename that another member, or its predecessor, has carried out.
func TestARowFromBeforeARenameGoesToTheNewNameAfterARestart(t *testing.T) {
	w := newWorld(t)
	if err := w.cluster.CreateTopic(ordersTopic, 2, nil); err != nil {
		t.Fatal(err)
	}
	var version atomic.Uint64
	remembers := func(o *Options) {
		o.Open = func(context.Context, sink.Env) (sink.Sink, error) {
			return remembering{w.db.open(), &version}, nil
		}
	}
	renamed := orders(2000)
	renamed.Columns[1].Name = "remark"
	old := w.feed(orders(900)).describe()
	late := old.records(insert(1, "a", "x"))
	w.lsn = 2000
	f := w.feed(renamed).describe()
	f.partition = 1
	f.send(insert(2, "b", "y"))
	l := w.start(remembers)
	w.holds("public.orders", "id=2 remark=b big=y")
	if err := l.stop(); err != nil {
		t.Fatal(err)
	}
	w.commit(kgo.TryCommit, late...)
	w.start(remembers)
	w.holds("public.orders", "id=1 remark=a big=x", "id=2 remark=b big=y")
}

// The topic and its source were made again, and the log counts from the beginning: what the target remembers is of before.
func TestAVersionOfATopicsEarlierLifeIsNotTakenForALaterOne(t *testing.T) {
	w := newWorld(t, ordersTopic)
	var version atomic.Uint64
	version.Store(2000)
	before := orders(2000)
	before.Columns = before.Columns[:2]
	w.feed(before).describe()
	w.feed(orders(900)).describe().send(insert(1, "a", "x"))
	w.start(func(o *Options) {
		o.Open = func(context.Context, sink.Env) (sink.Sink, error) {
			s := w.db.open()
			return struct {
				*memorySink
				sink.Versioner
			}{s, remembering{s, &version}}, nil
		}
	})
	w.holds("public.orders", "id=1 note=a big=x")
}

func TestAStopDoesNotWaitForASchemaChangeThatIsTriedAgain(t *testing.T) {
	w := newWorld(t, ordersTopic)
	f := w.feed(orders(900)).describe()
	tries := 0
	l := w.start(func(o *Options) {
		o.Open = func(context.Context, sink.Env) (sink.Sink, error) {
			return evolving{w.db.open(), func(ctx context.Context, _, _ *sink.Table) error {
				if tries++; tries == 1 {
					return errors.New("lock timeout")
				}
				<-ctx.Done()
				return ctx.Err()
			}}, nil
		}
	})
	f.send(insert(1, "a", "x"))
	eventually(t, func() string {
		if st := l.Status(); st.State != Retrying {
			return "the schema change does not wait"
		}
		return ""
	})
	f.send(insert(2, "b", "x")) // the reader's, who cannot hand it over
	time.Sleep(300 * time.Millisecond)
	began := time.Now()
	if err := l.stop(); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("the stop took %s", took)
	}
}

// A member that has just begun knows no version of the table, and without a ledger nothing says what was applied: only the
// target itself tells that the column still has its old name, to which another member may be writing.
func TestARenameWaitsForTheOtherMembersWhateverThisOneHasSeen(t *testing.T) {
	before, after := orders(900), orders(2000)
	after.Columns[1].Name = "remark"
	next, err := Naming{}.table(ordersTopic, after)
	if err != nil {
		t.Fatal(err)
	}
	p := &partition{Partition: sink.Partition{Topic: ordersTopic}, siblings: 2}
	for name, c := range map[string]struct {
		version uint64
		members int
		waits   bool
	}{
		"the target has the old name":           {version: 900, members: 2, waits: true},
		"the target has the new name":           {version: 2000, members: 2},
		"the target has no such table":          {version: 0, members: 2},
		"this member has all of the partitions": {version: 900, members: 1},
		"the target's version is not described": {version: 800, members: 2},
	} {
		t.Run(name, func(t *testing.T) {
			var version atomic.Uint64
			version.Store(c.version)
			s := &session{
				Loader: &Loader{opts: Options{}}, target: newTarget(remembering{nil, &version}),
				owned: map[topicPartition]*partition{{ordersTopic, 0}: p},
			}
			if c.members == 1 {
				s.owned[topicPartition{ordersTopic, 1}] = p
			}
			w := &writer{session: s}
			w.tables = &tables{byTopic: map[string][]*schemas.Table{ordersTopic: {before, after}}}
			if err := w.mayRename(t.Context(), p, nil, next); errors.Is(err, errScattered) != c.waits {
				t.Errorf("error %v", err)
			}
		})
	}
}
