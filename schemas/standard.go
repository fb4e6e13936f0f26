package schemas

import (
	"math"
	"strconv"
)

// The second mapping, [TypesAvro]: columns have Avro's own logical types. Every reader of Avro understands them without
// knowing Connect, and a value that they cannot hold is null (or the type's zero), with the source's text in a header:
//
//	date                       int, date                      infinity does not fit
//	time                       long, time-micros              24:00:00 does not fit: it is no time of a day to Avro
//	timestamp                  long, local-timestamp-micros   infinity does not fit
//	timestamptz                long, timestamp-micros         infinity does not fit
//	numeric(p,s)               bytes, decimal                 NaN and infinity do not fit
//	numeric                    string                         every value has its own scale, which decimal cannot say
//	uuid                       string, uuid
//	interval                   string, ISO 8601               Avro's duration has no signs and no microseconds
//	json, enum                 string                         an Avro enum could not grow under its readers
//
// The unit is always the microsecond, whatever the column's precision: timestamp(3) that becomes timestamp(6) is no
// change of the schema.

// standardForms describes the types that one word is not enough for.
var standardForms = map[Kind]string{
	Date:        `{"type":"int","logicalType":"date"}`,
	Time:        `{"type":"long","logicalType":"time-micros"}`,
	Timestamp:   `{"type":"long","logicalType":"local-timestamp-micros"}`,
	TimestampTZ: `{"type":"long","logicalType":"timestamp-micros"}`,
	UUID:        `{"type":"string","logicalType":"uuid"}`,
	Bool:        `"boolean"`,
	Int16:       `"int"`,
	Int32:       `"int"`,
	Int64:       `"long"`,
	Float32:     `"float"`,
	Float64:     `"double"`,
	Bytes:       `"bytes"`,
}

// standard prints a type of the second mapping.
func (w *schemaWriter) standard(t *Type) {
	switch {
	case t.Kind == Decimal && t.Precision > 0:
		scale := int(fieldScale(t))
		// Avro wants room before the point: numeric(2,5), of PostgreSQL 15, is decimal(5,5).
		precision := max(t.Precision+scale-t.Scale, scale, 1)
		w.WriteString(`{"type":"bytes","logicalType":"decimal","precision":` + strconv.Itoa(precision) + `,"scale":` + strconv.Itoa(scale) + `}`)
	case t.Kind == Array:
		w.WriteString(`{"type":"array","items":["null",`)
		w.standard(innermost(t.Elem))
		w.WriteString(`]}`)
	case standardForms[t.Kind] != "":
		w.WriteString(standardForms[t.Kind])
	default:
		w.WriteString(`"string"`)
	}
}

// standardField prints a field of the second mapping. Null always comes first, so that no default of a column moves it.
func (w *schemaWriter) standardField(f *field) {
	w.WriteString(`{"name":"` + f.name + `","type":`)
	if f.nullable {
		w.WriteString(`["null",`)
		w.standard(f.typ)
		w.WriteString(`],"default":null}`)
		return
	}
	w.standard(f.typ)
	if f.literal != "" {
		w.WriteString(`,"default":` + f.literal)
	}
	w.WriteByte('}')
}

// standardOutput is the output of [TypesAvro]. Handling modes are Debezium's and have no meaning here.
func standardOutput(t *Type) output {
	return output{print: func(w *schemaWriter, _ string) { w.standard(t) }, append: standardAppender(t), reads: standardReads(t)}
}

// standardAppender compiles the appender of a type.
func standardAppender(t *Type) appender {
	switch t.Kind {
	case Bool:
		return appendBool
	case Int16:
		return appendInt16
	case Int32:
		return appendInt32
	case Int64:
		return appendInt64
	case Float32:
		return appendFloat32
	case Float64:
		return appendFloat64
	case Decimal:
		if t.Precision == 0 {
			return appendDecimalText
		}
		scale := fieldScale(t)
		return func(dst []byte, v Value) ([]byte, fit) { return appendScaledDecimal(dst, v, scale) }
	case Date:
		return appendDays
	case Time:
		return appendTimeOfDay
	case Timestamp, TimestampTZ:
		return appendInstant
	case Interval:
		return appendIntervalText
	case Array:
		return arrayAppender(standardAppender(innermost(t.Elem)), false)
	}
	return appendText
}

func standardReads(t *Type) bodyKind {
	switch t.Kind {
	case Bool:
		return readsBool
	case Int16, Int32, Int64, Date, Time, Timestamp, TimestampTZ:
		return readsNumber
	case Float32:
		return readsFloat
	case Float64:
		return readsDouble
	case Bytes:
		return readsBytes
	case Decimal:
		if t.Precision > 0 {
			return readsBytes
		}
	case Array:
		return readsNothing
	}
	return readsText
}

func appendDays(dst []byte, v Value) ([]byte, fit) {
	if v.kind != KindInt {
		return dst, fitsWrongly
	}
	days := v.Int()
	if days > math.MaxInt32 || days < math.MinInt32 {
		return dst, fitsNot
	}
	return appendLong(dst, days), fitsExactly
}

func appendTimeOfDay(dst []byte, v Value) ([]byte, fit) {
	if v.kind != KindInt {
		return dst, fitsWrongly
	}
	micros := v.Int()
	if micros < 0 || micros >= microsPerDay {
		return dst, fitsNot
	}
	return appendLong(dst, micros), fitsExactly
}

func appendInstant(dst []byte, v Value) ([]byte, fit) {
	if v.kind != KindInt {
		return dst, fitsWrongly
	}
	micros := v.Int()
	if isInfinite(micros) {
		return dst, fitsNot
	}
	return appendLong(dst, micros), fitsExactly
}

var (
	decimalType  = Type{Kind: Decimal}
	intervalType = Type{Kind: Interval}
)

// appendDecimalText appends a number as PostgreSQL prints it: 1.10 stays 1.10, and NaN and the infinities have names.
func appendDecimalText(dst []byte, v Value) ([]byte, fit) {
	if v.kind != KindDecimal {
		return dst, fitsWrongly
	}
	start := len(dst)
	return prefixLength(AppendText(dst, &decimalType, v), start), fitsExactly
}

// appendDecimalTextKey is appendDecimalText for keys: equal numbers have equal texts.
func appendDecimalTextKey(dst []byte, v Value) ([]byte, fit) {
	if v.kind != KindDecimal {
		return dst, fitsWrongly
	}
	start := len(dst)
	dst = AppendText(dst, &decimalType, v)
	return prefixLength(dst[:start+len(withoutZeros(dst[start:]))], start), fitsExactly
}

// withoutZeros cuts the zeros off the end of a fraction.
func withoutZeros(number []byte) []byte {
	point := false
	for _, c := range number {
		point = point || c == '.'
	}
	if !point {
		return number
	}
	n := len(number)
	for n > 0 && number[n-1] == '0' {
		n--
	}
	if number[n-1] == '.' {
		n--
	}
	return number[:n]
}

// appendDecimalStringKey is appendDecimalString for keys.
func appendDecimalStringKey(dst []byte, v Value) ([]byte, fit) {
	if _, _, form := v.Decimal(); v.kind == KindDecimal && form != Finite {
		return appendDecimalString(dst, v)
	}
	return appendDecimalTextKey(dst, v)
}

func appendIntervalText(dst []byte, v Value) ([]byte, fit) {
	if v.kind != KindInterval {
		return dst, fitsWrongly
	}
	start := len(dst)
	return prefixLength(AppendText(dst, &intervalType, v), start), fitsExactly
}

// prefixLength makes an Avro string of the text that begins at start.
func prefixLength(dst []byte, start int) []byte {
	n := len(dst) - start
	var room [10]byte
	prefix := appendLong(room[:0], int64(n))
	dst = append(dst, prefix...)
	copy(dst[start+len(prefix):], dst[start:start+n])
	copy(dst[start:], prefix)
	return dst
}

// The parts of the envelope in the second mapping: Debezium's fields, in its order and with its names, without what
// Connect adds.
const (
	standardSourceField = `{"name":"source","type":{"type":"record","name":"Source","namespace":"io.debezium.connector.postgresql","fields":[` +
		`{"name":"version","type":"string"},{"name":"connector","type":"string"},{"name":"name","type":"string"},{"name":"ts_ms","type":"long"},` +
		`{"name":"snapshot","type":["string","null"],"default":"false"},{"name":"db","type":"string"},` +
		`{"name":"sequence","type":["null","string"],"default":null},{"name":"ts_us","type":["null","long"],"default":null},` +
		`{"name":"ts_ns","type":["null","long"],"default":null},{"name":"schema","type":"string"},{"name":"table","type":"string"},` +
		`{"name":"txId","type":["null","long"],"default":null},{"name":"lsn","type":["null","long"],"default":null},` +
		`{"name":"xmin","type":["null","long"],"default":null},{"name":"origin","type":["null","string"],"default":null},` +
		`{"name":"origin_lsn","type":["null","long"],"default":null}]}}`

	standardTransactionField = `{"name":"transaction","type":["null",{"type":"record","name":"block","namespace":"event","fields":[` +
		`{"name":"id","type":"string"},{"name":"total_order","type":"long"},{"name":"data_collection_order","type":"long"}]}],"default":null}`
)
