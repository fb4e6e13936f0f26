// Package verify proves that a target holds what its source holds: it compares tables by rows and content hash, and
// names every row that differs.
//
// The comparison owes nothing to the line that it checks. Each engine renders its own values, by SQL, as one canonical
// text per type; rows are texts, and no codec of ours is involved.
//
// # The canonical texts
//
//	bool                  true, false
//	int16, int32, int64   the digits
//	float32, float64      the 8 or 16 hexadecimal digits of the IEEE 754 bits, so that -0 is not 0; nan for every NaN
//	decimal               the digits without zeros at the end of the fraction; NaN, Infinity, -Infinity
//	string, enum          the text
//	json                  the text as it is stored, blanks and order of keys included
//	bytes                 hexadecimal digits
//	date                  2006-01-02, with " BC" behind it before the year 1; infinity, -infinity
//	time                  15:04:05 with up to 6 digits of fraction, zeros at the end left out; 24:00:00
//	timestamp             date and time with a blank between; " BC" at the very end; infinity, -infinity
//	timestamptz           the same, in UTC
//	interval              months, days and microseconds: 14 -3 14706789000
//	uuid                  36 characters, lower case
//	array                 its elements as fields, one after the other; PostgreSQL's literal where the target has it as text
//
// A column whose types differ at the two sides is compared in the least type that holds both (an int4 that a bigint
// holds as int64); a text column that holds another type's text is read as that type.
//
// A field is "N" for null, else the number of its text's bytes, a colon and the text, so that no two rows have one
// text: null is not the empty text, and no value can pretend to be a boundary between two. A row is its fields one after
// the other.
//
// # The hash
//
// A set of rows is its number and two sums: of the first 60 bits, and of bits 65 to 124, of the md5 of each row's text.
// Sums do not depend on order, and unlike an exclusive-or they tell a row that is there twice.
//
// # Ranges
//
// Every row has a place, a whole number: its key, when that is one whole-number column at both sides, else 60 bits of
// the md5 of the key's fields, or of the whole row for a table without key. One query sums up the rows of 64 equal
// ranges of places; ranges that differ are split again until few enough rows are left to be read and compared. Places
// rather than keys themselves are ranged over because engines order texts, enums and decimals kept as text each in
// their own way, and because equal ranges of a hash are filled evenly. Whole-number keys use the key's index.
//
// Nothing may be written to the tables during the comparison, or the sides are seen at different moments:
// [Options.Wait] compares again until both are equal or the time is up.
//
// Read in this order: verify.go, sql.go (the statements that both engines run), compare.go, report.go.
package verify

import (
	"context"
	"errors"
	"time"

	"github.com/syncline-io/syncline/schemas"
)

// Reader reads one side. It is used from one goroutine at a time.
type Reader interface {
	// Describe returns the table, or nil when it does not exist.
	Describe(ctx context.Context, name Name) (*Table, error)
	// Snapshot begins to read at the present moment: until Release all queries see the same rows.
	Snapshot(ctx context.Context) error
	// Release ends the snapshot, so that nothing waits for it (a table that is to be altered, rows to be cleaned up).
	Release() error
	// Query runs a statement that [Query] made, whose columns are all texts and none is null.
	Query(ctx context.Context, sql string) ([][]string, error)
	// Dialect is how the engine says what a statement is made of.
	Dialect() Dialect
	Close() error
}

// Lister is a Reader that knows which tables its configuration chooses: a source.
type Lister interface {
	Reader
	Tables(ctx context.Context) ([]Name, error)
}

// Name names a table at one side.
type Name struct {
	Schema string `json:"schema"`
	Table  string `json:"table"`
}

// String gives "schema.table".
func (n Name) String() string {
	if n.Schema == "" {
		return n.Table
	}
	return n.Schema + "." + n.Table
}

// Table is a table as its engine describes it.
type Table struct {
	Name    Name
	Columns []Column
	// Key holds the names of the key's columns; empty without one.
	Key []string
}

// Column is one column of one side.
type Column struct {
	Name string
	// Type is the canonical type; Invalid when the engine's type has none.
	Type schemas.Type
	// Native is the engine's text of the type.
	Native string
}

// Pair names a table at both sides.
type Pair struct {
	Source Name
	Target Name
	// Key names the columns that tell rows apart when the source's own key does not.
	Key []string
}

// Options says what to compare and how long to try.
type Options struct {
	Source, Target Reader
	Pairs          []Pair
	// Differences is the greatest number of differences that are named per table; 0 is 20.
	Differences int
	// Wait is how long to compare again while the sides differ; 0 compares once.
	Wait time.Duration
	// Pause is the time between two comparisons; 0 is a second.
	Pause time.Duration
}

// Run compares all pairs. An error means that a side could not be read; differences are in the result.
func Run(ctx context.Context, o Options) (*Result, error) {
	if o.Differences <= 0 {
		o.Differences = 20
	}
	if o.Pause <= 0 {
		o.Pause = time.Second
	}
	start := time.Now()
	result := &Result{Tables: make([]TableResult, len(o.Pairs))}
	for {
		if err := o.compare(ctx, result); err != nil {
			return nil, err
		}
		result.Seconds = time.Since(start).Seconds()
		if result.Equal || time.Since(start)+o.Pause > o.Wait {
			return result, nil
		}
		select {
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-time.After(o.Pause):
		}
	}
}

// compare compares those tables anew that are not known to be equal.
func (o Options) compare(ctx context.Context, result *Result) (err error) {
	defer func() { err = errors.Join(err, o.Target.Release(), o.Source.Release()) }()
	// The target first: what it then lacks of the source's later state is a difference; what it has is no surprise.
	if err := o.Target.Snapshot(ctx); err != nil {
		return err
	}
	if err := o.Source.Snapshot(ctx); err != nil {
		return err
	}
	result.Equal = true
	for i, pair := range o.Pairs {
		if !result.Tables[i].Equal {
			t, err := compareTable(ctx, o, pair)
			if err != nil {
				return err
			}
			result.Tables[i] = *t
		}
		result.Equal = result.Equal && result.Tables[i].Equal
	}
	return nil
}
