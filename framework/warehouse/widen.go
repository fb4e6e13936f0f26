// Package warehouse holds what SQL targets share and what is not a matter of dialect: whether a column of one canonical
// type holds the values of another and how far it must be widened, and the quoting of names and texts. It is a library
// that a connector calls; DDL, merge statements and loaders stay with the connector.
package warehouse

import (
	"slices"
	"unicode/utf8"

	"github.com/syncline-io/syncline/schemas"
)

// Change says what must happen to a column of the target before it holds every value of another type.
type Change uint8

// The changes.
const (
	// Same: nothing. The column's type is the wanted one, or holds every value of it.
	Same Change = iota
	// Widen: the column must become what Join returns. No value that it has now changes.
	Widen
	// Conflict: no type holds the values of both without changing some. A person must decide.
	Conflict
)

// String gives the word that appears in messages.
func (c Change) String() string {
	switch c {
	case Same:
		return "same"
	case Widen:
		return "widen"
	}
	return "conflict"
}

// Fit says what must happen to a column of type have so that it holds every value of type want.
func Fit(have, want schemas.Type) Change {
	joined, ok := Join(have, want)
	switch {
	case !ok:
		return Conflict
	case joined.Equal(have):
		return Same
	}
	return Widen
}

// Join returns the least type that holds every value of a and every value of b without changing one, and false when
// there is none. Types whose values only look alike (a date in a text) are not joined, but for those whose canonical
// text is the value: a UUID, a JSON document, an enum's label.
func Join(a, b schemas.Type) (schemas.Type, bool) {
	if a.Equal(b) {
		return a, true
	}
	if a.Kind == b.Kind {
		return joinParameters(a, b)
	}
	// From here on the kinds differ: look at the pair in one order only.
	if a.Kind > b.Kind {
		a, b = b, a
	}
	switch b.Kind {
	case schemas.Int16, schemas.Int32, schemas.Int64:
		if isInt(a.Kind) {
			return b, true
		}
	case schemas.Float32:
		// 24 bits hold an int16, and no more.
		if a.Kind == schemas.Int16 {
			return b, true
		}
		if a.Kind == schemas.Int32 {
			return schemas.Type{Kind: schemas.Float64}, true
		}
	case schemas.Float64:
		if a.Kind == schemas.Int16 || a.Kind == schemas.Int32 || a.Kind == schemas.Float32 {
			return b, true
		}
	case schemas.Decimal:
		if isInt(a.Kind) {
			return joinDecimals(schemas.Type{Kind: schemas.Decimal, Precision: intDigits(a.Kind)}, b), true
		}
	case schemas.UUID, schemas.JSON, schemas.Enum:
		if a.Kind == schemas.String {
			return joinString(a, b), true
		}
	}
	return schemas.Type{}, false
}

// joinParameters joins two types of one kind that differ in their parameters.
func joinParameters(a, b schemas.Type) (schemas.Type, bool) {
	switch a.Kind {
	case schemas.Decimal:
		return joinDecimals(a, b), true
	case schemas.String:
		joined := schemas.Type{Kind: schemas.String, Length: longer(a.Length, b.Length)}
		if a.Form == b.Form {
			joined.Form = a.Form
		}
		return joined, true
	case schemas.Time, schemas.Timestamp, schemas.TimestampTZ:
		return schemas.Type{Kind: a.Kind, Precision: max(a.Precision, b.Precision)}, true
	case schemas.Enum:
		return schemas.Type{Kind: schemas.Enum, Labels: joinLabels(a.Labels, b.Labels)}, true
	case schemas.Array:
		if a.Elem == nil || b.Elem == nil {
			return schemas.Type{}, false
		}
		elem, ok := Join(*a.Elem, *b.Elem)
		return schemas.Type{Kind: schemas.Array, Elem: &elem}, ok
	}
	// Parameters that mean nothing for the kind do not make another type.
	return a, true
}

// joinDecimals keeps the digits of both on either side of the point.
func joinDecimals(a, b schemas.Type) schemas.Type {
	if a.Precision == 0 || b.Precision == 0 {
		return schemas.Type{Kind: schemas.Decimal}
	}
	scale := max(a.Scale, b.Scale)
	whole := max(a.Precision-a.Scale, b.Precision-b.Scale)
	return schemas.Type{Kind: schemas.Decimal, Precision: max(whole+scale, 1), Scale: scale}
}

// joinString returns the string type that holds text and the canonical text of every value of other.
func joinString(text, other schemas.Type) schemas.Type {
	length := 0
	switch other.Kind {
	case schemas.UUID:
		length = 36
	case schemas.Enum:
		for _, label := range other.Labels {
			length = max(length, utf8.RuneCountInString(label))
		}
	}
	return schemas.Type{Kind: schemas.String, Length: longer(text.Length, length)}
}

// joinLabels returns a's labels and after them those that only b has.
func joinLabels(a, b []string) []string {
	labels := slices.Clone(a)
	for _, label := range b {
		if !slices.Contains(labels, label) {
			labels = append(labels, label)
		}
	}
	return labels
}

// longer compares lengths of which 0 is unbounded.
func longer(a, b int) int {
	if a == 0 || b == 0 {
		return 0
	}
	return max(a, b)
}

func isInt(k schemas.Kind) bool {
	return k == schemas.Int16 || k == schemas.Int32 || k == schemas.Int64
}

// intDigits is the number of decimal digits of the largest value.
func intDigits(k schemas.Kind) int {
	switch k {
	case schemas.Int16:
		return 5
	case schemas.Int32:
		return 10
	}
	return 19
}
