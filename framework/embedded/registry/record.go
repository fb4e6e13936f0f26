package registry

import (
	"encoding/json"
	"fmt"
)

// The records of the topic _schemas are those of Confluent's registry, which could take the topic over: JSON keys and
// values, the kind of the record in the key. A nil value deletes.

type recordKey struct {
	Kind    string `json:"keytype"`
	Subject string `json:"subject,omitempty"`
	Version int    `json:"version,omitempty"`
	Magic   int    `json:"magic"`
}

// The kinds of records that are read. Others are left alone: deletions and modes have kinds of their own.
const (
	kindSchema = "SCHEMA"
	kindConfig = "CONFIG"
)

type schemaValue struct {
	Subject string `json:"subject"`
	Version int    `json:"version"`
	ID      int    `json:"id"`
	Schema  string `json:"schema"`
	Deleted bool   `json:"deleted"`
}

type configValue struct {
	Level string `json:"compatibilityLevel"`
}

// record is one record of the topic, encoded.
type record struct{ key, value []byte }

func newRecord(key, value any) (record, error) {
	k, err := json.Marshal(key)
	if err != nil {
		return record{}, err
	}
	v, err := json.Marshal(value)
	return record{k, v}, err
}

func schemaRecord(v schemaValue) (record, error) {
	return newRecord(recordKey{Kind: kindSchema, Subject: v.Subject, Version: v.Version, Magic: 1}, v)
}

// configRecord is that of a subject's level, of the global one for subject "". Its key is written as Confluent's
// registry does it, with a null, because compaction compares bytes.
func configRecord(subject, level string) (record, error) {
	key := struct {
		Kind    string  `json:"keytype"`
		Subject *string `json:"subject"`
		Magic   int     `json:"magic"`
	}{Kind: kindConfig}
	if subject != "" {
		key.Subject = &subject
	}
	return newRecord(key, configValue{level})
}

// apply brings the state up to date with one more record of the topic.
func (s *state) apply(r record) error {
	var key recordKey
	if err := json.Unmarshal(r.key, &key); err != nil {
		return fmt.Errorf("key %.100q: %w", r.key, err)
	}
	switch key.Kind {
	case kindSchema:
		if r.value == nil {
			s.forget(key.Subject, key.Version)
			return nil
		}
		var v schemaValue
		if err := json.Unmarshal(r.value, &v); err != nil {
			return fmt.Errorf("schema %q version %d: %w", key.Subject, key.Version, err)
		}
		return s.keep(v)
	case kindConfig:
		var v configValue
		if r.value != nil {
			if err := json.Unmarshal(r.value, &v); err != nil {
				return fmt.Errorf("level of %q: %w", key.Subject, err)
			}
		}
		return s.setLevel(key.Subject, v.Level)
	}
	return nil
}
