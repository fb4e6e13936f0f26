// Package badinput provokes what goes wrong at an operator's hands: every condition is a real one, on real servers, met
// by the real programs. Each shows one message with its cause and the way out, and what the program does about it: it
// stops with an exit code, or it goes on trying and says so.
//
// The messages are kept in testdata, one file per condition; docs/troubleshooting.md explains them. Write the files anew
// with go test ./integration/badinput -update.
//
// Files: scene_test.go the servers, names and configurations of one test; golden_test.go the messages; config_test.go,
// postgres_test.go, kafka_test.go, registry_test.go and target_test.go the conditions; docs_test.go the page.
package badinput
