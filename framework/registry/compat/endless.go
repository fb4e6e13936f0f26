package compat

import "github.com/twmb/avro"

// Endless names a record that holds itself in every value, so that no value of it exists; "" when there is none. Avro
// does not forbid such a schema, which is always a mistake: what was meant is a union with null.
func (s *Schema) Endless() string {
	w := endlessWalk{defined: make(map[string]*avro.SchemaNode), seen: make(map[string]bool)}
	root := s.stripped.Root()
	w.define(root)
	for name := range w.defined {
		if held := w.visit(name); held != "" {
			return held
		}
	}
	return ""
}

// endlessWalk follows the fields that a value cannot do without.
type endlessWalk struct {
	defined map[string]*avro.SchemaNode // records by their full names
	seen    map[string]bool             // true while the record's fields are being followed, false afterwards
}

func (w *endlessWalk) define(n *avro.SchemaNode) {
	if n == nil {
		return
	}
	if name := recordName(n); name != "" && w.defined[name] == nil {
		w.defined[name] = n
	}
	for i := range n.Fields {
		w.define(&n.Fields[i].Type)
	}
	for i := range n.Branches {
		w.define(&n.Branches[i])
	}
	w.define(n.Items)
	w.define(n.Values)
}

func (w *endlessWalk) visit(name string) string {
	if open, seen := w.seen[name]; seen {
		if open {
			return name
		}
		return ""
	}
	w.seen[name] = true
	defer func() { w.seen[name] = false }()
	fields := w.defined[name].Fields
	for i := range fields {
		if held := w.held(&fields[i].Type); held != "" {
			if found := w.visit(held); found != "" {
				return found
			}
		}
	}
	return ""
}

// held is the record that every value of a type holds, "" for none.
func (w *endlessWalk) held(n *avro.SchemaNode) string {
	if len(n.Branches) == 1 {
		n = &n.Branches[0]
	}
	if name := recordName(n); name != "" {
		return name
	}
	if w.defined[n.Type] != nil {
		return n.Type
	}
	return ""
}

// recordName is the full name of a record that n defines, "" when it is something else.
func recordName(n *avro.SchemaNode) string {
	switch {
	case n.Type != "record" && n.Type != "error":
		return ""
	case n.Namespace != "":
		return n.Namespace + "." + n.Name
	}
	return n.Name
}
