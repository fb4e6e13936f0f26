package run

import (
	"errors"
	"fmt"
	"math"
	"runtime/debug"

	"github.com/KimMachineGun/automemlimit/memlimit"
	"go.uber.org/zap"

	"github.com/syncline-io/syncline/framework/config"
	"github.com/syncline-io/syncline/framework/sink"
)

// What a connector's memory is for. The figures were measured with the programs of cmd on Linux, amd64.
const (
	// memoryAtRest is what a connector takes that holds no rows: the resident pages of its program, Go's runtime, the Kafka
	// client's and the database's connections.
	memoryAtRest = 32 << 20
	// memoryUncounted is of that what Go's runtime does not count, and so is not under its limit: mostly pages of the program.
	memoryUncounted = 24 << 20
	// memoryLeast is the least that a connector can be given.
	memoryLeast = 48 << 20

	// A source's buffer gets half of what is left, so that what is compressed for a request and what the garbage collector has
	// not found yet have the other; and the source itself an eighth.
	bufferShare, sourceShare = 2, 8
	// Of a sink's batches two are held, and six while rows are in conflict. What is fetched ahead is compressed, and held twice:
	// decompressed it is three to five times as large.
	batchShare, fetchShare = 8, 32
	fetchMost              = 16 << 20

	// gcPercent lets garbage stand for longer where the file gives the memory for it: at Go's own 100 collecting it is a tenth of a
	// sink's work.
	gcPercent = 400
)

// budget is what one connector may take.
type budget struct {
	bytes int64 // 0: there is no bound
	// stated says that the file has it, so that sizes that do not fit are errors. Else it is the container's limit.
	stated bool
	// native is the part of it that the target's library has.
	native int64
}

// budgetOf returns what the file gives to its connector, else its share of the container.
func budgetOf(c config.Common, share int64) budget {
	if c.Memory > 0 {
		return budget{bytes: int64(c.Memory), stated: true}
	}
	return budget{bytes: share}
}

// shareOf is what each of n connectors has of a container's memory beside the platform; 0: the container has no limit. Where
// the platform leaves nothing it is a byte: that is the least, and no memory without a bound.
func shareOf(container, platform int64, n int) int64 {
	if container == 0 {
		return 0
	}
	return max((container-platform)/int64(max(n, 1)), 1)
}

// short says that a container leaves less than a connector needs. It is no error: it may well run, and be killed one day.
func (b budget) short() error {
	if b.stated || b.bytes == 0 || b.bytes >= memoryLeast {
		return nil
	}
	return fmt.Errorf("it leaves %s, and a connector needs at least %s", wholeKB(config.Size(b.bytes)), config.Size(memoryLeast))
}

// rows is what is left for rows beside the connector itself.
func (b budget) rows() int64 { return max(b.bytes-b.native, memoryLeast) - memoryAtRest }

// least reports a budget in which no connector can work.
func (b budget) least() error {
	if b.stated && b.bytes < memoryLeast {
		return fmt.Errorf("memory: %s is too little: want at least %s", config.Size(b.bytes), config.Size(memoryLeast))
	}
	return nil
}

// fit bounds a size that is a share of the rows' memory. set says that the file has it, under key.
func (b budget) fit(size *config.Size, share int64, key string, set bool) error {
	fits := config.Size(b.rows() / share)
	switch {
	case b.bytes == 0, *size <= fits:
	case !set:
		*size = fits
	case b.stated:
		more := fmt.Sprintf("set memory to at least %s", wholeMB(memoryAtRest+int64(*size)*share))
		if b.native > 0 {
			more = "give more memory" // how much of it the library would take is for the library to say
		}
		return fmt.Errorf("%s: %s does not fit memory: %s; leave %s out, which makes it %s, or %s",
			key, *size, config.Size(b.bytes), key, wholeKB(fits), more)
	}
	return nil
}

// wholeKB and wholeMB give sizes that a person would write.
func wholeKB(s config.Size) config.Size { return s &^ (1<<10 - 1) }

func wholeMB(bytes int64) config.Size { return config.Size((bytes + 1<<20 - 1) &^ (1<<20 - 1)) }

// fitSource derives the sizes that the file does not set, and returns what the source may keep itself; 0 without a bound.
func fitSource(b budget, d *config.Document, c *config.Source) (own int64, err error) {
	if b.bytes == 0 {
		return 0, nil
	}
	err = b.fit(&c.Buffer, bufferShare, "buffer", d.Sets("buffer"))
	return b.rows() / sourceShare, errors.Join(b.least(), err)
}

// sinkMemory is what a sink has beside its batches.
type sinkMemory struct {
	fetch  int   // how much may be fetched ahead; 0 without a bound
	native int64 // what the target's library has
	short  error // why the container's memory is too little, nil when it is not
}

// fitLibrary lets the sink bound the target's library, and returns what that may take. With an error the section is as the file
// has it.
func fitLibrary[C interface{ Validate() error }](b budget, c sink.Connector[C], section C) (C, int64, error) {
	if b.bytes == 0 || c.Memory == nil {
		return section, 0, nil
	}
	fitted, native, err := c.Memory(section, b.bytes)
	if err != nil {
		return section, 0, fmt.Errorf("%s.%w", c.Section, err)
	}
	return fitted, native, nil
}

// fitSink derives the sizes that the file does not set from what the target's library leaves.
func fitSink(b budget, native int64, d *config.Document, c *config.Sink) (sinkMemory, error) {
	if b.bytes == 0 {
		return sinkMemory{}, nil
	}
	b.native = native
	err := b.fit(&c.Batch.Bytes, batchShare, "batch.bytes", d.Sets("batch", "bytes"))
	return sinkMemory{fetch: int(min(b.rows()/fetchShare, fetchMost)), native: native}, errors.Join(b.least(), err)
}

// limit is the memory of a process.
type limit struct {
	bytes int64 // 0: none
	// native is the part of it that libraries other than Go's runtime have.
	native int64
}

// limitOf adds up what the tasks were given. Either all of them say it, or none does and the container counts.
func limitOf(tasks []*task, p Platform, container int64) (limit, error) {
	var l limit
	var with, without string
	for _, t := range tasks {
		l.native += t.native
		if l.bytes += int64(t.common.Memory); t.common.Memory > 0 {
			with = t.file
		} else {
			without = t.file
		}
	}
	switch {
	case with == "":
		l.bytes = container
		return l, nil
	case without != "":
		return l, fmt.Errorf("%s: memory: missing, while %s has it: the process has one bound, of which each file says its connector's part", without, with)
	}
	l.bytes += p.Memory
	return l, nil
}

// apply makes Go's garbage collector keep the process below the limit, and returns what undoes it. What GOMEMLIMIT says counts
// unless a file says something; then the collector also works no harder than that limit asks for.
func (l limit) apply(log *zap.Logger, stated bool) (undo func()) {
	before := debug.SetMemoryLimit(-1)
	if l.bytes == 0 || before != math.MaxInt64 && !stated {
		return func() {}
	}
	heap := max(l.bytes-l.native-memoryUncounted, memoryLeast-memoryUncounted)
	debug.SetMemoryLimit(heap)
	log.Info("memory is bounded", zap.Stringer("process", config.Size(l.bytes)), zap.Stringer("go", config.Size(heap)))
	if !stated {
		return func() { debug.SetMemoryLimit(before) }
	}
	percent := debug.SetGCPercent(gcPercent)
	return func() { debug.SetMemoryLimit(before); debug.SetGCPercent(percent) }
}

// containerMemory is what the container lets the process have, less a tenth for what others in it need; 0 where there is no
// limit, or none can be told.
func containerMemory() int64 {
	bytes, err := memlimit.FromCgroup()
	if err != nil || bytes > math.MaxInt64/2 { // a version 1 group without a limit has a huge one
		return 0
	}
	return int64(bytes) / 10 * 9
}
