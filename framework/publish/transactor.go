package publish

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/syncline-io/syncline/framework/failure"
)

// transactor is a client that ends a transaction only when it knows of everything that it has produced in it.
//
// kgo hands the first records of a topic to its senders before it stores the topic's partitions, and EndTransaction looks
// for what was produced among the partitions that are stored. When the brokers answer before that (its goroutine may have
// been put aside just there), the acknowledged records are not seen: EndTransaction aborts, because nothing was produced, and
// reports success; or, to brokers that are told of each partition, the next transaction does not tell them of this one.
type transactor struct {
	*kgo.Client

	met   sync.Map // topics that the client has asked about
	mu    sync.Mutex
	fresh []string // those of met that it may not have stored yet
}

// transactorPoll is the pause between two looks at a topic that is not stored yet, which is a matter of microseconds.
const transactorPoll = 100 * time.Microsecond

// meet is told each topic that the client is about to know the partitions of, as often as it looks them up.
func (t *transactor) meet(topic string) {
	if _, known := t.met.LoadOrStore(topic, true); known || topic == "" { // kgo asks about "" when it checks its options
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.fresh = append(t.fresh, topic)
}

// EndTransaction is [kgo.Client.EndTransaction], to be called when all records are acknowledged.
func (t *transactor) EndTransaction(ctx context.Context, how kgo.TransactionEndTry) error {
	if err := t.settle(ctx, t.stored); err != nil {
		return err
	}
	return t.Client.EndTransaction(ctx, how)
}

// settle waits until the topics met since the last call are stored. It holds no lock meanwhile: the client may meet another
// topic before it stores them.
func (t *transactor) settle(ctx context.Context, stored func(topic string) bool) error {
	t.mu.Lock()
	fresh := t.fresh
	t.fresh = nil
	t.mu.Unlock()
	for _, topic := range fresh {
		for !stored(topic) {
			if err := failure.Sleep(ctx, transactorPoll); err != nil {
				return fmt.Errorf("wait until the client knows topic %s: %w", topic, err)
			}
		}
	}
	return nil
}

// stored says whether the client has stored the topic's partitions; it stores them all at once.
func (t *transactor) stored(topic string) bool {
	leader, _, err := t.PartitionLeader(topic, 0)
	return leader >= 0 || err != nil
}
