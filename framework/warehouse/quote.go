package warehouse

import "strings"

// QuoteName quotes an identifier as standard SQL does: whatever it contains, it is taken as it stands.
func QuoteName(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

// QuoteTable quotes "schema"."name", or the name alone when there is no schema.
func QuoteTable(schema, name string) string {
	if schema == "" {
		return QuoteName(name)
	}
	return QuoteName(schema) + "." + QuoteName(name)
}

// QuoteText quotes a string literal as standard SQL does: a backslash has no meaning in it.
func QuoteText(text string) string { return "'" + strings.ReplaceAll(text, "'", "''") + "'" }

// QuoteNames quotes identifiers and joins them with commas.
func QuoteNames(names []string) string {
	quoted := make([]string, len(names))
	for i, name := range names {
		quoted[i] = QuoteName(name)
	}
	return strings.Join(quoted, ", ")
}
