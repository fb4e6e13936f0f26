package publish

import (
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// described makes the coordinator say state, or an error code, for every transaction; it counts the questions.
func described(fake *kfake.Cluster, say func(n int) (state string, code int16)) *int {
	asked := 0
	fake.ControlKey(kmsg.DescribeTransactions.Int16(), func(r kmsg.Request) (kmsg.Response, error, bool) {
		fake.KeepControl()
		asked++
		answer := r.ResponseKind().(*kmsg.DescribeTransactionsResponse)
		for _, id := range r.(*kmsg.DescribeTransactionsRequest).TransactionalIDs {
			s := kmsg.NewDescribeTransactionsResponseTransactionState()
			s.TransactionalID = id
			s.State, s.ErrorCode = say(asked)
			answer.TransactionStates = append(answer.TransactionStates, s)
		}
		return answer, nil, true
	})
	return &asked
}

func TestTheNextTransactionWaitsUntilTheLastIsCompleted(t *testing.T) {
	inBubble(t, func(t *testing.T, c cluster, fake *kfake.Cluster) {
		const slow = 7 * time.Millisecond
		ended := time.Now()
		asked := described(fake, func(int) (string, int16) {
			if time.Since(ended) < slow {
				return "PrepareCommit", 0
			}
			return "CompleteCommit", 0
		})
		cl, err := kgo.NewClient(c.opts...)
		if err != nil {
			t.Fatal(err)
		}
		defer cl.Close()
		wait := newCompletion(cl, "id")
		for range 3 {
			ended = time.Now()
			known, err := wait.wait(t.Context(), ended)
			if took := time.Since(ended); !known || err != nil || took < slow || took > slow+5*completionPoll {
				t.Errorf("known %v, %v after %v; want to know it after %v", known, err, took, slow)
			}
		}
		*asked = 0
		if _, err := wait.wait(t.Context(), time.Now().Add(-time.Second)); err != nil || *asked > 0 {
			t.Errorf("%d questions about a transaction of long ago, %v; want none", *asked, err)
		}
	})
}

// TestAPauseOfTheSourceTeachesNothing keeps transactions that come one by one from making the next burst wait.
func TestAPauseOfTheSourceTeachesNothing(t *testing.T) {
	inBubble(t, func(t *testing.T, c cluster, fake *kfake.Cluster) {
		described(fake, func(int) (string, int16) { return "CompleteCommit", 0 })
		cl, err := kgo.NewClient(c.opts...)
		if err != nil {
			t.Fatal(err)
		}
		defer cl.Close()
		wait := newCompletion(cl, "id")
		for range 10 {
			if known, err := wait.wait(t.Context(), time.Now().Add(-completionMax/2)); !known || err != nil {
				t.Fatalf("known %v, %v", known, err)
			}
		}
		if wait.takes != 0 {
			t.Errorf("it has learned %v from transactions that were over when it asked", wait.takes)
		}
	})
}

func TestBrokersThatDoNotSayAreNotAskedForEver(t *testing.T) {
	inBubble(t, func(t *testing.T, c cluster, fake *kfake.Cluster) {
		asked := described(fake, func(int) (string, int16) { return "", kerr.TransactionalIDAuthorizationFailed.Code })
		cl, err := kgo.NewClient(c.opts...)
		if err != nil {
			t.Fatal(err)
		}
		defer cl.Close()
		wait := newCompletion(cl, "id")
		for range 3 * completionFailures {
			if known, err := wait.wait(t.Context(), time.Now()); known || err != nil {
				t.Errorf("known %v, %v; want neither", known, err)
			}
		}
		if *asked != completionFailures {
			t.Errorf("%d questions, want %d", *asked, completionFailures)
		}
	})
}
