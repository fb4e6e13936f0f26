// Package sink is what the author of a sink connector implements.
//
// A sink makes batches of rows durable in one target. Everything before that (consuming, decoding, folding a batch to
// one change per key, retries, bisecting, dead letters, offsets, schema versions) is framework/load's work. A sink
// knows its DDL and its loader, and nothing about Kafka or Avro.
package sink

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"github.com/syncline-io/syncline/framework/verify"
	"github.com/syncline-io/syncline/schemas"
)

// Sink writes to one target. The framework calls its methods, those of the optional interfaces included, from one
// goroutine at a time.
type Sink interface {
	// Write makes the whole batch durable in one step, or nothing of it, and returns an error. The framework calls
	// again with the same content after a trouble of the environment. An error marked failure.Refused says that a row
	// in the batch can never be taken: the framework then splits the batch until it has found the row. An error marked
	// failure.Fenced says that another member has claimed one of the batch's partitions. Write must not keep b or
	// anything in it after it returns.
	Write(ctx context.Context, b *Batch) error
	// Close releases the target. The framework calls it once, after the last call of another method has returned.
	Close() error
}

// Ledger is a Sink that keeps the offsets in the target, committed together with the rows (a transactional ledger).
type Ledger interface {
	// Claim makes this member the owner of the partitions, in a committed step of its own: it raises each entry's
	// fence by one, or creates the entry with Next -1, and returns the entries. Whoever owned them before can no longer
	// write, and who claims again sees by the fence whether anybody has claimed in between. The TopicID of an entry that
	// was there is the ledger's own: the caller compares.
	Claim(ctx context.Context, partitions []Partition) ([]Entry, error)
	// Reset sets the entry's Next and TopicID as an operator asked for, guarded by its fence, and clears its Applied. With
	// next -1 it points an entry that has applied nothing yet at a topic that was made again.
	Reset(ctx context.Context, e Entry, next int64) error
}

// Evolver is a Sink with a schema. Every table that appears in a batch has been given to Evolve before.
type Evolver interface {
	// Evolve makes the target's table ready for rows of t: creates it, adds and widens columns, renames. It is
	// idempotent and runs outside any row transaction. prev is the version that this process used last, nil when it
	// used none; a table that exists already is used when its columns fit. A conflict that only a person can solve
	// (a column of another type) is marked failure.Config and names table, column and both types.
	Evolve(ctx context.Context, prev, t *Table) error
}

// Versioner is an Evolver that remembers in the target for which version of the source's table each table was made ready
// last, by whatever member. A member that comes to a table whose records lag behind, after a restart or a hand-over, maps
// them onto that version, so that a target never sees columns as they were before: under an older name, or not there yet.
type Versioner interface {
	// Version returns the Source.Version that Evolve was given last for the table t and its Source.ID; 0 when there is no
	// such table, or it is not known. The framework calls it with a table that Evolve may not have been given yet.
	Version(ctx context.Context, t *Table) (uint64, error)
}

// Partition names one partition of one incarnation of a topic.
type Partition struct {
	Topic string
	// TopicID is Kafka's own id of the topic: a topic made again under its old name has another.
	TopicID   [16]byte
	Partition int32
}

// Entry is one row of the ledger.
type Entry struct {
	Partition
	// Next is the offset of the first record that is not applied yet; -1: the entry is new.
	Next int64
	// Fence is the claim's number.
	Fence int64
	// Applied is the version of the last change applied. Repeats up to it, from an at-least-once source, are left out.
	Applied schemas.Version
}

// Move takes one ledger entry forward: `where fence = Fence and next = From`, and exactly one row must change, else
// the batch is not written and the error is marked failure.Fenced.
type Move struct {
	Entry
	// To is the new Next. It may pass records that are not rows (control records, tombstones, dead letters).
	To int64
	// Applied hides the old one: the version of the last change in the batch.
	Applied schemas.Version
}

// Batch is what one Write makes durable: rows by table, and the moves of the ledger that go with them.
type Batch struct {
	Tables []TableBatch
	Moves  []Move
}

// Rows is the number of rows in all tables.
func (b *Batch) Rows() int {
	n := 0
	for i := range b.Tables {
		n += len(b.Tables[i].Rows)
	}
	return n
}

// TableBatch holds the changes of one table. Apply Truncate first, then the rows.
type TableBatch struct {
	Table *Table
	// Truncate empties the table before the rows are applied.
	Truncate bool
	// Rows holds at most one row per key when the table has a key, in no particular order. Without a key the rows are
	// in order, and order matters.
	Rows []Row
}

// Row is one change to apply.
type Row struct {
	Action Action
	// Partial says that some Values are KindUnchanged: the target keeps its own. The row must exist in the target,
	// else the row is refused; a null is never written instead.
	Partial bool
	// Raw says that some Values are KindUnrepresentable: only the source's text is known.
	Raw bool
	// Known says what an Upsert should meet in the target, for a cheaper way to write it. It is the source's word and may be
	// wrong, after a repeat or where somebody else changed the target: the rows must come out the same all the same.
	Known Presence
	// Values by the table's columns. For a Delete only the key's are set; for a Remove all are.
	Values  []schemas.Value
	Version schemas.Version
}

// Action is what to do with a row.
type Action uint8

// The actions.
const (
	Upsert Action = iota // insert, or replace the row with this key
	Delete               // remove the row with this key, if it is there
	Append               // add a row; tables without key only
	Remove               // remove exactly one row equal to this one; tables without key only; none there: refuse
)

// Presence is what is known of a key in the target before a row is applied.
type Presence uint8

// The presences.
const (
	Unknown Presence = iota
	Absent           // the source made the row: there should be none with this key
	Present          // the source changed the row: there should be one
)

// Table is one table of the target at one version. It is immutable.
type Table struct {
	// Schema and Name are the target's names, made by the configuration's pattern.
	Schema, Name string
	// Columns by the source's current version, in its order, names as in the target.
	Columns []schemas.Column
	// Key holds the indexes of the key's columns; empty for a table without key.
	Key []int
	// Source is the source's table at this version.
	Source *schemas.Table
}

// String gives "schema.name" for messages.
func (t *Table) String() string {
	if t.Schema == "" {
		return t.Name
	}
	return t.Schema + "." + t.Name
}

// Env is what the framework gives to a connector besides its configuration.
type Env struct {
	// Name is the connector's name: unique and stable; the ledger's rows carry it.
	Name string
	Log  *zap.Logger
	// Metrics takes the connector's own collectors; names begin with syncline_<system>_.
	Metrics prometheus.Registerer
}

// Connector ties a sink's name, defaults and constructor together; it is the connector's only exported variable.
type Connector[C interface{ Validate() error }] struct {
	// Name is the name in the configuration's key "connector", such as "duckdb-sink".
	Name string
	// Section is the configuration's key that holds a C, such as "duckdb".
	Section string
	// Defaults is the configuration before the file is read.
	Defaults C
	// BatchAge is how long rows gather before a batch is written, unless the file says something else: milliseconds
	// for a target that takes small transactions well, longer where each load costs.
	BatchAge time.Duration
	// Open connects to the target and checks what can be checked.
	Open func(ctx context.Context, cfg C, env Env) (Sink, error)
	// Memory divides what the connector may take, in bytes, for a sink whose library has memory of its own outside of Go's: it
	// returns the section with the library's bound in it, where that is not set, and that bound. Its error names the section's
	// key that asks for more than half, or says how much is needed. nil when all memory is Go's.
	Memory func(cfg C, bytes int64) (C, int64, error)
	// Verify opens the target for a comparison with a source; nil when it cannot be compared.
	Verify func(ctx context.Context, cfg C) (verify.Reader, error)
}
