// Package keepport listens on a loopback port that stays the same over restarts, so that addresses that people and
// clients have noted stay good.
package keepport

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/syncline-io/syncline/framework/failure"
)

// Listen listens on 127.0.0.1. A port that is asked for is taken or is a configuration error. With port 0 it is the one
// that file holds from the last time, or any free one when there is none or another program has it now; file then
// holds the new one.
func Listen(file string, port int) (net.Listener, error) {
	if port > 0 {
		l, err := net.Listen("tcp", address(port))
		if err != nil {
			return nil, failure.As(failure.Config, err, "give another port, or end the program that has it")
		}
		return l, nil
	}
	if kept := read(file); kept > 0 {
		if l, err := net.Listen("tcp", address(kept)); err == nil {
			return l, nil
		}
	}
	l, err := net.Listen("tcp", address(0))
	if err != nil {
		return nil, err
	}
	if err := write(file, l.Addr().(*net.TCPAddr).Port); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return l, nil
}

func address(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }

// read returns 0 for a file that is missing or holds no port: both mean any free one.
func read(file string) int {
	raw, err := os.ReadFile(file)
	if err != nil {
		return 0
	}
	port, err := strconv.Atoi(strings.TrimSpace(string(raw)))
	if err != nil || port < 1 || port > 65535 {
		return 0
	}
	return port
}

func write(file string, port int) error {
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return fmt.Errorf("keep the port: %w", err)
	}
	temp := file + ".new"
	if err := os.WriteFile(temp, []byte(strconv.Itoa(port)+"\n"), 0o644); err != nil {
		return fmt.Errorf("keep the port: %w", err)
	}
	return os.Rename(temp, file)
}
