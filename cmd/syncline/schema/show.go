package schema

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/syncline-io/syncline/framework/run"
)

type showCommand struct {
	options
	Subject string `arg:"" help:"The subject."`
	Version int    `arg:"" optional:"" help:"The version; the latest by default."`
	Needed  bool   `help:"Print what the source's table needs now, whatever the registry holds."`
}

// shown is what the command prints as JSON.
type shown struct {
	Subject string          `json:"subject"`
	Table   string          `json:"table,omitempty"`
	ID      uint32          `json:"id,omitempty"`
	Schema  json.RawMessage `json:"schema"`
}

func (c *showCommand) Run(ctx context.Context, known []run.Connector, out io.Writer) error {
	s, err := c.open(known)
	if err != nil {
		return err
	}
	defer s.Registry.Close()
	show := shown{Subject: c.Subject}
	var text string
	switch {
	case c.Needed && c.Version != 0:
		return errors.New("give a version or --needed, not both")
	case c.Needed:
		n, err := needed(ctx, s, c.Subject)
		if err != nil {
			return err
		}
		show.Table, text = n.Table, n.Schema
	default:
		if show.ID, text, err = read(ctx, s, c.Subject, c.Version); err != nil {
			return err
		}
	}
	show.Schema = json.RawMessage(text)
	if c.JSON {
		return writeJSON(out, show)
	}
	var pretty bytes.Buffer
	if err := json.Indent(&pretty, show.Schema, "", "  "); err != nil {
		return fmt.Errorf("subject %q: the registry's schema is no JSON: %w", c.Subject, err)
	}
	pretty.WriteByte('\n')
	_, err = out.Write(pretty.Bytes())
	return err
}

// read reads a version of the subject, the latest for 0.
func read(ctx context.Context, s *run.Schemas, subject string, version int) (uint32, string, error) {
	if version == 0 {
		return s.Registry.Latest(ctx, subject)
	}
	return s.Registry.Version(ctx, subject, version)
}
