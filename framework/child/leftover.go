package child

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"syscall"
	"time"
)

// Leftover returns the process that the file's first line names, if it still runs in dir; 0 if there is none.
func Leftover(pidFile, dir string) int {
	b, err := os.ReadFile(pidFile)
	if err != nil {
		return 0
	}
	line, _, _ := bytes.Cut(b, []byte("\n"))
	pid, err := strconv.Atoi(string(bytes.TrimSpace(line)))
	if err != nil || pid <= 0 || !runsIn(pid, dir) {
		return 0
	}
	return pid
}

// End stops what an earlier run left in dir: it sends each signal in turn with so much patience after each, then SIGKILL.
// It returns when nothing of it is left.
func End(pidFile, dir string, patience time.Duration, signals ...syscall.Signal) error {
	pid := Leftover(pidFile, dir)
	if pid == 0 {
		return nil
	}
	for _, s := range append(signals, syscall.SIGKILL) {
		if err := syscall.Kill(pid, s); err != nil && err != syscall.ESRCH {
			return fmt.Errorf("stop process %d of an earlier run in %s: %w", pid, dir, err)
		}
		if gone(pid, dir, patience) {
			return nil
		}
	}
	return fmt.Errorf("process %d of an earlier run in %s does not end", pid, dir)
}

// gone waits until the process has left dir, for so long at most.
func gone(pid int, dir string, patience time.Duration) bool {
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if !runsIn(pid, dir) {
			return true
		}
	}
	return false
}
