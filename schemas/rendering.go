package schemas

import (
	"encoding/binary"
	"math"
	"strconv"
)

// renderedForm reads a value that has no canonical type (a record, a map, a union of several types) as its JSON: fields
// and keys by name, bytes in base 64. Topics of others have them, such as Debezium's points.
func renderedForm(w *avroType) form {
	var text []byte
	return form{Type{Kind: JSON}, func(r *reader, a *Arena, out *Value) {
		text = render(text[:0], w, r, 0)
		if r.err != nil || string(text) == "null" {
			return
		}
		kept := a.Bytes(len(text))
		copy(kept, text)
		*out = BytesValue(kept)
	}}
}

func render(dst []byte, w *avroType, r *reader, depth int) []byte {
	if depth > maxSchemaDepth {
		r.fail(errDepth)
	}
	if r.err != nil {
		return dst
	}
	switch w.kind {
	case avroNull:
		return append(dst, "null"...)
	case avroBoolean:
		return strconv.AppendBool(dst, r.boolean())
	case avroInt, avroLong:
		return strconv.AppendInt(dst, r.long(), 10)
	case avroFloat:
		if b := r.take(4); len(b) == 4 {
			return renderFloat(dst, float64(math.Float32frombits(binary.LittleEndian.Uint32(b))), true)
		}
		return dst
	case avroDouble:
		if b := r.take(8); len(b) == 8 {
			return renderFloat(dst, math.Float64frombits(binary.LittleEndian.Uint64(b)), false)
		}
		return dst
	case avroBytes:
		return appendBase64(dst, r.bytes())
	case avroFixed:
		return appendBase64(dst, r.take(w.size))
	case avroString:
		return appendJSONString(dst, r.bytes())
	case avroEnum:
		i := r.long()
		if i < 0 || i >= int64(len(w.symbols)) {
			r.fail(errValue)
			return dst
		}
		return appendJSONString(dst, w.symbols[i])
	case avroUnion:
		i := r.long()
		if i < 0 || i >= int64(len(w.branches)) {
			r.fail(errBranch)
			return dst
		}
		return render(dst, w.branches[i], r, depth+1)
	}
	return renderMany(dst, w, r, depth)
}

// renderFloat puts quotes around the numbers that JSON does not have.
func renderFloat(dst []byte, f float64, single bool) []byte {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return append(AppendFloat(append(dst, '"'), f, single), '"')
	}
	return AppendFloat(dst, f, single)
}

// renderMany renders a record, array or map.
func renderMany(dst []byte, w *avroType, r *reader, depth int) []byte {
	n := 0
	comma := func() {
		if n++; n > 1 {
			dst = append(dst, ',')
		}
	}
	switch w.kind {
	case avroRecord:
		dst = append(dst, '{')
		for i := range w.fields {
			comma()
			dst = append(appendJSONString(dst, w.fields[i].name), ':')
			dst = render(dst, w.fields[i].typ, r, depth+1)
		}
		return append(dst, '}')
	case avroArray:
		dst = append(dst, '[')
		for items := r.block(w.items.least); items > 0; items = r.block(w.items.least) {
			for range items {
				comma()
				dst = render(dst, w.items, r, depth+1)
			}
		}
		return append(dst, ']')
	case avroMap:
		dst = append(dst, '{')
		for items := r.block(1 + w.items.least); items > 0; items = r.block(1 + w.items.least) {
			for range items {
				comma()
				dst = append(appendJSONString(dst, r.bytes()), ':')
				dst = render(dst, w.items, r, depth+1)
			}
		}
		return append(dst, '}')
	}
	return dst
}
