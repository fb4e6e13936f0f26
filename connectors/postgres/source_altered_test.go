package postgres

import (
	"errors"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/syncline-io/syncline/framework/source"
	"github.com/syncline-io/syncline/schemas"
)

func TestEnumLabelIsInTheSchemaOfTheRowThatHasIt(t *testing.T) {
	d := newDatabase(t)
	d.exec("create type mood as enum ('sad', 'ok')")
	d.exec("create table a (id int, v mood, w mood, primary key (id, v)); alter table a replica identity full")
	d.exec("create table k (v mood primary key, n int); create table m (id int primary key, v mood[])")
	cfg := d.config()
	cfg.Start = startStream
	r := d.start(cfg, source.Position{}, newRecorder())
	r.waitSlot(d)
	n := 0
	for _, sql := range []string{
		"insert into a values (1, 'ok', null)",
		"insert into k values ('ok', 1)",
		"insert into m values (1, '{ok,NULL}')",
		"alter type mood add value 'happy' after 'sad'",
		"insert into a values (2, 'happy', null)",
		"insert into k values ('sad', 1)",
		"insert into m values (2, '{ok,happy}')",
		"alter type mood rename value 'ok' to 'fine'",
		"update a set w = 'fine' where id = 1",
		"delete from k where v = 'fine'",
	} {
		d.exec(sql)
		if sql[:5] != "alter" {
			n++
			r.waitCount(n)
		}
	}
	diffLabels(t, r.waitCount(n), "c a - (1,ok,NULL): sad,ok sad,ok", "c k - (ok,1): sad,ok",
		"c m - (1,[ok NULL]): sad,ok",
		"c a - (2,happy,NULL): sad,happy,ok sad,happy,ok", "c k - (sad,1): sad,ok", "c m - (2,[ok happy]): sad,happy,ok",
		"u a (1,fine,NULL) (1,fine,fine): sad,happy,fine sad,happy,fine", "d k k(fine,NULL) -: sad,happy,fine")
}

func TestEnumLabelThatWasRenamedSinceIsInTheSchemaOfTheRowsThatHaveIt(t *testing.T) {
	d := newDatabase(t)
	d.exec("create type mood as enum ('sad', 'ok'); create table a (id int primary key, v mood)")
	r := d.start(d.config(), source.Position{}, newRecorder())
	r.waitSlot(d)
	_ = r.stop()
	d.exec("insert into a values (1, 'ok'), (2, 'sad'), (3, 'ok')")
	d.exec("alter type mood rename value 'ok' to 'fine'")
	d.exec("alter type mood rename value 'sad' to 'blue'")
	d.exec("insert into a values (4, 'fine')")
	r = d.start(d.config(), r.out.position(), newRecorder())
	diffLabels(t, r.waitCount(4), "c a - (1,ok): blue,fine,ok", "c a - (2,sad): blue,fine,ok,sad", "c a - (3,ok): blue,fine,ok,sad",
		"c a - (4,fine): blue,fine,ok,sad")
}

// diffLabels compares changes and the labels of their columns.
func diffLabels(t *testing.T, events []event, want ...string) {
	t.Helper()
	var got []string
	for _, e := range events {
		text := e.text + ":"
		for _, c := range e.table.Columns {
			typ := &c.Type
			if typ.Elem != nil {
				typ = typ.Elem
			}
			if typ.Labels != nil {
				text += " " + strings.Join(typ.Labels, ",")
			}
		}
		got = append(got, text)
	}
	if !slices.Equal(got, want) {
		diff(t, got, want...)
	}
}

func TestSnapshotLocksOnlyTheTableThatItReads(t *testing.T) {
	d := newDatabase(t)
	d.exec("create table a (id int primary key); create table b (id int primary key); insert into a values (1); insert into b values (2)")
	locked, goOn := make(chan struct{}), make(chan struct{})
	out := newRecorder()
	out.before = func(events int) {
		if events == 0 {
			close(locked)
			<-goOn
		}
	}
	r := d.start(d.config(), source.Position{}, out)
	<-locked // a's only row is on its way
	got := d.scalar(`select string_agg(relation::regclass::text, ' ') from pg_locks
		where relation in ('a'::regclass, 'b'::regclass) and mode = 'AccessShareLock'`)
	close(goOn)
	if got != "a" {
		t.Errorf("locked while a is read: %s", got)
	}
	diff(t, texts(r.waitCount(2)), "r a - (1)", "r b - (2)")
}

// A key change that is read after its table was altered has values that are nowhere any more under the table's old form.
func TestKeyChangeOfATableThatWasAlteredSinceLosesNoRow(t *testing.T) {
	const key, other = "'7d9f0a52-5a44-4b8e-9f5c-0d1f9d2c7e01'", "'7d9f0a52-5a44-4b8e-9f5c-0d1f9d2c7e02'"
	for _, c := range []struct {
		name, altered, row string
		gone               bool
	}{
		{name: "column dropped", altered: "alter table a drop n", row: "r a - (7d9f0a52-5a44-4b8e-9f5c-0d1f9d2c7e02,abcd...(20000))"},
		{
			name: "key of another type", altered: "alter table a alter id type uuid using id::uuid",
			row: "r a - (7d9f0a52-5a44-4b8e-9f5c-0d1f9d2c7e02,abcd...(20000),abcd...(10000))",
		},
		{
			name: "renamed", altered: "alter table a rename to b",
			row: "r b - (7d9f0a52-5a44-4b8e-9f5c-0d1f9d2c7e02,abcd...(20000),abcd...(10000))",
		},
		{
			name: "another table under the name", row: "r b - (7d9f0a52-5a44-4b8e-9f5c-0d1f9d2c7e02,abcd...(20000),abcd...(10000))",
			altered: "alter table a rename to b; create table a (like b including all); insert into a values (" + other + ", 'x', 'y')",
		},
		{name: "dropped", altered: "drop table a", gone: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := newDatabase(t)
			d.exec(`create table a (id varchar(36) primary key, big text, n text); create table z (id int primary key);
				alter table a alter big set storage external, alter n set storage external;
				insert into a values (` + key + ", repeat('abcdefghij', 2000), repeat('abcdefghij', 1000))")
			r := d.start(d.config(), source.Position{}, newRecorder())
			r.waitSlot(d)
			_ = r.stop()
			d.exec("update a set id = " + other)
			d.exec(c.altered)
			d.exec("insert into z values (1)")
			out := newRecorder()
			r = d.start(d.config(), r.out.position(), out)
			if c.gone { // nobody misses the row
				r.waitFor("c z - (1)")
				return
			}
			if err := r.join(); !errors.Is(err, errUntold) {
				t.Fatalf("Run returned %v", err)
			}
			diff(t, texts(out.all()))
			r = d.start(d.config(), out.position(), newRecorder())
			events := texts(r.waitFor(c.row))
			if truncate := "t " + c.row[2:3] + " - -"; events[0] != "c z - (1)" || !slices.Contains(events, truncate) {
				t.Errorf("got:\n%s", strings.Join(events, "\n"))
			}
		})
	}
}

// Inheritance lets a child hold a row with the same key.
func TestKeyChangeIsReadFromTheTableAlone(t *testing.T) {
	events := streamed(t, `create table a (id int primary key, big text); alter table a alter big set storage external;
		create table child () inherits (a); insert into child values (2, 'of the child');
		insert into a values (1, repeat('abcdefghij', 2000))`, 2, "update only a set id = 2")
	diff(t, texts(events), "d a k(1,NULL) - other 2", "c a - (2,abcd...(20000)) other 1")
}

// shownColumns is the names of a table's columns, with a ? where null is allowed.
func shownColumns(t *schemas.Table) string {
	text := t.Name + ":"
	for _, c := range t.Columns {
		text += " " + c.Name
		if c.Nullable {
			text += "?"
		}
	}
	return text
}

func TestRowsOfBeforeAnAlterKeepTheirSchemaAfterARestart(t *testing.T) {
	d := newDatabase(t)
	d.exec(`create table a (id int primary key, code text not null, v text, n int not null default 7, away text not null);
		create table b (id int primary key, v text not null, w text); insert into a values (1, 'c', 'v', 1, 'x'); insert into b values (1, 'x')`)
	r := d.start(d.config(), source.Position{}, newRecorder())
	was := r.waitCount(2)[0].table
	_ = r.stop()
	for _, sql := range []string{
		"insert into a values (2, 'c', 'v', 1, 'x')", "insert into b values (2, 'y')",
		"alter table a alter id type bigint", "alter table a rename code to c", "alter table a drop away", "drop table b",
		"insert into a values (3, 'c', 'v', 1)",
	} {
		d.exec(sql)
	}
	read := func(from source.Position) (tables []string, first *schemas.Table) {
		out := newRecorder()
		out.silent = true // so that the slot can be read again from the same place
		r := d.start(d.config(), from, out)
		for _, e := range r.waitCount(3) {
			tables = append(tables, shownColumns(e.table))
		}
		_ = r.stop()
		return tables, out.all()[0].table
	}
	tables, first := read(r.out.position())
	diff(t, tables, "a: id code v? n away", "b: id v w?", "a: id c v? n")
	if first.Version != was.Version {
		t.Error("a row of before the change has a new table version")
	}

	// A position of an older program does not tell; the catalog's numbers and the message's key do as far as they go.
	from := r.out.position()
	from.State = regexp.MustCompile(`,"columns":"[^"]*"`).ReplaceAll(from.State, nil)
	tables, _ = read(from)
	diff(t, tables, "a: id code v? n away?", "b: id v? w?", "a: id c v? n")
}

func TestRenamedTableIsReadAgainUnderItsNewName(t *testing.T) {
	for _, c := range []struct {
		name, rename, insert, truncate, row string
		away                                bool
	}{
		{name: "name", rename: "alter table a rename to b", insert: "insert into b", truncate: "t b - -", row: "b - "},
		{name: "name while away", rename: "alter table a rename to b", insert: "insert into b", truncate: "t b - -", row: "b - ", away: true},
		{name: "schema", rename: "create schema s; alter table a set schema s", insert: "insert into s.a", truncate: "t a - -", row: "a - "},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := newDatabase(t)
			d.exec("create table a (id int primary key); insert into a values (1)")
			cfg := d.config()
			cfg.Tables = []string{"*.*"}
			out := newRecorder()
			r := d.start(cfg, source.Position{}, out)
			r.waitCount(1)
			if c.away {
				_ = r.stop()
			}
			d.exec("insert into a values (2)")
			if !c.away {
				r.waitCount(2)
			}
			d.exec(c.rename)
			d.exec(c.insert + " values (3)")
			if c.away {
				from := out.position()
				out = newRecorder()
				r = d.start(cfg, from, out)
			}
			if err := r.join(); !errors.Is(err, errRenamed) {
				t.Fatalf("Run returned %v", err)
			}
			if got := texts(out.all()); got[len(got)-1] != "c a - (2)" {
				t.Errorf("before the rename:\n%s", strings.Join(got, "\n"))
			}
			d.exec(c.insert + " values (4)")
			r = d.start(cfg, out.position(), newRecorder())
			r.waitFor(c.row + "(4)")
			d.exec(c.insert + " values (5)")
			row := "r " + c.row
			diff(t, texts(r.waitFor("c "+c.row+"(5)")), c.truncate, row+"(1)", row+"(2)", row+"(3)", row+"(4)", "c "+c.row+"(5)")
		})
	}
}

// ALTER TABLE ... REPLICA IDENTITY of a partitioned table does not reach its partitions, and the server announces an old row
// as its partitioned table wants it, whatever the partition logged of it.
func TestOldRowOfAPartitionIsWholeOnlyWhenItsIdentityIsFull(t *testing.T) {
	for _, c := range []struct {
		name, full string
		identity   schemas.Identity
		want       []string
	}{
		{"root", "alter table p replica identity full", schemas.IdentityKey, []string{
			"d p k(1,eu,NULL,NULL) - other 2 eu", "c p - (2,eu,n,abcd...(20000)) other 1 eu", "d p k(2,eu,NULL,NULL) -",
		}},
		{"root and one partition", "alter table p replica identity full; alter table p_eu replica identity full", schemas.IdentityKey, []string{
			"d p k(1,eu,NULL,NULL) - other 2 eu", "c p - (2,eu,n,abcd...(20000)) other 1 eu", "d p k(2,eu,NULL,NULL) -",
		}},
		{"all", "alter table p replica identity full; alter table p_eu replica identity full; alter table p_us replica identity full", schemas.IdentityFull, []string{
			"d p (1,eu,n,abcd...(20000)) - other 2 eu", "c p - (2,eu,n,abcd...(20000)) other 1 eu", "d p (2,eu,n,abcd...(20000)) -",
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := newDatabase(t)
			d.exec(`create table p (id int, region text, n text not null, body text, primary key (id, region)) partition by list (region);
				alter table p alter body set storage external; create table p_eu partition of p for values in ('eu');
				create table p_us partition of p for values in ('us'); insert into p values (1, 'eu', 'n', repeat('abcdefghij', 2000))`)
			d.exec(c.full)
			cfg := d.config()
			cfg.PartitionRoot = true
			r := d.start(cfg, source.Position{}, newRecorder())
			r.waitCount(1)
			r.waitSlot(d)
			d.exec("update p set id = 2")
			r.waitCount(3)
			d.exec("delete from p")
			events := r.waitCount(4)
			diff(t, texts(events)[1:], c.want...)
			for _, e := range events {
				if e.table != events[0].table || e.table.Identity != c.identity {
					t.Errorf("%s: identity %s of version %x, want %s of one version", e.text, e.table.Identity, e.table.Version, c.identity)
				}
			}
		})
	}
}

// A new partition of a table without a key has the default identity, under which PostgreSQL refuses to update or delete in it:
// it says nothing of the old rows of the others.
func TestNewPartitionOfATableWithoutAKeyLeavesOldRowsWhole(t *testing.T) {
	d := newDatabase(t)
	d.exec(`create table p (id int, region text) partition by list (region); create table p_eu partition of p for values in ('eu');
		alter table p replica identity full; alter table p_eu replica identity full; create table p_us partition of p for values in ('us');
		insert into p values (1, 'eu')`)
	cfg := d.config()
	cfg.PartitionRoot = true
	r := d.start(cfg, source.Position{}, newRecorder())
	r.waitCount(1)
	r.waitSlot(d)
	d.exec("update p_eu set id = 2; delete from p_eu")
	events := r.waitCount(3)
	diff(t, texts(events)[1:], "u p (1,eu) (2,eu)", "d p (2,eu) -")
	for _, e := range events {
		if e.table.Identity != schemas.IdentityFull {
			t.Errorf("%s: identity %s", e.text, e.table.Identity)
		}
	}
}
