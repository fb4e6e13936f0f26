package publish

import (
	"os"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/goleak"

	"github.com/syncline-io/syncline/integration/engines"
)

func TestMain(m *testing.M) { os.Exit(engines.Main(m)) }

// realKafka is a cluster of real brokers, with names that no other test has.
func realKafka(t testing.TB) cluster {
	t.Helper()
	return cluster{opts: []kgo.Opt{kgo.SeedBrokers(engines.KafkaForTest(t))}, name: engines.Unique(t)}
}

func TestChangesArriveOnceAndInOrder(t *testing.T) {
	c, up := realKafka(t), newUpstream() // first of all: it may start the engine, which outlives the test
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	table := itemsTable("items")
	up.rows(table, 1, 1000)
	p := run(t, c.options(up))
	await(t, "the first changes", func() bool { return up.lastConfirmed().Version.High == 1000 })
	up.rows(table, 1001, 500)
	await(t, "the later changes", func() bool { return up.lastConfirmed().Version.High == 1500 })
	if err := p.stop(); err != nil {
		t.Fatal(err)
	}
	wantOnce(t, c.committed(t, c.name+".public.items"), 1500)

	// The next one goes on where this one stopped.
	up.rows(table, 1501, 10)
	p = run(t, c.options(up))
	await(t, "the changes after a restart", func() bool { return up.lastConfirmed().Version.High == 1510 })
	if err := p.stop(); err != nil {
		t.Fatal(err)
	}
	wantOnce(t, c.committed(t, c.name+".public.items"), 1510)
	if got, want := string(up.lastConfirmed().State), `{"log": "model", "since": 1}`; got != want {
		t.Errorf("state %s, want %s", got, want)
	}
}
