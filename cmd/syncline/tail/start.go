package tail

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/syncline-io/syncline/framework/failure"
)

// Start is where to begin in a topic.
type Start struct {
	end       bool
	partition int32 // of offset; -1 is every one
	offset    int64 // -1: none is given
	at        time.Time
}

// beginnings are what ParseStart reads, for its error.
const beginnings = "beginning, end, an offset (42, or 0@42 for one partition), a time (2026-11-25T13:00:00Z) or how long ago (10m)"

// ParseStart reads where to begin. "" and "beginning" are the first record that the topic has.
func ParseStart(text string) (Start, error) {
	s := Start{partition: -1, offset: -1}
	switch text {
	case "", "beginning":
		return s, nil
	case "end":
		s.end = true
		return s, nil
	}
	if t, err := time.Parse(time.RFC3339Nano, text); err == nil {
		s.at = t
		return s, nil
	}
	if d, err := time.ParseDuration(text); err == nil && d > 0 {
		s.at = time.Now().Add(-d)
		return s, nil
	}
	number := text
	if partition, offset, ok := strings.Cut(text, "@"); ok {
		n, err := strconv.ParseInt(partition, 10, 32)
		if err != nil || n < 0 {
			return s, startError(text)
		}
		s.partition, number = int32(n), offset
	}
	var err error
	if s.offset, err = strconv.ParseInt(number, 10, 64); err != nil || s.offset < 0 {
		return s, startError(text)
	}
	return s, nil
}

func startError(text string) error {
	return failure.As(failure.Config, fmt.Errorf("--from: %q is none of: %s", text, beginnings), "")
}
