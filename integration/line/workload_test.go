package line

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// workloadSQL makes the tables: one per kind that is treated differently.
const workloadSQL = `
CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy');
CREATE TABLE account (id bigint PRIMARY KEY, owner text NOT NULL, balance numeric(14,2) NOT NULL, mood mood, tags text[], at timestamptz, note text);
CREATE TABLE entry (account bigint, line int, amount numeric NOT NULL, memo jsonb, PRIMARY KEY (account, line));
CREATE TABLE whole (id int PRIMARY KEY, a text, b double precision);
ALTER TABLE whole REPLICA IDENTITY FULL;
CREATE TABLE keyless (n int, s text);
ALTER TABLE keyless REPLICA IDENTITY FULL;
CREATE TABLE place (id int PRIMARY KEY DEFERRABLE INITIALLY IMMEDIATE, who text);
ALTER TABLE place REPLICA IDENTITY FULL;
INSERT INTO account SELECT i, 'owner ' || i, i * 1.25, 'ok', ARRAY['a', NULL, 'b"c'], now(), (SELECT string_agg(md5(i || '-' || j), '') FROM generate_series(1, 100) j) FROM generate_series(1, 3000) i;
INSERT INTO entry SELECT i, 1, i / 3.0, jsonb_build_object('i', i) FROM generate_series(1, 3000) i;
INSERT INTO whole SELECT i, 'w' || i, i / 7.0::float8 FROM generate_series(1, 500) i;
INSERT INTO place SELECT i, 'p' || i FROM generate_series(1, 100) i;
INSERT INTO keyless SELECT i % 100, 's' || i % 10 FROM generate_series(1, 1000) i;
`

var workloadTables = []string{"account", "entry", "whole", "keyless", "place"}

// workload changes the source from one goroutine until it is stopped.
type workload struct {
	url       string
	random    *rand.Rand
	committed atomic.Int64
	next      int
	columns   int

	cancel context.CancelFunc
	done   chan error
}

func startWorkload(t testing.TB, url string, seed uint64) *workload {
	ctx, cancel := context.WithCancel(context.Background())
	w := &workload{url: url, random: rand.New(rand.NewPCG(seed, seed)), next: 100_000, cancel: cancel, done: make(chan error, 1)}
	go func() { w.done <- w.run(ctx) }()
	t.Cleanup(cancel)
	return w
}

// stop ends the workload and returns the number of transactions.
func (w *workload) stop(t testing.TB) int64 {
	t.Helper()
	w.cancel()
	if err := <-w.done; err != nil && !errors.Is(err, context.Canceled) {
		t.Fatalf("workload: %v", err)
	}
	return w.committed.Load()
}

func (w *workload) run(ctx context.Context) error {
	c, err := pgx.Connect(ctx, w.url)
	if err != nil {
		return err
	}
	defer c.Close(context.Background()) //nolint:errcheck // nothing is lost with this connection
	for ctx.Err() == nil {
		err := pgx.BeginFunc(ctx, c, func(tx pgx.Tx) error { return w.transaction(ctx, tx) })
		var pg *pgconn.PgError
		if err != nil && !(errors.As(err, &pg) && strings.HasPrefix(pg.Code, "23")) {
			if ctx.Err() != nil {
				return nil
			}
			return err
		}
		w.committed.Add(1)
		time.Sleep(time.Duration(5+w.random.IntN(25)) * time.Millisecond)
	}
	return nil
}

// transaction is one to five statements of all kinds, over all tables.
func (w *workload) transaction(ctx context.Context, tx pgx.Tx) error {
	for range 1 + w.random.IntN(5) {
		id := 1 + w.random.IntN(3200)
		var sql string
		switch n := w.random.IntN(100); {
		case n < 20:
			w.next++
			sql = fmt.Sprintf("INSERT INTO account VALUES (%d, 'new', 1.5, 'happy', NULL, clock_timestamp(), repeat(md5('%d'), 80))", w.next, w.next)
		case n < 45: // the note stays untouched
			sql = fmt.Sprintf("UPDATE account SET balance = balance + 1, mood = 'sad' WHERE id = %d", id)
		case n < 50: // a key change with an untouched note
			w.next++
			sql = fmt.Sprintf("UPDATE account SET id = %d WHERE id = %d", w.next, id)
		case n < 58:
			sql = fmt.Sprintf("DELETE FROM account WHERE id = %d", id)
		case n < 68:
			sql = fmt.Sprintf("INSERT INTO entry VALUES (%d, %d, 'NaN', NULL) ON CONFLICT DO NOTHING", id, w.random.IntN(50))
		case n < 72:
			sql = fmt.Sprintf("UPDATE entry SET line = line + 50 WHERE account = %d AND line < 50", id)
		case n < 80:
			sql = fmt.Sprintf("UPDATE whole SET b = %d, a = NULL WHERE id = %d", id, id%500)
		case n < 86:
			sql = fmt.Sprintf("INSERT INTO keyless VALUES (%d, 's%d')", id%100, id%10)
		case n < 90:
			sql = fmt.Sprintf("DELETE FROM keyless WHERE ctid = (SELECT ctid FROM keyless WHERE n = %d LIMIT 1)", id%100)
		case n < 94:
			sql = fmt.Sprintf("UPDATE keyless SET s = 'u%d' WHERE ctid = (SELECT ctid FROM keyless WHERE n = %d LIMIT 1)", id, id%100)
		case n < 95: // one larger transaction
			sql = fmt.Sprintf("UPDATE account SET owner = 'o%d' WHERE id %% 10 = %d", id, id%10)
		case n < 96:
			sql = "TRUNCATE whole; INSERT INTO whole SELECT i, 't' || i, i FROM generate_series(1, 500) i"
		case n < 97 && w.columns < 4:
			w.columns++
			sql = fmt.Sprintf("ALTER TABLE account ADD COLUMN extra%d int; UPDATE account SET extra%d = id %% 7 WHERE id < 100", w.columns, w.columns)
		case n < 98: // keys that collide until the statement ends
			sql = fmt.Sprintf("UPDATE place SET id = id %% 100 + 1 WHERE id <= 100; UPDATE place SET id = %d - id WHERE id IN (%d, %d)",
				2*(id%99)+3, id%99+1, id%99+2)
		default:
			sql = fmt.Sprintf("UPDATE account SET note = repeat(md5('%d'), 90) WHERE id = %d", w.next, id)
		}
		if _, err := tx.Conn().PgConn().Exec(ctx, sql).ReadAll(); err != nil {
			return err
		}
	}
	return nil
}
