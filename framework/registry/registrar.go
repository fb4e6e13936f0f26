package registry

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/syncline-io/syncline/framework/failure"
	"github.com/syncline-io/syncline/framework/registry/compat"
)

// Policy says whose word counts about the schemas that a source writes.
type Policy struct {
	// AutoRegister registers a schema that its subject does not hold. Without it every schema must be there, and the rest
	// of the policy says which version is written with.
	AutoRegister bool
	// UseLatest writes with the subject's latest version, if what the source writes is the same on the wire. Without it
	// the subject must hold the very schema, in any version.
	UseLatest bool
	// Versions are those to write with, by subject, under the same condition. They go before UseLatest.
	Versions map[string]int
}

// Registrar gives a source the ids to write with. It is safe for concurrent use.
type Registrar struct {
	client *Client
	policy Policy
}

// Registrar returns a Registrar that follows the policy.
func (c *Client) Registrar(p Policy) *Registrar { return &Registrar{client: c, policy: p} }

// Register returns the id under which data of the schema is written. Depending on the policy it registers the schema, or
// looks for a version that will do; a schema that the registry refuses, or that no version will do for, is ErrRefused.
func (r *Registrar) Register(ctx context.Context, subject, schema string) (uint32, error) {
	if r.policy.AutoRegister {
		return r.client.Register(ctx, subject, schema)
	}
	version, fixed := r.policy.Versions[subject]
	if !fixed && !r.policy.UseLatest {
		return r.same(ctx, subject, schema)
	}
	id, text, which, err := r.read(ctx, subject, version)
	if errors.Is(err, ErrNotRegistered) {
		return 0, missing(subject, which)
	}
	if err != nil {
		return 0, err
	}
	if d, err := wireDifference(text, schema); err != nil || d != nil {
		return 0, unfit(subject, which, d, err)
	}
	return id, nil
}

// same finds the schema itself among the subject's versions.
func (r *Registrar) same(ctx context.Context, subject, schema string) (uint32, error) {
	id, err := r.client.Lookup(ctx, subject, schema)
	if !errors.Is(err, ErrNotRegistered) {
		return id, err
	}
	_, text, which, err := r.read(ctx, subject, 0)
	if errors.Is(err, ErrNotRegistered) {
		return 0, missing(subject, "the schema")
	}
	if err != nil {
		return 0, err
	}
	all, err := compat.Differences(text, schema)
	if err != nil || len(all) > 0 {
		return 0, unfit(subject, which, first(all), err)
	}
	// The registry tells two schemas apart by what means nothing on the wire, such as a documentation.
	return 0, refused(fmt.Errorf("subject %q: no version is the schema that the table needs, though %s reads and writes the same, and registry.auto_register is false",
		subject, which), "set registry.use_version: latest")
}

// read reads a version of the subject, the latest for 0, and says which it is.
func (r *Registrar) read(ctx context.Context, subject string, version int) (id uint32, text, which string, err error) {
	if version == 0 {
		id, text, err = r.client.Latest(ctx, subject)
		return id, text, "the latest version", err
	}
	id, text, err = r.client.Version(ctx, subject, version)
	return id, text, "version " + strconv.Itoa(version), err
}

func missing(subject, which string) error {
	return refused(fmt.Errorf("subject %q: %s is not registered, and registry.auto_register is false", subject, which),
		`register the schema that "syncline schema show --needed FILE `+subject+`" prints, or set registry.auto_register: true`)
}

func unfit(subject, which string, d *compat.Difference, err error) error {
	if err != nil {
		return refused(fmt.Errorf("subject %q: %s: %w", subject, which, err), "")
	}
	return refused(fmt.Errorf("subject %q: %s is not what the table needs, and registry.auto_register is false: %s", subject, which, d),
		`see "syncline schema diff FILE `+subject+`"; register what "syncline schema show --needed FILE `+subject+`" prints, or set registry.auto_register: true`)
}

// wireDifference returns the first difference that keeps data of the schema from being written under text.
func wireDifference(text, schema string) (*compat.Difference, error) {
	all, err := compat.Differences(text, schema)
	if err != nil {
		return nil, err
	}
	for i := range all {
		if all[i].Wire {
			return &all[i], nil
		}
	}
	return nil, nil
}

func first(all []compat.Difference) *compat.Difference {
	if len(all) == 0 {
		return nil
	}
	return &all[0]
}

// Verify asks the registry whether id still stands for what is written as schema. An error that is ErrReplaced says how it
// does not; any other that the registry could not be asked.
func (r *Registrar) Verify(ctx context.Context, schema string, id uint32) error {
	text, err := r.client.Reread(ctx, id)
	switch {
	case errors.Is(err, ErrUnknownID):
		return &marked{err, ErrReplaced}
	case failure.Classify(err) == failure.Refused: // not Avro any more
		return &marked{err, ErrReplaced}
	case err != nil:
		return err
	}
	d, err := wireDifference(text, schema)
	switch {
	case err != nil:
		return &marked{fmt.Errorf("schema %d: %w", id, err), ErrReplaced}
	case d != nil:
		return &marked{fmt.Errorf("schema %d is another now: %s", id, d), ErrReplaced}
	}
	return nil
}

// ErrReplaced is in the chain of what [Registrar.Verify] says of an id that no longer means what it did: the registry was
// restored from a backup, or replaced.
var ErrReplaced = errors.New("the schema registry is another one")

// ByID is [Client.ByID].
func (r *Registrar) ByID(ctx context.Context, id uint32) (string, error) {
	return r.client.ByID(ctx, id)
}

// Forget drops what is known of ids, so that the next Register asks the registry.
func (r *Registrar) Forget() { r.client.registrations.clear() }
