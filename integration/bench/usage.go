package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"time"
)

// Usage is what a process used. It is zero where there is no /proc, and for programs that were not asked.
type Usage struct {
	// CPUSeconds is user and system time from the process's start to its end.
	CPUSeconds float64 `json:"cpu_seconds,omitempty"`
	// PeakBytes is the most memory that was resident, SteadyBytes the median of what was resident, looked at while it
	// worked. (What wait4 tells of a child's memory counts its parent's at the fork.)
	PeakBytes   int64 `json:"peak_bytes,omitempty"`
	SteadyBytes int64 `json:"steady_bytes,omitempty"`
}

// add counts another process in.
func (u *Usage) add(v Usage) {
	u.CPUSeconds += v.CPUSeconds
	u.PeakBytes += v.PeakBytes
	u.SteadyBytes += v.SteadyBytes
}

// meter watches the memory of a process.
type meter struct {
	pid     int
	quit    chan struct{}
	stopped chan struct{}
	seen    []float64
}

// residentLook is the pause between two looks at a process's memory.
const residentLook = 100 * time.Millisecond

// watch begins to look at the process. The caller stops it.
func watch(pid int) *meter {
	m := &meter{pid: pid, quit: make(chan struct{}), stopped: make(chan struct{})}
	go func() {
		defer close(m.stopped)
		ticker := time.NewTicker(residentLook)
		defer ticker.Stop()
		for {
			select {
			case <-m.quit:
				return
			case <-ticker.C:
				if n := kilobytes(m.read("status"), "VmRSS:"); n > 0 {
					m.seen = append(m.seen, float64(n))
				}
			}
		}
	}()
	return m
}

func (m *meter) read(file string) []byte {
	text, _ := os.ReadFile(filepath.Join("/proc", strconv.Itoa(m.pid), file)) // no /proc, no figures
	return text
}

// stop ends the watching and returns what the process has used, which must not have ended yet.
func (m *meter) stop() Usage {
	close(m.quit)
	<-m.stopped
	return Usage{
		CPUSeconds:  cpuOfProcess(m.pid),
		PeakBytes:   kilobytes(m.read("status"), "VmHWM:") << 10,
		SteadyBytes: int64(median(m.seen)) << 10,
	}
}

// cpuOfProcess is the CPU that a process has used until now, in seconds.
func cpuOfProcess(pid int) float64 { return cpuOf((&meter{pid: pid}).read("stat")) }

// ticks is the unit of times in /proc, per second: USER_HZ, the same on every Linux that Go runs on.
const ticks = 100

// cpuOf adds up user and system time, fields 14 and 15 of stat. The second field, the program's name in parentheses, may
// hold anything, so fields are counted after it.
func cpuOf(stat []byte) float64 {
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	if len(fields) < 13 {
		return 0
	}
	user, _ := strconv.ParseFloat(string(fields[11]), 64)
	system, _ := strconv.ParseFloat(string(fields[12]), 64)
	return (user + system) / ticks
}

// kilobytes finds a field of status, all of which are in kB.
func kilobytes(status []byte, field string) int64 {
	_, rest, _ := bytes.Cut(status, []byte(field))
	fields := bytes.Fields(rest)
	if len(fields) == 0 {
		return 0
	}
	kb, _ := strconv.ParseInt(string(fields[0]), 10, 64)
	return kb
}
