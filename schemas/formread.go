package schemas

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"math"
	"slices"
	"strconv"
)

// extractForm compiles how what debeziumOutput writes for a text with a form, or for a type in a handling mode, becomes the
// value again; nil when w is not what it writes for t.
func extractForm(w *avroType, t *Type) extractor {
	switch t.Kind {
	case Bytes:
		if w.kind == avroString && encodedBytes(t.Mode) != nil {
			return encodedExtractor(t.Mode)
		}
	case Decimal:
		if w.kind == avroDouble {
			return doubleDecimalExtractor(t)
		}
		if w.kind == avroString && t.Mode == ModeString {
			return extractStringDecimal
		}
	case String:
		return extractText(w, t)
	case Array:
		if innermost(t.Elem).Form == FormBit && (w.kind == avroBytes || w.kind == avroBoolean) {
			return func(r *reader, _ *Arena, _ *Value) { w.skip(r, 0) } // what stands for a value that is in the header
		}
	}
	return nil
}

func extractText(w *avroType, t *Type) extractor {
	switch t.Form {
	case FormBit, FormVarbit:
		return extractBits(w, t)
	case FormTimeTZ:
		if w.connect == "io.debezium.time.ZonedTime" {
			return extractZonedTime
		}
	case FormHstore:
		switch {
		case w.connect == "io.debezium.data.Json":
			return extractHstoreJSON
		case w.kind == avroMap && w.items.kind == avroUnion && len(w.items.branches) == 2 && nullBranch(w.items) == 0 && w.items.branches[1].kind == avroString:
			return extractHstoreMap
		}
	case FormVector, FormHalfVec:
		if w.kind == avroArray && (w.items.kind == avroDouble || w.items.kind == avroFloat) {
			return vectorExtractor(w.items.kind == avroFloat)
		}
	case FormSparseVec:
		if isSparseVector(w) {
			return extractSparseVector
		}
	}
	return extractGeometric(w, t.Form)
}

// keep copies text into the arena.
func keep(a *Arena, text []byte) Value {
	kept := a.Bytes(len(text))
	copy(kept, text)
	return BytesValue(kept)
}

func encodedExtractor(m Mode) extractor {
	return func(r *reader, a *Arena, out *Value) {
		b, err := decodeBytes(m, r.bytes(), a)
		if err != nil {
			r.fail(errText)
		}
		*out = BytesValue(b)
	}
}

// doubleDecimalExtractor makes a decimal of a double: with the column's own number of fraction digits where it has one.
func doubleDecimalExtractor(t *Type) extractor {
	scale := 0
	if t.Precision > 0 {
		scale = int(fieldScale(t))
	}
	var text []byte
	return func(r *reader, a *Arena, out *Value) {
		f := r.double()
		switch {
		case r.err != nil:
			return
		case math.IsInf(f, 1):
			*out = SpecialDecimal(PosInf)
			return
		case math.IsInf(f, -1):
			*out = SpecialDecimal(NegInf)
			return
		}
		text = strconv.AppendFloat(text[:0], f, 'f', -1, 64)
		if f == f {
			text = padFraction(text, scale)
		}
		v, err := ParseDecimal(text, a)
		if err != nil {
			r.fail(errText)
		}
		*out = v
	}
}

// padFraction appends zeros until a number has scale fraction digits.
func padFraction(number []byte, scale int) []byte {
	point := bytes.IndexByte(number, '.')
	if point < 0 && scale > 0 {
		point = len(number)
		number = append(number, '.')
	}
	for scale > 0 && len(number)-1-point < scale {
		number = append(number, '0')
	}
	return number
}

func extractStringDecimal(r *reader, a *Arena, out *Value) {
	b := r.bytes()
	if r.err != nil {
		return
	}
	for form, word := range decimalWords {
		if word != "" && string(b) == word {
			*out = SpecialDecimal(DecimalForm(form))
			return
		}
	}
	v, err := ParseDecimal(b, a)
	if err != nil {
		r.fail(errText)
	}
	*out = v
}

func extractBits(w *avroType, t *Type) extractor {
	switch {
	case w.kind == avroBoolean:
		return func(r *reader, _ *Arena, out *Value) {
			if r.boolean() {
				*out = StringValue("1")
			} else {
				*out = StringValue("0")
			}
		}
	case w.kind != avroBytes || w.connect != "io.debezium.data.Bits":
		return nil
	}
	length := 0
	if t.Form == FormBit {
		length = t.Length
	}
	return func(r *reader, a *Arena, out *Value) {
		b := r.bytes()
		if len(b) > maxBits/8 {
			r.fail(errValue)
		}
		if r.err == nil {
			*out = BytesValue(readBits(b, length, a))
		}
	}
}

// maxBits is the greatest number of bits that PostgreSQL has in one value.
const maxBits = 83886080

func extractZonedTime(r *reader, a *Arena, out *Value) {
	b := r.bytes()
	if r.err != nil {
		return
	}
	if len(b) == 0 || b[len(b)-1] != 'Z' {
		*out = BytesValue(b)
		return
	}
	text := a.Bytes(len(b) + 2)
	copy(text, b)
	copy(text[len(b)-1:], "+00")
	*out = BytesValue(text)
}

// hstoreText collects the pairs of an hstore and prints them in PostgreSQL's own order: short keys first.
type hstoreText struct {
	keys   []string
	values map[string]*string
}

func (h *hstoreText) add(key string, value *string) {
	if h.values == nil {
		h.values = map[string]*string{}
	}
	if _, ok := h.values[key]; !ok {
		h.keys = append(h.keys, key)
	}
	h.values[key] = value
}

func (h *hstoreText) text(a *Arena) Value {
	slices.SortFunc(h.keys, func(x, y string) int {
		if len(x) != len(y) {
			return len(x) - len(y)
		}
		if x < y {
			return -1
		}
		return 1
	})
	var text []byte
	for i, key := range h.keys {
		if i > 0 {
			text = append(text, ", "...)
		}
		text = append(appendHstoreQuoted(text, key), "=>"...)
		if value := h.values[key]; value != nil {
			text = appendHstoreQuoted(text, *value)
		} else {
			text = append(text, "NULL"...)
		}
	}
	return keep(a, text)
}

func appendHstoreQuoted(dst []byte, s string) []byte {
	dst = append(dst, '"')
	for i := range len(s) {
		if s[i] == '"' || s[i] == '\\' {
			dst = append(dst, '\\')
		}
		dst = append(dst, s[i])
	}
	return append(dst, '"')
}

func extractHstoreJSON(r *reader, a *Arena, out *Value) {
	b := r.bytes()
	if r.err != nil {
		return
	}
	var h hstoreText
	var pairs map[string]*string
	if err := json.Unmarshal(b, &pairs); err != nil {
		r.fail(errText)
		return
	}
	for key, value := range pairs {
		h.add(key, value)
	}
	*out = h.text(a)
}

func extractHstoreMap(r *reader, a *Arena, out *Value) {
	var h hstoreText
	for n := r.block(2); n > 0; n = r.block(2) {
		for range n {
			key := string(r.bytes())
			if r.long() == 0 {
				h.add(key, nil)
				continue
			}
			value := string(r.bytes())
			h.add(key, &value)
		}
	}
	if r.err == nil {
		*out = h.text(a)
	}
}

// geometricText makes PostgreSQL's text out of the numbers of a record of Debezium's.
type geometricText struct {
	form Form
	buf  []byte
}

func extractGeometric(w *avroType, form Form) extractor {
	if w.kind != avroRecord {
		return nil
	}
	g := &geometricText{form: form}
	switch {
	case form == FormPoint && w.name == geometrySpace+".Point" && w.same("x", "y", "wkb", "srid"):
		return g.point(w)
	case form == FormLine && w.name == geometrySpace+".Line" && w.same("a", "b", "c"):
		return g.line
	case form == FormCircle && w.name == geometrySpace+".Circle" && w.same("center", "radius") && w.fields[0].typ.same("x", "y", "wkb", "srid"):
		return g.circle(w)
	case w.name != geometrySpace+".Geometry" && w.name != geometrySpace+".Geography" || !w.same("wkb", "srid", "extensions") && !w.same("wkb", "srid"):
		return nil
	}
	switch form {
	case FormLseg, FormBox, FormPath, FormPolygon, FormGeometry, FormGeography:
		return g.shape(w)
	}
	return nil
}

// same reports whether a record has these fields, in this order.
func (w *avroType) same(names ...string) bool {
	if w.kind != avroRecord || len(w.fields) != len(names) {
		return false
	}
	for i, name := range names {
		if w.fields[i].name != name {
			return false
		}
	}
	return true
}

func (r *reader) double() float64 {
	if b := r.take(8); len(b) == 8 {
		return math.Float64frombits(binary.LittleEndian.Uint64(b))
	}
	return 0
}

// pair appends (x,y).
func (g *geometricText) pair(x, y float64) {
	g.buf = AppendFloat(append(g.buf, '('), x, false)
	g.buf = append(AppendFloat(append(g.buf, ','), y, false), ')')
}

func (g *geometricText) done(r *reader, a *Arena, out *Value) {
	if r.err == nil {
		*out = keep(a, g.buf)
	}
}

func (g *geometricText) point(w *avroType) extractor {
	wkb, srid := w.fields[2].typ, w.fields[3].typ
	return func(r *reader, a *Arena, out *Value) {
		g.buf = g.buf[:0]
		x, y := r.double(), r.double()
		wkb.skip(r, 0)
		srid.skip(r, 0)
		g.pair(x, y)
		g.done(r, a, out)
	}
}

func (g *geometricText) line(r *reader, a *Arena, out *Value) {
	g.buf = append(g.buf[:0], '{')
	for i := range 3 {
		if i > 0 {
			g.buf = append(g.buf, ',')
		}
		g.buf = AppendFloat(g.buf, r.double(), false)
	}
	g.buf = append(g.buf, '}')
	g.done(r, a, out)
}

func (g *geometricText) circle(w *avroType) extractor {
	center := w.fields[0].typ
	return func(r *reader, a *Arena, out *Value) {
		g.buf = append(g.buf[:0], '<')
		x, y := r.double(), r.double()
		center.fields[2].typ.skip(r, 0)
		center.fields[3].typ.skip(r, 0)
		g.pair(x, y)
		g.buf = append(AppendFloat(append(g.buf, ','), r.double(), false), '>')
		g.done(r, a, out)
	}
}

func (g *geometricText) shape(w *avroType) extractor {
	srid, beside := w.fields[1].typ, w.fields[2:] // extensions, which a geography has not
	return func(r *reader, a *Arena, out *Value) {
		wkb := r.bytes()
		srid.skip(r, 0)
		at := r.at
		for i := range beside {
			beside[i].typ.skip(r, 0)
		}
		if r.err != nil {
			return
		}
		if g.form == FormGeometry || g.form == FormGeography {
			text := a.Bytes(2 * len(wkb))
			hex.Encode(text, wkb)
			for i, c := range text { // PostGIS prints capital letters
				if c >= 'a' {
					text[i] = c - 'a' + 'A'
				}
			}
			*out = BytesValue(text)
			return
		}
		open := g.form == FormPath && isOpen(r.buf[at:r.at])
		if !g.read(wkb, open) {
			r.fail(errValue)
			return
		}
		g.done(r, a, out)
	}
}

// isOpen looks for the word of an open path in the map beside a shape.
func isOpen(extensions []byte) bool {
	const word = "\x0cclosed\x0afalse"
	for i := 0; i+len(word) <= len(extensions); i++ {
		if string(extensions[i:i+len(word)]) == word {
			return true
		}
	}
	return false
}

// read makes the text of a line string or of the one ring of a polygon.
func (g *geometricText) read(wkb []byte, open bool) bool {
	g.buf = g.buf[:0]
	if len(wkb) < 9 || wkb[0] != 1 {
		return false
	}
	points := wkb[9:]
	count := int64(binary.LittleEndian.Uint32(wkb[5:]))
	if binary.LittleEndian.Uint32(wkb[1:]) == wkbPolygon {
		if len(wkb) < 13 || count != 1 {
			return false
		}
		count, points = int64(binary.LittleEndian.Uint32(wkb[9:])), wkb[13:]
	}
	if count*16 != int64(len(points)) || count == 0 {
		return false
	}
	at := func(i int64) (x, y float64) {
		return math.Float64frombits(binary.LittleEndian.Uint64(points[16*i:])), math.Float64frombits(binary.LittleEndian.Uint64(points[16*i+8:]))
	}
	first, last := "(", ")"
	switch {
	case g.form == FormBox:
		if count != 5 {
			return false
		}
		g.pair(at(0))
		g.buf = append(g.buf, ',')
		g.pair(at(2))
		return true
	case g.form == FormLseg || open:
		first, last = "[", "]"
	case g.form == FormPolygon && count > 1:
		count-- // the first point once more
	}
	g.buf = append(g.buf, first...)
	for i := range count {
		if i > 0 {
			g.buf = append(g.buf, ',')
		}
		g.pair(at(i))
	}
	g.buf = append(g.buf, last...)
	return true
}
