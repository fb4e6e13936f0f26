package postgres

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/syncline-io/syncline/framework/crash"
	"github.com/syncline-io/syncline/framework/failure"
)

const (
	// readBuffer is the least size of the buffer between the socket and the parser. It grows for one message that is
	// larger (PostgreSQL's limit is 1 GB) and shrinks again once that is handled.
	readBuffer = 512 << 10
	// farewellTimeout bounds the goodbye: the last status, and waiting until the server has freed the slot.
	farewellTimeout = 2 * time.Second
	writeTimeout    = 10 * time.Second
	// A server that is asked for a keepalive every status interval and says nothing for silentIntervals of them, and for
	// silenceMin, is not there any more, whatever the network makes of it.
	silentIntervals = 10
	silenceMin      = time.Minute
)

// errSilent ends a stream on which nothing has come for too long.
var errSilent = errors.New("the server has not answered for too long; the connection is given up")

// replication is a connection on which the server streams changes. Receive is called from one goroutine; a goroutine of
// its own sends the status, whatever the reader waits for, until Close.
type replication struct {
	conn net.Conn
	low  *lowWaterConn

	buf  []byte
	r, w int // buf[r:w] has been received and not yet handled

	// durable is what the server may forget, received what has been read from it.
	durable, received atomic.Uint64

	// waiting is since when the reader has waited for the network, in nanoseconds since 1970, 0 while it does not: it may
	// be Kafka that it waits for. silence is how long it may wait; silent says that it was longer.
	waiting atomic.Int64
	silence time.Duration
	silent  atomic.Bool

	writing  sync.Mutex
	writeErr error // of the status goroutine; the reader finds out by itself, this tells why

	stop, stopped chan struct{}
}

// streamMessage is one message of the stream. Its data are valid until the next receive.
type streamMessage struct {
	// keepalive tells a keepalive from data.
	keepalive bool
	// start is the place of the data in the log; end is how far the server has read its log.
	start, end lsn
	data       []byte
}

// startReplication begins the stream at from, with values in binary on request. Status goes out every interval from now on.
func startReplication(ctx context.Context, s *server, slot, publication string, from lsn, binary bool, interval time.Duration) (*replication, error) {
	var low *lowWaterConn
	pg, err := s.replication(ctx, func(c net.Conn) net.Conn {
		low = newLowWaterConn(c)
		return low
	})
	if err != nil {
		return nil, err
	}
	timeout := senderTimeout(ctx, pg)
	if timeout > 0 {
		interval = min(interval, timeout/3)
	}
	// The connection is idle now, so nothing is lost in pgconn's buffer when it is taken over.
	hijacked, err := pg.Hijack()
	if err != nil {
		_ = pg.Close(ctx)
		return nil, fmt.Errorf("take over the replication connection: %w", err)
	}
	if hijacked.Conn != net.Conn(low) {
		low.socket = nil // TLS reads record by record: waiting for a mark between them would only delay
	}
	r := &replication{
		conn: hijacked.Conn, low: low, buf: make([]byte, readBuffer),
		stop: make(chan struct{}), stopped: make(chan struct{}),
		// A server that was given more time, because it decodes for long, has it here too.
		silence: max(silentIntervals*interval, 2*timeout, silenceMin),
	}
	r.durable.Store(uint64(from))
	r.received.Store(uint64(from))
	if err := r.start(ctx, slot, publication, from, binary); err != nil {
		_ = r.conn.Close()
		return nil, err
	}
	go r.sendStatus(interval)
	return r, nil
}

// senderTimeout is the server's wal_sender_timeout for this role, 0 when it has none.
func senderTimeout(ctx context.Context, pg *pgconn.PgConn) time.Duration {
	results, err := pg.Exec(ctx, "SELECT setting FROM pg_catalog.pg_settings WHERE name = 'wal_sender_timeout'").ReadAll()
	if err != nil || len(results) != 1 || len(results[0].Rows) != 1 {
		return 0
	}
	ms, ok := parseUint(results[0].Rows[0][0])
	if !ok {
		return 0
	}
	return time.Duration(ms) * time.Millisecond
}

// start sends START_REPLICATION and waits for the server's consent.
func (r *replication) start(ctx context.Context, slot, publication string, from lsn, binary bool) error {
	defer context.AfterFunc(ctx, r.interrupt)()
	options := "proto_version '1', messages 'true', publication_names " + quoteLiteral(quoteName(publication))
	if binary {
		options += ", binary 'true'"
	}
	command := fmt.Sprintf("START_REPLICATION SLOT %s LOGICAL %s (%s)", quoteName(slot), from, options)
	query, err := (&pgproto3.Query{String: command}).Encode(nil)
	if err != nil {
		return fmt.Errorf("start replication: %w", err)
	}
	if err := r.write(query); err != nil {
		return fmt.Errorf("start replication: %w", err)
	}
	for {
		kind, body, err := r.message()
		if err != nil {
			return fmt.Errorf("start replication from slot %s: %w", slot, err)
		}
		switch kind {
		case 'W': // CopyBothResponse
			return nil
		case 'E':
			return fmt.Errorf("start replication from slot %s: %w", slot, serverError(body))
		}
	}
}

func quoteLiteral(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }

// receive waits for the next message of the stream.
func (r *replication) receive() (m streamMessage, err error) {
	for {
		kind, body, err := r.message()
		if err != nil {
			return m, fmt.Errorf("read the replication stream: %w", err)
		}
		switch {
		case kind == 'd' && len(body) >= 25 && body[0] == 'w':
			m.start = lsn(binary.BigEndian.Uint64(body[1:]))
			m.end = lsn(binary.BigEndian.Uint64(body[9:]))
			m.data = body[25:]
			return m, nil
		case kind == 'd' && len(body) >= 18 && body[0] == 'k':
			m.end = lsn(binary.BigEndian.Uint64(body[1:]))
			m.keepalive = true
			if body[17] == 1 {
				if err := r.reply(false); err != nil {
					return m, err
				}
			}
			return m, nil
		case kind == 'E':
			return m, fmt.Errorf("replication stopped: %w", serverError(body))
		case kind == 'c' || kind == 'C':
			return m, errors.New("the server ended the replication stream")
		case kind == 'N':
			if err := alarming(body); err != nil {
				return m, fmt.Errorf("replication goes on without changes: %w", err)
			}
		case kind == 'S': // parameter status
		default:
			return m, fmt.Errorf("read the replication stream: unexpected message %q of %d bytes", kind, len(body))
		}
	}
}

// message takes one message of the frontend/backend protocol; body is valid until the next call.
func (r *replication) message() (kind byte, body []byte, err error) {
	if err := r.fill(5); err != nil {
		return 0, nil, err
	}
	kind = r.buf[r.r]
	size := int(int32(binary.BigEndian.Uint32(r.buf[r.r+1:])))
	if size < 4 {
		return 0, nil, fmt.Errorf("message %q has length %d", kind, size)
	}
	if err := r.fill(1 + size); err != nil {
		return 0, nil, err
	}
	body = r.buf[r.r+5 : r.r+1+size]
	r.r += 1 + size
	return kind, body, nil
}

// fill makes at least n bytes available at r.r.
func (r *replication) fill(n int) error {
	if r.w-r.r >= n {
		return nil
	}
	switch {
	case n > len(r.buf):
		grown := make([]byte, n+n/4)
		r.w = copy(grown, r.buf[r.r:r.w])
		r.buf, r.r = grown, 0
	case len(r.buf) > 8*readBuffer && n <= readBuffer && r.w-r.r <= readBuffer:
		shrunk := make([]byte, readBuffer)
		r.w = copy(shrunk, r.buf[r.r:r.w])
		r.buf, r.r = shrunk, 0
	case r.r == r.w:
		r.r, r.w = 0, 0
	case len(r.buf)-r.r < n:
		r.w = copy(r.buf, r.buf[r.r:r.w])
		r.r = 0
	}
	for r.w-r.r < n {
		r.waiting.Store(time.Now().UnixNano())
		m, err := r.conn.Read(r.buf[r.w:])
		r.waiting.Store(0)
		r.w += m
		if err != nil && r.silent.Load() {
			return errSilent
		}
		if err != nil && r.w-r.r < n {
			if errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF
			}
			return err
		}
	}
	return nil
}

// interrupt makes receive return.
func (r *replication) interrupt() { r.low.interrupt() }

// sendStatus answers for the reader: a reader that waits for Kafka must not lose its connection. It asks the server for
// a keepalive in return, which tells how far a log without changes for us has gone.
func (r *replication) sendStatus(interval time.Duration) {
	defer close(r.stopped)
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for {
		select {
		case <-r.stop:
			return
		case <-ticker.C:
		}
		if since := r.waiting.Load(); since != 0 && time.Since(time.Unix(0, since)) > r.silence {
			r.silent.Store(true)
			r.interrupt()
			return
		}
		crash.Point("postgres-source.before-status")
		if err := r.reply(true); err != nil {
			r.interrupt()
			return
		}
		crash.Point("postgres-source.after-status")
	}
}

// reply sends the status: what has been received and what is durable.
func (r *replication) reply(ask bool) error {
	durable := r.durable.Load()
	written := max(durable, r.received.Load())
	var b [39]byte
	b[0] = 'd'
	binary.BigEndian.PutUint32(b[1:], uint32(len(b)-1))
	b[5] = 'r'
	binary.BigEndian.PutUint64(b[6:], written)
	binary.BigEndian.PutUint64(b[14:], durable)
	binary.BigEndian.PutUint64(b[22:], durable)
	binary.BigEndian.PutUint64(b[30:], uint64(time.Now().UnixMicro()-epochDays*dayMicros))
	if ask {
		b[38] = 1
	}
	if err := r.write(b[:]); err != nil {
		return fmt.Errorf("send the replication status: %w", err)
	}
	return nil
}

func (r *replication) write(b []byte) error {
	r.writing.Lock()
	defer r.writing.Unlock()
	if r.writeErr != nil {
		return r.writeErr
	}
	if err := r.conn.SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil {
		return err
	}
	_, r.writeErr = r.conn.Write(b)
	return r.writeErr
}

// Close sends a last status, ends the stream and waits, for a moment, until the server has let go of the slot, so that
// a successor need not wait for it. Receive must have returned.
func (r *replication) Close() error {
	close(r.stop)
	<-r.stopped
	goodbye := []byte{'c', 0, 0, 0, 4, 'X', 0, 0, 0, 4} // CopyDone, Terminate
	if r.reply(false) == nil && r.write(goodbye) == nil {
		r.low.resume(time.Now().Add(farewellTimeout))
		_, _ = io.Copy(io.Discard, io.LimitReader(r.conn, 64<<20))
	}
	return r.conn.Close()
}

// alarming returns a notice that tells a loss: newer servers leave out a publication that they do not find, and say so.
func alarming(notice []byte) error {
	err := serverError(notice)
	if sqlState(err) == codeNotInPrerequisite && strings.Contains(err.Error(), "publication") {
		return err
	}
	return nil
}

// serverError turns the body of an ErrorResponse, or of a NoticeResponse, which has the same form, into an error.
func serverError(body []byte) error {
	var m pgproto3.ErrorResponse
	if err := m.Decode(body); err != nil {
		return fmt.Errorf("unreadable error of the server: %w", err)
	}
	return pgconn.ErrorResponseToPgError(&m)
}

// streamError says what an error of the stream means for an operator. Of other queries, such as those of the catalog, the same codes
// mean something else.
func streamError(err error, slot, publication string) error {
	var pg *pgconn.PgError
	if !errors.As(err, &pg) {
		return err
	}
	switch {
	case pg.Code == codeUndefinedObject && strings.Contains(pg.Message, "publication"):
		return publicationGone(publication, err)
	case pg.Code == codeUndefinedObject:
		return slotGone(slot, err)
	case pg.Code == codeNotInPrerequisite && strings.Contains(pg.Message, "publication"):
		return publicationGone(publication, err)
	case pg.Code == codeNotInPrerequisite && strings.Contains(pg.Message, "slot"):
		return failure.As(failure.Gap, err, hintAfterGap)
	}
	return err
}
