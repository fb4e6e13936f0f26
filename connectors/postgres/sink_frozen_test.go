package postgres

import (
	"io"
	"testing"
	"time"

	"github.com/syncline-io/syncline/framework/sink"
)

// TestAMemberThatFreezesInACopyIsEnded is about a process that stands still with rows written and a COPY begun: the server
// waits for it without limit, and its successor for its locks.
func TestAMemberThatFreezesInACopyIsEnded(t *testing.T) {
	f, table := newSinkFixture(t), ordersTable()
	f.evolve(table)
	f.write(table, row(sink.Upsert, 1, 1, nil, nil))
	frozen := f.open("test")
	conn := frozen.session.conn.PgConn()
	if err := conn.Exec(t.Context(), "begin; update target.orders set total = 2").Close(); err != nil {
		t.Fatal(err)
	}
	stands, goesOn := io.Pipe()
	done := make(chan error, 1)
	go func() {
		_, err := conn.CopyFrom(t.Context(), stands, "copy target.orders (id) from stdin")
		done <- err
	}()
	defer func() {
		goesOn.Close()
		if err := <-done; err == nil {
			t.Error("the frozen member's COPY went through")
		}
	}()
	const copying = `select count(*) from pg_stat_activity where datname = current_database() and query like 'copy target%' and wait_event = 'ClientRead'`
	for f.text(copying) == "0" {
		time.Sleep(5 * time.Millisecond)
	}
	if _, err := f.sink.session.conn.Exec(t.Context(), "set lock_timeout = '50ms'"); err != nil {
		t.Fatal(err)
	}
	batch := row(sink.Upsert, 1, 3, nil, nil)
	if err := f.tryWrite(table, batch); sinkState(err) != "55P03" {
		t.Errorf("got %v, want that the lock was waited for in vain", err)
	}
	if got := f.text(copying); got != "1" {
		t.Error("a COPY that has only just begun was ended")
	}
	f.sink.frozen = 10 * time.Millisecond
	if err := f.tryWrite(table, batch); sinkState(err) != "55P03" {
		t.Errorf("got %v, want that the lock was waited for in vain", err)
	}
	for f.text(copying) != "0" {
		time.Sleep(5 * time.Millisecond)
	}
	f.write(table, batch)
	f.want("select id, total from target.orders", "1|3")
}

func TestTheServerAsksWhetherASinkIsStillThere(t *testing.T) {
	f := newSinkFixture(t)
	const sql = "select current_setting('tcp_keepalives_idle') || ' ' || current_setting('tcp_keepalives_interval') || ' ' || current_setting('tcp_keepalives_count')"
	var got string
	if err := f.sink.session.conn.QueryRow(t.Context(), sql).Scan(&got); err != nil {
		t.Fatal(err)
	}
	if got != "10 5 4" {
		t.Errorf("keepalives %s, want 10 5 4", got)
	}
}
