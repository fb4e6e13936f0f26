package verify

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/syncline-io/syncline/schemas"
)

// Result is the outcome of a comparison.
type Result struct {
	Equal   bool          `json:"equal"`
	Seconds float64       `json:"seconds"`
	Tables  []TableResult `json:"tables"`
}

// TableResult is the outcome for one table.
type TableResult struct {
	Source      Name         `json:"source"`
	Target      Name         `json:"target"`
	Equal       bool         `json:"equal"`
	SourceRows  int64        `json:"source_rows"`
	TargetRows  int64        `json:"target_rows"`
	SourceHash  string       `json:"source_hash"`
	TargetHash  string       `json:"target_hash"`
	Differences []Difference `json:"differences,omitempty"`
	// More says that there are differences beyond those that are named.
	More bool `json:"more,omitempty"`
}

// Kind says what differs.
type Kind string

// The kinds.
const (
	MissingTable  Kind = "missing table"
	ExtraTable    Kind = "extra table"
	MissingColumn Kind = "missing column"
	DifferentType Kind = "different type"
	MissingRow    Kind = "missing row"   // at the source only
	ExtraRow      Kind = "extra row"     // at the target only
	DifferentRow  Kind = "different row" // the key is at both sides, other columns differ
	OtherCount    Kind = "other count"   // the row is there more often at one side: doubled
)

// Difference is one thing that differs.
type Difference struct {
	Kind Kind `json:"kind"`
	// Key holds the key's columns, or all columns of a table without key.
	Key []ColumnText `json:"key,omitempty"`
	// Columns that differ, for a DifferentRow.
	Columns []ColumnDifference `json:"columns,omitempty"`
	// SourceRows and TargetRows are how often the row is there.
	SourceRows int64  `json:"source_rows,omitempty"`
	TargetRows int64  `json:"target_rows,omitempty"`
	Detail     string `json:"detail,omitempty"`
}

// ColumnText is a column's canonical text, nil for null. A long text is cut off; its md5 tells it from others.
type ColumnText struct {
	Column string  `json:"column"`
	Text   *string `json:"text"`
}

// ColumnDifference is a column's canonical text at both sides.
type ColumnDifference struct {
	Column string  `json:"column"`
	Source *string `json:"source"`
	Target *string `json:"target"`
}

// show returns the text of a field as it was read. Bits of a float get its number behind them.
func show(field string, form schemas.Type) *string {
	if field == "N" {
		return nil
	}
	text := field[1:]
	switch form.Kind {
	case schemas.Float32:
		if bits, err := strconv.ParseUint(text, 16, 32); err == nil && len(text) == 8 {
			text += fmt.Sprintf(" (%v)", math.Float32frombits(uint32(bits)))
		}
	case schemas.Float64:
		if bits, err := strconv.ParseUint(text, 16, 64); err == nil && len(text) == 16 {
			text += fmt.Sprintf(" (%v)", math.Float64frombits(bits))
		}
	}
	return &text
}

// WriteJSON writes the result as indented JSON.
func (r *Result) WriteJSON(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(r)
}

// WriteText writes the result for people: a line per table, and under it what differs.
func (r *Result) WriteText(w io.Writer) error {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tw, "SOURCE\tTARGET\tROWS\tHASH\t")
	for i := range r.Tables {
		t := &r.Tables[i]
		rows, hash, verdict := fmt.Sprint(t.SourceRows), t.SourceHash, "equal"
		if !t.Equal {
			verdict = "DIFFERENT"
			rows = fmt.Sprintf("%d | %d", t.SourceRows, t.TargetRows)
			hash = fmt.Sprintf("%.8s | %.8s", t.SourceHash, t.TargetHash)
		}
		fmt.Fprintf(tw, "%s\t%s\t%s\t%s\t%s\n", t.Source, t.Target, rows, hash, verdict)
	}
	if err := tw.Flush(); err != nil {
		return err
	}
	for i := range r.Tables {
		t := &r.Tables[i]
		for _, d := range t.Differences {
			if _, err := fmt.Fprintf(w, "%s: %s\n", t.Source, d); err != nil {
				return err
			}
		}
		if t.More {
			if _, err := fmt.Fprintf(w, "%s: more rows differ than are named here\n", t.Source); err != nil {
				return err
			}
		}
	}
	return nil
}

// String gives one line.
func (d Difference) String() string {
	var b strings.Builder
	b.WriteString(string(d.Kind))
	for i, k := range d.Key {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, " %s=%s", k.Column, quote(k.Text))
	}
	for i, c := range d.Columns {
		separator := "; "
		if i == 0 {
			separator = ": "
		}
		fmt.Fprintf(&b, "%s%s is %s at the source and %s at the target", separator, c.Column, quote(c.Source), quote(c.Target))
	}
	if d.Kind == OtherCount {
		fmt.Fprintf(&b, ": %d times at the source and %d times at the target", d.SourceRows, d.TargetRows)
	}
	if d.Detail != "" {
		b.WriteString(": " + d.Detail)
	}
	return b.String()
}

func quote(text *string) string {
	if text == nil {
		return "null"
	}
	return strconv.Quote(*text)
}
