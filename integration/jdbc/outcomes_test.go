package jdbc

import (
	"cmp"
	"flag"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	diff "github.com/google/go-cmp/cmp"
)

var (
	live   = flag.Bool("debezium", false, "run Debezium's source too, a minute more, rather than believe testdata/debezium.txt")
	update = flag.Bool("update", false, "write testdata anew for what is run: read the difference before it is kept")
)

// sides are the names of those that run.
func sides() []string {
	if *live {
		return []string{ours, debezium}
	}
	return []string{ours}
}

// apart says why the sink makes something else of our topics than of Debezium's, where ours does not come out equal.
var apart = map[string]string{
	"t_nocol": "of a table without columns Debezium writes nothing",

	// What Debezium makes of arrays with more than one dimension is nonsense; here they are NULL, with the array in a header.
	"t_arr.i":  "Debezium makes an array of NULLs of an array with several dimensions",
	"t_arr.i2": "Debezium makes an array of NULLs of an array with several dimensions",
	"t_arr.t":  "Debezium makes the names of Java objects of an array with several dimensions",

	"t_time.tz3": "Debezium makes NULL of a time whose offset has seconds",
	"t_shapes.n": "Debezium cannot have the column NOT NULL, and makes NULL of it; in a column that is NOT NULL there are no bits",
}

// TestSinkDoesWithOurTopicsWhatItDoesWithDebeziums holds every table and column that does not come out equal from our topics
// against what comes out of Debezium's: the same, or there is a reason.
func TestSinkDoesWithOurTopicsWhatItDoesWithDebeziums(t *testing.T) {
	r := sharedRun(t)
	mine, theirs := r.sides[0].outcomes, r.debeziums(t)
	t.Logf("columns equal: %d, others: %d", mine.equal, len(mine.columns))
	for name, outcome := range mine.columns {
		reason, known := apart[name]
		switch same := outcome == theirs[name]; {
		case same && known:
			t.Errorf("%s: the same of both, and said not to be: %s", name, reason)
		case !same && !known:
			t.Errorf("%s: of our topics %s; of Debezium's %s", name, outcome, cmp.Or(theirs[name], "equal"))
		}
	}
	for name := range apart {
		if mine.columns[name] == "" {
			t.Errorf("%s: equal, and said not to be", name)
		}
	}
}

// TestOutcomes holds what came of each column against testdata: where it is not equal, and in types.txt the types that the
// sink gives to columns.
func TestOutcomes(t *testing.T) {
	for _, s := range sharedRun(t).sides {
		golden(t, s.name+".txt", lines(s.outcomes.columns))
		if s.name == ours {
			golden(t, "types.txt", lines(s.outcomes.types))
		}
	}
}

const separator = " -> "

func lines(all map[string]string) string {
	var text strings.Builder
	for _, name := range slices.Sorted(maps.Keys(all)) {
		text.WriteString(name + separator + all[name] + "\n")
	}
	return text.String()
}

// debeziums is what came of Debezium's topics, in this run or in the one that wrote testdata.
func (r *run) debeziums(t *testing.T) map[string]string {
	t.Helper()
	if *live {
		return r.sides[1].outcomes.columns
	}
	text, err := os.ReadFile(filepath.Join("testdata", debezium+".txt"))
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	for line := range strings.Lines(string(text)) {
		name, outcome, _ := strings.Cut(strings.TrimSuffix(line, "\n"), separator)
		all[name] = outcome
	}
	return all
}

// golden holds a text against a file of testdata.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if d := diff.Diff(string(want), got); d != "" {
		t.Errorf("%s (-) is not what came (+):\n%s", path, d)
	}
}
