package registry

import (
	"encoding/json"
	"net/http"
	"strings"
)

// versionAnswer is a version as the API describes it.
type versionAnswer struct {
	Subject    string          `json:"subject"`
	Version    int             `json:"version"`
	ID         int             `json:"id"`
	Type       string          `json:"schemaType,omitempty"`
	References []reference     `json:"references,omitempty"`
	Metadata   json.RawMessage `json:"metadata,omitempty"`
	RuleSet    json.RawMessage `json:"ruleSet,omitempty"`
	Schema     string          `json:"schema"`
}

func (v *version) answer() versionAnswer {
	c := v.schema.content
	return versionAnswer{v.subject, v.number, v.schema.id, c.kind, c.references, c.metadata, c.rules, c.text}
}

// prefix is the subjectPrefix of a request; Confluent's way to say "of every context" says nothing here.
func prefix(req *http.Request) string {
	p := strings.TrimPrefix(req.URL.Query().Get("subjectPrefix"), everyContext)
	return strings.TrimPrefix(p, defaultContext)
}

func (s *state) getSubjects(req *http.Request) (any, error) {
	return page(req, s.names(prefix(req), deletedFilter(req)), 0)
}

func (s *state) getVersions(req *http.Request) (any, error) {
	subject, f := subjectOf(req), deletedFilter(req)
	known := live
	if f != live {
		known = withDeleted
	}
	if len(s.versions(subject, known)) == 0 {
		return nil, noSubject(subject)
	}
	numbers := []int{}
	for _, v := range s.versions(subject, f) {
		numbers = append(numbers, v.number)
	}
	return page(req, numbers, 0)
}

func (s *state) getVersion(req *http.Request) (any, error) {
	v, err := s.version(req, deletedFilter(req))
	if err != nil {
		return nil, err
	}
	return v.answer(), nil
}

func (s *state) getVersionText(req *http.Request) (any, error) {
	v, err := s.version(req, deletedFilter(req))
	if err != nil {
		return nil, err
	}
	return rawText(v.schema.text), nil
}

// getReferrers lists the ids of the schemas that refer to a version.
func (s *state) getReferrers(req *http.Request) (any, error) {
	v, err := s.version(req, withDeleted)
	if err != nil {
		return nil, err
	}
	if ids := s.referrers(v.subject)[v.number]; ids != nil {
		return ids, nil
	}
	return []int{}, nil
}

func (r *Registry) postVersion(req *http.Request) (any, error) {
	subject, err := writableSubject(req)
	if err != nil {
		return nil, err
	}
	q, done, err := r.readSchema(req)
	if err != nil {
		return nil, err
	}
	defer done()
	id, err := r.register(req.Context(), subject, q, flag(req, "normalize"))
	return map[string]int{"id": id}, err
}

// postLookup finds the version of a subject that has a schema.
func (r *Registry) postLookup(req *http.Request) (any, error) {
	q, done, err := r.readSchema(req)
	if err != nil {
		return nil, err
	}
	defer done()
	return r.reading(func(s *state, req *http.Request) (any, error) {
		subject, f := subjectOf(req), deletedFilter(req)
		p, err := s.parse(q, flag(req, "normalize") || s.normalizes(subject), true)
		if err != nil {
			return nil, err
		}
		if v := s.find(subject, p.content, f); v != nil {
			return v.answer(), nil
		}
		if len(s.versions(subject, f)) == 0 {
			return nil, noSubject(subject)
		}
		return nil, schemaNotInSubject()
	})(req)
}

func (r *Registry) deleteSubjectRequest(req *http.Request) (any, error) {
	return r.deleteSubject(req.Context(), subjectOf(req), flag(req, "permanent"))
}

func (r *Registry) deleteVersionRequest(req *http.Request) (any, error) {
	return r.deleteVersion(req.Context(), subjectOf(req), req.PathValue("version"), flag(req, "permanent"))
}
