package storage_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"signet/storage"
)

func (w *world) consentAnswer(remember bool, scopes ...string) storage.ConsentAnswer {
	return storage.ConsentAnswer{
		Consent: storage.Consent{
			UserID: w.user.ID, ClientID: w.client.ID, Scopes: scopes, Claims: []string{"email"},
			ExpiresAt: storage.At(noon.Add(365 * 24 * time.Hour)),
		},
		SessionID: w.session.ID, RequestID: "request", Remember: remember,
	}
}

func TestAllowConsent_AddsToEarlierConsent(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		for _, scopes := range [][]string{{"openid", "profile"}, {"openid", "email"}} {
			if err := w.AllowConsent(t.Context(), w.consentAnswer(true, scopes...), noon); err != nil {
				t.Fatal(err)
			}
		}
		c, err := w.Consent(t.Context(), w.user.ID, w.client.ID, noon)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(c.Scopes, []string{"openid", "profile", "email"}) || !slices.Equal(c.Claims, []string{"email"}) || c.GrantedAt != storage.At(noon) {
			t.Errorf("consent %+v", c)
		}
		s, _, err := w.SessionByHandle(t.Context(), "handle of alice", noon)
		if err != nil || !s.Has(storage.FactAllowed, "request") {
			t.Errorf("facts %v, %v: want the fact that the request was allowed", s.Facts, err)
		}
	})
}

func TestAllowConsent_StoresNothingWithoutRemember(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		if err := w.AllowConsent(t.Context(), w.consentAnswer(false, "openid"), noon); err != nil {
			t.Fatal(err)
		}
		_, err := w.Consent(t.Context(), w.user.ID, w.client.ID, noon)
		wantError(t, "consent", err, storage.ErrNotFound)
		s, _, err := w.SessionByHandle(t.Context(), "handle of alice", noon)
		if err != nil || !s.Has(storage.FactAllowed, "request") {
			t.Errorf("facts %v, %v: want the fact that the request was allowed", s.Facts, err)
		}
	})
}

func TestConsent_Expires(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		c := w.consentAnswer(true, "openid", "profile")
		c.Consent.ExpiresAt = storage.At(noon.Add(time.Hour))
		if err := w.AllowConsent(t.Context(), c, noon); err != nil {
			t.Fatal(err)
		}
		_, err := w.Consent(t.Context(), w.user.ID, w.client.ID, noon.Add(time.Hour))
		wantError(t, "at its expiry", err, storage.ErrNotFound)
		again := w.consentAnswer(true, "openid")
		if err := w.AllowConsent(t.Context(), again, noon.Add(2*time.Hour)); err != nil {
			t.Fatal(err)
		}
		got, err := w.Consent(t.Context(), w.user.ID, w.client.ID, noon.Add(2*time.Hour))
		if err != nil || !slices.Equal(got.Scopes, []string{"openid"}) {
			t.Errorf("consent %+v, %v: want no scope of the expired consent", got, err)
		}
	})
}

func TestAllowConsent_KeepsAllParallelConsents(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		second := w.signIn(t, w.user.ID, "second", "", noon)
		scopes := []string{"a", "b", "c", "d", "e", "f"}
		results := together(len(scopes), func(i int) error {
			c := w.consentAnswer(true, scopes[i])
			if i%2 == 1 {
				c.SessionID = second.ID
			}
			return w.AllowConsent(context.Background(), c, noon)
		})
		if counts := tally(results); counts["ok"] != len(scopes) {
			t.Fatalf("outcomes %v", counts)
		}
		c, err := w.Consent(t.Context(), w.user.ID, w.client.ID, noon)
		if err != nil || !c.Covers(scopes, nil, nil) {
			t.Errorf("consent %+v, %v: want all of %v", c, err, scopes)
		}
	})
}

func TestAllowConsent_RefusesForeignSessionAndDisabledRows(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		bob := w.createUser(t, "bob@example.com")
		foreign := w.consentAnswer(true, "openid")
		foreign.Consent.UserID = bob.ID
		wantError(t, "consent of bob in a session of alice", w.AllowConsent(t.Context(), foreign, noon), storage.ErrRevoked)
		if err := w.SetClientEnabled(t.Context(), w.client.ID, false, storage.By{At: noon}); err != nil {
			t.Fatal(err)
		}
		wantError(t, "disabled client", w.AllowConsent(t.Context(), w.consentAnswer(true, "openid"), noon), storage.ErrRevoked)
		if err := w.SetClientEnabled(t.Context(), w.client.ID, true, storage.By{At: noon}); err != nil {
			t.Fatal(err)
		}
		if err := w.SetUserEnabled(t.Context(), w.user.ID, false, storage.By{At: noon}); err != nil {
			t.Fatal(err)
		}
		wantError(t, "disabled user", w.AllowConsent(t.Context(), w.consentAnswer(true, "openid"), noon), storage.ErrRevoked)
		_, err := w.Consent(t.Context(), w.user.ID, w.client.ID, noon)
		wantError(t, "consent", err, storage.ErrNotFound)
	})
}
