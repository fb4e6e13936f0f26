package postgres

import (
	"encoding/binary"
	"errors"
	"math/bits"
	"os"
	"slices"
)

// A key's record is the key, a byte of flags, the row on top, and the row below it if there is one. A page begins with the
// number of its bytes that are in use, and a byte that says whether records that belong here have had to go to the next one.
const (
	keyPageSize   = 4096
	keyPageHeader = 3
	keyRecord     = 16 + 1 + 16
	keyRecordTwo  = keyRecord + 16
)

const (
	flagTwo = 1 << iota
	flagLeft
	flagMany
)

// keyFile is a table by hash in a file without a name. The first bits of a key, which is a hash itself, are the number of
// its page; where that is full, the record is in the next page that has room. Changes in the order of the keys therefore
// go through the file from its start to its end once.
//
// It is the scratch paper of one transaction in one process: nothing in it is read after a crash, and it is never synced.
type keyFile struct {
	f        *os.File
	dir      string
	pageSize int
	pages    uint64 // a power of two
	used     uint64 // bytes of all records

	// page is the one that was read last, numbered at; dirty says that it is to be written.
	page  []byte
	at    uint64
	valid bool
	dirty bool
}

// newKeyFile makes a file of empty pages, which take no room on the disk until they are written.
func newKeyFile(dir string, pageSize int, pages uint64) (*keyFile, error) {
	f, err := os.CreateTemp(dir, "syncline-keys-")
	if err != nil {
		return nil, err
	}
	k := &keyFile{f: f, dir: dir, pageSize: pageSize, pages: pages, page: make([]byte, pageSize)}
	// Without a name it goes with the process, however that ends.
	if err := errors.Join(os.Remove(f.Name()), f.Truncate(int64(pages)*int64(pageSize))); err != nil {
		k.close()
		return nil, err
	}
	return k, nil
}

// close gives the file's room back. What could not be written is not wanted any more.
func (k *keyFile) close() { _ = k.f.Close() }

// get looks a key up.
func (k *keyFile) get(key digest) (w written, found bool, err error) {
	at, err := k.find(key)
	if err != nil || at < 0 {
		return written{}, false, err
	}
	return decodeKey(k.page[at:]), true, nil
}

// replace gives a key another record, or none.
func (k *keyFile) replace(key digest, w *written, gone bool) error {
	at, err := k.find(key)
	if err != nil {
		return err
	}
	if at >= 0 {
		k.cut(at)
	}
	if gone {
		return nil
	}
	return k.add(key, w)
}

// find reads pages until it has the one with the key's record, and returns the record's place in it; -1 if there is none.
func (k *keyFile) find(key digest) (at int, err error) {
	for n := k.home(key); ; n = (n + 1) % k.pages {
		if err := k.load(n); err != nil {
			return -1, err
		}
		used := k.pageUsed()
		for at := keyPageHeader; at < used; at += recordSize(k.page[at:]) {
			if digest(k.page[at:]) == key {
				return at, nil
			}
		}
		if k.page[2] == 0 {
			return -1, nil
		}
		if (n+1)%k.pages == k.home(key) {
			return -1, nil
		}
	}
}

// add puts a record where it is found: into the first page from its own on that has room. Those before know that they
// were full. There is one with room: withRoom has seen to it.
func (k *keyFile) add(key digest, w *written) error {
	size := keyRecord
	if w.two {
		size = keyRecordTwo
	}
	for n := k.home(key); ; n = (n + 1) % k.pages {
		if err := k.load(n); err != nil {
			return err
		}
		k.dirty = true
		used := k.pageUsed()
		if used+size <= k.pageSize {
			encodeKey(k.page[used:], key, w)
			k.setPageUsed(used + size)
			k.used += uint64(size)
			return nil
		}
		k.page[2] = 1
	}
}

// cut takes a record out of the page that is loaded.
func (k *keyFile) cut(at int) {
	used, size := k.pageUsed(), recordSize(k.page[at:])
	copy(k.page[at:used], k.page[at+size:used])
	k.setPageUsed(used - size)
	k.used -= uint64(size)
	k.dirty = true
}

// home is the page of a key.
func (k *keyFile) home(key digest) uint64 {
	if k.pages == 1 {
		return 0
	}
	return binary.BigEndian.Uint64(key[:]) >> (64 - bits.TrailingZeros64(k.pages))
}

// load makes a page the current one; the one before is written if it has changed.
func (k *keyFile) load(n uint64) error {
	if k.valid && k.at == n {
		return nil
	}
	if err := k.flush(); err != nil {
		return err
	}
	k.valid = false
	if _, err := k.f.ReadAt(k.page, int64(n)*int64(k.pageSize)); err != nil {
		return err
	}
	k.at, k.valid = n, true
	if binary.LittleEndian.Uint16(k.page) == 0 { // never written
		k.setPageUsed(keyPageHeader)
	}
	return nil
}

// flush writes the current page if it has changed.
func (k *keyFile) flush() error {
	if !k.dirty {
		return nil
	}
	if _, err := k.f.WriteAt(k.page, int64(k.at)*int64(k.pageSize)); err != nil {
		return err
	}
	k.dirty = false
	return nil
}

func (k *keyFile) pageUsed() int { return int(binary.LittleEndian.Uint16(k.page)) }

func (k *keyFile) setPageUsed(n int) { binary.LittleEndian.PutUint16(k.page, uint16(n)) }

// withRoom returns a file with these records that takes so many more without being filled to more than 60 percent: this one,
// or another one with more pages. Then hardly a page of 4 KiB is ever full.
func (k *keyFile) withRoom(keys int) (*keyFile, error) {
	need := k.used + uint64(keys)*keyRecordTwo
	pages := k.pages
	for need > pages*uint64(k.pageSize-keyPageHeader)*6/10 {
		pages *= 2
	}
	if pages == k.pages {
		return k, nil
	}
	larger, err := newKeyFile(k.dir, k.pageSize, pages)
	if err != nil {
		return k, err
	}
	if err := k.copyTo(larger); err != nil {
		larger.close()
		return k, err
	}
	k.close()
	return larger, nil
}

// copyTo adds all records to another file. Those of one page go to neighbouring ones there, in order.
func (k *keyFile) copyTo(other *keyFile) error {
	type record struct {
		key digest
		w   written
	}
	var records []record
	for n := range k.pages {
		if err := k.load(n); err != nil {
			return err
		}
		records = records[:0]
		for at := keyPageHeader; at < k.pageUsed(); at += recordSize(k.page[at:]) {
			records = append(records, record{key: digest(k.page[at:]), w: decodeKey(k.page[at:])})
		}
		slices.SortFunc(records, func(a, b record) int { return compareDigests(a.key, b.key) })
		for i := range records {
			if err := other.add(records[i].key, &records[i].w); err != nil {
				return err
			}
		}
	}
	return other.flush()
}

func recordSize(b []byte) int {
	if b[16]&flagTwo != 0 {
		return keyRecordTwo
	}
	return keyRecord
}

func encodeKey(b []byte, key digest, w *written) {
	copy(b, key[:])
	b[16] = 0
	if w.left {
		b[16] |= flagLeft
	}
	if w.many {
		b[16] |= flagMany
	}
	copy(b[17:], w.top[:])
	if w.two {
		b[16] |= flagTwo
		copy(b[keyRecord:], w.below[:])
	}
}

func decodeKey(b []byte) (w written) {
	w.two, w.left, w.many = b[16]&flagTwo != 0, b[16]&flagLeft != 0, b[16]&flagMany != 0
	w.top = digest(b[17:keyRecord])
	if w.two {
		w.below = digest(b[keyRecord:keyRecordTwo])
	}
	return w
}
