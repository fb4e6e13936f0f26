package publish

import (
	"context"
	"encoding/binary"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/syncline-io/syncline/framework/source"
	"github.com/syncline-io/syncline/integration/engines"
	"github.com/syncline-io/syncline/schemas"
)

func TestSecondInstanceWaitsAndGoesOnWhereTheFirstStopped(t *testing.T) {
	c, up := realKafka(t), newUpstream()
	table := itemsTable("items")
	first := run(t, c.options(up))
	up.rows(table, 1, 50)
	await(t, "the first instance", func() bool { return up.lastConfirmed().Version.High == 50 })
	second := run(t, c.options(up))
	await(t, "the second instance to wait", func() bool { return second.Status().State == Standby })
	up.rows(table, 51, 50)
	await(t, "the first instance alone", func() bool { return up.lastConfirmed().Version.High == 100 })
	if n := second.Status().Transactions; n != 0 {
		t.Errorf("the standby committed %d transactions", n)
	}
	if err := first.stop(); err != nil {
		t.Fatal(err)
	}
	up.rows(table, 101, 50)
	await(t, "the second instance", func() bool { return up.lastConfirmed().Version.High == 150 })
	if err := second.stop(); err != nil {
		t.Fatal(err)
	}
	wantOnce(t, c.committed(t, c.name+".public.items"), 150)
}

// A lease that two instances hold at once is what fencing is for: a network that came back, a paused process.
func TestNewInstanceFencesOneThatStillRuns(t *testing.T) {
	c, up := realKafka(t), newUpstream()
	table := itemsTable("items")
	stop := make(chan struct{})
	done := make(chan struct{})
	go func() {
		defer close(done)
		for i := 1; ; i++ {
			select {
			case <-stop:
				return
			case <-time.After(time.Millisecond):
				up.rows(table, i, 1)
			}
		}
	}()
	// Each has a lease of its own, and the old one does not get its lease a second time.
	own := func(tenures int32) func(context.Context, source.Env) (source.Source, error) {
		var opened atomic.Int32
		return func(ctx context.Context, env source.Env) (source.Source, error) {
			return &leased{model: model{up: up, env: env}, forever: opened.Add(1) > tenures}, nil
		}
	}
	o := c.options(up)
	o.Open = own(1)
	old := run(t, o)
	await(t, "the old instance", func() bool { return old.Status().Rows > 100 })
	o.Open = own(1000)
	young := run(t, o)
	await(t, "the old instance to be fenced", func() bool { return old.Status().LastError != "" })
	await(t, "the new instance", func() bool { return young.Status().Rows > 200 })
	close(stop)
	<-done
	n := len(up.log)
	await(t, "the rest", func() bool { return young.Status().Position.High == uint64(n) })
	t.Log("the old instance:", old.Status().LastError)
	if err := old.stop(); err != nil {
		t.Error(err)
	}
	if err := young.stop(); err != nil {
		t.Error(err)
	}
	wantOnce(t, c.committed(t, c.name+".public.items"), n)
}

// leased is a model whose lease is nobody else's business.
type leased struct {
	model
	forever bool // wait for it for ever
}

func (s *leased) Lease(ctx context.Context) error {
	if s.forever {
		<-ctx.Done()
		return ctx.Err()
	}
	return nil
}

func (s *leased) Confirm(source.Position) {}

// childRows is how many changes the child process has to publish.
const childRows = 10_000

// TestChildProcess is the process that the kill tests kill; it does nothing else.
func TestChildProcess(t *testing.T) {
	name := os.Getenv("PUBLISH_CHILD")
	if name == "" {
		t.Skip("this is the child of the kill tests")
	}
	c := cluster{opts: []kgo.Opt{kgo.SeedBrokers(os.Getenv("PUBLISH_CHILD_KAFKA"))}, name: name}
	up := newUpstream()
	up.rows(itemsTable("items"), 1, childRows)
	slow := func(ctx context.Context, env source.Env) (source.Source, error) {
		return &paced{model: model{up: up, env: env}}, nil
	}
	o := c.options(up)
	o.Open, o.LowestLatency = slow, true
	p := run(t, o)
	await(t, "everything", func() bool { return p.Status().Position.High == childRows })
	if err := p.stop(); err != nil {
		t.Fatal(err)
	}
}

// paced is a model that emits a change every quarter of a millisecond or so, for time to be killed in.
type paced struct{ model }

func (s *paced) Lease(context.Context) error { return nil }
func (s *paced) Close() error                { return nil }

func (s *paced) Run(ctx context.Context, from source.Position, out source.Emitter) error {
	return s.model.Run(ctx, from, pacedEmitter{out})
}

type pacedEmitter struct{ source.Emitter }

func (e pacedEmitter) Emit(c *schemas.Change) error {
	if c.Version.High%8 == 0 {
		time.Sleep(2 * time.Millisecond)
	}
	return e.Emitter.Emit(c)
}

// child starts the child process.
func child(t *testing.T, c cluster, env ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^TestChildProcess$", "-test.timeout=90s")
	cmd.Env = append(os.Environ(), append(env, "PUBLISH_CHILD="+c.name, "PUBLISH_CHILD_KAFKA="+engines.KafkaForTest(t))...)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	return cmd
}

func TestKilledProcessNeitherLosesNorRepeats(t *testing.T) {
	c := realKafka(t)
	seed := uint64(time.Now().UnixNano())
	t.Log("seed", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	kills := 0
	for {
		cmd := child(t, c)
		timer := time.AfterFunc(time.Duration(100+random.IntN(500))*time.Millisecond, func() { _ = cmd.Process.Kill() })
		if kills >= 8 {
			timer.Stop() // let it finish
		}
		err := cmd.Wait()
		timer.Stop()
		if err == nil {
			break
		}
		if kills++; kills > 8 {
			t.Fatalf("the child that was left alone: %v", err)
		}
	}
	t.Log("kills:", kills)
	wantOnce(t, c.committed(t, c.name+".public.items"), childRows)
}

// A commit whose answer is lost may have happened or not. Here they did, and the publisher gives up before it is told:
// the client's own tries go unanswered for longer than the transaction may take.
func TestLostAnswerToACommitNeitherLosesNorRepeats(t *testing.T) {
	c, up := realKafka(t), newUpstream()
	var lost forgetting
	c.opts = append(c.opts, kgo.Dialer(func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := new(net.Dialer).DialContext(ctx, network, address)
		return &forgetful{Conn: conn, lost: &lost}, err
	}))
	table := itemsTable("items")
	o := c.options(up)
	o.LowestLatency, o.TransactionTimeout = true, time.Second
	p := run(t, o)
	n := 0
	for ; n < 1000 || lost.answers.Load() == 0 && n < 30_000; n++ { // on a busy machine there are fewer commits a second
		up.rows(table, n+1, 1)
		time.Sleep(2 * time.Millisecond)
	}
	await(t, "everything", func() bool { return up.lastConfirmed().Version.High == uint64(n) })
	if err := p.stop(); err != nil {
		t.Fatal(err)
	}
	t.Logf("%d commits, %d answers lost, last error %q", lost.commits.Load(), lost.answers.Load(), p.Status().LastError)
	if p.Status().LastError == "" {
		t.Error("the publisher noticed nothing")
	}
	c.opts = c.opts[:1]
	wantOnce(t, c.committed(t, c.name+".public.items"), n)
}

// forgetting says which answers are lost: the one to every twentieth commit, and all in the next while.
type forgetting struct {
	commits, answers, until atomic.Int64
}

func (f *forgetting) loses() bool {
	now := time.Now()
	if f.commits.Add(1)%20 == 0 {
		f.until.Store(now.Add(1200 * time.Millisecond).UnixNano())
	}
	if now.UnixNano() > f.until.Load() {
		return false
	}
	f.answers.Add(1)
	return true
}

// forgetful is a connection that breaks after a request to end a transaction was sent, before its answer.
type forgetful struct {
	net.Conn
	lost *forgetting
}

func (c *forgetful) Write(b []byte) (int, error) {
	n, err := c.Conn.Write(b)
	if err == nil && len(b) > 6 && int16(binary.BigEndian.Uint16(b[4:])) == kmsg.EndTxn.Int16() && c.lost.loses() {
		time.Sleep(time.Duration(rand.IntN(5)) * time.Millisecond)
		return n, c.Conn.Close()
	}
	return n, err
}
