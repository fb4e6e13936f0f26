package registry

import (
	"math"
	"net/http"
	"strconv"
	"strings"
)

// Handler serves the API.
func (r *Registry) Handler() http.Handler {
	mux := http.NewServeMux()
	paths := map[string]bool{"/": true}
	for pattern, op := range map[string]operation{
		"GET /{$}": fixed(struct{}{}),

		"GET /subjects":                                           r.reading((*state).getSubjects),
		"POST /subjects/{subject}":                                r.postLookup,
		"DELETE /subjects/{subject}":                              r.deleteSubjectRequest,
		"GET /subjects/{subject}/versions":                        r.reading((*state).getVersions),
		"POST /subjects/{subject}/versions":                       r.postVersion,
		"GET /subjects/{subject}/versions/{version}":              r.reading((*state).getVersion),
		"DELETE /subjects/{subject}/versions/{version}":           r.deleteVersionRequest,
		"GET /subjects/{subject}/versions/{version}/schema":       r.reading((*state).getVersionText),
		"GET /subjects/{subject}/versions/{version}/referencedby": r.reading((*state).getReferrers),

		"GET /schemas":                   r.reading((*state).getSchemas),
		"GET /schemas/types":             fixed([]string{avroType}),
		"GET /schemas/ids/{id}":          r.reading((*state).getSchema),
		"GET /schemas/ids/{id}/schema":   r.reading((*state).getSchemaText),
		"GET /schemas/ids/{id}/versions": r.reading((*state).getSchemaVersions),
		"GET /schemas/ids/{id}/subjects": r.reading((*state).getSchemaSubjects),

		"GET /config":              r.reading((*state).getConfig),
		"PUT /config":              r.putConfig,
		"DELETE /config":           r.deleteConfigRequest,
		"GET /config/{subject}":    r.reading((*state).getConfig),
		"PUT /config/{subject}":    r.putConfig,
		"DELETE /config/{subject}": r.deleteConfigRequest,

		"GET /mode":              r.reading((*state).getMode),
		"PUT /mode":              r.putMode,
		"DELETE /mode":           r.deleteModeRequest,
		"GET /mode/{subject}":    r.reading((*state).getMode),
		"PUT /mode/{subject}":    r.putMode,
		"DELETE /mode/{subject}": r.deleteModeRequest,

		"POST /compatibility/subjects/{subject}/versions":           r.postCompatibility,
		"POST /compatibility/subjects/{subject}/versions/{version}": r.postCompatibility,

		"GET /contexts": fixed([]string{"."}),
		"/":             func(*http.Request) (any, error) { return nil, notFound(404, "HTTP 404 Not Found") },
	} {
		mux.Handle(pattern, op)
		if _, path, ok := strings.Cut(pattern, " "); ok && !paths[path] {
			paths[path] = true
			mux.Handle(path, operation(wrongMethod))
		}
	}
	return mux
}

func wrongMethod(*http.Request) (any, error) {
	return nil, &apiError{http.StatusMethodNotAllowed, http.StatusMethodNotAllowed, "HTTP 405 Method Not Allowed"}
}

// fixed answers every request with one value.
func fixed(answer any) operation {
	return func(*http.Request) (any, error) { return answer, nil }
}

// reading answers with what f makes of the state, which f must not change and its answer not share.
func (r *Registry) reading(f func(*state, *http.Request) (any, error)) operation {
	return func(req *http.Request) (any, error) {
		r.mu.RLock()
		defer r.mu.RUnlock()
		return f(r.state, req)
	}
}

// subjectOf is the subject in a request's path, "" if it names none.
func subjectOf(req *http.Request) string {
	subject, _ := plainSubject(req.PathValue("subject"))
	return subject
}

// writableSubject is the subject in the path of a request that registers or sets something.
func writableSubject(req *http.Request) (string, error) {
	if name := req.PathValue("subject"); !validSubject(name) {
		return "", invalidSubject(name)
	}
	return subjectOf(req), nil
}

// latestVersion stands for the latest version in requests, as does the word.
const latestVersion = -1

func parseVersion(given string) (int, error) {
	given = strings.TrimSpace(given)
	if strings.EqualFold(given, "latest") {
		return latestVersion, nil
	}
	n, err := strconv.ParseInt(given, 10, 32)
	if err != nil || n < 1 && n != latestVersion || n > math.MaxInt32 {
		return 0, invalidVersion(given)
	}
	return int(n), nil
}

// version finds the version that a request's path names, among those that f takes. The latest one is never deleted.
func (s *state) version(req *http.Request, f filter) (*version, error) {
	number, err := parseVersion(req.PathValue("version"))
	if err != nil {
		return nil, err
	}
	subject := subjectOf(req)
	v := s.at(subject, number)
	switch {
	case v != nil && f.takes(v):
		return v, nil
	case len(s.versions(subject, f)) == 0:
		return nil, noSubject(subject)
	}
	return nil, noVersion(number)
}
