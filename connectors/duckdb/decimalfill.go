//go:build cgo

package duckdb

import "github.com/syncline-io/syncline/schemas"

// decimalFiller writes DECIMAL(precision,scale), which DuckDB keeps in the smallest integer that holds the digits.
type decimalFiller struct {
	precision, scale int
	bits             int
}

func newDecimalFiller(t schemas.Type) decimalFiller {
	f := decimalFiller{precision: t.Precision, scale: t.Scale, bits: 128}
	switch {
	case t.Precision <= 4:
		f.bits = 16
	case t.Precision <= 9:
		f.bits = 32
	case t.Precision <= 18:
		f.bits = 64
	}
	return f
}

func (f decimalFiller) fill(v vector, values []schemas.Value) (int, error) {
	for i, x := range values {
		if x.IsNull() {
			v.null(i)
			continue
		}
		if x.Kind() != schemas.KindDecimal {
			return i, misfit(x)
		}
		n, err := decimal128(x, f.precision, f.scale)
		if err != nil {
			return i, err
		}
		switch f.bits {
		case 16:
			set(v, i, int16(n.lower))
		case 32:
			set(v, i, int32(n.lower))
		case 64:
			set(v, i, int64(n.lower))
		default:
			set(v, i, hugeint{lower: n.lower, upper: n.upper})
		}
	}
	return 0, nil
}
