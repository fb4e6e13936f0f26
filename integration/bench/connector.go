package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime/pprof"
	"strconv"
	"syscall"
	"time"

	"github.com/syncline-io/syncline/connectors/postgres"
	"github.com/syncline-io/syncline/framework/child"
	"github.com/syncline-io/syncline/framework/run"
)

// connectorWord is the first argument of this program when it is to be a connector; the next are its configuration file
// and, when it is to be profiled, the file for that.
const connectorWord = "connector"

func isConnector(args []string) bool { return len(args) > 2 && args[1] == connectorWord }

// runConnector is the main function of the subject's process: that of cmd/postgres-source and cmd/postgres-sink.
func runConnector(args []string, out io.Writer) int {
	if len(args) > 1 {
		stop, err := startProfile(args[1])
		if err != nil {
			return run.Report(out, err)
		}
		defer stop()
	}
	ctx, stop := run.Signals(context.Background())
	defer stop()
	known := []run.Connector{run.OfSource(postgres.SourceConnector), run.OfSink(postgres.SinkConnector)}
	return run.Report(out, run.Files(ctx, known, args[:1], run.Platform{}))
}

// startProfile writes a CPU profile of this process until stop is called.
func startProfile(file string) (stop func(), err error) {
	f, err := os.Create(file)
	if err != nil {
		return nil, err
	}
	if err := pprof.StartCPUProfile(f); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return func() {
		pprof.StopCPUProfile()
		_ = f.Close()
	}, nil
}

// connector is a running subject.
type connector struct {
	name    string
	process *child.Process
}

// startConnector runs a connector with the configuration in a process of its own. kafka "" is the embedded broker.
func (s *stage) startConnector(name, kafka, yaml string) (*connector, error) {
	if kafka == "" {
		kafka = s.embedded.Brokers()[0]
	}
	dir := s.file(name)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	file := filepath.Join(dir, "connector.yaml")
	text := fmt.Sprintf("name: %s\nkafka: {brokers: [%q]}\nregistry: {url: %q}\nadmin: {listen: \"off\"}\n%s",
		name, kafka, s.embedded.RegistryURL(), yaml)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		return nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	args := []string{connectorWord, file}
	if s.profile != "" {
		profile, err := filepath.Abs(filepath.Join(s.profile, name+".prof"))
		if err != nil {
			return nil, err
		}
		args = append(args, profile)
	}
	p, err := child.Start(child.Command{Path: self, Args: args, Dir: dir, Log: filepath.Join(dir, "log"), ParentDeath: syscall.SIGTERM})
	if err != nil {
		return nil, fmt.Errorf("start connector %s: %w", name, err)
	}
	return &connector{name, p}, nil
}

// failure says how the process ended, nil while it runs.
func (c *connector) failure() error {
	select {
	case <-c.process.Done():
		return fmt.Errorf("connector %s ended (%v): %s", c.name, c.process.Err(), c.process.LastLines(5))
	default:
		return nil
	}
}

// stop stops the connector in order and adds to sample what it used.
func (c *connector) stop(sample *Sample) error {
	if err := c.failure(); err != nil {
		return err
	}
	sample.CPUSeconds, sample.PeakBytes = usage(c.process.PID())
	c.kill()
	if err := c.process.Err(); err != nil {
		return fmt.Errorf("stop connector %s: %w: %s", c.name, err, c.process.LastLines(5))
	}
	return nil
}

// kill ends the connector whatever it is doing; one that has ended is left alone.
func (c *connector) kill() { c.process.Stop(20*time.Second, syscall.SIGTERM) }

// usage reads from /proc what a process has used: seconds of CPU and the most memory that was resident. It is 0 where
// there is no /proc. (What wait4 tells of a child's memory counts its parent's at the fork.)
func usage(pid int) (cpuSeconds float64, peak int64) {
	dir := filepath.Join("/proc", strconv.Itoa(pid))
	if stat, err := os.ReadFile(filepath.Join(dir, "stat")); err == nil {
		cpuSeconds = cpuOf(stat)
	}
	if status, err := os.ReadFile(filepath.Join(dir, "status")); err == nil {
		peak = peakOf(status)
	}
	return cpuSeconds, peak
}

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

// peakOf finds VmHWM in status, which is in kB.
func peakOf(status []byte) int64 {
	_, rest, _ := bytes.Cut(status, []byte("VmHWM:"))
	fields := bytes.Fields(rest)
	if len(fields) == 0 {
		return 0
	}
	kb, _ := strconv.ParseInt(string(fields[0]), 10, 64)
	return kb << 10
}
