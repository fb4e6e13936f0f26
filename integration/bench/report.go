package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
)

// show gives one run in its unit.
func (r Result) show(s Sample) string {
	if r.Latency {
		return fmt.Sprintf("p50 %.1f ms, p99 %.1f ms", s.Value, s.P99)
	}
	return thousands(s.Value) + " rows/s"
}

func thousands(v float64) string {
	digits := fmt.Sprintf("%.0f", v)
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}

func milliseconds(v float64) string { return fmt.Sprintf("%.1f", v) }

// showAll gives the median and, when there are several, the spread.
func showAll(all []float64, show func(float64) string) string {
	if len(all) == 0 {
		return "–"
	}
	text := show(median(all))
	if least, greatest := spread(all); len(all) > 1 {
		text += fmt.Sprintf(" (%s–%s)", show(least), show(greatest))
	}
	return text
}

func ratio(v float64) string { return fmt.Sprintf("%.2f", v) }

func (r Result) showGoals() string {
	var all []string
	for _, v := range r.Verdicts() {
		if v.met {
			all = append(all, v.goal+", met")
		} else {
			all = append(all, v.goal+", **missed**")
		}
	}
	if len(all) == 0 {
		return "–"
	}
	return strings.Join(all, "; ")
}

func orDash(format string, v float64) string {
	if v == 0 {
		return "–"
	}
	return fmt.Sprintf(format, v)
}

// showCPU gives the subject's figure, and the baseline's where that is a connector too.
func (r Result) showCPU() string {
	text := orDash("%.1f", cpuPerMillion(r.Subject))
	if theirs := cpuPerMillion(r.Baseline); theirs > 0 {
		text += fmt.Sprintf(" (baseline %.1f)", theirs)
	}
	return text
}

// showOthers gives the CPU of the walsender and of the broker.
func (r Result) showOthers() string {
	return orDash("%.1f", perMillion(r.Subject, func(s Sample) float64 { return s.ServerCPU })) + " / " +
		orDash("%.1f", perMillion(r.Subject, func(s Sample) float64 { return s.BrokerCPU }))
}

func (r Result) showMemory() string {
	if peakMB(r.Subject) == 0 {
		return "–"
	}
	text := fmt.Sprintf("%.0f / %.0f MB", steadyMB(r.Subject), peakMB(r.Subject))
	if peakMB(r.Baseline) > 0 {
		text += fmt.Sprintf(" (baseline %.0f / %.0f)", steadyMB(r.Baseline), peakMB(r.Baseline))
	}
	return text
}

// writeMarkdown prints two tables: of throughput, and of latency. Of several runs the median is shown, and the least and
// the greatest in parentheses.
func writeMarkdown(w io.Writer, results []Result) error {
	var fast, quick strings.Builder
	for _, r := range results {
		if r.Latency {
			fmt.Fprintf(&quick, "| %s | %s | %s | %s | %s | %s | %s | %s | %s |\n", r.Title, r.Against,
				showAll(each(r.Baseline, value), milliseconds), showAll(each(r.Subject, value), milliseconds),
				showAll(each(r.Baseline, p99), milliseconds), showAll(each(r.Subject, p99), milliseconds), r.showCPU(), r.showMemory(), r.showGoals())
			continue
		}
		fmt.Fprintf(&fast, "| %s | %s | %s | %s | %s | %s | %s | %s | %s |\n", r.Title, r.Against,
			showAll(each(r.Baseline, value), thousands), showAll(each(r.Subject, value), thousands), showAll(r.ratios(), ratio),
			r.showCPU(), r.showOthers(), r.showMemory(), r.showGoals())
	}
	var b strings.Builder
	if fast.Len() > 0 {
		b.WriteString("| subject | baseline | baseline's rows/s | subject's rows/s | subject ÷ baseline | CPU s per million rows | walsender's / broker's | memory, usual / most | goals |\n" +
			"|---|---|---|---|---|---|---|---|---|\n" + fast.String())
	}
	if fast.Len() > 0 && quick.Len() > 0 {
		b.WriteString("\n")
	}
	if quick.Len() > 0 {
		b.WriteString("| subject, in ms | baseline | baseline's p50 | subject's p50 | baseline's p99 | subject's p99 | CPU s per million rows | memory, usual / most | goals |\n" +
			"|---|---|---|---|---|---|---|---|---|\n" + quick.String())
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// writeList prints the names of what can be measured; a star marks what is measured when nothing is chosen.
func writeList(w io.Writer) error {
	var b strings.Builder
	b.WriteString("Lines of the table (* is measured when nothing is chosen):\n")
	for _, l := range lines() {
		mark := " "
		if l.usual {
			mark = "*"
		}
		fmt.Fprintf(&b, "%s %-35s %s\n", mark, l.name, l.heading)
	}
	b.WriteString("\nCurves (-curves):\n")
	for _, c := range curves {
		fmt.Fprintf(&b, "  %-35s %s\n", c.name, c.heading)
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
	Scale   float64  `json:"scale,omitempty"`
	Results []Result `json:"results,omitempty"`
	Curves  []Curve  `json:"curves,omitempty"`
}

func newDocument(o options) *document {
	d := &document{CPUs: runtime.NumCPU(), Go: runtime.Version(), System: runtime.GOOS + "/" + runtime.GOARCH, Runs: o.runs, Rows: o.rows}
	if o.curves {
		d.Scale = o.scale
	}
	return d
}

// write prints the tables, and writes the file if there is to be one.
func (d *document) write(file string, out io.Writer) error {
	var errs []error
	if file != "" {
		text, err := json.MarshalIndent(d, "", "  ")
		if err == nil {
			err = os.WriteFile(file, append(text, '\n'), 0o644)
		}
		errs = append(errs, err)
	}
	errs = append(errs, writeMarkdown(out, d.Results), writeCurves(out, d.Curves))
	return errors.Join(errs...)
}
