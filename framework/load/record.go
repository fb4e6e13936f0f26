package load

import (
	"encoding/binary"
	"fmt"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/syncline-io/syncline/schemas"
)

// unreadable is why a record cannot become a change, in the words of Kafka Connect's dead letter headers.
type unreadable struct {
	stage string
	err   error
}

func (u *unreadable) Error() string { return u.err.Error() }
func (u *unreadable) Unwrap() error { return u.err }

// The stages of Kafka Connect in which a record can fail.
const (
	stageKey   = "KEY_CONVERTER"
	stageValue = "VALUE_CONVERTER"
	stagePut   = "TASK_PUT"
)

// stamp is what the headers of a record of ours say before anything is decoded.
type stamp struct {
	version    schemas.Version
	hasVersion bool
	table      uint64
	hasTable   bool
	// schema is the id of the value's schema where there is no value, hasOp says that the operation stands in a header:
	// a record of schemas.ShapeRow.
	schema uint32
	hasOp  bool
}

func stampOf(r *kgo.Record) (s stamp, err error) {
	for i := range r.Headers {
		switch h := &r.Headers[i]; h.Key {
		case schemas.HeaderVersion:
			s.hasVersion = true
			if s.version, err = schemas.ParseVersion(h.Value); err != nil {
				return s, &unreadable{stageValue, fmt.Errorf("header %s: %w", h.Key, err)}
			}
		case schemas.HeaderTable:
			if len(h.Value) != 8 {
				return s, &unreadable{stageValue, fmt.Errorf("header %s has %d bytes, want 8", h.Key, len(h.Value))}
			}
			s.hasTable, s.table = true, binary.BigEndian.Uint64(h.Value)
		case schemas.HeaderOp:
			s.hasOp = true
		case schemas.HeaderSchema:
			if len(h.Value) != 4 {
				return s, &unreadable{stageValue, fmt.Errorf("header %s has %d bytes, want 4", h.Key, len(h.Value))}
			}
			s.schema = binary.BigEndian.Uint32(h.Value)
		}
	}
	return s, nil
}
