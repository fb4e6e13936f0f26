package registry

import (
	"context"
	"fmt"
	"net/http"

	"github.com/riferrei/srclient"

	"github.com/syncline-io/syncline/framework/failure"
	"github.com/syncline-io/syncline/schemas/registry/compat"
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
	next, err := compat.Parse(schema)
	if err != nil {
		return "", nil
	}
	var level compat.Level
	var history []*compat.Schema
	err = c.call(ctx, "compare with the versions of the subject", func(sr *srclient.SchemaRegistryClient) error {
		level, history, err = subjectHistory(sr, subject)
		return err
	}, nil)
	if err != nil {
		return "", nil
	}
	return level, compat.Check(level, next, history)
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
