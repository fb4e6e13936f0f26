package postgres

import (
	"encoding/hex"
	"math"
	"strconv"
	"unicode/utf8"
	"unsafe"

	"github.com/syncline-io/syncline/schemas"
)

// textDecoder turns the server's text of one value, which is not null, into a [schemas.Value]. The value may alias text
// and a. Text that the type cannot hold, or that is not of the type at all, becomes an unrepresentable value: it is
// never lost and never stops the stream. The session's settings (see sessionSettings) fix the form of the text.
type textDecoder func(text []byte, a *schemas.Arena) schemas.Value

// textDecoderOf returns the decoder for a canonical type.
func textDecoderOf(t *schemas.Type) textDecoder {
	switch t.Kind {
	case schemas.Bool:
		return decodeBool
	case schemas.Int16:
		return decodeInt16
	case schemas.Int32:
		return decodeInt32
	case schemas.Int64:
		return decodeInt64
	case schemas.Float32:
		return decodeFloat32
	case schemas.Float64:
		return decodeFloat64
	case schemas.Decimal:
		if t.Form == schemas.FormMoney {
			return decodeMoney
		}
		return decodeNumeric
	case schemas.Bytes:
		if t.Form != "" {
			return decodeOpaque
		}
		return decodeBytea
	case schemas.Date:
		return decodeDate
	case schemas.Time:
		return decodeTime
	case schemas.Timestamp, schemas.TimestampTZ:
		return decodeTimestamp
	case schemas.Interval:
		return decodeInterval
	case schemas.Array:
		return arrayDecoder(textDecoderOf(t.Elem), schemas.ArrayDelimiter(t.Elem))
	}
	return decodeText
}

// decodeOpaque takes the text as bytes.
func decodeOpaque(text []byte, _ *schemas.Arena) schemas.Value { return schemas.BytesValue(text) }

// decodeMoney reads money as lc_monetary C prints it: -$1,234.11.
func decodeMoney(text []byte, a *schemas.Arena) schemas.Value {
	digits := a.Bytes(len(text))[:0]
	for _, c := range text {
		if c != '$' && c != ',' {
			digits = append(digits, c)
		}
	}
	v, err := schemas.ParseDecimal(digits, a)
	if err != nil {
		return schemas.UnrepresentableValue(text)
	}
	return v
}

func decodeText(text []byte, _ *schemas.Arena) schemas.Value {
	// A database in SQL_ASCII stores any bytes; all others let only UTF-8 out. The check is 10 GB/s on plain ASCII.
	if !utf8.Valid(text) {
		return schemas.UnrepresentableValue(text)
	}
	return schemas.BytesValue(text)
}

func decodeBool(text []byte, _ *schemas.Arena) schemas.Value {
	if len(text) == 1 {
		switch text[0] {
		case 't':
			return schemas.BoolValue(true)
		case 'f':
			return schemas.BoolValue(false)
		}
	}
	return schemas.UnrepresentableValue(text)
}

func decodeInt16(text []byte, _ *schemas.Arena) schemas.Value {
	return decodeInt(text, math.MinInt16, math.MaxInt16)
}

func decodeInt32(text []byte, _ *schemas.Arena) schemas.Value {
	return decodeInt(text, math.MinInt32, math.MaxInt32)
}

func decodeInt64(text []byte, _ *schemas.Arena) schemas.Value {
	return decodeInt(text, math.MinInt64, math.MaxInt64)
}

func decodeInt(text []byte, lo, hi int64) schemas.Value {
	digits, negative := text, false
	if len(digits) > 0 && digits[0] == '-' {
		digits, negative = digits[1:], true
	}
	n, ok := parseUint(digits)
	if !ok || n > math.MaxInt64 && !(negative && n == 1<<63) {
		return schemas.UnrepresentableValue(text)
	}
	i := int64(n)
	if negative {
		i = -i // -(1<<63) wraps onto itself, which is right
	}
	if i < lo || i > hi {
		return schemas.UnrepresentableValue(text)
	}
	return schemas.IntValue(i)
}

// parseUint reads 1 to 19 decimal digits.
func parseUint(digits []byte) (uint64, bool) {
	if len(digits) == 0 || len(digits) > 19 {
		return 0, false
	}
	var n uint64
	for _, c := range digits {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + uint64(c-'0')
	}
	return n, true
}

func decodeFloat32(text []byte, _ *schemas.Arena) schemas.Value { return decodeFloat(text, 32) }

func decodeFloat64(text []byte, _ *schemas.Arena) schemas.Value { return decodeFloat(text, 64) }

func decodeFloat(text []byte, bits int) schemas.Value {
	// ParseFloat knows NaN, Infinity and -Infinity as PostgreSQL writes them, and does not keep its argument.
	f, err := strconv.ParseFloat(unsafe.String(unsafe.SliceData(text), len(text)), bits)
	if err != nil {
		return schemas.UnrepresentableValue(append([]byte(nil), text...))
	}
	return schemas.FloatValue(f)
}

// decodeBytea reads the hexadecimal form: \x and two digits per byte.
func decodeBytea(text []byte, a *schemas.Arena) schemas.Value {
	if len(text) < 2 || text[0] != '\\' || text[1] != 'x' {
		return schemas.UnrepresentableValue(text)
	}
	b := a.Bytes((len(text) - 2) / 2)
	if _, err := hex.Decode(b, text[2:]); err != nil {
		return schemas.UnrepresentableValue(text)
	}
	return schemas.BytesValue(b)
}

// arrayDecoder reads arrays of one dimension, such as {1,NULL,"a \"b\""}. PostgreSQL does not declare dimensions: an
// array of more, or with a lower bound of its own ([0:1]={1,2}), fits no array of the element type and stays text.
func arrayDecoder(elem textDecoder, delimiter byte) textDecoder {
	return func(text []byte, a *schemas.Arena) schemas.Value {
		n, ok := countElements(text, delimiter)
		if !ok {
			return schemas.UnrepresentableValue(text)
		}
		elems := a.Values(n)
		rest := text[1:]
		for i := range elems {
			var item []byte
			var null bool
			item, null, rest = nextElement(rest, delimiter, a)
			if null {
				continue
			}
			elems[i] = elem(item, a)
			if elems[i].Kind() == schemas.KindUnrepresentable {
				return schemas.UnrepresentableValue(text)
			}
		}
		return schemas.ArrayValue(elems)
	}
}

// countElements checks the whole form, so that nextElement need not.
func countElements(text []byte, delimiter byte) (int, bool) {
	if len(text) < 2 || text[0] != '{' || text[len(text)-1] != '}' {
		return 0, false
	}
	body := text[1 : len(text)-1]
	if len(body) == 0 {
		return 0, true
	}
	n := 1
	for i := 0; i < len(body); i++ {
		switch body[i] {
		case delimiter:
			n++
		case '{', '}':
			return 0, false
		case '\\':
			if i++; i == len(body) {
				return 0, false
			}
		case '"':
			for i++; ; i++ {
				if i >= len(body) {
					return 0, false
				}
				if body[i] == '\\' {
					i++
				} else if body[i] == '"' {
					break
				}
			}
		}
	}
	return n, true
}

// nextElement takes one element and the delimiter or brace behind it. The element aliases text, or a where it had escapes.
func nextElement(text []byte, delimiter byte, a *schemas.Arena) (item []byte, null bool, rest []byte) {
	if text[0] != '"' {
		i := 0
		for text[i] != delimiter && text[i] != '}' {
			if text[i] == '\\' {
				i++
			}
			i++
		}
		item = text[:i]
		return item, string(item) == "NULL", text[i+1:]
	}
	escapes, i := 0, 1
	for ; text[i] != '"'; i++ {
		if text[i] == '\\' {
			escapes++
			i++
		}
	}
	item, rest = text[1:i], text[i+1:]
	if escapes > 0 {
		item = unescape(item, a.Bytes(len(item)-escapes))
	}
	for rest[0] != delimiter && rest[0] != '}' { // nothing in the server's own output; harmless in anything else
		rest = rest[1:]
	}
	return item, false, rest[1:]
}

func unescape(item, dst []byte) []byte {
	dst = dst[:0]
	for i := 0; i < len(item); i++ {
		if item[i] == '\\' {
			i++
		}
		dst = append(dst, item[i])
	}
	return dst
}
