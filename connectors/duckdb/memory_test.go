package duckdb

import "testing"

func TestDuckDBHasItsPartOfTheMemory(t *testing.T) {
	const mb = 1 << 20
	for _, tt := range []struct {
		limit string
		bytes int64
		want  string
		taken int64
		err   string
	}{
		{"", 512 * mb, "131072KiB", (128 + 256) * mb, ""},
		{"100MB", 512 * mb, "100MB", (100 + 256) * mb, ""},
		{"", 256 * mb, "", 0, "memory_limit: DuckDB needs 256MB beside what it bounds itself, and a bound of at least 64MB: want memory to be at least 384MB"},
		{"2GB", 512 * mb, "", 0, "memory_limit: 2GB does not fit memory: 512MB; leave memory_limit out, which makes it 128MB, or set memory to at least 4352MB"},
		{"80%", 512 * mb, "", 0, `memory_limit: "80%" cannot be compared with memory: want a size with its unit, such as 512KB, 64MB or 2GB`},
	} {
		c, taken, err := SinkConfig{MemoryLimit: tt.limit}.within(tt.bytes)
		if tt.err != "" {
			if err == nil || err.Error() != tt.err {
				t.Errorf("%q: got error %v, want %s", tt.limit, err, tt.err)
			}
			continue
		}
		if err != nil || c.MemoryLimit != tt.want || taken != tt.taken {
			t.Errorf("%q: got %s, %d, error %v", tt.limit, c.MemoryLimit, taken, err)
		}
	}
}
