package schemas

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
)

// DeriveTable makes the table that a topic's schemas describe, for topics without a record of ours that tells more.
// keySchema is "" for a topic without key. The names of columns are those of the fields, types are the canonical ones
// of what is written, and Version and source types are not known. The IDs of the table and of its columns stay
// 0: a field's place is no identity, because the fields behind one that is dropped move up.
func DeriveTable(keySchema, valueSchema string) (*Table, error) {
	value, err := parseAvro(valueSchema)
	if err != nil {
		return nil, err
	}
	if keySchema == "" {
		return derive(nil, value)
	}
	key, err := parseAvro(keySchema)
	if err != nil {
		return nil, fmt.Errorf("key: %w", err)
	}
	return derive(key, value)
}

// defaultText is the default of a field as a column has it, "" for none and for one that is no single value. Debezium
// declares the zero of the type for a default that it cannot evaluate, such as now(): of Connect's schemas zeros are not
// taken.
func defaultText(f *avroField, w *form, connect bool) string {
	t := f.typ
	if t.kind == avroUnion {
		t = t.branches[0] // whose value a default is
	}
	if !f.hasFallback || t.kind == avroNull || f.typ.kind == avroUnion && w.typ.Kind == JSON {
		return ""
	}
	body, ok := defaultBody(t, f.fallback)
	if !ok {
		return ""
	}
	r := reader{buf: body}
	var v Value
	if w.extract(&r, new(Arena), &v); r.err != nil || v.kind == KindUnrepresentable {
		return ""
	}
	text := string(AppendText(nil, &w.typ, v))
	if connect && text == string(AppendText(nil, &w.typ, zeroOf(&w.typ))) {
		return ""
	}
	return "'" + strings.ReplaceAll(text, "'", "''") + "'"
}

// defaultBody is the Avro form of a default, which stands in the schema as JSON.
func defaultBody(t *avroType, v any) ([]byte, bool) {
	switch v := v.(type) {
	case bool:
		return boolBody(v), t.kind == avroBoolean
	case float64:
		return numberBody(t.kind, v)
	case string:
		return textBody(t, v)
	}
	return nil, false
}

func boolBody(v bool) []byte {
	if v {
		return []byte{1}
	}
	return []byte{0}
}

func numberBody(k avroKind, v float64) ([]byte, bool) {
	switch k {
	case avroInt, avroLong:
		return appendLong(nil, int64(v)), v == math.Trunc(v) && math.Abs(v) < 1<<53
	case avroFloat:
		return binary.LittleEndian.AppendUint32(nil, math.Float32bits(float32(v))), true
	case avroDouble:
		return binary.LittleEndian.AppendUint64(nil, math.Float64bits(v)), true
	}
	return nil, false
}

func textBody(t *avroType, v string) ([]byte, bool) {
	switch t.kind {
	case avroString:
		return appendBytes(nil, v), true
	case avroEnum:
		i := slices.Index(t.symbols, v)
		return appendLong(nil, int64(i)), i >= 0
	case avroBytes, avroFixed:
		var b []byte
		for _, r := range v {
			if r > 0xff {
				return nil, false
			}
			b = append(b, byte(r))
		}
		if t.kind == avroFixed {
			return b, int64(len(b)) == t.size
		}
		return appendBytes(nil, b), true
	}
	return nil, false
}

// IsRow reports whether the values of a schema are rows without an envelope: see [Decoder.Bare].
func IsRow(valueSchema string) (bool, error) {
	value, err := parseAvro(valueSchema)
	if err != nil {
		return false, err
	}
	envelope, err := isEnvelope(value)
	return !envelope, err
}

// derive makes a table of the schemas of key and value, either of which may be nil.
func derive(key, value *avroType) (*Table, error) {
	t := &Table{Identity: IdentityKey}
	rows := key
	if value != nil {
		envelope, err := isEnvelope(value)
		if err != nil {
			return nil, err
		}
		rows = value
		if !envelope && isDocumentEvent(value) {
			return nil, errDocument
		}
		if envelope {
			t.System = systemOf(value.field("source"))
			rows, _ = value.field("after").optional()
		}
	}
	if rows.kind != avroRecord {
		return nil, errNoRecord
	}
	if len(rows.fields) == 0 {
		return nil, fmt.Errorf("record %s: a row without fields", rows.name)
	}
	t.Schema, t.Name = tableNames(rows)
	for i := range rows.fields {
		f := &rows.fields[i]
		inner, nullable := f.typ.optional()
		w, err := formOf(inner)
		if err != nil {
			return nil, fmt.Errorf("table %s: field %q: %w", t, f.name, err)
		}
		t.Columns = append(t.Columns, Column{Name: f.name, Type: w.typ, Nullable: nullable, Default: defaultText(f, &w, rows.connect != "")})
	}
	if key == nil {
		return t, nil
	}
	if key.kind != avroRecord {
		return nil, fmt.Errorf("table %s: the key's schema is not a record", t)
	}
	for i := range key.fields {
		c := t.Column(key.fields[i].name)
		if c < 0 {
			return nil, fmt.Errorf("table %s: the key's field %q is not in the row", t, key.fields[i].name)
		}
		t.Columns[c].Key = i + 1
	}
	return t, nil
}

var errDocument = errors.New("a change event whose rows are not records (MongoDB's documents, or rows as JSON text) says nothing of its columns")

// isDocumentEvent reports whether a record that is no envelope of rows is one of something else.
func isDocumentEvent(w *avroType) bool {
	op, source := w.field("op"), w.field("source")
	if op == nil || w.field("after") == nil || source == nil {
		return false
	}
	source, _ = source.optional()
	return source.kind == avroRecord && source.field("connector") != nil
}

// systemOf reads "postgresql" out of the name of Debezium's source block.
func systemOf(source *avroType) string {
	if source == nil {
		return ""
	}
	source, _ = source.optional()
	system, ok := strings.CutPrefix(source.name, "io.debezium.connector.")
	if !ok {
		return ""
	}
	system, _, _ = strings.Cut(system, ".")
	return system
}

// tableNames reads schema and table out of "prefix.schema.table.Value", the name of a row of ours and of Debezium's. The
// rows of others are called after a class or not at all: then both are "".
func tableNames(rows *avroType) (schema, name string) {
	full := rows.connect
	if full == "" {
		full = rows.name
	}
	parts := strings.Split(full, ".")
	if n := len(parts); n < 2 || parts[n-1] != "Value" && parts[n-1] != "Key" {
		return "", ""
	}
	parts = parts[:len(parts)-1]
	if len(parts) > 2 {
		schema = parts[len(parts)-2]
	}
	return schema, parts[len(parts)-1]
}
