package schemas

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"math"
	"strconv"
)

// The geometric types of PostgreSQL, PostGIS and pgvector as Debezium writes them: records with their numbers, with the
// well-known binary form of the OpenGIS consortium, or arrays of numbers. The value is PostgreSQL's text, such as
// [(0,0),(1,1)]; what is written says the same, so that the text can be made of it again.

// geometricOutput returns false for a form that is none of these. Debezium lets the fields of all shapes but points be null, and
// so the items of their arrays.
func geometricOutput(form Form) (output, bool) {
	out := output{reads: readsNothing}
	var print func(w *schemaWriter)
	switch form {
	case FormPoint:
		print, out.append, out.required = (*schemaWriter).point, appendPoint, true
	case FormLine:
		print, out.append, out.optional = (*schemaWriter).lineRecord, appendLine, true
	case FormCircle:
		print, out.append, out.optional = (*schemaWriter).circle, appendCircle, true
	case FormLseg, FormBox, FormPath, FormPolygon:
		print, out.append, out.optional = (*schemaWriter).geometry, newShape(form).append, true
		if form == FormPath {
			out.unknown = unknownPath()
		}
	case FormGeometry:
		print, out.append, out.optional = (*schemaWriter).geometry, appendGeometry, true
	case FormGeography:
		print, out.append = (*schemaWriter).geography, appendEWKB
	case FormVector:
		print, out.append, out.required = (*schemaWriter).doubleVector, vectorAppender(64), true
	case FormHalfVec:
		print, out.append, out.required = (*schemaWriter).floatVector, vectorAppender(32), true
	case FormSparseVec:
		print, out.append, out.required = (*schemaWriter).sparseVector, appendSparseVector, true
	default:
		return output{}, false
	}
	out.print = func(w *schemaWriter, _ string) { print(w) }
	return out, true
}

const geometrySpace = "io.debezium.data.geometry"

func (w *schemaWriter) point() {
	w.common(geometrySpace, "Point", `"fields":[{"name":"x","type":"double"},{"name":"y","type":"double"},{"name":"wkb","type":["null","bytes"],"default":null},`+
		`{"name":"srid","type":["null","int"],"default":null}],"connect.doc":"Geometry (POINT)","connect.version":1`)
}

func (w *schemaWriter) lineRecord() {
	w.common(geometrySpace, "Line", `"fields":[{"name":"a","type":"double"},{"name":"b","type":"double"},{"name":"c","type":"double"}],"connect.doc":"Geometry (LINE)","connect.version":1`)
}

const geometryFields = `"fields":[{"name":"wkb","type":"bytes"},{"name":"srid","type":["null","int"],"default":null}`

func (w *schemaWriter) geometry() {
	w.common(geometrySpace, "Geometry", geometryFields+
		`,{"name":"extensions","type":["null",{"type":"map","values":"string"}],"default":null}],"connect.doc":"Geometry","connect.version":2`)
}

func (w *schemaWriter) geography() {
	w.common(geometrySpace, "Geography", geometryFields+`],"connect.doc":"Geography","connect.version":1`)
}

// circle has a point inside, which is in the same namespace and so goes by its short name there.
func (w *schemaWriter) circle() {
	if w.used(geometrySpace + ".Circle") {
		return
	}
	w.WriteString(`{"type":"record","name":"Circle","namespace":"` + geometrySpace + `","fields":[{"name":"center","type":`)
	space := w.space
	w.space = geometrySpace
	w.point()
	w.space = space
	w.WriteString(`},{"name":"radius","type":"double"}],"connect.doc":"Geometry (CIRCLE)","connect.version":1,"connect.name":"` + geometrySpace + `.Circle"}`)
}

// numbers reads the floating-point numbers out of a text, whatever stands between them.
type numbers struct{ rest []byte }

func isNumberByte(c byte) bool {
	return c >= '0' && c <= '9' || c == '-' || c == '+' || c == '.' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}

func (n *numbers) next() (f float64, ok bool) {
	i := 0
	for i < len(n.rest) && !isNumberByte(n.rest[i]) {
		i++
	}
	from := i
	for i < len(n.rest) && isNumberByte(n.rest[i]) {
		i++
	}
	if from == i {
		n.rest = nil
		return 0, false
	}
	f, err := strconv.ParseFloat(alias(n.rest[from:i]), 64)
	n.rest = n.rest[i:]
	return f, err == nil
}

// done reports whether no number is left.
func (n *numbers) done() bool {
	return bytes.IndexFunc(n.rest, func(r rune) bool { return r < 128 && isNumberByte(byte(r)) }) < 0
}

func appendDouble(dst []byte, f float64) []byte {
	bits := math.Float64bits(f)
	if f != f {
		bits = 0x7ff8000000000000 // the one NaN that Java writes
	}
	return binary.LittleEndian.AppendUint64(dst, bits)
}

// The types of a well-known binary form, each after the byte that says that the lowest byte of a number comes first.
const (
	wkbPoint      = 1
	wkbLineString = 2
	wkbPolygon    = 3
)

func appendWKBHead(dst []byte, kind uint32) []byte {
	return binary.LittleEndian.AppendUint32(append(dst, 1), kind)
}

// exactNumbers reads exactly len(out) numbers.
func exactNumbers(v Value, out []float64) bool {
	n := numbers{v.Bytes()}
	for i := range out {
		var ok bool
		if out[i], ok = n.next(); !ok {
			return false
		}
	}
	return n.done()
}

func appendPointOf(dst []byte, x, y float64) []byte {
	dst = appendDouble(appendDouble(dst, x), y)
	const wkbSize = 1 + 4 + 16
	dst = appendLong(append(dst, 2), wkbSize)
	dst = appendDouble(appendDouble(appendWKBHead(dst, wkbPoint), x), y)
	return append(dst, 0) // srid
}

func appendPoint(dst []byte, v Value) ([]byte, fit) {
	var at [2]float64
	if v.kind != KindBytes {
		return dst, fitsWrongly
	}
	if !exactNumbers(v, at[:]) {
		return dst, fitsNot
	}
	return appendPointOf(dst, at[0], at[1]), fitsExactly
}

func appendLine(dst []byte, v Value) ([]byte, fit) {
	var abc [3]float64
	if v.kind != KindBytes {
		return dst, fitsWrongly
	}
	if !exactNumbers(v, abc[:]) {
		return dst, fitsNot
	}
	for _, f := range abc {
		dst = appendDouble(dst, f)
	}
	return dst, fitsExactly
}

func appendCircle(dst []byte, v Value) ([]byte, fit) {
	var c [3]float64
	if v.kind != KindBytes {
		return dst, fitsWrongly
	}
	if !exactNumbers(v, c[:]) {
		return dst, fitsNot
	}
	return appendDouble(appendPointOf(dst, c[0], c[1]), c[2]), fitsExactly
}

// shape appends what consists of points: its kind stands in the map beside the binary form.
type shape struct {
	form   Form
	points []float64 // reused; x and y in turn
	wkb    []byte    // reused
}

func newShape(form Form) *shape { return &shape{form: form} }

func (s *shape) append(dst []byte, v Value) ([]byte, fit) {
	if v.kind != KindBytes {
		return dst, fitsWrongly
	}
	text := v.Bytes()
	if !s.read(text) {
		return dst, fitsNot
	}
	how := fitsExactly
	s.wkb = s.wkb[:0]
	switch s.form {
	case FormBox:
		s.box()
	case FormPolygon:
		if s.closed() {
			how = fitsRoughly // whether the last point was there already is not seen afterwards
		}
		s.polygon()
	default:
		s.wkb = appendWKBHead(s.wkb, wkbLineString)
		s.appendPoints(len(s.points) / 2)
	}
	dst = appendBytes(dst, s.wkb)
	dst = append(dst, 0, 2) // srid; extensions
	if s.form == FormPath {
		dst = appendBytes(appendLong(dst, 2), "closed")
		dst = appendBytes(dst, strconv.FormatBool(text[0] == '('))
	} else {
		dst = appendLong(dst, 1)
	}
	dst = appendBytes(appendBytes(dst, "type"), string(s.form))
	return append(dst, 0), how
}

func (s *shape) read(text []byte) bool {
	s.points = s.points[:0]
	for n := (numbers{text}); !n.done(); {
		f, ok := n.next()
		if !ok {
			return false
		}
		s.points = append(s.points, f)
	}
	n := len(s.points)
	switch s.form {
	case FormBox, FormLseg:
		return n == 4
	}
	return n > 0 && n%2 == 0
}

// closed reports whether the last point of several is the first.
func (s *shape) closed() bool {
	n := len(s.points)
	return n > 2 && s.points[0] == s.points[n-2] && s.points[1] == s.points[n-1]
}

func (s *shape) appendPoints(count int) {
	s.wkb = binary.LittleEndian.AppendUint32(s.wkb, uint32(count))
	for _, f := range s.points {
		s.wkb = appendDouble(s.wkb, f)
	}
}

func (s *shape) polygon() {
	s.wkb = binary.LittleEndian.AppendUint32(appendWKBHead(s.wkb, wkbPolygon), 1)
	n := len(s.points) / 2
	again := n > 1 && !s.closed()
	if again {
		n++
	}
	s.appendPoints(n)
	if again {
		s.wkb = appendDouble(appendDouble(s.wkb, s.points[0]), s.points[1])
	}
}

// unknownPath is the path of Debezium's that stands for one that is not known: it does not say whether it is closed.
func unknownPath() []byte {
	s := newShape(FormPath)
	s.points = []float64{0, 0, 1, 0}
	s.wkb = appendWKBHead(nil, wkbLineString)
	s.appendPoints(2)
	dst := append(appendBytes(nil, s.wkb), 0, 2) // srid; extensions
	dst = appendBytes(appendLong(dst, 1), "type")
	return append(appendBytes(dst, string(FormPath)), 0)
}

// box goes around the corners, beginning at the upper right one.
func (s *shape) box() {
	x1, y1, x2, y2 := s.points[0], s.points[1], s.points[2], s.points[3]
	s.wkb = binary.LittleEndian.AppendUint32(appendWKBHead(s.wkb, wkbPolygon), 1)
	s.wkb = binary.LittleEndian.AppendUint32(s.wkb, 5)
	for _, f := range [...]float64{x1, y1, x1, y2, x2, y2, x2, y1, x1, y1} {
		s.wkb = appendDouble(s.wkb, f)
	}
}

// sridFlag is the bit of PostGIS's binary form that says that the number of a reference system follows.
const sridFlag = 0x20000000

// appendGeometry is appendEWKB and no extensions, which the record of a geometry has a field for.
func appendGeometry(dst []byte, v Value) ([]byte, fit) {
	dst, f := appendEWKB(dst, v)
	if f == fitsExactly {
		dst = append(dst, 0)
	}
	return dst, f
}

// appendEWKB appends what PostGIS prints: its own binary form in hexadecimal digits, and the number of the reference system.
func appendEWKB(dst []byte, v Value) ([]byte, fit) {
	if v.kind != KindBytes {
		return dst, fitsWrongly
	}
	text := v.Bytes()
	start := len(dst)
	dst = appendLong(dst, int64(len(text)/2))
	at := len(dst)
	var err error
	if dst, err = hex.AppendDecode(dst, text); err != nil || len(dst)-at < 5 {
		return dst[:start], fitsNot
	}
	order := binary.ByteOrder(binary.BigEndian)
	if dst[at] == 1 {
		order = binary.LittleEndian
	}
	if ewkb := dst[at:]; order.Uint32(ewkb[1:])&sridFlag != 0 && len(ewkb) >= 9 {
		return appendLong(append(dst, 2), int64(int32(order.Uint32(ewkb[5:])))), fitsExactly
	}
	return append(dst, 0), fitsExactly
}
