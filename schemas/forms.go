package schemas

import (
	"encoding/base64"
	"encoding/hex"
	"math"
	"slices"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// How texts with a form, and types in a handling mode, are written by [TypesDebezium]. Each function appends the Avro form
// of a value that is neither null nor unchanged, and says whether the value can be had back from it.

// appendNever is for a type that Debezium has a field for and never a value.
func appendNever(dst []byte, _ Value) ([]byte, fit) { return dst, fitsNot }

// appendBit appends the bit of a bit(1) or varbit(1), which may be empty.
func appendBit(dst []byte, v Value) ([]byte, fit) {
	if v.kind != KindBytes {
		return dst, fitsWrongly
	}
	switch v.String() {
	case "0":
		return append(dst, 0), fitsExactly
	case "1":
		return append(dst, 1), fitsExactly
	}
	return dst, fitsNot
}

// bitsAppender appends the number that the bits are, lowest byte first and without zeros at its end. How many bits there
// were is not seen in it, unless all values of the column have the same number.
func bitsAppender(fixed bool) appender {
	return func(dst []byte, v Value) ([]byte, fit) {
		if v.kind != KindBytes {
			return dst, fitsWrongly
		}
		text := v.Bytes()
		significant := text
		for len(significant) > 0 && significant[0] == '0' {
			significant = significant[1:]
		}
		start := len(dst)
		dst = appendLong(dst, int64((len(significant)+7)/8))
		for end := len(significant); end > 0; end -= 8 {
			var b byte
			for _, c := range significant[max(0, end-8):end] {
				if c != '0' && c != '1' {
					return dst[:start], fitsNot
				}
				b = b<<1 | (c - '0')
			}
			dst = append(dst, b)
		}
		return dst, roughlyIf(!fixed && len(significant) < len(text))
	}
}

// readBits makes the text of what bitsAppender has written; length is 0 for bits of any number.
func readBits(b []byte, length int, a *Arena) []byte {
	n := 8 * len(b)
	for n > 0 && b[(n-1)/8]>>((n-1)%8)&1 == 0 {
		n--
	}
	text := a.Bytes(max(n, length))
	for i := range text {
		bit := len(text) - 1 - i
		text[i] = '0'
		if bit < n {
			text[i] += b[bit/8] >> (bit % 8) & 1
		}
	}
	return text
}

// appendZonedTime appends a time with its zone as the same moment of a day in UTC: Debezium's ZonedTime.
func appendZonedTime(dst []byte, v Value) ([]byte, fit) {
	if v.kind != KindBytes {
		return dst, fitsWrongly
	}
	micros, offset, err := parseTimeTZ(v.Bytes())
	if err != nil {
		return dst, fitsNot
	}
	if offset != 0 {
		_, micros = floorDiv(micros-offset, microsPerDay)
	}
	start := len(dst)
	dst = append(AppendTime(dst, micros), 'Z')
	return prefixLength(dst, start), roughlyIf(offset != 0)
}

// parseTimeTZ reads PostgreSQL's text of a time with its zone: the time, and the offset from UTC, in microseconds.
func parseTimeTZ(text []byte) (micros, offset int64, err error) {
	at := len(text)
	for i, c := range text {
		if c == '+' || c == '-' {
			at = i
			break
		}
	}
	if micros, err = ParseTime(text[:at]); err != nil {
		return 0, 0, err
	}
	s := scanner{rest: text[at:]}
	offset = s.offset()
	return micros, offset, s.finish("time", text)
}

// hstorePairs goes through PostgreSQL's text of an hstore: "k"=>"v", "k2"=>NULL.
type hstorePairs struct {
	rest []byte
	bad  bool
}

// next returns a pair as it stands between the quotes, with its escapes; value is nil for NULL.
func (p *hstorePairs) next() (key, value []byte, ok bool) {
	if len(p.rest) == 0 || p.bad {
		return nil, nil, false
	}
	key = p.quoted()
	p.expect("=>")
	if len(p.rest) > 0 && p.rest[0] == '"' {
		value = p.quoted()
	} else {
		p.expect("NULL")
	}
	if len(p.rest) > 0 {
		p.expect(", ")
	}
	return key, value, !p.bad
}

func (p *hstorePairs) expect(s string) {
	if len(p.rest) < len(s) || string(p.rest[:len(s)]) != s {
		p.bad, p.rest = true, nil
		return
	}
	p.rest = p.rest[len(s):]
}

func (p *hstorePairs) quoted() []byte {
	p.expect(`"`)
	for i := 0; i < len(p.rest); i++ {
		switch p.rest[i] {
		case '\\':
			i++
		case '"':
			text := p.rest[:i:i]
			p.rest = p.rest[i+1:]
			if text == nil {
				text = []byte{}
			}
			return text
		}
	}
	p.bad, p.rest = true, nil
	return nil
}

// appendUnescaped appends text without the backslashes before its characters.
func appendUnescaped(dst, text []byte) []byte {
	for i := 0; i < len(text); i++ {
		if text[i] == '\\' && i+1 < len(text) {
			i++
		}
		dst = append(dst, text[i])
	}
	return dst
}

// hstoreJSON appends an hstore as a JSON object, its keys in the order in which Java's hash maps have them, which is
// Debezium's: consumers that compare texts find the same.
type hstoreJSON struct {
	pairs []hstorePair
	texts []byte // what the pairs alias
	json  []byte
}

type hstorePair struct {
	key, value []byte
	hash       uint32
}

func newHstoreJSON() *hstoreJSON { return &hstoreJSON{} }

func (h *hstoreJSON) append(dst []byte, v Value) ([]byte, fit) {
	if v.kind != KindBytes {
		return dst, fitsWrongly
	}
	h.pairs, h.texts, h.json = h.pairs[:0], slices.Grow(h.texts[:0], int(v.n)), append(h.json[:0], '{')
	p := hstorePairs{rest: v.Bytes()}
	for key, value, ok := p.next(); ok; key, value, ok = p.next() {
		pair := hstorePair{key: h.text(key)}
		if value != nil {
			pair.value = h.text(value)
		}
		pair.hash = javaHash(pair.key)
		h.pairs = append(h.pairs, pair)
	}
	if p.bad {
		return dst, fitsNot
	}
	sortAsJava(h.pairs)
	for i := range h.pairs {
		if i > 0 {
			h.json = append(h.json, ',')
		}
		h.json = append(appendJSONString(h.json, h.pairs[i].key), ':')
		if h.pairs[i].value == nil {
			h.json = append(h.json, "null"...)
		} else {
			h.json = appendJSONString(h.json, h.pairs[i].value)
		}
	}
	return appendBytes(dst, append(h.json, '}')), fitsExactly
}

// text keeps an unescaped text; there is room for all of them.
func (h *hstoreJSON) text(escaped []byte) []byte {
	start := len(h.texts)
	h.texts = appendUnescaped(h.texts, escaped)
	return h.texts[start:len(h.texts):len(h.texts)]
}

// javaHash is the hash of a string in Java, spread as its hash maps do it.
func javaHash(text []byte) uint32 {
	var h uint32
	for len(text) > 0 {
		r, n := utf8.DecodeRune(text)
		text = text[n:]
		if r > 0xffff {
			high, low := utf16.EncodeRune(r)
			h = (h*31+uint32(high))*31 + uint32(low)
		} else {
			h = h*31 + uint32(r)
		}
	}
	return h ^ h>>16
}

// sortAsJava orders the pairs by their places in a hash map that grew with them; those of one place stay in order.
func sortAsJava(pairs []hstorePair) {
	places := uint32(16)
	for uint32(len(pairs)) > places/4*3 {
		places *= 2
	}
	slices.SortStableFunc(pairs, func(a, b hstorePair) int { return int(a.hash&(places-1)) - int(b.hash&(places-1)) })
}

// appendHstoreMap appends an hstore as a map of strings that may be null.
func appendHstoreMap(dst []byte, v Value) ([]byte, fit) {
	if v.kind != KindBytes {
		return dst, fitsWrongly
	}
	start, count := len(dst), int64(0)
	p := hstorePairs{rest: v.Bytes()}
	for _, _, ok := p.next(); ok; _, _, ok = p.next() {
		count++
	}
	if p.bad {
		return dst[:start], fitsNot
	}
	if count > 0 {
		dst = appendLong(dst, count)
	}
	p = hstorePairs{rest: v.Bytes()}
	for key, value, ok := p.next(); ok; key, value, ok = p.next() {
		at := len(dst)
		dst = prefixLength(appendUnescaped(dst, key), at)
		if value == nil {
			dst = append(dst, 0)
			continue
		}
		dst = append(dst, 2)
		at = len(dst)
		dst = prefixLength(appendUnescaped(dst, value), at)
	}
	return append(dst, 0), fitsExactly
}

// encodedBytes returns the appender of bytes that are written as text, nil for the default.
func encodedBytes(m Mode) appender {
	var encode func(dst, b []byte) []byte
	switch m {
	case ModeBase64:
		encode = base64.StdEncoding.AppendEncode
	case ModeBase64URL:
		encode = base64.URLEncoding.AppendEncode
	case ModeHex:
		encode = hex.AppendEncode
	default:
		return nil
	}
	return func(dst []byte, v Value) ([]byte, fit) {
		if v.kind != KindBytes {
			return dst, fitsWrongly
		}
		start := len(dst)
		return prefixLength(encode(dst, v.Bytes()), start), fitsExactly
	}
}

// decodeBytes reads what encodedBytes has written.
func decodeBytes(m Mode, text []byte, a *Arena) ([]byte, error) {
	switch m {
	case ModeBase64:
		out := a.Bytes(base64.StdEncoding.DecodedLen(len(text)))
		n, err := base64.StdEncoding.Decode(out, text)
		return out[:n], err
	case ModeBase64URL:
		out := a.Bytes(base64.URLEncoding.DecodedLen(len(text)))
		n, err := base64.URLEncoding.Decode(out, text)
		return out[:n], err
	}
	out := a.Bytes(hex.DecodedLen(len(text)))
	_, err := hex.Decode(out, text)
	return out, err
}

func appendISODate(dst []byte, v Value) ([]byte, fit) {
	if v.kind != KindInt {
		return dst, fitsWrongly
	}
	if isInfinite(v.Int()) {
		return dst, fitsNot
	}
	start := len(dst)
	y, m, d := civil(v.Int())
	switch {
	case y < 0:
		dst, y = append(dst, '-'), -y
	case y > 9999:
		dst = append(dst, '+')
	}
	dst = appendPadded(dst, uint64(y), 4)
	dst = append(dst, '-', byte('0'+m/10), byte('0'+m%10), '-', byte('0'+d/10), byte('0'+d%10), 'Z')
	return prefixLength(dst, start), fitsExactly
}

func appendISOTime(dst []byte, v Value) ([]byte, fit) {
	if v.kind != KindInt {
		return dst, fitsWrongly
	}
	start := len(dst)
	return prefixLength(append(AppendTime(dst, v.Int()), 'Z'), start), fitsExactly
}

// appendNanos appends microseconds as nanoseconds; those of timestamps reach from 1677 to 2262.
func appendNanos(dst []byte, v Value) ([]byte, fit) {
	if v.kind != KindInt {
		return dst, fitsWrongly
	}
	micros := v.Int()
	switch {
	case isInfinite(micros):
		return appendLong(dst, micros), fitsExactly
	case micros > math.MaxInt64/1000 || micros < math.MinInt64/1000:
		return dst, fitsNot
	}
	return appendLong(dst, micros*1000), fitsExactly
}

// appendWholeInterval appends all parts of an interval, zeros too, as Debezium does: P1Y2M3DT4H5M6.78S.
func appendWholeInterval(dst []byte, v Value) ([]byte, fit) {
	if v.kind != KindInterval {
		return dst, fitsWrongly
	}
	months, days, micros := v.Interval()
	start := len(dst)
	dst = strconv.AppendInt(append(dst, 'P'), int64(months/12), 10)
	dst = strconv.AppendInt(append(dst, 'Y'), int64(months%12), 10)
	dst = strconv.AppendInt(append(dst, 'M'), int64(days), 10)
	seconds, fraction := micros/microsPerSecond, micros%microsPerSecond
	dst = strconv.AppendInt(append(dst, 'D', 'T'), seconds/3600, 10)
	dst = strconv.AppendInt(append(dst, 'H'), seconds/60%60, 10)
	dst = append(dst, 'M')
	if micros < 0 && (seconds%60 != 0 || fraction != 0) {
		dst = append(dst, '-')
	}
	dst = strconv.AppendInt(dst, max(seconds%60, -(seconds%60)), 10)
	dst = append(appendFraction(dst, max(fraction, -fraction)), 'S')
	return prefixLength(dst, start), fitsExactly
}

// The special decimals in Debezium's mode string; PostgreSQL has other words.
var decimalWords = [...]string{NaN: "NAN", PosInf: "POSITIVE_INFINITY", NegInf: "NEGATIVE_INFINITY"}

func appendDecimalString(dst []byte, v Value) ([]byte, fit) {
	if v.kind != KindDecimal {
		return dst, fitsWrongly
	}
	if _, _, form := v.Decimal(); form != Finite {
		return appendBytes(dst, decimalWords[form]), fitsExactly
	}
	return appendDecimalText(dst, v)
}

// appendDecimalDouble appends the nearest double. Where the column's type tells the number of fraction digits, zeros at the
// end are no loss.
func appendDecimalDouble(t *Type) appender {
	var text, again []byte
	zeros := t.Precision > 0
	return func(dst []byte, v Value) ([]byte, fit) {
		if v.kind != KindDecimal {
			return dst, fitsWrongly
		}
		switch _, _, form := v.Decimal(); form {
		case NaN:
			return appendDouble(dst, math.NaN()), fitsExactly
		case PosInf:
			return appendDouble(dst, math.Inf(1)), fitsExactly
		case NegInf:
			return appendDouble(dst, math.Inf(-1)), fitsExactly
		}
		text = AppendText(text[:0], &decimalType, v)
		f, err := strconv.ParseFloat(alias(text), 64)
		if err != nil && !math.IsInf(f, 0) {
			return dst, fitsNot
		}
		shown := text
		if zeros {
			shown = withoutZeros(text)
		}
		again = strconv.AppendFloat(again[:0], f, 'f', -1, 64)
		return appendDouble(dst, f), roughlyIf(string(again) != string(shown))
	}
}

// arrayTextAppender appends an array as PostgreSQL's literal.
func arrayTextAppender(t *Type) appender {
	return func(dst []byte, v Value) ([]byte, fit) {
		if v.kind != KindArray {
			return dst, fitsWrongly
		}
		start := len(dst)
		return prefixLength(appendArrayOf(dst, t, v), start), fitsExactly
	}
}

// zeroTexts are what stands in a NOT NULL field of a text with a form when the value is not known.
var zeroTexts = map[Form]string{
	FormBit: "0", FormVarbit: "0", FormTimeTZ: "00:00:00+00", FormPoint: "(0,0)", FormLine: "{0,1,0}", FormLseg: "[(0,0),(1,0)]",
	FormBox: "(0,0),(1,1)", FormPath: "[(0,0),(1,0)]", FormPolygon: "((0,0),(1,0),(0,1))", FormCircle: "<(0,0),0>", FormVector: "[]", FormHalfVec: "[]",
	FormSparseVec: "{}/1", FormGeometry: "010700000000000000", FormGeography: "010700000000000000",
}
