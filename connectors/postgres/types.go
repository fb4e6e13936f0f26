package postgres

import (
	"sync"

	"github.com/jackc/pgx/v5/pgtype"

	"github.com/syncline-io/syncline/schemas"
)

// userType is what the catalog says of a type.
type userType struct {
	name string
	// kind is pg_type.typtype: b(ase), c(omposite), d(omain), e(num), m(ultirange), p(seudo), r(ange).
	kind byte
	// base and typmod say what a domain is made of; notNull is the domain's own.
	base    uint32
	typmod  int32
	notNull bool
	// sent says that it has a function that sends it in binary. An extension's type may have got it with a later version.
	sent bool
	// elem is the type of an array's elements, 0 for what is no array.
	elem uint32
	// labels of an enum, in their sort order.
	labels []string
}

// userTypes holds the types that a table's columns use, by OID, as far as more must be known of them than the OID.
type userTypes map[uint32]userType

// of returns what is known of a type: of one that is built in also where the catalog was not asked.
func (u userTypes) of(oid uint32) userType {
	if t, ok := u[oid]; ok || !isBuiltIn(oid) {
		return t
	}
	t, ok := builtInTypes().TypeForOID(oid)
	if !ok {
		return userType{}
	}
	known := userType{name: t.Name, kind: 'b'}
	if array, ok := t.Codec.(*pgtype.ArrayCodec); ok {
		known.elem = array.ElementType.OID
	}
	return known
}

var builtInTypes = sync.OnceValue(pgtype.NewMap)

// resolve follows domains to the type that the server sends.
func (u userTypes) resolve(oid uint32, typmod int32) (uint32, int32) {
	// A domain over a domain over ... is finite; the bound is for a catalog that lies.
	for range 32 {
		t, ok := u[oid]
		if !ok || t.kind != 'd' {
			break
		}
		if typmod < 0 {
			typmod = t.typmod
		}
		oid = t.base
	}
	return oid, typmod
}

// columnType maps a column's type to the canonical one. Types without a mapping travel as PostgreSQL's own text.
func (u userTypes) columnType(oid uint32, typmod int32) schemas.Type {
	oid, typmod = u.resolve(oid, typmod)
	if t, ok := scalarType(oid, typmod); ok {
		return t
	}
	t := u.of(oid)
	switch {
	case t.kind == 'e':
		return schemas.Type{Kind: schemas.Enum, Labels: t.labels}
	case t.elem != 0:
		return u.arrayType(t.elem, typmod)
	case !isBuiltIn(oid) && !extensionTypes[t.name] || t.kind != 'b' && !isBuiltIn(oid):
		return schemas.Type{Kind: schemas.String, Form: schemas.FormUnknown}
	case oid == pgtype.BitOID:
		return schemas.Type{Kind: schemas.String, Form: schemas.FormBit, Length: max(1, int(typmod))}
	case oid == pgtype.VarbitOID:
		return schemas.Type{Kind: schemas.String, Form: schemas.FormVarbit, Length: max(0, int(typmod))}
	case t.name == "":
		return schemas.Type{Kind: schemas.String, Form: schemas.FormUnknown}
	}
	return schemas.Type{Kind: schemas.String, Form: schemas.Form(t.name)}
}

// arrayType is for an array of one of the types that are known; those of a domain or a composite type are text as a whole, but
// for a domain over an enum, whose arrays Debezium knows without their labels.
func (u userTypes) arrayType(elem uint32, typmod int32) schemas.Type {
	if base, _ := u.resolve(elem, typmod); base != elem && u.of(base).kind == 'e' {
		return schemas.Type{Kind: schemas.Array, Elem: &schemas.Type{Kind: schemas.String, Form: schemas.FormLabel}}
	}
	if kind := u.of(elem).kind; kind != 'd' && kind != 'c' {
		if t := u.columnType(elem, typmod); t.Form != schemas.FormUnknown {
			return schemas.Type{Kind: schemas.Array, Elem: &t}
		}
	}
	return schemas.Type{Kind: schemas.String, Form: schemas.FormUnknown}
}

// extensionTypes are those that somebody knows who has no PostgreSQL: by their names, as Debezium finds them too.
var extensionTypes = map[string]bool{
	"citext": true, "hstore": true, "ltree": true, "isbn": true, "geometry": true, "geography": true, "vector": true, "halfvec": true, "sparsevec": true,
}

// isArray reports whether a type, or what a domain is made of, is an array whose elements stand between commas.
func (u userTypes) isArray(oid uint32) bool {
	oid, _ = u.resolve(oid, -1)
	elem := u.of(oid).elem
	base, _ := u.resolve(elem, -1)
	form := schemas.Form(u.of(base).name)
	return elem != 0 && schemas.ArrayDelimiter(&schemas.Type{Kind: schemas.String, Form: form}) == ','
}

// moneyDigits is the number of fraction digits of money where lc_monetary is C.
const moneyDigits = 2

// scalarType maps the types that have a kind of their own.
func scalarType(oid uint32, typmod int32) (schemas.Type, bool) {
	switch oid {
	case pgtype.BoolOID:
		return schemas.Type{Kind: schemas.Bool}, true
	case pgtype.Int2OID:
		return schemas.Type{Kind: schemas.Int16}, true
	case pgtype.Int4OID:
		return schemas.Type{Kind: schemas.Int32}, true
	case pgtype.Int8OID, pgtype.OIDOID:
		return schemas.Type{Kind: schemas.Int64}, true
	case pgtype.Float4OID:
		return schemas.Type{Kind: schemas.Float32}, true
	case pgtype.Float8OID:
		return schemas.Type{Kind: schemas.Float64}, true
	case pgtype.NumericOID:
		return numericType(typmod), true
	case moneyOID:
		return schemas.Type{Kind: schemas.Decimal, Precision: 19, Scale: moneyDigits, Form: schemas.FormMoney}, true
	case pgtype.TextOID:
		return schemas.Type{Kind: schemas.String}, true
	case pgtype.VarcharOID, pgtype.BPCharOID:
		return schemas.Type{Kind: schemas.String, Length: max(0, int(typmod)-4)}, true
	case pgtype.ByteaOID:
		return schemas.Type{Kind: schemas.Bytes}, true
	case pgtype.DateOID:
		return schemas.Type{Kind: schemas.Date}, true
	case pgtype.TimeOID:
		return schemas.Type{Kind: schemas.Time, Precision: secondsPrecision(typmod)}, true
	case pgtype.TimestampOID:
		return schemas.Type{Kind: schemas.Timestamp, Precision: secondsPrecision(typmod)}, true
	case pgtype.TimestamptzOID:
		return schemas.Type{Kind: schemas.TimestampTZ, Precision: secondsPrecision(typmod)}, true
	case pgtype.IntervalOID:
		return schemas.Type{Kind: schemas.Interval}, true
	case pgtype.UUIDOID:
		return schemas.Type{Kind: schemas.UUID}, true
	case pgtype.JSONOID, pgtype.JSONBOID:
		return schemas.Type{Kind: schemas.JSON}, true
	}
	return schemas.Type{}, false
}

// moneyOID is the type money, of which pgx has no name.
const moneyOID = 790

// isPlain tells the types whose OID and modifier say all.
func isPlain(oid uint32) bool {
	_, ok := scalarType(oid, -1)
	return ok
}

// numericType reads precision and scale; the scale is an 11-bit number with a sign since PostgreSQL 15, and was never
// above 1000 before.
func numericType(typmod int32) schemas.Type {
	if typmod < 4 {
		return schemas.Type{Kind: schemas.Decimal}
	}
	m := typmod - 4
	return schemas.Type{Kind: schemas.Decimal, Precision: int(m >> 16 & 0xffff), Scale: int(m&0x7ff^1024) - 1024}
}

func secondsPrecision(typmod int32) int {
	if typmod < 0 || typmod > 6 {
		return 6
	}
	return int(typmod)
}

// isBuiltIn tells the types that are the same in every database, by the OIDs that PostgreSQL gives out by hand.
func isBuiltIn(oid uint32) bool { return oid < 10000 }
