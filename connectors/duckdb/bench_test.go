//go:build cgo

package duckdb

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/syncline-io/syncline/framework/sink"
	"github.com/syncline-io/syncline/schemas"
)

const benchRows = 100_000

// benchTable has the twelve columns of an order.
func benchTable() *sink.Table {
	return tableOf("bench", 1, col("id", kind(schemas.Int64)), col("customer", kind(schemas.Int64)), col("status", kind(schemas.String)),
		col("total", decimal(12, 2)), col("at", schemas.Type{Kind: schemas.TimestampTZ}), col("day", kind(schemas.Date)), col("paid", kind(schemas.Bool)),
		col("weight", kind(schemas.Float64)), col("reference", kind(schemas.UUID)), col("email", kind(schemas.String)), col("note", kind(schemas.String)),
		col("items", kind(schemas.Int32)))
}

func benchBatch(table *sink.Table, from int) []sink.Row {
	rows := make([]sink.Row, benchRows)
	for i := range rows {
		n := int64(from + i)
		rows[i] = sink.Row{Values: []schemas.Value{
			num(n), num(n % 1000), text("shipped"), schemas.DecimalValue([]byte{1, byte(n)}, 2), num(1.7e15 + n), num(19000), schemas.BoolValue(n%2 == 0),
			schemas.FloatValue(float64(n) / 3), text("01234567-89ab-cdef-0123-456789abcdef"), text(fmt.Sprintf("customer%d@example.com", n)),
			text("a note that is somewhat longer than the others, as notes are"), num(3),
		}}
	}
	return rows
}

// BenchmarkUpsert writes new rows and then the same rows again, beside a bare append of the stage and beside the same
// merge from a table that DuckDB fills itself: what the hand-made way would reach without any loader.
func BenchmarkUpsert(b *testing.B) {
	table := benchTable()
	rows := benchBatch(table, 0)
	each := func(b *testing.B, run func(s *Sink)) {
		s := newTest(b)
		mustEvolve(b, s, table)
		b.ResetTimer()
		for range b.N {
			run(s)
		}
		b.ReportMetric(float64(benchRows)*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
	}
	b.Run("new", func(b *testing.B) {
		b.ReportAllocs()
		n := int64(0)
		each(b, func(s *Sink) {
			b.StopTimer()
			for i := range rows {
				rows[i].Values[0] = num(n)
				n++
			}
			b.StartTimer()
			mustWrite(b, s, batch(table, rows...))
		})
	})
	b.Run("same", func(b *testing.B) {
		each(b, func(s *Sink) { mustWrite(b, s, batch(table, rows...)) })
	})
	b.Run("append", func(b *testing.B) {
		each(b, func(s *Sink) {
			l := s.tables[tableKey(table)]
			sqlOf(b, s, l.createStage())
			if err := l.stage.load(context.Background(), s.session.conn, rows); err != nil {
				b.Fatal(err)
			}
			sqlOf(b, s, "DROP TABLE "+stageName)
		})
	})
	b.Run("merge", func(b *testing.B) {
		s := newTest(b)
		mustEvolve(b, s, table)
		mustWrite(b, s, batch(table, rows...))
		sqlOf(b, s, "CREATE TABLE copy AS SELECT * FROM shop.bench")
		b.ResetTimer()
		start := time.Now()
		for range b.N {
			sqlOf(b, s, "BEGIN", "CREATE TEMP TABLE hand AS SELECT * FROM copy", "DELETE FROM shop.bench t USING hand s WHERE t.id = s.id",
				"INSERT INTO shop.bench SELECT * FROM hand", "DROP TABLE hand", "COMMIT")
		}
		b.ReportMetric(benchRows*float64(b.N)/time.Since(start).Seconds(), "rows/s")
	})
}

func TestNothingIsAllocatedPerRow(t *testing.T) {
	s, table := newTest(t), benchTable()
	mustEvolve(t, s, table)
	l, rows := s.tables[tableKey(table)], benchBatch(table, 0)[:20_000]
	load := func() {
		sqlOf(t, s, l.createStage())
		if err := l.stage.load(context.Background(), s.session.conn, rows); err != nil {
			t.Fatal(err)
		}
		sqlOf(t, s, "DROP TABLE "+stageName)
	}
	if allocs := testing.AllocsPerRun(3, load); allocs > float64(len(rows))/50 {
		t.Errorf("%.0f allocations for %d rows", allocs, len(rows))
	}
}
