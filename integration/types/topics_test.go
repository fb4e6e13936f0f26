package types

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"math/big"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/twmb/avro"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/syncline-io/syncline/schemas"
)

// record is a record of a topic as a consumer that knows Avro sees it, whoever wrote it.
type record struct {
	key, value any // what [plain] makes of it; nil for none
	headers    map[string]string
}

// part returns before or after, nil when it is null.
func (r *record) part(name string) map[string]any {
	v, _ := r.value.(map[string]any)
	row, _ := v[name].(map[string]any)
	return row
}

func (r *record) op() string {
	v, _ := r.value.(map[string]any)
	op, _ := v["op"].(string)
	return op
}

// raw returns what the header beside the value says of a column of after.
func (r *record) raw(column string) (text string, ok bool) {
	text, ok = r.headers[schemas.HeaderRaw+column]
	return text, ok
}

// topics are all records of some topics, in order, and the schemas under which they were registered.
type topics struct {
	records  map[string][]*record
	subjects map[string][]string // texts of all versions
}

// readTopics reads everything that was committed to the topics of a prefix.
func readTopics(t testing.TB, brokers, registry, prefix string) *topics {
	t.Helper()
	out := &topics{records: map[string][]*record{}, subjects: map[string][]string{}}
	reg := &registryReader{t: t, url: registry, schemas: map[uint32]*avro.Schema{}}
	for _, subject := range reg.subjects(prefix) {
		out.subjects[subject] = reg.versions(subject)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	client, err := kgo.NewClient(kgo.SeedBrokers(brokers), kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.KeepControlRecords(), kgo.FetchMaxBytes(64<<20), kgo.FetchMaxPartitionBytes(32<<20))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	admin := kadm.NewClient(client)
	all, err := admin.ListTopics(ctx)
	if err != nil {
		t.Fatal(err)
	}
	names := slices.DeleteFunc(all.Names(), func(n string) bool { return !strings.HasPrefix(n, prefix+".") })
	ends, err := admin.ListCommittedOffsets(ctx, names...)
	if err != nil {
		t.Fatal(err)
	}
	left := map[string]int64{}
	ends.Each(func(o kadm.ListedOffset) {
		if o.Offset > 0 {
			left[o.Topic] = o.Offset // one partition each
		}
	})
	client.AddConsumeTopics(names...)
	for len(left) > 0 {
		fetches := client.PollFetches(ctx)
		if err := fetches.Err0(); err != nil {
			t.Fatalf("read the topics: %v (left: %v)", err, left)
		}
		fetches.EachRecord(func(r *kgo.Record) {
			if r.Offset >= left[r.Topic]-1 {
				delete(left, r.Topic)
			}
			if r.Attrs.IsControl() {
				return
			}
			headers := map[string]string{}
			for _, h := range r.Headers {
				headers[h.Key] = string(h.Value)
			}
			out.records[r.Topic] = append(out.records[r.Topic], &record{reg.decode(r.Key), reg.decode(r.Value), headers})
		})
	}
	return out
}

// registryReader reads a registry over its HTTP API, with no code of ours.
type registryReader struct {
	t       testing.TB
	url     string
	schemas map[uint32]*avro.Schema
}

func (r *registryReader) get(path string, into any) {
	r.t.Helper()
	reply, err := http.Get(r.url + path)
	if err != nil {
		r.t.Fatal(err)
	}
	defer reply.Body.Close() //nolint:errcheck // it was only read from
	body, err := io.ReadAll(reply.Body)
	if err != nil || reply.StatusCode != http.StatusOK {
		r.t.Fatalf("GET %s: %d %s, %v", path, reply.StatusCode, body, err)
	}
	if err := json.Unmarshal(body, into); err != nil {
		r.t.Fatalf("GET %s: %v", path, err)
	}
}

func (r *registryReader) subjects(prefix string) []string {
	var all []string
	r.get("/subjects", &all)
	return slices.DeleteFunc(all, func(s string) bool { return !strings.HasPrefix(s, prefix+".") })
}

func (r *registryReader) versions(subject string) (texts []string) {
	path := "/subjects/" + url.PathEscape(subject) + "/versions"
	var numbers []int
	r.get(path, &numbers)
	for _, n := range numbers {
		var version struct{ Schema string }
		r.get(path+"/"+strconv.Itoa(n), &version)
		texts = append(texts, version.Schema)
	}
	return texts
}

// allowAnySchema switches a subject's compatibility checks off, as an operator does before a change that breaks it.
func allowAnySchema(t testing.TB, registry, subject string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPut, registry+"/config/"+url.PathEscape(subject), strings.NewReader(`{"compatibility":"NONE"}`))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/vnd.schemaregistry.v1+json")
	reply, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer reply.Body.Close() //nolint:errcheck // it was only read from
	if body, _ := io.ReadAll(reply.Body); reply.StatusCode != http.StatusOK {
		t.Fatalf("PUT /config/%s: %d %s", subject, reply.StatusCode, body)
	}
}

// decode reads a key or value in Confluent's wire format.
func (r *registryReader) decode(wire []byte) any {
	r.t.Helper()
	if wire == nil {
		return nil
	}
	id, body, err := schemas.SplitWire(wire)
	if err != nil {
		r.t.Fatal(err)
	}
	schema := r.schemas[id]
	if schema == nil {
		var reply struct{ Schema string }
		r.get(fmt.Sprintf("/schemas/ids/%d", id), &reply)
		schema = parse(r.t, reply.Schema)
		r.schemas[id] = schema
	}
	return decodeBody(r.t, schema, body)
}

// parse reads a schema as far as bytes go: what only a logical type or a default says is left out, for not every decimal of
// Debezium's is one to Avro.
func parse(t testing.TB, text string) *avro.Schema {
	t.Helper()
	var tree any
	if err := json.Unmarshal([]byte(text), &tree); err != nil {
		t.Fatal(err)
	}
	bare(tree)
	stripped, err := json.Marshal(tree)
	if err != nil {
		t.Fatal(err)
	}
	schema, err := avro.Parse(string(stripped))
	if err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	return schema
}

func bare(tree any) {
	switch tree := tree.(type) {
	case map[string]any:
		delete(tree, "logicalType")
		delete(tree, "default")
		for _, inner := range tree {
			bare(inner)
		}
	case []any:
		for _, inner := range tree {
			bare(inner)
		}
	}
}

func decodeBody(t testing.TB, schema *avro.Schema, body []byte) any {
	t.Helper()
	var value any
	rest, err := schema.Decode(body, &value)
	if err != nil || len(rest) > 0 {
		t.Fatalf("decode: %v, %d bytes left", err, len(rest))
	}
	return plain(value)
}

// plain turns a decoded value into what can be compared and shown: bytes in hex, floating-point numbers as text.
func plain(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for name, inner := range v {
			v[name] = plain(inner)
		}
		return v
	case []any:
		for i, inner := range v {
			v[i] = plain(inner)
		}
		return v
	case []byte:
		return "0x" + hex.EncodeToString(v)
	case float32:
		return floatText(float64(v), 32)
	case float64:
		return floatText(v, 64)
	case int32:
		return int64(v)
	case int:
		return int64(v)
	}
	return v
}

func floatText(f float64, bits int) string {
	if math.IsInf(f, 1) {
		return "Infinity"
	}
	if math.IsInf(f, -1) {
		return "-Infinity"
	}
	return strconv.FormatFloat(f, 'g', -1, bits)
}

// shown is a value as text: of JSON, but with bytes as whole numbers where number is set.
func shown(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprintf("%v: %v", v, err)
	}
	return string(text)
}

// unscaled is the whole number that the bytes of a decimal are.
func unscaled(hexText string) string {
	b, err := hex.DecodeString(strings.TrimPrefix(hexText, "0x"))
	if err != nil {
		return err.Error()
	}
	n := new(big.Int).SetBytes(b)
	if len(b) > 0 && b[0]&0x80 != 0 {
		n.Sub(n, new(big.Int).Lsh(big.NewInt(1), uint(len(b))*8))
	}
	return n.String()
}

// countRecords is how many records of data a topic holds, 0 when it is not there.
func countRecords(t testing.TB, brokers, topic string) int {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	client, err := kgo.NewClient(kgo.SeedBrokers(brokers), kgo.ConsumeTopics(topic), kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	ends, err := kadm.NewClient(client).ListCommittedOffsets(ctx, topic)
	if err != nil {
		t.Fatal(err)
	}
	count, end := 0, int64(0)
	ends.Each(func(o kadm.ListedOffset) { end = o.Offset }) // one partition, and no transactions
	for int64(count) < end {
		fetches := client.PollFetches(ctx)
		if err := fetches.Err0(); err != nil {
			t.Fatal(err)
		}
		count += fetches.NumRecords()
	}
	return count
}
