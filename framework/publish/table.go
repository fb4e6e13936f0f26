package publish

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/zap"

	"github.com/syncline-io/syncline/framework/crash"
	"github.com/syncline-io/syncline/framework/failure"
	"github.com/syncline-io/syncline/framework/registry"
	"github.com/syncline-io/syncline/schemas"
)

// versionsKept is how many versions of one table keep their encoder. A source moves from one to the next; an older one
// that comes again is prepared again.
const versionsKept = 4

// table is one version of a source table, ready to be published.
type table struct {
	table      *schemas.Table
	encoder    *schemas.Encoder
	topic      string
	aside      []byte // of a table in quarantine: the value of schemas.HeaderQuarantine
	keyed      bool
	rows       bool // the values are rows, without an envelope
	partitions int32
	compacted  bool
	maxRecord  int    // bytes, as recordSize counts
	counted    string // the name under which changes count in the end of their transaction
	// version is the value of schemas.HeaderTable.
	version []byte
	// schemaID is the value of schemas.HeaderSchema.
	schemaID []byte
	// names are the columns' names as JSON strings; raw and rawBefore the header names, made when first needed.
	names          [][]byte
	raw, rawBefore []string

	*stream
}

// stream is what all versions of a table share: it becomes one topic.
type stream struct {
	of      string // schema.name
	last    schemas.Version
	held    *schemas.Version // the newest that was in the topic before this tenure; nil until it is known
	emitted prometheus.Counter
	kept    []*schemas.Table // versions with an encoder, oldest first
}

// tables holds the tables met in this tenure. It belongs to the emitter's goroutine.
type tables struct {
	opts   *Options
	topics *topics
	stats  *stats
	// side writes the tables topic, outside of the transactions.
	side *kgo.Client
	// guard watches the ids in use.
	guard *guard
	// aside are the topics whose changes go to quarantine in this tenure.
	aside map[string]bool
	// ahead says that what a topic holds already must be older than what comes.
	ahead bool

	latest  *table
	known   map[*schemas.Table]*table
	streams map[string]*stream // by topic
}

// of returns the table ready for publishing, preparing it when it is met for the first time: its topic exists and is
// fit, its schemas are registered, and its record in the tables topic is acknowledged.
func (ts *tables) of(ctx context.Context, t *schemas.Table) (*table, error) {
	if ts.latest != nil && ts.latest.table == t {
		return ts.latest, nil
	}
	known := ts.known[t]
	if known == nil {
		var err error
		if known, err = ts.insist(ctx, t); err != nil {
			return nil, err
		}
	}
	ts.latest = known
	return known, nil
}

// insist prepares the table, trying again while the registry or Kafka is in trouble. The lease and what is buffered are
// kept meanwhile, and what is buffered goes on to be committed.
func (ts *tables) insist(ctx context.Context, t *schemas.Table) (*table, error) {
	if t == nil {
		return nil, errors.New("the source sent a change without a table")
	}
	var backoff failure.Backoff
	for {
		known, err := ts.prepare(ctx, t)
		if backoff.Tries() > 0 && err == nil {
			ts.stats.recovered()
		}
		if err == nil || failure.Classify(err) != failure.Retry || ctx.Err() != nil {
			return known, err
		}
		wait := backoff.Next(err)
		ts.opts.Log.Error("a table cannot be published yet, trying again",
			zap.Stringer("table", t), zap.Error(err), zap.Duration("wait", wait))
		ts.stats.retrying(err)
		if err := failure.Sleep(ctx, wait); err != nil {
			return nil, err
		}
	}
}

func (ts *tables) prepare(ctx context.Context, t *schemas.Table) (*table, error) {
	encoder, err := schemas.NewEncoder(t, ts.opts.Mapping)
	if err != nil {
		return nil, failure.As(failure.Config, fmt.Errorf("table %s: %w", t, err), "change the table or leave it out of the connector's tables")
	}
	s, err := ts.stream(encoder.Topic(), t)
	if err != nil {
		return nil, err
	}
	for _, k := range s.kept {
		if k.Version == t.Version && k.SameShape(t) {
			return ts.known[k], nil // the same version again, from another announcement of the source's
		}
	}
	topic, err := ts.topics.forTable(ctx, encoder.Topic(), t)
	if err != nil {
		return nil, err
	}
	to, key, value, err := ts.place(ctx, encoder, topic)
	if err != nil {
		return nil, err
	}
	if err := ts.look(ctx, s, topic, to); err != nil {
		return nil, err
	}
	encoder.SetIDs(key, value)
	if t.Content == schemas.ContentRows {
		crash.Point("publish.before-description")
		if err := ts.announce(ctx, to.name, value, t); err != nil {
			return nil, err
		}
		crash.Point("publish.after-description")
	}
	s.emitted = ts.stats.changes.WithLabelValues(to.name)
	known := newTable(t, encoder, to, s)
	if to.name != topic.name {
		known.aside = []byte(schemas.QuarantineMark(ts.opts.Name, topic.name))
	}
	known.schemaID = binary.BigEndian.AppendUint32(nil, value)
	ts.keep(known)
	return known, nil
}

// look finds out once what the topics hold already, where that must be older than what comes.
func (ts *tables) look(ctx context.Context, s *stream, own, to topic) error {
	if !ts.ahead || s.held != nil {
		return nil
	}
	var held schemas.Version
	for _, t := range slices.CompactFunc([]topic{own, to}, func(a, b topic) bool { return a.name == b.name }) {
		if t.fresh {
			continue
		}
		newest, err := ts.topics.newest(ctx, t.name)
		if err != nil {
			return err
		}
		if newest.Compare(held) > 0 {
			held = newest
		}
	}
	s.held = &held
	return nil
}

// described reports whether the tables topic describes the table: it does unless the topic has no rows.
func (t *table) described() bool { return t.table.Content == schemas.ContentRows }

// place registers the table's schemas and returns the topic that its changes go to: its own, or the one beside it while
// the registry refuses a schema. A table that is in quarantine stays there for the tenure, whatever becomes of its schema:
// what it has in there comes before what is new.
func (ts *tables) place(ctx context.Context, e *schemas.Encoder, own topic) (to topic, key, value uint32, err error) {
	if !ts.aside[own.name] {
		key, value, err = ts.register(ctx, e, ownSubject)
		if err == nil || !ts.opts.Quarantine || !errors.Is(err, registry.ErrRefused) || e.Table().Content != schemas.ContentRows {
			return own, key, value, err
		}
		ts.setAside(e.Table().String(), own.name, err)
	}
	if to, err = ts.topics.forQuarantine(ctx, own); err != nil {
		return to, 0, 0, err
	}
	crash.Point("publish.after-quarantine-topic")
	key, value, err = ts.register(ctx, e, quarantineSubject)
	return to, key, value, err
}

func newTable(t *schemas.Table, e *schemas.Encoder, to topic, s *stream) *table {
	return &table{
		table:      t,
		encoder:    e,
		topic:      to.name,
		keyed:      e.KeySchema() != "",
		rows:       e.Shape() == schemas.ShapeRow,
		partitions: to.partitions,
		compacted:  to.compacted,
		maxRecord:  to.maxRecord,
		counted:    countedAs(t),
		version:    binary.BigEndian.AppendUint64(nil, t.Version),
		stream:     s,
	}
}

func countedAs(t *schemas.Table) string {
	if t.Content == schemas.ContentMessages {
		return schemas.MessagesCounted
	}
	return t.String()
}

// stream returns what the versions of t share, and refuses a topic that another table already has.
func (ts *tables) stream(topic string, t *schemas.Table) (*stream, error) {
	s := ts.streams[topic]
	if s == nil {
		s = &stream{of: t.String()}
		ts.streams[topic] = s
	}
	if s.of != t.String() {
		err := fmt.Errorf("tables %s and %s have the same topic %s", s.of, t, topic)
		return nil, failure.As(failure.Config, err, "rename one of them or leave it out of the connector's tables")
	}
	return s, nil
}

// register gives the schemas their ids, which are watched from then on.
func (ts *tables) register(ctx context.Context, e *schemas.Encoder, subject subjectOf) (key, value uint32, err error) {
	if e.KeySchema() != "" {
		if key, err = ts.registerOne(ctx, e, subject, true, e.KeySchema()); err != nil {
			return 0, 0, fmt.Errorf("table %s: %w", e.Table(), err)
		}
	}
	crash.Point("publish.between-schemas")
	if value, err = ts.registerOne(ctx, e, subject, false, e.ValueSchema()); err != nil {
		return 0, 0, fmt.Errorf("table %s: %w", e.Table(), err)
	}
	return key, value, nil
}

func (ts *tables) registerOne(ctx context.Context, e *schemas.Encoder, subject subjectOf, key bool, schema string) (uint32, error) {
	name, err := subject(ts.opts, e.Topic(), key, schema)
	if err != nil {
		return 0, err
	}
	id, err := ts.opts.Registry.Register(ctx, name, schema)
	if err == nil {
		ts.guard.watch(watched{subject: name, schema: schema, id: id})
	}
	return id, err
}

// subjectOf names the subject of a schema of the topic's keys or values.
type subjectOf func(o *Options, topic string, key bool, schema string) (string, error)

func ownSubject(o *Options, topic string, key bool, schema string) (string, error) {
	subject, err := o.Subjects.Subject(topic, key, schema)
	return subject, failure.As(failure.Config, err, "set registry.subject_name_strategy: topic")
}

// announce writes the table to the tables topic and waits until it is there: whoever reads the first record that was
// written with this schema can look the table up. It is not part of a transaction, and writing it again does no harm.
func (ts *tables) announce(ctx context.Context, topic string, schemaID uint32, t *schemas.Table) error {
	key, value, err := schemas.AppendTableRecord(topic, schemaID, t)
	if err != nil {
		return fmt.Errorf("table %s: %w", t, err)
	}
	r := &kgo.Record{Topic: ts.opts.tablesTopic(), Key: key, Value: value}
	if err := produceSync(ctx, ts.side, r); err != nil {
		err = fmt.Errorf("write table %s to topic %s: %w", t, r.Topic, err)
		if spent(ctx, ts.side) {
			return failure.As(failure.Fenced, err, "") // the next tenure has another client
		}
		return err
	}
	return nil
}

func (ts *tables) keep(t *table) {
	ts.known[t.table] = t
	t.kept = append(t.kept, t.table)
	if len(t.kept) > versionsKept {
		delete(ts.known, t.kept[0])
		t.kept = append(t.kept[:0], t.kept[1:]...)
	}
}

// needless reports whether a truncate is the source's own, before it reads the table, and there is nothing for it to remove in a
// topic that could not take it: a table that was renamed is read again into a new topic.
func (ts *tables) needless(ctx context.Context, t *table, c *schemas.Change) (bool, error) {
	if !t.compacted || c.Source.Snapshot == schemas.SnapshotFalse || t.last != (schemas.Version{}) {
		return false, nil
	}
	holds, err := ts.topics.holds(ctx, t.topic)
	return !holds, err
}

// takes checks what order and the guards in the targets rest on, and that the topic has a place for the change.
func (t *table) takes(c *schemas.Change) error {
	if c.Op == schemas.Truncate && t.compacted {
		// The brokers would refuse the record, and with it its transaction, for ever.
		err := fmt.Errorf("table %s was truncated, and topic %s is compacted: it takes no record without a key", t.of, t.topic)
		return failure.As(failure.Config, err, "set the topic's cleanup.policy to delete and start again; the truncate is sent then")
	}
	return t.grows(c)
}

// grows checks that versions grow.
func (t *table) grows(c *schemas.Change) error {
	if t.held != nil && c.Version.Compare(*t.held) <= 0 {
		return t.backwards(c)
	}
	if c.Version.Compare(t.last) > 0 {
		return nil
	}
	return fmt.Errorf("table %s: the source sent a change of version %s after %s; versions must grow", t.of, c.Version, t.last)
}

// backwards is about a source that is not the one that filled the topic, or is it no more: another server, or one from a
// backup. Sinks would take its changes for repeats of what they have, and drop them.
// A topic without rows is the prefix's, so that it may as well be that two connectors have the same.
func (t *table) backwards(c *schemas.Change) error {
	if !t.described() {
		err := fmt.Errorf("topic %s holds %s up to version %s, and the source begins at %s: another connector with the same prefix writes to it, "+
			"or the source is another server, or was restored from a backup", t.topic, t.table.Content, *t.held, c.Version)
		return failure.As(failure.Gap, err, "give each connector a topic_prefix of its own, or have but one of them publish "+string(t.table.Content)+
			"; if there is no other connector, delete topic "+t.topic+" and start again")
	}
	err := fmt.Errorf("topic %s holds changes of table %s up to version %s, and the source begins at %s: it is another server, or was restored from a backup",
		t.topic, t.of, *t.held, c.Version)
	return failure.As(failure.Gap, err, "delete topic "+t.topic+" and start again; the table is published whole into a new one, "+
		"and a sink of the old one stops and says how it goes on")
}

// rowHeaders appends what the envelope would say of a change whose record is the row alone, or nothing.
func (t *table) rowHeaders(b *batch, c *schemas.Change, absent bool) {
	start := len(b.data)
	b.data = append(b.data, byte(c.Op))
	b.header(schemas.HeaderOp, b.data[start:len(b.data):len(b.data)])
	start = len(b.data)
	b.data = schemas.AppendOrigin(b.data, &c.Source)
	b.header(schemas.HeaderSource, b.data[start:len(b.data):len(b.data)])
	if absent {
		b.header(schemas.HeaderSchema, t.schemaID)
	}
}

// besideHeaders appends the headers with what the value cannot say.
func (t *table) besideHeaders(b *batch, c *schemas.Change) {
	if t.aside != nil {
		b.header(schemas.HeaderQuarantine, t.aside)
	}
	beside := t.encoder.Beside()
	if len(beside.Unchanged) > 0 {
		b.header(schemas.HeaderUnchanged, t.appendUnchanged(b, beside.Unchanged))
	}
	if c.Before != nil && c.BeforeKeyOnly && !t.rows {
		b.header(schemas.HeaderBefore, beforeKey)
	}
	for _, v := range beside.RawAfter {
		b.header(rawName(&t.raw, schemas.HeaderRaw, t.table, v.Column), appendCopy(b, v.Text))
	}
	for _, v := range beside.RawBefore {
		b.header(rawName(&t.rawBefore, schemas.HeaderRawBefore, t.table, v.Column), appendCopy(b, v.Text))
	}
	t.otherKey(b, c)
}

// otherKey appends the header of a key change, which Debezium's tombstones have too.
func (t *table) otherKey(b *batch, c *schemas.Change) {
	if c.OtherKey == nil || !t.keyed {
		return
	}
	name := schemas.HeaderOldKey
	if c.Op == schemas.Delete {
		name = schemas.HeaderNewKey
	}
	start := len(b.data)
	b.data = t.encoder.AppendKeyJSON(b.data, c.OtherKey)
	b.header(name, b.data[start:len(b.data):len(b.data)])
}

var beforeKey = []byte("key")

// appendUnchanged appends the JSON array of the columns' names.
func (t *table) appendUnchanged(b *batch, columns []int) []byte {
	if t.names == nil {
		for _, c := range t.table.Columns {
			name, err := json.Marshal(c.Name)
			if err != nil {
				panic(err) // a string always has a JSON form
			}
			t.names = append(t.names, name)
		}
	}
	start := len(b.data)
	b.data = append(b.data, '[')
	for i, c := range columns {
		if i > 0 {
			b.data = append(b.data, ',')
		}
		b.data = append(b.data, t.names[c]...)
	}
	b.data = append(b.data, ']')
	return b.data[start:len(b.data):len(b.data)]
}

// rawName returns prefix with the column's name, made once per table.
func rawName(names *[]string, prefix string, t *schemas.Table, column int) string {
	if *names == nil {
		for i := range t.Columns {
			*names = append(*names, prefix+t.Columns[i].Name)
		}
	}
	return (*names)[column]
}

func appendCopy(b *batch, text []byte) []byte {
	start := len(b.data)
	b.data = append(b.data, text...)
	return b.data[start:len(b.data):len(b.data)]
}
