package registry

import (
	"context"
	"fmt"
	"math"

	"github.com/syncline-io/syncline/framework/registry/compat"
)

// register makes q the subject's latest version, unless the subject has it, and returns its id. A subject in import
// mode takes the id, and the version, that q names.
func (r *Registry) register(ctx context.Context, subject string, q schemaRequest, normalized bool) (id int, err error) {
	err = r.write(ctx, func(s *state) ([]record, error) {
		p, err := s.parse(q, normalized || s.normalizes(subject), false)
		if err != nil {
			return nil, err
		}
		// Before the mode is looked at: a producer whose schema is there may go on in a subject that is read only.
		if v := s.find(subject, p.content, live); v != nil && q.Version <= 0 && (q.ID == nil || *q.ID == v.schema.id) {
			id = v.schema.id
			return nil, nil
		}
		if err := s.mayRegister(subject, q.ID != nil); err != nil {
			return nil, err
		}
		v := &version{subject: subject, number: s.next(subject)}
		if s.mode(subject) == importing {
			id, err = s.imported(v, q, p.content)
		} else {
			id, err = s.appended(v, q, p)
		}
		if err != nil {
			return nil, err
		}
		return s.newVersion(v, id, p.content)
	})
	return id, err
}

// appended checks that p may be the version v, and finds its id: that of the same content anywhere, or a new one.
func (s *state) appended(v *version, q schemaRequest, p parsedSchema) (id int, err error) {
	if q.Version > 0 && q.Version != v.number {
		return 0, invalidSchema(fmt.Errorf("version %d is not one more than the previous version %d", q.Version, v.number-1))
	}
	reasons, err := s.objections(s.level(v.subject), p, s.versions(v.subject, live))
	if err != nil {
		return 0, err
	}
	if len(reasons) > 0 {
		return 0, incompatible(v.subject, reasons)
	}
	if id, known := s.ids[p.identity()]; known {
		return id, nil
	}
	if s.lastID == math.MaxInt32 {
		return 0, storeError(fmt.Errorf("every id up to %d has been given", math.MaxInt32))
	}
	return s.lastID + 1, nil
}

// imported sets the number that q names, if any, and checks that neither id nor version stands for something else.
func (s *state) imported(v *version, q schemaRequest, c content) (id int, err error) {
	id = *q.ID
	if id < 1 || id > math.MaxInt32 || q.Version > math.MaxInt32 {
		return 0, invalidSchema(fmt.Errorf("id %d or version %d is not between 1 and %d", id, q.Version, math.MaxInt32))
	}
	if known := s.schemas[id]; known != nil && !known.same(c) {
		return 0, notPermitted("Overwrite new schema with id %d is not permitted.", id)
	}
	if q.Version > 0 {
		v.number = q.Version
	}
	if old := s.at(v.subject, v.number); old != nil && !old.deleted && old.schema.id != id {
		return 0, notPermitted("Overwrite version %d of subject %s, which has id %d, is not permitted.", v.number, v.subject, old.schema.id)
	}
	return id, nil
}

// newVersion are the records of a registration. Softly deleted versions with the same id have no use any more: they
// were there to keep the schema.
func (s *state) newVersion(v *version, id int, c content) ([]record, error) {
	v.schema = &schema{id: id, content: c}
	if old := s.at(v.subject, v.number); old != nil {
		v.key = old.key
	}
	rec, err := v.record(false)
	if err != nil {
		return nil, err
	}
	records := []record{rec}
	for _, old := range s.versions(v.subject, deletedOnly) {
		if old.schema.id == id && old.number < v.number {
			records = append(records, record{key: old.key})
		}
	}
	return records, nil
}

// objectionsMax bounds the reasons that are given: each version of a transitive level may have one.
const objectionsMax = 10

// objections are the reasons why p may not follow versions, oldest first, under level; the newest comes first.
func (s *state) objections(level compat.Level, p parsedSchema, versions []*version) (reasons []string, err error) {
	if level == compat.None {
		return nil, nil
	}
	for i := len(versions) - 1; i >= 0 && len(reasons) < objectionsMax; i-- {
		reason, err := s.objection(level, p, versions[i])
		if err != nil {
			return nil, err
		}
		if reason != "" {
			reasons = append(reasons, reason)
		}
		if !level.Transitive() {
			break
		}
	}
	return reasons, nil
}

func (s *state) objection(level compat.Level, p parsedSchema, v *version) (string, error) {
	if v.schema.kind != "" {
		return fmt.Sprintf("version %d is a schema of another type, %s", v.number, v.schema.kind), nil
	}
	old, err := s.compiled(v.schema.content)
	if err != nil {
		return "", storeError(fmt.Errorf("subject %q version %d: %w", v.subject, v.number, err))
	}
	if i := compat.Check(level, p.parsed, []*compat.Schema{old}); i != nil {
		return fmt.Sprintf("version %d, compatibility %s: %v", v.number, level, i), nil
	}
	return "", nil
}
