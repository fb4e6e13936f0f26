package schemas

import (
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"strconv"
	"unsafe"
)

// AppendText appends the text of a value of type t as PostgreSQL prints it (intervals in ISO 8601, bytes in hex, arrays
// as literals), or the source's own text of an unrepresentable value. Null and unchanged have no text: they append
// nothing. [ParseText] reads it back exactly. It does not allocate. Only a float may have another text than PostgreSQL
// prints; see [AppendFloat].
func AppendText(dst []byte, t *Type, v Value) []byte {
	switch v.Kind() {
	case KindNull, KindUnchanged:
		return dst
	case KindBool:
		if v.Bool() {
			return append(dst, 't')
		}
		return append(dst, 'f')
	case KindInt:
		return appendIntText(dst, t, v.Int())
	case KindFloat:
		return AppendFloat(dst, v.Float(), t.Kind == Float32)
	case KindDecimal:
		unscaled, scale, form := v.Decimal()
		if form != Finite {
			return append(dst, specialDecimals[form]...)
		}
		return AppendDecimalText(dst, unscaled, scale)
	case KindInterval:
		months, days, micros := v.Interval()
		return AppendInterval(dst, months, days, micros)
	case KindArray:
		return appendArrayOf(dst, t, v)
	}
	if t.Kind == Bytes && v.Kind() == KindBytes {
		dst = append(dst, '\\', 'x')
		return hex.AppendEncode(dst, v.Bytes())
	}
	return append(dst, v.Bytes()...)
}

var specialDecimals = [...]string{NaN: "NaN", PosInf: "Infinity", NegInf: "-Infinity"}

func appendIntText(dst []byte, t *Type, i int64) []byte {
	switch t.Kind {
	case Date:
		return AppendDate(dst, i)
	case Time:
		return AppendTime(dst, i)
	case Timestamp:
		return AppendTimestamp(dst, i)
	case TimestampTZ:
		return AppendTimestampTZ(dst, i)
	}
	return strconv.AppendInt(dst, i, 10)
}

// appendArrayOf is AppendArrayText with AppendText for the elements, without the closure.
func appendArrayOf(dst []byte, t *Type, array Value) []byte {
	elem := t.Elem
	if elem == nil {
		elem = &Type{Kind: String}
	}
	delimiter := ArrayDelimiter(innermost(elem))
	dst = append(dst, '{')
	for i, v := range array.Array() {
		if i > 0 {
			dst = append(dst, delimiter)
		}
		switch {
		case v.IsNull():
			dst = append(dst, "NULL"...)
		case v.Kind() == KindArray && elem.Kind != Array:
			dst = appendArrayOf(dst, t, v) // one more dimension
		case v.Kind() == KindArray:
			dst = appendArrayOf(dst, elem, v)
		default:
			start := len(dst)
			dst = quoteElement(AppendText(dst, elem, v), start, delimiter)
		}
	}
	return append(dst, '}')
}

// ParseText reads PostgreSQL's text of a value that is not NULL as the canonical value of type t. Text, JSON and enum
// values alias text; other parts lie in a. Errors wrap [ErrRange] or [ErrArrayBounds] where the source's value is
// right but the canonical type cannot hold it.
func ParseText(text []byte, t *Type, a *Arena) (Value, error) {
	var i int64
	var err error
	switch t.Kind {
	case Bool:
		return parseBool(text)
	case Int16:
		i, err = parseInt(text, 16)
	case Int32:
		i, err = parseInt(text, 32)
	case Int64:
		i, err = parseInt(text, 64)
	case Float32:
		return parseFloat(text, 32)
	case Float64:
		return parseFloat(text, 64)
	case Decimal:
		return ParseDecimal(text, a)
	case Bytes:
		return parseHex(text, a)
	case Date:
		i, err = ParseDate(text)
	case Time:
		i, err = ParseTime(text)
	case Timestamp:
		i, err = ParseTimestamp(text)
	case TimestampTZ:
		i, err = ParseTimestampTZ(text)
	case Interval:
		months, days, micros, err := ParseInterval(text)
		if err != nil {
			return Value{}, err
		}
		return IntervalValue(months, days, micros), nil
	case UUID:
		return parseUUIDText(text, a)
	case String, JSON, Enum:
		return BytesValue(text), nil
	case Array:
		if t.Elem == nil {
			return Value{}, errors.New("array without an element type")
		}
		return parseArrayOf(text, a, innermost(t.Elem))
	default:
		return Value{}, fmt.Errorf("no text form of %v", t.Kind)
	}
	if err != nil {
		return Value{}, err
	}
	return IntValue(i), nil
}

// innermost is the element type behind all dimensions: a literal tells its dimensions itself.
func innermost(t *Type) *Type {
	for t.Kind == Array && t.Elem != nil {
		t = t.Elem
	}
	return t
}

var (
	errNoBool = errors.New("not a boolean")
	errNoHex  = errors.New(`not in hex with a leading \x`)
	errNoUUID = errors.New("not a UUID")
)

func parseBool(text []byte) (Value, error) {
	switch string(text) {
	case "t", "true":
		return BoolValue(true), nil
	case "f", "false":
		return BoolValue(false), nil
	}
	return Value{}, fmt.Errorf("boolean %s: %w", shown(text), errNoBool)
}

func parseInt(text []byte, bits int) (int64, error) {
	i, err := strconv.ParseInt(alias(text), 10, bits)
	if err != nil {
		return 0, fmt.Errorf("int%d: %w", bits, err)
	}
	return i, nil
}

func parseFloat(text []byte, bits int) (Value, error) {
	f, err := strconv.ParseFloat(alias(text), bits)
	if err != nil {
		return Value{}, fmt.Errorf("float%d: %w", bits, err)
	}
	return FloatValue(f), nil
}

// alias gives b as a string for a call that does not keep it.
func alias(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

// AppendFloat appends the shortest text that reads back as f, in the notation in which PostgreSQL prints a real (single)
// or double precision. A few large numbers end in other digits there, but both texts are the same number.
func AppendFloat(dst []byte, f float64, single bool) []byte {
	switch {
	case math.IsNaN(f):
		return append(dst, "NaN"...)
	case math.IsInf(f, 1):
		return append(dst, "Infinity"...)
	case math.IsInf(f, -1):
		return append(dst, "-Infinity"...)
	}
	bits, most := 64, 1e15
	if single {
		bits, most = 32, 1e6
	}
	if abs := math.Abs(f); abs != 0 && (abs < 1e-4 || abs >= most) {
		return strconv.AppendFloat(dst, f, 'e', -1, bits)
	}
	return strconv.AppendFloat(dst, f, 'f', -1, bits)
}

func parseHex(text []byte, a *Arena) (Value, error) {
	if len(text) < 2 || text[0] != '\\' || text[1] != 'x' {
		return Value{}, fmt.Errorf("bytea: %w", errNoHex)
	}
	out := a.Bytes((len(text) - 2) / 2)
	if _, err := hex.Decode(out, text[2:]); err != nil {
		return Value{}, fmt.Errorf("bytea: %w", err)
	}
	return BytesValue(out), nil
}

// AppendUUID appends the 36 characters of the canonical text.
func AppendUUID(dst []byte, id [16]byte) []byte {
	for i, part := range [...][]byte{id[:4], id[4:6], id[6:8], id[8:10], id[10:]} {
		if i > 0 {
			dst = append(dst, '-')
		}
		dst = hex.AppendEncode(dst, part)
	}
	return dst
}

// ParseUUID reads a UUID as it is written most: 8-4-4-4-12 digits, of either case.
func ParseUUID(text []byte) (id [16]byte, err error) {
	id, seen := parseUUID(text)
	if seen&noHexDigit != 0 {
		return id, fmt.Errorf("uuid %s: %w", shown(text), errNoUUID)
	}
	return id, nil
}

// parseUUIDText checks a UUID and aliases it where it is canonical already.
func parseUUIDText(text []byte, a *Arena) (Value, error) {
	id, seen := parseUUID(text)
	switch {
	case seen&noHexDigit != 0:
		return Value{}, fmt.Errorf("uuid %s: %w", shown(text), errNoUUID)
	case seen&upperHexDigit != 0:
		return BytesValue(AppendUUID(a.Bytes(36)[:0], id)), nil
	}
	return BytesValue(text), nil
}

// parseUUID reads a UUID and tells by marks of [hexDigits] what its digits are. It is as much as a sixth of decoding a row that
// has one, so it looks each digit up and asks once, at the end, whether all of them were digits.
func parseUUID(text []byte) (id [16]byte, seen byte) {
	if len(text) != 36 || text[8] != '-' || text[13] != '-' || text[18] != '-' || text[23] != '-' {
		return id, noHexDigit
	}
	at := 0
	for i := range id {
		if i == 4 || i == 6 || i == 8 || i == 10 {
			at++
		}
		high, low := hexDigits[text[at]], hexDigits[text[at+1]]
		id[i] = high<<4 | low&0xf
		seen |= high | low
		at += 2
	}
	return id, seen
}

// Marks in [hexDigits], beside a digit's value.
const (
	upperHexDigit = 0x40
	noHexDigit    = 0x80
)

// hexDigits has the value of each hexadecimal digit, and marks.
var hexDigits = func() (table [256]byte) {
	for c := range table {
		switch {
		case c >= '0' && c <= '9':
			table[c] = byte(c - '0')
		case c >= 'a' && c <= 'f':
			table[c] = byte(c - 'a' + 10)
		case c >= 'A' && c <= 'F':
			table[c] = byte(c-'A'+10) | upperHexDigit
		default:
			table[c] = noHexDigit
		}
	}
	return table
}()
