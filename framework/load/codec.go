package load

import (
	"fmt"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/syncline-io/syncline/framework/sink"
	"github.com/syncline-io/syncline/schemas"
)

// codec decodes the records of one topic that have one schema id and one table version.
type codec struct {
	topic   string
	id      uint32
	stamp   uint64 // the table version in the header
	ours    bool   // the record says a table version: it is not a foreign connector's
	keyed   bool   // the table has a key
	anyKey  bool   // the records' keys are not looked at: they are no rows, and the configuration names the key's columns
	special bool   // the topic has no rows: its records are passed over, and nothing else is set
	value   *schemas.Decoder
	source  *schemas.Table
	// key decodes the record keys with the schema id keyID; compiled when a value does not know its key.
	key   *schemas.KeyDecoder
	keyID uint32

	// target is what rows are mapped onto, and column the index in the source's row of each of its columns, -1 for one
	// that this version does not have; nil when both are the same.
	target *sink.Table
	column []int
	// convert makes the values of each of them its own, nil where they are; see [schemas.NewConverter].
	convert []schemas.Converter
	// added holds the values of the columns that this version does not have.
	added []schemas.Value
}

// fits reports whether the codec decodes r, whose value has the schema id. A record without key, such as a truncate,
// may stand in a topic with keys; one with a key shows that the topic has them.
func (c *codec) fits(r *kgo.Record, id uint32, s stamp) bool {
	return c != nil && c.id == id && c.ours == s.hasTable && c.stamp == s.table && c.topic == r.Topic &&
		(c.ours || c.keyed || c.anyKey || r.Key == nil)
}

// speaksTwice reports whether r is a tombstone behind an envelope of another program that has said all of it. Its own
// deletion is written again, for the case that the cleaner has left it alone; where the key is no row, that must be enough.
func (c *codec) speaksTwice(r *kgo.Record) bool {
	return c != nil && !c.ours && c.anyKey && r.Value == nil && c.topic == r.Topic && !c.value.Bare()
}

// foreignID is the id of k's schema, 0 where it is ours: tombstones of ours have a version.
func (k *codec) foreignID() uint32 {
	if k.ours {
		return 0
	}
	return k.id
}

// aim maps the codec's rows onto the current table of its topic.
func (c *catalog) aim(k *codec) {
	t := c.current[k.topic]
	if k.target == t {
		return
	}
	k.target, k.column, k.convert, k.added = t, nil, nil, nil
	if k.source == t.Source || k.source.SameShape(t.Source) {
		return
	}
	n := len(t.Columns)
	k.column, k.convert, k.added = make([]int, n), make([]schemas.Converter, n), make([]schemas.Value, n)
	for i := range t.Columns {
		if k.column[i] = counterpart(k.source, t.Source, i); k.column[i] < 0 {
			k.added[i] = filled(&t.Columns[i])
		} else {
			k.convert[i] = schemas.NewConverter(k.source.Columns[k.column[i]].Type, t.Columns[i].Type)
		}
	}
}

// filled is the value of a column in the rows that were there when it was added: its constant default, as the sinks
// fill it into the rows of the target, else null.
func filled(c *schemas.Column) schemas.Value {
	text, ok := c.ConstantDefault()
	if !ok {
		return schemas.Null()
	}
	v, err := schemas.ParseText([]byte(text), &c.Type, new(schemas.Arena))
	if err != nil {
		return schemas.UnrepresentableValue([]byte(text)) // a constant all the same
	}
	return v
}

// counterpart returns the column of older that has become column i of newer, or -1: by its id, and by its name where
// there are no ids or where the table was made again.
func counterpart(older, newer *schemas.Table, i int) int {
	if older.System == "" || older.ID == 0 || older.ID != newer.ID {
		return older.Column(newer.Columns[i].Name)
	}
	for j := range older.Columns {
		if older.Columns[j].ID == newer.Columns[i].ID {
			return j
		}
	}
	return -1
}

// project maps a row of the source's version onto the columns of the target's. A column that the version does not have
// yet gets what the source filled in when it was added: rows in front of the change can come behind it, from another
// partition, and must not undo what the sink has filled in. So it is with a column that had another type: the source has
// converted its rows without a word.
func (k *codec) project(row []schemas.Value, a *schemas.Arena) ([]schemas.Value, error) {
	if row == nil || k.column == nil {
		return row, nil
	}
	mapped := a.Values(len(k.column))
	for i, j := range k.column {
		switch {
		case j < 0:
			mapped[i] = k.added[i]
		case k.convert[i] == nil:
			mapped[i] = row[j]
		default:
			v, err := k.convert[i](row[j], a)
			if err != nil {
				return nil, &unreadable{stageValue, fmt.Errorf("table %s: column %q of an earlier version of the table: %w", k.source, k.target.Columns[i].Name, err)}
			}
			mapped[i] = v
		}
	}
	return mapped, nil
}
