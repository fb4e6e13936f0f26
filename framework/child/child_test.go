package child

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
)

// sleeper is a child that ignores the signal that it is given in trap and writes "ready" first.
func sleeper(t *testing.T, dir, trap string) *Process {
	t.Helper()
	p, err := Start(Command{
		Path: "/bin/sh", Args: []string{"-c", "trap '' " + trap + "; echo ready; exec sleep 60"},
		Dir: dir, Log: filepath.Join(dir, "log"), PIDFile: filepath.Join(dir, "pid"),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Kill)
	waitFor(t, "the child is ready", func() bool { return p.Log() == "ready" })
	return p
}

func waitFor(t *testing.T, what string, cond func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !cond(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited 10 s in vain until %s", what)
		}
	}
}

func TestStopKillsAfterPatience(t *testing.T) {
	p := sleeper(t, t.TempDir(), "TERM")
	begin := time.Now()
	p.Stop(200*time.Millisecond, syscall.SIGTERM)
	if d := time.Since(begin); d < 200*time.Millisecond || d > 5*time.Second {
		t.Errorf("stopped after %v, want a little more than the patience of 200ms", d)
	}
	if p.Err() == nil {
		t.Error("a killed process reports no error")
	}
}

func TestLogHoldsThisRunOnly(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "log"), []byte("of an earlier run\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if got := sleeper(t, dir, "HUP").Log(); got != "ready" {
		t.Errorf("got log %q, want only what this run wrote", got)
	}
}

func TestLeftoverIsRecognizedByItsFolder(t *testing.T) {
	dir, other := t.TempDir(), t.TempDir()
	p := sleeper(t, dir, "TERM")
	pidFile := filepath.Join(dir, "pid")
	if got := Leftover(pidFile, dir); got != p.PID() {
		t.Errorf("got leftover %d, want %d", got, p.PID())
	}
	if got := Leftover(pidFile, other); got != 0 {
		t.Errorf("a process that runs in another folder was taken for ours: %d", got)
	}
	if err := End(pidFile, dir, 100*time.Millisecond, syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if got := Leftover(pidFile, dir); got != 0 {
		t.Errorf("process %d is left after End", got)
	}
}

func TestFolderIsHeldByOne(t *testing.T) {
	dir := t.TempDir()
	unlock, err := LockFolder(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := LockFolder(dir); !errors.Is(err, ErrFolderInUse) {
		t.Errorf("second lock: got %v, want ErrFolderInUse", err)
	}
	unlock()
	unlock, err = LockFolder(dir)
	if err != nil {
		t.Fatalf("after unlock: %v", err)
	}
	unlock()
}

func TestKeptPortStays(t *testing.T) {
	file := filepath.Join(t.TempDir(), "port")
	first, err := KeptPort(file)
	if err != nil {
		t.Fatal(err)
	}
	if second, err := KeptPort(file); err != nil || second != first {
		t.Errorf("got %d, %v; want %d again", second, err, first)
	}
}

// TestChildDiesWithItsParent runs this test program again as the parent, with the child's folder in its environment,
// and kills it.
func TestChildDiesWithItsParent(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux tells a child of its parent's death")
	}
	const folder = "SYNCLINE_TEST_CHILD_FOLDER"
	if dir := os.Getenv(folder); dir != "" {
		sleeper(t, dir, "HUP")
		for i := range 50 { // give the runtime reasons to make and drop threads
			go func() { runtime.LockOSThread(); time.Sleep(time.Duration(i) * time.Millisecond) }()
		}
		time.Sleep(200 * time.Millisecond)
		fmt.Println("parent ready")
		time.Sleep(time.Minute)
		return
	}
	dir := t.TempDir()
	parent := exec.Command(os.Args[0], "-test.run=^TestChildDiesWithItsParent$", "-test.v")
	parent.Env = append(os.Environ(), folder+"="+dir)
	out := &strings.Builder{}
	log := filepath.Join(dir, "parent.log")
	f, err := os.Create(log)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	parent.Stdout, parent.Stderr = f, f
	if err := parent.Start(); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "the parent is ready", func() bool {
		b, _ := os.ReadFile(log)
		out.Reset()
		out.Write(b)
		return strings.Contains(out.String(), "parent ready")
	})
	pidFile := filepath.Join(dir, "pid")
	if Leftover(pidFile, dir) == 0 {
		t.Fatalf("the child ended before its parent; output of the parent:\n%s", out)
	}
	if err := parent.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = parent.Wait()
	waitFor(t, "the child has died", func() bool { return Leftover(pidFile, dir) == 0 })
}
