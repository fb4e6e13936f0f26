package engines

import (
	"bytes"
	"context"
	"encoding/json"
	"net/url"
	"testing"

	toxiproxy "github.com/Shopify/toxiproxy/v2"
	"github.com/rs/zerolog"
)

// Proxy is a TCP proxy in the test program that breaks connections on command. What it is told counts for the connections
// that are open and for later ones.
type Proxy struct {
	t     testing.TB
	proxy *toxiproxy.Proxy
}

// NewProxy starts a proxy in front of upstream (host:port) and stops it with the test.
func NewProxy(t testing.TB, upstream string) *Proxy {
	t.Helper()
	return newProxy(t, "127.0.0.1:0", upstream)
}

func newProxy(t testing.TB, listen, upstream string) *Proxy {
	t.Helper()
	server := toxiproxy.NewServer(toxiproxy.NewMetricsContainer(nil), zerolog.Nop())
	p := &Proxy{t: t, proxy: toxiproxy.NewProxy(server, t.Name(), listen, upstream)}
	if err := p.proxy.Start(); err != nil {
		t.Fatalf("start the proxy before %s: %v", upstream, err)
	}
	t.Cleanup(p.proxy.Stop)
	return p
}

// Address is where the proxy listens, host:port. It stays over Down and Up.
func (p *Proxy) Address() string { return p.proxy.Listen }

// URL returns address, a URL of the upstream, with the proxy in place of its host.
func (p *Proxy) URL(address string) string {
	p.t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		p.t.Fatal(err)
	}
	u.Host = p.Address()
	return u.String()
}

// Down closes all connections and refuses new ones.
func (p *Proxy) Down() { p.proxy.Stop() }

// Up ends a Down.
func (p *Proxy) Up() {
	p.t.Helper()
	if err := p.proxy.Start(); err != nil {
		p.t.Fatalf("start the proxy again: %v", err)
	}
}

// Stream is a direction through the proxy.
type Stream string

// The directions: Upstream is from the client to the server.
const (
	Upstream   Stream = "upstream"
	Downstream Stream = "downstream"
)

// Toxic is one way of breaking a stream, by its toxiproxy name: latency (latency, jitter in ms), bandwidth (rate in KB/s),
// timeout (timeout in ms; 0 swallows data for ever), reset_peer (timeout in ms), slow_close (delay in ms), limit_data (bytes),
// slicer.
type Toxic struct {
	Kind       string
	Stream     Stream
	Attributes map[string]int64
}

// Add breaks a stream until Heal. Kind and stream together are used once at a time.
func (p *Proxy) Add(toxic Toxic) {
	p.t.Helper()
	b, err := json.Marshal(map[string]any{
		"type": toxic.Kind, "stream": toxic.Stream, "attributes": toxic.Attributes,
	})
	if err != nil {
		p.t.Fatal(err)
	}
	if _, err := p.proxy.Toxics.AddToxicJson(bytes.NewReader(b)); err != nil {
		p.t.Fatalf("add toxic %s: %v", toxic.Kind, err)
	}
}

// Heal takes all toxics away.
func (p *Proxy) Heal() { p.proxy.Toxics.ResetToxics(context.Background()) }
