package schemas

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
)

// The shape of records without an envelope, [ShapeRow]: the value is the new row, a delete has no value (it is the
// tombstone), and neither has a truncate, which has no key either. The operation stands in [HeaderOp], where and when it
// happened in [HeaderSource]. Old rows are not carried.

var errNoOldRow = errors.New("shape row carries no old row, and the table has no key by which to find it")

// appendRow appends the new row of c in the wire format, nothing for a change without one.
func (e *Encoder) appendRow(dst []byte, c *Change) ([]byte, error) {
	if len(e.keyFields) == 0 && (c.Op == Update || c.Op == Delete) {
		return dst, fmt.Errorf("table %s: operation %c: %w", e.layout.table, c.Op, errNoOldRow)
	}
	if c.Op == Delete || c.Op == Truncate {
		return dst, nil
	}
	if c.After == nil {
		return dst, fmt.Errorf("table %s: operation %c: %w", e.layout.table, c.Op, errNoAfter)
	}
	return e.appendAfterFields(binary.BigEndian.AppendUint32(append(dst, 0), e.valueID), c)
}

// Shape returns the shape of the records.
func (e *Encoder) Shape() Shape {
	if e.layout.mapping.Shape == "" {
		return ShapeEnvelope
	}
	return e.layout.mapping.Shape
}

// AppendOrigin appends o as [HeaderSource] holds it. What is not known is left out.
func AppendOrigin(dst []byte, o *Origin) []byte {
	dst = strconv.AppendInt(append(dst, `{"ts_us":`...), o.Time, 10)
	dst = appendNumber(dst, `,"txId":`, uint64(o.TxID))
	dst = appendNumber(dst, `,"lsn":`, o.LSN)
	dst = appendNumber(dst, `,"lastCommit":`, o.LastCommit)
	if o.Snapshot != SnapshotFalse {
		dst = appendJSONString(append(dst, `,"snapshot":`...), string(o.Snapshot))
	}
	if o.ReplicationOrigin != "" {
		dst = appendJSONString(append(dst, `,"origin":`...), o.ReplicationOrigin)
	}
	return append(dst, '}')
}

func appendNumber(dst []byte, name string, v uint64) []byte {
	if v == 0 {
		return dst
	}
	return strconv.AppendUint(append(dst, name...), v, 10)
}

// applyOp reads [HeaderOp]. An operation with a new row needs a value, and one without must not have one.
func (d *Decoder) applyOp(c *Change, value []byte) error {
	if len(value) != 1 {
		return errHeader
	}
	switch op := Op(value[0]); op {
	case Read, Create, Update:
		if c.After == nil {
			return fmt.Errorf("operation %c: %w", op, errNoAfter)
		}
		c.Op = op
	case Delete, Truncate:
		if c.After != nil {
			return fmt.Errorf("operation %c: %w", op, errHasAfter)
		}
		c.Op = op
	default:
		return errNoOp
	}
	return nil
}

var errHasAfter = errors.New("the record has a value, though the operation has no new row")

// applyOrigin reads [HeaderSource]: one flat object. Fields that it does not know are passed over.
func (d *Decoder) applyOrigin(c *Change, value []byte) error {
	rest := value
	if len(rest) < 2 || rest[0] != '{' || rest[len(rest)-1] != '}' {
		return errHeader
	}
	rest = rest[1 : len(rest)-1]
	for len(rest) > 0 {
		end := endOfString(rest)
		if end < 0 || end >= len(rest) || rest[end] != ':' {
			return errHeader
		}
		name, after := rest[1:end-1], rest[end+1:]
		n, err := d.originField(&c.Source, string(name), after)
		if err != nil {
			return err
		}
		if rest = after[n:]; len(rest) == 0 {
			break
		}
		if rest[0] != ',' || len(rest) == 1 {
			return errHeader
		}
		rest = rest[1:]
	}
	return nil
}

// originField reads the value at the front of rest, a number or a string, and returns its length.
func (d *Decoder) originField(o *Origin, name string, rest []byte) (int, error) {
	if n := endOfString(rest); n > 0 {
		switch name {
		case "snapshot":
			o.Snapshot = Snapshot(d.intern(rest[1 : n-1]))
		case "origin":
			text, err := unquoteJSON(rest[:n])
			if err != nil {
				return 0, errHeader
			}
			o.ReplicationOrigin = d.intern(text)
		}
		return n, nil
	}
	n, negative, v := 0, false, uint64(0)
	if len(rest) > 0 && rest[0] == '-' {
		n, negative = 1, true
	}
	first := n
	for ; n < len(rest) && rest[n] >= '0' && rest[n] <= '9'; n++ {
		if v > (1<<64-1)/10 {
			return 0, errHeader
		}
		v = v*10 + uint64(rest[n]-'0')
	}
	if n == first {
		return 0, errHeader
	}
	switch name {
	case "ts_us":
		if o.Time = int64(v); negative {
			o.Time = -o.Time
		}
	case "txId":
		o.TxID = uint32(v)
	case "lsn":
		o.LSN = v
	case "lastCommit":
		o.LastCommit = v
	}
	return n, nil
}
