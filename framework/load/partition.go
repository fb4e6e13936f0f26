package load

import (
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/syncline-io/syncline/framework/failure"
	"github.com/syncline-io/syncline/framework/sink"
	"github.com/syncline-io/syncline/schemas"
)

// partition is one partition from its assignment to its revocation. A partition that comes back later is a new one, so
// that nothing of its first stay can be taken for its second.
type partition struct {
	sink.Partition
	// gone is set when the partition is handed over or lost; from then on nothing of it may be written.
	gone atomic.Bool
	// siblings is the number of partitions of the topic.
	siblings int

	// The reader's:

	// pending holds records polled and not decoded yet.
	pending []*kgo.Record
	// next is the offset of the first record that is not in a batch yet.
	next int64
	// seen is the version of the last change read; what is not above it is a repeat.
	seen schemas.Version
	// met says that its first record has been decoded, and the target asked for its version of the table.
	met bool
	// from is what seen was at the beginning: the ledger's word.
	from schemas.Version
	// again says that it is not the partition's first stay in this session.
	again bool
	// codec decoded the last record; the next one is most likely alike.
	codec *codec
	// stalled is until when the partition waits for the registry or the tables topic.
	stalled time.Time
	backoff failure.Backoff
	// paused says that the partition is not fetched while it is stalled.
	paused bool
	// truncate is the version of the truncate at which the partition waits for its siblings.
	truncate *schemas.Version

	// The writer's (the claim's before the first batch):

	// entry is the ledger's row as this member left it.
	entry sink.Entry

	// For status and group:

	// written is the offset up to which everything is durable in the target; -1 before the first batch of a new entry.
	written atomic.Int64
	// committed is what the group was told last; -1 before it was told anything.
	committed atomic.Int64
	// committable is the end of the committed part of the topic as of the last poll, -1 when not known yet.
	committable atomic.Int64
	// trouble is what the partition waits for, nil when it does not.
	trouble atomic.Pointer[error]
}

// lag is the number of records between the target and the end of the topic, -1 when not known yet.
func (p *partition) lag() int64 {
	end, written := p.committable.Load(), p.written.Load()
	if end < 0 {
		return -1
	}
	return max(0, end-max(written, 0))
}

// stall makes the partition wait before its next record is tried again.
func (p *partition) stall(now time.Time, err error) {
	p.stalled = now.Add(p.backoff.Next(err))
	p.trouble.Store(&err)
}

// unstall says that the partition has gone on.
func (p *partition) unstall() {
	if p.trouble.Load() != nil {
		p.backoff.Reset()
		p.stalled = time.Time{}
		p.trouble.Store(nil)
	}
}
