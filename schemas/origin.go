package schemas

import "strconv"

// originEncoder writes the envelope's field source. The changes of one transaction differ there in their LSN alone, and the rows
// of a snapshot not even in that: the rest is encoded once for all of them.
type originEncoder struct {
	head  []byte // version, connector, name
	db    []byte
	names []byte // schema, table

	made bool
	of   Origin // whose parts these are
	// The parts in the record's order: up to the sequence, the sequence, up to the LSN, the LSN, and what is behind it.
	before, sequence, middle, lsn, after []byte

	text []byte // the sequence's
}

func (e *originEncoder) append(dst []byte, o *Origin) []byte {
	switch {
	case !e.made || !e.shares(o):
		e.share(o)
		e.tell(o)
	case o.LSN != e.of.LSN:
		e.tell(o)
	}
	dst = append(dst, e.before...)
	dst = append(dst, e.sequence...)
	dst = append(dst, e.middle...)
	dst = append(dst, e.lsn...)
	return append(dst, e.after...)
}

// shares reports whether o differs from the last one in nothing but its LSN.
func (e *originEncoder) shares(o *Origin) bool {
	return o.Time == e.of.Time && o.TxID == e.of.TxID && o.LastCommit == e.of.LastCommit && o.Snapshot == e.of.Snapshot &&
		o.ReplicationOrigin == e.of.ReplicationOrigin
}

// share encodes what does not depend on the LSN.
func (e *originEncoder) share(o *Origin) {
	b := append(e.before[:0], e.head...)
	b = appendLong(b, o.Time/1000)
	b = append(b, 0) // snapshot's value branch comes first: it has a default
	if o.Snapshot == SnapshotFalse {
		b = appendBytes(b, "false")
	} else {
		b = appendBytes(b, string(o.Snapshot))
	}
	e.before = append(append(b, e.db...), 2)

	b = appendTime(e.middle[:0], o.Time, 2)
	b = appendTime(b, o.Time*1000, 2)
	b = append(b, e.names...)
	e.middle = appendOptional(b, int64(o.TxID))

	b = append(e.after[:0], 0) // xmin
	if o.ReplicationOrigin == "" {
		b = append(b, 0)
	} else {
		b = appendBytes(append(b, 2), o.ReplicationOrigin)
	}
	e.after = append(b, 0) // origin_lsn
	e.of, e.made = *o, true
}

// tell encodes what depends on the LSN: the field lsn, and the sequence, which is the JSON text ["last commit","lsn"].
func (e *originEncoder) tell(o *Origin) {
	b := appendQuotedNumber(append(e.text[:0], '['), o.LastCommit)
	b = appendQuotedNumber(append(b, ','), o.LSN)
	e.text = append(b, ']')
	e.sequence = appendBytes(e.sequence[:0], e.text)
	e.lsn = appendOptional(e.lsn[:0], int64(o.LSN))
	e.of.LSN = o.LSN
}

func appendQuotedNumber(dst []byte, v uint64) []byte {
	if v == 0 {
		return append(dst, "null"...)
	}
	return append(strconv.AppendUint(append(dst, '"'), v, 10), '"')
}

// appendOptional appends an optional long that is null when it is 0.
func appendOptional(dst []byte, v int64) []byte {
	if v == 0 {
		return append(dst, 0)
	}
	return appendTime(dst, v, 2)
}
