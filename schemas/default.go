package schemas

import (
	"errors"
	"math"
	"math/big"
	"regexp"
	"strconv"
	"strings"
)

// defaultOf returns what stands in a NOT NULL field when the value is not known, and the default that the schema
// declares as JSON ("" for none). As in Debezium, the result of a function is declared as the type's zero; bytes, arrays and
// unconstrained decimals declare none. A default that cannot be read here is not declared: it stays in [Column.Default].
// standard is for the second mapping, where a literal is what it means, and a column that may be null declares none: null is the first
// branch of its field.
func defaultOf(c *Column, out *output, standard bool) (fallback Value, literal string) {
	v := zeroOf(&c.Type)
	unknown, read, none := unknownOf(&c.Type), declaredDefault, !declaredUnder(c)
	if standard {
		unknown, none = v, c.Nullable
		read = func(c *Column) (string, defaultKind) { return readDefault(c.Default) }
	}
	if c.Default == "" || none || !declaresDefault(c) {
		return unknown, ""
	}
	switch text, kind := read(c); kind {
	case defaultNull, defaultNone:
		return unknown, ""
	case defaultLiteral:
		var err error
		if v, err = ParseText([]byte(padded(text, &c.Type)), &c.Type, new(Arena)); err != nil {
			return unknown, ""
		}
		if !standard && c.Type.Kind == TimestampTZ && (v.Int() == math.MaxInt64 || v.Int() == math.MinInt64) {
			return unknown, "" // Debezium declares no infinite one
		}
	}
	if literal = literalJSON(&c.Type, out, v); literal == "" {
		return unknown, ""
	}
	return v, literal
}

// declaredDefault reads a default's expression as Debezium does: the call of a function that it begins with stands for the type's zero,
// else the first quoted text counts, whatever is around it ('a' || 'b' is "a"), else the expression as it is printed, which is no value
// of most types: then none is declared. [Column.ConstantDefault] is what a default is in truth.
func declaredDefault(c *Column) (text string, kind defaultKind) {
	bits := c.Type.Kind == String && (c.Type.Form == FormBit || c.Type.Form == FormVarbit)
	if bits && !strings.Contains(c.Default, "'") {
		return "", defaultLiteral
	}
	switch constant, kind := readDefault(c.Default); {
	case kind == defaultNull:
		return "", kind
	case c.Type.Kind == Enum && kind == defaultFunction:
		return "", defaultNone
	case c.Type.Kind == Enum:
		return constant, kind
	}
	text = strings.TrimSpace(c.Default)
	if callFirst.MatchString(text) || nowWords[text] {
		return "", defaultFunction
	}
	if m := firstLiteral.FindStringSubmatch(text); m != nil {
		text = strings.ReplaceAll(m[1], "''", "'")
	}
	if c.Type.Kind == Bool {
		text = strconv.FormatBool(strings.EqualFold(text, "true"))
	}
	return text, defaultLiteral
}

// nowWords are the functions of the time that SQL has without parentheses.
var nowWords = map[string]bool{"CURRENT_DATE": true, "CURRENT_TIME": true, "CURRENT_TIMESTAMP": true, "LOCALTIME": true, "LOCALTIMESTAMP": true}

var (
	callFirst    = regexp.MustCompile(`^[(]?[A-Za-z0-9_.]+[(].*[)]`)
	firstLiteral = regexp.MustCompile(`'((?:[^']|'')*)'`)
)

// padded is the text of a decimal with as many fraction digits as its column shows.
func padded(text string, t *Type) string {
	if t.Kind != Decimal || t.Precision == 0 || strings.ContainsAny(text, "eEn") {
		return text
	}
	return string(padFraction([]byte(text), int(fieldScale(t))))
}

func declaresDefault(c *Column) bool {
	switch c.Type.Kind {
	case Bytes, Array:
		return false
	case Decimal:
		return (c.Type.Precision > 0 || c.Type.Mode != "") && c.Type.Form == ""
	case String:
		switch c.Type.Form {
		case "", FormXML, FormBit, FormVarbit:
			return true
		}
		return false
	}
	return true
}

// defaultTypes are the types whose defaults Debezium declares, as PostgreSQL prints them without modifiers. It finds a type by the
// name that the column has it under, and so none for a domain. Enums are found as well, under any name of their own.
var defaultTypes = map[string]bool{
	"boolean": true, "smallint": true, "integer": true, "bigint": true, "numeric": true, "real": true, "double precision": true,
	"character": true, "character varying": true, "bpchar": true, "text": true, "json": true, "jsonb": true, "xml": true, "uuid": true,
	"bit": true, "bit varying": true, "date": true, "time without time zone": true, "timestamp without time zone": true,
	"timestamp with time zone": true, "interval": true,
}

// declaredUnder reports whether Debezium looks for the default of a column with the source's text of its type; of a source that
// has no such text nothing is known to the contrary.
func declaredUnder(c *Column) bool {
	name := c.SourceType
	if from := strings.IndexByte(name, '('); from >= 0 {
		if to := strings.IndexByte(name[from:], ')'); to > 0 {
			name = name[:from] + name[from+to+1:] // timestamp(3) without time zone
		}
	}
	return name == "" || c.Type.Kind == Enum && !c.Domain || defaultTypes[name] || c.Type.Kind == Interval && strings.HasPrefix(name, "interval ")
}

// literalJSON is v as the default of its field, "" when the field cannot hold it.
func literalJSON(t *Type, out *output, v Value) string {
	body, fits := out.append(nil, v)
	if fits != fitsExactly && (fits != fitsRoughly || !roughDefault(t)) {
		return ""
	}
	r := reader{buf: body}
	switch out.reads {
	case readsBool:
		return strconv.FormatBool(r.boolean())
	case readsFloat:
		return javaFloat(v.Float(), true)
	case readsDouble:
		return javaFloat(r.double(), false)
	case readsBytes:
		return latin1JSON(r.bytes())
	case readsNumber:
		return strconv.FormatInt(r.long(), 10)
	case readsText:
		return quoteJSON(string(r.bytes()))
	}
	return ""
}

// roughDefault reports whether a default of the type is declared as the field holds it, and not only where that is exact.
func roughDefault(t *Type) bool {
	switch t.Kind {
	case Interval, Decimal, String, Time, Timestamp:
		return true
	}
	return false
}

// javaFloat prints a number as Java does, which is what the converter puts into the schema.
func javaFloat(f float64, single bool) string {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return ""
	}
	bits := 64
	if single {
		bits = 32
	}
	if abs := math.Abs(f); abs != 0 && (abs < 1e-3 || abs >= 1e7) {
		mantissa, exponent, _ := strings.Cut(strconv.FormatFloat(f, 'e', -1, bits), "e")
		if !strings.Contains(mantissa, ".") {
			mantissa += ".0"
		}
		n, _ := strconv.Atoi(exponent) // of our own making
		return mantissa + "E" + strconv.Itoa(n)
	}
	text := strconv.FormatFloat(f, 'f', -1, bits)
	if !strings.Contains(text, ".") {
		text += ".0"
	}
	return text
}

// zeroOf is the value that Debezium declares for a default that it cannot evaluate.
func zeroOf(t *Type) Value {
	switch t.Kind {
	case Bool:
		return BoolValue(false)
	case Float32, Float64:
		return FloatValue(0)
	case Decimal:
		return DecimalValue([]byte{0}, fieldScale(t))
	case String:
		return StringValue(zeroTexts[t.Form])
	case Bytes, Enum:
		return StringValue("")
	case UUID:
		return StringValue("00000000-0000-0000-0000-000000000000")
	case JSON:
		return StringValue("{}")
	case Interval:
		return IntervalValue(0, 0, 0)
	case Array:
		return ArrayValue(nil)
	}
	return IntValue(0)
}

// unknownOf is the value that Debezium puts where a NOT NULL field has none and no default is declared.
func unknownOf(t *Type) Value {
	if t.Kind == UUID || t.Kind == JSON {
		return StringValue("")
	}
	return zeroOf(t)
}

// ConstantDefault returns the text of the column's default when it is a constant, as [ParseText] reads it; false for a
// column without default and for one whose default has its value only at the source: a function, an expression, NULL.
//
// It is what a row holds that was there when the column was added: the source fills such rows and tells nobody. A sink
// that adds the column and whoever maps an older row onto the newer table must both take it from here.
func (c *Column) ConstantDefault() (text string, ok bool) {
	text, kind := readDefault(c.Default)
	if kind != defaultLiteral {
		return "", false
	}
	text = rounded(text, &c.Type)
	_, err := ParseText([]byte(text), &c.Type, new(Arena))
	if err != nil && !errors.Is(err, ErrRange) && !errors.Is(err, ErrArrayBounds) {
		return "", false
	}
	return text, true
}

// rounded is a number's text as a column of type t holds it: a default may have more fraction digits than its column.
func rounded(text string, t *Type) string {
	scale := 0
	switch {
	case t.Kind == Int16, t.Kind == Int32, t.Kind == Int64:
	case t.Kind == Decimal && t.Precision > 0:
		scale = max(t.Scale, 0)
	default:
		return text
	}
	if _, fraction, _ := strings.Cut(text, "."); len(fraction) <= scale || strings.ContainsAny(fraction, "eE") {
		return text
	}
	number, ok := new(big.Rat).SetString(text)
	if !ok {
		return text
	}
	return number.FloatString(scale) // halves go away from zero, as at the source
}

type defaultKind uint8

const (
	defaultFunction defaultKind = iota // or any other expression
	defaultLiteral
	defaultNull
	defaultNone // an expression of which nothing is declared
)

// readDefault reads PostgreSQL's text of a default expression: 'it”s'::text, 7, (-7), true, NULL::text, now().
func readDefault(expr string) (text string, kind defaultKind) {
	expr = strings.TrimSpace(expr)
	for strings.HasPrefix(expr, "(") && strings.HasSuffix(expr, ")") {
		expr = strings.TrimSpace(expr[1 : len(expr)-1])
	}
	if quoted := strings.TrimPrefix(expr, "B"); strings.HasPrefix(quoted, "'") { // B'101' is a text of bits
		text, rest, ok := unquoteSQL(quoted)
		if !ok || !isCast(rest) {
			return "", defaultFunction
		}
		return text, defaultLiteral
	}
	bare, cast, _ := strings.Cut(expr, "::")
	if cast != "" && !isCast("::"+cast) {
		return "", defaultFunction
	}
	bare = strings.Trim(bare, "()")
	switch strings.ToLower(bare) {
	case "null":
		return "", defaultNull
	case "true", "false":
		return strings.ToLower(bare), defaultLiteral
	}
	if _, err := strconv.ParseFloat(bare, 64); err != nil || !strings.ContainsAny(bare[len(bare)-1:], "0123456789.") {
		return "", defaultFunction
	}
	return bare, defaultLiteral
}

// unquoteSQL reads a quoted SQL string from the front of s.
func unquoteSQL(s string) (text, rest string, ok bool) {
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		if s[i] != '\'' {
			b.WriteByte(s[i])
			continue
		}
		if i+1 < len(s) && s[i+1] == '\'' {
			b.WriteByte('\'')
			i++
			continue
		}
		return b.String(), s[i+1:], true
	}
	return "", "", false
}

// isCast reports whether s is nothing, or casts such as ::character varying(10)::"Odd Enum".
func isCast(s string) bool {
	if s == "" {
		return true
	}
	if !strings.HasPrefix(s, "::") {
		return false
	}
	return !strings.ContainsAny(s, "|+*/%^&#~<>='") && !strings.Contains(s, " - ") && !strings.HasPrefix(s, "::reg")
}
