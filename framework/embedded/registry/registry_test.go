package registry

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/riferrei/srclient"
	"go.uber.org/goleak"

	"github.com/syncline-io/syncline/framework/embedded/broker"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// serve opens a registry on a broker of its own.
func serve(t *testing.T) (url string, brokers []string) {
	t.Helper()
	b, err := broker.Start(t.Context(), broker.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
	brokers = []string{b.Addr()}
	r, err := Open(t.Context(), brokers)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	s := httptest.NewServer(r.Handler())
	t.Cleanup(func() {
		s.Close()
		http.DefaultClient.CloseIdleConnections()
	})
	return s.URL, brokers
}

func ask(t *testing.T, method, url, body string) (status int, answer string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", contentType)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if got := resp.Header.Get("Content-Type"); got != contentType {
		t.Errorf("%s %s: content type %q", method, url, got)
	}
	return resp.StatusCode, strings.TrimSpace(string(raw))
}

func body(schema string) string {
	raw, _ := json.Marshal(map[string]string{"schema": schema})
	return string(raw)
}

const (
	one      = `{"type":"record","name":"R","fields":[{"name":"a","type":"int"}]}`
	oneAgain = "{ \"name\": \"R\", \"fields\": [ {\"type\": {\"type\":\"int\"}, \"name\": \"a\"} ],\n \"type\": \"record\" }"
	two      = `{"type":"record","name":"R","fields":[{"name":"a","type":"int"},{"name":"b","type":"long","default":0}]}`
	bad      = `{"type":"record","name":"R","fields":[{"name":"a","type":"int"},{"name":"c","type":"long"}]}`
)

// TestTheAPIAnswersAsConfluentsDoes is one conversation: each step sees what those before have done.
func TestTheAPIAnswersAsConfluentsDoes(t *testing.T) {
	url, _ := serve(t)
	for _, step := range []struct {
		method, path, body string
		status             int
		answer             string // the beginning
	}{
		{"GET", "/", "", 200, `{}`},
		{"GET", "/subjects", "", 200, `[]`},
		{"GET", "/schemas/types", "", 200, `["AVRO"]`},
		{"GET", "/config", "", 200, `{"compatibilityLevel":"BACKWARD"}`},
		{"GET", "/mode", "", 200, `{"mode":"READWRITE"}`},
		{"GET", "/mode/s", "", 404, `{"error_code":40409,`},
		{"POST", "/subjects/s/versions", body(one), 200, `{"id":1}`},
		{"POST", "/subjects/s/versions", body(oneAgain), 200, `{"id":1}`},
		{"POST", "/subjects/other/versions", body(oneAgain), 200, `{"id":1}`},
		{"POST", "/subjects/s/versions", body(bad), 409, `{"error_code":409,`},
		{"POST", "/subjects/s/versions", body(two), 200, `{"id":2}`},
		{"GET", "/subjects", "", 200, `["other","s"]`},
		{"GET", "/subjects/s/versions", "", 200, `[1,2]`},
		{"GET", "/subjects/s/versions/1", "", 200, `{"subject":"s","version":1,"id":1,"schema":"{\"type\":\"record\"`},
		{"GET", "/subjects/s/versions/latest", "", 200, `{"subject":"s","version":2,"id":2,`},
		{"GET", "/subjects/s/versions/-1", "", 200, `{"subject":"s","version":2,"id":2,`},
		{"GET", "/subjects/s/versions/1/schema", "", 200, one},
		{"GET", "/subjects/s/versions/3", "", 404, `{"error_code":40402,"message":"Version 3 not found."}`},
		{"GET", "/subjects/s/versions/0", "", 422, `{"error_code":42202,`},
		{"GET", "/subjects/s/versions/x", "", 422, `{"error_code":42202,`},
		{"GET", "/subjects/none/versions", "", 404, `{"error_code":40401,"message":"Subject 'none' not found."}`},
		{"POST", "/subjects/s", body(oneAgain), 200, `{"subject":"s","version":1,"id":1,`},
		{"POST", "/subjects/s", body(bad), 404, `{"error_code":40403,"message":"Schema not found"}`},
		{"POST", "/subjects/none", body(one), 404, `{"error_code":40401,`},
		{"GET", "/schemas/ids/1", "", 200, `{"schema":"{\"type\":\"record\"`},
		{"GET", "/schemas/ids/1/schema", "", 200, one},
		{"GET", "/schemas/ids/1/versions", "", 200, `[{"subject":"other","version":1},{"subject":"s","version":1}]`},
		{"GET", "/schemas/ids/2/subjects", "", 200, `["s"]`},
		{"GET", "/schemas/ids/9", "", 404, `{"error_code":40403,`},
		{"GET", "/config/s", "", 404, `{"error_code":40408,`},
		{"GET", "/config/s?defaultToGlobal=true", "", 200, `{"compatibilityLevel":"BACKWARD"}`},
		{"POST", "/compatibility/subjects/s/versions/latest", body(bad), 200, `{"is_compatible":false}`},
		{"POST", "/compatibility/subjects/s/versions/latest?verbose=true", body(bad), 200, `{"is_compatible":false,"messages":["version 2, compatibility BACKWARD: field \"c\"`},
		{"POST", "/compatibility/subjects/s/versions/1", body(two), 200, `{"is_compatible":true}`},
		{"POST", "/compatibility/subjects/none/versions/latest", body(two), 404, `{"error_code":40401,`},
		{"PUT", "/config/s", `{"compatibility":"none"}`, 200, `{"compatibility":"NONE"}`},
		{"POST", "/subjects/s/versions", body(bad), 200, `{"id":3}`},
		{"PUT", "/config", `{"compatibility":"FULL_TRANSITIVE"}`, 200, `{"compatibility":"FULL_TRANSITIVE"}`},
		{"GET", "/config/s", "", 200, `{"compatibilityLevel":"NONE"}`},
		{"GET", "/config", "", 200, `{"compatibilityLevel":"FULL_TRANSITIVE"}`},
		{"PUT", "/config", `{"compatibility":"sideways"}`, 422, `{"error_code":42203,`},
		{"PUT", "/config", `{`, 400, `{"error_code":400,`},
		{"POST", "/subjects/s/versions", body(`{"type":"recor"}`), 422, `{"error_code":42201,`},
		{"POST", "/subjects/s/versions", body(strings.Repeat("[", 1_000_000)), 422, `{"error_code":42201,`},
		{"POST", "/subjects/s/versions", `{"schema":"syntax","schemaType":"PROTOBUF"}`, 422, `{"error_code":42201,`},
		{"POST", "/subjects/s/versions", body(`"` + strings.Repeat("x", bodyMax) + `"`), 413, `{"error_code":413,`},
		{"POST", "/subjects/a%2Fb%20c/versions", body(`"string"`), 200, `{"id":4}`},
		{"GET", "/subjects", "", 200, `["a/b c","other","s"]`},
		{"GET", "/nowhere", "", 404, `{"error_code":404,`},
	} {
		status, answer := ask(t, step.method, url+step.path, step.body)
		if status != step.status || !strings.HasPrefix(answer, step.answer) {
			t.Errorf("%s %s: %d %.300s\nwant %d %s", step.method, step.path, status, answer, step.status, step.answer)
		}
	}
}

func TestSrclientWorksUnchanged(t *testing.T) {
	url, _ := serve(t)
	sr := srclient.NewSchemaRegistryClient(url)
	created, err := sr.CreateSchema("s", one, srclient.Avro)
	if err != nil || created.ID() != 1 || created.Schema() != one {
		t.Fatalf("%+v, %v", created, err)
	}
	if _, err := sr.CreateSchema("s", two, srclient.Avro); err != nil {
		t.Fatal(err)
	}
	sr.ResetCache()
	latest, err := sr.GetLatestSchema("s")
	if err != nil || latest.Version() != 2 || latest.ID() != 2 {
		t.Errorf("latest %+v, %v", latest, err)
	}
	if ok, err := sr.IsSchemaCompatible("s", bad, "latest", srclient.Avro); ok || err != nil {
		t.Errorf("compatible %v, %v", ok, err)
	}
	if found, err := sr.LookupSchema("s", oneAgain, srclient.Avro); err != nil || found.Version() != 1 {
		t.Errorf("lookup %+v, %v", found, err)
	}
	if versions, err := sr.GetSubjectVersionsById(1); err != nil || len(versions) != 1 {
		t.Errorf("versions %+v, %v", versions, err)
	}
}

func TestTheTopicHasConfluentsRecords(t *testing.T) {
	url, brokers := serve(t)
	ask(t, "POST", url+"/subjects/s/versions", body(`"string"`))
	ask(t, "PUT", url+"/config", `{"compatibility":"FULL"}`)
	ask(t, "PUT", url+"/config/s", `{"compatibility":"NONE"}`)
	j, err := openJournal(t.Context(), brokers)
	if err != nil {
		t.Fatal(err)
	}
	defer j.close()
	var got []string
	if err := j.read(t.Context(), func(r record) error {
		got = append(got, string(r.key), string(r.value))
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	want := []string{
		`{"keytype":"SCHEMA","subject":"s","version":1,"magic":1}`, `{"subject":"s","version":1,"id":1,"schema":"\"string\"","deleted":false}`,
		`{"keytype":"CONFIG","subject":null,"magic":0}`, `{"compatibilityLevel":"FULL"}`,
		`{"keytype":"CONFIG","subject":"s","magic":0}`, `{"compatibilityLevel":"NONE"}`,
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestStateFollowsRecordsThatAnotherRegistryWrote(t *testing.T) {
	s := newState()
	for _, r := range []record{
		{[]byte(`{"keytype":"NOOP","magic":0}`), nil},
		{[]byte(`{"keytype":"SCHEMA","subject":"s","version":1,"magic":1}`), []byte(`{"subject":"s","version":1,"id":100001,"md5":"x","schema":"\"int\"","deleted":false,"offset":3}`)},
		{[]byte(`{"keytype":"SCHEMA","subject":"s","version":2,"magic":1}`), []byte(`{"subject":"s","version":2,"id":100002,"schema":"\"long\"","deleted":false}`)},
		{[]byte(`{"keytype":"SCHEMA","subject":"s","version":2,"magic":1}`), []byte(`{"subject":"s","version":2,"id":100002,"schema":"\"long\"","deleted":true}`)},
		{[]byte(`{"keytype":"SCHEMA","subject":"s","version":1,"magic":1}`), nil},
	} {
		if err := s.apply(r); err != nil {
			t.Fatal(err)
		}
	}
	if len(s.names()) != 0 {
		t.Errorf("subjects %v, want none: both versions are deleted", s.names())
	}
	if v := s.next("s", `"string"`); v.ID != 100003 || v.Version != 3 {
		t.Errorf("next is id %d, version %d: numbers are used again", v.ID, v.Version)
	}
	if v := s.next("t", `"int"`); v.ID != 100001 {
		t.Errorf("the same text gets id %d, want 100001", v.ID)
	}
}

func TestCanonicalPrintsAsApacheAvroDoes(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"primitive", ` "int" `, `"int"`},
		{"wrapped primitive", `{"type":"int"}`, `"int"`},
		{"properties stay in order", `{"z":1,"type":"long","logicalType":"timestamp-micros","a":{"y":1,"x":[1.50,null]}}`, `{"type":"long","z":1,"logicalType":"timestamp-micros","a":{"y":1,"x":[1.50,null]}}`},
		{"union", `[ "null", {"type":"string"} ]`, `["null","string"]`},
		{"array and map", `{"items":{"values":"int","type":"map"},"type":"array","p":true}`, `{"type":"array","items":{"type":"map","values":"int"},"p":true}`},
		{"full name", `{"fields":[],"name":"a.b.R","type":"record"}`, `{"type":"record","name":"R","namespace":"a.b","fields":[]}`},
		{
			"nested names are relative to the namespace",
			`{"type":"record","name":"R","namespace":"n","connect.name":"n.R","doc":"<d>","fields":[{"type":["null",{"type":"record","name":"n.V","fields":[{"name":"x","type":{"type":"enum","name":"o.E","symbols":["A"],"default":"A"}}]}],"name":"before","default":null},{"name":"after","type":["null","n.V"],"default":null,"order":"ascending"},{"name":"e","type":"o.E","aliases":["f"]}],"aliases":["n.Old"]}`,
			`{"type":"record","name":"R","namespace":"n","doc":"<d>","fields":[{"name":"before","type":["null",{"type":"record","name":"V","fields":[{"name":"x","type":{"type":"enum","name":"E","namespace":"o","symbols":["A"],"default":"A"}}]}],"default":null},{"name":"after","type":["null","V"],"default":null},{"name":"e","type":"o.E","aliases":["f"]}],"connect.name":"n.R","aliases":["Old"]}`,
		},
		{"fixed", `{"size":4,"type":"fixed","precision":9,"logicalType":"decimal","name":"F"}`, `{"type":"fixed","name":"F","size":4,"precision":9,"logicalType":"decimal"}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := canonical(c.text)
			if err != nil || got != c.want {
				t.Fatalf("%s, %v\nwant %s", got, err, c.want)
			}
			if again, err := canonical(got); err != nil || again != got {
				t.Errorf("again: %s, %v", again, err)
			}
		})
	}
}

// TestCanonicalLeavesWhatAvrosLibraryPrintedAlone takes the schemas that a real Debezium registered.
func TestCanonicalLeavesWhatAvrosLibraryPrintedAlone(t *testing.T) {
	files, err := filepath.Glob("../../../schemas/testdata/debezium/*.avsc")
	if err != nil || len(files) < 50 {
		t.Fatalf("%d captured schemas, want 50 at least (%v)", len(files), err)
	}
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		want := strings.TrimSpace(string(raw))
		if p, err := parseSchema(want); err != nil || p.text != want {
			t.Errorf("%s: %v\n%s\nwant\n%s", file, err, p.text, want)
		}
	}
}
