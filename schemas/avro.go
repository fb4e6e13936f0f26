package schemas

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode"
)

// maxSchemaDepth bounds the nesting of a schema, and of the values that are skipped by it.
const maxSchemaDepth = 32

// avroKind is the form of an Avro type on the wire.
type avroKind uint8

const (
	avroNull avroKind = iota
	avroBoolean
	avroInt
	avroLong
	avroFloat
	avroDouble
	avroBytes
	avroString
	avroRecord
	avroEnum
	avroArray
	avroMap
	avroFixed
	avroUnion
)

var avroKinds = map[string]avroKind{
	"null": avroNull, "boolean": avroBoolean, "int": avroInt, "long": avroLong, "float": avroFloat, "double": avroDouble,
	"bytes": avroBytes, "string": avroString, "record": avroRecord, "error": avroRecord, "enum": avroEnum, "array": avroArray,
	"map": avroMap, "fixed": avroFixed,
}

// avroType is a parsed writer schema.
type avroType struct {
	kind     avroKind
	name     string // full name of a record, enum or fixed
	fields   []avroField
	items    *avroType   // of an array or map
	branches []*avroType // of a union
	symbols  []string
	size     int64 // of a fixed

	logical          string // logicalType
	connect          string // connect.name
	connectType      string
	allowed          string // connect.parameters: allowed
	precision, scale int
	least            int   // smallest size of a value, in bytes
	leaf             *form // how render reads it, where that is not as its base type; made when first asked for
	plain            bool  // render reads it as its base type
	weight           int   // number of types in it, every use of a named one counted
}

type avroField struct {
	name    string
	typ     *avroType
	aliases []string
	// fallback is the default as JSON has it; hasFallback tells none from null.
	fallback    any
	hasFallback bool
}

var errSchema = errors.New("not an Avro schema")

// maxSchemaWeight bounds the work for one value: a short schema can nest records of records twice at every level, and
// not one of them needs a byte. A table of 1,600 columns weighs about 10,000.
const maxSchemaWeight = 1 << 20

// Bounds of a schema that others wrote. A table of 1,600 columns has some 300 KB of text, and registries that keep schemas
// in a Kafka topic hold 1 MB.
const (
	maxSchemaText = 4 << 20 // bytes
	maxSchemaName = 1 << 10 // bytes of a name, a symbol or a namespace
	maxFixedSize  = 1 << 20 // bytes
)

// parseAvro reads a schema text.
func parseAvro(text string) (*avroType, error) {
	if len(text) > maxSchemaText {
		return nil, fmt.Errorf("avro schema: %w: %d bytes of text, and %d are read", errSchema, len(text), maxSchemaText)
	}
	var raw any
	if err := json.Unmarshal([]byte(text), &raw); err != nil {
		return nil, fmt.Errorf("avro schema: %w", err)
	}
	p := avroParser{named: make(map[string]*avroType)}
	t, err := p.typ(raw, "", 0)
	if err != nil {
		return nil, fmt.Errorf("avro schema: %w", err)
	}
	return t, nil
}

// add counts a part of t.
func (t *avroType) add(part *avroType) error {
	if t.weight += part.weight + 1; t.weight > maxSchemaWeight {
		return fmt.Errorf("%w: more than %d types in %s", errSchema, maxSchemaWeight, t.name)
	}
	return nil
}

type avroParser struct {
	named map[string]*avroType
}

func (p *avroParser) typ(raw any, namespace string, depth int) (*avroType, error) {
	if depth > maxSchemaDepth {
		return nil, errDepth
	}
	switch s := raw.(type) {
	case string:
		return p.reference(s, namespace)
	case []any:
		return p.union(s, namespace, depth)
	case map[string]any:
		return p.object(s, namespace, depth)
	}
	return nil, errSchema
}

func (p *avroParser) reference(name, namespace string) (*avroType, error) {
	if k, ok := avroKinds[name]; ok && k <= avroString {
		return &avroType{kind: k, least: leastSize(k)}, nil
	}
	if t := p.named[fullName(name, namespace)]; t != nil {
		return t, nil
	}
	if t := p.named[name]; t != nil {
		return t, nil
	}
	return nil, fmt.Errorf("%w: unknown type %q", errSchema, name)
}

func leastSize(k avroKind) int {
	switch k {
	case avroNull:
		return 0
	case avroFloat:
		return 4
	case avroDouble:
		return 8
	}
	return 1
}

func fullName(name, namespace string) string {
	if namespace == "" || strings.Contains(name, ".") {
		return name
	}
	return namespace + "." + name
}

func (p *avroParser) union(raw []any, namespace string, depth int) (*avroType, error) {
	t := &avroType{kind: avroUnion, least: 1}
	for _, r := range raw {
		b, err := p.typ(r, namespace, depth+1)
		if err != nil {
			return nil, err
		}
		if b.kind == avroUnion {
			return nil, fmt.Errorf("%w: a union in a union", errSchema)
		}
		t.branches = append(t.branches, b)
		if err := t.add(b); err != nil {
			return nil, err
		}
	}
	if len(t.branches) == 0 {
		return nil, fmt.Errorf("%w: an empty union", errSchema)
	}
	return t, nil
}

func (p *avroParser) object(raw map[string]any, namespace string, depth int) (*avroType, error) {
	name, ok := raw["type"].(string)
	if !ok { // {"type": {...}} and {"type": [...]} are the inner type
		return p.typ(raw["type"], namespace, depth+1)
	}
	k, ok := avroKinds[name]
	if !ok {
		return p.reference(name, namespace)
	}
	t := &avroType{kind: k, least: leastSize(k)}
	t.properties(raw)
	switch k {
	case avroRecord, avroEnum, avroFixed:
		return t, p.define(t, raw, namespace, depth)
	case avroArray, avroMap:
		inner := raw["items"]
		if k == avroMap {
			inner = raw["values"]
		}
		var err error
		if t.items, err = p.typ(inner, namespace, depth+1); err != nil {
			return nil, err
		}
		return t, t.add(t.items)
	}
	return t, nil
}

// properties reads what the logical type and Connect add to an Avro type.
func (t *avroType) properties(raw map[string]any) {
	t.logical, _ = raw["logicalType"].(string)
	t.connect, _ = raw["connect.name"].(string)
	t.connectType, _ = raw["connect.type"].(string)
	t.precision, t.scale = schemaInt(raw["precision"]), schemaInt(raw["scale"])
	if parameters, ok := raw["connect.parameters"].(map[string]any); ok {
		t.allowed, _ = parameters["allowed"].(string)
	}
}

// schemaInt reads a small whole number; anything else is 0.
func schemaInt(raw any) int {
	f, _ := raw.(float64)
	if f < -maxScale || f > maxScale || f != float64(int(f)) {
		return 0
	}
	return int(f)
}

// checkName refuses what no program gives a name: it would end up in the target's statements and in messages. Which
// characters a name may have beyond Avro's is the target's business.
func checkName(name string) error {
	if name == "" || len(name) > maxSchemaName {
		return fmt.Errorf("%w: a name of %d bytes", errSchema, len(name))
	}
	for _, r := range name {
		if !unicode.IsPrint(r) {
			return fmt.Errorf("%w: the name %q", errSchema, name)
		}
	}
	return nil
}

// define completes a record, enum or fixed and makes its name known, also to itself.
func (p *avroParser) define(t *avroType, raw map[string]any, namespace string, depth int) error {
	name, _ := raw["name"].(string)
	if own, ok := raw["namespace"].(string); ok {
		namespace = own
	}
	t.name = fullName(name, namespace)
	if err := checkName(t.name); name != "" && err != nil {
		return err
	}
	if i := strings.LastIndexByte(t.name, '.'); i >= 0 {
		namespace = t.name[:i]
	}
	if name == "" {
		return fmt.Errorf("%w: a type without a name", errSchema)
	}
	if p.named[t.name] != nil {
		return fmt.Errorf("%w: %s defined twice", errSchema, t.name)
	}
	p.named[t.name] = t
	switch t.kind {
	case avroEnum:
		symbols, _ := raw["symbols"].([]any)
		for _, s := range symbols {
			symbol, _ := s.(string)
			if err := checkName(symbol); err != nil {
				return fmt.Errorf("enum %s: %w", t.name, err)
			}
			t.symbols = append(t.symbols, symbol)
		}
	case avroFixed:
		size, ok := raw["size"].(float64)
		if !ok || size < 0 || size > maxFixedSize || size != float64(int64(size)) {
			return fmt.Errorf("%w: fixed %s of size %v", errSchema, t.name, raw["size"])
		}
		t.size = int64(size)
		t.least = int(t.size)
	case avroRecord:
		return p.fields(t, raw, namespace, depth)
	}
	return nil
}

func (p *avroParser) fields(t *avroType, raw map[string]any, namespace string, depth int) error {
	fields, ok := raw["fields"].([]any)
	if !ok {
		return fmt.Errorf("%w: record %s without fields", errSchema, t.name)
	}
	t.least = 0 // while a record refers to itself; more is never needed there
	least := 0
	seen := make(map[string]bool, len(fields))
	for _, f := range fields {
		object, _ := f.(map[string]any)
		name, _ := object["name"].(string)
		if name == "" {
			return fmt.Errorf("%w: record %s has a field without a name", errSchema, t.name)
		}
		if err := checkName(name); err != nil {
			return fmt.Errorf("record %s: %w", t.name, err)
		}
		if seen[name] {
			return fmt.Errorf("%w: record %s has two fields %q", errSchema, t.name, name)
		}
		seen[name] = true
		inner, err := p.typ(object["type"], namespace, depth+1)
		if err != nil {
			return fmt.Errorf("field %q: %w", name, err)
		}
		field := avroField{name: name, typ: inner}
		field.fallback, field.hasFallback = object["default"]
		aliases, _ := object["aliases"].([]any)
		for _, a := range aliases {
			if alias, _ := a.(string); alias != "" {
				field.aliases = append(field.aliases, alias)
			}
		}
		t.fields = append(t.fields, field)
		if err := t.add(inner); err != nil {
			return err
		}
		least = min(least+inner.least, maxScale)
	}
	t.least = least
	return nil
}

// field returns the type of the named field, or nil.
func (t *avroType) field(name string) *avroType {
	for i := range t.fields {
		if t.fields[i].name == name {
			return t.fields[i].typ
		}
	}
	return nil
}

// optional returns the type behind a union with null, and whether there was one. A union of several types is returned
// as it is.
func (t *avroType) optional() (inner *avroType, nullable bool) {
	if t.kind != avroUnion {
		return t, false
	}
	for _, b := range t.branches {
		switch {
		case b.kind == avroNull:
			nullable = true
		case inner == nil:
			inner = b
		default:
			return t, true
		}
	}
	if inner == nil {
		return t.branches[0], true
	}
	return inner, nullable
}

// branch reads which branch of the union t follows, nil for one that it does not have.
func (r *reader) branch(t *avroType) *avroType {
	i := r.long()
	if i < 0 || i >= int64(len(t.branches)) {
		r.fail(errBranch)
		return nil
	}
	return t.branches[i]
}

// skip moves past a value.
func (t *avroType) skip(r *reader, depth int) {
	if depth > maxSchemaDepth {
		r.fail(errDepth)
	}
	if r.err != nil {
		return
	}
	switch t.kind {
	case avroNull:
		r.spend(1)
	case avroBoolean:
		r.take(1)
	case avroInt, avroLong, avroEnum:
		r.long()
	case avroFloat:
		r.take(4)
	case avroDouble:
		r.take(8)
	case avroBytes, avroString:
		r.bytes()
	case avroFixed:
		r.takeFixed(t.size)
	case avroRecord:
		r.spendIf(len(t.fields) == 0)
		for i := range t.fields {
			t.fields[i].typ.skip(r, depth+1)
		}
	case avroArray:
		for n := r.block(t.items.least); n > 0; n = r.block(t.items.least) {
			for range n {
				t.items.skip(r, depth+1)
			}
		}
	case avroMap:
		for n := r.block(1 + t.items.least); n > 0; n = r.block(1 + t.items.least) {
			for range n {
				r.bytes()
				t.items.skip(r, depth+1)
			}
		}
	case avroUnion:
		if b := r.branch(t); b != nil && b.kind != avroNull {
			b.skip(r, depth+1)
		}
	}
}
