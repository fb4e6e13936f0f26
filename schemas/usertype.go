package schemas

import "slices"

// UserType is a type that somebody made at the source out of other types: a domain or a composite type of PostgreSQL. A
// target of the same system makes it again, or takes what is beneath it.
type UserType struct {
	// Name is the source's own text of the type, as it stands in [Column.SourceType]: "shop.address".
	Name string `json:"name"`
	// Base is the text of the type beneath a domain, its modifiers included.
	Base string `json:"base,omitempty"`
	// Attributes are those of a composite type, in its order.
	Attributes []Attribute `json:"attributes,omitempty"`
}

// Attribute is one attribute of a composite type.
type Attribute struct {
	Name string `json:"name"`
	// Type is the source's own text of its type, its modifiers included.
	Type string `json:"type"`
}

// Equal reports whether the two say the same.
func (t UserType) Equal(u UserType) bool {
	return t.Name == u.Name && t.Base == u.Base && slices.Equal(t.Attributes, u.Attributes)
}
