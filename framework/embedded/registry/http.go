package registry

import (
	"encoding/json"
	"errors"
	"net/http"
)

// contentType is that of every answer.
const contentType = "application/vnd.schemaregistry.v1+json"

// bodyMax bounds what is read of a request.
const bodyMax = 16 << 20

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
	err := json.NewDecoder(r.Body).Decode(into)
	if err == nil {
		return nil
	}
	if _, tooLarge := errors.AsType[*http.MaxBytesError](err); tooLarge {
		return &apiError{http.StatusRequestEntityTooLarge, http.StatusRequestEntityTooLarge, "Request is larger than 16 MiB"}
	}
	return &apiError{http.StatusBadRequest, http.StatusBadRequest, "Request is no JSON of the expected shape: " + err.Error()}
}
