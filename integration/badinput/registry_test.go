package badinput

import (
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
