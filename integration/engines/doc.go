// Package engines starts the real servers that tests run against: PostgreSQL from the machine's packages, Apache Kafka, the
// Apicurio schema registry and Kafka Connect with Debezium's connectors from their Maven artifacts, and a proxy that breaks
// the connections to them.
//
// A test takes one of two ways:
//
//   - [PostgresForTest], [KafkaForTest], [RegistryForTest] and [Database] give the address of a server that all tests
//     share. It is the one that an environment variable names ([PostgresVariable], ...): `make test` starts each once
//     and runs all packages under cmd with. Without the variable the test program starts its own, once; a package that
//     uses them calls [Main] from TestMain so that they are stopped. Tests keep apart by names: [Database], [Unique].
//   - [NewPostgres], [NewKafka], [NewRegistry] and [NewConnect] start a server for one test, which may kill, restart and
//     configure it.
//
// [PythonForTest] gives a Python with stock Kafka, registry and Avro clients, for tests of what other languages see.
//
// On a machine that lacks a server's programs the test is skipped with a line that says what is missing; with CI=true in
// the environment it fails.
//
// Everything listens on free ports of 127.0.0.1, lives in a temporary folder, and dies with the program that started it.
// Downloads are made once, to syncline/engines in the user's cache folder; cmd fetch makes all of them.
//
// Files: postgres.go, kafka.go, registry.go, connect.go and proxy.go the servers; shared.go and fortest.go what tests call;
// fetch.go, connect_home.go and java.go what those in Java stand on; python.go the environment of other people's clients.
package engines
