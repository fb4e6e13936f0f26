package schemas

import (
	"strconv"
	"strings"
)

// output is how the values of one type are written: the Avro type, and the function that appends a value.
type output struct {
	// print prints the Avro type; literal is its default as JSON, "" for none.
	print  func(w *schemaWriter, literal string)
	append appender
	reads  bodyKind
	// omitted says that Debezium has no form for the type: the column's field is one that it does not have, and may be null.
	omitted bool
	// optional says that Debezium lets the field be null though the column is NOT NULL.
	optional bool
	// required says that the items of an array are no unions with null.
	required bool
	// unknown is what a NOT NULL field holds where the value is not known, as it is written; nil where that is the form of unknownOf.
	unknown []byte
}

// bodyKind says how the Avro form of a value is read back, where it is shown as JSON: in a default, in a header.
type bodyKind uint8

const (
	readsText bodyKind = iota
	readsNumber
	readsBytes
	readsBool
	readsFloat
	readsDouble
	readsVariable // a number with a scale of its own
	readsNothing
)

// debeziumOutput is the output of [TypesDebezium], in the type's handling mode.
func debeziumOutput(t *Type) output {
	switch t.Kind {
	case Bool:
		return plainOutput("boolean", appendBool, readsBool)
	case Int16:
		return output{print: (*schemaWriter).int16, append: appendInt16, reads: readsNumber}
	case Int32:
		return plainOutput("int", appendInt32, readsNumber)
	case Int64:
		return plainOutput("long", appendInt64, readsNumber)
	case Float32:
		return plainOutput("float", appendFloat32, readsFloat)
	case Float64:
		return plainOutput("double", appendFloat64, readsDouble)
	case Decimal:
		return decimalOutput(t)
	case String:
		return stringOutput(t)
	case Bytes:
		if t.Form == FormUnknown {
			return opaqueOutput(t)
		}
		return bytesOutput(t)
	case Date:
		return dateOutput(t)
	case Time:
		return timeOutput(t)
	case Timestamp:
		return timestampOutput(t)
	case TimestampTZ:
		out := namedOutput("string", "io.debezium.time.ZonedTimestamp", newZoned(t.Precision).append, readsText)
		out.unknown = appendBytes(nil, "1970-01-01T00:00:00Z") // whatever the precision
		return out
	case Interval:
		if t.Mode == ModeString {
			return namedOutput("string", "io.debezium.time.Interval", appendWholeInterval, readsText)
		}
		return namedOutput("long", "io.debezium.time.MicroDuration", appendDuration, readsNumber)
	case UUID:
		return namedOutput("string", "io.debezium.data.Uuid", appendText, readsText)
	case JSON:
		return namedOutput("string", "io.debezium.data.Json", appendText, readsText)
	case Enum:
		return enumOutput(t)
	case Array:
		return arrayOutput(t)
	}
	return plainOutput("string", appendText, readsText)
}

func plainOutput(avro string, a appender, reads bodyKind) output {
	return output{print: func(w *schemaWriter, literal string) { w.plain(avro, literal) }, append: a, reads: reads}
}

func namedOutput(avro, name string, a appender, reads bodyKind) output {
	return output{print: func(w *schemaWriter, literal string) { w.named(avro, "", name, literal) }, append: a, reads: reads}
}

// logicalOutput is for the types of Connect's own that are logical types of Avro's too.
func logicalOutput(avro, name, logical string, a appender) output {
	return output{print: func(w *schemaWriter, literal string) {
		w.WriteString(`{"type":"` + avro + `","connect.version":1,`)
		w.defaultProp(literal)
		w.WriteString(`"connect.name":"org.apache.kafka.connect.data.` + name + `","logicalType":"` + logical + `"}`)
	}, append: a, reads: readsNumber}
}

func decimalOutput(t *Type) output {
	scale := connectScale(t)
	switch {
	case t.Mode == ModeDouble:
		return plainOutput("double", appendDecimalDouble(t), readsDouble)
	case t.Mode == ModeString:
		return plainOutput("string", appendDecimalString, readsText)
	case t.Form == FormMoney:
		a := func(dst []byte, v Value) ([]byte, fit) { return appendScaledDecimal(dst, v, scale) }
		return output{print: func(w *schemaWriter, literal string) { w.money(scale, literal) }, append: a, reads: readsBytes}
	case t.Precision == 0:
		return output{print: func(w *schemaWriter, _ string) { w.variableDecimal() }, append: appendVariableDecimal, reads: readsVariable}
	}
	a := func(dst []byte, v Value) ([]byte, fit) { return appendScaledDecimal(dst, v, scale) }
	return output{print: func(w *schemaWriter, literal string) { w.decimal(t, literal) }, append: a, reads: readsBytes}
}

// textForms are the forms that Debezium writes as a plain string with the text that the server gives.
var textForms = map[Form]bool{
	"": true, "citext": true, "name": true, "char": true, "inet": true, "cidr": true, "macaddr": true, "macaddr8": true, "isbn": true,
	"int4range": true, "int8range": true, "numrange": true, "tsrange": true, "tstzrange": true, "daterange": true,
}

func stringOutput(t *Type) output {
	if textForms[t.Form] {
		out := plainOutput("string", appendText, readsText)
		out.required = t.Form == "isbn"
		return out
	}
	switch t.Form {
	case FormXML:
		return namedOutput("string", "io.debezium.data.Xml", appendText, readsText)
	case FormLtree:
		return namedOutput("string", "io.debezium.data.Ltree", appendText, readsText)
	case FormTSVector:
		out := namedOutput("string", "io.debezium.data.Tsvector", appendText, readsText)
		out.required = true
		return out
	case FormTimeTZ:
		return namedOutput("string", "io.debezium.time.ZonedTime", appendZonedTime, readsText)
	case FormLabel:
		return enumOutput(&Type{Kind: Enum})
	case FormBit, FormVarbit:
		return bitsOutput(t)
	case FormHstore:
		if t.Mode == ModeMap {
			return output{print: func(w *schemaWriter, _ string) { w.WriteString(`{"type":"map","values":["null","string"]}`) }, append: appendHstoreMap, reads: readsNothing}
		}
		return namedOutput("string", "io.debezium.data.Json", newHstoreJSON().append, readsText)
	}
	if out, ok := geometricOutput(t.Form); ok {
		return out
	}
	out := plainOutput("string", appendText, readsText)
	out.omitted = true
	return out
}

func bitsOutput(t *Type) output {
	if t.Length == 1 {
		return plainOutput("boolean", appendBit, readsBool)
	}
	length := t.Length
	if length == 0 {
		length = 1<<31 - 1
	}
	parameters := `{"length":"` + strconv.Itoa(length) + `"}`
	print := func(w *schemaWriter, literal string) { w.named("bytes", parameters, "io.debezium.data.Bits", literal) }
	return output{print: print, append: bitsAppender(t.Form == FormBit), reads: readsBytes}
}

func bytesOutput(t *Type) output {
	if a := encodedBytes(t.Mode); a != nil {
		return plainOutput("string", a, readsText)
	}
	return plainOutput("bytes", appendText, readsBytes)
}

// opaqueOutput is that of texts as bytes, in arrays of which Debezium knows no null.
func opaqueOutput(t *Type) output {
	out := bytesOutput(t)
	out.required = true
	return out
}

func dateOutput(t *Type) output {
	switch t.Mode {
	case ModeConnect:
		return logicalOutput("int", "Date", "date", appendDateField)
	case ModeISOString:
		return namedOutput("string", "io.debezium.time.IsoDate", appendISODate, readsText)
	}
	return namedOutput("int", "io.debezium.time.Date", appendDateField, readsNumber)
}

func timeOutput(t *Type) output {
	switch {
	case t.Mode == ModeConnect:
		return logicalOutput("int", "Time", "time-millis", appendMilliTime)
	case t.Mode == ModeISOString:
		return namedOutput("string", "io.debezium.time.IsoTime", appendISOTime, readsText)
	case t.Mode == ModeNanoseconds:
		return namedOutput("long", "io.debezium.time.NanoTime", appendNanos, readsNumber)
	case t.Mode == "" && t.Precision <= 3:
		return namedOutput("int", "io.debezium.time.Time", appendMilliTime, readsNumber)
	}
	return namedOutput("long", "io.debezium.time.MicroTime", appendInt64, readsNumber)
}

func timestampOutput(t *Type) output {
	switch {
	case t.Mode == ModeConnect:
		return logicalOutput("long", "Timestamp", "timestamp-millis", appendMilliTimestamp)
	case t.Mode == ModeISOString:
		return namedOutput("string", "io.debezium.time.IsoTimestamp", newZoned(anyDigits).appendFinite, readsText)
	case t.Mode == ModeNanoseconds:
		return namedOutput("long", "io.debezium.time.NanoTimestamp", appendNanos, readsNumber)
	case t.Mode == "" && t.Precision <= 3:
		return namedOutput("long", "io.debezium.time.Timestamp", appendMilliTimestamp, readsNumber)
	}
	return namedOutput("long", "io.debezium.time.MicroTimestamp", appendInt64, readsNumber)
}

func enumOutput(t *Type) output {
	parameters := `{"allowed":` + quoteJSON(strings.Join(t.Labels, ",")) + `}`
	print := func(w *schemaWriter, literal string) { w.named("string", parameters, "io.debezium.data.Enum", literal) }
	return output{print: print, append: appendText, reads: readsText, required: true}
}

// unmappedElements are types that Debezium writes, and whose arrays it leaves out.
var unmappedElements = map[Form]bool{FormMoney: true, "name": true, FormVarbit: true, FormXML: true, FormPoint: true, FormUnknown: true}

// arrayOutput writes one dimension. Of an array of bits Debezium registers the type of one element and writes null: the
// schema is the same here, and the header beside it has the value; where the column is NOT NULL the field holds the zero of one element.
func arrayOutput(t *Type) output {
	elem := innermost(t.Elem)
	one := debeziumOutput(elem)
	switch {
	case elem.Kind == Interval, elem.Kind != Bytes && unmappedElements[elem.Form], one.omitted:
		out := plainOutput("string", arrayTextAppender(t), readsText)
		out.omitted = true
		return out
	case elem.Form == FormBit:
		zero, _ := one.append(nil, zeroOf(elem))
		return output{print: one.print, append: appendNever, reads: readsNothing, unknown: zero}
	}
	print := func(w *schemaWriter, _ string) { w.array(&one) }
	return output{print: print, append: arrayAppender(one.append, one.required), reads: readsNothing}
}

func (w *schemaWriter) array(one *output) {
	w.WriteString(`{"type":"array","items":`)
	if one.required {
		one.print(w, "")
	} else {
		w.WriteString(`["null",`)
		one.print(w, "")
		w.WriteByte(']')
	}
	w.WriteByte('}')
}

func (w *schemaWriter) int16(literal string) {
	w.WriteString(`{"type":"int",`)
	w.defaultProp(literal)
	w.WriteString(`"connect.type":"int16"}`)
}

// money prints a decimal that does not say how many digits it has.
func (w *schemaWriter) money(scale int32, literal string) {
	digits := strconv.Itoa(int(scale))
	w.WriteString(`{"type":"bytes","scale":` + digits + `,"precision":64,"connect.version":1,"connect.parameters":{"scale":"` + digits + `"},`)
	w.defaultProp(literal)
	w.WriteString(`"connect.name":"org.apache.kafka.connect.data.Decimal","logicalType":"decimal"}`)
}

func (w *schemaWriter) variableDecimal() {
	w.common("io.debezium.data", "VariableScaleDecimal", `"fields":[{"name":"scale","type":"int"},{"name":"value","type":"bytes"}],"connect.doc":"Variable scaled decimal","connect.version":1`)
}
