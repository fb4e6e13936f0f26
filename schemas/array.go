package schemas

import (
	"errors"
	"fmt"
)

// MaxArrayDepth bounds the dimensions of an array, twice what PostgreSQL allows.
const MaxArrayDepth = 12

var (
	errNoArray = errors.New("not an array literal")
	// ErrArrayBounds marks an array whose lower bounds are not 1. The canonical array has no bounds: the value is to be
	// carried as [UnrepresentableValue].
	ErrArrayBounds = errors.New("an array with lower bounds of its own")
)

// ArrayDelimiter is what stands between the elements of an array of elem (pg_type.typdelim): a semicolon between boxes, a
// colon between the geometries of PostGIS, a comma between all other values.
func ArrayDelimiter(elem *Type) byte {
	if elem == nil || elem.Kind != String {
		return ','
	}
	switch elem.Form {
	case FormBox:
		return ';'
	case FormGeometry, FormGeography:
		return ':'
	}
	return ','
}

// AppendArrayText appends array, a KindArray, as a PostgreSQL array literal: {a,"b c",NULL,{...}}. elem appends the text
// of one element that is neither null nor an array; quoting is done here.
func AppendArrayText(dst []byte, array Value, elem func(dst []byte, v Value) []byte) []byte {
	dst = append(dst, '{')
	for i, v := range array.Array() {
		if i > 0 {
			dst = append(dst, ',')
		}
		switch v.Kind() {
		case KindNull:
			dst = append(dst, "NULL"...)
		case KindArray:
			dst = AppendArrayText(dst, v, elem)
		default:
			start := len(dst)
			dst = quoteElement(elem(dst, v), start, ',')
		}
	}
	return append(dst, '}')
}

// quoteElement puts quotes around dst[start:] where an array literal needs them.
func quoteElement(dst []byte, start int, delimiter byte) []byte {
	text := dst[start:]
	quote, escapes := len(text) == 0 || isNullWord(text), 0
	for _, c := range text {
		switch c {
		case '"', '\\':
			quote = true
			escapes++
		case '{', '}', delimiter, ' ', '\t', '\n', '\r', '\v', '\f':
			quote = true
		}
	}
	if !quote {
		return dst
	}
	n := len(text)
	for range escapes + 2 {
		dst = append(dst, '"')
	}
	// From the end, so that nothing is overwritten before it moved.
	to := len(dst) - 2
	for from := start + n - 1; from >= start; from-- {
		dst[to] = dst[from]
		to--
		if c := dst[to+1]; c == '"' || c == '\\' {
			dst[to] = '\\'
			to--
		}
	}
	dst[start], dst[len(dst)-1] = '"', '"'
	return dst
}

func isNullWord(b []byte) bool {
	return len(b) == 4 && b[0]|0x20 == 'n' && b[1]|0x20 == 'u' && b[2]|0x20 == 'l' && b[3]|0x20 == 'l'
}

// ParseArray reads a PostgreSQL array literal of any dimensions. elem is given the unquoted text of every element that
// is not NULL; the text aliases the literal, or memory of a where it had escapes.
func ParseArray(text []byte, a *Arena, elem func(text []byte, a *Arena) (Value, error)) (Value, error) {
	p := arrayParser{text: text, a: a, parse: elem, delimiter: ','}
	return p.all()
}

// parseArrayOf is ParseArray for elements in the text of their canonical type. It allocates nothing but from a.
func parseArrayOf(text []byte, a *Arena, elem *Type) (Value, error) {
	p := arrayParser{text: text, a: a, elem: elem, delimiter: ArrayDelimiter(elem)}
	return p.all()
}

type arrayParser struct {
	text  []byte
	at    int
	a     *Arena
	parse func(text []byte, a *Arena) (Value, error) // or nil:
	elem  *Type

	delimiter byte
}

func (p *arrayParser) all() (Value, error) {
	err := p.bounds()
	var v Value
	if err == nil {
		v, err = p.array(1)
	}
	if err == nil && p.at != len(p.text) {
		err = errNoArray
	}
	if err != nil {
		return Value{}, fmt.Errorf("array %s at byte %d: %w", shown(p.text), p.at, err)
	}
	return v, nil
}

// bounds reads "[1:3][1:2]=" before the braces.
func (p *arrayParser) bounds() error {
	if p.peek() != '[' {
		return nil
	}
	for p.peek() == '[' {
		p.at++
		from := p.at
		for p.peek() != ':' {
			if p.at >= len(p.text) {
				return errNoArray
			}
			p.at++
		}
		if string(p.text[from:p.at]) != "1" {
			return ErrArrayBounds
		}
		for p.peek() != ']' {
			if p.at >= len(p.text) {
				return errNoArray
			}
			p.at++
		}
		p.at++
	}
	if p.peek() != '=' {
		return errNoArray
	}
	p.at++
	return nil
}

// peek returns the next byte, 0 at the end.
func (p *arrayParser) peek() byte {
	if p.at < len(p.text) {
		return p.text[p.at]
	}
	return 0
}

func (p *arrayParser) array(depth int) (Value, error) {
	if p.peek() != '{' || depth > MaxArrayDepth {
		return Value{}, errNoArray
	}
	p.at++
	n := p.count()
	elems := p.a.Values(n)
	for i := range elems {
		if i > 0 {
			if p.peek() != p.delimiter {
				return Value{}, errNoArray
			}
			p.at++
		}
		v, err := p.element(depth)
		if err != nil {
			return Value{}, err
		}
		elems[i] = v
	}
	if p.peek() != '}' {
		return Value{}, errNoArray
	}
	p.at++
	return ArrayValue(elems), nil
}

// count tells how many elements there are up to the closing brace of this level, so that they are taken at once.
func (p *arrayParser) count() int {
	if p.peek() == '}' {
		return 0
	}
	n, depth := 1, 0
	quoted := false
	for i := p.at; i < len(p.text); i++ {
		switch c := p.text[i]; {
		case c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{':
			depth++
		case c == '}':
			if depth == 0 {
				return n
			}
			depth--
		case c == p.delimiter && depth == 0:
			n++
		}
	}
	return n
}

func (p *arrayParser) element(depth int) (Value, error) {
	switch p.peek() {
	case '{':
		return p.array(depth + 1)
	case '"':
		text, err := p.quoted()
		if err != nil {
			return Value{}, err
		}
		return p.value(text)
	}
	from, escaped := p.at, false
	for ; p.at < len(p.text); p.at++ {
		c := p.text[p.at]
		if c == p.delimiter || c == '}' {
			break
		}
		switch c {
		case '"', '{':
			return Value{}, errNoArray
		case '\\':
			escaped = true
			p.at++
		}
	}
	if p.at > len(p.text) || p.at == from {
		p.at = min(p.at, len(p.text))
		return Value{}, errNoArray
	}
	text := p.text[from:p.at]
	if escaped {
		return p.value(p.unescape(text))
	}
	if isNullWord(text) {
		return Value{}, nil
	}
	return p.value(text)
}

// quoted reads "..." and returns what stands between the quotes, without escapes.
func (p *arrayParser) quoted() ([]byte, error) {
	p.at++
	from, escaped := p.at, false
	for ; p.at < len(p.text); p.at++ {
		switch p.text[p.at] {
		case '\\':
			escaped = true
			p.at++
		case '"':
			text := p.text[from:p.at]
			p.at++
			if escaped {
				text = p.unescape(text)
			}
			return text, nil
		}
	}
	p.at = min(p.at, len(p.text))
	return nil, errNoArray
}

func (p *arrayParser) unescape(text []byte) []byte {
	out := p.a.Bytes(len(text))
	n := 0
	for i := 0; i < len(text); i++ {
		if text[i] == '\\' && i+1 < len(text) {
			i++
		}
		out[n] = text[i]
		n++
	}
	return out[:n:n]
}

func (p *arrayParser) value(text []byte) (Value, error) {
	if p.parse != nil {
		return p.parse(text, p.a)
	}
	return ParseText(text, p.elem, p.a)
}
