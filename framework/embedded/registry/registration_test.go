package registry

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"
)

func TestAnEqualSchemaKeepsItsIDAndVersion(t *testing.T) {
	url, _ := serve(t)
	converse(t, url, []step{
		{"POST", "/subjects/s/versions", body(one), 200, `{"id":1}`},
		{"POST", "/subjects/s/versions", body(two), 200, `{"id":2}`},
		{"POST", "/subjects/s/versions", body(one), 200, `{"id":1}`},
		{"GET", "/subjects/s/versions", "", 200, `[1,2]`},
		{"POST", "/subjects/s/versions", `{"schema":"\"int\"","version":4}`, 422, `{"error_code":42201,"message":"Invalid schema: version 4 is not one more than the previous version 2"}`},
		{"POST", "/subjects/s/versions", `{"schema":"\"int\"","id":7}`, 422, `{"error_code":42205,"message":"Subject s is not in import mode"}`},
		{"POST", "/subjects/s/versions", `{"schema":"` + strings.ReplaceAll(two, `"`, `\"`) + `","id":-1,"version":-1}`, 200, `{"id":2}`},
		{"POST", "/subjects/n/versions", `{"schema":"\"int\"","version":1}`, 200, `{"id":3}`},
	})
}

func TestListsAreFilteredAndPaged(t *testing.T) {
	url, _ := serve(t)
	converse(t, url, []step{
		{"POST", "/subjects/a-1/versions", body(`"int"`), 200, `{"id":1}`},
		{"POST", "/subjects/a-1/versions", body(`"long"`), 200, `{"id":2}`},
		{"POST", "/subjects/a-2/versions", body(`"int"`), 200, `{"id":1}`},
		{"POST", "/subjects/b/versions", body(`"string"`), 200, `{"id":3}`},
		{"DELETE", "/subjects/a-2", "", 200, `[1]`},
		{"GET", "/subjects?subjectPrefix=a-", "", 200, `["a-1"]`},
		{"GET", "/subjects?subjectPrefix=:*:b", "", 200, `["b"]`},
		{"GET", "/subjects?deleted=true", "", 200, `["a-1","a-2","b"]`},
		{"GET", "/subjects?deletedOnly=true", "", 200, `["a-2"]`},
		{"GET", "/subjects?deleted=true&offset=1&limit=1", "", 200, `["a-2"]`},
		{"GET", "/subjects?offset=7", "", 200, `[]`},
		{"GET", "/subjects?limit=x", "", 400, `{"error_code":400,`},
		{"GET", "/subjects/a-1/versions?offset=1", "", 200, `[2]`},
		{"GET", "/subjects/a-2/versions", "", 404, `{"error_code":40401,`},
		{"GET", "/subjects/a-2/versions?deleted=true", "", 200, `[1]`},
		{"GET", "/subjects/a-1/versions?deletedOnly=true", "", 200, `[]`},
		{"GET", "/schemas", "", 200, `[{"subject":"a-1","version":1,"id":1,"schema":"\"int\""},{"subject":"a-1","version":2,"id":2,"schema":"\"long\""},{"subject":"b","version":1,"id":3,"schema":"\"string\""}]`},
		{"GET", "/schemas?latestOnly=true", "", 200, `[{"subject":"a-1","version":2,"id":2,"schema":"\"long\""},{"subject":"b","version":1,`},
		{"GET", "/schemas?subjectPrefix=a&deleted=true&offset=2&limit=5", "", 200, `[{"subject":"a-2","version":1,"id":1,"schema":"\"int\""}]`},
		{"GET", "/schemas/ids/1/versions", "", 200, `[{"subject":"a-1","version":1}]`},
		{"GET", "/schemas/ids/1/versions?deleted=true", "", 200, `[{"subject":"a-1","version":1},{"subject":"a-2","version":1}]`},
		{"GET", "/schemas/ids/1/subjects?deleted=true", "", 200, `["a-1","a-2"]`},
		{"GET", "/schemas/ids/1?fetchMaxId=true", "", 200, `{"schema":"\"int\"","maxId":3}`},
		{"GET", "/schemas/ids/x", "", 404, `{"error_code":404,`},
	})
}

func TestTheDefaultContextIsTheOnlyOne(t *testing.T) {
	url, _ := serve(t)
	converse(t, url, []step{
		{"POST", "/subjects/:.:s/versions", body(`"int"`), 200, `{"id":1}`},
		{"GET", "/subjects", "", 200, `["s"]`},
		{"GET", "/subjects/:.:s/versions/1", "", 200, `{"subject":"s","version":1,`},
		{"POST", "/subjects/:.other:s/versions", body(`"int"`), 422, `{"error_code":42208,`},
		{"PUT", "/config/:.other:s", `{"compatibility":"NONE"}`, 422, `{"error_code":42208,`},
		{"GET", "/subjects/:.other:s/versions", "", 404, `{"error_code":40401,`},
	})
}

func TestRefusedSubjectsAndBodies(t *testing.T) {
	url, _ := serve(t)
	converse(t, url, []step{
		{"POST", "/subjects/a%0Ab/versions", body(`"int"`), 422, `{"error_code":42208,`},
		{"POST", "/subjects/a%FFb/versions", body(`"int"`), 422, `{"error_code":42208,`},
		{"POST", "/subjects/__GLOBAL/versions", body(`"int"`), 422, `{"error_code":42208,`},
		{"PUT", "/mode/a%00b", `{"mode":"READONLY"}`, 422, `{"error_code":42208,`},
		{"POST", "/subjects/s/versions", ``, 400, `{"error_code":400,`},
		{"POST", "/subjects/s/versions", `[]`, 400, `{"error_code":400,`},
		{"POST", "/subjects/s/versions", `{"schema":{"type":"int"}}`, 400, `{"error_code":400,`},
		{"POST", "/subjects/s/versions", `{}`, 422, `{"error_code":42201,"message":"Invalid schema: the schema is empty"}`},
		{"POST", "/subjects/s/versions", `{"schema":"{}","schemaType":"JSON"}`, 422, `{"error_code":42201,"message":"Invalid schema: this registry takes schemas of type AVRO, not of type \"JSON\""}`},
		{"POST", "/subjects/s/versions", `{"schema":"\"int\"","schemaType":"AVRO","metadata":null,"ruleSet":{},"references":[]}`, 200, `{"id":1}`},
		{"POST", "/subjects/s/versions", `{"schema":"\"int\"","metadata":{"properties":{"owner":"x"}}}`, 422, `{"error_code":42201,"message":"Invalid schema: this registry keeps no metadata`},
		{"POST", "/subjects/s/versions", `{"schema":"\"int\"","ruleSet":{"domainRules":[{"name":"r"}]}}`, 422, `{"error_code":42201,"message":"Invalid schema: this registry keeps no ruleSet`},
		{"GET", "/subjects", "", 200, `["s"]`},
	})
}

func TestNormalizeFindsTheSchemaWhateverItsOrder(t *testing.T) {
	const plain = `{"type":"record","name":"R","doc":"","fields":[{"name":"a","type":{"type":"bytes","z":1,"logicalType":"decimal","scale":2,"a":{"y":1,"x":2},"precision":9},"z":1,"b":2}],"aliases":["Q","P"]}`
	const other = `{"type":"record","name":"R","fields":[{"name":"a","type":{"type":"bytes","logicalType":"decimal","precision":9,"scale":2,"a":{"x":2,"y":1},"z":1},"b":2,"z":1}],"aliases":["P","Q"]}`
	url, _ := serve(t)
	converse(t, url, []step{
		{"POST", "/subjects/s/versions?normalize=true", body(plain), 200, `{"id":1}`},
		{"GET", "/schemas/ids/1/schema", "", 200, other},
		{"POST", "/subjects/s?normalize=true", body(plain), 200, `{"subject":"s","version":1,"id":1,`},
		{"POST", "/subjects/s", body(plain), 404, `{"error_code":40403,`},
		{"PUT", "/config/s", `{"normalize":true}`, 200, `{"normalize":true}`},
		{"POST", "/subjects/s", body(plain), 200, `{"subject":"s","version":1,"id":1,`},
		{"POST", "/subjects/s/versions", body(plain), 200, `{"id":1}`},
		{"GET", "/config/s", "", 200, `{"normalize":true}`},
		{"GET", "/config/s?defaultToGlobal=true", "", 200, `{"normalize":true,"compatibilityLevel":"BACKWARD"}`},
	})
}

type verdict struct {
	ID, Title               string
	Old, New                json.RawMessage
	Backward, Forward, Full bool
}

// TestTheOracleThroughTheAPI registers the schemas of every case as a client would, under every level. The verdicts are
// Apache Avro's; the file says where they come from.
func TestTheOracleThroughTheAPI(t *testing.T) {
	raw, err := os.ReadFile("../../registry/compat/testdata/cases.json")
	if err != nil {
		t.Fatal(err)
	}
	var cases struct {
		Pairs     []verdict
		Histories []map[string]json.RawMessage
	}
	if err := json.Unmarshal(raw, &cases); err != nil {
		t.Fatal(err)
	}
	url, _ := serve(t)
	right, all := 0, 0
	try := func(subject, level string, history []json.RawMessage, next json.RawMessage, want bool) {
		all++
		if got := accepts(t, url, subject, level, history, next); got != want {
			t.Errorf("%s under %s: accepted = %v, want %v", subject, level, got, want)
			return
		}
		right++
	}
	for _, c := range cases.Pairs {
		for level, want := range map[string]bool{"NONE": true, "BACKWARD": c.Backward, "FORWARD": c.Forward, "FULL": c.Full} {
			try(c.ID+"-"+level, level, []json.RawMessage{c.Old}, c.New, want)
		}
	}
	for i, c := range cases.Histories {
		var history []json.RawMessage
		if err := json.Unmarshal(c["history_oldest_first"], &history); err != nil {
			t.Fatal(err)
		}
		for _, level := range []string{"NONE", "BACKWARD", "BACKWARD_TRANSITIVE", "FORWARD", "FORWARD_TRANSITIVE", "FULL", "FULL_TRANSITIVE"} {
			try(fmt.Sprint("history-", i, level), level, history, c["new"], string(c[level]) == "true")
		}
	}
	t.Logf("%d pairs at 4 levels and %d histories at 7: %d of %d verdicts right", len(cases.Pairs), len(cases.Histories), right, all)
	if len(cases.Pairs) != 65 || len(cases.Histories) != 10 || all != 65*4+10*7 {
		t.Errorf("the oracle is not whole")
	}
}

// accepts registers a history without comparing, and says whether the next schema may then follow under level.
func accepts(t *testing.T, url, subject, level string, history []json.RawMessage, next json.RawMessage) bool {
	t.Helper()
	setLevel := func(level string) {
		converse(t, url, []step{{"PUT", "/config/" + subject, `{"compatibility":"` + level + `"}`, 200, ""}})
	}
	setLevel("NONE")
	for _, old := range history {
		converse(t, url, []step{{"POST", "/subjects/" + subject + "/versions", body(string(old)), 200, `{"id":`}})
	}
	setLevel(level)
	_, checked := ask(t, "POST", url+"/compatibility/subjects/"+subject+"/versions?verbose=true", body(string(next)))
	compatible := strings.HasPrefix(checked, `{"is_compatible":true`)
	known, _ := ask(t, "POST", url+"/subjects/"+subject, body(string(next)))
	status, answer := ask(t, "POST", url+"/subjects/"+subject+"/versions", body(string(next)))
	// A schema that the subject has is answered with its id, whatever the later versions are.
	if want := map[bool]int{true: 200, false: 409}[compatible || known == 200]; status != want {
		t.Errorf("%s: the check says %s, the registration %d %s", subject, checked, status, answer)
	}
	return compatible
}
