package engines

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// pythonPackages names every package with its version: what a test runs is the same on every machine.
//
//go:embed python/requirements.txt
var pythonPackages []byte

// pythonProbe ends with 0 on a Python that the packages support and that can make an environment with pip, and prints its
// version. Debian's python3 comes without ensurepip until python3-venv is there.
const pythonProbe = `import sys, venv, ensurepip
print("%d.%d.%d" % sys.version_info[:3])
sys.exit(sys.version_info < (3, 11))`

// pythonPatience bounds the making of the environment: some 40 MB of downloads.
const pythonPatience = 5 * time.Minute

// PythonForTest returns the path of a Python interpreter that has the packages of python/requirements.txt: Confluent's
// Kafka and registry clients, and fastavro. The first test that asks on a machine makes the environment.
func PythonForTest(t testing.TB) string {
	t.Helper()
	path, err := python()
	require(t, err)
	return path
}

// python returns the environment's interpreter. It is asked once per program.
var python = sync.OnceValues(func() (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), pythonPatience)
	defer cancel()
	system, version, err := systemPython(ctx)
	if err != nil {
		return "", err
	}
	name := fmt.Sprintf("python-%s-%08x", version, crc32.ChecksumIEEE(pythonPackages))
	home, err := cached(ctx, name, func(ctx context.Context, dir string) error { return makeEnvironment(ctx, system, dir) })
	return environmentPython(home), err
})

// systemPython finds the machine's interpreter and its version.
func systemPython(ctx context.Context) (path, version string, err error) {
	path, err = exec.LookPath("python3")
	if err != nil {
		return "", "", fmt.Errorf("needs Python 3.11: %w", ErrMissing)
	}
	out, err := exec.CommandContext(ctx, path, "-c", pythonProbe).Output()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return "", "", fmt.Errorf("needs Python 3.11 with venv and pip: %w: %s%s", ErrMissing, out, lastLine(exit.Stderr))
	}
	return path, strings.TrimSpace(string(out)), err
}

// makeEnvironment fills dir, which is renamed afterwards: the interpreter and its packages stand that, the scripts in bin
// do not, so pip is run as a module.
func makeEnvironment(ctx context.Context, system, dir string) error {
	if out, err := exec.CommandContext(ctx, system, "-m", "venv", dir).CombinedOutput(); err != nil {
		return fmt.Errorf("python3 -m venv: %w: %s", err, lastLine(out))
	}
	list := filepath.Join(dir, "requirements.txt")
	if err := os.WriteFile(list, pythonPackages, 0o644); err != nil {
		return err
	}
	pip := exec.CommandContext(ctx, environmentPython(dir), "-m", "pip", "install", "--quiet", "--disable-pip-version-check",
		"--no-input", "--only-binary", ":all:", "--requirement", list)
	if out, err := pip.CombinedOutput(); err != nil {
		return fmt.Errorf("pip install: %w: %s", err, lastLine(out))
	}
	return nil
}

func environmentPython(home string) string { return filepath.Join(home, "bin", "python") }

// lastLine is the line of an error's output that says what went wrong.
func lastLine(out []byte) string {
	text := strings.TrimSpace(string(out))
	return text[strings.LastIndexByte(text, '\n')+1:]
}
