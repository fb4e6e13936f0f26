// Package model holds a source database, a target and a registry in memory, for tests of the loops between them.
//
// They are strict where a real system is silent: the [Upstream] gives up its log when that is confirmed and calls it a
// gap when somebody asks for it again, the [Target] complains of batches that break the contract of package sink. Both
// remember what was in a row at each version, so that a test can ask at any moment whether a target is right.
//
// The package knows the contracts (framework/source, framework/sink) and the schemas, and neither Kafka nor the loops:
// framework/publish and framework/load test themselves with it, and framework/simtest puts everything together.
//
// Read upstream.go, session.go, target.go, registry.go.
package model
