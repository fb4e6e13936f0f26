// Package embedded runs a Kafka-compatible broker and a schema registry in the process, with their data in one folder,
// so that a pipeline needs no other server. Standard clients can talk to both.
//
// It is at-least-once: the broker refuses transactions, because its transactions would not survive a crash. What it
// acknowledged does; see the package broker.
package embedded

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/syncline-io/syncline/framework/embedded/broker"
	"github.com/syncline-io/syncline/framework/embedded/keepport"
	"github.com/syncline-io/syncline/framework/embedded/registry"
)

// closeWait is how long requests to the registry may take to finish once it closes.
const closeWait = 5 * time.Second

// Memory is what broker and registry take in the process, in bytes, while a few connectors and tools use them. Nothing bounds it.
const Memory = 64 << 20

// Config says where the data is and where to listen.
type Config struct {
	// Dir is the folder of the data; it is made if it is missing, and locked.
	Dir string
	// KafkaPort and RegistryPort are ports on 127.0.0.1. 0 is any free one, which stays the same in this folder.
	KafkaPort, RegistryPort int
	// RetentionBytes bounds each partition of a topic that sets no retention.bytes of its own. 0 is 4 GiB.
	RetentionBytes int64
	Log            *zap.Logger
}

// Server is a running broker with its registry. Its methods are safe for concurrent use.
type Server struct {
	broker   *broker.Broker
	registry *registry.Registry
	listener net.Listener
	http     *http.Server
	serving  sync.WaitGroup
	close    func() error
}

// Start returns when both answer. ctx bounds the start alone; Close ends the server.
func Start(ctx context.Context, c Config) (*Server, error) {
	if c.Log == nil {
		c.Log = zap.NewNop()
	}
	s := new(Server)
	s.close = sync.OnceValue(s.stop)
	if err := s.start(ctx, c); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

func (s *Server) start(ctx context.Context, c Config) (err error) {
	s.broker, err = broker.Start(ctx, broker.Options{Dir: c.Dir, Port: c.KafkaPort, RetentionBytes: c.RetentionBytes, Log: c.Log})
	if err != nil {
		return err
	}
	if s.registry, err = registry.Open(ctx, s.Brokers()); err != nil {
		return err
	}
	if s.listener, err = keepport.Listen(filepath.Join(c.Dir, "registry.port"), c.RegistryPort); err != nil {
		return fmt.Errorf("start the schema registry: %w", err)
	}
	s.http = &http.Server{
		Handler:           s.registry.Handler(),
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       2 * time.Minute,
		ErrorLog:          zap.NewStdLog(c.Log),
	}
	s.serving.Go(func() {
		if err := s.http.Serve(s.listener); !errors.Is(err, http.ErrServerClosed) {
			c.Log.Error("the schema registry no longer listens", zap.Error(err))
		}
	})
	return nil
}

// Brokers are the addresses for Kafka clients.
func (s *Server) Brokers() []string { return []string{s.broker.Addr()} }

// RegistryURL is the base of the registry's API.
func (s *Server) RegistryURL() string { return "http://" + s.listener.Addr().String() }

// Sync makes what the broker has acknowledged before the call survive a loss of power too. What was acknowledged
// survives a killed process without it.
func (s *Server) Sync() error { return s.broker.Sync() }

// Close stops the registry, which writes to the broker, then the broker, and waits for both. Clients of the caller's
// should be closed before. Further calls return what the first did.
func (s *Server) Close() error { return s.close() }

func (s *Server) stop() error {
	var err error
	if s.http != nil {
		ctx, cancel := context.WithTimeout(context.Background(), closeWait)
		defer cancel()
		if err = s.http.Shutdown(ctx); err != nil {
			err = errors.Join(err, s.http.Close())
		}
		s.serving.Wait()
	}
	if s.registry != nil {
		s.registry.Close()
	}
	if s.broker != nil {
		err = errors.Join(err, s.broker.Close())
	}
	return err
}
