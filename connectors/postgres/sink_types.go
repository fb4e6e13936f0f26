package postgres

import (
	"slices"
	"strconv"
	"strings"

	"github.com/syncline-io/syncline/framework/sink"
	"github.com/syncline-io/syncline/framework/warehouse"
	"github.com/syncline-io/syncline/schemas"
)

// sinkType is a type of a column in the target.
type sinkType struct {
	made   madeBy
	schema string // "" for a built-in type, and for one of an extension that is not found yet
	name   string // as in pg_type: "int4", "varchar"; for an array the element's
	mods   string // the modifiers without parentheses: "10,2"; an interval's fields stand before: "day to second,3"
	array  bool
	labels []string // of an enum
	// attributes are those of a composite type.
	attributes []sinkAttribute
}

// madeBy says where a type comes from.
type madeBy uint8

const (
	builtIn     madeBy = iota
	byExtension        // is there, or it is not wanted
	asEnum             // made by the sink, or by somebody
	asComposite        // made by the sink, or by somebody
)

// sinkAttribute is an attribute of a composite type. Its type is a built-in one, or one of an extension.
type sinkAttribute struct {
	name string
	typ  sinkType
}

// sinkTypeNames maps what the catalog, a person or a source may write to pg_type's names. Types that are missing here
// become text: those of extensions, and those whose text means something else in another database (the reg types).
var sinkTypeNames = map[string]string{
	"boolean": "bool", "bool": "bool", "smallint": "int2", "int2": "int2", "integer": "int4", "int": "int4", "int4": "int4",
	"bigint": "int8", "int8": "int8", "real": "float4", "float4": "float4", "double precision": "float8", "float8": "float8",
	"numeric": "numeric", "decimal": "numeric", "character varying": "varchar", "varchar": "varchar", "character": "bpchar",
	"char": "bpchar", "bpchar": "bpchar", `"char"`: "char", "text": "text", "name": "name", "bytea": "bytea", "date": "date",
	"time": "time", "time without time zone": "time", "timetz": "timetz", "time with time zone": "timetz",
	"timestamp": "timestamp", "timestamp without time zone": "timestamp", "timestamptz": "timestamptz",
	"timestamp with time zone": "timestamptz", "interval": "interval", "uuid": "uuid", "json": "json", "jsonb": "jsonb",
	"jsonpath": "jsonpath", "xml": "xml", "inet": "inet", "cidr": "cidr", "macaddr": "macaddr", "macaddr8": "macaddr8",
	"bit": "bit", `"bit"`: "bit", "bit varying": "varbit", "varbit": "varbit", "point": "point", "line": "line",
	"lseg": "lseg", "box": "box", "path": "path", "polygon": "polygon", "circle": "circle", "tsvector": "tsvector",
	"tsquery": "tsquery", "money": "money", "oid": "oid", "pg_lsn": "pg_lsn", "xid8": "xid8", "int4range": "int4range",
	"int8range": "int8range", "numrange": "numrange", "tsrange": "tsrange", "tstzrange": "tstzrange",
	"daterange": "daterange", "int4multirange": "int4multirange", "int8multirange": "int8multirange",
	"nummultirange": "nummultirange", "tsmultirange": "tsmultirange", "tstzmultirange": "tstzmultirange",
	"datemultirange": "datemultirange",
}

// parseSinkType reads the text of a built-in type, with or without modifiers, as format_type writes it.
func parseSinkType(text string) (sinkType, bool) {
	var t sinkType
	text = strings.TrimPrefix(strings.TrimSpace(text), "pg_catalog.")
	for strings.HasSuffix(text, "[]") {
		text, t.array = strings.TrimSpace(strings.TrimSuffix(text, "[]")), true
	}
	if fields, ok := strings.CutPrefix(text, "interval"); ok {
		t.name = "interval"
		fields, precision, _ := strings.Cut(strings.TrimSuffix(fields, ")"), "(")
		t.mods = strings.Trim(strings.TrimSpace(fields)+","+precision, ",")
		return t, plainModifiers(t.mods)
	}
	name := text
	if before, after, ok := strings.Cut(text, "("); ok {
		mods, rest, _ := strings.Cut(after, ")")
		t.mods, name = strings.ReplaceAll(mods, " ", ""), before+rest
	}
	t.name = sinkTypeNames[name]
	switch {
	case t.mods != "":
		if t.name == "numeric" && !strings.Contains(t.mods, ",") {
			t.mods += ",0"
		}
	case name == "character" || name == "char" || name == "bit":
		t.mods = "1" // what SQL means by the bare name
	}
	return t, t.name != "" && plainModifiers(t.mods)
}

// plainModifiers reports whether modifiers are what they are of every type: words and numbers. They go into DDL as they are, and
// whoever may make a schema at the source chooses the text of a type, and so may whoever writes to the tables topic.
func plainModifiers(mods string) bool {
	for _, c := range []byte(mods) {
		switch {
		case c >= '0' && c <= '9', c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c == '_', c == ' ', c == ',', c == '-':
		default:
			return false
		}
	}
	return true
}

// cutModifiers takes the modifiers off the text of a type, whose name may have parentheses where it is quoted.
func cutModifiers(text string) (name, mods string) {
	open := strings.LastIndexByte(text, '(')
	if open < 0 || !strings.HasSuffix(text, ")") {
		return text, ""
	}
	return text[:open], text[open+1 : len(text)-1]
}

// wantedType returns the type that column i of t shall have when the sink makes it: the source's own when the source is
// PostgreSQL and the type exists everywhere, can be made or may be one of an extension here; else the one that holds the
// canonical type. A domain is the type beneath it.
func wantedType(t *sink.Table, i int) sinkType {
	c := &t.Columns[i]
	if t.Source == nil || t.Source.System != "postgresql" || c.SourceType == "" {
		return typeOf(c.Type)
	}
	text := baseText(c.SourceType, c.Types)
	if w, ok := wantedEnum(t.Schema, text, c.Type); ok {
		return w
	}
	if w, ok := wantedComposite(t.Schema, c); ok {
		return w
	}
	w, ok := parseSinkType(text)
	if !ok {
		w, ok = parseExtensionType(text)
	}
	if !ok {
		return typeOf(c.Type)
	}
	// A domain or a setting of the source may name a type that its values were not read as.
	if native := typeOf(c.Type); carries(native, w) {
		return w
	}
	return typeOf(c.Type)
}

// carries reports whether values of the canonical type's own target type can be stored in a column of type w.
func carries(native, w sinkType) bool {
	if native.array != w.array {
		return native.name == "text" && !native.array // an array that comes as its text
	}
	switch native.name {
	case "text", "varchar":
		return true // by its input function
	case "jsonb":
		return w.name == "json" || w.name == "jsonb"
	case "int8":
		return w.name == "int8" || w.name == "oid"
	}
	return native.name == w.name
}

// wantedEnum makes the enum's type in the table's own schema, named as at the source.
func wantedEnum(schema, source string, t schemas.Type) (sinkType, bool) {
	array := false
	if t.Kind == schemas.Array && t.Elem != nil {
		t, array = *t.Elem, true
	}
	if t.Kind != schemas.Enum || len(t.Labels) == 0 {
		return sinkType{}, false
	}
	name := lastName(strings.TrimSuffix(source, "[]"))
	return sinkType{made: asEnum, schema: schema, name: name, array: array, labels: t.Labels}, name != "" && len(name) <= sinkNameMax
}

// wantedComposite makes the composite type in the table's own schema, named as at the source. What its attributes are made of
// is not followed any further: an attribute of an enum or of a composite type is its text.
func wantedComposite(schema string, c *schemas.Column) (sinkType, bool) {
	made := compositeOf(c)
	if len(made.Attributes) == 0 || c.Type.Kind != schemas.String {
		return sinkType{}, false
	}
	w := sinkType{made: asComposite, schema: schema, name: lastName(made.Name), array: strings.HasSuffix(baseText(c.SourceType, c.Types), "[]")}
	for _, a := range made.Attributes {
		text := baseText(a.Type, c.Types)
		typ, ok := parseSinkType(text)
		if !ok && !slices.ContainsFunc(c.Types, func(t schemas.UserType) bool { return t.Name == strings.TrimSuffix(text, "[]") }) {
			typ, ok = parseExtensionType(text)
		}
		if !ok {
			typ = sinkType{name: "text"}
		}
		w.attributes = append(w.attributes, sinkAttribute{a.Name, typ})
	}
	return w, w.name != "" && len(w.name) <= sinkNameMax
}

// parseExtensionType reads the text of a type that may be one of an extension: with a schema before it, which may be another
// one in the target.
func parseExtensionType(text string) (sinkType, bool) {
	text, array := strings.CutSuffix(text, "[]")
	text, mods := cutModifiers(text)
	if lastName(text) == text || !plainModifiers(mods) {
		return sinkType{}, false // of pg_catalog, and none that every server has; or no text of a type
	}
	return sinkType{made: byExtension, name: lastName(text), mods: mods, array: array}, true
}

// lastName returns the last part of a name that may be qualified and quoted: mood for shop."mood".
func lastName(text string) string {
	if !strings.HasSuffix(text, `"`) {
		return text[strings.LastIndexByte(text, '.')+1:]
	}
	text = strings.TrimSuffix(text, `"`)
	text = strings.ReplaceAll(text, `""`, "\x00")
	text = text[strings.LastIndexByte(text, '"')+1:]
	return strings.ReplaceAll(text, "\x00", `"`)
}

// typeOf returns the built-in type that holds every value of a canonical type. Decimals beyond numeric(1000) and odd
// scales lose their bounds, and moments are kept to the microsecond, so that no value is rounded or refused.
func typeOf(t schemas.Type) sinkType {
	switch t.Kind {
	case schemas.Bool:
		return sinkType{name: "bool"}
	case schemas.Int16:
		return sinkType{name: "int2"}
	case schemas.Int32:
		return sinkType{name: "int4"}
	case schemas.Int64:
		return sinkType{name: "int8"}
	case schemas.Float32:
		return sinkType{name: "float4"}
	case schemas.Float64:
		return sinkType{name: "float8"}
	case schemas.Decimal:
		if t.Form == schemas.FormMoney {
			return sinkType{name: "money"}
		}
		if t.Precision > 0 && t.Precision <= 1000 && t.Scale >= 0 && t.Scale <= t.Precision {
			return sinkType{name: "numeric", mods: strconv.Itoa(t.Precision) + "," + strconv.Itoa(t.Scale)}
		}
		return sinkType{name: "numeric"}
	case schemas.String:
		if t.Form != "" {
			return formType(t)
		}
		if t.Length > 0 && t.Length <= 10485760 {
			return sinkType{name: "varchar", mods: strconv.Itoa(t.Length)}
		}
		return sinkType{name: "text"}
	case schemas.Bytes:
		return sinkType{name: "bytea"}
	case schemas.Date:
		return sinkType{name: "date"}
	case schemas.Time:
		return sinkType{name: "time"}
	case schemas.Timestamp:
		return sinkType{name: "timestamp"}
	case schemas.TimestampTZ:
		return sinkType{name: "timestamptz"}
	case schemas.Interval:
		return sinkType{name: "interval"}
	case schemas.UUID:
		return sinkType{name: "uuid"}
	case schemas.JSON:
		return sinkType{name: "jsonb"}
	case schemas.Array:
		if t.Elem != nil {
			elem := typeOf(*t.Elem)
			elem.array, elem.mods = true, ""
			return elem
		}
	}
	return sinkType{name: "text"}
}

// formType returns the type of a text that is more than text: text where not every server has the type.
func formType(t schemas.Type) sinkType {
	switch t.Form {
	case "char":
		return sinkType{name: "char"}
	case schemas.FormBit, schemas.FormVarbit:
		w := sinkType{name: string(t.Form)}
		if t.Length > 0 {
			w.mods = strconv.Itoa(t.Length)
		}
		return w
	}
	if name := sinkTypeNames[string(t.Form)]; name != "" {
		return sinkType{name: name}
	}
	return sinkType{name: "text"}
}

// withoutForm is the type that values travel as: text and numbers.
func withoutForm(t schemas.Type) schemas.Type {
	t.Form = ""
	if t.Elem != nil {
		elem := withoutForm(*t.Elem)
		t.Elem = &elem
	}
	return t
}

// canonical returns the canonical type whose values a column of type t holds, and false for a type that has none. A
// char(n) has none: it pads.
func (t sinkType) canonical() (schemas.Type, bool) {
	if t.array {
		elem, ok := sinkType{made: t.made, schema: t.schema, name: t.name, mods: t.mods, labels: t.labels}.canonical()
		return schemas.Type{Kind: schemas.Array, Elem: &elem}, ok
	}
	switch t.made {
	case asEnum:
		return schemas.Type{Kind: schemas.Enum, Labels: t.labels}, true
	case byExtension, asComposite:
		return schemas.Type{}, false
	}
	first, second, _ := strings.Cut(t.mods, ",")
	n, _ := strconv.Atoi(first)
	switch t.name {
	case "bool":
		return schemas.Type{Kind: schemas.Bool}, true
	case "int2":
		return schemas.Type{Kind: schemas.Int16}, true
	case "int4":
		return schemas.Type{Kind: schemas.Int32}, true
	case "int8":
		return schemas.Type{Kind: schemas.Int64}, true
	case "float4":
		return schemas.Type{Kind: schemas.Float32}, true
	case "float8":
		return schemas.Type{Kind: schemas.Float64}, true
	case "numeric":
		scale, _ := strconv.Atoi(second)
		return schemas.Type{Kind: schemas.Decimal, Precision: n, Scale: scale}, true
	case "text", "varchar":
		return schemas.Type{Kind: schemas.String, Length: n}, true
	case "bytea":
		return schemas.Type{Kind: schemas.Bytes}, true
	case "date":
		return schemas.Type{Kind: schemas.Date}, true
	case "time":
		return schemas.Type{Kind: schemas.Time, Precision: t.precision()}, true
	case "timestamp":
		return schemas.Type{Kind: schemas.Timestamp, Precision: t.precision()}, true
	case "timestamptz":
		return schemas.Type{Kind: schemas.TimestampTZ, Precision: t.precision()}, true
	case "uuid":
		return schemas.Type{Kind: schemas.UUID}, true
	case "json", "jsonb":
		return schemas.Type{Kind: schemas.JSON}, true
	}
	return schemas.Type{}, false
}

// precision is the number of fraction digits of a time or timestamp: 6 unless the modifiers say less.
func (t sinkType) precision() int {
	if n, err := strconv.Atoi(t.mods); err == nil {
		return n
	}
	return 6
}

// equal compares everything but what the type is made of: an enum's labels, the attributes of a composite type.
func (t sinkType) equal(u sinkType) bool {
	return t.made == u.made && t.schema == u.schema && t.name == u.name && t.mods == u.mods && t.array == u.array
}

// fit says what must happen to a column of type t so that it holds what want holds, and which type it must become.
// Labels are not its business: every enum holds every other's once they are added.
func (t sinkType) fit(want sinkType) (warehouse.Change, sinkType) {
	if t.equal(want) {
		return warehouse.Same, t
	}
	have, ok := t.canonical()
	wanted, wantOK := want.canonical()
	if ok && wantOK {
		return t.fitCanonical(have, want, wanted)
	}
	if t.schema == want.schema && t.name == want.name && t.array == want.array {
		return t.fitModifiers(want)
	}
	// What has no canonical type travels as text: a column of unbounded text holds it.
	switch unbounded := (sinkType{name: "text", array: t.array}); {
	case t.made == asComposite && (want.equal(sinkType{name: "text"}) || want.made == asComposite):
		return warehouse.Widen, sinkType{name: "text"}
	case t.array != want.array:
		return warehouse.Conflict, t
	case (t.name == "text" || t.name == "varchar") && t.made == builtIn && t.mods == "":
		return warehouse.Same, t
	case want.equal(unbounded):
		return warehouse.Widen, want
	}
	return warehouse.Conflict, t
}

func (t sinkType) fitCanonical(have schemas.Type, want sinkType, wanted schemas.Type) (warehouse.Change, sinkType) {
	if have.Kind == schemas.Enum && wanted.Kind == schemas.Enum {
		return warehouse.Same, t
	}
	joined, ok := warehouse.Join(have, wanted)
	switch {
	case !ok:
		return warehouse.Conflict, t
	case joined.Equal(have):
		return warehouse.Same, t
	case joined.Equal(wanted):
		return warehouse.Widen, want
	}
	return warehouse.Widen, typeOf(joined)
}

// fitModifiers compares two types of one name that has no canonical type.
func (t sinkType) fitModifiers(want sinkType) (warehouse.Change, sinkType) {
	have, err1 := strconv.Atoi(t.mods)
	need, err2 := strconv.Atoi(want.mods)
	switch {
	case t.mods == "": // unbounded; for an interval: all fields
		return warehouse.Same, t
	case t.made == byExtension: // whose modifiers have a meaning that it alone knows
		want.mods = ""
		return warehouse.Widen, want
	case t.name == "bit":
		return warehouse.Conflict, t // its length is exact
	case want.mods == "":
		return warehouse.Widen, want
	case err1 != nil || err2 != nil:
		return warehouse.Conflict, t
	case need <= have:
		return warehouse.Same, t
	}
	return warehouse.Widen, want
}

// sinkTypeText gives the names that people write, and what follows the modifiers.
var sinkTypeText = map[string][2]string{
	"bool": {"boolean"}, "int2": {"smallint"}, "int4": {"integer"}, "int8": {"bigint"}, "float4": {"real"},
	"float8": {"double precision"}, "varchar": {"character varying"}, "varbit": {"bit varying"},
	"time": {"time", " without time zone"}, "timetz": {"time", " with time zone"},
	"timestamp": {"timestamp", " without time zone"}, "timestamptz": {"timestamp", " with time zone"},
}

// String gives the type as DDL has it, modifiers included.
func (t sinkType) String() string {
	text := t.bare()
	switch {
	case t.made == byExtension && t.mods != "":
		text += "(" + t.mods + ")"
	case t.made == builtIn:
		name, after := text, ""
		if written, ok := sinkTypeText[t.name]; ok {
			name, after = written[0], written[1]
		}
		switch {
		case t.name == "interval":
			fields, precision, _ := strings.Cut(t.mods, ",")
			if _, err := strconv.Atoi(fields); err == nil {
				fields, precision = "", fields
			}
			text = "interval"
			if fields != "" {
				text += " " + fields
			}
			if precision != "" {
				text += "(" + precision + ")"
			}
		case t.mods != "":
			if t.name == "bpchar" {
				name = "character"
			} else if t.name == "bit" {
				name = "bit"
			}
			text = name + "(" + t.mods + ")" + after
		case t.name != "bit" && t.name != "char":
			text = name + after
		}
	}
	if t.array {
		text += "[]"
	}
	return text
}

// bare gives the type without modifiers and without the array, in a form that nothing in SQL's grammar takes for
// another: the bare words bit and char would mean one character.
func (t sinkType) bare() string {
	switch {
	case t.made != builtIn:
		return warehouse.QuoteTable(t.schema, t.name)
	case t.name == "bit" || t.name == "char":
		return "pg_catalog." + warehouse.QuoteName(t.name)
	}
	return t.name
}

// cast gives the type for a cast that must not cut: without modifiers, which the assignment to the column checks.
func (t sinkType) cast() string {
	if t.array {
		return t.bare() + "[]"
	}
	return t.bare()
}
