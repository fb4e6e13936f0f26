package schemas

import (
	"encoding/binary"
	"math"
	"strconv"
)

// maxRendered bounds the JSON of one value, in bytes: long names can stand before values of one byte.
const maxRendered = 64 << 20

// leafForm is the form of a type inside of a rendered one that says more than its base type: a decimal, a date. nil for
// any other.
func (w *avroType) leafForm() *form {
	if w.leaf != nil || w.plain {
		return w.leaf
	}
	w.plain = true
	if w.kind == avroArray || w.kind == avroMap || w.kind == avroUnion || w.kind == avroNull || w.kind == avroEnum {
		return nil
	}
	f, err := formOf(w)
	if err != nil {
		return nil
	}
	switch f.typ.Kind {
	case Decimal, Date, Time, Timestamp, TimestampTZ, Interval, UUID:
		w.leaf = &f
	}
	return w.leaf
}

// renderLeaf renders a number as a number and all else as the text that a column of its type has.
func renderLeaf(dst []byte, f *form, r *reader) []byte {
	var a Arena
	var v Value
	f.extract(r, &a, &v)
	if r.err != nil {
		return dst
	}
	if _, _, special := v.Decimal(); f.typ.Kind == Decimal && v.kind == KindDecimal && special == Finite {
		return AppendText(dst, &f.typ, v)
	}
	return appendJSONString(dst, AppendText(nil, &f.typ, v))
}

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
	if len(dst) > maxRendered {
		r.fail(errSize)
	}
	if r.err != nil {
		return dst
	}
	if f := w.leafForm(); f != nil {
		return renderLeaf(dst, f, r)
	}
	switch w.kind {
	case avroNull:
		r.spend(1)
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
		return appendBase64(dst, r.takeFixed(w.size))
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
		switch b := r.branch(w); {
		case b == nil:
			return dst
		case b.kind == avroNull:
			return append(dst, "null"...)
		default:
			return render(dst, b, r, depth+1)
		}
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
		r.spendIf(len(w.fields) == 0)
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
