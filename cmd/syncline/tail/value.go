package tail

import (
	"bytes"
	"encoding/json"
	"math"

	"github.com/syncline-io/syncline/schemas"
)

// Row is the columns of a row or key, in their order. Its JSON is an object: numbers are numbers where JSON can hold them, and
// everything else that is not null, a boolean or an array is text as PostgreSQL prints it, decimals included. A key that has no
// columns is one Field without a name, and JSON is its value alone.
type Row []Field

// Field is one column.
type Field struct {
	Name string
	// Value is the JSON.
	Value json.RawMessage
	// text is for people.
	text string
}

// MarshalJSON keeps the order of the columns.
func (r Row) MarshalJSON() ([]byte, error) {
	if len(r) == 1 && r[0].Name == "" {
		return r[0].Value, nil
	}
	out := []byte{'{'}
	for i, f := range r {
		if i > 0 {
			out = append(out, ',')
		}
		out = append(append(append(out, quoted(f.Name)...), ':'), f.Value...)
	}
	return append(out, '}'), nil
}

// bare is a key that has no columns.
func bare(text string, value json.RawMessage) Row { return Row{{Value: value, text: text}} }

// keyOf gives the key's columns in the order of the key.
func keyOf(t *schemas.Table, values []schemas.Value) Row {
	var row Row
	for _, i := range t.KeyColumns() {
		row = append(row, fieldOf(&t.Columns[i], values[i]))
	}
	if row == nil { // a table derived from the key's schema alone has no other columns
		return rowOf(t, values)
	}
	return row
}

// rowOf gives all columns but those that were not sent.
func rowOf(t *schemas.Table, values []schemas.Value) Row {
	var row Row
	for i := range values {
		if !values[i].IsUnchanged() {
			row = append(row, fieldOf(&t.Columns[i], values[i]))
		}
	}
	return row
}

func fieldOf(c *schemas.Column, v schemas.Value) Field {
	f := Field{Name: c.Name, Value: valueJSON(&c.Type, v), text: "null"}
	if !v.IsNull() {
		f.text = string(schemas.AppendText(nil, &c.Type, v))
	}
	return f
}

func valueJSON(t *schemas.Type, v schemas.Value) json.RawMessage {
	switch v.Kind() {
	case schemas.KindNull, schemas.KindUnchanged:
		return json.RawMessage("null")
	case schemas.KindBool:
		if v.Bool() {
			return json.RawMessage("true")
		}
		return json.RawMessage("false")
	case schemas.KindInt:
		if t.Kind == schemas.Int16 || t.Kind == schemas.Int32 || t.Kind == schemas.Int64 {
			return schemas.AppendText(nil, t, v)
		}
	case schemas.KindFloat:
		if f := v.Float(); !math.IsNaN(f) && !math.IsInf(f, 0) {
			return schemas.AppendText(nil, t, v)
		}
	case schemas.KindArray:
		return arrayJSON(t, v)
	}
	return quoted(string(schemas.AppendText(nil, t, v)))
}

func arrayJSON(t *schemas.Type, v schemas.Value) json.RawMessage {
	elem := t.Elem
	if elem == nil {
		elem = &schemas.Type{Kind: schemas.String}
	}
	out := []byte{'['}
	for i, e := range v.Array() {
		if i > 0 {
			out = append(out, ',')
		}
		inner := elem
		if e.Kind() == schemas.KindArray && elem.Kind != schemas.Array {
			inner = t // one more dimension
		}
		out = append(out, valueJSON(inner, e)...)
	}
	return append(out, ']')
}

// quoted is s as JSON, with < and > as they are.
func quoted(s string) json.RawMessage {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(s); err != nil {
		panic(err) // a string always has a JSON form
	}
	return bytes.TrimRight(b.Bytes(), "\n")
}
