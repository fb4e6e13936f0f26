package simtest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/syncline-io/syncline/framework/failure"
	"github.com/syncline-io/syncline/framework/load"
	"github.com/syncline-io/syncline/framework/publish"
	"github.com/syncline-io/syncline/framework/simtest/model"
	"github.com/syncline-io/syncline/framework/sink"
	"github.com/syncline-io/syncline/schemas"
)

// The names of everything in the simulation.
const (
	sourceName   = "shop"
	sinkName     = "warehouse"
	prefix       = "sim"
	tablesTopic  = prefix + ".tables"
	offsetsTopic = prefix + ".offsets." + sourceName
)

// bufferBytes is the source's bound on changes on their way to Kafka: the least there is, so that it is reached.
const bufferBytes = 1 << 20

// World is one run: brokers, registry, upstream, target, the processes between them, and what has gone wrong.
type World struct {
	plan     Plan
	mistake  *Mistake
	wires    kfake.VirtualNetwork
	cluster  *kfake.Cluster
	wire     *wire
	registry *model.Registry
	upstream *model.Upstream
	target   *model.Target
	work     *workload

	processes sync.WaitGroup
	expiries  sync.WaitGroup // memberships that will end
	began     time.Time

	mu         sync.Mutex
	validators []Validator
	lines      []string // the journal
	violations []Violation
	started    map[Role]int
	crashed    map[Role]int
	live       map[*process]bool
	armed      []Fault // waiting for their place, in the order of the plan
	passed     map[int]int
	restarts   int // processes that will be started again
	healed     bool
	afterlife  bool      // the dead may speak again: something of theirs did not end without an answer
	away       time.Time // the brokers, until
	targetDown state
	breaks     chan struct{} // closed and replaced when the upstream's connections break
	clock      time.Duration

	operating bool // an operator has stopped the sinks, and starts them again
	resets    resets

	rowsOnce sync.Once
	rowsBy   map[schemas.Version]model.Row // which row a change was about; made at the end
}

// state is how the target is.
type state struct {
	what  What
	until time.Time
}

// Violation is a promise that was broken, and which validator saw it.
type Violation struct {
	Validator string
	Message   string
	At        time.Duration
}

func (v Violation) String() string {
	return fmt.Sprintf("%7.3fs %s: %s", v.At.Seconds(), v.Validator, v.Message)
}

// violationsKept bounds what one run reports.
const violationsKept = 12

func (w *World) violate(validator, format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.violations) < violationsKept {
		w.violations = append(w.violations, Violation{validator, fmt.Sprintf(format, args...), time.Since(w.began)})
	}
}

// journal notes what happens, for whoever must understand a failure.
func (w *World) journal(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.lines = append(w.lines, fmt.Sprintf("%7.3fs ", time.Since(w.began).Seconds())+fmt.Sprintf(format, args...))
}

// newWorld makes everything but the processes. It must be called within a bubble.
func newWorld(p Plan, mistake *Mistake) (*World, error) {
	w := &World{
		plan: p, mistake: mistake, began: time.Now(), started: map[Role]int{}, crashed: map[Role]int{}, live: map[*process]bool{},
		passed: map[int]int{}, breaks: make(chan struct{}), registry: model.NewRegistry(),
	}
	w.wire = newWire(w)
	ports := make([]int, p.Setup.Brokers)
	for i := range ports {
		ports[i] = 9092 + i
	}
	var err error
	w.cluster, err = kfake.NewCluster(kfake.NumBrokers(len(ports)), kfake.Ports(ports...), kfake.ListenFn(w.wires.Listen),
		kfake.BrokerConfigs(map[string]string{"group.initial.rebalance.delay.ms": "0"}))
	if err != nil {
		return nil, err
	}
	w.work = newWorkload(p)
	w.upstream = model.NewUpstream(w.work.tables[:w.work.early()]...)
	w.upstream.WideState = w.plan.Setup.WideState
	w.upstream.Clock = w.now
	w.target = model.NewTarget(p.Setup.Class, func(format string, args ...any) { w.violate("contract", format, args...) })
	w.target.Refuse(refusePoison)
	w.validators = validatorsOf(w)
	if mistake != nil && mistake.Kafka != nil {
		mistake.Kafka(w)
	}
	w.upstream.OnConfirm = w.confirmed
	w.target.OnWrite = w.wrote
	return w, nil
}

// crashes is how many processes of a role have crashed.
func (w *World) crashes(role Role) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.crashed[role]
}

// now is the upstream's clock, which jumps.
func (w *World) now() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return time.Now().Add(w.clock)
}

func (w *World) kafka() []kgo.Opt {
	return []kgo.Opt{kgo.SeedBrokers(w.cluster.ListenAddrs()...), kgo.DisableClientMetrics()}
}

// client is for the simulation's own use: no fault reaches it.
func (w *World) client(opts ...kgo.Opt) (*kgo.Client, error) {
	return kgo.NewClient(append(append(w.kafka(), kgo.Dialer(w.wires.DialContext)), opts...)...)
}

func (w *World) sourceOptions(p *process, kafka []kgo.Opt) publish.Options {
	s := &w.plan.Setup
	return publish.Options{
		Name: sourceName, Open: p.openSource, Kafka: kafka, Registry: registrySeam{p},
		Mapping: schemas.Mapping{Prefix: sourceName}, InternalPrefix: prefix,
		Topics:      publish.Topics{Partitions: s.Partitions, Configs: map[string]string{"max.message.bytes": fmt.Sprint(recordMax)}},
		AtLeastOnce: s.AtLeastOnce, LowestLatency: s.LowestLatency, Quarantine: s.Quarantine,
		BufferBytes: bufferBytes, TransactionTimeout: 10 * time.Second, DrainTimeout: 5 * time.Second,
		Log: w.log(p), Metrics: discardMetrics(),
	}
}

func (w *World) sinkOptions(p *process, kafka []kgo.Opt) load.Options {
	return load.Options{
		Name: sinkName, Kafka: append(kafka, kgo.ClientID(p.clientID())), Registry: registrySeam{p}, Topics: []string{sourceName + ".public.*"}, InternalPrefix: prefix,
		Batch: load.Limits{Bytes: 1 << 20, Rows: batchRows, Age: w.plan.Setup.BatchAge},
		Open:  p.openSink, StopTimeout: 5 * time.Second, Log: w.log(p), Metrics: discardMetrics(),
	}
}

// batchRows bounds a batch of the sink, small enough that a huge transaction takes several.
const batchRows = 100

// log takes a process's warnings into the journal.
func (w *World) log(p *process) *zap.Logger {
	encoder := zapcore.NewConsoleEncoder(zapcore.EncoderConfig{MessageKey: "m"})
	return zap.New(zapcore.NewCore(encoder, zapcore.AddSync(journalWriter{w, p}), zapcore.WarnLevel))
}

type journalWriter struct {
	w *World
	p *process
}

func (j journalWriter) Write(b []byte) (int, error) {
	if j.p.isDead() {
		return len(b), nil
	}
	j.w.journal("%s: %s", j.p.name, strings.TrimSpace(string(b)))
	return len(b), nil
}

// refusePoison is the target's opinion of some rows.
func refusePoison(_ *sink.Table, row map[string]string) error {
	for _, text := range row {
		if text == poison {
			return failure.As(failure.Refused, fmt.Errorf("value %q violates a constraint", text), "")
		}
	}
	return nil
}

// sees calls f with every validator.
func (w *World) sees(f func(Validator)) {
	for _, v := range w.validators {
		f(v)
	}
}

// writeTime is how long the target takes for a batch.
func (w *World) writeTime() time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.targetDown.what == TargetSlow && time.Now().Before(w.targetDown.until) {
		return time.Second
	}
	return 2 * time.Millisecond
}

// targetReached waits, or fails, while the target is in trouble.
func (w *World) targetReached(ctx context.Context, p *process) error {
	for {
		w.mu.Lock()
		down := w.targetDown
		w.mu.Unlock()
		left := time.Until(down.until)
		switch {
		case left <= 0 || down.what == TargetSlow:
			return nil
		case down.what == TargetAway:
			return errTarget
		}
		select {
		case <-time.After(left):
		case <-ctx.Done():
			return ctx.Err()
		}
		if p.isDead() {
			return errDead
		}
	}
}

func (w *World) brokersAway() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return time.Now().Before(w.away)
}

func (w *World) inAfterlife() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.afterlife
}

// upstreamBreaks is closed when the connections that are open now break.
func (w *World) upstreamBreaks() <-chan struct{} {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.breaks
}

// due returns the fault that happens at a place now, nil when none does.
func (w *World) due(role Role, at Place) *Fault {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.healed {
		return nil
	}
	now := time.Since(w.began)
	for i := range w.armed {
		f := &w.armed[i]
		if f.Role != role || f.Place != at || f.At > now || w.passed[i] < 0 {
			continue
		}
		if w.passed[i]++; w.passed[i] >= f.Nth {
			w.passed[i] = -1 << 30 // it has happened
			return f
		}
	}
	return nil
}

// rng gives each part of a run numbers of its own, so that leaving out a fault changes nothing else.
func (p Plan) rng(part uint64) *rand.Rand { return rand.New(rand.NewPCG(p.Seed, part)) }
