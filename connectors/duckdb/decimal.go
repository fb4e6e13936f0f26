package duckdb

import (
	"encoding/binary"
	"fmt"
	"math/bits"

	"github.com/syncline-io/syncline/schemas"
)

// int128 is a signed number of 128 bits.
type int128 struct {
	upper int64
	lower uint64
}

// parseInt128 reads a big-endian two's complement number; false when it has more than 128 bits.
func parseInt128(b []byte) (int128, bool) {
	if len(b) == 0 {
		return int128{}, false
	}
	fill := byte(0)
	if b[0]&0x80 != 0 {
		fill = 0xff
	}
	for len(b) > 16 {
		if b[0] != fill || b[1]&0x80 != fill&0x80 {
			return int128{}, false
		}
		b = b[1:]
	}
	var wide [16]byte
	for i := range 16 - len(b) {
		wide[i] = fill
	}
	copy(wide[16-len(b):], b)
	return int128{int64(binary.BigEndian.Uint64(wide[:8])), binary.BigEndian.Uint64(wide[8:])}, true
}

// abs returns the magnitude.
func (x int128) abs() (upper, lower uint64) {
	if x.upper >= 0 {
		return uint64(x.upper), x.lower
	}
	lower, borrow := bits.Sub64(0, x.lower, 0)
	upper, _ = bits.Sub64(0, uint64(x.upper), borrow)
	return upper, lower
}

// signed puts the sign back to a magnitude below 2^127.
func signed(negative bool, upper, lower uint64) int128 {
	if !negative {
		return int128{int64(upper), lower}
	}
	lower, borrow := bits.Sub64(0, lower, 0)
	upper, _ = bits.Sub64(0, upper, borrow)
	return int128{int64(upper), lower}
}

// rescale returns x × 10^by; false when digits would be lost or it does not fit.
func (x int128) rescale(by int) (int128, bool) {
	upper, lower := x.abs()
	for ; by > 0 && upper|lower != 0; by-- {
		var ok bool
		if upper, lower, ok = times10(upper, lower); !ok {
			return int128{}, false
		}
	}
	for ; by < 0 && upper|lower != 0; by++ {
		q1, r := bits.Div64(0, upper, 10)
		q0, r := bits.Div64(r, lower, 10)
		if r != 0 {
			return int128{}, false
		}
		upper, lower = q1, q0
	}
	return signed(x.upper < 0, upper, lower), true
}

// times10 multiplies a magnitude; false when it reaches 2^127.
func times10(upper, lower uint64) (uint64, uint64, bool) {
	carry, lo := bits.Mul64(lower, 10)
	over, hi := bits.Mul64(upper, 10)
	hi, c := bits.Add64(hi, carry, 0)
	return hi, lo, over == 0 && c == 0 && hi < 1<<63
}

// power10 holds 10^0 to 10^38.
var power10 = func() (p [maxDecimal + 1][2]uint64) {
	p[0] = [2]uint64{0, 1}
	for i := 1; i < len(p); i++ {
		p[i][0], p[i][1], _ = times10(p[i-1][0], p[i-1][1])
	}
	return p
}()

// digits reports whether x has at most n digits.
func (x int128) digits(n int) bool {
	upper, lower := x.abs()
	return upper < power10[n][0] || upper == power10[n][0] && lower < power10[n][1]
}

// decimal128 returns v as a whole number of units 10^-scale of at most precision digits.
func decimal128(v schemas.Value, precision, scale int) (int128, error) {
	unscaled, from, form := v.Decimal()
	if form != schemas.Finite {
		return int128{}, fmt.Errorf("DECIMAL(%d,%d) has no %s", precision, scale, specialDecimals[form])
	}
	x, ok := parseInt128(unscaled)
	if ok {
		x, ok = x.rescale(scale - int(from))
	}
	if !ok || !x.digits(precision) {
		return int128{}, fmt.Errorf("%s does not fit into DECIMAL(%d,%d)", excerptDecimal(v), precision, scale)
	}
	return x, nil
}

var specialDecimals = [...]string{schemas.NaN: "NaN", schemas.PosInf: "Infinity", schemas.NegInf: "-Infinity"}

func excerptDecimal(v schemas.Value) string {
	text := appendDecimal(nil, v)
	if len(text) > 60 {
		return string(text[:60]) + "..."
	}
	return string(text)
}

// appendDecimal appends the exact text, with all the digits of the scale, as PostgreSQL writes it.
func appendDecimal(dst []byte, v schemas.Value) []byte {
	unscaled, scale, form := v.Decimal()
	if form != schemas.Finite {
		return append(dst, specialDecimals[form]...)
	}
	return schemas.AppendDecimalText(dst, unscaled, scale)
}
