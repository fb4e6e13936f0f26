package simtest

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// TestMain runs the tests in a binary that was built with the tag synctests, building it first where this one is not:
// with it franz-go's locks are channels, which a bubble's clock knows to be waits. Without it one wait for a lock that is
// held through a request stops the clock for good.
func TestMain(m *testing.M) {
	if tagged {
		os.Exit(m.Run())
	}
	code, err := runTagged()
	if err != nil {
		fmt.Fprintln(os.Stderr, "build the tests with the tag synctests:", err)
		code = 1
	}
	os.Exit(code)
}

func runTagged() (int, error) {
	dir, err := os.MkdirTemp("", "simtest")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(dir)
	binary := filepath.Join(dir, "simtest.test")
	build := exec.Command("go", "test", "-c", "-tags=synctests", "-o", binary, ".")
	build.Stdout, build.Stderr = os.Stderr, os.Stderr
	if err := build.Run(); err != nil {
		return 0, err
	}
	tests := exec.Command(binary, os.Args[1:]...)
	tests.Stdout, tests.Stderr = os.Stdout, os.Stderr
	err = tests.Run()
	if _, failed := err.(*exec.ExitError); err != nil && !failed {
		return 0, err
	}
	return tests.ProcessState.ExitCode(), nil
}
