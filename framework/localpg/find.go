package localpg

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
)

// ErrNotInstalled is returned when no PostgreSQL server is found on this machine.
var ErrNotInstalled = errors.New("found no PostgreSQL server programs (initdb, postgres) on PATH, in SYNCLINE_POSTGRES_BIN " +
	"or in the folders of the distributions")

// BinVariable names the environment variable that points at the folder of the server programs.
const BinVariable = "SYNCLINE_POSTGRES_BIN"

// patterns are where packages put a server that is not on PATH, with the major version in place of the star.
var patterns = []string{
	"/usr/lib/postgresql/*/bin",          // Debian, Ubuntu, SUSE
	"/usr/pgsql-*/bin",                   // PGDG on Red Hat
	"/usr/libexec/postgresql*",           // Alpine
	"/opt/homebrew/opt/postgresql@*/bin", // Homebrew, Apple silicon
	"/usr/local/opt/postgresql@*/bin",    // Homebrew, Intel
	"/Applications/Postgres.app/Contents/Versions/*/bin",
	"/usr/local/pgsql/bin", // built from source
}

// Find returns the folder of the PostgreSQL server programs: the one that SYNCLINE_POSTGRES_BIN names, else the one on
// PATH, else the newest installed by a package.
func Find() (string, error) {
	if dir := os.Getenv(BinVariable); dir != "" {
		if hasServer(dir) {
			return dir, nil
		}
		return "", errors.New(BinVariable + ": no initdb and postgres in " + dir)
	}
	if path, err := exec.LookPath("initdb"); err == nil {
		if path, err = filepath.EvalSymlinks(path); err == nil && hasServer(filepath.Dir(path)) {
			return filepath.Dir(path), nil
		}
	}
	best := ""
	for _, pattern := range patterns {
		dirs, _ := filepath.Glob(pattern) // the only error is a malformed pattern
		for _, dir := range dirs {
			if hasServer(dir) && (best == "" || major(dir) > major(best)) {
				best = dir
			}
		}
	}
	if best == "" {
		return "", ErrNotInstalled
	}
	return best, nil
}

func hasServer(dir string) bool {
	for _, name := range []string{"initdb", "postgres"} {
		if info, err := os.Stat(filepath.Join(dir, name)); err != nil || info.IsDir() || info.Mode()&0o111 == 0 {
			return false
		}
	}
	return true
}

// major is the last number in the path, 0 when there is none.
func major(dir string) int {
	digits := func(r rune) bool { return r < '0' || r > '9' }
	fields := strings.FieldsFunc(dir, digits)
	if len(fields) == 0 {
		return 0
	}
	n, _ := strconv.Atoi(fields[len(fields)-1])
	return n
}
