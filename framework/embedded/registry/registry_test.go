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

// step is a request and what its answer begins with.
type step struct {
	method, path, body string
	status             int
	answer             string
}

// converse asks one step after the other.
func converse(t *testing.T, url string, steps []step) {
	t.Helper()
	for _, step := range steps {
		status, answer := ask(t, step.method, url+step.path, step.body)
		if status != step.status || !strings.HasPrefix(answer, step.answer) {
			t.Errorf("%s %s: %d %.400s\nwant %d %s", step.method, step.path, status, answer, step.status, step.answer)
		}
	}
}

// TestTheAPIAnswersAsConfluentsDoes is one conversation: each step sees what those before have done.
func TestTheAPIAnswersAsConfluentsDoes(t *testing.T) {
	url, _ := serve(t)
	converse(t, url, []step{
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
		{"POST", "/compatibility/subjects/s/versions", body(two), 200, `{"is_compatible":true}`},
		{"POST", "/compatibility/subjects/s/versions/9", body(two), 404, `{"error_code":40402,`},
		{"POST", "/compatibility/subjects/s/versions/0", body(two), 422, `{"error_code":42202,`},
		{"POST", "/compatibility/subjects/none/versions/latest", body(two), 200, `{"is_compatible":true}`},
		{"POST", "/compatibility/subjects/s/versions/latest", body("x"), 422, `{"error_code":42201,`},
		{"POST", "/compatibility/subjects/s/versions/latest?verbose=true", body("x"), 200, `{"is_compatible":false,"messages":["Invalid schema`},
		{"PUT", "/config/s", `{"compatibility":"none"}`, 200, `{"compatibility":"NONE"}`},
		{"POST", "/subjects/s/versions", body(bad), 200, `{"id":3}`},
		{"PUT", "/config", `{"compatibility":"FULL_TRANSITIVE"}`, 200, `{"compatibility":"FULL_TRANSITIVE"}`},
		{"GET", "/config/s", "", 200, `{"compatibilityLevel":"NONE"}`},
		{"GET", "/config", "", 200, `{"compatibilityLevel":"FULL_TRANSITIVE"}`},
		{"PUT", "/config", `{"compatibility":"sideways"}`, 422, `{"error_code":42203,`},
		{"PUT", "/config", `{`, 400, `{"error_code":400,`},
		{"POST", "/subjects/s/versions", body(`{"type":"recor"}`), 422, `{"error_code":42201,`},
		{"POST", "/subjects/s/versions", body(strings.Repeat("[", 900_000)), 422, `{"error_code":42201,`},
		{"POST", "/subjects/s/versions", `{"schema":"syntax","schemaType":"PROTOBUF"}`, 422, `{"error_code":42201,`},
		{"POST", "/subjects/a%2Fb%20c/versions", body(`"string"`), 200, `{"id":4}`},
		{"GET", "/subjects", "", 200, `["a/b c","other","s"]`},
		{"GET", "/contexts", "", 200, `["."]`},
		{"GET", "/nowhere", "", 404, `{"error_code":404,`},
	})
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
		if p, err := newState().parse(schemaRequest{Schema: want}, false, false); err != nil || p.text != want {
			t.Errorf("%s: %v\n%s\nwant\n%s", file, err, p.text, want)
		}
	}
}
