package postgres

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/syncline-io/syncline/framework/config"
	"github.com/syncline-io/syncline/framework/failure"
	"github.com/syncline-io/syncline/framework/source"
	"github.com/syncline-io/syncline/integration/engines"
	"github.com/syncline-io/syncline/schemas"
)

func TestCrashInTheSnapshotReadsOnlyWhatIsLeft(t *testing.T) {
	d := newDatabase(t)
	d.exec(`create table a (id int primary key); insert into a select generate_series(1, 3);
		create table b (id int); insert into b select generate_series(1, 3);
		create table c (id int primary key); insert into c select generate_series(1, 2)`)
	out := newRecorder()
	out.limit = 5 // three rows of a, two of b
	r := d.start(d.config(), source.Position{}, out)
	if err := r.join(); !errors.Is(err, errLimit) {
		t.Fatalf("Run returned %v", err)
	}
	from := source.Position{State: out.events[4].state, Version: out.events[4].version}
	d.exec("update a set id = 10 where id = 1; insert into a values (4); insert into b values (4); delete from c where id = 1")
	r = d.start(d.config(), from, newRecorder())
	r.waitFor("r c - (2)")
	d.exec("insert into b values (5); insert into a values (5)")
	diff(t, texts(r.waitCount(12)),
		"d a k(1) - other 10", "c a - (10) other 1", "c a - (4)",
		"t b - -", "r b - (1)", "r b - (2)", "r b - (3)", "r b - (4)",
		"t c - -", "r c - (2)", // nothing of c was sent, but the durable state alone cannot tell
		"c b - (5)", "c a - (5)",
	)
}

func TestSnapshotMarks(t *testing.T) {
	d := newDatabase(t)
	d.exec(`create table a (id int); insert into a select generate_series(1, 3); create table b (id int); create table c (id int);
		insert into c select generate_series(1, 3); create table d (id int)`)
	r := d.start(d.config(), source.Position{}, newRecorder())
	var marks []string
	for _, e := range r.waitCount(6) {
		marks = append(marks, string(e.snapshot))
	}
	diff(t, marks, "first", "true", "last_in_data_collection", "first_in_data_collection", "true", "last")
}

func TestTableThatComesToMatchIsReadAtTheNextStart(t *testing.T) {
	d := newDatabase(t)
	d.exec("create table a (id int primary key); insert into a values (1)")
	r := d.start(d.config(), source.Position{}, newRecorder())
	r.waitCount(1)
	d.exec("create table b (id int primary key); insert into b values (1), (2); insert into a values (2)")
	r.waitCount(2)
	_ = r.stop()
	d.exec("insert into a values (3); insert into b values (3)")
	r = d.start(d.config(), r.out.position(), newRecorder())
	r.waitCount(5)
	d.exec("delete from b where id = 1")
	diff(t, texts(r.waitCount(6)), "c a - (3)", "t b - -", "r b - (1)", "r b - (2)", "r b - (3)", "d b k(1) -")
	_ = r.stop()
	cfg := d.config()
	cfg.Tables = []string{"public.a"}
	r = d.start(cfg, r.out.position(), newRecorder())
	r.waitSlot(d)
	d.exec("insert into b values (4); insert into a values (4)")
	diff(t, texts(r.waitCount(1)), "c a - (4)")
}

func TestStopsAtGapsAndSaysWhy(t *testing.T) {
	for _, c := range []struct {
		name    string
		prepare func(d *database, p *source.Position, cfg *SourceConfig)
		class   failure.Class
		message string
	}{
		{"slot gone", func(d *database, _ *source.Position, _ *SourceConfig) {
			d.exec("select pg_drop_replication_slot('" + d.slot() + "')")
		}, failure.Gap, "is gone although a position exists"},
		{"slot ahead of the position", func(d *database, _ *source.Position, _ *SourceConfig) {
			d.exec("insert into a values (5)")
			d.exec("select pg_replication_slot_advance('" + d.slot() + "', pg_current_wal_lsn())")
		}, failure.Gap, "is ahead of the position"},
		{"publication gone", func(d *database, _ *source.Position, _ *SourceConfig) {
			d.exec("drop publication " + d.slot())
		}, failure.Gap, "publication " + "syncline_t_"},
		{"publication made again", func(d *database, _ *source.Position, _ *SourceConfig) {
			d.exec("drop publication " + d.slot())
			d.exec("insert into a values (6)")
			d.exec("create publication " + d.slot() + " for table a")
		}, failure.Gap, "what changed while it was away is not in the stream"},
		{"position beyond the log", func(_ *database, p *source.Position, _ *SourceConfig) {
			p.Version = schemas.Version{High: 1 << 60}
		}, failure.Gap, "is beyond the end of the server's log"},
		{"another system", func(_ *database, p *source.Position, _ *SourceConfig) {
			p.State = []byte(strings.Replace(string(p.State), `"system":"`, `"system":"9`, 1))
		}, failure.Gap, "the position belongs to the server with system identifier"},
		{"another timeline", func(_ *database, p *source.Position, _ *SourceConfig) {
			p.State = []byte(strings.Replace(string(p.State), `"timeline":1`, `"timeline":7`, 1))
		}, failure.Gap, "a standby was promoted"},
		{"another slot", func(_ *database, _ *source.Position, cfg *SourceConfig) {
			cfg.Slot = "other"
		}, failure.Gap, "postgres.slot is other"},
		{"a position of another program", func(_ *database, p *source.Position, _ *SourceConfig) {
			p.State = []byte(`{"format":99}`)
		}, failure.Gap, "format 99"},
		{"a slot without a position", func(_ *database, p *source.Position, _ *SourceConfig) {
			*p = source.Position{}
		}, failure.Gap, "exists, but there is no position"},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := newDatabase(t)
			d.exec("create table a (id int primary key)")
			r := d.start(d.config(), source.Position{}, newRecorder())
			r.waitSlot(d)
			if err := r.stop(); err != nil && !errors.Is(err, context.Canceled) {
				t.Fatal(err)
			}
			p, cfg := r.out.position(), d.config()
			c.prepare(d, &p, &cfg)
			err := d.start(cfg, p, newRecorder()).join()
			if failure.Classify(err) != c.class || !strings.Contains(err.Error(), c.message) {
				t.Errorf("got class %d: %v", failure.Classify(err), err)
			}
		})
	}
}

func TestStartSaysWhatASlotWithoutPositionMeans(t *testing.T) {
	for start, want := range map[string][]string{
		startSnapshot: {"t a - -", "r a - (1)", "r a - (2)", "c a - (3)"},
		startStream:   {"c a - (2)", "c a - (3)"},
	} {
		t.Run(start, func(t *testing.T) {
			d := newDatabase(t)
			d.exec("create table a (id int primary key); insert into a values (1)")
			d.exec("create publication " + d.slot() + " for all tables")
			d.exec("select pg_create_logical_replication_slot('" + d.slot() + "', 'pgoutput')")
			d.exec("insert into a values (2)")
			cfg := d.config()
			cfg.Start = start
			r := d.start(cfg, source.Position{}, newRecorder())
			r.waitFor("a - (2)")
			d.exec("insert into a values (3)")
			diff(t, texts(r.waitFor("(3)")), want...)
		})
	}
}

func TestTableThatWasExcludedForATimeLosesNoDelete(t *testing.T) {
	d := newDatabase(t)
	d.exec("create table a (id int primary key); create table b (id int primary key); insert into b values (1), (2)")
	r := d.start(d.config(), source.Position{}, newRecorder())
	r.waitCount(2)
	_ = r.stop()
	without := d.config()
	without.ExcludeTables = []string{"public.b"}
	r = d.start(without, r.out.position(), newRecorder())
	r.waitSlot(d)
	d.exec("delete from b where id = 1; insert into a values (1)")
	r.waitCount(1)
	_ = r.stop()
	r = d.start(d.config(), r.out.position(), newRecorder())
	diff(t, texts(r.waitFor("r b - (2)")), "t b - -", "r b - (2)")
}

func TestTableTakenOutOfThePublicationIsReadAgain(t *testing.T) {
	d := newDatabase(t)
	d.exec("create table a (id int primary key); create table b (id int primary key); insert into b values (1)")
	r := d.start(d.config(), source.Position{}, newRecorder())
	r.waitCount(1)
	d.exec("alter publication " + d.slot() + " drop table b")
	d.exec("insert into b values (2); delete from b where id = 1; insert into a values (1)")
	diff(t, texts(r.waitCount(2)), "r b - (1)", "c a - (1)")
	_ = r.stop()
	from := r.out.position()

	cfg := d.config()
	cfg.Start = startStream
	if err := d.start(cfg, from, newRecorder()).join(); failure.Classify(err) != failure.Gap || !strings.Contains(err.Error(), "public.b") {
		t.Errorf("with start: stream Run returned %v, want a gap that names the table", err)
	}

	// The intent must be durable before the table is back: a crash in between would leave no trace of the loss.
	out := newRecorder()
	out.silent = true
	r = d.start(d.config(), from, out)
	r.wait("the intent", func([]event) bool { return strings.Contains(string(out.position().State), `"again":true`) })
	const covered = "select count(*)::text from pg_publication_tables where tablename = 'b'"
	if n := d.scalar(covered); n != "0" {
		t.Error("the table was put back before the position said that it is to be read")
	}
	_ = r.stop()
	d.exec("alter publication " + d.slot() + " add table b") // what the crash came after
	r = d.start(d.config(), out.position(), newRecorder())
	r.waitFor("r b - (2)")
	d.exec("insert into b values (3)")
	diff(t, texts(r.waitFor("(3)")), "t b - -", "r b - (2)", "c b - (3)")
}

func TestTableTakenOutOfThePublicationIsPutBack(t *testing.T) {
	d := newDatabase(t)
	d.exec("create table a (id int primary key); create table b (id int primary key); insert into b values (1)")
	r := d.start(d.config(), source.Position{}, newRecorder())
	r.waitCount(1)
	_ = r.stop()
	d.exec("alter publication " + d.slot() + " drop table b")
	d.exec("insert into b values (2)")
	r = d.start(d.config(), r.out.position(), newRecorder())
	r.waitFor("r b - (2)")
	d.exec("insert into b values (3)")
	diff(t, texts(r.waitFor("(3)")), "t b - -", "r b - (1)", "r b - (2)", "c b - (3)")
}

func TestStreamFromASlotOlderThanThePublicationIsAGap(t *testing.T) {
	for name, publication := range map[string]string{"no publication": "", "a table less": "for table a"} {
		t.Run(name, func(t *testing.T) {
			d := newDatabase(t)
			d.exec("create table a (id int primary key); create table b (id int primary key)")
			if publication != "" {
				d.exec("create publication " + d.slot() + " " + publication)
			}
			d.exec("select pg_create_logical_replication_slot('" + d.slot() + "', 'pgoutput')")
			d.exec("insert into b values (1)")
			cfg := d.config()
			cfg.Start = startStream
			for range 2 { // nothing must be changed that makes the second try look well
				err := d.start(cfg, source.Position{}, newRecorder()).join()
				if failure.Classify(err) != failure.Gap || !strings.Contains(err.Error(), "public.b") {
					t.Errorf("Run returned %v, want a gap that names the table", err)
				}
			}
		})
	}
}

func TestNarrowedPublicationIsRefused(t *testing.T) {
	for name, narrowed := range map[string]string{"row filter": "b where (id > 1)", "columns": "b (id)"} {
		t.Run(name, func(t *testing.T) {
			d := newDatabase(t)
			d.exec("create table a (id int primary key); create table b (id int primary key, v int)")
			d.exec("create publication " + d.slot() + " for table a, " + narrowed)
			err := d.start(d.config(), source.Position{}, newRecorder()).join()
			if failure.Classify(err) != failure.Config || !strings.Contains(err.Error(), "public.b") {
				t.Errorf("Run returned %v, want a refusal that names the table", err)
			}
			cfg := d.config()
			cfg.Tables = []string{"public.a"}
			cfg.Start = startSnapshot
			r := d.start(cfg, source.Position{}, newRecorder())
			r.waitSlot(d)
		})
	}
}

func TestCrashAfterTheSlotWasMadeRecoversByItself(t *testing.T) {
	d := newDatabase(t)
	d.exec("create table a (id int primary key); insert into a values (1)")
	out := newRecorder()
	// What is durable when the crash comes is the intent alone.
	r := d.start(d.config(), source.Position{}, out)
	var intent source.Position
	r.wait("the intent", func([]event) bool {
		p := out.position()
		if strings.Contains(string(p.State), `"creating":true`) {
			intent = p
		}
		return intent.State != nil
	})
	r.waitCount(1)
	_ = r.stop()
	d.exec("insert into a values (2)")
	r = d.start(d.config(), intent, newRecorder())
	r.waitCount(2)
	d.exec("insert into a values (3)")
	diff(t, texts(r.waitCount(3)), "r a - (1)", "r a - (2)", "c a - (3)")
}

func TestSecondInstanceWaitsAsStandby(t *testing.T) {
	d := newDatabase(t)
	d.exec("create table a (id int primary key)")
	first := d.start(d.config(), source.Position{}, newRecorder())
	first.waitSlot(d)
	env := d.env()
	holders := make(chan string, 100)
	env.Standby = func(waiting bool, holder string) {
		if waiting {
			holders <- holder
		} else {
			holders <- "mine"
		}
	}
	second, err := newSource(t.Context(), d.config(), env)
	if err != nil {
		t.Fatal(err)
	}
	defer second.Close()
	leased := make(chan error, 1)
	go func() { leased <- second.Lease(t.Context()) }()
	if holder := <-holders; !strings.Contains(holder, "syncline "+d.name) {
		t.Errorf("the holder is %q", holder)
	}
	select {
	case err := <-leased:
		t.Fatalf("two instances have the lease (%v)", err)
	case <-time.After(time.Second):
	}
	_ = first.stop()
	if err := <-leased; err != nil {
		t.Fatal(err)
	}
}

func TestStandbyWaitsForASlotThatIsStillRead(t *testing.T) {
	d := newDatabase(t)
	d.exec("create table a (id int primary key)")
	first := d.start(d.config(), source.Position{}, newRecorder())
	first.waitSlot(d)
	env := d.env()
	env.Name += "x" // another lock, the same slot
	cfg := d.config()
	cfg.Slot = d.slot()
	second, err := newSource(t.Context(), cfg, env)
	if err != nil {
		t.Fatal(err)
	}
	defer second.Close()
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if err := second.Lease(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("the lease was given while the slot is read: %v", err)
	}
}

func TestLostSessionEndsTheRun(t *testing.T) {
	d := newDatabase(t)
	d.exec("create table a (id int primary key)")
	r := d.start(d.config(), source.Position{}, newRecorder())
	r.waitSlot(d)
	d.exec("select pg_terminate_backend(pid) from pg_locks where locktype = 'advisory' and database = (select oid from pg_database where datname = current_database())")
	r.ended = true
	select {
	case err := <-r.done:
		if err == nil || failure.IsFinal(err) || !strings.Contains(err.Error(), "lease") {
			t.Errorf("Run returned %v", err)
		}
	case <-time.After(20 * time.Second):
		t.Fatal("the source goes on without its lease")
	}
	_ = r.src.Close()
}

func TestOpenRefusesBadConfigurations(t *testing.T) {
	d := newDatabase(t)
	d.exec("create table a (id int primary key)")
	role := strings.ReplaceAll(d.name, "-", "_")
	d.exec("create role " + role + " login password 'hunter2'")
	t.Cleanup(func() { _, _ = d.conn.Exec(context.Background(), "drop owned by "+role+"; drop role "+role) })
	as := func(cfg SourceConfig, user string) SourceConfig {
		at := strings.Index(d.url, "@")
		cfg.URL = config.URL("postgres://" + user + d.url[at:])
		return cfg
	}
	physical := engines.NewPostgres(t, engines.PostgresOptions{Settings: map[string]string{"wal_level": "replica"}})
	for _, c := range []struct {
		name    string
		cfg     func(SourceConfig) SourceConfig
		message string
		class   failure.Class
	}{
		{"no table", func(c SourceConfig) SourceConfig { c.Tables = []string{"shop.*"}; return c }, "postgres.tables: no table matches shop.*", failure.Config},
		{"no database", func(c SourceConfig) SourceConfig {
			c.URL = config.URL(strings.Replace(d.url, "/t_", "/not_", 1))
			return c
		}, "does not exist", failure.Config},
		{"no replication", func(c SourceConfig) SourceConfig { return as(c, role+":hunter2") }, "ALTER ROLE", failure.Config},
		{"wal_level", func(c SourceConfig) SourceConfig { c.URL = config.URL(physical.URL("postgres")); return c }, "wal_level = replica", failure.Config},
		{"unreachable", func(c SourceConfig) SourceConfig { c.URL = "postgres://u:hunter2@127.0.0.1:1/x"; return c }, "connect to PostgreSQL at 127.0.0.1:1", failure.Retry},
	} {
		t.Run(c.name, func(t *testing.T) {
			src, err := newSource(t.Context(), c.cfg(d.config()), d.env())
			if err == nil {
				_ = src.Close()
				t.Fatal("opened")
			}
			if !strings.Contains(err.Error(), c.message) || failure.Classify(err) != c.class || strings.Contains(err.Error(), "hunter2") {
				t.Errorf("class %d: %v", failure.Classify(err), err)
			}
		})
	}
	d.exec("alter role " + role + " replication")
	_, err := newSource(t.Context(), as(d.config(), role+":hunter2"), d.env())
	if failure.Classify(err) != failure.Config || !strings.Contains(err.Error(), "may not read public.a") ||
		!strings.Contains(err.Error(), `GRANT SELECT ON "public"."a" TO `) {
		t.Errorf("without SELECT: %v", err)
	}
}

func TestValidateNamesEveryProblem(t *testing.T) {
	c := SourceConfig{
		URL: "mysql://u:hunter2@h/x", Tables: []string{"orders"}, ExcludeColumns: []string{"a.b"}, Slot: "Bad-Name", Start: "now",
		Publication: strings.Repeat("p", 64),
	}
	err := c.Validate()
	diff(t, strings.Split(err.Error(), "\n"),
		"url: want the form postgres://user:password@host:5432/database",
		`tables: "orders" is not of the form schema.table`,
		`exclude_columns: "a.b" is not of the form schema.table.column`,
		`slot: "Bad-Name" is not 1 to 63 lower-case letters, digits and _`,
		`publication: "`+strings.Repeat("p", 64)+`" is longer than 63 bytes`,
		`start: "now" is neither snapshot nor stream`,
		"heartbeat_interval: want a positive duration",
		"status_interval: want a positive duration",
	)
}

func TestDerivedNamesStayApart(t *testing.T) {
	var names []string
	for _, c := range []string{"shop", "Shop", "my-shop", "my_shop", "my.shop", strings.Repeat("x", 100), strings.Repeat("x", 101)} {
		n := derivedName(c)
		if !slotName.MatchString(n) {
			t.Errorf("%s gives %s, which is no name of a slot", c, n)
		}
		if slices.Contains(names, n) {
			t.Errorf("%s gives %s, as another does", c, n)
		}
		names = append(names, n)
	}
}

func TestGlobs(t *testing.T) {
	for _, c := range []struct {
		glob, name string
		want       bool
	}{
		{"public.*", "public.orders", true},
		{"public.*", "publicx.orders", false},
		{"*", "a.b", true},
		{"*.a*c", "x.abc", true},
		{"*.a*c", "x.ab", false},
		{"p.a*a", "p.a", false},
		{"p.a*a", "p.aa", true},
		{"p.*b*b*", "p.abb", true},
		{"p.*b*b*", "p.ab", false},
		{"p.o", "p.o", true},
		{"p.o", "p.oo", false},
	} {
		if got := (pattern{c.glob}).matches(c.name); got != c.want {
			t.Errorf("%s matches %s: %t", c.glob, c.name, got)
		}
	}
}
