package schemas

import (
	"crypto/md5"
	"encoding/binary"
	"math"
	"math/big"
	"strconv"
)

// fit says how well a field holds a value.
type fit uint8

const (
	fitsExactly fit = iota
	fitsRoughly     // written, but less exact: the source's text belongs beside it
	fitsNot         // nothing written
	fitsWrongly     // nothing written: the value is of another kind than the column, which is a mistake of its maker
)

// appender appends the Avro form of a value that is neither null, unchanged nor unrepresentable. When the value does
// not fit, dst comes back as it was.
type appender func(dst []byte, v Value) ([]byte, fit)

func appendBool(dst []byte, v Value) ([]byte, fit) {
	if v.kind != KindBool {
		return dst, fitsWrongly
	}
	return append(dst, byte(v.num)), fitsExactly
}

func appendInt16(dst []byte, v Value) ([]byte, fit) {
	if v.kind != KindInt {
		return dst, fitsWrongly
	}
	i := v.Int()
	if i != int64(int16(i)) {
		return dst, fitsNot
	}
	return appendLong(dst, i), fitsExactly
}

func appendInt32(dst []byte, v Value) ([]byte, fit) {
	if v.kind != KindInt {
		return dst, fitsWrongly
	}
	i := v.Int()
	if i != int64(int32(i)) {
		return dst, fitsNot
	}
	return appendLong(dst, i), fitsExactly
}

func appendInt64(dst []byte, v Value) ([]byte, fit) {
	if v.kind != KindInt {
		return dst, fitsWrongly
	}
	return appendLong(dst, v.Int()), fitsExactly
}

func appendFloat32(dst []byte, v Value) ([]byte, fit) {
	if v.kind != KindFloat {
		return dst, fitsWrongly
	}
	return binary.LittleEndian.AppendUint32(dst, math.Float32bits(float32(v.Float()))), fitsExactly
}

func appendFloat64(dst []byte, v Value) ([]byte, fit) {
	if v.kind != KindFloat {
		return dst, fitsWrongly
	}
	return binary.LittleEndian.AppendUint64(dst, v.num), fitsExactly
}

func appendText(dst []byte, v Value) ([]byte, fit) {
	if v.kind != KindBytes {
		return dst, fitsWrongly
	}
	return appendBytes(dst, v.Bytes()), fitsExactly
}

var zeroByte = []byte{0}

func appendUnscaled(dst, unscaled []byte) []byte {
	if len(unscaled) == 0 {
		unscaled = zeroByte
	}
	return appendBytes(dst, trimSign(unscaled))
}

func appendScaledDecimal(dst []byte, v Value, scale int32) ([]byte, fit) {
	if v.kind != KindDecimal {
		return dst, fitsWrongly
	}
	unscaled, have, form := v.Decimal()
	if form != Finite {
		return dst, fitsNot
	}
	if have == scale {
		return appendUnscaled(dst, unscaled), fitsExactly
	}
	return appendRescaled(dst, unscaled, have, scale)
}

// appendRescaled appends a decimal whose scale is not the field's; digits that the field has no room for do not fit.
// No source of ours sends such values, so it may be slow.
func appendRescaled(dst, unscaled []byte, have, want int32) ([]byte, fit) {
	n := bigFromTwos(unscaled)
	distance := int64(want) - int64(have)
	if n.Sign() == 0 {
		return appendUnscaled(dst, zeroByte), fitsExactly
	}
	if distance > maxScale || distance < -maxScale {
		return dst, fitsNot
	}
	factor := new(big.Int).Exp(big.NewInt(10), big.NewInt(max(distance, -distance)), nil)
	if distance > 0 {
		n.Mul(n, factor)
	} else {
		var rest big.Int
		if n.QuoRem(n, factor, &rest); rest.Sign() != 0 {
			return dst, fitsNot
		}
	}
	return appendBytes(dst, twosFromBig(n, new(Arena))), fitsExactly
}

// maxScale bounds the scale of a decimal on the wire: PostgreSQL has at most 131,072 digits before the point and
// 16,383 after it. It keeps a few hostile bytes from standing for gigabytes of zeros.
const maxScale = 1 << 18

// appendVariableDecimal appends the record {scale, value}. Unlike Debezium it keeps the zeros at the end of a fraction:
// to PostgreSQL 1.10 is not the same text as 1.1.
func appendVariableDecimal(dst []byte, v Value) ([]byte, fit) {
	if v.kind != KindDecimal {
		return dst, fitsWrongly
	}
	unscaled, scale, form := v.Decimal()
	if form != Finite {
		return dst, fitsNot
	}
	if scale < 0 {
		return appendRescaled(appendLong(dst, 0), unscaled, scale, 0)
	}
	return appendUnscaled(appendLong(dst, int64(scale)), unscaled), fitsExactly
}

// appendVariableKey is appendVariableDecimal for keys: equal numbers have equal bytes, so the zeros at the end of a
// fraction are dropped, as in Debezium.
func appendVariableKey(dst []byte, v Value) ([]byte, fit) {
	unscaled, scale, form := v.Decimal()
	if v.kind != KindDecimal || form != Finite || scale <= 0 {
		return appendVariableDecimal(dst, v)
	}
	if len(unscaled) > 8 {
		return appendStripped(dst, unscaled, scale)
	}
	n := smallInt(unscaled)
	for ; scale > 0 && n%10 == 0; scale-- {
		n /= 10
	}
	var short [8]byte
	binary.BigEndian.PutUint64(short[:], uint64(n))
	return appendUnscaled(appendLong(dst, int64(scale)), short[:]), fitsExactly
}

func appendStripped(dst, unscaled []byte, scale int32) ([]byte, fit) {
	n, ten := bigFromTwos(unscaled), big.NewInt(10)
	var quotient, rest big.Int
	for scale > 0 {
		if quotient.QuoRem(n, ten, &rest); rest.Sign() != 0 {
			break
		}
		n.Set(&quotient)
		scale--
	}
	return appendBytes(appendLong(dst, int64(scale)), twosFromBig(n, new(Arena))), fitsExactly
}

// What Debezium writes for infinite dates and infinite timestamps in milliseconds; in microseconds they are the largest
// and the smallest long, which are ours too.
const (
	datePosInfinity   = 2146033979
	dateNegInfinity   = -2147472691
	millisPosInfinity = 9223372036825200000
	millisNegInfinity = -9223372036832400000
)

func appendDateField(dst []byte, v Value) ([]byte, fit) {
	if v.kind != KindInt {
		return dst, fitsWrongly
	}
	days := v.Int()
	switch {
	case days == PosInfinity:
		days = datePosInfinity
	case days == NegInfinity:
		days = dateNegInfinity
	case days >= datePosInfinity || days <= dateNegInfinity:
		return dst, fitsNot
	}
	return appendLong(dst, days), fitsExactly
}

func appendMilliTime(dst []byte, v Value) ([]byte, fit) {
	if v.kind != KindInt {
		return dst, fitsWrongly
	}
	millis, rest := floorDiv(v.Int(), 1000)
	return appendLong(dst, millis), roughlyIf(rest != 0)
}

func appendMilliTimestamp(dst []byte, v Value) ([]byte, fit) {
	if v.kind != KindInt {
		return dst, fitsWrongly
	}
	switch v.Int() {
	case PosInfinity:
		return appendLong(dst, millisPosInfinity), fitsExactly
	case NegInfinity:
		return appendLong(dst, millisNegInfinity), fitsExactly
	}
	return appendMilliTime(dst, v)
}

func roughlyIf(lossy bool) fit {
	if lossy {
		return fitsRoughly
	}
	return fitsExactly
}

// maxZoned is more than the longest ISO timestamp, "+294246-12-31T23:59:59.999999Z".
const maxZoned = 40

// zoned appends timestamps in ISO 8601 and UTC. Neighbouring rows are often of one day, so it remembers the last.
type zoned struct {
	digits int   // of the fraction
	unit   int64 // microseconds of the last digit
	day    int64 // since 1970
	date   []byte
}

// anyDigits is for a fraction that is as long as it must be.
const anyDigits = -1

// newZoned takes how many digits of the fraction the column has, 0 to 6, or anyDigits.
func newZoned(digits int) *zoned {
	z := &zoned{digits: digits, unit: microsPerSecond}
	if digits == anyDigits {
		z.unit = 1
	}
	for range digits {
		z.unit /= 10
	}
	z.setDay(0)
	return z
}

func (z *zoned) setDay(day int64) {
	z.day, z.date = day, z.date[:0]
	y, m, d := civil(day)
	switch {
	case y < 0:
		z.date = append(z.date, '-')
		y = -y
	case y > 9999:
		z.date = append(z.date, '+')
	}
	z.date = appendPadded(z.date, uint64(y), 4)
	z.date = append(z.date, '-', byte('0'+m/10), byte('0'+m%10), '-', byte('0'+d/10), byte('0'+d%10), 'T')
}

func (z *zoned) append(dst []byte, v Value) ([]byte, fit) {
	if v.kind != KindInt {
		return dst, fitsWrongly
	}
	micros := v.Int()
	if isInfinite(micros) {
		var text [maxZoned]byte
		return appendBytes(dst, appendInfinity(text[:0], micros)), fitsExactly
	}
	day, rest := floorDiv(micros, microsPerDay)
	if day != z.day {
		z.setDay(day)
	}
	// The length is one byte, because the text is shorter than 64: it is set when the text is there.
	start := len(dst)
	dst = append(append(dst, 0), z.date...)
	dst = appendClock(dst, rest)
	fraction := rest % microsPerSecond
	switch {
	case z.digits > 0:
		dst = appendPadded(append(dst, '.'), uint64(fraction/z.unit), z.digits)
	case z.digits == anyDigits:
		dst = appendFraction(dst, fraction)
	}
	dst = append(dst, 'Z')
	dst[start] = byte(len(dst)-start-1) << 1
	return dst, roughlyIf(fraction%z.unit != 0)
}

// appendFinite is append for a type without infinities.
func (z *zoned) appendFinite(dst []byte, v Value) ([]byte, fit) {
	if v.kind == KindInt && isInfinite(v.Int()) {
		return dst, fitsNot
	}
	return z.append(dst, v)
}

// microsPerMonth is a twelfth of 365.25 days: Debezium's month.
const microsPerMonth = 2_629_800 * microsPerSecond

// appendDuration appends an interval in microseconds, which is exact only without months and days.
func appendDuration(dst []byte, v Value) ([]byte, fit) {
	if v.kind != KindInterval {
		return dst, fitsWrongly
	}
	months, days, micros := v.Interval()
	// In steps of at most 2^31 × 2.7e12 the sum of months and days stays within 2^73: it is made in floating point
	// only to see whether it saturates.
	if approx := float64(months)*microsPerMonth + float64(days)*microsPerDay + float64(micros); math.Abs(approx) > 9e18 {
		return appendLong(dst, saturated(months, days, micros)), fitsRoughly
	}
	total := int64(months)*microsPerMonth + int64(days)*microsPerDay + micros // wraps around to the right sum
	return appendLong(dst, total), roughlyIf(months != 0 || days != 0)
}

func saturated(months, days int32, micros int64) int64 {
	sum := new(big.Int).Mul(big.NewInt(int64(months)), big.NewInt(microsPerMonth))
	sum.Add(sum, new(big.Int).Mul(big.NewInt(int64(days)), big.NewInt(microsPerDay)))
	sum.Add(sum, big.NewInt(micros))
	switch {
	case sum.IsInt64():
		return sum.Int64()
	case sum.Sign() < 0:
		return math.MinInt64
	}
	return math.MaxInt64
}

// arrayAppender appends an array of one dimension, of items that are required or else unions with null.
func arrayAppender(one appender, required bool) appender {
	return func(dst []byte, v Value) ([]byte, fit) {
		if v.kind != KindArray {
			return dst, fitsWrongly
		}
		start, worst := len(dst), fitsExactly
		elems := v.Array()
		if len(elems) > 0 {
			dst = appendLong(dst, int64(len(elems)))
		}
		for _, e := range elems {
			switch {
			case e.kind == KindArray, e.kind == KindUnrepresentable, e.kind == KindNull && required:
				return dst[:start], fitsNot
			case e.kind == KindNull:
				dst = append(dst, 0)
				continue
			case !required:
				dst = append(dst, 2)
			}
			var f fit
			if dst, f = one(dst, e); f >= fitsNot {
				return dst[:start], f
			}
			worst = max(worst, f)
		}
		return append(dst, 0), worst
	}
}

// placeholderOf is what Debezium writes for a value that was not sent, made of its word for that; null where it has no way
// to say so.
func placeholderOf(t *Type, word string) Value {
	switch t.Kind {
	case JSON, Bytes, Enum:
		return StringValue(word)
	case String:
		return textPlaceholder(t.Form, word)
	case Array:
		switch elem := innermost(t.Elem); elem.Kind {
		case String, JSON, Bytes, Enum:
			if v := textPlaceholder(elem.Form, word); !v.IsNull() {
				return ArrayValue([]Value{v})
			}
		case UUID:
			return ArrayValue([]Value{StringValue(javaNameUUID(word))})
		case Int32, Int64, Date:
			elems := make([]Value, len(word))
			for i := range elems {
				elems[i] = IntValue(int64(word[i]))
			}
			return ArrayValue(elems)
		}
	}
	return Null()
}

func textPlaceholder(form Form, word string) Value {
	if form == FormHstore {
		quoted := appendHstoreQuoted(nil, word)
		return StringValue(string(quoted) + "=>" + string(quoted))
	}
	out := stringOutput(&Type{Kind: String, Form: form})
	if _, fits := out.append(nil, StringValue(word)); fits != fitsExactly || out.reads != readsText {
		return Null()
	}
	return StringValue(word)
}

// javaNameUUID is the UUID that Java makes of a name: its MD5, marked as version 3.
func javaNameUUID(name string) string {
	sum := md5.Sum([]byte(name))
	sum[6] = sum[6]&0x0f | 0x30
	sum[8] = sum[8]&0x3f | 0x80
	return string(AppendUUID(nil, sum))
}

// appendJSON appends a value as plain JSON, as Debezium writes a key into a header: body is its Avro form. Bytes and
// decimals are in base 64.
func appendJSON(dst []byte, reads bodyKind, body []byte) []byte {
	r := reader{buf: body}
	switch reads {
	case readsNumber:
		return strconv.AppendInt(dst, r.long(), 10)
	case readsBytes:
		return appendBase64(dst, r.bytes())
	case readsBool:
		return strconv.AppendBool(dst, r.boolean())
	case readsFloat:
		if b := r.take(4); len(b) == 4 {
			return appendJSONFloat(dst, float64(math.Float32frombits(binary.LittleEndian.Uint32(b))), true)
		}
	case readsDouble:
		return appendJSONFloat(dst, r.double(), false)
	case readsVariable:
		dst = append(dst, `{"scale":`...)
		dst = strconv.AppendInt(dst, r.long(), 10)
		dst = append(dst, `,"value":`...)
		return append(appendBase64(dst, r.bytes()), '}')
	case readsText:
		return appendJSONString(dst, r.bytes())
	}
	return append(dst, "null"...)
}

// appendJSONFloat prints a number as Java does, and in quotes one that JSON does not have.
func appendJSONFloat(dst []byte, f float64, single bool) []byte {
	if text := javaFloat(f, single); text != "" {
		return append(dst, text...)
	}
	return append(AppendFloat(append(dst, '"'), f, false), '"')
}
