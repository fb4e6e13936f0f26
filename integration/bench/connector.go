package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/pprof"
	"syscall"
	"time"

	"github.com/syncline-io/syncline/framework/child"
)

// The programs that subjects run as. They are those of cmd, which can be profiled besides; DuckDB's is one of its own,
// because its library takes memory in every process that it is linked into.
const (
	postgresProgram = "github.com/syncline-io/syncline/integration/bench/subject/postgres"
	duckdbProgram   = "github.com/syncline-io/syncline/integration/bench/subject/duckdb"
)

// built returns the program of the package, which is built when it is asked for first.
func (s *stage) built(ctx context.Context, pkg string) (string, error) {
	if path, ok := s.binaries[pkg]; ok {
		return path, nil
	}
	path := s.file("program-" + filepath.Base(pkg))
	cgo := "CGO_ENABLED=0" // as make build does
	if pkg == duckdbProgram {
		cgo = "CGO_ENABLED=1"
	}
	command := exec.CommandContext(ctx, "go", "build", "-o", path, pkg)
	command.Env = append(os.Environ(), cgo)
	if out, err := command.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build %s: %w: %s", pkg, err, out)
	}
	s.binaries[pkg] = path
	return path, nil
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
	admin   string // the address of its admin endpoint, "" when it has none
	process *child.Process
	meter   *meter
}

// spec is a connector to be started.
type spec struct {
	name    string
	program string // "" is postgresProgram
	where
	// watched connectors have an admin endpoint.
	watched bool
	yaml    string
}

// startConnector runs a connector with the configuration in a process of its own.
func (s *stage) startConnector(ctx context.Context, c spec) (*connector, error) {
	if c.program == "" {
		c.program = postgresProgram
	}
	path, err := s.built(ctx, c.program)
	if err != nil {
		return nil, err
	}
	dir := s.file(c.name)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	admin, listen := "", "off"
	if c.watched {
		port, err := child.FreePort()
		if err != nil {
			return nil, err
		}
		admin = fmt.Sprintf("127.0.0.1:%d", port)
		listen = admin
	}
	file := filepath.Join(dir, "connector.yaml")
	text := fmt.Sprintf("name: %s\nkafka: {brokers: [%q]}\nregistry: {url: %q}\nadmin: {listen: %q}\n%s",
		c.name, c.broker.address, c.registry, listen, c.yaml)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		return nil, err
	}
	args := []string{file}
	if s.profile != "" {
		profile, err := filepath.Abs(filepath.Join(s.profile, c.name+".prof"))
		if err != nil {
			return nil, err
		}
		args = append(args, profile)
	}
	p, err := child.Start(child.Command{Path: path, Args: args, Dir: dir, Log: filepath.Join(dir, "log"), ParentDeath: syscall.SIGTERM})
	if err != nil {
		return nil, fmt.Errorf("start connector %s: %w", c.name, err)
	}
	return &connector{name: c.name, admin: admin, process: p, meter: watch(p.PID())}, nil
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
	sample.add(c.measured())
	c.kill()
	if err := c.process.Err(); err != nil {
		return fmt.Errorf("stop connector %s: %w: %s", c.name, err, c.process.LastLines(5))
	}
	return nil
}

// measured ends the watching, once.
func (c *connector) measured() (used Usage) {
	if c.meter != nil {
		used = c.meter.stop()
		c.meter = nil
	}
	return used
}

// kill ends the connector whatever it is doing; one that has ended is left alone.
func (c *connector) kill() {
	c.measured()
	c.process.Stop(20*time.Second, syscall.SIGTERM)
}

// loaderStatus is the part of a sink's /status that the bench looks at.
type loaderStatus struct {
	Partitions []struct {
		Next int64 `json:"next"`
	} `json:"partitions"`
}

// status asks a watched sink how it stands. Before its endpoint answers it has no partitions.
func (c *connector) status(ctx context.Context) (st loaderStatus, err error) {
	if err := c.failure(); err != nil {
		return st, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+c.admin+"/status", nil)
	if err != nil {
		return st, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		if errors.Is(err, syscall.ECONNREFUSED) {
			return st, nil
		}
		return st, err
	}
	defer resp.Body.Close() //nolint:errcheck // only read
	all := map[string]loaderStatus{}
	if err := json.NewDecoder(resp.Body).Decode(&all); err != nil {
		return st, fmt.Errorf("status of %s: %w", c.name, err)
	}
	return all[c.name], nil
}
