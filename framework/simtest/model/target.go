package model

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/syncline-io/syncline/framework/failure"
	"github.com/syncline-io/syncline/framework/sink"
	"github.com/syncline-io/syncline/schemas"
)

// Class is how a target keeps the promise of package sink.
type Class uint8

// The classes.
const (
	// Transactional keeps the offsets with the rows.
	Transactional Class = iota
	// Idempotent keeps the version of each row, and of what was removed, and the higher one wins.
	Idempotent
	// Effective takes whatever comes last: what is repeated is applied again.
	Effective
)

func (c Class) String() string {
	return [...]string{"a transactional ledger", "idempotent", "effectively once"}[c]
}

// Target is a database that rows are brought into. A batch is committed whole or not at all. It is safe for concurrent
// use.
type Target struct {
	Class Class
	// Complain is told what a real target would not notice: rows given twice in one batch, columns that Evolve was not
	// told of, moves of the ledger that go back. It must be set.
	Complain func(format string, args ...any)
	// OnWrite, when set, sees every batch that is about to be applied (with a ledger: whose moves were accepted) and its
	// outcome. It is called with the target locked, and reads it through the View.
	OnWrite func(v View, b *sink.Batch, err error)

	mu      sync.Mutex
	tables  map[string]*TargetTable
	ledger  map[TopicPartition]sink.Entry
	evolved []string
	refuse  func(t *sink.Table, row map[string]string) error
}

// TopicPartition names a partition.
type TopicPartition struct {
	Topic     string
	Partition int32
}

// TargetTable is one table. Its maps are never changed once a reader may have them.
type TargetTable struct {
	Columns []string
	// Source is the version of the source's table that it was made ready for last.
	Source *schemas.Table
	// Rows by KeyText, List the rows of a table without key.
	Rows map[string]TargetRow
	List []string
	// Defaults of the source's columns that were added with a constant one: what a row gets that is written without the
	// column, by a member that has not met the table's new version yet.
	Defaults map[string]string
	// Gone holds the versions of removed rows.
	Gone map[string]schemas.Version
}

// TargetRow is one row: the texts of its values by column, and the version of its last change.
type TargetRow struct {
	Values  map[string]string
	Version schemas.Version
}

// View is a look at a locked target.
type View struct{ t *Target }

// NewTarget makes an empty target.
func NewTarget(class Class, complain func(format string, args ...any)) *Target {
	return &Target{Class: class, Complain: complain, tables: map[string]*TargetTable{}, ledger: map[TopicPartition]sink.Entry{}}
}

// Look calls f with the target locked.
func (t *Target) Look(f func(View)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	f(View{t})
}

// Table returns a table by its "schema.name", nil if there is none.
func (v View) Table(name string) *TargetTable { return v.t.tables[name] }

// Entry returns the ledger's entry of a partition.
func (v View) Entry(p TopicPartition) sink.Entry { return v.t.ledger[p] }

// Lines returns the table's rows as sorted lines.
func (t *Target) Lines(table string) []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	tt := t.tables[table]
	if tt == nil {
		return nil
	}
	lines := slices.Clone(tt.List)
	for _, row := range tt.Rows {
		var parts []string
		for _, c := range tt.Columns {
			parts = append(parts, c+"="+row.Values[c])
		}
		lines = append(lines, strings.Join(parts, " "))
	}
	slices.Sort(lines)
	return lines
}

// Evolved tells what Evolve was called with: "table: columns before -> columns after".
func (t *Target) Evolved() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Clone(t.evolved)
}

// Refuse sets what says why a row can never be taken.
func (t *Target) Refuse(f func(t *sink.Table, row map[string]string) error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.refuse = f
}

// SetLedger replaces the ledger, as an operator who edits it would.
func (t *Target) SetLedger(edit func(ledger map[TopicPartition]sink.Entry)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	edit(t.ledger)
}

// Connect returns a connection to the target: a sink of its class.
func (t *Target) Connect() sink.Sink {
	if t.Class == Transactional {
		return &ledgerSink{targetSink{t}}
	}
	return &targetSink{t}
}

// targetSink is a connection without a ledger, ledgerSink one with it.
type (
	targetSink struct{ t *Target }
	ledgerSink struct{ targetSink }
)

var (
	_ sink.Evolver   = (*targetSink)(nil)
	_ sink.Versioner = (*targetSink)(nil)
	_ sink.Ledger    = (*ledgerSink)(nil)
)

func (s *targetSink) Close() error { return nil }

func (s *targetSink) Write(_ context.Context, b *sink.Batch) error { return s.t.Apply(b) }

func (s *targetSink) Evolve(_ context.Context, prev, next *sink.Table) error {
	return s.t.evolve(prev, next)
}

// Version is that of the source's table that the table was made ready for last.
func (s *targetSink) Version(_ context.Context, t *sink.Table) (uint64, error) {
	s.t.mu.Lock()
	defer s.t.mu.Unlock()
	tt := s.t.tables[t.String()]
	if tt == nil || tt.Source == nil || tt.Source.ID != t.Source.ID {
		return 0, nil
	}
	return tt.Source.Version, nil
}

// Claim raises the fences.
func (s *ledgerSink) Claim(_ context.Context, parts []sink.Partition) ([]sink.Entry, error) {
	s.t.mu.Lock()
	defer s.t.mu.Unlock()
	var entries []sink.Entry
	for _, p := range parts {
		tp := TopicPartition{p.Topic, p.Partition}
		e, ok := s.t.ledger[tp]
		if !ok {
			e = sink.Entry{Partition: p, Next: -1}
		}
		e.Fence++
		s.t.ledger[tp] = e
		entries = append(entries, e)
	}
	return entries, nil
}

// Reset sets an entry as an operator asked for.
func (s *ledgerSink) Reset(_ context.Context, e sink.Entry, next int64) error {
	s.t.mu.Lock()
	defer s.t.mu.Unlock()
	tp := TopicPartition{e.Topic, e.Partition.Partition}
	if s.t.ledger[tp].Fence != e.Fence {
		return failure.As(failure.Fenced, errors.New("reset"), "")
	}
	e.Next, e.Applied = next, schemas.Version{}
	s.t.ledger[tp] = e
	return nil
}

// evolve makes the table ready. What it knows of its last version counts for more than prev: an older version than that
// changes nothing.
func (t *Target) evolve(prev, next *sink.Table) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	from := "nothing"
	if prev != nil {
		from = columnNames(prev)
	}
	t.evolved = append(t.evolved, fmt.Sprintf("%s: %s -> %s", next, from, columnNames(next)))
	tt := t.tables[next.String()]
	if tt == nil {
		tt = &TargetTable{Rows: map[string]TargetRow{}, Gone: map[string]schemas.Version{}, Defaults: map[string]string{}}
	}
	if tt.Source != nil && tt.Source.Version > next.Source.Version {
		return nil
	}
	tt = tt.clone()
	if tt.Source != nil && tt.Source.ID == next.Source.ID {
		tt.follow(next.Source)
	}
	for i := range next.Columns {
		if c := &next.Columns[i]; !slices.Contains(tt.Columns, c.Name) {
			tt.add(c)
		}
	}
	tt.Source = next.Source
	t.tables[next.String()] = tt
	return nil
}

// follow renames the columns that have other names in a later version, and takes the defaults of those that are gone.
func (tt *TargetTable) follow(next *schemas.Table) {
	for _, old := range tt.Source.Columns {
		i := slices.IndexFunc(next.Columns, func(c schemas.Column) bool { return c.ID == old.ID && c.ID != 0 })
		if i < 0 {
			delete(tt.Defaults, old.Name)
			continue
		}
		tt.rename(old.Name, next.Columns[i].Name)
	}
}

// rename and add change a cloned table.
func (tt *TargetTable) rename(from, to string) {
	i := slices.Index(tt.Columns, from)
	if from == to || i < 0 || slices.Contains(tt.Columns, to) {
		return
	}
	tt.Columns[i] = to
	if text, ok := tt.Defaults[from]; ok {
		tt.Defaults[to] = text
		delete(tt.Defaults, from)
	}
	for k, row := range tt.Rows {
		values := maps.Clone(row.Values)
		values[to] = values[from]
		delete(values, from)
		tt.Rows[k] = TargetRow{values, row.Version}
	}
	for i, line := range tt.List {
		tt.List[i] = editLine(line, func(values map[string]string) {
			values[to] = values[from]
			delete(values, from)
		})
	}
}

func (tt *TargetTable) add(c *schemas.Column) {
	text, ok := c.ConstantDefault()
	if !ok {
		text = "NULL"
	}
	tt.Columns = append(tt.Columns, c.Name)
	if ok {
		tt.Defaults[c.Name] = text
	}
	for k, row := range tt.Rows {
		values := maps.Clone(row.Values)
		values[c.Name] = text
		tt.Rows[k] = TargetRow{values, row.Version}
	}
	for i, line := range tt.List {
		tt.List[i] = editLine(line, func(values map[string]string) { values[c.Name] = text })
	}
}

func editLine(line string, edit func(map[string]string)) string {
	values := map[string]string{}
	_ = json.Unmarshal([]byte(line), &values) // it was made by Line
	edit(values)
	return Line(values)
}

// Line is the text of a row of a table without key.
func Line(values map[string]string) string {
	text, err := json.Marshal(values)
	if err != nil {
		panic(err) // strings have a JSON form
	}
	return string(text)
}

func columnNames(t *sink.Table) string {
	var names []string
	for _, c := range t.Columns {
		names = append(names, c.Name)
	}
	return strings.Join(names, ",")
}

func (tt *TargetTable) clone() *TargetTable {
	return &TargetTable{
		Columns: slices.Clone(tt.Columns), Source: tt.Source,
		Rows: maps.Clone(tt.Rows), List: slices.Clone(tt.List), Gone: maps.Clone(tt.Gone), Defaults: maps.Clone(tt.Defaults),
	}
}

// Apply commits the batch or nothing of it.
func (t *Target) Apply(b *sink.Batch) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	err := t.apply(b)
	if t.OnWrite != nil {
		t.OnWrite(View{t}, b, err)
	}
	return err
}

func (t *Target) apply(b *sink.Batch) error {
	ledger, err := t.move(b.Moves)
	if err != nil {
		return err
	}
	tables := map[string]*TargetTable{}
	for i := range b.Tables {
		tb := &b.Tables[i]
		tt := t.tables[tb.Table.String()]
		if tt == nil {
			t.Complain("rows for %s, which Evolve was not told of", tb.Table)
			continue
		}
		if tables[tb.Table.String()] != nil {
			t.Complain("%s is twice in one batch", tb.Table)
		}
		tt = tt.clone()
		if err := t.fill(tt, tb); err != nil {
			return err
		}
		tables[tb.Table.String()] = tt
	}
	maps.Copy(t.tables, tables)
	t.ledger = ledger
	return nil
}

// move returns the ledger after the moves.
func (t *Target) move(moves []sink.Move) (map[TopicPartition]sink.Entry, error) {
	if t.Class != Transactional {
		return t.ledger, nil
	}
	ledger := maps.Clone(t.ledger)
	for _, m := range moves {
		tp := TopicPartition{m.Topic, m.Partition.Partition}
		e := ledger[tp]
		if e.Fence != m.Fence || e.Next != m.Next || e.TopicID != m.TopicID {
			return nil, failure.As(failure.Fenced, fmt.Errorf("ledger of %v has fence %d next %d, the move has %d and %d",
				tp, e.Fence, e.Next, m.Fence, m.Next), "")
		}
		if m.To < e.Next || m.Applied.Compare(e.Applied) < 0 {
			t.Complain("move of %v goes back: %d to %d, %s to %s", tp, e.Next, m.To, e.Applied, m.Applied)
		}
		e.Next, e.Applied = m.To, m.Applied
		ledger[tp] = e
	}
	return ledger, nil
}

// fill applies a table's batch to tt, which is a clone.
func (t *Target) fill(tt *TargetTable, tb *sink.TableBatch) error {
	if tb.Truncate {
		tt.Rows, tt.List = map[string]TargetRow{}, nil
	}
	seen := map[string]bool{}
	for i := range tb.Rows {
		r := &tb.Rows[i]
		values, err := t.values(tt, tb.Table, r)
		if err != nil {
			return err
		}
		if t.refuse != nil && r.Action != sink.Delete {
			if err := t.refuse(tb.Table, values); err != nil {
				return failure.As(failure.Refused, err, "")
			}
		}
		if len(tb.Table.Key) == 0 {
			if err := tt.applyKeyless(r, values); err != nil {
				return err
			}
			continue
		}
		key := rowKey(tb.Table, r)
		if seen[key] {
			t.Complain("%s: key %s twice in one batch", tb.Table, key)
		}
		seen[key] = true
		if t.Class == Idempotent && r.Version.Compare(tt.version(key)) <= 0 {
			continue
		}
		if err := tt.applyKeyed(r, key, values); err != nil {
			return err
		}
	}
	return nil
}

func rowKey(t *sink.Table, r *sink.Row) string {
	var key []byte
	for _, i := range t.Key {
		key = append(schemas.AppendText(key, &t.Columns[i].Type, r.Values[i]), '|')
	}
	return string(key)
}

// values returns the row's values that were sent. Who writes under a version that the target has passed may name a column
// that has another name by now: a real target refuses that, and so does this one. Nobody but a member that was overtaken may do
// so, and it must not go on doing so.
func (t *Target) values(tt *TargetTable, table *sink.Table, r *sink.Row) (map[string]string, error) {
	values := make(map[string]string, len(table.Columns))
	for i := range table.Columns {
		c := &table.Columns[i]
		if !slices.Contains(tt.Columns, c.Name) {
			if tt.Source != nil && tt.Source.Version > table.Source.Version && t.Class != Transactional {
				return nil, fmt.Errorf("%s has no column %s", table, c.Name)
			}
			t.Complain("%s has no column %s", table, c.Name)
		}
		if !r.Values[i].IsUnchanged() {
			values[c.Name] = ValueText(&c.Type, r.Values[i])
		}
	}
	return values, nil
}

// version is that of the row's last change, removals included.
func (tt *TargetTable) version(key string) schemas.Version {
	if row, ok := tt.Rows[key]; ok {
		return row.Version
	}
	return tt.Gone[key]
}

func (tt *TargetTable) applyKeyed(r *sink.Row, key string, values map[string]string) error {
	old, there := tt.Rows[key]
	switch {
	case r.Action == sink.Delete:
		delete(tt.Rows, key)
		tt.Gone[key] = r.Version
		return nil
	case r.Partial && !there:
		return failure.As(failure.Refused, fmt.Errorf("no row %s to keep values of", key), "")
	case r.Partial:
		kept := maps.Clone(old.Values)
		maps.Copy(kept, values)
		values = kept
	default:
		for _, c := range tt.Columns {
			if _, sent := values[c]; !sent && there {
				values[c] = old.Values[c]
			} else if !sent {
				values[c] = cmp.Or(tt.Defaults[c], "NULL")
			}
		}
	}
	tt.Rows[key] = TargetRow{values, r.Version}
	return nil
}

func (tt *TargetTable) applyKeyless(r *sink.Row, values map[string]string) error {
	line := Line(values)
	if r.Action == sink.Append {
		tt.List = append(tt.List, line)
		return nil
	}
	i := slices.Index(tt.List, line)
	if i < 0 {
		return failure.As(failure.Refused, fmt.Errorf("no row %s to remove", line), "")
	}
	tt.List = slices.Delete(tt.List, i, i+1)
	return nil
}
