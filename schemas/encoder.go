package schemas

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
)

// SourceVersion is the version of Debezium whose envelope the encoder writes: source.version. Consumers that read it
// expect Debezium's numbering.
const SourceVersion = "3.5.0.Final"

// Encoder turns the changes of one version of a table into Avro, in Debezium's envelope or without one (see [Mapping]),
// and Confluent's wire format. It is compiled once; no method allocates per row, but for what the destination grows by. Not safe for concurrent use.
type Encoder struct {
	layout    *layout
	key       string // schema texts
	value     string
	columns   []columnEncoder
	keyFields []columnEncoder // in the order of the key
	keyID     uint32
	valueID   uint32
	source    originEncoder
	beside    Beside
	texts     []byte // what beside's raw values alias
	scratch   []byte
}

// columnEncoder writes one field.
type columnEncoder struct {
	column      int
	typ         *Type
	reads       bodyKind
	append      appender
	union       bool
	valueBranch byte // the encoded branch of a union's value, and of its null
	nullBranch  byte
	fallback    []byte // the whole field where a NOT NULL value is not known
	placeholder []byte // the whole field where the value was not sent
}

// Beside is what the last [Encoder.AppendValue] could not say in the envelope and headers must carry.
type Beside struct {
	// Unchanged holds the columns of after that the source did not send.
	Unchanged []int
	// RawAfter and RawBefore hold the source's texts of values that the schema cannot hold, or not exactly.
	RawAfter, RawBefore []RawValue
}

// RawValue is the source's text of a value.
type RawValue struct {
	Column int
	Text   []byte
}

// NewEncoder compiles the encoder of a table's version.
func NewEncoder(t *Table, m Mapping) (*Encoder, error) {
	l, err := newLayout(t, m)
	if err != nil {
		return nil, err
	}
	if err := l.checkKeyModes(); err != nil {
		return nil, fmt.Errorf("table %s: %w", t, err)
	}
	e := &Encoder{layout: l, key: l.keySchema(), value: l.valueSchema()}
	e.columns = make([]columnEncoder, len(l.fields))
	for i := range l.fields {
		if e.columns[i], err = compileColumn(i, &l.fields[i], m.placeholder()); err != nil {
			return nil, e.columnError("value", i, err)
		}
	}
	for _, k := range l.key {
		c := e.columns[k]
		if key := keyAppender(c.typ, l.fields[k].standard); key != nil {
			c.append = key
		}
		e.keyFields = append(e.keyFields, c)
	}
	e.source.head = appendBytes(appendBytes(appendBytes(nil, SourceVersion), "postgresql"), m.Prefix)
	e.source.db = appendBytes(nil, t.Database)
	if e.source.names = appendBytes(appendBytes(nil, t.Schema), t.Name); t.Content != ContentRows {
		e.source.names = []byte{0, 0}
	}
	return e, nil
}

// keyAppender returns how a type is appended in a key, nil where that is no other way: equal numbers need equal bytes.
func keyAppender(t *Type, standard bool) appender {
	switch {
	case t.Kind != Decimal || t.Form == FormMoney:
		return nil
	case !standard && t.Mode == ModeDouble:
		return appendDecimalDouble(&Type{Kind: Decimal, Precision: 1}) // zeros at the end are none
	case t.Precision > 0:
		return nil
	case standard:
		return appendDecimalTextKey
	case t.Mode == ModeString:
		return appendDecimalStringKey
	}
	return appendVariableKey
}

func compileColumn(i int, f *field, placeholder string) (columnEncoder, error) {
	c := columnEncoder{column: i, typ: f.typ, reads: f.out.reads, append: f.out.append, union: f.nullable}
	if f.literal != "" {
		c.nullBranch = 2
	} else {
		c.valueBranch = 2
	}
	var lead []byte
	if f.nullable {
		lead = []byte{c.valueBranch}
	}
	switch {
	case f.nullable && !f.filled:
		c.fallback = []byte{c.nullBranch}
	case f.literal == "" && f.out.unknown != nil:
		c.fallback = append(append([]byte(nil), lead...), f.out.unknown...)
	default:
		var fits fit
		if c.fallback, fits = c.append(append([]byte(nil), lead...), f.fallback); fits > fitsRoughly {
			return c, errNoFallback
		}
	}
	c.placeholder = c.fallback
	if v := placeholderOf(f.typ, placeholder); !v.IsNull() {
		if b, fits := c.append(lead, v); fits <= fitsRoughly {
			c.placeholder = b
		}
	}
	return c, nil
}

// Table returns the table that the encoder was made for.
func (e *Encoder) Table() *Table { return e.layout.table }

// Topic returns the name of the table's topic.
func (e *Encoder) Topic() string { return e.layout.topic }

// KeySchema returns the schema text of the key, "" for a table without key.
func (e *Encoder) KeySchema() string { return e.key }

// ValueSchema returns the schema text of the value.
func (e *Encoder) ValueSchema() string { return e.value }

// SetIDs sets the registry's ids of the two schemas. It comes before the first Append.
func (e *Encoder) SetIDs(key, value uint32) { e.keyID, e.valueID = key, value }

// Beside tells what the last AppendValue left out of the envelope. It is valid until the next one.
func (e *Encoder) Beside() *Beside { return &e.beside }

// ErrNull marks a null in a column that the table says is NOT NULL, outside the part of before that is not known. It
// happens when the table's description is newer than the row: its maker must let the column be null.
var ErrNull = errors.New("null in a NOT NULL column")

var (
	errWidth    = errors.New("the row has not as many values as the table has columns")
	errNoKey    = errors.New("the table has no key")
	errKeyValue = errors.New("the value has no exact form in a key")
	// A field without any byte would shift all fields behind it, and readers would take them for others.
	errNoFallback = errors.New("nothing can stand in the NOT NULL field where the value is not known")
	errWrongKind  = errors.New("the value is of another kind than its column")
)

// AppendKey appends the key of row, a whole row of which only the key's columns count, in the wire format.
func (e *Encoder) AppendKey(dst []byte, row []Value) ([]byte, error) {
	if len(e.keyFields) == 0 {
		return dst, fmt.Errorf("table %s: %w", e.layout.table, errNoKey)
	}
	if len(row) != len(e.columns) {
		return dst, fmt.Errorf("table %s: key: %w", e.layout.table, errWidth)
	}
	start := len(dst)
	dst = binary.BigEndian.AppendUint32(append(dst, 0), e.keyID)
	for i := range e.keyFields {
		c := &e.keyFields[i]
		var err error
		if dst, err = c.appendKey(dst, row[c.column]); err != nil {
			return dst[:start], e.columnError("key", c.column, err)
		}
	}
	return dst, nil
}

func (c *columnEncoder) appendKey(dst []byte, v Value) ([]byte, error) {
	switch v.kind {
	case KindNull:
		if !c.union {
			return dst, ErrNull
		}
		return append(dst, c.nullBranch), nil
	case KindUnchanged, KindUnrepresentable:
		return dst, errKeyValue
	}
	if c.union {
		dst = append(dst, c.valueBranch)
	}
	dst, f := c.append(dst, v)
	switch f {
	case fitsRoughly, fitsNot:
		return dst, errKeyValue
	case fitsWrongly:
		return dst, errWrongKind
	}
	return dst, nil
}

func (e *Encoder) columnError(where string, column int, err error) error {
	c := &e.layout.table.Columns[column]
	return fmt.Errorf("table %s: %s: column %q (%v): %w", e.layout.table, where, c.Name, c.Type, err)
}

// AppendValue appends the value of c in the wire format: the envelope, or in [ShapeRow] the new row, which is nothing
// at all for a Delete or Truncate. micros is the time of processing, in microseconds since 1970. On an error dst comes
// back as it was.
func (e *Encoder) AppendValue(dst []byte, c *Change, micros int64) ([]byte, error) {
	start := len(dst)
	out, err := e.appendValue(dst, c, micros)
	if err != nil {
		return out[:start], err
	}
	return out, nil
}

func (e *Encoder) appendValue(dst []byte, c *Change, micros int64) ([]byte, error) {
	e.beside.Unchanged = e.beside.Unchanged[:0]
	e.beside.RawAfter, e.beside.RawBefore = e.beside.RawAfter[:0], e.beside.RawBefore[:0]
	e.texts = e.texts[:0]

	if e.layout.mapping.Shape == ShapeRow {
		return e.appendRow(dst, c)
	}
	dst = binary.BigEndian.AppendUint32(append(dst, 0), e.valueID)
	switch e.layout.table.Content {
	case ContentMessages:
		return e.appendMessage(dst, c, micros)
	case ContentTransactions:
		return e.appendMark(dst, c), nil
	}
	var err error
	if dst, err = e.appendBefore(dst, c); err != nil {
		return dst, err
	}
	if dst, err = e.appendAfter(dst, c); err != nil {
		return dst, err
	}
	dst = e.source.append(dst, &c.Source)
	dst = e.appendPlace(dst, c)
	dst = append(dst, 2, byte(c.Op)) // a string of one byte
	dst = append(appendTime(dst, micros/1000, 2), 2)
	dst = append(appendLong(dst, micros), 2)
	return appendLong(dst, micros*1000), nil
}

// appendTime appends an optional long.
func appendTime(dst []byte, v int64, branch byte) []byte { return appendLong(append(dst, branch), v) }

func (e *Encoder) appendBefore(dst []byte, c *Change) ([]byte, error) {
	if c.Before == nil || c.Op == Truncate {
		return append(dst, 0), nil
	}
	if len(c.Before) != len(e.columns) {
		return dst, fmt.Errorf("table %s: before: %w", e.layout.table, errWidth)
	}
	dst = append(dst, 2)
	for i := range e.columns {
		col := &e.columns[i]
		if c.BeforeKeyOnly && e.layout.table.Columns[i].Key == 0 {
			dst = append(dst, col.fallback...)
			continue
		}
		var err error
		if dst, err = e.appendField(dst, col, c.Before[i], &e.beside.RawBefore, nil); err != nil {
			return dst, e.columnError("before", i, err)
		}
	}
	return dst, nil
}

func (e *Encoder) appendAfter(dst []byte, c *Change) ([]byte, error) {
	if c.After == nil || c.Op == Truncate {
		return append(dst, 0), nil
	}
	return e.appendAfterFields(append(dst, 2), c)
}

func (e *Encoder) appendAfterFields(dst []byte, c *Change) ([]byte, error) {
	if len(c.After) != len(e.columns) {
		return dst, fmt.Errorf("table %s: after: %w", e.layout.table, errWidth)
	}
	for i := range e.columns {
		var err error
		if dst, err = e.appendField(dst, &e.columns[i], c.After[i], &e.beside.RawAfter, &e.beside.Unchanged); err != nil {
			return dst, e.columnError("after", i, err)
		}
	}
	return dst, nil
}

// appendField appends one field of a row; what it cannot say goes to raw and unchanged.
func (e *Encoder) appendField(dst []byte, c *columnEncoder, v Value, raw *[]RawValue, unchanged *[]int) ([]byte, error) {
	switch v.kind {
	case KindNull:
		if !c.union {
			return dst, ErrNull
		}
		return append(dst, c.nullBranch), nil
	case KindUnchanged:
		if unchanged != nil {
			*unchanged = append(*unchanged, c.column)
		}
		return append(dst, c.placeholder...), nil
	case KindUnrepresentable:
		e.keepText(raw, c, v)
		return c.appendUnrepresentable(dst, v.Bytes()), nil
	}
	start := len(dst)
	if c.union {
		dst = append(dst, c.valueBranch)
	}
	dst, f := c.append(dst, v)
	switch f {
	case fitsExactly:
		return dst, nil
	case fitsRoughly:
		e.keepText(raw, c, v)
		return dst, nil
	case fitsNot:
		e.keepText(raw, c, v)
		return append(dst[:start], c.fallback...), nil
	}
	return dst, errWrongKind
}

// appendUnrepresentable appends what the field can say of a value whose text goes beside it: the elements of an array with
// bounds of its own, else nothing.
func (c *columnEncoder) appendUnrepresentable(dst, text []byte) []byte {
	start := len(dst)
	if at := bytes.IndexByte(text, '='); c.typ.Kind == Array && len(text) > 0 && text[0] == '[' && at > 0 {
		if v, err := ParseText(text[at+1:], c.typ, new(Arena)); err == nil {
			if c.union {
				dst = append(dst, c.valueBranch)
			}
			var f fit
			if dst, f = c.append(dst, v); f <= fitsRoughly {
				return dst
			}
		}
	}
	return append(dst[:start], c.fallback...)
}

func (e *Encoder) keepText(raw *[]RawValue, c *columnEncoder, v Value) {
	start := len(e.texts)
	e.texts = AppendText(e.texts, c.typ, v)
	// When texts moves, what was kept before stays alive where it was.
	*raw = append(*raw, RawValue{Column: c.column, Text: e.texts[start:len(e.texts):len(e.texts)]})
}

// AppendKeyJSON appends the key of row as plain JSON, such as {"id":30}: what [HeaderNewKey] and [HeaderOldKey] hold.
func (e *Encoder) AppendKeyJSON(dst []byte, row []Value) []byte {
	dst = append(dst, '{')
	for i := range e.keyFields {
		c := &e.keyFields[i]
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendJSONString(dst, e.layout.fields[c.column].name)
		dst = append(dst, ':')
		v := row[c.column]
		var f fit
		if v.kind > KindUnrepresentable {
			e.scratch, f = c.append(e.scratch[:0], v)
		}
		if v.kind <= KindUnrepresentable || f >= fitsNot {
			dst = append(dst, "null"...)
			continue
		}
		dst = appendJSON(dst, c.reads, e.scratch)
	}
	return append(dst, '}')
}

// AppendUnchangedJSON appends the names of the columns in [Beside.Unchanged] as [HeaderUnchanged] holds them.
func (e *Encoder) AppendUnchangedJSON(dst []byte) []byte {
	dst = append(dst, '[')
	for i, c := range e.beside.Unchanged {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendJSONString(dst, e.layout.table.Columns[c].Name)
	}
	return append(dst, ']')
}

func appendBase64(dst, b []byte) []byte {
	return append(base64.StdEncoding.AppendEncode(append(dst, '"'), b), '"')
}
