//go:build !linux

package postgres

import "net"

// lowWaterSocket does not exist on this system.
type lowWaterSocket struct{}

func newLowWaterSocket(net.Conn) *lowWaterSocket { return nil }

func (*lowWaterSocket) setLowWater(int) bool { return false }

func (*lowWaterSocket) read([]byte) (int, bool, error) { return 0, true, nil }
