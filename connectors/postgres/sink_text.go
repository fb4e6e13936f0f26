package postgres

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/syncline-io/syncline/framework/sink"
	"github.com/syncline-io/syncline/schemas"
)

// rowText names a row in messages: by its key, or by the first columns of a table without one.
func rowText(t *sink.Table, row []schemas.Value) string {
	const columns = 4
	shown := t.Key
	if len(shown) == 0 {
		for i := range min(len(t.Columns), columns) {
			shown = append(shown, i)
		}
	}
	parts := make([]string, len(shown))
	for k, i := range shown {
		parts[k] = t.Columns[i].Name + "=" + valueText(t.Columns[i].Type.Kind, row[i])
	}
	return "(" + strings.Join(parts, ", ") + ")"
}

// valueText gives a value for messages, long texts cut.
func valueText(k schemas.Kind, v schemas.Value) string {
	const longest = 64
	switch v.Kind() {
	case schemas.KindNull:
		return "null"
	case schemas.KindUnchanged:
		return "unchanged"
	case schemas.KindBool:
		return strconv.FormatBool(v.Bool())
	case schemas.KindFloat:
		return strconv.FormatFloat(v.Float(), 'g', -1, 64)
	case schemas.KindInt:
		return intText(k, v.Int())
	case schemas.KindDecimal:
		return decimalText(v)
	case schemas.KindBytes, schemas.KindUnrepresentable:
		b := v.Bytes()
		if len(b) > longest {
			return fmt.Sprintf("%q...", b[:longest])
		}
		if k == schemas.Bytes {
			return fmt.Sprintf("\\x%x", b)
		}
		return strconv.Quote(string(b))
	}
	return k.String()
}

func intText(k schemas.Kind, n int64) string {
	switch {
	case n == schemas.PosInfinity && k >= schemas.Date && k <= schemas.TimestampTZ:
		return "infinity"
	case n == schemas.NegInfinity && k >= schemas.Date && k <= schemas.TimestampTZ:
		return "-infinity"
	case k == schemas.Date:
		return time.Unix(n*86400, 0).UTC().Format(time.DateOnly)
	case k == schemas.Timestamp || k == schemas.TimestampTZ:
		return time.UnixMicro(n).UTC().Format("2006-01-02 15:04:05.999999")
	}
	return strconv.FormatInt(n, 10)
}

func decimalText(v schemas.Value) string {
	unscaled, scale, form := v.Decimal()
	switch form {
	case schemas.NaN:
		return "NaN"
	case schemas.PosInf:
		return "Infinity"
	case schemas.NegInf:
		return "-Infinity"
	}
	return string(schemas.AppendDecimalText(nil, unscaled, scale))
}
