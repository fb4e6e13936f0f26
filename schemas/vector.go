package schemas

import (
	"encoding/binary"
	"math"
	"slices"
	"strconv"
)

// The types of pgvector as Debezium writes them: arrays of numbers, and a record with the elements that are not zero. All their
// numbers are those of a float4, whose text pgvector prints.

// vectorAppender appends pgvector's [1,2.5,3].
func vectorAppender(bits int) appender {
	return func(dst []byte, v Value) ([]byte, fit) {
		if v.kind != KindBytes {
			return dst, fitsWrongly
		}
		start, text := len(dst), v.Bytes()
		count := int64(0)
		for n := (numbers{text}); !n.done(); count++ {
			if _, ok := n.next(); !ok {
				return dst, fitsNot
			}
		}
		if len(text) < 2 || text[0] != '[' {
			return dst, fitsNot
		}
		if count > 0 {
			dst = appendLong(dst, count)
		}
		for n := (numbers{text}); !n.done(); {
			f, ok := n.next()
			switch {
			case !ok:
				return dst[:start], fitsNot
			case bits == 32:
				dst = binary.LittleEndian.AppendUint32(dst, math.Float32bits(float32(f)))
			default:
				dst = appendDouble(dst, f)
			}
		}
		return append(dst, 0), fitsExactly
	}
}

// appendSparseVector appends pgvector's {1:0.5,3:-2}/5: the number of dimensions, and the elements in the order of their places.
// Debezium has both in 16 bits; a vector with more dimensions has no form.
func appendSparseVector(dst []byte, v Value) ([]byte, fit) {
	if v.kind != KindBytes {
		return dst, fitsWrongly
	}
	text := v.Bytes()
	dimensions, count, ok := sparseShape(text)
	if !ok {
		return dst, fitsNot
	}
	dst = appendLong(dst, dimensions)
	n := numbers{text}
	if count > 0 {
		dst = appendLong(dst, count)
	}
	for range count {
		place, _ := n.next() // sparseShape has read them
		element, _ := n.next()
		dst = appendDouble(appendLong(dst, int64(place)), element)
	}
	return append(dst, 0), fitsExactly
}

// sparseShape reads how many dimensions a sparse vector has, and how many elements that are not zero.
func sparseShape(text []byte) (dimensions, count int64, ok bool) {
	if len(text) < 4 || text[0] != '{' {
		return 0, 0, false
	}
	read, last := int64(0), 0.0
	for n := (numbers{text}); !n.done(); read++ {
		f, number := n.next()
		if !number || read%2 == 0 && (f != math.Trunc(f) || f < 1 || f > math.MaxInt16) {
			return 0, 0, false
		}
		last = f
	}
	return int64(last), read / 2, read%2 == 1
}

func (w *schemaWriter) sparseVector() {
	const number = `{"type":"int","connect.type":"int16"}`
	w.common("io.debezium.data", "SparseDoubleVector", `"fields":[{"name":"dimensions","type":`+number+`},{"name":"vector","type":{"type":"array","items":`+
		`{"type":"record","name":"MapEntry","namespace":"io.confluent.connect.avro","fields":[{"name":"key","type":`+number+`},{"name":"value","type":"double"}]}}}],`+
		`"connect.doc":"Sparse double vector","connect.version":1`)
}

func vectorExtractor(single bool) extractor {
	var text []byte
	return func(r *reader, a *Arena, out *Value) {
		text = append(text[:0], '[')
		least := 8
		if single {
			least = 4
		}
		for n := r.block(least); n > 0; n = r.block(least) {
			for range n {
				if len(text) > 1 {
					text = append(text, ',')
				}
				if b := r.take(int64(least)); single && len(b) == 4 {
					text = AppendFloat(text, float64(math.Float32frombits(binary.LittleEndian.Uint32(b))), true)
				} else if len(b) == 8 {
					text = AppendFloat(text, math.Float64frombits(binary.LittleEndian.Uint64(b)), true)
				}
			}
		}
		if r.err == nil {
			*out = keep(a, append(text, ']'))
		}
	}
}

func (w *schemaWriter) doubleVector() {
	w.WriteString(`{"type":"array","items":"double","connect.version":1,"connect.name":"io.debezium.data.DoubleVector"}`)
}

func (w *schemaWriter) floatVector() {
	w.WriteString(`{"type":"array","items":"float","connect.version":1,"connect.name":"io.debezium.data.FloatVector"}`)
}

// isSparseVector recognizes the record of sparseVector, as Connect writes a map whose keys are numbers.
func isSparseVector(w *avroType) bool {
	if !w.same("dimensions", "vector") || w.fields[0].typ.kind != avroInt || w.fields[1].typ.kind != avroArray {
		return false
	}
	entry := w.fields[1].typ.items
	return entry.same("key", "value") && entry.fields[0].typ.kind == avroInt && entry.fields[1].typ.kind == avroDouble
}

// sparseElement is an element that is not zero.
type sparseElement struct {
	place int64
	value float64
}

// extractSparseVector makes the text again, with the elements in the order of their places: Debezium writes them in any.
func extractSparseVector(r *reader, a *Arena, out *Value) {
	dimensions := r.long()
	var elements []sparseElement
	for n := r.block(9); n > 0; n = r.block(9) {
		for range n {
			elements = append(elements, sparseElement{r.long(), r.double()})
		}
	}
	if r.err != nil {
		return
	}
	slices.SortStableFunc(elements, func(a, b sparseElement) int { return int(a.place - b.place) })
	text := []byte{'{'}
	for i, e := range elements {
		if i > 0 {
			text = append(text, ',')
		}
		text = append(strconv.AppendInt(text, e.place, 10), ':')
		text = AppendFloat(text, e.value, true)
	}
	text = strconv.AppendInt(append(text, "}/"...), dimensions, 10)
	*out = keep(a, text)
}
