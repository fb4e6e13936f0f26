package simtest

import (
	"fmt"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Fault is one thing that goes wrong. Without a Place it happens at At; with one it waits from At on until the loop of
// its Role passes the Place for the Nth time, and happens there once.
type Fault struct {
	At    time.Duration // since the run's beginning, in the bubble's time
	What  What
	Role  Role
	Place Place
	Nth   int
	// For is how long the fault lasts; what it means to What that does not last is said there.
	For time.Duration
	// Key and Err say what a broker answers, Count how often: of a BrokerError only.
	Key   kmsg.Key
	Err   *kerr.Error
	Count int
}

// Role is which of the two loops a fault is about.
type Role uint8

// The roles.
const (
	Source Role = iota
	Sink
)

func (r Role) String() string { return [...]string{"source", "sink"}[r] }

// Place is a boundary of a process, passed twice: before the request leaves ("before"), and when its answer is there but
// has not been seen by the loop ("after").
type Place struct {
	Step  Step
	After bool
}

// Step is what a process asks the world around it for.
type Step string

// The steps. Those of Kafka are seen on the wire, the others at the interfaces.
const (
	Lease       Step = "lease"        // Source.Lease
	Fence       Step = "fence"        // InitProducerID
	Announce    Step = "announce"     // a produce to the tables topic
	Produce     Step = "produce"      // any other produce
	Commit      Step = "commit"       // EndTxn
	Emit        Step = "emit"         // a change goes to the emitter; before only
	Confirm     Step = "confirm"      // Source.Confirm
	Register    Step = "registry"     // any question to the registry
	Join        Step = "join"         // JoinGroup
	Sync        Step = "sync"         // SyncGroup
	Fetch       Step = "fetch"        // Fetch
	GroupCommit Step = "group commit" // OffsetCommit
	DeadLetter  Step = "dead letter"  // a produce to the dead letter topic
	Claim       Step = "claim"        // Ledger.Claim
	Write       Step = "write"        // Sink.Write
	Evolve      Step = "evolve"       // Evolver.Evolve
	Version     Step = "version"      // Versioner.Version
	Delete      Step = "delete topic" // DeleteTopics
)

// What is what goes wrong.
type What string

// At a Place.
const (
	Crash What = "crash"             // the process dies there and is started again after For
	Cut   What = "cut"               // the connection breaks, or the call fails; with After the work is done all the same
	Late  What = "lands late"        // a Write fails, and is committed after For all the same unless it is fenced
	Pause What = "pause the process" // nothing goes in or out for For: a stopped process, the maker of zombies
)

// At a time.
const (
	BrokerError  What = "broker answers"      // Count requests of Key with Err
	BrokerAway   What = "brokers away"        // every connection breaks, none can be made for For
	LeadersMove  What = "leaders move"        // partitions get other leaders, groups and transactions other coordinators
	RegistryAway What = "registry away"       // for For
	RegistryLags What = "registry lags"       // for For it does not know the ids that it has given out
	TargetAway   What = "target refuses all"  // for For every call fails
	TargetSlow   What = "target slow"         // for For each write takes a second
	TargetStalls What = "target stalls"       // for For calls hang
	SecondSource What = "second source"       // a second copy runs for For, then dies
	TornLease    What = "lease torn"          // a second copy gets the lease while the first goes on; it runs for For
	SecondSink   What = "second sink"         // another member for For, then it leaves
	KilledSink   What = "second sink, killed" // another member for For, then it dies
	UpstreamCut  What = "upstream breaks"     // the source's connection breaks
	ClockJumps   What = "clock jumps"         // the upstream's clock by For
	BadRecord    What = "foreign record"      // somebody writes what cannot be read into a table's topic

	RegistryRefuses  What = "registry refuses"  // for For it takes no other schema for a subject that has one
	RegistryRestored What = "registry restored" // it knows the ids no more that it gave in the time For before; they come back in the end
	Restart          What = "source restarted"  // the source is stopped, and started again
	OffsetsReset     What = "offsets reset"     // an operator stops all sinks and sets the group's offsets back, of the Nth table
	TableMade        What = "table made"        // a table is there that no source has read
)

// String tells the fault in words.
func (f Fault) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%7.3fs ", f.At.Seconds())
	switch {
	case f.Place != Place{}:
		when := "before"
		if f.Place.After {
			when = "after"
		}
		fmt.Fprintf(&b, "%s: %s %s %s #%d", f.Role, f.What, when, f.Place.Step, f.Nth)
	case f.What == BrokerError:
		fmt.Fprintf(&b, "%s %d × %s with %s", f.What, f.Count, f.Key.Name(), f.Err.Message)
	default:
		b.WriteString(string(f.What))
	}
	if f.For != 0 {
		fmt.Fprintf(&b, ", %s", f.For)
	}
	return b.String()
}
