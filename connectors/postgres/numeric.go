package postgres

import (
	"encoding/binary"
	"math/big"
	"math/bits"
	"unsafe"

	"github.com/syncline-io/syncline/schemas"
)

// decodeNumeric reads PostgreSQL's text of a numeric: digits with a point, never an exponent; NaN, Infinity, -Infinity.
// The scale is the number of fraction digits as sent, trailing zeros included.
func decodeNumeric(text []byte, a *schemas.Arena) schemas.Value {
	switch string(text) {
	case "NaN":
		return schemas.SpecialDecimal(schemas.NaN)
	case "Infinity":
		return schemas.SpecialDecimal(schemas.PosInf)
	case "-Infinity":
		return schemas.SpecialDecimal(schemas.NegInf)
	}
	digits, negative := text, false
	if len(digits) > 0 && digits[0] == '-' {
		digits, negative = digits[1:], true
	}
	var n uint128
	count, scale, point := 0, 0, false
	for _, c := range digits {
		switch {
		case c >= '0' && c <= '9':
			n.push(uint64(c - '0'))
			count++
			if point {
				scale++
			}
		case c == '.' && !point:
			point = true
		default:
			return schemas.UnrepresentableValue(text)
		}
	}
	if count == 0 {
		return schemas.UnrepresentableValue(text)
	}
	if count > 38 {
		return bigNumeric(digits, negative, scale, a)
	}
	return schemas.DecimalValue(n.signed(negative, a.Bytes(17)), int32(scale))
}

// uint128 holds up to 38 decimal digits.
type uint128 struct{ hi, lo uint64 }

// push appends one decimal digit.
func (n *uint128) push(digit uint64) {
	if n.hi == 0 && n.lo < 1<<60 { // the usual case: no product can overflow
		n.lo = n.lo*10 + digit
		return
	}
	n.mulAdd(10, digit)
}

// mulAdd computes n*m + plus; what does not fit into 128 bits is lost, and callers bound the digits.
func (n *uint128) mulAdd(m, plus uint64) {
	over, lo := bits.Mul64(n.lo, m)
	lo, carry := bits.Add64(lo, plus, 0)
	n.hi = n.hi*m + over + carry
	n.lo = lo
}

// signed writes n, negated on request, as the shortest big-endian two's complement into dst, which has 17 bytes.
func (n uint128) signed(negative bool, dst []byte) []byte {
	dst[0] = 0
	if negative && n.hi|n.lo != 0 {
		var borrow uint64
		n.lo, borrow = bits.Sub64(0, n.lo, 0)
		n.hi, _ = bits.Sub64(0, n.hi, borrow)
		dst[0] = 0xff
	}
	binary.BigEndian.PutUint64(dst[1:], n.hi)
	binary.BigEndian.PutUint64(dst[9:], n.lo)
	return shortestSigned(dst)
}

// shortestSigned drops leading bytes that only repeat the sign.
func shortestSigned(b []byte) []byte {
	for len(b) > 1 && (b[0] == 0 && b[1] < 0x80 || b[0] == 0xff && b[1] >= 0x80) {
		b = b[1:]
	}
	return b
}

// bigNumeric is the slow way for more than 38 digits: it allocates, for such values are rare and have up to 147,455.
func bigNumeric(digits []byte, negative bool, scale int, a *schemas.Arena) schemas.Value {
	plain := make([]byte, 0, len(digits))
	for _, c := range digits {
		if c != '.' {
			plain = append(plain, c)
		}
	}
	n, ok := new(big.Int).SetString(unsafe.String(unsafe.SliceData(plain), len(plain)), 10)
	if !ok {
		return schemas.UnrepresentableValue(append([]byte(nil), digits...))
	}
	return schemas.DecimalValue(signedBytes(n, negative, a), int32(scale))
}

// signedBytes is uint128.signed for any size.
func signedBytes(n *big.Int, negative bool, a *schemas.Arena) []byte {
	dst := a.Bytes(n.BitLen()/8 + 2)
	if negative && n.Sign() != 0 {
		n = new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), uint(len(dst))*8), n)
	}
	n.FillBytes(dst)
	return shortestSigned(dst)
}
