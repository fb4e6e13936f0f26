package tail

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/syncline-io/syncline/framework/failure"
	"github.com/syncline-io/syncline/framework/load"
	"github.com/syncline-io/syncline/schemas"
)

// Filter chooses events. A record that cannot be decoded is always taken: it may be the one that is looked for.
type Filter struct {
	keys []condition
	ops  []string
}

// condition is a value that a column of the key must have; "" is a key of one column, or one without columns.
type condition struct{ column, text string }

var operations = []string{"r", "c", "u", "d", "t", "m"}

var kinds = []Kind{ChangeKind, TombstoneKind, PositionKind, StateKind, TenureKind, TableKind, DeadLetterKind, MessageKind, MarkKind, RecordKind, UnreadableKind}

// NewFilter makes a filter of keys, each column=value, a JSON object or a value alone, all of which must match; and of
// operations or kinds, one of which must.
func NewFilter(keys, ops []string) (*Filter, error) {
	f := &Filter{ops: ops}
	for _, op := range ops {
		if !slices.Contains(operations, op) && !slices.Contains(kinds, Kind(op)) {
			return nil, failure.As(failure.Config, fmt.Errorf("--op: %q is neither an operation %v nor a kind of record %v", op, operations, kinds), "")
		}
	}
	for _, key := range keys {
		conditions, err := parseKey(key)
		if err != nil {
			return nil, failure.As(failure.Config, fmt.Errorf("--key: %q: %w", key, err), `write column=value, or JSON such as {"id":7}`)
		}
		f.keys = append(f.keys, conditions...)
	}
	return f, nil
}

func parseKey(key string) ([]condition, error) {
	if !strings.HasPrefix(key, "{") {
		column, text, ok := strings.Cut(key, "=")
		if !ok {
			column, text = "", key
		}
		return []condition{{column, text}}, nil
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal([]byte(key), &fields); err != nil {
		return nil, err
	}
	var all []condition
	for column, raw := range fields {
		c := condition{column, string(raw)}
		switch raw[0] {
		case '"':
			if err := json.Unmarshal(raw, &c.text); err != nil {
				return nil, err
			}
		case '{', '[', 'n':
			return nil, errors.New("a column of a key is a number, text or boolean")
		}
		all = append(all, c)
	}
	if len(all) == 0 {
		return nil, errors.New("no column")
	}
	return all, nil
}

// takes reports whether the event is asked for. An error says that the filter cannot fit the topic.
func (f *Filter) takes(e *Event) (bool, error) {
	if e.Kind == UnreadableKind {
		return true, nil
	}
	if len(f.ops) > 0 && !slices.Contains(f.ops, e.Op) && !slices.Contains(f.ops, string(e.Kind)) {
		return false, nil
	}
	for _, c := range f.keys {
		if ok, err := c.fits(e); !ok || err != nil {
			return false, err
		}
	}
	return true, nil
}

func (c condition) fits(e *Event) (bool, error) {
	t := e.keyTable
	if t == nil {
		return c.column == "" && len(e.Key) == 1 && e.Key[0].text == c.text, nil
	}
	i := 0
	if c.column != "" {
		i = t.Column(c.column)
	}
	if i < 0 || c.column == "" && len(t.Columns) != 1 {
		return false, failure.As(failure.Config, fmt.Errorf("--key: the key of topic %s has no column %q", e.Topic, c.column),
			"it has "+strings.Join(columns(t), ", "))
	}
	return equals(&t.Columns[i].Type, e.keyRow[i], c.text), nil
}

// equals compares a value with a text, as values where the text is one of the type: 7.0 is 7.00.
func equals(t *schemas.Type, v schemas.Value, text string) bool {
	given, err := schemas.ParseText([]byte(text), t, new(schemas.Arena))
	if err != nil || given.Kind() != v.Kind() {
		return bytes.Equal(schemas.AppendText(nil, t, v), []byte(text))
	}
	return load.SameValue(given, v)
}

func columns(t *schemas.Table) []string {
	var names []string
	for i := range t.Columns {
		names = append(names, t.Columns[i].Name)
	}
	return names
}
