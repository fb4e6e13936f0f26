package registry

import (
	"context"
	"slices"
	"strings"
)

// mode says what may be written to a subject, as the API spells it.
type mode string

const (
	readWrite        mode = "READWRITE"
	readOnly         mode = "READONLY"
	readOnlyOverride mode = "READONLY_OVERRIDE" // globally: no subject's own mode counts
	importing        mode = "IMPORT"            // ids are given by the client; nothing is compared
)

var modes = []mode{readWrite, readOnly, readOnlyOverride, importing}

func parseMode(given string) (mode, error) {
	m := mode(strings.ToUpper(given))
	if !slices.Contains(modes, m) {
		return "", invalidMode()
	}
	return m, nil
}

// ownMode is the mode that is set for a subject, "" if none is. The global one is always set.
func (s *state) ownMode(subject string) mode {
	global := s.modes[""]
	if global == "" {
		global = readWrite
	}
	if subject == "" || global == readOnlyOverride {
		return global
	}
	return s.modes[subject]
}

// mode is the one that holds for a subject.
func (s *state) mode(subject string) mode {
	if own := s.ownMode(subject); own != "" {
		return own
	}
	return s.ownMode("")
}

// mayChange refuses deletions and settings in a subject that is read only.
func (s *state) mayChange(subject string) error {
	if m := s.mode(subject); m == readOnly || m == readOnlyOverride {
		return notPermitted("Subject %s is in read-only mode", subject)
	}
	return nil
}

// mayRegister refuses a registration that the subject's mode does not allow.
func (s *state) mayRegister(subject string, withID bool) error {
	if err := s.mayChange(subject); err != nil {
		return err
	}
	switch m := s.mode(subject); {
	case withID && m != importing:
		return notPermitted("Subject %s is not in import mode", subject)
	case !withID && m != readWrite:
		return notPermitted("Subject %s is not in read-write mode", subject)
	}
	return nil
}

// setMode sets a subject's mode, or the global one for subject "".
func (r *Registry) setMode(ctx context.Context, subject string, m mode, force bool) error {
	return r.write(ctx, func(s *state) ([]record, error) {
		var records []record
		if m == importing && s.mode(subject) != importing && !force {
			emptied, err := s.emptied(subject)
			if err != nil {
				return nil, err
			}
			records = emptied
		}
		rec, err := modeRecord(subject, m)
		return append(records, rec), err
	})
}

// emptied are the records that make a subject, or all for "", ready for an import: nothing may be registered there, and
// what is deleted softly is deleted for good, so that it does not stand in the way of the ids to come.
func (s *state) emptied(subject string) ([]record, error) {
	names := []string{subject}
	if subject == "" {
		names = s.names("", withDeleted)
	}
	var records []record
	for _, name := range names {
		if len(s.versions(name, live)) > 0 {
			return nil, notPermitted("Cannot import since found existing subjects")
		}
		more, err := s.tombstones(name)
		if err != nil {
			return nil, err
		}
		records = append(records, more...)
	}
	rec, err := clearRecord(subject)
	return append(records, rec), err
}

// deleteMode returns the mode that the subject had; without a subject the global one becomes the default.
func (r *Registry) deleteMode(ctx context.Context, subject string) (had mode, err error) {
	err = r.write(ctx, func(s *state) ([]record, error) {
		had = s.modes[subject]
		if had == "" && subject == "" {
			had = readWrite
			return nil, nil
		}
		if had == "" {
			return nil, noSubject(subject)
		}
		rec, err := settingTombstone(kindMode, subject)
		return []record{rec}, err
	})
	return had, err
}
