package registry

import (
	"errors"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/syncline-io/syncline/framework/failure"
)

// documented is oldSchema, in words that mean nothing on the wire.
var documented = strings.Replace(oldSchema, `"type":"record"`, `"type":"record","doc":"by hand"`, 1)

func TestWithoutAutoRegisterTheSchemaMustBeThere(t *testing.T) {
	notThere := answers(404, `{"error_code":40401,"message":"Subject not found"}`)
	for name, c := range map[string]struct {
		policy  Policy
		lookup  http.HandlerFunc
		version http.HandlerFunc
		id      uint32
		message []string
	}{
		"the very schema":             {Policy{}, answers(200, schemaBody(oldSchema)), nil, 7, nil},
		"no subject":                  {Policy{}, notThere, notThere, 0, []string{`subject "t-value": the schema is not registered`, "schema show --needed FILE t-value"}},
		"another schema":              {Policy{}, notThere, answers(200, schemaBody(newSchema)), 0, []string{"the latest version is not what the table needs", `field "after.amount" is gone`, "schema diff FILE t-value"}},
		"the same in other words":     {Policy{}, notThere, answers(200, schemaBody(documented)), 0, []string{"registry.use_version: latest"}},
		"latest that will do":         {Policy{UseLatest: true}, nil, answers(200, schemaBody(documented)), 7, nil},
		"latest that will not do":     {Policy{UseLatest: true}, nil, answers(200, schemaBody(newSchema)), 0, []string{"the latest version is not what the table needs", `"after.amount"`}},
		"no latest":                   {Policy{UseLatest: true}, nil, notThere, 0, []string{"the latest version is not registered"}},
		"a version that will do":      {Policy{Versions: map[string]int{"t-value": 3}}, nil, answers(200, schemaBody(oldSchema)), 7, nil},
		"a version that will not do":  {Policy{UseLatest: true, Versions: map[string]int{"t-value": 3}}, nil, answers(200, schemaBody(newSchema)), 0, []string{"version 3 is not what the table needs"}},
		"a version that is not there": {Policy{Versions: map[string]int{"t-value": 3}}, nil, notThere, 0, []string{"version 3 is not registered"}},
	} {
		t.Run(name, func(t *testing.T) {
			number := "latest"
			if c.policy.Versions != nil {
				number = "3"
			}
			r := routes{}
			if c.lookup != nil {
				r["POST /subjects/t-value"] = c.lookup
			}
			if c.version != nil {
				r["GET /subjects/t-value/versions/"+number] = c.version
			}
			id, err := open(t, Config{URL: serve(t, r)}).Registrar(c.policy).Register(t.Context(), "t-value", oldSchema)
			if c.message == nil {
				if err != nil || id != c.id {
					t.Fatalf("%d, %v", id, err)
				}
				return
			}
			mustContain(t, err, c.message...)
			if !errors.Is(err, ErrRefused) || failure.Classify(err) != failure.Config {
				t.Errorf("%v is no refusal", err)
			}
		})
	}
}

func TestATroubleOfTheRegistryIsNoRefusal(t *testing.T) {
	for _, p := range []Policy{{}, {UseLatest: true}, {AutoRegister: true}} {
		c := open(t, Config{URL: serve(t, http.HandlerFunc(answers(500, `{"error_code":50001,"message":"no"}`)))})
		if _, err := c.Registrar(p).Register(t.Context(), "t-value", oldSchema); err == nil || errors.Is(err, ErrRefused) || failure.Classify(err) != failure.Retry {
			t.Errorf("%+v: %v", p, err)
		}
	}
}

func TestARefusedSchemaIsARefusal(t *testing.T) {
	for _, status := range []int{409, 422} {
		c := open(t, Config{URL: serve(t, routes{"POST /subjects/t-value/versions": answers(status, `{"error_code":409,"message":"no"}`)})})
		if _, err := c.Registrar(Policy{AutoRegister: true}).Register(t.Context(), "t-value", newSchema); !errors.Is(err, ErrRefused) {
			t.Errorf("%d: %v", status, err)
		}
	}
}

func TestAnIDThatNoLongerMeansTheSchemaIsNoticed(t *testing.T) {
	var now atomic.Value
	c := open(t, Config{URL: serve(t, routes{"GET /schemas/ids/7": func(w http.ResponseWriter, r *http.Request) {
		now.Load().(http.HandlerFunc)(w, r)
	}})}).Registrar(Policy{AutoRegister: true})
	for name, x := range map[string]struct {
		answer   http.HandlerFunc
		replaced bool
		message  string // "" for no error
	}{
		"as it was":         {answers(200, schemaBody(oldSchema)), false, ""},
		"in other words":    {answers(200, schemaBody(documented)), false, ""},
		"another":           {answers(200, schemaBody(newSchema)), true, "schema 7 is another now"},
		"another's name":    {answers(200, schemaBody(strings.Replace(oldSchema, `"name":"Envelope"`, `"name":"Other"`, 1))), true, "schema 7 is another now"},
		"gone":              {answers(404, `{"error_code":40403,"message":"Schema not found"}`), true, "does not know schema 7"},
		"no Avro any more":  {answers(200, `{"schema":"syntax = \"proto3\";","schemaType":"PROTOBUF"}`), true, "not Avro"},
		"registry is silly": {answers(500, `{"error_code":50001,"message":"no"}`), false, "status 500"},
	} {
		t.Run(name, func(t *testing.T) {
			now.Store(x.answer)
			err := c.Verify(t.Context(), oldSchema, 7)
			if errors.Is(err, ErrReplaced) != x.replaced {
				t.Errorf("%v", err)
			}
			if (err == nil) != (x.message == "") {
				t.Fatalf("%v", err)
			}
			if err != nil {
				mustContain(t, err, x.message)
			}
		})
	}
}

func TestForgetMakesRegisterAskAgain(t *testing.T) {
	var posts atomic.Int32
	c := open(t, Config{URL: serve(t, routes{
		"POST /subjects/t-value/versions": func(w http.ResponseWriter, r *http.Request) {
			posts.Add(1)
			answers(200, `{"id":7}`)(w, r)
		},
		"GET /schemas/ids/7": answers(200, schemaBody(oldSchema)),
	})}).Registrar(Policy{AutoRegister: true})
	for range 2 {
		for range 3 {
			if _, err := c.Register(t.Context(), "t-value", oldSchema); err != nil {
				t.Fatal(err)
			}
		}
		c.Forget()
	}
	if n := posts.Load(); n != 2 {
		t.Errorf("%d requests, want 2", n)
	}
}

func TestAReaderTakesWhatWasKeptOnlyWhileTheRegistryIsAway(t *testing.T) {
	var now atomic.Value
	c := open(t, Config{URL: serve(t, routes{"GET /schemas/ids/7": func(w http.ResponseWriter, r *http.Request) {
		now.Load().(http.HandlerFunc)(w, r)
	}})}).Reader()
	for i, x := range []struct {
		answer http.HandlerFunc
		want   string
	}{
		{answers(500, `{"error_code":50001,"message":"no"}`), ""},
		{answers(200, schemaBody(oldSchema)), oldSchema},
		{answers(500, `{"error_code":50001,"message":"no"}`), oldSchema},
		{answers(404, `{"error_code":40403,"message":"Schema not found"}`), ""},
		{answers(200, schemaBody(newSchema)), newSchema},
	} {
		now.Store(x.answer)
		if got, err := c.ByID(t.Context(), 7); got != x.want || (err == nil) != (x.want != "") {
			t.Errorf("answer %d: %q, %v", i, got, err)
		}
	}
}
