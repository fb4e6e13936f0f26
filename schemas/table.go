package schemas

import (
	"slices"
	"strings"
)

// Table describes the rows of one source table at one version. It is immutable: a change of the source's table makes a
// new Table with a higher Version.
type Table struct {
	// System is the kind of source, as Debezium names its connector: "postgresql".
	System string `json:"system"`
	// Database, Schema and Name are the source's own names, unescaped.
	Database string `json:"database"`
	Schema   string `json:"schema"`
	Name     string `json:"name"`
	// ID is the source's own identity of the table (PostgreSQL's relation OID), so that a table dropped and made again
	// is not taken for the old one. 0 where the source has none.
	ID uint32 `json:"id,omitempty"`
	// Version orders the versions of one table; it grows with every change. It is the high half of the [Version] (the
	// source's position) at which the table was first seen in this shape.
	Version uint64 `json:"version"`
	// Identity says what the source knows of the old row in an update or delete.
	Identity Identity `json:"identity"`
	// Columns in the order of the source.
	Columns []Column `json:"columns"`
	// Content says what the topic's records are about. What are no rows is in no tables topic.
	Content Content `json:"-"`
}

// Column is one column of a [Table].
type Column struct {
	// ID is stable over renames and never used again for another column (PostgreSQL's attnum). 0 where the source has
	// none: then the name is all there is.
	ID   int32  `json:"id"`
	Name string `json:"name"`
	Type Type   `json:"type"`
	// SourceType is the source's own text of the type with its modifiers, such as "numeric(10,2)" or "jsonb". A target
	// of the same system makes its column from it.
	SourceType string `json:"source_type"`
	// Types are the user's types that SourceType names or is made of, through all levels, in no order that means anything.
	Types []UserType `json:"types,omitempty"`
	// Domain says that the source's type is a domain over Type. It makes no other shape of a table: the schemas of one that was
	// described before stay what they are.
	Domain   bool `json:"domain,omitempty"`
	Nullable bool `json:"nullable"`
	// Default is the source's default expression, "" when there is none.
	Default string `json:"default,omitempty"`
	// Generated marks a serial or identity column: its values come from a sequence.
	Generated bool `json:"generated,omitempty"`
	// Key is the position in the key, from 1; 0 is outside the key.
	Key int `json:"key,omitempty"`
}

// Identity says what the source knows of the old row: PostgreSQL's replica identity.
type Identity string

// The identities.
const (
	IdentityKey     Identity = "key"     // the key columns (PostgreSQL: default, with a primary key, or index)
	IdentityFull    Identity = "full"    // the whole row
	IdentityNothing Identity = "nothing" // nothing: no updates or deletes are sent
)

// KeyColumns returns the indexes of the key's columns, in the order of the key. It is empty for a table without key.
func (t *Table) KeyColumns() []int {
	n := 0
	for i := range t.Columns {
		n = max(n, t.Columns[i].Key)
	}
	key := make([]int, n)
	for i := range t.Columns {
		if k := t.Columns[i].Key; k > 0 {
			key[k-1] = i
		}
	}
	return key
}

// Column returns the index of the named column, or -1.
func (t *Table) Column(name string) int {
	for i := range t.Columns {
		if t.Columns[i].Name == name {
			return i
		}
	}
	return -1
}

// String gives "schema.name" for messages.
func (t *Table) String() string {
	if t.Schema == "" {
		return t.Name
	}
	return t.Schema + "." + t.Name
}

// SameShape reports whether t and u differ in nothing but Version: the same table with the same columns.
func (t *Table) SameShape(u *Table) bool {
	if t.System != u.System || t.Database != u.Database || t.Schema != u.Schema || t.Name != u.Name || t.ID != u.ID ||
		t.Content != u.Content || t.Identity != u.Identity || len(t.Columns) != len(u.Columns) {
		return false
	}
	for i := range t.Columns {
		a, b := &t.Columns[i], &u.Columns[i]
		if a.ID != b.ID || a.Name != b.Name || !a.Type.Equal(b.Type) || a.SourceType != b.SourceType ||
			a.Nullable != b.Nullable || a.Default != b.Default || a.Generated != b.Generated || a.Key != b.Key ||
			!slices.EqualFunc(a.Types, b.Types, UserType.Equal) {
			return false
		}
	}
	return true
}

// TopicName is the topic of a table as Debezium names it: "prefix.schema.name", where a character that Kafka does not
// allow becomes "_". Two tables can therefore share a name: who creates topics must detect that and stop.
func TopicName(prefix, schema, name string) string {
	var b strings.Builder
	b.Grow(len(prefix) + len(schema) + len(name) + 2)
	for i, part := range [...]string{prefix, schema, name} {
		if i > 0 {
			if part == "" {
				continue
			}
			b.WriteByte('.')
		}
		for _, r := range part {
			switch {
			case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '.', r == '_', r == '-':
				b.WriteRune(r)
			default:
				b.WriteByte('_')
			}
		}
	}
	return b.String()
}
