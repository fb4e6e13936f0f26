package postgres

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
)

// The messages of pgoutput, protocol version 1, as far as rows are concerned: parsed in place, without allocating.
// Relation and type messages are rare and give ordinary structs.

var errShortMessage = errors.New("message is shorter than it says")

// wire reads the fields of a message one after the other. After a field that is not there, bad is set and all fields
// are zero, so that only the end needs a check.
type wire struct {
	b   []byte
	bad bool
}

func (w *wire) take(n int) []byte {
	if n < 0 || n > len(w.b) {
		w.bad, w.b = true, nil
		return nil
	}
	f := w.b[:n]
	w.b = w.b[n:]
	return f
}

func (w *wire) uint8() byte {
	if f := w.take(1); f != nil {
		return f[0]
	}
	return 0
}

func (w *wire) uint16() uint16 {
	if f := w.take(2); f != nil {
		return binary.BigEndian.Uint16(f)
	}
	return 0
}

func (w *wire) uint32() uint32 {
	if f := w.take(4); f != nil {
		return binary.BigEndian.Uint32(f)
	}
	return 0
}

func (w *wire) uint64() uint64 {
	if f := w.take(8); f != nil {
		return binary.BigEndian.Uint64(f)
	}
	return 0
}

// text reads up to a zero byte.
func (w *wire) text() string {
	i := bytes.IndexByte(w.b, 0)
	if i < 0 {
		w.bad, w.b = true, nil
		return ""
	}
	s := string(w.b[:i])
	w.b = w.b[i+1:]
	return s
}

func (w *wire) end(what string) error {
	if w.bad {
		return fmt.Errorf("parse a %s message: %w", what, errShortMessage)
	}
	return nil
}

// field is one value of a tuple as the server sent it.
type field struct {
	kind byte   // 'n'ull, 'u'nchanged, 't'ext, 'b'inary
	text []byte // of the kind text, or the bytes of the binary form
}

// hasValue tells a value from a null and from one that was not sent again.
func (f *field) hasValue() bool { return f.kind == 't' || f.kind == 'b' }

// tuple reads the values of a row into fields, which is reused. The texts alias the message.
func (w *wire) tuple(fields []field) ([]field, error) {
	n := int(w.uint16())
	if n > len(w.b) { // every value takes at least a byte
		return fields, errShortMessage
	}
	fields = fields[:0]
	b := w.b
	for range n {
		if len(b) == 0 {
			return fields, errShortMessage
		}
		kind := b[0]
		b = b[1:]
		switch kind {
		case 'n', 'u':
			fields = append(fields, field{kind: kind})
		case 't', 'b':
			if len(b) < 4 {
				return fields, errShortMessage
			}
			size := binary.BigEndian.Uint32(b)
			b = b[4:]
			if uint64(size) > uint64(len(b)) {
				return fields, errShortMessage
			}
			fields = append(fields, field{kind: kind, text: b[:size:size]})
			b = b[size:]
		default:
			return fields, fmt.Errorf("value of unknown kind %q", kind)
		}
	}
	w.b = b
	return fields, nil
}

// rowMessage is an insert, update or delete.
type rowMessage struct {
	relation uint32
	// oldKind is 0 when there is no old row, 'K' for its key, 'O' for the whole of it.
	oldKind  byte
	old, new []field
}

// parse reads an insert ('I'), update ('U') or delete ('D'), whose first byte has been read.
func (m *rowMessage) parse(kind byte, w *wire) error {
	m.relation = w.uint32()
	m.oldKind = 0
	m.old, m.new = m.old[:0], m.new[:0]
	part := w.uint8()
	var err error
	if kind != 'I' && (part == 'K' || part == 'O') {
		m.oldKind = part
		if m.old, err = w.tuple(m.old); err != nil {
			return fmt.Errorf("parse a row message: old row: %w", err)
		}
		if kind == 'D' {
			return w.end("delete")
		}
		part = w.uint8()
	}
	if kind == 'D' || part != 'N' {
		return fmt.Errorf("parse a row message: unexpected part %q of a %q", part, kind)
	}
	if m.new, err = w.tuple(m.new); err != nil {
		return fmt.Errorf("parse a row message: new row: %w", err)
	}
	return w.end("row")
}

// relationMessage announces a table before its first row, and again whenever it may have changed.
type relationMessage struct {
	oid          uint32
	schema, name string
	identity     byte
	columns      []relationColumn
}

type relationColumn struct {
	key    bool
	name   string
	typ    uint32
	typmod int32
}

func parseRelation(w *wire) (relationMessage, error) {
	m := relationMessage{oid: w.uint32(), schema: w.text(), name: w.text(), identity: w.uint8()}
	if m.schema == "" {
		m.schema = "pg_catalog" // as the protocol abbreviates it
	}
	n := int(w.uint16())
	for range n {
		if w.bad {
			break
		}
		c := relationColumn{key: w.uint8()&1 != 0, name: w.text(), typ: w.uint32(), typmod: int32(w.uint32())}
		m.columns = append(m.columns, c)
	}
	return m, w.end("relation")
}

// beginMessage opens a transaction. Its commit LSN is the start of the commit's record.
type beginMessage struct {
	commit lsn
	micros int64 // since 1970
	xid    uint32
}

func parseBegin(w *wire) (beginMessage, error) {
	m := beginMessage{commit: lsn(w.uint64()), micros: int64(w.uint64()) + epochDays*dayMicros, xid: w.uint32()}
	return m, w.end("begin")
}

// commitMessage closes a transaction; end is the place behind the commit's record.
type commitMessage struct{ commit, end lsn }

func parseCommit(w *wire) (commitMessage, error) {
	_ = w.uint8() // flags, unused
	m := commitMessage{commit: lsn(w.uint64()), end: lsn(w.uint64())}
	return m, w.end("commit")
}

// parseTruncate gives the OIDs of the tables; CASCADE and RESTART IDENTITY make no difference to the rows.
func parseTruncate(w *wire) ([]uint32, error) {
	n := int(w.uint32())
	_ = w.uint8()
	var oids []uint32
	for i := 0; i < n && !w.bad; i++ {
		oids = append(oids, w.uint32())
	}
	return oids, w.end("truncate")
}

// parseType gives the name of a type that is not built in.
func parseType(w *wire) (oid uint32, name string, err error) {
	oid = w.uint32()
	schema := w.text()
	name = w.text()
	if schema != "" {
		name = schema + "." + name
	}
	return oid, name, w.end("type")
}

// parseOrigin gives the name of the replication origin that the transaction came from.
func parseOrigin(w *wire) (string, error) {
	_ = w.uint64() // the origin's own LSN
	name := w.text()
	return name, w.end("origin")
}
