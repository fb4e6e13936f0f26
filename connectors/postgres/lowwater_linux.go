package postgres

import (
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// lowWaterSocket is the socket under a connection, as far as SO_RCVLOWAT needs it.
type lowWaterSocket struct {
	raw      syscall.RawConn
	lowWater int
}

func newLowWaterSocket(c net.Conn) *lowWaterSocket {
	tcp, ok := c.(*net.TCPConn)
	if !ok {
		return nil
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return nil
	}
	return &lowWaterSocket{raw: raw, lowWater: 1}
}

// setLowWater says how many bytes make the socket readable, and reports whether the system took it.
func (s *lowWaterSocket) setLowWater(n int) bool {
	var set error
	if err := s.raw.Control(func(fd uintptr) {
		set = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVLOWAT, n)
	}); err != nil || set != nil {
		return false
	}
	s.lowWater = n
	return true
}

// read waits until the socket holds the low-water mark or the connection's read deadline passes, and then takes what is
// there, which may be nothing. It must look before it waits: the poller tells only of data that arrive later, and a
// receive window that is full brings none.
func (s *lowWaterSocket) read(p []byte) (n int, timedOut bool, err error) {
	waited := false
	err = s.raw.Read(func(fd uintptr) bool {
		if !waited {
			waited = true
			if pending, e := unix.IoctlGetInt(int(fd), unix.TIOCINQ); e != nil || pending < s.lowWater {
				return false
			}
		}
		n, err = receive(int(fd), p)
		return true
	})
	if n != 0 {
		return n, false, nil
	}
	timedOut = true
	controlErr := s.raw.Control(func(fd uintptr) {
		var e error
		if n, e = receive(int(fd), p); e != nil {
			err = e
		}
	})
	if controlErr != nil {
		err = controlErr
	}
	return n, timedOut, err
}

// receive reads without waiting. Nothing there is no error; the end of the stream is left to the ordinary Read.
func receive(fd int, p []byte) (int, error) {
	for {
		n, err := unix.Read(fd, p)
		switch err {
		case nil:
			return n, nil
		case unix.EINTR:
		case unix.EAGAIN:
			return 0, nil
		default:
			return 0, err
		}
	}
}
