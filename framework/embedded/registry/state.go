package registry

import (
	"maps"
	"slices"

	"github.com/syncline-io/syncline/schemas/registry/compat"
)

// state is what the topic says. It is not safe for concurrent use; [Registry] guards it.
type state struct {
	subjects map[string][]*version // in the order of the versions
	schemas  map[int]*schema       // by id; a schema stays when its versions go, and so does its id
	ids      map[string]int        // by text
	lastID   int
	levels   map[string]compat.Level // by subject; "" is the global one
}

// schema is a text with its id. Its parsed form is made when it is first compared.
type schema struct {
	id     int
	text   string // canonical
	parsed *compat.Schema
}

// version is one version of a subject.
type version struct {
	number  int
	schema  *schema
	deleted bool // softly: hidden, but its number and text are not free
}

func newState() *state {
	return &state{
		subjects: make(map[string][]*version),
		schemas:  make(map[int]*schema),
		ids:      make(map[string]int),
		levels:   map[string]compat.Level{"": compat.Backward},
	}
}

func (s *state) keep(v schemaValue) error {
	known := s.schemas[v.ID]
	if known == nil {
		known = &schema{id: v.ID, text: v.Schema}
		s.schemas[v.ID] = known
		if _, taken := s.ids[v.Schema]; !taken {
			s.ids[v.Schema] = v.ID
		}
		s.lastID = max(s.lastID, v.ID)
	}
	s.forget(v.Subject, v.Version) // a version is written again when it is deleted softly
	all := append(s.subjects[v.Subject], &version{v.Version, known, v.Deleted})
	slices.SortFunc(all, func(a, b *version) int { return a.number - b.number })
	s.subjects[v.Subject] = all
	return nil
}

func (s *state) forget(subject string, number int) {
	left := slices.DeleteFunc(s.subjects[subject], func(v *version) bool { return v.number == number })
	if len(left) == 0 {
		delete(s.subjects, subject)
		return
	}
	s.subjects[subject] = left
}

// setLevel takes "" as the removal of a level.
func (s *state) setLevel(subject, level string) error {
	if level == "" {
		delete(s.levels, subject)
		if subject == "" {
			s.levels[""] = compat.Backward
		}
		return nil
	}
	l, err := compat.ParseLevel(level)
	if err == nil {
		s.levels[subject] = l
	}
	return err
}

// level is the subject's own level, else the global one.
func (s *state) level(subject string) compat.Level {
	if l, ok := s.levels[subject]; ok {
		return l
	}
	return s.levels[""]
}

// names lists the subjects with a version that is not deleted.
func (s *state) names() []string {
	names := make([]string, 0, len(s.subjects))
	for _, name := range slices.Sorted(maps.Keys(s.subjects)) {
		if len(s.live(name)) > 0 {
			names = append(names, name)
		}
	}
	return names
}

// live are the versions of a subject that are not deleted.
func (s *state) live(subject string) []*version {
	var live []*version
	for _, v := range s.subjects[subject] {
		if !v.deleted {
			live = append(live, v)
		}
	}
	return live
}

// find returns the live version of the subject with a canonical text.
func (s *state) find(subject, text string) *version {
	for _, v := range s.live(subject) {
		if v.schema.text == text {
			return v
		}
	}
	return nil
}

// next is the record of a new version: its number follows the highest that ever was, and its id is that of the text
// anywhere in the registry, or a new one.
func (s *state) next(subject, text string) schemaValue {
	v := schemaValue{Subject: subject, Version: 1, Schema: text}
	if all := s.subjects[subject]; len(all) > 0 {
		v.Version = all[len(all)-1].number + 1
	}
	id, known := s.ids[text]
	if !known {
		id = s.lastID + 1
	}
	v.ID = id
	return v
}

// use is where a schema is used.
type use struct {
	Subject string `json:"subject"`
	Version int    `json:"version"`
}

func (s *state) uses(id int) []use {
	uses := []use{}
	for _, name := range s.names() {
		for _, v := range s.live(name) {
			if v.schema.id == id {
				uses = append(uses, use{name, v.number})
			}
		}
	}
	return uses
}

// history parses versions for a comparison.
func history(versions []*version) ([]*compat.Schema, error) {
	var all []*compat.Schema
	for _, v := range versions {
		if v.schema.parsed == nil {
			parsed, err := compat.Parse(v.schema.text)
			if err != nil {
				return nil, err
			}
			v.schema.parsed = parsed
		}
		all = append(all, v.schema.parsed)
	}
	return all, nil
}
