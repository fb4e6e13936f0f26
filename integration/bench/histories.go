package main

import (
	"fmt"
	"slices"
	"strings"
)

// inTransactions is a block that runs statements for each transaction of so many rows: "at" is the first of them, "upto"
// the last.
func inTransactions(rows, each int, statements ...string) string {
	return fmt.Sprintf("do $$ declare upto bigint; begin for at in 1..%d by %d loop upto := least(at + %d, %d); %s; commit; end loop; end $$",
		rows, each, each-1, rows, strings.Join(statements, "; "))
}

// inserted has rows of a shape inserted, so many in a transaction.
func inserted(shape tableShape, each int) func(rows int) history {
	return func(rows int) history {
		return history{
			tables: []string{"rows"}, count: rows,
			before: []string{shape.create("rows")},
			after:  []string{inTransactions(rows, each, shape.insert("rows", "at", "upto"))},
		}
	}
}

// updated has rows that were there updated, each once. identity is the table's replica identity.
func updated(identity string) func(rows int) history {
	return func(rows int) history {
		return history{
			tables: []string{"rows"}, count: rows,
			before: []string{
				order.create("rows"), "alter table rows replica identity " + identity,
				inTransactions(rows, 100*rowsPerTransaction, order.insert("rows", "at", "upto")), "vacuum analyze rows",
			},
			after: []string{inTransactions(rows, rowsPerTransaction,
				"update rows set quantity = quantity + 1, status = 'back', updated = now() where id between at and upto")},
		}
	}
}

// toasted has rows with ten kilobytes outside of the row inserted, and then updated without those.
func toasted(rows int) history {
	return history{
		tables: []string{"rows"}, count: 2 * rows,
		before: slices.Concat(fatSource, []string{fat.create("rows"), fatStorage}),
		after: []string{
			inTransactions(rows, 100, fat.insert("rows", "at", "upto")),
			inTransactions(rows, 100, "update rows set quantity = quantity + 1 where id between at and upto"),
		},
	}
}

// gigabyte has rows of ten kilobytes inserted in one transaction: 100,000 of them are a gigabyte.
func gigabyte(rows int) history {
	return history{
		tables: []string{"rows"}, count: rows,
		before: slices.Concat(fatSource, []string{fat.create("rows"), fatStorage}),
		after:  []string{fat.insert("rows", "1", fmt.Sprint(rows))},
	}
}

// What every table gets in a transaction of mixed changes.
const (
	mixedInserts, mixedUpdates, mixedDeletes = 12, 6, 2
	mixedChanges                             = mixedInserts + mixedUpdates + mixedDeletes
)

// mixed has transactions in each of which every one of so many tables gets some inserts, updates and deletes.
func mixed(tables int) func(rows int) history {
	return func(rows int) history {
		var h history
		var statements []string
		for n := range tables {
			name := fmt.Sprintf("rows_%d", n+1)
			h.tables = append(h.tables, name)
			h.before = append(h.before, order.create(name))
			statements = append(statements, order.insert(name, "at", "upto"),
				fmt.Sprintf("update %s set quantity = quantity + 1 where id between at and at + %d", name, mixedUpdates-1),
				fmt.Sprintf("delete from %s where id between at + %d and at + %d", name, mixedUpdates, mixedUpdates+mixedDeletes-1))
		}
		transactions := max(rows/(tables*mixedChanges), 1)
		h.after = []string{inTransactions(transactions*mixedInserts, mixedInserts, statements...)}
		h.count = transactions * tables * mixedChanges
		h.records = h.count + transactions*tables*mixedDeletes
		return h
	}
}
