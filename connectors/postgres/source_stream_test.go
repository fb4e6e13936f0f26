package postgres

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/syncline-io/syncline/framework/source"
	"github.com/syncline-io/syncline/integration/engines"
	"github.com/syncline-io/syncline/schemas"
)

// streamed runs the statements one by one against a source that streams, and returns the changes after the snapshot.
func streamed(t *testing.T, setup string, changes int, statements ...string) []event {
	t.Helper()
	d := newDatabase(t)
	d.exec(setup)
	cfg := d.config()
	cfg.Start = startStream
	r := d.start(cfg, source.Position{}, newRecorder())
	r.waitSlot(d)
	for _, sql := range statements {
		d.exec(sql)
	}
	return r.waitCount(changes)
}

// waitSlot waits until the slot is being read.
func (r *running) waitSlot(d *database) {
	r.t.Helper()
	for range 300 {
		if d.scalar(`select count(*)::text from pg_replication_slots s join pg_stat_replication r
			on r.pid = s.active_pid where slot_name = $1 and r.state = 'streaming'`, d.slot()) == "1" {
			return
		}
		select {
		case err := <-r.done:
			r.t.Fatalf("the source ended: %v", err)
		case <-time.After(20 * time.Millisecond):
		}
	}
	r.t.Fatal("nobody reads the slot")
}

func TestReplicaIdentities(t *testing.T) {
	for _, c := range []struct {
		name, setup string
		statements  []string
		identity    schemas.Identity
		want        []string
	}{
		{
			"full with a primary key", "create table a (id int primary key, v text); alter table a replica identity full",
			[]string{
				"insert into a values (1, 'x')", "update a set v = 'y'", "update a set id = 2", "delete from a",
			},
			schemas.IdentityFull,
			[]string{
				"c a - (1,x)", "u a (1,x) (1,y)", "d a (1,y) - other 2", "c a - (2,y) other 1", "d a (2,y) -",
			},
		},
		{
			"full without a key", "create table a (id int, v text); alter table a replica identity full",
			[]string{"insert into a values (1, 'x'), (1, 'x')", "update a set id = 2", "delete from a"},
			schemas.IdentityFull,
			[]string{"c a - (1,x)", "c a - (1,x)", "u a (1,x) (2,x)", "u a (1,x) (2,x)", "d a (2,x) -", "d a (2,x) -"},
		},
		{
			"an index", `create table a (id int primary key, code text not null, v text); create unique index ai on a (code);
				alter table a replica identity using index ai`,
			[]string{
				"insert into a values (1, 'A', 'x')", "update a set id = 10", "update a set code = 'B'", "delete from a",
			},
			schemas.IdentityKey,
			[]string{
				"c a - (1,A,x)", "u a - (10,A,x)", "d a k(NULL,A,NULL) - other B", "c a - (10,B,x) other A", "d a k(NULL,B,NULL) -",
			},
		},
		{
			"no key", "create table a (id int, v text)",
			[]string{"insert into a values (1, 'x')", "truncate a"},
			schemas.IdentityNothing,
			[]string{"c a - (1,x)", "t a - -"},
		},
		{
			"nothing", "create table a (id int primary key, v text); alter table a replica identity nothing",
			[]string{"insert into a values (1, 'x')"},
			schemas.IdentityNothing,
			[]string{"c a - (1,x)"},
		},
		{
			"a key in another order than the columns", "create table a (x int, b int, a int, primary key (a, b))",
			[]string{"insert into a values (0, 1, 2)", "update a set b = 3"},
			schemas.IdentityKey,
			[]string{"c a - (0,1,2)", "d a k(NULL,1,2) - other 2 3", "c a - (0,3,2) other 2 1"},
		},
		{
			"no columns", "create table a ()",
			[]string{"insert into a default values"},
			schemas.IdentityNothing,
			[]string{"c a - ()"},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			events := streamed(t, c.setup, len(c.want), c.statements...)
			diff(t, texts(events), c.want...)
			if got := events[0].table.Identity; got != c.identity {
				t.Errorf("identity %s, want %s", got, c.identity)
			}
		})
	}
}

func TestUnchangedColumns(t *testing.T) {
	const big = "repeat('abcdefghij', 2000)"
	for _, c := range []struct {
		name, setup string
		statements  []string
		want        []string
	}{
		{
			"stay unchanged in an update", "create table a (id int primary key, n int, big text); alter table a alter big set storage external",
			[]string{"insert into a values (1, 1, " + big + ")", "update a set n = 2", "update a set big = null"},
			[]string{"c a - (1,1,abcd...(20000))", "u a - (1,2,UNCHANGED)", "u a - (1,2,NULL)"},
		},
		{
			"are read for a key change", "create table a (id int primary key, n int, big text); alter table a alter big set storage external",
			[]string{"insert into a values (1, 1, " + big + ")", "update a set id = 2"},
			[]string{"c a - (1,1,abcd...(20000))", "d a k(1,NULL,NULL) - other 2", "c a - (2,1,abcd...(20000)) other 1"},
		},
		{
			"are left when the row is gone", "create table a (id int primary key, n int, big text); alter table a alter big set storage external",
			[]string{
				"insert into a values (1, 1, " + big + ")",
				"begin; update a set id = 2; delete from a; commit",
			},
			[]string{
				"c a - (1,1,abcd...(20000))", "d a k(1,NULL,NULL) - other 2", "c a - (2,1,UNCHANGED) other 1", "d a k(2,NULL,NULL) -",
			},
		},
		{
			"come from the old row with identity full", `create table a (id int primary key, n int, big text);
				alter table a alter big set storage external; alter table a replica identity full`,
			[]string{"insert into a values (1, 1, " + big + ")", "update a set n = 2", "update a set id = 2"},
			[]string{
				"c a - (1,1,abcd...(20000))", "u a (1,1,abcd...(20000)) (1,2,abcd...(20000))",
				"d a (1,2,abcd...(20000)) - other 2", "c a - (2,2,abcd...(20000)) other 1",
			},
		},
		{
			"of the key come from the old key", "create table a (k text primary key, v int); alter table a alter k set storage external",
			[]string{"insert into a values (repeat('q', 2500), 1)", "update a set v = 2"},
			[]string{"c a - (qqqq...(2500),1)", "u a k(qqqq...(2500),NULL) (qqqq...(2500),2)"},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			diff(t, texts(streamed(t, c.setup, len(c.want), c.statements...)), c.want...)
		})
	}
}

func TestSchemaChangesMakeNewVersions(t *testing.T) {
	d := newDatabase(t)
	d.exec("create table a (id int primary key, v text)")
	cfg := d.config()
	cfg.Start = startStream
	r := d.start(cfg, source.Position{}, newRecorder())
	r.waitSlot(d)
	inserted := 0
	for _, sql := range []string{
		"insert into a values (1, 'x')",
		"alter table a add n int not null default 7",
		"insert into a values (2, 'y', 8)",
		"alter table a rename v to w",
		"insert into a values (3, 'z', 9)",
		"alter table a drop w",
		"insert into a values (4, 10)",
		"begin; insert into a values (5, 1); alter table a add w text; insert into a values (6, 1, 'again'); commit",
		"alter table a alter n type numeric(8,1)",
		"insert into a values (7, 1.5, 'x')",
		"alter table a rename to b",
		"insert into b values (8, 1.5, 'x')",
	} {
		d.exec(sql)
		inserted += strings.Count(sql, "insert")
		r.waitCount(inserted) // a source that lags behind the DDL is another test
	}
	events := r.waitCount(8)
	diff(t, texts(events), "c a - (1,x)", "c a - (2,y,8)", "c a - (3,z,9)", "c a - (4,10)", "c a - (5,1)",
		"c a - (6,1,again)", "c a - (7,0f/1/0,x)", "c b - (8,0f/1/0,x)")
	for i := 1; i < len(events); i++ {
		before, after := events[i-1].table, events[i].table
		if i == 4 {
			if before != after {
				t.Error("the same shape got two versions")
			}
			continue
		}
		if after.Version <= before.Version || after.Version > events[i].version.High+1 {
			t.Errorf("change %d: version %x after %x, at %v", i, after.Version, before.Version, events[i].version)
		}
	}
	if got := events[2].table.Columns[1]; got.Name != "w" || got.ID != 2 {
		t.Errorf("the renamed column is %+v", got)
	}
	if got := events[5].table.Columns[2]; got.Name != "w" || got.ID != 4 {
		t.Errorf("the column that was dropped and added is %+v", got)
	}
}

func TestSchemaChangesWhileTheSourceIsAway(t *testing.T) {
	d := newDatabase(t)
	d.exec("create table a (id int primary key, v text, n int)")
	r := d.start(d.config(), source.Position{}, newRecorder())
	d.exec("insert into a values (1, 'x', 1)")
	r.waitCount(1)
	_ = r.stop()
	for _, sql := range []string{
		"insert into a values (2, 'y', null)",
		"alter table a rename v to w", "insert into a values (3, 'z', null)",
		"alter table a drop w", "insert into a values (4, null)",
		"update a set n = 0 where n is null", "alter table a alter n set not null",
		"alter table a add w int", "insert into a values (5, 5, 5)",
		"drop table a", "create table a (id text primary key)",
		"insert into a values ('new')",
	} {
		d.exec(sql)
	}
	r = d.start(d.config(), r.out.position(), newRecorder())
	events := r.waitFor("(new)")
	diff(t, texts(events), "c a - (2,y,NULL)", "c a - (3,z,NULL)", "c a - (4,NULL)",
		"u a - (2,0)", "u a - (3,0)", "u a - (4,0)", "c a - (5,5,5)", "t a - -", "r a - (new)")
	if events[6].table.ID == events[8].table.ID {
		t.Error("the table that was made again has the same ID")
	}
}

// resumeWorkload has every kind of change, several in one transaction.
var resumeWorkload = []string{
	"insert into a values (1, 'one'), (2, 'two'), (3, 'three')",
	"begin; update a set v = 'x'; update a set id = id + 10 where id < 3; insert into other values (1); delete from a where id = 3; commit",
	"begin; insert into a values (5, 'five'); alter table a add n int; insert into a values (6, 'six', 6); truncate a, other; " +
		"insert into a values (7, 'seven', 7); commit",
	"insert into a values (8, 'eight', 8)",
}

func TestResumeAtEveryVersionGivesTheRest(t *testing.T) {
	d := newDatabase(t)
	d.exec("create table a (id int primary key, v text); create table other (id int primary key); create table hidden (id int primary key)")
	cfg := d.config()
	cfg.ExcludeTables = []string{"public.hidden"}
	r := d.start(cfg, source.Position{}, newRecorder())
	r.waitSlot(d)
	_ = r.stop()
	begin := r.out.position()
	for _, sql := range resumeWorkload {
		d.exec(sql)
	}
	// Nothing is confirmed from here on, so that the slot can be read again from the same place.
	read := func(from source.Position, n int) []event {
		out := newRecorder()
		out.silent = true
		r := d.start(cfg, from, out)
		events := r.waitFor("(8,eight,8)")
		_ = r.stop()
		if len(events) != n && n >= 0 {
			t.Errorf("%d changes, want %d", len(events), n)
		}
		return events
	}
	all := read(begin, -1)
	if len(all) != 18 {
		t.Fatalf("%d changes:\n%s", len(all), strings.Join(texts(all), "\n"))
	}
	for i := range all[:len(all)-1] {
		rest := read(source.Position{State: all[i].state, Version: all[i].version}, len(all)-i-1)
		if !slices.Equal(texts(rest), texts(all[i+1:])) {
			t.Fatalf("after %s at %v:\n%s\nwant:\n%s", all[i].text, all[i].version,
				strings.Join(texts(rest), "\n"), strings.Join(texts(all[i+1:]), "\n"))
		}
		for j, e := range rest {
			want := all[i+1+j]
			if e.version != want.version || e.table.Version != want.table.Version {
				t.Fatalf("after %s: %s has version %v of table version %x, want %v and %x", all[i].text, e.text,
					e.version, e.table.Version, want.version, want.table.Version)
			}
		}
	}
}

func TestExcludedColumnsAndTablesAreNeverEmitted(t *testing.T) {
	d := newDatabase(t)
	d.exec(`create table a (id int primary key, secret text, v text); create table hidden (id int primary key);
		insert into a values (1, 'secret', 'x'); insert into hidden values (1)`)
	cfg := d.config()
	cfg.ExcludeTables = []string{"*.hid*"}
	cfg.ExcludeColumns = []string{"public.a.secret", "public.a.id"}
	r := d.start(cfg, source.Position{}, newRecorder())
	r.waitCount(1)
	d.exec("insert into hidden values (2)")
	d.exec("update a set secret = 'more', v = 'y'")
	diff(t, texts(r.waitCount(2)), "r a - (1,x)", "u a - (1,y)")
}

func TestPartitionsAreTablesOrTheirRoot(t *testing.T) {
	const setup = `create table p (id int, region text, primary key (id, region)) partition by list (region);
		create table p_eu partition of p for values in ('eu'); create table p_us (region text not null, id int not null);
		alter table p attach partition p_us for values in ('us'); insert into p values (1, 'eu')`
	for _, root := range []bool{false, true} {
		t.Run(fmt.Sprint(root), func(t *testing.T) {
			d := newDatabase(t)
			d.exec(setup)
			cfg := d.config()
			cfg.PartitionRoot = root
			r := d.start(cfg, source.Position{}, newRecorder())
			r.waitCount(1)
			d.exec("insert into p values (2, 'us')")
			want := []string{"r p_eu - (1,eu)", "c p_us - (us,2)"}
			if root {
				want = []string{"r p - (1,eu)", "c p - (2,us)"}
			}
			diff(t, texts(r.waitCount(2)), want...)
		})
	}
}

func TestQuietDatabaseReleasesTheLog(t *testing.T) {
	d := newDatabase(t)
	d.exec("create table a (id int primary key); create schema neighbour")
	r := d.start(d.config(), source.Position{}, newRecorder())
	r.waitSlot(d)
	d.exec("create table neighbour.busy as select repeat('x', 1000) from generate_series(1, 200)")
	at := d.scalar("select pg_current_wal_lsn()::text")
	for range 200 {
		if d.scalar("select (confirmed_flush_lsn >= $2::pg_lsn)::text from pg_replication_slots where slot_name = $1", d.slot(), at) == "true" {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatalf("the slot stays at %s while the log is at %s",
		d.scalar("select confirmed_flush_lsn::text from pg_replication_slots where slot_name = $1", d.slot()), at)
}

func TestKeepalivesWhileEmitBlocks(t *testing.T) {
	d := newDatabase(t)
	d.exec("create table a (id int primary key, v text)")
	u := d.url + "?options=-c%20wal_sender_timeout%3D1s"
	if strings.Contains(d.url, "?") {
		u = d.url + "&options=-c%20wal_sender_timeout%3D1s"
	}
	cfg := d.config()
	cfg.URL.UnmarshalText([]byte(u))
	cfg.StatusInterval = time.Hour
	out := newRecorder()
	r := d.start(cfg, source.Position{}, out)
	r.waitSlot(d)
	out.mu.Lock() // Emit waits for it
	d.exec("insert into a select i, repeat('x', 1000) from generate_series(1, 50000) i")
	time.Sleep(4 * time.Second)
	out.mu.Unlock()
	r.waitCount(50000)
}

func TestOriginIsOfItsTransactionOnly(t *testing.T) {
	d := newDatabase(t)
	d.exec("create table a (id int primary key)")
	cfg := d.config()
	cfg.Start = startStream
	out := newRecorder()
	r := d.start(cfg, source.Position{}, out)
	r.waitSlot(d)
	_ = r
	ctx := context.Background()
	name := d.name
	if _, err := d.conn.Exec(ctx, "select pg_replication_origin_create($1)", name); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_, _ = d.conn.Exec(ctx, "select pg_replication_origin_session_reset()")
		_, _ = d.conn.Exec(ctx, "select pg_replication_origin_drop($1)", name)
	})
	if _, err := d.conn.Exec(ctx, "select pg_replication_origin_session_setup($1)", name); err != nil {
		t.Fatal(err)
	}
	d.exec("insert into a values (1)")
	d.exec("select pg_replication_origin_session_reset()")
	d.exec("insert into a values (2)")
	events := r.waitCount(2)
	if events[0].origin != name || events[1].origin != "" {
		t.Errorf("origins %q and %q", events[0].origin, events[1].origin)
	}
}

// With synchronous replication the server sends a transaction before its own sessions can see it. Without a standby that
// answers, the moment lasts for as long as the test wants.
func TestWhatIsLookedUpIsLookedUpOnceTheTransactionIsVisible(t *testing.T) {
	server := engines.NewPostgres(t, engines.PostgresOptions{Settings: map[string]string{
		"synchronous_standby_names": "nobody", "synchronous_commit": "local",
	}})
	d := &database{t: t, url: server.URL(""), name: engines.Unique(t)}
	d.conn = d.connect()
	d.exec("create table a (id int primary key, n int, big text); alter table a alter big set storage external")
	d.exec("insert into a values (1, 1, repeat('abcdefghij', 2000))")
	cfg := d.config()
	cfg.Start = startStream
	r := d.start(cfg, source.Position{}, newRecorder())
	r.waitSlot(d)

	// unseen runs statements whose commit other sessions see only 300 ms after the source has read it.
	unseen := func(sql string) {
		t.Helper()
		writer := d.connect()
		written := make(chan error, 1)
		go func() {
			_, err := writer.Exec(context.Background(), "begin; set local synchronous_commit = on; "+sql+"; commit")
			written <- err
		}()
		for d.scalar("select count(*)::text from pg_stat_activity where wait_event = 'SyncRep'") != "1" {
			time.Sleep(10 * time.Millisecond)
		}
		time.Sleep(300 * time.Millisecond)
		d.exec("select pg_cancel_backend(pid) from pg_stat_activity where wait_event = 'SyncRep'")
		if err := <-written; err != nil {
			t.Fatal(err)
		}
	}
	unseen("update a set id = 2") // the unchanged column is read by the new key
	unseen("alter table a add column v int not null default 5; insert into a values (3, 3, 'x', 7)")
	events := r.waitCount(3)
	diff(t, texts(events), "d a k(1,NULL,NULL) - other 2", "c a - (2,1,abcd...(20000)) other 1", "c a - (3,3,x,7)")
	if v := events[2].table.Columns[3]; v.Nullable || v.ID != 4 || v.Default != "5" {
		t.Errorf("the added column came out as %+v", v)
	}
}
