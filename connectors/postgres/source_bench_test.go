package postgres

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/syncline-io/syncline/framework/localpg"
	"github.com/syncline-io/syncline/framework/source"
	"github.com/syncline-io/syncline/schemas"
)

// counter is an emitter that counts changes and confirms what is asked for.
type counter struct {
	src   source.Source
	state []byte
	n     atomic.Int64
}

func (c *counter) Emit(*schemas.Change) error { c.n.Add(1); return nil }
func (c *counter) SetState(s []byte) error    { c.state = s; return nil }
func (c *counter) Advance(v schemas.Version, urgent bool) error {
	if urgent {
		c.src.Confirm(source.Position{State: c.state, Version: v})
	}
	return nil
}

const throughputRows = 300_000

// TestThroughput compares the source, up to the emitter, with pg_recvlogical on the same log and with psql's COPY. It
// prints ratios; a threshold belongs where nothing else runs.
func TestThroughput(t *testing.T) {
	if os.Getenv("SYNCLINE_BENCH") == "" {
		t.Skip("set SYNCLINE_BENCH=1 to measure")
	}
	d := newDatabase(t)
	d.exec(`create table rows (id bigint primary key, a int, b int, c text, d text, e numeric(12,2), f timestamptz, g bool, h float8,
		i uuid, j jsonb, k date)`)
	d.exec("create publication bench for all tables")
	d.exec("select pg_create_logical_replication_slot('" + d.name + "', 'pgoutput')")
	out := &counter{}
	cfg := d.config()
	cfg.Start = startStream
	src, err := newSource(t.Context(), cfg, d.env())
	if err != nil {
		t.Fatal(err)
	}
	out.src = src
	ctx, cancel := context.WithCancel(t.Context())
	runUntil := func(src *pgSource, ctx context.Context, from source.Position, n int64) time.Duration {
		begin := time.Now()
		done := make(chan error, 1)
		go func() { done <- src.Run(ctx, from, out) }()
		for out.n.Load() < n {
			select {
			case err := <-done:
				t.Fatalf("Run returned %v", err)
			case <-time.After(time.Millisecond):
			}
		}
		return time.Since(begin)
	}
	done := make(chan error, 1)
	go func() { done <- src.Run(ctx, source.Position{}, out) }()
	for d.scalar("select count(*)::text from pg_stat_replication where state = 'streaming' and application_name = $1", "syncline "+d.name) != "1" {
		time.Sleep(10 * time.Millisecond)
	}
	cancel()
	<-done
	_ = src.Close()
	from := source.Position{State: out.state, Version: schemas.Version{High: uint64(slotPosition(t, d))}}
	d.exec(fmt.Sprintf(`insert into rows select i, i, i %% 100, md5(i::text), repeat('x', 40), i / 7.0, now(), true, i / 3.0, gen_random_uuid(),
		'{"a": 1}', '2024-01-01' from generate_series(1, %d) i`, throughputRows))
	end := d.scalar("select pg_current_wal_lsn()::text")

	bin, err := localpg.Find()
	if err != nil {
		t.Fatal(err)
	}
	begin := time.Now()
	runCommand(t, exec.Command(filepath.Join(bin, "pg_recvlogical"), "-d", d.url, "-S", d.name, "--start", "-f", "/dev/null", "-E", end,
		"-o", "proto_version=1", "-o", "publication_names=bench", "--no-loop"))
	theirs := time.Since(begin)

	src, err = newSource(t.Context(), cfg, d.env())
	if err != nil {
		t.Fatal(err)
	}
	out.src = src
	ctx, cancel = context.WithCancel(t.Context())
	ours := runUntil(src, ctx, from, throughputRows)
	cancel()
	time.Sleep(100 * time.Millisecond)
	_ = src.Close()
	t.Logf("stream: %.0f rows/s, pg_recvlogical %.0f, ratio %.2f", throughputRows/ours.Seconds(), throughputRows/theirs.Seconds(), theirs.Seconds()/ours.Seconds())

	begin = time.Now()
	runCommand(t, exec.Command(filepath.Join(bin, "psql"), d.url, "-c", `\copy rows to /dev/null`))
	theirs = time.Since(begin)
	cfg.Start, cfg.Slot, cfg.Publication = startSnapshot, d.name+"_2", "bench"
	src, err = newSource(t.Context(), cfg, d.env())
	if err != nil {
		t.Fatal(err)
	}
	out.src = src
	out.n.Store(0)
	ctx, cancel = context.WithCancel(t.Context())
	ours = runUntil(src, ctx, source.Position{}, throughputRows)
	cancel()
	time.Sleep(100 * time.Millisecond)
	_ = src.Close()
	t.Logf("snapshot: %.0f rows/s, psql COPY TO %.0f, ratio %.2f", throughputRows/ours.Seconds(), throughputRows/theirs.Seconds(), theirs.Seconds()/ours.Seconds())
}

func slotPosition(t *testing.T, d *database) (l lsn) {
	t.Helper()
	if err := l.UnmarshalText([]byte(d.scalar("select confirmed_flush_lsn::text from pg_replication_slots where slot_name = $1", d.slot()))); err != nil {
		t.Fatal(err)
	}
	return l
}

func runCommand(t *testing.T, c *exec.Cmd) {
	t.Helper()
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("%v: %v\n%s", c, err, out)
	}
}
