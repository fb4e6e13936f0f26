package run

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/syncline-io/syncline/framework/failure"
)

// admin is the HTTP endpoint of a process: /livez, /readyz, /status and /metrics for all its connectors.
type admin struct {
	server   *http.Server
	listener net.Listener
	done     chan error
}

// statusSource is what the endpoint asks of each connector.
type statusSource interface {
	// Name is the connector's name.
	Name() string
	// Ready reports whether the connector is doing its work now; if not, why.
	Ready() (bool, string)
	// Status is the connector's part of /status: it becomes JSON.
	Status() any
}

func startAdmin(listen string, connectors []statusSource, metrics prometheus.Gatherer) (*admin, error) {
	l, err := net.Listen("tcp", listen)
	if err != nil {
		return nil, failure.As(failure.Config, fmt.Errorf("admin.listen: %w", err), "choose a free address, or off")
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /livez", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("ok\n")) })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) { ready(w, connectors) })
	mux.HandleFunc("GET /status", func(w http.ResponseWriter, _ *http.Request) { status(w, connectors) })
	mux.Handle("GET /metrics", promhttp.HandlerFor(metrics, promhttp.HandlerOpts{}))
	a := &admin{
		server:   &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second, WriteTimeout: 30 * time.Second, MaxHeaderBytes: 16 << 10},
		listener: l,
		done:     make(chan error, 1),
	}
	go func() { a.done <- a.server.Serve(l) }()
	return a, nil
}

// Address is where the endpoint listens.
func (a *admin) Address() string { return a.listener.Addr().String() }

// Close stops the endpoint and waits for it.
func (a *admin) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	err := a.server.Shutdown(ctx)
	if served := <-a.done; !errors.Is(served, http.ErrServerClosed) {
		err = errors.Join(err, served)
	}
	return err
}

func ready(w http.ResponseWriter, connectors []statusSource) {
	code, text := http.StatusOK, ""
	for _, c := range connectors {
		ok, why := c.Ready()
		if !ok {
			code = http.StatusServiceUnavailable
		}
		text += c.Name() + ": " + why + "\n"
	}
	w.WriteHeader(code)
	_, _ = w.Write([]byte(text))
}

func status(w http.ResponseWriter, connectors []statusSource) {
	all := map[string]any{}
	for _, c := range connectors {
		all[c.Name()] = c.Status()
	}
	w.Header().Set("Content-Type", "application/json")
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	_ = e.Encode(all)
}
