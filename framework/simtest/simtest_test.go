package simtest

import (
	"flag"
	"fmt"
	"strings"
	"testing"
	"time"
)

var (
	seed  = flag.Int64("seed", -1, "run this seed alone, and print its journal")
	seeds = flag.Int("seeds", 300, "how many seeds to run")
	first = flag.Int64("first", 1, "the first of them")
	soak  = flag.Duration("soak", 0, "run seeds for so long, from the time of day on")
)

// TestSim runs seeds and expects that no promise is broken. With -seed=N it runs one, and tells what happened in it.
func TestSim(t *testing.T) {
	switch {
	case *seed >= 0:
		r := Bubble(t, PlanFor(uint64(*seed)), nil)
		t.Logf("%s\n%s", r.Plan, strings.Join(r.Journal, "\n"))
		report(t, r)
	case *soak > 0:
		s := time.Now().UnixNano() / 1e6
		t.Log("the first seed is", s)
		for end := time.Now().Add(*soak); time.Now().Before(end) && !t.Failed(); s += herd {
			run(t, s, herd)
		}
		t.Log("the seeds ended before", s)
	default:
		for s, end := *first, *first+int64(*seeds); s < end; s += herd {
			run(t, s, min(herd, int(end-s)))
		}
	}
}

// herd is how many seeds are started together. Each waits in a goroutine of its own for its turn, and a bubble that ends
// looks through the stacks of all there are.
const herd = 100

// run runs n seeds from a first one on, as many at a time as there are processors.
func run(t *testing.T, from int64, n int) {
	t.Run(fmt.Sprintf("%d seeds from %d", n, from), func(t *testing.T) {
		for s := from; s < from+int64(n); s++ {
			t.Run(fmt.Sprint(s), func(t *testing.T) {
				t.Parallel()
				report(t, Bubble(t, PlanFor(uint64(s)), nil))
			})
		}
	})
}

// report tells what a run has broken, with the plan, and with as few of its faults as still break it.
func report(t *testing.T, r Report) {
	t.Helper()
	if len(r.Violations) == 0 {
		return
	}
	t.Errorf("repeat with: go test ./framework/simtest -run 'TestSim$' -seed=%d\n%s", r.Plan.Seed, r.Plan)
	for _, v := range r.Violations {
		t.Error(v)
	}
	t.Logf("these faults are enough:\n%s", Shrink(t, r.Plan, r.Violations[0].Validator))
}

// foundBugs are seeds that have shown mistakes of our own; each shall stay clean.
var foundBugs = map[string][]uint64{
	"a stop waited for an announcement that no broker would answer":                {505, 510, 511, 589},
	"a partition whose offset could not be fetched was never read":                 {101, 193},
	"the dead letter topic was taken for made, and never was":                      {3836},
	"a fenced source took its successor's changes for a gap, and stopped for good": {1225, 1372, 1936},
}

func TestSeedsThatFoundBugsStayClean(t *testing.T) {
	for name, all := range foundBugs {
		for _, s := range all {
			t.Run(fmt.Sprintf("%s/%d", name, s), func(t *testing.T) {
				t.Parallel()
				report(t, Bubble(t, PlanFor(s), nil))
			})
		}
	}
}
