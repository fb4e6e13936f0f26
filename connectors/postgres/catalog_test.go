package postgres

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/syncline-io/syncline/framework/failure"
	"github.com/syncline-io/syncline/framework/source"
)

// Which index a table's key is: seen with Debezium 3.7 too, but for the cases that are ours.
func TestTheKeyIsOfTheIndexThatIdentifiesTheRows(t *testing.T) {
	for name, c := range map[string]struct {
		table      string // its columns a and b, its name k
		more       string
		key        []int16
		full       []int16 // with identity full, where that is another one
		deferrable bool    // with identity full
		hide       string
	}{
		"none":                                   {table: "a int, b int not null"},
		"the primary key, in its order":          {table: "a int, b int, primary key (b, a)", key: []int16{2, 1}},
		"a deferrable primary key":               {table: "a int primary key deferrable, b int not null unique", key: []int16{1}, deferrable: true},
		"not what the primary key carries along": {table: "a int, b int, primary key (a) include (b)", key: []int16{1}},
		"the replica identity's":                 {table: "a int primary key, b int not null unique", more: "alter table k replica identity using index k_b_key", key: []int16{2}, full: []int16{1}},
		"the first unique one by name":           {table: "a int not null, b int not null", more: `create unique index y on k (a); create unique index "Z" on k (b)`, key: []int16{2}},
		"a unique one and what it carries along": {table: "a int not null, b int not null", more: "create unique index on k (a) include (b)", key: []int16{1, 2}},
		"a deferrable unique one":                {table: "a int not null unique deferrable, b int", key: []int16{1}, deferrable: true},
		"none that can be null":                  {table: "a int unique, b int not null, unique (a, b)"},
		"the next one after it":                  {table: "a int unique, b int not null unique", key: []int16{2}},
		"none about some rows":                   {table: "a int not null, b int", more: "create unique index on k (a) where a > 0"},
		"none of an expression":                  {table: "a int not null, b int not null", more: "create unique index on k (abs(a))"},
		"without an identity":                    {table: "a int not null unique, b int", more: "alter table k replica identity nothing", key: []int16{1}},
		"none of which a column is left out":     {table: "a int not null unique, b int", hide: "public.k.a"},
		"the primary key for all that":           {table: "a int primary key, b int", hide: "public.k.a", key: []int16{1}},
		"the next one after a generated one":     {table: "a int not null generated always as (b + 1) stored unique, b int not null unique", key: []int16{2}},
		"none of which a part is generated":      {table: "a int generated always as (b + 1) stored, b int, primary key (b, a)"},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDatabase(t)
			d.exec(fmt.Sprintf("create table k (%s); %s", c.table, c.more))
			in := &catalog{conn: d.connect()}
			if c.hide != "" {
				in.hide = pattern{c.hide}
			}
			var oid uint32
			if err := in.conn.QueryRow(t.Context(), "select 'k'::regclass::oid").Scan(&oid); err != nil {
				t.Fatal(err)
			}
			check := func(identity string, want []int16, deferrable bool) {
				t.Helper()
				r, err := in.relation(t.Context(), oid)
				if err != nil {
					t.Fatal(err)
				}
				if !slices.Equal(r.key, want) || r.deferrable != deferrable {
					t.Errorf("%s: key %v, deferrable %t, want %v, %t", identity, r.key, r.deferrable, want, deferrable)
				}
			}
			check("as it is", c.key, false)
			d.exec("alter table k replica identity full")
			if c.full == nil {
				c.full = c.key
			}
			check("identity full", c.full, c.deferrable)
		})
	}
}

// TestAKeyThatTheLogCarriesInPartIsNone is about generated columns: the rest of such a key does not tell the rows apart, neither in
// the snapshot nor in the stream.
func TestAKeyThatTheLogCarriesInPartIsNone(t *testing.T) {
	for name, key := range map[string]string{"a unique index": "unique (x, g)", "the primary key": "primary key (x, g)"} {
		t.Run(name, func(t *testing.T) {
			d := newDatabase(t)
			d.exec("create table a (x int not null, y int, g int generated always as (y * 2) stored not null, " + key + ")")
			d.exec("alter table a replica identity full; insert into a values (1, 1), (1, 2)")
			r := d.start(d.config(), source.Position{}, newRecorder())
			r.waitCount(2)
			d.exec("insert into a values (1, 3)")
			d.exec("update a set y = 4 where y = 1")
			events := r.waitCount(4)
			diff(t, texts(events), "r a - (1,1)", "r a - (1,2)", "c a - (1,3)", "u a (1,1) (1,4)")
			for _, e := range events {
				if e.table != events[0].table || len(e.table.KeyColumns()) > 0 {
					t.Errorf("%s has the key %v, want none, and one version", e.text, e.table.KeyColumns())
				}
			}
		})
	}
}

func TestATableWhoseOldRowsAreToldByAPartOfTheirKeyIsRefused(t *testing.T) {
	refused := func(r *running) {
		t.Helper()
		err := r.join()
		if failure.Classify(err) != failure.Config || !strings.Contains(err.Error(), "column g of the key of public.a is generated") {
			t.Errorf("got %v, want the table refused", err)
		}
	}
	const table = "create table a (x int, g int generated always as (x * 2) stored, primary key (x, g))"
	t.Run("in a snapshot", func(t *testing.T) {
		d := newDatabase(t)
		d.exec(table)
		refused(d.start(d.config(), source.Position{}, newRecorder()))
	})
	t.Run("in a stream", func(t *testing.T) {
		d := newDatabase(t)
		d.exec(table)
		cfg := d.config()
		cfg.Start = startStream
		r := d.start(cfg, source.Position{}, newRecorder())
		r.waitSlot(d)
		d.exec("insert into a values (1)")
		refused(r)
	})
}

// TestALeftOutColumnDoesNotComeBackAsAKey is about a unique index, which makes no column one that has to be sent.
func TestALeftOutColumnDoesNotComeBackAsAKey(t *testing.T) {
	d := newDatabase(t)
	d.exec("create table a (mail text not null unique, v text); alter table a replica identity full; insert into a values ('m', 'one')")
	cfg := d.config()
	cfg.ExcludeColumns = []string{"public.a.mail"}
	r := d.start(cfg, source.Position{}, newRecorder())
	r.waitCount(1)
	d.exec("update a set v = 'two'")
	diff(t, texts(r.waitCount(2)), "r a - (one)", "u a (one) (two)")
}

// TestRowsOfBeforeTheirTablesKeyHaveNone stops the source, has a table's rows made fit for a key, and starts it again: rows that the
// key of today does not tell apart keep each other in place.
func TestRowsOfBeforeTheirTablesKeyHaveNone(t *testing.T) {
	for name, key := range map[string]string{"a unique index": "create unique index on a (u)", "a primary key": "alter table a add primary key (u)"} {
		t.Run(name, func(t *testing.T) {
			d := newDatabase(t)
			d.exec("create table a (u int, v text); alter table a replica identity full; insert into a values (0, 'zero')")
			r := d.start(d.config(), source.Position{}, newRecorder())
			r.waitCount(1)
			_ = r.stop()
			d.exec("insert into a values (1, 'x'), (1, 'y'), (null, 'n')")
			d.exec("delete from a where v in ('y', 'n')")
			d.exec("alter table a alter u set not null; " + key)
			d.exec("update a set v = 'z' where u = 1")
			r = d.start(d.config(), r.out.position(), newRecorder())
			r.waitFor("(1,z)")
			d.exec("update a set v = 'end' where u = 1")
			events := r.waitFor("(1,end)")
			diff(t, texts(events), "c a - (1,x)", "c a - (1,y)", "c a - (NULL,n)", "d a (1,y) -", "d a (NULL,n) -", "u a (1,x) (1,z)", "u a (1,z) (1,end)")
			for i, e := range events {
				if keyed := len(e.table.KeyColumns()) > 0; keyed != (i == len(events)-1) {
					t.Errorf("%s: has a key: %t", e.text, keyed)
				}
			}
		})
	}
}

// TestAPartitionThatLogsOldRowsWithoutTheKeyIsRefused keeps a delete of no row from being sent for that of one.
func TestAPartitionThatLogsOldRowsWithoutTheKeyIsRefused(t *testing.T) {
	d := newDatabase(t)
	d.exec(`create table a (b int not null, c int not null, v text not null) partition by list (v); create unique index on a (b, v);
		create table a1 partition of a for values in ('x'); create unique index a1c on a1 (c); alter table a1 replica identity using index a1c;
		insert into a values (1, 10, 'x')`)
	cfg := d.config()
	cfg.PartitionRoot = true
	r := d.start(cfg, source.Position{}, newRecorder())
	r.waitCount(1)
	d.exec("delete from a")
	err := r.join()
	if failure.Classify(err) != failure.Config || !strings.Contains(err.Error(), "a partition of public.a logs old rows without b") {
		t.Errorf("got %v, want the partition refused", err)
	}
	diff(t, texts(r.out.all()), "r a - (1,10,x)")
}
