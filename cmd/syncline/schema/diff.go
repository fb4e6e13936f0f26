package schema

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/syncline-io/syncline/framework/registry"
	"github.com/syncline-io/syncline/framework/registry/compat"
	"github.com/syncline-io/syncline/framework/run"
)

type diffCommand struct {
	options
	Subject string `arg:"" help:"The subject."`
	From    int    `arg:"" optional:"" help:"The version to begin with; the latest by default."`
	To      int    `arg:"" optional:"" help:"The version to compare with; what the source's table needs now by default."`
}

// difference is what the command prints as JSON.
type difference struct {
	Subject     string              `json:"subject"`
	Table       string              `json:"table,omitempty"`
	From        string              `json:"from"`
	To          string              `json:"to"`
	Level       compat.Level        `json:"level"`
	Differences []compat.Difference `json:"differences"`
	// Refusal is why the registry would refuse what the table needs, "" when it would not.
	Refusal string `json:"refusal,omitempty"`
	WayOut  string `json:"way_out,omitempty"`
}

func (c *diffCommand) Run(ctx context.Context, known []run.Connector, out io.Writer) error {
	s, err := c.open(known)
	if err != nil {
		return err
	}
	defer s.Registry.Close()
	d := difference{Subject: c.Subject, From: version(c.From)}
	_, old, err := read(ctx, s, c.Subject, c.From)
	if err != nil {
		return err
	}
	var next string
	if c.To > 0 {
		d.To = version(c.To)
		_, next, err = read(ctx, s, c.Subject, c.To)
	} else {
		next, err = c.need(ctx, s, &d)
	}
	if err != nil {
		return err
	}
	if d.Differences, err = compat.Differences(old, next); err != nil {
		return fmt.Errorf("subject %q: %w", c.Subject, err)
	}
	if d.Level, err = s.Registry.Level(ctx, c.Subject); err != nil {
		return err
	}
	if c.JSON {
		return writeJSON(out, d)
	}
	return d.write(out)
}

// need takes the table's schema, and asks what the registry would say to it.
func (c *diffCommand) need(ctx context.Context, s *run.Schemas, d *difference) (string, error) {
	n, err := needed(ctx, s, c.Subject)
	if err != nil {
		return "", err
	}
	d.Table, d.To = n.Table, "what table "+n.Table+" needs now"
	verdict, err := s.Registry.Judge(ctx, n.Subject, n.Schema)
	if err == nil && verdict.Found != nil {
		d.Refusal, d.WayOut = verdict.Found.Error(), registry.WayOut(n.Subject, verdict.Found)
	}
	return n.Schema, err
}

func version(n int) string {
	if n == 0 {
		return "the latest version"
	}
	return fmt.Sprintf("version %d", n)
}

func (d *difference) write(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: from %s to %s; the level is %s\n", d.Subject, d.From, d.To, d.Level)
	if len(d.Differences) == 0 {
		b.WriteString("  nothing that matters to the values is different\n")
	}
	for i := range d.Differences {
		found := &d.Differences[i]
		fmt.Fprintf(&b, "  %s\n", found)
		switch {
		case len(found.RefusedBy) > 0:
			fmt.Fprintf(&b, "      refused under %s\n", levels(found.RefusedBy))
		case found.Wire && found.Old != "" && found.New != "":
			b.WriteString("      taken under every level, though the values mean something else\n")
		default:
			b.WriteString("      taken under every level\n")
		}
	}
	if d.Refusal != "" {
		fmt.Fprintf(&b, "The registry would refuse it under %s: %s\n  way out: %s\n", d.Level, d.Refusal, d.WayOut)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func levels(all []compat.Level) string {
	names := make([]string, len(all))
	for i, l := range all {
		names[i] = string(l)
	}
	return strings.Join(names, ", ")
}
