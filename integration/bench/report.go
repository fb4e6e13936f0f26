package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
)

// show gives a value of the result in its unit.
func (r Result) show(v float64) string {
	if r.Latency {
		return fmt.Sprintf("%.1f ms", v)
	}
	return thousands(v) + " rows/s"
}

func thousands(v float64) string {
	digits := fmt.Sprintf("%.0f", v)
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}

// showAll gives the median and, when there are several, the spread.
func (r Result) showAll(samples []Sample) string {
	if len(samples) == 0 {
		return "–"
	}
	all := values(samples)
	text := r.show(median(all))
	if least, greatest := spread(all); len(all) > 1 {
		low, high := r.show(least), r.show(greatest)
		low, _, _ = strings.Cut(low, " ")
		high, _, _ = strings.Cut(high, " ")
		text += fmt.Sprintf(" (%s–%s)", low, high)
	}
	return text
}

func (r Result) showRatio() string {
	all := r.ratios()
	if len(all) == 0 {
		return "–"
	}
	least, greatest := spread(all)
	return fmt.Sprintf("**%.2f** (%.2f–%.2f)", r.Ratio(), least, greatest)
}

func (r Result) showGoal() string {
	goal := "–"
	switch {
	case r.Goal == 0:
		return goal
	case r.Latency:
		goal = fmt.Sprintf("≤ %g ms", r.Goal)
	default:
		goal = fmt.Sprintf("≥ %g ×", r.Goal)
	}
	if r.Met() {
		return goal + ", met"
	}
	return goal + ", **missed**"
}

func orDash(known bool, format string, v float64) string {
	if !known {
		return "–"
	}
	return fmt.Sprintf(format, v)
}

// writeMarkdown prints the table. Of several runs the median is shown, and the least and the greatest in parentheses.
func writeMarkdown(w io.Writer, results []Result) error {
	var b strings.Builder
	b.WriteString("| subject | baseline | baseline's figure | subject's figure | subject ÷ baseline | goal | CPU s per million rows | peak memory |\n")
	b.WriteString("|---|---|---|---|---|---|---|---|\n")
	for _, r := range results {
		cpu, peak := r.cpuPerMillion(), r.peak()
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | %s | %s | %s |\n", r.Name, r.Against, r.showAll(r.Baseline), r.showAll(r.Subject), r.showRatio(),
			r.showGoal(), orDash(cpu > 0, "%.1f", cpu), orDash(peak > 0, "%.0f MB", float64(peak)/(1<<20)))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// document is the file that -json asks for.
type document struct {
	CPUs    int      `json:"cpus"`
	Go      string   `json:"go"`
	System  string   `json:"system"`
	Runs    int      `json:"runs"`
	Rows    int      `json:"rows"`
	Results []Result `json:"results"`
}

func writeJSON(file string, o options, results []Result) error {
	text, err := json.MarshalIndent(document{
		runtime.NumCPU(), runtime.Version(), runtime.GOOS + "/" + runtime.GOARCH, o.runs, o.rows, results,
	}, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(file, append(text, '\n'), 0o644)
}
