package registry

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// maxBody bounds what is read of an answer: the largest schema that makes sense, several times over.
const maxBody = 16 << 20

// exchange is the transport of one call to one URL. It does what srclient does not: it carries the caller's context,
// bounds the answer, authenticates (srclient drops a user without password, and takes some tokens for basic
// authentication), and remembers the last status, which srclient keeps to itself.
type exchange struct {
	ctx    context.Context
	next   http.RoundTripper
	base   base
	bearer string

	method     string
	wrote      bool // a POST was answered with success
	status     int  // 0: no answer yet
	location   string
	retryAfter time.Duration
}

// RoundTrip sends req. srclient's requests follow each other, so that the fields need no lock.
func (x *exchange) RoundTrip(req *http.Request) (*http.Response, error) {
	req = req.Clone(x.ctx)
	req.Header.Set("Accept", "application/vnd.schemaregistry.v1+json, application/json")
	switch {
	case x.bearer != "":
		req.Header.Set("Authorization", "Bearer "+x.bearer)
	case x.base.username != "":
		req.SetBasicAuth(x.base.username, x.base.password)
	}
	spaceInPath(req.URL)
	x.method, x.status, x.location, x.retryAfter = req.Method, 0, "", 0
	resp, err := x.next.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	x.status, x.location = resp.StatusCode, resp.Header.Get("Location")
	if req.Method == http.MethodPost && resp.StatusCode < 300 {
		x.wrote = true
	}
	if seconds, err := strconv.Atoi(resp.Header.Get("Retry-After")); err == nil && seconds > 0 {
		x.retryAfter = min(time.Duration(seconds)*time.Second, 10*time.Minute)
	}
	resp.Body = &boundedBody{ReadCloser: resp.Body, left: maxBody}
	return resp, nil
}

// client is an HTTP client for one call. It follows no redirect: a registry sends none, and the credentials must not
// travel to another host.
func (x *exchange) client(timeout time.Duration) *http.Client {
	return &http.Client{
		Transport:     x,
		Timeout:       timeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// spaceInPath undoes srclient's escaping of subjects, which is that of a query: there a space is a plus.
func spaceInPath(u *url.URL) {
	if escaped := u.EscapedPath(); strings.Contains(escaped, "+") {
		escaped = strings.ReplaceAll(escaped, "+", "%20")
		if path, err := url.PathUnescape(escaped); err == nil {
			u.Path, u.RawPath = path, escaped
		}
	}
}

var errBodyTooLarge = fmt.Errorf("answer is larger than %d MiB", maxBody>>20)

// boundedBody fails the read that passes the bound.
type boundedBody struct {
	io.ReadCloser
	left int
}

func (b *boundedBody) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, errBodyTooLarge
	}
	if len(p) > b.left {
		p = p[:b.left]
	}
	n, err := b.ReadCloser.Read(p)
	b.left -= n
	return n, err
}

// withoutURL drops the "Get \"http://...\":" that net/http puts before its errors; the messages here name the base.
func withoutURL(err error) error {
	if ue, ok := errors.AsType[*url.Error](err); ok {
		return ue.Err
	}
	return err
}
