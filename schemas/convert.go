package schemas

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
)

// Converter makes values of one type from values of another, as PostgreSQL converts the rows of a column whose type is
// altered. Null, unchanged and unrepresentable values stay as they are; a value that the new type cannot hold becomes
// unrepresentable, with its text. What it returns aliases v and a. An error says that v has no form in the new type. It
// is not safe for concurrent use.
type Converter func(v Value, a *Arena) (Value, error)

// NewConverter returns what converts values of from to values of to, nil where they have the same form already.
func NewConverter(from, to Type) Converter {
	made := valueConverter(&from, &to)
	if made == nil {
		return nil
	}
	return func(v Value, a *Arena) (Value, error) {
		if v.kind <= KindUnrepresentable {
			return v, nil
		}
		out, err := made(v, a)
		switch {
		case err == nil:
			return out, nil
		case errors.Is(err, ErrRange), errors.Is(err, strconv.ErrRange), errors.Is(err, ErrArrayBounds):
			return UnrepresentableValue(AppendText(nil, &from, v)), nil
		}
		return Value{}, fmt.Errorf("a value of %v is none of %v: %w", from, to, err)
	}
}

func valueConverter(from, to *Type) Converter {
	switch {
	case keepsForm(from, to):
		return nil
	case from.Kind == Array && to.Kind == Array:
		return arrayConverter(from, to)
	case from.Kind == Date && (to.Kind == Timestamp || to.Kind == TimestampTZ):
		return dateToTimestamp
	case to.Kind == Date && (from.Kind == Timestamp || from.Kind == TimestampTZ):
		return timestampToDate
	case to.isInteger():
		return integerConverter(from, to)
	case from.Kind == Float64 && to.Kind == Float32:
		return float64ToFloat32
	case from.Kind == Bool && isText(to.Kind):
		return boolToText
	case isText(from.Kind) && to.Kind == Bytes:
		return textToBytes
	case to.Kind == Decimal && (from.Kind == Float32 || from.Kind == Float64):
		return floatToDecimal(from)
	}
	return textConverter(from, to)
}

// keepsForm reports whether every value of from is one of to, or one of which only the target can say whether it is: the
// length of a text, the digits of a number, the labels of an enum.
func keepsForm(from, to *Type) bool {
	switch {
	case from.Kind == Array && to.Kind == Array:
		return from.Elem == nil || to.Elem == nil || valueConverter(innermost(from.Elem), innermost(to.Elem)) == nil
	case from.Kind == to.Kind:
		return true
	case from.isInteger() && to.isInteger():
		return from.Kind < to.Kind
	case isText(from.Kind) || from.Kind == UUID:
		return isText(to.Kind)
	}
	return from.Kind == Float32 && to.Kind == Float64 ||
		from.Kind == Timestamp && to.Kind == TimestampTZ || from.Kind == TimestampTZ && to.Kind == Timestamp // in UTC
}

func (t *Type) isInteger() bool { return t.Kind == Int16 || t.Kind == Int32 || t.Kind == Int64 }

func isText(k Kind) bool { return k == String || k == JSON || k == Enum }

// textConverter reads the text of a value as the other type.
func textConverter(from, to *Type) Converter {
	var scratch []byte
	return func(v Value, a *Arena) (Value, error) {
		scratch = AppendText(scratch[:0], from, v)
		text := a.Bytes(len(scratch)) // which the value may alias
		copy(text, scratch)
		return ParseText(text, to, a)
	}
}

func dateToTimestamp(v Value, _ *Arena) (Value, error) {
	days := v.Int()
	switch {
	case isInfinite(days):
		return v, nil
	case days > math.MaxInt64/microsPerDay || days < math.MinInt64/microsPerDay:
		return Value{}, ErrRange
	}
	return IntValue(days * microsPerDay), nil
}

func timestampToDate(v Value, _ *Arena) (Value, error) {
	if isInfinite(v.Int()) {
		return v, nil
	}
	days, _ := floorDiv(v.Int(), microsPerDay)
	return IntValue(days), nil
}

// integerConverter rounds as PostgreSQL does: a float to the even number, a decimal away from zero.
func integerConverter(from, to *Type) Converter {
	bits := map[Kind]int{Int16: 16, Int32: 32, Int64: 64}[to.Kind]
	switch {
	case from.isInteger():
		return func(v Value, _ *Arena) (Value, error) { return fitInteger(v.Int(), bits) }
	case from.Kind == Float32 || from.Kind == Float64:
		return func(v Value, _ *Arena) (Value, error) {
			f := math.RoundToEven(v.Float())
			if !(f >= -1<<63 && f < 1<<63) { // nor is NaN
				return Value{}, ErrRange
			}
			return fitInteger(int64(f), bits)
		}
	case from.Kind == Decimal:
		return func(v Value, _ *Arena) (Value, error) { return decimalToInteger(v, bits) }
	}
	return textConverter(from, to)
}

func fitInteger(i int64, bits int) (Value, error) {
	if spare := 64 - bits; i<<spare>>spare != i {
		return Value{}, ErrRange
	}
	return IntValue(i), nil
}

func decimalToInteger(v Value, bits int) (Value, error) {
	unscaled, scale, form := v.Decimal()
	if form != Finite {
		return Value{}, ErrRange
	}
	whole, fraction, _ := bytes.Cut(AppendDecimalText(nil, unscaled, scale), []byte{'.'})
	i, err := strconv.ParseInt(string(whole), 10, 64)
	if err != nil {
		return Value{}, err
	}
	if len(fraction) > 0 && fraction[0] >= '5' {
		switch {
		case i == math.MaxInt64 || i == math.MinInt64:
			return Value{}, ErrRange
		case whole[0] == '-':
			i--
		default:
			i++
		}
	}
	return fitInteger(i, bits)
}

func float64ToFloat32(v Value, _ *Arena) (Value, error) {
	f := v.Float()
	single := float64(float32(f))
	if math.IsInf(single, 0) && !math.IsInf(f, 0) {
		return Value{}, ErrRange
	}
	return FloatValue(single), nil
}

func boolToText(v Value, _ *Arena) (Value, error) {
	return StringValue(strconv.FormatBool(v.Bool())), nil
}

// textToBytes reads text as PostgreSQL reads bytea: in hex, or the bytes as they are. Its octal escapes are not read.
func textToBytes(v Value, a *Arena) (Value, error) {
	if slices.Contains(v.Bytes(), '\\') {
		return parseHex(v.Bytes(), a)
	}
	return v, nil
}

// floatToDecimal writes the number without the exponent that a decimal's text does not have.
func floatToDecimal(from *Type) Converter {
	bits := 64
	if from.Kind == Float32 {
		bits = 32
	}
	return func(v Value, a *Arena) (Value, error) {
		f := v.Float()
		if math.IsInf(f, 0) || math.IsNaN(f) {
			return ParseDecimal(AppendFloat(nil, f, false), a)
		}
		return ParseDecimal(strconv.AppendFloat(nil, f, 'f', -1, bits), a)
	}
}

// arrayConverter converts the elements, through all dimensions. An element that does not fit makes the whole array
// unrepresentable.
func arrayConverter(from, to *Type) Converter {
	element := valueConverter(innermost(from.Elem), innermost(to.Elem))
	var convert Converter
	convert = func(v Value, a *Arena) (Value, error) {
		elems := a.Values(len(v.Array()))
		for i, e := range v.Array() {
			var err error
			switch {
			case e.kind == KindArray:
				elems[i], err = convert(e, a)
			case e.kind <= KindUnrepresentable:
				elems[i] = e
			default:
				elems[i], err = element(e, a)
			}
			if err != nil {
				return Value{}, err
			}
		}
		return ArrayValue(elems), nil
	}
	return convert
}
