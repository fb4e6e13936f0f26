package evolution

import (
	"fmt"
	"strings"

	"github.com/syncline-io/syncline/framework/registry/compat"
	"github.com/syncline-io/syncline/schemas"
)

// version is what a table would register at one moment, by subject.
type version map[string]string

func versionOf(t *schemas.Table) (version, error) {
	e, err := schemas.NewEncoder(t, schemas.Mapping{Prefix: "shop"})
	if err != nil {
		return nil, err
	}
	v := version{e.Topic() + "-value": e.ValueSchema()}
	if e.KeySchema() != "" {
		v[e.Topic()+"-key"] = e.KeySchema()
	}
	return v, nil
}

// verdict is nil when the last of the versions may follow the others under the level, else why not.
func verdict(level compat.Level, versions []version) (*compat.Incompatibility, error) {
	last := versions[len(versions)-1]
	for _, subject := range []string{"value", "key"} {
		for name, text := range last {
			if !strings.HasSuffix(name, subject) {
				continue
			}
			next, err := compat.Parse(text)
			if err != nil {
				return nil, err
			}
			var history []*compat.Schema
			for _, text := range historyOf(name, versions) {
				old, err := compat.Parse(text)
				if err != nil {
					return nil, err
				}
				history = append(history, old)
			}
			if i := compat.Check(level, next, history); i != nil {
				return i, nil
			}
		}
	}
	return nil, nil
}

// historyOf returns the texts that the subject has before the last version, as a registry keeps them: one that it has
// already makes no new version.
func historyOf(subject string, versions []version) (history []string) {
	seen := map[string]bool{versions[len(versions)-1][subject]: true}
	for _, v := range versions[:len(versions)-1] {
		if text, ok := v[subject]; ok && !seen[text] {
			seen[text] = true
			history = append(history, text)
		}
	}
	return history
}

// row is a change with the verdict of every level.
type row struct {
	change
	refused map[compat.Level]*compat.Incompatibility
	// turned are the columns that every level takes although their bytes mean something else afterwards.
	turned []string
}

// turnedIn looks for such columns: the registry's rules do not know what the bytes stand for.
func turnedIn(versions []version) (turned []string, err error) {
	before, after := versions[len(versions)-2], versions[len(versions)-1]
	for subject, text := range after {
		if _, ok := before[subject]; !ok || !strings.HasSuffix(subject, "-value") {
			continue
		}
		all, err := compat.Differences(before[subject], text)
		if err != nil {
			return nil, err
		}
		for _, d := range all {
			if d.Wire && d.Old != "" && d.New != "" && len(d.RefusedBy) == 0 {
				turned = append(turned, fmt.Sprintf("`%s` becomes `%s`", typeOf(d.Old), typeOf(d.New)))
			}
		}
	}
	return turned, nil
}

// typeOf is a field's type without its default, and without "null" around it.
func typeOf(field string) string {
	field, _, _ = strings.Cut(field, ", default")
	return strings.TrimSuffix(strings.TrimPrefix(field, "[null, "), "]")
}

// head begins the table; the plain levels, and behind each the one that looks at all versions.
const head = "| change of the table `item` | `NONE` | `BACKWARD` | `BACKWARD_` `TRANSITIVE` | `FORWARD` | `FORWARD_` `TRANSITIVE` | `FULL` | `FULL_` `TRANSITIVE` | what is in the way |\n" +
	"|---|---|---|---|---|---|---|---|---|\n"

// markdown is the page's table.
func markdown(rows []row) string {
	var b strings.Builder
	b.WriteString(head)
	for _, r := range rows {
		fmt.Fprintf(&b, "| %s:<br>`%s`", r.title, strings.Join(r.statements, "`, then `"))
		why := "nothing"
		if len(r.turned) > 0 {
			why = "nothing, though the meaning changes: " + strings.Join(r.turned, ", ")
		}
		for _, level := range compat.Levels() {
			i := r.refused[level]
			if i == nil {
				b.WriteString(" | yes")
				continue
			}
			b.WriteString(" | **no**")
			if strings.HasPrefix(why, "nothing") {
				why = reason(i)
			}
		}
		b.WriteString(" | " + why + " |\n")
	}
	return b.String()
}

func reason(i *compat.Incompatibility) string {
	return fmt.Sprintf("`%s`: %s", i.Field(), i.Detail)
}
