package badinput

import (
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
)

// front stands before a registry and answers in its place while it is told what.
type front struct {
	*httptest.Server
	pass    http.Handler
	instead atomic.Pointer[http.HandlerFunc]
}

func newFront(t *testing.T, registry string) *front {
	t.Helper()
	u, err := url.Parse(registry)
	if err != nil {
		t.Fatal(err)
	}
	f := &front{pass: httputil.NewSingleHostReverseProxy(&url.URL{Scheme: u.Scheme, Host: u.Host})}
	f.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if h := f.instead.Load(); h != nil {
			(*h)(w, r)
			return
		}
		f.pass.ServeHTTP(w, r)
	}))
	t.Cleanup(f.Server.Close)
	return f
}

// url is the registry's address by way of the front.
func (f *front) url(registry string) string {
	u, _ := url.Parse(registry)
	return f.URL + u.Path
}

// answer makes it answer with h, and pass everything on again with nil.
func (f *front) answer(h http.HandlerFunc) {
	if h == nil {
		f.instead.Store(nil)
		return
	}
	f.instead.Store(&h)
}

// refuse makes it refuse every schema of the subject, and pass on everything else.
func (f *front) refuse(subject string) {
	f.answer(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost || !strings.HasSuffix(r.URL.Path, "/subjects/"+subject+"/versions") {
			f.pass.ServeHTTP(w, r)
			return
		}
		w.WriteHeader(http.StatusConflict)
		_, _ = w.Write([]byte(`{"error_code":409,"message":"our own rule says no"}`))
	})
}
