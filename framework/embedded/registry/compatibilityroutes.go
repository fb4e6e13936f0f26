package registry

import "net/http"

type compatibilityAnswer struct {
	Compatible bool     `json:"is_compatible"`
	Messages   []string `json:"messages,omitempty"`
}

// postCompatibility compares with the version in the path, or with those that the subject's level makes count.
func (r *Registry) postCompatibility(req *http.Request) (any, error) {
	q, done, err := r.readSchema(req)
	if err != nil {
		return nil, err
	}
	defer done()
	return r.reading(func(s *state, req *http.Request) (any, error) { return s.compare(q, req) })(req)
}

func (s *state) compare(q schemaRequest, req *http.Request) (any, error) {
	subject, verbose := subjectOf(req), flag(req, "verbose")
	versions, err := s.comparedWith(req)
	if err != nil {
		return nil, err
	}
	p, err := s.parse(q, flag(req, "normalize"), false)
	if err != nil {
		if verbose && isInvalidSchema(err) {
			return compatibilityAnswer{Messages: []string{err.Error()}}, nil
		}
		return nil, err
	}
	reasons, err := s.objections(s.level(subject), p, versions)
	if err != nil {
		return nil, err
	}
	answer := compatibilityAnswer{Compatible: len(reasons) == 0}
	if verbose {
		answer.Messages = reasons
	}
	return answer, nil
}

// comparedWith are the versions that a request asks to compare with. A subject without versions takes every schema.
func (s *state) comparedWith(req *http.Request) ([]*version, error) {
	subject, given := subjectOf(req), req.PathValue("version")
	if given == "" {
		return s.versions(subject, live), nil
	}
	number, err := parseVersion(given)
	if err != nil {
		return nil, err
	}
	switch v := s.at(subject, number); {
	case v != nil && !v.deleted:
		return []*version{v}, nil
	case number == latestVersion:
		return nil, nil
	}
	return nil, noVersion(number)
}
