package federationtest

import "net/http"

// Answer is an answer of an upstream before it is sent.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte
}

// EditAnswer calls f for each answer of a path (without query) before it is sent. With nil,
// answers are sent unchanged again. It is for faults that Faults has no field for: members of
// wrong types, encodings, content types.
func (u *upstream) EditAnswer(path string, f func(*Answer)) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.edits[path] = f
}

// serveEdited serves a request and applies the edit for its path, if there is one.
func (u *upstream) serveEdited(w http.ResponseWriter, r *http.Request) {
	u.mu.Lock()
	f := u.edits[r.URL.Path]
	u.mu.Unlock()
	if f == nil {
		u.mux.ServeHTTP(w, r)
		return
	}
	recorded := &recorder{Answer{http.StatusOK, http.Header{}, nil}}
	u.mux.ServeHTTP(recorded, r)
	f(&recorded.answer)
	for name, values := range recorded.answer.Header {
		w.Header()[name] = values
	}
	w.WriteHeader(recorded.answer.Status)
	w.Write(recorded.answer.Body)
}

// recorder is a ResponseWriter that records the answer instead of sending it.
type recorder struct{ answer Answer }

// Header returns the header of the answer.
func (r *recorder) Header() http.Header { return r.answer.Header }

// WriteHeader records the status.
func (r *recorder) WriteHeader(status int) { r.answer.Status = status }

// Write appends to the body.
func (r *recorder) Write(p []byte) (int, error) {
	r.answer.Body = append(r.answer.Body, p...)
	return len(p), nil
}
