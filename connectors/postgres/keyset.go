package postgres

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/syncline-io/syncline/framework/failure"
)

// keySetBytes bounds the memory that the keys of the open transaction take, of all tables: 32 MiB, for about 230,000 keys.
// What does not fit goes to a file in the folder for temporary files, of 35 to 130 bytes for each key.
const keySetBytes = 32 << 20

// keySetWithin is the bound for a source that may keep so many bytes for itself; 0 is for nothing said.
func keySetWithin(bytes int64) int {
	if bytes == 0 {
		return keySetBytes
	}
	return int(min(bytes, keySetBytes))
}

// keyBytes is what a key takes in memory at most: its slot in a map that has just grown and is half empty, and its place
// in the order in which the map is written to the file.
const keyBytes = 144

// digest stands for a key or a row. Two of them that are equal by accident would lose a change, so it is a cryptographic
// one.
type digest [16]byte

// written is what a transaction has written under one key and not removed again.
type written struct {
	// top is the row that was written last, the one that was sent; below is one that was written before it and is still
	// there, if two says so.
	top, below digest
	two        bool
	// left says that the row that had the key before the transaction has gone; many, that more than two rows were written
	// under the key, of which nothing is remembered.
	left, many bool
}

// keySet remembers what was written under keys, in bounded memory: when it is full, all of it is moved to a file, in the
// order of the file's pages, and is the latest word on a key no longer than until the key comes again. The file is a table
// by hash that is asked for a page, so neither memory nor the time for a key grows with the transaction.
//
// The file is made when it is needed first, has no name, and is given back by reset. An error of it ends the run: nothing
// that is not remembered is sent, and the next run reads the transaction again.
type keySet struct {
	dir      string // for the file; "" is the system's folder for temporary files
	most     int    // keys that are held in memory
	pageSize int
	recent   map[digest]recentKey
	file     *keyFile // nil until the memory was full
	order    []digest
}

// recentKey is what is known of a key since the file was last written; a key that is gone may be in the file still.
type recentKey struct {
	written
	gone bool
}

func newKeySet(dir string, memory int) *keySet {
	return &keySet{dir: dir, most: max(1, memory/keyBytes), pageSize: keyPageSize, recent: map[digest]recentKey{}}
}

func (s *keySet) get(key digest) (w written, found bool, err error) {
	if r, ok := s.recent[key]; ok {
		return r.written, !r.gone, nil
	}
	if s.file == nil {
		return written{}, false, nil
	}
	w, found, err = s.file.get(key)
	return w, found, s.fileError(err)
}

func (s *keySet) put(key digest, w written) error { return s.note(key, recentKey{written: w}) }

func (s *keySet) remove(key digest) error {
	if s.file == nil {
		delete(s.recent, key)
		return nil
	}
	return s.note(key, recentKey{gone: true})
}

func (s *keySet) note(key digest, r recentKey) error {
	if len(s.recent) >= s.most {
		if _, ok := s.recent[key]; !ok {
			if err := s.spill(); err != nil {
				return s.fileError(err)
			}
		}
	}
	s.recent[key] = r
	return nil
}

// spill moves what is in memory to the file.
func (s *keySet) spill() (err error) {
	if s.file == nil {
		if s.file, err = newKeyFile(s.dir, s.pageSize, 1); err != nil {
			return err
		}
	}
	if s.file, err = s.file.withRoom(len(s.recent)); err != nil {
		return err
	}
	s.order = s.order[:0]
	for key := range s.recent {
		s.order = append(s.order, key)
	}
	slices.SortFunc(s.order, compareDigests)
	for _, key := range s.order {
		r := s.recent[key]
		if err := s.file.replace(key, &r.written, r.gone); err != nil {
			return err
		}
	}
	if err := s.file.flush(); err != nil {
		return err
	}
	clear(s.recent)
	return nil
}

func compareDigests(a, b digest) int { return bytes.Compare(a[:], b[:]) }

// fewKeys is how many keys a map may have had to be used again: to clear one costs what it has grown to.
const fewKeys = 1000

// reset forgets everything, and gives back the file and what memory a large transaction took.
func (s *keySet) reset() {
	switch n := len(s.recent); {
	case s.file != nil || n > fewKeys:
		s.recent, s.order = map[digest]recentKey{}, nil
	case n > 0:
		clear(s.recent)
	}
	if s.file != nil {
		s.file.close()
		s.file = nil
	}
}

// fileError says what the file is for, and that its folder can be another one.
func (s *keySet) fileError(err error) error {
	if err == nil {
		return nil
	}
	return failure.WithHint(fmt.Errorf("remember the keys that a large transaction has written, in a temporary file: %w", err),
		"make room there, or have TMPDIR name another folder; the transaction is read again")
}
