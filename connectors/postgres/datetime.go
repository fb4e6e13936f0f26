package postgres

import (
	"bytes"
	"math"
	"math/bits"
	"strconv"

	"github.com/syncline-io/syncline/schemas"
)

const (
	secondMicros = 1_000_000
	dayMicros    = 86_400 * secondMicros
	// epochDays is the number of days from 1970-01-01 to 2000-01-01, where PostgreSQL begins to count.
	epochDays = 10_957
)

// decodeDate reads 2018-06-20, 5874897-12-31, 0001-12-31 BC, infinity and -infinity.
func decodeDate(text []byte, _ *schemas.Arena) schemas.Value {
	if v, ok := infinite(text); ok {
		return v
	}
	body, bc := bytes.CutSuffix(text, []byte(" BC"))
	days, rest, ok := parseDays(body, bc)
	if !ok || len(rest) != 0 {
		return schemas.UnrepresentableValue(text)
	}
	return schemas.IntValue(days)
}

// decodeTime reads 11:51:30.123456 and 24:00:00.
func decodeTime(text []byte, _ *schemas.Arena) schemas.Value {
	micros, rest, ok := parseClock(text)
	if !ok || len(rest) != 0 {
		return schemas.UnrepresentableValue(text)
	}
	return schemas.IntValue(micros)
}

// decodeTimestamp reads 2016-11-04 11:51:30.123456, with a zone's offset and BC behind it where there is one. The last
// 30 years that PostgreSQL knows (from 294247 on) do not fit microseconds since 1970 and stay text.
func decodeTimestamp(text []byte, _ *schemas.Arena) schemas.Value {
	if v, ok := infinite(text); ok {
		return v
	}
	body, bc := bytes.CutSuffix(text, []byte(" BC"))
	days, rest, ok := parseDays(body, bc)
	if !ok || len(rest) == 0 || rest[0] != ' ' {
		return schemas.UnrepresentableValue(text)
	}
	micros, rest, ok := parseClock(rest[1:])
	if !ok {
		return schemas.UnrepresentableValue(text)
	}
	offset, ok := parseOffset(rest)
	if !ok {
		return schemas.UnrepresentableValue(text)
	}
	t, ok := instant(days, micros-offset)
	if !ok {
		return schemas.UnrepresentableValue(text)
	}
	return schemas.IntValue(t)
}

// instant adds days and microseconds; it is false where the sum does not fit, or would be taken for an infinity.
func instant(days, micros int64) (int64, bool) {
	hi, lo := bits.Mul64(uint64(max(days, -days)), dayMicros)
	if hi != 0 || lo > math.MaxInt64 {
		return 0, false
	}
	t := int64(lo)
	if days < 0 {
		t = -t
	}
	sum := t + micros
	if (micros > 0) != (sum > t) && micros != 0 || sum == math.MaxInt64 || sum == math.MinInt64 {
		return 0, false
	}
	return sum, true
}

func infinite(text []byte) (schemas.Value, bool) {
	switch string(text) {
	case "infinity":
		return schemas.IntValue(schemas.PosInfinity), true
	case "-infinity":
		return schemas.IntValue(schemas.NegInfinity), true
	}
	return schemas.Value{}, false
}

// parseDays reads year-month-day and gives days since 1970-01-01 and what follows.
func parseDays(text []byte, bc bool) (days int64, rest []byte, ok bool) {
	year, text, ok := number(text, 4, 7)
	if !ok || len(text) == 0 || text[0] != '-' {
		return 0, nil, false
	}
	month, text, ok := number(text[1:], 2, 2)
	if !ok || len(text) == 0 || text[0] != '-' {
		return 0, nil, false
	}
	day, text, ok := number(text[1:], 2, 2)
	if !ok || month < 1 || month > 12 || day < 1 || day > 31 {
		return 0, nil, false
	}
	if bc {
		year = 1 - year
	}
	return civilDays(year, month, day), text, true
}

// parseClock reads hours:minutes:seconds with up to six fraction digits. Hours may be above 24 in intervals.
func parseClock(text []byte) (micros int64, rest []byte, ok bool) {
	hours, text, ok := number(text, 2, 10)
	if !ok || len(text) == 0 || text[0] != ':' {
		return 0, nil, false
	}
	minutes, text, ok := number(text[1:], 2, 2)
	if !ok || len(text) == 0 || text[0] != ':' {
		return 0, nil, false
	}
	seconds, text, ok := number(text[1:], 2, 2)
	if !ok || minutes > 59 || seconds > 60 {
		return 0, nil, false
	}
	micros = ((hours*60+minutes)*60 + seconds) * secondMicros
	if len(text) == 0 || text[0] != '.' {
		return micros, text, true
	}
	text = text[1:]
	unit := int64(secondMicros)
	for len(text) > 0 && text[0] >= '0' && text[0] <= '9' {
		if unit /= 10; unit == 0 {
			return 0, nil, false
		}
		micros += int64(text[0]-'0') * unit
		text = text[1:]
	}
	return micros, text, unit < secondMicros
}

// parseOffset reads nothing, +hh, +hh:mm or +hh:mm:ss, and gives microseconds east of UTC.
func parseOffset(text []byte) (int64, bool) {
	if len(text) == 0 {
		return 0, true
	}
	sign := int64(1)
	switch text[0] {
	case '-':
		sign = -1
	case '+':
	default:
		return 0, false
	}
	var parts [3]int64
	for i := range parts {
		n, rest, ok := number(text[1:], 2, 2)
		if !ok {
			return 0, false
		}
		parts[i], text = n, rest
		if len(text) == 0 {
			return sign * ((parts[0]*60+parts[1])*60 + parts[2]) * secondMicros, true
		}
		if text[0] != ':' {
			return 0, false
		}
	}
	return 0, false
}

// number takes the leading decimal digits, at least lo and at most hi of them.
func number(text []byte, lo, hi int) (n int64, rest []byte, ok bool) {
	i := 0
	for i < len(text) && i < hi && text[i] >= '0' && text[i] <= '9' {
		n = n*10 + int64(text[i]-'0')
		i++
	}
	return n, text[i:], i >= lo
}

// civilDays gives the days since 1970-01-01 of a date in the proleptic Gregorian calendar. The year is astronomical:
// 0 is 1 BC. March is taken as the first month, so that the leap day is the last of its year.
func civilDays(year, month, day int64) int64 {
	if month <= 2 {
		year--
		month += 12
	}
	era := year / 400
	if year < 0 && year%400 != 0 {
		era--
	}
	inEra := year - era*400
	inYear := (153*(month-3)+2)/5 + day - 1
	return era*146_097 + inEra*365 + inEra/4 - inEra/100 + inYear - 719_468
}

// civilDate is the inverse of civilDays.
func civilDate(days int64) (year, month, day int64) {
	days += 719_468
	era := days / 146_097
	if days < 0 && days%146_097 != 0 {
		era--
	}
	inEra := days - era*146_097
	year = (inEra - inEra/1_460 + inEra/36_524 - inEra/146_096) / 365
	inYear := inEra - (365*year + year/4 - year/100)
	m := (5*inYear + 2) / 153
	day = inYear - (153*m+2)/5 + 1
	month = m + 3
	if month > 12 {
		month -= 12
		year++
	}
	return year + era*400, month, day
}

// appendTimestamp writes days, microseconds of the day and a zone as PostgreSQL does.
func appendTimestamp(dst []byte, days, micros int64, zone string) []byte {
	dst, bc := appendDays(dst, days)
	dst = append(appendClock(append(dst, ' '), uint64(micros)), zone...)
	return append(dst, bc...)
}

// appendDays writes year, month and day; bc is what belongs behind everything else.
func appendDays(dst []byte, days int64) (text []byte, bc string) {
	year, month, day := civilDate(days)
	if year <= 0 {
		year, bc = 1-year, " BC"
	}
	dst = appendPadded(dst, year, 4)
	dst = appendPadded(append(dst, '-'), month, 2)
	return appendPadded(append(dst, '-'), day, 2), bc
}

// appendClock writes hours, which may be above 24 in intervals, minutes and seconds.
func appendClock(dst []byte, micros uint64) []byte {
	dst = appendPadded(dst, int64(micros/(3600*secondMicros)), 2)
	dst = appendPadded(append(dst, ':'), int64(micros/(60*secondMicros)%60), 2)
	dst = appendPadded(append(dst, ':'), int64(micros/secondMicros%60), 2)
	if fraction := micros % secondMicros; fraction != 0 {
		dst = bytes.TrimRight(appendPadded(append(dst, '.'), int64(fraction), 6), "0")
	}
	return dst
}

func appendPadded(dst []byte, n int64, width int) []byte {
	at := len(dst)
	dst = strconv.AppendInt(dst, n, 10)
	for len(dst)-at < width {
		dst = append(dst, 0)
		copy(dst[at+1:], dst[at:])
		dst[at] = '0'
	}
	return dst
}

// decodeInterval reads the style "postgres": 1 year 2 mons -3 days +04:05:06.78. Every part has its own sign, and a
// part that is zero is left out. The infinite intervals of PostgreSQL 17 stay text.
func decodeInterval(text []byte, _ *schemas.Arena) schemas.Value {
	var months, days, micros int64
	rest := text
	for len(rest) > 0 {
		negative := rest[0] == '-'
		part := rest
		if negative || rest[0] == '+' {
			part = rest[1:]
		}
		n, after, ok := number(part, 1, 10)
		if !ok || len(after) == 0 {
			return schemas.UnrepresentableValue(text)
		}
		if negative {
			n = -n
		}
		if after[0] == ':' {
			clock, end, ok := parseClock(part)
			if !ok || len(end) != 0 {
				return schemas.UnrepresentableValue(text)
			}
			if micros = clock; negative {
				micros = -clock
			}
			break
		}
		unit, end, _ := bytes.Cut(after[1:], []byte(" "))
		switch string(unit) {
		case "year", "years":
			months += 12 * n
		case "mon", "mons":
			months += n
		case "day", "days":
			days = n
		default:
			return schemas.UnrepresentableValue(text)
		}
		rest = end
	}
	if len(text) == 0 || months != int64(int32(months)) || days != int64(int32(days)) {
		return schemas.UnrepresentableValue(text)
	}
	return schemas.IntervalValue(int32(months), int32(days), micros)
}
