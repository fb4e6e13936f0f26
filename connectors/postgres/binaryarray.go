package postgres

import (
	"bytes"
	"strconv"

	"github.com/syncline-io/syncline/schemas"
)

// maxDimensions is PostgreSQL's MAXDIM.
const maxDimensions = 6

// binaryArray is the head of an array's binary form, and its elements, of which each has its length before it.
type binaryArray struct {
	elem       uint32
	dimensions int
	size, low  [maxDimensions]int32
	count      int // of elements
	elements   wire
}

// parse reads the head. Afterwards there are at least four bytes for each element.
func (h *binaryArray) parse(b []byte) error {
	w := wire{b: b}
	h.dimensions = int(w.uint32())
	_ = w.uint32() // whether there are nulls
	h.elem = w.uint32()
	if w.bad || h.dimensions < 0 || h.dimensions > maxDimensions {
		return errBinary
	}
	count := uint64(1)
	for i := range h.dimensions {
		h.size[i], h.low[i] = int32(w.uint32()), int32(w.uint32())
		count *= uint64(uint32(h.size[i]))
		if w.bad || h.size[i] <= 0 || count > uint64(len(b)) {
			return errBinary
		}
	}
	if h.dimensions == 0 {
		count = 0
	}
	if h.elements = w; uint64(len(w.b)) < 4*count {
		return errBinary
	}
	h.count = int(count)
	return nil
}

// next takes one element, nil for a null.
func (h *binaryArray) next() ([]byte, error) {
	size := int32(h.elements.uint32())
	if size < 0 {
		return nil, nil
	}
	b := h.elements.take(int(size))
	if b == nil {
		return nil, errBinary
	}
	return b, nil
}

// arrayBinaryOf returns the decoder of an array of the elements' type elem. Where the elements have no printer, arrays that
// are their text (see arrayDecoder) are refused with errTextOnly.
func arrayBinaryOf(elem uint32, t *schemas.Type, user userTypes) (decode binaryDecoder, partial bool) {
	base, _ := user.resolve(elem, -1)
	form := user.binaryForm(base)
	var text printer
	if form.text != nil {
		text = printArray(elem, form.text, arrayDelimiter(base))
	}
	if t.Kind != schemas.Array {
		if text == nil {
			return nil, false
		}
		return printed(text, textDecoderOf(t)), form.partial
	}
	element, _ := binaryDecoderOf(base, t.Elem, user)
	if element == nil {
		return nil, false
	}
	return binaryArrayDecoder(elem, element, text), text == nil || form.partial
}

// arrayDelimiter is pg_type.typdelim: that of box is the only one of its kind.
func arrayDelimiter(elem uint32) byte {
	if elem == boxOID {
		return ';'
	}
	return ','
}

// boxOID is the type box.
const boxOID = 603

// binaryArrayDecoder is arrayDecoder for the binary form.
func binaryArrayDecoder(elem uint32, element binaryDecoder, text printer) binaryDecoder {
	whole := onlyText
	if text != nil {
		whole = printed(text, unrepresentable)
	}
	return func(b []byte, a *schemas.Arena) (schemas.Value, error) {
		var h binaryArray
		if err := h.parse(b); err != nil || h.elem != elem {
			return schemas.Value{}, errBinary
		}
		if h.dimensions > 1 || h.dimensions == 1 && h.low[0] != 1 {
			return whole(b, a)
		}
		elems := a.Values(h.count)
		for i := range elems {
			item, err := h.next()
			if err != nil {
				return schemas.Value{}, err
			}
			if item == nil {
				continue
			}
			if elems[i], err = element(item, a); err != nil {
				return schemas.Value{}, err
			}
			if elems[i].Kind() == schemas.KindUnrepresentable {
				return whole(b, a)
			}
		}
		if len(h.elements.b) > 0 {
			return schemas.Value{}, errBinary
		}
		return schemas.ArrayValue(elems), nil
	}
}

// onlyText refuses every value.
func onlyText([]byte, *schemas.Arena) (schemas.Value, error) { return schemas.Value{}, errTextOnly }

func unrepresentable(text []byte, _ *schemas.Arena) schemas.Value {
	return schemas.UnrepresentableValue(text)
}

// printArray writes the literal of an array: [0:1]={1,2}, {{a,NULL},{"b c",""}}.
func printArray(elem uint32, element printer, delimiter byte) printer {
	var room []byte
	return func(dst, b []byte) ([]byte, error) {
		var h binaryArray
		if err := h.parse(b); err != nil || h.elem != elem {
			return dst, errBinary
		}
		if h.dimensions == 0 {
			return append(dst, "{}"...), h.elements.whole()
		}
		dst = h.appendBounds(dst)
		for i := range h.count {
			dst = h.appendBraces(dst, i, '{', delimiter)
			item, err := h.next()
			if err != nil {
				return dst, err
			}
			if item == nil {
				dst = append(dst, "NULL"...)
			} else {
				if room, err = element(room[:0], item); err != nil {
					return dst, err
				}
				dst = appendArrayItem(dst, room, delimiter)
			}
			dst = h.appendBraces(dst, i+1, '}', delimiter)
		}
		return dst, h.elements.whole()
	}
}

// appendBounds writes all bounds where one begins elsewhere than at 1.
func (h *binaryArray) appendBounds(dst []byte) []byte {
	one := true
	for _, low := range h.low[:h.dimensions] {
		one = one && low == 1
	}
	if one {
		return dst
	}
	for i := range h.dimensions {
		dst = strconv.AppendInt(append(dst, '['), int64(h.low[i]), 10)
		dst = strconv.AppendInt(append(dst, ':'), int64(h.low[i])+int64(h.size[i])-1, 10)
		dst = append(dst, ']')
	}
	return append(dst, '=')
}

// appendBraces opens what begins with element i, behind a delimiter where it is not the first, or closes what ends before
// it.
func (h *binaryArray) appendBraces(dst []byte, i int, brace, delimiter byte) []byte {
	if brace == '{' && i > 0 {
		dst = append(dst, delimiter)
	}
	for d, n := h.dimensions-1, 1; d >= 0; d-- {
		if n *= int(h.size[d]); i%n != 0 {
			break
		}
		dst = append(dst, brace)
	}
	return dst
}

// appendArrayItem writes an element, between quotes where it could be taken for something else.
func appendArrayItem(dst, item []byte, delimiter byte) []byte {
	if len(item) > 0 && !bytes.EqualFold(item, []byte("null")) && !bytes.ContainsAny(item, "\"\\{} \t\n\r\v\f") &&
		bytes.IndexByte(item, delimiter) < 0 {
		return append(dst, item...)
	}
	return appendQuoted(dst, item, '\\')
}
