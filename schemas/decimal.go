package schemas

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/big"
	"math/bits"
	"strconv"
)

// maxLimbs bounds the decimals that are converted without an allocation: 64 limbs of 64 bits hold 1,233 digits, more
// than any numeric with a precision (1,000). Longer ones go through math/big, which is also faster for them.
const maxLimbs = 64

// chunkDigits is how many decimal digits fit into a limb.
const (
	chunkDigits = 19
	chunkBase   = 10_000_000_000_000_000_000
)

// AppendDecimalText appends unscaled × 10^-scale as PostgreSQL prints a numeric: with exactly scale fraction digits.
// unscaled is big-endian two's complement; empty stands for zero. It does not allocate up to 1,233 digits.
func AppendDecimalText(dst, unscaled []byte, scale int32) []byte {
	start := len(dst)
	dst = appendDigits(dst, unscaled)
	if dst[start] == '-' {
		start++
	}
	digits := len(dst) - start
	switch {
	case scale < 0:
		if digits == 1 && dst[start] == '0' {
			return dst
		}
		for ; scale < 0; scale++ {
			dst = append(dst, '0')
		}
	case scale > 0:
		if pad := int(scale) + 1 - digits; pad > 0 {
			for range pad {
				dst = append(dst, '0')
			}
			copy(dst[start+pad:], dst[start:start+digits])
			for i := range pad {
				dst[start+i] = '0'
			}
		}
		dst = append(dst, 0)
		point := len(dst) - 1 - int(scale)
		copy(dst[point+1:], dst[point:])
		dst[point] = '.'
	}
	return dst
}

// appendDigits appends a two's complement number in decimal, with "-" where it is negative.
func appendDigits(dst, unscaled []byte) []byte {
	if len(unscaled) <= 8 {
		return strconv.AppendInt(dst, smallInt(unscaled), 10)
	}
	if len(unscaled) > maxLimbs*8 {
		return bigFromTwos(unscaled).Append(dst, 10)
	}
	var limbs [maxLimbs]uint64 // least significant first
	n, negative := limbsFromTwos(&limbs, unscaled)
	if negative {
		dst = append(dst, '-')
	}
	var chunks [maxLimbs + 2]uint64
	c := 0
	for n > 0 {
		var rem uint64
		for i := n - 1; i >= 0; i-- {
			limbs[i], rem = bits.Div64(rem, limbs[i], chunkBase)
		}
		chunks[c] = rem
		c++
		for n > 0 && limbs[n-1] == 0 {
			n--
		}
	}
	if c == 0 {
		return append(dst, '0')
	}
	dst = strconv.AppendUint(dst, chunks[c-1], 10)
	for i := c - 2; i >= 0; i-- {
		dst = appendPadded(dst, chunks[i], chunkDigits)
	}
	return dst
}

// appendPadded appends v with leading zeros up to width digits.
func appendPadded(dst []byte, v uint64, width int) []byte {
	var buf [20]byte
	i := len(buf)
	for v > 0 || i > len(buf)-width {
		i--
		buf[i] = byte('0' + v%10)
		v /= 10
	}
	return append(dst, buf[i:]...)
}

// smallInt reads a two's complement number of at most 8 bytes.
func smallInt(b []byte) int64 {
	if len(b) == 0 {
		return 0
	}
	v := int64(int8(b[0]))
	for _, c := range b[1:] {
		v = v<<8 | int64(c)
	}
	return v
}

// limbsFromTwos fills limbs with the magnitude of b and returns how many are used.
func limbsFromTwos(limbs *[maxLimbs]uint64, b []byte) (n int, negative bool) {
	negative = b[0]&0x80 != 0
	for end := len(b); end > 0; end -= 8 {
		var word uint64
		if end >= 8 {
			word = binary.BigEndian.Uint64(b[end-8 : end])
		} else {
			word = uint64(smallInt(b[:end])) // sign-extended
		}
		limbs[n] = word
		n++
	}
	if negative {
		carry := uint64(1)
		for i := range n {
			limbs[i], carry = bits.Add64(^limbs[i], 0, carry)
		}
	}
	for n > 0 && limbs[n-1] == 0 {
		n--
	}
	return n, negative
}

// bigFromTwos reads a two's complement number of any length.
func bigFromTwos(b []byte) *big.Int {
	v := new(big.Int).SetBytes(b)
	if len(b) > 0 && b[0]&0x80 != 0 {
		v.Sub(v, new(big.Int).Lsh(big.NewInt(1), uint(len(b))*8))
	}
	return v
}

// twosFromBig returns the shortest two's complement form of v, in memory of a.
func twosFromBig(v *big.Int, a *Arena) []byte {
	if v.Sign() >= 0 {
		out := a.Bytes(v.BitLen()/8 + 1)
		v.FillBytes(out)
		return out
	}
	// -2^k needs k+1 bits, as does every other number of that length.
	m := new(big.Int).Not(v) // |v| - 1
	out := a.Bytes(m.BitLen()/8 + 1)
	m.FillBytes(out)
	for i := range out {
		out[i] = ^out[i]
	}
	return out
}

// twosFromInt returns the shortest two's complement form of v, in memory of a.
func twosFromInt(v int64, a *Arena) []byte {
	n := 1
	for n < 8 && v>>(uint(n)*8-1) != 0 && v>>(uint(n)*8-1) != -1 {
		n++
	}
	out := a.Bytes(n)
	for i := n - 1; i >= 0; i-- {
		out[i] = byte(v)
		v >>= 8
	}
	return out
}

// ParseDecimal reads PostgreSQL's text of a numeric: digits with an optional point, NaN, Infinity or -Infinity. The
// value's scale is the number of fraction digits in the text. The result does not alias text; up to 1,233 digits
// nothing is allocated but from a.
func ParseDecimal(text []byte, a *Arena) (Value, error) {
	digits, negative := text, false
	if len(digits) > 0 && (digits[0] == '-' || digits[0] == '+') {
		negative = digits[0] == '-'
		digits = digits[1:]
	}
	switch string(digits) {
	case "NaN":
		return SpecialDecimal(NaN), nil
	case "Infinity", "inf", "infinity":
		if negative {
			return SpecialDecimal(NegInf), nil
		}
		return SpecialDecimal(PosInf), nil
	}
	unscaled, scale, err := parseDigits(digits, negative, a)
	if err != nil {
		return Value{}, fmt.Errorf("decimal %s: %w", shown(text), err)
	}
	return DecimalValue(unscaled, scale), nil
}

var errNoNumber = errors.New("not a number")

func parseDigits(text []byte, negative bool, a *Arena) (unscaled []byte, scale int32, err error) {
	count, point := 0, -1
	for i, c := range text {
		switch {
		case c >= '0' && c <= '9':
			count++
		case c == '.' && point < 0:
			point = i
		default:
			return nil, 0, errNoNumber
		}
	}
	if count == 0 {
		return nil, 0, errNoNumber
	}
	if point >= 0 {
		scale = int32(len(text) - point - 1)
	}
	if count <= 18 {
		var v int64
		for _, c := range text {
			if c != '.' {
				v = v*10 + int64(c-'0')
			}
		}
		if negative {
			v = -v
		}
		return twosFromInt(v, a), scale, nil
	}
	if count > maxLimbs*chunkDigits {
		return parseLongDigits(text, negative, a), scale, nil
	}
	var limbs [maxLimbs]uint64
	n := 0
	for i := 0; i < len(text); {
		var chunk, base uint64 = 0, 1
		for ; i < len(text) && base < chunkBase; i++ {
			if text[i] != '.' {
				chunk, base = chunk*10+uint64(text[i]-'0'), base*10
			}
		}
		n = mulAdd(&limbs, n, base, chunk)
	}
	return twosFromLimbs(&limbs, n, negative, a), scale, nil
}

// mulAdd makes limbs = limbs × m + add and returns the number of limbs in use.
func mulAdd(limbs *[maxLimbs]uint64, n int, m, add uint64) int {
	carry := add
	for i := range n {
		hi, lo := bits.Mul64(limbs[i], m)
		var c uint64
		limbs[i], c = bits.Add64(lo, carry, 0)
		carry = hi + c
	}
	if carry != 0 {
		limbs[n] = carry
		n++
	}
	return n
}

// twosFromLimbs returns the shortest two's complement form of ±limbs, in memory of a.
func twosFromLimbs(limbs *[maxLimbs]uint64, n int, negative bool, a *Arena) []byte {
	out := a.Bytes(n*8 + 1)
	out[0] = 0
	for i := range n {
		binary.BigEndian.PutUint64(out[len(out)-8*(i+1):], limbs[i])
	}
	if negative {
		carry := true
		for i := len(out) - 1; i >= 0; i-- {
			out[i] = ^out[i]
			if carry {
				out[i]++
				carry = out[i] == 0
			}
		}
	}
	return trimSign(out)
}

// trimSign drops the leading bytes that only repeat the sign.
func trimSign(b []byte) []byte {
	for len(b) > 1 && (b[0] == 0 && b[1] < 0x80 || b[0] == 0xff && b[1] >= 0x80) {
		b = b[1:]
	}
	return b
}

func parseLongDigits(text []byte, negative bool, a *Arena) []byte {
	plain := make([]byte, 0, len(text)+1)
	if negative {
		plain = append(plain, '-')
	}
	for _, c := range text {
		if c != '.' {
			plain = append(plain, c)
		}
	}
	v, _ := new(big.Int).SetString(string(plain), 10) // digits only: cannot fail
	return twosFromBig(v, a)
}

// shown quotes text for an error message, cut to a length that a log line bears.
func shown(text []byte) string {
	const most = 64
	if len(text) > most {
		return strconv.Quote(string(text[:most])) + "..."
	}
	return strconv.Quote(string(text))
}
