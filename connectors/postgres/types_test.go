package postgres

import (
	"testing"

	"github.com/jackc/pgx/v5/pgtype"
)

// TestUnknownTypesAreTakenInAsDebeziumDoes: three classes, bytes, arrays of bytes, and what is left out all the same.
func TestUnknownTypesAreTakenInAsDebeziumDoes(t *testing.T) {
	const (
		addr = 20001 + iota
		addrs
		price
		prices
		mood
		dMood
		dMoods
		boxes
		boxesOf
		ltree
		ltrees
		cube
		cubes
	)
	const tsquery = 3615
	user := userTypes{
		tsquery: {name: "tsquery", kind: 'b'}, 1790: {name: "refcursor", kind: 'b'}, 2201: {name: "_refcursor", kind: 'b', elem: 1790},
		addr: {name: "addr", kind: 'c'}, addrs: {name: "_addr", kind: 'b', elem: addr},
		price: {name: "d_price", kind: 'd', base: pgtype.NumericOID, typmod: -1}, prices: {name: "_d_price", kind: 'b', elem: price},
		mood: {name: "mood", kind: 'e', labels: []string{"ok"}}, dMood: {name: "d_mood", kind: 'd', base: mood, typmod: -1}, dMoods: {name: "_d_mood", kind: 'b', elem: dMood},
		boxes: {name: "d_box", kind: 'd', base: pgtype.BoxOID, typmod: -1}, boxesOf: {name: "_d_box", kind: 'b', elem: boxes},
		ltree: {name: "ltree", kind: 'b'}, ltrees: {name: "_ltree", kind: 'b', elem: ltree}, cube: {name: "cube", kind: 'b'}, cubes: {name: "_cube", kind: 'b', elem: cube},
	}
	for _, c := range []struct {
		oid            uint32
		text, included string // the types with "text" and with "true"; "-" for a column that is left out
	}{
		{tsquery, "tsquery", "bytes"},
		{addr, "unknown", "bytes"},
		{cube, "unknown", "bytes"},
		{addrs, "unknown", "array of bytes"},
		{prices, "unknown", "array of bytes"},
		{cubes, "unknown", "array of bytes"},
		{dMoods, "array of enum", "array of enum"},
		{boxesOf, "unknown", "bytes"}, // their elements stand between semicolons
		{ltrees, "array of ltree", "array of ltree"},
		{pgtype.XIDArrayOID, "array of xid", "array of bytes"},
		{pgtype.PointArrayOID, "array of point", "-"},
		{2201, "array of refcursor", "-"},
		{pgtype.NameArrayOID, "array of name", "-"},
		{pgtype.IntervalArrayOID, "array of interval", "-"},
		{pgtype.VarbitArrayOID, "array of varbit", "-"},
		{pgtype.Int4ArrayOID, "array of int32", "array of int32"},
	} {
		for unknown, want := range map[string]string{unknownText: c.text, unknownBytes: c.included} {
			m := modes{unknown: unknown}
			typ := user.columnType(c.oid, -1)
			m.apply(&typ, user.isArray(c.oid))
			got := typ.String()
			if m.omits(&typ) {
				got = "-"
			}
			if got != want {
				t.Errorf("%s, include_unknown_datatypes %q: %s, want %s", user.of(c.oid).name, unknown, got, want)
			}
		}
	}
}
