package model

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/syncline-io/syncline/framework/registry"
)

// Registry gives schemas their ids, for a source's loop as for a sink's. It is safe for concurrent use.
type Registry struct {
	mu     sync.Mutex
	texts  map[uint32]string
	ids    map[string]uint32 // by text
	latest map[string]uint32 // by subject
	away   bool
	lags   map[uint32]bool // ids that are not known yet
	asked  int
}

// NewRegistry makes an empty one.
func NewRegistry() *Registry {
	return &Registry{texts: map[uint32]string{}, ids: map[string]uint32{}, latest: map[string]uint32{}, lags: map[uint32]bool{}}
}

var errAway = errors.New("registry: connection refused")

// Register returns the id of the schema, which is the subject's latest from now on.
func (r *Registry) Register(_ context.Context, subject, schema string) (uint32, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.away {
		return 0, errAway
	}
	id := r.ids[schema]
	if id == 0 {
		id = uint32(len(r.texts) + 1)
		r.ids[schema], r.texts[id] = id, schema
	}
	r.latest[subject] = id
	return id, nil
}

// ByID returns the text of a schema.
func (r *Registry) ByID(_ context.Context, id uint32) (string, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.asked++
	if r.away {
		return "", errAway
	}
	if text, ok := r.texts[id]; ok && !r.lags[id] {
		return text, nil
	}
	return "", fmt.Errorf("schema %d not found", id)
}

// Verify says whether the id is still the schema's.
func (r *Registry) Verify(_ context.Context, schema string, id uint32) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.away {
		return errAway
	}
	if r.ids[schema] != id {
		return fmt.Errorf("schema %d: %w", id, registry.ErrReplaced)
	}
	return nil
}

// Forget does nothing: a Registry keeps nothing but what it is.
func (r *Registry) Forget() {}

// Latest returns a subject's latest schema.
func (r *Registry) Latest(_ context.Context, subject string) (uint32, string, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.away {
		return 0, "", errAway
	}
	id, ok := r.latest[subject]
	if !ok {
		return 0, "", fmt.Errorf("subject %s: %w", subject, registry.ErrNotRegistered)
	}
	return id, r.texts[id], nil
}

// Away makes the registry answer nothing, or answer again.
func (r *Registry) Away(away bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.away = away
}

// Lag makes the registry deny the ids that it has given out so far (a replica that is behind), or know them again.
func (r *Registry) Lag(lag bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	clear(r.lags)
	if lag {
		for id := range r.texts {
			r.lags[id] = true
		}
	}
}

// Hide makes one id unknown, or known again.
func (r *Registry) Hide(id uint32, hidden bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lags[id] = hidden
}

// Asked is how often ByID was called.
func (r *Registry) Asked() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.asked
}
