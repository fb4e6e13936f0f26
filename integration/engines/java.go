package engines

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/syncline-io/syncline/framework/child"
)

// javaMin is the oldest Java that Kafka's server runs on.
const javaMin = 17

// java returns the path of a Java that is new enough. It is asked once per program.
var java = sync.OnceValues(func() (string, error) {
	path, err := exec.LookPath("java")
	if err != nil {
		return "", fmt.Errorf("needs Java %d: %w", javaMin, ErrMissing)
	}
	out, err := exec.Command(path, "-version").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("java -version: %w: %s", err, out)
	}
	version := javaVersion.FindSubmatch(out)
	if version == nil {
		return "", fmt.Errorf("java -version says no version: %s", out)
	}
	if n, _ := strconv.Atoi(string(version[1])); n < javaMin {
		return "", fmt.Errorf("needs Java %d or newer (java is version %s): %w", javaMin, version[1], ErrMissing)
	}
	return path, nil
})

var javaVersion = regexp.MustCompile(`version "(\d+)`)

// How long a Java server is given: a cold start on a loaded machine takes half a minute.
const (
	javaStartPatience = 2 * time.Minute
	javaStopPatience  = 20 * time.Second
)

// javaServer is a server in a Java process, in a folder of its own.
type javaServer struct {
	name   string // for messages
	dir    string
	args   []string
	ready  func(ctx context.Context, log string) bool
	unlock func()

	mu      sync.Mutex // held while starting and stopping
	process *child.Process
}

// start ends what an earlier run left in the folder and starts the server. It returns when the server is ready.
func (s *javaServer) start(ctx context.Context) error {
	path, err := java()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, javaStartPatience, fmt.Errorf("not ready after %v", javaStartPatience))
	defer cancel()
	pidFile, log := filepath.Join(s.dir, "pid"), filepath.Join(s.dir, "log")
	if err := child.End(pidFile, s.dir, javaStopPatience, syscall.SIGTERM); err != nil {
		return err
	}
	p, err := child.Start(child.Command{Path: path, Args: s.args, Dir: s.dir, Log: log, PIDFile: pidFile})
	if err != nil {
		return err
	}
	for !s.ready(ctx, p.Log()) {
		select {
		case <-p.Done():
			return fmt.Errorf("%s ended: %s", s.name, p.LastLines(10))
		case <-ctx.Done():
			p.Kill()
			return fmt.Errorf("%s: %w; the end of its log: %s", s.name, context.Cause(ctx), p.LastLines(10))
		case <-time.After(50 * time.Millisecond):
		}
	}
	s.process = p
	return nil
}

// Stop ends the server in order and gives its folder free. The data stay.
func (s *javaServer) Stop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.process.Stop(javaStopPatience, syscall.SIGTERM)
	s.unlock()
}

// Kill ends the server with SIGKILL, as a crash does. It stays in its folder until Restart or Stop.
func (s *javaServer) Kill() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.process.Kill()
}

// Restart stops the server unless it has ended, and starts it at the same address with the same data. The caller still has
// to Stop it if Restart fails.
func (s *javaServer) Restart(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.process.Stop(javaStopPatience, syscall.SIGTERM)
	if err := s.start(ctx); err != nil {
		return fmt.Errorf("restart %w", err)
	}
	return nil
}

// Pause stops the server's clock (SIGSTOP): connections stay open and are not answered. Resume goes on.
func (s *javaServer) Pause() { s.signal(syscall.SIGSTOP) }

// Resume ends a Pause.
func (s *javaServer) Resume() { s.signal(syscall.SIGCONT) }

func (s *javaServer) signal(sig syscall.Signal) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.process.Signal(sig)
}

// propertiesText is a Java properties file. Backslashes are what a reader of such files would drop.
func propertiesText(lines []string) []byte {
	return []byte(strings.ReplaceAll(strings.Join(lines, "\n"), `\`, `\\`) + "\n")
}
