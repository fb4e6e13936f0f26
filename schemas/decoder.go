package schemas

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"strings"
)

// Decoder reads the values of one topic that were written with one schema. It is compiled once: fields are found by
// their names, whatever their order; unknown ones are skipped and missing ones are null. Not safe for concurrent use.
type Decoder struct {
	table    *Table
	envelope []envelopeField
	bare     *row           // of a value that is the row itself
	columns  map[string]int // by the source's name
	origins  map[string]string
	r        reader // here, because on the stack it would not stay
}

// envelopeField reads one field of the envelope.
type envelopeField struct {
	name string
	read func(d *Decoder, r *reader, c *Change, a *Arena) (field string)
}

var (
	errNoRecord   = errors.New("not a change event and not a row: the schema is not a record")
	errNoEnvelope = errors.New("not a change event: a record with the fields op (text) and after (a row) is expected")
	errTrailing   = errors.New("bytes after the end of the value")
	errNoOp       = errors.New("an operation that does not exist")
	errNoAfter    = errors.New("after is null, though the operation has a new row")
)

// NewDecoder compiles the decoder of a writer's schema: an envelope with the fields op and after, or any other record,
// which is then the row itself (see [Decoder.Bare]). Values come out in the order and the canonical types of t's
// columns. With t nil a table is derived from the schema alone, as far as it tells: a topic of Debezium's own. For a
// derived table with a key use [DeriveTable].
func NewDecoder(schemaText string, t *Table) (*Decoder, error) {
	root, err := parseAvro(schemaText)
	if err != nil {
		return nil, err
	}
	envelope, err := isEnvelope(root)
	if err != nil {
		return nil, err
	}
	if t == nil {
		if t, err = derive(nil, root); err != nil {
			return nil, err
		}
	}
	d := &Decoder{table: t, columns: make(map[string]int, len(t.Columns)), origins: make(map[string]string)}
	for i := range t.Columns {
		d.columns[t.Columns[i].Name] = i
	}
	if !envelope {
		if d.bare, err = compileRow(root, t); err != nil {
			return nil, fmt.Errorf("table %s: %w", t, err)
		}
		return d, nil
	}
	for i := range root.fields {
		f, err := compileEnvelope(&root.fields[i], t)
		if err != nil {
			return nil, fmt.Errorf("table %s: %w", t, err)
		}
		d.envelope = append(d.envelope, f)
	}
	return d, nil
}

// IsEnvelope reports whether a schema is that of a change event: a [Decoder] of it is not [Decoder.Bare].
func IsEnvelope(schemaText string) bool {
	root, err := parseAvro(schemaText)
	if err != nil {
		return false
	}
	envelope, err := isEnvelope(root)
	return err == nil && envelope
}

// isEnvelope tells an envelope from a row: it has an operation and, as a record, the new row.
func isEnvelope(root *avroType) (bool, error) {
	if root.kind != avroRecord {
		return false, errNoRecord
	}
	op, after := root.field("op"), root.field("after")
	if op == nil || after == nil {
		return false, nil
	}
	rows, _ := after.optional()
	return rows.kind == avroRecord, nil
}

func compileEnvelope(f *avroField, t *Table) (envelopeField, error) {
	out := envelopeField{name: f.name}
	switch f.name {
	case "before", "after":
		row, err := compileRow(f.typ, t)
		if err != nil {
			return out, fmt.Errorf("%s: %w", f.name, err)
		}
		before := f.name == "before"
		out.read = func(_ *Decoder, r *reader, c *Change, a *Arena) string {
			values, field := row.optional(r, a)
			if before {
				c.Before = values
			} else {
				c.After = values
			}
			return field
		}
	case "op":
		op, _ := f.typ.optional()
		if op.kind != avroString {
			return out, errNoEnvelope
		}
		out.read = opReader(f.typ)
	case "source":
		source, optional := f.typ.optional()
		if source.kind != avroRecord || optional {
			out.read = skipField(f.typ)
			break
		}
		fields := compileSource(source)
		out.read = func(d *Decoder, r *reader, c *Change, _ *Arena) string {
			for i := range fields {
				if fields[i].read(d, r, &c.Source); r.err != nil {
					return "source." + fields[i].name
				}
			}
			return ""
		}
	default:
		out.read = skipField(f.typ)
	}
	return out, nil
}

func skipField(w *avroType) func(*Decoder, *reader, *Change, *Arena) string {
	return func(_ *Decoder, r *reader, _ *Change, _ *Arena) string {
		w.skip(r, 0)
		return ""
	}
}

// opReader reads the operation, which Flink declares as one that may be null.
func opReader(w *avroType) func(*Decoder, *reader, *Change, *Arena) string {
	null := nullBranch(w)
	return func(_ *Decoder, r *reader, c *Change, _ *Arena) string {
		if w.kind == avroUnion {
			switch i := r.long(); {
			case i == null:
				r.fail(errNoOp)
				return ""
			case i < 0 || i >= int64(len(w.branches)):
				r.fail(errBranch)
				return ""
			}
		}
		b := r.bytes()
		if len(b) == 1 {
			switch op := Op(b[0]); op {
			case Read, Create, Update, Delete, Truncate, Message:
				c.Op = op
				return ""
			}
		}
		r.fail(errNoOp)
		return ""
	}
}

// Table returns the table whose rows come out.
func (d *Decoder) Table() *Table { return d.table }

// Decode reads an Avro body (see [SplitWire]) into c, of which nothing of before remains. Values alias body and a: they
// are valid as long as both are. An error names the field and the byte; c is then of no use.
func (d *Decoder) Decode(body []byte, c *Change, a *Arena) error {
	*c = Change{Table: d.table}
	r := &d.r
	*r = reader{buf: body}
	if d.bare != nil {
		return d.decodeRow(c, r, a)
	}
	for i := range d.envelope {
		f := &d.envelope[i]
		if field := f.read(d, r, c, a); r.err != nil {
			if field != "" && f.name != "source" {
				field = f.name + "." + field
			} else if field == "" {
				field = f.name
			}
			return fmt.Errorf("table %s: %w", d.table, r.problem(field))
		}
	}
	if r.at != len(body) {
		return fmt.Errorf("table %s: byte %d of %d: %w", d.table, r.at, len(body), errTrailing)
	}
	if c.Op == Truncate {
		c.Before, c.After = nil, nil // it is the whole table's, whatever somebody else has put beside it
	}
	if c.After == nil && (c.Op == Read || c.Op == Create || c.Op == Update) {
		return fmt.Errorf("table %s: operation %c: %w", d.table, c.Op, errNoAfter)
	}
	return nil
}

// Bare reports whether the values are rows without an envelope. What they say goes no further than the row: Decode calls
// it a Create, which writes a row with the same key anew, and a record without value is a Delete.
func (d *Decoder) Bare() bool { return d.bare != nil }

func (d *Decoder) decodeRow(c *Change, r *reader, a *Arena) error {
	c.Op, c.After = Create, a.Values(d.bare.columns)
	if field := d.bare.read(r, c.After, a); r.err != nil {
		return fmt.Errorf("table %s: %w", d.table, r.problem(field))
	}
	if r.at != len(r.buf) {
		return fmt.Errorf("table %s: byte %d of %d: %w", d.table, r.at, len(r.buf), errTrailing)
	}
	return nil
}

// DecodeNothing is Decode for a record without value, of which [HeaderOp] and the key say what it is.
func (d *Decoder) DecodeNothing(c *Change) { *c = Change{Table: d.table, Op: Delete} }

// row reads the rows of a table.
type row struct {
	union   bool
	null    int64 // index of null in the union
	columns int
	fields  []rowField
}

type rowField struct {
	name    string
	column  int // -1: skipped
	union   bool
	null    int64
	branch  int64 // of the value
	extract extractor
	skip    *avroType
}

func compileRow(w *avroType, t *Table) (*row, error) {
	record, _ := w.optional()
	if record.kind != avroRecord || w.kind == avroUnion && len(w.branches) != 2 {
		return nil, errNoEnvelope
	}
	out := &row{union: w.kind == avroUnion, null: nullBranch(w), columns: len(t.Columns)}
	names := make(map[string]int, len(t.Columns))
	for i, name := range fieldNames(t) {
		names[name] = i
	}
	columns := fieldColumns(record, names)
	for i := range record.fields {
		f, err := compileRowField(&record.fields[i], t, columns[i])
		if err != nil {
			return nil, fmt.Errorf("field %q: %w", record.fields[i].name, err)
		}
		out.fields = append(out.fields, f)
	}
	return out, nil
}

// fieldColumns finds the column of every field, -1 for none: that of its name, or else of an alias, which is what the field
// was called when the table was described. An alias that is another field's name, or that several fields have, says nothing.
func fieldColumns(record *avroType, names map[string]int) []int {
	const several = -1
	owner := make(map[string]int, len(record.fields)) // the field that has a name or alias
	for i := range record.fields {
		owner[record.fields[i].name] = i
	}
	own := maps.Clone(owner)
	for i := range record.fields {
		f := &record.fields[i]
		if _, ok := names[f.name]; ok {
			continue
		}
		for _, alias := range f.aliases {
			if _, isField := own[alias]; isField {
				continue
			}
			if other, ok := owner[alias]; ok && other != i {
				owner[alias] = several
			} else {
				owner[alias] = i
			}
		}
	}
	columns := make([]int, len(record.fields))
	for i := range record.fields {
		f := &record.fields[i]
		column, ok := names[f.name]
		for n := 0; !ok && n < len(f.aliases); n++ {
			if owner[f.aliases[n]] == i {
				column, ok = names[f.aliases[n]]
			}
		}
		if columns[i] = column; !ok {
			columns[i] = -1
		}
	}
	return columns
}

func compileRowField(f *avroField, t *Table, column int) (rowField, error) {
	if column < 0 {
		return rowField{name: f.name, column: -1, skip: f.typ}, nil
	}
	out := rowField{name: f.name, column: column, null: nullBranch(f.typ)}
	inner, _ := f.typ.optional()
	switch {
	case f.typ.kind == avroUnion && len(f.typ.branches) == 2 && out.null >= 0:
		out.union, out.branch = true, 1-out.null
	case f.typ.kind == avroUnion && len(f.typ.branches) == 1:
		out.union = true
	default:
		inner = f.typ
	}
	var err error
	out.extract, err = extractAs(inner, &t.Columns[column].Type)
	return out, err
}

// optional reads a row that may be null, and names the field where the reader stopped.
func (w *row) optional(r *reader, a *Arena) ([]Value, string) {
	if w.union {
		switch i := r.long(); {
		case r.err != nil || i == w.null:
			return nil, ""
		case i < 0 || i > 1:
			r.fail(errBranch)
			return nil, ""
		}
	}
	values := a.Values(w.columns)
	return values, w.read(r, values, a)
}

// read fills values, which are null where the writer has no field.
func (w *row) read(r *reader, values []Value, a *Arena) string {
	for i := range w.fields {
		f := &w.fields[i]
		if f.column < 0 {
			f.skip.skip(r, 0)
		} else {
			f.value(r, a, &values[f.column])
		}
		if r.err != nil {
			return f.name
		}
	}
	return ""
}

func (f *rowField) value(r *reader, a *Arena, out *Value) {
	if f.union {
		if i := r.long(); i != f.branch {
			if i != f.null || i < 0 {
				r.fail(errBranch)
			}
			return
		}
	}
	f.extract(r, a, out)
}

// sourceFieldReader reads one field of the source block.
type sourceFieldReader struct {
	name string
	read func(d *Decoder, r *reader, o *Origin)
}

func compileSource(record *avroType) []sourceFieldReader {
	fields := make([]sourceFieldReader, len(record.fields))
	finest := finestTime(record)
	for i := range record.fields {
		f := &record.fields[i]
		fields[i] = sourceFieldReader{f.name, compileSourceField(f, finest)}
	}
	return fields
}

// finestTime is the name of the field from which the commit's time is read best.
func finestTime(record *avroType) string {
	for _, name := range []string{"ts_us", "ts_ns"} {
		if record.field(name) != nil {
			return name
		}
	}
	return "ts_ms"
}

func compileSourceField(f *avroField, finest string) func(*Decoder, *reader, *Origin) {
	inner, _ := f.typ.optional()
	present := func(*reader) bool { return true }
	if f.typ.kind == avroUnion {
		null, n := nullBranch(f.typ), int64(len(f.typ.branches))
		present = func(r *reader) bool {
			i := r.long()
			if i < 0 || i >= n {
				r.fail(errBranch)
			}
			return r.err == nil && i != null
		}
	}
	set := sourceSetter(f.name, inner, finest)
	if set == nil || inner.kind == avroUnion {
		whole := f.typ
		return func(_ *Decoder, r *reader, _ *Origin) { whole.skip(r, 0) }
	}
	return func(d *Decoder, r *reader, o *Origin) {
		if present(r) {
			set(d, r, o)
		}
	}
}

// sourceSetter returns what reads a field into an Origin, nil for a field that is of no interest.
func sourceSetter(name string, w *avroType, finest string) func(*Decoder, *reader, *Origin) {
	k := w.kind
	if name == "snapshot" && (k == avroBoolean || k == avroEnum) {
		return snapshotSetter(w)
	}
	if k == avroLong {
		switch {
		case name == finest:
			return timeSetter(name)
		case name == "txId":
			return func(_ *Decoder, r *reader, o *Origin) { o.TxID = uint32(r.long()) }
		case name == "lsn":
			return func(_ *Decoder, r *reader, o *Origin) { o.LSN = uint64(r.long()) }
		}
	}
	if k == avroString {
		switch name {
		case "snapshot":
			return func(d *Decoder, r *reader, o *Origin) {
				if s := d.intern(r.bytes()); s != "false" {
					o.Snapshot = Snapshot(s)
				}
			}
		case "sequence":
			return func(_ *Decoder, r *reader, o *Origin) { o.LastCommit = firstOfSequence(r.bytes()) }
		case "origin":
			return func(d *Decoder, r *reader, o *Origin) { o.ReplicationOrigin = d.intern(r.bytes()) }
		}
	}
	return nil
}

// snapshotSetter reads the mark as old versions of Debezium and other programs write it.
func snapshotSetter(w *avroType) func(*Decoder, *reader, *Origin) {
	if w.kind == avroBoolean {
		return func(_ *Decoder, r *reader, o *Origin) {
			if r.boolean() {
				o.Snapshot = SnapshotTrue
			}
		}
	}
	return func(_ *Decoder, r *reader, o *Origin) {
		i := r.long()
		if i < 0 || i >= int64(len(w.symbols)) {
			r.fail(errValue)
		} else if s := w.symbols[i]; s != "false" {
			o.Snapshot = Snapshot(s)
		}
	}
}

func timeSetter(name string) func(*Decoder, *reader, *Origin) {
	switch name {
	case "ts_us":
		return func(_ *Decoder, r *reader, o *Origin) { o.Time = r.long() }
	case "ts_ns":
		return func(_ *Decoder, r *reader, o *Origin) { o.Time, _ = floorDiv(r.long(), 1000) }
	}
	return func(_ *Decoder, r *reader, o *Origin) { o.Time = r.long() * 1000 }
}

// maxInterned bounds the names that a decoder remembers: there are few snapshot marks and replication origins.
const maxInterned = 256

// intern returns b as a string that lives on, without an allocation for one that was seen before.
func (d *Decoder) intern(b []byte) string {
	if s, ok := d.origins[string(b)]; ok {
		return s
	}
	s := string(b)
	if len(d.origins) < maxInterned && len(s) <= maxInterned {
		d.origins[s] = s
	}
	return s
}

// firstOfSequence reads the first number of ["123","456"], 0 where it is null.
func firstOfSequence(b []byte) uint64 {
	if len(b) < 2 || b[0] != '[' || b[1] != '"' {
		return 0
	}
	var v uint64
	for _, c := range b[2:] {
		if c < '0' || c > '9' {
			break
		}
		v = v*10 + uint64(c-'0')
	}
	return v
}

// ApplyHeader completes c, just decoded, with one of our record headers: the version, which columns are unchanged,
// whether before is only the key, the texts of values that the schema cannot hold. Other headers are left alone. A
// value may alias value and a.
func (d *Decoder) ApplyHeader(c *Change, name string, value []byte, a *Arena) error {
	var err error
	switch {
	case name == HeaderVersion:
		c.Version, err = ParseVersion(value)
	case name == HeaderOp && d.bare != nil:
		err = d.applyOp(c, value)
	case name == HeaderSource && d.bare != nil:
		err = d.applyOrigin(c, value)
	case name == HeaderUnchanged:
		err = d.applyUnchanged(c, value)
	case name == HeaderBefore:
		err = d.applyBefore(c, value)
	case strings.HasPrefix(name, HeaderRawBefore):
		err = d.applyRaw(c.Before, name[len(HeaderRawBefore):], value, a)
	case strings.HasPrefix(name, HeaderRaw):
		err = d.applyRaw(c.After, name[len(HeaderRaw):], value, a)
	}
	if err != nil {
		return fmt.Errorf("table %s: header %s: %w", d.table, name, err)
	}
	return nil
}

var (
	errNoColumn = errors.New("the table has no such column")
	errNoRow    = errors.New("the event has no such row")
	errHeader   = errors.New("not what the header holds")
)

func (d *Decoder) applyRaw(row []Value, name string, text []byte, a *Arena) error {
	i, ok := d.columns[name]
	if !ok {
		return errNoColumn
	}
	if row == nil {
		return errNoRow
	}
	v, err := ParseText(text, &d.table.Columns[i].Type, a)
	if err != nil {
		v = UnrepresentableValue(text)
	}
	row[i] = v
	return nil
}

func (d *Decoder) applyBefore(c *Change, value []byte) error {
	if string(value) != "key" {
		return errHeader
	}
	c.BeforeKeyOnly = true
	if c.Before != nil {
		for i := range d.table.Columns {
			if d.table.Columns[i].Key == 0 {
				c.Before[i] = Null()
			}
		}
	}
	return nil
}

func (d *Decoder) applyUnchanged(c *Change, names []byte) error {
	if c.After == nil {
		return errNoRow
	}
	rest := names
	if len(rest) < 2 || rest[0] != '[' || rest[len(rest)-1] != ']' {
		return errHeader
	}
	rest = rest[1 : len(rest)-1]
	for len(rest) > 0 {
		end := endOfString(rest)
		if end < 0 {
			return errHeader
		}
		name, err := unquoteJSON(rest[:end])
		if err != nil {
			return errHeader
		}
		i, ok := d.columns[string(name)]
		if !ok {
			return fmt.Errorf("%q: %w", name, errNoColumn)
		}
		c.After[i] = Unchanged()
		rest = rest[end:]
		if len(rest) > 0 {
			if rest[0] != ',' || len(rest) == 1 {
				return errHeader
			}
			rest = rest[1:]
		}
	}
	return nil
}

// endOfString returns where the JSON string at the front of b ends, -1 if there is none.
func endOfString(b []byte) int {
	if len(b) == 0 || b[0] != '"' {
		return -1
	}
	for i := 1; i < len(b); i++ {
		switch b[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return -1
}

// unquoteJSON reads a JSON string. It allocates only for one with escapes.
func unquoteJSON(quoted []byte) ([]byte, error) {
	inner := quoted[1 : len(quoted)-1]
	if bytes.IndexByte(inner, '\\') < 0 {
		return inner, nil
	}
	var text string
	err := json.Unmarshal(quoted, &text)
	return []byte(text), err
}

// MarkPlaceholders turns every value of after that equals Debezium's placeholder into [Unchanged]. It is for topics
// that others wrote, and only for events without [HeaderVersion]: in ours the header says what is unchanged, and text
// that happens to equal the placeholder is text.
func (d *Decoder) MarkPlaceholders(c *Change) {
	for i := range c.After {
		if isPlaceholder(c.After[i], &d.table.Columns[i].Type) {
			c.After[i] = Unchanged()
		}
	}
}

func isPlaceholder(v Value, t *Type) bool {
	switch v.kind {
	case KindBytes:
		return v.String() == Placeholder
	case KindArray:
		elems := v.Array()
		if len(elems) == 1 && elems[0].kind == KindBytes {
			return elems[0].String() == Placeholder
		}
		// One number for every byte.
		if t.Kind != Array || len(elems) != len(Placeholder) {
			return false
		}
		for i, e := range elems {
			if e.kind != KindInt || e.Int() != int64(Placeholder[i]) {
				return false
			}
		}
		return true
	}
	return false
}

// KeyDecoder reads the keys of one topic that were written with one schema.
type KeyDecoder struct {
	table *Table
	row   *row
	r     reader
}

// NewKeyDecoder compiles the decoder of a key's schema. With t nil the table is derived from it and has the key's
// columns alone.
func NewKeyDecoder(schemaText string, t *Table) (*KeyDecoder, error) {
	root, err := parseAvro(schemaText)
	if err != nil {
		return nil, err
	}
	if root.kind != avroRecord {
		return nil, errors.New("the key's schema is not a record")
	}
	if t == nil {
		if t, err = derive(root, nil); err != nil {
			return nil, err
		}
	}
	row, err := compileRow(root, t)
	if err != nil {
		return nil, fmt.Errorf("table %s: key: %w", t, err)
	}
	return &KeyDecoder{table: t, row: row}, nil
}

// Table returns the table whose keys come out.
func (d *KeyDecoder) Table() *Table { return d.table }

// Decode reads an Avro body into row, which has a value for every column of the table: the key's columns are set, the
// others become null. Values alias body and a.
func (d *KeyDecoder) Decode(body []byte, row []Value, a *Arena) error {
	if len(row) != len(d.table.Columns) {
		return fmt.Errorf("table %s: key: %w", d.table, errWidth)
	}
	clear(row)
	r := &d.r
	*r = reader{buf: body}
	if field := d.row.read(r, row, a); r.err != nil {
		return fmt.Errorf("table %s: key: %w", d.table, r.problem(field))
	}
	if r.at != len(body) {
		return fmt.Errorf("table %s: key: byte %d of %d: %w", d.table, r.at, len(body), errTrailing)
	}
	for i := range d.row.fields {
		// Such as a uuid without text, which only a row's old image has.
		if f := &d.row.fields[i]; f.column >= 0 && !f.union && row[f.column].IsNull() {
			return fmt.Errorf("table %s: key: field %q: %w", d.table, f.name, ErrNull)
		}
	}
	return nil
}
