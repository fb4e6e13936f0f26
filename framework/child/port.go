package child

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"strconv"
	"strings"
)

// Ports for servers come from below the range that the kernel gives to outgoing connections (from 32768 on Linux): a
// server that restarts must find its port free, which one from that range may not be by then.
const (
	portLow  = 20000
	portHigh = 32000
)

// FreePort returns a port of the loopback address on which nothing listens now.
func FreePort() (int, error) {
	for range 100 {
		port := portLow + rand.IntN(portHigh-portLow)
		if l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port)); err == nil {
			return port, l.Close()
		}
	}
	return 0, errors.New("found no free port on the loopback address")
}

// KeptPort returns the port in the file, or chooses a free one and writes it there: a server that starts again in its
// folder is found at its old address.
func KeptPort(file string) (int, error) {
	if b, err := os.ReadFile(file); err == nil {
		if port, err := strconv.Atoi(strings.TrimSpace(string(b))); err == nil {
			return port, nil
		}
	}
	port, err := FreePort()
	if err != nil {
		return 0, err
	}
	return port, os.WriteFile(file, fmt.Appendf(nil, "%d\n", port), 0o644)
}
