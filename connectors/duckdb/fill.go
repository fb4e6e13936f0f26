//go:build cgo

package duckdb

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"unicode/utf8"
	"unsafe"

	"github.com/duckdb/duckdb-go/mapping"

	"github.com/syncline-io/syncline/schemas"
)

// vector is one column of a chunk in DuckDB's memory.
type vector struct {
	vec   mapping.Vector
	data  unsafe.Pointer
	valid *uint64 // one bit per row, all set at first
}

// at makes the vector of column i of the chunk ready for writing.
func vectorAt(v mapping.Vector) vector {
	mapping.VectorEnsureValidityWritable(v)
	return vector{vec: v, data: mapping.VectorGetData(v), valid: (*uint64)(mapping.VectorGetValidity(v))}
}

func (v vector) null(i int) {
	word := (*uint64)(unsafe.Add(unsafe.Pointer(v.valid), i/64*8))
	*word &^= 1 << (i % 64)
}

// set writes element i of a vector of T.
func set[T any](v vector, i int, x T) {
	*(*T)(unsafe.Add(v.data, uintptr(i)*unsafe.Sizeof(x))) = x
}

// filler writes values into a vector. On an error bad is the index of the value that it does not take.
type filler interface {
	fill(v vector, values []schemas.Value) (bad int, err error)
}

// newFiller returns the filler for values of type t that go into a stage's column of the given type.
func newFiller(t schemas.Type, stageType string) (filler, error) {
	if stageType == "VARCHAR" || stageType == "JSON" {
		return textFiller{&scratch{}, &texts{}, t}, nil
	}
	switch t.Kind {
	case schemas.Bool:
		return boolFiller{}, nil
	case schemas.Int16:
		return intFiller[int16]{math.MinInt16, math.MaxInt16}, nil
	case schemas.Int32:
		return intFiller[int32]{math.MinInt32, math.MaxInt32}, nil
	case schemas.Int64:
		return intFiller[int64]{math.MinInt64, math.MaxInt64}, nil
	case schemas.Float32:
		return floatFiller{single: true}, nil
	case schemas.Float64:
		return floatFiller{}, nil
	case schemas.Decimal:
		return newDecimalFiller(t), nil
	case schemas.Bytes:
		return bytesFiller{&texts{}}, nil
	case schemas.Date:
		return dateFiller{}, nil
	case schemas.Time:
		return timeFiller{}, nil
	case schemas.Timestamp, schemas.TimestampTZ:
		return timestampFiller{}, nil
	case schemas.Interval:
		return intervalFiller{}, nil
	case schemas.UUID:
		return uuidFiller{}, nil
	case schemas.Array:
		elem, err := newFiller(*t.Elem, stageType[:len(stageType)-len("[]")])
		return &listFiller{elem: elem}, err
	}
	return nil, fmt.Errorf("%s cannot be loaded", t)
}

// errDimensions is for an array of arrays. PostgreSQL's types do not tell the number of dimensions: the column is made
// for one.
var errDimensions = errors.New("the array has more dimensions than the target's column")

// misfit says that a value is not of the kind that its column's type asks for.
func misfit(v schemas.Value) error {
	switch v.Kind() {
	case schemas.KindUnrepresentable:
		return fmt.Errorf("the source's value %s has no representation in the target's type", excerpt(v.Bytes()))
	case schemas.KindArray:
		return errDimensions
	}
	return fmt.Errorf("a value of kind %d does not belong into the column", v.Kind())
}

// excerpt quotes a value for a message, cut off when it is long.
func excerpt(b []byte) string {
	if len(b) > 60 {
		return fmt.Sprintf("%.60q (cut off)", b)
	}
	return fmt.Sprintf("%q", b)
}

type boolFiller struct{}

func (boolFiller) fill(v vector, values []schemas.Value) (int, error) {
	for i, x := range values {
		switch x.Kind() {
		case schemas.KindNull:
			v.null(i)
		case schemas.KindBool:
			set(v, i, x.Bool())
		default:
			return i, misfit(x)
		}
	}
	return 0, nil
}

type intFiller[T int16 | int32 | int64] struct{ min, max int64 }

func (f intFiller[T]) fill(v vector, values []schemas.Value) (int, error) {
	for i, x := range values {
		switch x.Kind() {
		case schemas.KindNull:
			v.null(i)
		case schemas.KindInt:
			n := x.Int()
			if n < f.min || n > f.max {
				return i, fmt.Errorf("%d is outside the column's range", n)
			}
			set(v, i, T(n))
		default:
			return i, misfit(x)
		}
	}
	return 0, nil
}

type floatFiller struct{ single bool }

func (f floatFiller) fill(v vector, values []schemas.Value) (int, error) {
	for i, x := range values {
		switch x.Kind() {
		case schemas.KindNull:
			v.null(i)
		case schemas.KindFloat:
			// One NaN only, so that equal rows have equal bits.
			switch n := x.Float(); {
			case f.single && n != n:
				set(v, i, uint32(0x7fc00000))
			case f.single:
				set(v, i, float32(n))
			case n != n:
				set(v, i, uint64(0x7ff8000000000000))
			default:
				set(v, i, n)
			}
		default:
			return i, misfit(x)
		}
	}
	return 0, nil
}

// DuckDB's infinities, and its first finite timestamp: 290309-12-22 (BC).
const (
	infiniteDay    = math.MaxInt32
	infiniteMicros = math.MaxInt64
	firstMicros    = -9223372022400000000
)

type dateFiller struct{}

func (dateFiller) fill(v vector, values []schemas.Value) (int, error) {
	for i, x := range values {
		if x.IsNull() {
			v.null(i)
			continue
		}
		days, sign, err := moment(x)
		switch {
		case err != nil:
			return i, err
		case sign != 0:
			set(v, i, int32(sign*infiniteDay))
		case days <= -infiniteDay || days >= infiniteDay:
			return i, fmt.Errorf("day %d from 1970 is outside the range of DATE", days)
		default:
			set(v, i, int32(days))
		}
	}
	return 0, nil
}

type timestampFiller struct{}

func (timestampFiller) fill(v vector, values []schemas.Value) (int, error) {
	for i, x := range values {
		if x.IsNull() {
			v.null(i)
			continue
		}
		micros, sign, err := moment(x)
		switch {
		case err != nil:
			return i, err
		case sign != 0:
			set(v, i, int64(sign)*infiniteMicros)
		case micros < firstMicros:
			return i, fmt.Errorf("microsecond %d from 1970 is outside the range of TIMESTAMP", micros)
		default:
			set(v, i, micros)
		}
	}
	return 0, nil
}

// moment returns the number of a date or timestamp, or the sign of an infinity. The wire has no infinities: there they
// are the source's text.
func moment(x schemas.Value) (n int64, sign int, err error) {
	switch x.Kind() {
	case schemas.KindInt:
		switch n := x.Int(); n {
		case schemas.PosInfinity:
			return 0, 1, nil
		case schemas.NegInfinity:
			return 0, -1, nil
		default:
			return n, 0, nil
		}
	case schemas.KindUnrepresentable:
		switch x.String() {
		case "infinity":
			return 0, 1, nil
		case "-infinity":
			return 0, -1, nil
		}
	}
	return 0, 0, misfit(x)
}

type timeFiller struct{}

const dayMicros = 24 * 3600 * 1_000_000

func (timeFiller) fill(v vector, values []schemas.Value) (int, error) {
	for i, x := range values {
		switch {
		case x.IsNull():
			v.null(i)
		case x.Kind() == schemas.KindUnrepresentable && x.String() == "24:00:00":
			set(v, i, int64(dayMicros))
		case x.Kind() != schemas.KindInt:
			return i, misfit(x)
		case x.Int() < 0 || x.Int() > dayMicros:
			return i, fmt.Errorf("microsecond %d of the day is outside the range of TIME", x.Int())
		default:
			set(v, i, x.Int())
		}
	}
	return 0, nil
}

type intervalFiller struct{}

// interval is DuckDB's own layout.
type interval struct {
	months, days int32
	micros       int64
}

func (intervalFiller) fill(v vector, values []schemas.Value) (int, error) {
	for i, x := range values {
		switch x.Kind() {
		case schemas.KindNull:
			v.null(i)
		case schemas.KindInterval:
			months, days, micros := x.Interval()
			set(v, i, interval{months, days, micros})
		default:
			return i, misfit(x)
		}
	}
	return 0, nil
}

// hugeint is DuckDB's own layout of a 128-bit number.
type hugeint struct {
	lower uint64
	upper int64
}

type uuidFiller struct{}

func (uuidFiller) fill(v vector, values []schemas.Value) (int, error) {
	for i, x := range values {
		switch x.Kind() {
		case schemas.KindNull:
			v.null(i)
		case schemas.KindBytes:
			id, err := schemas.ParseUUID(x.Bytes())
			if err != nil {
				return i, fmt.Errorf("%s is not a UUID", excerpt(x.Bytes()))
			}
			// DuckDB flips the first bit so that UUIDs sort as signed numbers.
			upper, lower := binary.BigEndian.Uint64(id[:8]), binary.BigEndian.Uint64(id[8:])
			set(v, i, hugeint{lower: lower, upper: int64(upper ^ 1<<63)})
		default:
			return i, misfit(x)
		}
	}
	return 0, nil
}

type bytesFiller struct{ *texts }

func (f bytesFiller) fill(v vector, values []schemas.Value) (int, error) {
	defer f.flush(v)
	for i, x := range values {
		switch x.Kind() {
		case schemas.KindNull:
			v.null(i)
		case schemas.KindBytes:
			f.add(v, i, x.Bytes())
		default:
			return i, misfit(x)
		}
	}
	return 0, nil
}

// scratch is memory for texts that are made here.
type scratch struct{ own []byte }

// textFiller writes what a column of text takes: text, and the exact text of other values of its type, as PostgreSQL prints
// it, or as the source did where only its text can tell the value.
type textFiller struct {
	*scratch
	*texts
	t schemas.Type
}

var errNotUTF8 = errors.New("the text is not valid UTF-8")

func (f textFiller) fill(v vector, values []schemas.Value) (int, error) {
	defer f.flush(v)
	for i, x := range values {
		switch x.Kind() {
		case schemas.KindNull:
			v.null(i)
		case schemas.KindBytes, schemas.KindUnrepresentable:
			b := x.Bytes()
			if !utf8.Valid(b) {
				return i, errNotUTF8
			}
			f.add(v, i, b)
		case schemas.KindDecimal, schemas.KindInt, schemas.KindArray:
			if f.t.Kind != schemas.Decimal && mayMisfit(f.t) == "" {
				return i, misfit(x)
			}
			f.own = schemas.AppendText(f.own[:0], &f.t, x)
			f.add(v, i, f.own)
		default:
			return i, misfit(x)
		}
	}
	return 0, nil
}

// listFiller writes arrays: an offset and a length per row, and all elements in one vector of their own.
type listFiller struct {
	elem   filler
	values []schemas.Value
}

type listEntry struct{ offset, length uint64 }

func (f *listFiller) fill(v vector, values []schemas.Value) (int, error) {
	f.values = f.values[:0]
	for i, x := range values {
		switch x.Kind() {
		case schemas.KindNull:
			v.null(i)
			set(v, i, listEntry{uint64(len(f.values)), 0})
		case schemas.KindArray:
			elems := x.Array()
			set(v, i, listEntry{uint64(len(f.values)), uint64(len(elems))})
			f.values = append(f.values, elems...)
		case schemas.KindUnrepresentable:
			return i, fmt.Errorf("the source's array %s has bounds of its own or an element outside the range of the target's type, which holds neither", excerpt(x.Bytes()))
		default:
			return i, misfit(x)
		}
	}
	n := mapping.IdxT(len(f.values))
	if mapping.ListVectorReserve(v.vec, n) == mapping.StateError || mapping.ListVectorSetSize(v.vec, n) == mapping.StateError {
		return 0, errors.New("no memory for the elements of an array")
	}
	bad, err := f.elem.fill(vectorAt(mapping.ListVectorGetChild(v.vec)), f.values)
	if err != nil {
		return rowOf(values, bad), fmt.Errorf("element: %w", err)
	}
	return 0, nil
}

// rowOf returns the index of the array that holds the element with the given number.
func rowOf(values []schemas.Value, element int) int {
	for i, x := range values {
		if element -= len(x.Array()); element < 0 {
			return i
		}
	}
	return len(values) - 1
}
