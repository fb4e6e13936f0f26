package publish

import (
	"context"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/syncline-io/syncline/schemas"
)

const (
	// tailMin is how many offsets of a partition are read first: one transaction's end and what belongs to it. Where they
	// hold nothing but what was aborted, tailGrowth times as many are.
	tailMin    = 8
	tailGrowth = 32
	// tailTimeout bounds one such reading.
	tailTimeout = 30 * time.Second
)

// newest returns the highest version that the topic holds; zero when no record says one, as in a new topic or in one
// that another program has filled. Versions of a table only grow, so each partition's last record tells.
func (ts *topics) newest(ctx context.Context, name string) (newest schemas.Version, err error) {
	starts, err := ts.admin.ListStartOffsets(ctx, name)
	if err == nil {
		err = starts.Error()
	}
	if err != nil {
		return newest, fmt.Errorf("look for the beginning of topic %s: %w", name, err)
	}
	ends, err := ts.admin.ListCommittedOffsets(ctx, name)
	if err == nil {
		err = ends.Error()
	}
	if err != nil {
		return newest, fmt.Errorf("look for the end of topic %s: %w", name, err)
	}
	left := map[int32]tail{}
	ends.Each(func(end kadm.ListedOffset) {
		start, ok := starts.Lookup(name, end.Partition)
		if ok && start.Offset < end.Offset {
			left[end.Partition] = tail{start: start.Offset, end: end.Offset}
		}
	})
	for size := int64(tailMin); len(left) > 0; size *= tailGrowth {
		if err := ts.readTails(ctx, name, left, size); err != nil {
			return newest, fmt.Errorf("read the end of topic %s: %w", name, err)
		}
		for p, t := range left {
			if t.version.Compare(newest) > 0 {
				newest = t.version
			}
			if t.found || t.end-size <= t.start {
				delete(left, p)
			}
		}
	}
	return newest, nil
}

// tail is the end of a partition: committed records from start on, up to end.
type tail struct {
	start, end int64
	found      bool            // there is a record of a change
	version    schemas.Version // of the last one
}

// readTails reads the last size offsets of each partition.
func (ts *topics) readTails(ctx context.Context, name string, tails map[int32]tail, size int64) error {
	ctx, cancel := context.WithTimeout(ctx, tailTimeout)
	defer cancel()
	from := map[int32]kgo.Offset{}
	for p, t := range tails {
		from[p] = kgo.NewOffset().At(max(t.start, t.end-size))
	}
	cl, err := kgo.NewClient(append(ts.opts.client("tails"),
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{name: from}),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		// The last offset is a transaction's marker or a record of its own: without the markers the end would not show.
		kgo.KeepControlRecords(),
		kgo.FetchMaxWait(time.Second),
	)...)
	if err != nil {
		return err
	}
	defer cl.Close()
	ended := map[int32]bool{}
	for len(ended) < len(tails) {
		fetches := cl.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			return err
		}
		for iter := fetches.RecordIter(); !iter.Done(); {
			r := iter.Next()
			t := tails[r.Partition]
			if !r.Attrs.IsControl() && r.Offset < t.end {
				if err := t.take(r); err != nil {
					return err
				}
				tails[r.Partition] = t
			}
			if r.Offset >= t.end-1 {
				ended[r.Partition] = true
			}
		}
	}
	return nil
}

// take notes a record. One without a version is another program's.
func (t *tail) take(r *kgo.Record) error {
	t.found, t.version = true, schemas.Version{}
	for _, h := range r.Headers {
		if h.Key != schemas.HeaderVersion {
			continue
		}
		v, err := schemas.ParseVersion(h.Value)
		if err != nil {
			return fmt.Errorf("record at offset %d of partition %d: %w", r.Offset, r.Partition, err)
		}
		t.version = v
	}
	return nil
}
