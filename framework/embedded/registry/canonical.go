package registry

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// canonical rewrites the text of a schema the way Apache Avro's Java library prints a parsed one, which is how
// Confluent's registry stores schemas and tells whether two are equal: attributes in a fixed order, no white space,
// names relative to the enclosing namespace, and everything that has no meaning for Avro kept (documentation, defaults
// and properties). The text must be one that [compat.Parse] has taken: that bounds its depth.
func canonical(text string) (string, error) {
	dec := json.NewDecoder(strings.NewReader(text))
	dec.UseNumber()
	root, err := readNode(dec)
	if err != nil {
		return "", err
	}
	p := printer{defined: make(map[string]bool)}
	if err := p.schema(root, ""); err != nil {
		return "", err
	}
	return p.out.String(), nil
}

// object is a JSON object in the order of its text. Values are object, []any, string, json.Number, bool or nil.
type object []member

type member struct {
	key   string
	value any
}

func (o object) get(key string) (any, bool) {
	for _, m := range o {
		if m.key == key {
			return m.value, true
		}
	}
	return nil, false
}

func (o object) text(key string) string {
	v, _ := o.get(key)
	s, _ := v.(string)
	return s
}

func readNode(dec *json.Decoder) (any, error) {
	token, err := dec.Token()
	if err != nil {
		return nil, err
	}
	switch token {
	case json.Delim('{'):
		o := object{}
		for dec.More() {
			key, err := dec.Token()
			if err != nil {
				return nil, err
			}
			value, err := readNode(dec)
			if err != nil {
				return nil, err
			}
			o = append(o, member{key.(string), value})
		}
		_, err := dec.Token()
		return o, err
	case json.Delim('['):
		all := []any{}
		for dec.More() {
			value, err := readNode(dec)
			if err != nil {
				return nil, err
			}
			all = append(all, value)
		}
		_, err := dec.Token()
		return all, err
	}
	return token, nil
}

// printer writes one schema. defined holds the full names that it has written already.
type printer struct {
	out     bytes.Buffer
	defined map[string]bool
}

// What Avro defines; the rest of an object are properties.
var (
	schemaAttributes = []string{"type", "name", "namespace", "doc", "fields", "items", "values", "symbols", "size", "aliases"}
	fieldAttributes  = []string{"name", "type", "doc", "default", "order", "aliases"}
	primitives       = []string{"null", "boolean", "int", "long", "float", "double", "bytes", "string"}
)

func (p *printer) schema(node any, space string) error {
	switch n := node.(type) {
	case string:
		return p.json(p.reference(n, space))
	case []any:
		return p.list(n, func(branch any) error { return p.schema(branch, space) })
	case object:
		return p.complex(n, space)
	}
	return fmt.Errorf("%v is no schema", node)
}

func (p *printer) complex(o object, space string) error {
	kind, ok := o.get("type")
	name, isName := kind.(string)
	if !ok || !isName {
		return p.schema(kind, space) // a type wrapped in an object
	}
	switch name {
	case "record", "error", "enum", "fixed":
		return p.named(o, name, space)
	case "array":
		return p.container(o, name, "items", space)
	case "map":
		return p.container(o, name, "values", space)
	}
	props := properties(o, schemaAttributes)
	if !slices.Contains(primitives, name) || len(props) == 0 {
		return p.json(p.reference(name, space))
	}
	p.out.WriteString(`{"type":`)
	if err := p.json(name); err != nil {
		return err
	}
	return p.finish(props)
}

func (p *printer) container(o object, kind, child, space string) error {
	fmt.Fprintf(&p.out, `{"type":%q,%q:`, kind, child)
	node, _ := o.get(child)
	if err := p.schema(node, space); err != nil {
		return err
	}
	return p.finish(properties(o, schemaAttributes))
}

// named writes a record, an enum or a fixed.
func (p *printer) named(o object, kind, enclosing string) error {
	short, space := splitName(o.text("name"), enclosing)
	if own, ok := o.get("namespace"); ok && !strings.Contains(o.text("name"), ".") {
		space, _ = own.(string)
	}
	p.defined[fullName(short, space)] = true

	fmt.Fprintf(&p.out, `{"type":%q,"name":%q`, kind, short)
	if space != enclosing {
		fmt.Fprintf(&p.out, `,"namespace":%q`, space)
	}
	rest := object{}
	if doc, ok := o.get("doc"); ok {
		rest = append(rest, member{"doc", doc})
	}
	reserved := schemaAttributes
	switch kind {
	case "enum":
		symbols, _ := o.get("symbols")
		rest = append(rest, member{"symbols", symbols})
		if def, ok := o.get("default"); ok {
			rest = append(rest, member{"default", def})
		}
		reserved = append([]string{"default"}, reserved...)
	case "fixed":
		size, _ := o.get("size")
		rest = append(rest, member{"size", size})
	}
	if err := p.members(rest); err != nil {
		return err
	}
	if kind == "record" || kind == "error" {
		if err := p.fields(o, space); err != nil {
			return err
		}
	}
	props := properties(o, reserved)
	if aliases := relative(o, space); aliases != nil {
		props = append(props, member{"aliases", aliases})
	}
	return p.finish(props)
}

func (p *printer) fields(o object, space string) error {
	node, _ := o.get("fields")
	fields, _ := node.([]any)
	p.out.WriteString(`,"fields":`)
	return p.list(fields, func(node any) error {
		f, ok := node.(object)
		if !ok {
			return fmt.Errorf("%v is no field", node)
		}
		return p.field(f, space)
	})
}

func (p *printer) field(f object, space string) error {
	p.out.WriteString(`{"name":`)
	if err := p.json(f.text("name")); err != nil {
		return err
	}
	p.out.WriteString(`,"type":`)
	kind, _ := f.get("type")
	if err := p.schema(kind, space); err != nil {
		return err
	}
	rest := object{}
	for _, key := range [...]string{"doc", "default", "order", "aliases"} {
		v, ok := f.get(key)
		list, isList := v.([]any)
		if !ok || key == "order" && v == "ascending" || isList && key == "aliases" && len(list) == 0 {
			continue
		}
		rest = append(rest, member{key, v})
	}
	return p.finish(append(rest, properties(f, fieldAttributes)...))
}

// reference is the name of a type as it is written inside a namespace.
func (p *printer) reference(name, space string) string {
	if slices.Contains(primitives, name) {
		return name
	}
	short, own := splitName(name, space)
	if own == space || own == "" {
		return short
	}
	if !strings.Contains(name, ".") && !p.defined[fullName(short, own)] {
		return short
	}
	return fullName(short, own)
}

func splitName(name, enclosing string) (short, space string) {
	if dot := strings.LastIndexByte(name, '.'); dot >= 0 {
		return name[dot+1:], name[:dot]
	}
	return name, enclosing
}

func fullName(short, space string) string {
	if space == "" {
		return short
	}
	return space + "." + short
}

// relative are a named type's aliases, without the namespace where it is the type's own; nil for none.
func relative(o object, space string) []any {
	node, _ := o.get("aliases")
	list, _ := node.([]any)
	var out []any
	for _, a := range list {
		name, _ := a.(string)
		out = append(out, strings.TrimPrefix(name, space+"."))
	}
	return out
}

func properties(o object, reserved []string) object {
	var props object
	for _, m := range o {
		if !slices.Contains(reserved, m.key) {
			props = append(props, m)
		}
	}
	return props
}

// members writes each as one more member of the object that is open, and finish closes it too.
func (p *printer) members(o object) error {
	for _, m := range o {
		p.out.WriteByte(',')
		if err := p.json(m.key); err != nil {
			return err
		}
		p.out.WriteByte(':')
		if err := p.json(m.value); err != nil {
			return err
		}
	}
	return nil
}

func (p *printer) finish(o object) error {
	err := p.members(o)
	p.out.WriteByte('}')
	return err
}

func (p *printer) list(all []any, each func(any) error) error {
	p.out.WriteByte('[')
	for i, v := range all {
		if i > 0 {
			p.out.WriteByte(',')
		}
		if err := each(v); err != nil {
			return err
		}
	}
	p.out.WriteByte(']')
	return nil
}

// json writes a value as it is, objects in their own order.
func (p *printer) json(v any) error {
	switch v := v.(type) {
	case object:
		p.out.WriteByte('{')
		for i, m := range v {
			if i > 0 {
				p.out.WriteByte(',')
			}
			if err := p.json(m.key); err != nil {
				return err
			}
			p.out.WriteByte(':')
			if err := p.json(m.value); err != nil {
				return err
			}
		}
		p.out.WriteByte('}')
		return nil
	case []any:
		return p.list(v, p.json)
	}
	enc := json.NewEncoder(&p.out)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return err
	}
	p.out.Truncate(p.out.Len() - 1) // the encoder's line end
	return nil
}
