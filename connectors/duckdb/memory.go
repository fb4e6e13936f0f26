package duckdb

import (
	"fmt"

	"github.com/syncline-io/syncline/framework/config"
)

const (
	// memoryLeast is the least bound that DuckDB is given.
	memoryLeast = 64 << 20
	// memoryBeside is what its bound does not count: the pages of its library (50 MB), the chunks and texts that statements work on,
	// and what its allocator has freed and not given back.
	memoryBeside = 256 << 20
)

// within gives DuckDB half of the connector's memory without what it takes beside its bound, or the bound that memory_limit sets if
// that is no more; and returns all that it takes.
func (c SinkConfig) within(bytes int64) (SinkConfig, int64, error) {
	limit := (bytes - memoryBeside) / 2
	if limit < memoryLeast {
		return c, 0, fmt.Errorf("memory_limit: DuckDB needs %s beside what it bounds itself, and a bound of at least %s: want memory to be at least %s",
			config.Size(memoryBeside), config.Size(memoryLeast), config.Size(memoryBeside+2*memoryLeast))
	}
	if c.MemoryLimit == "" {
		c.MemoryLimit = fmt.Sprintf("%dKiB", limit>>10)
		return c, limit + memoryBeside, nil
	}
	var set config.Size
	if err := set.UnmarshalText([]byte(c.MemoryLimit)); err != nil {
		return c, 0, fmt.Errorf("memory_limit: %q cannot be compared with memory: %w", c.MemoryLimit, err)
	}
	if int64(set) > limit {
		return c, 0, fmt.Errorf("memory_limit: %s does not fit memory: %s; leave memory_limit out, which makes it %s, or set memory to at least %s",
			c.MemoryLimit, config.Size(bytes), config.Size(limit&^(1<<10-1)), config.Size(memoryBeside+2*int64(set)))
	}
	return c, int64(set) + memoryBeside, nil
}
