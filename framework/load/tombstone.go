package load

import (
	"context"
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/syncline-io/syncline/framework/registry"
	"github.com/syncline-io/syncline/schemas"
)

// alone completes the stamp of a tombstone of ours whose delete was not read: the cleaner of a compacted topic leaves it
// as the last word on its key. It has no table of its own, so that of the record before it counts, else that of its time.
func (c *catalog) alone(ctx context.Context, r *kgo.Record, s stamp, last *codec) (stamp, error) {
	s.hasTable = true
	if last != nil && last.ours && last.topic == r.Topic {
		s.schema, s.table = last.id, last.stamp
		return s, nil
	}
	key, found := c.tables.keyAt(r.Topic, s.version.High)
	if !found {
		ctx, cancel := context.WithTimeout(ctx, lookupTimeout)
		defer cancel()
		if err := c.tables.refresh(ctx); err != nil {
			return s, err
		}
		if key, found = c.tables.keyAt(r.Topic, s.version.High); !found {
			return s, fmt.Errorf("topic %s does not describe %s yet", c.tables.topic, r.Topic)
		}
	}
	s.schema, s.table = key.SchemaID, key.Version
	return s, nil
}

// valueOf returns the schema id and the body of r's value. A record without value has the id of the schema that its value
// would have: a source of ours says it, the topic of another program is asked for (0: there is no schema, and nothing to
// delete).
func (c *catalog) valueOf(ctx context.Context, r *kgo.Record, s stamp, last *codec) (id uint32, body []byte, err error) {
	switch {
	case r.Value != nil:
		if id, body, err = schemas.SplitWire(r.Value); err != nil {
			return 0, nil, &unreadable{stageValue, err}
		}
		return id, body, nil
	case s.hasOp && s.schema == 0:
		return 0, nil, &unreadable{stageValue, fmt.Errorf("neither a value nor the header %s", schemas.HeaderSchema)}
	case s.hasOp:
		return s.schema, nil, nil
	case s.hasVersion || r.Key == nil:
		return s.schema, nil, nil
	}
	id, err = c.latest(ctx, r.Topic, last)
	return id, nil, err
}

// latest returns the id of the newest schema of a foreign topic's values, 0 where there is none that can be read.
func (c *catalog) latest(ctx context.Context, topic string, last *codec) (uint32, error) {
	if last != nil && last.topic == topic {
		return last.foreignID(), nil
	}
	ctx, cancel := context.WithTimeout(ctx, lookupTimeout)
	defer cancel()
	id, text, err := c.registry.Latest(ctx, topic+"-value")
	if errors.Is(err, registry.ErrNotRegistered) {
		return c.unregistered(ctx, topic)
	}
	if err != nil {
		return 0, err
	}
	if _, err := schemas.IsRow(text); err != nil {
		return 0, nil // what cannot be read has nothing to delete
	}
	return id, nil
}

// unregistered is latest for a topic whose schemas have subjects of other names: one that was read from any of the
// topic's partitions tells, else the names that Debezium's envelope has under the strategies of subjects. A tombstone
// of which neither tells what it means is not passed over: it may delete a row.
func (c *catalog) unregistered(ctx context.Context, topic string) (uint32, error) {
	var newest *codec
	for _, k := range c.codecs {
		if k.topic == topic && (newest == nil || k.id > newest.id) {
			newest = k
		}
	}
	if newest != nil {
		return newest.foreignID(), nil
	}
	envelope := schemas.EnvelopeName(topic)
	for _, subject := range [...]string{envelope, topic + "-" + envelope} {
		id, _, err := c.registry.Latest(ctx, subject)
		if !errors.Is(err, registry.ErrNotRegistered) {
			return id, err
		}
	}
	return 0, &unreadable{stageValue, fmt.Errorf("a tombstone that may delete a row, but the schema of the topic's values is not known: subject %s-value "+
		"is not registered, and no value was read since the start (register the schema under that subject too, then write the tombstone again)", topic)}
}
