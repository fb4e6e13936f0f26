package run

import (
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/syncline-io/syncline/framework/source"
)

// synced is a source that is told of a position only after the embedded broker's files have been synced to the disk, at
// most once in syncPause: the upstream log must not be released for what a loss of power could take back.
type synced struct {
	source.Source
	sync func() error
	log  *zap.Logger

	mu      sync.Mutex
	last    time.Time
	waiting *source.Position // confirmed by the publisher and not yet passed on
	timer   *time.Timer      // runs while something is waiting
	closed  bool
}

// syncPause is short enough for a source that waits for a confirmation when it starts.
const syncPause = 200 * time.Millisecond

// Confirm passes p on after a sync, now or within syncPause; a later p takes the place of one that is waiting.
func (s *synced) Confirm(p source.Position) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.waiting = &p
	if wait := syncPause - time.Since(s.last); wait <= 0 {
		s.pass()
	} else if s.timer == nil && !s.closed {
		s.timer = time.AfterFunc(wait, func() {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.timer = nil
			s.pass()
		})
	}
}

// pass syncs and passes on what is waiting. After a sync that failed the position goes on waiting, for ever: what a disk
// has failed to write once may be lost although the next sync succeeds, so that only a restart, which reads the position
// back, can tell.
func (s *synced) pass() {
	if s.waiting == nil || s.closed {
		return
	}
	s.last = time.Now()
	if err := s.sync(); err != nil {
		s.closed = true
		s.log.Error("sync of the embedded broker; nothing is confirmed upstream until a restart", zap.Error(err))
		return
	}
	s.Source.Confirm(*s.waiting)
	s.waiting = nil
}

// Close passes on what is waiting and closes the source. No call of Confirm comes after it.
func (s *synced) Close() error {
	s.mu.Lock()
	s.pass()
	s.closed = true
	if s.timer != nil {
		s.timer.Stop() // a call that is under way finds nothing waiting
	}
	s.mu.Unlock()
	return s.Source.Close()
}
