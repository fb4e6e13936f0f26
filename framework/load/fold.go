package load

import (
	"errors"
	"fmt"
	"unsafe"

	"github.com/syncline-io/syncline/framework/failure"
	"github.com/syncline-io/syncline/framework/sink"
	"github.com/syncline-io/syncline/schemas"
)

// folder turns events into the rows of a [sink.Batch]: at most one row per key where a table has a key, everything in
// order where it has none. It reads the events and leaves them as they are, so that the same events can be folded
// again in halves. Its memory is used again by the next fold.
type folder struct {
	tables []*tableFold
	byName map[*sink.Table]*tableFold
	// arena holds the rows that no event has: those merged from two, and the keys.
	arena schemas.Arena
	key   []byte
	// largest is the number of rows that the largest fold had memory for.
	largest int
	out     sink.Batch
}

// tableFold is the folding of one table. It is kept for the next fold.
type tableFold struct {
	sink.TableBatch
	// sourceKey says that the key's columns are all in the source's key.
	sourceKey bool
	// row is the index in Rows by the canonical text of the key, which lives in the folder's arena.
	row map[string]int
}

func newFolder() *folder { return &folder{byName: map[*sink.Table]*tableFold{}} }

// foldedTablesKept bounds the tables whose memory is kept between two folds.
const foldedTablesKept = 1000

// fold returns the rows that events come to. They are valid until the next fold, and as long as the events are. An
// error is marked failure.Refused: some event cannot be applied after those before it.
func (f *folder) fold(events []event) (*sink.Batch, error) {
	f.reset()
	for i := range events {
		e := &events[i]
		if err := f.table(e.table).apply(f, e); err != nil {
			return nil, failure.As(failure.Refused, err, "")
		}
	}
	for _, t := range f.tables {
		if t.Truncate || len(t.Rows) > 0 {
			f.out.Tables = append(f.out.Tables, t.TableBatch)
		}
	}
	return &f.out, nil
}

func (f *folder) reset() {
	if len(f.byName) > foldedTablesKept || f.hoards() {
		clear(f.byName)
	}
	for _, t := range f.tables {
		clear(t.row)
		clear(t.Rows) // what they point to is the last batch's
		t.Rows, t.Truncate = t.Rows[:0], false
	}
	f.tables, f.out.Tables, f.out.Moves = f.tables[:0], f.out.Tables[:0], f.out.Moves[:0]
	f.arena.Reset()
}

// hoards reports whether more rows have memory than twice the largest fold had: tables that have large batches one after the
// other would hold those of all of them.
func (f *folder) hoards() bool {
	used, kept := 0, 0
	for _, t := range f.tables {
		used += cap(t.Rows)
	}
	for _, t := range f.byName {
		kept += cap(t.Rows)
	}
	f.largest = max(f.largest, used)
	return kept > 2*f.largest
}

// table finds the folding of t and puts it on the list of this fold.
func (f *folder) table(t *sink.Table) *tableFold {
	if n := len(f.tables); n > 0 && f.tables[n-1].Table == t {
		return f.tables[n-1]
	}
	tf := f.byName[t]
	if tf == nil {
		tf = &tableFold{row: map[string]int{}, sourceKey: true}
		tf.Table = t
		for _, i := range t.Key {
			tf.sourceKey = tf.sourceKey && t.Columns[i].Key > 0
		}
		f.byName[t] = tf
	}
	for _, listed := range f.tables {
		if listed == tf {
			return tf
		}
	}
	f.tables = append(f.tables, tf)
	return tf
}

func (t *tableFold) apply(f *folder, e *event) error {
	switch {
	case e.op == schemas.Truncate:
		clear(t.row)
		t.Rows, t.Truncate = t.Rows[:0], true
		return nil
	case len(t.Table.Key) == 0:
		return t.applyKeyless(e)
	case e.op == schemas.Delete:
		return t.remove(f, e, e.before)
	}
	return t.upsert(f, e)
}

var (
	errNoOldRow = errors.New("the old row is not known, and the table has no key by which to find it")
	errNoOldKey = errors.New("the old value of the key is not known; the source must send whole old rows (PostgreSQL: replica identity full)")
)

// applyKeyless keeps every change: equal rows are told apart by their number only.
func (t *tableFold) applyKeyless(e *event) error {
	if e.op == schemas.Update || e.op == schemas.Delete {
		if e.before == nil || !e.beforeWhole {
			return fmt.Errorf("%s of %s: %w", opName(e.op), t.Table, errNoOldRow)
		}
		t.Rows = append(t.Rows, newRow(sink.Remove, e.before, e.version))
	}
	if e.op == schemas.Delete {
		return nil
	}
	row := newRow(sink.Append, e.after, e.version)
	if row.Partial {
		return fmt.Errorf("%s of %s: a value did not change and was not sent: %w", opName(e.op), t.Table, errNoOldRow)
	}
	t.Rows = append(t.Rows, row)
	return nil
}

// upsert applies a read, create or update.
func (t *tableFold) upsert(f *folder, e *event) error {
	if e.op == schemas.Update && !t.sourceKey {
		if err := t.leaveOldKey(f, e); err != nil {
			return err
		}
	}
	row := newRow(sink.Upsert, e.after, e.version)
	at, found, err := t.find(f, e.after)
	if err != nil {
		return fmt.Errorf("%s of %s: %w", opName(e.op), t.Table, err)
	}
	if !found {
		if row.Partial && t.Truncate {
			return t.missing(e)
		}
		row.Known = presence(e)
		t.Rows[at] = row
		return nil
	}
	known := t.Rows[at].Known // of a delete it is unknown
	if row.Partial {
		if t.Rows[at].Action == sink.Delete {
			return t.missing(e)
		}
		row = f.merge(t.Rows[at], row)
	}
	row.Known = known
	t.Rows[at] = row
	return nil
}

// presence is what the first change of a key in a batch says of the target.
func presence(e *event) sink.Presence {
	switch {
	case e.plain:
		return sink.Unknown
	case e.op == schemas.Read || e.op == schemas.Create:
		return sink.Absent
	case e.op == schemas.Update:
		return sink.Present
	}
	return sink.Unknown
}

// missing is for a change whose unchanged values are gone with the row that held them.
func (t *tableFold) missing(e *event) error {
	return fmt.Errorf("%s of %s: a value did not change and was not sent, and the row was removed before", opName(e.op), t.Table)
}

// leaveOldKey removes the row of the old key when an update changes the key that the configuration chose. (A change of
// the source's own key arrives as a delete and a create.)
func (t *tableFold) leaveOldKey(f *folder, e *event) error {
	if e.before == nil || !e.beforeWhole {
		return fmt.Errorf("%s of %s: %w", opName(e.op), t.Table, errNoOldKey)
	}
	for _, i := range t.Table.Key {
		if !sameKeyValue(e.before[i], e.after[i]) {
			return t.remove(f, e, e.before)
		}
	}
	return nil
}

// remove applies a delete of the row with the key in values.
func (t *tableFold) remove(f *folder, e *event, values []schemas.Value) error {
	if values == nil || !e.beforeWhole && !t.sourceKey {
		return fmt.Errorf("%s of %s: %w", opName(e.op), t.Table, errNoOldKey)
	}
	at, _, err := t.find(f, values)
	if err != nil {
		return fmt.Errorf("%s of %s: %w", opName(e.op), t.Table, err)
	}
	row := sink.Row{Action: sink.Delete, Version: e.version, Values: f.arena.Values(len(values))}
	for _, i := range t.Table.Key {
		row.Values[i] = values[i]
	}
	t.Rows[at] = row
	return nil
}

// find returns the place of the row with the key of values, and whether it was there before; a new place is empty.
func (t *tableFold) find(f *folder, values []schemas.Value) (at int, found bool, err error) {
	f.key = f.key[:0]
	for _, i := range t.Table.Key {
		if v := values[i]; v.IsNull() || v.IsUnchanged() {
			return 0, false, fmt.Errorf("key column %q has no value", t.Table.Columns[i].Name)
		}
		f.key = appendKeyValue(f.key, values[i])
	}
	if at, found = t.row[string(f.key)]; found {
		return at, true, nil
	}
	at = len(t.Rows)
	t.Rows = append(t.Rows, sink.Row{})
	key := f.arena.Bytes(len(f.key))
	copy(key, f.key)
	t.row[unsafe.String(unsafe.SliceData(key), len(key))] = at
	return at, false, nil
}

// merge takes what the later row does not have from the earlier one.
func (f *folder) merge(earlier, later sink.Row) sink.Row {
	values := f.arena.Values(len(later.Values))
	for i, v := range later.Values {
		if v.IsUnchanged() {
			v = earlier.Values[i]
		}
		values[i] = v
	}
	return newRow(later.Action, values, later.Version)
}

// newRow makes a row and looks for values that the target must treat apart.
func newRow(action sink.Action, values []schemas.Value, v schemas.Version) sink.Row {
	row := sink.Row{Action: action, Values: values, Version: v}
	for i := range values {
		switch values[i].Kind() {
		case schemas.KindUnchanged:
			row.Partial = true
		case schemas.KindUnrepresentable:
			row.Raw = true
		}
	}
	return row
}

// opName gives an operation's name for messages.
func opName(op schemas.Op) string {
	switch op {
	case schemas.Read:
		return "read"
	case schemas.Create:
		return "create"
	case schemas.Update:
		return "update"
	case schemas.Delete:
		return "delete"
	case schemas.Truncate:
		return "truncate"
	}
	return "operation " + string(rune(op))
}
