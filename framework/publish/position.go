package publish

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/syncline-io/syncline/framework/failure"
	"github.com/syncline-io/syncline/framework/source"
	"github.com/syncline-io/syncline/schemas"
)

// The versions of the position record. One that is not known is refused: what an unknown format leaves out or adds may be
// what tells a loss.
const (
	wholeFormat  = 1 // the state stands in it
	digestFormat = 2 // the state stands in a record of its own, and the position has its digest
)

// inlineState is up to which size a state stands in the position itself, in bytes. A larger one, that of many tables, is
// written when it changes, and not with every transaction. Without transactions it always stands in the position: nothing
// else would make one durable with the other.
const inlineState = 1 << 10

// positionDocument is the value of the record whose key is the connector's name.
type positionDocument struct {
	Format    int             `json:"format"`
	Connector string          `json:"connector"`
	Version   schemas.Version `json:"version"`
	// State and StateDigest are each other's alternative.
	State       json.RawMessage `json:"state"`
	StateDigest string          `json:"state_digest"`
	// Transaction is what has been published of the transaction that the version lies in, if its end is to tell.
	Transaction *source.Transaction `json:"transaction"`
	// Written is when, for the people who look.
	Written time.Time `json:"written"`
}

// stateDocument is the value of the record whose key is stateKey.
type stateDocument struct {
	Format    int             `json:"format"`
	Connector string          `json:"connector"`
	Digest    string          `json:"digest"`
	State     json.RawMessage `json:"state"`
}

// stateKey is the key of the record that holds a large state.
func stateKey(connector string) string { return connector + "#state" }

// digestOf identifies a state.
func digestOf(state []byte) string {
	sum := sha256.Sum256(state)
	return hex.EncodeToString(sum[:16])
}

// appendPosition appends the document. It is put together by hand, so that the state comes back byte for byte. With a digest
// the state is left out.
func appendPosition(dst []byte, connector string, p source.Position, digest string, now time.Time) []byte {
	format := wholeFormat
	if digest != "" {
		format = digestFormat
	}
	dst = fmt.Appendf(dst, `{"format":%d,"connector":%q,"version":%q,"written":%q,`,
		format, connector, p.Version, now.UTC().Format(time.RFC3339Nano))
	if p.Open != nil {
		open, err := json.Marshal(p.Open)
		if err != nil {
			panic(err) // names and numbers always have a JSON form
		}
		dst = append(append(append(dst, `"transaction":`...), open...), ',')
	}
	if digest != "" {
		return fmt.Appendf(dst, `"state_digest":%q}`, digest)
	}
	dst = append(dst, `"state":`...)
	dst = append(dst, p.State...)
	return append(dst, '}')
}

// appendState appends the document of a state that does not stand in the position.
func appendState(dst []byte, connector, digest string, state []byte) []byte {
	dst = fmt.Appendf(dst, `{"format":%d,"connector":%q,"digest":%q,"state":`, digestFormat, connector, digest)
	dst = append(dst, state...)
	return append(dst, '}')
}

// parsePosition reads a position, and where its state does not stand in it the record that holds that: value is the last
// position, and state the last state before it, nil when there is none.
func parsePosition(value, state []byte) (source.Position, error) {
	var d positionDocument
	if err := json.Unmarshal(value, &d); err != nil {
		return source.Position{}, err
	}
	switch d.Format {
	case wholeFormat:
	case digestFormat:
		var s stateDocument
		if err := json.Unmarshal(state, &s); err != nil {
			return source.Position{}, fmt.Errorf("its state, with the digest %s, is not there: %w", d.StateDigest, err)
		}
		if s.Digest != d.StateDigest || digestOf(s.State) != d.StateDigest {
			return source.Position{}, fmt.Errorf("its state has the digest %s, and the one that is there has %s", d.StateDigest, s.Digest)
		}
		d.State = s.State
	default:
		return source.Position{}, fmt.Errorf("it has format %d, and this program knows %d and %d", d.Format, wholeFormat, digestFormat)
	}
	if len(d.State) == 0 || string(d.State) == "null" {
		return source.Position{}, errors.New("it has no state")
	}
	return source.Position{State: d.State, Version: d.Version, Open: d.Transaction}, nil
}

// cleanState copies a state document, without the space around it, and refuses what would not come back.
func cleanState(state []byte) ([]byte, error) {
	if len(state) == 0 || string(state) == "null" || !json.Valid(state) {
		return nil, fmt.Errorf("set state: %.100q is not a JSON document", state)
	}
	return bytes.Clone(bytes.TrimSpace(state)), nil
}

// markKey is the key of the record that each tenure begins with. It is never the connector's name, which holds no #.
func markKey(connector string) string { return connector + "#tenure" }

// markRecord says who holds the tenure since when, for the people who look. To the publisher only its offset matters.
func (o *Options) markRecord() (*kgo.Record, error) {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	value, err := json.Marshal(map[string]any{
		"format": wholeFormat, "connector": o.Name, "host": host, "pid": os.Getpid(), "since": time.Now().UTC(),
	})
	if err != nil {
		return nil, err
	}
	return &kgo.Record{Topic: o.offsetsTopic(), Key: []byte(markKey(o.Name)), Value: value}, nil
}

// found is what the offsets topic says of where the connector stands.
type found struct {
	position *kgo.Record // the last one; nil when there is none
	state    []byte      // the last state that does not stand in a position
}

// lastPosition returns what is committed before the mark, which is at the given offset.
//
// The mark is what makes this exact. It was written after the producer id was obtained, so nothing of a predecessor can
// come after it; and it is committed, so a reader of committed records does arrive at it, whatever markers, aborted
// records and holes of compaction lie before.
func (o *Options) lastPosition(ctx context.Context, mark int64) (last found, err error) {
	topic := o.offsetsTopic()
	cl, err := kgo.NewClient(append(o.client("offsets"),
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: {0: kgo.NewOffset().AtStart()}}),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.FetchMaxWait(time.Second),
	)...)
	if err != nil {
		return last, fmt.Errorf("read topic %s: %w", topic, err)
	}
	defer cl.Close()

	for {
		fetches := cl.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			return last, fmt.Errorf("read topic %s: %w", topic, err)
		}
		for iter := fetches.RecordIter(); !iter.Done(); {
			r := iter.Next()
			if r.Offset >= mark {
				return last, nil
			}
			switch string(r.Key) {
			case o.Name:
				last.position = r
			case stateKey(o.Name):
				last.state = r.Value
			}
		}
	}
}

// position reads what was found; it has no state for a connector that has no position.
func (o *Options) position(last found) (source.Position, error) {
	r := last.position
	if r == nil || r.Value == nil {
		return source.Position{}, nil
	}
	p, err := parsePosition(r.Value, last.state)
	if err != nil {
		err = fmt.Errorf("position at offset %d of topic %s: %w", r.Offset, r.Topic, err)
		return source.Position{}, failure.As(failure.Gap, err, "run the version that wrote it, or delete the topic and begin with a new snapshot")
	}
	return p, nil
}
