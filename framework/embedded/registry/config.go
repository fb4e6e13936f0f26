package registry

import (
	"context"

	"github.com/syncline-io/syncline/framework/registry/compat"
)

// config is what is set for a subject, or globally. Members of the API's configuration that this registry does not have
// are kept as another registry wrote them.
type config struct {
	Normalize *bool        `json:"normalize,omitempty"`
	Level     compat.Level `json:"compatibilityLevel,omitempty"`
	extra     object
}

// setConfig changes what change sets and leaves the rest.
func (r *Registry) setConfig(ctx context.Context, subject string, change config) error {
	return r.write(ctx, func(s *state) ([]record, error) {
		if err := s.mayChange(subject); err != nil {
			return nil, err
		}
		c := s.configs[subject]
		if change.Level != "" {
			c.Level = change.Level
		}
		if change.Normalize != nil {
			c.Normalize = change.Normalize
		}
		rec, err := configRecord(subject, c)
		return []record{rec}, err
	})
}

// deleteConfig returns what the subject had, or was set globally for "".
func (r *Registry) deleteConfig(ctx context.Context, subject string) (had config, err error) {
	err = r.write(ctx, func(s *state) ([]record, error) {
		var set bool
		if had, set = s.configs[subject]; !set {
			if subject == "" {
				had = config{Level: s.level("")}
				return nil, nil
			}
			return nil, noSubject(subject)
		}
		if err := s.mayChange(subject); err != nil {
			return nil, err
		}
		rec, err := settingTombstone(kindConfig, subject)
		return []record{rec}, err
	})
	return had, err
}
