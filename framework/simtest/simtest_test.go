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
	seeds = flag.Int("seeds", 600, "how many seeds to run")
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

// found is a mistake of our own, and the seeds that have shown it.
type found struct {
	what  string
	plan  func(seed uint64) Plan
	seeds []uint64
}

// foundBugs shall stay clean. A plan that was widened since is given as it was when it showed the mistake.
var foundBugs = []found{
	{"a stop waited for an announcement that no broker would answer", NarrowPlanFor, []uint64{505, 510, 511, 589}},
	{"a partition whose offset could not be fetched was never read", NarrowPlanFor, []uint64{101, 193}},
	{"the dead letter topic was taken for made, and never was", NarrowPlanFor, []uint64{3836}},
	{"a fenced source took its successor's changes for a gap, and stopped for good", NarrowPlanFor, []uint64{1225, 1372, 1936, 20186}},
	{"a row from before a rename went to the old name after a restart", NarrowPlanFor, []uint64{216}},
	{"a member behind an added column wrote null for its default", NarrowPlanFor, []uint64{705}},
	{"a client that was refused a producer id never wrote a dead letter again", NarrowPlanFor, []uint64{5204}},
	{"a client that was refused a producer id never described a table again", NarrowPlanFor, []uint64{21149}},
	{"a key went to another partition when its schema got another id", PlanFor, []uint64{20, 70, 219, 273, 283, 435}},
	{"a partition that came back to a truncate under way was taken for a gap", PlanFor, []uint64{2413}},
	{"a rename waited for a partition that had never begun", PlanFor, []uint64{7201, 7242}},
	{"a member that had just begun renamed a column while another wrote to its old name", PlanFor, []uint64{480}},
	{"a stop in the middle of a rebalance took a minute", PlanFor, []uint64{7801}},
	{"without transactions, a successor's position was taken for a gap", func(seed uint64) Plan {
		p := NarrowPlanFor(seed)
		p.add(Fault{At: 4485 * time.Millisecond, What: TornLease, For: 3 * time.Second})
		return p
	}, []uint64{605}},
}

func TestSeedsThatFoundBugsStayClean(t *testing.T) {
	for _, f := range foundBugs {
		for _, s := range f.seeds {
			t.Run(fmt.Sprintf("%s/%d", f.what, s), func(t *testing.T) {
				t.Parallel()
				report(t, Bubble(t, f.plan(s), nil))
			})
		}
	}
}
