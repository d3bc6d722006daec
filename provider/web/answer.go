package web

import (
	"encoding/json"
	"errors"
	"net/http"
	"strconv"

	"signet/storage"
	"signet/templates"
)

// AnswerTo looks up the answer to an error: that of the outermost cause which the table
// knows on this surface. Errors of any other cause are server_error.
func AnswerTo(s Surface, err error) Answer {
	if e, ok := errors.AsType[*FormError](err); ok {
		return e.answer(s)
	}
	found, known := s.find(err)
	if !known {
		return answers[s]["internal"]
	}
	if better, ok := errors.AsType[*advisedError](err); ok {
		found.Text = better.advice
	}
	if throttled, ok := errors.AsType[*storage.ThrottledError](err); ok && found.Status == http.StatusTooManyRequests {
		found.RetryAfter = throttled.Seconds()
	}
	return found
}

// find walks through the error as errors.Is does.
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

// Unwrap gives the cause, which decides status and code.
func (a *advisedError) Unwrap() error { return a.error }

// WithAdvice gives an error a sentence for the caller that says better than the table what
// to change. Status and code stay those of its cause.
func WithAdvice(err error, advice string) error { return &advisedError{err, advice} }

// Fail answers a program with what the table says of an error, and notes the error in
// the request's trace. It is for OAuth, Bearer, App and Path; people get Site.Fail.
func (s Surface) Fail(w http.ResponseWriter, r *http.Request, err error) {
	s.FailWith(w, r, AnswerTo(s, err), err)
}

// FailWith is Fail with an answer that the caller has completed.
func (s Surface) FailWith(w http.ResponseWriter, r *http.Request, a Answer, err error) {
	trace := TraceOf(r.Context())
	a.note(trace, err)
	if errors.Is(err, storage.ErrReplayed) {
		trace.MarkRecorded() // as grant.replayed
	}
	if trace.site != nil && s.forPeople(r) {
		s.challenge(w.Header(), r, a)
		trace.site.failAsPage(w, r, a, err)
		return
	}
	if a.Text == referenceText {
		a.Text += trace.ID
	}
	a.setRetryAfter(w.Header())
	s.challenge(w.Header(), r, a)
	if a.Code == "" {
		a.Code = "invalid_token" // a bare challenge has no code, its body has
	}
	_ = WriteJSON(w, a.Status, struct {
		Continue    string `json:"continue,omitempty"`
		Error       string `json:"error"`
		Description string `json:"error_description,omitempty"`
	}{a.Continue, a.Code, a.Text})
}

// forPeople reports whether the answer is a page. Forms posted to an endpoint of OAuth come
// from programs: no page of ours has one.
func (s Surface) forPeople(r *http.Request) bool {
	programs := s == OAuth || s == Bearer
	return (!programs || r.Method == http.MethodGet || r.Method == http.MethodHead) && WantsPage(r)
}

// challenge asks for authentication: of a client that tried Basic (RFC 6749, section
// 5.2), and of every bearer (RFC 6750, section 3) but one who only has to come again.
func (s Surface) challenge(h http.Header, r *http.Request, a Answer) {
	switch {
	case s == OAuth && a.Status == http.StatusUnauthorized && r.Header.Get("Authorization") != "":
		h.Set("WWW-Authenticate", `Basic realm="signet", charset="UTF-8"`)
	case s == Bearer && a.Code == "":
		h.Set("WWW-Authenticate", "Bearer")
	case s == Bearer && a.Status != http.StatusServiceUnavailable:
		h.Set("WWW-Authenticate", `Bearer error="`+a.Code+`", error_description="`+a.Text+`"`)
	}
}

// note tells the trace whether the caller is at fault or we are.
func (a Answer) note(trace *Trace, err error) {
	if a.Status >= http.StatusInternalServerError {
		trace.Fail(err)
		return
	}
	trace.Refuse(err)
}

func (a Answer) setRetryAfter(h http.Header) {
	if a.RetryAfter > 0 {
		h.Set("Retry-After", strconv.Itoa(a.RetryAfter))
	}
}

// FormRefusal gives what a form says when its password was not accepted, with the
// status of the answer, and sets Retry-After. Unknown, wrong and disabled read the
// same. It gives nil for an error that is no refusal.
func FormRefusal(h http.Header, err error) (int, *templates.FormError) {
	if _, known := form.find(err); !known {
		return 0, nil
	}
	a := AnswerTo(form, err)
	a.setRetryAfter(h)
	said := &templates.FormError{Code: a.Code, Text: a.Text, Field: a.Field}
	if a.RetryAfter > 0 {
		said.Retry = retryText(a.RetryAfter)
	}
	return a.Status, said
}

// WithReference gives what a form says together with the reference of the request, which
// leads from the page to the log.
func WithReference(r *http.Request, said *templates.FormError) *templates.FormError {
	if said == nil {
		return nil
	}
	with := *said
	with.Reference = TraceOf(r.Context()).ID
	return &with
}

// retryText rounds up, so that people who wait for that long are not too early.
func retryText(seconds int) string {
	switch minutes := (seconds + 59) / 60; {
	case seconds < 90:
		return "in " + strconv.Itoa(seconds) + " s"
	case minutes < 90:
		return "in " + strconv.Itoa(minutes) + " min"
	default:
		return "in " + strconv.Itoa((minutes+59)/60) + " hours"
	}
}

// autoLengthLimit is how many bytes of an answer net/http keeps back until the handler
// returns, and then counts by itself.
const autoLengthLimit = 2048

// WriteJSON answers with a JSON document. A short one gets its Content-Length from
// net/http: a header less in the map, which is dear to grow beyond eight.
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
