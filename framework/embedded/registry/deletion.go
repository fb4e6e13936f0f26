package registry

import "context"

// A soft deletion hides a version; its schema can still be fetched by its id, so that old data stays readable. A
// permanent one must come after it, and forgets the schema with its last version.

// deleteVersion deletes one version and returns its number.
func (r *Registry) deleteVersion(ctx context.Context, subject, given string, permanent bool) (number int, err error) {
	number, err = parseVersion(given)
	if err != nil {
		return 0, err
	}
	err = r.write(ctx, func(s *state) ([]record, error) {
		v := s.at(subject, number)
		switch {
		case v == nil && len(s.subjects[subject]) == 0:
			return nil, noSubject(subject)
		case v == nil:
			return nil, noVersion(number)
		case v.deleted && !permanent:
			return nil, versionSoftDeleted(subject, v.number)
		}
		if err := s.mayChange(subject); err != nil {
			return nil, err
		}
		if len(s.referrers(subject)[v.number]) > 0 {
			return nil, referenceExists(subject, v.number)
		}
		if permanent && !v.deleted {
			return nil, versionNotSoftDeleted(subject, v.number)
		}
		number = v.number
		if permanent {
			return []record{{key: v.key}}, nil
		}
		return s.hidden(v)
	})
	return number, err
}

// hidden are the records of a version's soft deletion. The last one's takes the subject's settings along.
func (s *state) hidden(v *version) ([]record, error) {
	rec, err := v.record(true)
	if err != nil {
		return nil, err
	}
	if len(s.versions(v.subject, live)) > 1 {
		return []record{rec}, nil
	}
	settings, err := s.settingTombstones(v.subject)
	return append([]record{rec}, settings...), err
}

// deleteSubject deletes all versions of a subject and returns their numbers.
func (r *Registry) deleteSubject(ctx context.Context, subject string, permanent bool) (numbers []int, err error) {
	err = r.write(ctx, func(s *state) (records []record, err error) {
		numbers, err = s.deletable(subject, permanent)
		if err != nil {
			return nil, err
		}
		if permanent {
			return s.tombstones(subject)
		}
		rec, err := deleteSubjectRecord(subject, numbers[len(numbers)-1])
		if err != nil {
			return nil, err
		}
		settings, err := s.settingTombstones(subject)
		return append([]record{rec}, settings...), err
	})
	return numbers, err
}

// deletable are the versions that a deletion of the subject deletes.
func (s *state) deletable(subject string, permanent bool) (numbers []int, err error) {
	living := s.versions(subject, live)
	switch {
	case len(s.subjects[subject]) == 0:
		return nil, noSubject(subject)
	case len(living) == 0 && !permanent:
		return nil, subjectSoftDeleted(subject)
	}
	if err := s.mayChange(subject); err != nil {
		return nil, err
	}
	f := live
	if permanent {
		f = withDeleted
	}
	referrers := s.referrers(subject)
	for _, v := range s.versions(subject, f) {
		if len(referrers[v.number]) > 0 {
			return nil, referenceExists(subject, v.number)
		}
		numbers = append(numbers, v.number)
	}
	if permanent && len(living) > 0 {
		return nil, subjectNotSoftDeleted(subject)
	}
	return numbers, nil
}

// tombstones delete all versions of a subject for good.
func (s *state) tombstones(subject string) ([]record, error) {
	referrers := s.referrers(subject)
	var records []record
	for _, v := range s.subjects[subject] {
		if len(referrers[v.number]) > 0 {
			return nil, referenceExists(subject, v.number)
		}
		records = append(records, record{key: v.key})
	}
	return records, nil
}

// settingTombstones delete the mode and the configuration of a subject that has them.
func (s *state) settingTombstones(subject string) (records []record, err error) {
	if _, set := s.modes[subject]; set {
		rec, err := settingTombstone(kindMode, subject)
		if err != nil {
			return nil, err
		}
		records = append(records, rec)
	}
	if _, set := s.configs[subject]; set {
		rec, err := settingTombstone(kindConfig, subject)
		if err != nil {
			return nil, err
		}
		records = append(records, rec)
	}
	return records, nil
}
