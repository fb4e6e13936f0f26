// Package publish is the source loop: it takes the changes that a [source.Source] reads to Kafka, each of them once.
//
// One tenure (session.go) goes like this. Hold the source's lease. Obtain the producer id of the transactional id
// syncline.<connector>, which fences the predecessor and aborts what it left open. Write a mark to the offsets topic and
// read that topic, committed records only, up to the mark: the last position before it is where the source goes on.
// Then two goroutines work side by side: the source's own encodes changes into batches (emitter.go, batch.go, queue.go),
// and the committer cuts them into Kafka transactions (committer.go), each of which ends with the position that it
// covers. After a commit, and only then, the position is confirmed to the source.
//
// Whatever goes wrong with a transaction, its outcome is never guessed: the clients, the buffers and the source are
// dropped and the next tenure reads in the offsets topic how it ended (publisher.go).
//
// Read publisher.go, session.go, emitter.go, queue.go, committer.go, pace.go, completion.go, position.go; then table.go, topics.go
// and newest.go for what happens when a table is met for the first time, deadletter.go for records that Kafka will not take, transaction.go for
// what the end of an upstream transaction counts, guard.go
// for a registry that becomes another one, and quarantine.go for changes whose schema it refuses, and their way home.
package publish
