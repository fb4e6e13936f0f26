package postgres

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/bits"

	"github.com/syncline-io/syncline/schemas"
)

// copyAppend appends one value that is not null in PostgreSQL's binary format, without the length before it. The
// functions are chosen once per column (copyAppendFor) and allocate nothing per value.
type copyAppend func(dst []byte, v schemas.Value, s *copyScratch) ([]byte, error)

// copyScratch is the room that numerics are converted in. It is reused from value to value.
type copyScratch struct {
	words  []uint64 // magnitude, lowest word first
	groups []uint16 // base 10000, lowest group first
}

// copyHeader begins a binary COPY: signature, flags, length of the header's extension. copyTrailer ends it.
var (
	copyHeader  = []byte("PGCOPY\n\xff\r\n\x00\x00\x00\x00\x00\x00\x00\x00\x00")
	copyTrailer = []byte{0xff, 0xff}
)

const (
	// Days and microseconds from 1970-01-01, where our values count from, to 2000-01-01, where PostgreSQL's do.
	copyEpochDays   = 10957
	copyEpochMicros = copyEpochDays * 24 * 3600 * 1e6
)

// errCopyValue is what a value that the binary format cannot carry is refused with; the text says why.
var errCopyValue = errors.New("value cannot be sent")

// copyAppendFor returns the function for values of type t and the type's OID, which a parameter or an array element is
// declared with. jsonb asks for the binary form of jsonb rather than json.
func copyAppendFor(t schemas.Type, jsonb bool) (copyAppend, uint32, error) {
	switch t.Kind {
	case schemas.Bool:
		return copyBool, 16, nil
	case schemas.Int16:
		return copyInt16, 21, nil
	case schemas.Int32:
		return copyInt32, 23, nil
	case schemas.Int64:
		return copyInt64, 20, nil
	case schemas.Float32:
		return copyFloat32, 700, nil
	case schemas.Float64:
		return copyFloat64, 701, nil
	case schemas.Decimal:
		return copyNumeric, 1700, nil
	case schemas.String, schemas.Enum:
		return copyBytes, 25, nil
	case schemas.Bytes:
		return copyBytes, 17, nil
	case schemas.Date:
		return copyDate, 1082, nil
	case schemas.Time:
		return copyTime, 1083, nil
	case schemas.Timestamp:
		return copyTimestamp, 1114, nil
	case schemas.TimestampTZ:
		return copyTimestamp, 1184, nil
	case schemas.Interval:
		return copyInterval, 1186, nil
	case schemas.UUID:
		return copyUUID, 2950, nil
	case schemas.JSON:
		if jsonb {
			return copyJSONB, 3802, nil
		}
		return copyBytes, 114, nil
	case schemas.Array:
		if t.Elem == nil || t.Elem.Kind == schemas.Array {
			return nil, 0, fmt.Errorf("no binary form for %v", t)
		}
		return copyArrayOf(*t.Elem, jsonb)
	}
	return nil, 0, fmt.Errorf("no binary form for %v", t)
}

// copyField appends a value with its length before it; null has the length -1.
func copyField(dst []byte, v schemas.Value, f copyAppend, s *copyScratch) ([]byte, error) {
	if v.IsNull() {
		return append(dst, 0xff, 0xff, 0xff, 0xff), nil
	}
	at := len(dst)
	dst, err := f(append(dst, 0, 0, 0, 0), v, s)
	if err != nil {
		return dst[:at], err
	}
	binary.BigEndian.PutUint32(dst[at:], uint32(len(dst)-at-4))
	return dst, nil
}

// copyKind reports a value of another representation than its column's type has: an array's element that only the
// source's text can tell, else a defect of the caller.
func copyKind(v schemas.Value, want schemas.ValueKind) error {
	switch v.Kind() {
	case want:
		return nil
	case schemas.KindUnrepresentable:
		return fmt.Errorf("%w: only the source's text %.64q is known", errCopyValue, v.Bytes())
	}
	return fmt.Errorf("value has representation %d, its column's type wants %d", v.Kind(), want)
}

func copyBool(dst []byte, v schemas.Value, _ *copyScratch) ([]byte, error) {
	if err := copyKind(v, schemas.KindBool); err != nil {
		return dst, err
	}
	if v.Bool() {
		return append(dst, 1), nil
	}
	return append(dst, 0), nil
}

func copyInt16(dst []byte, v schemas.Value, _ *copyScratch) ([]byte, error) {
	if err := copyKind(v, schemas.KindInt); err != nil {
		return dst, err
	}
	return binary.BigEndian.AppendUint16(dst, uint16(v.Int())), nil
}

func copyInt32(dst []byte, v schemas.Value, _ *copyScratch) ([]byte, error) {
	if err := copyKind(v, schemas.KindInt); err != nil {
		return dst, err
	}
	return binary.BigEndian.AppendUint32(dst, uint32(v.Int())), nil
}

func copyInt64(dst []byte, v schemas.Value, _ *copyScratch) ([]byte, error) {
	if err := copyKind(v, schemas.KindInt); err != nil {
		return dst, err
	}
	return binary.BigEndian.AppendUint64(dst, uint64(v.Int())), nil
}

func copyFloat32(dst []byte, v schemas.Value, _ *copyScratch) ([]byte, error) {
	if err := copyKind(v, schemas.KindFloat); err != nil {
		return dst, err
	}
	return binary.BigEndian.AppendUint32(dst, math.Float32bits(float32(v.Float()))), nil
}

func copyFloat64(dst []byte, v schemas.Value, _ *copyScratch) ([]byte, error) {
	if err := copyKind(v, schemas.KindFloat); err != nil {
		return dst, err
	}
	return binary.BigEndian.AppendUint64(dst, math.Float64bits(v.Float())), nil
}

func copyBytes(dst []byte, v schemas.Value, _ *copyScratch) ([]byte, error) {
	if err := copyKind(v, schemas.KindBytes); err != nil {
		return dst, err
	}
	return append(dst, v.Bytes()...), nil
}

// copyJSONB puts the version of jsonb's binary form before the text.
func copyJSONB(dst []byte, v schemas.Value, _ *copyScratch) ([]byte, error) {
	if err := copyKind(v, schemas.KindBytes); err != nil {
		return dst, err
	}
	return append(append(dst, 1), v.Bytes()...), nil
}

func copyDate(dst []byte, v schemas.Value, _ *copyScratch) ([]byte, error) {
	if err := copyKind(v, schemas.KindInt); err != nil {
		return dst, err
	}
	var days int32
	switch d := v.Int(); {
	case d == schemas.PosInfinity:
		days = math.MaxInt32
	case d == schemas.NegInfinity:
		days = math.MinInt32
	case d-copyEpochDays <= math.MinInt32 || d-copyEpochDays >= math.MaxInt32:
		return dst, fmt.Errorf("%w: day %d is outside PostgreSQL's range", errCopyValue, d)
	default:
		days = int32(d - copyEpochDays)
	}
	return binary.BigEndian.AppendUint32(dst, uint32(days)), nil
}

func copyTime(dst []byte, v schemas.Value, _ *copyScratch) ([]byte, error) {
	if err := copyKind(v, schemas.KindInt); err != nil {
		return dst, err
	}
	return binary.BigEndian.AppendUint64(dst, uint64(v.Int())), nil
}

// copyTimestamp leaves the infinities as they are: PostgreSQL uses the same two numbers.
func copyTimestamp(dst []byte, v schemas.Value, _ *copyScratch) ([]byte, error) {
	if err := copyKind(v, schemas.KindInt); err != nil {
		return dst, err
	}
	micros := v.Int()
	if micros != schemas.PosInfinity && micros != schemas.NegInfinity {
		if micros <= math.MinInt64+copyEpochMicros {
			return dst, fmt.Errorf("%w: %d µs before 1970 is outside PostgreSQL's range", errCopyValue, -micros)
		}
		micros -= copyEpochMicros
	}
	return binary.BigEndian.AppendUint64(dst, uint64(micros)), nil
}

func copyInterval(dst []byte, v schemas.Value, _ *copyScratch) ([]byte, error) {
	if err := copyKind(v, schemas.KindInterval); err != nil {
		return dst, err
	}
	months, days, micros := v.Interval()
	dst = binary.BigEndian.AppendUint64(dst, uint64(micros))
	dst = binary.BigEndian.AppendUint32(dst, uint32(days))
	return binary.BigEndian.AppendUint32(dst, uint32(months)), nil
}

func copyUUID(dst []byte, v schemas.Value, _ *copyScratch) ([]byte, error) {
	if err := copyKind(v, schemas.KindBytes); err != nil {
		return dst, err
	}
	id, err := schemas.ParseUUID(v.Bytes())
	if err != nil {
		return dst, fmt.Errorf("%w: %q is not a UUID", errCopyValue, v.Bytes())
	}
	return append(dst, id[:]...), nil
}

// copyMaxDims is PostgreSQL's bound on the dimensions of an array.
const copyMaxDims = 6

// copyArrayOIDs gives the array type of each element type that an array's binary form is made for.
var copyArrayOIDs = map[uint32]uint32{
	16: 1000, 17: 1001, 20: 1016, 21: 1005, 23: 1007, 25: 1009, 114: 199, 700: 1021, 701: 1022, 1082: 1182, 1083: 1183,
	1114: 1115, 1184: 1185, 1186: 1187, 1700: 1231, 2950: 2951, 3802: 3807,
}

// copyArrayOf returns the function for arrays of elem, whatever their dimensions; every dimension begins at 1.
func copyArrayOf(elem schemas.Type, jsonb bool) (copyAppend, uint32, error) {
	element, oid, err := copyAppendFor(elem, jsonb)
	if err != nil {
		return nil, 0, err
	}
	return func(dst []byte, v schemas.Value, s *copyScratch) ([]byte, error) {
		if err := copyKind(v, schemas.KindArray); err != nil {
			return dst, err
		}
		var dims [copyMaxDims]int
		n := 0
		if len(v.Array()) > 0 {
			for at := v; at.Kind() == schemas.KindArray; at = at.Array()[0] {
				if n == copyMaxDims || len(at.Array()) == 0 {
					return dst, fmt.Errorf("%w: an array of more than %d dimensions, or with an empty one", errCopyValue, copyMaxDims)
				}
				dims[n] = len(at.Array())
				n++
			}
		}
		dst = binary.BigEndian.AppendUint32(dst, uint32(n))
		dst = binary.BigEndian.AppendUint32(dst, 1) // there may be nulls
		dst = binary.BigEndian.AppendUint32(dst, oid)
		for _, size := range dims[:n] {
			dst = binary.BigEndian.AppendUint32(dst, uint32(size))
			dst = binary.BigEndian.AppendUint32(dst, 1)
		}
		if n == 0 {
			return dst, nil
		}
		return copyElements(dst, v.Array(), dims[1:n], element, s)
	}, copyArrayOIDs[oid], nil
}

// copyElements appends the elements of one dimension; inner are the sizes that each of them must have.
func copyElements(dst []byte, elems []schemas.Value, inner []int, element copyAppend, s *copyScratch) ([]byte, error) {
	var err error
	for _, e := range elems {
		if len(inner) == 0 {
			if dst, err = copyField(dst, e, element, s); err != nil {
				return dst, err
			}
			continue
		}
		if e.Kind() != schemas.KindArray || len(e.Array()) != inner[0] {
			return dst, fmt.Errorf("%w: an array whose parts have different sizes", errCopyValue)
		}
		if dst, err = copyElements(dst, e.Array(), inner[1:], element, s); err != nil {
			return dst, err
		}
	}
	return dst, nil
}

// Signs of a numeric in its binary form.
const (
	copyNegative = 0x4000
	copyNaN      = 0xc000
	copyPosInf   = 0xd000
	copyNegInf   = 0xf000
)

// copyMaxScale is the largest number of fraction digits that a numeric shows.
const copyMaxScale = 16383

// copyNumeric appends the base-10000 form: number of groups, weight of the first one (0: it counts ones), sign, number
// of fraction digits shown, groups. Leading and trailing zero groups are allowed and not removed.
func copyNumeric(dst []byte, v schemas.Value, s *copyScratch) ([]byte, error) {
	if err := copyKind(v, schemas.KindDecimal); err != nil {
		return dst, err
	}
	unscaled, scale, form := v.Decimal()
	switch form {
	case schemas.NaN:
		return copyNumericHead(dst, 0, 0, copyNaN, 0), nil
	case schemas.PosInf:
		return copyNumericHead(dst, 0, 0, copyPosInf, 0), nil
	case schemas.NegInf:
		return copyNumericHead(dst, 0, 0, copyNegInf, 0), nil
	}
	if len(unscaled) == 0 || scale > copyMaxScale || scale < -copyMaxScale*8 {
		return dst, fmt.Errorf("%w: a decimal of %d bytes with scale %d", errCopyValue, len(unscaled), scale)
	}
	negative := unscaled[0]&0x80 != 0
	// The lowest group is cut so that the point falls between two groups: of the unscaled number's digits it takes
	// take, and zeros fill the rest.
	take, lowest := 4, 0
	if scale > 0 {
		lowest = -(int(scale) + 3) / 4
		take = int(scale) - 4*(-lowest-1)
	} else if scale < 0 {
		lowest = int(-scale) / 4
		take = 4 - int(-scale)%4
	}
	s.groups = s.groups[:0]
	if len(unscaled) <= 8 {
		s.splitWord(copyWord(unscaled), take)
	} else {
		s.loadWords(unscaled, negative)
		s.splitWords(take)
	}
	sign := 0
	if negative {
		sign = copyNegative
	}
	if len(s.groups) == 0 {
		return copyNumericHead(dst, 0, 0, 0, max(int(scale), 0)), nil
	}
	weight := lowest + len(s.groups) - 1
	if weight > math.MaxInt16 || len(s.groups) > math.MaxUint16 {
		return dst, fmt.Errorf("%w: a decimal with %d digits before the point", errCopyValue, (weight+1)*4)
	}
	dst = copyNumericHead(dst, len(s.groups), weight, sign, max(int(scale), 0))
	for i := len(s.groups) - 1; i >= 0; i-- {
		dst = binary.BigEndian.AppendUint16(dst, s.groups[i])
	}
	return dst, nil
}

func copyNumericHead(dst []byte, groups, weight, sign, scale int) []byte {
	dst = binary.BigEndian.AppendUint16(dst, uint16(groups))
	dst = binary.BigEndian.AppendUint16(dst, uint16(int16(weight)))
	dst = binary.BigEndian.AppendUint16(dst, uint16(sign))
	return binary.BigEndian.AppendUint16(dst, uint16(scale))
}

var copyPowers = [...]uint64{1, 10, 100, 1000, 10000}

// copyWord returns the magnitude of a two's complement number of at most 8 bytes.
func copyWord(b []byte) uint64 {
	w := uint64(int64(int8(b[0])))
	for _, c := range b[1:] {
		w = w<<8 | uint64(c)
	}
	if int64(w) < 0 {
		return -w
	}
	return w
}

// splitWord appends the groups of w, the lowest of which takes only take digits.
func (s *copyScratch) splitWord(w uint64, take int) {
	if w == 0 {
		return
	}
	s.groups = append(s.groups, uint16(w%copyPowers[take]*copyPowers[4-take]))
	for w /= copyPowers[take]; w > 0; w /= 10000 {
		s.groups = append(s.groups, uint16(w%10000))
	}
}

// loadWords sets words to the magnitude of a two's complement number of any length.
func (s *copyScratch) loadWords(b []byte, negative bool) {
	s.words = s.words[:0]
	for end := len(b); end > 0; end -= 8 {
		var w uint64
		if negative {
			w = math.MaxUint64 // sign extension of a shorter last word
		}
		for _, c := range b[max(end-8, 0):end] {
			w = w<<8 | uint64(c)
		}
		s.words = append(s.words, w)
	}
	if !negative {
		return
	}
	carry := uint64(1)
	for i, w := range s.words {
		s.words[i], carry = bits.Add64(^w, 0, carry)
	}
}

// splitWords does for words what splitWord does for one word. It consumes them.
func (s *copyScratch) splitWords(take int) {
	rest := s.divide(copyPowers[take])
	if len(s.words) == 0 && rest == 0 {
		return
	}
	s.groups = append(s.groups, uint16(rest*copyPowers[4-take]))
	for len(s.words) > 0 {
		// Four groups for each pass over the words; the last pass has no leading zero groups.
		rest = s.divide(1e16)
		for range 4 {
			if rest == 0 && len(s.words) == 0 {
				return
			}
			s.groups = append(s.groups, uint16(rest%10000))
			rest /= 10000
		}
	}
}

// divide divides words by d, drops leading zero words and returns the rest.
func (s *copyScratch) divide(d uint64) uint64 {
	var rest uint64
	for i := len(s.words) - 1; i >= 0; i-- {
		s.words[i], rest = bits.Div64(rest, s.words[i], d)
	}
	for len(s.words) > 0 && s.words[len(s.words)-1] == 0 {
		s.words = s.words[:len(s.words)-1]
	}
	return rest
}
