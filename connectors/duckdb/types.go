package duckdb

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/syncline-io/syncline/framework/warehouse"
	"github.com/syncline-io/syncline/schemas"
)

// maxDecimal is the number of digits that DuckDB's DECIMAL holds.
const maxDecimal = 38

// columnType returns the type of the column that holds the values of t unchanged. What no DuckDB type of its own holds
// becomes VARCHAR with the exact text: a numeric without precision, with more than 38 digits or with a scale outside
// its digits. Of some types single values have no place in it (see mayMisfit): such a row is refused, unless the
// configuration asks for text.
func columnType(t schemas.Type) (string, error) {
	switch t.Kind {
	case schemas.Bool:
		return "BOOLEAN", nil
	case schemas.Int16:
		return "SMALLINT", nil
	case schemas.Int32:
		return "INTEGER", nil
	case schemas.Int64:
		return "BIGINT", nil
	case schemas.Float32:
		return "FLOAT", nil
	case schemas.Float64:
		return "DOUBLE", nil
	case schemas.Decimal:
		if !fitsDecimal(t) {
			return "VARCHAR", nil
		}
		return fmt.Sprintf("DECIMAL(%d,%d)", t.Precision, t.Scale), nil
	case schemas.String, schemas.Enum:
		return "VARCHAR", nil
	case schemas.Bytes:
		return "BLOB", nil
	case schemas.Date:
		return "DATE", nil
	case schemas.Time:
		return "TIME", nil
	case schemas.Timestamp:
		return "TIMESTAMP", nil
	case schemas.TimestampTZ:
		return "TIMESTAMP WITH TIME ZONE", nil
	case schemas.Interval:
		return "INTERVAL", nil
	case schemas.UUID:
		return "UUID", nil
	case schemas.JSON:
		return "JSON", nil
	case schemas.Array:
		if t.Elem == nil {
			return "", fmt.Errorf("%s has no element type", t)
		}
		elem, err := columnType(*t.Elem)
		return elem + "[]", err
	}
	return "", fmt.Errorf("%s has no DuckDB type", t)
}

// mayMisfit says which values of t the type of its column does not hold, "" where it holds all of them. These are the types
// that the option text_columns counts for.
func mayMisfit(t schemas.Type) string {
	switch t.Kind {
	case schemas.Decimal:
		if fitsDecimal(t) {
			return "NaN"
		}
	case schemas.Array:
		if t.Elem != nil && t.Elem.Kind != schemas.Interval { // whose text depends on a setting of the server
			return "an array with several dimensions, with bounds of its own, or with an element that the element's type does not hold"
		}
	case schemas.Timestamp, schemas.TimestampTZ:
		return "a timestamp after the year 294246"
	}
	return ""
}

// fitsDecimal reports whether a DECIMAL holds the finite values of t.
func fitsDecimal(t schemas.Type) bool {
	return t.Precision >= 1 && t.Precision <= maxDecimal && t.Scale >= 0 && t.Scale <= t.Precision
}

// parseType reads the text that DuckDB gives for a column's type; false for a type that no canonical type becomes.
func parseType(text string) (schemas.Type, bool) {
	if elem, ok := strings.CutSuffix(text, "[]"); ok {
		t, ok := parseType(elem)
		return schemas.Type{Kind: schemas.Array, Elem: &t}, ok
	}
	if args, ok := strings.CutPrefix(text, "DECIMAL("); ok {
		precision, scale, _ := strings.Cut(strings.TrimSuffix(args, ")"), ",")
		p, err1 := strconv.Atoi(precision)
		s, err2 := strconv.Atoi(scale)
		return schemas.Type{Kind: schemas.Decimal, Precision: p, Scale: s}, err1 == nil && err2 == nil
	}
	kind, ok := plainTypes[text]
	t := schemas.Type{Kind: kind}
	if kind == schemas.Time || kind == schemas.Timestamp || kind == schemas.TimestampTZ {
		t.Precision = 6
	}
	return t, ok
}

var plainTypes = map[string]schemas.Kind{
	"BOOLEAN": schemas.Bool, "SMALLINT": schemas.Int16, "INTEGER": schemas.Int32, "BIGINT": schemas.Int64,
	"FLOAT": schemas.Float32, "DOUBLE": schemas.Float64, "VARCHAR": schemas.String, "BLOB": schemas.Bytes,
	"DATE": schemas.Date, "TIME": schemas.Time, "TIMESTAMP": schemas.Timestamp,
	"TIMESTAMP WITH TIME ZONE": schemas.TimestampTZ, "INTERVAL": schemas.Interval, "UUID": schemas.UUID,
	"JSON": schemas.JSON,
}

// fit says what a column of type have must become to hold the values of want, as text where that is wished: "" when it may
// stay. It returns false when no type holds both.
func fit(have string, want schemas.Type, asText bool) (widened string, ok bool) {
	switch {
	case holdsText(have, want) || have == "VARCHAR" && asText:
		return "", true
	case asText:
		// The cast of a DECIMAL is its exact text; that of a list is none that PostgreSQL reads.
		return "VARCHAR", strings.HasPrefix(have, "DECIMAL(")
	}
	canonical, known := parseType(have)
	if !known {
		return "", false
	}
	joined, ok := warehouse.Join(canonical, want)
	if !ok {
		return "", false
	}
	widened, err := columnType(joined)
	if err != nil {
		return "", false
	}
	if widened == have {
		widened = ""
	}
	return widened, true
}

// holdsText reports whether a column of type have takes want's values as their exact text.
func holdsText(have string, want schemas.Type) bool {
	for want.Kind == schemas.Array && want.Elem != nil {
		elem, ok := strings.CutSuffix(have, "[]")
		if !ok {
			return false
		}
		have, want = elem, *want.Elem
	}
	if have != "VARCHAR" {
		return false
	}
	switch want.Kind {
	case schemas.String, schemas.Enum, schemas.JSON, schemas.UUID, schemas.Decimal:
		return true
	}
	return false
}

// stageType is the type in which values of want travel to a column of type have: text for a column of text, which fit has
// allowed; else want's own, which DuckDB casts to the wider type without loss.
func stageType(have string, want schemas.Type) (string, error) {
	if holdsText(have, want) || have == "VARCHAR" && mayMisfit(want) != "" {
		return have, nil
	}
	return columnType(want)
}

// identity is an expression that is equal for values that are the same and for no others. DuckDB compares intervals by
// their length (1 month = 30 days) and zeros without their sign.
func identity(expr, columnType string) string {
	switch {
	case strings.HasPrefix(columnType, "INTERVAL"):
		return "CAST(" + expr + " AS VARCHAR" + columnType[len("INTERVAL"):] + ")"
	case columnType == "DOUBLE" || columnType == "FLOAT":
		return "CAST(" + expr + " AS BIT)"
	}
	return expr
}
