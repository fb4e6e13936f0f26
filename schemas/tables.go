package schemas

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
)

// TableKey is the key of a record in the tables topic: which schema of which topic the table belongs to.
type TableKey struct {
	Topic string `json:"topic"`
	// SchemaID is the registry's id of the value's schema.
	SchemaID uint32 `json:"schema_id"`
	// Version is the table's. Two versions can share a schema: a renamed type or a new column id changes no Avro.
	Version uint64 `json:"version"`
}

var errNoTable = errors.New("the record holds no table")

// AppendTableRecord returns the record of the tables topic that says which table the values of a topic that carry
// schemaID and the table's version are of. Both are JSON; the key's bytes are the same for the same key, so that the
// topic can be compacted.
func AppendTableRecord(topic string, schemaID uint32, t *Table) (key, value []byte, err error) {
	if key, err = json.Marshal(TableKey{topic, schemaID, t.Version}); err != nil {
		return nil, nil, fmt.Errorf("table %s: key of its record: %w", t, err)
	}
	if value, err = json.Marshal(t); err != nil {
		return nil, nil, fmt.Errorf("table %s: its record: %w", t, err)
	}
	return key, value, nil
}

// ParseTableRecord reads a record of the tables topic. A record without a value (a tombstone) gives a nil table.
// Unknown fields are left alone, so that a newer version's records can be read.
func ParseTableRecord(key, value []byte) (TableKey, *Table, error) {
	var k TableKey
	if err := json.Unmarshal(key, &k); err != nil {
		return k, nil, fmt.Errorf("tables topic: key %s: %w", shown(key), err)
	}
	if k.Topic == "" {
		return k, nil, fmt.Errorf("tables topic: key %s: no topic", shown(key))
	}
	if len(value) == 0 {
		return k, nil, nil
	}
	t := new(Table)
	if err := json.NewDecoder(bytes.NewReader(value)).Decode(t); err != nil {
		return k, nil, fmt.Errorf("tables topic: table of %s: %w", k.Topic, err)
	}
	if err := t.check(); err != nil {
		return k, nil, fmt.Errorf("tables topic: table of %s, version %d: %w", k.Topic, k.Version, err)
	}
	return k, t, nil
}

// check refuses a table that the rest of the package could not work with.
func (t *Table) check() error {
	if t.Name == "" {
		return errNoTable
	}
	parts := make([]int, len(t.Columns)+1) // how many columns are number n of the key
	most := 0
	for i := range t.Columns {
		c := &t.Columns[i]
		if err := checkType(&c.Type); err != nil {
			return fmt.Errorf("column %q: %w", c.Name, err)
		}
		if c.Key < 0 || c.Key > len(t.Columns) {
			return fmt.Errorf("column %q: number %d of the key", c.Name, c.Key)
		}
		parts[c.Key]++
		most = max(most, c.Key)
	}
	for n := 1; n <= most; n++ {
		if parts[n] != 1 {
			return fmt.Errorf("%d columns are number %d of the key", parts[n], n)
		}
	}
	return nil
}
