package publish

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/syncline-io/syncline/framework/failure"
	"github.com/syncline-io/syncline/framework/registry"
)

const (
	// guardInterval is how often ids are asked about, and so for how long a registry that was restored from a backup can
	// go unnoticed by a source that has no new schema to register.
	guardInterval = 10 * time.Second
	// guardTimeout bounds one such question.
	guardTimeout = 30 * time.Second
)

// guard sees to it that nothing goes on being published with ids that no longer mean the schemas that it was written
// with. A source asks the registry for nothing once its tables are known, so it would not notice by itself that the
// registry was restored from a backup, or replaced: its records would carry ids that mean nothing, or another schema.
//
// Two ids are asked about at a time: the highest, which a backup is the first to lack, and one in turn. When the registry
// was away, all of them are: it may have come back as another one. Trouble with the registry stops nothing.
type guard struct {
	registry   Registry
	log        *zap.Logger
	quarantine bool // a table whose schema is refused stops nothing

	mu    sync.Mutex
	inUse []watched // by id
	turn  int
}

// watched is an id and what it must mean.
type watched struct {
	subject, schema string
	id              uint32
}

func newGuard(o *Options) *guard {
	return &guard{registry: o.Registry, log: o.Log, quarantine: o.Quarantine}
}

// watch adds an id, which replaces the one that its subject had before.
func (g *guard) watch(w watched) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.inUse = slices.DeleteFunc(g.inUse, func(o watched) bool { return o.subject == w.subject })
	at, _ := slices.BinarySearchFunc(g.inUse, w.id, func(o watched, id uint32) int { return int(o.id) - int(id) })
	g.inUse = slices.Insert(g.inUse, at, w)
}

// due returns what to ask about: all, or the highest id and the next in turn.
func (g *guard) due(all bool) []watched {
	g.mu.Lock()
	defer g.mu.Unlock()
	n := len(g.inUse)
	if all || n < 2 {
		return slices.Clone(g.inUse)
	}
	g.turn = (g.turn + 1) % (n - 1)
	return []watched{g.inUse[n-1], g.inUse[g.turn]}
}

// run asks until ctx ends. An error says that an id in use means something else, and what it has become.
func (g *guard) run(ctx context.Context) error {
	var backoff failure.Backoff
	wait, away := guardInterval, false
	for {
		if failure.Sleep(ctx, wait) != nil {
			return nil
		}
		trouble, err := g.check(ctx, g.due(away))
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil:
			return err
		case trouble != nil:
			if !away {
				g.log.Warn("the schema registry does not answer; what needs no new schema is published on, and the ids in use are verified when it answers again",
					zap.Error(trouble))
			}
			wait, away = max(backoff.Next(trouble), time.Second), true
			continue
		case away:
			g.log.Info("the schema registry answers again, and the ids in use mean what they did")
		}
		backoff.Reset()
		wait, away = guardInterval, false
	}
}

// check asks about ids. trouble says that the registry could not tell.
func (g *guard) check(ctx context.Context, ids []watched) (trouble, err error) {
	for _, w := range ids {
		trouble, err := g.verify(ctx, w)
		if trouble != nil || err != nil {
			return trouble, err
		}
	}
	return nil, nil
}

func (g *guard) verify(ctx context.Context, w watched) (trouble, err error) {
	ctx, cancel := context.WithTimeout(ctx, guardTimeout)
	defer cancel()
	found := g.registry.Verify(ctx, w.schema, w.id)
	if found == nil || !errors.Is(found, registry.ErrReplaced) {
		return found, nil
	}
	// An id that one replica does not know yet, or that the registry gives to the same schema again, does no harm.
	g.registry.Forget()
	id, err := g.registry.Register(ctx, w.subject, w.schema)
	switch {
	case err != nil && failure.Classify(err) == failure.Retry:
		return err, nil
	case g.quarantine && errors.Is(err, registry.ErrRefused):
		// Without the mark that would stop the connector: the next tenure sets this table aside, and the others go on.
		return nil, fmt.Errorf("the schema registry was restored or replaced: %v; and now: %v", found, err)
	case err != nil:
		return nil, fmt.Errorf("the schema registry was restored or replaced: %w; and now: %w", found, err)
	case id == w.id:
		g.log.Warn("the schema registry had lost a schema, which is registered again under its id",
			zap.String("subject", w.subject), zap.Uint32("id", id), zap.Error(found))
		return nil, nil
	}
	return nil, fmt.Errorf("the schema registry was restored or replaced: %w; subject %q has the id %d now instead of %d, and is published with it from here on",
		found, w.subject, id, w.id)
}
