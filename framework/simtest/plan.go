package simtest

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/syncline-io/syncline/framework/simtest/model"
)

// Plan is a run before it has happened: what stands where, what is written, what goes wrong. The same seed gives the same
// plan. How goroutines are scheduled is not part of it, so two runs of a plan are alike, and not the same.
type Plan struct {
	Seed   uint64
	Setup  Setup
	Faults []Fault
}

// Setup is what stands where.
type Setup struct {
	Brokers       int
	Partitions    int32
	Class         model.Class
	AtLeastOnce   bool
	LowestLatency bool
	BatchAge      time.Duration
	// Rows are there before the source starts, Transactions come while it runs.
	Rows, Transactions int
	// Huge is the number of changes of the largest transaction, 0 for none.
	Huge int
	// Fat makes rows so large that the source's buffers fill.
	Fat bool
	// Poison makes rows that the target refuses or that have no room in a topic; Truncates, Alters, Rekeys and Keyless
	// what their names say.
	Poison, Truncates, Alters, Rekeys, Keyless bool
	// Last is when the last transaction is committed, about.
	Last time.Duration
	// Quarantine is the source's policy for schemas that the registry refuses.
	Quarantine bool
	// WideState makes the source's state too large for its positions.
	WideState bool
}

// String prints the plan so that it can be read, faults in their order.
func (p Plan) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "seed %d: %+v\n", p.Seed, p.Setup)
	for _, f := range p.Faults {
		fmt.Fprintf(&b, "  %s\n", f)
	}
	return b.String()
}

// Without returns the plan without its i-th fault.
func (p Plan) Without(i int) Plan {
	p.Faults = append(append([]Fault(nil), p.Faults[:i]...), p.Faults[i+1:]...)
	return p
}

// PlanFor makes the plan of a seed.
func PlanFor(seed uint64) Plan {
	p := NarrowPlanFor(seed)
	p.widen()
	p.Setup.WideState = seed%3 == 0
	return p
}

// NarrowPlanFor is PlanFor without what widen adds. Its draws shall stay as they are, so that a seed that has shown a mistake
// goes on showing it.
func NarrowPlanFor(seed uint64) Plan {
	p := Plan{Seed: seed}
	r := p.rng(1)
	s := &p.Setup
	s.Brokers = pick(r, 1, 1, 1, 3)
	s.Partitions = pick[int32](r, 1, 1, 3)
	s.Class = pick(r, model.Transactional, model.Transactional, model.Transactional, model.Transactional, model.Idempotent, model.Effective)
	s.AtLeastOnce = r.IntN(5) == 0
	s.LowestLatency = r.IntN(4) == 0
	s.BatchAge = pick(r, 5*time.Millisecond, 5*time.Millisecond, 300*time.Millisecond)
	s.Rows = pick(r, 0, 10, 60)
	s.Transactions = 40 + r.IntN(60)
	if r.IntN(3) == 0 {
		s.Huge = 100 + r.IntN(300)
	}
	s.Fat = r.IntN(12) == 0
	s.Poison = r.IntN(3) == 0
	s.Alters = r.IntN(2) == 0
	s.Rekeys = r.IntN(2) == 0
	s.Truncates = r.IntN(2) == 0
	s.Keyless = s.Class == model.Transactional && r.IntN(2) == 0
	if s.Class != model.Transactional && s.Partitions > 1 {
		// A truncate of several partitions needs a ledger: without one, a restart can find some of them behind it and
		// some before.
		s.Truncates = false
	}
	if s.Class != model.Transactional {
		// Without a ledger a restart goes back to offsets before a rename that the target has seen already.
		s.Alters = false
	}
	s.Last = time.Duration(8+r.IntN(20)) * time.Second
	for range 1 + r.IntN(7) {
		p.Faults = append(p.Faults, fault(r, s))
	}
	return p
}

func pick[T any](r *rand.Rand, of ...T) T { return of[r.IntN(len(of))] }

// fault draws one.
func fault(r *rand.Rand, s *Setup) Fault {
	f := Fault{At: time.Duration(r.Int64N(int64(s.Last)))}
	switch r.IntN(20) {
	case 0, 1, 2, 3, 4, 5:
		f.What, f.For = Crash, time.Duration(r.Int64N(int64(2*time.Second)))
		f.place(r)
	case 6, 7, 8:
		f.What = Cut
		f.place(r)
	case 9:
		if s.Class != model.Transactional {
			return fault(r, s) // without a fence nothing keeps such a write from undoing a later one
		}
		f.What, f.Role, f.Place, f.Nth = Late, Sink, Place{Write, false}, 1+r.IntN(5)
		f.For = time.Duration(r.Int64N(int64(3 * time.Second)))
	case 10:
		if s.Class == model.Effective {
			return fault(r, s) // nor does anything keep a process apart that wakes up in the middle of a write
		}
		f.What, f.For = Pause, time.Duration(1+r.IntN(30))*time.Second
		f.place(r)
	case 11, 12:
		f.What = BrokerError
		f.broker(r)
	case 13:
		f.What, f.For = pick(r, BrokerAway, LeadersMove), time.Duration(r.Int64N(int64(20*time.Second)))
	case 14:
		f.What, f.For = pick(r, RegistryAway, RegistryLags), time.Duration(r.Int64N(int64(20*time.Second)))
	case 15:
		f.What, f.For = pick(r, TargetAway, TargetSlow, TargetStalls), time.Duration(r.Int64N(int64(30*time.Second)))
	case 16:
		f.What, f.For = pick(r, SecondSource, TornLease), time.Duration(1+r.IntN(10))*time.Second
		if s.AtLeastOnce {
			f.What = SecondSource // without transactions the lease is all that keeps two apart
		}
	case 17, 18:
		f.What, f.For = pick(r, SecondSink, KilledSink), time.Duration(1+r.IntN(10))*time.Second
	case 19:
		f.What = pick(r, UpstreamCut, ClockJumps, BadRecord)
		if f.What == ClockJumps {
			f.For = time.Duration(r.Int64N(int64(4*time.Hour))) - 2*time.Hour
		}
	}
	return f
}

// The steps at which a fault can be placed, by role.
var steps = [...][]Step{
	Source: {Lease, Fence, Announce, Produce, Produce, Commit, Commit, Commit, Emit, Emit, Confirm, Confirm, Register},
	Sink:   {Register, Join, Sync, Fetch, GroupCommit, DeadLetter, Claim, Claim, Write, Write, Write, Evolve},
}

// place draws where the fault happens.
func (f *Fault) place(r *rand.Rand) {
	f.Role = pick(r, Source, Sink)
	f.Place = Place{Step: pick(r, steps[f.Role]...), After: r.IntN(2) == 0}
	f.Nth = 1 + r.IntN(4)
	if f.Place.Step == Emit {
		f.Place.After, f.Nth = false, 1+r.IntN(60)
	}
}

// brokerErrors are what brokers answer to the requests of both loops, as far as a client is expected to go on after it.
var brokerErrors = []struct {
	key  kmsg.Key
	errs []*kerr.Error
}{
	{kmsg.Produce, []*kerr.Error{
		kerr.NotLeaderForPartition, kerr.RequestTimedOut, kerr.NotEnoughReplicas, kerr.NotEnoughReplicasAfterAppend,
		kerr.CorruptMessage, kerr.UnknownTopicOrPartition, kerr.LeaderNotAvailable, kerr.InvalidProducerEpoch,
		kerr.OutOfOrderSequenceNumber, kerr.UnknownProducerID, kerr.KafkaStorageError, kerr.ConcurrentTransactions,
	}},
	{kmsg.InitProducerID, []*kerr.Error{
		kerr.NotCoordinator, kerr.CoordinatorNotAvailable, kerr.CoordinatorLoadInProgress, kerr.ConcurrentTransactions,
		kerr.InvalidProducerEpoch, kerr.RequestTimedOut,
	}},
	{kmsg.AddPartitionsToTxn, []*kerr.Error{kerr.NotCoordinator, kerr.ConcurrentTransactions, kerr.CoordinatorLoadInProgress, kerr.InvalidTxnState}},
	{kmsg.EndTxn, []*kerr.Error{
		kerr.NotCoordinator, kerr.CoordinatorLoadInProgress, kerr.ConcurrentTransactions, kerr.InvalidProducerEpoch,
		kerr.InvalidTxnState, kerr.ProducerFenced, kerr.InvalidProducerIDMapping, kerr.UnknownServerError,
	}},
	{kmsg.Fetch, []*kerr.Error{kerr.NotLeaderForPartition, kerr.UnknownServerError, kerr.KafkaStorageError, kerr.FencedLeaderEpoch, kerr.UnknownLeaderEpoch, kerr.OffsetNotAvailable}},
	{kmsg.Metadata, []*kerr.Error{kerr.LeaderNotAvailable, kerr.UnknownServerError}},
	{kmsg.FindCoordinator, []*kerr.Error{kerr.CoordinatorNotAvailable, kerr.UnknownServerError}},
	{kmsg.JoinGroup, []*kerr.Error{kerr.NotCoordinator, kerr.CoordinatorLoadInProgress, kerr.UnknownMemberID, kerr.RebalanceInProgress}},
	{kmsg.SyncGroup, []*kerr.Error{kerr.NotCoordinator, kerr.RebalanceInProgress, kerr.IllegalGeneration, kerr.UnknownMemberID}},
	{kmsg.Heartbeat, []*kerr.Error{kerr.NotCoordinator, kerr.RebalanceInProgress, kerr.IllegalGeneration, kerr.UnknownMemberID}},
	{kmsg.OffsetCommit, []*kerr.Error{kerr.NotCoordinator, kerr.RebalanceInProgress, kerr.IllegalGeneration, kerr.UnknownMemberID, kerr.RequestTimedOut}},
	{kmsg.OffsetFetch, []*kerr.Error{kerr.NotCoordinator, kerr.CoordinatorLoadInProgress, kerr.UnstableOffsetCommit}},
	{kmsg.ListOffsets, []*kerr.Error{kerr.NotLeaderForPartition, kerr.LeaderNotAvailable, kerr.OffsetNotAvailable}},
	{kmsg.CreateTopics, []*kerr.Error{kerr.NotController, kerr.RequestTimedOut, kerr.ThrottlingQuotaExceeded}},
	{kmsg.DescribeConfigs, []*kerr.Error{kerr.RequestTimedOut, kerr.UnknownServerError}},
}

func (f *Fault) broker(r *rand.Rand) {
	e := pick(r, brokerErrors...)
	f.Key, f.Err, f.Count = e.key, pick(r, e.errs...), 1+r.IntN(6)
}
