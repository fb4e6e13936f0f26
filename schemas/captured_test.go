package schemas

import (
	"bufio"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/linkedin/goavro/v2"
)

type capturedRecord struct {
	Topic, Key, Value string
}

func (r *capturedRecord) bodies(t *testing.T) (key, value []byte) {
	t.Helper()
	body := func(text string) []byte {
		if text == "" {
			return nil
		}
		_, body, err := SplitWire(must(hex.DecodeString(text)))
		if err != nil {
			t.Fatal(err)
		}
		return body
	}
	return body(r.Key), body(r.Value)
}

func capturedRecords(t *testing.T) []capturedRecord {
	t.Helper()
	f, err := os.Open(filepath.Join("testdata", "debezium", "records.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var out []capturedRecord
	for lines := bufio.NewScanner(f); lines.Scan(); {
		var r capturedRecord
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
			t.Fatal(err)
		}
		out = append(out, r)
	}
	if len(out) < 100 {
		t.Fatalf("only %d records", len(out))
	}
	return out
}

// TestRecordsOfDebeziumSurviveTheWayThroughOurRows reads what Debezium wrote, as rows of the table, and writes the rows
// again: the rows must be the same bytes, and the keys too.
func TestRecordsOfDebeziumSurviveTheWayThroughOurRows(t *testing.T) {
	tables := make(map[string]*Table)
	for _, tab := range capturedTables() {
		tables[TopicName("conf", tab.Schema, tab.Name)] = tab
	}
	for _, r := range capturedRecords(t) {
		tab := tables[r.Topic]
		enc, err := NewEncoder(tab, Mapping{Prefix: "conf"})
		if err != nil {
			t.Fatal(err)
		}
		dec, err := NewDecoder(enc.ValueSchema(), tab)
		if err != nil {
			t.Fatal(err)
		}
		key, body := r.bodies(t)
		var c Change
		var a Arena
		if err := dec.Decode(body, &c, &a); err != nil {
			t.Errorf("%s: %v", r.Topic, err)
			continue
		}
		wire, err := enc.AppendValue(nil, &c, 0)
		if err != nil {
			t.Errorf("%s: %v", r.Topic, err)
			continue
		}
		var again Change
		if err := dec.Decode(wire[wireHeader:], &again, &a); err != nil {
			t.Errorf("%s: %v", r.Topic, err)
			continue
		}
		sameRow(t, tab, "before", again.Before, c.Before)
		sameRow(t, tab, "after", again.After, c.After)
		if key != nil {
			again, err := enc.AppendKey(nil, c.Key())
			if err != nil || string(again[wireHeader:]) != string(key) {
				t.Errorf("%s: key %x, %v, want %x", r.Topic, again, err, key)
			}
		}
		codec, err := goavro.NewCodec(enc.ValueSchema())
		if err != nil {
			if strings.HasSuffix(r.Topic, "t_def") {
				continue // goavro reads no default of a decimal
			}
			t.Fatal(err)
		}
		want, got := native(t, codec, body), native(t, codec, wire[wireHeader:])
		for _, part := range []string{"before", "after", "op"} {
			if !sameNative(want[part], got[part]) {
				t.Errorf("%s: %s\ngot  %v\nwant %v", r.Topic, part, got[part], want[part])
			}
		}
		for _, part := range []string{"connector", "name", "ts_ms", "snapshot", "sequence", "ts_us", "schema", "table", "txId", "lsn", "xmin", "origin"} {
			w, g := want["source"].(map[string]any)[part], got["source"].(map[string]any)[part]
			if !sameNative(w, g) {
				t.Errorf("%s: source.%s is %v, want %v", r.Topic, part, g, w)
			}
		}
	}
}

func native(t *testing.T, codec *goavro.Codec, body []byte) map[string]any {
	t.Helper()
	n, rest, err := codec.NativeFromBinary(body)
	if err != nil || len(rest) > 0 {
		t.Fatalf("goavro: %v, %d bytes left", err, len(rest))
	}
	return n.(map[string]any)
}
