package schemas

// Arena hands out memory for the parts of values that do not alias an input buffer: unscaled decimals, array elements,
// rows. What it hands out stays valid, and is never moved, until Reset. The zero Arena is ready; it is not safe for
// concurrent use.
type Arena struct {
	bytes  []byte
	values []Value
	size   int
}

const (
	arenaBytes  = 16 << 10
	arenaValues = 1 << 10
	// arenaKept is the largest chunk, in bytes, that Reset keeps: one huge value must not stay for ever.
	arenaKept = 1 << 20
)

// Bytes returns n bytes of undefined content, with no spare capacity.
func (a *Arena) Bytes(n int) []byte {
	if cap(a.bytes)-len(a.bytes) < n {
		// The old chunk stays alive through the values that point into it.
		a.bytes = make([]byte, 0, max(n, arenaBytes))
		a.size += cap(a.bytes)
	}
	at := len(a.bytes)
	a.bytes = a.bytes[:at+n]
	return a.bytes[at : at+n : at+n]
}

// Values returns n null values, with no spare capacity.
func (a *Arena) Values(n int) []Value {
	if cap(a.values)-len(a.values) < n {
		a.values = make([]Value, 0, max(n, arenaValues))
		a.size += cap(a.values) * 32
	}
	at := len(a.values)
	a.values = a.values[:at+n]
	vs := a.values[at : at+n : at+n]
	clear(vs)
	return vs
}

// Size is the number of bytes taken since the last Reset, spare room included.
func (a *Arena) Size() int { return a.size }

// Reset makes all that was handed out invalid and keeps the newest chunks for reuse, unless they are huge.
func (a *Arena) Reset() {
	if cap(a.bytes) > arenaKept {
		a.bytes = nil
	}
	if cap(a.values)*32 > arenaKept {
		a.values = nil
	}
	a.bytes, a.values = a.bytes[:0], a.values[:0]
	a.size = cap(a.bytes) + cap(a.values)*32
}
