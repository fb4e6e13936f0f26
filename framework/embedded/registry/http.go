package registry

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
)

// contentType is that of every answer.
const contentType = "application/vnd.schemaregistry.v1+json"

// bodyMax bounds what is read of a request: a schema that fits into a record, escaped as unwieldily as JSON allows.
const bodyMax = 4 << 20

// operation answers one kind of request with a value to encode.
type operation func(*http.Request) (any, error)

// rawText is an answer that is sent as it is: a schema, which is JSON itself.
type rawText string

func (op operation) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, bodyMax)
	answer, err := op(r)
	if err != nil {
		writeError(w, err)
		return
	}
	w.Header().Set("Content-Type", contentType)
	if text, ok := answer.(rawText); ok {
		_, _ = w.Write([]byte(text)) // a client that has gone
		return
	}
	writeJSON(w, answer)
}

func writeError(w http.ResponseWriter, err error) {
	e, ok := errors.AsType[*apiError](err)
	if !ok {
		e = &apiError{http.StatusInternalServerError, http.StatusInternalServerError, err.Error()}
	}
	w.Header().Set("Content-Type", contentType)
	w.WriteHeader(e.status)
	writeJSON(w, e)
}

func writeJSON(w http.ResponseWriter, v any) {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(v) // the values are ours and encode; an error is a client that has gone
}

// readBody decodes a request's body; clients send more members than this API has.
func readBody(r *http.Request, into any) error {
	raw, err := io.ReadAll(r.Body)
	if _, over := errors.AsType[*http.MaxBytesError](err); over {
		return schemaTooLarge()
	}
	if err != nil {
		return badRequest("The request ended before its body did: %v", err)
	}
	if err := json.Unmarshal(raw, into); err != nil {
		return badRequest("The request is no JSON of the expected shape: %v", err)
	}
	return nil
}

// flag is a query parameter that is true or false; whatever is not true is false.
func flag(r *http.Request, name string) bool {
	return strings.EqualFold(r.URL.Query().Get(name), "true")
}

// number is a query parameter that is a number, absent by default.
func number(r *http.Request, name string, absent int) (int, error) {
	given := r.URL.Query().Get(name)
	if given == "" {
		return absent, nil
	}
	n, err := strconv.ParseInt(given, 10, 32)
	if err != nil {
		return 0, badRequest("The parameter %s=%.100q is no number", name, given)
	}
	return int(n), nil
}

// page is the part of all that the parameters offset and limit choose: at most as many as most, where that is not 0.
func page[T any](r *http.Request, all []T, most int) ([]T, error) {
	offset, err := number(r, "offset", 0)
	if err != nil {
		return nil, err
	}
	limit, err := number(r, "limit", 0)
	if err != nil {
		return nil, err
	}
	if limit <= 0 || most > 0 && limit > most {
		limit = most
	}
	all = all[min(max(offset, 0), len(all)):]
	if limit > 0 {
		all = all[:min(limit, len(all))]
	}
	return all, nil
}

// deletedFilter is what the parameters deleted and deletedOnly ask for.
func deletedFilter(r *http.Request) filter {
	switch {
	case flag(r, "deletedOnly"):
		return deletedOnly
	case flag(r, "deleted"):
		return withDeleted
	}
	return live
}
