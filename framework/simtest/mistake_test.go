package simtest

import (
	"flag"
	"testing"
	"time"

	"github.com/syncline-io/syncline/framework/simtest/model"
)

var hunt = flag.Int("hunt", 0, "look among so many seeds for those that show each planted mistake")

// pinned holds a seed that shows each planted mistake, found by TestHunt: ten times out of ten.
var pinned = map[string]uint64{
	"confirm before commit":            1,
	"offset before write":              2,
	"rows lost before a truncate":      2,
	"retry that overtakes":             29,
	"dedupe by LSN alone":              5,
	"schema change applied backwards":  2,
	"unchanged TOAST written as null":  1,
	"fence not checked":                18,
	"rebalance without hand-over":      1,
	"dead letter after the ledger":     214,
	"repeat after an ambiguous commit": 104,
}

// mistakePlan is the plan of a seed; rebalances under load are asked for where random ones are too rare.
func mistakePlan(m *Mistake, seed uint64) Plan {
	p := NarrowPlanFor(seed)
	if m.Name == "rows lost before a truncate" {
		p.Setup.Class, p.Setup.Partitions, p.Setup.Truncates = model.Transactional, 3, true
	}
	if m.Validator == "hand-over" {
		p.Setup.Class, p.Setup.Partitions, p.Setup.Keyless, p.Setup.Truncates = model.Effective, 3, false, false
		p.Setup.Last, p.Setup.Transactions = 25*time.Second, 90
		p.Faults = []Fault{
			{At: 4 * time.Second, What: SecondSink, For: 6 * time.Second},
			{At: 14 * time.Second, What: SecondSink, For: 6 * time.Second},
		}
	}
	return p
}

func caught(r Report, validator string) bool {
	for _, v := range r.Violations {
		if v.Validator == validator {
			return true
		}
	}
	return false
}

// TestPlantedMistakes: each mistake is found by the validator that watches over the promise, and without the mistake the
// same plan breaks none.
func TestPlantedMistakes(t *testing.T) {
	if len(pinned) != len(Mistakes) {
		t.Errorf("%d mistakes, %d seeds", len(Mistakes), len(pinned))
	}
	for i := range Mistakes {
		m := &Mistakes[i]
		t.Run(m.Name, func(t *testing.T) {
			t.Parallel()
			p := mistakePlan(m, pinned[m.Name])
			r := Bubble(t, p, m)
			if !caught(r, m.Validator) {
				t.Errorf("%s did not see it; others saw %v\n%s", m.Validator, r.Violations, p)
			}
			if r := Bubble(t, p, nil); len(r.Violations) > 0 {
				t.Errorf("without the mistake: %v\n%s", r.Violations, p)
			}
		})
	}
}

// TestHunt finds the seeds that TestPlantedMistakes pins: those that show a mistake every time out of ten.
func TestHunt(t *testing.T) {
	if *hunt == 0 {
		t.Skip("only with -hunt")
	}
	for i := range Mistakes {
		m := &Mistakes[i]
		t.Run(m.Name, func(t *testing.T) {
			found := 0
			for seed := uint64(1); seed <= uint64(*hunt) && found < 3; seed++ {
				n := 0
				for n < 10 && caught(Bubble(t, mistakePlan(m, seed), m), m.Validator) {
					n++
				}
				if n == 10 {
					t.Logf("%q: seed %d shows it", m.Name, seed)
					found++
				}
			}
			if found == 0 {
				t.Errorf("%q: none of %d seeds", m.Name, *hunt)
			}
		})
	}
}
