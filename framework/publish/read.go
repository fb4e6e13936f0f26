package publish

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// stallTimeout is how long a topic may bring nothing while it is read. What is expected is there, or was removed just now.
const stallTimeout = time.Minute

// span is a part of a partition: from start on, up to and without end.
type span struct{ start, end int64 }

// spans returns what the topic's partitions hold; those that hold nothing are left out. settled says that no transaction
// is open in it: then all that was written is committed or aborted, and the spans end at its end.
func (ts *topics) spans(ctx context.Context, name string) (spans map[int32]span, settled bool, err error) {
	starts, err := ts.admin.ListStartOffsets(ctx, name)
	if err == nil {
		err = starts.Error()
	}
	if err != nil {
		return nil, false, fmt.Errorf("look for the beginning of topic %s: %w", name, err)
	}
	stable, err := ts.admin.ListCommittedOffsets(ctx, name)
	if err == nil {
		err = stable.Error()
	}
	if err != nil {
		return nil, false, fmt.Errorf("look for the end of topic %s: %w", name, err)
	}
	ends, err := ts.admin.ListEndOffsets(ctx, name)
	if err == nil {
		err = ends.Error()
	}
	if err != nil {
		return nil, false, fmt.Errorf("look for the end of topic %s: %w", name, err)
	}
	spans, settled = map[int32]span{}, true
	stable.Each(func(at kadm.ListedOffset) {
		end, _ := ends.Lookup(name, at.Partition)
		settled = settled && end.Offset == at.Offset
		start, ok := starts.Lookup(name, at.Partition)
		if ok && start.Offset < at.Offset {
			spans[at.Partition] = span{start.Offset, at.Offset}
		}
	})
	return spans, settled, nil
}

// holds reports whether a committed record is in the topic, whoever wrote it.
func (ts *topics) holds(ctx context.Context, name string) (bool, error) {
	spans, _, err := ts.spans(ctx, name)
	if err != nil {
		return false, err
	}
	err = ts.read(ctx, name, spans, func(*kgo.Record) error { return errFirst }, nil)
	if errors.Is(err, errFirst) {
		return true, nil
	}
	return false, err
}

// read calls each for the committed records within the spans, in the order of each partition; control records are left
// out. polled, if there is one, is called after what one poll brought.
func (ts *topics) read(ctx context.Context, name string, spans map[int32]span, each func(*kgo.Record) error, polled func() error) error {
	return ts.readAs(ctx, kgo.ReadCommitted(), name, spans, each, polled)
}

// readAs is read at an isolation level.
func (ts *topics) readAs(ctx context.Context, level kgo.IsolationLevel, name string, spans map[int32]span, each func(*kgo.Record) error, polled func() error) error {
	if len(spans) == 0 {
		return nil
	}
	from := map[int32]kgo.Offset{}
	for p, s := range spans {
		from[p] = kgo.NewOffset().At(s.start)
	}
	cl, err := kgo.NewClient(append(ts.opts.client("reader"),
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{name: from}),
		kgo.FetchIsolationLevel(level),
		// The last offset is a transaction's marker or a record of its own: without the markers the end would not show.
		kgo.KeepControlRecords(),
		kgo.FetchMaxWait(time.Second),
		kgo.FetchMaxBytes(8<<20),
	)...)
	if err != nil {
		return err
	}
	defer cl.Close()
	for ended := map[int32]bool{}; len(ended) < len(spans); {
		fetches, err := poll(ctx, cl, name)
		if err != nil {
			return err
		}
		for iter := fetches.RecordIter(); !iter.Done(); {
			r := iter.Next()
			end := spans[r.Partition].end
			if !r.Attrs.IsControl() && r.Offset < end {
				if err := each(r); err != nil {
					return err
				}
			}
			if r.Offset >= end-1 {
				ended[r.Partition] = true
			}
		}
		if polled != nil {
			if err := polled(); err != nil {
				return err
			}
		}
	}
	return nil
}

// poll waits for records, though not for ever: the client tries again whatever is wrong, and does not tell.
func poll(ctx context.Context, cl *kgo.Client, name string) (kgo.Fetches, error) {
	bounded, cancel := context.WithTimeout(ctx, stallTimeout)
	defer cancel()
	for {
		fetches := cl.PollFetches(bounded)
		switch {
		case ctx.Err() != nil:
			return nil, context.Cause(ctx)
		case bounded.Err() != nil:
			return nil, fmt.Errorf("read topic %s: nothing came in %v", name, stallTimeout)
		case fetches.Err() != nil:
			return nil, fmt.Errorf("read topic %s: %w", name, fetches.Err())
		case fetches.NumRecords() > 0:
			return fetches, nil
		}
	}
}
