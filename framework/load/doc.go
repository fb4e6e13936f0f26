// Package load is the sink's loop: it takes change events from Kafka topics and brings them into one target, each of
// them once.
//
// One record's way through: the [Loader] polls it, the reader decodes it into an event and puts it into a batch, the
// writer folds the batch to one change per key, hands it to the [sink.Sink] together with the ledger's moves, and tells
// the consumer group. While the writer waits for the target the reader fills the next batch.
//
// Read in this order: options.go and load.go (a session: a consumer group member with a reader and a writer),
// partition.go and claim.go (where a partition begins), reader.go (records to events, in their order), record.go, catalog.go,
// codec.go and decode.go (how one record is decoded), foreign.go and tombstone.go (what must be found out about the
// records of other programs), batch.go and fold.go (events to rows), writer.go (rows to the target: retry, bisect, what
// an ambiguous commit became), deadletter.go, commit.go.
//
// # Where a partition begins
//
// For a sink with a ledger the ledger decides. The consumer group is named after the connector, and its offsets carry a
// mark of ours: they are for people and their tools. An offset without the mark was set by an operator and is obeyed.
// A ledger that lost its entry, an entry of another incarnation of the topic, an offset that the topic no longer has:
// each is a gap, and the loader stops. For a sink without a ledger the group's offsets decide.
//
// # Order
//
// Within a partition nothing overtakes: not a retry, not a dead letter, not a schema change. Between the partitions of
// one topic the source keeps the order per key. What spans keys waits at its place in each partition: a truncate is
// applied when all of them have come to it, and for that one member must have all partitions of the topic. The same is
// true of a renamed column, because another member would go on writing to its old name. With one partition per topic,
// the default, neither waits.
package load
