package main

import (
	"context"
	"fmt"
)

// line is one line of the table: what is compared over which load, and what is to be reached. Its name is for -only, its
// heading for people. Usual ones are measured when nothing is chosen.
type line struct {
	name, heading string
	usual         bool
	goal          Goal
	compare       comparison
}

// comparison lets a baseline and a subject take turns over a load.
type comparison interface {
	// load is the name of the load; lines with the same load share one preparation.
	load() string
	measure(ctx context.Context, s *stage, o options, r *Result) error
}

// side is a baseline or a subject: something that can be done with loads of one kind.
type side[L load] struct {
	name string
	run  func(ctx context.Context, s *stage, l L) (Sample, error)
	// cold says that the first run of a comparison is not counted: a Java program that has just started compiles its way.
	cold bool
}

// load is what a side works on.
type load interface {
	// drop gives back what the load holds of the servers.
	drop(ctx context.Context) error
}

// recipe makes a load. Its name tells it from all others.
type recipe[L load] struct {
	name string
	make func(ctx context.Context, s *stage, o options) (L, error)
}

// over is the comparison of two sides over one load.
type over[L load] struct {
	recipe            recipe[L]
	baseline, subject side[L]
}

func (c over[L]) load() string { return c.recipe.name }

func (c over[L]) measure(ctx context.Context, s *stage, o options, r *Result) error {
	r.Against = c.baseline.name
	l, err := prepared(ctx, s, o, c.recipe)
	if err != nil {
		return fmt.Errorf("prepare the load: %w", err)
	}
	for _, side := range []side[L]{c.baseline, c.subject} {
		if side.cold {
			s.say("%s: %s, a run that is not counted", r.Name, side.name)
			if _, err := side.run(ctx, s, l); err != nil {
				return fmt.Errorf("%s, the run before the first: %w", side.name, err)
			}
		}
	}
	return c.alternate(ctx, s, l, o.runs, r)
}

// alternate lets baseline and subject take turns: the one that begins a pair ends the next one. Every run counts.
func (c over[L]) alternate(ctx context.Context, s *stage, l L, runs int, r *Result) error {
	sides := [2]struct {
		side[L]
		samples *[]Sample
	}{{c.baseline, &r.Baseline}, {c.subject, &r.Subject}}
	for n := range runs {
		for turn := range sides {
			side := &sides[(turn+n)%len(sides)]
			sample, err := side.run(ctx, s, l)
			if err != nil {
				return fmt.Errorf("%s, run %d: %w", side.name, n+1, err)
			}
			*side.samples = append(*side.samples, sample)
			s.say("%s: %s, run %d: %s", r.Name, side.name, n+1, r.show(sample))
		}
	}
	return nil
}

// prepared returns the recipe's load, which is made when it is asked for first.
func prepared[L load](ctx context.Context, s *stage, o options, r recipe[L]) (L, error) {
	if l, ok := s.loads[r.name]; ok {
		return l.(L), nil
	}
	s.say("preparing: %s", r.name)
	l, err := r.make(ctx, s, o)
	if err == nil {
		s.loads[r.name] = l
	}
	return l, err
}
