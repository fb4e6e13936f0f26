package simtest

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/syncline-io/syncline/framework/simtest/model"
	"github.com/syncline-io/syncline/schemas"
)

// The tables of every run, by index.
const (
	orders = iota // key, a large value that updates leave out, schema changes
	items         // key, small
	events        // no key, replica identity full
	extras        // like items; it is made while the source runs, and read at its next start
)

// poison is a value that the target refuses.
const poison = "poison"

// recordMax is the largest record of a topic; what is larger is a dead letter of the source's.
const recordMax = 200_000

// workload writes transactions into the upstream. What it writes depends on the plan's seed alone.
type workload struct {
	plan   Plan
	r      *rand.Rand
	tables []*schemas.Table
	next   int // id of the next new row
	alters int
}

func newWorkload(p Plan) *workload {
	id := schemas.Column{ID: 1, Name: "id", Type: schemas.Type{Kind: schemas.Int64}, SourceType: "bigint", Key: 1}
	text := func(n int32, name string) schemas.Column {
		return schemas.Column{ID: n, Name: name, Type: schemas.Type{Kind: schemas.String}, SourceType: "text", Nullable: true}
	}
	table := func(n uint32, name string, identity schemas.Identity, columns ...schemas.Column) *schemas.Table {
		return &schemas.Table{
			System: "postgresql", Database: "shop", Schema: "public", Name: name, ID: n, Version: 1, Identity: identity, Columns: columns,
		}
	}
	w := &workload{plan: p, r: p.rng(2), next: 1}
	w.tables = append(w.tables, table(orders+1, "orders", schemas.IdentityKey, id, text(2, "note"), text(3, "big")),
		table(items+1, "items", schemas.IdentityKey, id, text(2, "name")))
	if p.Setup.Keyless {
		bare := id
		bare.Key = 0
		w.tables = append(w.tables, table(events+1, "events", schemas.IdentityFull, bare, text(2, "what")))
		if p.has(TableMade) {
			w.tables = append(w.tables, table(extras+1, "extras", schemas.IdentityKey, id, text(2, "name")))
		}
	}
	return w
}

// early is the number of tables that are there from the beginning.
func (w *workload) early() int { return min(len(w.tables), extras) }

// seedRows puts the first rows into the tables.
func (w *workload) seedRows(u *model.Upstream) {
	for n := 0; n < w.plan.Setup.Rows; n += 10 {
		u.Commit(func(tx *model.Tx) {
			for range 10 {
				w.insert(tx, w.r.IntN(tx.Tables()))
			}
		})
	}
}

// pauses returns how long to wait before each transaction.
func (w *workload) pauses() []time.Duration {
	s := &w.plan.Setup
	pauses := make([]time.Duration, s.Transactions)
	var sum time.Duration
	for i := range pauses {
		pauses[i] = time.Duration(w.r.ExpFloat64() * float64(w.r.ExpFloat64()) * float64(time.Second))
		sum += pauses[i]
	}
	for i := range pauses {
		pauses[i] = time.Duration(float64(pauses[i]) / float64(sum) * float64(s.Last))
	}
	return pauses
}

// transaction commits the n-th one.
func (w *workload) transaction(u *model.Upstream, n int) {
	s := &w.plan.Setup
	changes := 1 + w.r.IntN(5)
	if s.Huge > 0 && n == s.Transactions/2 {
		changes = s.Huge
	}
	u.Commit(func(tx *model.Tx) {
		if s.Alters && w.r.IntN(15) == 0 {
			w.alter(tx)
		}
		if s.Fat && n%25 == 10 {
			for range 150 {
				w.fat(tx)
			}
		}
		for range changes {
			w.change(tx)
		}
	})
}

func (w *workload) change(tx *model.Tx) {
	s := &w.plan.Setup
	t := w.r.IntN(tx.Tables())
	if t == events {
		w.changeKeyless(tx)
		return
	}
	keys := tx.Keys(t)
	switch dice := w.r.IntN(100); {
	case len(keys) < 4 || dice < 30:
		w.insert(tx, t)
	case dice < 75 || len(keys) < 8:
		w.update(tx, t, pick(w.r, keys...))
	case dice < 90:
		tx.Delete(t, pick(w.r, keys...))
	case dice < 95 && s.Rekeys:
		old := pick(w.r, keys...)
		row := slices.Clone(tx.Get(t, old))
		row[0] = schemas.IntValue(w.id())
		tx.Rekey(t, old, row)
	case dice >= 98 && s.Truncates:
		tx.Truncate(t)
	default:
		w.update(tx, t, pick(w.r, keys...))
	}
}

func (w *workload) changeKeyless(tx *model.Tx) {
	list := tx.List(events)
	switch dice := w.r.IntN(100); {
	case len(list) < 3 || dice < 60:
		w.insert(tx, events)
	case dice < 80:
		at := w.r.IntN(len(list))
		row := slices.Clone(list[at])
		row[1] = w.text(false)
		tx.ReplaceAt(events, at, row)
	case dice >= 98 && w.plan.Setup.Truncates:
		tx.Truncate(events)
	default:
		tx.RemoveAt(events, w.r.IntN(len(list)))
	}
}

func (w *workload) id() int64 {
	w.next++
	return int64(w.next)
}

// text draws a value: now and then a null, an empty one, one that the target refuses.
func (w *workload) text(mayPoison bool) schemas.Value {
	switch dice := w.r.IntN(40); {
	case dice == 0:
		return schemas.Null()
	case dice == 1:
		return schemas.StringValue("")
	case dice == 2 && w.plan.Setup.Poison && mayPoison:
		return schemas.StringValue(poison)
	}
	return schemas.StringValue(fmt.Sprintf("value %d", w.r.IntN(1_000_000)))
}

func (w *workload) insert(tx *model.Tx, t int) {
	table := tx.Table(t)
	row := make([]schemas.Value, len(table.Columns))
	row[0] = schemas.IntValue(w.id())
	if t == events {
		row[0] = schemas.IntValue(int64(w.r.IntN(5))) // equal rows are likely
	}
	for i := 1; i < len(row); i++ {
		row[i] = w.text(t != events)
		if table.Columns[i].ID == 3 {
			row[i] = schemas.StringValue(fmt.Sprintf("large %d", w.r.IntN(1_000_000)))
		}
	}
	if w.plan.Setup.Poison && t == items && w.r.IntN(30) == 0 {
		row[1] = schemas.StringValue(strings.Repeat("x", recordMax+1000)) // no topic has room for it
	}
	tx.Insert(t, row)
}

// update changes some values. A large one that stays is mostly not sent.
func (w *workload) update(tx *model.Tx, t int, key string) {
	table := tx.Table(t)
	row := slices.Clone(tx.Get(t, key))
	var unchanged []int
	for i := 1; i < len(row); i++ {
		if table.Columns[i].ID == 3 {
			if w.r.IntN(4) > 0 {
				unchanged = append(unchanged, i)
				continue
			}
			row[i] = schemas.StringValue(fmt.Sprintf("large %d", w.r.IntN(1_000_000)))
			continue
		}
		row[i] = w.text(true)
	}
	tx.Update(t, row, unchanged...)
}

// fat adds an order of 40 KB.
func (w *workload) fat(tx *model.Tx) {
	table := tx.Table(orders)
	row := make([]schemas.Value, len(table.Columns))
	row[0] = schemas.IntValue(w.id())
	for i := 1; i < len(row); i++ {
		row[i] = schemas.Null()
		if table.Columns[i].ID == 3 {
			row[i] = schemas.StringValue(strings.Repeat(fmt.Sprintf("%08d", w.r.IntN(1_000_000)), 5000))
		}
	}
	tx.Insert(orders, row)
}

// alter adds a column to the orders, or gives one another name, or takes the youngest away.
func (w *workload) alter(tx *model.Tx) {
	w.alters++
	columns := slices.Clone(tx.Table(orders).Columns)
	last := len(columns) - 1
	dice := w.r.IntN(3)
	switch dice {
	case 0:
		columns[1].Name = fmt.Sprintf("note_%d", w.alters)
		tx.Alter(orders, columns, slices.Clone)
	case 1:
		if last > 2 {
			tx.Alter(orders, columns[:last], func(row []schemas.Value) []schemas.Value { return slices.Clone(row[:last]) })
			return
		}
		fallthrough
	default:
		c := schemas.Column{
			ID: int32(10 + w.alters), Name: fmt.Sprintf("extra_%d", w.alters),
			Type: schemas.Type{Kind: schemas.String}, SourceType: "text", Nullable: true,
		}
		value := schemas.Null()
		if w.r.IntN(2) == 0 {
			c.Default, value = "'none'::text", schemas.StringValue("none")
		}
		tx.Alter(orders, append(columns, c), func(row []schemas.Value) []schemas.Value { return append(slices.Clone(row), value) })
	}
}
