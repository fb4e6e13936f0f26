package engines

import (
	"context"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

func TestMain(m *testing.M) { os.Exit(Main(m)) }

func TestEveryTestGetsItsOwnDatabase(t *testing.T) {
	first, second := Database(t), Database(t)
	if first == second {
		t.Fatalf("got the database %s twice", first)
	}
	t.Run("dropped with its slots", func(t *testing.T) {
		url := ""
		t.Run("made", func(t *testing.T) {
			url = Database(t)
			conn, err := pgx.Connect(t.Context(), url)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close(context.Background())
			if _, err := conn.Exec(t.Context(), "SELECT pg_create_logical_replication_slot($1, 'pgoutput')", Unique(t)); err != nil {
				t.Fatal(err)
			}
		})
		if conn, err := pgx.Connect(t.Context(), url); err == nil {
			conn.Close(t.Context())
			t.Error("the database is still there after its test")
		}
	})
}

func TestUniqueNamesFitEverywhere(t *testing.T) {
	t.Run("Ünusual / and quite long, much longer than any name", func(t *testing.T) {
		name := Unique(t)
		if len(name) > 40 || strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789_") != "" || name[0] != 't' {
			t.Errorf("got %q", name)
		}
		if name == Unique(t) {
			t.Errorf("got %q twice", name)
		}
	})
}

// transact produces one record in a transaction and commits it.
func transact(t *testing.T, address, topic, value string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	client, err := kgo.NewClient(kgo.SeedBrokers(address), kgo.TransactionalID(topic), kgo.DefaultProduceTopic(topic))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if err := client.BeginTransaction(); err != nil {
		t.Fatal(err)
	}
	if err := client.ProduceSync(ctx, kgo.StringRecord(value)).FirstErr(); err != nil {
		t.Fatalf("produce to %s: %v", topic, err)
	}
	if err := client.EndTransaction(ctx, kgo.TryCommit); err != nil {
		t.Fatalf("commit to %s: %v", topic, err)
	}
}

// consume reads n committed records.
func consume(t *testing.T, address, topic string, n int) (values []string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	client, err := kgo.NewClient(kgo.SeedBrokers(address), kgo.ConsumeTopics(topic),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	for len(values) < n {
		fetches := client.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			t.Fatalf("read %s: %v", topic, err)
		}
		fetches.EachRecord(func(r *kgo.Record) { values = append(values, string(r.Value)) })
	}
	return values
}

func createTopic(t *testing.T, address, topic string) {
	t.Helper()
	client, err := kadm.NewOptClient(kgo.SeedBrokers(address))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if _, err := client.CreateTopic(t.Context(), 1, 1, nil, topic); err != nil {
		t.Fatalf("create topic %s: %v", topic, err)
	}
}

func TestSharedKafkaTakesTransactionsAndMakesNoTopics(t *testing.T) {
	address, topic := KafkaForTest(t), Unique(t)
	createTopic(t, address, topic)
	transact(t, address, topic, "a")
	if got := consume(t, address, topic, 1); got[0] != "a" {
		t.Errorf("got %q", got)
	}
	client, err := kgo.NewClient(kgo.SeedBrokers(address), kgo.AllowAutoTopicCreation(), kgo.UnknownTopicRetries(1))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	record := &kgo.Record{Topic: Unique(t)}
	if err := client.ProduceSync(t.Context(), record).FirstErr(); err == nil {
		t.Errorf("topic %s was created by producing to it", record.Topic)
	}
}

func TestKafkaKeepsCommittedRecordsOverKillAndRestart(t *testing.T) {
	k, proxy := NewKafkaBehindProxy(t, KafkaOptions{})
	address := k.Address()
	createTopic(t, address, "kept")
	transact(t, proxy.Address(), "kept", "before")

	proxy.Down()
	client, err := kgo.NewClient(kgo.SeedBrokers(proxy.Address()))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if err := client.Ping(t.Context()); err == nil {
		t.Error("the broker answers through a proxy that is down")
	}
	proxy.Up()

	k.Kill()
	if err := k.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	if k.Address() != address {
		t.Errorf("got address %s after a restart, want %s", k.Address(), address)
	}
	transact(t, proxy.Address(), "kept", "after")
	if got := consume(t, address, "kept", 2); got[0] != "before" || got[1] != "after" {
		t.Errorf("got records %q", got)
	}
}

// registryCall sends a request and returns status and body.
func registryCall(t *testing.T, method, url, body string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/vnd.schemaregistry.v1+json")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(b)
}

func TestSharedRegistryRefusesWhatIsNotBackwardCompatible(t *testing.T) {
	url := RegistryForTest(t) + "/subjects/" + Unique(t) + "/versions"
	const before = `{"schema":"{\"type\":\"record\",\"name\":\"r\",\"fields\":[]}"}`
	const after = `{"schema":"{\"type\":\"record\",\"name\":\"r\",\"fields\":[{\"name\":\"new\",\"type\":\"long\"}]}"}`
	if status, body := registryCall(t, http.MethodPost, url, before); status != http.StatusOK {
		t.Fatalf("register: %d %s", status, body)
	}
	if status, body := registryCall(t, http.MethodPost, url, after); status != http.StatusConflict {
		t.Errorf("register a field without default: got %d %s, want 409", status, body)
	}
}

func TestRegistryKeepsSchemasOverKillAndRestart(t *testing.T) {
	r := NewRegistry(t, RegistryOptions{})
	url := r.URL() + "/subjects/kept/versions"
	status, id := registryCall(t, http.MethodPost, url, `{"schema":"\"string\""}`)
	if status != http.StatusOK {
		t.Fatalf("register: %d %s", status, id)
	}
	r.Kill()
	if err := r.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	if status, again := registryCall(t, http.MethodPost, url, `{"schema":"\"string\""}`); status != http.StatusOK || again != id {
		t.Errorf("after a restart: got %d %s, want id %s", status, again, id)
	}
	if status, other := registryCall(t, http.MethodPost, url[:len(url)-len("kept/versions")]+"other/versions", `{"schema":"\"bytes\""}`); status != http.StatusOK || other == id {
		t.Errorf("another schema after a restart: got %d %s", status, other)
	}
}

func TestProxyDelaysAndHeals(t *testing.T) {
	server := PostgresForTest(t)
	config, err := pgx.ParseConfig(server)
	if err != nil {
		t.Fatal(err)
	}
	proxy := NewProxy(t, loopback(int(config.Port)))
	conn, err := pgx.Connect(t.Context(), proxy.URL(server))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	ping := func() time.Duration {
		begin := time.Now()
		if err := conn.Ping(t.Context()); err != nil {
			t.Fatal(err)
		}
		return time.Since(begin)
	}
	proxy.Add(Toxic{Kind: "latency", Stream: Downstream, Attributes: map[string]int64{"latency": 300}})
	if d := ping(); d < 300*time.Millisecond {
		t.Errorf("a ping took %v with 300ms of latency", d)
	}
	proxy.Heal()
	if d := ping(); d >= 300*time.Millisecond {
		t.Errorf("a ping took %v after Heal", d)
	}
}
