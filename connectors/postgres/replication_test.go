package postgres

import (
	"context"
	"errors"
	"io"
	"net"
	"testing"
	"time"

	"github.com/syncline-io/syncline/framework/failure"
)

// halfOpen is a stream whose server takes everything and says nothing.
func halfOpen(t *testing.T, silence time.Duration) *replication {
	t.Helper()
	here, there := net.Pipe()
	t.Cleanup(func() { _ = there.Close() })
	go func() { _, _ = io.Copy(io.Discard, there) }()
	low := newLowWaterConn(here)
	r := &replication{
		conn: low, low: low, buf: make([]byte, readBuffer), silence: silence,
		stop: make(chan struct{}), stopped: make(chan struct{}),
	}
	go r.sendStatus(5 * time.Millisecond)
	return r
}

func TestServerThatSaysNothingIsGivenUp(t *testing.T) {
	r := halfOpen(t, 50*time.Millisecond)
	ended := make(chan error, 1)
	go func() {
		_, err := r.receive()
		ended <- err
	}()
	select {
	case err := <-ended:
		if !errors.Is(err, errSilent) || failure.IsFinal(err) {
			t.Errorf("got %v, want %v", err, errSilent)
		}
	case <-time.After(10 * time.Second):
		t.Error("the reader waits for ever")
	}
	close(r.stop)
	<-r.stopped
	_ = r.conn.Close()
}

func TestReaderThatIsBusyElsewhereIsNotSilent(t *testing.T) {
	r := halfOpen(t, 20*time.Millisecond)
	time.Sleep(200 * time.Millisecond) // the reader waits for Kafka
	if r.silent.Load() {
		t.Error("the stream was given up while nobody was reading from it")
	}
	close(r.stop)
	<-r.stopped
	_ = r.conn.Close()
}

func TestStandbyGivesUpAServerThatDoesNotAnswer(t *testing.T) {
	d := newDatabase(t)
	d.exec("create table a (id int primary key)")
	src, err := newSource(t.Context(), d.config(), d.env())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = src.Close() }()
	src.answerTimeout = time.Nanosecond // no server is as fast
	if err := src.Lease(t.Context()); !errors.Is(err, context.DeadlineExceeded) || failure.IsFinal(err) {
		t.Errorf("got %v, want a time-out that is tried again", err)
	}
}
