package simtest

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// errDead is what everything returns to a process that has crashed; nobody sees it but its own remains.
var errDead = errors.New("simulation: this process is dead")

// errCut is a connection that broke.
var errCut = errors.New("simulation: the connection broke")

// latency is how long a frame is under way. It is what gives the loops' timers something to measure.
const latency = 150 * time.Microsecond

// dial connects a process to a broker.
func (p *process) dial(ctx context.Context, network, address string) (net.Conn, error) {
	if p.isDead() {
		time.Sleep(time.Second) // its remains shall not be busy
		return nil, errDead
	}
	if p.w.brokersAway() {
		time.Sleep(10 * time.Millisecond)
		return nil, errCut
	}
	conn, err := p.w.wires.DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	l := &link{Conn: conn, p: p, waiting: map[int32]*request{}}
	if p.isDead() {
		_ = conn.Close()
		return nil, errDead
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.links[l] = struct{}{}
	return l, nil
}

// link is a connection of a process, seen frame by frame.
type link struct {
	net.Conn
	p *process

	mu      sync.Mutex
	waiting map[int32]*request // sent and not answered, by correlation id

	rest []byte // of the answer that is being read; the reader's
}

// request is one whose answer matters.
type request struct {
	step Step
	key  int16
	body kmsg.Request // decoded where somebody looks at it; of a produce only what does not alias the frame may be read
	// records and positions are a produce request's.
	records   int
	positions []position
}

// Write sends a request; the client writes each with one call.
func (l *link) Write(b []byte) (int, error) {
	r := l.p.w.wire.request(b)
	l.p.hold()
	if r != nil {
		if err := l.p.pass(Place{r.step, false}); err != nil {
			_ = l.Close()
			return 0, err
		}
		l.mu.Lock()
		l.waiting[int32(binary.BigEndian.Uint32(b[8:]))] = r
		l.mu.Unlock()
		l.p.w.wire.sent(r)
	}
	time.Sleep(latency)
	if l.p.isDead() {
		return 0, errDead
	}
	return l.Conn.Write(b)
}

// Read brings whole answers, in pieces.
func (l *link) Read(b []byte) (int, error) {
	if len(l.rest) == 0 {
		frame, err := l.frame()
		if err != nil {
			return 0, err
		}
		l.rest = frame
	}
	n := copy(b, l.rest)
	l.rest = l.rest[n:]
	return n, nil
}

func (l *link) frame() ([]byte, error) {
	var size [4]byte
	if _, err := io.ReadFull(l.Conn, size[:]); err != nil {
		return nil, err
	}
	frame := make([]byte, 4+int(binary.BigEndian.Uint32(size[:])))
	copy(frame, size[:])
	if _, err := io.ReadFull(l.Conn, frame[4:]); err != nil {
		return nil, err
	}
	id := int32(binary.BigEndian.Uint32(frame[4:]))
	l.mu.Lock()
	r := l.waiting[id]
	delete(l.waiting, id)
	l.mu.Unlock()
	l.p.hold()
	if r != nil {
		l.p.w.wire.answered(l.p, r, frame[8:])
		if err := l.p.pass(Place{r.step, true}); err != nil {
			_ = l.Close()
			return nil, err
		}
	}
	time.Sleep(latency)
	if l.p.isDead() {
		return nil, errDead
	}
	return frame, nil
}

func (l *link) Close() error {
	l.p.mu.Lock()
	delete(l.p.links, l)
	l.p.mu.Unlock()
	return l.Conn.Close()
}
