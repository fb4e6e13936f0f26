package load

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/syncline-io/syncline/framework/failure"
	"github.com/syncline-io/syncline/framework/registry"
	"github.com/syncline-io/syncline/framework/sink"
	"github.com/syncline-io/syncline/schemas"
)

// unreadable is why a record cannot become a change, in the words of Kafka Connect's dead letter headers.
type unreadable struct {
	stage string
	err   error
}

func (u *unreadable) Error() string { return u.err.Error() }
func (u *unreadable) Unwrap() error { return u.err }

// The stages of Kafka Connect in which a record can fail.
const (
	stageKey   = "KEY_CONVERTER"
	stageValue = "VALUE_CONVERTER"
	stagePut   = "TASK_PUT"
)

// stamp is what the headers of a record of ours say before anything is decoded.
type stamp struct {
	version    schemas.Version
	hasVersion bool
	table      uint64
	hasTable   bool
	// schema is the id of the value's schema where there is no value, hasOp says that the operation stands in a header:
	// a record of schemas.ShapeRow.
	schema uint32
	hasOp  bool
}

func stampOf(r *kgo.Record) (s stamp, err error) {
	for i := range r.Headers {
		switch h := &r.Headers[i]; h.Key {
		case schemas.HeaderVersion:
			s.hasVersion = true
			if s.version, err = schemas.ParseVersion(h.Value); err != nil {
				return s, &unreadable{stageValue, fmt.Errorf("header %s: %w", h.Key, err)}
			}
		case schemas.HeaderTable:
			if len(h.Value) != 8 {
				return s, &unreadable{stageValue, fmt.Errorf("header %s has %d bytes, want 8", h.Key, len(h.Value))}
			}
			s.hasTable, s.table = true, binary.BigEndian.Uint64(h.Value)
		case schemas.HeaderOp:
			s.hasOp = true
		case schemas.HeaderSchema:
			if len(h.Value) != 4 {
				return s, &unreadable{stageValue, fmt.Errorf("header %s has %d bytes, want 4", h.Key, len(h.Value))}
			}
			s.schema = binary.BigEndian.Uint32(h.Value)
		}
	}
	return s, nil
}

// codec decodes the records of one topic that have one schema id and one table version.
type codec struct {
	topic  string
	id     uint32
	stamp  uint64 // the table version in the header
	ours   bool   // the record says a table version: it is not a foreign connector's
	keyed  bool   // the table has a key
	anyKey bool   // the records' keys are not looked at: they are no rows, and the configuration names the key's columns
	value  *schemas.Decoder
	source *schemas.Table
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

type codecKey struct {
	topic string
	id    uint32
	table uint64
	ours  bool
	keyed bool // of a foreign connector's: the table has a key
}

// catalog knows how records are decoded and which table of the target each topic goes to. It belongs to the reader.
type catalog struct {
	registry Registry
	tables   *tables
	naming   Naming
	codecs   map[codecKey]*codec
	current  map[string]*sink.Table // by topic: the newest version met
	owner    map[string]string      // the topic by the target's "schema.name"
	// change is what the last record was decoded into; its rows live in the batch's arena.
	change schemas.Change
}

func newCatalog(opts *Options, t *tables) *catalog {
	return &catalog{
		registry: opts.Registry, tables: t, naming: opts.Naming, codecs: map[codecKey]*codec{},
		current: map[string]*sink.Table{}, owner: map[string]string{},
	}
}

// lookupTimeout bounds one question to the registry or the tables topic: other partitions wait meanwhile.
const lookupTimeout = 5 * time.Second

// codec returns the codec for a record with the schema id. An error is an *unreadable, or a trouble of the environment
// that passes: a registry that lags must never make a dead letter.
func (c *catalog) codec(ctx context.Context, r *kgo.Record, id uint32, s stamp) (*codec, error) {
	key := codecKey{topic: r.Topic, id: id, table: s.table, ours: s.hasTable}
	for _, key.keyed = range [...]bool{true, false} {
		if found := c.codecs[key]; found.fits(r, id, s) {
			return found, nil
		}
	}
	ctx, cancel := context.WithTimeout(ctx, lookupTimeout)
	defer cancel()
	text, err := c.schema(ctx, id, stageValue)
	if err != nil {
		return nil, err
	}
	made := &codec{topic: r.Topic, id: id, stamp: s.table, ours: s.hasTable}
	if s.hasTable {
		err = c.compileOurs(ctx, made, text)
	} else {
		err = c.compileForeign(ctx, made, r, text)
	}
	if err != nil {
		return nil, err
	}
	made.keyed = len(made.source.KeyColumns()) > 0
	key.keyed = made.keyed
	c.codecs[key] = made
	return made, nil
}

// compileOurs makes the decoder for a topic of ours, whose table stands in the tables topic.
func (c *catalog) compileOurs(ctx context.Context, made *codec, text string) error {
	misfit := namedFor(made.topic, text)
	key := schemas.TableKey{Topic: made.topic, SchemaID: made.id, Version: made.stamp}
	made.source = c.tables.find(key)
	if made.source == nil {
		if err := c.tables.refresh(ctx); err != nil {
			return err
		}
		made.source = c.tables.find(key)
		if made.source == nil && misfit != nil {
			return &unreadable{stageValue, fmt.Errorf("schema %d: %w", made.id, misfit)}
		}
		if made.source == nil {
			return fmt.Errorf("topic %s does not describe %s with schema %d at table version %d yet",
				c.tables.topic, made.topic, made.id, made.stamp)
		}
	}
	if misfit == nil {
		misfit = madeOf(made.source, made.topic, text)
	}
	if misfit != nil { // the source has written that the id is this table's
		return reused(made.id, misfit)
	}
	var err error
	if made.value, err = schemas.NewDecoder(text, made.source); err != nil {
		return &unreadable{stageValue, fmt.Errorf("schema %d: %w", made.id, err)}
	}
	return nil
}

// compileForeign makes the decoder for a topic that another connector writes: the table is derived from the schemas of
// value and key, and its version is the schema's id, because registries count upwards.
func (c *catalog) compileForeign(ctx context.Context, made *codec, r *kgo.Record, text string) (err error) {
	if made.source, err = c.derive(ctx, r, made.id, text); err != nil {
		if made.source = c.ownKey(r.Topic, text, err); made.source == nil {
			return err
		}
		made.anyKey = true
	}
	made.source.Version = uint64(made.id)
	if made.value, err = schemas.NewDecoder(text, made.source); err != nil {
		return &unreadable{stageValue, fmt.Errorf("schema %d: %w", made.id, err)}
	}
	return nil
}

// namesOf makes the names of a table of a topic's, where the schema does not tell them: the last part is the table, and
// the one before it the schema where there are three or more.
func namesOf(topic string) (schema, name string) {
	parts := strings.Split(topic, ".")
	if n := len(parts); n > 2 {
		schema = parts[n-2]
	}
	return schema, parts[len(parts)-1]
}

// derive makes the table of a foreign topic's record, whose value has the schema. A record without key, such as a
// truncate, does not tell what the topic's key is: the version of the table before it does, else the registry.
func (c *catalog) derive(ctx context.Context, r *kgo.Record, id uint32, text string) (*schemas.Table, error) {
	if now := c.current[r.Topic]; r.Key == nil && now != nil && len(now.Source.KeyColumns()) > 0 {
		t, err := tableOf(r.Topic, "", text)
		if err == nil && keepKey(t, now.Source) {
			return t, nil
		}
	}
	key, err := c.keySchema(ctx, r)
	if err != nil {
		return nil, err
	}
	if t, err := tableOf(r.Topic, "", text); err != nil || key == "" {
		if err != nil {
			err = &unreadable{stageValue, fmt.Errorf("schema %d: %w", id, err)}
		}
		return t, err
	}
	t, err := tableOf(r.Topic, key, text)
	if err != nil {
		return nil, &unreadable{stageKey, err}
	}
	return t, nil
}

// ownKey makes the table of a foreign topic whose keys cannot be read as rows, such as a plain producer's strings, when
// the configuration names the key's columns; nil when it does not, or when err, which is why the table could not be
// derived, is about something else.
func (c *catalog) ownKey(topic, text string, err error) *schemas.Table {
	bad, ok := errors.AsType[*unreadable](err)
	if !ok || bad.stage != stageKey {
		return nil
	}
	t, err := tableOf(topic, "", text)
	if err != nil {
		return nil
	}
	if len(c.naming.Tables[t.String()].Key) == 0 {
		bad.err = fmt.Errorf("%w (name the columns of the key in the sink's configuration, under tables: %s: key)", bad.err, t)
		return nil
	}
	return t
}

// tableOf derives a foreign topic's table from its schemas, "" for no key. Where they do not tell the names, the topic
// does.
func tableOf(topic, key, value string) (*schemas.Table, error) {
	t, err := schemas.DeriveTable(key, value)
	if err == nil && t.Name == "" {
		t.Schema, t.Name = namesOf(topic)
	}
	return t, err
}

// keepKey gives t the key of the version before it. It returns false when t does not have its columns.
func keepKey(t, before *schemas.Table) bool {
	key := before.KeyColumns()
	for at, i := range key {
		if key[at] = t.Column(before.Columns[i].Name); key[at] < 0 {
			return false
		}
	}
	for at, i := range key {
		t.Columns[i].Key = at + 1
	}
	return true
}

// alone completes the stamp of a tombstone of ours whose delete was not read: the cleaner of a compacted topic leaves it
// as the last word on its key. It has no table of its own, so that of the record before it counts, else that of its time.
func (c *catalog) alone(ctx context.Context, r *kgo.Record, s stamp, last *codec) (stamp, error) {
	s.hasTable = true
	if last != nil && last.ours && last.topic == r.Topic {
		s.schema, s.table = last.id, last.stamp
		return s, nil
	}
	key, found := c.tables.keyAt(r.Topic, s.version.High)
	if !found {
		ctx, cancel := context.WithTimeout(ctx, lookupTimeout)
		defer cancel()
		if err := c.tables.refresh(ctx); err != nil {
			return s, err
		}
		if key, found = c.tables.keyAt(r.Topic, s.version.High); !found {
			return s, fmt.Errorf("topic %s does not describe %s yet", c.tables.topic, r.Topic)
		}
	}
	s.schema, s.table = key.SchemaID, key.Version
	return s, nil
}

// valueOf returns the schema id and the body of r's value. A record without value has the id of the schema that its value
// would have: a source of ours says it, the topic of another program is asked for (0: there is no schema, and nothing to
// delete).
func (c *catalog) valueOf(ctx context.Context, r *kgo.Record, s stamp, last *codec) (id uint32, body []byte, err error) {
	switch {
	case r.Value != nil:
		if id, body, err = schemas.SplitWire(r.Value); err != nil {
			return 0, nil, &unreadable{stageValue, err}
		}
		return id, body, nil
	case s.hasOp && s.schema == 0:
		return 0, nil, &unreadable{stageValue, fmt.Errorf("neither a value nor the header %s", schemas.HeaderSchema)}
	case s.hasOp:
		return s.schema, nil, nil
	case s.hasVersion || r.Key == nil:
		return s.schema, nil, nil
	}
	id, err = c.latest(ctx, r.Topic, last)
	return id, nil, err
}

// latest returns the id of the newest schema of a foreign topic's values, 0 where there is none that can be read.
func (c *catalog) latest(ctx context.Context, topic string, last *codec) (uint32, error) {
	if last != nil && last.topic == topic {
		return last.foreignID(), nil
	}
	ctx, cancel := context.WithTimeout(ctx, lookupTimeout)
	defer cancel()
	id, text, err := c.registry.Latest(ctx, topic+"-value")
	if errors.Is(err, registry.ErrNotRegistered) {
		return c.unregistered(ctx, topic)
	}
	if err != nil {
		return 0, err
	}
	if _, err := schemas.IsRow(text); err != nil {
		return 0, nil // what cannot be read has nothing to delete
	}
	return id, nil
}

// foreignID is the id of k's schema, 0 where it is ours: tombstones of ours have a version.
func (k *codec) foreignID() uint32 {
	if k.ours {
		return 0
	}
	return k.id
}

// unregistered is latest for a topic whose schemas have subjects of other names: one that was read from any of the
// topic's partitions tells, else the names that Debezium's envelope has under the strategies of subjects. A tombstone
// of which neither tells what it means is not passed over: it may delete a row.
func (c *catalog) unregistered(ctx context.Context, topic string) (uint32, error) {
	var newest *codec
	for _, k := range c.codecs {
		if k.topic == topic && (newest == nil || k.id > newest.id) {
			newest = k
		}
	}
	if newest != nil {
		return newest.foreignID(), nil
	}
	envelope := schemas.EnvelopeName(topic)
	for _, subject := range [...]string{envelope, topic + "-" + envelope} {
		id, _, err := c.registry.Latest(ctx, subject)
		if !errors.Is(err, registry.ErrNotRegistered) {
			return id, err
		}
	}
	return 0, &unreadable{stageValue, fmt.Errorf("a tombstone that may delete a row, but the schema of the topic's values is not known: subject %s-value "+
		"is not registered, and no value was read since the start (register the schema under that subject too, then write the tombstone again)", topic)}
}

// keySchema returns the text of the schema of r's key; for a record without key what the registry holds for the topic,
// "" when that is nothing: the topic has no keys.
func (c *catalog) keySchema(ctx context.Context, r *kgo.Record) (string, error) {
	if r.Key == nil {
		_, text, err := c.registry.Latest(ctx, r.Topic+"-key")
		if errors.Is(err, registry.ErrNotRegistered) {
			return "", nil
		}
		return text, err
	}
	id, _, err := schemas.SplitWire(r.Key)
	if err != nil {
		return "", &unreadable{stageKey, err}
	}
	return c.schema(ctx, id, stageKey)
}

// schema asks the registry. A schema that no retry makes readable, such as one that is not Avro, makes the record
// unreadable.
func (c *catalog) schema(ctx context.Context, id uint32, stage string) (string, error) {
	text, err := c.registry.ByID(ctx, id)
	if failure.Classify(err) == failure.Refused {
		return "", &unreadable{stage, err}
	}
	return text, err
}

// reused is about a record of ours, described in the tables topic, whose schema id means another table's schema now, or
// that of another version. The
// record is good: it is the registry that was restored from a backup or replaced, so the record waits, as one whose id is
// not known does.
func reused(id uint32, err error) error {
	return failure.WithHint(fmt.Errorf("the registry has given the id of schema %d to another: %w", id, err),
		"it was restored or replaced: restore the schemas with the ids that they had, or take the topic again from a new snapshot")
}

// newer reports whether c's table comes after the one that its topic's rows are mapped onto now.
func (c *catalog) newer(k *codec) bool {
	now := c.current[k.topic]
	switch {
	case now == nil:
		return true
	case !k.ours && k.keyed && k.source.Version == now.Source.Version:
		return len(now.Source.KeyColumns()) == 0 // only now a record shows the key
	}
	return k.source.Version > now.Source.Version && !k.source.SameShape(now.Source)
}

// behind reports whether the rows of the topic are mapped onto an earlier version than source, of another shape.
func (c *catalog) behind(topic string, source *schemas.Table) bool {
	now := c.current[topic]
	return now == nil || source.Version > now.Source.Version && !source.SameShape(now.Source)
}

// adopt makes the table the one that the topic's rows are mapped onto from now on.
func (c *catalog) adopt(topic string, source *schemas.Table) error {
	t, err := c.naming.table(topic, source)
	if err != nil {
		return err
	}
	if other, taken := c.owner[t.String()]; taken && other != topic {
		return failure.As(failure.Config, fmt.Errorf("topics %s and %s both go to the table %s", other, topic, t),
			"give one of them another name in the configuration of the target")
	}
	if before := c.current[topic]; before != nil {
		delete(c.owner, before.String())
	}
	c.owner[t.String()], c.current[topic] = topic, t
	return nil
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

// decode makes an event of a record's body. Its values alias the record and a.
func (c *catalog) decode(ctx context.Context, k *codec, r *kgo.Record, body []byte, s stamp, a *schemas.Arena) (e event, err error) {
	change := &c.change
	e = event{record: r, table: k.target, version: s.version}
	if r.Value == nil {
		k.value.DecodeNothing(change)
	} else if err := k.value.Decode(body, change, a); err != nil {
		return e, &unreadable{stageValue, err}
	}
	if k.value.Bare() && !s.hasOp {
		change.Source.Time = r.Timestamp.UnixMicro()
		e.plain = true
	}
	for i := range r.Headers {
		h := &r.Headers[i]
		if !strings.HasPrefix(h.Key, "syncline.") {
			continue
		}
		if err := k.value.ApplyHeader(change, h.Key, h.Value, a); err != nil {
			return e, &unreadable{stageValue, fmt.Errorf("header %s: %w", h.Key, err)}
		}
	}
	if !s.hasVersion {
		k.value.MarkPlaceholders(change)
	}
	e.op, e.time = change.Op, change.Source.Time
	if change.Op == schemas.Delete && change.Before == nil && r.Key != nil {
		if err := c.decodeKey(ctx, k, change, r.Key, a); err != nil {
			return e, err
		}
	}
	// Debezium fills what it does not know of an old row with zeros, and does not say so.
	e.beforeWhole = change.Before != nil && !change.BeforeKeyOnly && (k.ours || len(k.source.KeyColumns()) == 0)
	if err := check(change); err != nil {
		return e, &unreadable{stageValue, err}
	}
	if e.beforeWhole {
		fillUnchanged(change.After, change.Before)
	}
	if e.before, err = k.project(change.Before, a); err == nil {
		e.after, err = k.project(change.After, a)
	}
	return e, err
}

// check refuses a change that lacks the row that its operation speaks of.
func check(c *schemas.Change) error {
	switch c.Op {
	case schemas.Read, schemas.Create, schemas.Update:
		if c.After == nil {
			return fmt.Errorf("%s without a row", opName(c.Op))
		}
	case schemas.Delete:
		if c.Before == nil {
			return errors.New("delete without an old row or a key")
		}
	case schemas.Truncate, schemas.Message:
	default:
		return fmt.Errorf("unknown operation %q", rune(c.Op))
	}
	return nil
}

// decodeKey takes the old row of a delete from the record's key.
func (c *catalog) decodeKey(ctx context.Context, k *codec, change *schemas.Change, key []byte, a *schemas.Arena) error {
	id, body, err := schemas.SplitWire(key)
	if err != nil {
		return &unreadable{stageKey, err}
	}
	if k.key == nil || k.keyID != id {
		ctx, cancel := context.WithTimeout(ctx, lookupTimeout)
		defer cancel()
		text, err := c.schema(ctx, id, stageKey)
		if err != nil {
			return err
		}
		if k.key, err = schemas.NewKeyDecoder(text, k.source); err != nil {
			k.key = nil
			return &unreadable{stageKey, fmt.Errorf("schema %d: %w", id, err)}
		}
		k.keyID = id
	}
	row := a.Values(len(k.source.Columns))
	if err := k.key.Decode(body, row, a); err != nil {
		return &unreadable{stageKey, err}
	}
	change.Before, change.BeforeKeyOnly = row, true
	return nil
}

// fillUnchanged takes what an update did not send from the old row.
func fillUnchanged(after, before []schemas.Value) {
	for i := range after {
		if after[i].IsUnchanged() {
			after[i] = before[i]
		}
	}
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
