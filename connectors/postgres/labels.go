package postgres

import (
	"context"
	"slices"

	"github.com/syncline-io/syncline/schemas"
)

// ALTER TYPE alters no table, so the server does not announce the tables that use the type again: the first that is heard of
// an enum's new label is a row that has it. And a label that was renamed since is in the log under its old name, which the
// catalog does not have any more. A row under a schema that lacks its label is refused by every target that knows labels.

// labelSet holds the labels of an enum.
type labelSet map[string]bool

// labelsOf returns what the labels of a column's values can be, nil where it has none.
func labelsOf(t *schemas.Type) labelSet {
	for t.Kind == schemas.Array {
		t = t.Elem
	}
	if t.Kind != schemas.Enum {
		return nil
	}
	l := make(labelSet, len(t.Labels))
	for _, label := range t.Labels {
		l[label] = true
	}
	return l
}

// lacks returns the first label of v that is not in the set.
func (l labelSet) lacks(v schemas.Value) (label string, found bool) {
	switch v.Kind() {
	case schemas.KindBytes:
		if !l[string(v.Bytes())] {
			return string(v.Bytes()), true
		}
	case schemas.KindArray:
		for _, e := range v.Array() {
			if label, found := l.lacks(e); found {
				return label, true
			}
		}
	}
	return "", false
}

// addLabels adds to t those of the labels that it lacks.
func addLabels(t schemas.Type, labels []string) schemas.Type {
	switch t.Kind {
	case schemas.Array:
		elem := addLabels(*t.Elem, labels)
		t.Elem = &elem
	case schemas.Enum:
		t.Labels = slices.Clone(t.Labels)
		for _, label := range labels {
			if !slices.Contains(t.Labels, label) {
				t.Labels = append(t.Labels, label)
			}
		}
	}
	return t
}

// relabel compiles the table again because a row has a label that the column's type lacks: once with the catalog of today,
// and where that does not know it either, with the label behind those of today. It returns the new place of row.
func (r *reading) relabel(ctx context.Context, rel *relation, column int, label string, row []schemas.Value) ([]schemas.Value, error) {
	row, err := r.compileAgain(ctx, rel, row)
	if err != nil {
		return nil, err
	}
	if l := rel.layout.columns[column].labels; l == nil || l[label] {
		return row, nil
	}
	if rel.labels == nil {
		rel.labels = map[string][]string{}
	}
	name := rel.layout.attributes[column].name
	rel.labels[name] = append(rel.labels[name], label)
	return r.compileAgain(ctx, rel, row)
}

// setLabels completes a layout by the labels that were met in the log, and prepares its columns to meet others.
func (rel *relation) setLabels(lay *layout) {
	for i := range lay.columns {
		c := &lay.columns[i]
		if c.row < 0 {
			continue
		}
		t := &lay.table.Columns[c.row].Type
		if met := rel.labels[lay.attributes[i].name]; met != nil {
			*t = addLabels(*t, met)
		}
		c.labels = labelsOf(t)
	}
}
