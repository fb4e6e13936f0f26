package kills

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/syncline-io/syncline/framework/load"
	"github.com/syncline-io/syncline/framework/publish"
	"github.com/syncline-io/syncline/integration/engines"
	"github.com/syncline-io/syncline/integration/programs"
	"github.com/syncline-io/syncline/integration/proof"
)

// patience bounds every wait: for a death, for what must arrive. A hang is a failure like a loss.
const patience = 90 * time.Second

// pipeline is a database, a source, its topics, a sink and a target, all of them its own.
type pipeline struct {
	t        testing.TB // of the kill under way
	name     string
	brokers  string
	registry string
	kafka    *kgo.Client
	admin    *kadm.Client

	source, sink *programs.Program
	victim       *programs.Program // one of the two
	sinkYAML     string
	from, to     *pgx.Conn // source and target; to is nil where the target is a file
	target       string    // the target's database

	round   int // of traffic
	column  int // the last one that was added to account
	place   int // the number of times that place's column was renamed
	garbage int // unreadable records
	// large rows, which no record of the topic can hold, and refusals, rows that the target does not take.
	large, refusals int
	// second is another copy of the sink, and firstMembers who was in the group before it.
	second       *programs.Program
	firstMembers []string
}

func newPipeline(t testing.TB, c *chain) *pipeline {
	p := &pipeline{t: t, name: engines.Unique(t), brokers: engines.KafkaForTest(t), registry: engines.RegistryForTest(t)}
	var err error
	if p.kafka, err = kgo.NewClient(kgo.SeedBrokers(p.brokers), kgo.MetadataMinAge(20*time.Millisecond),
		kgo.UnknownTopicRetries(50)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.kafka.Close)
	p.admin = kadm.NewClient(p.kafka)

	database := engines.Database(t)
	p.from = connect(t, database)
	p.exec(c.tables)
	common := fmt.Sprintf("internal_prefix: %s_internal\nkafka: {brokers: [%q]}\nregistry: {url: %q}\nadmin: {listen: %q}\n",
		p.name, p.brokers, p.registry, "{admin}")
	p.source = programs.New(t, "postgres-source", fmt.Sprintf("connector: postgres-source\nname: %s\n%s%s"+
		"postgres: {url: %q, tables: [public.*], heartbeat_interval: 300ms, status_interval: 200ms}\n", p.name, common, c.source, database))
	p.sinkYAML = fmt.Sprintf("connector: %s\nname: %s-copy\ntopics: [%q]\n%s", c.sink, p.name, p.name+".public.*", common)
	if c.sink == "duckdb-sink" {
		p.sinkYAML += fmt.Sprintf("batch: {age: 10ms}\nduckdb: {path: %q}\n", filepath.Join(t.TempDir(), "w.duckdb"))
	} else {
		target := engines.Database(t)
		p.to = connect(t, target)
		if u, err := url.Parse(target); err == nil {
			p.target = strings.TrimPrefix(u.Path, "/")
		}
		p.sinkYAML += fmt.Sprintf("postgres: {url: %q}\n", target)
	}
	p.sink = programs.New(t, c.sink, p.sinkYAML)
	p.create(p.topic("garbage")) // before the sink's first start: a later topic is noticed seconds later
	p.victim = p.source
	if c.victim == "sink" {
		p.victim = p.sink
	}
	return p
}

func connect(t testing.TB, url string) *pgx.Conn {
	t.Helper()
	c, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close(context.Background()) })
	return c
}

// exec changes the source: the statements are one transaction, unless they say otherwise.
func (p *pipeline) exec(sql string) { execOn(p.t, p.from, sql) }

// execTarget changes the target behind the sink's back.
func (p *pipeline) execTarget(sql string) { execOn(p.t, p.to, sql) }

func execOn(t testing.TB, c *pgx.Conn, sql string) {
	t.Helper()
	if _, err := c.PgConn().Exec(t.Context(), sql).ReadAll(); err != nil {
		t.Fatalf("%.200s: %v", sql, err)
	}
}

// restartSource makes it look for tables, as an operator does after CREATE TABLE.
func (p *pipeline) restartSource() {
	p.stop(p.source)
	p.source.Start()
}

func (p *pipeline) stop(program *programs.Program) {
	p.t.Helper()
	if !program.Running() {
		return
	}
	if code := program.Stop(); code != 0 {
		p.t.Fatalf("%s: exit code %d after SIGTERM", program.Name, code)
	}
}

// equal waits until everything has arrived, and compares.
func (p *pipeline) equal() {
	p.t.Helper()
	p.published()
	p.written()
	if p.to == nil {
		p.stop(p.sink) // another process cannot read its file while it runs
	}
	report, code := proof.Verify(p.t, p.source, p.sink, 2*time.Second)
	if code != 0 {
		p.t.Fatalf("the target differs from the source: %v", report)
	}
}

// published waits until the source streams, and has published everything that was committed when it began to.
func (p *pipeline) published() {
	p.t.Helper()
	var s publish.Status
	programs.Eventually(p.t, patience, "the source streams", func() error {
		p.mustRun(p.source)
		if err := p.source.Status(&s); err != nil {
			return err
		}
		if s.Progress.Phase != "stream" {
			return fmt.Errorf("%s, %s: %s", s.State, s.Progress.Phase, s.LastError)
		}
		return nil
	})
	var end int64
	if err := p.from.QueryRow(p.t.Context(), "SELECT (pg_current_wal_lsn() - '0/0')::bigint").Scan(&end); err != nil {
		p.t.Fatal(err)
	}
	programs.Eventually(p.t, patience, "the source has published everything", func() error {
		p.mustRun(p.source)
		if err := p.source.Status(&s); err != nil {
			return err
		}
		if s.Position.High < uint64(end) {
			return fmt.Errorf("%s at %v, want %X: %s", s.State, s.Position, end, s.LastError)
		}
		return nil
	})
}

// written waits until the sink has written everything that is in the topics now.
func (p *pipeline) written() {
	p.t.Helper()
	topics := p.topics()
	if len(topics) == 0 {
		p.t.Fatal("there are no topics") // to ask for the ends of none is to ask for all of the cluster
	}
	ends, err := p.admin.ListEndOffsets(p.t.Context(), topics...)
	if err == nil {
		err = ends.Error()
	}
	if err != nil {
		p.t.Fatal(err)
	}
	programs.Eventually(p.t, patience, "the sink has written everything", func() error {
		p.mustRun(p.sink)
		var s load.Status
		if err := p.sink.Status(&s); err != nil {
			return err
		}
		next := map[string]int64{}
		for _, part := range s.Partitions {
			next[fmt.Sprint(part.Topic, part.Partition)] = part.Next
		}
		var missing error
		ends.Each(func(o kadm.ListedOffset) {
			if at := max(next[fmt.Sprint(o.Topic, o.Partition)], 0); at < o.Offset { // -1 before the first record
				missing = fmt.Errorf("%s: %s/%d at %d of %d: %s", s.State, o.Topic, o.Partition, at, o.Offset, s.LastError)
			}
		})
		return missing
	})
}

func (p *pipeline) mustRun(program *programs.Program) {
	p.t.Helper()
	if !program.Running() {
		p.t.Fatalf("%s has ended with code %d", program.Name, program.Wait(0))
	}
}

// topics are those that the sink reads.
func (p *pipeline) topics() []string {
	p.t.Helper()
	listed, err := p.admin.ListTopics(p.t.Context())
	if err != nil {
		p.t.Fatal(err)
	}
	var names []string
	for _, name := range listed.Names() {
		if strings.HasPrefix(name, p.name+".public.") && !strings.HasSuffix(name, ".quarantine") && listed[name].Err == nil {
			names = append(names, name)
		}
	}
	return names
}

// forget takes the sink's dead member out of its group, as the brokers do ten seconds after its last heartbeat.
func (p *pipeline) forget(members ...string) {
	p.t.Helper()
	if len(members) == 0 {
		members = p.members()
	}
	req := kmsg.NewPtrLeaveGroupRequest()
	req.Group = p.group()
	for _, id := range members {
		m := kmsg.NewLeaveGroupRequestMember()
		m.MemberID = id
		req.Members = append(req.Members, m)
	}
	if len(req.Members) == 0 {
		return
	}
	if _, err := req.RequestWith(p.t.Context(), p.kafka); err != nil {
		p.t.Fatalf("take a dead member out of its group: %v", err)
	}
}

func (p *pipeline) group() string { return p.name + "_internal." + p.name + "-copy" }

func (p *pipeline) members() (ids []string) {
	p.t.Helper()
	// Before any group was used, the broker has no coordinator: it makes the topic for it when it is first asked.
	programs.Eventually(p.t, patience, "the coordinator of "+p.group()+" answers", func() error {
		described, err := p.admin.DescribeGroups(p.t.Context(), p.group())
		for _, m := range described[p.group()].Members {
			ids = append(ids, m.MemberID)
		}
		return err
	})
	return ids
}

// compatibility sets what the registry takes after the versions that a table's values have.
func (p *pipeline) compatibility(table, level string) {
	p.t.Helper()
	address := fmt.Sprintf("%s/config/%s.public.%s-value", p.registry, p.name, table)
	req, err := http.NewRequestWithContext(p.t.Context(), http.MethodPut, address, bytes.NewReader(fmt.Appendf(nil, `{"compatibility":%q}`, level)))
	if err != nil {
		p.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/vnd.schemaregistry.v1+json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		p.t.Fatal(err)
	}
	defer resp.Body.Close() //nolint:errcheck // only the status counts
	if resp.StatusCode != http.StatusOK {
		p.t.Fatalf("PUT %s: %s", address, resp.Status)
	}
}
