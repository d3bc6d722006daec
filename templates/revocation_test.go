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
		unnoticed = "It has signed nothing: nobody will notice."
		secrets   = "Refresh tokens and codes under it end, and sign-ins under way begin again. Sessions live on."
		tokens    = "Every access and ID token it has signed stops working; refresh tokens and sessions live on."
	)
	for _, c := range []struct {
		line, state        string
		next               time.Time
		damage, succession string
	}{
		{"ES256", "next", noticed, unnoticed, ""},
		{"ES256", "active", noticed, tokens, "The next key, published since " + noonText + ", signs in its place at once."},
		{"ES256", "active", time.Time{}, tokens, "There is no next key: a new one takes its place, and relying parties see it only when they read the JWKS again."},
		{"ES256", "retired", noticed, tokens, ""},
		{"ES256", "gone", noticed, "Its ID tokens no longer serve as id_token_hint.", ""},
		{"internal", "next", noticed, unnoticed, ""},
		{"internal", "active", noticed, secrets, "The next one takes its place at once."},
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
		revoked  = "The ES256 key kid is revoked: every server refuses it within a second."
		untilHow = "Relying parties and APIs that check tokens by themselves take those of the revoked key until they read the JWKS again: "
	)
	cachedUntil := untilHow + "by " + stampOf(cached) + " where Cache-Control is followed, elsewhere when they meet a token of the new key or are restarted."
	expired := "Tokens signed in good faith have all expired by " + stampOf(dead) + "; whoever has the key can make others with any date."
	for name, c := range map[string]struct {
		after templates.KeyAftermath
		want  []string
	}{
		"active": {
			templates.KeyAftermath{Was: "active", Successor: "other", SuccessorSince: noticed, CachedUntil: cached, LastTokenExpiry: dead},
			[]string{revoked, "The key other signs from now on; it has been published since " + noonText + ".", cachedUntil, expired},
		},
		"active, with a successor that nobody has seen": {
			templates.KeyAftermath{Was: "active", Successor: "other", SuccessorSince: noticed, SuccessorUnseen: true, CachedUntil: cached, LastTokenExpiry: dead},
			[]string{revoked, "The key other signs from now on; there was no next key, so relying parties see it only when they read the JWKS again.", cachedUntil, expired},
		},
		"active, while the module is away": {
			templates.KeyAftermath{Was: "active", CachedUntil: cached, LastTokenExpiry: dead, InModule: true},
			[]string{revoked, "Nothing takes its place until the module that holds the keys answers.", cachedUntil, expired,
				"Its private half is still in the module; the servers destroy it as soon as the module answers."},
		},
		"next":    {templates.KeyAftermath{Was: "next", CachedUntil: cached}, []string{revoked, "It had signed nothing: nobody will notice."}},
		"retired": {templates.KeyAftermath{Was: "retired", CachedUntil: cached, LastTokenExpiry: dead}, []string{revoked, cachedUntil, expired}},
		"gone":    {templates.KeyAftermath{Was: "gone"}, []string{revoked}},
		"internal": {
			templates.KeyAftermath{Line: "internal", Was: "active", Successor: "other", SuccessorSince: noticed},
			[]string{"The internal key kid is revoked: every server refuses it within a second.", "The secret other takes its place."},
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
