package postgres

import (
	"slices"
	"strings"
	"testing"

	"github.com/syncline-io/syncline/framework/source"
)

func TestAnAttributeOfACompositeTypeIsKnownWithTheRowThatHasIt(t *testing.T) {
	d := newDatabase(t)
	d.exec("create type addr as (street text, zip int); create domain home as addr")
	d.exec("create table a (id int primary key, v addr); create table m (id int primary key, v addr[]); create table h (id int primary key, v home)")
	cfg := d.config()
	cfg.Start = startStream
	r := d.start(cfg, source.Position{}, newRecorder())
	r.waitSlot(d)
	n := 0
	for _, sql := range []string{
		"insert into a values (1, row('s, \"1\"', 1))",
		"insert into m values (1, array[null, row('s', 1)]::addr[])",
		"insert into h values (1, row('s', 1))",
		"alter type addr add attribute country text",
		"insert into a values (2, row('s', 1, 'no'))",
		"insert into m values (2, array[row('s', 1, 'no')]::addr[])",
		"insert into h values (2, row('s', 1, 'no'))",
		"alter type addr drop attribute zip",
		"insert into a values (3, row('s', 'no'))",
	} {
		d.exec(sql)
		if sql[:5] != "alter" {
			n++
			r.waitCount(n)
		}
	}
	diffAttributes(t, r.waitCount(n), "street,zip", "street,zip", "street,zip", "street,zip,country", "street,zip,country", "street,zip,country", "street,country")
}

func TestACompositeValueOfBeforeAnAttributeWasAddedIsRead(t *testing.T) {
	d := newDatabase(t)
	d.exec("create type addr as (street text, zip int); create table a (id int primary key, v addr)")
	r := d.start(d.config(), source.Position{}, newRecorder())
	r.waitSlot(d)
	_ = r.stop()
	d.exec("insert into a values (1, row('s', 1)), (2, row('s', 2))")
	d.exec("alter type addr add attribute country text")
	d.exec("insert into a values (3, row('s', 1, 'no')), (4, null)")
	r = d.start(d.config(), r.out.position(), newRecorder())
	events := r.waitCount(4)
	diffAttributes(t, events, "street,zip,country", "street,zip,country", "street,zip,country", "street,zip,country")
	if events[0].table != events[3].table {
		t.Error("rows of one description made several versions of the table")
	}
}

// diffAttributes compares the attributes of the changes' columns.
func diffAttributes(t *testing.T, events []event, want ...string) {
	t.Helper()
	var got []string
	for _, e := range events {
		var names []string
		for i := range e.table.Columns {
			for _, a := range compositeOf(&e.table.Columns[i]).Attributes {
				names = append(names, a.Name)
			}
		}
		got = append(got, strings.Join(names, ","))
	}
	if !slices.Equal(got, want) {
		diff(t, got, want...)
	}
}
