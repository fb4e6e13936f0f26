package registry

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
)

// schemaRequest is the body of every request that carries a schema.
type schemaRequest struct {
	Schema     string          `json:"schema"`
	Type       string          `json:"schemaType"`
	References []reference     `json:"references"`
	ID         *int            `json:"id"`
	Version    int             `json:"version"`
	Metadata   json.RawMessage `json:"metadata"`
	RuleSet    json.RawMessage `json:"ruleSet"`
}

// readSchema reads a request that carries a schema, and waits for leave to parse it. The caller calls done.
func (r *Registry) readSchema(req *http.Request) (q schemaRequest, done func(), err error) {
	if err := readBody(req, &q); err != nil {
		return q, nil, err
	}
	if q.ID != nil && *q.ID < 0 { // how some clients leave it out
		q.ID = nil
	}
	r.parsing <- struct{}{}
	return q, func() { <-r.parsing }, nil
}

// refuse tells what this registry cannot do from what is wrong with a schema.
func (q schemaRequest) refuse() error {
	switch {
	case q.Type != "" && q.Type != avroType:
		return invalidSchema(fmt.Errorf("this registry takes schemas of type AVRO, not of type %q", q.Type))
	case holdsSomething(q.Metadata):
		return invalidSchema(fmt.Errorf("this registry keeps no metadata with a schema: leave it out"))
	case holdsSomething(q.RuleSet):
		return invalidSchema(fmt.Errorf("this registry keeps no ruleSet with a schema: leave it out"))
	case strings.TrimSpace(q.Schema) == "":
		return invalidSchema(fmt.Errorf("the schema is empty"))
	case len(q.Schema) > recordMax:
		return schemaTooLarge()
	}
	return nil
}

// holdsSomething reports whether a member of JSON says more than null, false, "" or {}.
func holdsSomething(raw json.RawMessage) bool {
	var value any
	if len(raw) == 0 || json.Unmarshal(raw, &value) != nil {
		return false
	}
	members, isObject := value.(map[string]any)
	for _, v := range members {
		if v != nil {
			return true
		}
	}
	return value != nil && value != false && value != "" && !isObject
}
