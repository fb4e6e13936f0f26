package registry

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/syncline-io/syncline/framework/failure"
)

const (
	oldSchema = `{"type":"record","name":"Envelope","fields":[{"name":"after","type":["null",{"type":"record","name":"Value","fields":[{"name":"id","type":"int"}]}],"default":null}]}`
	newSchema = `{"type":"record","name":"Envelope","fields":[{"name":"after","type":["null",{"type":"record","name":"Value","fields":[{"name":"id","type":"int"},{"name":"amount","type":"long"}]}],"default":null}]}`
)

// routes answers requests by method and path; any other request fails the test.
type routes map[string]http.HandlerFunc

func (r routes) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	h, ok := r[req.Method+" "+req.URL.EscapedPath()]
	if !ok {
		w.WriteHeader(http.StatusTeapot)
		return
	}
	h(w, req)
}

func answers(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body))
	}
}

func schemaBody(text string) string {
	quoted, _ := json.Marshal(text)
	return fmt.Sprintf(`{"subject":"t-value","version":1,"id":7,"schema":%s}`, quoted)
}

func serve(t *testing.T, h http.Handler) string {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.URL
}

func open(t *testing.T, conf Config) *Client {
	t.Helper()
	c, err := New(conf)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func mustContain(t *testing.T, err error, parts ...string) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error, want one with %q", parts)
	}
	for _, part := range parts {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("message %q lacks %q", err, part)
		}
	}
}

func TestRegisterAsksOncePerSubjectAndText(t *testing.T) {
	var posts atomic.Int32
	c := open(t, Config{URL: serve(t, routes{
		"POST /subjects/t-value/versions": func(w http.ResponseWriter, r *http.Request) {
			posts.Add(1)
			var body struct{ Schema string }
			if err := json.NewDecoder(r.Body).Decode(&body); err != nil || body.Schema != oldSchema {
				t.Errorf("body %q, %v", body.Schema, err)
			}
			answers(200, `{"id":7}`)(w, r)
		},
		"GET /schemas/ids/7": answers(200, schemaBody(oldSchema)),
	})})
	for range 3 {
		if id, err := c.Register(t.Context(), "t-value", oldSchema); id != 7 || err != nil {
			t.Fatalf("%d, %v", id, err)
		}
	}
	if n := posts.Load(); n != 1 {
		t.Errorf("%d requests, want 1", n)
	}
}

func TestUnknownIDIsAskedAgainUntilItIsKnown(t *testing.T) {
	var asked atomic.Int32
	c := open(t, Config{URL: serve(t, routes{"GET /schemas/ids/7": func(w http.ResponseWriter, r *http.Request) {
		if asked.Add(1) <= 2 {
			answers(404, `{"error_code":40403,"message":"Schema not found"}`)(w, r)
			return
		}
		answers(200, schemaBody(oldSchema))(w, r)
	}})})
	for range 2 {
		_, err := c.ByID(t.Context(), 7)
		mustContain(t, err, "does not know schema 7")
		if failure.Classify(err) != failure.Retry {
			t.Errorf("class %d, want retry", failure.Classify(err))
		}
	}
	for range 2 {
		if text, err := c.ByID(t.Context(), 7); text != oldSchema || err != nil {
			t.Fatalf("%q, %v", text, err)
		}
	}
	if n := asked.Load(); n != 3 {
		t.Errorf("%d requests, want 3: a known schema is cached, a missing one is not", n)
	}
}

func TestAnUnknownIDIsLookedForAtTheOtherURL(t *testing.T) {
	behind := serve(t, routes{"GET /schemas/ids/7": answers(404, `{"error_code":40403,"message":"no"}`)})
	ahead := serve(t, routes{"GET /schemas/ids/7": answers(200, schemaBody(oldSchema))})
	c := open(t, Config{URLs: []string{behind, ahead}})
	if text, err := c.ByID(t.Context(), 7); text != oldSchema || err != nil {
		t.Fatalf("%q, %v", text, err)
	}
}

func TestURLsAreTriedInTurnAndTheGoodOneIsRemembered(t *testing.T) {
	var downAsked atomic.Int32
	down := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		downAsked.Add(1)
		answers(503, `{"error_code":50003,"message":"no leader"}`)(w, r)
	}))
	up := serve(t, routes{"GET /subjects": answers(200, `[]`)})
	c := open(t, Config{URLs: []string{down, up}})
	for range 3 {
		if err := c.Check(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if n := downAsked.Load(); n != 1 {
		t.Errorf("the URL that is down was asked %d times, want once", n)
	}
}

func TestAnIncompatibleSchemaIsAConfigurationErrorThatNamesTheField(t *testing.T) {
	for name, body := range map[string]string{
		"confluent": `{"error_code":409,"message":"Schema being registered is incompatible with an earlier schema"}`,
		"apicurio":  `{"error_code":409,"message":"io.apicurio.RuleViolationException: num of incompatible diffs: {1}"}`,
	} {
		t.Run(name, func(t *testing.T) {
			c := open(t, Config{URL: serve(t, routes{
				"POST /subjects/t-value/versions":  answers(409, body),
				"GET /config/t-value":              answers(200, `{"compatibilityLevel":"BACKWARD"}`),
				"GET /subjects/t-value/versions":   answers(200, `[1]`),
				"GET /subjects/t-value/versions/1": answers(200, schemaBody(oldSchema)),
			})})
			_, err := c.Register(t.Context(), "t-value", newSchema)
			mustContain(t, err, `subject "t-value"`, "incompatible under BACKWARD", `"after.amount"`, `make the column "amount" nullable`, "PUT /config/t-value")
			if failure.Classify(err) != failure.Config {
				t.Errorf("class %d, want config", failure.Classify(err))
			}
		})
	}
}

func TestAnIncompatibleSchemaIsAConfigurationErrorEvenWhenTheFieldCannotBeFound(t *testing.T) {
	c := open(t, Config{URL: serve(t, routes{
		"POST /subjects/t-value/versions": answers(409, `{"error_code":409,"message":"our own rule says no"}`),
	})})
	_, err := c.Register(t.Context(), "t-value", newSchema)
	mustContain(t, err, `subject "t-value"`, "our own rule says no", "PUT /config/t-value")
	if failure.Classify(err) != failure.Config {
		t.Errorf("class %d, want config", failure.Classify(err))
	}
}

// TestAnswersMeanWhatTheyShould drives Register, whose answers have the most meanings.
func TestAnswersMeanWhatTheyShould(t *testing.T) {
	slow := func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // the server notices that the client has gone once the body is read
		<-r.Context().Done()
	}
	half := func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "100")
		_, _ = w.Write([]byte(`{"id":`))
	}
	huge := func(w http.ResponseWriter, _ *http.Request) {
		chunk := []byte(`"` + strings.Repeat("x", 1<<20) + `",`)
		_, _ = w.Write([]byte(`[`))
		for range maxBody>>20 + 2 {
			_, _ = w.Write(chunk)
		}
	}
	limited := func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Retry-After", "7")
		answers(429, `{"error_code":429,"message":"slow down"}`)(w, r)
	}
	redirect := func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "http://elsewhere/", http.StatusFound)
	}
	for name, c := range map[string]struct {
		handler http.HandlerFunc
		class   failure.Class
		wait    time.Duration
		message []string
	}{
		"wrong password":    {answers(401, `{"error_code":401,"message":"Unauthorized"}`), failure.Config, 0, []string{"status 401", "check the username and password"}},
		"not permitted":     {answers(403, `nothing here`), failure.Config, 0, []string{"status 403"}},
		"invalid schema":    {answers(422, `{"error_code":42201,"message":"Input schema is an invalid Avro schema"}`), failure.Config, 0, []string{`subject "t-value"`, "refuses the schema"}},
		"read-only":         {answers(422, `{"error_code":42205,"message":"Subject t-value is in read-only mode"}`), failure.Retry, 0, []string{"READWRITE"}},
		"not found":         {answers(404, `{"error_code":40401,"message":"Subject not found"}`), failure.Retry, 0, []string{"status 404"}},
		"too many":          {limited, failure.Retry, 7 * time.Second, []string{"status 429"}},
		"server error":      {answers(500, `{"error_code":50001,"message":"Error in the backend data store"}`), failure.Retry, 0, []string{"status 500", "backend data store"}},
		"gateway's page":    {answers(502, `<html>Bad Gateway</html>`), failure.Retry, 0, []string{"status 502"}},
		"page with 200":     {answers(200, `<html>Log in</html>`), failure.Retry, 0, []string{"not a registry's"}},
		"answer without id": {answers(200, `{}`), failure.Retry, 0, []string{`t-value`}},
		"half a body":       {half, failure.Retry, 0, []string{"unexpected EOF"}},
		"too large":         {huge, failure.Retry, 0, []string{"larger than 16 MiB"}},
		"too slow":          {slow, failure.Retry, 0, []string{"Client.Timeout"}},
		"redirect":          {redirect, failure.Retry, 0, []string{"status 302", "it redirects"}},
	} {
		t.Run(name, func(t *testing.T) {
			client := open(t, Config{Timeout: 300 * time.Millisecond, URL: serve(t, routes{
				"POST /subjects/t-value/versions": c.handler,
				"GET /schemas/ids/0":              answers(404, `{"error_code":40403,"message":"no schema 0"}`),
			})})
			if name == "too large" {
				client.timeout = 10 * time.Second
			}
			_, err := client.Register(t.Context(), "t-value", newSchema)
			mustContain(t, err, c.message...)
			if got := failure.Classify(err); got != c.class {
				t.Errorf("class %d, want %d: %v", got, c.class, err)
			}
			if got := failure.Wait(err); got != c.wait {
				t.Errorf("wait %v, want %v", got, c.wait)
			}
		})
	}
}

func TestALongMessageIsCutAndALongSchemaIsNotRepeated(t *testing.T) {
	c := open(t, Config{URL: serve(t, routes{
		"POST /subjects/t-value/versions": answers(500, `{"error_code":50001,"message":"`+strings.Repeat("é", 100_000)+`"}`),
	})})
	_, err := c.Register(t.Context(), "t-value", newSchema)
	if err == nil || len(err.Error()) > 2*messageMax {
		t.Errorf("message of %d bytes", len(err.Error()))
	}
}

func TestRefusedCredentialsAreFinalAtTheStartAndTroubleLater(t *testing.T) {
	var revoked atomic.Bool
	c := open(t, Config{URL: serve(t, routes{"GET /subjects": func(w http.ResponseWriter, r *http.Request) {
		if revoked.Load() {
			answers(401, `{"error_code":401,"message":"Unauthorized"}`)(w, r)
			return
		}
		answers(200, `[]`)(w, r)
	}})})
	if err := c.Check(t.Context()); err != nil {
		t.Fatal(err)
	}
	revoked.Store(true)
	if err := c.Check(t.Context()); err == nil || failure.Classify(err) != failure.Retry {
		t.Errorf("class of %v is not retry", err)
	}
}

func TestCheckNamesAnAddressThatIsNoRegistry(t *testing.T) {
	c := open(t, Config{URL: serve(t, http.NotFoundHandler())})
	err := c.Check(t.Context())
	mustContain(t, err, "no schema registry answers at http://127.0.0.1")
	if failure.Classify(err) != failure.Config {
		t.Errorf("class %d, want config", failure.Classify(err))
	}
}

func TestCheckOfAnUnreachableRegistryIsRetried(t *testing.T) {
	s := httptest.NewServer(nil)
	s.Close()
	c := open(t, Config{URL: s.URL})
	err := c.Check(t.Context())
	mustContain(t, err, s.URL, "connection refused")
	if failure.Classify(err) != failure.Retry {
		t.Errorf("class %d, want retry", failure.Classify(err))
	}
}

func TestEndedContextEndsTheCall(t *testing.T) {
	c := open(t, Config{URL: serve(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))})
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := c.ByID(ctx, 7); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v, want the context's error", err)
	}
}

func TestCredentialsReachTheRegistryAndNoMessage(t *testing.T) {
	for name, c := range map[string]struct {
		conf Config // URL is set below
		user string // put into the URL
		want string
	}{
		"basic":              {Config{Username: "ann", Password: "s3cret"}, "", "Basic YW5uOnMzY3JldA=="},
		"basic in the URL":   {Config{}, "ann:s3cret@", "Basic YW5uOnMzY3JldA=="},
		"basic without word": {Config{Username: "key"}, "", "Basic a2V5Og=="},
		"bearer":             {Config{BearerToken: "s3cret"}, "", "Bearer s3cret"},
	} {
		t.Run(name, func(t *testing.T) {
			var got string
			url := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				got = r.Header.Get("Authorization")
				answers(401, `{"error_code":401,"message":"Unauthorized"}`)(w, r)
			}))
			c.conf.URL = strings.Replace(url, "http://", "http://"+c.user, 1)
			err := open(t, c.conf).Check(t.Context())
			mustContain(t, err, "status 401")
			if got != c.want {
				t.Errorf("authorization %q, want %q", got, c.want)
			}
			if strings.Contains(err.Error(), "s3cret") || strings.Contains(err.Error(), "ann") {
				t.Errorf("message %q holds the credentials", err)
			}
		})
	}
}

func TestSchemasThatAreNotPlainAvroAreRefused(t *testing.T) {
	for name, body := range map[string]string{
		"protobuf":   `{"schema":"syntax = \"proto3\";","schemaType":"PROTOBUF"}`,
		"references": `{"schema":"\"com.x.Y\"","references":[{"name":"com.x.Y","subject":"y","version":1}]}`,
	} {
		t.Run(name, func(t *testing.T) {
			c := open(t, Config{URL: serve(t, routes{"GET /schemas/ids/7": answers(200, body)})})
			if _, err := c.ByID(t.Context(), 7); failure.Classify(err) != failure.Refused {
				t.Errorf("%v is not marked as refused", err)
			}
		})
	}
}

func TestASubjectIsEscapedAsAPath(t *testing.T) {
	c := open(t, Config{URL: serve(t, routes{
		"POST /subjects/a%20b%2Bc%2Fd": answers(200, schemaBody(oldSchema)),
	})})
	if id, err := c.Lookup(t.Context(), "a b+c/d", oldSchema); id != 7 || err != nil {
		t.Errorf("%d, %v", id, err)
	}
}

func TestLookupAndLatestSayWhenThereIsNothing(t *testing.T) {
	c := open(t, Config{URL: serve(t, http.HandlerFunc(answers(404, `{"error_code":40401,"message":"Subject not found"}`)))})
	if _, err := c.Lookup(t.Context(), "s", oldSchema); !errors.Is(err, ErrNotRegistered) {
		t.Errorf("Lookup: %v", err)
	}
	if _, _, err := c.Latest(t.Context(), "s"); !errors.Is(err, ErrNotRegistered) {
		t.Errorf("Latest: %v", err)
	}
}

func TestTLSTrustsTheGivenCAAndShowsTheClientCertificate(t *testing.T) {
	s := httptest.NewUnstartedServer(routes{"GET /subjects": func(w http.ResponseWriter, r *http.Request) {
		if len(r.TLS.PeerCertificates) != 1 {
			t.Errorf("%d client certificates, want 1", len(r.TLS.PeerCertificates))
		}
		answers(200, `[]`)(w, r)
	}})
	s.TLS = &tls.Config{ClientAuth: tls.RequireAnyClientCert}
	s.StartTLS()
	t.Cleanup(s.Close)
	ca, cert, key := writeCertificates(t, s.TLS.Certificates[0])

	if err := open(t, Config{URL: s.URL, TLS: TLS{CA: ca, Cert: cert, Key: key}}).Check(t.Context()); err != nil {
		t.Error(err)
	}
	mustContain(t, open(t, Config{URL: s.URL}).Check(t.Context()), "certificate")
}

// writeCertificates writes the test server's pair to files; it serves as authority and as client certificate too.
func writeCertificates(t *testing.T, pair tls.Certificate) (ca, cert, key string) {
	t.Helper()
	dir := t.TempDir()
	der, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	write := func(name, kind string, der []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	ca = write("ca.pem", "CERTIFICATE", pair.Certificate[0])
	return ca, ca, write("key.pem", "PRIVATE KEY", der)
}

func TestConfigProblemsAreNamedByKeyAndHoldNoPassword(t *testing.T) {
	for _, c := range []struct {
		conf Config
		want []string
	}{
		{Config{}, []string{"url: missing"}},
		{Config{URL: "http://a", URLs: []string{"http://b"}}, []string{"urls: set url or urls"}},
		{Config{URL: "registry:8081"}, []string{"url: not a URL"}},
		{Config{URL: "http://ann:s3cret^@ho st"}, []string{"url: not a URL"}},
		{Config{URL: "http://ann:s3c/ret@host:80"}, []string{"url: "}},
		{Config{URLs: []string{"http://a", "http://b?x=1"}}, []string{"urls[1]: a URL with a query"}},
		{Config{URL: "http://a", Password: "s3cret"}, []string{"username: missing"}},
		{Config{URL: "http://a", Username: "u", BearerToken: "s3cret", Timeout: -1}, []string{"bearer_token: ", "timeout: "}},
		{Config{URL: "http://a", TLS: TLS{Cert: "c"}}, []string{"tls.cert: "}},
	} {
		err := c.conf.Validate()
		mustContain(t, err, c.want...)
		if err != nil && (strings.Contains(err.Error(), "s3c") || strings.Contains(err.Error(), "ret@")) {
			t.Errorf("message %q holds the password", err)
		}
	}
}

func TestMissingTLSFilesAreConfigurationErrors(t *testing.T) {
	for _, tlsConf := range []TLS{{CA: "nowhere.pem"}, {Cert: "nowhere.pem", Key: "nowhere.key"}, {CA: "client.go"}} {
		if _, err := New(Config{URL: "https://a", TLS: tlsConf}); failure.Classify(err) != failure.Config {
			t.Errorf("%+v: %v is not a configuration error", tlsConf, err)
		}
	}
}

func TestTheCacheKeepsItsBoundAndWhatWasUsedLast(t *testing.T) {
	c := newCache[int, string](10 * (entryOverhead + 100))
	for i := range 5_000 {
		c.put(i, "schema", 100)
		c.get(0)
	}
	if c.bytes > c.bytesMax || len(c.entries) != 10 || c.used.Len() != 10 {
		t.Errorf("%d bytes of %d in %d entries", c.bytes, c.bytesMax, len(c.entries))
	}
	if _, ok := c.get(0); !ok {
		t.Error("the value that was used all the time is gone")
	}
	c.put(0, "again", 100)
	if v, _ := c.get(0); v != "again" || len(c.entries) != 10 {
		t.Errorf("%q in %d entries", v, len(c.entries))
	}
}
