package simtest

import (
	"sync"

	"github.com/syncline-io/syncline/framework/sink"
	"github.com/syncline-io/syncline/schemas"
)

// batchBound: a batch of the sink stays within its limits, but for what a conflict gathers; see also tenureMemory.
type batchBound struct{ verdict }

func (v *batchBound) Batch(b *sink.Batch) {
	// An update of a table without key is two rows.
	if n := b.Rows(); n > 2*batchRows {
		v.fail("a batch of %d rows, and %d changes are allowed", n, batchRows)
	}
}

// outstandingMax bounds what a source's loop may hold of changes that the brokers have not acknowledged: three batches
// of a mebibyte, which is the least that its buffer has, each with one change more, and what stands around the values.
const outstandingMax = 4 << 20

// tenureMemory counts what one tenure of a source's loop has taken and the brokers do not have.
type tenureMemory struct {
	p *process

	mu    sync.Mutex
	sizes []int // of the changes not acknowledged, oldest first
	bytes int
	acked int // as of the last look
}

func (w *World) newTenure(p *process) *tenureMemory {
	return &tenureMemory{p: p, acked: w.wire.outstanding(p)}
}

// emitted notes a change that the loop has taken.
func (m *tenureMemory) emitted(c *schemas.Change) {
	size := 0
	for _, v := range c.After {
		if v.Kind() == schemas.KindBytes {
			size += len(v.Bytes())
		}
	}
	if size > recordMax {
		size = 0 // a dead letter keeps its key alone
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.sizes = append(m.sizes, size)
	m.bytes += size
	acked := m.p.w.wire.outstanding(m.p)
	for ; m.acked < acked && len(m.sizes) > 0; m.acked++ {
		m.bytes -= m.sizes[0]
		m.sizes = m.sizes[1:]
	}
	if m.bytes > outstandingMax {
		m.p.w.violate("memory", "%s holds %d changes of %d bytes that no broker has, and %d bytes are allowed", m.p.name, len(m.sizes), m.bytes, outstandingMax)
	}
}
