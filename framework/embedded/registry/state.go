package registry

import (
	"maps"
	"slices"
	"strings"

	"github.com/syncline-io/syncline/framework/registry/compat"
)

// state is what the topic says. It is not safe for concurrent use; [Registry] guards it.
type state struct {
	subjects map[string][]*version // in the order of the versions
	schemas  map[int]*schema       // by id; one that no version uses any more is gone, but its id stays taken
	ids      map[identity]int      // by content
	lastID   int                   // the highest id ever given
	markedID int                   // the highest id that a record of its own holds; see mark.go
	configs  map[string]config     // by subject; "" is the global one
	modes    map[string]mode       // by subject; "" is the global one
}

// schema is a content with its id.
type schema struct {
	id int
	content
	identity identity
	uses     int // versions, softly deleted ones too
}

// version is one version of a subject.
type version struct {
	subject string
	number  int
	schema  *schema
	deleted bool   // softly: hidden, but its number and its schema stay
	key     []byte // of its record: compaction compares bytes, and another registry may have written it
	extra   object // members of the record's value that we do not know
}

func newState() *state {
	return &state{
		subjects: make(map[string][]*version),
		schemas:  make(map[int]*schema),
		ids:      make(map[identity]int),
		configs:  make(map[string]config),
		modes:    make(map[string]mode),
	}
}

// put sets a version, which may be there already: it is written again when it is deleted softly.
func (s *state) put(v *version, id int, c content) {
	s.lastID = max(s.lastID, id)
	known := s.schemas[id]
	if known != nil && !known.same(c) {
		// Two schemas with one id: Confluent's registry ignores the second one as well.
		return
	}
	if known == nil {
		known = &schema{id: id, content: c, identity: c.identity()}
		s.schemas[id] = known
		if _, taken := s.ids[known.identity]; !taken {
			s.ids[known.identity] = id
		}
	}
	known.uses++
	v.schema = known
	s.drop(v.subject, v.number)
	all := append(s.subjects[v.subject], v)
	slices.SortFunc(all, func(a, b *version) int { return a.number - b.number })
	s.subjects[v.subject] = all
}

// drop forgets a version, and its schema when it was the last to use it.
func (s *state) drop(subject string, number int) {
	all := s.subjects[subject]
	i := slices.IndexFunc(all, func(v *version) bool { return v.number == number })
	if i < 0 {
		return
	}
	gone := all[i].schema
	if all = slices.Delete(all, i, i+1); len(all) == 0 {
		delete(s.subjects, subject)
	} else {
		s.subjects[subject] = all
	}
	if gone.uses--; gone.uses == 0 {
		s.forget(gone)
	}
}

// forget removes a schema. An import may have given its content a second id, which then is the one to find.
func (s *state) forget(gone *schema) {
	delete(s.schemas, gone.id)
	if s.ids[gone.identity] != gone.id {
		return
	}
	delete(s.ids, gone.identity)
	for id, other := range s.schemas {
		if known, ok := s.ids[gone.identity]; other.identity == gone.identity && (!ok || id < known) {
			s.ids[gone.identity] = id
		}
	}
}

// filter says which versions count.
type filter int

const (
	live filter = iota
	withDeleted
	deletedOnly
)

func (f filter) takes(v *version) bool {
	return f == withDeleted || v.deleted == (f == deletedOnly)
}

// versions are those of a subject that f takes, oldest first.
func (s *state) versions(subject string, f filter) []*version {
	var taken []*version
	for _, v := range s.subjects[subject] {
		if f.takes(v) {
			taken = append(taken, v)
		}
	}
	return taken
}

// latest is the subject's last version that is not deleted, nil if there is none.
func (s *state) latest(subject string) *version {
	if all := s.versions(subject, live); len(all) > 0 {
		return all[len(all)-1]
	}
	return nil
}

// at is the version with a number, softly deleted or not; the latest one for -1. nil if there is none.
func (s *state) at(subject string, number int) *version {
	if number == latestVersion {
		return s.latest(subject)
	}
	for _, v := range s.subjects[subject] {
		if v.number == number {
			return v
		}
	}
	return nil
}

// find returns the newest version of the subject with a content, among those that f takes.
func (s *state) find(subject string, c content, f filter) *version {
	for _, v := range slices.Backward(s.versions(subject, f)) {
		if v.schema.same(c) {
			return v
		}
	}
	return nil
}

// names lists the subjects with a prefix, in order. A subject counts as deleted when all its versions are.
func (s *state) names(prefix string, f filter) []string {
	names := []string{}
	for _, name := range slices.Sorted(maps.Keys(s.subjects)) {
		if !strings.HasPrefix(name, prefix) {
			continue
		}
		gone := len(s.versions(name, live)) == 0
		if f == withDeleted || gone == (f == deletedOnly) {
			names = append(names, name)
		}
	}
	return names
}

// next is the number of a new version: it follows the highest that is there, deleted or not.
func (s *state) next(subject string) int {
	if all := s.subjects[subject]; len(all) > 0 {
		return all[len(all)-1].number + 1
	}
	return 1
}

// level is the subject's own level, else the global one.
func (s *state) level(subject string) compat.Level {
	for _, of := range [...]string{subject, ""} {
		if l := s.configs[of].Level; l != "" {
			return l
		}
	}
	return compat.Backward
}

// normalizes reports whether schemas of the subject are normalized although a request does not ask for it.
func (s *state) normalizes(subject string) bool {
	for _, of := range [...]string{subject, ""} {
		if n := s.configs[of].Normalize; n != nil {
			return *n
		}
	}
	return false
}
