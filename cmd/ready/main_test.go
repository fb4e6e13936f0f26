package main

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestReadyIsOnly200(t *testing.T) {
	status := http.StatusOK
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = w.Write([]byte("shop: waits for the slot"))
	}))
	defer server.Close()
	if err := ask(server.URL); err != nil {
		t.Errorf("200: %v", err)
	}
	status = http.StatusServiceUnavailable
	if err := ask(server.URL); err == nil || !strings.Contains(err.Error(), "waits for the slot") {
		t.Errorf("503: got %v, want an error with the reason", err)
	}
	server.Close()
	if err := ask(server.URL); err == nil {
		t.Error("an endpoint that is not there is ready")
	}
}
