package registry

import (
	"encoding/json"
	"net/http"

	"github.com/syncline-io/syncline/framework/registry/compat"
)

// configRequest is the body that sets a configuration. Members that would change what this registry does, and do not,
// are named so that they can be refused.
type configRequest struct {
	Level              string          `json:"compatibility"`
	Normalize          *bool           `json:"normalize"`
	Alias              json.RawMessage `json:"alias"`
	ValidateFields     json.RawMessage `json:"validateFields"`
	CompatibilityGroup json.RawMessage `json:"compatibilityGroup"`
	DefaultMetadata    json.RawMessage `json:"defaultMetadata"`
	OverrideMetadata   json.RawMessage `json:"overrideMetadata"`
	DefaultRuleSet     json.RawMessage `json:"defaultRuleSet"`
	OverrideRuleSet    json.RawMessage `json:"overrideRuleSet"`
}

// change is what the request sets.
func (q configRequest) change() (config, error) {
	for name, member := range map[string]json.RawMessage{
		"alias": q.Alias, "validateFields": q.ValidateFields, "compatibilityGroup": q.CompatibilityGroup,
		"defaultMetadata": q.DefaultMetadata, "overrideMetadata": q.OverrideMetadata,
		"defaultRuleSet": q.DefaultRuleSet, "overrideRuleSet": q.OverrideRuleSet,
	} {
		if holdsSomething(member) {
			return config{}, notPermitted("This registry has no %s: leave it out of the configuration", name)
		}
	}
	if q.Level == "" && q.Normalize != nil {
		return config{Normalize: q.Normalize}, nil
	}
	level, err := compat.ParseLevel(q.Level)
	if err != nil {
		return config{}, invalidLevel()
	}
	return config{Normalize: q.Normalize, Level: level}, nil
}

// settable is the subject that a request sets something for, "" for all.
func settable(req *http.Request) (string, error) {
	if req.PathValue("subject") == "" {
		return "", nil
	}
	return writableSubject(req)
}

func (s *state) getConfig(req *http.Request) (any, error) {
	subject := subjectOf(req)
	c, set := s.configs[subject]
	if !set && subject != "" && !flag(req, "defaultToGlobal") {
		return nil, noLevel(subject)
	}
	if !set {
		c = s.configs[""]
	}
	if c.Level == "" && (subject == "" || flag(req, "defaultToGlobal")) {
		c.Level = s.level("")
	}
	return c, nil
}

func (r *Registry) putConfig(req *http.Request) (any, error) {
	subject, err := settable(req)
	if err != nil {
		return nil, err
	}
	var body configRequest
	if err := readBody(req, &body); err != nil {
		return nil, err
	}
	change, err := body.change()
	if err != nil {
		return nil, err
	}
	answer := struct {
		Normalize *bool        `json:"normalize,omitempty"`
		Level     compat.Level `json:"compatibility,omitempty"`
	}{change.Normalize, change.Level}
	return answer, r.setConfig(req.Context(), subject, change)
}

func (r *Registry) deleteConfigRequest(req *http.Request) (any, error) {
	return r.deleteConfig(req.Context(), subjectOf(req))
}

type modeBody struct {
	Mode mode `json:"mode"`
}

func (s *state) getMode(req *http.Request) (any, error) {
	subject := subjectOf(req)
	if flag(req, "defaultToGlobal") {
		return modeBody{s.mode(subject)}, nil
	}
	if m := s.ownMode(subject); m != "" {
		return modeBody{m}, nil
	}
	return nil, noMode(subject)
}

func (r *Registry) putMode(req *http.Request) (any, error) {
	subject, err := settable(req)
	if err != nil {
		return nil, err
	}
	var body modeBody
	if err := readBody(req, &body); err != nil {
		return nil, err
	}
	m, err := parseMode(string(body.Mode))
	if err != nil {
		return nil, err
	}
	return modeBody{m}, r.setMode(req.Context(), subject, m, flag(req, "force"))
}

func (r *Registry) deleteModeRequest(req *http.Request) (any, error) {
	had, err := r.deleteMode(req.Context(), subjectOf(req))
	return modeBody{had}, err
}
