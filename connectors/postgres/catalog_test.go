package postgres

import (
	"fmt"
	"slices"
	"testing"
)

// Which index a table's key is: seen with Debezium 3.7 too, but for the cases that are ours.
func TestTheKeyIsOfTheIndexThatIdentifiesTheRows(t *testing.T) {
	for name, c := range map[string]struct {
		table      string // its columns a and b, its name k
		more       string
		key        []int16
		full       []int16 // with identity full, where that is another one
		deferrable bool    // with identity full
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
	} {
		t.Run(name, func(t *testing.T) {
			d := newDatabase(t)
			d.exec(fmt.Sprintf("create table k (%s); %s", c.table, c.more))
			in := &catalog{conn: d.connect()}
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
