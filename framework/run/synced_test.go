package run

import (
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"

	"github.com/syncline-io/syncline/framework/source"
	"github.com/syncline-io/syncline/schemas"
)

// confirmed is a source that notes what it is told, among the syncs.
type confirmed struct {
	source.Source
	mu    sync.Mutex
	calls []string
}

func (c *confirmed) note(what string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.calls = append(c.calls, what)
}

func (c *confirmed) Confirm(p source.Position) { c.note(string(rune('a' + p.Version.High))) }
func (c *confirmed) Close() error              { c.note("close"); return nil }

func at(n uint64) source.Position { return source.Position{Version: schemas.Version{High: n}} }

func TestASourceIsToldOnlyWhatIsSynced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &confirmed{}
		s := &synced{Source: c, log: zap.NewNop(), sync: func() error { c.note("sync"); return nil }}
		s.Confirm(at(0)) // at once
		s.Confirm(at(1)) // overtaken while it waits
		s.Confirm(at(2))
		time.Sleep(syncPause + time.Millisecond)
		s.Confirm(at(3))
		if err := s.Close(); err != nil { // does not wait
			t.Error(err)
		}
		time.Sleep(2 * syncPause)
		if want := []string{"sync", "a", "sync", "c", "sync", "d", "close"}; !slices.Equal(c.calls, want) {
			t.Errorf("got %v, want %v", c.calls, want)
		}
	})
}

func TestNothingIsConfirmedAfterAFailedSync(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &confirmed{}
		err := errors.New("disk")
		s := &synced{Source: c, log: zap.NewNop(), sync: func() error { e := err; err = nil; return e }}
		s.Confirm(at(0))
		time.Sleep(2 * syncPause)
		s.Confirm(at(1)) // this sync would succeed
		_ = s.Close()
		if want := []string{"close"}; !slices.Equal(c.calls, want) {
			t.Errorf("got %v, want %v", c.calls, want)
		}
	})
}
