package registry

import (
	"encoding/json"
	"fmt"
)

// A permanent deletion takes the records with an id out of the topic. So that the highest id is not forgotten with
// them, and given to another schema after a restart, a record of its own holds it: the mark.
//
// To Confluent's registry the mark is a NOOP, which it skips without a look at the value. Its own NOOP has the same
// members in another order: other bytes, so that compaction keeps ours beside it.
var markKey = []byte(`{"magic":0,"keytype":"NOOP"}`)

type markValue struct {
	LastID int `json:"lastId"`
}

// marked puts the mark before records that take the highest id out of the topic, unless the topic has it.
func (s *state) marked(records []record) ([]record, error) {
	if s.markedID >= s.lastID {
		return records, nil
	}
	for _, r := range records {
		takes, err := s.takesLastID(r)
		if err != nil {
			return nil, err
		}
		if takes {
			mark, err := json.Marshal(markValue{s.lastID})
			return append([]record{{markKey, mark}}, records...), err
		}
	}
	return records, nil
}

// takesLastID reports whether r replaces or deletes a version that has the highest id.
func (s *state) takesLastID(r record) (bool, error) {
	key, err := readKey(r)
	if err != nil || key.Kind != kindSchema {
		return false, err
	}
	old := s.at(key.Subject, key.Version)
	if old == nil || old.schema.id != s.lastID {
		return false, nil
	}
	if r.value == nil {
		return true, nil
	}
	var v schemaValue
	err = json.Unmarshal(r.value, &v)
	return v.ID != s.lastID, err
}

// applyMark takes the value of a NOOP, which Confluent's registry leaves empty.
func (s *state) applyMark(value []byte) error {
	if value == nil {
		return nil
	}
	var m markValue
	if err := json.Unmarshal(value, &m); err != nil {
		return fmt.Errorf("value of a NOOP: %w", err)
	}
	s.markedID = max(s.markedID, m.LastID)
	s.lastID = max(s.lastID, m.LastID)
	return nil
}
