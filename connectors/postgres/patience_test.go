package postgres

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/syncline-io/syncline/framework/source"
	"github.com/syncline-io/syncline/integration/engines"
)

// hasty opens a source that loses its patience soon, and what it logs.
func (d *database) hasty(p patience) (*pgSource, *observer.ObservedLogs) {
	d.t.Helper()
	core, logs := observer.New(zap.WarnLevel)
	env := d.env()
	env.Log = zap.New(core)
	src, err := newSource(d.t.Context(), d.config(), env)
	if err != nil {
		d.t.Fatal(err)
	}
	src.patience = p
	return src, logs
}

// writing begins a transaction that has an id, and returns its process.
func (d *database) writing() (end func(), pid string) {
	d.t.Helper()
	conn := d.connect()
	if _, err := conn.Exec(d.t.Context(), "begin; select txid_current()"); err != nil {
		d.t.Fatal(err)
	}
	if err := conn.QueryRow(d.t.Context(), "select pg_backend_pid()::text").Scan(&pid); err != nil {
		d.t.Fatal(err)
	}
	return func() { _ = conn.Close(context.Background()) }, pid
}

func TestTablesThatAreReadDoNotWaitForThoseThatCannotBeYet(t *testing.T) {
	d := newDatabase(t)
	d.exec("create table a (id int primary key); insert into a values (1)")
	r := d.start(d.config(), source.Position{}, newRecorder())
	r.waitCount(1)
	_ = r.stop()
	d.exec("create table b (id int primary key); insert into b values (1)")
	end, pid := d.writing()

	src, logs := d.hasty(patience{slot: 100 * time.Millisecond, giveUp: 500 * time.Millisecond, cut: time.Second, visible: time.Hour})
	out := newRecorder()
	from := r.out.position()
	r = d.run(src, from, out)
	d.exec("insert into a values (2)")
	r.waitFor("c a - (2)")
	d.exec("insert into b values (2)")
	notYet := logs.FilterMessageSnippet("no snapshot can be had of them")
	for tries := 0; notYet.Len() == 0; notYet = logs.FilterMessageSnippet("no snapshot can be had of them") {
		if tries++; tries > 1500 {
			t.Fatal("it was not seen that the transaction goes on")
		}
		d.exec("update b set id = 2 where id = 2")
		time.Sleep(20 * time.Millisecond)
	}
	d.exec("insert into a values (3)")
	r.waitFor("c a - (3)")
	if oldest := notYet.All()[0].ContextMap()["oldest"].(string); !strings.Contains(oldest, "process "+pid) {
		t.Errorf("waits for process %s, and says: %s", pid, oldest)
	}
	end()
	if err := r.join(); !errors.Is(err, errCutAgain) {
		t.Fatalf("Run returned %v", err)
	}
	diff(t, texts(out.all()), "c a - (2)", "c a - (3)")
	if told := logs.FilterMessage("a replication slot waits for a transaction to end").All(); len(told) == 0 ||
		!strings.Contains(told[0].ContextMap()["oldest"].(string), "process "+pid) {
		t.Errorf("told of the transaction of process %s: %v", pid, told)
	}
	r = d.start(d.config(), out.position(), newRecorder())
	r.waitFor("r b - (2)")
	d.exec("insert into b values (3)")
	diff(t, texts(r.waitFor("(3)")), "t b - -", "r b - (1)", "r b - (2)", "c b - (3)")
}

func TestFirstStartTellsForWhichTransactionItWaits(t *testing.T) {
	d := newDatabase(t)
	d.exec("create table a (id int primary key); insert into a values (1)")
	end, pid := d.writing()
	src, logs := d.hasty(patience{slot: 100 * time.Millisecond, cut: time.Hour, visible: time.Hour})
	r := d.run(src, source.Position{}, newRecorder())
	for range 1500 {
		if logs.Len() > 0 {
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	if logs.Len() == 0 {
		t.Fatal("nothing was said")
	}
	if oldest := logs.All()[0].ContextMap()["oldest"].(string); !strings.Contains(oldest, "process "+pid) {
		t.Errorf("waits for process %s, and says: %s", pid, oldest)
	}
	end()
	r.waitFor("r a - (1)")
}

// A transaction that waits for the connector as a synchronous standby is invisible until the connector has confirmed what it
// can read only once it is visible.
func TestSynchronousStandbyByMistakeIsAnError(t *testing.T) {
	server := engines.NewPostgres(t, engines.PostgresOptions{Settings: map[string]string{
		"synchronous_standby_names": "*", "synchronous_commit": "local",
	}})
	d := &database{t: t, url: server.URL(""), name: engines.Unique(t)}
	d.conn = d.connect()
	d.exec("create table a (id int primary key)")
	src, logs := d.hasty(patience{slot: time.Hour, cut: time.Hour, visible: 300 * time.Millisecond})
	r := d.run(src, source.Position{}, newRecorder())
	r.waitSlot(d)
	writer := d.connect()
	written := make(chan error, 1)
	go func() {
		_, err := writer.Exec(context.Background(), "begin; set local synchronous_commit = on; insert into a values (1); commit")
		written <- err
	}()
	if err := r.join(); err == nil || !strings.Contains(err.Error(), "synchronous standby") {
		t.Errorf("Run returned %v", err)
	}
	if logs.FilterMessageSnippet("may take the connector for a synchronous standby").Len() != 1 {
		t.Errorf("the start warned of nothing: %v", logs.All())
	}
	d.exec("select pg_cancel_backend(pid) from pg_stat_activity where wait_event = 'SyncRep'")
	if err := <-written; err != nil {
		t.Fatal(err)
	}
}

func TestNamesOfSynchronousStandbys(t *testing.T) {
	for names, fits := range map[string]bool{
		"": false, "*": true, "s1": false, `"syncline shop"`: true, `FIRST 1 (s1, "Syncline Shop")`: true,
		"ANY 2 (s1, *)": true, "ANY 1 (s1, s2)": false, `2 (s1, "syncline shop 2")`: false,
	} {
		if got := namesStandby(names, "syncline shop"); got != fits {
			t.Errorf("%s fits: %t", names, got)
		}
	}
}
