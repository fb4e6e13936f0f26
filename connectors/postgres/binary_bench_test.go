package postgres

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/syncline-io/syncline/framework/source"
)

// streamCost is what one run took, per million rows.
type streamCost struct{ wall, server, source float64 }

const costRows = 300_000

// costLoads are tables and their rows: the usual columns, half of a row text, and columns that cost most to write as text.
var costLoads = []struct{ name, columns, row string }{
	{
		"usual", `id bigint primary key, customer_id integer not null, sku varchar(40) not null, status text not null,
			quantity integer not null, price numeric(12,2) not null, weight double precision, active boolean not null, note text, reference uuid,
			created timestamptz not null, updated timestamp`,
		`i, i % 50000, 'SKU-' || lpad((i % 1000)::text, 12, '0'), (array['new','paid','sent','done'])[1 + i % 4], 1 + i % 9,
			(i % 100000) / 100.0, case when i % 10 > 0 then i / 8.0 end, i % 3 = 0, md5(i::text) || md5((-i)::text) || left(md5((i+7)::text), 16),
			md5((i+1)::text)::uuid, timestamptz '2026-01-01 00:00:00+00' + i * interval '1 ms', case when i % 2 = 0 then now()::timestamp end`,
	},
	{
		"numbers", `id bigint primary key, a float8, b float8, c float8, d float8, e numeric(20,4), f numeric(20,4), g timestamptz, h timestamptz,
			i timestamp, j bytea, k float8[]`,
		`i, i / 7.0, sqrt(i), i * 1e10 / 3, 1.0 / i, i * 1234.5678, -i / 3.0, timestamptz '2026-01-01 00:00:00+00' + i * interval '1 us',
			timestamptz '2000-01-01 00:00:00+00' + i * interval '1 s', timestamp '1999-01-01' + i * interval '1 min', sha256(i::text::bytea),
			array[i / 3.0, i / 11.0]`,
	},
}

// TestBinaryAgainstText drains copies of one slot, as text and in binary in turns, into an emitter that counts, and prints the
// medians: seconds per million rows, of the clock, of the walsender's CPU and of this process's.
func TestBinaryAgainstText(t *testing.T) {
	if os.Getenv("SYNCLINE_BENCH") == "" {
		t.Skip("set SYNCLINE_BENCH=1 to measure")
	}
	for _, load := range costLoads {
		t.Run(load.name, func(t *testing.T) {
			d := newDatabase(t)
			d.exec("create table rows (" + load.columns + "); create publication bench for table rows")
			d.exec("select pg_create_logical_replication_slot('" + d.name + "', 'pgoutput')")
			d.exec(fmt.Sprintf(`do $$ begin for at in 1..%d by 1000 loop insert into rows select %s
				from generate_series(at, at + 999) i; commit; end loop; end $$`, costRows, load.row))
			d.compareCosts()
		})
	}
}

func (d *database) compareCosts() {
	costs := map[string][]streamCost{}
	for i := range 14 {
		form := []string{binaryNo, binaryYes}[(i+i/2)%2] // the one that begins a pair ends the next
		cost := d.drain(fmt.Sprintf("%s_%d", d.name, i), form)
		if i >= 2 { // one of each to warm up
			costs[form] = append(costs[form], cost)
		}
	}
	for _, form := range []string{binaryNo, binaryYes} {
		middle := func(of func(streamCost) float64) float64 {
			var all []float64
			for _, c := range costs[form] {
				all = append(all, of(c))
			}
			slices.Sort(all)
			return (all[(len(all)-1)/2] + all[len(all)/2]) / 2
		}
		d.t.Logf("binary: %-5s %.2f s of the clock, %.2f s of the walsender's CPU, %.2f s of the source's, per million rows", form,
			middle(func(c streamCost) float64 { return c.wall }), middle(func(c streamCost) float64 { return c.server }),
			middle(func(c streamCost) float64 { return c.source }))
	}
}

// drain reads everything from a copy of the slot.
func (d *database) drain(slot, form string) streamCost {
	d.t.Helper()
	d.exec(fmt.Sprintf("select pg_copy_logical_replication_slot('%s', '%s')", d.name, slot))
	cfg := d.config()
	cfg.Start, cfg.Slot, cfg.Publication, cfg.Binary = startStream, slot, "bench", form
	src, err := newSource(d.t.Context(), cfg, d.env())
	if err != nil {
		d.t.Fatal(err)
	}
	out := &counter{src: src}
	ctx, cancel := context.WithCancel(d.t.Context())
	done := make(chan error, 1)
	begin, used := time.Now(), processCPU(d.t)
	go func() { done <- src.Run(ctx, source.Position{}, out) }()
	for out.n.Load() < costRows {
		select {
		case err := <-done:
			d.t.Fatalf("Run returned %v", err)
		case <-time.After(time.Millisecond):
		}
	}
	cost := streamCost{wall: time.Since(begin).Seconds(), source: processCPU(d.t) - used}
	cost.server = cpuOf(d.t, d.scalar("select active_pid::text from pg_replication_slots where slot_name = $1", slot))
	cancel()
	<-done
	_ = src.Close()
	d.exec("select pg_drop_replication_slot('" + slot + "')")
	const perMillion = 1e6 / costRows
	return streamCost{cost.wall * perMillion, cost.server * perMillion, cost.source * perMillion}
}

// processCPU is what this process has used, in seconds.
func processCPU(t *testing.T) float64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano()).Seconds()
}

// cpuOf is what a process of this machine has used, in seconds, as Linux tells it in hundredths.
func cpuOf(t *testing.T, pid string) float64 {
	stat, err := os.ReadFile("/proc/" + pid + "/stat")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(stat), ") ")
	fields, sum := strings.Fields(rest), 0
	for _, f := range fields[11:13] {
		n, err := strconv.Atoi(f)
		if err != nil {
			t.Fatal(err)
		}
		sum += n
	}
	return float64(sum) / 100
}
