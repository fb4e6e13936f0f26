package duckdb

import (
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"

	"github.com/syncline-io/syncline/framework/warehouse"
	"github.com/syncline-io/syncline/schemas"
)

// defaultOf is the expression of the value that the source gave to the rows which were there when it added c: the one
// that a row with this value would leave in a column of the given type. It is false when there is no such constant, or
// when the column could not hold it.
func defaultOf(c *schemas.Column, columnType string) (string, bool) {
	text, ok := c.ConstantDefault()
	if !ok {
		return "", false
	}
	v, err := schemas.ParseText([]byte(text), &c.Type, new(schemas.Arena))
	if err != nil {
		return "", false
	}
	return expression(v, c.Type, columnType)
}

// expression is a value of type t for a column of the type that columnType gives for t.
func expression(v schemas.Value, t schemas.Type, columnType string) (string, bool) {
	cast := func(text string) (string, bool) {
		return "CAST(" + warehouse.QuoteText(text) + " AS " + columnType + ")", true
	}
	switch v.Kind() {
	case schemas.KindNull:
		return "NULL", true
	case schemas.KindBool:
		return strconv.FormatBool(v.Bool()), true
	case schemas.KindFloat:
		return cast(strconv.FormatFloat(v.Float(), 'g', -1, 64))
	case schemas.KindDecimal:
		if _, _, form := v.Decimal(); form != schemas.Finite && columnType != "VARCHAR" {
			return "", false
		}
		return cast(string(appendDecimal(nil, v)))
	case schemas.KindInt:
		return intExpression(v.Int(), t, columnType), true
	case schemas.KindBytes:
		if t.Kind == schemas.Bytes {
			return "from_hex('" + hex.EncodeToString(v.Bytes()) + "')", true
		}
		return cast(v.String())
	case schemas.KindInterval:
		months, days, micros := v.Interval()
		return fmt.Sprintf("to_months(%d) + to_days(%d) + to_microseconds(%d)", months, days, micros), true
	case schemas.KindArray:
		return arrayExpression(v, t, columnType)
	}
	return "", false
}

func intExpression(n int64, t schemas.Type, columnType string) string {
	switch t.Kind {
	case schemas.Date, schemas.Timestamp, schemas.TimestampTZ:
		switch n {
		case schemas.PosInfinity:
			return "CAST('infinity' AS " + columnType + ")"
		case schemas.NegInfinity:
			return "CAST('-infinity' AS " + columnType + ")"
		}
	}
	switch t.Kind {
	case schemas.Date:
		return fmt.Sprintf("CAST(DATE '1970-01-01' + %d AS DATE)", n)
	case schemas.Time:
		return fmt.Sprintf("CAST('%02d:%02d:%02d.%06d' AS TIME)", n/3_600_000_000, n/60_000_000%60, n/1_000_000%60, n%1_000_000)
	case schemas.Timestamp:
		return fmt.Sprintf("make_timestamp(%d)", n)
	case schemas.TimestampTZ:
		return fmt.Sprintf("make_timestamptz(%d)", n)
	}
	return fmt.Sprintf("CAST(%d AS %s)", n, columnType)
}

func arrayExpression(v schemas.Value, t schemas.Type, columnType string) (string, bool) {
	elems := make([]string, len(v.Array()))
	for i, e := range v.Array() {
		if e.Kind() == schemas.KindArray && t.Elem.Kind != schemas.Array {
			return "", false // more dimensions than the column has
		}
		var ok bool
		if elems[i], ok = expression(e, *t.Elem, strings.TrimSuffix(columnType, "[]")); !ok {
			return "", false
		}
	}
	return "CAST([" + strings.Join(elems, ", ") + "] AS " + columnType + ")", true
}
