package broker

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// syncer writes files through to the disk; it remembers which it has seen unchanged since.
type syncer struct {
	mu     sync.Mutex
	synced map[string]fileState
	// failed is the first failure, which every later call returns: after a write that the disk has refused once the
	// next sync can succeed although the data are lost.
	failed error
}

type fileState struct {
	size    int64
	changed time.Time
}

func (s *syncer) sync(dir string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.failed != nil {
		return s.failed
	}
	seen := make(map[string]fileState, len(s.synced))
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil // deleted by retention since its folder was read
		}
		if err != nil {
			return err
		}
		info, err := d.Info()
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		// The state from before the sync: what is written meanwhile shows as a change the next time.
		state := fileState{info.Size(), info.ModTime()}
		seen[path] = state
		if s.synced[path] == state {
			return nil
		}
		return syncPath(path)
	})
	if err != nil {
		s.failed = fmt.Errorf("write the broker's data through to the disk: %w", err)
		return s.failed
	}
	s.synced = seen
	return nil
}

func syncPath(path string) error {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	return f.Sync()
}
