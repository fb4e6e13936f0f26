package keepport

import (
	"net"
	"path/filepath"
	"testing"

	"github.com/syncline-io/syncline/framework/failure"
)

func port(l net.Listener) int { return l.Addr().(*net.TCPAddr).Port }

func TestAFreePortIsKeptUntilAnotherProgramHasIt(t *testing.T) {
	file := filepath.Join(t.TempDir(), "new", "port")
	first, err := Listen(file, 0)
	if err != nil {
		t.Fatal(err)
	}
	other, err := Listen(file, 0)
	if err != nil {
		t.Fatal(err)
	}
	if port(other) == port(first) {
		t.Fatal("two listeners on one port")
	}
	first.Close()
	other.Close()
	again, err := Listen(file, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	if port(again) != port(other) {
		t.Errorf("port %d, want %d, the last one", port(again), port(other))
	}
	if _, err := Listen(file, port(again)); failure.Classify(err) != failure.Config {
		t.Errorf("a port in use that was asked for: %v", err)
	}
}
