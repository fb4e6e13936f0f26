package load

import (
	"context"
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/zap"

	"github.com/syncline-io/syncline/schemas"
)

// Inspector decodes single records as a sink's reader does, for tools that show them. It has no target: a row comes in the
// version of its table that wrote it. Not safe for concurrent use.
type Inspector struct {
	catalog *catalog
	// derived says of which versions the tables topic has no description.
	derived map[codecKey]bool
	keys    map[uint32]*schemas.KeyDecoder
	last    *codec
	// What the last Change and the last Key handed out lies here.
	change, key schemas.Arena
}

// NewInspector makes an inspector; it connects to nothing yet. internalPrefix begins the name of the tables topic; "" is
// "syncline".
func NewInspector(kafka []kgo.Opt, registry Registry, internalPrefix string) *Inspector {
	if internalPrefix == "" {
		internalPrefix = defaultPrefix
	}
	opts := &Options{Kafka: kafka, Registry: registry, InternalPrefix: internalPrefix, Log: zap.NewNop()}
	all := func(string) bool { return true }
	return &Inspector{
		catalog: newCatalog(opts, newTables(opts, all)),
		derived: map[codecKey]bool{}, keys: map[uint32]*schemas.KeyDecoder{},
	}
}

var errNoRow = errors.New("the record is about no row")

// Change decodes a record of a table's topic; c is nil for a tombstone that says nothing of its own. whole says that every
// column of Before is known. What it returns is valid until the next call. A version that the tables topic does not describe
// is shown as its schema describes it.
func (i *Inspector) Change(ctx context.Context, r *kgo.Record) (c *schemas.Change, whole bool, err error) {
	i.change.Reset()
	s, err := stampOf(r)
	if err != nil {
		return nil, false, err
	}
	id, body, err := i.catalog.valueOf(ctx, r, s, i.last)
	if err != nil || id == 0 {
		return nil, false, err
	}
	k, err := i.codec(ctx, r, id, s)
	if err != nil {
		return nil, false, err
	}
	if i.last = k; k.special {
		return nil, false, errNoRow
	}
	e, err := i.catalog.decode(ctx, k, r, body, s, &i.change)
	if err != nil {
		return nil, false, err
	}
	return &i.catalog.change, e.beforeWhole, nil
}

func (i *Inspector) codec(ctx context.Context, r *kgo.Record, id uint32, s stamp) (*codec, error) {
	version := codecKey{topic: r.Topic, id: id, table: s.table, ours: s.hasTable}
	if !i.derived[version] {
		k, err := i.catalog.codec(ctx, r, id, s)
		described := i.catalog.tables.find(schemas.TableKey{Topic: r.Topic, SchemaID: id, Version: s.table}) != nil
		if _, final := errors.AsType[*unreadable](err); err == nil || final || described || !s.hasTable {
			return k, err
		}
	}
	s.hasTable, s.table = false, 0
	k, err := i.catalog.codec(ctx, r, id, s)
	if err == nil {
		i.derived[version] = true
	}
	return k, err
}

// Key decodes a record's key. The table has the key's columns alone. What it returns is valid until the next call.
func (i *Inspector) Key(ctx context.Context, r *kgo.Record) (*schemas.Table, []schemas.Value, error) {
	i.key.Reset()
	id, body, err := schemas.SplitWire(r.Key)
	if err != nil {
		return nil, nil, fmt.Errorf("key: %w", err)
	}
	d := i.keys[id]
	if d == nil {
		text, err := i.catalog.schema(ctx, id, stageKey)
		if err != nil {
			return nil, nil, fmt.Errorf("key: %w", err)
		}
		if d, err = schemas.NewKeyDecoder(text, nil); err != nil {
			return nil, nil, fmt.Errorf("key: schema %d: %w", id, err)
		}
		i.keys[id] = d
	}
	row := i.key.Values(len(d.Table().Columns))
	if err := d.Decode(body, row, &i.key); err != nil {
		return nil, nil, err
	}
	return d.Table(), row, nil
}

// SameValue reports whether two values of a key are equal, as sinks see it: 1.0 and 1.00 are.
func SameValue(a, b schemas.Value) bool { return sameKeyValue(a, b) }
