package registry

import (
	"cmp"
	"fmt"
	"slices"
)

// Bounds of what one schema may refer to, directly and indirectly. Parsing is work for each of them.
const (
	referencesMax     = 200
	referenceBytesMax = 4 << 20
)

// resolve finds what references name, and what that refers to in turn. It returns the references with the latest
// version (-1) replaced by its number, and the texts in an order in which each comes after those that it uses.
//
// As in Confluent's registry a name is resolved once: where two schemas on the way refer to different versions under one
// name, the first met counts.
func (s *state) resolve(references []reference, deletedToo bool) (exact []reference, texts []string, err error) {
	r := resolver{state: s, deletedToo: deletedToo, done: make(map[string]bool)}
	exact, err = r.add(references, nil)
	return exact, r.texts, err
}

// ordered are references in the order of the normal form, each once.
func ordered(references []reference) []reference {
	sorted := slices.SortedFunc(slices.Values(references), func(a, b reference) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Subject, b.Subject), cmp.Compare(a.Version, b.Version))
	})
	return slices.Compact(sorted)
}

type resolver struct {
	state      *state
	deletedToo bool
	done       map[string]bool // names
	texts      []string
	bytes      int
}

// add resolves references depth first. path is what led here: a schema that occurs on it refers to itself.
func (r *resolver) add(references []reference, path []*version) (exact []reference, err error) {
	for _, ref := range references {
		v, err := r.find(ref)
		if err != nil {
			return nil, err
		}
		ref.Version = v.number
		exact = append(exact, ref)
		if slices.Contains(path, v) {
			return nil, fmt.Errorf("reference %q: subject %q version %d refers to itself", ref.Name, v.subject, v.number)
		}
		if r.done[ref.Name] {
			continue
		}
		r.done[ref.Name] = true
		if _, err := r.add(v.schema.references, append(path, v)); err != nil {
			return nil, err
		}
		if err := r.take(v.schema.text); err != nil {
			return nil, err
		}
	}
	return exact, nil
}

func (r *resolver) find(ref reference) (*version, error) {
	if ref.Name == "" || ref.Subject == "" {
		return nil, fmt.Errorf("reference %q to subject %q: name and subject must be set", ref.Name, ref.Subject)
	}
	subject, ok := plainSubject(ref.Subject)
	v := r.state.at(subject, ref.Version)
	if !ok || v == nil || v.deleted && !r.deletedToo {
		return nil, fmt.Errorf("reference %q: no schema found for subject %q and version %d", ref.Name, ref.Subject, ref.Version)
	}
	if v.schema.kind != "" {
		return nil, fmt.Errorf("reference %q: subject %q version %d is a schema of type %s", ref.Name, ref.Subject, v.number, v.schema.kind)
	}
	return v, nil
}

func (r *resolver) take(text string) error {
	r.texts = append(r.texts, text)
	r.bytes += len(text)
	if len(r.texts) > referencesMax || r.bytes > referenceBytesMax {
		return fmt.Errorf("the schema refers to more than %d schemas or %d MiB of them", referencesMax, referenceBytesMax>>20)
	}
	return nil
}

// referrers are, by version of the subject, the ids of the live schemas that refer to it, in order.
func (s *state) referrers(subject string) map[int][]int {
	found := make(map[int][]int)
	for _, versions := range s.subjects {
		for _, v := range versions {
			if v.deleted {
				continue
			}
			for _, ref := range v.schema.references {
				if of, _ := plainSubject(ref.Subject); of == subject {
					found[ref.Version] = append(found[ref.Version], v.schema.id)
				}
			}
		}
	}
	for number, ids := range found {
		slices.Sort(ids)
		found[number] = slices.Compact(ids)
	}
	return found
}
