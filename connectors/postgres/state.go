package postgres

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/big"
	"slices"
	"strings"

	"github.com/syncline-io/syncline/framework/failure"
	"github.com/syncline-io/syncline/framework/source"
	"github.com/syncline-io/syncline/schemas"
)

// stateFormat is raised when an older program could misread a newer state.
const stateFormat = 1

// state is the part of the position that seldom changes: what identifies the log, and how far each table has come. It
// is written with every position, so it is kept small.
type state struct {
	Format int `json:"format"`
	// System, Timeline, Database, Slot and Publication identify the log.
	System      string `json:"system"`
	Timeline    int32  `json:"timeline"`
	Database    string `json:"database"`
	Slot        string `json:"slot"`
	Publication string `json:"publication"`
	// Published identifies the publication as it was when it was last looked at, nil in a position of an older program.
	Published *publicationIdentity `json:"published,omitempty"`
	// Settings is a hash of what else changes the content of a transaction as the server sends it.
	Settings string `json:"settings"`
	// Creating, written before the slot is created, says that a slot without a position is ours.
	Creating bool `json:"creating,omitempty"`
	// Cut is the consistent point of the snapshot that is being read, 0 when none is. Its rows have versions
	// (Cut-1, n), so a position at Cut-1 resumes the stream at Cut.
	Cut lsn `json:"cut,omitzero"`
	// Tables are the chosen tables, by name.
	Tables []*tableState `json:"tables"`
}

// tableState is how far a table has come.
type tableState struct {
	OID uint32 `json:"oid"`
	// Name is the one under which its rows were published, or are to be.
	Name string `json:"name"`
	// Snapshot is the point at which the table's rows were, or are being, read; 0 when none were.
	Snapshot lsn `json:"snapshot,omitzero"`
	// Done says that the rows have been read, or need no reading: changes are streamed.
	Done bool `json:"done,omitempty"`
	// Again says that rows may have been sent before the snapshot that is still to come, so that it begins with a
	// truncate.
	Again bool `json:"again,omitempty"`
	// Gone is the end of the log when the table was first missed; its changes before that still count.
	Gone lsn `json:"gone,omitzero"`
	// Via are the entries by which the publication publishes the table.
	Via []string `json:"via,omitempty"`
	// Version and Shape are those of the table's last version, so that a restart gives an unchanged table the same.
	Version uint64 `json:"version,omitempty"`
	Shape   string `json:"shape,omitempty"`
	// Columns is what note wrote of the last version's columns.
	Columns string `json:"columns,omitempty"`
	// Deferrable says that the key has been deferrable since the table was read: changes of that time may be read when the
	// catalog does not know it any more.
	Deferrable bool `json:"deferrable,omitempty"`
	// Keyless says that the last version has no key: what the log still holds may be of a time before the key of today.
	Keyless bool `json:"keyless,omitempty"`
}

// note keeps in a few bytes which columns the last version has, and which of them cannot be null: what the log still holds
// of the table may be read when the catalog does not know them any more. It reports whether that is news.
func (t *tableState) note(columns []attribute) bool {
	bits := new(big.Int)
	for i, a := range columns {
		if a.notNull {
			bits.SetBit(bits, i, 1)
		}
	}
	noted := columnsHash(columns) + "." + bits.Text(16)
	if noted == t.Columns {
		return false
	}
	t.Columns = noted
	return true
}

// notNull says of each of the columns whether it could not be null in the last version, if that had these very columns.
func (t *tableState) notNull(columns []attribute) (notNull []bool, recorded bool) {
	hash, text, _ := strings.Cut(t.Columns, ".")
	bits, ok := new(big.Int).SetString(text, 16)
	if !ok || hash != columnsHash(columns) {
		return nil, false
	}
	notNull = make([]bool, len(columns))
	for i := range columns {
		notNull[i] = bits.Bit(i) == 1
	}
	return notNull, true
}

func columnsHash(columns []attribute) string {
	var b strings.Builder
	for _, c := range columns {
		fmt.Fprintf(&b, "%q %d %d,", c.name, c.typ, c.typmod)
	}
	return shortHash(b.String())
}

func parseState(b []byte) (*state, error) {
	s := &state{}
	if err := json.Unmarshal(b, s); err != nil {
		return nil, failure.As(failure.Gap, fmt.Errorf("read the position's state: %w", err),
			"the position was not written by this connector")
	}
	if s.Format != stateFormat {
		return nil, failure.As(failure.Gap, fmt.Errorf("the position has format %d, and this program knows %d", s.Format, stateFormat),
			"run the version that wrote it, or a later one")
	}
	return s, nil
}

func (s *state) encode() []byte {
	b, err := json.Marshal(s)
	if err != nil {
		panic(err) // numbers, strings and our own text methods: cannot fail
	}
	return b
}

// table returns the state of the table with this OID, or nil.
func (s *state) table(oid uint32) *tableState {
	for _, t := range s.Tables {
		if t.OID == oid {
			return t
		}
	}
	return nil
}

func (s *state) oids() []uint32 {
	oids := make([]uint32, len(s.Tables))
	for i, t := range s.Tables {
		oids[i] = t.OID
	}
	return oids
}

// vias returns the entries of the tables that have some.
func (s *state) vias() map[uint32][]string {
	entries := map[uint32][]string{}
	for _, t := range s.Tables {
		if len(t.Via) > 0 && t.Gone == 0 {
			entries[t.OID] = t.Via
		}
	}
	return entries
}

// pending returns the tables whose rows are still to be read.
func (s *state) pending() []*tableState {
	return slices.DeleteFunc(slices.Clone(s.Tables), func(t *tableState) bool { return t.Done })
}

// choose brings the tables in line with those that are chosen now; end is the end of the log. Rows of a table that comes
// to be chosen may have been sent long ago (before it was excluded, or under its name and another OID), and what was
// deleted since was not: its snapshot begins with a truncate. A table that exists no more stays until the stream has
// passed the place where it was missed.
func (s *state) choose(chosen []relationName, exists func(oid uint32) bool, from, end lsn) {
	var tables []*tableState
	for _, c := range chosen {
		t := s.table(c.oid)
		if t == nil {
			t = &tableState{OID: c.oid, Again: true}
		}
		if t.Gone = 0; !t.Done || t.Version == 0 {
			t.Name = c.String() // else a rename shows where the stream comes to it
		}
		tables = append(tables, t)
	}
	for _, t := range s.Tables {
		if slices.ContainsFunc(chosen, func(c relationName) bool { return c.oid == t.OID }) || exists(t.OID) || !t.Done {
			continue
		}
		if t.Gone == 0 {
			t.Gone = end
		}
		if from < t.Gone {
			tables = append(tables, t)
		}
	}
	s.Tables = tables
}

// resumeAt is the place in the log from which a position goes on: transactions that commit at or after it are needed.
func (s *state) resumeAt(v schemas.Version) lsn {
	if s.Cut != 0 && lsn(v.High)+1 == s.Cut {
		return s.Cut
	}
	return lsn(v.High)
}

// version gives t the version under which its shape is known, or a new one that is at least commit. It reports whether
// the state has changed.
func (s *state) version(t *schemas.Table, commit uint64) bool {
	ts := s.table(t.ID)
	shape := shapeOf(t)
	if ts.Shape == shape {
		t.Version = ts.Version
		return false
	}
	// Two shapes within one transaction have the same commit: the second one takes the next number.
	t.Version = max(ts.Version+1, commit)
	ts.Version, ts.Shape, ts.Name = t.Version, shape, t.String()
	return true
}

// shapeOf is a hash of everything in t but its version.
func shapeOf(t *schemas.Table) string {
	u := *t
	u.Version = 0
	b, err := json.Marshal(&u)
	if err != nil {
		panic(err) // plain strings and numbers: cannot fail
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:8])
}

// sameState reports whether a position carries the state that encode gave.
func sameState(p source.Position, encoded []byte) bool { return bytes.Equal(p.State, encoded) }
