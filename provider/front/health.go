package provider

import (
	"net/http"

	"signet/provider/web"
)

// healthz says that the process lives.
func healthz(w http.ResponseWriter, _ *http.Request) { writeStatus(w, http.StatusOK, "ok") }

// readyz says only whether requests can be served, never why not: that is logged.
func (p *Provider) readyz(w http.ResponseWriter, r *http.Request) {
	err := p.ring.Ready()
	if err == nil {
		err = p.db.Ping(r.Context())
	}
	if err != nil {
		web.TraceOf(r.Context()).Fail(err)
		writeStatus(w, http.StatusServiceUnavailable, "unavailable")
		return
	}
	writeStatus(w, http.StatusOK, "ok")
}

func writeStatus(w http.ResponseWriter, status int, word string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(`{"status":"` + word + `"}` + "\n"))
}
