// Package line tests the whole line with real parts: PostgreSQL, Apache Kafka and a registry that others wrote, with the
// source and the sinks as separate processes, as a user runs them.
//
// Files: workload_test.go changes the source; kill_test.go kills everything at random moments;
// mapping_test.go brings one table over in every form of a topic.
package line
