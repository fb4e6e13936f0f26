package postgres

import (
	"encoding/binary"
	"testing"

	"github.com/syncline-io/syncline/schemas"
)

// avroOut is an emitter that encodes changes as a source's topic has them, and keeps the last.
type avroOut struct {
	encoder    *schemas.Encoder
	key, value []byte
}

func newAvroOut(b testing.TB, t *schemas.Table) *avroOut {
	b.Helper()
	e, err := schemas.NewEncoder(t, schemas.Mapping{Prefix: "shop"})
	if err != nil {
		b.Fatal(err)
	}
	return &avroOut{encoder: e}
}

func (o *avroOut) Emit(c *schemas.Change) (err error) {
	if o.key, err = o.encoder.AppendKey(o.key[:0], c.After); err != nil {
		return err
	}
	o.value, err = o.encoder.AppendValue(o.value[:0], c, 1_700_000_000_200_000)
	return err
}

func (*avroOut) Advance(schemas.Version, bool) error { return nil }
func (*avroOut) SetState([]byte) error               { return nil }

// report says how much a row is in Kafka.
func (o *avroOut) report(b *testing.B) {
	b.ReportMetric(float64(len(o.key)+len(o.value)), "wire-B/row")
}

// BenchmarkTupleToAvro is the way of a streamed row, from pgoutput's message to key and value.
func BenchmarkTupleToAvro(b *testing.B) {
	run := func(row []byte, update bool) func(b *testing.B) {
		return func(b *testing.B) {
			r, message, updated := hotReading(nil, row)
			if update {
				message = updated
			}
			out := newAvroOut(b, r.stream.relations[7].layout.table)
			r.out = out
			b.ReportAllocs()
			for b.Loop() {
				if err := r.handle(b.Context(), streamMessage{start: 1, data: message}); err != nil {
					b.Fatal(err)
				}
			}
			out.report(b)
		}
	}
	b.Run("text-insert", run(hotText, false))
	b.Run("text-update", run(hotText, true))
	b.Run("binary-insert", run(hotBinary, false))
	b.Run("binary-update", run(hotBinary, true))
}

// copyRow is a row of the table of hotReading as binary COPY sends it: what has no binary form that is read comes as text.
func copyRow(b testing.TB, columns []wireColumn) []byte {
	b.Helper()
	var text, binaries rowMessage
	for m, row := range map[*rowMessage][]byte{&text: hotText, &binaries: hotBinary} {
		if err := m.parse('I', &wire{b: rowBytes(7, 'N', row)}); err != nil {
			b.Fatal(err)
		}
	}
	row := binary.BigEndian.AppendUint16(nil, uint16(len(columns)))
	for i, c := range columns {
		value := binaries.new[i].text
		if c.copied() == nil {
			value = text.new[i].text
		}
		row = append(binary.BigEndian.AppendUint32(row, uint32(len(value))), value...)
	}
	return row
}

// BenchmarkCopyBinaryToAvro is the way of a snapshot's row, from a message of binary COPY to key and value.
func BenchmarkCopyBinaryToAvro(b *testing.B) {
	r, _, _ := hotReading(nil, hotText)
	lay := r.stream.relations[7].layout
	out := newAvroOut(b, lay.table)
	r.out = out
	rows := newSnapshotRows(r, &snapshot{at: 1 << 33, taken: 1_700_000_000_123_456, txid: 77}, lay, &plannedTable{})
	if _, err := rows.Write(make([]byte, snapshotHeader)); err != nil {
		b.Fatal(err)
	}
	row := copyRow(b, lay.columns)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := rows.Write(row); err != nil {
			b.Fatal(err)
		}
	}
	out.report(b)
}
