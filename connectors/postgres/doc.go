// Package postgres is PostgreSQL as a source and as a sink.
//
// The source, in the order in which to read it: source.go (its life), lease.go (being the only one, and the watch over
// it), start.go (what a position means and how reading begins), snapshot.go (tables by COPY), stream.go, relation.go and
// logicalmessage.go (changes and messages from pgoutput). Below them: replication.go and lowwater.go (the connection), pgoutput.go (the messages),
// catalog.go (tables and types as PostgreSQL tells them), types.go, text.go, numeric.go, datetime.go and binary.go
// (values), slot.go, publication.go and checks.go.
//
// The sink's files begin with sink; start with sink.go.
package postgres
