package postgres

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"math"
	"strconv"

	"github.com/jackc/pgx/v5/pgtype"
)

// printer appends to dst what the type's output function makes of a value, given its binary form, under sessionSettings.
// Each is PostgreSQL's own rule written again, and is held against the server's output in the tests.
type printer func(dst, b []byte) ([]byte, error)

func printText(dst, b []byte) ([]byte, error) { return append(dst, b...), nil }

// printVersioned skips the number of the format, which has been 1 for ever in all types that have one.
func printVersioned(dst, b []byte) ([]byte, error) {
	if len(b) == 0 || b[0] != 1 {
		return dst, errBinary
	}
	return append(dst, b[1:]...), nil
}

// printChar writes the type "char". How a byte that is no ASCII looks depends on the server's version.
func printChar(dst, b []byte) ([]byte, error) {
	switch {
	case len(b) != 1:
		return dst, errBinary
	case b[0] >= 0x80:
		return dst, errTextOnly
	case b[0] == 0:
		return dst, nil
	}
	return append(dst, b[0]), nil
}

func printBool(dst, b []byte) ([]byte, error) {
	switch {
	case len(b) != 1:
		return dst, errBinary
	case b[0] != 0:
		return append(dst, 't'), nil
	}
	return append(dst, 'f'), nil
}

func printInt16(dst, b []byte) ([]byte, error) {
	if len(b) != 2 {
		return dst, errBinary
	}
	return strconv.AppendInt(dst, int64(int16(binary.BigEndian.Uint16(b))), 10), nil
}

func printInt32(dst, b []byte) ([]byte, error) {
	if len(b) != 4 {
		return dst, errBinary
	}
	return strconv.AppendInt(dst, int64(int32(binary.BigEndian.Uint32(b))), 10), nil
}

func printInt64(dst, b []byte) ([]byte, error) {
	if len(b) != 8 {
		return dst, errBinary
	}
	return strconv.AppendInt(dst, int64(binary.BigEndian.Uint64(b)), 10), nil
}

func printUint32(dst, b []byte) ([]byte, error) {
	if len(b) != 4 {
		return dst, errBinary
	}
	return strconv.AppendUint(dst, uint64(binary.BigEndian.Uint32(b)), 10), nil
}

func printUint64(dst, b []byte) ([]byte, error) {
	if len(b) != 8 {
		return dst, errBinary
	}
	return strconv.AppendUint(dst, binary.BigEndian.Uint64(b), 10), nil
}

func printLSN(dst, b []byte) ([]byte, error) {
	if len(b) != 8 {
		return dst, errBinary
	}
	return append(dst, lsn(binary.BigEndian.Uint64(b)).String()...), nil
}

func printTID(dst, b []byte) ([]byte, error) {
	if len(b) != 6 {
		return dst, errBinary
	}
	dst = strconv.AppendUint(append(dst, '('), uint64(binary.BigEndian.Uint32(b)), 10)
	dst = strconv.AppendUint(append(dst, ','), uint64(binary.BigEndian.Uint16(b[4:])), 10)
	return append(dst, ')'), nil
}

func printBytes(dst, b []byte) ([]byte, error) {
	return hex.AppendEncode(append(dst, `\x`...), b), nil
}

func printUUID(dst, b []byte) ([]byte, error) {
	if len(b) != 16 {
		return dst, errBinary
	}
	for i, n := range [...]int{4, 2, 2, 2, 6} {
		if i > 0 {
			dst = append(dst, '-')
		}
		dst, b = hex.AppendEncode(dst, b[:n]), b[n:]
	}
	return dst, nil
}

// printMoney writes -$1,234.11, as lc_monetary C has it.
func printMoney(dst, b []byte) ([]byte, error) {
	if len(b) != 8 {
		return dst, errBinary
	}
	n := int64(binary.BigEndian.Uint64(b))
	magnitude := uint64(n)
	if n < 0 {
		dst, magnitude = append(dst, '-'), -magnitude
	}
	whole := strconv.AppendUint(nil, magnitude/100, 10)
	dst = append(dst, '$')
	for i, digit := range whole {
		if i > 0 && (len(whole)-i)%3 == 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, digit)
	}
	return appendPadded(append(dst, '.'), int64(magnitude%100), 2), nil
}

// printNumeric writes the words of binaryNumeric: all digits before the point, and as many behind it as are to be shown.
func printNumeric(dst, b []byte) ([]byte, error) {
	if len(b) < 8 || len(b) != 8+2*int(binary.BigEndian.Uint16(b)) {
		return dst, errBinary
	}
	weight, scale := int(int16(binary.BigEndian.Uint16(b[2:]))), int(binary.BigEndian.Uint16(b[6:]))
	switch binary.BigEndian.Uint16(b[4:]) {
	case numericPositive:
	case numericNegative:
		dst = append(dst, '-')
	case numericNaN:
		return append(dst, "NaN"...), nil
	case numericPosInf:
		return append(dst, "Infinity"...), nil
	case numericNegInf:
		return append(dst, "-Infinity"...), nil
	default:
		return dst, errBinary
	}
	words := b[8:]
	for i := 0; i < len(words); i += 2 {
		if binary.BigEndian.Uint16(words[i:]) > 9999 {
			return dst, errBinary
		}
	}
	word := func(exponent int) int64 { // that of 10000^exponent
		if i := 2 * (weight - exponent); i >= 0 && i < len(words) {
			return int64(binary.BigEndian.Uint16(words[i:]))
		}
		return 0
	}
	dst = strconv.AppendInt(dst, word(max(0, weight)), 10)
	for e := weight - 1; e >= 0; e-- {
		dst = appendPadded(dst, word(e), 4)
	}
	if scale == 0 {
		return dst, nil
	}
	dst = append(dst, '.')
	end := len(dst) + scale
	for e := -1; len(dst) < end; e-- {
		dst = appendPadded(dst, word(e), 4)
	}
	return dst[:end], nil
}

func printDate(dst, b []byte) ([]byte, error) {
	if len(b) != 4 {
		return dst, errBinary
	}
	switch days := int32(binary.BigEndian.Uint32(b)); days {
	case math.MaxInt32:
		return append(dst, "infinity"...), nil
	case math.MinInt32:
		return append(dst, "-infinity"...), nil
	default:
		dst, bc := appendDays(dst, int64(days)+epochDays)
		return append(dst, bc...), nil
	}
}

func printTime(dst, b []byte) ([]byte, error) {
	if len(b) != 8 {
		return dst, errBinary
	}
	micros := int64(binary.BigEndian.Uint64(b))
	if micros < 0 || micros > dayMicros {
		return dst, errBinary
	}
	return appendClock(dst, uint64(micros)), nil
}

// printTimeTZ writes a time and its zone, of which the binary form has the seconds west of UTC.
func printTimeTZ(dst, b []byte) ([]byte, error) {
	if len(b) != 12 {
		return dst, errBinary
	}
	dst, err := printTime(dst, b[:8])
	if err != nil {
		return dst, err
	}
	zone := -int64(int32(binary.BigEndian.Uint32(b[8:])))
	if zone < 0 {
		dst, zone = append(dst, '-'), -zone
	} else {
		dst = append(dst, '+')
	}
	dst = appendPadded(dst, zone/3600, 2)
	if zone%3600 != 0 {
		dst = appendPadded(append(dst, ':'), zone/60%60, 2)
	}
	if zone%60 != 0 {
		dst = appendPadded(append(dst, ':'), zone%60, 2)
	}
	return dst, nil
}

func printTimestamp(dst, b []byte) ([]byte, error) { return printInstant(dst, b, "") }

func printTimestampTZ(dst, b []byte) ([]byte, error) { return printInstant(dst, b, "+00") }

func printInstant(dst, b []byte, zone string) ([]byte, error) {
	if len(b) != 8 {
		return dst, errBinary
	}
	switch micros := int64(binary.BigEndian.Uint64(b)); micros {
	case math.MaxInt64:
		return append(dst, "infinity"...), nil
	case math.MinInt64:
		return append(dst, "-infinity"...), nil
	default:
		days, rest := micros/dayMicros, micros%dayMicros
		if rest < 0 {
			days, rest = days-1, rest+dayMicros
		}
		return appendTimestamp(dst, days+epochDays, rest, zone), nil
	}
}

// printInterval writes the style "postgres": parts that are zero are left out, and a part that follows a negative one has
// its sign.
func printInterval(dst, b []byte) ([]byte, error) {
	if len(b) != 16 {
		return dst, errBinary
	}
	micros := int64(binary.BigEndian.Uint64(b))
	days, months := int32(binary.BigEndian.Uint32(b[8:])), int32(binary.BigEndian.Uint32(b[12:]))
	switch { // the infinite intervals of PostgreSQL 17
	case micros == math.MaxInt64 && days == math.MaxInt32 && months == math.MaxInt32:
		return append(dst, "infinity"...), nil
	case micros == math.MinInt64 && days == math.MinInt32 && months == math.MinInt32:
		return append(dst, "-infinity"...), nil
	}
	at, negative := len(dst), false
	for _, part := range [...]struct {
		n    int32
		unit string
	}{{months / 12, " year"}, {months % 12, " mon"}, {days, " day"}} {
		if part.n == 0 {
			continue
		}
		if len(dst) > at {
			dst = append(dst, ' ')
		}
		if negative && part.n > 0 {
			dst = append(dst, '+')
		}
		if dst = append(strconv.AppendInt(dst, int64(part.n), 10), part.unit...); part.n != 1 {
			dst = append(dst, 's')
		}
		negative = part.n < 0
	}
	if len(dst) > at && micros == 0 {
		return dst, nil
	}
	if len(dst) > at {
		dst = append(dst, ' ')
	}
	if micros < 0 {
		dst = append(dst, '-')
		return appendClock(dst, -uint64(micros)), nil
	}
	if negative {
		dst = append(dst, '+')
	}
	return appendClock(dst, uint64(micros)), nil
}

// printBits writes the digits of a bit string: their number, then the bytes, the first digit as the highest bit.
func printBits(dst, b []byte) ([]byte, error) {
	if len(b) < 4 {
		return dst, errBinary
	}
	n, b := int(int32(binary.BigEndian.Uint32(b))), b[4:]
	if n < 0 || (n+7)/8 != len(b) {
		return dst, errBinary
	}
	for i := range n {
		dst = append(dst, '0'+b[i/8]>>(7-i%8)&1)
	}
	return dst, nil
}

func printMAC(dst, b []byte) ([]byte, error) {
	if len(b) != 6 && len(b) != 8 {
		return dst, errBinary
	}
	for i := range b {
		if i > 0 {
			dst = append(dst, ':')
		}
		dst = hex.AppendEncode(dst, b[i:i+1])
	}
	return dst, nil
}

// The address families of inet's binary form.
const (
	inetV4 = 2
	inetV6 = 3
)

// printInet leaves out the length of the netmask where it is that of the whole address.
func printInet(dst, b []byte) ([]byte, error) { return printNetwork(dst, b, false) }

func printCIDR(dst, b []byte) ([]byte, error) { return printNetwork(dst, b, true) }

// printNetwork reads the family, the netmask's length, whether it is a cidr, the number of bytes and these.
func printNetwork(dst, b []byte, always bool) ([]byte, error) {
	if len(b) < 4 || len(b) != 4+int(b[3]) {
		return dst, errBinary
	}
	address := b[4:]
	switch {
	case b[0] == inetV4 && len(address) == 4:
		dst = appendIPv4(dst, address)
	case b[0] == inetV6 && len(address) == 16:
		dst = appendIPv6(dst, address)
	default:
		return dst, errBinary
	}
	if always || int(b[1]) != 8*len(address) {
		dst = strconv.AppendUint(append(dst, '/'), uint64(b[1]), 10)
	}
	return dst, nil
}

func appendIPv4(dst, address []byte) []byte {
	for i, part := range address {
		if i > 0 {
			dst = append(dst, '.')
		}
		dst = strconv.AppendUint(dst, uint64(part), 10)
	}
	return dst
}

// appendIPv6 shortens the first longest run of at least two zero words, and writes the last two words as an IPv4 address
// where the run says that they are one: ::1.2.3.4 and ::ffff:1.2.3.4.
func appendIPv6(dst, address []byte) []byte {
	word := func(i int) uint16 { return binary.BigEndian.Uint16(address[2*i:]) }
	base, length := -1, 1
	for i := 0; i < 8; i++ {
		n := 0
		for i+n < 8 && word(i+n) == 0 {
			n++
		}
		if n > length {
			base, length = i, n
		}
		i += n
	}
	for i := 0; i < 8; i++ {
		if i == base {
			dst = append(dst, ':')
			if i += length; i == 8 {
				return append(dst, ':')
			}
		}
		if i > 0 {
			dst = append(dst, ':')
		}
		if i == 6 && base == 0 && (length == 6 || length == 5 && word(5) == 0xffff) {
			return appendIPv4(dst, address[12:])
		}
		dst = strconv.AppendUint(dst, uint64(word(i)), 16)
	}
	return dst
}

// printTSVector writes lexemes and their places: 'cat':3 'fat':2A,7.
func printTSVector(dst, b []byte) ([]byte, error) {
	w := &wire{b: b}
	n := int(w.uint32())
	for i := 0; i < n && !w.bad; i++ {
		if i > 0 {
			dst = append(dst, ' ')
		}
		dst = append(dst, '\'')
		end := bytes.IndexByte(w.b, 0)
		if end < 0 {
			return dst, errBinary
		}
		for _, c := range w.take(end) {
			if c == '\'' || c == '\\' {
				dst = append(dst, c)
			}
			dst = append(dst, c)
		}
		_ = w.uint8() // the end of the lexeme
		dst = append(dst, '\'')
		separator := byte(':')
		for range w.uint16() {
			place := w.uint16()
			dst = strconv.AppendUint(append(dst, separator), uint64(place&0x3fff), 10)
			if weight := place >> 14; weight > 0 {
				dst = append(dst, "DCBA"[weight])
			}
			separator = ','
		}
	}
	if w.bad || len(w.b) > 0 {
		return dst, errBinary
	}
	return dst, nil
}

// printHstore writes "key"=>"value", "key"=>NULL.
func printHstore(dst, b []byte) ([]byte, error) {
	w := &wire{b: b}
	n := int(w.uint32())
	for i := 0; i < n && !w.bad; i++ {
		if i > 0 {
			dst = append(dst, ", "...)
		}
		dst = append(appendQuoted(dst, w.take(int(int32(w.uint32()))), '\\'), "=>"...)
		if size := int32(w.uint32()); size < 0 {
			dst = append(dst, "NULL"...)
		} else {
			dst = appendQuoted(dst, w.take(int(size)), '\\')
		}
	}
	if w.bad || len(w.b) > 0 {
		return dst, errBinary
	}
	return dst, nil
}

// appendQuoted puts text between double quotes; those in it, and backslashes, follow an escape: a backslash, or with 0
// the character itself.
func appendQuoted(dst, text []byte, escape byte) []byte {
	dst = append(dst, '"')
	for _, c := range text {
		if c == '"' || c == '\\' {
			if escape == 0 {
				dst = append(dst, c)
			} else {
				dst = append(dst, escape)
			}
		}
		dst = append(dst, c)
	}
	return append(dst, '"')
}

// The flags of a range.
const (
	rangeEmpty         = 0x01
	rangeLowIncluded   = 0x02
	rangeHighIncluded  = 0x04
	rangeLowUnbounded  = 0x08
	rangeHighUnbounded = 0x10
)

// printRange is for ranges of values that bound prints.
func printRange(bound printer) printer {
	var room []byte
	return func(dst, b []byte) ([]byte, error) {
		w := &wire{b: b}
		flags := w.uint8()
		if flags&rangeEmpty != 0 {
			dst = append(dst, "empty"...)
			return dst, w.whole()
		}
		appendBound := func(unbounded byte) (err error) {
			if flags&unbounded != 0 {
				return nil
			}
			if room, err = bound(room[:0], w.take(int(int32(w.uint32())))); err != nil {
				return err
			}
			if bytes.ContainsAny(room, "\"\\()[], \t\n\r\v\f") || len(room) == 0 {
				dst = appendQuoted(dst, room, 0)
			} else {
				dst = append(dst, room...)
			}
			return nil
		}
		if flags&rangeLowIncluded != 0 {
			dst = append(dst, '[')
		} else {
			dst = append(dst, '(')
		}
		if err := appendBound(rangeLowUnbounded); err != nil {
			return dst, err
		}
		dst = append(dst, ',')
		if err := appendBound(rangeHighUnbounded); err != nil {
			return dst, err
		}
		if flags&rangeHighIncluded != 0 {
			dst = append(dst, ']')
		} else {
			dst = append(dst, ')')
		}
		return dst, w.whole()
	}
}

// printMultirange writes the ranges between braces.
func printMultirange(bound printer) printer {
	one := printRange(bound)
	return func(dst, b []byte) (_ []byte, err error) {
		w := &wire{b: b}
		n := int(w.uint32())
		dst = append(dst, '{')
		for i := 0; i < n && !w.bad; i++ {
			if i > 0 {
				dst = append(dst, ',')
			}
			if dst, err = one(dst, w.take(int(int32(w.uint32())))); err != nil {
				return dst, err
			}
		}
		return append(dst, '}'), w.whole()
	}
}

// whole refuses a binary value that is shorter or longer than its parts.
func (w *wire) whole() error {
	if w.bad || len(w.b) > 0 {
		return errBinary
	}
	return nil
}

// equalBinary is equalText for binary values: the same bytes for numbers that are the same key.
func equalBinary(wire uint32, b []byte) []byte {
	switch {
	case wire == pgtype.NumericOID && len(b) >= 8:
		b = append(append([]byte(nil), b[:6]...), b[8:]...) // without the number of digits to show
	case wire == pgtype.Float4OID && len(b) == 4:
		f := math.Float32frombits(binary.BigEndian.Uint32(b))
		switch {
		case f == 0:
			return make([]byte, 4)
		case math.IsNaN(float64(f)):
			return binary.BigEndian.AppendUint32(nil, math.Float32bits(float32(math.NaN())))
		}
	case wire == pgtype.Float8OID && len(b) == 8:
		f := math.Float64frombits(binary.BigEndian.Uint64(b))
		switch {
		case f == 0:
			return make([]byte, 8)
		case math.IsNaN(f):
			return binary.BigEndian.AppendUint64(nil, math.Float64bits(math.NaN()))
		}
	}
	return b
}
