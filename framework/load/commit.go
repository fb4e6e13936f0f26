package load

import (
	"context"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"go.uber.org/zap"

	"github.com/syncline-io/syncline/framework/crash"
)

// commitInterval spaces the commits to the consumer group. With a ledger they only inform.
const commitInterval = time.Second

// commitTimeout bounds one commit, so that a hand-over never hangs on it.
const commitTimeout = 10 * time.Second

// commitLoop tells the consumer group what is durable in the target, soon after the writer has said that there is
// something to tell.
func (s *session) commitLoop(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.uncommitted:
		}
		if err := s.commitOffsets(ctx, s.partitions()); err != nil && ctx.Err() == nil {
			s.log.Info("commit offsets to the group", zap.Error(err)) // the next commit says it again
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(commitInterval):
		}
	}
}

// commitOffsets commits what is written of parts.
func (s *session) commitOffsets(ctx context.Context, parts []*partition) error {
	offsets := map[string]map[int32]kgo.EpochOffset{}
	for _, p := range parts {
		if next := p.written.Load(); next >= 0 && next != p.committed.Load() {
			if offsets[p.Topic] == nil {
				offsets[p.Topic] = map[int32]kgo.EpochOffset{}
			}
			offsets[p.Topic][p.Partition.Partition] = kgo.EpochOffset{Epoch: -1, Offset: next}
		}
	}
	if len(offsets) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, commitTimeout)
	defer cancel()
	var failed error
	crash.Point("load.before-group-offset")
	s.client.CommitOffsetsSync(kgo.PreCommitFnContext(ctx, s.markOffsets), offsets,
		func(_ *kgo.Client, _ *kmsg.OffsetCommitRequest, resp *kmsg.OffsetCommitResponse, err error) {
			failed = commitError(resp, err)
		})
	crash.Point("load.after-group-offset")
	if failed != nil {
		return fmt.Errorf("commit offsets of %s: %w", s.opts.group(), failed)
	}
	for _, p := range parts {
		if o, ok := offsets[p.Topic][p.Partition.Partition]; ok {
			p.committed.Store(o.Offset)
		}
	}
	return nil
}

// markOffsets adds our mark, by which an operator's reset is told from a commit.
func (s *session) markOffsets(req *kmsg.OffsetCommitRequest) error {
	if s.target.ledger == nil {
		return nil
	}
	text := mark
	for i := range req.Topics {
		for j := range req.Topics[i].Partitions {
			req.Topics[i].Partitions[j].Metadata = &text
		}
	}
	return nil
}

func commitError(resp *kmsg.OffsetCommitResponse, err error) error {
	if err != nil || resp == nil {
		return err
	}
	for _, t := range resp.Topics {
		for _, p := range t.Partitions {
			if err := kerr.ErrorForCode(p.ErrorCode); err != nil {
				return err
			}
		}
	}
	return nil
}
