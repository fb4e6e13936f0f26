package kills

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"
)

// commits are the calls by which a step becomes visible to others: transactions, offsets, topics, slots, publications,
// states, schemas. The function that makes one has a point.
var commits = map[string]bool{
	"EndTransaction": true, "produceSync": true, "ProduceSync": true, "CommitOffsetsSync": true, "CreateTopic": true,
	"awaitState": true, "createSlot": true, "createPublication": true, "transact": true, "transaction": true,
	"announce": true, "register": true, "deleteTopic": true,
}

// elsewhere are the functions that make such a call and leave the point to another one, which is named.
var elsewhere = map[string]string{
	"publish.announce":            "after-description, home-after-description",
	"publish.EndTransaction":      "those of its callers",
	"publish.writeMark":           "after-mark",
	"publish.end":                 "before-commit, after-commit",
	"publish.run":                 "those of transaction: it is the committer's",
	"publish.remove":              "home-before-removal, home-after-removal",
	"publish.describe":            "home-after-description",
	"publish.prepare":             "of the homecoming: registering again gives the same id",
	"publish.commit":              "home-before-commit, home-after-commit, of the copier's transaction",
	"postgres.handle":             "none: it takes a message of the stream",
	"postgres.catchUp":            "none: it takes a table's description again",
	"postgres.write":              "table-written, ledger-moved, which are in functions of their own",
	"postgres.preparePublication": "after-publication",
	"postgres.prepareTarget":      "own-tables-made",
	"postgres.Evolve":             "statement-done, table-recorded",
	"postgres.makeSlot":           "after-slot, after-temporary-slot",
	"postgres.readAgain":          "after-untold; a table that was renamed is set back by the same state",
	"postgres.Version":            "none: it only reads",
	"duckdb.Version":              "none: it only reads",
	"duckdb.Evolve":               "statement-done, table-recorded, after-commit",
}

// A step that others see and that has no point near it cannot be killed there: it is new, or its point was forgotten.
func TestEveryCommitHasAPoint(t *testing.T) {
	used := map[string]bool{}
	for _, dir := range []string{"framework/publish", "framework/load", "connectors/postgres", "connectors/duckdb"} {
		for name, at := range commitsWithoutPoint(t, dir) {
			used[name] = true
			if elsewhere[name] == "" {
				t.Errorf("%s: %s makes a step that others see and has no crash.Point; give it one, or say in elsewhere which one covers it", at, name)
			}
		}
	}
	for name := range elsewhere {
		if !used[name] {
			t.Errorf("elsewhere names %s, which makes no such step, or has a point of its own", name)
		}
	}
}

// commitsWithoutPoint returns the functions of a package that make such a step and have no point, with one of its places.
func commitsWithoutPoint(t *testing.T, dir string) map[string]token.Position {
	t.Helper()
	found, files := map[string]token.Position{}, token.NewFileSet()
	err := filepath.WalkDir(filepath.Join("../..", dir), func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		file, err := parser.ParseFile(files, path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		for _, d := range file.Decls {
			f, ok := d.(*ast.FuncDecl)
			if !ok {
				continue
			}
			if at, pointed := steps(f); at.IsValid() && !pointed {
				found[filepath.Base(dir)+"."+f.Name.Name] = files.Position(at)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// steps returns where a function makes a step, and whether it has a point.
func steps(f *ast.FuncDecl) (at token.Pos, pointed bool) {
	ast.Inspect(f, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok {
			return true
		}
		switch fun := call.Fun.(type) {
		case *ast.SelectorExpr:
			if commits[fun.Sel.Name] {
				at = call.Pos()
			}
		case *ast.Ident:
			if commits[fun.Name] {
				at = call.Pos()
			}
		}
		pointed = pointed || isPoint(call.Fun)
		return true
	})
	return at, pointed
}
