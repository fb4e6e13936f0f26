package child

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"time"
)

// Command says what to run and how.
type Command struct {
	// Path is the program; Args are its arguments without the program's name.
	Path string
	Args []string
	// Env is the whole environment; nil is that of this process.
	Env []string
	// Dir is the working folder. It is also how the process is recognized later, so no two servers share one.
	Dir string
	// Log is the file that gets the output, appended.
	Log string
	// PIDFile gets the process id; "" for a server that writes such a file itself.
	PIDFile string
	// User is whom to run as; nil is the user of this process.
	User *syscall.Credential
	// ParentDeath is the signal that the kernel sends when this process dies; 0 is SIGKILL. Linux only.
	ParentDeath syscall.Signal
}

// Process is a running child. Its methods may be called from any goroutine.
type Process struct {
	cmd     *exec.Cmd
	logFile string
	logFrom int64 // size of the log before the start
	done    chan struct{}
	err     error // of the wait; read after done
}

// Start runs the command in a session of its own, so that a Ctrl-C in the terminal reaches this process alone and the
// child is stopped in order. The caller must Stop or Kill it.
func Start(c Command) (*Process, error) {
	log, err := os.OpenFile(c.Log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return nil, fmt.Errorf("open the log: %w", err)
	}
	defer log.Close()
	from, err := log.Seek(0, io.SeekEnd)
	if err != nil {
		return nil, fmt.Errorf("open the log: %w", err)
	}
	cmd := exec.Command(c.Path, c.Args...)
	cmd.Env, cmd.Dir = c.Env, c.Dir
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Credential: c.User}
	if c.ParentDeath == 0 {
		c.ParentDeath = syscall.SIGKILL
	}
	signalOnParentDeath(cmd.SysProcAttr, c.ParentDeath)

	p := &Process{cmd: cmd, logFile: c.Log, logFrom: from, done: make(chan struct{})}
	started := make(chan error)
	go p.run(started)
	if err := <-started; err != nil {
		return nil, fmt.Errorf("start %s: %w", c.Path, err)
	}
	if c.PIDFile != "" {
		if err := os.WriteFile(c.PIDFile, fmt.Appendf(nil, "%d\n", p.PID()), 0o644); err != nil {
			p.Kill()
			return nil, fmt.Errorf("write the process id: %w", err)
		}
	}
	return p, nil
}

// run forks and waits on one thread; the package comment says why.
func (p *Process) run(started chan<- error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := p.cmd.Start(); err != nil {
		started <- err
		return
	}
	started <- nil
	p.err = p.cmd.Wait()
	close(p.done)
}

// PID is the process id.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Done is closed when the process has ended.
func (p *Process) Done() <-chan struct{} { return p.done }

// Err says how the process ended, nil for exit code 0. It is valid after Done.
func (p *Process) Err() error { return p.err }

// Signal sends s. An ended process is no error.
func (p *Process) Signal(s syscall.Signal) {
	select {
	case <-p.done:
	default:
		_ = p.cmd.Process.Signal(s) // the only error is that it has just ended
	}
}

// Stop sends each signal in turn and gives the process so much patience after each, then kills it. It returns when the
// process has ended.
func (p *Process) Stop(patience time.Duration, signals ...syscall.Signal) {
	for _, s := range signals {
		p.Signal(s)
		select {
		case <-p.done:
			return
		case <-time.After(patience):
		}
	}
	p.Kill()
}

// Kill ends the process at once and returns when it has ended.
func (p *Process) Kill() {
	p.Signal(syscall.SIGKILL)
	<-p.done
}

// logTailMax bounds what Log reads: the reason of a failed start is at the end.
const logTailMax = 64 << 10

// Log returns what the process has written since its start, its last 64 KiB at most.
func (p *Process) Log() string {
	f, err := os.Open(p.logFile)
	if err != nil {
		return ""
	}
	defer f.Close()
	size, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return ""
	}
	from := max(p.logFrom, size-logTailMax)
	b := make([]byte, max(0, size-from))
	n, _ := f.ReadAt(b, from)
	return string(bytes.TrimSpace(b[:n]))
}

// LastLines returns the last n lines of Log, for an error message.
func (p *Process) LastLines(n int) string {
	lines := strings.Split(p.Log(), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}
