//go:build cgo

package duckdb

import (
	"context"
	"testing"
)

// BenchmarkFillAppender is the way of 10,000 rows into DuckDB's appender.
func BenchmarkFillAppender(b *testing.B) {
	s, table := newTest(b), benchTable()
	mustEvolve(b, s, table)
	l, rows := s.tables[tableKey(table)], benchBatch(table, 0)[:10_000]
	b.ReportAllocs()
	for b.Loop() {
		sqlOf(b, s, l.createStage())
		if err := l.stage.load(context.Background(), s.session.conn, rows); err != nil {
			b.Fatal(err)
		}
		sqlOf(b, s, "DROP TABLE "+stageName)
	}
}
