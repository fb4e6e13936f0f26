package registry

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"unicode/utf8"

	"github.com/riferrei/srclient"

	"github.com/syncline-io/syncline/framework/failure"
)

// answer is what one URL said to one call that did not succeed.
type answer struct {
	url    string
	status int // of HTTP; 0: no answer
	code   int // error_code of the body, 0 if there is none
	err    error
}

// access is what a call needs the credentials for.
type access int

const (
	toRead access = iota
	toWrite
)

// meaning gives the error of an answer that means something particular to one operation, and nil for the others.
type meaning func(answer) error

// call runs do against the URLs in turn, beginning with the one that answered last, until one succeeds or says
// something that the others would say too. A new srclient.SchemaRegistryClient for each try costs a few allocations
// and buys the context; its caches, which know no bound, are never used.
func (c *Client) call(ctx context.Context, what string, do func(*srclient.SchemaRegistryClient) error, means meaning) error {
	var problems []error
	first := int(c.preferred.Load())
	for i := range c.bases {
		n := (first + i) % len(c.bases)
		x := &exchange{ctx: ctx, next: c.transport, base: c.bases[n], bearer: c.bearer}
		sr := srclient.NewSchemaRegistryClient(x.base.url, srclient.WithClient(x.client(c.timeout)))
		sr.CachingEnabled(false)
		err := do(sr)
		if err == nil {
			c.preferred.Store(int32(n))
			c.prove(x)
			return nil
		}
		if ctx.Err() != nil {
			return fmt.Errorf("%s: %w", what, context.Cause(ctx))
		}
		a := x.answer(err)
		final, problem := c.judge(what, x, a, means)
		if final {
			c.preferred.Store(int32(n))
			return problem
		}
		problems = append(problems, problem)
	}
	return joined(problems)
}

// judge turns an answer into an error, and says whether to leave the other URLs alone.
func (c *Client) judge(what string, x *exchange, a answer, means meaning) (final bool, err error) {
	if means != nil {
		if err := means(a); err != nil {
			return failure.Classify(err) != failure.Retry || errors.Is(err, ErrNotRegistered), err
		}
	}
	err = fmt.Errorf("%s: %s: %w", what, a.url, a.err)
	switch {
	case a.status == http.StatusUnauthorized || a.status == http.StatusForbidden:
		const hint = "check the username and password, or the token, of the registry, and what they permit"
		if c.proven[x.access()].Load() {
			return false, failure.WithHint(err, hint)
		}
		return true, failure.As(failure.Config, err, hint)
	case a.status >= 300 && a.status < 400:
		return false, failure.WithHint(err, "it redirects; put the address of the registry itself into the configuration")
	case a.status == 0:
		return false, failure.WithHint(err, "see that the registry runs and can be reached from here, and that registry.url names it")
	case x.retryAfter > 0:
		return false, failure.After(err, x.retryAfter)
	}
	return false, err
}

// prove remembers that the credentials were good for what x did, so that a later refusal is not taken for a mistake in
// the configuration: a permission that was lost may come back.
func (c *Client) prove(x *exchange) {
	c.proven[x.access()].Store(true)
	if x.wrote {
		c.proven[toWrite].Store(true)
	}
}

// access is that of the last request.
func (x *exchange) access() access {
	if x.method == http.MethodPost {
		return toWrite
	}
	return toRead
}

// answer reads srclient's error, whose text is the whole body of the answer.
func (x *exchange) answer(err error) answer {
	a := answer{url: x.base.url, status: x.status, err: withoutURL(err)}
	if se, ok := errors.AsType[srclient.Error](err); ok {
		a.code = se.Code
		a.err = fmt.Errorf("status %d: %s", a.status, shortened(se.Message))
		return a
	}
	var syntax *json.SyntaxError
	var wrongType *json.UnmarshalTypeError
	switch {
	case x.status >= 300:
		a.err = fmt.Errorf("status %d without a registry's error message", x.status)
	case errors.As(err, &syntax), errors.As(err, &wrongType):
		a.err = fmt.Errorf("status %d, but the answer is not a registry's: %w", x.status, err)
	}
	return a
}

// wrongAddress is the meaning of a 404 that is no registry's: one without an error code, or one on the list of subjects,
// which every registry has. Where a registry has answered before, it is a trouble like others.
func (c *Client) wrongAddress(a answer) error {
	if a.status != http.StatusNotFound || c.proven[toRead].Load() {
		return nil
	}
	return failure.As(failure.Config, fmt.Errorf("no schema registry answers at %s (status 404)", a.url),
		"check the path of the registry's URL; Apicurio's ends in /apis/ccompat/v7")
}

// notRegistered is the meaning of a 404 on a subject, or on a schema in it.
func notRegistered(a answer) error {
	if a.status != http.StatusNotFound {
		return nil
	}
	return fmt.Errorf("%s: %w", a.url, ErrNotRegistered)
}

// unknownID is the meaning of a 404 on an id. It is not final: another URL, or the same one later, may know the id.
func (c *Client) unknownID(id uint32) meaning {
	return func(a answer) error {
		switch {
		case a.status != http.StatusNotFound:
			return nil
		case a.code == 0:
			return c.wrongAddress(a)
		}
		return failure.WithHint(&marked{fmt.Errorf("%s does not know schema %d", a.url, id), ErrUnknownID},
			"it may lag behind the topic; if it was restored or replaced, the schemas must be registered again with their old ids")
	}
}

// joined makes one line of the answers of several URLs; the longest wait that one asks for counts.
func joined(problems []error) error {
	if len(problems) == 1 {
		return problems[0]
	}
	all := problems[0]
	wait := failure.Wait(all)
	for _, p := range problems[1:] {
		all = fmt.Errorf("%w; %w", all, p)
		wait = max(wait, failure.Wait(p))
	}
	return failure.After(all, wait)
}

// messageMax bounds what is repeated of a registry's message: Confluent's quotes both schemas whole.
const messageMax = 400

func shortened(message string) string {
	message = strings.Join(strings.Fields(message), " ")
	if len(message) <= messageMax {
		return message
	}
	cut := messageMax
	for !utf8.RuneStart(message[cut]) {
		cut--
	}
	return message[:cut] + "..."
}
