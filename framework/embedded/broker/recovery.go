package broker

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"go.uber.org/zap"
)

// kfake writes some of its state only when it is closed, so that after a crash it is missing or, worse, old. The state
// is all in the segments; recoverFolder writes it anew before each start, after a crash or not, so that there is one way
// to start. The types below are kfake's files as of the version in go.mod.

// folderVersion is the version of kfake's files that this package knows.
const folderVersion = 1

type topicsFile struct {
	Version int `json:"version"`
	Topics  []struct {
		Name       string `json:"name"`
		Partitions int32  `json:"partitions"`
	} `json:"topics"`
}

// snapshotFile lets kfake load a partition file by file; without it, or when a size differs, it holds the whole
// partition in memory while it starts.
type snapshotFile struct {
	Version          int               `json:"version"`
	HighWatermark    int64             `json:"high_watermark"`
	LastStableOffset int64             `json:"last_stable_offset"`
	LogStartOffset   int64             `json:"log_start_offset"`
	Epoch            int32             `json:"epoch"`
	MaxTimestamp     int64             `json:"max_timestamp"`
	CreatedAt        time.Time         `json:"created_at"`
	Segments         []snapshotSegment `json:"segments"`
}

type snapshotSegment struct {
	BaseOffset int64 `json:"base_offset"`
	Size       int64 `json:"size"`
}

func recoverFolder(dir string, log *zap.Logger) error {
	topics, err := readTopics(dir)
	if err != nil || topics == nil {
		return err
	}
	// Members of groups and sessions of fetches: kfake restores them after an orderly stop only. A restart is the same
	// for consumers whichever way the broker ended: they join again.
	if err := os.Remove(filepath.Join(dir, "session_state.json")); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	all, err := partitions(dir)
	if err != nil {
		return err
	}
	var windows []windowEntry
	for _, p := range all {
		if count, known := topics[p.topic]; !known || p.number >= count {
			// The topic was deleted, and the process killed before its folder was. A new topic of the name must not
			// find the old records.
			if err := os.RemoveAll(p.path); err != nil {
				return err
			}
			continue
		}
		r, err := recoverPartition(p, log)
		if err != nil {
			return fmt.Errorf("recover partition %v: %w", p, err)
		}
		windows = append(windows, r...)
	}
	return writeJSON(filepath.Join(dir, "seq_windows.json"), windowsFile{Version: folderVersion, Windows: windows})
}

// readTopics returns the number of partitions by topic; nil for a new folder.
func readTopics(dir string) (map[string]int32, error) {
	raw, err := os.ReadFile(filepath.Join(dir, "topics.json"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, newFolder(dir)
	}
	if err != nil {
		return nil, err
	}
	var f topicsFile
	if err := json.Unmarshal(raw, &f); err != nil {
		return nil, fmt.Errorf("read topics.json: %w", err)
	}
	if f.Version != folderVersion {
		return nil, fmt.Errorf("topics.json has version %d, this program knows %d", f.Version, folderVersion)
	}
	topics := make(map[string]int32, len(f.Topics))
	for _, t := range f.Topics {
		topics[t.Name] = t.Partitions
	}
	return topics, nil
}

// newFolder refuses a folder that has records but has lost its list of topics, and clears one whose very first start
// was cut off: kfake would take the half for the whole.
func newFolder(dir string) error {
	if entries, _ := os.ReadDir(filepath.Join(dir, "partitions")); len(entries) > 0 {
		return fmt.Errorf("%s holds records but no topics.json", dir)
	}
	err := os.Remove(filepath.Join(dir, "meta.json"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// recoverPartition cuts a torn end off, writes the partition's snapshot, and returns what its producers wrote last.
func recoverPartition(p partition, log *zap.Logger) ([]windowEntry, error) {
	segments, err := p.segments()
	if err != nil {
		return nil, err
	}
	windows := make(producerWindows)
	snapshot := snapshotFile{Version: folderVersion}
	first, transactions := true, false
	for i, s := range segments {
		last := i == len(segments)-1
		end, err := s.scan(last, func(b batch, _ []byte) error {
			if first {
				first = false
				snapshot.LogStartOffset, snapshot.CreatedAt = b.firstOffset, time.UnixMilli(b.firstTimestamp)
			}
			snapshot.HighWatermark = b.lastOffset + 1
			snapshot.MaxTimestamp = max(snapshot.MaxTimestamp, b.maxTimestamp)
			transactions = transactions || b.attributes&(attrTransaction|attrControl) != 0
			windows.note(b)
			return nil
		})
		if err != nil {
			return nil, err
		}
		if end < s.size {
			log.Warn("cut the torn end of a segment off", zap.Stringer("partition", p), zap.String("segment", s.path), zap.Int64("bytes", s.size-end))
			if err := os.Truncate(s.path, end); err != nil {
				return nil, err
			}
		}
		snapshot.Segments = append(snapshot.Segments, snapshotSegment{s.base, end})
	}
	if first || transactions {
		return windows.entries(p), nil
	}
	snapshot.LastStableOffset = snapshot.HighWatermark
	path := filepath.Join(p.path, "snapshot.json")
	snapshot.LogStartOffset = min(max(snapshot.LogStartOffset, knownLogStart(path)), snapshot.HighWatermark)
	return windows.entries(p), writeJSON(path, snapshot)
}

// knownLogStart is where the log began when the last snapshot was written: in the middle of a batch, perhaps.
func knownLogStart(path string) int64 {
	var old snapshotFile
	raw, err := os.ReadFile(path)
	if err != nil || json.Unmarshal(raw, &old) != nil {
		return 0
	}
	return old.LogStartOffset
}

// writeJSON replaces a file so that it is whole at every moment.
func writeJSON(path string, v any) error {
	raw, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("write %s: %w", filepath.Base(path), err)
	}
	temp := path + ".tmp" // kfake clears these away
	if err := os.WriteFile(temp, raw, 0o644); err != nil {
		return err
	}
	return os.Rename(temp, path)
}
