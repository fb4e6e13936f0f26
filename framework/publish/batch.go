package publish

import (
	"sync/atomic"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/syncline-io/syncline/framework/source"
)

// Sizes of one batch. A batch that is full is handed to the committer; several of them make a transaction.
const (
	batchBytes   = 1 << 20
	batchRecords = 2048
	batchHeaders = 3 * batchRecords
	// batchRoom is the memory for the data: the change that makes a batch full may pass batchBytes.
	batchRoom = batchBytes + batchBytes/8
	// changeHeaders is room for the headers of one change, of nearly any: those of values that have no form are one each.
	changeHeaders = 16
	// batchFootprint is what a full batch takes in memory, for the bound on all of them.
	batchFootprint = batchRoom + batchRecords*recordFootprint + batchHeaders*headerFootprint

	recordFootprint = 168
	headerFootprint = 40
)

// batch is memory for records on their way to Kafka. The emitter fills it, the committer produces it, and when the
// brokers have acknowledged every record it is used again. A failure ends the tenure and the batches with it, so memory
// that the client may still read is never written.
type batch struct {
	records []kgo.Record // never grows beyond its capacity: the client holds pointers into it
	headers []kgo.RecordHeader
	data    []byte

	// end is the position after the last change in the batch.
	end source.Position
	// rows is the number of changes, samples when some of them were committed upstream.
	rows    int
	samples samples

	pending atomic.Int32 // records not acknowledged yet
	acked   func(*kgo.Record, error)
}

func newBatch(acked func(*batch, error)) *batch {
	b := &batch{
		records: make([]kgo.Record, 0, batchRecords),
		headers: make([]kgo.RecordHeader, 0, batchHeaders),
		data:    make([]byte, 0, batchRoom),
	}
	b.acked = func(_ *kgo.Record, err error) { acked(b, err) }
	return b
}

// full reports whether another change with n records should go to the next batch.
func (b *batch) full(n int) bool {
	return len(b.data) >= batchBytes ||
		len(b.records) > 0 && (len(b.records)+n > cap(b.records) || len(b.headers)+changeHeaders > cap(b.headers))
}

// excess is what the batch holds beyond what it should, because of its last change. It does not change once the batch is full.
func (b *batch) excess() int {
	n := 0
	if cap(b.data) > batchRoom {
		n += cap(b.data) // the records before have the slab that it was made with
	}
	if cap(b.headers) > batchHeaders {
		n += cap(b.headers) * headerFootprint // as before
	}
	return n
}

func (b *batch) empty() bool { return len(b.records) == 0 }

// mark is a point in a batch to go back to.
type mark struct{ records, headers, data int }

func (b *batch) mark() mark { return mark{len(b.records), len(b.headers), len(b.data)} }

func (b *batch) rewind(m mark) {
	b.records, b.headers, b.data = b.records[:m.records], b.headers[:m.headers], b.data[:m.data]
}

// add returns a new record, zeroed. The slab is made larger only for a truncate of a topic with more partitions than a
// batch has records.
func (b *batch) add() *kgo.Record {
	if len(b.records) == cap(b.records) {
		// Records that were handed out keep their old slab; the batch has not been produced yet, so they are copied.
		b.records = append(make([]kgo.Record, 0, 2*cap(b.records)), b.records...)
	}
	b.records = b.records[:len(b.records)+1]
	r := &b.records[len(b.records)-1]
	*r = kgo.Record{}
	return r
}

// header appends a header for the record that is being made; its headers are those since the mark.
func (b *batch) header(key string, value []byte) {
	b.headers = append(b.headers, kgo.RecordHeader{Key: key, Value: value})
}

// since returns the headers after at, with no spare capacity.
func (b *batch) since(at int) []kgo.RecordHeader {
	return b.headers[at:len(b.headers):len(b.headers)]
}

// reset makes the batch empty. Memory that one large change needed is given back.
func (b *batch) reset() {
	clear(b.headers)
	b.records, b.headers, b.data = b.records[:0], b.headers[:0], b.data[:0]
	if cap(b.data) > batchRoom {
		b.data = make([]byte, 0, batchRoom)
	}
	if cap(b.headers) > batchHeaders {
		b.headers = make([]kgo.RecordHeader, 0, batchHeaders)
	}
	b.end, b.rows, b.samples = source.Position{}, 0, samples{}
}

// samples holds the upstream commit times (microseconds since 1970) of some of a batch's changes, at least a
// millisecond apart, for the latency histogram.
type samples struct {
	times [16]int64
	n     int
}

func (s *samples) add(micros int64) {
	if s.n == 0 || s.n < len(s.times) && micros >= s.times[s.n-1]+1000 {
		s.times[s.n] = micros
		s.n++
	}
}
