// Package crash holds named points at which a test can kill the process.
//
// A build with the tag syncline_crash reads SYNCLINE_CRASH_AT=name:N and kills its own process with SIGKILL when the
// point of that name is passed for the N-th time, so that a test can put a crash between any two steps of a protocol.
// In every other build a point is nothing.
package crash
