package publish

import (
	"slices"

	"github.com/syncline-io/syncline/framework/source"
	"github.com/syncline-io/syncline/schemas"
)

// counts is what has been published of the upstream transaction that is open: its end says how many events there were. A
// transaction may be cut anywhere by Kafka's, and this process may end behind any of them; so the counts are in the position of
// each, and belong to its very version. They are changed under the queue's lock, together with the version.
type counts struct {
	on     bool
	high   uint64 // of the transaction's versions
	events int64
	tables []schemas.Count
	index  map[string]int // of tables, by name
	passed uint64         // a transaction without marks, from the middle of which on this tenure publishes
}

// countsFrom goes on with the transaction that a position lies in.
func countsFrom(p source.Position) (n counts) {
	if p.Open == nil {
		if p.Version.Low > 0 {
			n.passed = p.Version.High
		}
		return n
	}
	n.begin(p.Open.High)
	n.events = p.Open.Events
	for _, t := range p.Open.Counts {
		n.index[t.Table] = len(n.tables)
		n.tables = append(n.tables, t)
	}
	return n
}

func (n *counts) begin(high uint64) {
	*n = counts{on: true, high: high, index: map[string]int{}}
}

// open returns what a position says of the transaction, nil when none is open.
func (n *counts) open() *source.Transaction {
	if !n.on {
		return nil
	}
	return &source.Transaction{High: n.high, Events: n.events, Counts: slices.Clone(n.tables)}
}

// counted reports whether the change is an event of the open transaction.
func (n *counts) counted(c *schemas.Change) bool {
	return n.on && c.Version.High == n.high && c.Source.Snapshot == schemas.SnapshotFalse && c.Op != schemas.Begin && c.Op != schemas.End
}

// place tells the change where it stands, and an End how many there were.
func (n *counts) place(c *schemas.Change, t *table) {
	c.Place, c.Counts = schemas.Place{}, nil
	switch {
	case c.Op == schemas.End:
		c.Place.Total, c.Counts = n.events, n.tables
	case n.counted(c):
		c.Place = schemas.Place{Total: n.events + 1, OfTable: 1}
		if i, ok := n.index[t.counted]; ok {
			c.Place.OfTable += n.tables[i].Events
		}
	}
}

// published counts a change that was placed and is in its topic's batch.
func (n *counts) published(c *schemas.Change, t *table) {
	switch {
	case c.Op == schemas.Begin:
		n.begin(c.Version.High)
	case c.Op == schemas.End:
		*n = counts{}
	case n.counted(c):
		n.events++
		i, ok := n.index[t.counted]
		if !ok {
			i = len(n.tables)
			n.index[t.counted], n.tables = i, append(n.tables, schemas.Count{Table: t.counted})
		}
		n.tables[i].Events++
	}
}

// refused is published for a mark that has become a dead letter.
func (n *counts) refused(c *schemas.Change) {
	if c.Op == schemas.End {
		*n = counts{}
	}
}

// due reports whether a mark is to be published. A transaction that is sent again has its begin already, and one without a
// begin, of a time when none was asked for, gets no end.
func (n *counts) due(c *schemas.Change) bool {
	open := n.on && n.high == c.Version.High
	if c.Op == schemas.End {
		return open
	}
	return !open && n.passed != c.Version.High
}

// mark publishes the begin or end of a transaction, where it is due.
func (e *emitter) mark(c *schemas.Change) error {
	e.q.mu.Lock()
	due, err := e.opts.Transactions && e.q.counts.due(c), e.broken()
	e.q.mu.Unlock()
	if err != nil || !due {
		return err
	}
	id := schemas.BytesValue(schemas.AppendTransactionID(nil, &c.Source))
	marked := *c
	marked.After = []schemas.Value{id}
	return e.publish(&marked)
}
