package postgres

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/syncline-io/syncline/framework/failure"
	"github.com/syncline-io/syncline/framework/source"
)

// streamsBinary reports what the source's walsender was asked for, once it streams.
func (d *database) streamsBinary() bool {
	d.t.Helper()
	for late := time.Now().Add(20 * time.Second); time.Now().Before(late); time.Sleep(5 * time.Millisecond) {
		if query := d.scalar(`select coalesce((select query from pg_stat_activity join pg_replication_slots on active_pid = pid
			where slot_name = $1 and query like 'START_REPLICATION%'), '')`, d.slot()); query != "" {
			return strings.Contains(query, "binary 'true'")
		}
	}
	d.t.Fatal("the source does not stream")
	return false
}

func TestStreamIsBinaryWhereEveryColumnIs(t *testing.T) {
	for _, c := range []struct {
		name, table, binary string
		exclude             []string
		want                bool
	}{
		{"auto, and every type is known", "id int primary key, n numeric, a text[], i inet", binaryAuto, nil, true},
		{"auto, and one type is not", "id int primary key, p point", binaryAuto, nil, false},
		{"auto, and one type is not, but it is left out", "id int primary key, p point", binaryAuto, []string{"public.t.p"}, true},
		{"auto, and the server has no function for elements", "id int primary key, a isbn[]", binaryAuto, []string{"public.t.a"}, false},
		{"auto, and the server has no function, so it sends text", "id int primary key, a isbn", binaryAuto, nil, true},
		{"true", "id int primary key", binaryYes, nil, true},
		{"false", "id int primary key", binaryNo, nil, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := newDatabase(t)
			d.exec("create extension isn; create table t (" + c.table + ")")
			cfg := d.config()
			cfg.Binary, cfg.ExcludeColumns = c.binary, c.exclude
			r := d.start(cfg, source.Position{}, newRecorder())
			if got := d.streamsBinary(); got != c.want {
				t.Errorf("binary is %t, want %t", got, c.want)
			}
			if err := r.stop(); failure.Classify(err) != failure.Retry {
				t.Error(err)
			}
		})
	}
}

// TestBinaryStreamGoesOnAsText alters a table under a binary stream: what can be told as text only comes in the middle of a
// transaction, and everything comes once.
func TestBinaryStreamGoesOnAsText(t *testing.T) {
	for _, c := range []struct{ name, typ, value, want string }{
		{"a type that is not known", "point", "(1,2)", "(1,2)"},
		{"a type that the server cannot send", "isbn[]", "{0-393-04002-X}", "[0-393-04002-X]"},
		{"a value that has no exact text", "float8[]", "{{1,2},{3,4}}", "?{{1,2},{3,4}}"},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := newDatabase(t)
			d.exec("create extension isn; create table t (id numeric primary key deferrable, v text); alter table t replica identity full")
			r := d.start(d.config(), source.Position{}, newRecorder())
			if !d.streamsBinary() {
				t.Fatal("it does not begin in binary")
			}
			d.exec("insert into t values (0, 'zero')")
			r.waitCount(1)
			d.exec(`begin; insert into t values (1.0, 'one'), (2, 'two'); update t set id = 3 - id where id > 0; alter table t add p ` + c.typ + `;
				insert into t values (3, 'three', '` + c.value + `'); update t set v = 'drei' where id = 3; delete from t where id = 1.0; commit`)
			d.exec("insert into t values (4, 'four')")
			events := r.waitFor("(04/0/0,four,NULL)")
			if d.streamsBinary() {
				t.Error("it goes on in binary")
			}
			want := c.want
			diff(t, texts(events),
				"c t - (00/0/0,zero)",
				"c t - (0a/1/0,one)",
				"c t - (02/0/0,two)",
				"d t (0a/1/0,one) - other 14/1/0",
				"c t - (14/1/0,one) other 0a/1/0",
				"c t - (01/0/0,two) other 02/0/0",
				"c t - (03/0/0,three,"+want+")",
				"u t (03/0/0,three,"+want+") (03/0/0,drei,"+want+")",
				"d t (01/0/0,two,NULL) -",
				"c t - (04/0/0,four,NULL)",
			)
		})
	}
}

func TestBinaryStreamThatHasToBeStops(t *testing.T) {
	d := newDatabase(t)
	d.exec("create table t (id int primary key); create table other (id int primary key, p point)")
	cfg := d.config()
	cfg.Binary = binaryYes
	_, err := newSource(t.Context(), cfg, d.env())
	if failure.Classify(err) != failure.Config || !strings.Contains(err.Error(), "postgres.binary: no binary form is read of column p of public.other, of type point (") ||
		!strings.Contains(err.Error(), "binary: auto") {
		t.Errorf("got %v, want it refused at the start", err)
	}
	cfg.ExcludeTables = []string{"public.other"}
	r := d.start(cfg, source.Position{}, newRecorder())
	if !d.streamsBinary() {
		t.Error("the stream is not binary")
	}
	d.exec("insert into t values (1)")
	r.waitCount(1)
	d.exec("alter table t add p point")
	d.exec("insert into t values (2, '(1,2)')")
	err = r.join()
	if failure.Classify(err) != failure.Config || !strings.Contains(err.Error(), "postgres.binary: column p of public.t, of type point") {
		t.Errorf("got %v, want it stopped", err)
	}
	position := r.out.position()
	cfg.Binary = binaryAuto
	r = d.start(cfg, position, newRecorder())
	diff(t, texts(r.waitCount(1)), "c t - (2,(1,2))")
}

// TestATypeThatTheServerCannotSendIsReadAsText is about an extension that was not updated with its server: ltree has a send function
// since 1.2. A table with it is there at the first start, another one comes later.
func TestATypeThatTheServerCannotSendIsReadAsText(t *testing.T) {
	d := newDatabase(t)
	d.exec("create extension ltree version '1.1'; create table a (id int primary key, p ltree); insert into a values (1, 'x.y')")
	r := d.start(d.config(), source.Position{}, newRecorder())
	r.waitCount(1)
	if !d.streamsBinary() {
		t.Error("the stream is not binary")
	}
	d.exec("insert into a values (2, 'x.z')")
	diff(t, texts(r.waitCount(2)), "r a - (1,x.y)", "c a - (2,x.z)")
	_ = r.stop()

	d.exec("create table b (id int primary key, p ltree); insert into b values (1, 'b')")
	r = d.start(d.config(), r.out.position(), newRecorder())
	r.waitFor("(1,b)")
	d.exec("insert into b values (2, 'c')")
	diff(t, texts(r.waitCount(3)), "t b - -", "r b - (1,b)", "c b - (2,c)")
}

// TestOnlyTheStreamItselfGoesOnAsText keeps a run from going on behind a snapshot that failed, which would leave its tables out.
func TestOnlyTheStreamItselfGoesOnAsText(t *testing.T) {
	missing := &pgconn.PgError{Code: codeUndefinedFunction}
	for name, c := range map[string]struct {
		err  error
		want bool
	}{
		"the stream":   {&streamBroken{missing}, true},
		"a snapshot":   {fmt.Errorf("snapshot of public.b: %w", missing), false},
		"another code": {&streamBroken{&pgconn.PgError{Code: codeObjectInUse}}, false},
		"nothing":      {nil, false},
	} {
		if got := needsText(c.err); got != c.want {
			t.Errorf("%s: %t, want %t", name, got, c.want)
		}
	}
}
