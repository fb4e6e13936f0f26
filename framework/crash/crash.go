// Package crash holds named points at which a test can kill the process.
//
// A build with the tag syncline_crash reads SYNCLINE_CRASH_AT=name:N and kills its own process with SIGKILL when the
// point of that name is passed for the N-th time, so that a test can put a crash between any two steps of a protocol.
// With name:N:500ms whoever passes it stands there for that long before, and the rest of the process goes on: what others
// were told too early they then do. In every other build a point is nothing: not even its name is in the program.
//
// A point stands before and after each step that somebody else can see: a commit, an acknowledged write, a created topic,
// slot or table, a claim, a confirmation; and between the parts of a transaction. To add one, call
//
//	crash.Point("area.moment")
//
// with a name that no other place has, written as a string. The area is the package or the program: publish, load,
// postgres-source, postgres-sink, duckdb-sink. Then give it a kill in integration/kills, whose test fails until there is
// one: say in which chain, and what makes the program pass there.
package crash
