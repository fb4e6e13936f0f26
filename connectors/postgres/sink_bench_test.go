package postgres

import (
	"bytes"
	"fmt"
	"io"
	"testing"
	"time"

	"github.com/syncline-io/syncline/framework/sink"
)

// handMerge is what one would write by hand for one table: rows encoded beforehand, one staging table, one merge.
type handMerge struct {
	f     *sinkFixture
	plan  *sinkPlan
	stage string
	merge string
}

func newHandMerge(b *testing.B, f *sinkFixture, plan *sinkPlan) *handMerge {
	b.Helper()
	h := &handMerge{f: f, plan: plan, stage: "pg_temp.hand"}
	f.exec("create temporary table hand (like target.rows) on commit delete rows")
	names, sets := plan.names(), ""
	for _, c := range plan.columns[1:] {
		sets += ", " + c.name + " = excluded." + c.name
	}
	h.merge = fmt.Sprintf("insert into hand.rows (%s) select %[1]s from pg_temp.hand on conflict (id) do update set %[2]s", names, sets[2:])
	f.exec("create schema hand; create table hand.rows (like target.rows including indexes)")
	return h
}

// encode makes the COPY stream of rows.
func (h *handMerge) encode(b *testing.B, rows []sink.Row) []byte {
	b.Helper()
	r := &copyRows{}
	r.reset(h.plan, rows, nil)
	stream, err := io.ReadAll(r)
	if err != nil {
		b.Fatal(err)
	}
	return stream
}

func (h *handMerge) write(b *testing.B, stream []byte) {
	b.Helper()
	h.f.exec("begin")
	if _, err := h.f.conn.PgConn().CopyFrom(b.Context(), bytes.NewReader(stream), "copy pg_temp.hand from stdin (format binary)"); err != nil {
		b.Fatal(err)
	}
	h.f.exec(h.merge)
	h.f.exec("commit")
}

// BenchmarkSinkAgainstHandMadeMerge writes the same rows in turn by the sink, ledger included, and by hand, and gives the
// ratio of their speeds.
func BenchmarkSinkAgainstHandMadeMerge(b *testing.B) {
	for _, size := range []int{1000, 10000} {
		for _, update := range []bool{false, true} {
			name := "new"
			if update {
				name = "updates"
			}
			b.Run(fmt.Sprintf("%s-%d", name, size), func(b *testing.B) { benchmarkMerge(b, size, update) })
		}
	}
}

func benchmarkMerge(b *testing.B, size int, update bool) {
	f := newSinkFixture(b)
	table := benchTable()
	f.evolve(table)
	h := newHandMerge(b, f, benchPlan(b))
	entries, err := f.sink.Claim(b.Context(), []sink.Partition{partition0})
	if err != nil {
		b.Fatal(err)
	}
	entry := entries[0]
	ours, byHand := time.Duration(0), time.Duration(0)
	write := func(rows []sink.Row) {
		to := entry.Next + int64(len(rows))
		batch := &sink.Batch{Tables: []sink.TableBatch{{Table: table, Rows: rows}}, Moves: []sink.Move{{Entry: entry, To: to}}}
		if err := f.sink.Write(b.Context(), batch); err != nil {
			b.Fatal(err)
		}
		entry.Next = to
	}
	const window = 20 // batches of different keys before an update meets the same again
	if update {
		for i := range window {
			rows := benchRows(i*size, size)
			write(rows)
			h.write(b, h.encode(b, rows))
		}
	}
	b.ResetTimer()
	for i := range b.N {
		first := i * size
		if update {
			first = i % window * size
		}
		rows := benchRows(first, size)
		stream := h.encode(b, rows)
		start := time.Now()
		if i%2 == 0 {
			write(rows)
			ours += time.Since(start)
			start = time.Now()
			h.write(b, stream)
			byHand += time.Since(start)
			continue
		}
		h.write(b, stream)
		byHand += time.Since(start)
		start = time.Now()
		write(rows)
		ours += time.Since(start)
	}
	rows := float64(size * b.N)
	b.ReportMetric(rows/ours.Seconds(), "rows/s")
	b.ReportMetric(rows/byHand.Seconds(), "by-hand-rows/s")
	b.ReportMetric(byHand.Seconds()/ours.Seconds(), "ratio")
}

// BenchmarkSinkSmallBatches tells from which size on a staging table pays: see sinkBulkRows.
func BenchmarkSinkSmallBatches(b *testing.B) {
	for _, size := range []int{1, 10, 20, 40, 80, 160} {
		for _, bulk := range []bool{false, true} {
			b.Run(fmt.Sprintf("%d-bulk=%v", size, bulk), func(b *testing.B) {
				f := newSinkFixture(b)
				table := benchTable()
				f.evolve(table)
				f.write(table, benchRows(0, 10000)...)
				b.ResetTimer()
				for i := range b.N {
					rows := benchRows(i*size%10000, size)
					tx, err := f.sink.session.conn.Begin(b.Context())
					if err != nil {
						b.Fatal(err)
					}
					plan, err := f.sink.planFor(b.Context(), tx, table)
					if err != nil {
						b.Fatal(err)
					}
					w := sinkWriter{session: f.sink.session, plan: plan, tx: tx}
					if bulk {
						err = w.bulk(b.Context(), rows, w.classify(rows))
					} else {
						err = w.oneByOne(b.Context(), rows, nil)
					}
					if err != nil {
						b.Fatal(err)
					}
					if err := tx.Commit(b.Context()); err != nil {
						b.Fatal(err)
					}
					f.sink.session.committed()
				}
			})
		}
	}
}
