package failure

import (
	"context"
	"math/rand/v2"
	"time"
)

// Backoff spaces the tries of one operation: exponential from Min to Max, with jitter of a quarter. The zero Backoff
// goes from 100 ms to 30 s. It is not safe for concurrent use.
type Backoff struct {
	Min, Max time.Duration
	tries    int
}

// Next returns how long to wait before the next try after err, at least what err asks for.
func (b *Backoff) Next(err error) time.Duration {
	lo, hi := b.Min, b.Max
	if lo <= 0 {
		lo = 100 * time.Millisecond
	}
	if hi <= 0 {
		hi = 30 * time.Second
	}
	d := hi
	if b.tries < 20 {
		d = min(hi, lo<<b.tries)
	}
	b.tries++
	d = d*3/4 + rand.N(d/2+1)
	return max(d, Wait(err))
}

// Tries is the number of calls of Next since the last Reset.
func (b *Backoff) Tries() int { return b.tries }

// Reset starts again from Min; call it after a success.
func (b *Backoff) Reset() { b.tries = 0 }

// Sleep waits for d or until ctx ends, and then returns the context's error.
func Sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-t.C:
		return nil
	}
}
