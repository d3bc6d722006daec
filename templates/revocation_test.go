package templates_test

import (
	"slices"
	"testing"
	"time"

	"signet/templates"
)

var (
	noticed  = time.Unix(1_800_000_000, 0)
	stampOf  = func(t time.Time) string { return t.UTC().Format("15:04") }
	noonText = stampOf(noticed)
)

func TestKeyConsequences_EachStateHasItsSentences(t *testing.T) {
	const (
		unnoticed = "This key has signed nothing, so nobody will notice."
		secrets   = "Its refresh tokens and codes become invalid, and current sign-ins start again. Sessions stay valid."
		tokens    = "Every access token and ID token that it has signed stops working. Refresh tokens and sessions stay valid."
	)
	for _, c := range []struct {
		line, state        string
		next               time.Time
		damage, succession string
	}{
		{"ES256", "next", noticed, unnoticed, ""},
		{"ES256", "active", noticed, tokens, "The next key, published since " + noonText + ", replaces it right away."},
		{"ES256", "active", time.Time{}, tokens, "There is no next key. A new key replaces it, and relying parties see that key only when they read the JWKS again."},
		{"ES256", "retired", noticed, tokens, ""},
		{"ES256", "gone", noticed, "Its ID tokens are no longer accepted as id_token_hint.", ""},
		{"internal", "next", noticed, unnoticed, ""},
		{"internal", "active", noticed, secrets, "The next secret replaces it right away."},
		{"internal", "retired", noticed, secrets, ""},
	} {
		told := templates.KeyConsequences{Line: c.line, State: c.state, NextSince: c.next}
		if got := told.Damage().String(); got != c.damage {
			t.Errorf("%s %s: damage %q, want %q", c.state, c.line, got, c.damage)
		}
		if got := told.Succession(stampOf).String(); got != c.succession {
			t.Errorf("%s %s: succession %q, want %q", c.state, c.line, got, c.succession)
		}
	}
}

func TestKeyAftermath_TellsWhatFollows(t *testing.T) {
	cached, dead := noticed.Add(time.Minute), noticed.Add(time.Hour)
	const (
		revoked  = "The ES256 key kid is revoked. Within a second, every server refuses it."
		untilHow = "Relying parties and APIs that verify tokens themselves accept tokens of the revoked key until they read the JWKS again: "
	)
	cachedUntil := untilHow + "by " + stampOf(cached) + " if they follow Cache-Control, otherwise when they receive a token of the new key or restart."
	expired := "All tokens that Signet signed with it expire by " + stampOf(dead) + ". Anyone who has a copy of the key can sign tokens with any expiry time."
	for name, c := range map[string]struct {
		after templates.KeyAftermath
		want  []string
	}{
		"active": {
			templates.KeyAftermath{Was: "active", Successor: "other", SuccessorSince: noticed, CachedUntil: cached, LastTokenExpiry: dead},
			[]string{revoked, "The key other signs from now on. It has been published since " + noonText + ".", cachedUntil, expired},
		},
		"active, with a successor that nobody has seen": {
			templates.KeyAftermath{Was: "active", Successor: "other", SuccessorSince: noticed, SuccessorUnseen: true, CachedUntil: cached, LastTokenExpiry: dead},
			[]string{revoked, "The key other signs from now on. There was no next key, so relying parties see it only when they read the JWKS again.", cachedUntil, expired},
		},
		"active, while the module is away": {
			templates.KeyAftermath{Was: "active", CachedUntil: cached, LastTokenExpiry: dead, InModule: true},
			[]string{revoked, "No key replaces it until the module that stores the keys answers.", cachedUntil, expired,
				"Its private half is still in the module. The servers delete it as soon as the module answers."},
		},
		"next":    {templates.KeyAftermath{Was: "next", CachedUntil: cached}, []string{revoked, "It had signed nothing, so nobody will notice."}},
		"retired": {templates.KeyAftermath{Was: "retired", CachedUntil: cached, LastTokenExpiry: dead}, []string{revoked, cachedUntil, expired}},
		"gone":    {templates.KeyAftermath{Was: "gone"}, []string{revoked}},
		"internal": {
			templates.KeyAftermath{Line: "internal", Was: "active", Successor: "other", SuccessorSince: noticed},
			[]string{"The internal key kid is revoked. Within a second, every server refuses it.", "The secret other replaces it."},
		},
	} {
		c.after.KeyID = "kid"
		if c.after.Line == "" {
			c.after.Line = "ES256"
		}
		var got []string
		for _, sentence := range c.after.Sentences(stampOf) {
			got = append(got, sentence.String())
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s:\n%q, want\n%q", name, got, c.want)
		}
	}
}
