package broker

import "math"

// A window is what the broker knows of one idempotent producer in one partition: the sequence numbers of its last five
// batches and where they went. With it, a batch that is sent again because its acknowledgement was lost is recognised;
// without it, it is stored a second time, or the producer's next batch is refused.
type windowsFile struct {
	Version int           `json:"version"`
	Windows []windowEntry `json:"windows"`
}

type windowEntry struct {
	ProducerID int64          `json:"pid"`
	Topic      string         `json:"topic"`
	Partition  int32          `json:"partition"`
	Batches    [5]windowBatch `json:"entries"`
	Count      uint8          `json:"count"`
	Next       uint8          `json:"at"`
	Epoch      int16          `json:"epoch"`
	Seen       bool           `json:"seen"`
	Sequence   int32          `json:"next_seq"`
}

type windowBatch struct {
	FirstSequence int32 `json:"first_seq"`
	NextSequence  int32 `json:"next_seq"`
	Offset        int64 `json:"offset"`
}

// producerWindows are the windows of one partition by producer id.
type producerWindows map[int64]*windowEntry

// note does to a window what kfake did when it took the batch. Called in the order of the log.
func (ws producerWindows) note(b batch) {
	if b.producerID < 0 || b.attributes&attrControl != 0 {
		return
	}
	w := ws[b.producerID]
	if w == nil || w.Epoch != b.producerEpoch {
		w = &windowEntry{ProducerID: b.producerID, Epoch: b.producerEpoch, Seen: true}
		ws[b.producerID] = w
	}
	w.Sequence = int32((int64(b.firstSequence) + int64(b.records)) % math.MaxInt32)
	w.Batches[w.Next] = windowBatch{b.firstSequence, w.Sequence, b.firstOffset}
	w.Next = (w.Next + 1) % uint8(len(w.Batches))
	w.Count = min(w.Count+1, uint8(len(w.Batches)))
}

func (ws producerWindows) entries(p partition) []windowEntry {
	all := make([]windowEntry, 0, len(ws))
	for _, w := range ws {
		w.Topic, w.Partition = p.topic, p.number
		all = append(all, *w)
	}
	return all
}
