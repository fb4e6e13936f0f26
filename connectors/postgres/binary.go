package postgres

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"math"
	"math/big"
	"strconv"

	"github.com/jackc/pgx/v5/pgtype"

	"github.com/syncline-io/syncline/schemas"
)

// binaryDecoder turns PostgreSQL's binary form of one value, which is not null, into the very Value that the text
// decoder makes of its text. The value may alias b and a. A decoder may keep room for its next call: it belongs to one
// goroutine.
type binaryDecoder func(b []byte, a *schemas.Arena) (schemas.Value, error)

var (
	errBinary = errors.New("unexpected length or content of a binary value")
	// errTextOnly refuses a value that only the server can tell the text of, where the text is what travels.
	errTextOnly = errors.New("the value has to be read as the server's text")
)

// binaryForm says what can be read of a type's binary form.
type binaryForm struct {
	// decode gives the value itself, nil where that is the text.
	decode binaryDecoder
	// text writes what the type's output function does; nil where that is not known for certain.
	text printer
	// partial says that text is not known of every value.
	partial bool
}

// binaryForms are those of the types that are built in. Floating-point numbers have no text: PostgreSQL's shortest digits
// are not always those of strconv.
var binaryForms = map[uint32]binaryForm{
	pgtype.BoolOID:        {decode: binaryBool, text: printBool},
	pgtype.Int2OID:        {decode: binaryInt16, text: printInt16},
	pgtype.Int4OID:        {decode: binaryInt32, text: printInt32},
	pgtype.Int8OID:        {decode: binaryInt64, text: printInt64},
	pgtype.OIDOID:         {decode: binaryOID, text: printUint32},
	pgtype.Float4OID:      {decode: binaryFloat32},
	pgtype.Float8OID:      {decode: binaryFloat64},
	pgtype.NumericOID:     {decode: binaryNumeric, text: printNumeric},
	moneyOID:              {decode: binaryMoney, text: printMoney},
	pgtype.TextOID:        {decode: binaryText, text: printText},
	pgtype.VarcharOID:     {decode: binaryText, text: printText},
	pgtype.BPCharOID:      {decode: binaryText, text: printText},
	pgtype.NameOID:        {decode: binaryText, text: printText},
	pgtype.JSONOID:        {decode: binaryText, text: printText},
	pgtype.JSONBOID:       {decode: binaryJSONB, text: printVersioned},
	pgtype.XMLOID:         {decode: binaryText, text: printText},
	pgtype.ByteaOID:       {decode: binaryBytes, text: printBytes},
	pgtype.DateOID:        {decode: binaryDate, text: printDate},
	pgtype.TimeOID:        {decode: binaryInt64, text: printTime},
	pgtype.TimestampOID:   {decode: binaryTimestamp, text: printTimestamp},
	pgtype.TimestamptzOID: {decode: binaryTimestampTZ, text: printTimestampTZ},
	pgtype.IntervalOID:    {decode: binaryInterval, text: printInterval},
	pgtype.UUIDOID:        {decode: binaryUUID, text: printUUID},

	pgtype.QCharOID:    {text: printChar, partial: true},
	pgtype.TimetzOID:   {text: printTimeTZ},
	pgtype.BitOID:      {text: printBits},
	pgtype.VarbitOID:   {text: printBits},
	pgtype.InetOID:     {text: printInet},
	pgtype.CIDROID:     {text: printCIDR},
	pgtype.MacaddrOID:  {text: printMAC},
	pgtype.Macaddr8OID: {text: printMAC},
	pgtype.XIDOID:      {text: printUint32},
	pgtype.CIDOID:      {text: printUint32},
	pgtype.TIDOID:      {text: printTID},
	pgtype.XID8OID:     {text: printUint64},
	pgLSNOID:           {text: printLSN},
	pgtype.TSVectorOID: {text: printTSVector},
	pgtype.JSONPathOID: {text: printVersioned},

	pgtype.Int4rangeOID: {text: printRange(printInt32)},
	pgtype.Int8rangeOID: {text: printRange(printInt64)},
	pgtype.NumrangeOID:  {text: printRange(printNumeric)},
	pgtype.TsrangeOID:   {text: printRange(printTimestamp)},
	pgtype.TstzrangeOID: {text: printRange(printTimestampTZ)},
	pgtype.DaterangeOID: {text: printRange(printDate)},

	pgtype.Int4multirangeOID: {text: printMultirange(printInt32)},
	pgtype.Int8multirangeOID: {text: printMultirange(printInt64)},
	pgtype.NummultirangeOID:  {text: printMultirange(printNumeric)},
	pgtype.TsmultirangeOID:   {text: printMultirange(printTimestamp)},
	pgtype.TstzmultirangeOID: {text: printMultirange(printTimestampTZ)},
	pgtype.DatemultirangeOID: {text: printMultirange(printDate)},
}

// pgLSNOID is the type pg_lsn, of which pgx has no name.
const pgLSNOID = 3220

// extensionForms are those of extensionTypes.
var extensionForms = map[string]binaryForm{
	"citext": {decode: binaryText, text: printText},
	"hstore": {text: printHstore},
	"ltree":  {text: printVersioned},
}

// binaryForm is that of a type that is no array; both of its fields are nil for one that is not known.
func (u userTypes) binaryForm(oid uint32) binaryForm {
	if isBuiltIn(oid) {
		return binaryForms[oid]
	}
	switch t := u[oid]; t.kind {
	case 'e':
		return binaryForm{decode: binaryText, text: printText}
	case 'b':
		if t.sent {
			return extensionForms[t.name]
		}
	}
	return binaryForm{}
}

// binaryDecoderOf returns the decoder of the binary form of a type, domains resolved, that has the canonical type t: nil
// where there is none. With partial, it refuses some values with errTextOnly.
func binaryDecoderOf(oid uint32, t *schemas.Type, user userTypes) (decode binaryDecoder, partial bool) {
	if elem := user.of(oid).elem; elem != 0 && !isPlain(oid) {
		return arrayBinaryOf(elem, t, user)
	}
	switch form := user.binaryForm(oid); {
	case form.decode != nil && (t.Kind != schemas.Bytes || t.Form == ""):
		return form.decode, false
	case form.text != nil:
		return printed(form.text, textDecoderOf(t)), form.partial
	}
	return nil, false
}

// printed decodes by way of the text.
func printed(text printer, decode textDecoder) binaryDecoder {
	var room []byte
	return func(b []byte, a *schemas.Arena) (v schemas.Value, err error) {
		if room, err = text(room[:0], b); err != nil {
			return v, err
		}
		kept := a.Bytes(len(room))
		copy(kept, room)
		return decode(kept, a), nil
	}
}

func binaryText(b []byte, a *schemas.Arena) (schemas.Value, error) { return decodeText(b, a), nil }

func binaryBytes(b []byte, _ *schemas.Arena) (schemas.Value, error) {
	return schemas.BytesValue(b), nil
}

// binaryJSONB skips the number of the format, which has been 1 for ever.
func binaryJSONB(b []byte, a *schemas.Arena) (schemas.Value, error) {
	if len(b) == 0 || b[0] != 1 {
		return schemas.Value{}, errBinary
	}
	return decodeText(b[1:], a), nil
}

// binaryMoney reads the number of the smallest unit, which is a cent where lc_monetary is C.
func binaryMoney(b []byte, a *schemas.Arena) (schemas.Value, error) {
	if len(b) != 8 {
		return schemas.Value{}, errBinary
	}
	unscaled := a.Bytes(8)
	copy(unscaled, b)
	return schemas.DecimalValue(shortestSigned(unscaled), moneyDigits), nil
}

func binaryBool(b []byte, _ *schemas.Arena) (schemas.Value, error) {
	if len(b) != 1 {
		return schemas.Value{}, errBinary
	}
	return schemas.BoolValue(b[0] != 0), nil
}

func binaryInt16(b []byte, _ *schemas.Arena) (schemas.Value, error) {
	if len(b) != 2 {
		return schemas.Value{}, errBinary
	}
	return schemas.IntValue(int64(int16(binary.BigEndian.Uint16(b)))), nil
}

func binaryInt32(b []byte, _ *schemas.Arena) (schemas.Value, error) {
	if len(b) != 4 {
		return schemas.Value{}, errBinary
	}
	return schemas.IntValue(int64(int32(binary.BigEndian.Uint32(b)))), nil
}

func binaryOID(b []byte, _ *schemas.Arena) (schemas.Value, error) {
	if len(b) != 4 {
		return schemas.Value{}, errBinary
	}
	return schemas.IntValue(int64(binary.BigEndian.Uint32(b))), nil
}

func binaryInt64(b []byte, _ *schemas.Arena) (schemas.Value, error) {
	if len(b) != 8 {
		return schemas.Value{}, errBinary
	}
	return schemas.IntValue(int64(binary.BigEndian.Uint64(b))), nil
}

func binaryFloat32(b []byte, _ *schemas.Arena) (schemas.Value, error) {
	if len(b) != 4 {
		return schemas.Value{}, errBinary
	}
	return schemas.FloatValue(float64(math.Float32frombits(binary.BigEndian.Uint32(b)))), nil
}

func binaryFloat64(b []byte, _ *schemas.Arena) (schemas.Value, error) {
	if len(b) != 8 {
		return schemas.Value{}, errBinary
	}
	f := math.Float64frombits(binary.BigEndian.Uint64(b))
	if math.IsNaN(f) {
		f = math.NaN() // a NaN read from text has these bits, whatever the stored one has
	}
	return schemas.FloatValue(f), nil
}

func binaryDate(b []byte, _ *schemas.Arena) (schemas.Value, error) {
	if len(b) != 4 {
		return schemas.Value{}, errBinary
	}
	switch days := int32(binary.BigEndian.Uint32(b)); days {
	case math.MaxInt32:
		return schemas.IntValue(schemas.PosInfinity), nil
	case math.MinInt32:
		return schemas.IntValue(schemas.NegInfinity), nil
	default:
		return schemas.IntValue(int64(days) + epochDays), nil
	}
}

func binaryTimestamp(b []byte, a *schemas.Arena) (schemas.Value, error) {
	return binaryInstant(b, "", a)
}

func binaryTimestampTZ(b []byte, a *schemas.Arena) (schemas.Value, error) {
	return binaryInstant(b, "+00", a)
}

func binaryInstant(b []byte, zone string, a *schemas.Arena) (schemas.Value, error) {
	if len(b) != 8 {
		return schemas.Value{}, errBinary
	}
	const shift = epochDays * dayMicros
	switch micros := int64(binary.BigEndian.Uint64(b)); {
	case micros == math.MaxInt64 || micros == math.MinInt64:
		return schemas.IntValue(micros), nil
	case micros >= math.MaxInt64-shift:
		days := micros / dayMicros // positive here
		return schemas.UnrepresentableValue(appendTimestamp(a.Bytes(40)[:0], days+epochDays, micros-days*dayMicros, zone)), nil
	default:
		return schemas.IntValue(micros + shift), nil
	}
}

func binaryInterval(b []byte, _ *schemas.Arena) (schemas.Value, error) {
	if len(b) != 16 {
		return schemas.Value{}, errBinary
	}
	micros := int64(binary.BigEndian.Uint64(b))
	days := int32(binary.BigEndian.Uint32(b[8:]))
	months := int32(binary.BigEndian.Uint32(b[12:]))
	switch { // the infinite intervals of PostgreSQL 17
	case micros == math.MaxInt64 && days == math.MaxInt32 && months == math.MaxInt32:
		return schemas.UnrepresentableValue([]byte("infinity")), nil
	case micros == math.MinInt64 && days == math.MinInt32 && months == math.MinInt32:
		return schemas.UnrepresentableValue([]byte("-infinity")), nil
	}
	return schemas.IntervalValue(months, days, micros), nil
}

func binaryUUID(b []byte, a *schemas.Arena) (schemas.Value, error) {
	if len(b) != 16 {
		return schemas.Value{}, errBinary
	}
	text := a.Bytes(36)
	hex.Encode(text, b[:4])
	text[8] = '-'
	hex.Encode(text[9:], b[4:6])
	text[13] = '-'
	hex.Encode(text[14:], b[6:8])
	text[18] = '-'
	hex.Encode(text[19:], b[8:10])
	text[23] = '-'
	hex.Encode(text[24:], b[10:])
	return schemas.BytesValue(text), nil
}

// The signs of a binary numeric.
const (
	numericPositive = 0x0000
	numericNegative = 0x4000
	numericNaN      = 0xC000
	numericPosInf   = 0xD000
	numericNegInf   = 0xF000
)

// binaryNumeric reads words of four decimal digits: their number, the weight of the first, the sign and the number of
// fraction digits to show. Trailing words that are zero are not sent, and the last word may hold more digits than shown.
func binaryNumeric(b []byte, a *schemas.Arena) (schemas.Value, error) {
	if len(b) < 8 {
		return schemas.Value{}, errBinary
	}
	words, weight := int(binary.BigEndian.Uint16(b)), int(int16(binary.BigEndian.Uint16(b[2:])))
	sign, scale := binary.BigEndian.Uint16(b[4:]), int(binary.BigEndian.Uint16(b[6:]))
	b = b[8:]
	if len(b) != 2*words {
		return schemas.Value{}, errBinary
	}
	switch sign {
	case numericPositive, numericNegative:
	case numericNaN:
		return schemas.SpecialDecimal(schemas.NaN), nil
	case numericPosInf:
		return schemas.SpecialDecimal(schemas.PosInf), nil
	case numericNegInf:
		return schemas.SpecialDecimal(schemas.NegInf), nil
	default:
		return schemas.Value{}, errBinary
	}
	// The words cover 4*(weight+1) integer digits and then fraction digits; the value wanted has scale of these.
	shown := 4*(weight+1) + scale
	if shown > 38 || weight > 10 {
		return bigBinaryNumeric(b, weight, sign == numericNegative, scale, a)
	}
	var n uint128
	for left := shown; left > 0; left -= 4 {
		word := uint64(0)
		if len(b) > 0 {
			word = uint64(binary.BigEndian.Uint16(b))
			b = b[2:]
		}
		if left < 4 {
			n.mulAdd(powers10[left], word/powers10[4-left])
			break
		}
		n.mulAdd(10_000, word)
	}
	return schemas.DecimalValue(n.signed(sign == numericNegative, a.Bytes(17)), int32(scale)), nil
}

var powers10 = [...]uint64{1, 10, 100, 1000, 10_000}

// bigBinaryNumeric is the slow way for more than 38 digits.
func bigBinaryNumeric(b []byte, weight int, negative bool, scale int, a *schemas.Arena) (schemas.Value, error) {
	shown := 4*(weight+1) + scale
	digits := make([]byte, 0, shown+8)
	for len(digits) < shown {
		word := uint64(0)
		if len(b) > 0 {
			word = uint64(binary.BigEndian.Uint16(b))
			b = b[2:]
		}
		if word > 9999 {
			return schemas.Value{}, errBinary
		}
		digits = append(digits, '0', '0', '0', '0')
		text := strconv.AppendUint(digits[len(digits):], word, 10)
		copy(digits[len(digits)-len(text):], text)
	}
	n, ok := new(big.Int).SetString(string(digits[:shown]), 10)
	if !ok {
		return schemas.Value{}, errBinary
	}
	return schemas.DecimalValue(signedBytes(n, negative, a), int32(scale)), nil
}
