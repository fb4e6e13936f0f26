// Package localpg runs a PostgreSQL server of our own, from the programs that the machine has, in a folder of ours.
//
// The demo uses it when it is given no server, and the tests of the project for theirs. The server listens on the
// loopback address only, accepts every local user (trust), is set up for logical replication, and dies with the process
// that started it. Folder and port are kept: Start on the same folder continues with the same data at the same address,
// also after a SIGKILL of everything.
//
// Files: find.go the programs, user.go whom to run as, server.go the life of a server, settings.go its configuration.
package localpg

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/syncline-io/syncline/framework/child"
)

// Options say what server to run. Only Dir is required.
type Options struct {
	// Dir is the server's folder: data, log and port. It is made if it does not exist.
	Dir string
	// BinDir is the folder of initdb and postgres; "" lets Find look.
	BinDir string
	// Port on the loopback address; 0 keeps that of the folder, or chooses a free one for a new folder.
	Port int
	// User is the name of the superuser; "" is postgres. It counts when the folder is new.
	User string
	// Settings are added to those of the package and win over them.
	Settings map[string]string
	// Fsync makes the data survive a crash of the machine. Without it they survive a crash of the server only, which
	// is enough for tests, and quicker.
	Fsync bool
}

// Server is a running or stopped PostgreSQL server. Its methods may be called from any goroutine.
type Server struct {
	opt     Options
	account account
	unlock  func()
	port    int

	mu      sync.Mutex // held while starting and stopping
	process *child.Process
}

// How long a server is given. A fast shutdown writes a checkpoint, which takes a while on a slow disk.
const (
	stopPatience  = 20 * time.Second
	startPatience = 60 * time.Second
)

// Start makes the folder and the database cluster if there are none, ends what an earlier run left running in it, and
// starts the server. It returns when the server takes connections. ctx bounds the start and not the server's life.
func Start(ctx context.Context, opt Options) (*Server, error) {
	s, err := open(opt)
	if err != nil {
		return nil, fmt.Errorf("start PostgreSQL: %w", err)
	}
	if err := s.create(ctx); err != nil {
		s.unlock()
		return nil, fmt.Errorf("start PostgreSQL: %w", err)
	}
	if err := s.start(ctx); err != nil {
		s.unlock()
		return nil, fmt.Errorf("start PostgreSQL: %w", err)
	}
	return s, nil
}

// open settles everything that does not need the server: programs, user, folder, lock, port.
func open(opt Options) (*Server, error) {
	if opt.User == "" {
		opt.User = "postgres"
	}
	var err error
	if opt.BinDir == "" {
		if opt.BinDir, err = Find(); err != nil {
			return nil, err
		}
	}
	if opt.Dir, err = filepath.Abs(opt.Dir); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(opt.Dir, 0o755); err != nil {
		return nil, err
	}
	if opt.Dir, err = filepath.EvalSymlinks(opt.Dir); err != nil {
		return nil, err
	}
	s := &Server{opt: opt, port: opt.Port}
	if s.account, err = serverAccount(); err != nil {
		return nil, err
	}
	if err := s.account.own(s.DataDir()); err != nil {
		return nil, err
	}
	if s.unlock, err = child.LockFolder(opt.Dir); err != nil {
		return nil, err
	}
	if s.port == 0 {
		if s.port, err = child.KeptPort(filepath.Join(opt.Dir, "port")); err != nil {
			s.unlock()
			return nil, err
		}
	}
	return s, nil
}

// create runs initdb unless the cluster is complete. The file "creating" beside the data says that initdb is under way:
// one that was cut off is begun again, while a cluster that was not made here is never touched.
func (s *Server) create(ctx context.Context) error {
	creating, created := filepath.Join(s.opt.Dir, "creating"), filepath.Join(s.opt.Dir, "created")
	if exists(created) {
		return nil
	}
	if exists(creating) {
		if err := removeContents(s.DataDir()); err != nil {
			return err
		}
	}
	if entries, err := os.ReadDir(s.DataDir()); err != nil || len(entries) > 0 {
		return errors.Join(err, fmt.Errorf("%s is not empty and was not made by this program", s.DataDir()))
	}
	if err := os.WriteFile(creating, nil, 0o644); err != nil {
		return err
	}
	if err := s.initdb(ctx); err != nil {
		return err
	}
	return os.Rename(creating, created)
}

func (s *Server) initdb(ctx context.Context) error {
	args := []string{"-D", s.DataDir(), "-U", s.opt.User, "-A", "trust", "-E", "UTF8", "--locale=C"}
	if !s.opt.Fsync {
		args = append(args, "--no-sync")
	}
	cmd := exec.CommandContext(ctx, filepath.Join(s.opt.BinDir, "initdb"), args...)
	cmd.Dir, cmd.Env = s.DataDir(), environment()
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Credential: s.account.credential}
	out, err := cmd.CombinedOutput()
	if err != nil && ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	if err != nil {
		return fmt.Errorf("initdb: %w: %s", err, lastLines(string(out), 3))
	}
	return nil
}

func exists(file string) bool {
	_, err := os.Stat(file)
	return err == nil
}

func removeContents(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if err := os.RemoveAll(filepath.Join(dir, e.Name())); err != nil {
			return err
		}
	}
	return nil
}

// start ends leftovers and starts the postmaster, again for a while if the memory of killed backends is still in use.
func (s *Server) start(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, startPatience, fmt.Errorf("not ready after %v", startPatience))
	defer cancel()
	// An earlier server that still runs is stopped rather than taken over: its settings may be others, and it is not
	// our child, so that nobody would end it after us.
	if err := child.End(s.pidFile(), s.DataDir(), stopPatience, syscall.SIGINT, syscall.SIGQUIT); err != nil {
		return err
	}
	for {
		err := s.startOnce(ctx)
		if err == nil || !strings.Contains(err.Error(), "pre-existing shared memory block") {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(100 * time.Millisecond):
		}
	}
}

func (s *Server) startOnce(ctx context.Context) error {
	p, err := child.Start(child.Command{
		Path: filepath.Join(s.opt.BinDir, "postgres"),
		Args: append([]string{"-D", s.DataDir()}, s.settings()...),
		Env:  environment(),
		Dir:  s.DataDir(), // where a postmaster goes anyhow
		Log:  s.logFile(),
		User: s.account.credential,
		// A fast shutdown: sessions are rolled back and the next start needs no recovery.
		ParentDeath: syscall.SIGINT,
	})
	if err != nil {
		return err
	}
	for !s.ready(p.PID()) {
		select {
		case <-p.Done():
			return fmt.Errorf("the server ended: %s", p.LastLines(5))
		case <-ctx.Done():
			p.Kill()
			return fmt.Errorf("%w; the end of %s: %s", context.Cause(ctx), s.logFile(), p.LastLines(5))
		case <-time.After(10 * time.Millisecond):
		}
	}
	s.process = p
	return nil
}

// ready reads what the postmaster says about itself: line 1 is its process id, line 8 its state.
func (s *Server) ready(pid int) bool {
	b, err := os.ReadFile(s.pidFile())
	if err != nil {
		return false
	}
	lines := bytes.Split(b, []byte("\n"))
	return len(lines) > 7 && string(lines[0]) == strconv.Itoa(pid) && string(bytes.TrimSpace(lines[7])) == "ready"
}

// Stop ends the server in order (fast shutdown: open transactions are rolled back) and gives the folder free. It waits
// until the server has ended; one that does not end within 20 seconds is stopped at once, as by a crash.
func (s *Server) Stop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stop()
	s.unlock()
}

func (s *Server) stop() {
	s.process.Stop(stopPatience, syscall.SIGINT, syscall.SIGQUIT)
}

// Kill ends the server with SIGKILL, as a crash does. It stays in its folder until Restart or Stop.
func (s *Server) Kill() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.process.Kill()
}

// Restart stops the server unless it has ended, and starts it again at the same address with the same data. Settings
// that are not nil replace those of the options. The caller still has to Stop the server if Restart fails.
func (s *Server) Restart(ctx context.Context, settings map[string]string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stop()
	if settings != nil {
		s.opt.Settings = settings
	}
	if err := s.start(ctx); err != nil {
		return fmt.Errorf("restart PostgreSQL: %w", err)
	}
	return nil
}

// Done is closed when the server ends, whatever the reason. It is valid until the next Restart.
func (s *Server) Done() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.process.Done()
}

// Port is the server's port on 127.0.0.1.
func (s *Server) Port() int { return s.port }

// DataDir is the folder of the database cluster, with pg_hba.conf in it.
func (s *Server) DataDir() string { return filepath.Join(s.opt.Dir, "data") }

func (s *Server) logFile() string { return filepath.Join(s.opt.Dir, "postgres.log") }
func (s *Server) pidFile() string { return filepath.Join(s.DataDir(), "postmaster.pid") }

// URL is the address of a database of the server, as superuser; "" is the database postgres.
func (s *Server) URL(database string) string {
	if database == "" {
		database = "postgres"
	}
	u := url.URL{
		Scheme:   "postgres",
		User:     url.User(s.opt.User),
		Host:     net.JoinHostPort("127.0.0.1", strconv.Itoa(s.port)),
		Path:     "/" + database,
		RawQuery: "sslmode=disable",
	}
	return u.String()
}

// CreateDatabase makes a database unless it exists.
func (s *Server) CreateDatabase(ctx context.Context, name string) error {
	return CreateDatabase(ctx, s.URL(""), name)
}

// CreateDatabase makes a database on the server at url unless it exists.
func CreateDatabase(ctx context.Context, url, name string) error {
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return fmt.Errorf("create database %s: %w", name, err)
	}
	defer conn.Close(ctx)
	var exists bool
	if err := conn.QueryRow(ctx, "SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)", name).Scan(&exists); err != nil {
		return fmt.Errorf("create database %s: %w", name, err)
	}
	if exists {
		return nil
	}
	// template0 so that two can be made at once: a template must have no other session.
	if _, err := conn.Exec(ctx, "CREATE DATABASE "+pgx.Identifier{name}.Sanitize()+" TEMPLATE template0"); err != nil {
		return fmt.Errorf("create database %s: %w", name, err)
	}
	return nil
}

func lastLines(s string, n int) string {
	lines := strings.Split(strings.TrimSpace(s), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}
