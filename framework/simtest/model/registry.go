package model

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/syncline-io/syncline/framework/failure"
	"github.com/syncline-io/syncline/framework/registry"
)

// Registry gives schemas their ids, for a source's loop as for a sink's. It is safe for concurrent use.
type Registry struct {
	mu     sync.Mutex
	texts  map[uint32]string
	ids    map[string]uint32 // by text
	last   uint32
	latest map[string][]uint32 // by subject, oldest first
	away   bool
	lags   map[uint32]bool // ids that are not known yet
	lost   map[uint32]string
	refuse bool
	asked  int
}

// NewRegistry makes an empty one.
func NewRegistry() *Registry {
	return &Registry{texts: map[uint32]string{}, ids: map[string]uint32{}, latest: map[string][]uint32{}, lags: map[uint32]bool{}, lost: map[uint32]string{}}
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
	if slices.Contains(r.latest[subject], id) {
		return id, nil
	}
	if r.refuse && len(r.latest[subject]) > 0 {
		return 0, failure.As(failure.Config, fmt.Errorf("subject %s: %w as incompatible", subject, registry.ErrRefused), "")
	}
	if id == 0 {
		r.last++
		id = r.last
		r.ids[schema], r.texts[id] = id, schema
	}
	r.latest[subject] = append(r.latest[subject], id)
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
	if r.texts[id] != schema {
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
	all := r.latest[subject]
	if len(all) == 0 {
		return 0, "", fmt.Errorf("subject %s: %w", subject, registry.ErrNotRegistered)
	}
	id := all[len(all)-1]
	return id, r.texts[id], nil
}

// Refuse makes the registry take no schema for a subject that has another one, as under a level that nothing is compatible
// with, or take them again.
func (r *Registry) Refuse(refuse bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.refuse = refuse
}

// Restore makes the registry what it was before it gave its last n ids. It gives none of them again: what is registered now
// gets higher ones.
func (r *Registry) Restore(n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for id := r.last; id > 0 && n > 0; id, n = id-1, n-1 {
		text, ok := r.texts[id]
		if !ok {
			continue
		}
		r.lost[id] = text
		delete(r.texts, id)
		delete(r.ids, text)
		for subject, ids := range r.latest {
			r.latest[subject] = slices.DeleteFunc(ids, func(i uint32) bool { return i == id })
		}
	}
}

// Reimport brings back what Restore has lost, under the ids that it had.
func (r *Registry) Reimport() {
	r.mu.Lock()
	defer r.mu.Unlock()
	maps.Copy(r.texts, r.lost)
	clear(r.lost)
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
