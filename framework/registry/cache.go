package registry

import (
	"container/list"
	"sync"
)

// cache keeps the values used last, up to a bound in bytes; a value beyond it is asked for again, which costs one
// request and no correctness. It is safe for concurrent use.
type cache[K comparable, V any] struct {
	mu       sync.Mutex
	bytesMax int
	bytes    int
	entries  map[K]*list.Element
	used     *list.List // of *entry[K, V], the last used first
}

type entry[K comparable, V any] struct {
	key  K
	v    V
	size int
}

// entryOverhead is about what the map and the list need for one entry, so that small values are bounded too.
const entryOverhead = 256

func newCache[K comparable, V any](bytesMax int) *cache[K, V] {
	return &cache[K, V]{bytesMax: bytesMax, entries: make(map[K]*list.Element), used: list.New()}
}

func (c *cache[K, V]) get(k K) (v V, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := c.entries[k]
	if !ok {
		return v, false
	}
	c.used.MoveToFront(e)
	return e.Value.(*entry[K, V]).v, true
}

// put keeps v, whose own size is size bytes, and drops what was used longest ago to make room.
func (c *cache[K, V]) put(k K, v V, size int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e, ok := c.entries[k]; ok {
		c.drop(e)
	}
	size += entryOverhead
	c.entries[k] = c.used.PushFront(&entry[K, V]{k, v, size})
	c.bytes += size
	for c.bytes > c.bytesMax && c.used.Len() > 1 {
		c.drop(c.used.Back())
	}
}

// clear drops everything.
func (c *cache[K, V]) clear() {
	c.mu.Lock()
	defer c.mu.Unlock()
	clear(c.entries)
	c.used.Init()
	c.bytes = 0
}

func (c *cache[K, V]) drop(e *list.Element) {
	old := c.used.Remove(e).(*entry[K, V])
	delete(c.entries, old.key)
	c.bytes -= old.size
}
