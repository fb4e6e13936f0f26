package tail

import (
	"encoding/json"
	"time"

	"github.com/syncline-io/syncline/schemas"
)

// Kind says what a record is.
type Kind string

// The kinds.
const (
	ChangeKind     Kind = "change"      // of a row, or a truncate
	TombstoneKind  Kind = "tombstone"   // a key without a value
	PositionKind   Kind = "position"    // of a source, in its offsets topic
	StateKind      Kind = "state"       // what a position names instead of holding it, in the same topic
	TenureKind     Kind = "tenure"      // who publishes, in the same topic
	TableKind      Kind = "table"       // a version of a table, in the tables topic
	DeadLetterKind Kind = "dead_letter" // in the topic of a connector's dead letters
	MessageKind    Kind = "message"     // a logical message: PREFIX.message
	MarkKind       Kind = "transaction" // a transaction's begin or end: PREFIX.transaction
	RecordKind     Kind = "record"      // Avro that is no change event
	UnreadableKind Kind = "unreadable"  // see Error and Hex
)

// Event is a record, decoded. Its JSON is what `syncline tail --json` prints; fields may be added, and none is renamed.
type Event struct {
	Topic     string    `json:"topic"`
	Partition int32     `json:"partition"`
	Offset    int64     `json:"offset"`
	Timestamp time.Time `json:"timestamp"` // the record's
	Kind      Kind      `json:"kind"`
	// Op is the letter of the operation.
	Op  string `json:"op,omitempty"`
	Key Row    `json:"key,omitempty"`
	// Before holds the key's columns alone unless BeforeComplete.
	Before         Row  `json:"before,omitempty"`
	BeforeComplete bool `json:"before_complete,omitempty"`
	// After lacks the columns in Unchanged, which the source did not send.
	After     Row      `json:"after,omitempty"`
	Unchanged []string `json:"unchanged,omitempty"`
	// Changed names the columns in which an update's rows differ, where Before is complete.
	Changed []string         `json:"changed,omitempty"`
	Table   string           `json:"table,omitempty"` // schema.name at the source
	Source  *Source          `json:"source,omitempty"`
	Version *schemas.Version `json:"version,omitempty"`
	// DeadLetter is where a dead letter comes from and why; the fields above are then those of its origin.
	DeadLetter *DeadLetter `json:"dead_letter,omitempty"`
	// Document is the record's own JSON: a position, state, tenure, table, or a source's dead letter; or the value of a record
	// that is no change event, such as a message.
	Document json.RawMessage `json:"document,omitempty"`
	Headers  []Header        `json:"headers,omitempty"`
	// Error says why the value or key could not be decoded, and Hex begins it.
	Error string `json:"error,omitempty"`
	Hex   string `json:"hex,omitempty"`

	keyTable *schemas.Table // what Key was made of, for the filter; valid until the next record
	keyRow   []schemas.Value
}

// Source is what the source says of a change.
type Source struct {
	Time time.Time `json:"time"` // of the commit
	TxID uint32    `json:"tx_id,omitempty"`
	LSN  string    `json:"lsn,omitempty"` // as PostgreSQL writes it
	// Snapshot is Debezium's mark, absent for a change of the stream.
	Snapshot string `json:"snapshot,omitempty"`
	Origin   string `json:"origin,omitempty"` // replication origin
}

// DeadLetter is what the headers of a dead letter say. Offset is -1 for a source's.
type DeadLetter struct {
	Topic     string `json:"topic"`
	Partition int32  `json:"partition"`
	Offset    int64  `json:"offset"`
	Connector string `json:"connector"`
	Stage     string `json:"stage"`
	Message   string `json:"message"`
}

// Header is a header of a record. Value is its text, or of ours what it says; Hex is given where it is no text.
type Header struct {
	Key   string `json:"key"`
	Value string `json:"value,omitempty"`
	Hex   string `json:"hex,omitempty"`
}
