package schemas

import (
	"errors"
	"fmt"
	"math"
	"strconv"
)

var errNoInterval = errors.New("neither in PostgreSQL's style nor in ISO 8601")

// AppendInterval appends an interval in ISO 8601 as PostgreSQL's iso_8601 style prints it: "P1Y2M3DT4H5M6.78S", every
// part with its own sign, "PT0S" for nothing. [ParseInterval] reads it back exactly.
func AppendInterval(dst []byte, months, days int32, micros int64) []byte {
	if months == 0 && days == 0 && micros == 0 {
		return append(dst, "PT0S"...)
	}
	dst = append(dst, 'P')
	dst = appendPart(dst, int64(months/12), 'Y')
	dst = appendPart(dst, int64(months%12), 'M')
	dst = appendPart(dst, int64(days), 'D')
	if micros == 0 {
		return dst
	}
	dst = append(dst, 'T')
	seconds, fraction := micros/microsPerSecond, micros%microsPerSecond
	dst = appendPart(dst, seconds/3600, 'H')
	dst = appendPart(dst, seconds/60%60, 'M')
	if seconds %= 60; seconds != 0 || fraction != 0 {
		if micros < 0 {
			dst = append(dst, '-')
			seconds, fraction = -seconds, -fraction
		}
		dst = strconv.AppendInt(dst, seconds, 10)
		dst = appendFraction(dst, fraction)
		dst = append(dst, 'S')
	}
	return dst
}

func appendPart(dst []byte, n int64, unit byte) []byte {
	if n == 0 {
		return dst
	}
	return append(strconv.AppendInt(dst, n, 10), unit)
}

// ParseInterval reads an interval in PostgreSQL's style postgres ("1 year 2 mons -3 days 04:05:06.78") or iso_8601
// ("P1Y2M3DT4H5M6.78S"). It returns [ErrRange] for an infinite interval and for parts that pass the canonical ones.
func ParseInterval(text []byte) (months, days int32, micros int64, err error) {
	p := intervalParser{scanner: scanner{rest: text}}
	switch {
	case string(text) == "infinity" || string(text) == "-infinity":
		p.bad = ErrRange
	case p.take('P'):
		p.iso()
	default:
		p.postgres()
	}
	if p.bad == nil && (p.months != int64(int32(p.months)) || p.days != int64(int32(p.days))) {
		p.bad = ErrRange
	}
	if p.bad != nil {
		return 0, 0, 0, fmt.Errorf("interval %s: %w", shown(text), p.bad)
	}
	return int32(p.months), int32(p.days), p.micros, nil
}

type intervalParser struct {
	scanner
	months, days, micros int64
}

// fail keeps the first problem.
func (p *intervalParser) fail(err error) {
	if p.bad == nil {
		p.bad = err
	}
}

// add adds n × unit to sum.
func (p *intervalParser) add(sum *int64, n, unit int64) {
	product := n * unit
	total := *sum + product
	if n != 0 && product/n != unit || (total > *sum) != (product > 0) && product != 0 {
		p.fail(ErrRange)
		return
	}
	*sum = total
}

// amount is a signed number; its fraction, in millionths, has the number's sign.
type amount struct {
	whole, fraction int64
	negative        bool
}

func (p *intervalParser) amount() amount {
	var n amount
	n.negative = p.take('-')
	if !n.negative {
		p.take('+')
	}
	n.whole = p.whole()
	n.fraction = p.fraction()
	if n.negative {
		n.whole, n.fraction = -n.whole, -n.fraction
	}
	return n
}

// whole reads digits that may take the whole of an int64.
func (p *intervalParser) whole() int64 {
	i := 0
	for i < len(p.rest) && p.rest[i] >= '0' && p.rest[i] <= '9' {
		i++
	}
	if i == 0 || i > 18 {
		p.fail(errNoInterval)
		return 0
	}
	return p.number(1, i)
}

func (p *intervalParser) iso() {
	if len(p.rest) == 0 {
		p.fail(errNoInterval)
	}
	clock := false
	for len(p.rest) > 0 && p.bad == nil {
		if !clock && p.take('T') {
			clock = true
			if len(p.rest) == 0 {
				p.fail(errNoInterval)
			}
			continue
		}
		n := p.amount()
		if len(p.rest) == 0 {
			p.fail(errNoInterval)
			return
		}
		unit := p.rest[0]
		p.rest = p.rest[1:]
		if n.fraction != 0 && unit != 'S' {
			p.fail(errNoInterval)
		}
		switch {
		case !clock && unit == 'Y':
			p.add(&p.months, n.whole, 12)
		case !clock && unit == 'M':
			p.add(&p.months, n.whole, 1)
		case !clock && unit == 'W':
			p.add(&p.days, n.whole, 7)
		case !clock && unit == 'D':
			p.add(&p.days, n.whole, 1)
		case clock && unit == 'H':
			p.add(&p.micros, n.whole, 3600*microsPerSecond)
		case clock && unit == 'M':
			p.add(&p.micros, n.whole, 60*microsPerSecond)
		case clock && unit == 'S':
			p.seconds(n)
		default:
			p.fail(errNoInterval)
		}
	}
}

func (p *intervalParser) seconds(n amount) {
	p.add(&p.micros, n.whole, microsPerSecond)
	p.add(&p.micros, n.fraction, 1)
}

func (p *intervalParser) postgres() {
	if len(p.rest) == 0 {
		p.fail(errNoInterval)
	}
	for p.bad == nil {
		n := p.amount()
		if p.take(':') {
			p.clockAfter(n)
		} else {
			p.expect(' ')
			p.unit(n)
		}
		if len(p.rest) == 0 {
			return
		}
		p.expect(' ')
	}
}

// clockAfter reads ":05:06.78" after the hours; the sign before the hours counts for all of them.
func (p *intervalParser) clockAfter(hours amount) {
	minutes := p.number(2, 2)
	var seconds, fraction int64
	if p.take(':') {
		seconds = p.number(2, 2)
		fraction = p.fraction()
	}
	if minutes > 59 || seconds > 59 || hours.fraction != 0 {
		p.fail(errNoInterval)
		return
	}
	rest := (minutes*60+seconds)*microsPerSecond + fraction
	if hours.negative {
		rest = -rest
	}
	if hours.whole > math.MaxInt64/(3600*microsPerSecond)+1 {
		p.fail(ErrRange)
		return
	}
	p.add(&p.micros, hours.whole, 3600*microsPerSecond)
	p.add(&p.micros, rest, 1)
}

func (p *intervalParser) unit(n amount) {
	i := 0
	for i < len(p.rest) && p.rest[i] >= 'a' && p.rest[i] <= 'z' {
		i++
	}
	unit := p.rest[:i]
	p.rest = p.rest[i:]
	if n.fraction != 0 && string(unit) != "sec" && string(unit) != "secs" {
		p.fail(errNoInterval)
	}
	switch string(unit) {
	case "year", "years":
		p.add(&p.months, n.whole, 12)
	case "mon", "mons", "month", "months":
		p.add(&p.months, n.whole, 1)
	case "week", "weeks":
		p.add(&p.days, n.whole, 7)
	case "day", "days":
		p.add(&p.days, n.whole, 1)
	case "hour", "hours":
		p.add(&p.micros, n.whole, 3600*microsPerSecond)
	case "min", "mins", "minute", "minutes":
		p.add(&p.micros, n.whole, 60*microsPerSecond)
	case "sec", "secs", "second", "seconds":
		p.seconds(n)
	default:
		p.fail(errNoInterval)
	}
}
