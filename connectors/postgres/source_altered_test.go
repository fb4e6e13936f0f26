package postgres

import (
	"slices"
	"strings"
	"testing"

	"github.com/syncline-io/syncline/framework/source"
)

func TestEnumLabelIsInTheSchemaOfTheRowThatHasIt(t *testing.T) {
	d := newDatabase(t)
	d.exec("create type mood as enum ('sad', 'ok')")
	d.exec("create table a (id int, v mood, w mood, primary key (id, v)); alter table a replica identity full")
	d.exec("create table k (v mood primary key, n int)")
	cfg := d.config()
	cfg.Start = startStream
	r := d.start(cfg, source.Position{}, newRecorder())
	r.waitSlot(d)
	n := 0
	for _, sql := range []string{
		"insert into a values (1, 'ok', null)",
		"insert into k values ('ok', 1)",
		"alter type mood add value 'happy' after 'sad'",
		"insert into a values (2, 'happy', null)",
		"insert into k values ('sad', 1)",
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
		"c a - (2,happy,NULL): sad,happy,ok sad,happy,ok", "c k - (sad,1): sad,ok",
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
			if c.Type.Labels != nil {
				text += " " + strings.Join(c.Type.Labels, ",")
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
