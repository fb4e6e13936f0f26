package main

import (
	"fmt"
	"strings"
)

// tableShape is what a load's tables look like: their columns, and the expressions that make row i of them. The first
// column is the key, id.
type tableShape struct {
	columns []string
	values  []string
	// from joins what the expressions need besides i.
	from string
}

// create is the statement that makes a table of the shape.
func (t tableShape) create(name string) string {
	return "create table " + name + " (\n\t" + strings.Join(t.columns, ",\n\t") + "\n)"
}

// insert is the statement that adds rows from and to, which are expressions.
func (t tableShape) insert(name, from, to string) string {
	return "insert into " + name + " " + t.selected(from, to)
}

func (t tableShape) selected(from, to string) string {
	return fmt.Sprintf("select %s from generate_series(%s, %s) i%s", strings.Join(t.values, ", "), from, to, t.from)
}

// order is the table of most loads: twelve columns of the usual types, about 230 bytes as COPY's text, and what could be
// compressed away is not there: half of a row is the digits of a hash.
var order = tableShape{
	columns: []string{
		"id bigint primary key", "customer_id integer not null", "sku varchar(40) not null", "status text not null", "quantity integer not null",
		"price numeric(12,2) not null", "weight double precision", "active boolean not null", "note text", "reference uuid",
		"created timestamptz not null", "updated timestamp",
	},
	values: []string{
		"i", "i % 50000", "'SKU-' || lpad((i % 1000)::text, 12, '0')", "(array['new','paid','sent','done'])[1 + i % 4]", "1 + i % 9",
		"(i % 100000) / 100.0", "case when i % 10 > 0 then i / 8.0 end", "i % 3 = 0",
		"md5(i::text) || md5((-i)::text) || left(md5((i+7)::text), 16)", "md5((i+1)::text)::uuid",
		"timestamptz '2026-01-01 00:00:00+00' + i * interval '1 ms'", "case when i % 2 = 0 then now()::timestamp end",
	},
}

// wide has so many columns, of five types in turn.
func wide(columns int) tableShape {
	t := tableShape{columns: []string{"id bigint primary key"}, values: []string{"i"}}
	kinds := []struct{ column, value string }{
		{"integer", "(i + %d)::integer"},
		{"text", "'value ' || (i * %d)"},
		{"numeric(12,2)", "(i + %d) / 100.0"},
		{"timestamptz", "timestamptz '2026-01-01 00:00:00+00' + i * interval '%d ms'"},
		{"boolean", "i %% (%d + 1) = 0"},
	}
	for n := 1; n < columns; n++ {
		k := kinds[n%len(kinds)]
		t.columns = append(t.columns, fmt.Sprintf("c%d %s", n, k.column))
		t.values = append(t.values, fmt.Sprintf(k.value, n))
	}
	return t
}

// fatBytes is the size of a text that lies outside of its row.
const fatBytes = 10_000

// fat has a text of ten kilobytes that PostgreSQL keeps outside of the row, uncompressed. The texts are cut from one
// that fatSource makes: a hash for each would take longer than all that is measured.
var fat = tableShape{
	columns: []string{"id bigint primary key", "quantity integer not null", "created timestamptz not null", "body text"},
	values: []string{
		"i", "1 + i % 9", "timestamptz '2026-01-01 00:00:00+00' + i * interval '1 ms'",
		fmt.Sprintf("convert_from(substr(t, 1 + (i * 7919 %% 900000)::integer, %d), 'UTF8')", fatBytes),
	},
	from: ", fat_source",
}

// fatSource makes the text that the others are cut from, and fatStorage keeps those of a table uncompressed.
var (
	fatSource = []string{
		// Bytes, because the part of a text is cut from its beginning on, where characters may have several.
		"create table fat_source (t bytea)", "alter table fat_source alter t set storage external",
		"insert into fat_source select convert_to(string_agg(md5(i::text), ''), 'UTF8') from generate_series(1, 32768) i",
	}
	fatStorage = "alter table rows alter body set storage external"
)
