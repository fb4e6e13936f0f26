package schemas

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Placeholder is what Debezium writes in place of a value that the source did not send.
const Placeholder = "__debezium_unavailable_value"

// layout is a table as a mapping lays it out in Avro: one field per column, named and typed.
type layout struct {
	table     *Table
	mapping   Mapping
	topic     string
	namespace string
	fields    []field // in the order of the columns
	key       []int   // indexes of fields in the order of the key
}

// field is a column on the wire.
type field struct {
	name     string
	typ      *Type
	out      output
	nullable bool
	filled   bool   // nullable, and the fallback stands in it where the value is not known all the same
	fallback Value  // the schema's default where there is one, else the type's zero
	literal  string // the schema's default as JSON, "" for none
	standard bool   // of the second mapping
}

func newLayout(t *Table, m Mapping) (*layout, error) {
	if err := t.check(); err != nil {
		return nil, fmt.Errorf("table %s: %w", t, err)
	}
	if err := m.Validate(); err != nil {
		return nil, err
	}
	if t.Content != ContentRows {
		m.Shape = ShapeEnvelope // there is no row that could stand alone
	}
	l := &layout{table: t, mapping: m, topic: TopicName(m.Prefix, t.Schema, t.Name), key: t.KeyColumns()}
	l.namespace = adjustNamespace(l.topic)
	names := fieldNames(t)
	l.fields = make([]field, len(t.Columns))
	for i := range t.Columns {
		c := &t.Columns[i]
		f := field{name: names[i], typ: &c.Type, nullable: c.Nullable}
		if m.Types == TypesAvro {
			f.out, f.standard = standardOutput(&c.Type), true
		} else {
			f.out = debeziumOutput(&c.Type)
			f.filled = f.out.optional && !c.Nullable && c.Key == 0
			f.nullable = f.nullable || f.filled || f.out.omitted && c.Key == 0
		}
		f.fallback, f.literal = defaultOf(c, &f.out, f.standard)
		l.fields[i] = f
	}
	return l, nil
}

func checkType(t *Type) error {
	switch {
	case t.Kind == Invalid || t.Kind > Array:
		return fmt.Errorf("kind %v has no Avro form", t.Kind)
	case t.Kind == Array && t.Elem == nil:
		return fmt.Errorf("array without an element type")
	case t.Kind == Array:
		return checkType(t.Elem)
	case t.Precision < 0 || t.Kind != Decimal && t.Precision > 6:
		return fmt.Errorf("%v of precision %d", t.Kind, t.Precision)
	}
	return nil
}

// keySchema returns the key's schema, in the first mapping as Debezium registers it, "" for a table without key.
func (l *layout) keySchema() string {
	if len(l.key) == 0 {
		return ""
	}
	if l.table.Content != ContentRows {
		return l.specialKey()
	}
	fields := make([]*field, len(l.key))
	for i, k := range l.key {
		fields[i] = &l.fields[k]
	}
	var w schemaWriter
	w.record(l, "Key", true, fields)
	return w.String()
}

// valueSchema returns the value's schema: the envelope's, in the first mapping as Debezium registers it, or the row's.
func (l *layout) valueSchema() string {
	switch l.table.Content {
	case ContentMessages:
		return l.messageSchema()
	case ContentTransactions:
		return l.transactionSchema()
	}
	fields := make([]*field, len(l.fields))
	for i := range l.fields {
		fields[i] = &l.fields[i]
	}
	var w schemaWriter
	if l.mapping.Shape == ShapeRow {
		w.record(l, "Value", true, fields)
		return w.String()
	}
	source, transaction := sourceField, transactionField
	if l.mapping.Types == TypesAvro {
		source, transaction = standardSourceField, standardTransactionField
	}
	w.WriteString(`{"type":"record","name":"Envelope","namespace":"` + l.namespace + `","fields":[{"name":"before","type":["null",`)
	w.record(l, "Value", false, fields)
	w.WriteString(`],"default":null},{"name":"after","type":["null","Value"],"default":null},` + source + `,` + transaction +
		`,{"name":"op","type":"string"},{"name":"ts_ms","type":["null","long"],"default":null},{"name":"ts_us","type":["null","long"],"default":null},` +
		`{"name":"ts_ns","type":["null","long"],"default":null}]`)
	w.connectName(l, `"connect.version":2,`, "Envelope")
	return w.String()
}

// record prints a record of the fields. Only at the top of a schema it says its namespace: inside it has the one around
// it.
func (w *schemaWriter) record(l *layout, name string, top bool, fields []*field) {
	w.WriteString(`{"type":"record","name":"` + name + `"`)
	if top {
		w.WriteString(`,"namespace":"` + l.namespace + `"`)
	}
	w.WriteString(`,"fields":[`)
	for i, f := range fields {
		if i > 0 {
			w.WriteByte(',')
		}
		w.field(f)
	}
	w.WriteByte(']')
	w.connectName(l, "", name)
}

// connectName ends a record with the name that Connect gives it.
func (w *schemaWriter) connectName(l *layout, version, name string) {
	if l.mapping.Types != TypesAvro {
		w.WriteString(`,` + version + `"connect.name":"` + l.namespace + `.` + name + `"`)
	}
	w.WriteByte('}')
}

const sourceField = `{"name":"source","type":{"type":"record","name":"Source","namespace":"io.debezium.connector.postgresql","fields":[` +
	`{"name":"version","type":"string"},{"name":"connector","type":"string"},{"name":"name","type":"string"},{"name":"ts_ms","type":"long"},` +
	`{"name":"snapshot","type":[{"type":"string","connect.version":1,"connect.parameters":{"allowed":"true,first,first_in_data_collection,` +
	`last_in_data_collection,last,false,incremental"},"connect.default":"false","connect.name":"io.debezium.data.Enum"},"null"],"default":"false"},` +
	`{"name":"db","type":"string"},{"name":"sequence","type":["null","string"],"default":null},{"name":"ts_us","type":["null","long"],"default":null},` +
	`{"name":"ts_ns","type":["null","long"],"default":null},{"name":"schema","type":"string"},{"name":"table","type":"string"},` +
	`{"name":"txId","type":["null","long"],"default":null},{"name":"lsn","type":["null","long"],"default":null},` +
	`{"name":"xmin","type":["null","long"],"default":null},{"name":"origin","type":["null","string"],"default":null},` +
	`{"name":"origin_lsn","type":["null","long"],"default":null}],"connect.version":1,"connect.name":"io.debezium.connector.postgresql.Source"}}`

const transactionField = `{"name":"transaction","type":["null",{"type":"record","name":"block","namespace":"event","fields":[{"name":"id","type":"string"},` +
	`{"name":"total_order","type":"long"},{"name":"data_collection_order","type":"long"}],"connect.version":1,"connect.name":"event.block"}],"default":null}`

// schemaWriter prints Avro schemas as Confluent's converter does, byte for byte.
type schemaWriter struct {
	strings.Builder
	defined map[string]bool // records of Debezium's that were defined already: from now on their names stand for them
	space   string          // the namespace around, inside of such a record
}

func (w *schemaWriter) field(f *field) {
	if f.standard {
		w.standardField(f)
		return
	}
	w.WriteString(`{"name":"` + f.name + `","type":`)
	switch {
	case !f.nullable && f.literal == "":
		f.out.print(w, "")
	case !f.nullable:
		f.out.print(w, f.literal)
		w.WriteString(`,"default":` + f.literal)
	case f.literal == "":
		w.WriteString(`["null",`)
		f.out.print(w, "")
		w.WriteString(`],"default":null`)
	default: // Avro wants the default's branch first
		w.WriteByte('[')
		f.out.print(w, f.literal)
		w.WriteString(`,"null"],"default":` + f.literal)
	}
	w.WriteByte('}')
}

// common prints a record that Debezium defines, or its name where the schema has it already. body are its fields and what
// Connect says of it.
func (w *schemaWriter) common(space, name, body string) {
	if w.used(space + "." + name) {
		return
	}
	w.WriteString(`{"type":"record","name":"` + name + `",`)
	if w.space != space {
		w.WriteString(`"namespace":"` + space + `",`)
	}
	w.WriteString(body + `,"connect.name":"` + space + `.` + name + `"}`)
}

// used prints the name of a record that was defined already, and reports whether it was. Inside of its own namespace the
// last part of the name is enough.
func (w *schemaWriter) used(full string) bool {
	if !w.defined[full] {
		if w.defined == nil {
			w.defined = map[string]bool{}
		}
		w.defined[full] = true
		return false
	}
	w.WriteString(`"` + strings.TrimPrefix(full, w.space+".") + `"`)
	return true
}

func (w *schemaWriter) plain(avro, literal string) {
	if literal == "" {
		w.WriteString(`"` + avro + `"`)
		return
	}
	w.WriteString(`{"type":"` + avro + `","connect.default":` + literal + `}`)
}

func (w *schemaWriter) named(avro, parameters, name, literal string) {
	w.WriteString(`{"type":"` + avro + `","connect.version":1,`)
	if parameters != "" {
		w.WriteString(`"connect.parameters":` + parameters + `,`)
	}
	w.defaultProp(literal)
	w.WriteString(`"connect.name":"` + name + `"}`)
}

func (w *schemaWriter) defaultProp(literal string) {
	if literal != "" {
		w.WriteString(`"connect.default":` + literal + `,`)
	}
}

func (w *schemaWriter) decimal(t *Type, literal string) {
	precision := strconv.Itoa(t.Precision)
	digits := strconv.Itoa(int(connectScale(t)))
	w.WriteString(`{"type":"bytes","scale":` + digits + `,"precision":` + precision + `,"connect.version":1,"connect.parameters":{"scale":"` + digits +
		`","connect.decimal.precision":"` + precision + `"},`)
	w.defaultProp(literal)
	w.WriteString(`"connect.name":"org.apache.kafka.connect.data.Decimal","logicalType":"decimal"}`)
}

// fieldScale is the scale of a decimal's field in the second mapping: Avro knows no negative one, so numeric(3,-3) is
// decimal(6,0).
func fieldScale(t *Type) int32 { return int32(max(t.Scale, 0)) }

// PostgreSQL keeps a scale in 11 bits, and Debezium reads them as a number without a sign: the field of a numeric(3,-3) has
// the scale 2045, and 123000 as many zeros behind the point. The value is the same one. The scales of columns end at ±1000,
// so the field tells which is meant.
const (
	unsignedScales = 1 << 11
	scaleMost      = 1000
)

// connectScale is the scale of a decimal's field in the first mapping.
func connectScale(t *Type) int32 {
	if t.Scale < 0 {
		return int32(unsignedScales + t.Scale)
	}
	return int32(t.Scale)
}

// signedScale is the scale of the column whose field has the scale.
func signedScale(scale int) int {
	if scale >= unsignedScales-scaleMost && scale < unsignedScales {
		return scale - unsignedScales
	}
	return scale
}

// fieldNames returns the Avro names of a table's columns. A name that Avro allows stays. In others every character that
// it does not allow becomes "_", as Debezium does it; where two columns would meet, those characters become "_xHEX_"
// instead, and as a last resort the column's number is appended, so that no two fields ever share a name.
func fieldNames(t *Table) []string {
	names := make([]string, len(t.Columns))
	uses := make(map[string]int, len(t.Columns))
	for i := range t.Columns {
		names[i] = adjustName(t.Columns[i].Name)
		uses[names[i]]++
	}
	taken := make(map[string]bool, len(t.Columns))
	for i, name := range names {
		if uses[name] == 1 || name == t.Columns[i].Name {
			taken[name] = true
		}
	}
	for i, name := range names {
		source := t.Columns[i].Name
		if uses[name] == 1 || name == source {
			continue
		}
		name = escapeName(source)
		for n := i + 1; taken[name]; n += len(names) {
			name = escapeName(source) + "_" + strconv.Itoa(n)
		}
		names[i], taken[name] = name, true
	}
	return names
}

func letter(r rune) bool { return r == '_' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' }
func digit(r rune) bool  { return r >= '0' && r <= '9' }

// adjustName makes a name that Avro allows, as Debezium does.
func adjustName(name string) string {
	var b strings.Builder
	for i, r := range name {
		switch {
		case letter(r) || digit(r) && i > 0:
			b.WriteRune(r)
		case digit(r):
			b.WriteByte('_')
			b.WriteRune(r)
		case r > 0xffff: // two characters to Java
			b.WriteString("__")
		default:
			b.WriteByte('_')
		}
	}
	if b.Len() == 0 {
		return "_"
	}
	return b.String()
}

// escapeName makes a name that Avro allows and that tells which characters stood there.
func escapeName(name string) string {
	var b strings.Builder
	for i, r := range name {
		if letter(r) || digit(r) && i > 0 {
			b.WriteRune(r)
		} else {
			b.WriteString("_x" + strconv.FormatInt(int64(r), 16) + "_")
		}
	}
	if b.Len() == 0 {
		return "_x_"
	}
	return b.String()
}

// adjustNamespace makes a topic's name a namespace: part by part, where Avro allows neither "-" nor a leading digit.
func adjustNamespace(topic string) string {
	parts := strings.Split(topic, ".")
	for i, part := range parts {
		parts[i] = adjustName(part)
	}
	return strings.Join(parts, ".")
}

// EnvelopeName returns the full name of the record that the values of a topic of ours or of Debezium's are, rows without
// an envelope excepted.
func EnvelopeName(topic string) string { return adjustNamespace(topic) + ".Envelope" }

// quoteJSON quotes as Jackson does: only quotes, backslashes and control characters are escaped.
func quoteJSON(s string) string { return string(appendJSONString(nil, s)) }

func appendJSONString[T string | []byte](dst []byte, s T) []byte {
	const hexDigits = "0123456789ABCDEF"
	dst = append(dst, '"')
	for i := 0; i < len(s); i++ {
		switch c := s[i]; c {
		case '"', '\\':
			dst = append(dst, '\\', c)
		case '\b':
			dst = append(dst, `\b`...)
		case '\f':
			dst = append(dst, `\f`...)
		case '\n':
			dst = append(dst, `\n`...)
		case '\r':
			dst = append(dst, `\r`...)
		case '\t':
			dst = append(dst, `\t`...)
		default:
			if c < 0x20 {
				dst = append(dst, `\u00`...)
				dst = append(dst, hexDigits[c>>4], hexDigits[c&15])
			} else {
				dst = append(dst, c)
			}
		}
	}
	return append(dst, '"')
}

// latin1JSON quotes bytes as Avro wants them in a default: one character per byte.
func latin1JSON(b []byte) string {
	var text []byte
	for _, c := range b {
		text = utf8.AppendRune(text, rune(c))
	}
	return quoteJSON(string(text))
}
