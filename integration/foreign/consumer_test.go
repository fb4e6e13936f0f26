package foreign

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"github.com/syncline-io/syncline/framework/publish"
	"github.com/syncline-io/syncline/integration/engines"
	"github.com/syncline-io/syncline/integration/programs"
)

func TestMain(m *testing.M) { os.Exit(programs.Main(m)) }

// script runs a Python program of this folder and returns the lines that it prints, each decoded.
func script[T any](t *testing.T, args ...string) (lines []T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	command := exec.CommandContext(ctx, engines.PythonForTest(t), args...)
	var problems bytes.Buffer
	command.Stderr = &problems
	out, err := command.Output()
	if err != nil {
		t.Fatalf("%s: %v\n%s", args[0], err, problems.Bytes())
	}
	scanner := bufio.NewScanner(bytes.NewReader(out))
	scanner.Buffer(nil, 1<<20)
	for scanner.Scan() {
		var line T
		if err := json.Unmarshal(scanner.Bytes(), &line); err != nil {
			t.Fatalf("%s printed %s: %v", args[0], scanner.Bytes(), err)
		}
		lines = append(lines, line)
	}
	return lines
}

// event is a line of consumer.py.
type event struct {
	Key, Before, After map[string]any
	Op                 string // "" for a tombstone
	BeforeIsKey        bool   `json:"before_is_key"`
	Unchanged          []string
	Raw                map[string]any
	Version            string
}

// itemSQL makes the table with one column of every kind of type. The first rows come by the snapshot.
const itemSQL = `
CREATE TYPE mood AS ENUM ('sad', 'happy');
CREATE TABLE item (
	id bigint PRIMARY KEY, flag boolean, small smallint, n integer NOT NULL DEFAULT 5, ratio real, exact double precision,
	price numeric(10,2) NOT NULL, amount numeric, name varchar(20), note text, raw bytea, day date, clock time,
	seen timestamp, seen_ms timestamp(3), moment timestamptz, span interval, ref uuid, doc jsonb, feeling mood,
	tags text[], counts integer[], net inet);
ALTER TABLE item ALTER note SET STORAGE EXTERNAL; -- kept outside the row, so that an update does not send it
INSERT INTO item VALUES
	(1, true, -7, 70000, 0.1, 1e300, 12.30, 123.4560, 'Ada', repeat(md5('1'), 300), '\x00ff', '2026-02-28', '23:59:59.999999',
	 '2026-02-28 01:02:03.000004', '1969-12-31 23:59:59.999', '2026-02-28 01:02:03.123456+02', '90 seconds',
	 '0b2c3d4e-0000-4000-8000-0123456789ab', '{"a": [1, null]}', 'happy', '{"x y",NULL,ü}', '{1,NULL,-3}', '10.0.0.1/8'),
	(2, NULL, NULL, 0, NULL, NULL, -0.01, -1e-20, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
CREATE TABLE wiped (a integer PRIMARY KEY, b text);
INSERT INTO wiped VALUES (1, 'gone'), (2, 'gone too')`

// streamSQL is what happens while the source runs, one transaction a line.
const streamSQL = `
INSERT INTO item (id, price, amount, span) VALUES (3, 99999999.99, 0, '1 month 2 days'), (4, 0, 1e30, NULL), (5, 1, 1, NULL)
UPDATE item SET price = price + 1, feeling = 'sad' WHERE id = 1
DELETE FROM item WHERE id = 4
UPDATE item SET id = 50, name = 'moved' WHERE id = 5
BEGIN; TRUNCATE wiped; INSERT INTO wiped VALUES (2, 'back'), (3, NULL); UPDATE wiped SET b = 'again' WHERE a = 2; COMMIT`

// itemRows gives the rows as consumer.py should have them, in SQL alone: nothing of ours says what is right.
const itemRows = `SELECT id, jsonb_build_object('id', id, 'flag', flag, 'small', small, 'n', n, 'ratio', ratio::float8, 'exact', exact,
	'price', price::text, 'amount', amount::text, 'name', name, 'note', note, 'raw', encode(raw, 'hex'),
	'day', day - '1970-01-01', 'clock', (extract(epoch FROM clock) * 1000000)::bigint,
	'seen', (extract(epoch FROM seen) * 1000000)::bigint, 'seen_ms', (extract(epoch FROM seen_ms) * 1000)::bigint,
	'moment', to_char(moment AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
	'span', CASE WHEN extract(day FROM span) > 0 THEN to_jsonb(span::text) ELSE to_jsonb((extract(epoch FROM span) * 1000000)::bigint) END,
	'ref', ref, 'doc', doc::text, 'feeling', feeling, 'tags', to_jsonb(tags), 'counts', to_jsonb(counts), 'net', net::text)
	FROM item`

const wipedRows = `SELECT a, to_jsonb(wiped) FROM wiped`

func TestAStockPythonConsumerReadsWhatTheTableHolds(t *testing.T) {
	engines.PythonForTest(t) // first: without it there is nothing to see
	kafka, registry, url, name := engines.KafkaForTest(t), engines.RegistryForTest(t), engines.Database(t), engines.Unique(t)
	db, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close(context.Background()) //nolint:errcheck // the test's own server
	run(t, db, itemSQL)
	source := programs.New(t, "postgres-source", fmt.Sprintf("connector: postgres-source\nname: %s\nkafka: {brokers: [%q]}\n"+
		"registry: {url: %q}\nadmin: {listen: %q}\npostgres: {url: %q, tables: [public.*]}\n", name, kafka, registry, "{admin}", url))
	source.Start()
	untilPublished(t, db, source)
	for line := range strings.SplitSeq(strings.TrimSpace(streamSQL), "\n") {
		run(t, db, line)
	}
	untilPublished(t, db, source)

	seen := map[string]bool{}
	for table, want := range map[string]string{"item": itemRows, "wiped": wipedRows} {
		events := script[event](t, "consumer.py", kafka, registry, name+".public."+table)
		if diff := cmp.Diff(places(events), tailed(t, source.Config, name+".public."+table)); diff != "" {
			t.Errorf("table %s, in Python (-) and in syncline tail (+):\n%s", table, diff)
		}
		for _, e := range events {
			seen["op "+e.Op] = true
			seen["unchanged"] = seen["unchanged"] || len(e.Unchanged) > 0
			seen["raw"] = seen["raw"] || len(e.Raw) > 0
			seen["before is key"] = seen["before is key"] || e.BeforeIsKey
		}
		if diff := cmp.Diff(rows(t, db, want), folded(t, events)); diff != "" {
			t.Errorf("table %s, in SQL (-) and in Python (+):\n%s", table, diff)
		}
	}
	for _, what := range []string{"op r", "op c", "op u", "op d", "op t", "op ", "unchanged", "raw", "before is key"} {
		if !seen[what] {
			t.Errorf("no event with %q came, and the rules for it were not tested", what)
		}
	}
}

// places gives operation and version of each event.
func places(events []event) (all []string) {
	for _, e := range events {
		all = append(all, e.Op+" "+e.Version)
	}
	return all
}

// tailed gives the same as `syncline tail` shows it.
func tailed(t *testing.T, config, topic string) []string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), programs.Path(t, "syncline"), "tail", "--config", config, "--from", "beginning", "--json", topic).Output()
	if err != nil {
		t.Fatalf("syncline tail: %v: %s", err, out)
	}
	var events []event
	for line := range strings.Lines(string(out)) {
		var e event
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatalf("syncline tail printed %s: %v", line, err)
		}
		events = append(events, e)
	}
	return places(events)
}

func run(t *testing.T, db *pgx.Conn, sql string) {
	t.Helper()
	if _, err := db.PgConn().Exec(t.Context(), sql).ReadAll(); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

// untilPublished waits until everything that is committed now is in the topics.
func untilPublished(t *testing.T, db *pgx.Conn, source *programs.Program) {
	t.Helper()
	var lsn int64
	if err := db.QueryRow(t.Context(), "SELECT (pg_current_wal_lsn() - '0/0')::bigint").Scan(&lsn); err != nil {
		t.Fatal(err)
	}
	programs.Eventually(t, time.Minute, "the source has published everything", func() error {
		var s publish.Status
		if err := source.Status(&s); err != nil {
			return err
		}
		if s.State != publish.Streaming || s.Position.High < uint64(lsn) {
			return fmt.Errorf("%s at %v, want %X: %s", s.State, s.Position, lsn, s.LastError)
		}
		return nil
	})
}

func rows(t *testing.T, db *pgx.Conn, sql string) map[string]map[string]any {
	t.Helper()
	run(t, db, "SET intervalstyle = 'iso_8601'")
	all := map[string]map[string]any{}
	found, err := db.Query(t.Context(), sql)
	if err != nil {
		t.Fatal(err)
	}
	var id int64
	var row map[string]any
	if _, err := pgx.ForEachRow(found, []any{&id, &row}, func() error {
		all[fmt.Sprint(id)], row = row, nil
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return all
}

// folded applies the events in their order, by the rules of docs/wire.md, and returns the rows that are left.
func folded(t *testing.T, events []event) map[string]map[string]any {
	t.Helper()
	table := map[string]map[string]any{}
	version, deleted := "", ""
	for _, e := range events {
		var key string
		for _, v := range e.Key { // the tables here have one key column
			key = fmt.Sprint(int64(v.(float64)))
		}
		// A tombstone has the version of the deletion before it.
		if e.Version < version || e.Version == version && (e.Op != "" || deleted != key) {
			t.Errorf("version %s of a %q came after %s", e.Version, e.Op, version)
		}
		version = e.Version
		switch e.Op {
		case "r", "c", "u":
			row := e.After
			for _, column := range e.Unchanged {
				if row[column] != "__debezium_unavailable_value" {
					t.Errorf("unchanged column %s holds %v", column, row[column])
				}
				row[column] = table[key][column]
			}
			for column, text := range e.Raw {
				row[column] = text
			}
			table[key] = row
		case "d":
			delete(table, key)
			deleted = key
		case "t":
			clear(table)
		}
	}
	return table
}
