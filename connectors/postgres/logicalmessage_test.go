package postgres

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/syncline-io/syncline/framework/failure"
	"github.com/syncline-io/syncline/framework/source"
	"github.com/syncline-io/syncline/schemas"
)

// messageText writes messages of every kind around changes of the table a. Two sessions overlap: what the second one does in its
// transaction has lower LSNs than what the first one does meanwhile.
func (d *database) messageText() {
	d.exec("select pg_logical_emit_message(true, 'p', 'alone')")
	d.exec(`begin; insert into a values (1); select pg_logical_emit_message(true, 'p', 'within');
		select pg_logical_emit_message(false, 'p', 'before its transaction'); insert into a values (2); update a set id = 3 where id = 2; commit`)
	// Records side by side: two messages, a commit, a heartbeat, a commit.
	d.exec("begin; insert into a values (5); select pg_logical_emit_message(false, 'p', 'first'); select pg_logical_emit_message(false, 'p', 'second'); commit")
	d.exec("begin; insert into a values (6); select pg_logical_emit_message(false, 'syncline.heartbeat', ''); commit")
	d.exec(`begin; select pg_logical_emit_message(true, 'p', 'lost'); select pg_logical_emit_message(false, 'p', 'survives'); rollback`)
	other := d.connect()
	for _, sql := range []string{"begin", "insert into a values (10)", "select pg_logical_emit_message(true, 'p', 'late')"} {
		if _, err := other.Exec(d.t.Context(), sql); err != nil {
			d.t.Fatal(err)
		}
	}
	d.exec("select pg_logical_emit_message(false, 'p', 'meanwhile')")
	d.exec("insert into a values (11)")
	d.exec("begin; savepoint s; select pg_logical_emit_message(true, 'p', 'taken back'); rollback to s; insert into a values (12); commit")
	if _, err := other.Exec(d.t.Context(), "commit"); err != nil {
		d.t.Fatal(err)
	}
	d.exec(`select pg_logical_emit_message(false, '', '')`)
	d.exec(`select pg_logical_emit_message(false, 'syncline.heartbeat', '')`)
	d.exec(`select pg_logical_emit_message(true, 'bin', '\x00ff10'::bytea)`)
	d.exec("insert into a values (99)")
}

var messageEvents = []string{
	"B", "m message - (p,alone)", "E",
	"m message - (p,before its transaction)",
	"B", "c a - (1)", "m message - (p,within)", "c a - (2)", "d a k(2) - other 3", "c a - (3) other 2", "E",
	"m message - (p,first)", "m message - (p,second)",
	"B", "c a - (5)", "E",
	"B", "c a - (6)", "E",
	"m message - (p,survives)",
	"m message - (p,meanwhile)",
	"B", "c a - (11)", "E",
	"B", "c a - (12)", "E",
	"B", "c a - (10)", "m message - (p,late)", "E",
	"m message - (,)",
	"B", "m message - (bin,\x00\xff\x10)", "E",
	"B", "c a - (99)",
}

// afterSlot starts the source, stops it when it has its slot, and returns where it stands.
func (d *database) afterSlot(cfg SourceConfig) source.Position {
	d.t.Helper()
	r := d.start(cfg, source.Position{}, newRecorder())
	r.waitSlot(d)
	if err := r.stop(); err != nil && r.out.err != nil {
		d.t.Fatal(err, r.out.err)
	}
	return r.out.position()
}

// startMarked is start for a source that is asked for begins and ends.
func (d *database) startMarked(from source.Position, out *recorder) *running {
	d.t.Helper()
	env := d.env()
	env.Transactions = true
	src, err := newSource(d.t.Context(), d.config(), env)
	if err != nil {
		d.t.Fatal(err)
	}
	return d.run(src, from, out)
}

// TestMessagesAndTransactionsGoOnWhereverTheSourceWasStopped stops the source behind every event, and compares what it sends
// before and afterwards with what it sends in one go: events and versions.
func TestMessagesAndTransactionsGoOnWhereverTheSourceWasStopped(t *testing.T) {
	d := newDatabase(t)
	d.exec("create table a (id int primary key)")
	from := d.afterSlot(d.config())
	d.messageText()

	// A slot does not go back, so each try begins with a copy of the one that is as it was.
	const aside = "select pg_copy_logical_replication_slot('%s', '%s')"
	d.exec(fmt.Sprintf(aside, d.slot(), d.slot()+"_aside"))
	again := func() {
		for d.scalar("select active::text from pg_replication_slots where slot_name = $1", d.slot()) == "true" {
			time.Sleep(10 * time.Millisecond)
		}
		d.exec(fmt.Sprintf("select pg_drop_replication_slot('%s')", d.slot()))
		d.exec(fmt.Sprintf(aside, d.slot()+"_aside", d.slot()))
	}

	last := messageEvents[len(messageEvents)-1]
	out := newRecorder()
	out.silent = true
	whole := d.startMarked(from, out).waitStop(last)
	got := texts(whole)
	for i := range got {
		got[i] = strings.TrimSuffix(got[i], " transaction - -")
	}
	diff(t, got, messageEvents...)
	for n := 1; n < len(whole); n++ {
		again()
		first := newRecorder()
		first.silent, first.limit = true, n
		if err := d.startMarked(from, first).join(); !errors.Is(err, errLimit) {
			t.Fatalf("stopped behind %d: %v", n, err)
		}
		second := newRecorder()
		second.silent = true
		rest := d.startMarked(first.position(), second).waitStop(last)
		begun := func(e event) bool { return e.text == rest[0].text && e.version == rest[0].version }
		if slices.ContainsFunc(first.all(), begun) {
			rest = rest[1:] // the begin of the transaction that is sent again
		}
		same := slices.EqualFunc(append(first.all(), rest...), whole, func(a, b event) bool { return a.text == b.text && a.version == b.version })
		if !same || first.err != nil || second.err != nil {
			t.Errorf("stopped behind %d (%v, %v): got\n%s\nand then\n%s", n, first.err, second.err,
				strings.Join(texts(first.all()), "\n"), strings.Join(texts(rest), "\n"))
		}
	}
}

// waitStop waits for a change, stops the source, and returns what came up to that change.
func (r *running) waitStop(suffix string) []event {
	r.t.Helper()
	events := r.waitFor(suffix)
	_ = r.stop()
	last := slices.IndexFunc(events, func(e event) bool { return strings.HasSuffix(e.text, suffix) })
	return events[:last+1]
}

// TestATransactionThatAnOlderProgramNumberedKeepsItsNumbers goes on with a position in the middle of a transaction that was
// written without asking for messages.
func TestATransactionThatAnOlderProgramNumberedKeepsItsNumbers(t *testing.T) {
	d := newDatabase(t)
	d.exec("create table a (id int primary key)")
	from := d.afterSlot(d.config())
	d.exec("begin; insert into a values (1); select pg_logical_emit_message(true, 'p', 'unnumbered'); insert into a values (2); commit")
	d.exec("begin; insert into a values (3); select pg_logical_emit_message(true, 'p', 'numbered'); insert into a values (4); commit")
	out := newRecorder()
	out.silent = true
	commit := d.start(d.config(), from, out).waitStop("c a - (4)")[0].version.High

	var st map[string]any
	if err := json.Unmarshal(from.State, &st); err != nil {
		t.Fatal(err)
	}
	st["settings"] = (&pgSource{cfg: d.config().withNames(d.name)}).settingsWithoutMessages()
	older, err := json.Marshal(st)
	if err != nil {
		t.Fatal(err)
	}
	out = newRecorder()
	out.silent = true
	events := d.start(d.config(), source.Position{State: older, Version: schemas.Version{High: commit, Low: 1}}, out).waitStop("c a - (4)")
	diff(t, texts(events), "c a - (2)", "c a - (3)", "m message - (p,numbered)", "c a - (4)")
	for i, low := range []uint64{2, 1, 2, 3} {
		if got := events[i].version.Low; got != low {
			t.Errorf("%s has number %d, want %d", events[i].text, got, low)
		}
	}
	if now := string(out.position().State); strings.Contains(now, st["settings"].(string)) {
		t.Errorf("behind the transaction the state still has its settings: %s", now)
	}
}

func TestPrefixesChooseMessages(t *testing.T) {
	d := newDatabase(t)
	d.exec("create table a (id int primary key)")
	cfg := d.config()
	cfg.MessagePrefixExcludeList = []string{"audit.*", "b"}
	r := d.start(cfg, d.afterSlot(cfg), newRecorder())
	d.exec("begin; insert into a values (1); select pg_logical_emit_message(true, 'AUDIT.x', ''); insert into a values (2); commit")
	d.exec("select pg_logical_emit_message(false, 'b', 'no'), pg_logical_emit_message(false, 'bb', 'yes')")
	events := r.waitFor("(bb,yes)")
	diff(t, texts(events), "c a - (1)", "c a - (2)", "m message - (bb,yes)")
	if low := events[1].version.Low; low != 3 {
		t.Errorf("the change behind a message that is left out has number %d, want 3", low)
	}

	for _, test := range []struct {
		include, exclude []string
		prefix           string
		chosen           bool
	}{
		{nil, nil, "", true},
		{[]string{"outbox"}, nil, "outbox", true},
		{[]string{"outbox"}, nil, "outboxes", false},
		{[]string{"a", "o.*"}, nil, "Out\nbox", true},
		{nil, []string{".*"}, "", false},
		{nil, []string{"x|y"}, "z", true},
		{nil, []string{"x|y"}, "yz", true},
	} {
		p, err := newPrefixes(test.include, test.exclude)
		if got := p.chosen(test.prefix); err != nil || got != test.chosen {
			t.Errorf("include %q, exclude %q: %q is %t, %v", test.include, test.exclude, test.prefix, got, err)
		}
	}
	for want, lists := range map[string][2][]string{
		"message_prefix_exclude_list: give it or": {{"a"}, {"b"}},
		`message_prefix_include_list: "(" is no`:  {{"("}, nil},
	} {
		c := cfg
		c.MessagePrefixIncludeList, c.MessagePrefixExcludeList = lists[0], lists[1]
		if err := c.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: %v", lists, err)
		}
		if _, err := newSource(t.Context(), c, d.env()); failure.Classify(err) != failure.Config {
			t.Errorf("%v: %v", lists, err)
		}
	}
}

func TestAMessageThatIsCutOffIsAnError(t *testing.T) {
	whole := append([]byte{1, 0, 0, 0, 0, 0, 0, 0, 9, 'p', 0, 0, 0, 0, 2}, "ab"...)
	if m, err := parseLogicalMessage(&wire{b: whole}); err != nil || !m.transactional || m.at != 9 || m.prefix != "p" || string(m.content) != "ab" {
		t.Fatalf("%+v, %v", m, err)
	}
	for n := range whole {
		if m, err := parseLogicalMessage(&wire{b: whole[:n]}); err == nil {
			t.Errorf("%d bytes are read as %+v", n, m)
		}
	}
}

// TestRowsOlderThanTheirTablesKeyHaveIt is about CREATE TABLE AS, which makes the rows before there can be a key.
func TestRowsOlderThanTheirTablesKeyHaveIt(t *testing.T) {
	d := newDatabase(t)
	d.exec("create table a (id int primary key); create publication everything for all tables")
	cfg := d.config()
	cfg.Publication = "everything"
	from := d.afterSlot(cfg)
	d.exec("create table b as select g as id, 'x' || g as v from generate_series(1, 2) g")
	d.exec("alter table b add primary key (id)")
	d.exec("update b set v = 'y' where id = 2")
	// As in a source that lags: the log of b is read when the table has its key.
	var st state
	if err := json.Unmarshal(from.State, &st); err != nil {
		t.Fatal(err)
	}
	var oid uint32
	if err := d.conn.QueryRow(t.Context(), "select 'b'::regclass::oid").Scan(&oid); err != nil {
		t.Fatal(err)
	}
	st.Tables = append(st.Tables, &tableState{OID: oid, Name: "public.b", Done: true})
	from.State = st.encode()
	events := d.start(cfg, from, newRecorder()).waitFor("(2,y)")
	diff(t, texts(events), "c b - (1,x1)", "c b - (2,x2)", "u b - (2,y)")
	for _, e := range events {
		if e.table != events[0].table || len(e.table.KeyColumns()) != 1 {
			t.Errorf("%s has the key %v of another version", e.text, e.table.KeyColumns())
		}
	}
}
