package simtest

import (
	"math/rand/v2"
	"slices"
	"time"

	"github.com/syncline-io/syncline/framework/simtest/model"
)

// widen adds to a plan what the first plans did not have, each with a probability of its own.
func (p *Plan) widen() {
	r, s := p.rng(3), &p.Setup
	if s.Class != model.Transactional {
		s.Alters = s.Alters || r.IntN(2) == 0
	}
	if r.IntN(4) == 0 {
		p.churn(r)
	}
	if s.Keyless && r.IntN(2) == 0 {
		p.madeTable(r)
	}
	if s.Alters && r.IntN(3) == 0 {
		p.refusals(r)
	}
	if r.IntN(8) == 0 {
		p.add(Fault{At: p.moment(r), What: RegistryRestored, Nth: 1 + r.IntN(4)})
	}
	if s.Class == model.Transactional && !s.Keyless && r.IntN(5) == 0 {
		p.reset(r)
	}
	if torn := s.AtLeastOnce && r.IntN(3) == 0; torn && !p.has(TableMade) {
		// Not while tables are read for the first time: see docs/limits.md.
		p.add(Fault{At: s.Last/2 + p.moment(r)/2, What: TornLease, For: time.Duration(1+r.IntN(10)) * time.Second})
	}
	if s.Alters && r.IntN(3) == 0 {
		p.at(r, Sink, Version)
	}
}

func (p *Plan) add(f Fault) { p.Faults = append(p.Faults, f) }

func (p *Plan) moment(r *rand.Rand) time.Duration {
	return time.Duration(r.Int64N(int64(p.Setup.Last)))
}

// at adds a crash or a cut at a step.
func (p *Plan) at(r *rand.Rand, role Role, steps ...Step) {
	f := Fault{At: p.moment(r), What: pick(r, Crash, Cut, Pause), Role: role, Nth: 1 + r.IntN(2)}
	f.Place = Place{pick(r, steps...), r.IntN(2) == 0}
	switch f.What {
	case Crash:
		f.For = time.Duration(r.Int64N(int64(2 * time.Second)))
	case Pause:
		if p.Setup.Class == model.Effective {
			f.What = Cut // nothing keeps a process apart that wakes up in the middle of a write
		} else {
			f.For = time.Duration(1+r.IntN(20)) * time.Second
		}
	}
	p.add(f)
}

// churn lets members of the group come and go while tables change in several partitions.
func (p *Plan) churn(r *rand.Rand) {
	s := &p.Setup
	s.Partitions, s.Alters = 3, true
	s.Truncates = s.Class == model.Transactional
	for range 2 + r.IntN(4) {
		p.add(Fault{At: p.moment(r), What: pick(r, SecondSink, KilledSink), For: time.Duration(500+r.IntN(4000)) * time.Millisecond})
	}
	if r.IntN(2) == 0 {
		p.at(r, Sink, Claim, Evolve, Write, GroupCommit)
	}
}

// madeTable makes a table while the source runs, and lets the source start behind it: the table is read at a point of its own,
// the changes of the others up to there come first.
func (p *Plan) madeTable(r *rand.Rand) {
	at := p.moment(r)
	p.add(Fault{At: at, What: TableMade})
	for range r.IntN(3) {
		p.add(Fault{At: at + time.Duration(r.Int64N(int64(5*time.Second))), What: Restart})
	}
	p.at(r, Source, Emit, Commit, Announce, Confirm, Lease)
}

// refusals lets the registry refuse schemas, and the source go on with the table in quarantine, until a start brings it home.
func (p *Plan) refusals(r *rand.Rand) {
	p.Setup.Quarantine = true
	for range 1 + r.IntN(2) {
		f := Fault{At: p.moment(r), What: RegistryRefuses, For: time.Duration(1+r.IntN(15)) * time.Second}
		p.add(f)
		for range r.IntN(3) {
			p.add(Fault{At: f.At + time.Duration(r.Int64N(int64(f.For)*3/2)), What: Restart})
		}
	}
	for range r.IntN(3) {
		p.at(r, Source, Delete, Fence, Commit, Register, Announce, Produce)
	}
}

// reset lets an operator set offsets back, with members that are in the way.
func (p *Plan) reset(r *rand.Rand) {
	f := Fault{At: p.moment(r), What: OffsetsReset, Nth: r.IntN(3)}
	p.add(f)
	for range 1 + r.IntN(2) {
		p.at(r, Sink, Claim, Claim, GroupCommit, Write, Join)
		p.Faults[len(p.Faults)-1].At = f.At + 10*time.Second
	}
	if r.IntN(2) == 0 {
		p.add(Fault{At: f.At + time.Duration(r.Int64N(int64(20*time.Second))), What: SecondSink, For: 5 * time.Second})
	}
}

// has reports whether the plan has a fault of the kind.
func (p *Plan) has(what What) bool {
	return slices.ContainsFunc(p.Faults, func(f Fault) bool { return f.What == what })
}

// needsRestart says that something comes to its end only when a source starts.
func (p *Plan) needsRestart() bool { return p.Setup.Quarantine || p.has(TableMade) }
