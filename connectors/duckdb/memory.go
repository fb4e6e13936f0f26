package duckdb

import (
	"fmt"

	"github.com/syncline-io/syncline/framework/config"
)

// memoryLeast is the least that DuckDB is given: below it, batches of wide rows end with its error that it is out of memory.
const memoryLeast = 64 << 20

// within gives DuckDB half of the connector's memory, or what memory_limit says if that is no more.
func (c SinkConfig) within(bytes int64) (SinkConfig, int64, error) {
	half := bytes / 2
	if c.MemoryLimit == "" {
		if half < memoryLeast {
			return c, 0, fmt.Errorf("memory_limit: DuckDB needs %s, half of memory: want memory to be at least %s",
				config.Size(memoryLeast), config.Size(2*memoryLeast))
		}
		c.MemoryLimit = fmt.Sprintf("%dKiB", half>>10)
		return c, half, nil
	}
	var set config.Size
	if err := set.UnmarshalText([]byte(c.MemoryLimit)); err != nil {
		return c, 0, fmt.Errorf("memory_limit: %q cannot be compared with memory: %w", c.MemoryLimit, err)
	}
	if int64(set) > half {
		return c, 0, fmt.Errorf("memory_limit: %s does not fit memory: %s; leave memory_limit out, which makes it half of that, or set memory to at least %s",
			c.MemoryLimit, config.Size(bytes), 2*set)
	}
	return c, int64(set), nil
}
