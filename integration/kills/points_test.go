package kills

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/syncline-io/syncline/integration/programs"
)

// pointsInCode finds the calls of crash.Point in everything that is built, tests left out, with the place of each.
func pointsInCode(t *testing.T) map[string]token.Position {
	t.Helper()
	points, files := map[string]token.Position{}, token.NewFileSet()
	err := filepath.WalkDir("../..", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		file, err := parser.ParseFile(files, path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		ast.Inspect(file, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok || !isPoint(call.Fun) {
				return true
			}
			at := files.Position(call.Pos())
			name, ok := literal(call)
			if !ok {
				t.Errorf("%s: the name of a point must stand there as a string", at)
				return true
			}
			if other, twice := points[name]; twice {
				t.Errorf("%s: point %s is at %s already: two places cannot be told apart", at, name, other)
			}
			points[name] = at
			return true
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return points
}

func isPoint(f ast.Expr) bool {
	s, ok := f.(*ast.SelectorExpr)
	if !ok || s.Sel.Name != "Point" {
		return false
	}
	of, ok := s.X.(*ast.Ident)
	return ok && of.Name == "crash"
}

func literal(call *ast.CallExpr) (string, bool) {
	if len(call.Args) != 1 {
		return "", false
	}
	l, ok := call.Args[0].(*ast.BasicLit)
	if !ok || l.Kind != token.STRING {
		return "", false
	}
	name, err := strconv.Unquote(l.Value)
	return name, err == nil
}

func TestEveryPointHasItsKill(t *testing.T) {
	killed := map[string]bool{}
	for _, c := range chains {
		for _, k := range c.kills {
			killed[k.at] = true
			if k.then != "" {
				killed[k.then] = true
			}
		}
	}
	points := pointsInCode(t)
	for name, at := range points {
		if !killed[name] {
			t.Errorf("%s: no kill of this package ends a program at the point %s", at, name)
		}
	}
	for name := range killed {
		if _, ok := points[name]; !ok {
			t.Errorf("a kill is at the point %s, which nothing passes", name)
		}
	}
}

// A release has no points: neither their names, nor what reads the order to die.
func TestAReleaseHasNoPoints(t *testing.T) {
	points := pointsInCode(t)
	for program, areas := range map[string][]string{
		"postgres-source": {"publish.", "postgres-source."},
		"postgres-sink":   {"load.", "postgres-sink."},
	} {
		release := filepath.Join(t.TempDir(), program)
		build := exec.Command("go", "build", "-o", release, "./cmd/"+program)
		build.Dir = "../.."
		if out, err := build.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		traces := []string{"SYNCLINE_CRASH_AT"}
		for name := range points {
			if strings.HasPrefix(name, areas[0]) || strings.HasPrefix(name, areas[1]) {
				traces = append(traces, name)
			}
		}
		contains(t, release, traces, false)
		contains(t, programs.Path(t, program), traces, true) // else nothing would be found in the other either
	}
}

func contains(t *testing.T, path string, traces []string, want bool) {
	t.Helper()
	binary, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, trace := range traces {
		if got := bytes.Contains(binary, []byte(trace)); got != want {
			t.Errorf("%s contains %q: %v, want %v; where a release does, the compiler has kept the empty call: "+
				"out of a function literal the point goes into a function of its own", path, trace, got, want)
		}
	}
}
