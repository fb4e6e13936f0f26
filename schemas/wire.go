package schemas

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// wireHeader is the number of bytes before the Avro body: a zero and the registry's id of the schema.
const wireHeader = 5

var errLongID = errors.New("the schema id is 0, which no registry gives: these may be the ids of eight bytes of Apicurio's converter " +
	"(set apicurio.registry.as-confluent=true there, or its id handler to Legacy4ByteIdHandler)")

var errNoWire = errors.New("not in Confluent's wire format: it does not begin with a zero byte and a schema id")

// SplitWire splits a record's key or value into the registry's id of its schema and the Avro body, which aliases b.
func SplitWire(b []byte) (id uint32, body []byte, err error) {
	if len(b) < wireHeader || b[0] != 0 {
		return 0, nil, errNoWire
	}
	if id = binary.BigEndian.Uint32(b[1:]); id == 0 {
		return 0, nil, errLongID
	}
	return id, b[wireHeader:], nil
}

// appendLong appends an Avro int or long.
func appendLong(dst []byte, v int64) []byte {
	return binary.AppendUvarint(dst, uint64(v)<<1^uint64(v>>63))
}

// appendBytes appends an Avro bytes or string.
func appendBytes[T string | []byte](dst []byte, b T) []byte {
	return append(appendLong(dst, int64(len(b))), b...)
}

// Problems of an Avro body that is not what its schema says.
var (
	errShort  = errors.New("the body ends in the middle of a value")
	errVarint = errors.New("a number of more than 64 bits")
	errLength = errors.New("a length outside the body")
	errBranch = errors.New("a union branch that the schema does not have")
	errBlock  = errors.New("an array or map block of impossible size")
	errWork   = errors.New("too many values that take no byte")
	errSize   = errors.New("a value whose JSON is too long")
	errDigits = errors.New("decimals with too many digits together")
	errDepth  = errors.New("nested too deeply")
	errValue  = errors.New("a number outside its type")
	errText   = errors.New("text that is not of its type")
)

// reader takes Avro values from the front of buf. The first problem stops it: err says what, at says where, and all
// that is read afterwards is zero.
type reader struct {
	buf  []byte
	at   int
	err  error
	free int // values read that took no byte
	text int // what the texts of the decimals read take, in bytes, at most
}

// maxFree bounds the values of a body that take no byte (nulls, empty records and fixed ones): a few bytes could stand
// for millions of them.
const maxFree = 1 << 16

// spend counts n values that take no byte.
func (r *reader) spend(n int) {
	if r.free += n; r.free > maxFree {
		r.fail(errWork)
	}
}

func (r *reader) spendIf(empty bool) {
	if empty {
		r.spend(1)
	}
}

// maxText bounds the text that the decimals of a body stand for, beside what the body's own length explains: with a scale of
// its own, five bytes could stand for 262,146.
const maxText = 16 << 20

// maxUnscaled bounds the bytes of one decimal, to about twice the digits that PostgreSQL's longest numeric has: what is
// longer takes seconds to become text and back.
const maxUnscaled = 1 << 17

// decimal returns the number that unscaled × 10^-scale is, if its text is of reasonable length: as text it goes to many
// targets, and no digit of it is free there.
func (r *reader) decimal(unscaled []byte, scale int64) Value {
	if scale < -maxScale || scale > maxScale || len(unscaled) > maxUnscaled {
		r.fail(errValue)
	}
	if r.err != nil {
		return Value{}
	}
	r.text += int(max(scale, -scale)) + 3*len(unscaled)
	if r.text > maxText+64*len(r.buf) {
		r.fail(errDigits)
		return Value{}
	}
	return decimalOf(unscaled, int32(scale))
}

// takeFixed is take for a fixed, which may be of size 0.
func (r *reader) takeFixed(size int64) []byte {
	r.spendIf(size == 0)
	return r.take(size)
}

// fail keeps the first problem, and lets the buffer end here.
func (r *reader) fail(err error) {
	if r.err == nil {
		r.err, r.buf = err, r.buf[:r.at]
	}
}

// long reads an Avro int or long.
func (r *reader) long() int64 {
	if r.at < len(r.buf) {
		if c := r.buf[r.at]; c < 0x80 {
			r.at++
			return int64(c>>1) ^ -int64(c&1)
		}
	}
	return r.longer()
}

func (r *reader) longer() int64 {
	var v uint64
	for shift := uint(0); shift < 64; shift += 7 {
		if r.at >= len(r.buf) {
			r.fail(errShort)
			return 0
		}
		c := r.buf[r.at]
		r.at++
		if shift == 63 && c > 1 {
			break
		}
		v |= uint64(c&0x7f) << shift
		if c < 0x80 {
			return int64(v>>1) ^ -int64(v&1)
		}
	}
	r.fail(errVarint)
	return 0
}

// take returns the next n bytes, which alias the buffer.
func (r *reader) take(n int64) []byte {
	if uint64(n) > uint64(len(r.buf)-r.at) {
		r.fail(errLength)
		return nil
	}
	b := r.buf[r.at : r.at+int(n) : r.at+int(n)]
	r.at += int(n)
	return b
}

func (r *reader) bytes() []byte { return r.take(r.long()) }

func (r *reader) boolean() bool {
	b := r.take(1)
	if len(b) == 0 {
		return false
	}
	if b[0] > 1 {
		r.fail(errValue)
	}
	return b[0] == 1
}

// block reads the head of an array's or map's block and returns the number of its items, 0 at the end. least is the
// smallest size of an item: a count that cannot fit into what is left is refused before anything is made for it.
func (r *reader) block(least int) int {
	n := r.long()
	if n < 0 {
		if n = -n; n < 0 {
			r.fail(errBlock)
			return 0
		}
		if size := r.long(); size < 0 || size > int64(len(r.buf)-r.at) {
			r.fail(errBlock)
			return 0
		}
	}
	// An item of no bytes would make a small body a long array.
	if n > int64(len(r.buf)-r.at)/int64(max(least, 1)) {
		r.fail(errBlock)
		return 0
	}
	if least == 0 && r.err == nil {
		r.spend(int(n))
	}
	if r.err != nil {
		return 0
	}
	return int(n)
}

// problem says in which field the reader stopped.
func (r *reader) problem(field string) error {
	if field == "" {
		return fmt.Errorf("byte %d: %w", r.at, r.err)
	}
	return fmt.Errorf("field %q, byte %d: %w", field, r.at, r.err)
}
