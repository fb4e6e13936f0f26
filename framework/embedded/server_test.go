package embedded

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/riferrei/srclient"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/goleak"

	"github.com/syncline-io/syncline/framework/failure"
	client "github.com/syncline-io/syncline/framework/registry"
)

// serverFolder in the environment makes the test binary a server that runs until it is killed.
const serverFolder = "SYNCLINE_TEST_EMBEDDED_FOLDER"

func TestMain(m *testing.M) {
	if dir := os.Getenv(serverFolder); dir != "" {
		s, err := Start(context.Background(), Config{Dir: dir})
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		fmt.Println(s.Brokers()[0], s.RegistryURL())
		select {}
	}
	goleak.VerifyTestMain(m)
}

// startProcess runs a server in a process of its own, and returns its registry and what kills it.
func startProcess(t *testing.T, dir string) (url string, kill func()) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), serverFolder+"="+dir)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	kill = func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}
	t.Cleanup(kill)
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatalf("the server says nothing: %v", err)
	}
	return strings.Fields(line)[1], kill
}

func connect(t *testing.T, url string) *client.Client {
	t.Helper()
	c, err := client.New(client.Config{URL: url})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func recordSchema(fields string) string {
	return `{"type":"record","name":"R","fields":[` + fields + `]}`
}

func TestIDsAndLevelsSurviveKillsAndAreNeverUsedAgain(t *testing.T) {
	dir := t.TempDir()
	ids := make(map[uint32]string)
	var address string
	for round := range 4 {
		url, kill := startProcess(t, dir)
		if address != "" && url != address {
			t.Fatalf("address %s, want %s as before", url, address)
		}
		address = url
		c := connect(t, url)
		for id, text := range ids {
			if got, err := c.ByID(t.Context(), id); got != text || err != nil {
				t.Errorf("schema %d is %q, want %q (%v)", id, got, text, err)
			}
		}
		for i := range 3 {
			text := recordSchema(fmt.Sprintf(`{"name":"f%d_%d","type":"int"}`, round, i))
			id, err := c.Register(t.Context(), fmt.Sprint("s", round, i), text)
			if err != nil || ids[id] != "" {
				t.Fatalf("id %d, taken by %q (%v)", id, ids[id], err)
			}
			ids[id] = text
		}
		sr := srclient.NewSchemaRegistryClient(url)
		if round == 0 {
			if _, err := sr.ChangeSubjectCompatibilityLevel("s00", srclient.FullTransitive); err != nil {
				t.Fatal(err)
			}
		}
		if l, err := sr.GetCompatibilityLevel("s00", false); err != nil || *l != srclient.FullTransitive {
			t.Errorf("level %v, %v", l, err)
		}
		kill()
	}
	if len(ids) != 12 {
		t.Errorf("%d ids, want 12", len(ids))
	}
}

func TestOurClientNamesTheFieldThatTheRegistryRefuses(t *testing.T) {
	s, err := Start(t.Context(), Config{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	c := connect(t, s.RegistryURL())
	if err := c.Check(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Register(t.Context(), "t-value", recordSchema(`{"name":"id","type":"int"}`)); err != nil {
		t.Fatal(err)
	}
	_, err = c.Register(t.Context(), "t-value", recordSchema(`{"name":"id","type":"int"},{"name":"amount","type":"long"}`))
	if failure.Classify(err) != failure.Config || !strings.Contains(err.Error(), `"amount"`) || !strings.Contains(err.Error(), `"t-value"`) {
		t.Errorf("%v, want a configuration error that names subject and field", err)
	}
}

func TestCloseWhileClientsAreConnectedEndsEverything(t *testing.T) {
	s, err := Start(t.Context(), Config{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	consumer, err := kgo.NewClient(kgo.SeedBrokers(s.Brokers()...), kgo.ConsumeTopics("_schemas"), kgo.ConsumerGroup("g"))
	if err != nil {
		t.Fatal(err)
	}
	polling := make(chan struct{})
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		defer close(polling)
		consumer.PollFetches(ctx)
	}()
	for range 2 { // the second one does nothing
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
	cancel()
	<-polling
	consumer.CloseAllowingRebalance()
}

func TestAPortInUseIsAConfigurationErrorAndLeavesNothingRunning(t *testing.T) {
	s, err := Start(t.Context(), Config{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	var kafka, registry int
	fmt.Sscanf(s.Brokers()[0], "127.0.0.1:%d", &kafka)
	fmt.Sscanf(s.RegistryURL(), "http://127.0.0.1:%d", &registry)
	for _, c := range []Config{{Dir: t.TempDir(), KafkaPort: kafka}, {Dir: t.TempDir(), RegistryPort: registry}} {
		if other, err := Start(t.Context(), c); failure.Classify(err) != failure.Config || other != nil {
			t.Errorf("%v, want a configuration error", err)
		}
	}
}
