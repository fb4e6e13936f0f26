package broker

import (
	"errors"
	"fmt"
	"net"
	"sync"
	"time"
)

// closeWait is how long connections get to end after they were cut.
const closeWait = 5 * time.Second

// listener knows the connections that it has accepted, because kfake does not wait for them when it closes.
type listener struct {
	net.Listener
	mu    sync.Mutex
	idle  *sync.Cond
	conns map[*conn]struct{}
}

func newListener(l net.Listener) *listener {
	t := &listener{Listener: l, conns: make(map[*conn]struct{})}
	t.idle = sync.NewCond(&t.mu)
	return t
}

// Accept implements [net.Listener].
func (l *listener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	tracked := &conn{Conn: c, listener: l}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.conns[tracked] = struct{}{}
	return tracked, nil
}

// closeAll cuts every connection and waits until kfake has let go of them.
func (l *listener) closeAll() error {
	err := l.Close()
	if errors.Is(err, net.ErrClosed) {
		err = nil
	}
	overdue := time.AfterFunc(closeWait, l.idle.Broadcast)
	defer overdue.Stop()
	deadline := time.Now().Add(closeWait)
	l.mu.Lock()
	defer l.mu.Unlock()
	for c := range l.conns {
		c.Conn.Close()
	}
	for len(l.conns) > 0 && time.Now().Before(deadline) {
		l.idle.Wait()
	}
	if n := len(l.conns); n > 0 {
		err = errors.Join(err, fmt.Errorf("close the embedded broker: %d connections do not end", n))
	}
	return err
}

type conn struct {
	net.Conn
	listener *listener
}

// Close is what kfake calls when it is done with the connection.
func (c *conn) Close() error {
	c.listener.mu.Lock()
	delete(c.listener.conns, c)
	c.listener.idle.Broadcast()
	c.listener.mu.Unlock()
	return c.Conn.Close()
}
