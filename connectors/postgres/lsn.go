package postgres

import (
	"encoding/hex"
	"fmt"
	"hash/fnv"

	"github.com/jackc/pglogrepl"
)

// lsn is a place in PostgreSQL's log. Its text, in JSON too, is PostgreSQL's own: "0/16B3748".
type lsn uint64

// String gives PostgreSQL's text.
func (l lsn) String() string { return pglogrepl.LSN(l).String() }

// MarshalText gives PostgreSQL's text.
func (l lsn) MarshalText() ([]byte, error) { return []byte(l.String()), nil }

// UnmarshalText reads PostgreSQL's text.
func (l *lsn) UnmarshalText(b []byte) error {
	v, err := pglogrepl.ParseLSN(string(b))
	if err != nil {
		return fmt.Errorf("log position %q: %w", b, err)
	}
	*l = lsn(v)
	return nil
}

// shortHash gives 8 hexadecimal digits.
func shortHash(s string) string {
	h := fnv.New32a()
	_, _ = h.Write([]byte(s))
	return hex.EncodeToString(h.Sum(nil))
}
