package localpg

import (
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
)

// settings returns the server's arguments. They are given on the command line and not written to the folder, so that
// each start has exactly those of its options; ALTER DATABASE and ALTER ROLE still win over them, ALTER SYSTEM does not.
func (s *Server) settings() []string {
	all := map[string]string{
		"listen_addresses":        "127.0.0.1",
		"port":                    strconv.Itoa(s.port),
		"unix_socket_directories": "", // a socket's path is limited to about 100 bytes; folders of tests are longer
		"wal_level":               "logical",
		// Room for many connectors at once: a test run has dozens of slots, each with its walsender.
		"max_replication_slots":     "32",
		"max_wal_senders":           "32",
		"max_connections":           "200",
		"max_prepared_transactions": "16",
		"timezone":                  "UTC",
		"log_timezone":              "UTC",
		"fsync":                     onOff(s.opt.Fsync),
	}
	if !s.opt.Fsync {
		all["full_page_writes"] = "off"
	}
	maps.Copy(all, s.opt.Settings)
	var args []string
	for _, key := range slices.Sorted(maps.Keys(all)) {
		args = append(args, "-c", key+"="+all[key])
	}
	return args
}

func onOff(b bool) string {
	if b {
		return "on"
	}
	return "off"
}

// environment is ours without what would turn a server of ours into another one (PGPORT, PGDATA, PGTZ, ...), and with
// messages in English, which we read.
func environment() []string {
	env := slices.DeleteFunc(os.Environ(), func(v string) bool {
		return strings.HasPrefix(v, "PG") || strings.HasPrefix(v, "LC_") || strings.HasPrefix(v, "LANG")
	})
	return append(env, "LC_ALL=C")
}
