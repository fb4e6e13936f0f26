package schemas

import (
	"reflect"
	"testing"

	"github.com/twmb/avro"
)

// The benchmarks' record as structs, as a program has them that was written for this one table: what the speed of a
// codec whose schema is known when it is compiled can be.
type orderEnvelope struct {
	Before      *orderRow         `avro:"before"`
	After       *orderRow         `avro:"after"`
	Source      orderSource       `avro:"source"`
	Transaction *orderTransaction `avro:"transaction"`
	Op          string            `avro:"op"`
	TsMs        *int64            `avro:"ts_ms"`
	TsUs        *int64            `avro:"ts_us"`
	TsNs        *int64            `avro:"ts_ns"`
}

type orderRow struct {
	ID         int64     `avro:"id"`
	CustomerID int64     `avro:"customer_id"`
	Status     *string   `avro:"status"`
	Total      *[]byte   `avro:"total"` // the decimal as it is on the wire: a number would cost more
	Discount   *float64  `avro:"discount"`
	Paid       bool      `avro:"paid"`
	CreatedAt  *string   `avro:"created_at"`
	UpdatedAt  *int64    `avro:"updated_at"`
	Reference  *string   `avro:"reference"`
	Note       *string   `avro:"note"`
	Payload    *string   `avro:"payload"`
	Tags       []*string `avro:"tags"`
}

type orderSource struct {
	Version   string  `avro:"version"`
	Connector string  `avro:"connector"`
	Name      string  `avro:"name"`
	TsMs      int64   `avro:"ts_ms"`
	Snapshot  *string `avro:"snapshot"`
	DB        string  `avro:"db"`
	Sequence  *string `avro:"sequence"`
	TsUs      *int64  `avro:"ts_us"`
	TsNs      *int64  `avro:"ts_ns"`
	Schema    string  `avro:"schema"`
	Table     string  `avro:"table"`
	TxID      *int64  `avro:"txId"`
	LSN       *int64  `avro:"lsn"`
	Xmin      *int64  `avro:"xmin"`
	Origin    *string `avro:"origin"`
	OriginLSN *int64  `avro:"origin_lsn"`
}

type orderTransaction struct {
	ID                  string `avro:"id"`
	TotalOrder          int64  `avro:"total_order"`
	DataCollectionOrder int64  `avro:"data_collection_order"`
}

// orderStructs reads the benchmarks' record into the structs.
func orderStructs(tb testing.TB) (*avro.Schema, *orderEnvelope, []byte) {
	tb.Helper()
	e, c := orderEncoder(tb)
	wire, err := e.AppendValue(nil, c, benchMicros)
	if err != nil {
		tb.Fatal(err)
	}
	s, err := avro.Parse(e.ValueSchema())
	if err != nil {
		tb.Fatal(err)
	}
	var o orderEnvelope
	if rest, err := s.Decode(wire[wireHeader:], &o); err != nil || len(rest) > 0 {
		tb.Fatalf("%v, %d bytes left", err, len(rest))
	}
	return s, &o, wire[wireHeader:]
}

func TestStructsHoldTheBenchmarksRow(t *testing.T) {
	s, o, body := orderStructs(t)
	again, err := s.AppendEncode(nil, o)
	if err != nil || string(again) != string(body) {
		t.Errorf("%x, %v, want %x", again, err, body)
	}
	if o.After == nil || o.After.ID != 1234567 || *o.After.Note == "" || len(o.After.Tags) != 2 || !reflect.DeepEqual(*o.TsUs, int64(benchMicros)) {
		t.Errorf("%+v", o)
	}
}

func BenchmarkEncodeStruct(b *testing.B) {
	s, o, body := orderStructs(b)
	dst := make([]byte, 0, 4096)
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		var err error
		if dst, err = s.AppendEncode(dst[:0], o); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDecodeStruct(b *testing.B) {
	s, _, body := orderStructs(b)
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		var o orderEnvelope
		if _, err := s.Decode(body, &o); err != nil {
			b.Fatal(err)
		}
	}
}
