// Package simtest runs both loops, a broker, a registry, a source and a target in one process and in fake time, lets things
// go wrong by seed, and has validators watch what comes out.
//
//	go test ./framework/simtest                              600 seeds, the planted mistakes: half a minute on two cores
//	go test ./framework/simtest -run 'TestSim$' -seed=N      one seed, with the journal of what happened
//	make soak SOAK=2h                                        other seeds every time, for so long
//	go test ./framework/simtest -run TestHunt -hunt=500      seeds that show each planted mistake ten times out of ten
//
// A seed makes a [Plan]: what stands where, what is written, which faults. The same seed gives the same plan. How
// goroutines are scheduled is not part of it: a failure comes back in most runs of its seed, not in all. What failed is
// printed with its plan, and with the faults that are enough ([Shrink]). [NarrowPlanFor] is what a seed gave before plans
// were widened (widen.go): the seeds that are pinned with it, those of the planted mistakes among them, stay what they were
// when something is added. When the narrow plans themselves change, TestHunt finds others.
//
// # Who models what
//
// The loops are the real ones (framework/publish, framework/load) with the real Kafka client, Avro and tables topic.
//
// kfake is the broker where its semantics are Kafka's: topics, produce and fetch, transactions and their isolation,
// producer epochs, consumer groups, the errors that brokers answer with ([BrokerError]). It never crashes here: what its
// transactions look like after a crash is its own (see framework/embedded/broker), so [BrokerAway] breaks all
// connections and keeps what was acknowledged, as a replicated cluster does. Fencing and crashes of a real broker are
// tested on Apache Kafka, by framework/publish and integration/line; here they only must not be stumbled over.
//
// A member that dies between two steps of a rebalance stays in kfake's groups for ever; the end of its session is ours
// (process.go).
//
// The connections are ours (network.go): each frame of a process passes a [Place] before it leaves and after its answer
// has come, and there the process can die, the connection break with the work done or not, or everything of the process
// stand still. wire.go reads along and knows what the broker has done even when nobody else does.
//
// A process that crashes keeps its goroutines, because goroutines cannot be killed; it loses its connections, its lease
// and its target in the same instant, so that nothing it still does is seen. What a crash does to memory that is shared
// with the disk (a torn file) is not modelled: neither loop has files.
//
// Upstream, target and registry are package model's. The target is of one of three classes; of the connectors there
// are, all have a ledger, so that the other two test the loops' contract for connectors to come. The registry gives ids, lags,
// is away, refuses whatever is new to a subject, and is restored to an earlier state; after that it gives no id a second time,
// and what it has lost comes back in the end, as the hint to an operator says. Ids that mean another schema are
// framework/load's tests'. The operator (operator.go) stops all sinks and sets a topic's offsets back to its beginning.
//
// Not modelled: brokers that lose what they acknowledged, retention that overtakes a reader, topics of tables that are deleted
// or made again (framework/load tests that it is noticed), tables that are dropped, truncates in several partitions for targets
// without a ledger, a lease torn under at_least_once while a table is read for the first time, more than three partitions, disk, memory,
// and the clocks of a process (a process's own clock is the bubble's; only the upstream's jumps).
//
// # A connector of one's own
//
// The conformance suites test connectors; this package tests the loops. To run a source or sink of one's own in it, give
// a [Mistake] without a Validator whose Source or Sink returns it, and look at the [Report]. Tests must be built with the
// tag synctests (see TestMain), and the connector must do its work without sockets, or its waits stop the clock.
//
// Read fault.go, plan.go, widen.go and run.go for a run; process.go, network.go, wire.go, seams.go for where faults happen;
// validator.go and validate_*.go for what is promised; mistake.go for how that is tested.
package simtest
