// Package jdbc shows what Debezium's JDBC sink makes of our topics in a PostgreSQL database, beside what it makes of Debezium's
// own: what it refuses from both, or alters in both, is the sink's and not ours.
//
// One run serves all tests. The shop of the demo and the statements of integration/types go through our source and through
// Debezium's, on Apache Kafka and a registry that others wrote; a Kafka Connect worker has the sinks. sources_test.go makes
// the topics, sinks_test.go loads them, compare_test.go holds the targets against the sources; outcomes_test.go judges.
// testdata/outcomes.txt is what came of it, column by column where anything did.
package jdbc
