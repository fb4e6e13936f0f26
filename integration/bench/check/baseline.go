package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"runtime"
	"slices"
	"strings"
)

// baseline is what the legs cost when it was written.
type baseline struct {
	// Processor and Go say what instructions were counted of: they are compared with the same only.
	Processor string             `json:"processor"`
	Go        string             `json:"go"`
	Legs      map[string]Figures `json:"legs"`
}

func here() baseline { return baseline{Processor: runtime.GOARCH, Go: runtime.Version()} }

func readBaseline(file string) (baseline, error) {
	var b baseline
	text, err := os.ReadFile(file)
	if err == nil {
		err = json.Unmarshal(text, &b)
	}
	if err != nil {
		return b, fmt.Errorf("read the baseline %s: %w", file, err)
	}
	return b, nil
}

func writeBaseline(file string, measured map[string]Figures) error {
	b := here()
	b.Legs = measured
	text, err := json.MarshalIndent(b, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(file, append(text, '\n'), 0o644)
}

// figure is one of a leg's figures, with how much worse than the baseline it may be: a part of it, and an amount. The
// amounts let what happens once in a run (a growing buffer, a timer) differ. Optional ones are not known of every leg.
type figure struct {
	name         string
	of           func(Figures) float64
	part, amount float64
	optional     bool
}

var figures = []figure{
	{"allocations", func(f Figures) float64 { return f.Allocations }, 0, 0.01, false},
	{"bytes allocated", func(f Figures) float64 { return f.Bytes }, 0.1, 4, false},
	{"bytes in Kafka", func(f Figures) float64 { return f.WireBytes }, 0, 0.5, true},
	{"statements", func(f Figures) float64 { return f.Statements }, 0.02, 1, false},
	{"instructions", func(f Figures) float64 { return f.Instructions }, 0.05, 10, true},
}

// worse says how a figure is worse than the baseline's, "" if it is not.
func (f figure) worse(base, now float64) string {
	if now <= base*(1+f.part)+f.amount {
		return ""
	}
	return fmt.Sprintf("%s per row: %.4g, the baseline says %.4g", f.name, now, base)
}

// compare reports every leg that has become worse, and every leg that only one side has.
func compare(base baseline, measured map[string]Figures) error {
	comparable := base.Processor == here().Processor && base.Go == here().Go
	var all []string
	for _, name := range slices.Sorted(maps.Keys(measured)) {
		was, known := base.Legs[name]
		if !known {
			all = append(all, name+": the baseline does not know this leg")
			continue
		}
		for _, f := range figures {
			counted := f.name != "instructions" || comparable && was.Instructions > 0 && measured[name].Instructions > 0
			if text := f.worse(f.of(was), f.of(measured[name])); text != "" && counted {
				all = append(all, name+": "+text)
			}
		}
	}
	for name := range base.Legs {
		if _, known := measured[name]; !known {
			all = append(all, name+": the baseline has a leg that is not measured any more")
		}
	}
	if len(all) == 0 {
		return nil
	}
	return errors.New("worse than the baseline:\n  " + strings.Join(all, "\n  ") +
		"\nMend it; or, where the change is meant, make bench-check UPDATE=1 and say why in the commit")
}

// print prints what was measured, and in parentheses the baseline's figure where it is another one.
func print(w io.Writer, all []leg, base baseline, measured map[string]Figures) error {
	var b strings.Builder
	b.WriteString("| leg | allocations per row | bytes allocated | bytes in Kafka | statements | instructions | ns, not compared |\n|---|---|---|---|---|---|---|\n")
	for _, l := range all {
		was, now := base.Legs[l.name], measured[l.name]
		fmt.Fprintf(&b, "| %s |", l.name)
		for _, f := range figures {
			text := beside(f.of(was), f.of(now))
			if f.optional && f.of(now) == 0 {
				text = "–"
			}
			fmt.Fprintf(&b, " %s |", text)
		}
		fmt.Fprintf(&b, " %.0f |\n", now.nanoseconds)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func beside(was, now float64) string {
	text := short(now)
	if short(was) != text {
		text += " (" + short(was) + ")"
	}
	return text
}

func short(v float64) string { return strings.TrimSuffix(fmt.Sprintf("%.1f", v), ".0") }
