package registry

import (
	"errors"
	"net/http"
	"strconv"

	"github.com/syncline-io/syncline/schemas/registry/compat"
)

// Handler serves the API.
func (r *Registry) Handler() http.Handler {
	mux := http.NewServeMux()
	for pattern, op := range map[string]operation{
		"GET /{$}":                                                  func(*http.Request) (any, error) { return struct{}{}, nil },
		"GET /subjects":                                             r.getSubjects,
		"POST /subjects/{subject}":                                  r.postLookup,
		"GET /subjects/{subject}/versions":                          r.getVersions,
		"POST /subjects/{subject}/versions":                         r.postVersion,
		"GET /subjects/{subject}/versions/{version}":                r.getVersion,
		"GET /subjects/{subject}/versions/{version}/schema":         r.getVersionText,
		"GET /schemas/types":                                        func(*http.Request) (any, error) { return []string{"AVRO"}, nil },
		"GET /schemas/ids/{id}":                                     r.getSchema,
		"GET /schemas/ids/{id}/schema":                              r.getSchemaText,
		"GET /schemas/ids/{id}/versions":                            r.getSchemaVersions,
		"GET /schemas/ids/{id}/subjects":                            r.getSchemaSubjects,
		"GET /config":                                               r.getConfig,
		"PUT /config":                                               r.putConfig,
		"GET /config/{subject}":                                     r.getConfig,
		"PUT /config/{subject}":                                     r.putConfig,
		"GET /mode":                                                 r.getMode,
		"GET /mode/{subject}":                                       r.getMode,
		"POST /compatibility/subjects/{subject}/versions":           r.postCompatibility,
		"POST /compatibility/subjects/{subject}/versions/{version}": r.postCompatibility,
		"/": func(*http.Request) (any, error) { return nil, notFound(404, "HTTP 404 Not Found") },
	} {
		mux.Handle(pattern, op)
	}
	return mux
}

// schemaRequest is the body of every request that carries a schema.
type schemaRequest struct {
	Schema     string `json:"schema"`
	Type       string `json:"schemaType"`
	ID         int    `json:"id"`
	References []any  `json:"references"`
}

func readSchema(req *http.Request) (parsedSchema, error) {
	var body schemaRequest
	if err := readBody(req, &body); err != nil {
		return parsedSchema{}, err
	}
	switch {
	case body.Type != "" && body.Type != "AVRO":
		return parsedSchema{}, unsupported("schemaType " + strconv.Quote(body.Type))
	case len(body.References) > 0:
		return parsedSchema{}, unsupported("the schema has references")
	case body.ID > 0:
		return parsedSchema{}, importRefused(req.PathValue("subject"))
	}
	return parseSchema(body.Schema)
}

type versionAnswer struct {
	Subject string `json:"subject"`
	Version int    `json:"version"`
	ID      int    `json:"id"`
	Schema  string `json:"schema"`
}

func (v *version) answer(subject string) versionAnswer {
	return versionAnswer{subject, v.number, v.schema.id, v.schema.text}
}

func (r *Registry) getSubjects(*http.Request) (answer any, err error) {
	err = r.read(func(s *state) error {
		answer = s.names()
		return nil
	})
	return answer, err
}

func (r *Registry) postVersion(req *http.Request) (any, error) {
	p, err := readSchema(req)
	if err != nil {
		return nil, err
	}
	id, err := r.register(req.Context(), req.PathValue("subject"), p)
	return map[string]int{"id": id}, err
}

func (r *Registry) postLookup(req *http.Request) (answer any, err error) {
	p, err := readSchema(req)
	if err != nil {
		return nil, err
	}
	subject := req.PathValue("subject")
	err = r.read(func(s *state) error {
		if len(s.live(subject)) == 0 {
			return noSubject(subject)
		}
		v := s.find(subject, p.text)
		if v == nil {
			return schemaNotInSubject()
		}
		answer = v.answer(subject)
		return nil
	})
	return answer, err
}

func (r *Registry) getVersions(req *http.Request) (answer any, err error) {
	subject := req.PathValue("subject")
	err = r.read(func(s *state) error {
		var numbers []int
		for _, v := range s.live(subject) {
			numbers = append(numbers, v.number)
		}
		if numbers == nil {
			return noSubject(subject)
		}
		answer = numbers
		return nil
	})
	return answer, err
}

func (r *Registry) getVersion(req *http.Request) (answer any, err error) {
	err = r.read(func(s *state) error {
		v, err := s.version(req)
		if err == nil {
			answer = v.answer(req.PathValue("subject"))
		}
		return err
	})
	return answer, err
}

func (r *Registry) getVersionText(req *http.Request) (answer any, err error) {
	err = r.read(func(s *state) error {
		v, err := s.version(req)
		if err == nil {
			answer = rawText(v.schema.text)
		}
		return err
	})
	return answer, err
}

// version finds the version that a request's path names.
func (s *state) version(req *http.Request) (*version, error) {
	subject, given := req.PathValue("subject"), req.PathValue("version")
	number, err := strconv.ParseInt(given, 10, 32)
	latest := given == "latest" || number == -1
	if !latest && (err != nil || number < 1) {
		return nil, invalidVersion(given)
	}
	live := s.live(subject)
	if len(live) == 0 {
		return nil, noSubject(subject)
	}
	if latest {
		return live[len(live)-1], nil
	}
	for _, v := range live {
		if v.number == int(number) {
			return v, nil
		}
	}
	return nil, noVersion(int(number))
}

// bySchema answers with what f makes of the schema that a request's path names.
func (r *Registry) bySchema(req *http.Request, f func(*state, *schema) any) (answer any, err error) {
	id, err := strconv.Atoi(req.PathValue("id"))
	if err != nil {
		return nil, notFound(404, "HTTP 404 Not Found")
	}
	err = r.read(func(s *state) error {
		found := s.schemas[id]
		if found == nil {
			return noSchema(id)
		}
		answer = f(s, found)
		return nil
	})
	return answer, err
}

func (r *Registry) getSchema(req *http.Request) (any, error) {
	return r.bySchema(req, func(_ *state, found *schema) any { return map[string]string{"schema": found.text} })
}

func (r *Registry) getSchemaText(req *http.Request) (any, error) {
	return r.bySchema(req, func(_ *state, found *schema) any { return rawText(found.text) })
}

func (r *Registry) getSchemaVersions(req *http.Request) (any, error) {
	return r.bySchema(req, func(s *state, found *schema) any { return s.uses(found.id) })
}

func (r *Registry) getSchemaSubjects(req *http.Request) (any, error) {
	return r.bySchema(req, func(s *state, found *schema) any {
		names := []string{}
		for _, u := range s.uses(found.id) {
			if len(names) == 0 || names[len(names)-1] != u.Subject {
				names = append(names, u.Subject)
			}
		}
		return names
	})
}

func (r *Registry) getConfig(req *http.Request) (answer any, err error) {
	subject := req.PathValue("subject")
	err = r.read(func(s *state) error {
		if _, own := s.levels[subject]; !own && req.URL.Query().Get("defaultToGlobal") != "true" {
			return noLevel(subject)
		}
		answer = map[string]compat.Level{"compatibilityLevel": s.level(subject)}
		return nil
	})
	return answer, err
}

func (r *Registry) putConfig(req *http.Request) (any, error) {
	var body struct {
		Compatibility string `json:"compatibility"`
	}
	if err := readBody(req, &body); err != nil {
		return nil, err
	}
	level, err := r.setLevel(req.Context(), req.PathValue("subject"), body.Compatibility)
	return map[string]compat.Level{"compatibility": level}, err
}

// getMode knows the one mode that there is so far.
func (r *Registry) getMode(req *http.Request) (any, error) {
	if subject := req.PathValue("subject"); subject != "" && req.URL.Query().Get("defaultToGlobal") != "true" {
		return nil, noMode(subject)
	}
	return map[string]string{"mode": "READWRITE"}, nil
}

// postCompatibility compares with the version in the path, or with those that the level makes count.
func (r *Registry) postCompatibility(req *http.Request) (any, error) {
	p, err := readSchema(req)
	if err != nil {
		return nil, err
	}
	// Under the writers' lock, because comparing parses old schemas and keeps them parsed.
	r.writing.Lock()
	defer r.writing.Unlock()
	subject := req.PathValue("subject")
	versions := r.state.live(subject)
	if req.PathValue("version") != "" {
		v, err := r.state.version(req)
		if err != nil {
			return nil, err
		}
		versions = []*version{v}
	}
	answer := struct {
		Compatible bool     `json:"is_compatible"`
		Messages   []string `json:"messages,omitempty"`
	}{Compatible: true}
	if err := r.state.mayFollow(r.state.level(subject), p, versions); err != nil {
		refusal, ok := errors.AsType[*incompatibility](err)
		if !ok {
			return nil, err
		}
		answer.Compatible = false
		if req.URL.Query().Get("verbose") == "true" {
			answer.Messages = []string{refusal.reason}
		}
	}
	return answer, nil
}
