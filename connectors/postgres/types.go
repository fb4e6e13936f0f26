package postgres

import (
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/syncline-io/syncline/schemas"
)

// userType is what the catalog says of a type that is not built in.
type userType struct {
	// kind is pg_type.typtype: b(ase), c(omposite), d(omain), e(num), m(ultirange), p(seudo), r(ange).
	kind byte
	// base and typmod say what a domain is made of.
	base   uint32
	typmod int32
	// labels of an enum, in their sort order.
	labels []string
}

// userTypes holds the types that a table's columns use and that are not built in, by OID.
type userTypes map[uint32]userType

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
func columnType(oid uint32, typmod int32, user userTypes) schemas.Type {
	oid, typmod = user.resolve(oid, typmod)
	if t, ok := user[oid]; ok && t.kind == 'e' {
		return schemas.Type{Kind: schemas.Enum, Labels: t.labels}
	}
	switch oid {
	case pgtype.BoolOID:
		return schemas.Type{Kind: schemas.Bool}
	case pgtype.Int2OID:
		return schemas.Type{Kind: schemas.Int16}
	case pgtype.Int4OID:
		return schemas.Type{Kind: schemas.Int32}
	case pgtype.Int8OID, pgtype.OIDOID:
		return schemas.Type{Kind: schemas.Int64}
	case pgtype.Float4OID:
		return schemas.Type{Kind: schemas.Float32}
	case pgtype.Float8OID:
		return schemas.Type{Kind: schemas.Float64}
	case pgtype.NumericOID:
		return numericType(typmod)
	case pgtype.VarcharOID, pgtype.BPCharOID:
		return schemas.Type{Kind: schemas.String, Length: max(0, int(typmod)-4)}
	case pgtype.ByteaOID:
		return schemas.Type{Kind: schemas.Bytes}
	case pgtype.DateOID:
		return schemas.Type{Kind: schemas.Date}
	case pgtype.TimeOID:
		return schemas.Type{Kind: schemas.Time, Precision: secondsPrecision(typmod)}
	case pgtype.TimestampOID:
		return schemas.Type{Kind: schemas.Timestamp, Precision: secondsPrecision(typmod)}
	case pgtype.TimestamptzOID:
		return schemas.Type{Kind: schemas.TimestampTZ, Precision: secondsPrecision(typmod)}
	case pgtype.IntervalOID:
		return schemas.Type{Kind: schemas.Interval}
	case pgtype.UUIDOID:
		return schemas.Type{Kind: schemas.UUID}
	case pgtype.JSONOID, pgtype.JSONBOID:
		return schemas.Type{Kind: schemas.JSON}
	}
	if elem, ok := arrayElement(oid); ok {
		t := columnType(elem, typmod, nil)
		return schemas.Type{Kind: schemas.Array, Elem: &t}
	}
	return schemas.Type{Kind: schemas.String}
}

// arrayElement returns the element type of the arrays that have a canonical type.
func arrayElement(oid uint32) (uint32, bool) {
	switch oid {
	case pgtype.Int2ArrayOID:
		return pgtype.Int2OID, true
	case pgtype.Int4ArrayOID:
		return pgtype.Int4OID, true
	case pgtype.Int8ArrayOID:
		return pgtype.Int8OID, true
	case pgtype.TextArrayOID:
		return pgtype.TextOID, true
	case pgtype.VarcharArrayOID:
		return pgtype.VarcharOID, true
	case pgtype.BPCharArrayOID:
		return pgtype.BPCharOID, true
	}
	return 0, false
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
