package schemas

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
)

// Op is the operation of a change, with the letter that Debezium gives it.
type Op byte

// The operations.
const (
	Read     Op = 'r' // a row of a snapshot
	Create   Op = 'c'
	Update   Op = 'u' // the key is the same before and after: a key change is a Delete and a Create
	Delete   Op = 'd'
	Truncate Op = 't'
	Message  Op = 'm' // no row's: see [MessageTable]

	// Begin and End are of a transaction, not of a row: see [TransactionTable]. They are letters of ours: the records of
	// their topic say it in another way.
	Begin Op = 'B'
	End   Op = 'E'
)

// Version is a source's position as a number that orders changes: fixed width, compared high half first. For
// PostgreSQL High is a commit LSN and Low the index of the change within its transaction, from 1; (LSN, 0) stands for
// everything before LSN. For every partition of a topic it only grows, except for repeats of an at-least-once source.
type Version struct{ High, Low uint64 }

// Compare returns -1, 0 or 1.
func (v Version) Compare(u Version) int {
	switch {
	case v.High < u.High || v.High == u.High && v.Low < u.Low:
		return -1
	case v == u:
		return 0
	}
	return 1
}

// AppendBinary appends the 16 big-endian bytes, which compare like the versions.
func (v Version) AppendBinary(dst []byte) []byte {
	return binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(dst, v.High), v.Low)
}

// ParseVersion reads what AppendBinary wrote.
func ParseVersion(b []byte) (Version, error) {
	if len(b) != 16 {
		return Version{}, fmt.Errorf("version has %d bytes, want 16", len(b))
	}
	return Version{binary.BigEndian.Uint64(b), binary.BigEndian.Uint64(b[8:])}, nil
}

// String gives 32 hexadecimal digits, which compare like the versions.
func (v Version) String() string { return hex.EncodeToString(v.AppendBinary(nil)) }

// MarshalText and UnmarshalText use the form of String.
func (v Version) MarshalText() ([]byte, error) { return []byte(v.String()), nil }

// UnmarshalText reads the form of String.
func (v *Version) UnmarshalText(text []byte) error {
	b, err := hex.DecodeString(string(text))
	if err != nil {
		return fmt.Errorf("version %q: %w", text, err)
	}
	*v, err = ParseVersion(b)
	return err
}

// Snapshot is Debezium's mark on rows that come from a snapshot.
type Snapshot string

// The snapshot marks.
const (
	SnapshotFalse           Snapshot = "" // written as "false"
	SnapshotTrue            Snapshot = "true"
	SnapshotFirst           Snapshot = "first"
	SnapshotFirstInTable    Snapshot = "first_in_data_collection"
	SnapshotLastInTable     Snapshot = "last_in_data_collection"
	SnapshotLast            Snapshot = "last"
	SnapshotOfARunningTable Snapshot = "incremental"
)

// Change is one change of one row (or a truncate of a whole table), a message, or the begin or end of a transaction.
//
// Its slices and values are valid until the call that carries it returns.
type Change struct {
	Table *Table
	Op    Op
	// Before is the old row of an Update or Delete as far as the source knows it; nil when it knows nothing.
	Before []Value
	// BeforeKeyOnly says that only the key's columns of Before are known; the others are null whatever they were.
	BeforeKeyOnly bool
	// After is the new row of a Read, Create or Update; a column may be KindUnchanged.
	After []Value
	// OtherKey is set on both halves of a key change: for the Delete the new row, for the Create the old one; only its
	// key columns count.
	OtherKey []Value
	// Version is the change's own position; see [Version].
	Version Version
	Source  Origin
	// Place is where the change stands in its transaction, and Counts what an End says of it. The publisher fills them in.
	Place  Place
	Counts []Count
}

// Key returns the row that holds the key's values: After where there is one, else Before.
func (c *Change) Key() []Value {
	if c.After != nil {
		return c.After
	}
	return c.Before
}

// Origin is where and when a change happened at the source.
type Origin struct {
	// Time is the commit's time, in microseconds since 1970 (for a snapshot: when it was taken).
	Time int64
	// TxID, LSN, LastCommit are PostgreSQL's: transaction id, the change's own LSN, the LSN of the previous commit
	// (0: none yet).
	TxID       uint32
	LSN        uint64
	LastCommit uint64
	Snapshot   Snapshot
	// ReplicationOrigin is the name of PostgreSQL's replication origin, "" when the change was made here.
	ReplicationOrigin string
}
