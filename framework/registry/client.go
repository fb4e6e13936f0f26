// Package registry is the client of a schema registry that speaks Confluent's API.
//
// It decides what an answer means for the connector: a schema that is refused, and credentials that are refused at the
// start, are configuration errors; all else, an unknown id included, is tried again by the caller. Read client.go for
// the operations, call.go for the URLs and the meaning of answers, refusal.go for what is said about a refused schema,
// registrar.go for what a source asks, reader.go for what a sink asks, subject.go for the names of subjects.
package registry

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"math"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/riferrei/srclient"

	"github.com/syncline-io/syncline/framework/failure"
	"github.com/syncline-io/syncline/framework/registry/compat"
)

// The bounds of the caches. 64 MiB hold some 5,000 schemas of wide tables; an id is a few bytes, so that 16 MiB hold
// some 50,000 registrations.
const (
	schemaCacheBytes       = 64 << 20
	registrationCacheBytes = 16 << 20
)

// ErrNotRegistered is returned by Lookup when the subject does not hold the schema, by Latest and Versions when there is
// no such subject, and by Version when it does not hold that version.
var ErrNotRegistered = errors.New("not registered")

// ErrUnknownID is in the chain of the error for an id that the registry, or one of its URLs, does not know.
var ErrUnknownID = errors.New("unknown id")

// ErrRefused is in the chain of every error that says that the registry does not take a schema, or does not hold it
// where it must not be registered. Such an error is one of the configuration too; it concerns one subject alone.
var ErrRefused = errors.New("schema refused")

// Client asks a registry. It is safe for concurrent use. Schemas and registrations are immutable, so that both are kept
// without end in time, and with a bound in bytes; an answer that something is missing is never kept.
type Client struct {
	bases     []base
	bearer    string
	timeout   time.Duration
	transport *http.Transport

	preferred atomic.Int32   // index of the base that answered last
	proven    [2]atomic.Bool // by access: the registry has taken the credentials once

	schemas       *cache[uint32, string]
	registrations *cache[registration, uint32]
}

// registration identifies a schema under a subject; the text's hash stands for it.
type registration struct {
	subject string
	schema  [sha256.Size]byte
}

// New makes a client; it reads the TLS files and asks no server. Its errors are configuration errors.
func New(conf Config) (*Client, error) {
	if err := conf.Validate(); err != nil {
		return nil, failure.As(failure.Config, err, "")
	}
	bases, err := conf.bases()
	if err != nil {
		return nil, failure.As(failure.Config, err, "")
	}
	tlsConf, err := conf.TLS.tlsConfig()
	if err != nil {
		return nil, failure.As(failure.Config, err, "")
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.TLSClientConfig = tlsConf
	transport.MaxConnsPerHost = 16
	timeout := conf.Timeout
	if timeout == 0 {
		timeout = defaultTimeout
	}
	return &Client{
		bases:         bases,
		bearer:        conf.BearerToken,
		timeout:       timeout,
		transport:     transport,
		schemas:       newCache[uint32, string](schemaCacheBytes),
		registrations: newCache[registration, uint32](registrationCacheBytes),
	}, nil
}

// Close drops the idle connections. No call may be under way.
func (c *Client) Close() { c.transport.CloseIdleConnections() }

// Check asks for the subjects, to find out at the start that the address is a registry's and the credentials are taken.
func (c *Client) Check(ctx context.Context) error {
	return c.call(ctx, "reach the schema registry", func(sr *srclient.SchemaRegistryClient) error {
		_, err := sr.GetSubjects()
		return err
	}, c.wrongAddress)
}

// Register makes schema (an Avro schema's text) the subject's latest version, unless the subject has it, and returns
// its id. A refusal is a configuration error that names the subject, the field and the way out.
func (c *Client) Register(ctx context.Context, subject, schema string) (uint32, error) {
	key := registration{subject, sha256.Sum256([]byte(schema))}
	if id, ok := c.registrations.get(key); ok {
		return id, nil
	}
	var got *srclient.Schema
	err := c.call(ctx, fmt.Sprintf("register the schema of subject %q", subject), func(sr *srclient.SchemaRegistryClient) (err error) {
		// CreateSchema also fetches the id that it is given: a registry that hands out ids before it can serve them
		// is found here rather than by every consumer.
		got, err = sr.CreateSchema(subject, schema, srclient.Avro)
		return err
	}, func(a answer) error { return c.refusal(ctx, subject, schema, a) })
	if err != nil {
		return 0, err
	}
	id, err := c.keep(subject, schema, got)
	if err == nil {
		c.schemas.put(id, got.Schema(), len(got.Schema()))
	}
	return id, err
}

// Lookup returns the id of a schema that the subject holds already, ErrNotRegistered when it does not.
func (c *Client) Lookup(ctx context.Context, subject, schema string) (uint32, error) {
	key := registration{subject, sha256.Sum256([]byte(schema))}
	if id, ok := c.registrations.get(key); ok {
		return id, nil
	}
	var got *srclient.Schema
	err := c.call(ctx, fmt.Sprintf("look up the schema of subject %q", subject), func(sr *srclient.SchemaRegistryClient) (err error) {
		got, err = sr.LookupSchema(subject, schema, srclient.Avro)
		return err
	}, notRegistered)
	if err != nil {
		return 0, err
	}
	return c.keep(subject, schema, got)
}

// Latest returns id and text of the subject's latest version, ErrNotRegistered when there is no such subject. It is not
// cached: the latest version changes.
func (c *Client) Latest(ctx context.Context, subject string) (id uint32, schema string, err error) {
	var got *srclient.Schema
	err = c.call(ctx, fmt.Sprintf("read the latest schema of subject %q", subject), func(sr *srclient.SchemaRegistryClient) (err error) {
		got, err = sr.GetLatestSchema(subject)
		return err
	}, notRegistered)
	if err != nil {
		return 0, "", fmt.Errorf("subject %q: %w", subject, err)
	}
	if id, err = validID(got.ID()); err != nil {
		return 0, "", fmt.Errorf("read the latest schema of subject %q: %w", subject, err)
	}
	return id, got.Schema(), nil
}

// Version returns id and text of one version of the subject, ErrNotRegistered when there is no such subject or version.
func (c *Client) Version(ctx context.Context, subject string, version int) (id uint32, schema string, err error) {
	var got *srclient.Schema
	err = c.call(ctx, fmt.Sprintf("read version %d of subject %q", version, subject), func(sr *srclient.SchemaRegistryClient) error {
		got, err = sr.GetSchemaByVersion(subject, version)
		return err
	}, notRegistered)
	if err != nil {
		return 0, "", fmt.Errorf("version %d of subject %q: %w", version, subject, err)
	}
	if id, err = validID(got.ID()); err != nil {
		return 0, "", fmt.Errorf("read version %d of subject %q: %w", version, subject, err)
	}
	return id, got.Schema(), nil
}

// Versions returns the numbers of the subject's versions, oldest first; ErrNotRegistered when there is no such subject.
func (c *Client) Versions(ctx context.Context, subject string) (versions []int, err error) {
	err = c.call(ctx, fmt.Sprintf("list the versions of subject %q", subject), func(sr *srclient.SchemaRegistryClient) error {
		versions, err = sr.GetSchemaVersions(subject)
		return err
	}, notRegistered)
	if err != nil {
		return nil, fmt.Errorf("subject %q: %w", subject, err)
	}
	return versions, nil
}

// Subjects returns the names of all subjects.
func (c *Client) Subjects(ctx context.Context) (subjects []string, err error) {
	err = c.call(ctx, "list the subjects", func(sr *srclient.SchemaRegistryClient) error {
		subjects, err = sr.GetSubjects()
		return err
	}, c.wrongAddress)
	return subjects, err
}

// Level returns the compatibility level that counts for the subject: its own, or the registry's.
func (c *Client) Level(ctx context.Context, subject string) (level compat.Level, err error) {
	err = c.call(ctx, fmt.Sprintf("read the compatibility level of subject %q", subject), func(sr *srclient.SchemaRegistryClient) error {
		said, err := sr.GetCompatibilityLevel(subject, true)
		if err == nil {
			level, err = compat.ParseLevel(said.String())
		}
		return err
	}, nil)
	return level, err
}

// ByID returns the text of the schema with an id. An unknown id is an error to retry: the registry may lag behind the
// topic. A schema that is not Avro, or not whole without others, is marked failure.Refused: no retry makes it readable.
func (c *Client) ByID(ctx context.Context, id uint32) (string, error) {
	if text, ok := c.schemas.get(id); ok {
		return text, nil
	}
	return c.Reread(ctx, id)
}

// Reread is ByID without what was kept: it asks the registry what the id means now. One that was restored from a backup
// may know it no more, or have given it to another schema.
func (c *Client) Reread(ctx context.Context, id uint32) (string, error) {
	var got *srclient.Schema
	err := c.call(ctx, fmt.Sprintf("read schema %d", id), func(sr *srclient.SchemaRegistryClient) (err error) {
		got, err = sr.GetSchema(int(id))
		return err
	}, c.unknownID(id))
	if err != nil {
		return "", err
	}
	if t := got.SchemaType(); t != nil && *t != "" && *t != srclient.Avro {
		return "", failure.As(failure.Refused, fmt.Errorf("schema %d is %.20q, not Avro", id, *t), "")
	}
	if len(got.References()) > 0 {
		return "", failure.As(failure.Refused, fmt.Errorf("schema %d refers to other schemas", id), "register it with the referred types inlined")
	}
	if got.Schema() == "" {
		return "", fmt.Errorf("read schema %d: the answer holds no schema", id)
	}
	c.schemas.put(id, got.Schema(), len(got.Schema()))
	return got.Schema(), nil
}

// keep remembers a registration. Only a positive id is one: an answer of another shape decodes to 0.
func (c *Client) keep(subject, schema string, got *srclient.Schema) (uint32, error) {
	id, err := validID(got.ID())
	if err != nil {
		return 0, fmt.Errorf("schema of subject %q: %w", subject, err)
	}
	c.registrations.put(registration{subject, sha256.Sum256([]byte(schema))}, id, len(subject))
	return id, nil
}

func validID(id int) (uint32, error) {
	if id <= 0 || id > math.MaxInt32 {
		return 0, fmt.Errorf("the registry answers with the id %d", id)
	}
	return uint32(id), nil
}
