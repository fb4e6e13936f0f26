package registry

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/syncline-io/syncline/framework/registry/compat"
)

// avroType is the one schema type that this registry takes. In the topic and in answers it is left out.
const avroType = "AVRO"

// content is what makes two schemas one: equal contents share an id.
type content struct {
	text       string // of an Avro schema, canonical
	kind       string // the schema type; "" is Avro
	references []reference
	// metadata and rules are kept for what another registry has written; nothing is registered with them here.
	metadata, rules json.RawMessage
}

// reference names the version of a subject that defines a type which a schema uses.
type reference struct {
	Name    string `json:"name"`
	Subject string `json:"subject"`
	Version int    `json:"version"`
}

// identity is equal for equal contents.
type identity [sha256.Size]byte

func (c content) identity() identity {
	h := sha256.New()
	fmt.Fprintf(h, "%q%q%q%q", c.text, c.kind, c.metadata, c.rules)
	for _, r := range c.references {
		fmt.Fprintf(h, "%q%q%d", r.Name, r.Subject, r.Version)
	}
	return identity(h.Sum(nil))
}

// same reports whether both say the same to an Avro parser, whatever their metadata.
func (c content) same(other content) bool {
	return c.text == other.text && c.kind == other.kind && slices.Equal(c.references, other.references)
}

// parsedSchema is a schema as a client sent it, understood.
type parsedSchema struct {
	content
	parsed *compat.Schema
}

// parse understands a schema that a client sent. What it refers to must be there; deletedToo says whether softly
// deleted versions count.
func (s *state) parse(q schemaRequest, normalized, deletedToo bool) (parsedSchema, error) {
	if err := q.refuse(); err != nil {
		return parsedSchema{}, err
	}
	references, texts, err := s.resolve(q.References, deletedToo)
	if err != nil {
		return parsedSchema{}, invalidSchema(err)
	}
	parsed, err := compat.Parse(q.Schema, texts...)
	if err != nil {
		return parsedSchema{}, invalidSchema(err)
	}
	if name := parsed.Endless(); name != "" {
		return parsedSchema{}, invalidSchema(fmt.Errorf("the record %.100q holds itself in every value: make the field a union with null", name))
	}
	print := canonical
	if normalized {
		print, references = normal, ordered(references)
	}
	text, err := print(q.Schema, texts...)
	if err != nil {
		return parsedSchema{}, invalidSchema(err)
	}
	return parsedSchema{content{text: text, references: references}, parsed}, nil
}

// compiled is the content of a version, parsed for a comparison. It is not kept: a registry holds many schemas and
// compares few.
func (s *state) compiled(c content) (*compat.Schema, error) {
	_, texts, err := s.resolve(c.references, true)
	if err != nil {
		return nil, err
	}
	return compat.Parse(c.text, texts...)
}
