package simtest

import "testing"

// Shrink leaves out faults as long as the plan still breaks the same promise, and returns what is left. Runs of a plan are
// alike and not the same: a fault is left out for good only if one of three runs without it still fails.
func Shrink(t *testing.T, p Plan, validator string) Plan {
	fails := func(p Plan) bool {
		for range 3 {
			for _, v := range Bubble(t, p, nil).Violations {
				if v.Validator == validator {
					return true
				}
			}
		}
		return false
	}
	for i := 0; i < len(p.Faults); {
		if less := p.Without(i); fails(less) {
			p = less
		} else {
			i++
		}
	}
	return p
}
