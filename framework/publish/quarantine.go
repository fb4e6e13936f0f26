package publish

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"go.uber.org/zap"

	"github.com/syncline-io/syncline/framework/crash"
	"github.com/syncline-io/syncline/framework/failure"
	"github.com/syncline-io/syncline/framework/registry"
	"github.com/syncline-io/syncline/schemas"
)

// A table whose schema the registry refuses may go to quarantine: from the change on that needs the schema, its changes go
// to the topic beside its own, in the same transactions as those of the other tables. Its own topic stands still, so that
// whoever reads it sees a table that has not changed, rather than one with a hole.
//
// The way back is at the beginning of a tenure, before anything new is read: what lies in the quarantine topic is written
// into the table's own, in its order and as if it had been written there at once, and the quarantine topic is deleted. So
// the order of each key is kept, and the topic's existence says that the table is in quarantine; nothing else remembers it.

// quarantineSubject is the subject of a schema that its own subject refuses: one for each schema, so that it has no
// history to fit. A second change of a table that is in quarantine already would else be refused there too.
func quarantineSubject(o *Options, topic string, key bool, schema string) (string, error) {
	own, err := ownSubject(o, topic, key, schema)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256([]byte(schema))
	return schemas.QuarantineTopic(own) + "." + hex.EncodeToString(sum[:4]), nil
}

// setAside begins the quarantine of a topic.
func (ts *tables) setAside(table, topic string, reason error) {
	ts.aside[topic] = true
	ts.stats.setAside(Quarantined{Topic: topic, Aside: schemas.QuarantineTopic(topic), Reason: reason.Error(), Since: time.Now()})
	ts.opts.Log.Error("the registry refuses a table's schema: its changes go to quarantine",
		zap.String("table", table), zap.String("topic", schemas.QuarantineTopic(topic)), zap.Error(reason))
}

// bringHome brings what lies in quarantine topics into the topics that it was meant for, as far as the registry takes the
// schemas now. Nobody else writes: the lease is held, and the predecessor's transactions are over.
func (t *tenure) bringHome(ctx context.Context) error {
	listed, err := t.topics.admin.ListTopics(ctx)
	if err != nil {
		return fmt.Errorf("look for topics in quarantine: %w", err)
	}
	for _, aside := range listed.Names() {
		own, ok := schemas.QuarantineOf(aside)
		if !ok || !strings.HasPrefix(own, t.opts.Mapping.Prefix+".") || listed[aside].Err != nil {
			continue
		}
		ours, _, err := t.topics.setAsideHere(ctx, aside, own)
		if err != nil {
			return fmt.Errorf("look whose topic %s is: %w", aside, err)
		}
		if !ours {
			t.opts.Log.Info("a topic has the name of a quarantine, and nothing that this connector has set aside: it is left alone",
				zap.String("topic", aside))
			continue
		}
		h := &homecoming{
			tenure: t, own: own, aside: aside, id: listed[aside].ID,
			last: map[int32]schemas.Version{}, ids: map[uint32]uint32{}, described: map[describedTable]bool{},
		}
		if err := h.run(ctx); err != nil {
			return fmt.Errorf("bring topic %s home: %w", aside, err)
		}
	}
	return nil
}

// errFirst ends the reading of a partition's beginning.
var errFirst = errors.New("the first record was read")

// setAsideHere looks at the first record of each partition of a topic that has the name of own's quarantine, committed or not:
// ours says that this connector has set it aside for own, empty that there is none.
func (ts *topics) setAsideHere(ctx context.Context, name, own string) (ours, empty bool, err error) {
	starts, err := ts.admin.ListStartOffsets(ctx, name)
	if err == nil {
		err = starts.Error()
	}
	if err != nil {
		return false, false, fmt.Errorf("look for the beginning of topic %s: %w", name, err)
	}
	ends, err := ts.admin.ListEndOffsets(ctx, name)
	if err == nil {
		err = ends.Error()
	}
	if err != nil {
		return false, false, fmt.Errorf("look for the end of topic %s: %w", name, err)
	}
	empty = true
	for p, start := range starts[name] {
		end, _ := ends.Lookup(name, p)
		if start.Offset >= end.Offset {
			continue
		}
		err := ts.readAs(ctx, kgo.ReadUncommitted(), name, map[int32]span{p: {start.Offset, end.Offset}}, func(r *kgo.Record) error {
			empty = false
			ours = ours || ts.opts.marked(r, own)
			return errFirst
		}, nil)
		if err != nil && !errors.Is(err, errFirst) {
			return false, false, err
		}
	}
	return ours, empty, nil
}

// marked says whether this connector has set the record aside for the topic own.
func (o *Options) marked(r *kgo.Record, own string) bool {
	mark := schemas.QuarantineMark(o.Name, own)
	return slices.ContainsFunc(r.Headers, func(x kgo.RecordHeader) bool {
		return x.Key == schemas.HeaderQuarantine && string(x.Value) == mark
	})
}

// homecoming is the way of one quarantine topic's records into the topic that they were meant for.
type homecoming struct {
	*tenure
	own, aside string
	id         kadm.TopicID // of the quarantine topic, zero where the brokers know none
	kafka      *transactor
	last       map[int32]schemas.Version // in each partition of the quarantine topic
	spans      map[int32]span
	newest     map[int32]schemas.Version // of what is in the own topic
	ids        map[uint32]uint32         // the own topic's ids by those of quarantine
	described  map[describedTable]bool
	brought    int // records
}

// describedTable is a table version that the own topic must be described with.
type describedTable struct {
	id      uint32
	version uint64
}

// errStays says that the registry still refuses a schema.
type errStays struct{ reason error }

func (e *errStays) Error() string { return e.reason.Error() }

func (h *homecoming) run(ctx context.Context) error {
	if err := h.fence(ctx); err != nil {
		return err
	}
	defer h.kafka.Close()
	crash.Point("publish.home-after-fence")
	var settled bool
	var err error
	if h.spans, settled, err = h.topics.spans(ctx, h.aside); err != nil {
		return err
	}
	if !settled { // to delete it would lose what is committed a moment later
		return errors.New("a transaction is open in it")
	}
	own, err := h.topics.ensure(ctx, h.own, h.partitions(), h.opts.Topics.Configs)
	if err != nil {
		return err
	}
	if h.newest, err = h.topics.newestByPartition(ctx, own.name); err != nil {
		return err
	}
	err = h.topics.read(ctx, h.aside, h.spans, func(r *kgo.Record) error { return h.prepare(ctx, r) }, nil)
	if stays, ok := errors.AsType[*errStays](err); ok {
		return h.stay(stays.reason)
	}
	if err != nil {
		return err
	}
	if err := h.describe(ctx); err != nil {
		return err
	}
	crash.Point("publish.home-after-description")
	if err := h.copy(ctx); err != nil {
		return err
	}
	if h.opts.Sync != nil {
		// A loss of power must not take the records, once they are nowhere else.
		if err := h.opts.Sync(); err != nil {
			return err
		}
	}
	// A successor may be setting changes aside in the same topic meanwhile: only who still can commit may delete it.
	if _, err := h.writeMark(ctx); err != nil {
		return fmt.Errorf("write to topic %s: %w", h.opts.offsetsTopic(), err)
	}
	crash.Point("publish.home-before-removal")
	if err := h.remove(ctx); err != nil {
		return err
	}
	crash.Point("publish.home-after-removal")
	h.opts.Log.Info("a table's quarantine is over: its changes are in its own topic",
		zap.String("topic", h.own), zap.Int("records", h.brought))
	return nil
}

// fence makes the client that writes the records. With its producer id a predecessor's transaction is over, committed or
// not: only then do the versions in the own topic tell how far that one came.
func (h *homecoming) fence(ctx context.Context) (err error) {
	if h.kafka, err = h.opts.homecomer(h.topics); err != nil || h.opts.AtLeastOnce {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	if _, err = epoch(ctx, h.kafka.Client); err != nil {
		h.kafka.Close()
	}
	return err
}

// partitions is how many the own topic must have if it has to be made.
func (h *homecoming) partitions() int32 { return max(h.opts.Topics.Partitions, 1) }

// stay leaves the table in quarantine for this tenure.
func (h *homecoming) stay(reason error) error {
	if !h.opts.Quarantine {
		err := fmt.Errorf("the changes in it cannot follow those in topic %s: %w", h.own, reason)
		return failure.As(failure.Config, err, "or set on_refused_schema: quarantine again, to leave them there")
	}
	ts := &tables{opts: h.opts, stats: h.stats, aside: h.tenure.aside}
	ts.setAside(h.own, h.own, reason)
	return nil
}

// outstanding says whether the record is not in the own topic yet. A tombstone has the version of its deletion, and may
// be repeated.
func (h *homecoming) outstanding(r *kgo.Record) (bool, error) {
	if !h.opts.marked(r, h.own) {
		return false, failure.As(failure.Config, fmt.Errorf("the record at offset %d of partition %d is no change in quarantine", r.Offset, r.Partition),
			"the names of such topics are kept for quarantine: another program must not write to it")
	}
	v, _, err := versionOf(r)
	if err != nil {
		return false, err
	}
	h.last[r.Partition] = v
	c := v.Compare(h.newest[r.Partition])
	return c > 0 || c == 0 && r.Value == nil, nil
}

// prepare registers the schemas of a record under the subjects of its own topic.
func (h *homecoming) prepare(ctx context.Context, r *kgo.Record) error {
	out, err := h.outstanding(r)
	if err != nil || !out {
		return err
	}
	if r.Key != nil {
		old, _, err := schemas.SplitWire(r.Key)
		if err == nil {
			err = h.register(ctx, true, old)
		}
		if err != nil {
			return err
		}
	}
	old, ok, err := valueSchema(r)
	if err != nil || !ok {
		return err
	}
	for _, x := range r.Headers {
		if x.Key == schemas.HeaderTable && len(x.Value) == 8 {
			h.described[describedTable{old, binary.BigEndian.Uint64(x.Value)}] = true
		}
	}
	return h.register(ctx, false, old)
}

// valueSchema returns the id of the schema of a record's value, or that a header tells for a value that is not there; ok
// is false for the tombstone after a delete.
func valueSchema(r *kgo.Record) (id uint32, ok bool, err error) {
	if r.Value != nil {
		id, _, err = schemas.SplitWire(r.Value)
		return id, true, err
	}
	for _, x := range r.Headers {
		if x.Key == schemas.HeaderSchema && len(x.Value) == 4 {
			return binary.BigEndian.Uint32(x.Value), true, nil
		}
	}
	return 0, false, nil
}

// register finds out which id the schema has under the subject of the own topic.
func (h *homecoming) register(ctx context.Context, key bool, old uint32) error {
	if h.ids[old] != 0 {
		return nil
	}
	text, err := h.opts.Registry.ByID(ctx, old)
	if err != nil {
		return err
	}
	subject, err := ownSubject(h.opts, h.own, key, text)
	if err != nil {
		return err
	}
	h.ids[old], err = h.opts.Registry.Register(ctx, subject, text)
	if errors.Is(err, registry.ErrRefused) {
		return &errStays{err}
	}
	return err
}

// describe writes to the tables topic what the own topic's records will need: the same tables, under the ids that they
// have there.
func (h *homecoming) describe(ctx context.Context) error {
	if len(h.described) == 0 {
		return nil
	}
	name := h.opts.tablesTopic()
	spans, _, err := h.topics.spans(ctx, name)
	if err != nil {
		return err
	}
	found := map[describedTable]*schemas.Table{}
	err = h.topics.read(ctx, name, spans, func(r *kgo.Record) error {
		key, table, err := schemas.ParseTableRecord(r.Key, r.Value)
		if d := (describedTable{key.SchemaID, key.Version}); err == nil && table != nil && key.Topic == h.aside && h.described[d] {
			found[d] = table
		}
		return nil // what cannot be read is another program's
	}, nil)
	if err != nil {
		return fmt.Errorf("read topic %s: %w", name, err)
	}
	ts := &tables{opts: h.opts, side: h.side}
	for _, d := range h.inOrder() {
		table := found[d]
		if table == nil {
			return fmt.Errorf("topic %s does not describe schema %d at table version %d", name, d.id, d.version)
		}
		if err := ts.announce(ctx, h.own, h.ids[d.id], table); err != nil {
			return err
		}
	}
	return nil
}

// inOrder returns the versions to describe, oldest first, as the tables topic has them otherwise too.
func (h *homecoming) inOrder() []describedTable {
	return slices.SortedFunc(maps.Keys(h.described), func(a, b describedTable) int { return cmp.Compare(a.version, b.version) })
}

// copy writes the records, poll by poll, each in a transaction of its own. Where it was interrupted, the versions in the
// own topic tell how far it came.
func (h *homecoming) copy(ctx context.Context) error {
	c := &copier{homecoming: h}
	if err := h.topics.read(ctx, h.aside, h.spans, c.take, func() error { return c.commit(ctx) }); err != nil {
		return fmt.Errorf("write to topic %s: %w", h.own, err)
	}
	return nil
}

// copier writes records to their own topic.
type copier struct {
	*homecoming
	records []*kgo.Record // of the poll
}

func (c *copier) take(r *kgo.Record) error {
	out, err := c.outstanding(r)
	if err != nil || !out {
		return err
	}
	// With the time of then the topic's retention could remove it before anybody has read it.
	home := &kgo.Record{Topic: c.own, Partition: r.Partition, Timestamp: time.Now()}
	if home.Key, err = c.rewrite(r.Key); err != nil {
		return err
	}
	if home.Value, err = c.rewrite(r.Value); err != nil {
		return err
	}
	for _, x := range r.Headers {
		switch {
		case x.Key == schemas.HeaderQuarantine:
			continue
		case x.Key == schemas.HeaderSchema && len(x.Value) == 4:
			x.Value = binary.BigEndian.AppendUint32(nil, c.ids[binary.BigEndian.Uint32(x.Value)])
		}
		home.Headers = append(home.Headers, x)
	}
	c.records = append(c.records, home)
	return nil
}

// rewrite gives the bytes the id of the own topic's schema; the rest is the same on the wire.
func (c *copier) rewrite(wire []byte) ([]byte, error) {
	if wire == nil {
		return nil, nil
	}
	old, _, err := schemas.SplitWire(wire)
	if err != nil {
		return nil, err
	}
	wire = slices.Clone(wire)
	binary.BigEndian.PutUint32(wire[1:], c.ids[old])
	return wire, nil
}

func (c *copier) commit(ctx context.Context) error {
	if len(c.records) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, c.opts.TransactionTimeout)
	defer cancel()
	if c.opts.AtLeastOnce {
		if err := c.kafka.ProduceSync(ctx, c.records...).FirstErr(); err != nil {
			return err
		}
	} else if err := c.transaction(ctx); err != nil {
		return err // the next tenure's client aborts what is open
	}
	c.brought += len(c.records)
	c.records = c.records[:0]
	return nil
}

func (c *copier) transaction(ctx context.Context) error {
	if err := c.kafka.BeginTransaction(); err != nil {
		return err
	}
	began, err := epoch(ctx, c.kafka.Client)
	if err != nil {
		return err
	}
	if err := c.kafka.ProduceSync(ctx, c.records...).FirstErr(); err != nil {
		return err
	}
	now, err := epoch(ctx, c.kafka.Client)
	if err != nil {
		return err
	}
	if now != began { // see committer.end
		return errEpochChanged
	}
	crash.Point("publish.home-before-commit")
	err = c.kafka.EndTransaction(ctx, kgo.TryCommit)
	crash.Point("publish.home-after-commit")
	return err
}

// remove deletes the quarantine topic, all of whose records are in their own.
func (h *homecoming) remove(ctx context.Context) error {
	newest, err := h.topics.newestByPartition(ctx, h.own)
	if err != nil {
		return err
	}
	for p, last := range h.last {
		if newest[p].Compare(last) < 0 {
			return fmt.Errorf("it is kept: partition %d of topic %s ends at version %s, and its own at %s", p, h.own, newest[p], last)
		}
	}
	if err := deleteTopic(ctx, h.side, h.aside, h.id); err != nil {
		return failure.WithHint(fmt.Errorf("its records are in topic %s now; delete it: %w", h.own, err),
			"the user needs Delete on the topic; or delete it yourself")
	}
	return nil
}

// deleteTopic deletes a topic by its id where it has one, so that who was frozen does not delete a younger topic of the same name.
func deleteTopic(ctx context.Context, cl *kgo.Client, name string, id kadm.TopicID) error {
	req := kmsg.NewPtrDeleteTopicsRequest()
	req.TopicNames = []string{name} // for brokers that are too old for ids
	t := kmsg.NewDeleteTopicsRequestTopic()
	if id == (kadm.TopicID{}) {
		t.Topic = &name
	} else {
		t.TopicID = id
	}
	req.Topics = append(req.Topics, t)
	resp, err := req.RequestWith(ctx, cl)
	if err != nil {
		return err
	}
	for _, t := range resp.Topics {
		if err := kerr.ErrorForCode(t.ErrorCode); err != nil {
			return err
		}
	}
	return nil
}
