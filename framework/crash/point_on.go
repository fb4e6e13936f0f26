//go:build syncline_crash

package crash

import (
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
)

// target is what SYNCLINE_CRASH_AT names: a point and how many passes are left before the last one.
var target = sync.OnceValue(func() *countdown {
	name, times, _ := strings.Cut(os.Getenv("SYNCLINE_CRASH_AT"), ":")
	n, err := strconv.ParseInt(times, 10, 64)
	if err != nil {
		n = 1
	}
	c := &countdown{name: name}
	c.left.Store(n)
	return c
})

type countdown struct {
	name string
	left atomic.Int64
}

// Point kills the process when SYNCLINE_CRASH_AT says so. SIGKILL cannot be caught: nothing is flushed or released.
func Point(name string) {
	if t := target(); t.name == name && t.left.Add(-1) == 0 {
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {} // the signal is on its way; nothing after this point may run
	}
}
