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

// Parse reads the text of an Avro schema and says what is wrong with it. A logical type that makes no sense (a scale
// above the precision, which Debezium writes for PostgreSQL's negative scales) is ignored, as Avro demands.
func Parse(text string) (*Schema, error) {
	stripped, err := strip(text)
	if err != nil {
		return nil, fmt.Errorf("parse Avro schema: %w", err)
	}
	s, err := avro.Parse(stripped)
	if err != nil {
		return nil, fmt.Errorf("parse Avro schema: %w", err)
	}
	return &Schema{s}, nil
}

// strip removes what twmb/avro's checker looks at and Apache Avro's does not: logical types (it compares the precision
// and scale of decimals), and the default null that it gives to a union which begins with null (a nullable field that
// is added without a default cannot be read from old data).
func strip(text string) (string, error) {
	dec := json.NewDecoder(strings.NewReader(text))
	dec.UseNumber()
	var node any
	if err := dec.Decode(&node); err != nil {
		return "", err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return "", errors.New("text after the schema")
	}
	out, err := json.Marshal(stripNode(node))
	return string(out), err
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
