package registry

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// The records of the topic _schemas are those of Confluent's registry, which could take the topic over: JSON keys and
// values, the kind of the record in the key. A nil value deletes. Members are in Confluent's order, because compaction
// compares the bytes of keys.

// The kinds of records. Another registry's CONTEXT is left alone.
const (
	kindSchema        = "SCHEMA"
	kindConfig        = "CONFIG"
	kindMode          = "MODE"
	kindDeleteSubject = "DELETE_SUBJECT" // the versions up to a number are deleted softly
	kindClearSubject  = "CLEAR_SUBJECT"  // softly deleted versions are forgotten
	kindNoop          = "NOOP"
)

// record is one record of the topic, encoded.
type record struct{ key, value []byte }

// recordKey is the key of every kind, as it is read.
type recordKey struct {
	Kind    string `json:"keytype"`
	Subject string `json:"subject"`
	Version int    `json:"version"`
}

func readKey(r record) (recordKey, error) {
	var key recordKey
	if err := json.Unmarshal(r.key, &key); err != nil {
		return key, fmt.Errorf("key %.100q: %w", r.key, err)
	}
	return key, nil
}

type schemaKey struct {
	Kind    string `json:"keytype"`
	Subject string `json:"subject"`
	Version int    `json:"version"`
	Magic   int    `json:"magic"`
}

// subjectKey is that of all other kinds; a nil subject stands for all subjects.
type subjectKey struct {
	Kind    string  `json:"keytype"`
	Subject *string `json:"subject"`
	Magic   int     `json:"magic"`
}

func newSubjectKey(kind, subject string) subjectKey {
	if subject == "" {
		return subjectKey{Kind: kind}
	}
	return subjectKey{Kind: kind, Subject: &subject}
}

type schemaValue struct {
	Subject    string          `json:"subject"`
	Version    int             `json:"version"`
	ID         int             `json:"id"`
	Type       string          `json:"schemaType,omitempty"`
	References []reference     `json:"references,omitempty"`
	Metadata   json.RawMessage `json:"metadata,omitempty"`
	RuleSet    json.RawMessage `json:"ruleSet,omitempty"`
	Schema     string          `json:"schema"`
	Deleted    bool            `json:"deleted"`
}

var schemaMembers = []string{"subject", "version", "id", "schemaType", "references", "metadata", "ruleSet", "schema", "deleted"}

// record is that of a version, deleted softly or not.
func (v *version) record(deleted bool) (record, error) {
	c := v.schema.content
	value := schemaValue{
		Subject: v.subject, Version: v.number, ID: v.schema.id, Type: c.kind, References: c.references,
		Metadata: c.metadata, RuleSet: c.rules, Schema: c.text, Deleted: deleted,
	}
	if v.key != nil {
		raw, err := encode(value, v.extra)
		return record{v.key, raw}, err
	}
	return newRecord(schemaKey{kindSchema, v.subject, v.number, 1}, value, v.extra)
}

type configValue struct {
	Subject string `json:"subject,omitempty"`
	config
}

var configMembers = []string{"subject", "normalize", "compatibilityLevel"}

func configRecord(subject string, c config) (record, error) {
	return newRecord(newSubjectKey(kindConfig, subject), configValue{subject, c}, c.extra)
}

type modeValue struct {
	Subject string `json:"subject,omitempty"`
	Mode    mode   `json:"mode"`
}

func modeRecord(subject string, m mode) (record, error) {
	return newRecord(newSubjectKey(kindMode, subject), modeValue{subject, m}, nil)
}

// settingTombstone deletes what is set for a subject; kind is that of a configuration or a mode.
func settingTombstone(kind, subject string) (record, error) {
	key, err := encode(newSubjectKey(kind, subject), nil)
	return record{key: key}, err
}

type deleteSubjectValue struct {
	Subject string `json:"subject"`
	Version int    `json:"version"`
}

// deleteSubjectRecord deletes the versions of a subject up to a number softly.
func deleteSubjectRecord(subject string, upTo int) (record, error) {
	return newRecord(newSubjectKey(kindDeleteSubject, subject), deleteSubjectValue{subject, upTo}, nil)
}

func clearRecord(subject string) (record, error) {
	value := struct {
		Subject string `json:"subject,omitempty"`
	}{subject}
	return newRecord(newSubjectKey(kindClearSubject, subject), value, nil)
}

func newRecord(key, value any, extra object) (record, error) {
	k, err := encode(key, nil)
	if err != nil {
		return record{}, err
	}
	v, err := encode(value, extra)
	return record{k, v}, err
}

// encode writes a struct as JSON, and after its members those of extra. It escapes no more than JSON demands, as
// Confluent's registry does it: json.Marshal would write another key for the subject "a<b".
func encode(v any, extra object) ([]byte, error) {
	p := printer{}
	if err := p.json(v); err != nil || len(extra) == 0 {
		return p.out.Bytes(), err
	}
	p.out.Truncate(p.out.Len() - 1) // the closing brace
	err := p.finish(extra)
	return p.out.Bytes(), err
}

// decode reads a value into a struct and returns the members that are not among known.
func decode(value []byte, into any, known []string) (extra object, err error) {
	if err := json.Unmarshal(value, into); err != nil {
		return nil, err
	}
	dec := json.NewDecoder(bytes.NewReader(value))
	dec.UseNumber()
	node, err := readNode(dec)
	if err != nil {
		return nil, err
	}
	members, _ := node.(object)
	return properties(members, known), nil
}
