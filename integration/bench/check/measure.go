package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
)

// Figures are what a leg costs for one row.
type Figures struct {
	// Allocations and Bytes are what is allocated.
	Allocations float64 `json:"allocations"`
	Bytes       float64 `json:"bytes"`
	// WireBytes is the size of key and value in Kafka, 0 where the benchmark does not say it.
	WireBytes float64 `json:"wire_bytes,omitempty"`
	// Statements is how many statements of our code are executed.
	Statements float64 `json:"statements"`
	// Instructions is how many the processor executes, 0 where it does not say so.
	Instructions float64 `json:"instructions,omitempty"`

	// nanoseconds are for people.
	nanoseconds float64
}

func moduleRoot(ctx context.Context) (string, error) {
	out, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}").Output()
	return strings.TrimSpace(string(out)), err
}

// programs are the test programs of a package: as it is, and with counters.
type programs struct{ plain, counting string }

// counted are the packages that statements are counted in.
const counted = "./schemas/...,./framework/...,./connectors/..."

func build(ctx context.Context, root, dir, pkg string) (programs, error) {
	base := filepath.Join(dir, strings.ReplaceAll(pkg, "/", "-"))
	p := programs{base + ".test", base + "-counting.test"}
	for _, args := range [][]string{{"-o", p.plain}, {"-o", p.counting, "-cover", "-covermode=count", "-coverpkg=" + counted}} {
		args = append(append([]string{"test", "-c"}, args...), "./"+pkg)
		command := exec.CommandContext(ctx, "go", args...)
		command.Dir = root
		if out, err := command.CombinedOutput(); err != nil {
			return p, fmt.Errorf("go %s: %w: %s", strings.Join(args, " "), err, out)
		}
	}
	return p, nil
}

func measureLegs(ctx context.Context, root string, out io.Writer) (map[string]Figures, error) {
	dir, err := os.MkdirTemp("", "syncline-check-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir) //nolint:errcheck // what stays is removed with the machine's other temporary files
	built := map[string]programs{}
	for _, pkg := range packages(legs) {
		if built[pkg], err = build(ctx, root, dir, pkg); err != nil {
			return nil, err
		}
	}
	all := map[string]Figures{}
	uncounted := false
	for _, l := range legs {
		r := runner{leg: l, programs: built[l.pkg], dir: filepath.Join(root, l.pkg), scratch: dir}
		f, err := r.measure(ctx)
		uncounted = uncounted || errors.Is(err, errNotCounted)
		if err != nil && !errors.Is(err, errNotCounted) {
			return nil, fmt.Errorf("%s: %w", l.name, err)
		}
		all[l.name] = f
	}
	if uncounted {
		fmt.Fprintln(out, "Instructions are not compared: this machine does not count them for us. Statements are.")
	}
	return all, nil
}

// runner runs one leg's benchmark.
type runner struct {
	leg
	programs
	dir, scratch string
}

// errNotCounted says that the machine does not count instructions; the other figures are there.
var errNotCounted = errors.New("instructions are not counted here")

func (r runner) measure(ctx context.Context) (Figures, error) {
	f, err := r.allocated(ctx)
	if err != nil {
		return f, err
	}
	rows := float64((r.many - r.few) * r.rows)
	few, err := r.statements(ctx, r.few)
	if err != nil {
		return f, err
	}
	many, err := r.statements(ctx, r.many)
	if err != nil {
		return f, err
	}
	f.Statements = float64(many-few) / rows
	few, err = instructions(r.command(ctx, r.plain, r.few))
	if err != nil {
		return f, err
	}
	if many, err = instructions(r.command(ctx, r.plain, r.many)); err != nil {
		return f, err
	}
	f.Instructions = float64(many-few) / rows
	return f, nil
}

// allocated measures all that a benchmark prints itself.
func (r runner) allocated(ctx context.Context) (Figures, error) {
	var runs [2]Figures
	for i, operations := range []int{r.few, r.many} {
		line, err := r.run(ctx, r.plain, operations)
		if err != nil {
			return Figures{}, err
		}
		if runs[i], err = parseLine(line); err != nil {
			return Figures{}, err
		}
	}
	return r.between(runs[0], runs[1]), nil
}

// between takes the figures of one row from those of an operation in a run of few and in one of many, each of which has
// its part of the benchmark's preparations in them.
func (l leg) between(few, many Figures) Figures {
	each := func(few, many float64) float64 {
		return max(0, many*float64(l.many)-few*float64(l.few)) / float64((l.many-l.few)*l.rows)
	}
	return Figures{
		Allocations: each(few.Allocations, many.Allocations), Bytes: each(few.Bytes, many.Bytes),
		WireBytes: many.WireBytes, nanoseconds: each(few.nanoseconds, many.nanoseconds),
	}
}

// command runs the benchmark alone, so many operations of it.
func (r runner) command(ctx context.Context, path string, operations int, more ...string) *exec.Cmd {
	pattern := "^" + strings.ReplaceAll(r.bench, "/", "$/^") + "$"
	args := append([]string{"-test.run=^$", "-test.bench=" + pattern, "-test.benchmem", fmt.Sprintf("-test.benchtime=%dx", operations)}, more...)
	command := exec.CommandContext(ctx, path, args...)
	command.Dir = r.dir
	// The collector adds what it does to the instructions, at moments of its own choice.
	command.Env = append(os.Environ(), "GOMAXPROCS=1")
	return command
}

// run returns the line that the benchmark prints.
func (r runner) run(ctx context.Context, path string, operations int, more ...string) (string, error) {
	out, err := r.command(ctx, path, operations, more...).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%s: %w: %s", r.bench, err, out)
	}
	for line := range bytes.Lines(out) {
		if bytes.HasPrefix(line, []byte("Benchmark")) && bytes.Contains(line, []byte("ns/op")) {
			return string(line), nil
		}
	}
	return "", fmt.Errorf("package %s has no %s (that of DuckDB needs a C++ toolchain: make deps): %s", r.pkg, r.bench, out)
}

func (r runner) statements(ctx context.Context, operations int) (int64, error) {
	profile := filepath.Join(r.scratch, "profile")
	if _, err := r.run(ctx, r.counting, operations, "-test.coverprofile="+profile); err != nil {
		return 0, err
	}
	text, err := os.ReadFile(profile)
	if err != nil {
		return 0, err
	}
	return statements(text)
}

var metric = regexp.MustCompile(`([0-9.e+]+) (ns/op|B/op|allocs/op|wire-B/row)`)

// parseLine takes a benchmark's figures for an operation from its line.
func parseLine(line string) (Figures, error) {
	var f Figures
	found := map[string]bool{}
	for _, m := range metric.FindAllStringSubmatch(line, -1) {
		v, err := strconv.ParseFloat(m[1], 64)
		if err != nil {
			return f, fmt.Errorf("%s: %w", line, err)
		}
		found[m[2]] = true
		switch m[2] {
		case "ns/op":
			f.nanoseconds = v
		case "B/op":
			f.Bytes = v
		case "allocs/op":
			f.Allocations = v
		case "wire-B/row":
			f.WireBytes = v
		}
	}
	if !found["ns/op"] || !found["B/op"] || !found["allocs/op"] {
		return f, fmt.Errorf("want time, bytes and allocations in %q", line)
	}
	return f, nil
}
