package load

import (
	"context"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/syncline-io/syncline/framework/failure"
	"github.com/syncline-io/syncline/framework/sink"
	"github.com/syncline-io/syncline/schemas"
)

type codecKey struct {
	topic string
	id    uint32
	table uint64
	ours  bool
	keyed bool // of a foreign connector's: the table has a key
}

// catalog knows how records are decoded and which table of the target each topic goes to. It belongs to the reader.
type catalog struct {
	registry Registry
	tables   *tables
	naming   Naming
	codecs   map[codecKey]*codec
	current  map[string]*sink.Table // by topic: the newest version met
	owner    map[string]string      // the topic by the target's "schema.name"
	// change is what the last record was decoded into; its rows live in the batch's arena.
	change schemas.Change
}

func newCatalog(opts *Options, t *tables) *catalog {
	return &catalog{
		registry: opts.Registry, tables: t, naming: opts.Naming, codecs: map[codecKey]*codec{},
		current: map[string]*sink.Table{}, owner: map[string]string{},
	}
}

// lookupTimeout bounds one question to the registry or the tables topic: other partitions wait meanwhile.
const lookupTimeout = 5 * time.Second

// codec returns the codec for a record with the schema id. An error is an *unreadable, or a trouble of the environment
// that passes: a registry that lags must never make a dead letter.
func (c *catalog) codec(ctx context.Context, r *kgo.Record, id uint32, s stamp) (*codec, error) {
	key := codecKey{topic: r.Topic, id: id, table: s.table, ours: s.hasTable}
	for _, key.keyed = range [...]bool{true, false} {
		if found := c.codecs[key]; found.fits(r, id, s) {
			return found, nil
		}
	}
	ctx, cancel := context.WithTimeout(ctx, lookupTimeout)
	defer cancel()
	text, err := c.schema(ctx, id, stageValue)
	if err != nil {
		return nil, err
	}
	made := &codec{topic: r.Topic, id: id, stamp: s.table, ours: s.hasTable}
	// A record that has a table is a row: such a schema shows that the registry has given its id away.
	if !s.hasTable && schemas.ContentOf(text) != schemas.ContentRows {
		made.keyed, made.special, key.keyed = true, true, true
		c.codecs[key] = made
		return made, nil
	}
	if s.hasTable {
		err = c.compileOurs(ctx, made, text)
	} else {
		err = c.compileForeign(ctx, made, r, text)
	}
	if err != nil {
		return nil, err
	}
	made.keyed = len(made.source.KeyColumns()) > 0
	key.keyed = made.keyed
	c.codecs[key] = made
	return made, nil
}

// compileOurs makes the decoder for a topic of ours, whose table stands in the tables topic.
func (c *catalog) compileOurs(ctx context.Context, made *codec, text string) error {
	misfit := namedFor(made.topic, text)
	key := schemas.TableKey{Topic: made.topic, SchemaID: made.id, Version: made.stamp}
	made.source = c.tables.find(key)
	if made.source == nil {
		if err := c.tables.refresh(ctx); err != nil {
			return err
		}
		made.source = c.tables.find(key)
		if made.source == nil && misfit != nil {
			return &unreadable{stageValue, fmt.Errorf("schema %d: %w", made.id, misfit)}
		}
		if made.source == nil {
			return fmt.Errorf("topic %s does not describe %s with schema %d at table version %d yet",
				c.tables.topic, made.topic, made.id, made.stamp)
		}
	}
	if misfit == nil {
		misfit = madeOf(made.source, made.topic, text)
	}
	if misfit != nil { // the source has written that the id is this table's
		return reused(made.id, misfit)
	}
	var err error
	if made.value, err = schemas.NewDecoder(text, made.source); err != nil {
		return &unreadable{stageValue, fmt.Errorf("schema %d: %w", made.id, err)}
	}
	return nil
}

// schema asks the registry. A schema that no retry makes readable, such as one that is not Avro, makes the record
// unreadable.
func (c *catalog) schema(ctx context.Context, id uint32, stage string) (string, error) {
	text, err := c.registry.ByID(ctx, id)
	if failure.Classify(err) == failure.Refused {
		return "", &unreadable{stage, err}
	}
	return text, err
}

// reused is about a record of ours, described in the tables topic, whose schema id means another table's schema now, or
// that of another version. The record is good: it is the registry that was restored from a backup or replaced, so the record
// waits, as one whose id is not known does.
func reused(id uint32, err error) error {
	return failure.WithHint(fmt.Errorf("the registry has given the id of schema %d to another: %w", id, err),
		"it was restored or replaced: restore the schemas with the ids that they had, or take the topic again from a new snapshot")
}

// newer reports whether c's table comes after the one that its topic's rows are mapped onto now.
func (c *catalog) newer(k *codec) bool {
	now := c.current[k.topic]
	switch {
	case now == nil:
		return true
	case !k.ours && k.keyed && k.source.Version == now.Source.Version:
		return len(now.Source.KeyColumns()) == 0 // only now a record shows the key
	}
	return k.source.Version > now.Source.Version && !k.source.SameShape(now.Source)
}

// behind reports whether the rows of the topic are mapped onto an earlier version than source, of another shape.
func (c *catalog) behind(topic string, source *schemas.Table) bool {
	now := c.current[topic]
	return now == nil || source.Version > now.Source.Version && !source.SameShape(now.Source)
}

// adopt makes the table the one that the topic's rows are mapped onto from now on.
func (c *catalog) adopt(topic string, source *schemas.Table) error {
	t, err := c.naming.table(topic, source)
	if err != nil {
		return err
	}
	if other, taken := c.owner[t.String()]; taken && other != topic {
		return failure.As(failure.Config, fmt.Errorf("topics %s and %s both go to the table %s", other, topic, t),
			"give one of them another name in the configuration of the target")
	}
	if before := c.current[topic]; before != nil {
		delete(c.owner, before.String())
	}
	c.owner[t.String()], c.current[topic] = topic, t
	return nil
}
