package simtest

import (
	"encoding/binary"
	"encoding/json"
	"strings"
	"sync"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/syncline-io/syncline/schemas"
)

// wire reads the requests and answers that matter to the validators: which positions are durable, what a group was told.
// It knows what the broker did even when the answer is lost on its way to the client.
type wire struct {
	w *World

	mu sync.Mutex
	// open holds the highest position produced in a transaction that is still open, by producer.
	open map[producer]schemas.Version
	// durable is the highest position in the offsets topic.
	durable schemas.Version
	// acked counts, by process, the records that the brokers have answered for.
	acked map[*process]int
}

type producer struct {
	id    int64
	epoch int16
}

func newWire(w *World) *wire {
	return &wire{w: w, open: map[producer]schemas.Version{}, acked: map[*process]int{}}
}

// request looks at a frame; nil when nobody cares.
func (w *wire) request(b []byte) *request {
	if len(b) < 14 {
		return nil
	}
	key := int16(binary.BigEndian.Uint16(b[4:]))
	r := &request{key: key}
	switch kmsg.Key(key) {
	case kmsg.InitProducerID:
		r.step = Fence
	case kmsg.Produce:
		r.step = Produce
	case kmsg.EndTxn:
		r.step = Commit
	case kmsg.OffsetCommit:
		r.step = GroupCommit
	case kmsg.JoinGroup:
		r.step = Join
		return r
	case kmsg.SyncGroup:
		r.step = Sync
		return r
	case kmsg.Fetch:
		r.step = Fetch
		return r
	case kmsg.DeleteTopics:
		r.step = Delete
		return r
	default:
		return nil
	}
	r.body = decodeRequest(b[4:])
	if p, ok := r.body.(*kmsg.ProduceRequest); ok {
		// Now: the client uses the frame's memory again when it is sent.
		r.records, r.positions = recordsOf(p), w.positionsIn(p)
		for i := range p.Topics {
			switch name := w.topic(&p.Topics[i]); {
			case name == tablesTopic:
				r.step = Announce
			case strings.HasSuffix(name, ".dlq"):
				r.step = DeadLetter
			}
		}
	}
	return r
}

func (w *wire) topic(t *kmsg.ProduceRequestTopic) string {
	if t.Topic != "" {
		return t.Topic
	}
	if info := w.w.cluster.TopicIDInfo(t.TopicID); info != nil {
		return info.Topic
	}
	return ""
}

// sent notes a request that may be carried out from now on.
func (w *wire) sent(r *request) {
	if body, ok := r.body.(*kmsg.OffsetCommitRequest); ok {
		w.w.groupCommit(body)
	}
}

// answered notes what the broker says that it has done.
func (w *wire) answered(p *process, r *request, frame []byte) {
	if r.body == nil {
		return
	}
	resp := decodeResponse(r.body, frame)
	produced, ok := resp.(*kmsg.ProduceResponse)
	durable := ok && len(r.positions) > 0 && w.succeeded(produced)
	w.mu.Lock()
	defer w.mu.Unlock()
	switch body := r.body.(type) {
	case *kmsg.ProduceRequest:
		w.acked[p] += r.records
		if durable {
			w.positions(r.positions)
		}
	case *kmsg.EndTxnRequest:
		if resp, ok := resp.(*kmsg.EndTxnResponse); ok && resp.ErrorCode == 0 {
			pid := producer{body.ProducerID, body.ProducerEpoch}
			if body.Commit {
				w.reach(w.open[pid])
			}
			delete(w.open, pid)
		}
	}
}

// position is one in a produce request to the offsets topic.
type position struct {
	by      producer
	atOnce  bool // it is no part of a transaction
	version schemas.Version
}

func (w *wire) positionsIn(body *kmsg.ProduceRequest) []position {
	var found []position
	for i := range body.Topics {
		if w.topic(&body.Topics[i]) != offsetsTopic {
			continue
		}
		for _, p := range body.Topics[i].Partitions {
			var batch kmsg.RecordBatch
			if batch.ReadFrom(p.Records) != nil {
				continue
			}
			records, err := kfake.BatchRecords(batch)
			if err != nil {
				continue
			}
			for _, rec := range records {
				if v, ok := positionOf(rec.Key, rec.Value); ok {
					found = append(found, position{producer{batch.ProducerID, batch.ProducerEpoch}, body.TransactionID == nil, v})
				}
			}
		}
	}
	return found
}

// positions notes those of a produce request that succeeded.
func (w *wire) positions(all []position) {
	for _, p := range all {
		if p.atOnce {
			w.reach(p.version)
		} else {
			w.open[p.by] = p.version
		}
	}
}

func (w *wire) reach(v schemas.Version) {
	if v.Compare(w.durable) > 0 {
		w.durable = v
	}
}

// positionOf reads a record of the offsets topic; false when it is a tenure's mark.
func positionOf(key, value []byte) (v schemas.Version, ok bool) {
	var doc struct {
		Version schemas.Version `json:"version"`
	}
	if string(key) != sourceName || json.Unmarshal(value, &doc) != nil {
		return v, false
	}
	return doc.Version, true
}

// position is the highest one that is durable.
func (w *wire) position() schemas.Version {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.durable
}

// outstanding is how many records of p are on their way to the brokers.
func (w *wire) outstanding(p *process) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.acked[p]
}

func recordsOf(r *kmsg.ProduceRequest) int {
	n := 0
	for i := range r.Topics {
		for _, p := range r.Topics[i].Partitions {
			const numRecords = 57 // where a batch says how many records it has
			if len(p.Records) >= numRecords+4 {
				n += int(binary.BigEndian.Uint32(p.Records[numRecords:]))
			}
		}
	}
	return n
}

// succeeded reports whether the offsets topic has taken what was in a request. Of the other topics nothing is said.
func (w *wire) succeeded(r *kmsg.ProduceResponse) bool {
	for i := range r.Topics {
		t := &r.Topics[i]
		if info := w.w.cluster.TopicIDInfo(t.TopicID); t.Topic != offsetsTopic && (info == nil || info.Topic != offsetsTopic) {
			continue
		}
		for _, p := range t.Partitions {
			if p.ErrorCode != 0 {
				return false
			}
		}
	}
	return true
}

// decodeRequest decodes a request without its size; nil when it cannot be read.
func decodeRequest(b []byte) kmsg.Request {
	req := kmsg.RequestForKey(int16(binary.BigEndian.Uint16(b)))
	req.SetVersion(int16(binary.BigEndian.Uint16(b[2:])))
	b = b[8:]
	if n := int16(binary.BigEndian.Uint16(b)); n > 0 {
		b = b[n:]
	}
	b = b[2:]
	if req.IsFlexible() {
		b = skipTags(b)
	}
	if req.ReadFrom(b) != nil {
		return nil
	}
	return req
}

// decodeResponse decodes an answer without size and correlation id.
func decodeResponse(req kmsg.Request, b []byte) kmsg.Response {
	resp := req.ResponseKind()
	if resp.IsFlexible() {
		b = skipTags(b)
	}
	if resp.ReadFrom(b) != nil {
		return nil
	}
	return resp
}

// skipTags skips the tagged fields of a header, of which the clients here send none.
func skipTags(b []byte) []byte {
	if len(b) > 0 {
		return b[1:]
	}
	return b
}
