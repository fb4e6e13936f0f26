package types

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/syncline-io/syncline/framework/embedded"
	"github.com/syncline-io/syncline/integration/engines"
	"github.com/syncline-io/syncline/integration/programs"
)

// run is one run of testdata/types.sql, seen through the line.
type run struct {
	prefix string // of the topics of streamed
	// streamed are the topics of a source that read everything as changes, omitting those of one that leaves out what
	// Debezium does not know, binary those of one whose changes come in binary, of the tables that can, and late those of
	// one that came afterwards and took a snapshot.
	streamed, omitting, binary, late *topics
	// refused is what a source says that is asked for a binary stream of everything, in each part.
	refused [2]string
	// reports are what verify says of the two targets of streamed, by table.
	reports map[string]map[string]verified
	// modes are the topics of sources with handling modes, by the set of modes.
	modes map[string]*topics
	// wrong are what verify says of the two targets of streamed after wrongValues were written to the source.
	wrong map[string]map[string]verified
}

// verified is what verify says of a table.
type verified struct {
	Equal       bool
	Differences json.RawMessage
}

// chosen are the tables that the sources read.
const chosen = `types.*, 'We"ird . Sch-ema.*', public.part_end`

// bigValue is the size of a value that Kafka's default settings refuse.
const bigValue = 3 << 20

// altered are the tables that change in ways that no registry calls compatible, and no target follows by itself.
var altered = []string{"t_ddl", "t_swap", "t_again", "t_chpk"}

// part cuts the statements in two.
const part = "-- @@PART\n"

// theRun makes the run when the first test asks for it. Its programs are stopped by then, and its database is left to the
// server's end, so that it outlives the test that was the first.
var theRun struct {
	once sync.Once
	run  *run
}

func sharedRun(t *testing.T) *run {
	t.Helper()
	engines.PostgresForTest(t)
	theRun.once.Do(func() { makeRun(t) })
	if theRun.run == nil {
		t.Fatal("the run of testdata/types.sql has failed, in another test")
	}
	return theRun.run
}

func makeRun(t *testing.T) {
	name := engines.Unique(t)
	// Broker and registry are of this process: what is asked here is what they are given, and no question of faults.
	server, err := embedded.Start(t.Context(), embedded.Config{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close() //nolint:errcheck // nothing of it is needed afterwards
	m := &maker{t: t, name: name, kafka: server.Brokers()[0], registry: server.RegistryURL(), source: engines.Database(t)}
	if m.conn, err = pgx.Connect(t.Context(), m.source); err != nil {
		t.Fatal(err)
	}
	defer m.conn.Close(context.Background()) //nolint:errcheck // nothing is lost with it
	r := &run{prefix: name, reports: map[string]map[string]verified{}, modes: map[string]*topics{}, wrong: map[string]map[string]verified{}}
	from := m.stream(r)

	late := m.start("late", "partition_root: false", "")
	m.untilSnapshot(late, name+"_late")
	r.streamed, r.omitting = readTopics(t, m.kafka, m.registry, name), readTopics(t, m.kafka, m.registry, name+"_omitting")
	r.binary, r.late = readTopics(t, m.kafka, m.registry, name+"_binary"), readTopics(t, m.kafka, m.registry, name+"_late")
	late.Stop()
	var topics []string
	for topic := range r.streamed.records {
		if !slices.Contains(altered, strings.TrimPrefix(topic, name+".types.")) {
			topics = append(topics, fmt.Sprintf("%q", topic))
		}
	}
	targets := map[string]string{} // their configurations
	r.reports["postgres"], targets["postgres"] = m.load(from, topics, "postgres-sink", fmt.Sprintf("postgres: {url: %q}", withExtensions(t)))
	r.reports["duckdb"], targets["duckdb"] = m.load(from, notInDuckDB(topics), "duckdb-sink",
		fmt.Sprintf("duckdb: {path: %q, text_columns: [%s]}", filepath.Join(t.TempDir(), "types.duckdb"), asText))
	for set, options := range handlingModes {
		m.modes(r, set, options)
	}
	m.writeWrongValues()
	for engine, to := range targets {
		r.wrong[engine] = m.verify(from.Config, to)
	}
	theRun.run = r
}

// handlingModes are sets of handling modes that have all of them in turn.
var handlingModes = map[string]string{
	"strings": "decimal_handling_mode: string, time_precision_mode: isostring, interval_handling_mode: string, binary_handling_mode: base64, hstore_handling_mode: map",
	"numbers": `decimal_handling_mode: double, time_precision_mode: nanoseconds, binary_handling_mode: hex, include_unknown_datatypes: "true"`,
	"connect": "time_precision_mode: connect, binary_handling_mode: base64-url-safe",
	"micros":  "time_precision_mode: microseconds",
	"times":   "time_precision_mode: adaptive_time_microseconds",
}

// modes has a source write the tables of types in a set of handling modes, and a sink load them.
func (m *maker) modes(r *run, set, options string) {
	name := m.name + "_" + set
	from := m.start(set, options, "")
	m.untilSnapshot(from, name)
	from.Stop()
	r.modes[set] = readTopics(m.t, m.kafka, m.registry, name)
	var topics []string
	for _, c := range typeCases {
		if len(c.values) > 0 && c.postgres == "" && !strings.Contains(c.table, `"`) {
			topics = append(topics, fmt.Sprintf("%q", name+".types."+c.table))
		}
	}
	slices.Sort(topics)
	r.reports[set], _ = m.load(from, slices.Compact(topics), "postgres-sink", fmt.Sprintf("postgres: {url: %q}", engines.Database(m.t)))
}

// maker makes the run.
type maker struct {
	t                             *testing.T
	name, kafka, registry, source string
	conn                          *pgx.Conn
	marks                         int // in public.part_end
}

func (m *maker) exec(sql string) {
	m.t.Helper()
	if _, err := m.conn.Exec(m.t.Context(), sql); err != nil {
		m.t.Fatalf("%s: %v", sql, err)
	}
}

// common is what every configuration has.
func (m *maker) common(kind, name string) string {
	return fmt.Sprintf("connector: %s\nname: %s\nkafka: {brokers: [%q]}\nregistry: {url: %q}\nadmin: {listen: \"{admin}\"}\ninternal_prefix: %s_internal\n",
		kind, name, m.kafka, m.registry, m.name)
}

// likeDebezium has a source leave out, and write besides, what Debezium did when it was captured.
const likeDebezium = "provide_transaction_metadata: true\nskipped_operations: [t]\n"

// start starts a source whose topics begin with the run's name and the suffix.
func (m *maker) start(suffix, options, prefix string) *programs.Program {
	name := m.name + "_" + suffix
	if prefix == "" {
		prefix = name
	}
	common := m.common("postgres-source", name)
	if strings.HasPrefix(suffix, "omitting") {
		common += likeDebezium
	}
	p := programs.New(m.t, "postgres-source", common+
		fmt.Sprintf("delivery: at_least_once\ntopics: {config: {max.message.bytes: 8388608}}\ntopic_prefix: %s\npostgres: {url: %q, %s, tables: [%s]}\n", prefix, m.source, options, chosen))
	p.Start()
	return p
}

// refusal starts a source that is to end with exit code 2, and returns what it says.
func (m *maker) refusal(suffix, options string) string {
	m.t.Helper()
	p := m.start(suffix, options, "")
	if code := p.Wait(20 * time.Second); code != 2 {
		m.t.Errorf("a source with %s ends with code %d", options, code)
	}
	return p.Output()
}

// until waits until the end marks of the parts are in Kafka.
func (m *maker) until(p *programs.Program, prefix string, marks int) {
	m.t.Helper()
	programs.Eventually(m.t, 2*time.Minute, fmt.Sprintf("%d marks are in Kafka", marks), func() error {
		if !p.Running() {
			m.t.Fatalf("the source has ended with code %d", p.Wait(time.Second))
		}
		if n := countRecords(m.t, m.kafka, prefix+".public.part_end"); n < marks {
			return fmt.Errorf("%d are", n)
		}
		return nil
	})
}

// untilSnapshot waits until a snapshot is in Kafka: a further mark, which follows it, is.
func (m *maker) untilSnapshot(p *programs.Program, prefix string) {
	m.t.Helper()
	m.until(p, prefix, m.marks)
	m.exec(fmt.Sprintf("insert into public.part_end values (%d)", m.marks))
	m.marks++
	m.until(p, prefix, m.marks)
}

// stream has the statements run and three sources read them as changes; it returns one of them.
func (m *maker) stream(r *run) (from *programs.Program) {
	t := m.t
	text, err := os.ReadFile(filepath.Join("testdata", "types.sql"))
	if err != nil {
		t.Fatal(err)
	}
	first, second, ok := strings.Cut(string(text), part)
	if !ok {
		t.Fatalf("testdata/types.sql has no line %q", part)
	}
	m.exec("create table public.part_end (id int primary key); create publication types_pub for all tables")
	for _, table := range altered {
		for _, side := range []string{"key", "value"} {
			allowAnySchema(t, m.registry, m.name+".types."+table+"-"+side)
			allowAnySchema(t, m.registry, m.name+"_omitting.types."+table+"-"+side)
			allowAnySchema(t, m.registry, m.name+"_binary.types."+table+"-"+side)
		}
	}
	for i, statements := range []string{first, second} {
		// A slot and a source for each part: tables that a source finds when it has begun already are read whole.
		for _, kind := range []string{"streaming", "omitting", "binary"} {
			m.exec(fmt.Sprintf("select pg_create_logical_replication_slot('%s_%s_%d', 'pgoutput')", m.name, kind, i))
		}
		psql(t, m.source, preamble(string(text), i)+statements)
		if i == 1 {
			m.exec(fmt.Sprintf("insert into types.t_big values (-1, repeat('x', %d))", bigValue))
		}
		m.exec(fmt.Sprintf("insert into public.part_end values (%d)", i))
		m.marks++
		options := func(kind string) string {
			return fmt.Sprintf("start: stream, publication: types_pub, slot: %s_%s_%d", m.name, kind, i)
		}
		from = m.start(fmt.Sprintf("streaming_%d", i), options("streaming")+", binary: false", m.name)
		omitting := m.start(fmt.Sprintf("omitting_%d", i), options("omitting")+`, include_unknown_datatypes: "false"`, m.name+"_omitting")
		binary := m.start(fmt.Sprintf("binary_%d", i), options("binary")+", binary: true, exclude_tables: ["+strings.Join(textOnlyTables(), ", ")+"]", m.name+"_binary")
		r.refused[i] = m.refusal(fmt.Sprintf("refused_%d", i), options("refused")+", binary: true")
		m.until(from, m.name, i+1)
		m.until(omitting, m.name+"_omitting", i+1)
		m.until(binary, m.name+"_binary", i+1)
		for _, p := range []*programs.Program{from, omitting, binary} {
			if code := p.Stop(); code != 0 {
				t.Errorf("a source ends with code %d", code)
			}
		}
	}
	return from
}

// load has a sink load the topics, and returns what verify says of its tables, and its configuration.
func (m *maker) load(from *programs.Program, topics []string, kind, section string) (tables map[string]verified, config string) {
	t := m.t
	to := programs.New(t, kind, m.common(kind, m.name+"-"+kind+shortName(topics))+fmt.Sprintf("topics: [%s]\n%s\n", strings.Join(topics, ", "), section))
	to.Start()
	programs.Eventually(t, 40*time.Second, kind+" has read everything", func() error {
		if !to.Running() {
			t.Fatalf("%s has ended with code %d", kind, to.Wait(time.Second))
		}
		_, body, err := to.Get("/status")
		if err != nil {
			return err
		}
		m := lagWords.FindAllSubmatch(body, -1)
		if len(m) < len(topics)+1 {
			return fmt.Errorf("status tells %d lags", len(m))
		}
		for _, lag := range m {
			if string(lag[1]) != "0" {
				return fmt.Errorf("a lag of %s: %s", lag[1], waiting.FindAll(body, -1))
			}
		}
		return nil
	})
	to.Stop()
	return m.verify(from.Config, to.Config), to.Config
}

// verify compares a source with a target, by their configurations, and returns what it says of each table.
func (m *maker) verify(from, to string) map[string]verified {
	t := m.t
	command := exec.CommandContext(t.Context(), programs.Path(t, "syncline"), "verify", "--json", from, to)
	out, err := command.Output()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	var report struct {
		Tables []struct {
			Source struct{ Schema, Table string }
			verified
		}
	}
	if err := json.Unmarshal(out, &report); err != nil {
		t.Fatalf("verify prints %s: %v", out, err)
	}
	tables := map[string]verified{}
	for _, table := range report.Tables {
		tables[table.Source.Table] = table.verified
	}
	return tables
}

var (
	waiting  = regexp.MustCompile(`[^{]*"waits": ?"[^}]*`)
	lagWords = regexp.MustCompile(`"lag": ?(\d+)`)
)

// shortName tells the sinks of different topics apart.
func shortName(topics []string) string {
	sum := sha256.Sum256([]byte(strings.Join(topics, " ")))
	return hex.EncodeToString(sum[:4])
}

// notInDuckDB leaves out the topics of tables that DuckDB cannot have, which its sink refuses: a table without columns, one
// whose columns' names differ in case alone, and one of two tables whose names do.
func notInDuckDB(topics []string) []string {
	return slices.DeleteFunc(slices.Clone(topics), func(t string) bool {
		return strings.HasSuffix(t, `.t_nocol"`) || strings.HasSuffix(t, `.CaseCol"`) || strings.HasSuffix(t, `.CaseTable"`)
	})
}

// preamble is what the second part needs of the first one's session.
func preamble(text string, part int) string {
	if part == 0 {
		return "\\set big_rows 200\n\\set big_value 0\n"
	}
	var lines []string
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "CREATE") || strings.HasPrefix(line, "DROP") {
			break
		}
		if strings.HasPrefix(line, "SET") || strings.HasPrefix(line, "SELECT current_setting") || strings.HasPrefix(line, "\\set") {
			lines = append(lines, line)
		}
	}
	return "\\set big_rows 200\n\\set big_value 0\n" + strings.Join(lines, "") + "SET search_path = types, public;\n"
}

func psql(t *testing.T, url, text string) {
	t.Helper()
	command := exec.CommandContext(t.Context(), "psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", url, "-f", "-")
	command.Stdin = strings.NewReader(text)
	if out, err := command.CombinedOutput(); err != nil {
		t.Fatalf("psql: %v\n%s", err, out)
	}
}
