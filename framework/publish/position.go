package publish

import (
	"context"
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

// positionFormat is the version of the position record. A record of another one is refused: what an unknown format
// leaves out or adds may be what tells a loss.
const positionFormat = 1

// positionDocument is the value of the record whose key is the connector's name.
type positionDocument struct {
	Format    int             `json:"format"`
	Connector string          `json:"connector"`
	Version   schemas.Version `json:"version"`
	State     json.RawMessage `json:"state"`
	// Written is when, for the people who look.
	Written time.Time `json:"written"`
}

// appendPosition appends the document. It is put together by hand, so that the state comes back byte for byte.
func appendPosition(dst []byte, connector string, p source.Position, now time.Time) []byte {
	dst = fmt.Appendf(dst, `{"format":%d,"connector":%q,"version":%q,"written":%q,"state":`,
		positionFormat, connector, p.Version, now.UTC().Format(time.RFC3339Nano))
	dst = append(dst, p.State...)
	return append(dst, '}')
}

func parsePosition(value []byte) (source.Position, error) {
	var d positionDocument
	if err := json.Unmarshal(value, &d); err != nil {
		return source.Position{}, err
	}
	if d.Format != positionFormat {
		return source.Position{}, fmt.Errorf("it has format %d, and this program knows %d", d.Format, positionFormat)
	}
	if len(d.State) == 0 || string(d.State) == "null" {
		return source.Position{}, errors.New("it has no state")
	}
	return source.Position{State: d.State, Version: d.Version}, nil
}

// cleanState copies a state document, and refuses what would not come back.
func cleanState(state []byte) ([]byte, error) {
	if len(state) == 0 || string(state) == "null" || !json.Valid(state) {
		return nil, fmt.Errorf("set state: %.100q is not a JSON document", state)
	}
	return append([]byte(nil), state...), nil
}

// markKey is the key of the record that each tenure begins with. It is never the connector's name.
func markKey(connector string) string { return connector + "#tenure" }

// markRecord says who holds the tenure since when, for the people who look. To the publisher only its offset matters.
func (o *Options) markRecord() (*kgo.Record, error) {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	value, err := json.Marshal(map[string]any{
		"format": positionFormat, "connector": o.Name, "host": host, "pid": os.Getpid(), "since": time.Now().UTC(),
	})
	if err != nil {
		return nil, err
	}
	return &kgo.Record{Topic: o.offsetsTopic(), Key: []byte(markKey(o.Name)), Value: value}, nil
}

// lastPosition returns the record of the last committed position before the mark, which is at the given offset; nil when
// there is none.
//
// The mark is what makes this exact. It was written after the producer id was obtained, so nothing of a predecessor can
// come after it; and it is committed, so a reader of committed records does arrive at it, whatever markers, aborted
// records and holes of compaction lie before.
func (o *Options) lastPosition(ctx context.Context, mark int64) (*kgo.Record, error) {
	topic := o.offsetsTopic()
	cl, err := kgo.NewClient(append(o.client("offsets"),
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: {0: kgo.NewOffset().AtStart()}}),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.FetchMaxWait(time.Second),
	)...)
	if err != nil {
		return nil, fmt.Errorf("read topic %s: %w", topic, err)
	}
	defer cl.Close()

	var last *kgo.Record
	for {
		fetches := cl.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			return nil, fmt.Errorf("read topic %s: %w", topic, err)
		}
		for iter := fetches.RecordIter(); !iter.Done(); {
			r := iter.Next()
			if r.Offset >= mark {
				return last, nil
			}
			if string(r.Key) == o.Name {
				last = r
			}
		}
	}
}

// position reads the record, nil for a connector that has none.
func (o *Options) position(r *kgo.Record) (source.Position, error) {
	if r == nil || r.Value == nil {
		return source.Position{}, nil
	}
	p, err := parsePosition(r.Value)
	if err != nil {
		err = fmt.Errorf("position at offset %d of topic %s: %w", r.Offset, r.Topic, err)
		return source.Position{}, failure.As(failure.Gap, err, "run the version that wrote it, or delete the topic and begin with a new snapshot")
	}
	return p, nil
}
