package schemas

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/big"
	"strings"
	"unicode/utf8"
)

// extractor reads one value that is not null into out, which is null before. (A Value returned would be copied twice.)
type extractor func(r *reader, a *Arena, out *Value)

// form is how a writer's type becomes a canonical one.
type form struct {
	typ     Type
	extract extractor
}

// formOf finds the canonical type of a writer's type that is not a union. It knows Debezium's names, Connect's, and
// Avro's own logical types.
func formOf(w *avroType) (form, error) {
	switch w.kind {
	case avroBoolean:
		return form{Type{Kind: Bool}, extractBool}, nil
	case avroInt:
		return intForm(w), nil
	case avroLong:
		return longForm(w), nil
	case avroFloat:
		return form{Type{Kind: Float32}, extractFloat32}, nil
	case avroDouble:
		return form{Type{Kind: Float64}, extractFloat64}, nil
	case avroString:
		return stringForm(w), nil
	case avroEnum:
		return symbolForm(w), nil
	case avroBytes, avroFixed:
		return bytesForm(w), nil
	case avroArray:
		return arrayForm(w)
	case avroRecord:
		if w.name == "io.debezium.data.VariableScaleDecimal" {
			return variableForm(w)
		}
	case avroNull:
		return form{}, errors.New("a field that is always null has no canonical type")
	}
	return renderedForm(w), nil
}

func intForm(w *avroType) form {
	switch {
	case w.connect == "io.debezium.time.Date", w.connect == "org.apache.kafka.connect.data.Date", w.logical == "date":
		return form{Type{Kind: Date}, extractDate}
	case w.connect == "io.debezium.time.Time", w.connect == "org.apache.kafka.connect.data.Time", w.logical == "time-millis":
		return form{Type{Kind: Time, Precision: 3}, extractMilliTime}
	case w.connectType == "int16", w.connectType == "int8":
		return form{Type{Kind: Int16}, extractInt16}
	}
	return form{Type{Kind: Int32}, extractInt32}
}

func longForm(w *avroType) form {
	switch w.connect {
	case "io.debezium.time.MicroTime":
		return form{Type{Kind: Time, Precision: 6}, extractTime}
	case "io.debezium.time.NanoTime":
		return form{Type{Kind: Time, Precision: 6}, extractNanoTime}
	case "io.debezium.time.Timestamp", "org.apache.kafka.connect.data.Timestamp":
		return form{Type{Kind: Timestamp, Precision: 3}, extractMillis}
	case "io.debezium.time.MicroTimestamp":
		return form{Type{Kind: Timestamp, Precision: 6}, extractLong}
	case "io.debezium.time.NanoTimestamp":
		return form{Type{Kind: Timestamp, Precision: 6}, extractNanos}
	case "io.debezium.time.MicroDuration":
		return form{Type{Kind: Interval}, extractDuration}
	case "io.debezium.time.NanoDuration":
		return form{Type{Kind: Interval}, extractNanoDuration}
	}
	switch w.logical {
	case "time-micros":
		return form{Type{Kind: Time, Precision: 6}, extractTime}
	case "timestamp-millis":
		return form{Type{Kind: TimestampTZ, Precision: 3}, extractMillis}
	case "timestamp-micros":
		return form{Type{Kind: TimestampTZ, Precision: 6}, extractLong}
	case "timestamp-nanos":
		return form{Type{Kind: TimestampTZ, Precision: 6}, extractNanos}
	case "local-timestamp-nanos":
		return form{Type{Kind: Timestamp, Precision: 6}, extractNanos}
	case "local-timestamp-millis":
		return form{Type{Kind: Timestamp, Precision: 3}, extractMillis}
	case "local-timestamp-micros":
		return form{Type{Kind: Timestamp, Precision: 6}, extractLong}
	}
	return form{Type{Kind: Int64}, extractLong}
}

func stringForm(w *avroType) form {
	switch w.connect {
	case "io.debezium.time.IsoDate":
		return form{Type{Kind: Date}, extractISODate}
	case "io.debezium.time.IsoTime":
		return form{Type{Kind: Time, Precision: 6}, extractISOTime}
	case "io.debezium.time.IsoTimestamp":
		return form{Type{Kind: Timestamp, Precision: 6}, extractZoned}
	case "io.debezium.time.ZonedTimestamp":
		return form{Type{Kind: TimestampTZ, Precision: 6}, extractZoned}
	case "io.debezium.time.Interval":
		return form{Type{Kind: Interval}, extractInterval}
	case "io.debezium.data.Uuid":
		return form{Type{Kind: UUID}, extractUUID}
	case "io.debezium.data.Json":
		return form{Type{Kind: JSON}, extractBytes}
	case "io.debezium.data.Enum":
		return form{Type{Kind: Enum, Labels: strings.Split(w.allowed, ",")}, extractBytes}
	}
	if w.logical == "uuid" {
		return form{Type{Kind: UUID}, extractUUID}
	}
	return form{Type{Kind: String}, extractBytes}
}

func symbolForm(w *avroType) form {
	symbols := w.symbols
	return form{Type{Kind: Enum, Labels: symbols}, func(r *reader, _ *Arena, out *Value) {
		i := r.long()
		if i < 0 || i >= int64(len(symbols)) {
			r.fail(errValue)
			return
		}
		*out = StringValue(symbols[i])
	}}
}

func bytesForm(w *avroType) form {
	take := (*reader).bytes
	if w.kind == avroFixed {
		size := w.size
		take = func(r *reader) []byte { return r.takeFixed(size) }
	}
	switch {
	case w.logical == "uuid" && w.size == 16:
		return form{Type{Kind: UUID}, extractBinaryUUID}
	case w.logical == "duration" && w.size == 12:
		return form{Type{Kind: Interval}, extractAvroDuration}
	case w.logical == "big-decimal" && w.kind == avroBytes:
		return form{Type{Kind: Decimal}, extractBigDecimal}
	case !w.isDecimal():
		return form{Type{Kind: Bytes}, func(r *reader, _ *Arena, out *Value) { *out = BytesValue(take(r)) }}
	}
	if w.connect != "" && signedScale(w.scale) < 0 {
		return unpaddedForm(w, take)
	}
	scale := int64(w.scale)
	extract := func(r *reader, _ *Arena, out *Value) { *out = r.decimal(take(r), scale) }
	if w.kind == avroBytes { // without the second call
		extract = func(r *reader, _ *Arena, out *Value) { *out = r.decimal(r.bytes(), scale) }
	}
	return form{Type{Kind: Decimal, Precision: max(w.precision, 1), Scale: w.scale}, extract}
}

// unpaddedForm reads decimals whose column has a negative scale: what the field has behind the point are zeros, see
// connectScale. They are taken off, so that no target gets thousands of them.
func unpaddedForm(w *avroType, take func(*reader) []byte) form {
	scale := int64(w.scale)
	padding := new(big.Int).Exp(big.NewInt(10), big.NewInt(scale), nil)
	return form{Type{Kind: Decimal, Precision: max(w.precision, 1), Scale: signedScale(w.scale)}, func(r *reader, a *Arena, out *Value) {
		*out = r.decimal(take(r), scale)
		if r.err != nil {
			return
		}
		unscaled, _, _ := out.Decimal()
		n, rest := new(big.Int).QuoRem(bigFromTwos(unscaled), padding, new(big.Int))
		if rest.Sign() == 0 { // else another program has written digits there
			*out = DecimalValue(twosFromBig(n, a), 0)
		}
	}}
}

// isDecimal reports whether bytes are a decimal: Connect's, or Avro's with a precision and scale that Avro allows. With
// others it is no logical type, and they are bytes.
func (w *avroType) isDecimal() bool {
	if w.connect == "org.apache.kafka.connect.data.Decimal" {
		return true
	}
	return w.logical == "decimal" && w.precision > 0 && w.scale >= 0 && w.scale <= w.precision
}

func decimalOf(unscaled []byte, scale int32) Value {
	if len(unscaled) == 0 {
		unscaled = zeroByte
	}
	return DecimalValue(unscaled, scale)
}

func variableForm(w *avroType) (form, error) {
	if len(w.fields) != 2 || w.fields[0].name != "scale" || w.fields[0].typ.kind != avroInt ||
		w.fields[1].name != "value" || w.fields[1].typ.kind != avroBytes {
		return form{}, fmt.Errorf("record %s has other fields than Debezium's", w.name)
	}
	return form{Type{Kind: Decimal}, func(r *reader, _ *Arena, out *Value) {
		scale := r.long()
		*out = r.decimal(r.bytes(), scale)
	}}, nil
}

func arrayForm(w *avroType) (form, error) {
	items, _ := w.items.optional()
	if items.kind == avroArray {
		return renderedForm(w), nil // its rows may differ in length, which no array of a database's may
	}
	elem, err := formOf(items)
	if err != nil {
		return form{}, err
	}
	extract, err := extractAs(w, &Type{Kind: Array, Elem: &elem.typ})
	return form{Type{Kind: Array, Elem: &elem.typ}, extract}, err
}

// extractAs compiles how a writer's type, null aside, becomes a value of type t. Where the canonical type of what was
// written is another one than t, the value goes through its text.
func extractAs(w *avroType, t *Type) (extractor, error) {
	if x := extractForm(w, t); x != nil {
		return x, nil
	}
	// Items that are arrays themselves are those of one vector each, or the writer's are no rows that a database has.
	if elem := innermost(t); w.kind == avroArray && t.Kind == Array && (w.items.kind != avroArray || extractForm(w.items, elem) != nil) {
		one, err := fieldExtractor(w.items, elem)
		if err != nil {
			return nil, err
		}
		return arrayExtractor(one, w.items.least), nil
	}
	if w.kind == avroUnion && t.Kind != JSON {
		return branchExtractor(w, t)
	}
	f, err := formOf(w)
	if err != nil {
		return nil, err
	}
	switch {
	case sameForm(&f.typ, t):
		return f.extract, nil
	case t.Kind == Bytes && (f.typ.Kind == String || f.typ.Kind == Enum || f.typ.Kind == JSON):
		return f.extract, nil // Avro's promotion: the bytes are the text's
	case f.typ.Kind == Bytes && (t.Kind == String || t.Kind == Enum || t.Kind == JSON):
		return asText(f.extract), nil // and the other way round
	}
	return throughText(f, t), nil
}

// sameForm reports whether every value of type from is one of type to, as it stands.
func sameForm(from, to *Type) bool {
	switch from.Kind {
	case Int16:
		return to.Kind == Int16 || to.Kind == Int32 || to.Kind == Int64
	case Int32:
		return to.Kind == Int32 || to.Kind == Int64
	case Float32:
		return to.Kind == Float32 || to.Kind == Float64
	case String, Enum, JSON:
		return to.Kind == String || to.Kind == Enum || to.Kind == JSON
	case UUID:
		return to.Kind == UUID || to.Kind == String
	case Array:
		return to.Kind == Array && sameForm(from.Elem, to.Elem)
	}
	return from.Kind == to.Kind
}

// asText reads bytes as text.
func asText(extract extractor) extractor {
	return func(r *reader, a *Arena, out *Value) {
		if extract(r, a, out); r.err == nil && !utf8.Valid(out.Bytes()) {
			r.fail(errText)
		}
	}
}

func throughText(f form, t *Type) extractor {
	var text []byte
	var v Value
	return func(r *reader, a *Arena, out *Value) {
		v = Value{}
		f.extract(r, a, &v)
		if r.err != nil || v.IsNull() { // JSON that is null
			return
		}
		text = AppendText(text[:0], &f.typ, v)
		kept := a.Bytes(len(text))
		copy(kept, text)
		parsed, err := ParseText(kept, t, a)
		if err != nil {
			r.fail(errText)
		}
		*out = parsed
	}
}

// fieldExtractor is extractAs for a field or item that may be a union with null.
func fieldExtractor(w *avroType, t *Type) (extractor, error) {
	inner, _ := w.optional()
	one, err := extractAs(inner, t)
	if err != nil || w.kind != avroUnion || inner.kind == avroUnion { // of several types: read as it is
		return one, err
	}
	null := nullBranch(w)
	return func(r *reader, a *Arena, out *Value) {
		switch i := r.long(); {
		case i < 0 || i >= int64(len(w.branches)):
			r.fail(errBranch)
			return
		case i == null:
			return
		}
		one(r, a, out)
	}, nil
}

// branchExtractor compiles how each branch of a union of several types becomes a value of type t: as JSON text would have
// quotes.
func branchExtractor(w *avroType, t *Type) (extractor, error) {
	branches := make([]extractor, len(w.branches))
	for i, b := range w.branches {
		if b.kind == avroNull {
			branches[i] = func(*reader, *Arena, *Value) {}
			continue
		}
		var err error
		if branches[i], err = extractAs(b, t); err != nil {
			return nil, err
		}
	}
	return func(r *reader, a *Arena, out *Value) {
		i := r.long()
		if i < 0 || i >= int64(len(branches)) {
			r.fail(errBranch)
			return
		}
		branches[i](r, a, out)
	}, nil
}

// nullBranch is the index of null in a union, -1 where it has none.
func nullBranch(w *avroType) int64 {
	for i, b := range w.branches {
		if b.kind == avroNull {
			return int64(i)
		}
	}
	return -1
}

func arrayExtractor(one extractor, least int) extractor {
	var more []Value // for arrays of several blocks, whose length only their end tells
	return func(r *reader, a *Arena, out *Value) {
		n := r.block(least)
		values := a.Values(n)
		for i := range values {
			if one(r, a, &values[i]); r.err != nil {
				return
			}
		}
		if n == 0 {
			*out = ArrayValue(values)
			return
		}
		if n = r.block(least); n == 0 {
			*out = ArrayValue(values)
			return
		}
		more = append(more[:0], values...)
		for ; n > 0; n = r.block(least) {
			for range n {
				more = append(more, Value{})
				if one(r, a, &more[len(more)-1]); r.err != nil {
					return
				}
			}
		}
		values = a.Values(len(more))
		copy(values, more)
		*out = ArrayValue(values)
	}
}

func extractBool(r *reader, _ *Arena, out *Value) { *out = BoolValue(r.boolean()) }

func extractInt16(r *reader, _ *Arena, out *Value) {
	v := r.long()
	if v != int64(int16(v)) {
		r.fail(errValue)
	}
	*out = IntValue(v)
}

func extractInt32(r *reader, _ *Arena, out *Value) { *out = IntValue(r.int()) }

// int reads an Avro int.
func (r *reader) int() int64 {
	v := r.long()
	if v != int64(int32(v)) {
		r.fail(errValue)
	}
	return v
}

func extractLong(r *reader, _ *Arena, out *Value) { *out = IntValue(r.long()) }

func extractFloat32(r *reader, _ *Arena, out *Value) {
	b := r.take(4)
	if len(b) == 0 {
		return
	}
	*out = FloatValue(float64(math.Float32frombits(binary.LittleEndian.Uint32(b))))
}

func extractFloat64(r *reader, _ *Arena, out *Value) {
	b := r.take(8)
	if len(b) == 0 {
		return
	}
	*out = FloatValue(math.Float64frombits(binary.LittleEndian.Uint64(b)))
}

func extractBytes(r *reader, _ *Arena, out *Value) { *out = BytesValue(r.bytes()) }

func extractDate(r *reader, _ *Arena, out *Value) {
	switch days := r.int(); days {
	case datePosInfinity:
		*out = IntValue(PosInfinity)
	case dateNegInfinity:
		*out = IntValue(NegInfinity)
	default:
		*out = IntValue(days)
	}
}

// timeOfDay is a time, or the text of one that is none of a day: MySQL's times are spans of up to 838 hours.
func timeOfDay(micros int64, a *Arena) Value {
	if micros >= 0 && micros <= microsPerDay {
		return IntValue(micros)
	}
	var room [32]byte
	text := room[:0]
	span := uint64(micros)
	if micros < 0 {
		text, span = append(text, '-'), -span
	}
	const second = microsPerSecond
	text = appendPadded(text, span/(3600*second), 2)
	text = appendPadded(append(text, ':'), span/(60*second)%60, 2)
	text = appendPadded(append(text, ':'), span/second%60, 2)
	if rest := span % second; rest > 0 {
		text = appendPadded(append(text, '.'), rest, 6)
	}
	kept := a.Bytes(len(text))
	copy(kept, text)
	return UnrepresentableValue(kept)
}

func extractTime(r *reader, a *Arena, out *Value) { *out = timeOfDay(r.long(), a) }

func extractMilliTime(r *reader, a *Arena, out *Value) { *out = timeOfDay(r.int()*1000, a) }

func extractNanoTime(r *reader, a *Arena, out *Value) {
	micros, _ := floorDiv(r.long(), 1000)
	*out = timeOfDay(micros, a)
}

// extractBinaryUUID reads the 16 bytes of a uuid.
func extractBinaryUUID(r *reader, a *Arena, out *Value) {
	b := r.take(16)
	if r.err != nil {
		return
	}
	text := a.Bytes(36)
	n := 0
	for i, c := range b {
		if i == 4 || i == 6 || i == 8 || i == 10 {
			text[n] = '-'
			n++
		}
		const hexDigits = "0123456789abcdef"
		text[n], text[n+1] = hexDigits[c>>4], hexDigits[c&15]
		n += 2
	}
	*out = BytesValue(text)
}

// extractAvroDuration reads months, days and milliseconds, three little-endian numbers without sign.
func extractAvroDuration(r *reader, a *Arena, out *Value) {
	b := r.take(12)
	if r.err != nil {
		return
	}
	months, days, millis := binary.LittleEndian.Uint32(b), binary.LittleEndian.Uint32(b[4:]), binary.LittleEndian.Uint32(b[8:])
	if months <= math.MaxInt32 && days <= math.MaxInt32 {
		*out = IntervalValue(int32(months), int32(days), int64(millis)*1000)
		return
	}
	text := fmt.Appendf(nil, "P%dM%dDT%d.%03dS", months, days, millis/1000, millis%1000)
	kept := a.Bytes(len(text))
	copy(kept, text)
	*out = UnrepresentableValue(kept)
}

// extractBigDecimal reads a decimal with its own scale: bytes that hold the unscaled number, again as bytes, and an int.
func extractBigDecimal(r *reader, _ *Arena, out *Value) {
	inner := reader{buf: r.bytes()}
	unscaled := inner.bytes()
	scale := inner.int()
	if inner.err != nil || inner.at != len(inner.buf) {
		r.fail(errValue)
	}
	*out = r.decimal(unscaled, scale)
}

func extractMillis(r *reader, _ *Arena, out *Value) {
	millis := r.long()
	switch {
	case millis == millisPosInfinity:
		*out = IntValue(PosInfinity)
	case millis == millisNegInfinity:
		*out = IntValue(NegInfinity)
	case millis > math.MaxInt64/1000 || millis < math.MinInt64/1000:
		r.fail(errValue)
	default:
		*out = IntValue(millis * 1000)
	}
}

func extractNanos(r *reader, _ *Arena, out *Value) {
	nanos := r.long()
	if isInfinite(nanos) {
		*out = IntValue(nanos)
		return
	}
	micros, _ := floorDiv(nanos, 1000)
	*out = IntValue(micros)
}

func extractISODate(r *reader, _ *Arena, out *Value) {
	b := r.bytes()
	if r.err != nil {
		return
	}
	if n := len(b); n > 0 && b[n-1] == 'Z' {
		b = b[:n-1]
	}
	days, err := parseISODate(b)
	if err != nil {
		r.fail(errText)
	}
	*out = IntValue(days)
}

// parseISODate reads a date whose year may have a sign: before the year 1 there is a year 0.
func parseISODate(b []byte) (int64, error) {
	s := scanner{rest: b}
	negative := s.take('-')
	if !negative {
		s.take('+')
	}
	y := s.number(4, 9)
	s.expect('-')
	m := s.number(2, 2)
	s.expect('-')
	d := s.number(2, 2)
	if negative {
		y = -y
	}
	if s.bad == nil && (m < 1 || m > 12 || d < 1 || int(d) > daysIn(y, int(m))) {
		s.bad = errNoDateTime
	}
	if err := s.finish("date", b); err != nil {
		return 0, err
	}
	return daysOf(y, int(m), int(d)), nil
}

func extractISOTime(r *reader, _ *Arena, out *Value) {
	b := r.bytes()
	if n := len(b); n > 0 && b[n-1] == 'Z' {
		b = b[:n-1]
	}
	if r.err != nil {
		return
	}
	micros, err := ParseTime(b)
	if err != nil {
		r.fail(errText)
	}
	*out = IntValue(micros)
}

func extractDuration(r *reader, _ *Arena, out *Value) { *out = IntervalValue(0, 0, r.long()) }

func extractNanoDuration(r *reader, _ *Arena, out *Value) { *out = IntervalValue(0, 0, r.long()/1000) }

func extractInterval(r *reader, _ *Arena, out *Value) {
	b := r.bytes()
	if r.err != nil {
		return
	}
	months, days, micros, err := ParseInterval(b)
	if err != nil {
		*out = unreadable(r, b, err)
		return
	}
	*out = IntervalValue(months, days, micros)
}

// unreadable keeps the text of a value that is right but outside the canonical range, and refuses any other.
func unreadable(r *reader, text []byte, err error) Value {
	if errors.Is(err, ErrRange) {
		return UnrepresentableValue(text)
	}
	r.fail(errText)
	return Value{}
}

func extractZoned(r *reader, _ *Arena, out *Value) {
	b := r.bytes()
	if r.err != nil {
		return
	}
	if micros, ok := parseZoned(b); ok {
		*out = IntValue(micros)
		return
	}
	micros, err := ParseTimestampTZ(b)
	if err != nil {
		*out = unreadable(r, b, err)
		return
	}
	*out = IntValue(micros)
}

// parseZoned reads the one form that nearly every timestamp has: "2025-01-01T09:00:00.000000Z".
func parseZoned(b []byte) (int64, bool) {
	if len(b) != 27 || b[4] != '-' || b[7] != '-' || b[10] != 'T' || b[13] != ':' || b[16] != ':' || b[19] != '.' || b[26] != 'Z' {
		return 0, false
	}
	ok := true
	number := func(from, to int) int64 {
		var v int64
		for _, c := range b[from:to] {
			d := c - '0'
			ok = ok && d <= 9
			v = v*10 + int64(d)
		}
		return v
	}
	y, m, d := number(0, 4), int(number(5, 7)), int(number(8, 10))
	hour, minute, second, micro := number(11, 13), number(14, 16), number(17, 19), number(20, 26)
	if !ok || m < 1 || m > 12 || d < 1 || d > daysIn(y, m) || hour > 23 || minute > 59 || second > 59 {
		return 0, false
	}
	return daysOf(y, m, d)*microsPerDay + (hour*3600+minute*60+second)*microsPerSecond + micro, true
}

func extractUUID(r *reader, a *Arena, out *Value) {
	b := r.bytes()
	if r.err != nil {
		return
	}
	if len(b) == 0 { // what Debezium puts into a NOT NULL field whose value it does not know
		return
	}
	v, err := parseUUIDText(b, a)
	if err != nil {
		r.fail(errText)
	}
	*out = v
}
