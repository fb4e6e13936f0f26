package schemas

import (
	"errors"
	"fmt"
	"math"
)

// ErrRange marks text that names a value outside the canonical type's range, such as a timestamp of the year 294260,
// whose microseconds since 1970 pass an int64. The value is to be carried as [UnrepresentableValue].
var ErrRange = errors.New("outside the range of the canonical type")

var errNoDateTime = errors.New("not in ISO format")

const (
	microsPerSecond = 1_000_000
	microsPerDay    = 86_400 * microsPerSecond
)

// AppendDate appends days since 1970-01-01 as PostgreSQL's ISO text: "2025-01-01", "0044-03-15 BC", "infinity".
func AppendDate(dst []byte, days int64) []byte {
	if isInfinite(days) {
		return appendInfinity(dst, days)
	}
	y, m, d := civil(days)
	dst = appendCivil(dst, y, m, d)
	if y <= 0 {
		dst = append(dst, " BC"...)
	}
	return dst
}

// AppendTime appends microseconds since midnight as "15:04:05.123456", without trailing zeros of the fraction.
func AppendTime(dst []byte, micros int64) []byte {
	dst = appendClock(dst, micros)
	return appendFraction(dst, micros%microsPerSecond)
}

// AppendTimestamp appends microseconds since 1970 as PostgreSQL's ISO text: "2025-01-01 12:00:00.5", with " BC" where
// it applies, or "infinity" or "-infinity".
func AppendTimestamp(dst []byte, micros int64) []byte {
	return appendTimestamp(dst, micros, "")
}

// AppendTimestampTZ is AppendTimestamp with the zone: "2025-01-01 12:00:00.5+00".
func AppendTimestampTZ(dst []byte, micros int64) []byte {
	return appendTimestamp(dst, micros, "+00")
}

func appendTimestamp(dst []byte, micros int64, zone string) []byte {
	if isInfinite(micros) {
		return appendInfinity(dst, micros)
	}
	days, rest := floorDiv(micros, microsPerDay)
	y, m, d := civil(days)
	dst = appendCivil(dst, y, m, d)
	dst = append(dst, ' ')
	dst = AppendTime(dst, rest)
	dst = append(dst, zone...)
	if y <= 0 {
		dst = append(dst, " BC"...)
	}
	return dst
}

// ParseDate reads a date in PostgreSQL's ISO text (with " BC") or in ISO 8601 (years from 0, with a sign).
func ParseDate(text []byte) (int64, error) {
	if v, ok := parseInfinity(text); ok {
		return v, nil
	}
	s := scanner{rest: text}
	s.trimBC()
	days := s.date()
	return days, s.finish("date", text)
}

// ParseTime reads "15:04:05.123456" up to "24:00:00" as microseconds since midnight.
func ParseTime(text []byte) (int64, error) {
	s := scanner{rest: text}
	micros := s.clock()
	if micros > microsPerDay {
		s.bad = errNoDateTime
	}
	return micros, s.finish("time", text)
}

// ParseTimestamp reads a timestamp without zone, in PostgreSQL's ISO text or in ISO 8601.
func ParseTimestamp(text []byte) (int64, error) {
	if v, ok := parseInfinity(text); ok {
		return v, nil
	}
	s := scanner{rest: text}
	s.trimBC()
	micros := s.timestamp(false)
	return micros, s.finish("timestamp", text)
}

// ParseTimestampTZ reads a timestamp with any offset ("+00", "-04:56:02", "Z") as microseconds since 1970 UTC, in
// PostgreSQL's ISO text or in ISO 8601.
func ParseTimestampTZ(text []byte) (int64, error) {
	if v, ok := parseInfinity(text); ok {
		return v, nil
	}
	s := scanner{rest: text}
	s.trimBC()
	micros := s.timestamp(true)
	return micros, s.finish("timestamp with time zone", text)
}

func isInfinite(v int64) bool { return v == PosInfinity || v == NegInfinity }

func appendInfinity(dst []byte, v int64) []byte {
	if v == NegInfinity {
		dst = append(dst, '-')
	}
	return append(dst, "infinity"...)
}

func parseInfinity(text []byte) (int64, bool) {
	switch string(text) {
	case "infinity":
		return PosInfinity, true
	case "-infinity":
		return NegInfinity, true
	}
	return 0, false
}

// civil turns days since 1970-01-01 into a date of the proleptic Gregorian calendar; year 0 is 1 BC.
func civil(days int64) (y int64, m, d int) {
	// Counted from 0000-03-01, so that the leap day ends the year, in eras of 400 years.
	era, doe := floorDiv(days+719468, 146097)
	yoe := (doe - doe/1460 + doe/36524 - doe/146096) / 365
	doy := doe - (365*yoe + yoe/4 - yoe/100)
	mp := (5*doy + 2) / 153
	y = yoe + era*400
	d = int(doy - (153*mp+2)/5 + 1)
	m = int(mp) + 3
	if m > 12 {
		m -= 12
		y++
	}
	return y, m, d
}

// daysOf is the inverse of civil.
func daysOf(y int64, m, d int) int64 {
	if m <= 2 {
		y--
	}
	era, yoe := floorDiv(y, 400)
	mp := int64(m+9) % 12
	doy := (153*mp+2)/5 + int64(d) - 1
	return era*146097 + yoe*365 + yoe/4 - yoe/100 + doy - 719468
}

func floorDiv(a, b int64) (q, r int64) {
	q, r = a/b, a%b
	if r < 0 {
		q, r = q-1, r+b
	}
	return q, r
}

func appendCivil(dst []byte, y int64, m, d int) []byte {
	if y <= 0 {
		y = 1 - y
	}
	dst = appendPadded(dst, uint64(y), 4)
	dst = append(dst, '-', byte('0'+m/10), byte('0'+m%10), '-', byte('0'+d/10), byte('0'+d%10))
	return dst
}

// appendClock appends "15:04:05" of microseconds since midnight.
func appendClock(dst []byte, micros int64) []byte {
	seconds := micros / microsPerSecond
	h, m, s := seconds/3600, seconds/60%60, seconds%60
	return append(dst, byte('0'+h/10), byte('0'+h%10), ':', byte('0'+m/10), byte('0'+m%10), ':', byte('0'+s/10), byte('0'+s%10))
}

// appendFraction appends "." and the digits of a fraction in microseconds, without trailing zeros; nothing for 0.
func appendFraction(dst []byte, micros int64) []byte {
	if micros == 0 {
		return dst
	}
	dst = append(dst, '.')
	dst = appendPadded(dst, uint64(micros), 6)
	for dst[len(dst)-1] == '0' {
		dst = dst[:len(dst)-1]
	}
	return dst
}

// scanner reads the parts of a date or time from the front of rest. bad is ErrRange only where the format is right.
type scanner struct {
	rest []byte
	bc   bool
	bad  error
}

func (s *scanner) trimBC() {
	if n := len(s.rest); n > 3 && string(s.rest[n-3:]) == " BC" {
		s.rest, s.bc = s.rest[:n-3], true
	}
}

// finish returns the problem, which for rest that nobody read is a wrong format.
func (s *scanner) finish(what string, text []byte) error {
	if len(s.rest) > 0 {
		s.bad = errNoDateTime
	}
	if s.bad != nil {
		return fmt.Errorf("%s %s: %w", what, shown(text), s.bad)
	}
	return nil
}

// take reads c if it comes next.
func (s *scanner) take(c byte) bool {
	if len(s.rest) == 0 || s.rest[0] != c {
		return false
	}
	s.rest = s.rest[1:]
	return true
}

func (s *scanner) expect(c byte) {
	if !s.take(c) {
		s.bad = errNoDateTime
	}
}

// number reads from least to most digits.
func (s *scanner) number(least, most int) int64 {
	var v int64
	n := 0
	for n < most && n < len(s.rest) && s.rest[n] >= '0' && s.rest[n] <= '9' {
		v = v*10 + int64(s.rest[n]-'0')
		n++
	}
	if n < least {
		s.bad = errNoDateTime
	}
	s.rest = s.rest[n:]
	return v
}

func (s *scanner) date() int64 {
	negative := s.take('-')
	if !negative {
		s.take('+')
	}
	y := s.number(1, 7)
	if negative {
		y = -y
	}
	if s.bc {
		if negative || y == 0 {
			s.bad = errNoDateTime
		}
		y = 1 - y
	}
	s.expect('-')
	m := int(s.number(2, 2))
	s.expect('-')
	d := int(s.number(2, 2))
	if m < 1 || m > 12 || d < 1 || d > daysIn(y, m) {
		s.bad = errNoDateTime
		return 0
	}
	return daysOf(y, m, d)
}

func daysIn(y int64, m int) int {
	switch m {
	case 2:
		if y%4 == 0 && (y%100 != 0 || y%400 == 0) {
			return 29
		}
		return 28
	case 4, 6, 9, 11:
		return 30
	}
	return 31
}

func (s *scanner) clock() int64 {
	h := s.number(2, 2)
	s.expect(':')
	m := s.number(2, 2)
	var sec, fraction int64
	if s.take(':') {
		sec = s.number(2, 2)
		fraction = s.fraction()
	}
	if h > 24 || m > 59 || sec > 60 {
		s.bad = errNoDateTime
	}
	return (h*3600+m*60+sec)*microsPerSecond + fraction
}

// fraction reads "." and up to nine digits as microseconds; digits past the sixth must be zero.
func (s *scanner) fraction() int64 {
	if !s.take('.') {
		return 0
	}
	var v int64
	n := 0
	for ; n < len(s.rest) && n < 9 && s.rest[n] >= '0' && s.rest[n] <= '9'; n++ {
		switch {
		case n < 6:
			v = v*10 + int64(s.rest[n]-'0')
		case s.rest[n] != '0' && s.bad == nil:
			s.bad = ErrRange
		}
	}
	if n == 0 {
		s.bad = errNoDateTime
	}
	s.rest = s.rest[n:]
	for ; n < 6; n++ {
		v *= 10
	}
	return v
}

func (s *scanner) timestamp(zone bool) int64 {
	days := s.date()
	if !s.take('T') {
		s.expect(' ')
	}
	micros := s.clock()
	if zone {
		micros -= s.offset()
	}
	if s.bad != nil {
		return 0
	}
	v, ok := addMicros(days, micros)
	if !ok {
		s.bad = ErrRange
	}
	return v
}

// addMicros returns days and microseconds as microseconds, unless they pass the finite values.
func addMicros(days, micros int64) (int64, bool) {
	// One day of margin, then an exact addition, so that neither step can overflow.
	const most = math.MaxInt64/microsPerDay - 1
	if days >= -most && days <= most {
		return days*microsPerDay + micros, true
	}
	if days > most+2 || days < -most-2 {
		return 0, false
	}
	sign := int64(1)
	if days < 0 {
		sign = -1
	}
	base := sign * most * microsPerDay
	rest := (days-sign*most)*microsPerDay + micros
	sum := base + rest
	if sign > 0 && (sum < base || sum == PosInfinity) || sign < 0 && (sum > base || sum == NegInfinity) {
		return 0, false
	}
	return sum, true
}

// offset reads a zone as microseconds east of UTC.
func (s *scanner) offset() int64 {
	if s.take('Z') {
		return 0
	}
	sign := int64(1)
	if s.take('-') {
		sign = -1
	} else {
		s.expect('+')
	}
	seconds := s.number(2, 2) * 3600
	if s.take(':') {
		seconds += s.number(2, 2) * 60
		if s.take(':') {
			seconds += s.number(2, 2)
		}
	}
	return sign * seconds * microsPerSecond
}
