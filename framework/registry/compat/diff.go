package compat

import (
	"fmt"
	"slices"
)

// Difference is one field in which a schema differs from an earlier one.
type Difference struct {
	// Path is the dotted path of the field, "" for the schema as a whole.
	Path string `json:"path"`
	// Old and New say what the field was and is: its type and its default. "" where it is not there.
	Old string `json:"old,omitempty"`
	New string `json:"new,omitempty"`
	// Moved says that the field stands at another place among its neighbours, and is else the same.
	Moved bool `json:"moved,omitempty"`
	// Wire says that what was written with one schema cannot be read as the other, or would mean something else. Where
	// it is false the two differ in what their readers do, not in the bytes: a default, an enum's labels.
	Wire bool `json:"wire"`
	// RefusedBy holds the levels under which this difference alone would be refused.
	RefusedBy []Level `json:"refused_by"`
}

// String tells the difference in one line.
func (d *Difference) String() string {
	field := "the schema as a whole"
	if d.Path != "" {
		field = fmt.Sprintf("field %q", d.Path)
	}
	switch {
	case d.Moved:
		return field + " stands in another place"
	case d.Old == "":
		return field + " is new: " + d.New
	case d.New == "":
		return field + " is gone: it was " + d.Old
	}
	return field + ": " + d.Old + " becomes " + d.New
}

// Differences compares two schemas field by field, in the order of next. Documentation, aliases and properties that say
// nothing of the values do not count. A record that is used more than once is compared where it is defined.
func Differences(old, next string) ([]Difference, error) {
	a, err := tree(old)
	if err != nil {
		return nil, err
	}
	b, err := tree(next)
	if err != nil {
		return nil, err
	}
	c := &comparison{seen: map[[2]*node]bool{}}
	if c.old, err = Parse(old); err != nil {
		return nil, err
	}
	if c.next, err = Parse(next); err != nil {
		return nil, err
	}
	if a.String() != b.String() {
		c.whole(a, b)
	}
	c.types("", a, b)
	return c.found, nil
}

type comparison struct {
	old, next *Schema
	seen      map[[2]*node]bool
	found     []Difference
}

// whole notes that the outermost types differ, by their names at least.
func (c *comparison) whole(a, b *node) {
	d := Difference{Old: a.String(), New: b.String(), Wire: true}
	if a.kind != "record" || b.kind != "record" {
		d.RefusedBy = refusing(c.old, c.next)
	}
	c.found = append(c.found, d)
}

// types looks for differences within two types that look the same, or are both records.
func (c *comparison) types(path string, a, b *node) {
	if a.kind != b.kind || c.seen[[2]*node{a, b}] {
		return
	}
	c.seen[[2]*node{a, b}] = true
	switch a.kind {
	case "record":
		c.records(path, a, b)
	case "union":
		for i := range min(len(a.branches), len(b.branches)) {
			c.types(path, a.branches[i], b.branches[i])
		}
	case "array", "map":
		c.types(path, a.item, b.item)
	}
}

func (c *comparison) records(path string, a, b *node) {
	last, moved := -1, false
	for i := range b.fields {
		f := &b.fields[i]
		at := slices.IndexFunc(a.fields, func(o treeField) bool { return o.name == f.name })
		if at < 0 {
			c.field(join(path, f.name), nil, f)
			continue
		}
		if at < last && !moved {
			moved = true
			c.found = append(c.found, Difference{Path: join(path, f.name), Moved: true, Wire: true, RefusedBy: []Level{}})
		}
		last = max(last, at)
		c.field(join(path, f.name), &a.fields[at], f)
	}
	for i := range a.fields {
		f := &a.fields[i]
		if !slices.ContainsFunc(b.fields, func(n treeField) bool { return n.name == f.name }) {
			c.field(join(path, f.name), f, nil)
		}
	}
}

// field compares one field; nil stands for none.
func (c *comparison) field(path string, a, b *treeField) {
	old, next := a.String(), b.String()
	if old != next {
		c.found = append(c.found, Difference{
			Path: path, Old: old, New: next, RefusedBy: c.refusing(a, b),
			Wire: a == nil || b == nil || a.typ.String() != b.typ.String(),
		})
	}
	if a != nil && b != nil {
		c.types(path, a.typ, b.typ)
	}
}

// refusing returns the levels under which the change of one field is refused; nil stands for none. A field whose type
// cannot stand alone, because it is named before it is defined, is judged with its whole schema.
func (c *comparison) refusing(a, b *treeField) []Level {
	before, err := a.alone()
	if err != nil {
		return refusing(c.old, c.next)
	}
	after, err := b.alone()
	if err != nil {
		return refusing(c.old, c.next)
	}
	return refusing(before, after)
}

// String says what the field is; "" for nil.
func (f *treeField) String() string {
	if f == nil {
		return ""
	}
	s := f.typ.String()
	if labels := f.typ.labels(); labels != "" {
		s += " (" + labels + ")"
	}
	if f.literal != "" {
		s += ", default " + f.literal
	}
	return s
}

// labels are those of an enum that is kept as text, optional or not.
func (n *node) labels() string {
	for _, b := range n.branches {
		if l := b.labels(); l != "" {
			return l
		}
	}
	if n.item != nil {
		return n.item.labels()
	}
	return n.allowed
}

// refusing returns the levels under which next may not follow old.
func refusing(old, next *Schema) []Level {
	refused := []Level{}
	for _, l := range Levels() {
		if Check(l, next, []*Schema{old}) != nil {
			refused = append(refused, l)
		}
	}
	return refused
}

// Levels returns all levels, from the one that takes everything to the strictest.
func Levels() []Level { return slices.Clone(levels) }

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}
