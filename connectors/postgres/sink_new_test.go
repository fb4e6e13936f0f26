package postgres

import (
	"errors"
	"fmt"
	"testing"

	"github.com/syncline-io/syncline/framework/sink"
)

// known is what the source says of rows, beginning with the key from.
func known(p sink.Presence, from, n, total int) []sink.Row {
	rows := make([]sink.Row, n)
	for i := range rows {
		rows[i] = row(sink.Upsert, from+i, total, "note", nil)
		rows[i].Known = p
	}
	return rows
}

func TestTheSourcesWordOfWhatIsThereMayBeWrong(t *testing.T) {
	const n = 10 * sinkBulkRows
	for _, c := range []struct {
		name string
		word sink.Presence
		from int // of the keys 0 to n-1 those from here on are there
	}{
		{"new rows of which one is there", sink.Absent, n - 1},
		{"new rows that are all there", sink.Absent, 0},
		{"new rows", sink.Absent, n},
		{"present rows of which one is missing", sink.Present, 1},
		{"present rows that are all missing", sink.Present, n},
		{"present rows", sink.Present, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			f, table := newSinkFixture(t), ordersTable()
			f.evolve(table)
			if c.from < n {
				f.write(table, known(sink.Unknown, c.from, n-c.from, 1)...)
			}
			f.write(table, known(c.word, 0, n, 2)...)
			f.want("select count(*), sum(total) from target.orders", fmt.Sprintf("%d|%d", n, 2*n))
		})
	}
}

func TestNewAndPresentRowsInOneBatch(t *testing.T) {
	f, table := newSinkFixture(t), ordersTable()
	f.evolve(table)
	fillOrders(f, table, 100)
	rows := append(known(sink.Present, 0, 90, 2), known(sink.Absent, 100, 50, 3)...)
	rows = append(rows, known(sink.Present, 200, 5, 4)...) // not there
	rows = append(rows, row(sink.Delete, 95, nil, nil, nil), row(sink.Upsert, 96, 7, unchanged, unchanged))
	f.write(table, rows...)
	f.want("select total, count(*) from target.orders group by 1 order by 1", "1|8\n2|90\n3|50\n4|5\n7|1")
}

// TestNewRowsAreNotCopiedAgainAndAgainInVain looks at how often the direct way is tried where rows are there already.
func TestNewRowsAreNotCopiedAgainAndAgainInVain(t *testing.T) {
	f, table := newSinkFixture(t), ordersTable()
	f.evolve(table)
	f.write(table, known(sink.Absent, 0, sinkBulkRows, 1)...)
	plan := f.sink.plans[table.Schema+"\x00"+table.Name]
	if plan == nil || plan.new.failures != 0 {
		t.Fatalf("plan %+v, want one that has copied", plan)
	}
	for range 20 {
		f.write(table, known(sink.Absent, 0, sinkBulkRows, 2)...)
	}
	if got := plan.new.failures; got != 4 { // in batches 1, 4, 9 and 18: the pauses are of 2, 4, 8 and 16
		t.Errorf("%d failures of 20 batches, want 4", got)
	}
	f.want("select count(*), sum(total) from target.orders", fmt.Sprintf("%d|%d", sinkBulkRows, 2*sinkBulkRows))
}

// TestAnIndexThatIsDroppedUnderTheSinkIsMissed is about a primary key that somebody drops to build it anew.
func TestAnIndexThatIsDroppedUnderTheSinkIsMissed(t *testing.T) {
	for _, word := range []sink.Presence{sink.Absent, sink.Present} {
		f, table := newSinkFixture(t), ordersTable()
		f.evolve(table)
		f.write(table, known(sink.Absent, 0, sinkBulkRows, 1)...)
		f.exec("alter table target.orders drop constraint orders_pkey")
		f.exec("insert into target.orders select * from target.orders where id = 0")
		f.exec("delete from target.orders where id = 1")
		before := f.text("select count(*), sum(total) from target.orders")
		if err := f.tryWrite(table, known(word, 0, sinkBulkRows, 2)...); err == nil {
			t.Errorf("rows that should be there: %d: no error", word)
		}
		if err := f.tryWrite(table, known(word, 0, sinkBulkRows, 2)...); err == nil {
			t.Errorf("rows that should be there: %d: no error at the second try", word)
		}
		f.want("select count(*), sum(total) from target.orders", before)
	}
}

// TestAColumnWhoseTypeSomebodyChangedGetsItsValues is about a type whose bytes the old one's pass for: binary COPY does not
// say which type it sends.
func TestAColumnWhoseTypeSomebodyChangedGetsItsValues(t *testing.T) {
	keyless := ordersTable()
	keyless.Name, keyless.Key = "entries", nil
	for _, table := range []*sink.Table{ordersTable(), keyless} {
		f := newSinkFixture(t)
		f.evolve(table)
		rows := func(from int) []sink.Row {
			rows := known(sink.Absent, from, sinkBulkRows, 7)
			for i := range rows {
				if len(table.Key) == 0 {
					rows[i].Action = sink.Append
				}
			}
			return rows
		}
		f.write(table, rows(0)...)
		f.exec("alter table target." + table.Name + " alter column total type real")
		if err := f.tryWrite(table, rows(1000)...); !errors.Is(err, errTableChanged) {
			t.Errorf("%s: got %v, want that the table was changed", table.Name, err)
		}
		f.write(table, rows(1000)...)
		f.want("select count(*), sum(total) from target."+table.Name, fmt.Sprintf("%d|%d", 2*sinkBulkRows, 14*sinkBulkRows))
	}
}

// TestNewRowsNeedTheUniqueIndexThatRefusesRepeats keeps the direct way from a table where nothing would stop a repeat.
func TestNewRowsNeedTheUniqueIndexThatRefusesRepeats(t *testing.T) {
	f, table := newSinkFixture(t), ordersTable()
	f.evolve(table)
	f.exec("alter table target.orders drop constraint orders_pkey")
	if err := f.tryWrite(table, known(sink.Absent, 0, sinkBulkRows, 1)...); err == nil {
		t.Error("no error, want the merge's: there is no unique index")
	}
	f.want("select count(*) from target.orders", "0")
}
