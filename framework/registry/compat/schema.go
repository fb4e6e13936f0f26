package compat

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/twmb/avro"
)

// Schema is a parsed Avro schema, ready for [Check]. It is safe for concurrent use.
type Schema struct{ stripped *avro.Schema }

// Bounds of a schema. They keep a hostile text from taking more memory than a few hundred times its own: every named
// type holds its full name, so that a long namespace would be multiplied by the types in it.
const (
	// TextMax is the size of the largest text that is read, in bytes: what fits into a Kafka message.
	TextMax = 1 << 20
	nameMax = 512 // a topic's name has 249 at most, and is the longest that we put into one
)

// Parse reads the text of an Avro schema and says what is wrong with it. A logical type that makes no sense (a scale
// above the precision, which Debezium writes for PostgreSQL's negative scales) is ignored, as Avro demands.
//
// The schema may use named types that others define: their texts are given, each after those that it uses itself.
func Parse(text string, others ...string) (*Schema, error) {
	s, err := compiled(text, others)
	if err != nil {
		return nil, fmt.Errorf("parse Avro schema: %w", err)
	}
	return &Schema{s}, nil
}

func compiled(text string, others []string) (*avro.Schema, error) {
	stripped, err := strip(text)
	if err != nil {
		return nil, err
	}
	if len(others) == 0 {
		return avro.Parse(stripped)
	}
	return carried(stripped, others)
}

// carried parses a schema within a record that holds those that it uses before it, and takes it out again. That is one
// pass over the texts; avro.SchemaCache goes over all of them again for each that is added.
func carried(stripped string, others []string) (*avro.Schema, error) {
	var b strings.Builder
	b.WriteString(`{"type":"record","name":"__syncline_carrier","fields":[`)
	for i, other := range others {
		strippedOther, err := strip(other)
		if err != nil {
			return nil, fmt.Errorf("a schema that it refers to: %w", err)
		}
		fmt.Fprintf(&b, `{"name":"other%d","type":%s},`, i, strippedOther)
	}
	fmt.Fprintf(&b, `{"name":"schema","type":%s}]}`, stripped)
	carrier, err := avro.Parse(b.String())
	if err != nil {
		return nil, fmt.Errorf("with those that it refers to: %w", err)
	}
	fields := carrier.Root().Fields
	return fields[len(fields)-1].Type.Schema()
}

// strip removes what twmb/avro's checker looks at and Apache Avro's does not: logical types (it compares the precision
// and scale of decimals), and the default null that it gives to a union which begins with null (a nullable field that
// is added without a default cannot be read from old data).
func strip(text string) (string, error) {
	if len(text) > TextMax {
		return "", fmt.Errorf("the text has %d bytes, more than %d", len(text), TextMax)
	}
	dec := json.NewDecoder(strings.NewReader(text))
	dec.UseNumber()
	var node any
	if err := dec.Decode(&node); err != nil {
		return "", err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return "", errors.New("text after the schema")
	}
	if err := checkNames(node); err != nil {
		return "", err
	}
	out, err := json.Marshal(stripNode(node))
	return string(out), err
}

// checkNames refuses names that are too long to be meant.
func checkNames(node any) error {
	switch n := node.(type) {
	case string:
		if len(n) > nameMax {
			return fmt.Errorf("a name has %d bytes, more than %d", len(n), nameMax)
		}
	case []any:
		for _, branch := range n {
			if err := checkNames(branch); err != nil {
				return err
			}
		}
	case map[string]any:
		for _, attribute := range [...]string{"name", "namespace", "type", "items", "values", "fields", "symbols"} {
			if err := checkNames(n[attribute]); err != nil {
				return err
			}
		}
	}
	return nil
}

func stripNode(node any) any {
	switch n := node.(type) {
	case []any:
		for i := range n {
			n[i] = stripNode(n[i])
		}
	case map[string]any:
		for _, attribute := range [...]string{"logicalType", "precision", "scale"} {
			delete(n, attribute)
		}
		for _, child := range [...]string{"type", "items", "values"} {
			if c, ok := n[child]; ok {
				n[child] = stripNode(c)
			}
		}
		fields, _ := n["fields"].([]any)
		for _, f := range fields {
			if field, ok := f.(map[string]any); ok {
				stripField(field)
			}
		}
	}
	return node
}

func stripField(field map[string]any) {
	field["type"] = stripNode(field["type"])
	union, ok := field["type"].([]any)
	if _, hasDefault := field["default"]; hasDefault || !ok || len(union) == 0 || !isNull(union[0]) {
		return
	}
	// The order of a union means nothing for compatibility, but only one that begins with null gets the implicit
	// default.
	if len(union) == 1 {
		field["type"] = "null"
		return
	}
	field["type"] = append(append([]any{}, union[1:]...), union[0])
}

func isNull(branch any) bool {
	if m, ok := branch.(map[string]any); ok {
		branch = m["type"]
	}
	return branch == "null"
}
