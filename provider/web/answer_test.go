package web_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"signet/provider/web"
	"signet/storage"
)

func TestFormRefusal_ShowsWaitingTime(t *testing.T) {
	for after, want := range map[time.Duration]string{
		0: "Try again in 1 second.", 40*time.Second - 1: "Try again in 40 seconds.", 89*time.Second - 1: "Try again in 89 seconds.", 90*time.Second - 1: "Try again in 2 minutes.",
		15*time.Minute - time.Second: "Try again in 15 minutes.", 89*time.Minute - time.Second: "Try again in 89 minutes.", 90 * time.Minute: "Try again in 2 hours.", 24*time.Hour - 1: "Try again in 24 hours.",
	} {
		h := http.Header{}
		status, refusal := web.FormRefusal(h, &storage.ThrottledError{RetryAfter: after})
		if status != http.StatusTooManyRequests || refusal.Code != "too_many_attempts" || refusal.Retry().String() != want {
			t.Errorf("%s: got %d, %+v, want %q", after, status, refusal, want)
		}
		if seconds, err := strconv.Atoi(h.Get("Retry-After")); err != nil || time.Duration(seconds)*time.Second < after {
			t.Errorf("%s: Retry-After %q", after, h.Get("Retry-After"))
		}
	}
}

func TestFormRefusal_OtherErrorsAreNoRefusal(t *testing.T) {
	for _, err := range []error{storage.ErrUnavailable, storage.ErrNotFound, errors.New("unheard of")} {
		if status, refusal := web.FormRefusal(http.Header{}, err); status != 0 || refusal != nil {
			t.Errorf("%v: got %d, %+v", err, status, refusal)
		}
	}
}

// A cause has one answer on each surface, even if other errors wrap it. WithAdvice replaces
// the sentence of the table, and an exceeded limit sets Retry-After.
func TestAnswerTo_OutermostKnownCauseDecides(t *testing.T) {
	verifier := web.Because("wrong_verifier", errors.New("does not match"))
	ended := fmt.Errorf("rotate: %w", &storage.RevokedError{Code: "session_ended"})
	for _, c := range []struct {
		on     web.Surface
		err    error
		status int
		code   string
	}{
		{web.OAuth, web.Because("verifier_missing", verifier), 400, "invalid_grant"},
		{web.OAuth, ended, 400, "invalid_grant"},
		{web.App, ended, 401, "login_required"},
		{web.OAuth, fmt.Errorf("count: %w", storage.ErrUnavailable), 503, "temporarily_unavailable"},
		{web.OAuth, fmt.Errorf("%w: %w", web.Because("throttled", errors.New("too often")), &storage.ThrottledError{}), 429, "invalid_client"},
		{web.Bearer, web.Because("grant_dead", storage.ErrNotFound), 401, "invalid_token"},
		{web.Bearer, ended, 500, "server_error"},
		{web.OAuth, &web.FormError{Status: 415, Text: "no form"}, 415, "invalid_request"},
		{web.App, &web.FormError{Status: 415, Text: "no JSON"}, 415, "unsupported_media_type"},
		{web.OAuth, context.DeadlineExceeded, 500, "server_error"},
		{web.App, errors.New("unheard of"), 500, "server_error"},
	} {
		got := web.AnswerTo(c.on, c.err)
		if got.Status != c.status || got.Code != c.code || (got.RetryAfter > 0) != (got.Status == 429 || got.Status == 503) {
			t.Errorf("%v: got %+v, want %d %s", c.err, got, c.status, c.code)
		}
	}
	if got := web.AnswerTo(web.OAuth, web.WithAdvice(verifier, "send it again")); got.Code != "invalid_grant" || got.Text != "send it again" {
		t.Errorf("with advice: got %+v", got)
	}
}

// A row for a cause that no error has would never be used; its code is misspelled.
func TestAnswers_EachRowHasAnError(t *testing.T) {
	var sources strings.Builder
	err := filepath.WalkDir("..", func(file string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Ext(file) != ".go" || strings.HasSuffix(file, "_test.go") || filepath.Base(file) == "answers.go" {
			return err
		}
		source, err := os.ReadFile(file)
		sources.Write(source)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, cause := range web.AnsweredCauses() {
		if !strings.Contains(sources.String(), `"`+cause+`"`) {
			t.Errorf("the table has a row for the cause %q, but no error has that cause", cause)
		}
	}
}
