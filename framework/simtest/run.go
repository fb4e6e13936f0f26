package simtest

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/syncline-io/syncline/framework/simtest/model"
	"github.com/syncline-io/syncline/schemas"
)

// Report is how a run ended.
type Report struct {
	Plan       Plan
	Violations []Violation
	// Journal tells what happened when; Took is how long it was in the bubble's time.
	Journal []string
	Took    time.Duration
	// Outcome is what was there at the end.
	Outcome *Outcome
}

// settleTime is how long a run may take, once nothing goes wrong any more, to bring everything to its end. Every
// back-off of the loops and of the client is far below it: what takes longer waits for something that nobody will do.
const settleTime = 5 * time.Minute

// stopTime is how long a soft stop may take.
const stopTime = 40 * time.Second

// Run carries out a plan. It must be called within a bubble of testing/synctest; mistake is nil but in a test of the
// validators themselves.
func Run(p Plan, mistake *Mistake) Report {
	w, err := newWorld(p, mistake)
	if err != nil {
		return Report{Plan: p, Violations: []Violation{{Validator: "setup", Message: err.Error()}}}
	}
	defer func() {
		w.expiries.Wait()
		w.cluster.Close()
		time.Sleep(time.Minute) // whoever of the dead still sleeps in a pause
	}()
	w.work.seedRows(w.upstream)
	w.keep(w.start(Source))
	w.keep(w.start(Sink))

	nemesis := make(chan struct{})
	go func() { defer close(nemesis); w.disturb() }()
	for i, pause := range w.work.pauses() {
		time.Sleep(pause)
		w.work.transaction(w.upstream, i)
	}
	<-nemesis
	w.heal()
	settled := w.settle()
	w.stopAll()
	o, err := w.outcome()
	if err != nil {
		w.violate("setup", "read what the run left: %v", err)
	} else if settled {
		w.sees(func(v Validator) {
			if v, ok := v.(endObserver); ok {
				v.End(o)
			}
		})
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return Report{Plan: p, Violations: w.violations, Journal: w.lines, Took: time.Since(w.began), Outcome: o}
}

// keep lists a process among those that run.
func (w *World) keep(p *process) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.live[p] = true
}

// copies returns the processes of a role that are alive.
func (w *World) copies(role Role) []*process {
	w.mu.Lock()
	all := make([]*process, 0, len(w.live))
	for p := range w.live {
		all = append(all, p)
	}
	w.mu.Unlock()
	var alive []*process
	for _, p := range all {
		if p.role == role && !p.gone() {
			alive = append(alive, p)
		}
	}
	return alive
}

// restartAfter starts another copy of the role once d is over, if none is running then.
func (w *World) restartAfter(role Role, d time.Duration) {
	w.mu.Lock()
	w.restarts++
	w.mu.Unlock()
	w.processes.Go(func() {
		time.Sleep(d)
		if len(w.copies(role)) == 0 && !(role == Sink && w.isOperating()) {
			w.keep(w.start(role))
		}
		w.mu.Lock()
		w.restarts--
		w.mu.Unlock()
	})
}

// disturb makes everything go wrong that the plan says, and returns when all that has a time is over.
func (w *World) disturb() {
	w.mu.Lock()
	for _, f := range w.plan.Faults {
		if f.Place != (Place{}) {
			w.armed = append(w.armed, f)
		}
	}
	w.mu.Unlock()
	done := make(chan struct{})
	n := 0
	for _, f := range w.plan.Faults {
		if f.Place != (Place{}) {
			continue
		}
		n++
		go func() {
			time.Sleep(f.At - time.Since(w.began))
			w.journal("%s", f)
			w.inflict(f)
			done <- struct{}{}
		}()
	}
	for range n {
		<-done
	}
}

// inflict carries out a fault that has a time, and returns when it is over.
func (w *World) inflict(f Fault) {
	switch f.What {
	case BrokerError:
		h := w.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{f.Key}, Err: f.Err, Count: f.Count}, kfake.Fault{Keys: []kmsg.Key{f.Key}, Err: f.Err, Count: f.Count, TopLevel: true})
		time.Sleep(30 * time.Second)
		h.Remove()
	case BrokerAway:
		w.mu.Lock()
		w.away = time.Now().Add(f.For)
		w.mu.Unlock()
		for _, role := range []Role{Source, Sink} {
			for _, p := range w.copies(role) {
				p.cutAll()
			}
		}
		time.Sleep(f.For)
	case LeadersMove:
		w.cluster.ShufflePartitionLeaders()
		w.cluster.RehashCoordinators()
	case RegistryAway:
		w.registry.Away(true)
		time.Sleep(f.For)
		w.registry.Away(false)
	case RegistryLags:
		w.registry.Lag(true)
		time.Sleep(f.For)
		w.registry.Lag(false)
	case TargetAway, TargetSlow, TargetStalls:
		w.mu.Lock()
		w.targetDown = state{f.What, time.Now().Add(f.For)}
		w.mu.Unlock()
		time.Sleep(f.For)
	case SecondSource, TornLease:
		p := w.start(Source)
		w.keep(p)
		if f.What == TornLease {
			w.upstream.TearLease()
		}
		time.Sleep(f.For)
		w.dismiss(p, true)
	case SecondSink, KilledSink:
		if w.isOperating() {
			return
		}
		p := w.start(Sink)
		w.keep(p)
		time.Sleep(f.For)
		w.dismiss(p, f.What == KilledSink)
	case UpstreamCut:
		w.mu.Lock()
		close(w.breaks)
		w.breaks = make(chan struct{})
		w.mu.Unlock()
	case ClockJumps:
		w.mu.Lock()
		w.clock += f.For
		w.mu.Unlock()
	case BadRecord:
		w.badRecord()
	case RegistryRefuses:
		w.registry.Refuse(true)
		time.Sleep(f.For)
		w.registry.Refuse(false)
	case RegistryRestored:
		w.registry.Restore(f.Nth)
	case Restart:
		w.restartSource()
	case OffsetsReset:
		w.operate(f)
	case TableMade:
		w.upstream.Add(w.work.tables[extras])
	}
}

// restartSource stops the sources that run softly, and starts one.
func (w *World) restartSource() {
	for _, p := range w.copies(Source) {
		p.stop()
		<-p.done
	}
	if len(w.copies(Source)) == 0 {
		w.keep(w.start(Source))
	}
}

// dismiss ends a second copy, or kills it. The last copy of a role is left alone.
func (w *World) dismiss(p *process, kill bool) {
	if p.gone() || len(w.copies(p.role)) < 2 {
		return
	}
	if kill {
		p.crash()
		return
	}
	w.journal("%s is stopped", p.name)
	p.stop()
	<-p.done
}

// badRecord writes a record that no schema fits into a table's topic.
func (w *World) badRecord() {
	cl, err := w.client(kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.UnknownTopicRetries(1), kgo.RecordDeliveryTimeout(5*time.Second))
	if err != nil {
		w.violate("setup", "%v", err)
		return
	}
	defer cl.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	r := &kgo.Record{Topic: topicOf(orders), Key: []byte("?"), Value: []byte("not Avro")}
	err = cl.ProduceSync(ctx, r).FirstErr()
	w.journal("foreign record at offset %d: %v", r.Offset, err)
}

// heal ends everything that goes wrong, and leaves one copy of each loop.
func (w *World) heal() {
	w.mu.Lock()
	w.healed = true
	w.away, w.targetDown = time.Time{}, state{}
	w.mu.Unlock()
	w.registry.Away(false)
	w.registry.Lag(false)
	w.registry.Refuse(false)
	w.registry.Reimport()
	for w.pending() {
		time.Sleep(10 * time.Millisecond)
	}
	for _, role := range []Role{Source, Sink} {
		alive := w.copies(role)
		for len(alive) > 1 {
			w.dismiss(alive[0], false)
			alive = w.copies(role)
		}
		if len(alive) == 0 {
			w.keep(w.start(role))
		}
	}
	if w.plan.needsRestart() {
		w.restartSource()
	}
	w.journal("healed")
}

func (w *World) pending() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.restarts > 0
}

// settle waits until everything has arrived. It reports false, and a violation, when that does not come about.
func (w *World) settle() bool {
	deadline := time.Now().Add(settleTime)
	for {
		why := w.unsettled()
		if why == "" {
			w.journal("settled")
			return true
		}
		if time.Now().After(deadline) {
			w.violate("no-wait", "%v after everything was well again: %s", settleTime, why)
			w.journal("the group: %+v", w.cluster.GroupInfo(prefix+"."+sinkName))
			return false
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// unsettled says what is still under way, "" when nothing is.
func (w *World) unsettled() string {
	for _, p := range w.copies(Source) {
		if got := p.publisher.Status(); got.Position.High < w.upstream.End() {
			return fmt.Sprintf("%s stands at %s of %x, %s: %s", p.name, got.Position, w.upstream.End(), got.State, got.LastError)
		}
	}
	next := map[model.TopicPartition]int64{}
	var status string
	for _, p := range w.copies(Sink) {
		st := p.loader.Status()
		status = fmt.Sprintf("%s is %s: %+v", p.name, st.State, st)
		for _, part := range st.Partitions {
			next[model.TopicPartition{Topic: part.Topic, Partition: part.Partition}] = part.Next
		}
	}
	for t := range w.work.tables {
		aside := schemas.QuarantineTopic(topicOf(t))
		for _, p := range w.cluster.PartitionInfos(aside) {
			if p.HighWatermark > 0 { // one that nothing was ever written to is nobody's, and stays
				return "the topic " + aside + " is still there"
			}
		}
	}
	// The loader's own word for its lag is as old as its last poll.
	for _, topic := range w.work.topics() {
		for _, part := range w.cluster.PartitionInfos(topic) {
			if at := max(next[model.TopicPartition{Topic: topic, Partition: part.Partition}], 0); at < part.HighWatermark {
				return fmt.Sprintf("%s/%d ends at %d and is loaded up to %d; %s", topic, part.Partition, part.HighWatermark, at, status)
			}
		}
	}
	return ""
}

// stopAll stops the loops softly and waits for everything that ever ran.
func (w *World) stopAll() {
	began := time.Now()
	for _, role := range []Role{Source, Sink} {
		for _, p := range w.copies(role) {
			p.stop()
		}
	}
	ended := make(chan struct{})
	go func() { w.processes.Wait(); close(ended) }()
	select {
	case <-ended:
	case <-time.After(stopTime):
		w.violate("no-wait", "a stop takes longer than %v", stopTime)
		w.mu.Lock()
		w.afterlife = true // so that the run can end
		w.mu.Unlock()
		<-ended
	}
	w.journal("stopped within %v", time.Since(began))
}

// Outcome is what a run left behind.
type Outcome struct {
	// Records are the committed ones by topic and partition, in order, control records left out.
	Records map[model.TopicPartition][]*kgo.Record
	// DeadLetters of the source and of the sink.
	SourceDead, SinkDead []*kgo.Record
	// State is that of the last position.
	Snapshots map[string]uint64
}

var errNoEnd = errors.New("a topic's end was not reached")

// outcome reads everything that is committed.
func (w *World) outcome() (*Outcome, error) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	cl, err := w.client(kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.KeepControlRecords(), kgo.FetchMaxWait(100*time.Millisecond))
	if err != nil {
		return nil, err
	}
	defer cl.Close()
	admin := kadm.NewClient(cl)
	topics, err := admin.ListTopics(ctx)
	if err != nil {
		return nil, err
	}
	ends, err := admin.ListCommittedOffsets(ctx, topics.Names()...)
	if err != nil {
		return nil, err
	}
	left, from := map[model.TopicPartition]int64{}, map[string]map[int32]kgo.Offset{}
	ends.Each(func(e kadm.ListedOffset) {
		if e.Offset == 0 {
			return
		}
		left[model.TopicPartition{Topic: e.Topic, Partition: e.Partition}] = e.Offset
		if from[e.Topic] == nil {
			from[e.Topic] = map[int32]kgo.Offset{}
		}
		from[e.Topic][e.Partition] = kgo.NewOffset().AtStart()
	})
	o := &Outcome{Records: map[model.TopicPartition][]*kgo.Record{}}
	cl.AddConsumePartitions(from)
	for len(left) > 0 {
		fetches := cl.PollFetches(ctx)
		if ctx.Err() != nil {
			return nil, fmt.Errorf("%w: %v", errNoEnd, left)
		}
		fetches.EachRecord(func(r *kgo.Record) {
			tp := model.TopicPartition{Topic: r.Topic, Partition: r.Partition}
			if !r.Attrs.IsControl() {
				o.Records[tp] = append(o.Records[tp], r)
			}
			if r.Offset+1 >= left[tp] {
				delete(left, tp)
			}
		})
	}
	o.SourceDead = o.Records[model.TopicPartition{Topic: sourceName + ".dlq"}]
	o.SinkDead = o.Records[model.TopicPartition{Topic: sinkName + ".dlq"}]
	o.Snapshots, err = snapshotsOf(o.Records[model.TopicPartition{Topic: offsetsTopic}])
	return o, err
}
