package badinput

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// explained is a message of the page: an indented line, in which ... stands for anything.
func explained(t *testing.T) []*regexp.Regexp {
	t.Helper()
	page, err := os.ReadFile("../../docs/troubleshooting.md")
	if err != nil {
		t.Fatal(err)
	}
	var all []*regexp.Regexp
	for line := range strings.Lines(string(page)) {
		if text, ok := strings.CutPrefix(line, "    "); ok {
			text = regexp.QuoteMeta(strings.TrimSpace(text))
			all = append(all, regexp.MustCompile(strings.ReplaceAll(text, `\.\.\.`, `.*`)))
		}
	}
	return all
}

func TestThePageAndTheMessagesAgree(t *testing.T) {
	page := explained(t)
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no messages: %v", err)
	}
	said := map[*regexp.Regexp]bool{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		found := false
		for _, line := range page {
			if line.Match(text) {
				said[line], found = true, true
			}
		}
		if !found && !strings.HasSuffix(file, "-log.txt") {
			t.Errorf("docs/troubleshooting.md does not explain %s:\n%s", file, text)
		}
	}
	for _, line := range page {
		if !said[line] {
			t.Errorf("docs/troubleshooting.md explains what no program says: %s", line)
		}
	}
}
