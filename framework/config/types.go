package config

import (
	"fmt"
	"net/url"
	"regexp"
	"strconv"
	"strings"
)

// Secret is a string that no log, error, metric or status shows: every way of printing it gives "[secret]".
type Secret string

const redacted = "[secret]"

// Reveal returns the secret itself.
func (s Secret) Reveal() string { return string(s) }

// String, GoString, Format and MarshalText hide the secret.
func (s Secret) String() string { return redacted }

// GoString hides the secret from %#v.
func (s Secret) GoString() string { return redacted }

// Format hides the secret from every verb.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(redacted)) }

// MarshalText hides the secret from encoders.
func (s Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// UnmarshalText takes the secret.
func (s *Secret) UnmarshalText(b []byte) error { *s = Secret(b); return nil }

// URL is a connection string, which may hold a password: printing it leaves the password out.
type URL string

// Reveal returns the whole connection string.
func (u URL) Reveal() string { return string(u) }

// passwordPair finds the password in the key=value form of a connection string, quoted or not.
var passwordPair = regexp.MustCompile(`(?i)((?:ssl)?password\s*=\s*)('(?:[^'\\]|\\.)*'|\S+)`)

// String gives the connection string with its password replaced.
func (u URL) String() string {
	s := string(u)
	p, err := url.Parse(s)
	if err != nil || p.Scheme == "" {
		if strings.Contains(s, "://") { // a URL that does not parse: nothing of it is safe to show
			return redacted
		}
		return passwordPair.ReplaceAllString(s, "${1}xxxxx")
	}
	q := p.Query()
	for k := range q {
		if strings.Contains(strings.ToLower(k), "password") {
			q.Set(k, "xxxxx")
			p.RawQuery = q.Encode()
		}
	}
	return p.Redacted()
}

// GoString and Format leave the password out too.
func (u URL) GoString() string { return u.String() }

// Format leaves the password out of every verb.
func (u URL) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(u.String())) }

// MarshalText leaves the password out.
func (u URL) MarshalText() ([]byte, error) { return []byte(u.String()), nil }

// UnmarshalText takes the connection string.
func (u *URL) UnmarshalText(b []byte) error { *u = URL(b); return nil }

// Size is a number of bytes, written with a unit: 512KB, 64MB, 2GB (powers of 1024), or a plain number of bytes.
type Size int64

var sizeUnits = []struct {
	suffix string
	bytes  int64
}{{"GB", 1 << 30}, {"MB", 1 << 20}, {"KB", 1 << 10}, {"B", 1}, {"", 1}}

// UnmarshalText reads a size.
func (s *Size) UnmarshalText(b []byte) error {
	text := strings.ToUpper(strings.TrimSpace(string(b)))
	for _, u := range sizeUnits {
		number, ok := strings.CutSuffix(text, u.suffix)
		if !ok {
			continue
		}
		f, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
		if err != nil || !(f >= 0 && f*float64(u.bytes) <= 1<<50) {
			break
		}
		*s = Size(f * float64(u.bytes))
		return nil
	}
	return fmt.Errorf("want a size with its unit, such as 512KB, 64MB or 2GB")
}

// String gives the size in its largest whole unit.
func (s Size) String() string {
	for _, u := range sizeUnits {
		if int64(s) >= u.bytes && int64(s)%u.bytes == 0 {
			return strconv.FormatInt(int64(s)/u.bytes, 10) + u.suffix
		}
	}
	return strconv.FormatInt(int64(s), 10) + "B"
}

// MarshalText gives the form of String.
func (s Size) MarshalText() ([]byte, error) { return []byte(s.String()), nil }
