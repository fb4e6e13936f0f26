package schemas

import "fmt"

// checkKeyModes refuses a key that a handling mode cannot tell from others: two rows would become one to whoever reads the topic,
// and a row whose key does not fit cannot be written at all. It is asked once for a table, so that not every row is.
func (l *layout) checkKeyModes() error {
	for _, k := range l.key {
		f := &l.fields[k]
		if f.standard {
			continue
		}
		if option, mode := inexactMode(innermost(f.typ)); option != "" {
			return fmt.Errorf("key column %q (%v): %s %q does not keep all of its values apart: choose another mode", l.table.Columns[k].Name, f.typ, option, mode)
		}
	}
	return nil
}

// inexactMode names Debezium's option, and its mode, in which ordinary values of a type lose what tells them apart: not those
// that stand outside a type's own range, such as NaN or a timestamp of the year 3000 in nanoseconds.
func inexactMode(t *Type) (option string, mode Mode) {
	switch {
	case (t.Kind == Time || t.Kind == Timestamp) && t.Mode == ModeConnect && t.Precision > 3:
		return "time_precision_mode", ModeConnect
	case t.Kind == Decimal && t.Mode == ModeDouble && (t.Precision == 0 || t.Precision > doubleDigits):
		return "decimal_handling_mode", ModeDouble
	case t.Kind == Interval && t.Mode == "":
		return "interval_handling_mode", "numeric"
	}
	return "", ""
}

// doubleDigits is how many decimal digits every double keeps.
const doubleDigits = 15
