// Package compat decides whether an Avro schema may follow others in a registry, and which field stands in the way.
//
// The verdicts are those of Apache Avro's own checker, which Confluent's registry uses. The client of a registry needs
// the package to name a field (registries differ in what they say about a refusal), the embedded registry to refuse.
package compat

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/twmb/avro"
)

// Level is a registry's rule for the next schema of a subject, as its API spells it.
type Level string

// The levels. Backward: the new schema reads what the old one wrote. Forward: the other way round. Full: both. The
// plain levels look at the latest version alone, the transitive ones at all.
const (
	None               Level = "NONE"
	Backward           Level = "BACKWARD"
	BackwardTransitive Level = "BACKWARD_TRANSITIVE"
	Forward            Level = "FORWARD"
	ForwardTransitive  Level = "FORWARD_TRANSITIVE"
	Full               Level = "FULL"
	FullTransitive     Level = "FULL_TRANSITIVE"
)

var levels = []Level{None, Backward, BackwardTransitive, Forward, ForwardTransitive, Full, FullTransitive}

// ParseLevel reads a level; case does not matter.
func ParseLevel(s string) (Level, error) {
	l := Level(strings.ToUpper(s))
	if !slices.Contains(levels, l) {
		return "", fmt.Errorf("compatibility level %q is none of %v", s, levels)
	}
	return l, nil
}

// Transitive reports whether l looks at every version of a subject rather than at the latest.
func (l Level) Transitive() bool { return strings.HasSuffix(string(l), "_TRANSITIVE") }

func (l Level) backward() bool {
	return l == Backward || l == BackwardTransitive || l == Full || l == FullTransitive
}

func (l Level) forward() bool {
	return l == Forward || l == ForwardTransitive || l == Full || l == FullTransitive
}

// Incompatibility is the first thing that keeps one schema from following another.
type Incompatibility struct {
	// Against is the index in the history of the version that next does not fit.
	Against int
	// Forward is false when next cannot read what the old version wrote, true when it is the other way round.
	Forward bool
	// Path is the dotted path of the field, "" when the schemas differ as a whole.
	Path string
	// Reader and Writer are the types that do not fit; "" where there is none.
	Reader, Writer string
	// Detail says in words what does not fit.
	Detail string
}

// Field is the last name in the path that is a field's: the column, for a record of a table. "" for a whole schema.
func (i *Incompatibility) Field() string {
	path := strings.TrimSuffix(strings.TrimSuffix(i.Path, ".items"), ".values")
	return path[strings.LastIndexByte(path, '.')+1:]
}

// Error describes the incompatibility in one line.
func (i *Incompatibility) Error() string {
	var b strings.Builder
	if i.Path == "" {
		b.WriteString("the schema as a whole")
	} else {
		fmt.Fprintf(&b, "field %q", i.Path)
	}
	b.WriteString(": ")
	b.WriteString(i.Detail)
	switch {
	case i.Reader != "" && i.Writer != "":
		fmt.Fprintf(&b, " (reader %s, writer %s)", i.Reader, i.Writer)
	case i.Reader != "":
		fmt.Fprintf(&b, " (reader %s)", i.Reader)
	}
	if i.Forward {
		b.WriteString(", so the old schema cannot read the new data")
	} else {
		b.WriteString(", so the new schema cannot read the old data")
	}
	return b.String()
}

// Check reports why next may not follow history (oldest first) under level; nil when it may.
func Check(level Level, next *Schema, history []*Schema) *Incompatibility {
	first := 0
	if !level.Transitive() {
		first = max(0, len(history)-1)
	}
	// From the latest version back: the newest reason is the one that a person can act on.
	for v := len(history) - 1; v >= first; v-- {
		if level.backward() {
			if i := unreadable(history[v], next); i != nil {
				i.Against = v
				return i
			}
		}
		if level.forward() {
			if i := unreadable(next, history[v]); i != nil {
				i.Against, i.Forward = v, true
				return i
			}
		}
	}
	return nil
}

func unreadable(writer, reader *Schema) *Incompatibility {
	err := avro.CheckCompatibility(writer.stripped, reader.stripped)
	if err == nil {
		return nil
	}
	ce, ok := errors.AsType[*avro.CompatibilityError](err)
	if !ok {
		return &Incompatibility{Detail: err.Error()}
	}
	i := &Incompatibility{Path: ce.Path, Reader: ce.ReaderType, Writer: ce.WriterType, Detail: ce.Detail}
	if i.Path == "(root)" {
		i.Path = ""
	}
	return i
}
