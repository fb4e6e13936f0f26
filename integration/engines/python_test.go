package engines

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

func TestAPythonThatCannotMakeTheEnvironmentIsMissing(t *testing.T) {
	for name, script := range map[string]string{
		"no python3":            "",
		"no ensurepip":          "#!/bin/sh\necho \"ModuleNotFoundError: No module named 'ensurepip'\" >&2\nexit 1\n",
		"a version of long ago": "#!/bin/sh\necho 3.9.2\nexit 1\n",
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			t.Setenv("PATH", dir)
			if script != "" {
				if err := os.WriteFile(filepath.Join(dir, "python3"), []byte(script), 0o755); err != nil {
					t.Fatal(err)
				}
			}
			if _, _, err := systemPython(t.Context()); !errors.Is(err, ErrMissing) {
				t.Errorf("got %v, want %v", err, ErrMissing)
			}
		})
	}
}
