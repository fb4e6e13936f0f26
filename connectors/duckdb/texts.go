//go:build cgo

package duckdb

import (
	"unsafe"

	"github.com/duckdb/duckdb-go/mapping"
)

// texts writes the texts or blobs of one column. Short ones lie in the vector itself. Long ones are gathered and given to DuckDB
// together, and the vector's elements then point into them: for each by itself the way through cgo, with a copy and an allocation
// that lasts for the call, was half the time of filling a chunk. It is used again for the next chunk.
type texts struct {
	buf    []byte
	placed []placedText
}

// placedText is a long text: its row and its place in buf.
type placedText struct{ row, at, length int }

// shortText is DuckDB's layout of a text or blob of up to 12 bytes, longText that of others: the first four bytes, and where
// they all are. Both have the length first.
type shortText struct {
	length uint32
	inline [12]byte
}

type longText struct {
	length uint32
	prefix [4]byte
	data   uintptr // in DuckDB's memory: it lives as long as the vector
}

const (
	// textsAtOnce is how many bytes are gathered before DuckDB gets them, and textsKept how large the memory for it may stay.
	textsAtOnce = 256 << 10
	textsKept   = 1 << 20
)

// add writes element i of v, or does so with the next flush.
func (t *texts) add(v vector, i int, b []byte) {
	if len(b) <= len(shortText{}.inline) {
		s := shortText{length: uint32(len(b))}
		copy(s.inline[:], b)
		set(v, i, s)
		return
	}
	t.placed = append(t.placed, placedText{i, len(t.buf), len(b)})
	if t.buf = append(t.buf, b...); len(t.buf) >= textsAtOnce {
		t.flush(v)
	}
}

// flush writes what was gathered. Whoever has added to v calls it before v is used.
func (t *texts) flush(v vector) {
	if len(t.placed) == 0 {
		return
	}
	// As the text of one element, all of them come to lie in the vector's heap, one after the other.
	first := t.placed[0].row
	mapping.VectorAssignStringElementLen(v.vec, mapping.IdxT(first), t.buf)
	heap := (*longText)(unsafe.Add(v.data, uintptr(first)*unsafe.Sizeof(longText{}))).data
	for _, p := range t.placed {
		s := longText{length: uint32(p.length), data: heap + uintptr(p.at)}
		copy(s.prefix[:], t.buf[p.at:])
		set(v, p.row, s)
	}
	t.buf, t.placed = t.buf[:0], t.placed[:0]
	if cap(t.buf) > textsKept {
		t.buf = nil
	}
}
