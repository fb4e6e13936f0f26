package model

import (
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/syncline-io/syncline/framework/source"
	"github.com/syncline-io/syncline/schemas"
)

// Upstream is a database with a log: tables, committed transactions in order, a lease for the one reader, and what that
// reader has confirmed. Log that was confirmed is gone, as a replication slot's is. It is safe for concurrent use.
type Upstream struct {
	// Clock gives the commit times; nil is the real one. It may jump: nothing may depend on it.
	Clock func() time.Time
	// OnConfirm, when set before the first Session, is told every confirmation, in order, before it takes effect.
	OnConfirm func(source.Position)
	// WideState makes the state of the positions as large as that of many tables.
	WideState bool

	mu       sync.Mutex
	tables   []*relation
	log      []transaction
	lsn      uint64
	more     chan struct{} // closed and replaced when the log grows
	holder   *Session      // of the lease
	moved    chan struct{} // closed and replaced when the lease is let go
	released uint64        // transactions that end up to here are gone
	history  map[Row][]Image
	torn     int // times that the lease was taken away from its holder
}

// relation is a table as it is now.
type relation struct {
	table *schemas.Table
	keyed map[string][]schemas.Value
	list  [][]schemas.Value // rows of a table without key
	// truncates are the versions at which the table was emptied.
	truncates []schemas.Version
}

// transaction is a committed one. Its changes have the versions (commit, 1), (commit, 2) and so on.
type transaction struct {
	commit, end uint64
	changes     []schemas.Change
}

// lsnStep is the distance of two log positions: room for the ends of transactions and for snapshots between them.
const lsnStep = 16

// Row names one row for ever: a table's ID and the text of its key.
type Row struct {
	Table uint32
	Key   string
}

// Image is what a row held from a version on.
type Image struct {
	Version schemas.Version
	Table   *schemas.Table
	// Values are complete; nil when the row was removed.
	Values []schemas.Value
	// Partial says that the change did not send every value: it cannot bring back a row that the target lacks.
	Partial bool
	// Truncated says that the row went with its whole table.
	Truncated bool
}

// NewUpstream makes a database with these tables, which must have different IDs.
func NewUpstream(tables ...*schemas.Table) *Upstream {
	u := &Upstream{more: make(chan struct{}), moved: make(chan struct{}), lsn: 64 * lsnStep, history: map[Row][]Image{}}
	for _, t := range tables {
		u.tables = append(u.tables, &relation{table: t, keyed: map[string][]schemas.Value{}})
	}
	return u
}

// Tx is a transaction under way. It sees its own changes, and nobody else sees any of it before it is committed.
type Tx struct {
	u  *Upstream
	tx transaction
}

// Commit runs f and commits what it did. It returns the transaction's end.
func (u *Upstream) Commit(f func(*Tx)) (end uint64) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.lsn += lsnStep
	tx := &Tx{u: u, tx: transaction{commit: u.lsn, end: u.lsn + 1}}
	f(tx)
	if len(tx.tx.changes) > 0 {
		u.log = append(u.log, tx.tx)
		close(u.more)
		u.more = make(chan struct{})
	}
	return tx.tx.end
}

// Add makes another table, whose ID no other has. Nothing in the log says so; a source finds it at its next start.
func (u *Upstream) Add(t *schemas.Table) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.tables = append(u.tables, &relation{table: t, keyed: map[string][]schemas.Value{}})
}

// Tables is the number of tables.
func (tx *Tx) Tables() int { return len(tx.u.tables) }

// Table returns the i-th table at its present version.
func (tx *Tx) Table(i int) *schemas.Table { return tx.u.tables[i].table }

// Keys returns the keys of the rows of the i-th table, in order. It is empty for a table without key.
func (tx *Tx) Keys(i int) []string {
	keys := make([]string, 0, len(tx.u.tables[i].keyed))
	for k := range tx.u.tables[i].keyed {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// Get returns the row with a key, nil if there is none.
func (tx *Tx) Get(i int, key string) []schemas.Value { return tx.u.tables[i].keyed[key] }

// List returns the rows of a table without key.
func (tx *Tx) List(i int) [][]schemas.Value { return tx.u.tables[i].list }

// Insert adds a row.
func (tx *Tx) Insert(i int, row []schemas.Value) {
	r := tx.u.tables[i]
	tx.add(schemas.Change{Table: r.table, Op: schemas.Create, After: row})
	tx.put(r, row, false)
}

// Update replaces the row with the key of row. The columns named in unchanged are not sent, and must be equal.
func (tx *Tx) Update(i int, row []schemas.Value, unchanged ...int) {
	r := tx.u.tables[i]
	c := schemas.Change{Table: r.table, Op: schemas.Update, After: slices.Clone(row)}
	for _, k := range unchanged {
		c.After[k] = schemas.Unchanged()
	}
	tx.add(c)
	tx.put(r, row, len(unchanged) > 0)
}

// Rekey gives the row with the old key the new values, whose key is another: a delete and a create that name each other.
func (tx *Tx) Rekey(i int, old string, row []schemas.Value) {
	r := tx.u.tables[i]
	before := r.keyed[old]
	tx.add(schemas.Change{Table: r.table, Op: schemas.Delete, Before: keyOnly(r.table, before), BeforeKeyOnly: true, OtherKey: row})
	tx.drop(r, old)
	tx.add(schemas.Change{Table: r.table, Op: schemas.Create, After: row, OtherKey: before})
	tx.put(r, row, false)
}

// Delete removes the row with a key.
func (tx *Tx) Delete(i int, key string) {
	r := tx.u.tables[i]
	tx.add(schemas.Change{Table: r.table, Op: schemas.Delete, Before: keyOnly(r.table, r.keyed[key]), BeforeKeyOnly: true})
	tx.drop(r, key)
}

// ReplaceAt and RemoveAt change one of the rows of a table without key, whose replica identity is full.
func (tx *Tx) ReplaceAt(i, at int, row []schemas.Value) {
	r := tx.u.tables[i]
	tx.add(schemas.Change{Table: r.table, Op: schemas.Update, Before: r.list[at], After: row})
	r.list = append(slices.Clone(r.list[:at]), append([][]schemas.Value{row}, r.list[at+1:]...)...)
}

// RemoveAt removes one of the rows of a table without key.
func (tx *Tx) RemoveAt(i, at int) {
	r := tx.u.tables[i]
	tx.add(schemas.Change{Table: r.table, Op: schemas.Delete, Before: r.list[at]})
	r.list = append(slices.Clone(r.list[:at]), r.list[at+1:]...)
}

// Truncate empties the table.
func (tx *Tx) Truncate(i int) {
	r := tx.u.tables[i]
	tx.add(schemas.Change{Table: r.table, Op: schemas.Truncate})
	v := tx.version()
	for k := range r.keyed {
		tx.note(Row{r.table.ID, k}, Image{Version: v, Table: r.table, Truncated: true})
	}
	r.truncates = append(r.truncates, v)
	r.keyed, r.list = map[string][]schemas.Value{}, nil
}

// Alter gives the table other columns from the transaction on; it must come before the transaction's other changes of
// the table. Each row that is there is mapped by fill. No change is sent: the next one carries the new version.
func (tx *Tx) Alter(i int, columns []schemas.Column, fill func(row []schemas.Value) []schemas.Value) {
	r := tx.u.tables[i]
	t := *r.table
	t.Version, t.Columns = tx.tx.commit, columns
	r.table = &t
	keyed := make(map[string][]schemas.Value, len(r.keyed))
	for k, row := range r.keyed {
		keyed[k] = fill(row)
	}
	list := make([][]schemas.Value, 0, len(r.list))
	for _, row := range r.list {
		list = append(list, fill(row))
	}
	r.keyed, r.list = keyed, list
}

// add appends a change to the transaction. An update counts as two, as PostgreSQL's source has it.
func (tx *Tx) add(c schemas.Change) {
	low := uint64(1)
	if n := len(tx.tx.changes); n > 0 {
		low = tx.tx.changes[n-1].Version.Low + 1
	}
	if c.Op == schemas.Update {
		low++
	}
	c.Version = schemas.Version{High: tx.tx.commit, Low: low}
	now := time.Now
	if tx.u.Clock != nil {
		now = tx.u.Clock
	}
	c.Source = schemas.Origin{Time: now().UnixMicro(), LSN: tx.tx.commit - 8 + low%8, TxID: uint32(tx.tx.commit)}
	tx.tx.changes = append(tx.tx.changes, c)
}

func (tx *Tx) version() schemas.Version { return tx.tx.changes[len(tx.tx.changes)-1].Version }

func (tx *Tx) put(r *relation, row []schemas.Value, partial bool) {
	if len(r.table.KeyColumns()) == 0 {
		r.list = append(slices.Clone(r.list), row)
		return
	}
	key := KeyText(r.table, row)
	r.keyed[key] = row
	tx.note(Row{r.table.ID, key}, Image{Version: tx.version(), Table: r.table, Values: row, Partial: partial})
}

func (tx *Tx) drop(r *relation, key string) {
	delete(r.keyed, key)
	tx.note(Row{r.table.ID, key}, Image{Version: tx.version(), Table: r.table})
}

func (tx *Tx) note(row Row, image Image) { tx.u.history[row] = append(tx.u.history[row], image) }

// KeyText is the text of a row's key; "" for a table without one.
func KeyText(t *schemas.Table, row []schemas.Value) string {
	var text []byte
	for _, i := range t.KeyColumns() {
		text = append(schemas.AppendText(text, &t.Columns[i].Type, row[i]), '|')
	}
	return string(text)
}

// ValueText is a value's text, "NULL" for a null.
func ValueText(t *schemas.Type, v schemas.Value) string {
	if v.IsNull() {
		return "NULL"
	}
	return string(schemas.AppendText(nil, t, v))
}

func keyOnly(t *schemas.Table, row []schemas.Value) []schemas.Value {
	key := make([]schemas.Value, len(row))
	for _, i := range t.KeyColumns() {
		key[i] = row[i]
	}
	return key
}

// End is the end of the last committed transaction.
func (u *Upstream) End() uint64 {
	u.mu.Lock()
	defer u.mu.Unlock()
	if len(u.log) == 0 {
		return 0
	}
	return u.log[len(u.log)-1].end
}

// Current returns the tables at their present versions.
func (u *Upstream) Current() []*schemas.Table {
	u.mu.Lock()
	defer u.mu.Unlock()
	var all []*schemas.Table
	for _, r := range u.tables {
		all = append(all, r.table)
	}
	return all
}

// Rows returns the i-th table's rows as they are now: by key, or as a list where there is no key.
func (u *Upstream) Rows(i int) (keyed map[string][]schemas.Value, list [][]schemas.Value) {
	u.mu.Lock()
	defer u.mu.Unlock()
	keyed = map[string][]schemas.Value{}
	for k, row := range u.tables[i].keyed {
		keyed[k] = row
	}
	return keyed, u.tables[i].list
}

// Changes returns every change ever committed, in order.
func (u *Upstream) Changes() []schemas.Change {
	u.mu.Lock()
	defer u.mu.Unlock()
	var all []schemas.Change
	for i := range u.log {
		all = append(all, u.log[i].changes...)
	}
	return all
}

// History returns the images of a row, oldest first.
func (u *Upstream) History(row Row) []Image {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.history[row]
}

// At returns what the row held when everything up to v had happened; false if it had never been there.
func (u *Upstream) At(row Row, v schemas.Version) (Image, bool) {
	images := u.History(row)
	for i := len(images) - 1; i >= 0; i-- {
		if images[i].Version.Compare(v) <= 0 {
			return images[i], true
		}
	}
	return Image{}, false
}

// Known returns every row that ever was.
func (u *Upstream) Known() []Row {
	u.mu.Lock()
	defer u.mu.Unlock()
	rows := make([]Row, 0, len(u.history))
	for r := range u.history {
		rows = append(rows, r)
	}
	return rows
}

// TearLease takes the lease away from its holder, who is not told: the next one may have it while the holder goes on.
// It reports whether there was a holder.
func (u *Upstream) TearLease() bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.holder == nil {
		return false
	}
	u.torn++
	u.letGo()
	return true
}

// letGo frees the lease. mu is held.
func (u *Upstream) letGo() {
	u.holder = nil
	close(u.moved)
	u.moved = make(chan struct{})
}

// Confirmed is the log position up to which the log is given up.
func (u *Upstream) Confirmed() uint64 {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.released
}

// String names the row for messages.
func (r Row) String() string { return fmt.Sprintf("table %d key %s", r.Table, r.Key) }

// Floor is the version of the last truncate of a table up to v; zero when there was none.
func (u *Upstream) Floor(table uint32, v schemas.Version) (floor schemas.Version) {
	u.mu.Lock()
	defer u.mu.Unlock()
	for _, r := range u.tables {
		if r.table.ID != table {
			continue
		}
		for _, t := range r.truncates {
			if t.Compare(v) <= 0 {
				floor = t
			}
		}
	}
	return floor
}
