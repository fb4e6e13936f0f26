// Package proof looks at a line of programs from outside and says whether the promise holds: the target equals the source,
// and a read-committed consumer finds every change in the topics once and in order.
package proof
