package postgres

import (
	"context"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/syncline-io/syncline/framework/sink"
)

// frozenCopy is a member that stands still in the middle of a COPY into the table, begun after other statements.
func (f *sinkFixture) frozenCopy(s *pgSink, before, table string) {
	f.t.Helper()
	conn := s.session.conn.PgConn()
	if err := conn.Exec(f.t.Context(), "begin; "+before).Close(); err != nil {
		f.t.Fatal(err)
	}
	stands, goesOn := io.Pipe()
	done := make(chan error, 1)
	go func() {
		_, err := conn.CopyFrom(f.t.Context(), stands, "copy "+table+" (id) from stdin")
		done <- err
	}()
	f.t.Cleanup(func() {
		goesOn.Close()
		<-done
	})
	for f.copies(table) == "0" {
		time.Sleep(5 * time.Millisecond)
	}
}

// copies is the number of COPYs into the table that wait for their rows.
func (f *sinkFixture) copies(table string) string {
	f.t.Helper()
	return f.text("select count(*) from pg_stat_activity where datname = current_database() and query like 'copy " + table + " %' and wait_event = 'ClientRead'")
}

// TestAMemberThatFreezesInACopyIsEnded is about a process that stands still with rows written and a COPY begun: the server
// waits for it without limit, and its successor for its locks.
func TestAMemberThatFreezesInACopyIsEnded(t *testing.T) {
	for name, set := range map[string]func(f *sinkFixture) (parameters string){
		"by its connector's name": func(*sinkFixture) string { return "" },
		"whatever the URL sets": func(f *sinkFixture) string {
			role := "owner_" + f.text("select current_database()")
			f.exec("create role " + role)
			f.t.Cleanup(func() {
				_, _ = f.conn.Exec(context.Background(), "drop owned by "+role+" cascade; drop role "+role)
			})
			f.exec("grant " + role + " to current_user; grant create on database " + f.text("select current_database()") + " to " + role)
			f.exec("drop schema syncline cascade")
			return "application_name=all&role=" + role
		},
	} {
		t.Run(name, func(t *testing.T) {
			f, table := newSinkFixture(t), ordersTable()
			if parameters := set(f); parameters != "" {
				joint := "?"
				if strings.Contains(f.url, "?") {
					joint = "&"
				}
				f.url += joint + parameters
				f.sink = f.open("test")
			}
			f.evolve(table)
			f.write(table, row(sink.Upsert, 1, 1, nil, nil))
			f.exec("create table target.others (id int); grant all on target.others to public")
			f.frozenCopy(f.open("other"), "", "target.others")
			f.frozenCopy(f.open("test"), "update target.orders set total = 2", "target.orders")
			if _, err := f.sink.session.conn.Exec(t.Context(), "set lock_timeout = '50ms'"); err != nil {
				t.Fatal(err)
			}
			batch := row(sink.Upsert, 1, 3, nil, nil)
			if err := f.tryWrite(table, batch); sinkState(err) != "55P03" {
				t.Errorf("got %v, want that the lock was waited for in vain", err)
			}
			if f.copies("target.orders") != "1" {
				t.Error("a COPY that has only just begun was ended")
			}
			f.sink.frozen = 10 * time.Millisecond
			if err := f.tryWrite(table, batch); sinkState(err) != "55P03" {
				t.Errorf("got %v, want that the lock was waited for in vain", err)
			}
			for deadline := time.Now().Add(10 * time.Second); f.copies("target.orders") != "0"; {
				if time.Now().After(deadline) {
					t.Fatal("the frozen member's COPY stands")
				}
				time.Sleep(5 * time.Millisecond)
			}
			if f.copies("target.others") != "1" {
				t.Error("the COPY of another connector was ended")
			}
			f.write(table, batch)
			f.want("select id, total from target.orders", "1|3")
		})
	}
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
