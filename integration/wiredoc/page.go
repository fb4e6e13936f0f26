// Package wiredoc keeps the dumps in docs/wire.md true: tests that encode a record compare it with what the page shows, or
// write it there.
//
// page.go finds the dumps in the page, record.go lays out a record, avro.go walks an Avro body by its schema. The walk shares
// no code with the encoder and decoder of package schemas.
package wiredoc

import (
	"os"
	"strings"
	"testing"
)

// Page is a page of the documentation with dumps in it. A dump is a fenced block below the line <!-- dump: NAME -->.
type Page struct {
	t      testing.TB
	path   string
	update bool
}

// Open returns the page at path. With update the dumps are written instead of compared.
func Open(t testing.TB, path string, update bool) *Page { return &Page{t, path, update} }

// Shows fails the test unless the page shows text as the dump of that name.
func (p *Page) Shows(name, text string) {
	p.t.Helper()
	page, err := os.ReadFile(p.path)
	if err != nil {
		p.t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(page), "<!-- dump: "+name+" -->\n```\n")
	shown, after, closed := strings.Cut(rest, "```\n")
	if !ok || !closed {
		p.t.Fatalf("%s has no block for the dump %s", p.path, name)
	}
	if text = strings.TrimRight(text, "\n") + "\n"; text == shown {
		return
	}
	if !p.update {
		p.t.Errorf("%s: the dump %s is\n%s\nand the page shows\n%s\nrun the test with -update, and read the difference", p.path, name, text, shown)
		return
	}
	page = []byte(before + "<!-- dump: " + name + " -->\n```\n" + text + "```\n" + after)
	if err := os.WriteFile(p.path, page, 0o644); err != nil {
		p.t.Fatal(err)
	}
}
