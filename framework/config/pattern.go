package config

import "strings"

// Pattern is a list of globs over dotted names, such as "schema.table.column", where * stands for any characters.
type Pattern []string

// Matches reports whether any glob matches the whole name.
func (p Pattern) Matches(name string) bool {
	for _, glob := range p {
		if globMatches(glob, name) {
			return true
		}
	}
	return false
}

// globMatches is greedy from the left: the parts between the stars appear in name one after the other.
func globMatches(glob, name string) bool {
	parts := strings.Split(glob, "*")
	if len(parts) == 1 {
		return glob == name
	}
	first, last := parts[0], parts[len(parts)-1]
	if !strings.HasPrefix(name, first) || len(name) < len(first)+len(last) || !strings.HasSuffix(name, last) {
		return false
	}
	name = name[len(first) : len(name)-len(last)]
	for _, part := range parts[1 : len(parts)-1] {
		i := strings.Index(name, part)
		if i < 0 {
			return false
		}
		name = name[i+len(part):]
	}
	return true
}
