package registry

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
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

func subjectSoftDeleted(subject string) error {
	return notFound(40404, "Subject '%s' was soft deleted. Set permanent=true to delete permanently", subject)
}

func subjectNotSoftDeleted(subject string) error {
	return notFound(40405, "Subject '%s' was not deleted first before being permanently deleted", subject)
}

func versionSoftDeleted(subject string, version int) error {
	return notFound(40406, "Subject '%s' Version %d was soft deleted. Set permanent=true to delete permanently", subject, version)
}

func versionNotSoftDeleted(subject string, version int) error {
	return notFound(40407, "Subject '%s' Version %d was not deleted first before being permanently deleted", subject, version)
}

func noLevel(subject string) error {
	return notFound(40408, "Subject '%s' does not have subject-level compatibility configured", subject)
}

func noMode(subject string) error {
	return notFound(40409, "Subject '%s' does not have subject-level mode configured", subject)
}

func unprocessable(code int, format string, args ...any) error {
	return &apiError{http.StatusUnprocessableEntity, code, fmt.Sprintf(format, args...)}
}

// messageMax bounds what is repeated of a reason: it may quote what is wrong with a schema.
const messageMax = 1000

func invalidSchema(err error) error {
	reason := err.Error()
	if len(reason) > messageMax {
		reason = strings.ToValidUTF8(reason[:messageMax], "") + "..."
	}
	return unprocessable(42201, "Invalid schema: %s", reason)
}

func isInvalidSchema(err error) bool {
	e, ok := errors.AsType[*apiError](err)
	return ok && e.Code == 42201
}

func invalidVersion(given string) error {
	return unprocessable(42202, "The specified version '%.100s' is not a valid version id. Allowed values are between [1, 2^31-1] and the string \"latest\"", given)
}

func invalidLevel() error {
	return unprocessable(42203, "Invalid compatibility level. Valid values are none, backward, forward, full, backward_transitive, forward_transitive, and full_transitive")
}

func invalidMode() error {
	return unprocessable(42204, "Invalid mode. Valid values are READWRITE, READONLY, READONLY_OVERRIDE and IMPORT")
}

func notPermitted(format string, args ...any) error { return unprocessable(42205, format, args...) }

func referenceExists(subject string, version int) error {
	return unprocessable(42206, "One or more references exist to the schema {subject=%s,version=%d}", subject, version)
}

func invalidSubject(subject string) error {
	return unprocessable(42208, "The specified subject '%.100s' is not valid: it is empty, reserved, holds control characters, or names a context, and this registry has the default context alone", subject)
}

func schemaTooLarge() error {
	return unprocessable(42209, "The schema is too large: as a record of the topic %s it takes more than %d KiB", Topic, recordMax>>10)
}

// incompatible is the refusal of a schema, with the reasons.
func incompatible(subject string, reasons []string) error {
	return &apiError{http.StatusConflict, http.StatusConflict, fmt.Sprintf("Schema being registered is incompatible with an earlier schema for subject \"%s\", details: [%s]",
		subject, strings.Join(reasons, "; "))}
}

func badRequest(format string, args ...any) error {
	return &apiError{http.StatusBadRequest, http.StatusBadRequest, fmt.Sprintf(format, args...)}
}

// storeError is the trouble with the topic or with what it holds. One that has a code keeps it.
func storeError(err error) error {
	if e, ok := errors.AsType[*apiError](err); ok {
		return e
	}
	return &apiError{http.StatusInternalServerError, 50001, "Error in the backend data store: " + err.Error()}
}
