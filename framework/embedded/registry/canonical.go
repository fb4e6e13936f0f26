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
// and properties). The text, and the others whose types it uses, must be such that [compat.Parse] has taken them: that
// bounds their depth. It refuses what that lets pass and Java's library does not, a name that is used before its
// definition: no consumer in Java could read the schema.
func canonical(text string, others ...string) (string, error) {
	return printed(text, others, false)
}

func printed(text string, others []string, sorted bool) (string, error) {
	p := printer{defined: make(map[string]bool), sorted: sorted}
	for _, other := range others {
		if _, err := p.print(other); err != nil {
			return "", err
		}
	}
	return p.print(text)
}

func (p *printer) print(text string) (string, error) {
	p.out.Reset()
	dec := json.NewDecoder(strings.NewReader(text))
	dec.UseNumber()
	root, err := readNode(dec)
	if err != nil {
		return "", err
	}
	if err := p.schema(root, ""); err != nil {
		return "", err
	}
	return p.out.String(), nil
}

// printer writes one schema. defined holds the full names that it has written already; sorted asks for the normal form.
type printer struct {
	out     bytes.Buffer
	defined map[string]bool
	sorted  bool
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
		name, err := p.reference(n, space)
		if err != nil {
			return err
		}
		return p.json(name)
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
	props := p.ordered(properties(o, schemaAttributes), name)
	if !slices.Contains(primitives, name) || len(props) == 0 {
		return p.schema(name, space)
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
	return p.finish(p.ordered(properties(o, schemaAttributes), kind))
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
	if doc, ok := o.get("doc"); ok && !(p.sorted && doc == "") {
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
	props := p.ordered(properties(o, reserved), kind)
	if aliases := relative(o, space); aliases != nil {
		props = append(props, member{"aliases", p.orderedAliases(aliases)})
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
		switch {
		case p.sorted && isList && key == "aliases":
			v = p.orderedAliases(list)
		case p.sorted:
			v = sortedKeys(v)
		}
		rest = append(rest, member{key, v})
	}
	return p.finish(append(rest, p.ordered(properties(f, fieldAttributes), "")...))
}

// reference is the name of a type as it is written inside a namespace.
func (p *printer) reference(name, space string) (string, error) {
	if slices.Contains(primitives, name) {
		return name, nil
	}
	short, own := splitName(name, space)
	full := fullName(short, own)
	switch {
	case p.defined[full] && own == space && !slices.Contains(primitives, short):
		return short, nil
	case p.defined[full]:
		return full, nil
	case p.defined[name]: // of no namespace
		return name, nil
	}
	return "", fmt.Errorf("%.100q is not the name of a type that is defined before", name)
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
