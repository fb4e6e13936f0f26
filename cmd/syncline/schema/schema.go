// Package schema is the command "syncline schema": what a registry holds, and what a source would ask of it.
//
// Files: schema.go has the commands and what they share; list.go, show.go, diff.go and check.go one command each.
package schema

import (
	"context"
	"encoding/json"
	"fmt"
	"io"

	"github.com/syncline-io/syncline/framework/failure"
	"github.com/syncline-io/syncline/framework/run"
)

// Commands are the commands as kong reads them. Their Run methods take the context, the connectors that the program
// knows, and where to print.
type Commands struct {
	List  listCommand  `cmd:"" help:"List the registry's subjects, with their versions and levels."`
	Show  showCommand  `cmd:"" help:"Print a version of a subject, or the schema that a source's table needs now."`
	Diff  diffCommand  `cmd:"" help:"Compare two versions of a subject, or the latest with what a source's table needs now, field by field."`
	Check checkCommand `cmd:"" help:"Say which of a source's tables would have its schema refused now, and what to do; exit code 1 if there is one."`
}

// options are what every command takes.
type options struct {
	File     string `arg:"" help:"A connector's YAML file, which says where the registry is."`
	Registry string `help:"Address of the registry, instead of the file's; such as that of an embedded one."`
	JSON     bool   `name:"json" help:"Print JSON."`
}

// open opens what the file says.
func (o *options) open(known []run.Connector) (*run.Schemas, error) {
	return run.OpenSchemas(known, o.File, o.Registry)
}

// needed returns the schema that one of the source's tables needs for the subject.
func needed(ctx context.Context, s *run.Schemas, subject string) (run.NeededSchema, error) {
	all, err := s.Needed(ctx)
	if err != nil {
		return run.NeededSchema{}, err
	}
	for _, n := range all {
		if n.Subject == subject {
			return n, nil
		}
	}
	return run.NeededSchema{}, failure.As(failure.Config, fmt.Errorf("no table of the source has the subject %q", subject),
		`"syncline schema check" shows the subjects of its tables`)
}

func writeJSON(out io.Writer, v any) error {
	e := json.NewEncoder(out)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(v)
}
