package federationtest

import "net/http"

// Answer is what an upstream is about to say.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte
}

// EditAnswer changes the answers at a path (without query) before they leave; nil stops that. It
// is for faults without a field in Faults: members of odd types, encodings, content types.
func (u *upstream) EditAnswer(path string, f func(*Answer)) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.edits[path] = f
}

// serveEdited serves a request through the edit for its path, if there is one.
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

// recorder keeps an answer back.
type recorder struct{ answer Answer }

// Header is that of the answer.
func (r *recorder) Header() http.Header { return r.answer.Header }

// WriteHeader notes the status.
func (r *recorder) WriteHeader(status int) { r.answer.Status = status }

// Write adds to the body.
func (r *recorder) Write(p []byte) (int, error) {
	r.answer.Body = append(r.answer.Body, p...)
	return len(p), nil
}
