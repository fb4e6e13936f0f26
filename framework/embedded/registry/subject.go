package registry

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Confluent's registry has contexts: a subject ":.name:s" is the subject s in another space of ids. The default context
// can be written out, ":.:s". This registry has that one alone.
const (
	contextPrefix  = ":."
	defaultContext = ":.:"
	everyContext   = ":*:"
)

// plainSubject is a subject without the default context, and whether it is in that context.
func plainSubject(name string) (subject string, ok bool) {
	name = strings.TrimPrefix(name, defaultContext)
	return name, !strings.HasPrefix(name, contextPrefix)
}

// validSubject reports whether something may be registered or set for a subject.
func validSubject(name string) bool {
	_, ok := plainSubject(name)
	reserved := name == "__GLOBAL" || name == "__EMPTY" // what Confluent's registry calls the absence of a subject
	return ok && !reserved && name != "" && utf8.ValidString(name) && !strings.ContainsFunc(name, unicode.IsControl)
}
