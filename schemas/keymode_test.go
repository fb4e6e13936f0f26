package schemas

import (
	"strings"
	"testing"
)

func TestKeysThatAModeCannotTellApartAreRefusedAtOnce(t *testing.T) {
	mode := func(t Type, m Mode) Type { t.Mode = m; return t }
	for _, tc := range []struct {
		typ  Type
		want string // "" for a key that is taken
	}{
		{mode(digits(Timestamp, 6), ModeConnect), `key column "k" (timestamp): time_precision_mode "connect"`},
		{mode(digits(Time, 4), ModeConnect), `time_precision_mode "connect"`},
		{mode(digits(Timestamp, 3), ModeConnect), ""},
		{mode(kind(Date), ModeConnect), ""},
		{digits(Timestamp, 6), ""},
		{mode(digits(Timestamp, 6), ModeNanoseconds), ""},
		{mode(numeric(16, 2), ModeDouble), `decimal_handling_mode "double"`},
		{mode(kind(Decimal), ModeDouble), `decimal_handling_mode "double"`},
		{mode(Type{Kind: Decimal, Precision: 19, Scale: 2, Form: FormMoney}, ModeDouble), `decimal_handling_mode "double"`},
		{mode(numeric(15, 2), ModeDouble), ""},
		{kind(Decimal), ""},
		{kind(Interval), `interval_handling_mode "numeric"`},
		{mode(kind(Interval), ModeString), ""},
		{arrayOf(mode(digits(Timestamp, 6), ModeConnect)), `time_precision_mode "connect"`},
	} {
		for types, want := range map[Types]string{TypesDebezium: tc.want, TypesAvro: ""} {
			_, err := NewEncoder(table("public", "t", key(1, col("k", tc.typ)), col("v", tc.typ)), Mapping{Prefix: "x", Types: types})
			if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
				t.Errorf("%s: a key of %v in mode %q: %v, want %q", types, tc.typ, tc.typ.Mode, err, want)
			}
			if _, err := NewEncoder(table("public", "t", key(1, col("id", kind(Int32))), col("v", tc.typ)), Mapping{Prefix: "x", Types: types}); err != nil {
				t.Errorf("%s: %v outside the key: %v", types, tc.typ, err)
			}
		}
	}
}
