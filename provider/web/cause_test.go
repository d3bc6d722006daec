package web_test

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"signet/provider/web"
	"signet/storage"
)

// The log contains the unverified values of a request on one line, shortened, and without
// the parts that may contain secrets.
func TestTrace_CleansUnverifiedValues(t *testing.T) {
	long := "https://app.example.com/" + strings.Repeat("a", 1000)
	for claimed, want := range map[string]string{
		"https://app.example.com/cb":                         "https://app.example.com/cb",
		"https://app.example.com/cb?code=secret#secret":      "https://app.example.com/cb",
		"https://user:secret@app.example.com/cb":             "https://app.example.com/cb",
		"https://user:secret@app.example.com:zz/cb?x=secret": "app.example.com:zz/cb",
		"com.example.app:/cb?x=secret":                       "com.example.app:/cb",
		"javascript:alert(1)?secret":                         "javascript:alert(1)",
		"no\nurl\x1b[2J?secret":                              "no url [2J",
		long:                                                 long[:256],
		// Percent-encoded once or twice too often.
		"https%3A%2F%2Fapp.example.com%2Fcb%3Fcode%3Dsecret":        "https%3A%2F%2Fapp.example.com%2Fcb",
		"https%3A%2F%2Fuser%3Asecret%40app.example.com%2Fcb%23s":    "app.example.com%2Fcb",
		"https%253A%252F%252Fu%253Asecret%2540a.example%253fsecret": "a.example",
		// Characters that are invisible, or change the direction of the text.
		"https://a.example/\u202egnp\u2028\u200bx\ufeff": "https://a.example/%E2%80%AEgnp%E2%80%A8%E2%80%8Bx%EF%BB%BF",
		"a b\u202egnp\u2028\u200bx\ufeff\u0085":          "a%20b%E2%80%AEgnp%E2%80%A8%E2%80%8Bx%EF%BB%BF%C2%85",
		"%zz\u202egnp\u2028\u200bx\ufeff":                "%zz gnp  x ",
	} {
		trace := &web.Trace{}
		trace.NoteClient("app")
		trace.NoteClaimedClient(strings.Repeat("c", 1000) + "\n")
		trace.NoteClaimedRedirect(claimed)
		trace.Refuse(web.Because("redirect_uri_not_registered", errors.New("no")))
		events := trace.Refusals()
		if len(events) != 1 || events[0].Reason != "redirect_uri_not_registered" || events[0].Type != storage.ClientRefused {
			t.Fatalf("events %+v", events)
		}
		if got := events[0].Detail["redirect_uri"]; got != want {
			t.Errorf("%q: got %q, want %q", claimed, got, want)
		}
		if got := events[0].Detail["claimed_client_id"].(string); len(got) != 128 {
			t.Errorf("claimed_client_id: got %d bytes, want 128", len(got))
		}
	}
}

func TestCauseOf_ReturnsOutermostCode(t *testing.T) {
	inner := web.Because("inner", errors.New("why"))
	for want, err := range map[string]error{
		"inner":             fmt.Errorf("step: %w", inner),
		"outer":             web.Because("outer", fmt.Errorf("step: %w", inner)),
		"replayed":          fmt.Errorf("rotate: %w", storage.ErrReplayed),
		"session_ended":     fmt.Errorf("rotate: %w", &storage.RevokedError{Code: "session_ended"}),
		"unavailable":       fmt.Errorf("read: %w", storage.ErrUnavailable),
		"throttled":         fmt.Errorf("check: %w", &storage.ThrottledError{RetryAfter: time.Second}),
		"malformed_request": &web.FormError{Status: 400, Text: "no form"},
		"stale_form":        web.StaleForm("/", nil),
		"internal":          errors.New("unheard of"),
	} {
		if got := web.CauseOf(err); got != want {
			t.Errorf("%v: got %s, want %s", err, got, want)
		}
	}
}

// There is no event for a refusal without a known client or user, for a refusal that the
// use case has recorded, and for our own failure.
func TestTrace_NoEventForUnknownCallers(t *testing.T) {
	for name, note := range map[string]func(*web.Trace){
		"an unknown caller": func(trace *web.Trace) { trace.Refuse(errors.New("no")) },
		"an event that the use case has written": func(trace *web.Trace) {
			trace.NoteClient("app")
			trace.Refuse(errors.New("no"))
			trace.MarkRecorded()
		},
		"a failure": func(trace *web.Trace) {
			trace.NoteClient("app")
			trace.Fail(errors.New("no"))
		},
		"nothing refused": func(trace *web.Trace) { trace.NoteClient("app") },
	} {
		trace := &web.Trace{}
		note(trace)
		if events := trace.Refusals(); len(events) != 0 {
			t.Errorf("%s: events %+v", name, events)
		}
	}
}

// Ignored parameters are logged together with the unverified values of the request. These
// are logged only once.
func TestTrace_IgnoreNotesUnverifiedValues(t *testing.T) {
	var log strings.Builder
	handler := web.Traced(slog.New(slog.NewJSONHandler(&log, nil)), nil, time.Now, nil, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		trace := web.TraceOf(r.Context())
		trace.NoteClaimedClient("ap\u202ep")
		trace.NoteClaimedRedirect("https://evil.example/bye?secret")
		trace.Ignore("client_id", "unknown")
		trace.Ignore("state", "")
		trace.Ignore("post_logout_redirect_uri", "unknown")
	}))
	handler.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/end_session", nil))
	for _, want := range []string{
		`"ignored_client_id":"unknown"`, `"ignored_post_logout_redirect_uri":"unknown"`, `"claimed_client_id":"ap p"`, `"redirect_uri":"https://evil.example/bye"`,
	} {
		if strings.Count(log.String(), want) != 1 {
			t.Errorf("the log must contain %s once: %s", want, log.String())
		}
	}
	if strings.Contains(log.String(), "ignored_state") || strings.Contains(log.String(), "secret") {
		t.Errorf("the log must contain neither ignored_state nor the query: %s", log.String())
	}
}
