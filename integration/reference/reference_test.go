package reference

import (
	"flag"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write docs/config.md")

const (
	root = "../.."
	page = root + "/docs/config.md"
)

func TestConfigPageIsWhatTheStructsSay(t *testing.T) {
	want, err := Markdown(root)
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(page, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	have, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Split(string(have), "\n"), strings.Split(want, "\n")); diff != "" {
		t.Errorf("docs/config.md is stale; run: go test ./integration/reference -update\n%s", diff)
	}
}

func TestKeyWithoutCommentIsAnError(t *testing.T) {
	type silent struct {
		Loud int `yaml:"loud"`
	}
	c := &comments{root: root, packages: map[string]map[string]structComments{
		"github.com/syncline-io/syncline/integration/reference": {"silent": {}},
	}}
	if _, err := fieldsOf(c, "", silent{}); err == nil || !strings.Contains(err.Error(), "loud") {
		t.Errorf("got error %v, want one that names the key", err)
	}
}
