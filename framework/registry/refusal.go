package registry

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/riferrei/srclient"

	"github.com/syncline-io/syncline/framework/failure"
	"github.com/syncline-io/syncline/framework/registry/compat"
)

// codeReadOnly is Confluent's error code of a subject or registry that takes no schemas for now.
const codeReadOnly = 42205

// comparedVersionsMax bounds how many versions of a subject are fetched to find the field that does not fit.
const comparedVersionsMax = 50

// refusal is the meaning of an answer to a registration: which answers refuse the schema, and why.
func (c *Client) refusal(ctx context.Context, subject, schema string, a answer) error {
	switch {
	case a.code == codeReadOnly:
		return failure.WithHint(fmt.Errorf("subject %q: %s takes no schemas now: %w", subject, a.url, a.err),
			"set the registry's mode to READWRITE")
	case a.status == http.StatusConflict:
		return c.incompatible(ctx, subject, schema, a)
	case a.status == http.StatusUnprocessableEntity:
		return c.invalid(subject, schema, a)
	case a.code == 0:
		return c.wrongAddress(a)
	}
	return nil
}

// invalid is a schema that the registry cannot read. When we cannot either, our reason is the better one.
func (c *Client) invalid(subject, schema string, a answer) error {
	reason := a.err
	if _, err := compat.Parse(schema); err != nil {
		reason = err
	}
	return refused(fmt.Errorf("subject %q: %s refuses the schema: %w", subject, a.url, reason), "")
}

// incompatible is a schema that may not follow those of its subject. The registry's own words differ from product to
// product, so the field is found here; when that fails, the registry's words must do.
func (c *Client) incompatible(ctx context.Context, subject, schema string, a answer) error {
	level, found := c.explain(ctx, subject, schema)
	if found == nil {
		return refused(fmt.Errorf("subject %q: %s refuses the schema as incompatible: %w", subject, a.url, a.err),
			WayOut(subject, nil))
	}
	return refused(fmt.Errorf("subject %q: %s refuses the schema as incompatible under %s: %w", subject, a.url, level, found),
		WayOut(subject, found))
}

// refused marks err as the refusal of a schema: an error of the configuration that concerns one subject.
func refused(err error, hint string) error {
	return failure.As(failure.Config, &marked{err, ErrRefused}, hint)
}

// marked is an error that is also mark, without saying so in its text.
type marked struct {
	error
	mark error
}

func (m *marked) Unwrap() []error { return []error{m.error, m.mark} }

// WayOut says what can be done about a schema that may not become the subject's next version; found is the reason, nil
// when it is not known.
func WayOut(subject string, found *compat.Incompatibility) string {
	relax := fmt.Sprintf(`see "syncline schema diff FILE %s", allow it once with PUT /config/%s {"compatibility":"NONE"}, or set on_refused_schema: quarantine`,
		subject, subject)
	switch {
	case found == nil || found.Field() == "" || found.Writer != "":
		return relax
	case found.Forward:
		return fmt.Sprintf("keep %q until its consumers no longer read it; or %s", found.Field(), relax)
	}
	return fmt.Sprintf("make the column %q nullable or give it a default; or %s", found.Field(), relax)
}

// explain compares schema with the subject's versions under the subject's level. It returns nil when it cannot tell:
// the registry does not answer, or its rules are not Avro's.
func (c *Client) explain(ctx context.Context, subject, schema string) (compat.Level, *compat.Incompatibility) {
	level, found, err := c.compare(ctx, subject, schema)
	if err != nil {
		return "", nil
	}
	return level, found
}

func (c *Client) compare(ctx context.Context, subject, schema string) (level compat.Level, found *compat.Incompatibility, err error) {
	next, err := compat.Parse(schema)
	if err != nil {
		return "", nil, err
	}
	var history []*compat.Schema
	err = c.call(ctx, fmt.Sprintf("compare with the versions of subject %q", subject), func(sr *srclient.SchemaRegistryClient) error {
		level, history, err = subjectHistory(sr, subject)
		return err
	}, notRegistered)
	if err != nil {
		return "", nil, err
	}
	return level, compat.Check(level, next, history), nil
}

// Verdict is what the registry would say to a schema.
type Verdict struct {
	// ID is the schema's where the subject holds it already, else 0.
	ID uint32
	// First says that the subject has no version yet.
	First bool
	// Level is the subject's compatibility level, where it has versions and none of them is the schema.
	Level compat.Level
	// Found is why the schema may not be the next version; nil when it may.
	Found *compat.Incompatibility
}

// Judge says what would become of the schema if it were registered, and registers nothing. The comparison is our own; a
// registry with rules of its own besides Avro's may still refuse what passes here.
func (c *Client) Judge(ctx context.Context, subject, schema string) (v Verdict, err error) {
	v.ID, err = c.Lookup(ctx, subject, schema)
	if !errors.Is(err, ErrNotRegistered) {
		return v, err
	}
	v.Level, v.Found, err = c.compare(ctx, subject, schema)
	if errors.Is(err, ErrNotRegistered) {
		return Verdict{First: true}, nil
	}
	return v, err
}

// subjectHistory fetches the level of a subject and the versions that it makes count, oldest first.
func subjectHistory(sr *srclient.SchemaRegistryClient, subject string) (compat.Level, []*compat.Schema, error) {
	said, err := sr.GetCompatibilityLevel(subject, true)
	if err != nil {
		return "", nil, err
	}
	level, err := compat.ParseLevel(said.String())
	if err != nil {
		return "", nil, err
	}
	versions, err := sr.GetSchemaVersions(subject)
	if err != nil {
		return "", nil, err
	}
	count := 1
	if level.Transitive() {
		count = comparedVersionsMax
	}
	var history []*compat.Schema
	for _, v := range versions[max(0, len(versions)-count):] {
		old, err := sr.GetSchemaByVersion(subject, v)
		if err != nil {
			return "", nil, err
		}
		parsed, err := compat.Parse(old.Schema())
		if err != nil {
			return "", nil, err
		}
		history = append(history, parsed)
	}
	return level, history, nil
}
