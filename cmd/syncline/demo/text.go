package demo

import (
	"crypto/md5" //nolint:gosec // the shop's ids are md5 sums, as PostgreSQL makes them; nothing is protected by them
	"fmt"
	"math/rand/v2"
	"strings"
)

// md5UUID is md5(text)::uuid, as shop.sql makes its keys.
func md5UUID(text string) string {
	h := md5.Sum([]byte(text))
	return fmt.Sprintf("%x-%x-%x-%x-%x", h[:4], h[4:6], h[6:8], h[8:10], h[10:])
}

// longText does not compress well, so that PostgreSQL stores it out of line.
func longText(r *rand.Rand) string {
	var b strings.Builder
	for range 400 {
		fmt.Fprintf(&b, "%08x ", r.Uint32())
	}
	return b.String()
}
