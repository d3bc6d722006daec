package credential_test

import (
	"net/http"
	"strconv"
	"testing"
	"time"

	"signet/provider/credential"
	"signet/storage"
)

func TestRefusal_SaysWhenToComeBack(t *testing.T) {
	for after, want := range map[time.Duration]string{
		0: "in 1 s", 40*time.Second - 1: "in 40 s", 89*time.Second - 1: "in 89 s", 90*time.Second - 1: "in 2 min",
		15*time.Minute - time.Second: "in 15 min", 89*time.Minute - time.Second: "in 89 min", 90 * time.Minute: "in 2 hours", 24*time.Hour - 1: "in 24 hours",
	} {
		h := http.Header{}
		status, refusal := credential.Refusal(h, &storage.ThrottledError{RetryAfter: after})
		if status != http.StatusTooManyRequests || refusal.Code != "too_many_attempts" || refusal.Retry != want {
			t.Errorf("%s: got %d, %+v, want %q", after, status, refusal, want)
		}
		if seconds, err := strconv.Atoi(h.Get("Retry-After")); err != nil || time.Duration(seconds)*time.Second < after {
			t.Errorf("%s: Retry-After %q", after, h.Get("Retry-After"))
		}
	}
}
