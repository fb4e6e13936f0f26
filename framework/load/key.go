package load

import (
	"bytes"
	"encoding/binary"
	"math"
	"math/big"

	"github.com/syncline-io/syncline/schemas"
)

// appendKeyValue appends a text of v that is the same for equal values and for no others: the kind, then a fixed width
// or a length and the bytes, so that ("a","bc") and ("ab","c") differ. What a database holds for equal is equal here:
// 1.0 and 1.00, 0 and -0, every NaN.
func appendKeyValue(dst []byte, v schemas.Value) []byte {
	dst = append(dst, byte(v.Kind()))
	switch v.Kind() {
	case schemas.KindBool:
		if v.Bool() {
			return append(dst, 1)
		}
		return append(dst, 0)
	case schemas.KindInt:
		return binary.BigEndian.AppendUint64(dst, uint64(v.Int()))
	case schemas.KindFloat:
		return binary.BigEndian.AppendUint64(dst, floatKey(v.Float()))
	case schemas.KindDecimal:
		return appendDecimalKey(dst, v)
	case schemas.KindBytes, schemas.KindUnrepresentable:
		dst = binary.AppendUvarint(dst, uint64(len(v.Bytes())))
		return append(dst, v.Bytes()...)
	case schemas.KindInterval:
		return appendIntervalKey(dst, v)
	case schemas.KindArray:
		dst = binary.AppendUvarint(dst, uint64(len(v.Array())))
		for _, elem := range v.Array() {
			dst = appendKeyValue(dst, elem)
		}
	}
	return dst
}

func floatKey(f float64) uint64 {
	switch {
	case f == 0:
		return 0
	case math.IsNaN(f):
		return math.Float64bits(math.NaN())
	}
	return math.Float64bits(f)
}

// appendDecimalKey writes the number without the zeros at its end.
func appendDecimalKey(dst []byte, v schemas.Value) []byte {
	unscaled, scale, form := v.Decimal()
	dst = append(dst, byte(form))
	if form != schemas.Finite {
		return dst
	}
	all := schemas.AppendDecimalText(nil, unscaled, 0)
	text := bytes.TrimRight(all, "0")
	if scale -= int32(len(all) - len(text)); len(text) == 0 { // zero of any scale
		scale = 0
	}
	dst = binary.AppendVarint(dst, int64(scale))
	dst = binary.AppendUvarint(dst, uint64(len(text)))
	return append(dst, text...)
}

// appendIntervalKey counts a month as 30 days and a day as 24 hours, as PostgreSQL compares intervals.
func appendIntervalKey(dst []byte, v schemas.Value) []byte {
	months, days, micros := v.Interval()
	const day = 24 * 60 * 60 * 1_000_000
	total := new(big.Int).SetInt64(int64(months)*30 + int64(days))
	total.Mul(total, big.NewInt(day)).Add(total, big.NewInt(micros))
	text := total.Append(nil, 62)
	dst = binary.AppendUvarint(dst, uint64(len(text)))
	return append(dst, text...)
}

// sameKeyValue reports whether two values of a key are equal.
func sameKeyValue(a, b schemas.Value) bool {
	if a.Kind() != b.Kind() {
		return false
	}
	if a.Kind() == schemas.KindInt {
		return a.Int() == b.Int()
	}
	return bytes.Equal(appendKeyValue(nil, a), appendKeyValue(nil, b))
}
