package broker

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"go.uber.org/goleak"
	"go.uber.org/zap/zaptest"

	"github.com/syncline-io/syncline/framework/child"
	"github.com/syncline-io/syncline/framework/failure"
)

// brokerFolder in the environment makes the test binary a broker that runs until it is killed.
const brokerFolder = "SYNCLINE_TEST_BROKER_FOLDER"

func TestMain(m *testing.M) {
	if dir := os.Getenv(brokerFolder); dir != "" {
		serveUntilKilled(dir)
	}
	goleak.VerifyTestMain(m)
}

func serveUntilKilled(dir string) {
	b, err := Start(context.Background(), Options{Dir: dir, SegmentBytes: 64 << 10, RetentionInterval: 50 * time.Millisecond})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println(b.Addr())
	select {}
}

// process is a broker in a process of its own.
type process struct {
	cmd  *exec.Cmd
	addr string
}

func startProcess(t *testing.T, dir string) *process {
	t.Helper()
	p := &process{cmd: exec.Command(os.Args[0])}
	p.cmd.Env = append(os.Environ(), brokerFolder+"="+dir)
	p.cmd.Stderr = os.Stderr
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.kill)
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatalf("the broker says nothing: %v", err)
	}
	p.addr = strings.TrimSpace(line)
	return p
}

func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	_ = p.cmd.Wait()
}

func start(t *testing.T, dir string, change func(*Options)) *Broker {
	t.Helper()
	o := Options{Dir: dir, Log: zaptest.NewLogger(t)}
	if change != nil {
		change(&o)
	}
	b, err := Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
	return b
}

func connect(t *testing.T, addr string, opts ...kgo.Opt) *kgo.Client {
	t.Helper()
	c, err := kgo.NewClient(append(opts, kgo.SeedBrokers(addr))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func createTopic(t *testing.T, c *kgo.Client, topic string, settings map[string]string) kadm.TopicID {
	t.Helper()
	configs := make(map[string]*string)
	for k, v := range settings {
		configs[k] = &v
	}
	created, err := kadm.NewClient(c).CreateTopic(t.Context(), 1, 1, configs, topic)
	if err != nil {
		t.Fatal(err)
	}
	return created.ID
}

// readAll returns the records of a topic's one partition, up to its end as of now.
func readAll(t *testing.T, addr, topic string) []*kgo.Record {
	t.Helper()
	c := connect(t, addr, kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	ends, err := kadm.NewClient(c).ListEndOffsets(t.Context(), topic)
	if err != nil {
		t.Fatal(err)
	}
	end, _ := ends.Lookup(topic, 0)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	var all []*kgo.Record
	for len(all) == 0 || all[len(all)-1].Offset < end.Offset-1 {
		if end.Offset == 0 {
			return nil
		}
		fetches := c.PollFetches(ctx)
		if err := fetches.Err0(); err != nil {
			t.Fatalf("after %d records of %d: %v", len(all), end.Offset, err)
		}
		all = append(all, fetches.Records()...)
	}
	return all
}

// TestAcknowledgedRecordsAreThereOnceAndInOrderAfterKills has one producer outlive the kills of the broker: what it
// sends again, because the acknowledgement was lost, must not be there twice.
func TestAcknowledgedRecordsAreThereOnceAndInOrderAfterKills(t *testing.T) {
	dir := t.TempDir()
	p := startProcess(t, dir)
	producer := connect(t, p.addr, kgo.DefaultProduceTopic("events"), kgo.ProducerLinger(0), kgo.MaxBufferedRecords(2000),
		kgo.RetryTimeout(time.Minute), kgo.RecordDeliveryTimeout(time.Minute), kgo.RetryBackoffFn(func(int) time.Duration { return 20 * time.Millisecond }))
	createTopic(t, producer, "events", nil)

	stop := make(chan struct{})
	var sent int
	var sending sync.WaitGroup
	sending.Go(func() {
		for ; ; sent++ {
			select {
			case <-stop:
				return
			default:
			}
			producer.Produce(t.Context(), &kgo.Record{Value: fmt.Appendf(nil, "%d", sent)}, func(_ *kgo.Record, err error) {
				if err != nil {
					t.Errorf("produce: %v", err)
				}
			})
		}
	})
	const kills = 6
	for range kills {
		time.Sleep(time.Duration(200+rand.IntN(300)) * time.Millisecond)
		p.kill()
		p = startProcess(t, dir)
	}
	close(stop)
	sending.Wait()
	if err := producer.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	all := readAll(t, p.addr, "events")
	t.Logf("%d records over %d kills", len(all), kills)
	if len(all) != sent {
		t.Errorf("%d records, want %d", len(all), sent)
	}
	for i, r := range all {
		if string(r.Value) != fmt.Sprint(i) {
			t.Fatalf("record %d is %s", i, r.Value)
		}
	}
}

// TestABatchSentAgainAfterAKillIsRecognised repeats a batch byte for byte, as a producer does that lost the
// acknowledgement of it together with the broker.
func TestABatchSentAgainAfterAKillIsRecognised(t *testing.T) {
	dir := t.TempDir()
	p := startProcess(t, dir)
	c := connect(t, p.addr, kgo.RetryBackoffFn(func(int) time.Duration { return 20 * time.Millisecond }))
	createTopic(t, c, "a", nil)
	if err := c.ProduceSync(t.Context(), &kgo.Record{Topic: "a", Value: []byte("once")}).FirstErr(); err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile(filepath.Join(dir, "kafka", "partitions", "a-0", "0.dat"))
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		p.kill()
		p = startProcess(t, dir)
		again := connect(t, p.addr)
		req := kmsg.NewPtrProduceRequest()
		req.Acks, req.TimeoutMillis = -1, 10_000
		topics, err := kadm.NewClient(again).ListTopics(t.Context(), "a")
		if err != nil {
			t.Fatal(err)
		}
		req.Topics = []kmsg.ProduceRequestTopic{{Topic: "a", TopicID: topics["a"].ID, Partitions: []kmsg.ProduceRequestTopicPartition{{Records: raw}}}}
		resp, err := again.Request(t.Context(), req)
		if err != nil {
			t.Fatal(err)
		}
		if got := resp.(*kmsg.ProduceResponse).Topics[0].Partitions[0]; got.ErrorCode != 0 || got.BaseOffset != 0 {
			t.Errorf("code %d, offset %d, want the first offset again", got.ErrorCode, got.BaseOffset)
		}
	}
	// The producer's next batch continues its sequence.
	if err := c.ProduceSync(t.Context(), &kgo.Record{Topic: "a", Value: []byte("next")}).FirstErr(); err != nil {
		t.Fatal(err)
	}
	if all := readAll(t, p.addr, "a"); len(all) != 2 {
		t.Errorf("%d records, want 2", len(all))
	}
}

func TestTopicIDsSettingsAndGroupOffsetsSurviveAKill(t *testing.T) {
	dir := t.TempDir()
	p := startProcess(t, dir)
	c := connect(t, p.addr)
	id := createTopic(t, c, "a", map[string]string{"cleanup.policy": "compact", "segment.bytes": "1048576"})
	if err := c.ProduceSync(t.Context(), &kgo.Record{Topic: "a", Key: []byte("k"), Value: []byte("v")}).FirstErr(); err != nil {
		t.Fatal(err)
	}
	committed := kadm.Offset{Topic: "a", Partition: 0, At: 1, Metadata: "mark"}
	offsets := make(kadm.Offsets)
	offsets.Add(committed)
	if err := kadm.NewClient(c).CommitAllOffsets(t.Context(), "g", offsets); err != nil {
		t.Fatal(err)
	}
	addr := p.addr
	for range 3 {
		p.kill()
		p = startProcess(t, dir)
		if p.addr != addr {
			t.Fatalf("address %s, want %s as before", p.addr, addr)
		}
		adm := kadm.NewClient(connect(t, p.addr))
		topics, err := adm.ListTopics(t.Context(), "a")
		if err != nil || topics["a"].ID != id {
			t.Errorf("topic id %v, want %v (%v)", topics["a"].ID, id, err)
		}
		configs, err := adm.DescribeTopicConfigs(t.Context(), "a")
		if err != nil {
			t.Fatal(err)
		}
		if rule := ruleOf(configs[0].Configs, -1); !rule.compact || rule.deletes {
			t.Errorf("settings are lost: %+v", rule)
		}
		got, err := adm.FetchOffsets(t.Context(), "g")
		if o, _ := got.Lookup("a", 0); err != nil || o.At != 1 || o.Metadata != "mark" {
			t.Errorf("offset %+v, want %+v (%v)", o.Offset, committed, err)
		}
		if all := readAll(t, p.addr, "a"); len(all) != 1 || all[0].Offset != 0 {
			t.Errorf("%d records, want 1", len(all))
		}
	}
}

func TestACompactedTopicStaysSmallAndKeepsEveryKeysLastValueOverKills(t *testing.T) {
	dir := t.TempDir()
	p := startProcess(t, dir)
	c := connect(t, p.addr, kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.RetryBackoffFn(func(int) time.Duration { return 20 * time.Millisecond }))
	createTopic(t, c, "positions", map[string]string{"cleanup.policy": "compact", "segment.bytes": "16384"})
	last := make(map[string]string)
	for round := range 3 {
		for i := range 60 {
			var records []*kgo.Record
			for k := range 20 {
				key, value := fmt.Sprint("key", k), fmt.Sprint(round, "-", i, "-", strings.Repeat("x", 100))
				records = append(records, &kgo.Record{Topic: "positions", Key: []byte(key), Value: []byte(value)})
				last[key] = value
			}
			if err := c.ProduceSync(t.Context(), records...).FirstErr(); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(150 * time.Millisecond)
		p.kill()
		p = startProcess(t, dir)
	}
	got := make(map[string]string)
	all := readAll(t, p.addr, "positions")
	for _, r := range all {
		got[string(r.Key)] = string(r.Value)
	}
	for k, v := range last {
		if got[k] != v {
			t.Errorf("%s is %.20q, want %.20q", k, got[k], v)
		}
	}
	if len(all) >= 3*60*20/2 || all[0].Offset == 0 {
		t.Errorf("%d of %d records are still there, from offset %d", len(all), 3*60*20, all[0].Offset)
	}
}

func TestRetentionBoundsATopicAndNeverEmptiesIt(t *testing.T) {
	dir := t.TempDir()
	b := start(t, dir, func(o *Options) {
		o.SegmentBytes, o.RetentionBytes, o.RetentionInterval = 16<<10, 64<<10, 20*time.Millisecond
	})
	c := connect(t, b.Addr(), kgo.ProducerBatchCompression(kgo.NoCompression()))
	createTopic(t, c, "bounded", nil)
	createTopic(t, c, "aged", map[string]string{"retention.ms": "1"})
	const count = 500
	for i := range count {
		for _, topic := range []string{"bounded", "aged"} {
			if err := c.ProduceSync(t.Context(), &kgo.Record{Topic: topic, Value: fmt.Appendf(nil, "%01000d", i)}).FirstErr(); err != nil {
				t.Fatal(err)
			}
		}
	}
	time.Sleep(200 * time.Millisecond)
	for topic, bytesMax := range map[string]int{"bounded": 64<<10 + 32<<10, "aged": 32 << 10} {
		all := readAll(t, b.Addr(), topic)
		if len(all) == 0 || len(all)*1000 > bytesMax || all[len(all)-1].Offset != count-1 {
			t.Errorf("%s: %d records, at most %d bytes wanted, the last one among them", topic, len(all), bytesMax)
		}
	}
}

func TestATopicThatWasDeletedDoesNotComeBack(t *testing.T) {
	dir := t.TempDir()
	p := startProcess(t, dir)
	c := connect(t, p.addr)
	createTopic(t, c, "gone", nil)
	if err := c.ProduceSync(t.Context(), &kgo.Record{Topic: "gone", Value: []byte("old")}).FirstErr(); err != nil {
		t.Fatal(err)
	}
	saved := filepath.Join(t.TempDir(), "gone-0")
	folder := filepath.Join(dir, "kafka", "partitions", "gone-0")
	if err := os.CopyFS(saved, os.DirFS(folder)); err != nil {
		t.Fatal(err)
	}
	if _, err := kadm.NewClient(c).DeleteTopic(t.Context(), "gone"); err != nil {
		t.Fatal(err)
	}
	p.kill()
	// As if it had been killed between the list of topics and the folder.
	if err := os.RemoveAll(folder); err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(folder, os.DirFS(saved)); err != nil {
		t.Fatal(err)
	}
	p = startProcess(t, dir)
	c = connect(t, p.addr)
	createTopic(t, c, "gone", nil)
	if err := c.ProduceSync(t.Context(), &kgo.Record{Topic: "gone", Value: []byte("new")}).FirstErr(); err != nil {
		t.Fatal(err)
	}
	if all := readAll(t, p.addr, "gone"); len(all) != 1 || string(all[0].Value) != "new" {
		t.Errorf("%d records, want the new one", len(all))
	}
}

func TestATornEndIsCutOff(t *testing.T) {
	dir := t.TempDir()
	p := startProcess(t, dir)
	c := connect(t, p.addr)
	createTopic(t, c, "torn", nil)
	if err := c.ProduceSync(t.Context(), &kgo.Record{Topic: "torn", Value: []byte("whole")}).FirstErr(); err != nil {
		t.Fatal(err)
	}
	p.kill()
	path := filepath.Join(dir, "kafka", "partitions", "torn-0", "0.dat")
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, append(raw, raw[:len(raw)-1]...), 0o644); err != nil {
		t.Fatal(err)
	}
	p = startProcess(t, dir)
	c = connect(t, p.addr)
	if err := c.ProduceSync(t.Context(), &kgo.Record{Topic: "torn", Value: []byte("next")}).FirstErr(); err != nil {
		t.Fatal(err)
	}
	all := readAll(t, p.addr, "torn")
	if len(all) != 2 || string(all[1].Value) != "next" || all[1].Offset != 1 {
		t.Errorf("%d records", len(all))
	}
}

func TestASecondBrokerInAFolderIsRefused(t *testing.T) {
	dir := t.TempDir()
	start(t, dir, nil)
	_, err := Start(t.Context(), Options{Dir: dir})
	if !errors.Is(err, child.ErrFolderInUse) || failure.Classify(err) != failure.Config || !strings.Contains(err.Error(), dir) {
		t.Errorf("%v, want a configuration error that names the folder", err)
	}
}

func TestTransactionsAreRefused(t *testing.T) {
	b := start(t, t.TempDir(), nil)
	c := connect(t, b.Addr())
	for range 2 {
		init := kmsg.NewPtrInitProducerIDRequest()
		init.TransactionalID = kmsg.StringPtr("t")
		init.TransactionTimeoutMillis = 60_000
		resp, err := init.RequestWith(t.Context(), c)
		if err != nil || resp.ErrorCode != kerr.TransactionalIDAuthorizationFailed.Code {
			t.Errorf("%+v, %v: want a refusal", resp, err)
		}
	}
	createTopic(t, c, "a", nil)
	if err := c.ProduceSync(t.Context(), &kgo.Record{Topic: "a", Value: []byte("v")}).FirstErr(); err != nil {
		t.Errorf("an idempotent producer is refused too: %v", err)
	}
}

func TestAPartitionCannotBeEmptiedSoThatOffsetsGoOnAfterARestart(t *testing.T) {
	dir := t.TempDir()
	p := startProcess(t, dir)
	c := connect(t, p.addr)
	createTopic(t, c, "a", nil)
	for range 3 {
		if err := c.ProduceSync(t.Context(), &kgo.Record{Topic: "a", Value: []byte("v")}).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	old := make(kadm.Offsets)
	old.Add(kadm.Offset{Topic: "a", Partition: 0, At: 3})
	deleted, err := kadm.NewClient(c).DeleteRecords(t.Context(), old)
	if err == nil {
		err = deleted.Error()
	}
	if !errors.Is(err, kerr.PolicyViolation) {
		t.Errorf("%v, want a refusal", err)
	}
	p.kill()
	p = startProcess(t, dir)
	ends, err := kadm.NewClient(connect(t, p.addr)).ListEndOffsets(t.Context(), "a")
	if end, _ := ends.Lookup("a", 0); err != nil || end.Offset != 3 {
		t.Errorf("the partition ends at %d, want 3 (%v)", end.Offset, err)
	}
}

func TestATopicIsNotMadeByItsUse(t *testing.T) {
	b := start(t, t.TempDir(), nil)
	c := connect(t, b.Addr(), kgo.AllowAutoTopicCreation(), kgo.UnknownTopicRetries(1))
	err := c.ProduceSync(t.Context(), &kgo.Record{Topic: "unknown", Value: []byte("v")}).FirstErr()
	if !errors.Is(err, kerr.UnknownTopicOrPartition) {
		t.Errorf("%v, want an unknown topic", err)
	}
}

func TestSyncSeesEveryFileOnceUntilItChanges(t *testing.T) {
	dir := t.TempDir()
	b := start(t, dir, nil)
	c := connect(t, b.Addr())
	createTopic(t, c, "a", nil)
	for range 3 {
		if err := c.ProduceSync(t.Context(), &kgo.Record{Topic: "a", Value: []byte("v")}).FirstErr(); err != nil {
			t.Fatal(err)
		}
		if err := b.Sync(); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, "kafka", "partitions", "a-0", "0.dat")
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if got := b.syncer.synced[path]; got.size != info.Size() {
			t.Errorf("synced %d bytes of %d", got.size, info.Size())
		}
	}
}
