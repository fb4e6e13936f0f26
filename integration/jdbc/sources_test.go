package jdbc

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/syncline-io/syncline/integration/engines"
	"github.com/syncline-io/syncline/integration/programs"
)

// typesSQL are the statements of integration/types, but for lines that leave matches.
func typesSQL(t *testing.T, leave *regexp.Regexp) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "types", "testdata", "types.sql"))
	if err != nil {
		t.Fatal(err)
	}
	var sql strings.Builder
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, "--") || !leave.MatchString(line) {
			sql.WriteString(line)
		}
	}
	return "\\set big_rows 200\n\\set big_value 0\n" + sql.String()
}

// What is left out of the statements. altered are those that change a table in ways that no registry calls compatible, or
// that the sink's schema.evolution has nothing for, and those that alter a type under the values of other columns. The
// tables that stop Debezium's connector, whatever it was told to leave out, stay out for it alone.
var (
	altered       = regexp.MustCompile(`t_ddl|t_swap|t_again|t_ren\b|\bo2\b|t_chpk|ALTER TYPE`)
	stopsDebezium = regexp.MustCompile(altered.String() + `|"CaseCol"|"select"`)
)

// debeziumSQL are the statements that Debezium's connector goes through with.
func debeziumSQL(t *testing.T) string {
	t.Helper()
	sql := typesSQL(t, stopsDebezium)
	// It makes NULL of every bit[], and stops where that may not be.
	const refused, taken = "n bit(3)[] NOT NULL", "n bit(3)[]"
	if strings.Count(sql, refused) != 1 {
		t.Fatalf("types.sql has %q %d times, and should have it once", refused, strings.Count(sql, refused))
	}
	return strings.Replace(sql, refused, taken, 1)
}

// typesTables and shopTables are what the sources read of the two databases.
const (
	typesTables = `types.*, 'We"ird . Sch-ema.*', public.part_end`
	shopTables  = "public.customers, public.products, public.orders, public.order_items, public.shop_end"
)

// makeTypes makes a database with the statements, and a slot from before them.
func makeTypes(t *testing.T, sql string) (url, slot string) {
	t.Helper()
	url, slot = engines.Database(t), engines.Unique(t)
	execute(t, url, "CREATE TABLE part_end (id int PRIMARY KEY)", "CREATE PUBLICATION types_pub FOR ALL TABLES",
		"SELECT pg_create_logical_replication_slot('"+slot+"', 'pgoutput')")
	psql(t, url, sql)
	execute(t, url, "INSERT INTO part_end VALUES (0)")
	return url, slot
}

// makeShop makes a database with the shop. Both sources read the one, each through a slot of its own.
func makeShop(t *testing.T) (url string) {
	t.Helper()
	url = engines.Database(t)
	psql(t, url, shopSQL(t))
	execute(t, url, "CREATE TABLE shop_end (id int PRIMARY KEY)", "INSERT INTO shop_end VALUES (0)")
	return url
}

// startOurs starts our sources. They write exactly once, in transactions.
func (r *run) startOurs(t *testing.T, s *side) {
	common := fmt.Sprintf("kafka: {brokers: [%q]}\nregistry: {url: %q}\nadmin: {listen: \"{admin}\"}\ninternal_prefix: %s_internal\ntopic_prefix: %s\n",
		r.kafka, r.registry, s.prefix, s.prefix)
	for name, section := range map[string]string{
		"types": fmt.Sprintf("postgres: {url: %q, start: stream, publication: types_pub, slot: %s, tables: [%s]}\n", s.types, s.slot, typesTables),
		"shop":  fmt.Sprintf("postgres: {url: %q, tables: [%s]}\n", r.shop, shopTables),
	} {
		programs.New(t, "postgres-source", fmt.Sprintf("connector: postgres-source\nname: %s_%s\n", s.prefix, name)+common+section).Start()
	}
}

// startDebezium starts Debezium's sources. What is not its default makes it take the statements at all, and send truncates.
func (r *run) startDebezium(t *testing.T, s *side) {
	for name, of := range map[string]struct{ url, slot, publication, snapshot, tables, autocreate string }{
		"types": {s.types, s.slot, "types_pub", "no_data", `types\..*,We"ird \. Sch-ema\..*,public\.part_end`, "disabled"},
		"shop":  {r.shop, s.prefix + "_shop", s.prefix, "initial", strings.NewReplacer(" ", "", ".", `\.`).Replace(shopTables), "filtered"},
	} {
		u, err := url.Parse(of.url)
		if err != nil {
			t.Fatal(err)
		}
		password, _ := u.User.Password()
		r.put(t, s.prefix+"_"+name, map[string]string{
			"connector.class": "io.debezium.connector.postgresql.PostgresConnector", "plugin.name": "pgoutput",
			"database.hostname": u.Hostname(), "database.port": u.Port(), "database.dbname": strings.TrimPrefix(u.Path, "/"),
			"database.user": u.User.Username(), "database.password": password,
			"topic.prefix": s.prefix, "slot.name": of.slot, "publication.name": of.publication,
			"publication.autocreate.mode": of.autocreate, "snapshot.mode": of.snapshot, "table.include.list": of.tables,
			"skipped.operations": "none", "field.name.adjustment.mode": "avro", "schema.name.adjustment.mode": "avro",
			"topic.creation.default.replication.factor": "1", "topic.creation.default.partitions": "1",
		})
	}
}

// publish has both sources read everything, the shop's changes as they happen.
func (r *run) publish(t *testing.T) {
	t.Helper()
	for mark := 0; mark < 3; mark++ {
		for _, s := range r.sides {
			r.untilRecords(t, s.prefix+".public.shop_end", mark+1)
		}
		switch mark {
		case 1: // both are streaming
			for line := range strings.SplitSeq(strings.TrimSpace(shopChanges), "\n") {
				execute(t, r.shop, line)
			}
			fallthrough
		case 0:
			execute(t, r.shop, fmt.Sprintf("INSERT INTO shop_end VALUES (%d)", mark+1))
		}
	}
	for _, s := range r.sides {
		r.untilRecords(t, s.prefix+".public.part_end", 1)
	}
}

// untilRecords waits until a topic holds as many records of data.
func (r *run) untilRecords(t *testing.T, topic string, count int) {
	t.Helper()
	programs.Eventually(t, 4*time.Minute, fmt.Sprintf("%s has %d records", topic, count), func() error {
		for _, s := range r.sides {
			r.checkSources(t, s)
		}
		if records := r.read(t, topic)[topic].records; records < count {
			time.Sleep(200 * time.Millisecond)
			return fmt.Errorf("it has %d", records)
		}
		return nil
	})
}

// execute runs statements one by one.
func execute(t *testing.T, url string, statements ...string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background()) //nolint:errcheck // the test's own server
	for _, sql := range statements {
		if _, err := conn.PgConn().Exec(t.Context(), sql).ReadAll(); err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
	}
}

func psql(t *testing.T, url, text string) {
	t.Helper()
	command := exec.CommandContext(t.Context(), "psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", url, "-f", "-")
	command.Stdin = strings.NewReader(text)
	if out, err := command.CombinedOutput(); err != nil {
		t.Fatalf("psql: %v\n%s", err, out)
	}
}
