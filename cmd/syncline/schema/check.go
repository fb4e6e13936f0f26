package schema

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/syncline-io/syncline/framework/failure"
	"github.com/syncline-io/syncline/framework/registry"
	"github.com/syncline-io/syncline/framework/registry/compat"
	"github.com/syncline-io/syncline/framework/run"
)

type checkCommand struct{ options }

// The states of a schema that a table needs.
const (
	registered = "registered" // the registry has it
	isNew      = "new"        // it would be its subject's first version
	next       = "next"       // it would be its subject's next version
	refused    = "refused"    // the registry would not take it, or must have it and has not
	impossible = "impossible" // the table cannot be published at all
)

// finding is what the command says of one schema.
type finding struct {
	Table   string       `json:"table"`
	Subject string       `json:"subject,omitempty"`
	State   string       `json:"state"`
	Level   compat.Level `json:"level,omitempty"`
	Reason  string       `json:"reason,omitempty"`
	WayOut  string       `json:"way_out,omitempty"`
}

// Run prints what it finds; its error, and so the exit code 1, says that something would be refused.
func (c *checkCommand) Run(ctx context.Context, known []run.Connector, out io.Writer) error {
	s, err := c.open(known)
	if err != nil {
		return err
	}
	defer s.Registry.Close()
	all, err := s.Needed(ctx)
	if err != nil {
		return err
	}
	found, bad := make([]finding, len(all)), 0
	for i, n := range all {
		if found[i], err = judge(ctx, s, n); err != nil {
			return err
		}
		if found[i].State == refused || found[i].State == impossible {
			bad++
		}
	}
	if c.JSON {
		err = writeJSON(out, found)
	} else {
		err = write(out, found)
	}
	if err == nil && bad > 0 {
		err = fmt.Errorf("%d of %d schemas would be refused", bad, len(found))
	}
	return err
}

func judge(ctx context.Context, s *run.Schemas, n run.NeededSchema) (finding, error) {
	f := finding{Table: n.Table, Subject: n.Subject}
	if n.Err != nil {
		f.State, f.Reason, f.WayOut = impossible, n.Err.Error(), "change the table or leave it out of the connector's tables"
		return f, nil
	}
	if !s.Policy.AutoRegister {
		return held(ctx, s, n, f)
	}
	v, err := s.Registry.Judge(ctx, n.Subject, n.Schema)
	if err != nil {
		return f, err
	}
	f.Level = v.Level
	switch {
	case v.ID != 0:
		f.State = registered
	case v.First:
		f.State = isNew
	case v.Found != nil:
		f.State, f.Reason, f.WayOut = refused, v.Found.Error(), registry.WayOut(n.Subject, v.Found)
	default:
		f.State = next
	}
	return f, nil
}

// held is about a schema that must be there, because the source may not register it.
func held(ctx context.Context, s *run.Schemas, n run.NeededSchema, f finding) (finding, error) {
	_, err := s.Registry.Registrar(s.Policy).Register(ctx, n.Subject, n.Schema)
	switch {
	case err == nil:
		f.State = registered
	case errors.Is(err, registry.ErrRefused):
		f.State, f.Reason = refused, err.Error()
		if marked, ok := errors.AsType[*failure.Error](err); ok {
			f.Reason, f.WayOut = marked.Err.Error(), marked.Hint
		}
	default:
		return f, err
	}
	return f, nil
}

func write(w io.Writer, all []finding) error {
	var b strings.Builder
	for _, f := range all {
		b.WriteString(strings.TrimSuffix(f.Table+" "+f.Subject, " ") + ": ")
		switch f.State {
		case registered:
			b.WriteString("registered\n")
		case isNew:
			b.WriteString("would be registered as its subject's first version\n")
		case next:
			fmt.Fprintf(&b, "would be registered as the next version, which %s allows\n", f.Level)
		case refused, impossible:
			under := ""
			if f.Level != "" {
				under = " under " + string(f.Level)
			}
			fmt.Fprintf(&b, "%s%s: %s\n    way out: %s\n", strings.ToUpper(f.State), under, f.Reason, f.WayOut)
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}
