package schemas

import (
	"fmt"
	"strconv"
)

// Kind is the canonical type of a column: what every source maps to and every target maps from.
type Kind uint8

// The canonical kinds, each with the representation that a [Value] of it has.
const (
	Invalid     Kind = iota
	Bool             // [Value.Bool]
	Int16            // [Value.Int]
	Int32            // [Value.Int]
	Int64            // [Value.Int]
	Float32          // [Value.Float], exactly representable as float32
	Float64          // [Value.Float]
	Decimal          // [Value.Decimal]; Precision 0 means unconstrained: every value has its own scale
	String           // [Value.Bytes], UTF-8; Length > 0 bounds the characters
	Bytes            // [Value.Bytes]
	Date             // [Value.Int]: days since 1970-01-01, or [PosInfinity], [NegInfinity]
	Time             // [Value.Int]: microseconds since midnight, 24:00:00 included; Precision is the number of fraction digits
	Timestamp        // [Value.Int]: microseconds since 1970-01-01 00:00:00 without a zone, or an infinity; Precision as for Time
	TimestampTZ      // [Value.Int]: microseconds since 1970-01-01 00:00:00 UTC, or an infinity; Precision as for Time
	Interval         // [Value.Interval]
	UUID             // [Value.Bytes]: the 36 characters of the canonical text, lower case
	JSON             // [Value.Bytes]: the text as the source gave it
	Enum             // [Value.Bytes]: one of Labels
	Array            // [Value.Array] of Elem; more dimensions are arrays of arrays
)

var kindNames = [...]string{
	"invalid", "bool", "int16", "int32", "int64", "float32", "float64", "decimal", "string", "bytes", "date", "time",
	"timestamp", "timestamptz", "interval", "uuid", "json", "enum", "array",
}

// String gives the name that appears in messages and in the tables topic.
func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return "kind(" + strconv.Itoa(int(k)) + ")"
}

// MarshalText gives the name, as String does.
func (k Kind) MarshalText() ([]byte, error) {
	if int(k) >= len(kindNames) {
		return nil, fmt.Errorf("kind %d has no name", k)
	}
	return []byte(kindNames[k]), nil
}

// UnmarshalText reads a name.
func (k *Kind) UnmarshalText(text []byte) error {
	for i, name := range kindNames {
		if name == string(text) {
			*k = Kind(i)
			return nil
		}
	}
	return fmt.Errorf("no kind is named %q", text)
}

// Type is a canonical type with its parameters. It is immutable once part of a [Table].
type Type struct {
	Kind Kind `json:"kind"`
	// Precision is the number of digits of a Decimal (0: unconstrained) or of the fraction of a Time, Timestamp or
	// TimestampTZ (0 to 6).
	Precision int `json:"precision,omitempty"`
	// Scale is the number of fraction digits of a Decimal with a Precision; it may be negative or above Precision.
	Scale int `json:"scale,omitempty"`
	// Length is the largest number of characters of a String; 0 is unbounded.
	Length int `json:"length,omitempty"`
	// Labels are the values of an Enum, in their sort order.
	Labels []string `json:"labels,omitempty"`
	// Elem is the element type of an Array.
	Elem *Type `json:"elem,omitempty"`
	// Form says what a String or Decimal is more than text or a number, by PostgreSQL's name of the type: see the constants.
	// The value of a String is then PostgreSQL's own text.
	Form Form `json:"form,omitempty"`
	// Mode is the handling mode in which [TypesDebezium] writes the type, "" for Debezium's default. It stands here so that
	// whoever reads a topic knows it: no schema of Debezium's says of a string that it is base 64.
	Mode Mode `json:"mode,omitempty"`
}

// Form is what a String or Decimal is more than text or a number. Those that are not named here are text to everybody but
// a target of the same system.
type Form string

// The forms that are written otherwise than as their text, or that Debezium has a name for.
const (
	FormMoney     Form = "money"  // of a Decimal
	FormBit       Form = "bit"    // 0 and 1, exactly Length of them
	FormVarbit    Form = "varbit" // 0 and 1, at most Length of them; 0: any number
	FormTimeTZ    Form = "timetz"
	FormHstore    Form = "hstore"
	FormXML       Form = "xml"
	FormLtree     Form = "ltree"
	FormTSVector  Form = "tsvector"
	FormPoint     Form = "point"
	FormLine      Form = "line"
	FormLseg      Form = "lseg"
	FormBox       Form = "box"
	FormPath      Form = "path"
	FormPolygon   Form = "polygon"
	FormCircle    Form = "circle"
	FormGeometry  Form = "geometry"  // of PostGIS
	FormGeography Form = "geography" // of PostGIS
	FormVector    Form = "vector"    // of pgvector
	FormHalfVec   Form = "halfvec"   // of pgvector
	FormSparseVec Form = "sparsevec" // of pgvector
	// FormLabel is a label of an enum that the source does not describe: that of an array's element, where it is a domain.
	FormLabel Form = "enum"
	// FormUnknown is a type that nobody but the source knows: composite types, arrays of domains. Bytes of this form are a text
	// of such a type.
	FormUnknown Form = "unknown"
)

// Mode is one of Debezium's handling modes, under its own name.
type Mode string

// The modes that are no default.
const (
	ModeDouble       Mode = "double"  // of a Decimal
	ModeString       Mode = "string"  // of a Decimal or an Interval
	ModeConnect      Mode = "connect" // of Date, Time, Timestamp
	ModeISOString    Mode = "isostring"
	ModeMicroseconds Mode = "microseconds"
	ModeNanoseconds  Mode = "nanoseconds"
	ModeBase64       Mode = "base64" // of Bytes
	ModeBase64URL    Mode = "base64-url-safe"
	ModeHex          Mode = "hex"
	ModeMap          Mode = "map" // of a String with FormHstore
)

// Omitted reports whether Debezium leaves columns of the type out, because it has no form for it. [TypesDebezium] writes
// them as PostgreSQL's text, and always nullable.
func (t *Type) Omitted() bool { return debeziumOutput(t).omitted }

// Equal reports whether the two types are the same, parameters included.
func (t Type) Equal(u Type) bool {
	if t.Kind != u.Kind || t.Precision != u.Precision || t.Scale != u.Scale || t.Length != u.Length ||
		t.Form != u.Form || t.Mode != u.Mode || len(t.Labels) != len(u.Labels) {
		return false
	}
	for i := range t.Labels {
		if t.Labels[i] != u.Labels[i] {
			return false
		}
	}
	if t.Elem == nil || u.Elem == nil {
		return t.Elem == u.Elem
	}
	return t.Elem.Equal(*u.Elem)
}

// String gives a short text for messages, such as "decimal(10,2)" or "array of string".
func (t Type) String() string {
	switch t.Kind {
	case Decimal:
		if t.Form != "" {
			return string(t.Form)
		}
		if t.Precision > 0 {
			return "decimal(" + strconv.Itoa(t.Precision) + "," + strconv.Itoa(t.Scale) + ")"
		}
	case String:
		if t.Form != "" {
			return string(t.Form)
		}
		if t.Length > 0 {
			return "string(" + strconv.Itoa(t.Length) + ")"
		}
	case Array:
		if t.Elem != nil {
			return "array of " + t.Elem.String()
		}
	}
	return t.Kind.String()
}
