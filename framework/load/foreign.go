package load

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/syncline-io/syncline/framework/registry"
	"github.com/syncline-io/syncline/schemas"
)

// compileForeign makes the decoder for a topic that another connector writes: the table is derived from the schemas of
// value and key, and its version is the schema's id, because registries count upwards.
func (c *catalog) compileForeign(ctx context.Context, made *codec, r *kgo.Record, text string) (err error) {
	if made.source, err = c.derive(ctx, r, made.id, text); err != nil {
		if made.source = c.ownKey(r.Topic, text, err); made.source == nil {
			return err
		}
		made.anyKey = true
	}
	made.source.Version = uint64(made.id)
	if made.value, err = schemas.NewDecoder(text, made.source); err != nil {
		return &unreadable{stageValue, fmt.Errorf("schema %d: %w", made.id, err)}
	}
	return nil
}

// namesOf makes the names of a table of a topic's, where the schema does not tell them: the last part is the table, and
// the one before it the schema where there are three or more.
func namesOf(topic string) (schema, name string) {
	parts := strings.Split(topic, ".")
	if n := len(parts); n > 2 {
		schema = parts[n-2]
	}
	return schema, parts[len(parts)-1]
}

// derive makes the table of a foreign topic's record, whose value has the schema. A record without key, such as a
// truncate, does not tell what the topic's key is: the version of the table before it does, else the registry.
func (c *catalog) derive(ctx context.Context, r *kgo.Record, id uint32, text string) (*schemas.Table, error) {
	if now := c.current[r.Topic]; r.Key == nil && now != nil && len(now.Source.KeyColumns()) > 0 {
		t, err := tableOf(r.Topic, "", text)
		if err == nil && keepKey(t, now.Source) {
			return t, nil
		}
	}
	key, err := c.keySchema(ctx, r)
	if err != nil {
		return nil, err
	}
	if t, err := tableOf(r.Topic, "", text); err != nil || key == "" {
		if err != nil {
			err = &unreadable{stageValue, fmt.Errorf("schema %d: %w", id, err)}
		}
		return t, err
	}
	t, err := tableOf(r.Topic, key, text)
	if err != nil {
		return nil, &unreadable{stageKey, err}
	}
	return t, nil
}

// ownKey makes the table of a foreign topic whose keys cannot be read as rows, such as a plain producer's strings, when
// the configuration names the key's columns; nil when it does not, or when err, which is why the table could not be
// derived, is about something else.
func (c *catalog) ownKey(topic, text string, err error) *schemas.Table {
	bad, ok := errors.AsType[*unreadable](err)
	if !ok || bad.stage != stageKey {
		return nil
	}
	t, err := tableOf(topic, "", text)
	if err != nil {
		return nil
	}
	if len(c.naming.Tables[t.String()].Key) == 0 {
		bad.err = fmt.Errorf("%w (name the columns of the key in the sink's configuration, under tables: %s: key)", bad.err, t)
		return nil
	}
	return t
}

// tableOf derives a foreign topic's table from its schemas, "" for no key. Where they do not tell the names, the topic
// does.
func tableOf(topic, key, value string) (*schemas.Table, error) {
	t, err := schemas.DeriveTable(key, value)
	if err == nil && t.Name == "" {
		t.Schema, t.Name = namesOf(topic)
	}
	return t, err
}

// keepKey gives t the key of the version before it. It returns false when t does not have its columns.
func keepKey(t, before *schemas.Table) bool {
	key := before.KeyColumns()
	for at, i := range key {
		if key[at] = t.Column(before.Columns[i].Name); key[at] < 0 {
			return false
		}
	}
	for at, i := range key {
		t.Columns[i].Key = at + 1
	}
	return true
}

// keySchema returns the text of the schema of r's key; for a record without key what the registry holds for the topic,
// "" when that is nothing: the topic has no keys.
func (c *catalog) keySchema(ctx context.Context, r *kgo.Record) (string, error) {
	if r.Key == nil {
		_, text, err := c.registry.Latest(ctx, r.Topic+"-key")
		if errors.Is(err, registry.ErrNotRegistered) {
			return "", nil
		}
		return text, err
	}
	id, _, err := schemas.SplitWire(r.Key)
	if err != nil {
		return "", &unreadable{stageKey, err}
	}
	return c.schema(ctx, id, stageKey)
}
