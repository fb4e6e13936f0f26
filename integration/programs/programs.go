// Package programs runs the project's programs for tests, as processes that a test configures, asks, stops and kills.
//
// A package that uses it calls [Main] from TestMain: the programs are built once for all tests of the package.
package programs

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/syncline-io/syncline/framework/child"
	"github.com/syncline-io/syncline/integration/engines"
)

// folder is where the programs are built, tags what they are built with.
var folder, tags string

// Main runs the tests of a package that starts programs and engines; it is the body of TestMain:
//
//	func TestMain(m *testing.M) { os.Exit(programs.Main(m)) }
func Main(m *testing.M) int { return MainWithTags(m, "") }

// MainWithTags is [Main] for programs that are built with build tags, separated by commas.
func MainWithTags(m *testing.M, buildTags string) int {
	tags = buildTags
	dir, err := os.MkdirTemp("", "syncline-programs-")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir) //nolint:errcheck // what stays is removed with the machine's other temporary files
	folder = dir
	return engines.Main(m)
}

var build = sync.OnceValue(func() error {
	if folder == "" {
		return errors.New("TestMain does not call programs.Main")
	}
	command := exec.Command("go", "build", "-tags", tags, "-o", folder+string(filepath.Separator),
		"./cmd/postgres-source", "./cmd/postgres-sink", "./cmd/duckdb-sink", "./cmd/syncline")
	command.Dir = "../.." // every package that tests with programs is a folder of integration
	if out, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("build the programs: %w\n%s", err, out)
	}
	return nil
})

// Path builds the programs, unless that is done, and returns where the one with this name is.
func Path(t testing.TB, name string) string {
	t.Helper()
	if err := build(); err != nil {
		t.Fatal(err)
	}
	return filepath.Join(folder, name)
}

// Program is one connector as a process that can be killed and started again. Its methods belong to one goroutine.
type Program struct {
	// Name is that of the binary, Config the configuration file, Admin the address of the admin endpoint.
	Name, Config, Admin string
	// Env is added to the test's own environment, as NAME=value; it counts from the next Start.
	Env []string

	t       testing.TB
	path    string
	log     *os.File
	command *exec.Cmd
	exited  chan struct{}
	code    int
}

// New writes the configuration, into which it puts a free address for {admin}, and starts nothing yet. The program is
// killed with the test, and the end of its log is shown when the test has failed.
func New(t testing.TB, name, yaml string) *Program {
	t.Helper()
	dir := t.TempDir()
	p := &Program{Name: name, Config: filepath.Join(dir, name+".yaml"), Admin: FreeAddress(t), t: t, path: Path(t, name)}
	p.Configure(yaml)
	var err error
	if p.log, err = os.OpenFile(filepath.Join(dir, name+".log"), os.O_CREATE|os.O_APPEND|os.O_RDWR, 0o600); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		p.Kill()
		if t.Failed() {
			t.Logf("%s, end of its log:\n%s", name, tail(p.Output(), 4000))
		}
		_ = p.log.Close()
	})
	return p
}

// Configure replaces the configuration; it counts from the next Start.
func (p *Program) Configure(yaml string) {
	p.t.Helper()
	if err := os.WriteFile(p.Config, []byte(strings.ReplaceAll(yaml, "{admin}", p.Admin)), 0o600); err != nil {
		p.t.Fatal(err)
	}
}

// FreeAddress is an address of this machine on which nobody listens.
func FreeAddress(t testing.TB) string {
	t.Helper()
	port, err := child.FreePort() // none that the kernel gives to an outgoing connection before the program listens
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("127.0.0.1:%d", port)
}

// Start runs the program; it must not be running.
func (p *Program) Start() {
	p.t.Helper()
	command := exec.Command(p.path, p.Config)
	command.Stdout, command.Stderr = p.log, p.log
	command.Env = append(os.Environ(), p.Env...)
	command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := command.Start(); err != nil {
		p.t.Fatal(err)
	}
	exited := make(chan struct{})
	p.command, p.exited = command, exited
	go func() {
		_ = command.Wait()
		p.code = command.ProcessState.ExitCode()
		close(exited)
	}()
}

// Running reports whether the process has not ended.
func (p *Program) Running() bool {
	if p.command == nil {
		return false
	}
	select {
	case <-p.exited:
		return false
	default:
		return true
	}
}

// PID is the number of the process that was started last.
func (p *Program) PID() int { return p.command.Process.Pid }

// Kill ends the program as a crash does, and waits for its end.
func (p *Program) Kill() {
	if p.Running() {
		_ = p.command.Process.Kill()
		<-p.exited
	}
}

// Stop asks for the soft stop and returns the exit code.
func (p *Program) Stop() int {
	p.t.Helper()
	_ = p.command.Process.Signal(syscall.SIGTERM)
	return p.Wait(30 * time.Second)
}

// Wait returns the exit code of a program that ends by itself.
func (p *Program) Wait(patience time.Duration) int {
	p.t.Helper()
	if !p.Running() {
		return p.code
	}
	select {
	case <-p.exited:
		return p.code
	case <-time.After(patience):
		p.t.Fatalf("%s is still running after %v", p.Name, patience)
		return -1
	}
}

// Signal is what ended the program, 0 if it ended by itself; it must have ended.
func (p *Program) Signal() syscall.Signal {
	if status, ok := p.command.ProcessState.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return status.Signal()
	}
	return 0
}

// Output is everything that the program has written, over all its runs.
func (p *Program) Output() string {
	text, err := os.ReadFile(p.log.Name())
	if err != nil {
		return err.Error()
	}
	return string(text)
}

func tail(text string, n int) string { return text[max(0, len(text)-n):] }

// Get asks the admin endpoint and returns HTTP status and body.
func (p *Program) Get(path string) (int, []byte, error) {
	client := http.Client{Timeout: 2 * time.Second}
	r, err := client.Get("http://" + p.Admin + path)
	if err != nil {
		return 0, nil, err
	}
	defer r.Body.Close() //nolint:errcheck // it was only read from
	body, err := io.ReadAll(r.Body)
	return r.StatusCode, body, err
}

// Ready reports whether the readiness endpoint says so.
func (p *Program) Ready() bool {
	code, _, err := p.Get("/readyz")
	return err == nil && code == http.StatusOK
}

// UntilReady waits until the program is ready.
func (p *Program) UntilReady(patience time.Duration) {
	p.t.Helper()
	Eventually(p.t, patience, p.Name+" is ready", func() error {
		if !p.Running() {
			p.t.Fatalf("%s has ended with code %d", p.Name, p.code)
		}
		if !p.Ready() {
			return errors.New("not yet")
		}
		return nil
	})
}

// Status decodes the connector's part of /status.
func (p *Program) Status(into any) error {
	_, body, err := p.Get("/status")
	if err != nil {
		return err
	}
	all := map[string]json.RawMessage{}
	if err := json.Unmarshal(body, &all); err != nil {
		return err
	}
	for _, one := range all {
		return json.Unmarshal(one, into)
	}
	return errors.New("status without a connector")
}

// Eventually calls check until it returns nil.
func Eventually(t testing.TB, patience time.Duration, what string, check func() error) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for {
		err := check()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s: not within %v: %v", what, patience, err)
		}
		time.Sleep(50 * time.Millisecond)
	}
}
