package registry

import (
	"encoding/json"
	"net/http"
	"strconv"
)

// schemasMax is how many versions GET /schemas lists at most, as in Confluent's registry.
const schemasMax = 1000

// getSchemas lists the versions of all subjects with a prefix, or the last one of each.
func (s *state) getSchemas(req *http.Request) (any, error) {
	f := live
	if flag(req, "deleted") {
		f = withDeleted
	}
	var all []*version
	for _, name := range s.names(prefix(req), f) {
		versions := s.versions(name, f)
		if flag(req, "latestOnly") {
			versions = versions[len(versions)-1:]
		}
		all = append(all, versions...)
	}
	all, err := page(req, all, schemasMax)
	answers := make([]versionAnswer, 0, len(all))
	for _, v := range all {
		answers = append(answers, v.answer())
	}
	return answers, err
}

// schemaOf is the schema that a request's path names by its id.
func (s *state) schemaOf(req *http.Request) (*schema, error) {
	id, err := strconv.Atoi(req.PathValue("id"))
	if err != nil {
		return nil, notFound(404, "HTTP 404 Not Found")
	}
	if found := s.schemas[id]; found != nil {
		return found, nil
	}
	return nil, noSchema(id)
}

type schemaAnswer struct {
	Type       string          `json:"schemaType,omitempty"`
	Schema     string          `json:"schema"`
	References []reference     `json:"references,omitempty"`
	Metadata   json.RawMessage `json:"metadata,omitempty"`
	RuleSet    json.RawMessage `json:"ruleSet,omitempty"`
	MaxID      int             `json:"maxId,omitempty"`
}

func (s *state) getSchema(req *http.Request) (any, error) {
	found, err := s.schemaOf(req)
	if err != nil {
		return nil, err
	}
	answer := schemaAnswer{found.kind, found.text, found.references, found.metadata, found.rules, 0}
	if flag(req, "fetchMaxId") {
		answer.MaxID = s.lastID
	}
	return answer, nil
}

func (s *state) getSchemaText(req *http.Request) (any, error) {
	found, err := s.schemaOf(req)
	if err != nil {
		return nil, err
	}
	return rawText(found.text), nil
}

// use is where a schema is used.
type use struct {
	Subject string `json:"subject"`
	Version int    `json:"version"`
}

// uses are the versions that have a schema, by subject and number.
func (s *state) uses(of *schema, f filter) []use {
	uses := []use{}
	for _, name := range s.names("", f) {
		for _, v := range s.versions(name, f) {
			if v.schema == of {
				uses = append(uses, use{name, v.number})
			}
		}
	}
	return uses
}

func (s *state) getSchemaVersions(req *http.Request) (any, error) {
	found, err := s.schemaOf(req)
	if err != nil {
		return nil, err
	}
	f := live
	if flag(req, "deleted") {
		f = withDeleted
	}
	return s.uses(found, f), nil
}

func (s *state) getSchemaSubjects(req *http.Request) (any, error) {
	answer, err := s.getSchemaVersions(req)
	if err != nil {
		return nil, err
	}
	names := []string{}
	for _, u := range answer.([]use) {
		if len(names) == 0 || names[len(names)-1] != u.Subject {
			names = append(names, u.Subject)
		}
	}
	return names, nil
}
