package publish

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/syncline-io/syncline/schemas"
)

// tooLarge says that a record would be larger than its topic allows. It is found before the record is produced: the
// brokers' own refusal would fail the whole transaction, again and again.
type tooLarge struct {
	size, limit int
	topic       string
}

func (e *tooLarge) Error() string {
	return fmt.Sprintf("a record of %d bytes is larger than the %d that topic %s allows", e.size, e.limit, e.topic)
}

// keyMax is the largest key that a dead letter repeats.
const keyMax = 64 << 10

// stub is the value of a source's dead letter: which change it was, but not the change itself, which is too large or
// has no form. Whoever repairs it reads the row at the source.
type stub struct {
	Table   string          `json:"table"`
	Op      string          `json:"op"`
	Version schemas.Version `json:"version"`
	Time    int64           `json:"time_us"`
	LSN     uint64          `json:"lsn,omitempty"`
	TxID    uint32          `json:"tx_id,omitempty"`
	Key     json.RawMessage `json:"key,omitempty"`
	Error   string          `json:"error"`
}

// deadLetter appends the record for a change that cannot be published. It is part of the same transaction as the
// changes around it. The header names are those that Kafka Connect uses.
func (e *emitter) deadLetter(b *batch, c *schemas.Change, t *table, refusal error, now time.Time) {
	at := len(b.headers)
	e.versionHeader(b, c)
	if t.described() {
		b.header(schemas.HeaderTable, t.version)
	}
	b.header("__connect.errors.topic", []byte(t.topic))
	b.header("__connect.errors.connector.name", []byte(e.opts.Name))
	b.header("__connect.errors.task.id", []byte("0"))
	b.header("__connect.errors.stage", []byte(stageOf(refusal)))
	b.header("__connect.errors.exception.class.name", []byte(classOf(refusal)))
	b.header("__connect.errors.exception.message", []byte(refusal.Error()))
	headers := b.since(at)

	key, keyJSON := e.deadKey(c, t)
	value, err := json.Marshal(stub{
		Table: t.of, Op: string(rune(c.Op)), Version: c.Version,
		Time: c.Source.Time, LSN: c.Source.LSN, TxID: c.Source.TxID, Key: keyJSON, Error: refusal.Error(),
	})
	if err != nil {
		value = []byte("{}") // the key is not JSON: the headers still say what this is
	}
	fill(b.add(), e.opts.deadLetterTopic(), 0, key, value, headers, now)
}

// deadKey returns the key as it would have been, and in words; nothing where it has no form or is very large itself.
func (e *emitter) deadKey(c *schemas.Change, t *table) (key []byte, text json.RawMessage) {
	if !t.keyed || c.Key() == nil {
		return nil, nil
	}
	key, err := t.encoder.AppendKey(nil, c.Key())
	if err != nil || len(key) > keyMax {
		return nil, nil
	}
	text = t.encoder.AppendKeyJSON(nil, c.Key())
	if !json.Valid(text) {
		text = nil
	}
	return key, text
}

func stageOf(err error) string {
	if _, ok := errors.AsType[*tooLarge](err); ok {
		return "TASK_PUT"
	}
	return "VALUE_CONVERTER"
}

func classOf(err error) string {
	if _, ok := errors.AsType[*tooLarge](err); ok {
		return "org.apache.kafka.common.errors.RecordTooLargeException"
	}
	return "org.apache.kafka.connect.errors.DataException"
}
