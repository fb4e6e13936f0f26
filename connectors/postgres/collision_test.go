package postgres

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/syncline-io/syncline/framework/failure"
	"github.com/syncline-io/syncline/framework/source"
)

const deferrableTable = `create table a (id int primary key deferrable initially immediate, v text);
	alter table a replica identity full; insert into a values (1, 'one'), (2, 'two'), (3, 'three')`

// applied applies changes as a target that upserts and deletes by key does: the first column is the key.
func applied(rows map[string]string, events []event) map[string]string {
	rows = maps.Clone(rows)
	for _, e := range events {
		applyTo(rows, e, func(shown string) string { return shown })
	}
	return rows
}

func applyTo(rows map[string]string, e event, key func(shown string) string) {
	switch {
	case e.text[0] == 't':
		clear(rows)
	case e.after != nil:
		rows[key(e.after[0])] = strings.Join(e.after[1:], ",")
	default:
		before := e.text[strings.Index(e.text, "(")+1:]
		delete(rows, key(before[:strings.IndexAny(before, ",)")]))
	}
}

func (d *database) rows(query string) map[string]string {
	d.t.Helper()
	found, err := d.conn.Query(d.t.Context(), query)
	if err != nil {
		d.t.Fatal(err)
	}
	rows := map[string]string{}
	for found.Next() {
		var k, v string
		if err := found.Scan(&k, &v); err != nil {
			d.t.Fatal(err)
		}
		rows[k] = v
	}
	if err := found.Err(); err != nil {
		d.t.Fatal(err)
	}
	return rows
}

func TestKeysThatCollideWithinATransactionLoseNoRow(t *testing.T) {
	for _, c := range []struct {
		name, statements string
		want             []string
	}{
		{"swap", "update a set id = case id when 2 then 3 else 2 end where id in (2, 3)", []string{
			"d a (2,two) - other 3", "c a - (3,two) other 2", "c a - (2,three) other 3",
		}},
		{"shift up", "update a set id = id + 1", []string{
			"d a (1,one) - other 2", "c a - (2,one) other 1", "c a - (3,two) other 2", "c a - (4,three) other 3",
		}},
		{"shift down", "update a set id = id - 1", []string{
			"d a (1,one) - other 0", "c a - (0,one) other 1", "d a (2,two) - other 1", "c a - (1,two) other 2",
			"d a (3,three) - other 2", "c a - (2,three) other 3",
		}},
		{"rotation of three", "update a set id = case id when 1 then 2 when 2 then 3 else 1 end", []string{
			"d a (1,one) - other 2", "c a - (2,one) other 1", "c a - (3,two) other 2", "c a - (1,three) other 3",
		}},
		{"chain of one row", "begin; update a set id = 4 where id = 3; update a set id = 5 where id = 4; commit", []string{
			"d a (3,three) - other 4", "c a - (4,three) other 3", "d a (4,three) - other 5", "c a - (5,three) other 4",
		}},
		{"swap, then delete", "begin; update a set id = 5 - id where id > 1; delete from a where id = 3; commit", []string{
			"d a (2,two) - other 3", "c a - (3,two) other 2", "c a - (2,three) other 3", "d a (3,two) -",
		}},
		{"swap twice", "begin; update a set id = 5 - id where id > 1; update a set id = 5 - id where id > 1; commit", []string{
			"d a (2,two) - other 3", "c a - (3,two) other 2", "c a - (2,three) other 3",
			"d a (3,two) - other 2", "c a - (2,two) other 3", "c a - (3,three) other 2",
		}},
		{"a second row comes and goes", "begin; set constraints all deferred; update a set id = 3 where id = 2; " +
			"update a set id = 7 where v = 'two'; commit", []string{
			"d a (2,two) - other 3", "c a - (3,two) other 2", "u a (3,two) (3,three)", "c a - (7,two) other 3",
		}},
		{"a second row is inserted and the first one deleted", "begin; set constraints all deferred; insert into a values (2, 'new'); " +
			"update a set v = 'changed' where v = 'two'; update a set v = 'newer' where v = 'new'; delete from a where v = 'changed'; commit", []string{
			"c a - (2,new)", "u a (2,new) (2,newer)",
		}},
		{"equal rows", "begin; set constraints all deferred; insert into a values (2, 'two'); delete from a where ctid = '(0,2)'; commit", []string{
			"c a - (2,two)", "u a (2,two) (2,two)",
		}},
		{"truncate between", "begin; update a set id = 5 - id where id > 1; truncate a; insert into a values (3, 'x'); delete from a; " +
			"insert into a values (2, 'y'); commit", []string{
			"d a (2,two) - other 3", "c a - (3,two) other 2", "c a - (2,three) other 3", "t a - -",
			"c a - (3,x)", "d a (3,x) -", "c a - (2,y)",
		}},
		{"table altered between", "begin; update a set id = 5 - id where id > 1; alter table a add n int; delete from a where id = 3; " +
			"update a set n = 1 where id = 2; commit", []string{
			"d a (2,two) - other 3", "c a - (3,two) other 2", "c a - (2,three) other 3",
			"d a (3,two,NULL) -", "u a (2,three,NULL) (2,three,1)",
		}},
		{"more rows than are remembered for a key", "begin; set constraints all deferred; insert into a select 9, 'n' || i from generate_series(1, 9) i; " +
			"delete from a where v = 'n9'; delete from a where id = 9 and v <> 'n4'; commit", []string{
			"c a - (9,n1)", "c a - (9,n2)", "c a - (9,n3)", "c a - (9,n4)", "c a - (9,n5)", "c a - (9,n6)", "c a - (9,n7)", "c a - (9,n8)",
			"c a - (9,n9)", "u a (9,n9) (9,n4)", "u a (9,n1) (9,n4)", "u a (9,n2) (9,n4)", "u a (9,n3) (9,n4)", "u a (9,n5) (9,n4)",
			"u a (9,n6) (9,n4)", "u a (9,n7) (9,n4)", "u a (9,n8) (9,n4)",
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := newDatabase(t)
			d.exec(deferrableTable)
			r := d.start(d.config(), source.Position{}, newRecorder())
			r.waitCount(3)
			_ = r.stop()
			from := r.out.position()
			before := d.rows("select id::text, v from a")
			d.exec(c.statements)
			d.exec("insert into a values (99, 'end')")

			read := func(from source.Position) []event {
				out := newRecorder()
				out.silent = true // the slot is read again
				r := d.start(d.config(), from, out)
				events := r.wait("the end", func(events []event) bool {
					return len(events) > 0 && strings.HasPrefix(events[len(events)-1].text, "c a - (99,end")
				})
				_ = r.stop()
				return events
			}
			all := read(from)
			diff(t, texts(all[:len(all)-1]), c.want...)
			after := d.rows("select id::text, concat_ws(',', v, to_jsonb(a) ->> 'n') from a")
			got := applied(before, all)
			for id, v := range got {
				got[id] = strings.TrimSuffix(v, ",NULL") // of a column that was added
			}
			if !maps.Equal(got, after) {
				t.Errorf("the target has %v, the source %v", got, after)
			}
			for i := range all[:len(all)-1] { // wherever a crash comes
				rest := read(source.Position{State: all[i].state, Version: all[i].version})
				if !slices.Equal(texts(rest), texts(all[i+1:])) {
					t.Errorf("after %s came:\n%s\nwant:\n%s", all[i].text, strings.Join(texts(rest), "\n"), strings.Join(texts(all[i+1:]), "\n"))
				}
			}
		})
	}
}

// Random transactions whose keys are checked at their end, remembered in memory, and in a file that is used all the time.
func TestTargetEqualsSourceHoweverKeysCollide(t *testing.T) {
	for _, memory := range []int{keySetBytes, 3 * keyBytes, keyBytes} {
		t.Run(fmt.Sprintf("%d bytes of memory", memory), func(t *testing.T) {
			seed := rand.Uint64()
			t.Logf("seed %d", seed)
			random := rand.New(rand.NewPCG(seed, 1))
			d := newDatabase(t)
			d.exec(`create table a (id numeric primary key deferrable initially deferred, v int, big text); alter table a replica identity full;
				alter table a alter big set storage external; insert into a select i, i, repeat(i::text, 5000) from generate_series(1, 8) i; create table marks (n int primary key)`)
			src, err := newSource(t.Context(), d.config(), d.env())
			if err != nil {
				t.Fatal(err)
			}
			src.keySetBytes = memory
			r := d.run(src, source.Position{}, newRecorder())
			r.waitCount(8)
			got, seen := map[string]string{}, 0
			for n, committed := 0, 0; committed < 150; n++ {
				sql, ok := d.tryCollide(random, n)
				if !ok {
					continue
				}
				committed++
				// Compared after each one: the next ones would cover up what is missing.
				events := r.waitFor(fmt.Sprintf("c marks - (%d)", n))
				for _, e := range events[seen:] {
					if e.table.Name == "a" {
						applyTo(got, e, wholeNumber)
					}
				}
				if want := d.rows("select trim_scale(id)::text, v || ',' || case when length(big) > 64 then left(big, 4) || '...(' || length(big) || ')' else big end from a"); !maps.Equal(got, want) {
					t.Fatalf("after %s\nthe target has %v, the source %v; changes:\n%s", sql, got, want, strings.Join(texts(events[seen:]), "\n"))
				}
				seen = len(events)
			}
		})
	}
}

// wholeNumber gives the number that the recorder shows as its digits and their scale.
func wholeNumber(shown string) string {
	var unscaled, scale, form int
	if _, err := fmt.Sscanf(shown, "%x/%d/%d", &unscaled, &scale, &form); err != nil {
		panic(err)
	}
	for range scale {
		unscaled /= 10
	}
	return strconv.Itoa(unscaled)
}

// tryCollide runs a transaction of random statements on few keys and says whether it could be committed.
func (d *database) tryCollide(random *rand.Rand, n int) (statements string, committed bool) {
	d.t.Helper()
	sql := []string{"begin"}
	for range 1 + random.IntN(5) {
		key := func() string { // sometimes with another scale: equal all the same
			return fmt.Sprintf("%d%s", 1+random.IntN(8), strings.Repeat(".0", random.IntN(2)))
		}
		switch a, b := key(), key(); random.IntN(6) {
		case 0:
			sql = append(sql, fmt.Sprintf("update a set id = case when id = %s then %s else %s end where id in (%s, %s)", a, b, a, a, b))
		case 1:
			sql = append(sql, fmt.Sprintf("update a set id = %s where ctid = (select ctid from a order by random() limit 1)", a))
		case 2:
			sql = append(sql, fmt.Sprintf("insert into a values (%s, %d, repeat('%d', 5000))", a, n, n%10))
		case 3:
			sql = append(sql, "delete from a where ctid = (select ctid from a order by random() limit 1)")
		case 4:
			sql = append(sql, fmt.Sprintf("update a set v = %d where ctid = (select ctid from a order by random() limit 1)", n))
		case 5:
			sql = append(sql, "update a set id = case when id >= 8 then 1 else id + 1 end where id < 100")
		}
	}
	statements = strings.Join(sql, "; ") + fmt.Sprintf("; insert into marks values (%d); commit", n)
	if _, err := d.conn.Exec(d.t.Context(), statements); err == nil {
		return statements, true
	}
	d.exec("rollback")
	return statements, false
}

func TestLargeShiftLosesNoRow(t *testing.T) {
	for _, memory := range []int{keySetBytes, 10_000 * keyBytes} {
		const rows = 100_000
		t.Run(fmt.Sprintf("%d bytes of memory", memory), func(t *testing.T) {
			d := newDatabase(t)
			d.exec(fmt.Sprintf(`create table a (id int primary key deferrable initially immediate, v int);
				alter table a replica identity full; insert into a select i, i from generate_series(1, %d) i`, rows))
			cfg := d.config()
			cfg.Start = startStream
			src, err := newSource(t.Context(), cfg, d.env())
			if err != nil {
				t.Fatal(err)
			}
			src.keySetBytes = memory
			r := d.run(src, source.Position{}, newRecorder())
			r.waitSlot(d)
			d.exec("update a set id = id + 1")
			d.exec("insert into a values (0, 0)")
			before := map[string]string{}
			for i := range rows {
				before[fmt.Sprint(i+1)] = fmt.Sprint(i + 1)
			}
			for len(r.out.all()) < rows {
				time.Sleep(50 * time.Millisecond)
			}
			events := r.waitFor("c a - (0,0)")
			if got, want := applied(before, events), d.rows("select id::text, v::text from a"); !maps.Equal(got, want) {
				t.Errorf("the target has %d rows and differs from the source, which has %d", len(got), len(want))
			}
		})
	}
}

// The table was altered since, so that which row has the key now cannot be asked: it is read again.
func TestTableWhoseRowsCannotBeToldIsReadAgain(t *testing.T) {
	d := newDatabase(t)
	d.exec(deferrableTable)
	r := d.start(d.config(), source.Position{}, newRecorder())
	r.waitCount(3)
	_ = r.stop()
	d.exec("begin; set constraints all deferred; update a set id = 3 where id = 2; update a set id = 7 where v = 'two'; commit")
	d.exec("alter table a rename v to w")
	out := newRecorder()
	r = d.start(d.config(), r.out.position(), out)
	if err := r.join(); err == nil || !strings.Contains(err.Error(), "read again") {
		t.Fatalf("Run returned %v", err)
	}
	r = d.start(d.config(), out.position(), newRecorder())
	diff(t, texts(r.waitFor("(7,two)")), "t a - -", "r a - (1,one)", "r a - (3,three)", "r a - (7,two)")
}

// The changes of before come when the catalog calls the key immediate.
func TestKeyThatIsNotDeferrableAnyMoreLosesNoRow(t *testing.T) {
	for _, seen := range []string{"in the snapshot", "in a change"} {
		t.Run(seen, func(t *testing.T) {
			d := newDatabase(t)
			if seen == "in the snapshot" {
				d.exec(deferrableTable)
			} else {
				d.exec("create table a (id int primary key, v text); insert into a values (1, 'one'), (2, 'two'), (3, 'three')")
			}
			out := newRecorder()
			r := d.start(d.config(), source.Position{}, out)
			r.waitCount(3)
			if seen == "in a change" {
				d.exec("alter table a drop constraint a_pkey, add primary key (id) deferrable, replica identity full")
				d.exec("update a set v = 'one' where id = 1")
				r.waitCount(4)
			}
			_ = r.stop()
			d.exec("update a set id = 5 - id where id > 1")
			d.exec("alter table a drop constraint a_pkey, add primary key (id), replica identity default")
			d.exec("insert into a values (99, 'end')")
			r = d.start(d.config(), out.position(), newRecorder())
			diff(t, texts(r.waitFor("(99,end)")), "d a (2,two) - other 3", "c a - (3,two) other 2", "c a - (2,three) other 3", "c a - (99,end)")
		})
	}
}

// Old rows are whole wherever keys can collide: the server takes no deferrable key for an identity.
func TestNoDeferrableKeyIsAReplicaIdentity(t *testing.T) {
	d := newDatabase(t)
	d.exec("create table a (id int primary key deferrable, code text not null unique deferrable); insert into a values (1, 'x')")
	if _, err := d.conn.Exec(t.Context(), "alter table a replica identity using index a_code_key"); err == nil || !strings.Contains(err.Error(), "non-immediate") {
		t.Errorf("a deferrable index as identity: %v", err)
	}
	core, logs := observer.New(zap.WarnLevel)
	env := d.env()
	env.Log = zap.New(core)
	src, err := newSource(t.Context(), d.config(), env)
	if err != nil {
		t.Fatal(err)
	}
	r := d.run(src, source.Position{}, newRecorder())
	r.waitCount(1)
	if found := logs.FilterMessageSnippet("no replica identity").All(); len(found) != 1 || !strings.Contains(fmt.Sprint(found[0].ContextMap()), "REPLICA IDENTITY FULL") {
		t.Errorf("the warnings are %v", found)
	}
	if _, err := d.conn.Exec(t.Context(), "update a set id = 2"); err == nil || sqlState(err) != "55000" {
		t.Errorf("an update of a published table whose key is deferrable: %v", err)
	}
}

// The folder for temporary files cannot be written to: the run ends with nothing lost, and the next one reads the
// transaction again.
func TestTransactionIsReadAgainWhenItsKeysCannotBeRemembered(t *testing.T) {
	d := newDatabase(t)
	d.exec(`create table a (id int primary key deferrable initially immediate, v text); alter table a replica identity full;
		insert into a select i, i from generate_series(1, 50) i`)
	start := func(from source.Position) *running {
		src, err := newSource(t.Context(), d.config(), d.env())
		if err != nil {
			t.Fatal(err)
		}
		src.keySetBytes = 10 * keyBytes
		return d.run(src, from, newRecorder())
	}
	r := start(source.Position{})
	r.waitCount(50)
	_ = r.stop()
	before := d.rows("select id::text, v from a")
	d.exec("update a set id = 51 - id")
	d.exec("insert into a values (99, 'end')")
	missing := filepath.Join(t.TempDir(), "missing")
	t.Setenv("TMPDIR", missing)
	broken := start(r.out.position())
	if err := broken.join(); err == nil || !strings.Contains(err.Error(), missing) || failure.Classify(err) != failure.Retry {
		t.Fatalf("Run returned %v", err)
	}
	t.Setenv("TMPDIR", t.TempDir())
	again := start(broken.out.position())
	events := append(broken.out.all(), again.waitFor("(99,end)")...)
	if got, want := applied(before, events), d.rows("select id::text, v from a"); !maps.Equal(got, want) {
		t.Errorf("the target has %v, the source %v", got, want)
	}
}

func TestPartitionsWithKeysThatCollideAreAsked(t *testing.T) {
	d := newDatabase(t)
	d.exec(`create table p (id int primary key deferrable initially immediate, v text) partition by range (id);
		create table p1 partition of p for values from (0) to (100); alter table p replica identity full;
		create unique index p1i on p1 (id); alter table p1 replica identity using index p1i;
		insert into p values (2, 'two'), (3, 'three')`)
	cfg := d.config()
	cfg.PartitionRoot = true
	r := d.start(cfg, source.Position{}, newRecorder())
	r.waitCount(2)
	d.exec("begin; update p set id = 4 where id = 3; update p set id = 3 where id = 2; delete from p where id = 3; commit")
	d.exec("insert into p values (9, 'end')")
	events := r.waitFor("(9,end)")
	if got, want := applied(map[string]string{}, events), d.rows("select id::text, v from p"); !maps.Equal(got, want) {
		t.Errorf("the target has %v, the source %v", got, want)
	}
}

func TestTheMemoryOfKeysFollowsTheSources(t *testing.T) {
	for bytes, want := range map[int64]int{0: keySetBytes, 1 << 20: 1 << 20, 1 << 40: keySetBytes} {
		if got := keySetWithin(bytes); got != want {
			t.Errorf("%d bytes: %d, want %d", bytes, got, want)
		}
	}
}
