package front

import (
	"net/http"

	"signet/provider/web"
)

// HealthRoutes are the routes of the health checks.
func (f *Front) HealthRoutes() []web.Route {
	return []web.Route{
		{Methods: "GET|HEAD", Path: "/healthz", Policy: web.DocumentPolicy, Handler: http.HandlerFunc(healthz)},
		{Methods: "GET|HEAD", Path: "/readyz", Policy: web.HealthPolicy, Handler: http.HandlerFunc(f.readyz)},
	}
}

// healthz reports that the process runs.
func healthz(w http.ResponseWriter, _ *http.Request) { writeStatus(w, http.StatusOK, "ok") }

// readyz reports only whether the node can serve requests. The reason is logged, not sent.
func (f *Front) readyz(w http.ResponseWriter, r *http.Request) {
	err := f.Ring.Ready()
	if err == nil {
		err = f.DB.Ping(r.Context())
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
