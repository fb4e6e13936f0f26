package publish

import (
	"context"
	"fmt"
	"time"

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
// that another program has filled.
func (ts *topics) newest(ctx context.Context, name string) (newest schemas.Version, err error) {
	byPartition, err := ts.newestByPartition(ctx, name)
	for _, v := range byPartition {
		if v.Compare(newest) > 0 {
			newest = v
		}
	}
	return newest, err
}

// newestByPartition returns the highest version in each partition that holds one. Versions of a table only grow, so each
// partition's last record tells.
func (ts *topics) newestByPartition(ctx context.Context, name string) (map[int32]schemas.Version, error) {
	spans, _, err := ts.spans(ctx, name)
	if err != nil {
		return nil, err
	}
	newest := map[int32]schemas.Version{}
	left := map[int32]tail{}
	for p, s := range spans {
		left[p] = tail{span: s}
	}
	for size := int64(tailMin); len(left) > 0; size *= tailGrowth {
		if err := ts.readTails(ctx, name, left, size); err != nil {
			return nil, fmt.Errorf("read the end of topic %s: %w", name, err)
		}
		for p, t := range left {
			if t.version != (schemas.Version{}) {
				newest[p] = t.version
			}
			if t.found || t.end-size <= t.start {
				delete(left, p)
			}
		}
	}
	return newest, nil
}

// tail is the end of a partition.
type tail struct {
	span
	found   bool            // there is a record of a change
	version schemas.Version // of the last one
}

// readTails reads the last size offsets of each partition.
func (ts *topics) readTails(ctx context.Context, name string, tails map[int32]tail, size int64) error {
	ctx, cancel := context.WithTimeout(ctx, tailTimeout)
	defer cancel()
	spans := map[int32]span{}
	for p, t := range tails {
		spans[p] = span{max(t.start, t.end-size), t.end}
	}
	return ts.read(ctx, name, spans, func(r *kgo.Record) error {
		t := tails[r.Partition]
		err := t.take(r)
		tails[r.Partition] = t
		return err
	}, nil)
}

// take notes a record. One without a version is another program's.
func (t *tail) take(r *kgo.Record) (err error) {
	t.found = true
	t.version, _, err = versionOf(r)
	return err
}

// versionOf returns the version that a record of ours carries; ok is false for another program's.
func versionOf(r *kgo.Record) (v schemas.Version, ok bool, err error) {
	for _, h := range r.Headers {
		if h.Key != schemas.HeaderVersion {
			continue
		}
		if v, err = schemas.ParseVersion(h.Value); err != nil {
			return v, false, fmt.Errorf("record at offset %d of partition %d: %w", r.Offset, r.Partition, err)
		}
		return v, true, nil
	}
	return v, false, nil
}
