package load

import (
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
)

var errRegistryAway = errors.New("the registry is away")

// once returns a fault that happens at the first question only.
func once(then func()) func() error {
	var asked sync.Once
	return func() (err error) {
		asked.Do(func() {
			err = errRegistryAway
			then()
		})
		return err
	}
}

func TestAPartitionGoesOnBehindATombstoneThatWaitedForTheRegistry(t *testing.T) {
	w := newWorld(t, ordersTopic)
	f := w.feed(orders(900))
	f.foreign = true
	waits := make(chan struct{})
	w.registry.failing(once(func() { close(waits) }))
	// There is nothing to write for it: its key is no row.
	w.commit(kgo.TryCommit, &kgo.Record{Topic: ordersTopic, Key: []byte("order 1")})
	l := w.start(func(o *Options) { o.Naming.Tables = map[string]Target{"public.orders": {Key: []string{"id"}}} })
	<-waits // nothing else of the partition is fetched yet
	f.send(insert(2, "b", "y"))
	w.holds("public.orders", "id=2 note=b big=y")
	eventually(t, func() string {
		if st := l.Status(); !st.Ready {
			return fmt.Sprintf("%+v", st)
		}
		return ""
	})
}

func TestAPartitionThatCameBackIsNotPausedForItsFirstStay(t *testing.T) {
	w := newWorld(t, ordersTopic)
	f := w.feed(orders(900)).describe()
	var l *running
	started := make(chan struct{})
	w.registry.failing(once(func() {
		<-started
		l.mu.Lock()
		s := l.current
		l.mu.Unlock()
		// While the registry is asked, the group takes the partition and gives it back.
		s.lose(t.Context(), nil, map[string][]int32{ordersTopic: {0}})
		if _, err := s.assign(t.Context(), map[string]map[int32]kgo.Offset{ordersTopic: {0: kgo.NewOffset()}}); err != nil {
			t.Error(err)
		}
	}))
	f.send(insert(1, "a", "x"))
	l = w.start()
	close(started)
	eventually(t, func() string {
		if w.db.entry(ordersTopic, 0).Fence < 2 {
			return "the partition has not come back"
		}
		return ""
	})
	f.send(insert(2, "b", "y")) // the first one belongs to the first stay: a group would give it again
	w.holds("public.orders", "id=2 note=b big=y")
}
