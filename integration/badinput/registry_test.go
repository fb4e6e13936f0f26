package badinput

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/syncline-io/syncline/integration/engines"
)

func TestAnUnreachableRegistryIsTriedAgain(t *testing.T) {
	s := newScene(t)
	proxy := engines.NewProxy(t, strings.Split(s.registry, "/")[2])
	s.registry = proxy.URL(s.registry)
	proxy.Down()
	p := s.startSource()
	s.mustRetry(p, "register", "registry-unreachable")
	proxy.Up()
	s.streams(p)
	s.stop(p)
}

func TestAnUnreachableRegistryMakesASinkWait(t *testing.T) {
	s := newScene(t).withTarget()
	s.startPublished()
	proxy := engines.NewProxy(t, strings.Split(s.registry, "/")[2])
	s.registry = proxy.URL(s.registry)
	proxy.Down()
	p := s.start("postgres-sink", s.copyYAML())
	s.mustRetry(p, "read schema", "registry-unreachable-sink")
	proxy.Up()
	s.caughtUp(p, 1)
	s.stop(p)
}

func TestAnAddressThatIsNoRegistryIsRefused(t *testing.T) {
	s := newScene(t)
	s.registry = s.registry[:len(s.registry)-len("/apis/ccompat/v7")] + "/nowhere"
	s.mustStop(s.startSource(), 2, "registry-wrong-path")
}

func TestASchemaThatTheRegistryRefusesNamesItsField(t *testing.T) {
	s := newScene(t)
	p := s.startPublished()
	s.exec(s.source, "ALTER TABLE item ADD COLUMN size bigint NOT NULL DEFAULT 0; ALTER TABLE item ALTER size DROP DEFAULT")
	s.exec(s.source, "INSERT INTO item VALUES (2, 'two', 3)")
	s.mustStop(p, 2, "schema-refused")

	// The way out, as the message gives it.
	s.exec(s.source, "ALTER TABLE item ALTER size SET DEFAULT 0")
	p.Start()
	s.streams(p)
	s.stop(p)
}

func TestAColumnThatBecomesAnotherTypeIsRefusedByName(t *testing.T) {
	s := newScene(t)
	p := s.startPublished()
	s.stop(p)
	s.exec(s.source, "ALTER TABLE item ALTER label TYPE int USING 7; UPDATE item SET label = 8")
	p.Start()
	s.mustStop(p, 2, "schema-refused-type")
}

func TestASchemaThatIsNotThereIsRefusedWithoutAutoRegister(t *testing.T) {
	s := newScene(t)
	p := s.start("postgres-source", strings.Replace(s.sourceYAML(""), "registry: {", "registry: {auto_register: false, ", 1))
	s.mustStop(p, 2, "schema-not-there")
}

func TestARegistrysVersionThatWillNotDoNamesTheDifference(t *testing.T) {
	s := newScene(t)
	s.stop(s.startPublished())
	s.exec(s.source, "ALTER TABLE item ADD COLUMN size int; INSERT INTO item VALUES (2, 'two', 3)")
	p := s.start("postgres-source", strings.Replace(s.sourceYAML(""), "registry: {", "registry: {auto_register: false, use_version: latest, ", 1))
	s.mustStop(p, 2, "schema-latest-differs")
}

func TestTwoTablesThatWouldShareATopicAreNamed(t *testing.T) {
	s := newScene(t)
	s.exec(s.source, `CREATE TABLE "an item" (id int PRIMARY KEY); INSERT INTO "an item" VALUES (1)`)
	s.exec(s.source, `CREATE TABLE an_item (id int PRIMARY KEY); INSERT INTO an_item VALUES (1)`)
	s.mustStop(s.startSource(), 2, "topic-of-two-tables")
}

func TestATableInQuarantineStandsStillUntilItComesHome(t *testing.T) {
	s := newScene(t).withTarget()
	s.exec(s.source, "CREATE TABLE other (id int PRIMARY KEY)")
	front := newFront(t, s.registry)
	direct := s.registry
	s.registry = front.url(s.registry)
	p := s.start("postgres-source", "on_refused_schema: quarantine\n"+s.sourceYAML(""))
	s.streams(p)
	s.registry = direct
	sink := s.start("postgres-sink", s.copyYAML())
	s.rows(s.target, itemsQuery, "1=one")

	front.refuse(s.topic("item") + "-value")
	s.exec(s.source, "ALTER TABLE item ADD COLUMN size int; UPDATE item SET label = 'uno'; INSERT INTO item VALUES (2, 'two', 3)")
	s.mustLog(p, "the registry refuses a table's schema: its changes go to quarantine", "schema-quarantined-log")
	s.exec(s.source, "INSERT INTO other VALUES (7)")
	s.rows(s.target, "SELECT id::text FROM other", "7")
	s.rows(s.target, itemsQuery, "1=one")
	s.stop(p)

	p.Start() // it is still refused
	s.streams(p)
	s.exec(s.source, "DELETE FROM item WHERE id = 1")
	s.stop(p)

	front.answer(nil)
	p.Start()
	s.streams(p)
	s.rows(s.target, itemsQuery, "2=two")
	s.rows(s.target, "SELECT size::text FROM item", "3")
	s.stop(p)
	s.stop(sink)
}

func TestAnAnswerOfTheRegistryThatIsNoneIsTriedAgain(t *testing.T) {
	for name, answer := range map[string]http.HandlerFunc{
		"registry-too-many": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", "1")
			w.WriteHeader(http.StatusTooManyRequests)
			_, _ = w.Write([]byte(`{"error_code":429,"message":"slow down"}`))
		},
		"registry-broken": func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusInternalServerError)
			_, _ = w.Write([]byte(`{"error_code":50001,"message":"Error in the backend data store"}`))
		},
		"registry-html": func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("<html>Log in</html>")) },
		"registry-half": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100")
			_, _ = w.Write([]byte(`{"id":`))
		},
		"registry-slow": func(_ http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body) // the server notices that the client has gone once the body is read
			<-r.Context().Done()
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t)
			front := newFront(t, s.registry)
			s.registry = front.url(s.registry)
			front.answer(answer)
			p := s.start("postgres-source", strings.Replace(s.sourceYAML(""), "registry: {", "registry: {timeout: 2s, ", 1))
			s.mustRetry(p, "register", name)
			front.answer(nil)
			s.streams(p)
			s.stop(p)
		})
	}
}

func TestAnIDThatTheRegistryHasGivenToAnotherSchemaMakesASinkWait(t *testing.T) {
	for name, means := range map[string]string{
		"registry-id-gone":   "",
		"registry-id-reused": `{"schema":"{\"type\":\"record\",\"name\":\"Envelope\",\"namespace\":\"other.public.table\",\"fields\":[]}"}`,
	} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t).withTarget()
			s.startPublished()
			front := newFront(t, s.registry)
			s.registry = front.url(s.registry)
			front.answer(func(w http.ResponseWriter, _ *http.Request) {
				if means == "" {
					w.WriteHeader(http.StatusNotFound)
					_, _ = w.Write([]byte(`{"error_code":40403,"message":"Schema not found"}`))
					return
				}
				_, _ = w.Write([]byte(means))
			})
			p := s.start("postgres-sink", s.copyYAML())
			s.mustRetry(p, "schema", name)
			front.answer(nil)
			s.caughtUp(p, 1)
			s.stop(p)
		})
	}
}
