package badinput

import (
	"strings"
	"testing"
)

func TestAnUnknownKeyIsNamedWithItsLine(t *testing.T) {
	s := newScene(t)
	p := s.start("postgres-source", strings.Replace(s.sourceYAML(""), "registry:", "regsitry:", 1))
	s.mustStop(p, 2, "unknown-key")
}

func TestAMissingVariableIsNamed(t *testing.T) {
	s := newScene(t)
	p := s.start("postgres-source", strings.Replace(s.sourceYAML(""), password, "${SYNCLINE_BADINPUT_NOWHERE}", 1))
	s.mustStop(p, 2, "missing-variable")
}

func TestAllProblemsOfAFileAreToldAtOnce(t *testing.T) {
	s := newScene(t)
	p := s.start("postgres-sink", "connector: postgres-sink\nname: s p a c e\nadmin: {listen: \"off\"}\npostgres: {url: \"\"}\n")
	s.mustStop(p, 2, "many-problems")
}

func TestAnotherConnectorsFileIsRefused(t *testing.T) {
	s := newScene(t)
	p := s.start("postgres-sink", s.sourceYAML(""))
	s.mustStop(p, 2, "other-connector")
}
