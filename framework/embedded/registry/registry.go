// Package registry is a schema registry in the process: Confluent's REST API for Avro schemas, in front of a compacted
// topic in Confluent's record format, so that a registry of another make could take over.
//
// An answer follows the topic: what a client was told is registered is in the topic. Ids grow by one, are never used
// again, and equal schemas have the same id whatever their subjects.
//
// Read registry.go for how the topic is written, state.go for what is known, registration.go, deletion.go, config.go and
// mode.go for the operations, record.go, apply.go, mark.go and journal.go for how it is kept, canonical.go for when two
// schemas are equal, http.go and routes.go for the API.
package registry

import (
	"context"
	"fmt"
	"sync"
)

// Registry holds the state and writes the journal. It is safe for concurrent use. There must be no second writer of the
// topic: the lock on the broker's folder sees to that.
type Registry struct {
	writing sync.Mutex // held by the one operation that appends to the journal
	journal *journal
	unsure  bool // an append failed: the journal may hold a record that the state lacks

	mu    sync.RWMutex // guards the state; taken after writing
	state *state

	parsing chan struct{} // as many as may parse a client's schema at a time; the others wait
}

// parsingMax bounds the memory that schemas take while they are read: a parsed one is many times its text.
const parsingMax = 2

// Open reads the topic, which it creates if it is missing.
func Open(ctx context.Context, brokers []string) (*Registry, error) {
	j, err := openJournal(ctx, brokers)
	if err != nil {
		return nil, fmt.Errorf("open the schema registry: %w", err)
	}
	r := &Registry{journal: j, parsing: make(chan struct{}, parsingMax)}
	if err := r.load(ctx); err != nil {
		j.close()
		return nil, fmt.Errorf("open the schema registry: %w", err)
	}
	return r, nil
}

// Close ends the connections. No operation may be under way.
func (r *Registry) Close() { r.journal.close() }

func (r *Registry) load(ctx context.Context) error {
	s := newState()
	if err := r.journal.read(ctx, s.apply); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.state = s
	return nil
}

// write appends the records that make returns and applies them. make sees the state as no other writer changes it; none
// means that there is nothing to write. A crash may leave the first of them in the topic without the others.
func (r *Registry) write(ctx context.Context, make func(*state) ([]record, error)) error {
	// A client that hangs up must not leave us in doubt of what the topic holds.
	ctx = context.WithoutCancel(ctx)
	r.writing.Lock()
	defer r.writing.Unlock()
	if r.unsure {
		if err := r.load(ctx); err != nil {
			return storeError(err)
		}
		r.unsure = false
	}
	records, err := make(r.state) // reads only; readers may go on
	if err != nil || len(records) == 0 {
		return err
	}
	if records, err = r.state.marked(records); err != nil {
		return storeError(err)
	}
	for _, rec := range records {
		if len(rec.key)+len(rec.value) > recordMax {
			return schemaTooLarge()
		}
	}
	if err := r.journal.append(ctx, records); err != nil {
		r.unsure = true
		return storeError(err)
	}
	return r.applyAll(records)
}

func (r *Registry) applyAll(records []record) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, rec := range records {
		if err := r.state.apply(rec); err != nil {
			return storeError(err)
		}
	}
	return nil
}
