package line

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/syncline-io/syncline/connectors/duckdb"
	"github.com/syncline-io/syncline/framework/load"
	"github.com/syncline-io/syncline/framework/publish"
	"github.com/syncline-io/syncline/integration/engines"
	"github.com/syncline-io/syncline/integration/programs"
	"github.com/syncline-io/syncline/integration/proof"
)

// The kills, in random order and at random moments. The broker takes ten seconds to come back, the others one.
const (
	programKills = 20
	brokerKills  = 4
)

// TestNothingIsLostOrRepeatedWhenEverythingIsKilled is the promise of the product: whatever is killed, and whenever, the
// targets end equal to the source, and a read-committed consumer finds every change in the topics once.
func TestNothingIsLostOrRepeatedWhenEverythingIsKilled(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	if s := os.Getenv("SYNCLINE_SEED"); s != "" {
		var err error
		if seed, err = strconv.ParseUint(s, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("SYNCLINE_SEED=%d chooses the same victims and pauses again", seed)
	random := rand.New(rand.NewPCG(seed, 1))

	l := newLine(t, engines.NewKafka(t, engines.KafkaOptions{}))
	l.start()
	load := startWorkload(t, l.sourceURL, seed)
	for round, victim := range random.Perm(programKills + brokerKills) {
		time.Sleep(time.Duration(random.IntN(1500)) * time.Millisecond)
		pause := time.Duration(random.IntN(300)) * time.Millisecond
		if victim < programKills {
			p := l.all[victim%len(l.all)]
			t.Logf("round %2d: kill %s", round, p.Name)
			p.Kill()
			time.Sleep(pause)
			p.Start()
			continue
		}
		t.Logf("round %2d: kill the broker", round)
		l.kafka.Kill()
		time.Sleep(pause)
		if err := l.kafka.Restart(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
	transactions := load.stop(t)
	l.mustBeEqual(t, 2*time.Minute)
	for _, p := range l.all {
		if code := p.Stop(); code != 0 {
			t.Errorf("%s: exit code %d after SIGTERM", p.Name, code)
		}
	}
	counts := proof.CountCommitted(t, l.kafka.Address(), l.topics()...)
	t.Logf("%d transactions, %d kills; in the topics, each once: %v", transactions, programKills+brokerKills, counts)
	l.noDeadLetters(t)
}

// line is one source and its sinks, each a process of its own, on servers of the test's own.
type line struct {
	t                  testing.TB
	prefix             string
	kafka              *engines.Kafka
	sourceURL, copyURL string
	source, copy, duck *programs.Program
	sinks              []*programs.Program
	all                []*programs.Program
}

func newLine(t testing.TB, kafka *engines.Kafka) *line {
	l := &line{t: t, prefix: engines.Unique(t), kafka: kafka, sourceURL: engines.Database(t), copyURL: engines.Database(t)}
	registry := engines.RegistryForTest(t)
	c, err := pgx.Connect(context.Background(), l.sourceURL)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(context.Background()) //nolint:errcheck // the test's own server
	if _, err := c.PgConn().Exec(context.Background(), workloadSQL).ReadAll(); err != nil {
		t.Fatal(err)
	}
	common := fmt.Sprintf("kafka: {brokers: [%q]}\nregistry: {url: %q}\nadmin: {listen: %q}\n", kafka.Address(), registry, "{admin}")
	l.source = programs.New(t, "postgres-source", fmt.Sprintf(
		"connector: postgres-source\nname: %s\n%spostgres: {url: %q, tables: [public.*]}\n", l.prefix, common, l.sourceURL))
	l.copy = programs.New(t, "postgres-sink", fmt.Sprintf(
		"connector: postgres-sink\nname: %s-copy\ntopics: [%q]\n%spostgres: {url: %q}\n", l.prefix, l.prefix+".public.*", common, l.copyURL))
	l.sinks = []*programs.Program{l.copy}
	if duckdb.Available {
		l.duck = programs.New(t, "duckdb-sink", fmt.Sprintf(
			"connector: duckdb-sink\nname: %s-duck\ntopics: [%q]\n%sduckdb: {path: %q}\n", l.prefix, l.prefix+".public.*", common, t.TempDir()+"/w.duckdb"))
		l.sinks = append(l.sinks, l.duck)
	}
	l.all = append([]*programs.Program{l.source}, l.sinks...)
	return l
}

func (l *line) start() {
	for _, p := range l.all {
		p.Start()
	}
}

func (l *line) topics() []string {
	var all []string
	for _, table := range workloadTables {
		all = append(all, l.prefix+".public."+table)
	}
	return all
}

// mustBeEqual fails the test unless verify finds every sink's target equal to the source.
func (l *line) mustBeEqual(t testing.TB, patience time.Duration) {
	t.Helper()
	for _, s := range l.sinks {
		if s == l.duck {
			// DuckDB's file belongs to one process at a time: wait until the sink has caught up, then stop it.
			l.waitCaughtUp(t, s, patience)
			if code := s.Stop(); code != 0 {
				t.Errorf("%s: exit code %d after SIGTERM", s.Name, code)
			}
		}
		report, code := proof.Verify(t, l.source, s, patience)
		if code != 0 {
			t.Errorf("%s differs from the source: %v", s.Name, report)
		}
		if s == l.duck {
			s.Start()
		}
	}
}

func (l *line) noDeadLetters(t testing.TB) {
	t.Helper()
	for _, p := range l.all {
		if text := p.Output(); strings.Contains(text, "dead letter") {
			t.Errorf("%s speaks of a dead letter", p.Name)
		}
	}
}

// waitCaughtUp waits until the sink has written everything that is committed at the source now.
func (l *line) waitCaughtUp(t testing.TB, sink *programs.Program, patience time.Duration) {
	t.Helper()
	ctx := context.Background()
	c, err := pgx.Connect(ctx, l.sourceURL)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(ctx) //nolint:errcheck // the test's own server
	var lsn int64
	if err := c.QueryRow(ctx, "SELECT (pg_current_wal_lsn() - '0/0')::bigint").Scan(&lsn); err != nil {
		t.Fatal(err)
	}
	programs.Eventually(t, patience, "the source has published everything", func() error {
		var s publish.Status
		if err := l.source.Status(&s); err != nil {
			return err
		}
		if s.Position.High < uint64(lsn) {
			return fmt.Errorf("%s at %v, want %X: %s", s.State, s.Position, lsn, s.LastError)
		}
		return nil
	})
	ends := l.ends(t)
	programs.Eventually(t, patience, sink.Name+" has written everything", func() error {
		var s load.Status
		if err := sink.Status(&s); err != nil {
			return err
		}
		next := map[string]int64{}
		for _, p := range s.Partitions {
			next[p.Topic] = p.Next
		}
		for topic, end := range ends {
			if next[topic] < end {
				return fmt.Errorf("%s: %s at %d of %d: %s", s.State, topic, next[topic], end, s.LastError)
			}
		}
		return nil
	})
}

// ends returns the end of each of the line's topics.
func (l *line) ends(t testing.TB) map[string]int64 {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(l.kafka.Address()))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	listed, err := kadm.NewClient(client).ListEndOffsets(context.Background(), l.topics()...)
	if err != nil {
		t.Fatal(err)
	}
	ends := map[string]int64{}
	listed.Each(func(o kadm.ListedOffset) { ends[o.Topic] = o.Offset })
	return ends
}
