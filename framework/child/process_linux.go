package child

import (
	"fmt"
	"os"
	"syscall"
)

func signalOnParentDeath(a *syscall.SysProcAttr, s syscall.Signal) { a.Pdeathsig = s }

// runsIn reports whether the process lives, is no zombie, and has dir as its working folder.
func runsIn(pid int, dir string) bool {
	cwd, err := os.Stat(fmt.Sprintf("/proc/%d/cwd", pid)) // fails for a zombie, and for another user's process
	if err != nil {
		return false
	}
	want, err := os.Stat(dir)
	return err == nil && os.SameFile(cwd, want)
}
