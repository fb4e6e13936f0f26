package registry

import (
	"fmt"
	"net/http"

	"github.com/syncline-io/syncline/schemas/registry/compat"
)

// apiError is an answer that is an error, with Confluent's code.
type apiError struct {
	status  int
	Code    int    `json:"error_code"`
	Message string `json:"message"`
}

func (e *apiError) Error() string { return e.Message }

func notFound(code int, format string, args ...any) error {
	return &apiError{http.StatusNotFound, code, fmt.Sprintf(format, args...)}
}

func noSubject(subject string) error { return notFound(40401, "Subject '%s' not found.", subject) }
func noVersion(version int) error    { return notFound(40402, "Version %d not found.", version) }
func noSchema(id int) error          { return notFound(40403, "Schema %d not found", id) }
func schemaNotInSubject() error      { return notFound(40403, "Schema not found") }

func noLevel(subject string) error {
	return notFound(40408, "Subject '%s' does not have subject-level compatibility configured", subject)
}

func noMode(subject string) error {
	return notFound(40409, "Subject '%s' does not have subject-level mode configured", subject)
}

func unprocessable(code int, format string, args ...any) error {
	return &apiError{http.StatusUnprocessableEntity, code, fmt.Sprintf(format, args...)}
}

func invalidSchema(err error) error {
	return unprocessable(42201, "Input schema is an invalid Avro schema: %v", err)
}

func unsupported(what string) error {
	return unprocessable(42201, "This registry takes Avro schemas without references: %s", what)
}

func invalidVersion(given string) error {
	return unprocessable(42202, "The specified version '%s' is not a valid version id. Allowed values are between [1, 2^31-1] and the string \"latest\"", given)
}

func invalidLevel() error {
	return unprocessable(42203, "Invalid compatibility level. Valid values are none, backward, forward, full, backward_transitive, forward_transitive, and full_transitive")
}

func importRefused(subject string) error {
	return unprocessable(42205, "Subject %s is not in import mode", subject)
}

// incompatibility is the refusal of a schema; the API's check turns it into an answer.
type incompatibility struct {
	apiError
	reason string
}

func incompatible(level compat.Level, version int, i *compat.Incompatibility) error {
	reason := fmt.Sprintf("version %d, compatibility %s: %v", version, level, i)
	return &incompatibility{apiError{http.StatusConflict, http.StatusConflict, "Schema being registered is incompatible with an earlier schema: " + reason}, reason}
}

func (i *incompatibility) Unwrap() error { return &i.apiError }

func storeError(err error) error {
	return &apiError{http.StatusInternalServerError, 50001, "Error in the backend data store: " + err.Error()}
}
