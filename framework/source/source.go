// Package source is what the author of a source connector implements.
//
// A source reads changes from one upstream system, in order, and hands them to an [Emitter]. Everything else (Avro,
// Kafka, transactions, positions, retries, fencing, shutdown) is framework/publish's work, and no source keeps any of
// it. What a source must know is its own position: a [Position] is all that it needs to go on where it stopped.
package source

import (
	"context"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"github.com/syncline-io/syncline/framework/verify"
	"github.com/syncline-io/syncline/schemas"
)

// Source reads the changes of one upstream system.
//
// The framework opens it, then calls Lease, Run and Close, in this order, from one goroutine; Confirm comes from
// another goroutine while Run runs, and still when Run has returned, until Close: what was emitted is committed then. After an error that is worth another try the framework closes the Source and opens
// a new one.
type Source interface {
	// Lease returns when this instance is the only one that may read: it waits as a standby while another holds the
	// lease (and says so through Env.Standby). The lease is held until Close or until the process dies.
	Lease(ctx context.Context) error
	// Run emits every change after from, in order, until ctx ends (it then returns nil or the context's error) or
	// something breaks. A from with a nil State is a first start: begin with a snapshot, or whatever the source does
	// to begin. An error marked failure.Gap says that changes after from can no longer be had.
	Run(ctx context.Context, from Position, out Emitter) error
	// Confirm is told, in order, what is durable in Kafka, so that the upstream log can be released up to there. It
	// must not block on the network: note the position and let the reader's own goroutine send it.
	Confirm(p Position)
	// Close releases the upstream system and the lease. The framework calls it once, after Run has returned.
	Close() error
}

// Position is where a source stands. Its record in the topic syncline.offsets.<connector> is the last record of the
// same Kafka transaction as the changes that it covers.
type Position struct {
	// State is the source's own document (JSON): what identifies the log, what a snapshot has finished, and whatever
	// changes seldom. nil means that there is no position yet.
	State []byte
	// Version is the version of the last change that is covered, or what Advance said. Changes up to and including it
	// must not be emitted again.
	Version schemas.Version
	// Open is the framework's own: what has been published of the upstream transaction that Version lies in, nil unless
	// Env.Transactions asked for it. Sources leave it alone.
	Open *Transaction
}

// Transaction is what has been published of an upstream transaction, its begin included.
type Transaction struct {
	// High is that of the versions of its changes.
	High uint64 `json:"high"`
	// Events is how many changes there are, of all tables, and Counts of which tables they are, in the order in which the
	// tables were met.
	Events int64           `json:"events"`
	Counts []schemas.Count `json:"counts,omitempty"`
}

// Emitter takes what a Source reads. Its methods are called from the goroutine of Run only. They block while the
// buffers towards Kafka are full, and return an error once publishing has failed or Run's context has ended; the
// Source then returns that error.
type Emitter interface {
	// Emit takes one change. c and everything in it may be reused when Emit has returned. Versions must grow.
	Emit(c *schemas.Change) error
	// Advance says that everything up to v has been emitted or needs no emitting: a whole upstream transaction ends
	// here. It is cheap; call it after every transaction. urgent asks that the position be written even when no change
	// is waiting (a quiet database that must release its log); else it rides with the next change.
	Advance(v schemas.Version, urgent bool) error
	// SetState replaces the state document from the next position on. It must be called before the first Emit, and
	// then in order with the changes: a position written later than this call, and only such a one, has the new state.
	SetState(state []byte) error
}

// Env is what the framework gives to a connector besides its configuration.
type Env struct {
	// Name is the connector's name: unique, stable, the name of its state topics.
	Name string
	Log  *zap.Logger
	// Metrics takes the connector's own collectors; names begin with syncline_<system>_.
	Metrics prometheus.Registerer
	// Memory is how many bytes the source may keep for itself, beside the message that it is reading and what the Emitter
	// holds; 0: nothing is said.
	Memory int64
	// Standby is told (true) when Lease begins to wait for another instance and (false) when it stops waiting.
	Standby func(waiting bool, holder string)
	// Transactions asks for a change with the operation Begin before, and one with End behind, the changes of each upstream
	// transaction, for the table that schemas.TransactionTable gives. Their versions are (High, 0) and one behind the last
	// change's, High being the transaction's. A transaction that is sent again, in part or to its end, begins with its Begin
	// again: whether that was published the framework knows. A source that has no transactions leaves them out.
	Transactions bool
	// Progress is told how far behind upstream the source is, in bytes of its log where it knows that, else -1; and whether
	// it is reading a snapshot: rows done and expected (0: unknown).
	Progress func(p Progress)
}

// Progress is what a source tells of itself for status and metrics, whenever it likes.
type Progress struct {
	// Phase is "snapshot" or "stream", "" before either has begun.
	Phase string `json:"phase"`
	// Table, RowsDone, RowsExpected describe the snapshot of all tables: the table being read now, rows emitted, rows
	// expected by the upstream's estimate.
	Table        string `json:"table"`
	RowsDone     int64  `json:"rows_done"`
	RowsExpected int64  `json:"rows_expected"`
	// LogBehind is the number of bytes of the upstream log not read yet, -1 when unknown.
	LogBehind int64 `json:"log_behind"`
}

// Connector ties a source's name, defaults and constructor together; it is the connector's only exported variable.
type Connector[C interface{ Validate() error }] struct {
	// Name is the name in the configuration's key "connector", such as "postgres-source".
	Name string
	// Section is the configuration's key that holds a C, such as "postgres".
	Section string
	// Defaults is the configuration before the file is read.
	Defaults C
	// Open makes a Source. It may connect, and it checks what can be checked without changing anything upstream.
	Open func(ctx context.Context, cfg C, env Env) (Source, error)
	// Verify opens the upstream system for a comparison with a target; nil when it cannot be compared.
	Verify func(ctx context.Context, cfg C) (verify.Lister, error)
	// Tables reads which tables the configuration chooses and what they look like now, without changing or locking
	// anything; their versions do not count. nil when the upstream system cannot tell before a change comes.
	Tables func(ctx context.Context, cfg C) ([]*schemas.Table, error)
}
