// Package memory runs the programs with the key memory, and looks at what the system counts: the most that was resident.
package memory

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/syncline-io/syncline/integration/engines"
	"github.com/syncline-io/syncline/integration/programs"
)

// transaction is how large the transaction is. The least is more than any bound here, and so that what was not bounded would
// be seen.
var transaction = flag.Int("megabytes", 256, "size of the transaction")

func TestMain(m *testing.M) { os.Exit(programs.Main(m)) }

const (
	rowBytes = 10 << 10
	patience = 10 * time.Minute
)

// TestOneHugeTransactionStaysWithinTheMemory takes one transaction of wide rows from the source's log into a topic and on into
// both targets.
func TestOneHugeTransactionStaysWithinTheMemory(t *testing.T) {
	source, target := engines.Database(t), engines.Database(t)
	name := engines.Unique(t)
	common := fmt.Sprintf("kafka: {brokers: [%q]}\nregistry: {url: %q}\nadmin: {listen: \"{admin}\"}\ninternal_prefix: %s_own\n",
		engines.KafkaForTest(t), engines.RegistryForTest(t), name)
	conn := connect(t, source)
	execute(t, conn, "create table wide (id bigint primary key, body text, more text)", "alter table wide alter body set storage external")

	p := programs.New(t, "postgres-source", common+fmt.Sprintf("connector: postgres-source\nname: %s\nmemory: 64MB\npostgres: {url: %q, tables: [public.wide]}\n", name, source))
	p.Start()
	p.UntilReady(time.Minute)
	execute(t, conn, "insert into wide values (0, 'first', '')")
	untilRows(t, p, 1)
	rows := *transaction << 20 / rowBytes
	// Halves of what cannot be compressed and of what can.
	execute(t, conn, fmt.Sprintf(`insert into wide select i, (select string_agg(md5(i::text || j), '') from generate_series(1, %d) j), repeat('more', %d)
	from generate_series(1, %d) i`, rowBytes/2/32, rowBytes/2/4, rows))
	untilRows(t, p, rows+1)
	within(t, p, 64)
	if code := p.Stop(); code != 0 {
		t.Fatalf("exit code %d", code)
	}

	topic := name + ".public.wide"
	t.Run("postgres-sink", func(t *testing.T) {
		sink := programs.New(t, "postgres-sink", common+fmt.Sprintf("connector: postgres-sink\nname: %s_pg\nmemory: 64MB\ntopics: [%s]\npostgres: {url: %q}\n", name, topic, target))
		sink.Start()
		to := connect(t, target)
		untilRows(t, sink, rows+1)
		within(t, sink, 64)
		var n, size int64
		if err := to.QueryRow(t.Context(), "select count(*), sum(length(body)) from wide").Scan(&n, &size); err != nil || n != int64(rows)+1 {
			t.Errorf("%d rows of %d bytes, error %v", n, size, err)
		}
	})
	t.Run("duckdb-sink", func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "target.duckdb")
		sink := programs.New(t, "duckdb-sink", common+fmt.Sprintf("connector: duckdb-sink\nname: %s_duck\nmemory: 512MB\ntopics: [%s]\nduckdb: {path: %q}\n", name, topic, file))
		sink.Start()
		untilRows(t, sink, rows+1)
		within(t, sink, 512)
	})
}

func connect(t *testing.T, url string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	return conn
}

func execute(t *testing.T, conn *pgx.Conn, statements ...string) {
	t.Helper()
	for _, sql := range statements {
		if _, err := conn.Exec(t.Context(), sql); err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
	}
}

// untilRows waits until the program has done with so many rows: published or written.
func untilRows(t *testing.T, p *programs.Program, rows int) {
	t.Helper()
	programs.Eventually(t, patience, fmt.Sprintf("%s is through with %d rows", p.Name, rows), func() error {
		var s struct {
			Rows int `json:"rows"`
		}
		if err := p.Status(&s); err != nil {
			return err
		}
		if s.Rows < rows {
			return fmt.Errorf("%d rows", s.Rows)
		}
		return nil
	})
}

// within compares the most memory that the process had so far, as the system counts it, with the program's bound in MB.
func within(t *testing.T, p *programs.Program, bound int64) {
	t.Helper()
	status, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(p.PID()), "status"))
	if errors.Is(err, os.ErrNotExist) {
		t.Skip("this system does not tell the memory of a process in /proc")
	}
	if err != nil {
		t.Fatal(err)
	}
	kb := map[string]int64{}
	for line := range strings.Lines(string(status)) {
		name, value, _ := strings.Cut(line, ":")
		if number, ok := strings.CutSuffix(strings.TrimSpace(value), " kB"); ok {
			kb[name], _ = strconv.ParseInt(number, 10, 64)
		}
	}
	most := kb["VmHWM"] >> 10
	t.Logf("%s: %d MB at most, of %d MB, for %d MB of rows; now %d MB in memory and %d MB of files",
		p.Name, most, bound, *transaction, kb["RssAnon"]>>10, kb["RssFile"]>>10)
	if most == 0 || most > bound {
		t.Errorf("%s held %d MB, and its memory is %d MB", p.Name, most, bound)
	}
}
