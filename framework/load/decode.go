package load

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/syncline-io/syncline/schemas"
)

// decode makes an event of a record's body. Its values alias the record and a.
func (c *catalog) decode(ctx context.Context, k *codec, r *kgo.Record, body []byte, s stamp, a *schemas.Arena) (e event, err error) {
	change := &c.change
	e = event{record: r, table: k.target, version: s.version}
	if r.Value == nil {
		k.value.DecodeNothing(change)
	} else if err := k.value.Decode(body, change, a); err != nil {
		return e, &unreadable{stageValue, err}
	}
	if k.value.Bare() && !s.hasOp {
		change.Source.Time = r.Timestamp.UnixMicro()
		e.plain = true
	}
	for i := range r.Headers {
		h := &r.Headers[i]
		if !strings.HasPrefix(h.Key, "syncline.") {
			continue
		}
		if err := k.value.ApplyHeader(change, h.Key, h.Value, a); err != nil {
			return e, &unreadable{stageValue, fmt.Errorf("header %s: %w", h.Key, err)}
		}
	}
	if !s.hasVersion {
		k.value.MarkPlaceholders(change)
	}
	e.op, e.time = change.Op, change.Source.Time
	if change.Op == schemas.Delete && change.Before == nil && r.Key != nil {
		if err := c.decodeKey(ctx, k, change, r.Key, a); err != nil {
			return e, err
		}
	}
	// Debezium fills what it does not know of an old row with zeros, and does not say so.
	e.beforeWhole = change.Before != nil && !change.BeforeKeyOnly && (k.ours || len(k.source.KeyColumns()) == 0)
	if err := check(change); err != nil {
		return e, &unreadable{stageValue, err}
	}
	if e.beforeWhole {
		fillUnchanged(change.After, change.Before)
	}
	if e.before, err = k.project(change.Before, a); err == nil {
		e.after, err = k.project(change.After, a)
	}
	return e, err
}

// check refuses a change that lacks the row that its operation speaks of.
func check(c *schemas.Change) error {
	switch c.Op {
	case schemas.Read, schemas.Create, schemas.Update:
		if c.After == nil {
			return fmt.Errorf("%s without a row", opName(c.Op))
		}
	case schemas.Delete:
		if c.Before == nil {
			return errors.New("delete without an old row or a key")
		}
	case schemas.Truncate, schemas.Message:
	default:
		return fmt.Errorf("unknown operation %q", rune(c.Op))
	}
	return nil
}

// decodeKey takes the old row of a delete from the record's key.
func (c *catalog) decodeKey(ctx context.Context, k *codec, change *schemas.Change, key []byte, a *schemas.Arena) error {
	id, body, err := schemas.SplitWire(key)
	if err != nil {
		return &unreadable{stageKey, err}
	}
	if k.key == nil || k.keyID != id {
		ctx, cancel := context.WithTimeout(ctx, lookupTimeout)
		defer cancel()
		text, err := c.schema(ctx, id, stageKey)
		if err != nil {
			return err
		}
		if k.key, err = schemas.NewKeyDecoder(text, k.source); err != nil {
			k.key = nil
			return &unreadable{stageKey, fmt.Errorf("schema %d: %w", id, err)}
		}
		k.keyID = id
	}
	row := a.Values(len(k.source.Columns))
	if err := k.key.Decode(body, row, a); err != nil {
		return &unreadable{stageKey, err}
	}
	change.Before, change.BeforeKeyOnly = row, true
	return nil
}

// fillUnchanged takes what an update did not send from the old row.
func fillUnchanged(after, before []schemas.Value) {
	for i := range after {
		if after[i].IsUnchanged() {
			after[i] = before[i]
		}
	}
}
