// Package line tests the whole line with real parts: PostgreSQL, Apache Kafka and a registry that others wrote, with the
// source and the sinks as separate processes, as a user runs them.
//
// Files: workload_test.go changes the source; verify_test.go compares the targets with it; topics_test.go reads the
// topics as any read-committed consumer does; kill_test.go kills everything at random moments.
package line
