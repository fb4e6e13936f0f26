package compat

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// node is a type of a schema with every name resolved: a record that is used twice is one node.
type node struct {
	kind     string // a primitive type's name, or record, enum, fixed, array, map, union
	name     string // full, of a record, enum or fixed
	note     string // what the type means beyond its bytes: a logical type, Kafka Connect's name
	allowed  string // the values that Kafka Connect's parameters tell, of an enum kept as text
	fields   []treeField
	branches []*node // of a union
	item     *node   // of an array or map
	symbols  []string
	size     string // of a fixed
}

type treeField struct {
	name    string
	typ     *node
	literal string // the default as JSON, "" for none
}

// tree reads a schema that [Parse] takes.
func tree(text string) (*node, error) {
	dec := json.NewDecoder(strings.NewReader(text))
	dec.UseNumber()
	var raw any
	if err := dec.Decode(&raw); err != nil {
		return nil, fmt.Errorf("parse Avro schema: %w", err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("parse Avro schema: text after the schema")
	}
	return (&treeReader{named: map[string]*node{}}).read(raw, "")
}

type treeReader struct{ named map[string]*node }

func (r *treeReader) read(raw any, space string) (*node, error) {
	switch v := raw.(type) {
	case string:
		return r.reference(v, space), nil
	case []any:
		n := &node{kind: "union"}
		for _, b := range v {
			branch, err := r.read(b, space)
			if err != nil {
				return nil, err
			}
			n.branches = append(n.branches, branch)
		}
		return n, nil
	case map[string]any:
		return r.object(v, space)
	}
	return nil, fmt.Errorf("parse Avro schema: %v is no type", raw)
}

func (r *treeReader) reference(name, space string) *node {
	if n := r.named[fullName(name, space)]; n != nil {
		return n
	}
	if n := r.named[name]; n != nil {
		return n
	}
	return &node{kind: name}
}

func (r *treeReader) object(m map[string]any, space string) (n *node, err error) {
	kind, ok := m["type"].(string)
	if !ok { // a type in an object of its own: {"type": {...}}
		return r.read(m["type"], space)
	}
	switch kind {
	case "record", "error", "enum", "fixed":
		n = &node{kind: kind}
		own, given := m["namespace"].(string)
		if !given {
			own = space
		}
		name, _ := m["name"].(string)
		n.name = fullName(name, own)
		space = n.name[:max(strings.LastIndexByte(n.name, '.'), 0)]
		r.named[n.name] = n
		err = r.parts(n, m, space)
	case "array", "map":
		n = &node{kind: kind}
		item := m["items"]
		if kind == "map" {
			item = m["values"]
		}
		n.item, err = r.read(item, space)
	default:
		n = r.reference(kind, space)
		if n.name != "" { // a name in an object of its own; the type's meaning stands at its definition
			return n, nil
		}
	}
	n.note, n.allowed = meaning(m)
	return n, err
}

// parts fills what only records, enums and fixed types have.
func (r *treeReader) parts(n *node, m map[string]any, space string) error {
	n.size = fmt.Sprint(m["size"])
	symbols, _ := m["symbols"].([]any)
	for _, s := range symbols {
		n.symbols = append(n.symbols, fmt.Sprint(s))
	}
	fields, _ := m["fields"].([]any)
	for _, raw := range fields {
		f, _ := raw.(map[string]any)
		name, _ := f["name"].(string)
		typ, err := r.read(f["type"], space)
		if err != nil {
			return err
		}
		field := treeField{name: name, typ: typ}
		if d, ok := f["default"]; ok {
			field.literal = jsonText(d)
		}
		n.fields = append(n.fields, field)
	}
	return nil
}

const connectDecimal = "org.apache.kafka.connect.data.Decimal"

// meaning is what a type's properties say beyond its bytes. Kafka Connect's version, documentation and default say
// nothing that a reader of a value needs.
func meaning(m map[string]any) (note, allowed string) {
	var notes []string
	if l, ok := m["logicalType"].(string); ok {
		if l == "decimal" {
			scale := m["scale"]
			if scale == nil {
				scale = 0
			}
			l = fmt.Sprintf("decimal(%v,%v)", m["precision"], scale)
		}
		notes = append(notes, l)
	}
	if c, ok := m["connect.name"].(string); ok && m["name"] == nil && c != connectDecimal { // which the logical type says too
		notes = append(notes, c)
	}
	if p, ok := m["connect.parameters"].(map[string]any); ok {
		allowed, _ = p["allowed"].(string)
	}
	return strings.Join(notes, " "), allowed
}

func fullName(name, space string) string {
	if bare, ok := strings.CutPrefix(name, "."); ok && !strings.Contains(bare, ".") { // of no namespace, wherever it stands
		return bare
	}
	if space == "" || strings.Contains(name, ".") {
		return name
	}
	return space + "." + name
}

func jsonText(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	return string(b)
}

// String says in words what the type is; a record by its name.
func (n *node) String() string {
	var s string
	switch n.kind {
	case "record", "error":
		s = "record " + n.name
	case "enum":
		s = "enum " + n.name + " (" + strings.Join(n.symbols, ", ") + ")"
	case "fixed":
		s = "fixed " + n.name + " of " + n.size + " bytes"
	case "array", "map":
		s = n.kind + " of " + n.item.String()
	case "union":
		var branches []string
		for _, b := range n.branches {
			branches = append(branches, b.String())
		}
		s = "[" + strings.Join(branches, ", ") + "]"
	default:
		s = n.kind
	}
	if n.note != "" {
		s += " " + n.note
	}
	return s
}

// plain writes the type as a schema again, without what does not matter to [Check]. Types in seen are written as names.
func (n *node) plain(seen map[*node]bool) any {
	switch n.kind {
	case "union":
		branches := []any{} // a union may be empty
		for _, b := range n.branches {
			branches = append(branches, b.plain(seen))
		}
		return branches
	case "array":
		return map[string]any{"type": "array", "items": n.item.plain(seen)}
	case "map":
		return map[string]any{"type": "map", "values": n.item.plain(seen)}
	case "record", "error", "enum", "fixed":
		i := strings.LastIndexByte(n.name, '.')
		if seen[n] {
			if i < 0 {
				return "." + n.name
			}
			return n.name
		}
		seen[n] = true
		m := map[string]any{"type": n.kind, "name": n.name[i+1:], "namespace": n.name[:max(i, 0)]}
		switch n.kind {
		case "enum":
			m["symbols"] = slices.Clone(n.symbols)
		case "fixed":
			m["size"] = json.Number(n.size)
		default:
			fields := []any{}
			for i := range n.fields {
				fields = append(fields, n.fields[i].plain(seen))
			}
			m["fields"] = fields
		}
		return m
	}
	return n.kind
}

func (f *treeField) plain(seen map[*node]bool) any {
	m := map[string]any{"name": f.name, "type": f.typ.plain(seen)}
	if f.literal != "" {
		m["default"] = json.RawMessage(f.literal)
	}
	return m
}

// alone is the schema of a record that holds this field and no other; without one for nil.
func (f *treeField) alone() (*Schema, error) {
	fields := []any{}
	if f != nil {
		fields = append(fields, f.plain(map[*node]bool{}))
	}
	return Parse(jsonText(map[string]any{"type": "record", "name": "compat.Alone", "fields": fields}))
}
