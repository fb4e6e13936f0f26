//go:build syncline_crash

package crash

import (
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// order is what SYNCLINE_CRASH_AT says: a point, how many passes are left before the last one, and how long that lasts.
type order struct {
	name  string
	left  atomic.Int64
	stand time.Duration
}

var given = sync.OnceValue(func() *order {
	fields := append(strings.Split(os.Getenv("SYNCLINE_CRASH_AT"), ":"), "", "")
	o := &order{name: fields[0]}
	n, err := strconv.ParseInt(fields[1], 10, 64)
	if err != nil {
		n = 1
	}
	o.left.Store(n)
	o.stand, _ = time.ParseDuration(fields[2]) // without one it is 0
	return o
})

// Point kills the process when SYNCLINE_CRASH_AT says so. SIGKILL cannot be caught: nothing is flushed or released.
func Point(name string) {
	if o := given(); o.name == name && o.left.Add(-1) == 0 {
		time.Sleep(o.stand)
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {} // the signal is on its way; nothing after this point may run
	}
}
