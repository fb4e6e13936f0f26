package main

import (
	"bytes"
	"fmt"
)

// statements adds up how many statements a coverage profile says were executed. After its first line, "mode: count", a
// line is one block: its place, its number of statements, and how often it was entered.
func statements(profile []byte) (int64, error) {
	if !bytes.HasPrefix(profile, []byte("mode: count\n")) {
		return 0, fmt.Errorf("want a profile with counts, not %.40q", profile)
	}
	sum := int64(0)
	for line := range bytes.Lines(profile[bytes.IndexByte(profile, '\n')+1:]) {
		var place string
		var n, count int64
		if _, err := fmt.Sscan(string(line), &place, &n, &count); err != nil {
			return 0, fmt.Errorf("block %q of a profile: %w", line, err)
		}
		sum += n * count
	}
	return sum, nil
}
