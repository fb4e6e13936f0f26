package run

import (
	"context"
	"fmt"

	"github.com/syncline-io/syncline/framework/config"
	"github.com/syncline-io/syncline/framework/failure"
	"github.com/syncline-io/syncline/framework/registry"
	"github.com/syncline-io/syncline/schemas"
)

// Schemas is what a connector's file says of schemas: the registry, and what a source's tables need of it.
type Schemas struct {
	Registry *registry.Client
	// Policy says what the source may write with.
	Policy registry.Policy

	file     string
	strategy registry.Strategy
	mapping  schemas.Mapping
	tables   func(ctx context.Context) ([]*schemas.Table, error) // nil for a sink
}

// NeededSchema is a schema that one of the source's tables needs as it is now.
type NeededSchema struct {
	Table, Topic string
	Subject      string
	Key          bool
	Schema       string
	// Err says why the table cannot be published at all, "" when it can; there is then no schema.
	Err error
}

// OpenSchemas reads a file; it connects to nothing. A registryURL that is not "" counts instead of the file's, such as that
// of an embedded registry. Close the Registry afterwards.
func OpenSchemas(known []Connector, file, registryURL string) (*Schemas, error) {
	d, c, err := choose(known, file)
	if err != nil {
		return nil, err
	}
	s, err := c.schemas(d, Platform{RegistryURL: registryURL})
	if err != nil {
		return nil, err
	}
	s.file = file
	return s, nil
}

func schemasOf(c config.Registry) (*Schemas, error) {
	client, err := registry.New(c.Client())
	if err != nil {
		return nil, failure.As(failure.Config, fmt.Errorf("registry: %w", err), "")
	}
	return &Schemas{Registry: client, Policy: c.Policy(), strategy: c.Strategy()}, nil
}

// Needed reads the source's tables and returns their schemas, in the order of the tables. The file must be a source's.
func (s *Schemas) Needed(ctx context.Context) ([]NeededSchema, error) {
	if s.tables == nil {
		return nil, failure.As(failure.Config, fmt.Errorf("%s: only a source of tables knows which schemas it needs", s.file), "name the source's file")
	}
	tables, err := s.tables(ctx)
	if err != nil {
		return nil, err
	}
	var all []NeededSchema
	owner := map[string]string{} // of topics
	for _, t := range tables {
		needed, err := s.neededBy(t)
		if err == nil && owner[needed[0].Topic] != "" {
			err = fmt.Errorf("tables %s and %s have the same topic %s", owner[needed[0].Topic], t, needed[0].Topic)
		}
		if err != nil {
			all = append(all, NeededSchema{Table: t.String(), Err: err})
			continue
		}
		owner[needed[0].Topic] = t.String()
		all = append(all, needed...)
	}
	return all, nil
}

func (s *Schemas) neededBy(t *schemas.Table) (needed []NeededSchema, err error) {
	e, err := schemas.NewEncoder(t, s.mapping)
	if err != nil {
		return nil, err
	}
	add := func(key bool, schema string) error {
		subject, err := s.strategy.Subject(e.Topic(), key, schema)
		needed = append(needed, NeededSchema{Table: t.String(), Topic: e.Topic(), Subject: subject, Key: key, Schema: schema})
		return err
	}
	if e.KeySchema() != "" {
		if err := add(true, e.KeySchema()); err != nil {
			return nil, err
		}
	}
	return needed, add(false, e.ValueSchema())
}
