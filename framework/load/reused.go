package load

import (
	"fmt"
	"strings"

	"github.com/syncline-io/syncline/framework/registry"
	"github.com/syncline-io/syncline/framework/registry/compat"
	"github.com/syncline-io/syncline/schemas"
)

// namedFor checks that a schema was made for the topic: a registry that was restored may use its ids for others.
func namedFor(topic, text string) error {
	name := registry.RecordName(text)
	if name == "" {
		return fmt.Errorf("not a record schema")
	}
	namespace := ""
	if i := strings.LastIndexByte(name, '.'); i >= 0 {
		namespace = name[:i]
	}
	if avroName(namespace) != avroName(home(topic)) {
		return fmt.Errorf("record %s was not made for topic %s", name, topic)
	}
	return nil
}

// home is the topic whose schemas those of topic are: a quarantine's are those of the topic that it stands beside.
func home(topic string) string {
	if of, ok := schemas.QuarantineOf(topic); ok {
		return of
	}
	return topic
}

// avroName makes names comparable that differ only in what Avro's names cannot hold.
func avroName(name string) string {
	return strings.TrimLeft(strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' {
			return r
		}
		return '_'
	}, name), "_")
}

// madeOf checks that the schema text of the topic lays out the rows of t: a registry that was restored may have given its
// id to another version of the table, whose fields would be taken for t's. Only the row counts, which stands the same in
// the envelopes of all releases; what a reader does by itself (defaults, an enum's labels) does not, as a source may have
// been told to write under a version of the subject that differs in it.
func madeOf(t *schemas.Table, topic, text string) error {
	m := schemas.Mapping{Prefix: strings.TrimSuffix(home(topic), schemas.TopicName("", t.Schema, t.Name))}
	bare, err := schemas.IsRow(text)
	if err != nil {
		return nil // the decoder says it better
	}
	if bare {
		m.Shape = schemas.ShapeRow
	}
	var found *compat.Difference
	for _, m.Types = range [...]schemas.Types{schemas.TypesDebezium, schemas.TypesAvro} {
		e, err := schemas.NewEncoder(t, m)
		if err != nil {
			return nil // no table of this release's, so how it was laid out cannot be told
		}
		if found, err = rowDifference(e.ValueSchema(), text, bare); found == nil && err == nil {
			return nil
		}
		if err != nil {
			return err
		}
		if strings.Contains(text, `"connect.name"`) {
			break // which the other types do without: the difference is one from these
		}
	}
	return fmt.Errorf("it does not describe table %s at version %d: %s", t, t.Version, found)
}

// rowDifference returns the first difference in the row of two schemas that tells on the wire, nil for none.
func rowDifference(want, text string, bare bool) (*compat.Difference, error) {
	all, err := compat.Differences(want, text)
	if err != nil {
		return nil, err
	}
	for i := range all {
		d := &all[i]
		if d.Wire && (bare && d.Path != "" || d.Path == "before" || strings.HasPrefix(d.Path, "before.")) {
			return d, nil
		}
	}
	return nil, nil
}
