package registry

import (
	"bytes"
	"encoding/json"
	"net/http/httptest"
	"strings"
	"testing"
)

// reopened is the URL of a second registry, which reads the topic anew.
func reopened(t *testing.T, brokers []string) (url string) {
	t.Helper()
	r, err := Open(t.Context(), brokers)
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewServer(r.Handler())
	t.Cleanup(func() {
		s.Close()
		r.Close()
	})
	return s.URL
}

// topic is what the topic holds.
func topic(t *testing.T, brokers []string) (records []record) {
	t.Helper()
	j, err := openJournal(t.Context(), brokers)
	if err != nil {
		t.Fatal(err)
	}
	defer j.close()
	if err := j.read(t.Context(), func(r record) error {
		records = append(records, r)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return records
}

func fill(t *testing.T, brokers []string, records []record) {
	t.Helper()
	j, err := openJournal(t.Context(), brokers)
	if err != nil {
		t.Fatal(err)
	}
	defer j.close()
	if err := j.append(t.Context(), records); err != nil {
		t.Fatal(err)
	}
}

func lines(records []record) string {
	var b strings.Builder
	for _, r := range records {
		b.Write(r.key)
		b.WriteByte(' ')
		if r.value == nil {
			b.WriteString("null")
		}
		b.Write(r.value)
		b.WriteByte('\n')
	}
	return b.String()
}

func TestTheTopicHasConfluentsRecords(t *testing.T) {
	url, brokers := serve(t)
	converse(t, url, []step{
		{"POST", "/subjects/s/versions", body(`"string"`), 200, ""},
		{"POST", "/subjects/a%3Cb/versions", referring(line, reference{"shop.Money", "money", 1}), 422, ""},
		{"POST", "/subjects/a%3Cb/versions", body(`"int"`), 200, ""},
		{"PUT", "/config", `{"compatibility":"FULL"}`, 200, ""},
		{"PUT", "/config/s", `{"compatibility":"NONE"}`, 200, ""},
		{"PUT", "/mode", `{"mode":"READWRITE"}`, 200, ""},
		{"PUT", "/mode/s", `{"mode":"READWRITE"}`, 200, ""},
		{"DELETE", "/subjects/s", "", 200, ""},
		{"DELETE", "/subjects/a%3Cb/versions/1", "", 200, ""},
		{"DELETE", "/subjects/a%3Cb?permanent=true", "", 200, ""},
		{"PUT", "/mode/s", `{"mode":"IMPORT"}`, 200, ""},
		{"PUT", "/mode", `{"mode":"IMPORT"}`, 200, ""},
	})
	want := `{"keytype":"SCHEMA","subject":"s","version":1,"magic":1} {"subject":"s","version":1,"id":1,"schema":"\"string\"","deleted":false}
{"keytype":"SCHEMA","subject":"a<b","version":1,"magic":1} {"subject":"a<b","version":1,"id":2,"schema":"\"int\"","deleted":false}
{"keytype":"CONFIG","subject":null,"magic":0} {"compatibilityLevel":"FULL"}
{"keytype":"CONFIG","subject":"s","magic":0} {"subject":"s","compatibilityLevel":"NONE"}
{"keytype":"MODE","subject":null,"magic":0} {"mode":"READWRITE"}
{"keytype":"MODE","subject":"s","magic":0} {"subject":"s","mode":"READWRITE"}
{"keytype":"DELETE_SUBJECT","subject":"s","magic":0} {"subject":"s","version":1}
{"keytype":"MODE","subject":"s","magic":0} null
{"keytype":"CONFIG","subject":"s","magic":0} null
{"keytype":"SCHEMA","subject":"a<b","version":1,"magic":1} {"subject":"a<b","version":1,"id":2,"schema":"\"int\"","deleted":true}
{"magic":0,"keytype":"NOOP"} {"lastId":2}
{"keytype":"SCHEMA","subject":"a<b","version":1,"magic":1} null
{"keytype":"SCHEMA","subject":"s","version":1,"magic":1} null
{"keytype":"CLEAR_SUBJECT","subject":"s","magic":0} {"subject":"s"}
{"keytype":"MODE","subject":"s","magic":0} {"subject":"s","mode":"IMPORT"}
{"keytype":"CLEAR_SUBJECT","subject":null,"magic":0} {}
{"keytype":"MODE","subject":null,"magic":0} {"mode":"IMPORT"}
`
	if got := lines(topic(t, brokers)); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// What Confluent's registry reads, as its classes declare it. Members that it does not know are errors here, as they are
// to its parser of keys.
type (
	confluentKey struct {
		Keytype string  `json:"keytype"`
		Subject *string `json:"subject"`
		Version *int    `json:"version"`
		Magic   *int    `json:"magic"`
	}
	confluentSchema struct {
		Subject    string `json:"subject"`
		Version    int    `json:"version"`
		ID         int    `json:"id"`
		MD5        string `json:"md5"`
		SchemaType string `json:"schemaType"`
		References []struct {
			Name    string `json:"name"`
			Subject string `json:"subject"`
			Version int    `json:"version"`
		} `json:"references"`
		Metadata any    `json:"metadata"`
		RuleSet  any    `json:"ruleSet"`
		Schema   string `json:"schema"`
		Deleted  *bool  `json:"deleted"`
	}
	confluentConfig struct {
		Subject            string `json:"subject"`
		Normalize          *bool  `json:"normalize"`
		CompatibilityLevel string `json:"compatibilityLevel"`
	}
	confluentMode struct {
		Subject string `json:"subject"`
		Mode    string `json:"mode"`
	}
	confluentSubject struct {
		Subject string `json:"subject"`
		Version *int   `json:"version"`
	}
)

func strictly(t *testing.T, raw []byte, into any) {
	t.Helper()
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	if err := dec.Decode(into); err != nil {
		t.Errorf("%s: %v", raw, err)
	}
}

func TestEveryRecordReadsAsConfluentsRegistryReadsIt(t *testing.T) {
	url, brokers := serve(t)
	converse(t, url, []step{
		{"POST", "/subjects/money/versions", body(money), 200, ""},
		{"POST", "/subjects/line/versions", referring(line, reference{"shop.Money", "money", 1}), 200, ""},
		{"PUT", "/config/line", `{"compatibility":"FULL","normalize":true}`, 200, ""},
		{"DELETE", "/subjects/line", "", 200, ""},
		{"DELETE", "/subjects/line?permanent=true", "", 200, ""},
		{"DELETE", "/subjects/money/versions/1", "", 200, ""},
		{"PUT", "/mode", `{"mode":"IMPORT"}`, 200, ""},
	})
	seen := make(map[string]int)
	for _, r := range topic(t, brokers) {
		var key confluentKey
		strictly(t, r.key, &key)
		seen[key.Keytype]++
		if key.Magic == nil {
			t.Errorf("%s has no magic", r.key)
		}
		if r.value == nil || key.Keytype == kindNoop { // Confluent's registry does not look at a NOOP's value
			continue
		}
		switch key.Keytype {
		case kindSchema:
			var v confluentSchema
			strictly(t, r.value, &v)
			if *key.Magic != 1 || v.Subject != *key.Subject || v.Version != *key.Version || v.ID < 1 || v.Schema == "" || v.Deleted == nil {
				t.Errorf("%s %s", r.key, r.value)
			}
		case kindConfig:
			strictly(t, r.value, new(confluentConfig))
		case kindMode:
			strictly(t, r.value, new(confluentMode))
		case kindDeleteSubject, kindClearSubject:
			strictly(t, r.value, new(confluentSubject))
		default:
			t.Errorf("Confluent's registry knows no %s", key.Keytype)
		}
	}
	for _, kind := range []string{kindSchema, kindConfig, kindMode, kindDeleteSubject, kindClearSubject, kindNoop} {
		if seen[kind] == 0 {
			t.Errorf("no record of kind %s was written", kind)
		}
	}
}

// confluentTopic is what a Confluent registry writes in a short life: old and new forms of its records, and members that
// this registry does not know.
var confluentTopic = []record{
	{[]byte(`{"keytype":"NOOP","magic":0}`), nil},
	{[]byte(`{"keytype":"CONTEXT","tenant":"default","context":".lab","magic":0}`), []byte(`{"tenant":"default","context":".lab"}`)},
	{[]byte(`{"keytype":"SCHEMA","subject":"old","version":1,"magic":0}`), []byte(`{"subject":"old","version":1,"id":21,"schema":"\"int\""}`)},
	{[]byte(`{"keytype":"SCHEMA","subject":"s","version":1,"magic":1}`), []byte(`{"subject":"s","version":1,"id":100001,"md5":"x/y==","guid":"6dd8","schema":"\"int\"","deleted":false,"ts":1700000000000,"offset":3}`)},
	{[]byte(`{"keytype":"SCHEMA","subject":"s","version":2,"magic":1}`), []byte(`{"subject":"s","version":2,"id":100002,"metadata":{"properties":{"owner":"team"}},"ruleSet":{"domainRules":[{"name":"r","kind":"CONDITION"}]},"schema":"\"long\"","deleted":false}`)},
	{[]byte(`{"keytype":"SCHEMA","subject":"gone","version":1,"magic":1}`), []byte(`{"subject":"gone","version":1,"id":100003,"schema":"\"string\"","deleted":false}`)},
	{[]byte(`{"keytype":"DELETE_SUBJECT","subject":"gone","magic":0}`), []byte(`{"subject":"gone","version":1}`)},
	{[]byte(`{"keytype":"SCHEMA","subject":"gone","version":2,"magic":1}`), []byte(`{"subject":"gone","version":2,"id":100002,"schema":"\"long\"","deleted":false}`)},
	{[]byte(`{"keytype":"SCHEMA","subject":"proto","version":1,"magic":1}`), []byte(`{"subject":"proto","version":1,"id":100004,"schemaType":"PROTOBUF","schema":"syntax = \"proto3\";","deleted":false}`)},
	{[]byte(`{"keytype":"SCHEMA","subject":":.lab:s","version":1,"magic":1}`), []byte(`{"subject":":.lab:s","version":1,"id":900000,"schema":"\"bytes\"","deleted":false}`)},
	{[]byte(`{"keytype":"CONFIG","subject":null,"magic":0}`), []byte(`{"compatibilityLevel":"FULL_TRANSITIVE"}`)},
	{[]byte(`{"keytype":"CONFIG","subject":"s","magic":0}`), []byte(`{"subject":"s","alias":"t","compatibilityLevel":"NONE","compatibilityGroup":"g"}`)},
	{[]byte(`{"keytype":"MODE","subject":"old","magic":0}`), []byte(`{"subject":"old","mode":"READONLY"}`)},
	{[]byte(`{"keytype":"CLEAR_SUBJECT","subject":"never","magic":0}`), []byte(`{"subject":"never"}`)},
	{[]byte(`{"keytype":"SCHEMA","subject":"twice","version":1,"magic":1}`), []byte(`{"subject":"twice","version":1,"id":21,"schema":"\"float\"","deleted":false}`)},
	{[]byte(`{"keytype":"SOMETHING_NEW","magic":0}`), []byte(`{}`)},
}

func TestATopicThatConfluentsRegistryWroteIsTakenOver(t *testing.T) {
	_, brokers := serve(t)
	fill(t, brokers, confluentTopic)
	url := reopened(t, brokers)
	converse(t, url, []step{
		{"GET", "/subjects", "", 200, `["gone","old","proto","s"]`},
		{"GET", "/schemas/ids/21/versions", "", 200, `[{"subject":"old","version":1}]`},
		{"GET", "/subjects/gone/versions", "", 200, `[2]`},
		{"GET", "/subjects/gone/versions?deleted=true", "", 200, `[1,2]`},
		{"GET", "/subjects/s/versions/2", "", 200, `{"subject":"s","version":2,"id":100002,"metadata":{"properties":{"owner":"team"}},"ruleSet":{"domainRules":[{"name":"r","kind":"CONDITION"}]},"schema":"\"long\""}`},
		{"GET", "/schemas/ids/100004", "", 200, `{"schemaType":"PROTOBUF","schema":"syntax = \"proto3\";"}`},
		{"GET", "/config/s", "", 200, `{"compatibilityLevel":"NONE"}`},
		{"GET", "/config", "", 200, `{"compatibilityLevel":"FULL_TRANSITIVE"}`},
		{"GET", "/mode/old", "", 200, `{"mode":"READONLY"}`},
		{"POST", "/subjects/old/versions", body(`"int"`), 200, `{"id":21}`},
		{"POST", "/subjects/old/versions", body(`"long"`), 422, `{"error_code":42205,`},
		{"POST", "/subjects/s/versions", body(`"long"`), 200, `{"id":100002}`}, // with the metadata that it has
		{"POST", "/subjects/proto/versions", body(`"long"`), 409, `{"error_code":409,"message":"Schema being registered is incompatible with an earlier schema for subject \"proto\", details: [version 1 is a schema of another type, PROTOBUF]"}`},
		{"POST", "/subjects/new/versions", body(`"double"`), 200, `{"id":100005}`},
		{"GET", "/subjects/:.lab:s/versions", "", 404, `{"error_code":40401,`},
	})
}

func TestNothingOfAnotherRegistrysRecordsIsLostWhenTheyAreWrittenAgain(t *testing.T) {
	_, brokers := serve(t)
	fill(t, brokers, confluentTopic)
	url := reopened(t, brokers)
	before := len(topic(t, brokers))
	converse(t, url, []step{
		{"PUT", "/config/s", `{"compatibility":"FULL"}`, 200, ""},
		{"DELETE", "/subjects/s/versions/1", "", 200, `1`},
		{"DELETE", "/subjects/s/versions/2", "", 200, `2`},
		{"DELETE", "/mode/old", "", 200, ""},
		{"DELETE", "/subjects/old/versions/1", "", 200, `1`},
		{"DELETE", "/subjects/old/versions/1?permanent=true", "", 200, `1`},
	})
	want := `{"keytype":"CONFIG","subject":"s","magic":0} {"subject":"s","compatibilityLevel":"FULL","alias":"t","compatibilityGroup":"g"}
{"keytype":"SCHEMA","subject":"s","version":1,"magic":1} {"subject":"s","version":1,"id":100001,"schema":"\"int\"","deleted":true,"md5":"x/y==","guid":"6dd8","ts":1700000000000,"offset":3}
{"keytype":"SCHEMA","subject":"s","version":2,"magic":1} {"subject":"s","version":2,"id":100002,"metadata":{"properties":{"owner":"team"}},"ruleSet":{"domainRules":[{"name":"r","kind":"CONDITION"}]},"schema":"\"long\"","deleted":true}
{"keytype":"CONFIG","subject":"s","magic":0} null
{"keytype":"MODE","subject":"old","magic":0} null
{"keytype":"SCHEMA","subject":"old","version":1,"magic":0} {"subject":"old","version":1,"id":21,"schema":"\"int\"","deleted":true}
{"keytype":"SCHEMA","subject":"old","version":1,"magic":0} null
`
	if got := lines(topic(t, brokers)[before:]); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// TestIDsAreNotGivenAgainWhenTheTopicIsCompacted deletes everything and reads what Kafka's compaction may leave: the
// last value of each key, without tombstones.
func TestIDsAreNotGivenAgainWhenTheTopicIsCompacted(t *testing.T) {
	url, brokers := serve(t)
	converse(t, url, []step{
		{"POST", "/subjects/a/versions", body(`"int"`), 200, `{"id":1}`},
		{"POST", "/subjects/b/versions", body(`"long"`), 200, `{"id":2}`},
		{"POST", "/subjects/c/versions", body(`"string"`), 200, `{"id":3}`},
		{"DELETE", "/subjects/c", "", 200, `[1]`},
		{"DELETE", "/subjects/c?permanent=true", "", 200, `[1]`},
		{"DELETE", "/subjects/b", "", 200, `[1]`},
		{"DELETE", "/subjects/b?permanent=true", "", 200, `[1]`},
		{"DELETE", "/subjects/a", "", 200, `[1]`},
		{"PUT", "/mode", `{"mode":"IMPORT"}`, 200, ``},
		{"PUT", "/mode", `{"mode":"READWRITE"}`, 200, ``},
	})
	compacted := newState()
	var left []record
	all := topic(t, brokers)
	for i, r := range all {
		superseded := r.value == nil
		for _, later := range all[i+1:] {
			superseded = superseded || bytes.Equal(later.key, r.key)
		}
		if superseded {
			continue
		}
		left = append(left, r)
		if err := compacted.apply(r); err != nil {
			t.Fatal(err)
		}
	}
	if compacted.lastID != 3 || len(compacted.schemas) != 0 || len(left) == len(all) {
		t.Errorf("last id %d of %d schemas in %d of %d records, want 3 of none", compacted.lastID, len(compacted.schemas), len(left), len(all))
	}
	_, others := serve(t)
	fill(t, others, left)
	converse(t, reopened(t, others), []step{{"POST", "/subjects/a/versions", body(`"int"`), 200, `{"id":4}`}})
	converse(t, url, []step{{"POST", "/subjects/a/versions", body(`"int"`), 200, `{"id":4}`}})
	converse(t, reopened(t, brokers), []step{{"POST", "/subjects/d/versions", body(`"bytes"`), 200, `{"id":5}`}})
}

// TestEveryPrefixOfTheTopicKeepsTheIDs is a crash at every record.
func TestEveryPrefixOfTheTopicKeepsTheIDs(t *testing.T) {
	url, brokers := serve(t)
	converse(t, url, []step{
		{"POST", "/subjects/a/versions", body(`"int"`), 200, `{"id":1}`},
		{"POST", "/subjects/a/versions", body(`"long"`), 200, `{"id":2}`},
		{"DELETE", "/subjects/a", "", 200, `[1,2]`},
		{"POST", "/subjects/a/versions", body(`"long"`), 200, `{"id":2}`}, // writes the tombstone of version 2
		{"DELETE", "/subjects/a", "", 200, `[3]`},
		{"DELETE", "/subjects/a?permanent=true", "", 200, `[1,3]`},
	})
	s, highest := newState(), 0
	for _, r := range topic(t, brokers) {
		if err := s.apply(r); err != nil {
			t.Fatal(err)
		}
		again := newState()
		for _, name := range s.names("", withDeleted) {
			for _, v := range s.versions(name, withDeleted) {
				again.lastID = max(again.lastID, v.schema.id)
			}
		}
		highest = max(highest, s.lastID)
		if known := max(again.lastID, s.markedID); known < highest {
			t.Errorf("after %s %s the records know id %d as the last, want %d", r.key, r.value, known, highest)
		}
	}
}

func TestASchemaInTheTopicThatCannotBeReadStopsItsSubjectAlone(t *testing.T) {
	_, brokers := serve(t)
	fill(t, brokers, []record{
		{[]byte(`{"keytype":"SCHEMA","subject":"broken","version":1,"magic":1}`), []byte(`{"subject":"broken","version":1,"id":1,"schema":"{\"type\":\"recor\"}","deleted":false}`)},
		{[]byte(`{"keytype":"SCHEMA","subject":"dangling","version":1,"magic":1}`), []byte(`{"subject":"dangling","version":1,"id":2,"references":[{"name":"A","subject":"a","version":1}],"schema":"\"A\"","deleted":false}`)},
	})
	converse(t, reopened(t, brokers), []step{
		{"POST", "/subjects/broken/versions", body(one), 500, `{"error_code":50001,"message":"Error in the backend data store: subject \"broken\" version 1: parse Avro schema:`},
		{"POST", "/subjects/dangling/versions", body(one), 500, `{"error_code":50001,"message":"Error in the backend data store: subject \"dangling\" version 1: reference \"A\": no schema found`},
		{"GET", "/schemas/ids/1/schema", "", 200, `{"type":"recor"}`},
		{"POST", "/subjects/fine/versions", body(one), 200, `{"id":3}`},
		{"PUT", "/config/broken", `{"compatibility":"NONE"}`, 200, ""},
		{"POST", "/subjects/broken/versions", body(one), 200, `{"id":3}`}, // the way out
	})
}
