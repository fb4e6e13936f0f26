// Package child runs a server as a child process that cannot outlive its parent for long and is found again if it does.
//
// A server that a program starts for itself (PostgreSQL for the demo, an engine for a test) must not stay behind when the
// program is killed. Two things see to that:
//
//   - On Linux the kernel signals the child when its parent dies (PR_SET_PDEATHSIG). The kernel counts the death of the
//     *thread* that forked, so [Start] forks on a thread that is locked to the goroutine which then waits for the child:
//     that thread lives exactly as long as either of them.
//   - The process id stays in a file, and [Leftover] recognizes the process by its working folder, which no process that
//     got the same number later shares. Whoever starts in the same folder again ends what is left with [End] first.
//
// Every server has a folder of its own as working folder; [LockFolder] keeps two programs out of one folder.
package child
