package postgres

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/syncline-io/syncline/framework/failure"
	"github.com/syncline-io/syncline/framework/source"
)

// Somebody alters the publication while the source is away, and puts it back as it was. What changed in between is in no
// stream.
func TestPublicationThatWasAlteredAndPutBackIsNoticed(t *testing.T) {
	const lost = "insert into b values (2); delete from b where id = 1"
	for _, c := range []struct {
		name, make, away, back string
		newest                 bool // needs PostgreSQL 15
	}{
		{name: "table taken out", away: "alter publication $p drop table b", back: "alter publication $p add table b"},
		{name: "tables set", away: "alter publication $p set table a", back: "alter publication $p set table a, b"},
		{name: "row filter", away: "alter publication $p set table a, b where (id > 100)", back: "alter publication $p set table a, b", newest: true},
		{name: "operations", away: "alter publication $p set (publish = 'truncate')", back: "alter publication $p set (publish = 'insert, update, delete, truncate')"},
		{
			name: "operations of all tables", make: "create publication $p for all tables",
			away: "alter publication $p set (publish = 'truncate')", back: "alter publication $p set (publish = 'insert, update, delete, truncate')",
		},
		{
			name: "schema", make: "create publication $p for table a, tables in schema s; alter table b set schema s",
			away: "alter publication $p drop tables in schema s", back: "alter publication $p add tables in schema s", newest: true,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := newDatabase(t)
			if c.newest && d.major() < 15 {
				t.Skip("this server's publications have neither filters nor schemas")
			}
			exec := func(sql string) { d.exec(strings.ReplaceAll(sql, "$p", d.slot())) }
			d.exec("create table a (id int primary key); create table b (id int primary key); insert into b values (1); create schema s")
			exec(c.make)
			d.exec("set search_path = public, s")
			cfg := d.config()
			cfg.Tables = []string{"public.*", "s.*"}
			r := d.start(cfg, source.Position{}, newRecorder())
			r.waitCount(1)
			_ = r.stop()
			from := r.out.position()
			exec(c.away)
			d.exec(lost)
			exec(c.back)

			stream := cfg
			stream.Start = startStream
			if err := d.start(stream, from, newRecorder()).join(); failure.Classify(err) != failure.Gap || !strings.Contains(err.Error(), ".b") {
				t.Errorf("with start: stream Run returned %v, want a gap that names the table", err)
			}
			r = d.start(cfg, from, newRecorder())
			d.exec("insert into a values (1)")
			var ofB []string
			for _, e := range r.waitFor("r b - (2)") {
				if e.table.Name == "b" {
					ofB = append(ofB, e.text)
				}
			}
			diff(t, ofB, "t b - -", "r b - (2)")
			_ = r.stop()

			// Noticed once: the next start reads nothing again.
			r = d.start(cfg, r.out.position(), newRecorder())
			d.exec("insert into b values (3)")
			for _, text := range texts(r.waitFor("b - (3)")) {
				if text != "c b - (3)" && text != "c a - (1)" {
					t.Errorf("after the next start came %s", text)
				}
			}
		})
	}
}

func TestPublicationThatPublishesATableAllTheTimeReadsNothingAgain(t *testing.T) {
	d := newDatabase(t)
	d.exec("create table a (id int primary key); create table b (id int primary key); insert into b values (1)")
	cfg := d.config()
	r := d.start(cfg, source.Position{}, newRecorder())
	r.waitCount(1)
	_ = r.stop()
	d.exec("create table elsewhere (id int primary key)")
	cfg.ExcludeTables = []string{"public.elsewhere"}
	d.exec("alter publication " + d.slot() + " add table elsewhere")
	d.exec("alter publication " + d.slot() + " set table a, b, elsewhere")
	d.exec("vacuum freeze pg_publication; ")
	d.exec("vacuum full pg_publication")
	d.exec("vacuum full pg_publication_rel")
	r = d.start(cfg, r.out.position(), newRecorder())
	d.exec("insert into b values (2)")
	diff(t, texts(r.waitCount(1)), "c b - (2)")
}

func TestPublicationMadeAgainIsAGapWithoutAnyChange(t *testing.T) {
	d := newDatabase(t)
	d.exec("create table a (id int primary key)")
	r := d.start(d.config(), source.Position{}, newRecorder())
	r.waitSlot(d)
	_ = r.stop()
	d.exec("drop publication " + d.slot())
	d.exec("create publication " + d.slot() + " for table a")
	err := d.start(d.config(), r.out.position(), newRecorder()).join()
	if failure.Classify(err) != failure.Gap || !strings.Contains(err.Error(), "was dropped and made again") {
		t.Errorf("Run returned %v", err)
	}
}

// Nobody knows what another publication has published until now.
func TestAnotherPublicationReadsItsTablesAgain(t *testing.T) {
	for _, older := range []bool{false, true} {
		t.Run(fmt.Sprintf("position of an older program %t", older), func(t *testing.T) { anotherPublication(t, older) })
	}
}

func anotherPublication(t *testing.T, older bool) {
	d := newDatabase(t)
	d.exec("create table a (id int primary key); insert into a values (1)")
	d.exec("create publication " + d.slot() + "_2")
	r := d.start(d.config(), source.Position{}, newRecorder())
	r.waitCount(1)
	_ = r.stop()
	d.exec("insert into a values (2)")
	d.exec("alter publication " + d.slot() + "_2 add table a")
	cfg := d.config()
	cfg.Publication = d.slot() + "_2"
	from := r.out.position()
	if older {
		from = withoutIdentities(t, from)
	}
	r = d.start(cfg, from, newRecorder())
	diff(t, texts(r.waitFor("(2)")), "t a - -", "r a - (1)", "r a - (2)")
}

func withoutIdentities(t *testing.T, p source.Position) source.Position {
	t.Helper()
	s, err := parseState(p.State)
	if err != nil {
		t.Fatal(err)
	}
	s.Published, s.Tables[0].Via = nil, nil
	p.State = s.encode()
	return p
}

func TestPositionWithoutIdentitiesTakesThoseOfNow(t *testing.T) {
	d := newDatabase(t)
	d.exec("create table a (id int primary key)")
	r := d.start(d.config(), source.Position{}, newRecorder())
	r.waitSlot(d)
	_ = r.stop()
	r = d.start(d.config(), withoutIdentities(t, r.out.position()), newRecorder())
	d.exec("insert into a values (1)")
	diff(t, texts(r.waitCount(1)), "c a - (1)")
	_ = r.stop()
	d.exec("alter publication " + d.slot() + " drop table a")
	d.exec("alter publication " + d.slot() + " add table a")
	r = d.start(d.config(), r.out.position(), newRecorder())
	diff(t, texts(r.waitFor("r a - (1)")), "t a - -", "r a - (1)")
}

// A partition that is taken off its table for a time is not published in that time.
func TestPartitionThatWasDetachedForATimeIsReadAgain(t *testing.T) {
	d := newDatabase(t)
	d.exec(`create table p (id int primary key) partition by range (id);
		create table p1 partition of p for values from (0) to (100); insert into p values (1)`)
	d.exec("create publication " + d.slot() + " for table p")
	r := d.start(d.config(), source.Position{}, newRecorder())
	r.waitCount(1)
	d.exec("insert into p values (3); delete from p where id = 3")
	diff(t, texts(r.waitCount(3)), "r p1 - (1)", "c p1 - (3)", "d p1 k(3) -") // the entry for p was left
	_ = r.stop()
	d.exec("alter table p detach partition p1")
	d.exec("insert into p1 values (2)")
	d.exec("alter table p attach partition p1 for values from (0) to (100)")
	r = d.start(d.config(), r.out.position(), newRecorder())
	diff(t, texts(r.waitFor("(2)")), "t p1 - -", "r p1 - (1)", "r p1 - (2)")
}

func TestPublicationAlteredUnderTheRunningSourceEndsTheRun(t *testing.T) {
	for name, c := range map[string]struct {
		alter string
		class failure.Class
	}{
		"taken out and put back": {"alter publication $p drop table a; alter publication $p add table a", failure.Retry},
		"operations":             {"alter publication $p set (publish = 'insert')", failure.Retry},
		"dropped":                {"drop publication $p", failure.Gap},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDatabase(t)
			d.exec("create table a (id int primary key)")
			src, err := newSource(t.Context(), d.config(), d.env())
			if err != nil {
				t.Fatal(err)
			}
			src.publicationInterval = time.Millisecond
			r := d.run(src, source.Position{}, newRecorder())
			r.waitSlot(d)
			time.Sleep(2 * monitorInterval) // looked at and found in order
			d.exec(strings.ReplaceAll(c.alter, "$p", d.slot()))
			err = r.join()
			if failure.Classify(err) != c.class || c.class == failure.Retry && !errors.Is(err, errAltered) {
				t.Errorf("Run returned %v", err)
			}
		})
	}
}

func TestTableDroppedUnderTheRunningSourceDoesNotEndTheRun(t *testing.T) {
	d := newDatabase(t)
	d.exec("create table a (id int primary key); create table b (id int primary key)")
	src, err := newSource(t.Context(), d.config(), d.env())
	if err != nil {
		t.Fatal(err)
	}
	src.publicationInterval = time.Millisecond
	r := d.run(src, source.Position{}, newRecorder())
	r.waitSlot(d)
	d.exec("drop table b")
	time.Sleep(2 * monitorInterval) // looked at again
	d.exec("insert into a values (1)")
	r.waitCount(1)
}
