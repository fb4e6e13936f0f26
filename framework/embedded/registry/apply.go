package registry

import (
	"encoding/json"
	"fmt"
	"strings"
)

// apply brings the state up to date with one more record of the topic. Subjects of other contexts than the default one
// are left alone: their ids are other ids.
func (s *state) apply(r record) error {
	key, err := readKey(r)
	if err != nil {
		return err
	}
	if key.Kind == kindNoop {
		return s.applyMark(r.value)
	}
	subject, ok := plainSubject(key.Subject)
	if !ok {
		return nil
	}
	switch key.Kind {
	case kindSchema:
		err = s.applySchema(subject, key.Version, r)
	case kindConfig:
		err = s.applyConfig(subject, r.value)
	case kindMode:
		err = s.applyMode(subject, r.value)
	case kindDeleteSubject:
		err = s.applyDelete(subject, r.value)
	case kindClearSubject:
		s.applyClear(subject, r.value)
	}
	if err != nil {
		return fmt.Errorf("%s of %q: %w", strings.ToLower(key.Kind), key.Subject, err)
	}
	return nil
}

func (s *state) applySchema(subject string, number int, r record) error {
	if r.value == nil {
		s.drop(subject, number)
		return nil
	}
	var v schemaValue
	extra, err := decode(r.value, &v, schemaMembers)
	if err != nil {
		return fmt.Errorf("version %d: %w", number, err)
	}
	if v.Type == avroType {
		v.Type = ""
	}
	c := content{text: v.Schema, kind: v.Type, references: v.References, metadata: present(v.Metadata), rules: present(v.RuleSet)}
	s.put(&version{subject: subject, number: number, deleted: v.Deleted, key: r.key, extra: extra}, v.ID, c)
	return nil
}

// present is a member of JSON that is nil where it is null: the same as absent.
func present(raw json.RawMessage) json.RawMessage {
	if string(raw) == "null" {
		return nil
	}
	return raw
}

func (s *state) applyConfig(subject string, value []byte) error {
	if value == nil {
		delete(s.configs, subject)
		return nil
	}
	var v configValue
	extra, err := decode(value, &v, configMembers)
	if err != nil {
		return err
	}
	v.extra = extra
	s.configs[subject] = v.config
	return nil
}

func (s *state) applyMode(subject string, value []byte) error {
	if value == nil {
		delete(s.modes, subject)
		return nil
	}
	var v modeValue
	if err := json.Unmarshal(value, &v); err != nil {
		return err
	}
	s.modes[subject] = v.Mode
	return nil
}

func (s *state) applyDelete(subject string, value []byte) error {
	if value == nil {
		return nil
	}
	var v deleteSubjectValue
	if err := json.Unmarshal(value, &v); err != nil {
		return err
	}
	for _, old := range s.subjects[subject] {
		if old.number <= v.Version {
			old.deleted = true
		}
	}
	return nil
}

// applyClear forgets the softly deleted versions of a subject, or of all for "".
func (s *state) applyClear(subject string, value []byte) {
	if value == nil {
		return
	}
	names := []string{subject}
	if subject == "" {
		names = s.names("", withDeleted)
	}
	for _, name := range names {
		for _, v := range s.versions(name, deletedOnly) {
			s.drop(name, v.number)
		}
	}
}
