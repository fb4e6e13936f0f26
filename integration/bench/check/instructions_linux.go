package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os/exec"
	"runtime"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// instructions runs a program and returns how many instructions it and its threads executed in user space. The counter is
// made for the thread that starts the program, is passed on to its children, and begins with their exec.
func instructions(command *exec.Cmd) (int64, error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	attr := unix.PerfEventAttr{
		Type: unix.PERF_TYPE_HARDWARE, Config: unix.PERF_COUNT_HW_INSTRUCTIONS, Size: uint32(unsafe.Sizeof(unix.PerfEventAttr{})),
		Bits: unix.PerfBitInherit | unix.PerfBitDisabled | unix.PerfBitEnableOnExec | unix.PerfBitExcludeKernel | unix.PerfBitExcludeHv,
	}
	fd, err := unix.PerfEventOpen(&attr, 0, -1, -1, unix.PERF_FLAG_FD_CLOEXEC)
	if err != nil {
		// No counter in a virtual machine, no permission in a container.
		if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.EACCES) || errors.Is(err, unix.EPERM) || errors.Is(err, unix.ENOSYS) || errors.Is(err, unix.EOPNOTSUPP) {
			return 0, fmt.Errorf("%w: %w", errNotCounted, err)
		}
		return 0, fmt.Errorf("count instructions: %w", err)
	}
	defer unix.Close(fd) //nolint:errcheck // only read
	command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if out, err := command.CombinedOutput(); err != nil {
		return 0, fmt.Errorf("%s: %w: %s", command.Path, err, out)
	}
	var count [8]byte
	if _, err := unix.Read(fd, count[:]); err != nil {
		return 0, fmt.Errorf("read the counter of instructions: %w", err)
	}
	return int64(binary.NativeEndian.Uint64(count[:])), nil
}
