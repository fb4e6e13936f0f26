// Package registry is a schema registry in the process: the part of Confluent's REST API that stock clients use, in
// front of a compacted topic in Confluent's record format, so that a registry of another make could take over.
//
// An answer follows the topic: what a client was told is registered is in the topic. Ids grow by one, are never used
// again, and equal schemas have the same id whatever their subjects.
//
// Read registry.go for the operations, state.go for what is known, record.go and journal.go for how it is kept,
// canonical.go for when two schemas are equal, http.go and routes.go for the API.
package registry

import (
	"context"
	"fmt"
	"sync"

	"github.com/syncline-io/syncline/schemas/registry/compat"
)

// Registry holds the state and writes the journal. It is safe for concurrent use. There must be no second writer of the
// topic: the lock on the broker's folder sees to that.
type Registry struct {
	writing sync.Mutex // held by the one operation that appends to the journal
	journal *journal
	unsure  bool // an append failed: the journal may hold a record that the state lacks

	mu    sync.RWMutex // guards the state; taken after writing
	state *state
}

// Open reads the topic, which it creates if it is missing.
func Open(ctx context.Context, brokers []string) (*Registry, error) {
	j, err := openJournal(ctx, brokers)
	if err != nil {
		return nil, fmt.Errorf("open the schema registry: %w", err)
	}
	r := &Registry{journal: j}
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

// write appends the record that make returns and applies it. make sees the state as no other writer changes it; a
// record without key means that there is nothing to write.
func (r *Registry) write(ctx context.Context, make func(*state) (record, error)) error {
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
	rec, err := make(r.state) // reads only; readers may go on
	if err != nil || rec.key == nil {
		return err
	}
	if err := r.journal.append(ctx, rec); err != nil {
		r.unsure = true
		return storeError(err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.state.apply(rec)
}

// read runs f on the state, which f must not change.
func (r *Registry) read(f func(*state) error) error {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return f(r.state)
}

// parsedSchema is a schema as a client sent it, understood.
type parsedSchema struct {
	text   string // canonical
	parsed *compat.Schema
}

func parseSchema(text string) (parsedSchema, error) {
	parsed, err := compat.Parse(text)
	if err != nil {
		return parsedSchema{}, invalidSchema(err)
	}
	text, err = canonical(text)
	if err != nil {
		return parsedSchema{}, invalidSchema(err)
	}
	return parsedSchema{text, parsed}, nil
}

// register makes p the subject's latest version, unless the subject has it, and returns its id.
func (r *Registry) register(ctx context.Context, subject string, p parsedSchema) (id int, err error) {
	err = r.write(ctx, func(s *state) (record, error) {
		if v := s.find(subject, p.text); v != nil {
			id = v.schema.id
			return record{}, nil
		}
		if err := s.mayFollow(s.level(subject), p, s.live(subject)); err != nil {
			return record{}, err
		}
		next := s.next(subject, p.text)
		id = next.ID
		return schemaRecord(next)
	})
	return id, err
}

// mayFollow returns the refusal of a schema that is incompatible with versions.
func (s *state) mayFollow(level compat.Level, p parsedSchema, versions []*version) error {
	if level == compat.None {
		return nil
	}
	old, err := history(versions)
	if err != nil {
		return storeError(err)
	}
	if i := compat.Check(level, p.parsed, old); i != nil {
		return incompatible(level, versions[i.Against].number, i)
	}
	return nil
}

func (r *Registry) setLevel(ctx context.Context, subject, level string) (compat.Level, error) {
	l, err := compat.ParseLevel(level)
	if err != nil {
		return "", invalidLevel()
	}
	return l, r.write(ctx, func(*state) (record, error) { return configRecord(subject, string(l)) })
}
