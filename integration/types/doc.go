// Package types holds every type and every kind of change of PostgreSQL against two measures: what a real Debezium wrote
// for the same statements, and what the value is.
//
// One run of testdata/types.sql serves all tests: a source streams it, a second one takes a snapshot of what it leaves, and
// sinks for PostgreSQL and DuckDB load the first one's topics. run_test.go makes that run, topics_test.go reads what came of
// it; identity_test.go compares with testdata/debezium, cases_test.go says case by case what must arrive.
package types
