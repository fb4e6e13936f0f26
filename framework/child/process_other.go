//go:build unix && !linux

package child

import (
	"os/exec"
	"strconv"
	"strings"
	"syscall"
)

// signalOnParentDeath does nothing: only Linux has it. A child that stays behind is ended at the next start.
func signalOnParentDeath(*syscall.SysProcAttr, syscall.Signal) {}

// runsIn reports whether the process lives and names dir in its command line; the working folder of another process
// cannot be read everywhere.
func runsIn(pid int, dir string) bool {
	out, err := exec.Command("ps", "-o", "args=", "-p", strconv.Itoa(pid)).Output()
	return err == nil && strings.Contains(string(out), dir)
}
