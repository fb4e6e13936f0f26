package schemas

import (
	"bytes"
	"math/big"
	"testing"

	"github.com/linkedin/goavro/v2"
)

// orderChange is an insert into a table of twelve columns with about 230 bytes of data: the row of the benchmarks.
func orderChange(tb testing.TB) (*Table, *Change) {
	tb.Helper()
	t := table("public", "orders", key(1, col("id", kind(Int64))), notNull(col("customer_id", kind(Int64))), col("status", Type{Kind: Enum, Labels: []string{"new", "paid", "sent"}}),
		col("total", numeric(12, 2)), col("discount", kind(Float64)), notNull(col("paid", kind(Bool))), col("created_at", digits(TimestampTZ, 6)), col("updated_at", digits(Timestamp, 6)),
		col("reference", kind(UUID)), col("note", kind(String)), col("payload", kind(JSON)), col("tags", arrayOf(kind(String))))
	texts := []string{
		"1234567", "89012", "paid", "1299.95", "0.125", "t", "2025-01-01 12:00:00.123456+00", "2025-01-02 08:30:00", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11",
		"please leave it with the neighbour on the second floor", `{"channel": "web", "items": 3, "voucher": null}`, "{gift,express}",
	}
	c := &Change{Table: t, Op: Create, Source: Origin{Time: 1_700_000_000_123_456, TxID: 77, LSN: 1 << 33, LastCommit: 1 << 32}}
	var a Arena
	for i, text := range texts {
		v, err := ParseText([]byte(text), &t.Columns[i].Type, &a)
		if err != nil {
			tb.Fatal(err)
		}
		c.After = append(c.After, v)
	}
	return t, c
}

func orderEncoder(tb testing.TB) (*Encoder, *Change) {
	tb.Helper()
	t, c := orderChange(tb)
	e, err := NewEncoder(t, Mapping{Prefix: "shop"})
	if err != nil {
		tb.Fatal(err)
	}
	return e, c
}

func orderNative() map[string]any {
	long := func(v int64) any { return inUnion("long", v) }
	return map[string]any{
		"before": nil,
		"after": inUnion("shop.public.orders.Value", map[string]any{
			"id": int64(1234567), "customer_id": int64(89012), "status": inUnion("string", "paid"), "total": inUnion("bytes.decimal", big.NewRat(129995, 100)), "discount": inUnion("double", 0.125), "paid": true,
			"created_at": inUnion("string", "2025-01-01T12:00:00.123456Z"), "updated_at": long(1735806600000000), "reference": inUnion("string", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"),
			"note": inUnion("string", "please leave it with the neighbour on the second floor"), "payload": inUnion("string", `{"channel": "web", "items": 3, "voucher": null}`),
			"tags": inUnion("array", []any{inUnion("string", "gift"), inUnion("string", "express")}),
		}),
		"source": map[string]any{
			"version": SourceVersion, "connector": "postgresql", "name": "shop", "ts_ms": int64(1_700_000_000_123), "snapshot": inUnion("string", "false"), "db": "db",
			"sequence": inUnion("string", `["4294967296","8589934592"]`), "ts_us": long(1_700_000_000_123_456), "ts_ns": long(1_700_000_000_123_456_000), "schema": "public", "table": "orders",
			"txId": long(77), "lsn": long(1 << 33), "xmin": nil, "origin": nil, "origin_lsn": nil,
		},
		"transaction": nil, "op": "c", "ts_ms": long(1_700_000_000_200), "ts_us": long(1_700_000_000_200_000), "ts_ns": long(1_700_000_000_200_000_000),
	}
}

const benchMicros = 1_700_000_000_200_000

func TestRowsAreEncodedWithoutAllocation(t *testing.T) {
	e, c := orderEncoder(t)
	c.Op, c.Before = Update, c.After
	after := append([]Value(nil), c.After...)
	after[9], after[3] = Unchanged(), SpecialDecimal(NaN)
	c.After = after
	dst := make([]byte, 0, 4096)
	if n := testing.AllocsPerRun(1000, func() {
		var err error
		if dst, err = e.AppendValue(dst[:0], c, benchMicros); err != nil {
			t.Fatal(err)
		}
		if dst, err = e.AppendKey(dst, c.Before); err != nil {
			t.Fatal(err)
		}
		dst = e.AppendKeyJSON(dst, c.Before)
		dst = e.AppendUnchangedJSON(dst)
	}); n != 0 {
		t.Errorf("%v allocations per row", n)
	}
}

func TestRawTextsTakeNoMoreMemoryWithEveryRow(t *testing.T) {
	e, c := orderEncoder(t)
	c.After[9] = UnrepresentableValue([]byte("what the source sent"))
	for range 10_000 {
		if _, err := e.AppendValue(nil, c, benchMicros); err != nil {
			t.Fatal(err)
		}
	}
	if cap(e.texts) > 1024 {
		t.Errorf("%d bytes kept for one text", cap(e.texts))
	}
}

func TestRowsAreDecodedWithoutAllocation(t *testing.T) {
	e, c := orderEncoder(t)
	c.Op, c.Before = Update, c.After
	wire, err := e.AppendValue(nil, c, benchMicros)
	if err != nil {
		t.Fatal(err)
	}
	d, err := NewDecoder(e.ValueSchema(), e.Table())
	if err != nil {
		t.Fatal(err)
	}
	keyWire, err := e.AppendKey(nil, c.After)
	if err != nil {
		t.Fatal(err)
	}
	k, err := NewKeyDecoder(e.KeySchema(), e.Table())
	if err != nil {
		t.Fatal(err)
	}
	version := (Version{1, 2}).AppendBinary(nil)
	var got Change
	var a Arena
	if n := testing.AllocsPerRun(1000, func() {
		a.Reset()
		if err := d.Decode(wire[wireHeader:], &got, &a); err != nil {
			t.Fatal(err)
		}
		for _, h := range []struct{ name, value string }{
			{HeaderUnchanged, `["note","tags"]`}, {HeaderRaw + "total", "NaN"}, {HeaderRawBefore + "total", "Infinity"}, {HeaderBefore, "key"}, {"other", ""},
		} {
			if err := d.ApplyHeader(&got, h.name, stringBytes(h.value), &a); err != nil {
				t.Fatal(err)
			}
		}
		if err := d.ApplyHeader(&got, HeaderVersion, version, &a); err != nil {
			t.Fatal(err)
		}
		if err := k.Decode(keyWire[wireHeader:], a.Values(12), &a); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations per row", n)
	}
	if got.Version != (Version{1, 2}) || !got.After[9].IsUnchanged() || !got.After[11].IsUnchanged() || !got.BeforeKeyOnly || !got.Before[9].IsNull() {
		t.Errorf("headers gave %+v", got)
	}
	if _, _, form := got.After[3].Decimal(); form != NaN {
		t.Errorf("total is %v", form)
	}
}

func stringBytes(s string) []byte { return StringValue(s).Bytes() }

func BenchmarkEncode(b *testing.B) {
	e, c := orderEncoder(b)
	dst := make([]byte, 0, 4096)
	b.ReportAllocs()
	for b.Loop() {
		c.Source.LSN += 200 // as in a transaction
		dst, _ = e.AppendValue(dst[:0], c, benchMicros)
	}
	b.SetBytes(int64(len(dst)))
}

func BenchmarkEncodeGoavro(b *testing.B) {
	e, _ := orderEncoder(b)
	codec, err := goavro.NewCodec(e.ValueSchema())
	if err != nil {
		b.Fatal(err)
	}
	n := orderNative()
	dst := make([]byte, 0, 4096)
	b.ReportAllocs()
	for b.Loop() {
		if dst, err = codec.BinaryFromNative(dst[:0], n); err != nil {
			b.Fatal(err)
		}
	}
	b.SetBytes(int64(len(dst)))
}

func BenchmarkDecode(b *testing.B) {
	e, c := orderEncoder(b)
	wire, _ := e.AppendValue(nil, c, benchMicros)
	d, err := NewDecoder(e.ValueSchema(), e.Table())
	if err != nil {
		b.Fatal(err)
	}
	var got Change
	var a Arena
	b.SetBytes(int64(len(wire)))
	b.ReportAllocs()
	for b.Loop() {
		a.Reset()
		if err := d.Decode(wire[wireHeader:], &got, &a); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDecodeGoavro(b *testing.B) {
	e, c := orderEncoder(b)
	wire, _ := e.AppendValue(nil, c, benchMicros)
	codec, err := goavro.NewCodec(e.ValueSchema())
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(wire)))
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := codec.NativeFromBinary(wire[wireHeader:]); err != nil {
			b.Fatal(err)
		}
	}
}

func TestTheBenchmarksWriteTheSameRow(t *testing.T) {
	e, c := orderEncoder(t)
	wire, err := e.AppendValue(nil, c, benchMicros)
	if err != nil {
		t.Fatal(err)
	}
	codec, err := goavro.NewCodec(e.ValueSchema())
	if err != nil {
		t.Fatal(err)
	}
	theirs, err := codec.BinaryFromNative(nil, orderNative())
	if err != nil {
		t.Fatal(err)
	}
	if string(theirs) != string(wire[wireHeader:]) {
		t.Errorf("ours   %x\ngoavro %x", wire[wireHeader:], theirs)
	}
}

// TestTheSourceIsThatOfEachChange is about what the changes of a transaction share: nothing of the one before may stay.
func TestTheSourceIsThatOfEachChange(t *testing.T) {
	e, c := orderEncoder(t)
	first := c.Source
	origins := []Origin{first}
	for _, change := range []func(*Origin){
		func(o *Origin) { o.LSN++ },
		func(o *Origin) { o.LSN = 0 },
		func(o *Origin) { o.LSN = 1 << 60 },
		func(o *Origin) { o.Time++ },
		func(o *Origin) { o.TxID = 0 },
		func(o *Origin) { o.LastCommit = 0 },
		func(o *Origin) { o.ReplicationOrigin = "elsewhere" },
		func(o *Origin) { o.Snapshot = SnapshotTrue },
		func(o *Origin) { o.Snapshot = SnapshotLast },
		func(o *Origin) { *o = Origin{} },
	} {
		o := origins[len(origins)-1]
		change(&o)
		origins = append(origins, o, first)
	}
	for _, o := range origins {
		fresh, _ := orderEncoder(t)
		c.Source = o
		want, err := fresh.AppendValue(nil, c, benchMicros)
		if err != nil {
			t.Fatal(err)
		}
		got, err := e.AppendValue(nil, c, benchMicros)
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%+v after others: %x, want %x, error %v", o, got, want, err)
		}
	}
}
