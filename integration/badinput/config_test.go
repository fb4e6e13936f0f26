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

func TestEachHandlingModeThatIsNoneIsNamed(t *testing.T) {
	s := newScene(t)
	yaml := s.sourceYAML(`, decimal_handling_mode: exact, time_precision_mode: structured, interval_handling_mode: iso, binary_handling_mode: base32, ` +
		`hstore_handling_mode: text, include_unknown_datatypes: "yes"`)
	p := s.start("postgres-source", yaml+"skipped_operations: [t, x]\nunavailable_value_placeholder: \"\"\n")
	s.mustStop(p, 2, "handling-modes")
}

// TestAKeyThatAModeDoesNotKeepApartIsRefused: two rows would become one to whoever reads the topic.
func TestAKeyThatAModeDoesNotKeepApartIsRefused(t *testing.T) {
	for golden, c := range map[string]struct{ table, mode string }{
		"key-interval": {"CREATE TABLE span (id interval PRIMARY KEY)", ""},
		"key-connect":  {"CREATE TABLE span (id timestamp PRIMARY KEY)", ", time_precision_mode: connect"},
		"key-double":   {"CREATE TABLE span (id numeric(20,2) PRIMARY KEY)", ", decimal_handling_mode: double"},
	} {
		t.Run(golden, func(t *testing.T) {
			s := newScene(t)
			s.exec(s.source, c.table+"; INSERT INTO span VALUES ("+map[bool]string{true: "'2020-01-01'", false: "'1'"}[golden == "key-connect"]+")")
			s.mustStop(s.start("postgres-source", s.sourceYAML(c.mode)), 2, golden)
		})
	}
}
