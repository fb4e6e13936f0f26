package postgres

import (
	"encoding/hex"
	"errors"
	"io"
	"math"
	"math/big"
	"math/rand/v2"
	"testing"

	"github.com/jackc/pgx/v5/pgtype"

	"github.com/syncline-io/syncline/framework/sink"
	"github.com/syncline-io/syncline/schemas"
)

// twosComplement returns the shortest big-endian two's complement form of n.
func twosComplement(n *big.Int) []byte {
	if n.Sign() >= 0 {
		b := n.Bytes()
		if len(b) == 0 || b[0]&0x80 != 0 {
			b = append([]byte{0}, b...)
		}
		return b
	}
	size := len(n.Bytes())
	for {
		m := new(big.Int).Add(n, new(big.Int).Lsh(big.NewInt(1), uint(8*size)))
		if b := m.Bytes(); m.Sign() > 0 && len(b) == size && b[0]&0x80 != 0 {
			return b
		}
		size++
	}
}

func TestNumericsMeanTheSameToAnotherReader(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	s := &copyScratch{}
	for i := range 20000 {
		digits := random.IntN(60)
		n := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(digits)), nil)
		if i%3 > 0 {
			n.Mul(n, big.NewInt(random.Int64N(1e6)))
			n.Add(n, big.NewInt(random.Int64()))
		}
		if i%2 == 0 {
			n.Neg(n)
		}
		scale := int32(random.IntN(60) - 20)
		unscaled := twosComplement(n)
		got, err := copyNumeric(nil, schemas.DecimalValue(unscaled, scale), s)
		if err != nil {
			t.Fatal(err)
		}
		var back pgtype.Numeric
		if err := pgtype.NewMap().Scan(pgtype.NumericOID, pgtype.BinaryFormatCode, got, &back); err != nil {
			t.Fatalf("%v e%d: %x: %v", n, -scale, got, err)
		}
		want := new(big.Rat).SetInt(n)
		power := new(big.Rat).SetInt(new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(abs32(scale))), nil))
		if scale > 0 {
			want.Quo(want, power)
		} else {
			want.Mul(want, power)
		}
		have := new(big.Rat).SetInt(back.Int)
		power.SetInt(new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(abs32(back.Exp))), nil))
		if back.Exp < 0 {
			have.Quo(have, power)
		} else {
			have.Mul(have, power)
		}
		if have.Cmp(want) != 0 {
			t.Fatalf("%v e%d became %x, which is %v", n, -scale, got, have)
		}
		if shown := int32(got[6])<<8 | int32(got[7]); shown != max(scale, 0) {
			t.Fatalf("%v e%d shows %d fraction digits", n, -scale, shown)
		}
	}
}

func abs32(n int32) int32 { return max(n, -n) }

func TestBinaryFormOfEachType(t *testing.T) {
	array := func(k schemas.Kind) schemas.Type {
		return schemas.Type{Kind: schemas.Array, Elem: &schemas.Type{Kind: k}}
	}
	ints := func(n ...int64) schemas.Value {
		var vs []schemas.Value
		for _, i := range n {
			vs = append(vs, schemas.IntValue(i))
		}
		return schemas.ArrayValue(vs)
	}
	for _, c := range []struct {
		name  string
		typ   schemas.Type
		value schemas.Value
		want  string // "" for a value that is refused
	}{
		{"true", schemas.Type{Kind: schemas.Bool}, schemas.BoolValue(true), "01"},
		{"smallest int2", schemas.Type{Kind: schemas.Int16}, schemas.IntValue(math.MinInt16), "8000"},
		{"epoch", schemas.Type{Kind: schemas.Date}, schemas.IntValue(10957), "00000000"},
		{"infinite date", schemas.Type{Kind: schemas.Date}, schemas.IntValue(schemas.PosInfinity), "7fffffff"},
		{"date beyond", schemas.Type{Kind: schemas.Date}, schemas.IntValue(math.MaxInt32 + 10957), ""},
		{"negative infinite timestamp", schemas.Type{Kind: schemas.TimestampTZ}, schemas.IntValue(schemas.NegInfinity), "8000000000000000"},
		{"timestamp beyond", schemas.Type{Kind: schemas.Timestamp}, schemas.IntValue(math.MinInt64 + 1), ""},
		{"timestamp", schemas.Type{Kind: schemas.Timestamp}, schemas.IntValue(946684800000001), "0000000000000001"},
		{"interval", schemas.Type{Kind: schemas.Interval}, schemas.IntervalValue(1, -2, 3), "0000000000000003fffffffe00000001"},
		{"uuid", schemas.Type{Kind: schemas.UUID}, schemas.StringValue("a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"), "a0eebc999c0b4ef8bb6d6bb9bd380a11"},
		{"no uuid", schemas.Type{Kind: schemas.UUID}, schemas.StringValue("a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a1x"), ""},
		{"empty array", array(schemas.Int32), ints(), "000000000000000100000017"},
		{
			"matrix", array(schemas.Int16), schemas.ArrayValue([]schemas.Value{ints(1, 2), ints(3, 4)}),
			"00000002000000010000001500000002000000010000000200000001" + "000000020001" + "000000020002" + "000000020003" + "000000020004",
		},
		{"ragged", array(schemas.Int16), schemas.ArrayValue([]schemas.Value{ints(1, 2), ints(3)}), ""},
		{"negative infinity", schemas.Type{Kind: schemas.Decimal}, schemas.SpecialDecimal(schemas.NegInf), "00000000f0000000"},
		{"minus 1.5", schemas.Type{Kind: schemas.Decimal}, schemas.DecimalValue([]byte{0xf1}, 1), "00020000400000010001" + "1388"},
		{"scale beyond", schemas.Type{Kind: schemas.Decimal}, schemas.DecimalValue([]byte{1}, 20000), ""},
	} {
		f, _, err := copyAppendFor(c.typ, false)
		if err != nil {
			t.Fatal(err)
		}
		got, err := f(nil, c.value, &copyScratch{})
		if c.want == "" {
			if !errors.Is(err, errCopyValue) {
				t.Errorf("%s: %x, %v, want it refused", c.name, got, err)
			}
			continue
		}
		if err != nil || hex.EncodeToString(got) != c.want {
			t.Errorf("%s: %x, %v, want %s", c.name, got, err, c.want)
		}
	}
	f, _, _ := copyAppendFor(schemas.Type{Kind: schemas.Int32}, false)
	if _, err := f(nil, schemas.StringValue("1"), nil); err == nil {
		t.Error("text in an integer column is not noticed")
	}
}

// benchTable has the shape of the project's other benchmarks: 12 columns, about 230 bytes.
func benchTable() *sink.Table {
	column := func(id int32, name, source string, t schemas.Type) schemas.Column {
		return schemas.Column{ID: id, Name: name, SourceType: source, Type: t, Nullable: id > 1}
	}
	t := &schemas.Table{System: "postgresql", Schema: "bench", Name: "rows", ID: 1, Version: 1, Columns: []schemas.Column{
		column(1, "id", "bigint", schemas.Type{Kind: schemas.Int64}),
		column(2, "customer", "integer", schemas.Type{Kind: schemas.Int32}),
		column(3, "state", "smallint", schemas.Type{Kind: schemas.Int16}),
		column(4, "paid", "boolean", schemas.Type{Kind: schemas.Bool}),
		column(5, "price", "numeric(10,2)", schemas.Type{Kind: schemas.Decimal, Precision: 10, Scale: 2}),
		column(6, "weight", "double precision", schemas.Type{Kind: schemas.Float64}),
		column(7, "name", "text", schemas.Type{Kind: schemas.String}),
		column(8, "email", "character varying(80)", schemas.Type{Kind: schemas.String, Length: 80}),
		column(9, "created", "timestamp with time zone", schemas.Type{Kind: schemas.TimestampTZ, Precision: 6}),
		column(10, "ref", "uuid", schemas.Type{Kind: schemas.UUID}),
		column(11, "doc", "jsonb", schemas.Type{Kind: schemas.JSON}),
		column(12, "tags", "text[]", schemas.Type{Kind: schemas.Array, Elem: &schemas.Type{Kind: schemas.String}}),
	}}
	t.Columns[0].Key = 1
	return targetOf(t)
}

// benchRows makes n rows with the ids from first on.
func benchRows(first, n int) []sink.Row {
	rows := make([]sink.Row, n)
	tags := schemas.ArrayValue([]schemas.Value{schemas.StringValue("red"), schemas.Null(), schemas.StringValue("green")})
	for i := range rows {
		id := int64(first + i)
		rows[i] = sink.Row{Action: sink.Upsert, Values: []schemas.Value{
			schemas.IntValue(id), schemas.IntValue(id % 1000), schemas.IntValue(3), schemas.BoolValue(true),
			schemas.DecimalValue([]byte{byte(id >> 16 & 0x7f), byte(id >> 8), byte(id)}, 2), schemas.FloatValue(float64(id) / 7),
			schemas.StringValue("a customer's name of common length"), schemas.StringValue("somebody.somewhere@example.com"),
			schemas.IntValue(1700000000000000 + id), schemas.StringValue("a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"),
			schemas.StringValue(`{"source": "web", "items": [1, 2, 3], "note": "deliver after noon"}`), tags,
		}}
	}
	return rows
}

func benchPlan(t testing.TB) *sinkPlan {
	t.Helper()
	table := benchTable()
	have := &targetTable{kind: "r"}
	for i, c := range table.Columns {
		have.columns = append(have.columns, targetColumn{name: c.Name, typ: wantedType(table, i)})
	}
	p, err := newSinkPlan(table, have, nil)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestCopyEncodesRowsWithoutAllocating(t *testing.T) {
	p, rows, chunk := benchPlan(t), benchRows(1, 1000), make([]byte, sinkCopyChunk)
	// A number beyond 64 bits takes the longer way.
	rows[0].Values[4] = schemas.DecimalValue([]byte{0x80, 1, 2, 3, 4, 5, 6, 7, 8, 9}, 2)
	r, ops := &copyRows{}, make([]int16, len(rows))
	run := func() {
		r.reset(p, rows, ops)
		for {
			if _, err := r.Read(chunk); err == io.EOF {
				return
			} else if err != nil {
				t.Fatal(err)
			}
		}
	}
	if n := testing.AllocsPerRun(20, run); n > 0 {
		t.Errorf("%v allocations for %d rows, want none", n, len(rows))
	}
}

func BenchmarkSinkCopyEncode(b *testing.B) {
	p, rows, chunk := benchPlan(b), benchRows(1, 1000), make([]byte, sinkCopyChunk)
	r, ops := &copyRows{}, make([]int16, len(rows))
	b.ReportAllocs()
	for range b.N {
		r.reset(p, rows, ops)
		for {
			n, err := r.Read(chunk)
			if err == io.EOF {
				break
			}
			b.SetBytes(int64(n))
		}
	}
	b.ReportMetric(float64(len(rows)*b.N)/b.Elapsed().Seconds(), "rows/s")
}
