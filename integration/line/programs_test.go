package line

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/syncline-io/syncline/integration/engines"
)

// binaries is the folder with the programs, built once for all tests of the package.
var binaries string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "syncline-line-")
	if err != nil {
		panic(err)
	}
	binaries = dir
	code := engines.Main(m)
	_ = os.RemoveAll(dir)
	os.Exit(code)
}

var buildOnce = sync.OnceValue(func() error {
	build := exec.Command("go", "build", "-o", binaries+string(filepath.Separator), "./cmd/postgres-source", "./cmd/postgres-sink", "./cmd/duckdb-sink", "./cmd/syncline")
	build.Dir = "../.."
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("build the programs: %w\n%s", err, out)
	}
	return nil
})

// program is one connector as a process that can be killed and started again.
type program struct {
	t      testing.TB
	name   string // the binary
	config string
	admin  string // address of the admin endpoint
	log    *os.File

	command *exec.Cmd
	exited  chan struct{}
	code    int
}

// newProgram writes the configuration, into which it puts a free admin address for {admin}, and starts nothing yet.
func newProgram(t testing.TB, name, yaml string) *program {
	t.Helper()
	if err := buildOnce(); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	p := &program{t: t, name: name, config: filepath.Join(dir, name+".yaml"), admin: freeAddress(t)}
	if err := os.WriteFile(p.config, []byte(strings.ReplaceAll(yaml, "{admin}", p.admin)), 0o600); err != nil {
		t.Fatal(err)
	}
	var err error
	if p.log, err = os.OpenFile(filepath.Join(dir, name+".log"), os.O_CREATE|os.O_APPEND|os.O_RDWR, 0o600); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		p.kill()
		if t.Failed() {
			t.Logf("%s, end of its log:\n%s", name, p.tail(4000))
		}
		_ = p.log.Close()
	})
	return p
}

func freeAddress(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close() //nolint:errcheck // nothing was written
	return l.Addr().String()
}

// start runs the program; it must not be running.
func (p *program) start() {
	p.t.Helper()
	p.command = exec.Command(filepath.Join(binaries, p.name), p.config)
	p.command.Stdout, p.command.Stderr = p.log, p.log
	p.command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := p.command.Start(); err != nil {
		p.t.Fatal(err)
	}
	exited, command := make(chan struct{}), p.command
	p.exited = exited
	go func() {
		_ = command.Wait()
		p.code = command.ProcessState.ExitCode()
		close(exited)
	}()
}

func (p *program) running() bool {
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

// kill ends the program as a crash does, and waits for its end.
func (p *program) kill() {
	if p.running() {
		_ = p.command.Process.Kill()
		<-p.exited
	}
}

// stop asks for the soft stop and returns the exit code.
func (p *program) stop() int {
	p.t.Helper()
	_ = p.command.Process.Signal(syscall.SIGTERM)
	return p.wait(30 * time.Second)
}

// wait returns the exit code of a program that ends by itself.
func (p *program) wait(patience time.Duration) int {
	p.t.Helper()
	select {
	case <-p.exited:
		return p.code
	case <-time.After(patience):
		p.t.Fatalf("%s is still running after %v; its log ends:\n%s", p.name, patience, p.tail(2000))
		return -1
	}
}

// tail is the end of the log.
func (p *program) tail(n int) string {
	text, err := os.ReadFile(p.log.Name())
	if err != nil {
		return err.Error()
	}
	if len(text) > n {
		text = text[len(text)-n:]
	}
	return string(text)
}

// ready reports whether the readiness endpoint says so.
func (p *program) ready() bool {
	client := http.Client{Timeout: 2 * time.Second}
	r, err := client.Get("http://" + p.admin + "/readyz")
	if err != nil {
		return false
	}
	_ = r.Body.Close()
	return r.StatusCode == http.StatusOK
}

// untilReady waits until the program is ready.
func (p *program) untilReady(patience time.Duration) {
	p.t.Helper()
	eventually(p.t, patience, p.name+" is ready", func() error {
		if !p.running() {
			p.t.Fatalf("%s has ended with code %d:\n%s", p.name, p.code, p.tail(2000))
		}
		if !p.ready() {
			return errors.New("not yet")
		}
		return nil
	})
}

// eventually calls check until it returns nil.
func eventually(t testing.TB, patience time.Duration, what string, check func() error) {
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
		time.Sleep(100 * time.Millisecond)
	}
}

// verify runs syncline verify, waiting for the target to catch up, and returns its report as JSON values.
func verify(t testing.TB, source, sink *program, wait time.Duration) (map[string]any, int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), wait+time.Minute)
	defer cancel()
	command := exec.CommandContext(ctx, filepath.Join(binaries, "syncline"), "verify", "--json", "--wait", wait.String(), source.config, sink.config)
	var out, problems bytes.Buffer
	command.Stdout, command.Stderr = &out, &problems
	err := command.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	report := map[string]any{}
	if json.Unmarshal(out.Bytes(), &report) != nil {
		t.Fatalf("verify prints no JSON: %s%s", out.Bytes(), problems.Bytes())
	}
	return report, command.ProcessState.ExitCode()
}

// status returns the program's part of /status.
func (p *program) status(into any) error {
	client := http.Client{Timeout: 2 * time.Second}
	r, err := client.Get("http://" + p.admin + "/status")
	if err != nil {
		return err
	}
	defer r.Body.Close() //nolint:errcheck // it was only read from
	all := map[string]json.RawMessage{}
	if err := json.NewDecoder(r.Body).Decode(&all); err != nil {
		return err
	}
	for _, one := range all {
		return json.Unmarshal(one, into)
	}
	return errors.New("status without a connector")
}
