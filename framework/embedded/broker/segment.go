package broker

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A partition of kfake is a folder "<topic>-<number>" of segments: files "<first offset>.dat" that hold Kafka's record
// batches (format 2), one after the other. This file reads them; kfake alone writes them.

// batch is the header of one record batch. Its layout is Kafka's.
type batch struct {
	at             int64 // position in the file
	size           int64 // with the 12 bytes of offset and length
	firstOffset    int64
	lastOffset     int64
	attributes     uint16
	firstTimestamp int64
	maxTimestamp   int64
	producerID     int64
	producerEpoch  int16
	firstSequence  int32
	records        int32
}

const (
	batchHeaderSize  = 61
	batchSizeMax     = 1 << 30
	attrTransaction  = 0x10
	attrControl      = 0x20
	batchPrefixSize  = 12 // first offset and length
	batchChecksumEnd = 21 // where the checksummed part begins
)

func parseBatch(h []byte, at int64) (batch, error) {
	be := binary.BigEndian
	b := batch{
		at:             at,
		size:           batchPrefixSize + int64(int32(be.Uint32(h[8:]))),
		firstOffset:    int64(be.Uint64(h)),
		attributes:     be.Uint16(h[21:]),
		firstTimestamp: int64(be.Uint64(h[27:])),
		maxTimestamp:   int64(be.Uint64(h[35:])),
		producerID:     int64(be.Uint64(h[43:])),
		producerEpoch:  int16(be.Uint16(h[51:])),
		firstSequence:  int32(be.Uint32(h[53:])),
		records:        int32(be.Uint32(h[57:])),
	}
	b.lastOffset = b.firstOffset + int64(int32(be.Uint32(h[23:])))
	if b.size < batchHeaderSize || b.size > batchSizeMax || h[16] != 2 || b.lastOffset < b.firstOffset {
		return batch{}, fmt.Errorf("no record batch at byte %d", at)
	}
	return b, nil
}

// segment is one file of a partition.
type segment struct {
	path     string
	base     int64
	size     int64
	modified time.Time
}

// partition is one partition's folder.
type partition struct {
	path   string
	topic  string
	number int32
}

// partitions lists the folders under dir.
func partitions(dir string) ([]partition, error) {
	root := filepath.Join(dir, "partitions")
	entries, err := os.ReadDir(root)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var all []partition
	for _, e := range entries {
		dash := strings.LastIndexByte(e.Name(), '-')
		if dash < 0 {
			continue
		}
		topic, err1 := url.PathUnescape(e.Name()[:dash])
		number, err2 := strconv.ParseInt(e.Name()[dash+1:], 10, 32)
		if err1 == nil && err2 == nil {
			all = append(all, partition{filepath.Join(root, e.Name()), topic, int32(number)})
		}
	}
	return all, err
}

func (p partition) String() string { return fmt.Sprintf("%s-%d", p.topic, p.number) }

// segments lists the partition's files in the order of their offsets.
func (p partition) segments() ([]segment, error) {
	entries, err := os.ReadDir(p.path)
	if err != nil {
		return nil, err
	}
	var all []segment
	for _, e := range entries {
		name, ok := strings.CutSuffix(e.Name(), ".dat")
		base, err := strconv.ParseInt(name, 10, 64)
		if !ok || err != nil {
			continue
		}
		info, err := e.Info()
		if errors.Is(err, fs.ErrNotExist) {
			continue // deleted since
		}
		if err != nil {
			return nil, err
		}
		all = append(all, segment{filepath.Join(p.path, e.Name()), base, info.Size(), info.ModTime()})
	}
	slices.SortFunc(all, func(a, b segment) int { return int(min(max(a.base-b.base, -1), 1)) })
	return all, nil
}

// scan calls each with every whole batch, and returns where the last one ends: less than the file's size when the
// file's end is torn, or is being written. With verify it also checks the checksums. raw is the whole batch when verify
// is set, and nil otherwise; it is valid until each returns.
func (s segment) scan(verify bool, each func(b batch, raw []byte) error) (end int64, err error) {
	f, err := os.Open(s.path)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	header := make([]byte, batchHeaderSize)
	var raw []byte
	for {
		if _, err := f.ReadAt(header, end); err != nil {
			if errors.Is(err, io.EOF) {
				err = nil
			}
			return end, err
		}
		b, err := parseBatch(header, end)
		if err != nil || end+b.size > s.size {
			return end, nil
		}
		if verify {
			raw = slices.Grow(raw[:0], int(b.size))[:b.size]
			if _, err := f.ReadAt(raw, end); err != nil {
				return end, err
			}
			if crc32.Checksum(raw[batchChecksumEnd:], castagnoli) != binary.BigEndian.Uint32(raw[17:]) {
				return end, nil
			}
		}
		if err := each(b, raw); err != nil {
			return end, err
		}
		end += b.size
	}
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)
