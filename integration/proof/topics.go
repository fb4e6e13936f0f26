package proof

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/syncline-io/syncline/schemas"
)

// TopicCount is what a read-committed consumer finds in one topic.
type TopicCount struct {
	Changes, Tombstones int
}

// CountCommitted reads the topics whole, as any read-committed consumer does, and fails the test for every change that
// is there twice and for every version that is not above the one before it in its partition.
func CountCommitted(t testing.TB, brokers string, topics ...string) map[string]TopicCount {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	client, err := kgo.NewClient(kgo.SeedBrokers(brokers), kgo.ConsumeTopics(topics...), kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.KeepControlRecords())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	ends, err := kadm.NewClient(client).ListCommittedOffsets(ctx, topics...)
	if err != nil {
		t.Fatal(err)
	}
	left := map[string]int64{}
	ends.Each(func(o kadm.ListedOffset) {
		if o.Offset > 0 {
			left[fmt.Sprintf("%s/%d", o.Topic, o.Partition)] = o.Offset
		}
	})
	counts, last := map[string]TopicCount{}, map[string]schemas.Version{}
	for len(left) > 0 {
		fetches := client.PollFetches(ctx)
		if err := fetches.Err0(); err != nil {
			t.Fatalf("read the topics: %v (left: %v)", err, left)
		}
		fetches.EachRecord(func(r *kgo.Record) {
			place := fmt.Sprintf("%s/%d", r.Topic, r.Partition)
			if r.Offset >= left[place]-1 {
				delete(left, place)
			}
			if r.Attrs.IsControl() {
				return
			}
			n := counts[r.Topic]
			if r.Value == nil {
				n.Tombstones++
			} else {
				n.Changes++
				v := version(t, r)
				if v.Compare(last[place]) <= 0 {
					t.Errorf("%s offset %d: version %v after %v: repeated, or out of order", place, r.Offset, v, last[place])
				}
				last[place] = v
			}
			counts[r.Topic] = n
		})
	}
	return counts
}

func version(t testing.TB, r *kgo.Record) schemas.Version {
	for _, h := range r.Headers {
		if h.Key == schemas.HeaderVersion {
			v, err := schemas.ParseVersion(h.Value)
			if err != nil {
				t.Errorf("%s offset %d: %v", r.Topic, r.Offset, err)
			}
			return v
		}
	}
	t.Errorf("%s offset %d has no header %s", r.Topic, r.Offset, schemas.HeaderVersion)
	return schemas.Version{}
}
