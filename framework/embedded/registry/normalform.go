package registry

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// normal is the canonical form in which, besides, the order of what has no order does not matter: properties and aliases
// are sorted, and an empty documentation of a type is left out. Clients ask for it with normalize=true.
func normal(text string, others ...string) (string, error) {
	return printed(text, others, true)
}

// knownLogicalTypes are those that Avro's library knows. It prints them before the other properties of the normal form.
var knownLogicalTypes = []string{
	"decimal", "big-decimal", "uuid", "duration", "date", "time-millis", "time-micros",
	"timestamp-millis", "timestamp-micros", "timestamp-nanos",
	"local-timestamp-millis", "local-timestamp-micros", "local-timestamp-nanos",
}

// ordered are the properties of a type, or of a field, in the order of the form that is printed.
func (p *printer) ordered(props object, kind string) object {
	if !p.sorted {
		return props
	}
	props = sortedKeys(props).(object)
	if !slices.Contains(knownLogicalTypes, props.text("logicalType")) || kind != "fixed" && !slices.Contains(primitives, kind) {
		return props
	}
	logical := object{}
	for _, key := range [...]string{"logicalType", "precision", "scale"} {
		v, ok := props.get(key)
		decimal := props.text("logicalType") == "decimal"
		if ok && (key == "logicalType" || decimal) && !(key == "scale" && v == json.Number("0")) {
			logical = append(logical, member{key, v})
		}
	}
	for _, m := range props {
		if _, printed := logical.get(m.key); !printed {
			logical = append(logical, m)
		}
	}
	return logical
}

func (p *printer) orderedAliases(aliases []any) []any {
	if !p.sorted {
		return aliases
	}
	sorted := slices.SortedFunc(slices.Values(aliases), func(a, b any) int { return strings.Compare(fmt.Sprint(a), fmt.Sprint(b)) })
	return slices.CompactFunc(sorted, func(a, b any) bool { return fmt.Sprint(a) == fmt.Sprint(b) })
}

// sortedKeys is a JSON value with the members of its objects sorted, at every depth.
func sortedKeys(v any) any {
	switch v := v.(type) {
	case object:
		sorted := make(object, 0, len(v))
		for _, m := range v {
			sorted = append(sorted, member{m.key, sortedKeys(m.value)})
		}
		slices.SortFunc(sorted, func(a, b member) int { return strings.Compare(a.key, b.key) })
		return sorted
	case []any:
		all := make([]any, 0, len(v))
		for _, e := range v {
			all = append(all, sortedKeys(e))
		}
		return all
	}
	return v
}
