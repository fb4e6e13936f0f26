package schema

import (
	"context"
	"fmt"
	"io"
	"path"
	"slices"
	"text/tabwriter"

	"github.com/syncline-io/syncline/framework/registry/compat"
	"github.com/syncline-io/syncline/framework/run"
)

type listCommand struct {
	options
	Pattern string `arg:"" optional:"" help:"Subjects to list, such as 'shop.*'; all by default."`
}

// subject is a line of the list.
type subject struct {
	Subject  string       `json:"subject"`
	Versions []int        `json:"versions"`
	LatestID uint32       `json:"latest_id"`
	Level    compat.Level `json:"level"`
}

func (c *listCommand) Run(ctx context.Context, known []run.Connector, out io.Writer) error {
	s, err := c.open(known)
	if err != nil {
		return err
	}
	defer s.Registry.Close()
	names, err := s.Registry.Subjects(ctx)
	if err != nil {
		return err
	}
	slices.Sort(names)
	all := []subject{}
	for _, name := range names {
		if ok, err := path.Match(c.Pattern, name); err != nil {
			return fmt.Errorf("pattern %q: %w", c.Pattern, err)
		} else if c.Pattern != "" && !ok {
			continue
		}
		line := subject{Subject: name}
		if line.Versions, err = s.Registry.Versions(ctx, name); err != nil {
			return err
		}
		if line.LatestID, _, err = s.Registry.Latest(ctx, name); err != nil {
			return err
		}
		if line.Level, err = s.Registry.Level(ctx, name); err != nil {
			return err
		}
		all = append(all, line)
	}
	if c.JSON {
		return writeJSON(out, all)
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "SUBJECT\tVERSIONS\tLATEST ID\tLEVEL")
	for _, l := range all {
		fmt.Fprintf(w, "%s\t%v\t%d\t%s\n", l.Subject, l.Versions, l.LatestID, l.Level)
	}
	return w.Flush()
}
