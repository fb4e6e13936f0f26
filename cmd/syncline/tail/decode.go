package tail

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/linkedin/goavro/v2"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/syncline-io/syncline/framework/failure"
	"github.com/syncline-io/syncline/framework/load"
	"github.com/syncline-io/syncline/framework/registry"
	"github.com/syncline-io/syncline/schemas"
)

// hexBytes is how much of what cannot be decoded is shown.
const hexBytes = 32

// decoder makes events of records.
type decoder struct {
	inspector       *load.Inspector
	registry        *registry.Client
	reached         bool // the registry has answered once
	offsets, tables string
	headers         bool
	codecs          map[uint32]*goavro.Codec // of Avro that is no change event; nil for a change event's schema
	kinds           map[uint32]Kind          // of the same schemas' records
}

func newDecoder(o *Options) *decoder {
	d := &decoder{
		registry: o.Registry, headers: o.Headers, codecs: map[uint32]*goavro.Codec{}, kinds: map[uint32]Kind{},
		offsets: o.InternalPrefix + ".offsets.", tables: o.InternalPrefix + ".tables",
	}
	if o.Registry != nil {
		d.inspector = load.NewInspector(o.Kafka, o.Registry, o.InternalPrefix)
	}
	return d
}

// event decodes a record. What is wrong with the record is in the event; an error ends the run: there is no registry to ask.
func (d *decoder) event(ctx context.Context, r *kgo.Record) (*Event, error) {
	e := &Event{Topic: r.Topic, Partition: r.Partition, Offset: r.Offset, Timestamp: r.Timestamp.UTC()}
	if d.headers {
		e.Headers = headersOf(r)
	}
	switch {
	case strings.HasPrefix(r.Topic, d.offsets):
		d.position(e, r)
		return e, nil
	case r.Topic == d.tables:
		d.table(e, r)
		return e, nil
	}
	if err := d.reach(ctx); err != nil {
		return nil, err
	}
	if letter := deadLetterOf(r); letter != nil {
		d.deadLetter(ctx, e, r, letter)
		return e, nil
	}
	d.key(ctx, e, r)
	d.change(ctx, e, r)
	return e, nil
}

// reach asks the registry once whether it is there: without it nothing could be decoded, and each record would say so.
func (d *decoder) reach(ctx context.Context) error {
	if d.reached {
		return nil
	}
	if d.registry == nil {
		return failure.As(failure.Config, errors.New("the topic's records need a schema registry, and none is named"), "give --registry or --config")
	}
	if err := d.registry.Check(ctx); err != nil {
		return err
	}
	d.reached = true
	return nil
}

// fails notes that a key or value could not be decoded; the first problem counts.
func (e *Event) fails(err error, b []byte) {
	if e.Error == "" {
		e.Error, e.Hex = err.Error(), hex.EncodeToString(b[:min(len(b), hexBytes)])
	}
}

// key decodes the record's key: columns, or else a single value.
func (d *decoder) key(ctx context.Context, e *Event, r *kgo.Record) {
	if r.Key == nil {
		return
	}
	t, row, err := d.inspector.Key(ctx, r)
	if err == nil {
		e.Key, e.keyTable, e.keyRow = keyOf(t, row), t, row
		return
	}
	if value, ok := d.other(ctx, r.Key); ok {
		e.Key = bare(strings.Trim(string(value), `"`), value)
		return
	}
	if utf8.Valid(r.Key) && bytes.IndexByte(r.Key, 0) < 0 {
		e.Key = bare(string(r.Key), quoted(string(r.Key)))
		return
	}
	e.fails(err, r.Key)
}

// change decodes a change event, a tombstone, or else other Avro.
func (d *decoder) change(ctx context.Context, e *Event, r *kgo.Record) {
	c, whole, err := d.inspector.Change(ctx, r)
	switch {
	case err == nil && c == nil:
		e.Kind, e.Version = TombstoneKind, versionOf(r)
		return
	case err == nil:
		e.Kind = ChangeKind
		e.describe(c, whole, r)
		return
	}
	if value, ok := d.other(ctx, r.Value); ok {
		id, _, _ := schemas.SplitWire(r.Value)
		if e.Kind, e.Document, e.Version = d.kinds[id], value, versionOf(r); e.Kind == MessageKind {
			e.Op = string(rune(schemas.Message))
		}
		return
	}
	e.Kind = UnreadableKind
	e.fails(err, r.Value)
}

// describe fills in what a change says.
func (e *Event) describe(c *schemas.Change, whole bool, r *kgo.Record) {
	t := c.Table
	e.Op, e.Table, e.Version = string(rune(c.Op)), t.String(), versionOf(r)
	e.Source = &Source{
		Time: time.UnixMicro(c.Source.Time).UTC(), TxID: c.Source.TxID, Snapshot: string(c.Source.Snapshot),
		Origin: c.Source.ReplicationOrigin,
	}
	if c.Source.LSN != 0 {
		e.Source.LSN = lsn(c.Source.LSN)
	}
	if c.Before != nil {
		e.BeforeComplete = whole
		if e.Before = rowOf(t, c.Before); c.BeforeKeyOnly {
			e.Before = keyOf(t, c.Before)
		}
	}
	if c.After == nil {
		return
	}
	e.After = rowOf(t, c.After)
	for i := range c.After {
		switch {
		case c.After[i].IsUnchanged():
			e.Unchanged = append(e.Unchanged, t.Columns[i].Name)
		case e.BeforeComplete && !load.SameValue(c.Before[i], c.After[i]):
			e.Changed = append(e.Changed, t.Columns[i].Name)
		}
	}
}

// other decodes Avro that is no change event. ok is false for what is not Avro, and for a change event: what is wrong with
// that one is the better answer.
func (d *decoder) other(ctx context.Context, b []byte) (value json.RawMessage, ok bool) {
	id, body, err := schemas.SplitWire(b)
	if err != nil {
		return nil, false
	}
	codec, known := d.codecs[id]
	if !known {
		text, err := d.registry.ByID(ctx, id)
		if err != nil {
			return nil, false
		}
		if !schemas.IsEnvelope(text) {
			codec, _ = goavro.NewCodecForStandardJSONFull(text) // nil for a schema that goavro cannot read
		}
		d.codecs[id], d.kinds[id] = codec, kindOf(text)
	}
	if codec == nil {
		return nil, false
	}
	native, rest, err := codec.NativeFromBinary(body)
	if err != nil || len(rest) > 0 {
		return nil, false
	}
	value, err = codec.TextualFromNative(nil, native)
	return value, err == nil && json.Valid(value)
}

// kindOf tells what records of a schema are that is no change event's.
func kindOf(schema string) Kind {
	switch schemas.ContentOf(schema) {
	case schemas.ContentMessages:
		return MessageKind
	case schemas.ContentTransactions:
		return MarkKind
	}
	return RecordKind
}

// position reads a record of an offsets topic.
func (d *decoder) position(e *Event, r *kgo.Record) {
	e.Kind, e.Key = PositionKind, bare(string(r.Key), quoted(string(r.Key)))
	switch {
	case strings.HasSuffix(string(r.Key), "#tenure"):
		e.Kind = TenureKind
	case strings.HasSuffix(string(r.Key), "#state"):
		e.Kind = StateKind
	}
	if r.Value == nil {
		e.Kind = TombstoneKind
		return
	}
	var document struct {
		Version *schemas.Version
	}
	if err := json.Unmarshal(r.Value, &document); err != nil {
		e.Kind = UnreadableKind
		e.fails(err, r.Value)
		return
	}
	e.Version, e.Document = document.Version, r.Value
}

// table reads a record of the tables topic.
func (d *decoder) table(e *Event, r *kgo.Record) {
	e.Kind = TableKind
	key, t, err := schemas.ParseTableRecord(r.Key, r.Value)
	if json.Valid(r.Key) {
		e.Key = bare(fmt.Sprintf("%s#%d", key.Topic, key.SchemaID), r.Key)
	}
	switch {
	case err != nil:
		e.Kind = UnreadableKind
		e.fails(err, r.Value)
	case t == nil:
		e.Kind = TombstoneKind
	default:
		e.Table, e.Document = t.String(), r.Value
	}
}

// deadLetter decodes the record that a dead letter carries, as far as it can be decoded.
func (d *decoder) deadLetter(ctx context.Context, e *Event, r *kgo.Record, letter *DeadLetter) {
	origin := *r
	origin.Topic = letter.Topic
	d.key(ctx, e, &origin)
	switch {
	case letter.Offset < 0: // a source's: a stub in JSON
		var stub struct{ Op, Table string }
		if err := json.Unmarshal(r.Value, &stub); err == nil {
			e.Op, e.Table, e.Document = stub.Op, stub.Table, r.Value
		} else {
			e.fails(err, r.Value)
		}
		e.Version = versionOf(r)
	default:
		d.change(ctx, e, &origin)
	}
	e.Kind, e.DeadLetter = DeadLetterKind, letter
}

const connectErrors = "__connect.errors."

// deadLetterOf reads the headers of a dead letter, nil for another record.
func deadLetterOf(r *kgo.Record) *DeadLetter {
	letter := &DeadLetter{Offset: -1}
	for _, h := range r.Headers {
		name, ok := strings.CutPrefix(h.Key, connectErrors)
		if !ok {
			continue
		}
		value := string(h.Value)
		switch name {
		case "topic":
			letter.Topic = value
		case "partition":
			n, _ := strconv.ParseInt(value, 10, 32) // another program's nonsense is 0
			letter.Partition = int32(n)
		case "offset":
			letter.Offset, _ = strconv.ParseInt(value, 10, 64)
		case "connector.name":
			letter.Connector = value
		case "stage":
			letter.Stage = value
		case "exception.message":
			letter.Message = value
		}
	}
	if letter.Topic == "" {
		return nil
	}
	return letter
}

// versionOf reads our header, nil where there is none.
func versionOf(r *kgo.Record) *schemas.Version {
	for _, h := range r.Headers {
		if h.Key == schemas.HeaderVersion {
			if v, err := schemas.ParseVersion(h.Value); err == nil {
				return &v
			}
		}
	}
	return nil
}

func headersOf(r *kgo.Record) []Header {
	var all []Header
	for _, h := range r.Headers {
		out := Header{Key: h.Key, Value: string(h.Value)}
		switch {
		case h.Key == schemas.HeaderVersion && len(h.Value) == 16:
			out.Value, out.Hex = versionText(h.Value), hex.EncodeToString(h.Value)
		case h.Key == schemas.HeaderTable && len(h.Value) == 8:
			out.Value, out.Hex = strconv.FormatUint(binary.BigEndian.Uint64(h.Value), 10), hex.EncodeToString(h.Value)
		case !utf8.Valid(h.Value) || bytes.IndexByte(h.Value, 0) >= 0:
			out.Value, out.Hex = "", hex.EncodeToString(h.Value)
		}
		all = append(all, out)
	}
	return all
}

// versionText is a version as people compare it with a server's log: 0/193FDB8 #4.
func versionText(b []byte) string {
	return fmt.Sprintf("%s #%d", lsn(binary.BigEndian.Uint64(b)), binary.BigEndian.Uint64(b[8:]))
}

func lsn(v uint64) string { return fmt.Sprintf("%X/%X", v>>32, uint32(v)) }
