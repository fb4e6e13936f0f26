package postgres

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"
	"go.uber.org/zap"

	"github.com/syncline-io/syncline/framework/failure"
	"github.com/syncline-io/syncline/schemas"
)

// relation is a table as the stream tells it. The relation message is the truth about the columns and their types at
// that moment of the log; the catalog, which is of today, adds what the message leaves out where both still agree.
type relation struct {
	message relationMessage
	// layout is made when the first change is to be emitted: while a transaction is read again up to the position, what
	// its messages said earlier must not make versions again. nil until then.
	layout *layout
	// nullable columns that the catalog of today calls NOT NULL, but that have held a null at this moment of the log.
	nullable map[string]bool
	// labels that a column's enum has had at this moment of the log, and that the catalog of today does not know.
	labels map[string][]string
	// strange is, by column, the number of attributes of a composite value for which the catalog was asked in vain.
	strange map[string]int
	// described says that written and from are set: written is nil unless the key is deferrable, and from is the table
	// behind FROM.
	described bool
	written   *writtenKeys
	from      string

	before, after []schemas.Value
}

// announce notes a relation message; an earlier one of the same table is out of date.
func (r *reading) announce(m relationMessage) {
	r.stream.relations[m.oid] = &relation{message: m}
}

// relation returns the table of a change that is to be emitted; nil when its changes do not count, or not yet.
func (r *reading) relation(ctx context.Context, oid uint32) (*relation, error) {
	rel := r.stream.relations[oid]
	if rel == nil {
		return nil, fmt.Errorf("a change of the table with OID %d came before the table was announced", oid)
	}
	if rel.layout != nil {
		return rel, nil
	}
	if !r.source.tables[oid] || !r.source.state.table(oid).Done {
		return nil, nil // looked up again every time: a snapshot may finish between two changes
	}
	if err := r.checkName(ctx, &rel.message); err != nil {
		return nil, err
	}
	return rel, r.compile(ctx, rel)
}

// errRenamed ends a run: the next one reads the table.
var errRenamed = errors.New("a table was renamed, and what it holds is not under its new name; it is read again")

// checkName has a table read again that has got another name. Its changes go to another topic from here on, which would
// have the rows alone that change later. Who wants changes only gets what he wants.
func (r *reading) checkName(ctx context.Context, m *relationMessage) error {
	s := r.source
	t, name := s.state.table(m.oid), relationName{schema: m.schema, name: m.name}.String()
	if t.Name == name || t.Version == 0 {
		return nil
	}
	if s.cfg.Start == startStream {
		s.log.Warn("a table was renamed: under its new name there are the rows alone that change from now on",
			zap.String("was", t.Name), zap.String("table", name))
		return nil
	}
	if err := r.readAgain(ctx, t); err != nil {
		return err
	}
	return fmt.Errorf("%s is %s now: %w", t.Name, name, errRenamed)
}

// readAgain has the next run read the table.
func (r *reading) readAgain(ctx context.Context, t *tableState) error {
	t.Done, t.Again = false, true
	return r.awaitState(ctx)
}

// describe finds out what the relation message means, without a version.
func (r *reading) describe(ctx context.Context, rel *relation) ([]attribute, *layout, error) {
	m := &rel.message
	// What the transaction itself did to the table must be in the catalog before the catalog is asked.
	if err := r.untilVisible(ctx, r.stream.origin.TxID); err != nil {
		return nil, nil, fmt.Errorf("look up table %s.%s: %w", m.schema, m.name, err)
	}
	info, err := r.catalog.relation(ctx, m.oid)
	if err != nil {
		return nil, nil, err
	}
	if info == nil {
		info = &relationInfo{oid: m.oid}
	}
	if err := info.checkKey(m.identity); err != nil {
		return nil, nil, err
	}
	sent, err := r.mergeAttributes(ctx, rel, info)
	if err != nil {
		return nil, nil, err
	}
	merged := &relationInfo{
		oid: m.oid, schema: m.schema, name: m.name, kind: info.kind, identity: m.identity, attributes: sent,
		key: keyOf(m, sent, info), partial: info.partial,
	}
	if r.beforeKey(m) {
		merged.key = nil
	}
	lay, err := r.catalog.layout(ctx, merged, sent)
	if err != nil {
		return nil, nil, err
	}
	rel.setLabels(lay)
	deferrable := info.deferrable || r.source.state.table(m.oid).Deferrable
	if m.identity == 'f' && deferrable && len(lay.key) > 0 {
		rel.written = r.stream.collisions.of(m, lay, info.kind == 'p')
	}
	rel.described, rel.from = true, merged.from()
	return sent, lay, nil
}

// beforeKey reports whether the rows of a table that had no key may be of a time before it got the one of today. Then several
// could be the same for the key, or have none of it, and the removal of one would take another one out of every target. With
// the whole old rows that the log has of them, they need no key.
func (r *reading) beforeKey(m *relationMessage) bool {
	return m.identity == 'f' && r.stream.commit < r.behind && r.source.state.table(m.oid).Keyless
}

// catchUp has the tables compiled again once the stream has come to where the log ended when this run began: beforeKey does not
// count any more.
func (r *reading) catchUp(at lsn) {
	if r.behind == 0 || at < r.behind {
		return
	}
	r.behind = 0
	for oid, rel := range r.stream.relations {
		if r.source.tables[oid] && r.source.state.table(oid).Keyless {
			r.announce(rel.message)
		}
	}
}

// compile makes the table's layout, under the version that its shape has or a new one.
func (r *reading) compile(ctx context.Context, rel *relation) error {
	m := &rel.message
	sent, lay, err := r.describe(ctx, rel)
	if err != nil {
		return err
	}
	t := r.source.state.table(m.oid)
	changed := t.note(sent)
	if rel.written != nil && !t.Deferrable {
		t.Deferrable, changed = true, true
	}
	if keyless := len(lay.key) == 0; keyless != t.Keyless {
		t.Keyless, changed = keyless, true
	}
	if last := r.known[m.oid]; last != nil && last.SameShape(lay.table) {
		lay.table = last // the same version: whoever has compiled something for it finds it again
	} else {
		changed = r.source.state.version(lay.table, uint64(r.stream.commit)) || changed
		r.known[m.oid] = lay.table
	}
	if changed {
		if err := r.setState(false); err != nil {
			return err
		}
	}
	rel.layout = lay
	r.stream.last[m.oid] = sent
	rel.before = make([]schemas.Value, len(lay.table.Columns))
	rel.after = make([]schemas.Value, len(lay.table.Columns))
	return nil
}

// mergeAttributes completes the message's columns from the catalog.
func (r *reading) mergeAttributes(ctx context.Context, rel *relation, info *relationInfo) ([]attribute, error) {
	sent := matchAttributes(rel.message.columns, info.attributes, r.stream.last[rel.message.oid])
	rel.recall(sent, info.attributes, r.source.state.table(rel.message.oid))
	for i, c := range rel.message.columns {
		if sent[i].typmod != c.typmod {
			sent[i].typmod, sent[i].typeText = c.typmod, ""
		}
		if rel.nullable[c.name] {
			sent[i].notNull, sent[i].relaxed = false, true
		}
		if sent[i].typeText == "" {
			text, err := r.typeText(ctx, c)
			if err != nil {
				return nil, err
			}
			sent[i].typeText = text
		}
	}
	return sent, nil
}

// recall completes the columns that are not in the catalog as the message has them: altered, renamed or dropped since. A
// column that came out nullable for want of knowledge would make a schema that the next one does not follow from.
func (rel *relation) recall(sent, catalog []attribute, t *tableState) {
	announced, unknown := make([]attribute, len(sent)), make([]bool, len(sent))
	for i, c := range rel.message.columns {
		announced[i], unknown[i] = attribute{name: c.name, typ: c.typ, typmod: c.typmod}, sent[i].num == 0
	}
	inferNumbers(sent, catalog)
	last, recorded := t.notNull(announced)
	for i, c := range rel.message.columns {
		if unknown[i] && recorded {
			sent[i].notNull = last[i]
		}
		if c.key && (rel.message.identity == 'd' || rel.message.identity == 'i') {
			sent[i].notNull = true // PostgreSQL takes no other columns for an identity
		}
	}
}

func (r *reading) typeText(ctx context.Context, c relationColumn) (string, error) {
	text, err := r.catalog.typeText(ctx, c.typ, c.typmod)
	if name, ok := r.stream.typeNames[c.typ]; ok && err == nil && (text == "???" || text == "") {
		text = name // the type is gone by now
	}
	return text, err
}

// matchAttributes finds the message's columns by name and type: in the catalog, or else in the table's last version,
// which is older than the message where the catalog may be younger. Columns come in the order of their numbers, so a
// match that breaks the order is another column of the same name; the best matches that are in order count.
func matchAttributes(columns []relationColumn, catalog, last []attribute) []attribute {
	today := matchInOrder(columns, catalog, nil)
	if !slices.ContainsFunc(today, func(a attribute) bool { return a.num == 0 }) {
		return today
	}
	return matchInOrder(columns, catalog, last)
}

func matchInOrder(columns []relationColumn, catalog, last []attribute) []attribute {
	sent := make([]attribute, len(columns))
	best := make([]int, len(columns)) // weight of the heaviest run in order that ends here
	prev := make([]int, len(columns))
	end := -1
	for i, c := range columns {
		weight := 1
		same := func(a attribute) bool { return !a.dropped && a.name == c.name && a.typ == c.typ }
		if at := slices.IndexFunc(last, same); at >= 0 && last[at].num > 0 {
			sent[i], weight = last[at], len(columns) // one of these is worth all of the catalog's
		} else if at := slices.IndexFunc(catalog, same); at >= 0 && hasRoom(catalog, catalog[at].num, i, len(columns)-1-i) {
			sent[i] = catalog[at]
		} else {
			continue
		}
		best[i], prev[i] = weight, -1
		for j := range i {
			if best[j] > 0 && best[j]+weight > best[i] && sent[j].num < sent[i].num {
				best[i], prev[i] = best[j]+weight, j
			}
		}
		if end < 0 || best[i] > best[end] {
			end = i
		}
	}
	for i := len(columns) - 1; i >= 0; i-- {
		if i == end {
			end = prev[i]
			continue
		}
		c := columns[i]
		sent[i] = attribute{name: c.name, typ: c.typ, typmod: c.typmod}
	}
	return sent
}

// hasRoom reports whether the catalog has at least as many numbers below and above num as columns stand before and behind
// it; numbers are never given back. Without the room it is a younger column that has taken the name.
func hasRoom(catalog []attribute, num int16, before, behind int) bool {
	for _, a := range catalog {
		if a.num < num {
			before--
		} else if a.num > num {
			behind--
		}
	}
	return before <= 0 && behind <= 0
}

// inferNumbers finds the numbers of columns that the catalog knows under another name by now (renamed, dropped, of
// another type): columns come in the order of their numbers, so where as many numbers as columns are left between two
// known ones, they belong to each other. What the catalog says of the number today is the best guess for what was then.
func inferNumbers(sent, all []attribute) {
	for i := 0; i < len(sent); {
		if sent[i].num != 0 {
			i++
			continue
		}
		end := i
		for end < len(sent) && sent[end].num == 0 {
			end++
		}
		low, high := int16(0), int16(1<<15-1)
		if i > 0 {
			low = sent[i-1].num
		}
		if end < len(sent) {
			high = sent[end].num
		}
		var free []attribute
		for _, a := range all {
			if a.num > low && a.num < high && !a.hidden {
				free = append(free, a)
			}
		}
		if len(free) == end-i {
			for j, a := range free {
				sent[i+j].num, sent[i+j].notNull, sent[i+j].def, sent[i+j].generated = a.num, a.notNull, a.def, a.generated
			}
		}
		i = end
	}
}

// keyOf gives the attnums of the key. Which columns they are, the message says (but with identity full it marks all, and
// the primary key is what the catalog knows); their order is the catalog's while it knows the same columns. Columns
// whose number nobody knows get one of their own, below zero, so that they can be told apart here.
//
// A table that has got its primary key since had no updates and deletes before (PostgreSQL refuses them), and its inserts have
// the key already: so the rows of one table have one key, in the stream as in a snapshot and with Debezium.
func keyOf(m *relationMessage, sent []attribute, info *relationInfo) []int16 {
	catalogKey := info.key
	for i := range sent {
		if sent[i].num == 0 {
			sent[i].num = int16(-1 - i)
		}
	}
	unknown := func(num int16) bool {
		return !slices.ContainsFunc(sent, func(a attribute) bool { return a.num == num })
	}
	all := len(catalogKey) > 0 && !slices.ContainsFunc(catalogKey, unknown)
	switch m.identity {
	case 'n', 'f': // without an identity there are no updates and deletes, and the inserts have the primary key
		if all {
			return catalogKey
		}
		return nil
	}
	var marked []int16
	for i, c := range m.columns {
		if c.key {
			marked = append(marked, sent[i].num)
		}
	}
	if len(marked) == 0 && m.identity == 'd' && info.identity == 'd' && all {
		return catalogKey
	}
	sorted := slices.Sorted(slices.Values(catalogKey))
	if slices.Equal(sorted, slices.Sorted(slices.Values(marked))) {
		return catalogKey
	}
	return marked
}

// decode turns a whole tuple into a row.
func (r *reading) decode(ctx context.Context, rel *relation, fields []field, row []schemas.Value) error {
	if len(fields) != len(rel.layout.columns) {
		return fmt.Errorf("a row of %s has %d values, and the table was announced with %d columns",
			rel.layout.table, len(fields), len(rel.layout.columns))
	}
	for i := range fields {
		c := &rel.layout.columns[i]
		if c.row < 0 {
			continue
		}
		switch fields[i].kind {
		case 't', 'b':
			v, err := c.value(fields[i], &r.arena)
			if err != nil {
				return &notBinary{rel.layout, i, err}
			}
			row[c.row] = v
			if c.composite > 0 && rel.otherAttributes(i, fields[i].text) {
				row, err := r.compileAgain(ctx, rel, row)
				if err != nil {
					return err
				}
				return r.decode(ctx, rel, fields, row)
			}
			if c.labels == nil {
				continue
			}
			if label, found := c.labels.lacks(row[c.row]); found {
				row, err := r.relabel(ctx, rel, i, label, row)
				if err != nil {
					return err
				}
				return r.decode(ctx, rel, fields, row)
			}
		case 'n':
			if !c.nullable {
				return r.relax(ctx, rel, i, fields, row)
			}
			row[c.row] = schemas.Null()
		default:
			row[c.row] = schemas.Unchanged()
		}
	}
	return nil
}

// relax makes a column nullable: it was, when this row was written, though the catalog of today says NOT NULL.
func (r *reading) relax(ctx context.Context, rel *relation, column int, fields []field, row []schemas.Value) error {
	if rel.nullable == nil {
		rel.nullable = map[string]bool{}
	}
	name := rel.layout.attributes[column].name
	if rel.nullable[name] {
		return fmt.Errorf("column %s of %s is null and cannot be", name, rel.layout.table)
	}
	rel.nullable[name] = true
	row, err := r.compileAgain(ctx, rel, row)
	if err != nil {
		return err
	}
	return r.decode(ctx, rel, fields, row)
}

// compileAgain compiles the table once more on account of the row that is being decoded. row is one of rel's two, which
// are made anew; its new place is returned.
func (r *reading) compileAgain(ctx context.Context, rel *relation, row []schemas.Value) ([]schemas.Value, error) {
	old := len(row) > 0 && len(rel.before) > 0 && &row[0] == &rel.before[0]
	before := rel.before
	if err := r.compile(ctx, rel); err != nil {
		return nil, err
	}
	if old {
		return rel.before, nil
	}
	copy(rel.before, before)
	return rel.after, nil
}

// decodeOld gives the old row of the current message: nil, the key alone, or all of it.
func (r *reading) decodeOld(ctx context.Context, rel *relation) (row []schemas.Value, keyOnly bool, err error) {
	switch m := &r.stream.msg; {
	case m.oldKind == 'O' && rel.layout.table.Identity == schemas.IdentityFull:
		err := r.decode(ctx, rel, m.old, rel.before)
		return rel.before, false, err
	case m.oldKind == 'K', m.oldKind == 'O': // that of a partition whose identity is not full
		err := r.decodeKey(ctx, rel, m.old)
		return rel.before, true, err
	}
	return nil, false, nil
}

// decodeKey takes the key's columns from an old row.
func (r *reading) decodeKey(ctx context.Context, rel *relation, fields []field) error {
	if len(fields) != len(rel.layout.columns) {
		return fmt.Errorf("an old row of %s has %d values instead of %d", rel.layout.table, len(fields), len(rel.layout.columns))
	}
	clear(rel.before)
	for i, f := range fields {
		c := &rel.layout.columns[i]
		if c.row < 0 || rel.layout.table.Columns[c.row].Key == 0 {
			continue
		}
		if f.kind == 'n' && !c.nullable {
			return otherIdentity(rel, i)
		}
		if !f.hasValue() {
			continue
		}
		v, err := c.value(f, &r.arena)
		if err != nil {
			return &notBinary{rel.layout, i, err}
		}
		if rel.before[c.row] = v; c.labels == nil {
			continue
		}
		if label, found := c.labels.lacks(rel.before[c.row]); found {
			if _, err := r.relabel(ctx, rel, i, label, rel.before); err != nil {
				return err
			}
			return r.decodeKey(ctx, rel, fields)
		}
	}
	return nil
}

// otherIdentity is about a partition whose replica identity is another index than the partitioned table's key: what it logs of an
// old row does not say which row of the table that was.
func otherIdentity(rel *relation, column int) error {
	return failure.As(failure.Config, fmt.Errorf("postgres.partition_root: a partition of %s logs old rows without %s, which is in the key",
		rel.layout.table, rel.layout.attributes[column].name),
		"give the partition REPLICA IDENTITY FULL, or the index of the table's key; for what is logged already, leave the table out with "+
			"exclude_tables until the source has passed it, and have it read again")
}

// fillUnchanged takes from the old row what the new one did not send.
func fillUnchanged(rel *relation, before []schemas.Value, keyOnly bool) {
	if before == nil {
		return
	}
	if keyOnly {
		for _, i := range rel.layout.key {
			if rel.after[i].IsUnchanged() {
				rel.after[i] = before[i]
			}
		}
		return
	}
	for i := range rel.after {
		if rel.after[i].IsUnchanged() {
			rel.after[i] = before[i]
		}
	}
}

// keyChanged compares the keys of the current message's rows, which have both been decoded.
func (rel *relation) keyChanged() bool {
	for _, i := range rel.layout.key {
		if !sameValue(rel.before[i], rel.after[i]) {
			return true
		}
	}
	return false
}

// sameValue compares two values of one key column: keys are never null, and hold no arrays.
func sameValue(a, b schemas.Value) bool {
	if a.Kind() != b.Kind() {
		return false
	}
	switch a.Kind() {
	case schemas.KindBytes, schemas.KindUnrepresentable:
		return bytes.Equal(a.Bytes(), b.Bytes())
	case schemas.KindDecimal:
		x, scale, form := a.Decimal()
		y, scale2, form2 := b.Decimal()
		return form == form2 && scale == scale2 && bytes.Equal(x, y)
	case schemas.KindInterval:
		m, d, u := a.Interval()
		m2, d2, u2 := b.Interval()
		return m == m2 && d == d2 && u == u2
	case schemas.KindArray:
		return slices.EqualFunc(a.Array(), b.Array(), sameValue)
	}
	return a.Int() == b.Int() // bool, int and float: the same bits
}

func (rel *relation) incomplete() bool {
	return slices.ContainsFunc(rel.after, schemas.Value.IsUnchanged)
}

// lookup gives the query that reads the unchanged columns of the new row by its key, as text.
func (rel *relation) lookup(m *rowMessage) (sql string, params keyParams) {
	var columns, where []string
	for i, c := range rel.layout.columns {
		if c.row < 0 {
			continue
		}
		name := quoteName(rel.layout.attributes[i].name)
		if rel.after[c.row].IsUnchanged() {
			columns = append(columns, name)
		}
		if rel.layout.table.Columns[c.row].Key == 0 {
			continue
		}
		f := m.new[i]
		if !f.hasValue() { // a key too long to be sent again
			f = m.old[i]
		}
		where = append(where, fmt.Sprintf("%s = $%d", name, params.add(f, c.wire)))
	}
	return rel.selectWhere(columns, where), params
}

// keyParams are the values of a key as the server has sent them, text or binary, and what says so.
type keyParams struct {
	values  [][]byte
	types   []uint32
	formats []int16
}

// add returns the parameter's number.
func (p *keyParams) add(f field, wire uint32) int {
	format := int16(pgtype.TextFormatCode)
	if f.kind == 'b' {
		format = pgtype.BinaryFormatCode
	}
	p.values, p.types, p.formats = append(p.values, f.text), append(p.types, wire), append(p.formats, format)
	return len(p.values)
}

// query reads rows as text.
func (r *reading) query(ctx context.Context, sql string, p keyParams) *pgconn.Result {
	return r.catalog.conn.PgConn().ExecParams(ctx, sql, p.values, p.types, p.formats, nil).Read()
}

// selectWhere gives a query of the table that finds nothing where another one has its name by now.
func (rel *relation) selectWhere(columns, where []string) string {
	return fmt.Sprintf("select %s from %s where %s and to_regclass(%s) = %d::oid", strings.Join(columns, ", "), rel.from,
		strings.Join(where, " and "), quoteLiteral(quoteTable(rel.message.schema, rel.message.name)), rel.message.oid)
}
