package publish

import (
	"context"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/syncline-io/syncline/framework/failure"
)

// EndTransaction returns when the coordinator has decided; the brokers then write the markers, and only after that does the
// coordinator take the next transaction of the same producer. A produce request that comes earlier is parked (pace.go).
// completion asks the coordinator when that is over (DescribeTransactions, since Kafka 3.0, which whoever may write with a
// transactional id may ask), so that the next transaction begins neither too early nor later than it must.
type completion struct {
	admin *kadm.Client
	id    string
	// failures in a row: brokers that are too old, or do not permit it, will not answer the next time either.
	failures int
	takes    time.Duration // moving average of the time from the end of a transaction to its completion
}

const (
	// completionPoll is the pause between two questions, and completionMax how long they are asked: brokers that take longer
	// are in trouble, and to wait for them is the produce request's business.
	completionPoll = 200 * time.Microsecond
	completionMax  = 50 * time.Millisecond
	// completionFailures is after how many failures nobody asks any more, and pace's gap has to do.
	completionFailures = 5
)

func newCompletion(cl *kgo.Client, id string) completion {
	return completion{admin: kadm.NewClient(cl), id: id}
}

// wait returns when the transaction that ended at ended is completed. It reports false when that could not be found out.
func (c *completion) wait(ctx context.Context, ended time.Time) (bool, error) {
	if c.failures >= completionFailures {
		return false, nil
	}
	// Most of the time it takes is spent before the first question.
	pause := c.takes*3/4 - time.Since(ended)
	// Only who has waited for it knows how long it took: after a pause of the source's it was over long ago.
	waited := pause > 0
	for {
		if pause > 0 {
			if err := failure.Sleep(ctx, pause); err != nil {
				return false, err
			}
		}
		asked := time.Since(ended)
		if asked > completionMax {
			return true, nil // long ago, or too long: there is nothing to learn from it
		}
		done, err := c.done(ctx)
		if err != nil {
			c.failures++
			return false, nil // it is no trouble of the transaction's
		}
		c.failures = 0
		if done {
			if waited {
				learn(&c.takes, asked)
			}
			return true, nil
		}
		pause, waited = completionPoll, true
	}
}

func (c *completion) done(ctx context.Context) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, completionMax)
	defer cancel()
	all, err := c.admin.DescribeTransactions(ctx, c.id)
	if err == nil {
		err = all[c.id].Err
	}
	if err != nil {
		return false, err
	}
	switch all[c.id].State {
	case "PrepareCommit", "PrepareAbort":
		return false, nil
	}
	return true, nil
}
