package postgres

import (
	"errors"
	"net"
	"os"
	"sync/atomic"
	"time"
)

// A walsender that wakes its reader for every row spends 40 % of its time on that. So a reader that is behind waits
// until the socket holds lowWaterBytes or lowWaterWait has passed; one that keeps up reads at once, for a low latency.
const (
	lowWaterBytes = 256 << 10
	lowWaterWait  = 3 * time.Millisecond
	// The reader counts as behind when bulkBytes arrive within bulkWindow (about 10,000 one-row transactions a second),
	// and as caught up when a wait ends with less than quietBytes.
	bulkBytes  = 32 << 10
	bulkWindow = 10 * time.Millisecond
	quietBytes = 16 << 10
)

// errInterrupted is what Read returns after interrupt. It is a time-out, so that TLS does not give the connection up.
var errInterrupted error = interrupted{}

type interrupted struct{}

func (interrupted) Error() string   { return "reading was interrupted" }
func (interrupted) Timeout() bool   { return true }
func (interrupted) Temporary() bool { return true }

// lowWaterConn is a TCP connection whose Read waits for much data while there is much. One goroutine reads; interrupt
// may come from any.
type lowWaterConn struct {
	net.Conn
	socket      *lowWaterSocket // nil where the system has no SO_RCVLOWAT: then every read is an ordinary one
	bulk        bool
	windowStart time.Time
	windowBytes int
	interrupted atomic.Bool
}

func newLowWaterConn(c net.Conn) *lowWaterConn {
	return &lowWaterConn{Conn: c, socket: newLowWaterSocket(c)}
}

// interrupt makes the Read that waits, and every later one, return errInterrupted.
func (c *lowWaterConn) interrupt() {
	c.interrupted.Store(true)
	_ = c.SetReadDeadline(time.Unix(1, 0))
}

// resume makes Read an ordinary read again, after interrupt, until deadline.
func (c *lowWaterConn) resume(deadline time.Time) {
	if c.socket != nil {
		c.socket.setLowWater(1)
	}
	c.socket, c.bulk = nil, false
	c.interrupted.Store(false)
	_ = c.SetReadDeadline(deadline)
}

// Read reads what is there, once it is worth reading.
func (c *lowWaterConn) Read(p []byte) (int, error) {
	if c.bulk {
		n, err := c.readBulk(p)
		if n > 0 || err != nil {
			return n, err
		}
	}
	if c.interrupted.Load() {
		return 0, errInterrupted
	}
	n, err := c.Conn.Read(p)
	if err != nil && c.interrupted.Load() {
		return n, errInterrupted
	}
	c.noteRead(n)
	return n, err
}

// readBulk returns 0, nil when nothing came in time; reading is then quiet again.
func (c *lowWaterConn) readBulk(p []byte) (int, error) {
	if err := c.SetReadDeadline(time.Now().Add(lowWaterWait)); err != nil {
		return 0, err
	}
	if c.interrupted.Load() { // after the deadline was set: interrupt's own may just have been overwritten
		return 0, errInterrupted
	}
	n, timedOut, err := c.socket.read(p)
	if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
		return n, err
	}
	if timedOut && n < quietBytes {
		c.bulk = false
		c.socket.setLowWater(1)
		if err := c.SetReadDeadline(time.Time{}); err != nil {
			return n, err
		}
	}
	return n, nil
}

// noteRead measures how fast data arrive while reading is quiet.
func (c *lowWaterConn) noteRead(n int) {
	if c.socket == nil {
		return
	}
	now := time.Now()
	if now.Sub(c.windowStart) > bulkWindow {
		c.windowStart, c.windowBytes = now, 0
	}
	if c.windowBytes += n; c.windowBytes >= bulkBytes && c.socket.setLowWater(lowWaterBytes) {
		c.bulk, c.windowBytes = true, 0
	}
}
