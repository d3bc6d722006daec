package storage_test

import (
	"strings"
	"testing"

	"signet/storage"
)

// A star stands for one segment of a subject or for a part of one.
func TestFederation_StarStaysInItsSegment(t *testing.T) {
	for _, c := range []struct {
		pattern, subject string
		want             bool
	}{
		{"repo:octo-org/octo-repo:ref:refs/heads/main", "repo:octo-org/octo-repo:ref:refs/heads/main", true},
		{"repo:octo-org/octo-repo:ref:refs/heads/main", "repo:octo-org/octo-repo:ref:refs/heads/main2", false},
		{"repo:octo-org/octo-repo:ref:refs/heads/main", "repo:octo-org/octo-repo:ref:refs/heads/Main", false},
		{"repo:octo-org/octo-repo:ref:refs/heads/*", "repo:octo-org/octo-repo:ref:refs/heads/main", true},
		{"repo:octo-org/octo-repo:ref:refs/heads/*", "repo:octo-org/octo-repo:ref:refs/heads/a/b", false},
		{"repo:octo-org/octo-repo:ref:refs/heads/*", "repo:octo-org/octo-repo:ref:refs/heads/a:b", false},
		{"repo:octo-org/octo-repo:ref:refs/heads/*", "repo:octo-org/octo-repo:ref:refs/heads/", false},
		{"repo:octo-org/octo-repo:ref:refs/heads/*", "repo:octo-org/octo-repo:ref:refs/heads", false},
		{"repo:octo-org/octo-repo:ref:refs/tags/v*", "repo:octo-org/octo-repo:ref:refs/tags/v1.2", true},
		{"repo:octo-org/octo-repo:ref:refs/tags/v*", "repo:octo-org/octo-repo:ref:refs/tags/v", false},
		{"repo:octo-org/octo-repo:ref:refs/tags/v*-ga", "repo:octo-org/octo-repo:ref:refs/tags/v1-ga", true},
		{"repo:octo-org/octo-repo:ref:refs/tags/v*-ga", "repo:octo-org/octo-repo:ref:refs/tags/v-ga", false},
		{"repo:octo-org/octo-repo:ref:refs/tags/aba*aba", "repo:octo-org/octo-repo:ref:refs/tags/ababa", false},
		{"repo:octo-org/octo-repo:*", "repo:octo-org/octo-repo:pull_request", true},
		{"repo:octo-org/octo-repo:*", "repo:octo-org/octo-repo:ref:refs/heads/main", false},
		{"repo:octo-org/octo-repo:ref:*/*/*", "repo:octo-org/octo-repo:ref:refs/heads/main", true},
		{"repo:octo-org/octo-repo:ref:*/*:*", "repo:octo-org/octo-repo:ref:refs/heads/main", false},
		{"system:serviceaccount:ci:*", "system:serviceaccount:ci:deployer", true},
		{"system:serviceaccount:ci:*", "system:serviceaccount:ci:deployer:x", false},
		{"system:serviceaccount:ci:*", "system:serviceaccount:ci2:deployer", false},
		{"a:**", "a:b", false},
		{"a:*b*", "a:xbx", false},
		{"", "", true},
		{"", "a", false},
		{"a", "", false},
		{"a:*", "a:*", true},
		{"a:b", "a:*", false},
	} {
		if got := (storage.Federation{Subject: c.pattern}).AllowsSubject(c.subject); got != c.want {
			t.Errorf("%q covers %q: got %v, want %v", c.pattern, c.subject, got, c.want)
		}
	}
}

// FuzzFederationSubject compares patterns with subjects of strangers. A pattern without a star
// covers only itself, and a pattern never covers a subject with other separators.
func FuzzFederationSubject(f *testing.F) {
	f.Add("repo:octo-org/octo-repo:ref:refs/heads/*", "repo:octo-org/octo-repo:ref:refs/heads/main")
	f.Add("a:*b/c", "a:bbb/c")
	f.Add("*", "a/b")
	f.Add("::*//", "::x//")
	separators := func(text string) string {
		return strings.Map(func(r rune) rune {
			if r == ':' || r == '/' {
				return r
			}
			return -1
		}, text)
	}
	f.Fuzz(func(t *testing.T, pattern, subject string) {
		covers := storage.Federation{Subject: pattern}.AllowsSubject(subject)
		switch {
		case !strings.Contains(pattern, "*") && covers != (pattern == subject):
			t.Errorf("%q covers %q: %v", pattern, subject, covers)
		case covers && separators(pattern) != separators(subject):
			t.Errorf("%q covers %q, which has other separators", pattern, subject)
		case covers && len(subject) < len(pattern):
			t.Errorf("%q covers %q, which is shorter", pattern, subject)
		}
	})
}
