package postgres

import (
	"fmt"
	"slices"
	"strings"

	"github.com/syncline-io/syncline/schemas"
)

// The choices of SourceConfig.IncludeUnknownDatatypes.
const (
	unknownText  = "text"
	unknownOmit  = "false"
	unknownBytes = "true"
)

// modes are the handling modes of a source; the zero value is Debezium's defaults, with what it does not know as text.
type modes struct {
	decimal, moment, interval, binary, hstore schemas.Mode
	// micros says that times, and no timestamps, are always in microseconds.
	micros  bool
	unknown string
}

// modeKeys are the keys of the modes and what they may be; the first is the default.
func (c *SourceConfig) modeKeys() []modeKey {
	return []modeKey{
		{"decimal_handling_mode", c.DecimalHandlingMode, []string{"precise", "double", "string"}},
		{"time_precision_mode", c.TimePrecisionMode, []string{"adaptive", "adaptive_time_microseconds", "connect", "isostring", "microseconds", "nanoseconds"}},
		{"interval_handling_mode", c.IntervalHandlingMode, []string{"numeric", "string"}},
		{"binary_handling_mode", c.BinaryHandlingMode, []string{"bytes", "base64", "base64-url-safe", "hex"}},
		{"hstore_handling_mode", c.HstoreHandlingMode, []string{"json", "map"}},
		{"include_unknown_datatypes", c.IncludeUnknownDatatypes, []string{unknownText, unknownOmit, unknownBytes}},
	}
}

type modeKey struct {
	key, value string
	choices    []string
}

// chosen is the mode, "" for the default.
func (k modeKey) chosen() schemas.Mode {
	if k.value == k.choices[0] {
		return ""
	}
	return schemas.Mode(k.value)
}

func (c *SourceConfig) validateModes() (errs []error) {
	for _, k := range c.modeKeys() {
		if k.value != "" && !slices.Contains(k.choices, k.value) {
			errs = append(errs, fmt.Errorf("%s: %q is none of %s", k.key, k.value, strings.Join(k.choices, ", ")))
		}
	}
	return errs
}

func (c *SourceConfig) modes() modes {
	keys := c.modeKeys()
	m := modes{
		decimal: keys[0].chosen(), moment: keys[1].chosen(), interval: keys[2].chosen(), binary: keys[3].chosen(), hstore: keys[4].chosen(),
		unknown: c.IncludeUnknownDatatypes,
	}
	if m.moment == "adaptive_time_microseconds" {
		m.moment, m.micros = "", true
	}
	return m
}

// apply notes in a column's type how it is to be written. array says that the column is an array also where the type is text.
func (m *modes) apply(t *schemas.Type, array bool) {
	if m.unknown == unknownBytes && t.Omitted() {
		if *t = opaque(*t, array); t.Omitted() {
			return
		}
	}
	switch t.Kind {
	case schemas.Decimal:
		t.Mode = m.decimal
	case schemas.Date, schemas.Timestamp:
		t.Mode = m.moment
	case schemas.Time:
		if t.Mode = m.moment; m.micros {
			t.Mode = schemas.ModeMicroseconds
		}
	case schemas.Interval:
		t.Mode = m.interval
	case schemas.Bytes:
		t.Mode = m.binary
	case schemas.String:
		if t.Form == schemas.FormHstore {
			t.Mode = m.hstore
		}
	case schemas.Array:
		elem := *t.Elem
		m.apply(&elem, false)
		t.Elem = &elem
	}
}

// opaque is how Debezium takes in a type that it does not know: as the bytes of its text, or an array of those of its elements.
// What stays as it is are the arrays of types that it knows alone, which it leaves out all the same.
func opaque(t schemas.Type, array bool) schemas.Type {
	bytes := schemas.Type{Kind: schemas.Bytes, Form: schemas.FormUnknown}
	switch {
	case t.Kind == schemas.Array && (!t.Elem.Omitted() || t.Elem.Form == refcursor):
		return t
	case t.Kind == schemas.Array, array:
		return schemas.Type{Kind: schemas.Array, Elem: &bytes}
	}
	return bytes
}

// refcursor is a type that Debezium does not know, and whose arrays it does not take for ones of such a type.
const refcursor schemas.Form = "refcursor"

// omits reports whether columns of the type are left out.
func (m *modes) omits(t *schemas.Type) bool {
	return m.unknown != "" && m.unknown != unknownText && t.Omitted()
}
