package web

import (
	"cmp"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"

	"signet/storage"
	"signet/templates"
)

// AnswerTo looks up the answer to an error on a surface. The outermost cause that has a
// row in the table decides. An error without such a cause is server_error.
func AnswerTo(s Surface, err error) Answer {
	if e, ok := errors.AsType[*FormError](err); ok {
		return e.answer(s)
	}
	found, known := s.find(err)
	if !known {
		return answers[s]["internal"]
	}
	if advised, ok := errors.AsType[*advisedError](err); ok {
		found.Text = advised.advice
	}
	if throttled, ok := errors.AsType[*storage.ThrottledError](err); ok && found.Status == http.StatusTooManyRequests {
		found.RetryAfter = throttled.Seconds()
	}
	return found
}

// find looks for the first error in the tree that has a row, in the order of errors.Is.
func (s Surface) find(err error) (Answer, bool) {
	if err == nil {
		return Answer{}, false
	}
	if found, ok := answers[s][ownCause(err)]; ok {
		if found.Text == causeText {
			found.Text = err.Error()
		}
		return found, true
	}
	switch e := err.(type) {
	case interface{ Unwrap() error }:
		return s.find(e.Unwrap())
	case interface{ Unwrap() []error }:
		for _, inner := range e.Unwrap() {
			if found, ok := s.find(inner); ok {
				return found, true
			}
		}
	}
	return Answer{}, false
}

// advisedError is an error with its own sentence for the caller.
type advisedError struct {
	error
	advice string
}

// Unwrap returns the cause, which decides status and code.
func (a *advisedError) Unwrap() error { return a.error }

// WithAdvice adds a sentence to an error. It replaces the sentence of the table, because
// it tells the caller more precisely how to fix the request. Status and code are still
// those of the cause.
func WithAdvice(err error, advice string) error { return &advisedError{err, advice} }

// Fail answers a program as the table says for the error, and notes the error in the
// request's trace. It is for OAuth, Bearer, App and Path; Site.Fail is for people.
func (s Surface) Fail(w http.ResponseWriter, r *http.Request, err error) {
	s.FailWith(w, r, AnswerTo(s, err), err)
}

// FailWith is Fail with an answer that the caller has looked up and changed.
func (s Surface) FailWith(w http.ResponseWriter, r *http.Request, a Answer, err error) {
	trace := TraceOf(r.Context())
	a.note(trace, err)
	if errors.Is(err, storage.ErrReplayed) {
		trace.MarkRecorded() // storage has written the event grant.replayed
	}
	if trace.site != nil && s.forPeople(r) {
		s.challenge(w.Header(), r, a)
		trace.site.failAsPage(w, r, a, err)
		return
	}
	if s == API {
		s.challenge(w.Header(), r, a)
		a.writeProblemDocument(w, trace)
		return
	}
	if a.Text == referenceText {
		a.Text += trace.ID
	}
	a.setRetryAfter(w.Header())
	s.challenge(w.Header(), r, a)
	if a.Code == "" {
		a.Code = "invalid_token" // the challenge has no code here, but the body needs one
	}
	_ = WriteJSON(w, a.Status, struct {
		Continue    string `json:"continue,omitempty"`
		Error       string `json:"error"`
		Description string `json:"error_description,omitempty"`
	}{a.Continue, a.Code, a.Text})
}

// forPeople reports whether the answer is a page. A POST to an OAuth endpoint always
// comes from a program, because no page of ours has a form that leads there.
func (s Surface) forPeople(r *http.Request) bool {
	postIsProgram := s == OAuth || s == Bearer || s == API
	return (!postIsProgram || r.Method == http.MethodGet || r.Method == http.MethodHead) && WantsPage(r)
}

// challenge sets WWW-Authenticate: for a client that tried Basic (RFC 6749, section
// 5.2), and for every bearer (RFC 6750, section 3) except with 503, where the bearer only
// has to try again.
func (s Surface) challenge(h http.Header, r *http.Request, a Answer) {
	switch {
	case s == OAuth && a.Status == http.StatusUnauthorized && r.Header.Get("Authorization") != "":
		h.Set("WWW-Authenticate", `Basic realm="signet", charset="UTF-8"`)
	case s == API && a.Status != http.StatusUnauthorized && a.Status != http.StatusForbidden:
	case (s == Bearer || s == API) && a.Code == "":
		h.Set("WWW-Authenticate", "Bearer")
	case s == API:
		h.Set("WWW-Authenticate", `Bearer error="`+a.Code+`", error_description="`+a.Text+`"`)
	case s == Bearer && a.Status != http.StatusServiceUnavailable:
		h.Set("WWW-Authenticate", `Bearer error="`+a.Code+`", error_description="`+a.Text+`"`)
	}
}

// note records the error in the trace: as our failure (5xx) or as a refused request.
func (a Answer) note(trace *Trace, err error) {
	if a.Status >= http.StatusInternalServerError {
		trace.Fail(err)
		return
	}
	trace.Refuse(err)
}

func (a Answer) setRetryAfter(h http.Header) {
	if a.RetryAfter > 0 {
		SetRetryAfter(h, a.RetryAfter)
	}
}

// SetRetryAfter sets the Retry-After header to a number of seconds.
func SetRetryAfter(h http.Header, seconds int) { h.Set("Retry-After", strconv.Itoa(seconds)) }

// FormRefusal returns the status and the message for a form with a password that was not
// accepted, and sets Retry-After. Unknown users, wrong passwords and disabled users get
// the same message. It returns nil for an error that is not a refusal.
func FormRefusal(h http.Header, err error) (int, *templates.FormError) {
	if _, known := form.find(err); !known {
		return 0, nil
	}
	a := AnswerTo(form, err)
	a.setRetryAfter(h)
	return a.Status, &templates.FormError{Code: a.Code, Text: a.Sentence, Field: a.Field, RetryAfter: a.RetryAfter}
}

// WithReference returns a copy of the message with the reference of the request, by which
// operators find the request in the log. It returns nil for nil.
func WithReference(r *http.Request, message *templates.FormError) *templates.FormError {
	if message == nil {
		return nil
	}
	referenced := *message
	referenced.Reference = TraceOf(r.Context()).ID
	return &referenced
}

// ProblemDocument is the body of an error of the administration API (RFC 9457). Its type is the
// default, about:blank.
type ProblemDocument struct {
	Title     string `json:"title" doc:"the text of the status"`
	Status    int    `json:"status"`
	Code      string `json:"code" doc:"stable; the command line has the same codes"`
	Field     string `json:"field,omitempty" doc:"the member of the body, or the parameter, with the mistake"`
	Detail    string `json:"detail" doc:"for the developer of the caller: says how to fix the request"`
	RequestID string `json:"request_id,omitempty" doc:"by which operators find the request in the log"`
}

func (a Answer) writeProblemDocument(w http.ResponseWriter, trace *Trace) {
	detail := a.Text
	if detail == referenceText {
		detail += trace.ID
	}
	a.setRetryAfter(w.Header())
	content, err := json.Marshal(ProblemDocument{
		Title: http.StatusText(a.Status), Status: a.Status, Code: cmp.Or(a.Code, "invalid_token"), Field: a.Field, Detail: detail, RequestID: trace.ID,
	})
	if err != nil {
		return // strings and numbers always encode
	}
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(a.Status)
	_, _ = w.Write(content)
}

// autoLengthLimit is the size, in bytes, up to which net/http buffers an answer and sets
// Content-Length itself.
const autoLengthLimit = 2048

// WriteJSON answers with a JSON document. net/http sets the Content-Length of a short
// one. That saves an entry in the header map, which is slow to grow beyond eight.
func WriteJSON(w http.ResponseWriter, status int, body any) error {
	content, err := json.Marshal(body)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	if len(content) >= autoLengthLimit {
		w.Header().Set("Content-Length", strconv.Itoa(len(content)))
	}
	w.WriteHeader(status)
	_, _ = w.Write(content)
	return nil
}
