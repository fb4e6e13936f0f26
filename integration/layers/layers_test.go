// Package layers holds the direction of imports: cmd → connectors → framework → schemas.
package layers

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/syncline-io/syncline/"

// mayImport says what the packages of a top-level folder may use of the others.
var mayImport = map[string][]string{
	"schemas":     {"schemas"},
	"framework":   {"framework", "schemas"},
	"connectors":  {"framework", "schemas"},
	"cmd":         {"cmd", "connectors", "framework", "schemas"},
	"integration": {"integration", "cmd", "connectors", "framework", "schemas"},
}

// TestImportsPointOneWay looks at what is built, without tests: these may use the real servers of integration.
func TestImportsPointOneWay(t *testing.T) {
	list := exec.Command("go", "list", "-json=ImportPath,Imports", "./...")
	list.Dir = "../.."
	out, err := list.Output()
	if err != nil {
		t.Fatal(err)
	}
	packages := 0
	for d := json.NewDecoder(strings.NewReader(string(out))); ; packages++ {
		var p struct {
			ImportPath string
			Imports    []string
		}
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		own := strings.TrimPrefix(p.ImportPath, module)
		layer, _, _ := strings.Cut(own, "/")
		for _, path := range p.Imports {
			used, ours := strings.CutPrefix(path, module)
			if !ours {
				continue
			}
			if top, _, _ := strings.Cut(used, "/"); !slices.Contains(mayImport[layer], top) {
				t.Errorf("%s imports %s, which is no layer below it", own, used)
			}
		}
	}
	if packages < 20 {
		t.Errorf("%d packages looked at, want all", packages)
	}
}
