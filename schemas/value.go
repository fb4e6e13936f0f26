package schemas

import (
	"math"
	"unsafe"
)

// ValueKind says which representation a [Value] holds.
type ValueKind uint8

// The representations. The zero Value is null.
const (
	KindNull ValueKind = iota
	// KindUnchanged is a value that the source did not send because it did not change (TOAST): the target keeps its own.
	KindUnchanged
	// KindUnrepresentable is a value that the canonical type cannot hold; [Value.Bytes] is the source's own text.
	KindUnrepresentable
	KindBool
	KindInt
	KindFloat
	KindDecimal
	KindBytes // text and bytes alike: which of them, the column's type says
	KindInterval
	KindArray
)

// PosInfinity and NegInfinity are the infinite values of Date, Timestamp and TimestampTZ columns.
const (
	PosInfinity = math.MaxInt64
	NegInfinity = math.MinInt64
)

// DecimalForm tells a finite decimal from the special ones.
type DecimalForm uint8

// The forms of a decimal.
const (
	Finite DecimalForm = iota
	NaN
	PosInf
	NegInf
)

// Value is one value of a row: 32 bytes, no allocation. Text, bytes, decimals and arrays alias the buffer that they
// were made from; a Value handed to a callback is valid until the callback returns, unless its maker says more.
//
// A Value does not know its column's type: KindInt is an int4 as well as a timestamp in microseconds.
type Value struct {
	ptr  unsafe.Pointer // first byte of Bytes and Decimal, first element of Array
	num  uint64         // Bool, Int, Float (bits), Interval (microseconds)
	n    uint32         // length of what ptr points to
	aux  int32          // Decimal: scale; Interval: days
	ext  int32          // Interval: months
	kind ValueKind
	form DecimalForm
}

// Null returns the null value, which is also the zero Value.
func Null() Value { return Value{} }

// Unchanged returns the mark of a value that the source did not send.
func Unchanged() Value { return Value{kind: KindUnchanged} }

// BoolValue returns a boolean.
func BoolValue(b bool) Value {
	v := Value{kind: KindBool}
	if b {
		v.num = 1
	}
	return v
}

// IntValue returns a whole number, date, time or timestamp, in the unit of the column's [Kind].
func IntValue(i int64) Value { return Value{kind: KindInt, num: uint64(i)} }

// FloatValue returns a floating-point number.
func FloatValue(f float64) Value { return Value{kind: KindFloat, num: math.Float64bits(f)} }

// BytesValue returns text or bytes. It aliases b.
func BytesValue(b []byte) Value {
	return Value{kind: KindBytes, ptr: unsafe.Pointer(unsafe.SliceData(b)), n: uint32(len(b))}
}

// StringValue returns text. It aliases s.
func StringValue(s string) Value {
	return Value{kind: KindBytes, ptr: unsafe.Pointer(unsafe.StringData(s)), n: uint32(len(s))}
}

// UnrepresentableValue returns a value that only the source's own text can tell. It aliases text.
func UnrepresentableValue(text []byte) Value {
	v := BytesValue(text)
	v.kind = KindUnrepresentable
	return v
}

// DecimalValue returns unscaled × 10^-scale, where unscaled is a big-endian two's complement number of at least one
// byte. It aliases unscaled.
func DecimalValue(unscaled []byte, scale int32) Value {
	return Value{kind: KindDecimal, ptr: unsafe.Pointer(unsafe.SliceData(unscaled)), n: uint32(len(unscaled)), aux: scale}
}

// SpecialDecimal returns NaN or an infinity.
func SpecialDecimal(form DecimalForm) Value { return Value{kind: KindDecimal, form: form} }

// IntervalValue returns an interval; its three parts are independent, as in PostgreSQL.
func IntervalValue(months, days int32, micros int64) Value {
	return Value{kind: KindInterval, num: uint64(micros), aux: days, ext: months}
}

// ArrayValue returns an array. It aliases elems.
func ArrayValue(elems []Value) Value {
	return Value{kind: KindArray, ptr: unsafe.Pointer(unsafe.SliceData(elems)), n: uint32(len(elems))}
}

// Kind returns the representation.
func (v Value) Kind() ValueKind { return v.kind }

// IsNull reports whether v is null.
func (v Value) IsNull() bool { return v.kind == KindNull }

// IsUnchanged reports whether v marks a value that the source did not send.
func (v Value) IsUnchanged() bool { return v.kind == KindUnchanged }

// Bool returns the boolean of a KindBool.
func (v Value) Bool() bool { return v.num != 0 }

// Int returns the number of a KindInt.
func (v Value) Int() int64 { return int64(v.num) }

// Float returns the number of a KindFloat.
func (v Value) Float() float64 { return math.Float64frombits(v.num) }

// Bytes returns the bytes of a KindBytes, or the source's text of a KindUnrepresentable. They must not be changed.
func (v Value) Bytes() []byte {
	if v.kind != KindBytes && v.kind != KindUnrepresentable {
		return nil
	}
	return unsafe.Slice((*byte)(v.ptr), v.n)
}

// String returns the bytes of a KindBytes as a string that aliases them.
func (v Value) String() string {
	if v.kind != KindBytes && v.kind != KindUnrepresentable {
		return ""
	}
	return unsafe.String((*byte)(v.ptr), v.n)
}

// Decimal returns the parts of a KindDecimal; unscaled is nil unless form is Finite.
func (v Value) Decimal() (unscaled []byte, scale int32, form DecimalForm) {
	if v.kind != KindDecimal || v.form != Finite {
		return nil, 0, v.form
	}
	return unsafe.Slice((*byte)(v.ptr), v.n), v.aux, Finite
}

// Interval returns the parts of a KindInterval.
func (v Value) Interval() (months, days int32, micros int64) { return v.ext, v.aux, int64(v.num) }

// Array returns the elements of a KindArray. They must not be changed.
func (v Value) Array() []Value {
	if v.kind != KindArray {
		return nil
	}
	return unsafe.Slice((*Value)(v.ptr), v.n)
}
