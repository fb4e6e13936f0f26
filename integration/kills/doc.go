// Package kills ends each program with SIGKILL at every point of framework/crash, one after the other, starts it again and
// looks whether anything was lost or repeated: against real PostgreSQL, Apache Kafka and a registry that others wrote, with
// the programs as users run them but for the build tag.
//
// A chain is a pipeline of one source and one sink with the kills of one of the two. Each kill stops that program, starts it
// with the order to die at its point, makes changes until it has died, starts it again without the order, waits until
// everything has arrived, and compares the target with the source. At its end a chain counts what is in the topics.
//
// Files: chain_test.go runs the kills; source_test.go, snapshot_test.go, quarantine_test.go and sink_test.go say which there
// are; pipeline_test.go holds the programs and looks at them; traffic_test.go makes the changes; points_test.go compares the
// points in the code with the kills, so that neither is without the other, and commits_test.go with the steps that need one.
package kills
