package main

import (
	"flag"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"
)

// options is what the command line says.
type options struct {
	// lines are those of the table that are to be measured, chosen the curves.
	lines  []line
	chosen []curve
	list   bool
	curves bool

	runs    int
	rows    int
	seconds int
	scale   float64
	json    string
	profile string
}

// part is a share of the rows, at least a batch of them.
func (o options) part(share float64) int { return max(int(float64(o.rows)*share), batchRows) }

func parse(args []string, errOut io.Writer) (options, error) {
	o := options{}
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.SetOutput(errOut)
	only := flags.String("only", "", "what to measure: names of -list, separated by commas, where * stands for any characters; all is everything. Without it those that -list marks, or every curve")
	flags.BoolVar(&o.list, "list", false, "print the names of what can be measured")
	flags.BoolVar(&o.curves, "curves", false, "measure curves: the same over a range of sizes")
	flags.IntVar(&o.runs, "runs", 5, "how often baseline and subject take turns; a curve's points are measured once")
	flags.IntVar(&o.rows, "rows", 1_000_000, "rows of the largest loads; the others get their share of it")
	flags.IntVar(&o.seconds, "seconds", 10, "how long each measurement of latency lasts")
	flags.Float64Var(&o.scale, "scale", 1, "what the sizes of the curves' loads are multiplied by")
	flags.StringVar(&o.json, "json", "", "write every single run to this file too")
	flags.StringVar(&o.profile, "profile", "", "write CPU profiles to this folder, of each connector and of this process with the embedded broker; it costs a little")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	if flags.NArg() > 0 {
		return o, fmt.Errorf("%q is no flag", flags.Arg(0))
	}
	if o.runs < 1 || o.rows < batchRows || o.seconds < 1 || o.scale <= 0 {
		return o, fmt.Errorf("want at least 1 of -runs, %d of -rows and 1 of -seconds, and a -scale above 0", batchRows)
	}
	if o.curves {
		return o, choose(*only, curves, &o.chosen)
	}
	return o, choose(*only, lines(), &o.lines)
}

// named is a line of a table.
type named interface {
	title() (name string, usual bool)
}

func (l line) title() (string, bool)  { return l.name, l.usual }
func (c curve) title() (string, bool) { return c.name, true }

// choose adds the entries that the flag -only means to chosen, in the order of the table.
func choose[T named](only string, all []T, chosen *[]T) error {
	patterns := strings.Split(only, ",")
	used := make([]bool, len(patterns))
	for _, entry := range all {
		name, usual := entry.title()
		if only == "" {
			if usual {
				*chosen = append(*chosen, entry)
			}
			continue
		}
		match := func(pattern string) bool {
			ok, _ := path.Match(pattern, name) // a malformed pattern matches nothing, and is reported as such
			return ok || pattern == "all"
		}
		for i, pattern := range patterns {
			used[i] = used[i] || match(pattern)
		}
		if slices.ContainsFunc(patterns, match) {
			*chosen = append(*chosen, entry)
		}
	}
	if i := slices.Index(used, false); only != "" && i >= 0 {
		return fmt.Errorf("-only: nothing is called %q; -list prints the names", patterns[i])
	}
	return nil
}
