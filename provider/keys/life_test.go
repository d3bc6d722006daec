package keys_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"signet/provider/keys"
	"signet/storage"
)

// moveActive moves the active keys into a state and makes the next keys active.
func moveActive(state storage.KeyState) func(*storage.Key) {
	return func(k *storage.Key) {
		promoteNext(k)
		if k.State == storage.KeyRetired {
			k.State = state
		}
		if state == storage.KeyGone && k.State == state {
			k.Sealed = []byte{} // the private half is destroyed
		}
	}
}

func TestKeyStates_WhatEachStateOpens(t *testing.T) {
	before := open(t)
	access, hint := before.AccessToken(t, "ES256"), before.IDToken(t, "RS256")
	refresh, message := before.RefreshToken(t), before.SealedMessage(t, "request")
	signed := before.Kid(t, "ES256", storage.KeyActive)
	for _, state := range []struct {
		name                                 storage.KeyState
		published, access, hint, internalToo bool
	}{
		{storage.KeyRetired, true, true, true, true},
		{storage.KeyGone, false, false, true, false},
		{storage.KeyRevoked, false, false, false, false},
	} {
		h := before.openAltered(t, moveActive(state.name))
		for what, want := range map[string]struct {
			opens bool
			err   error
		}{
			"access token":   {state.access, openAccess(h, access)},
			"ID token hint":  {state.hint, openHint(h, hint)},
			"refresh token":  {state.internalToo, openRefresh(h, refresh)},
			"sealed message": {state.internalToo, unseal("request")(h, message)},
		} {
			if want.opens && want.err != nil || !want.opens && !errors.Is(want.err, keys.ErrInvalid) {
				t.Errorf("%s of a %s key: got %v, opens: want %v", what, state.name, want.err, want.opens)
			}
		}
		if got := slices.Contains(h.Published(t), signed); got != state.published {
			t.Errorf("%s key published: got %v, want %v", state.name, got, state.published)
		}
		if err := h.Ready(); err != nil {
			t.Errorf("after the %s key: %v", state.name, err)
		}
	}
}

// KY-04: A node accepts tokens of a key that another node has just made.
func TestNextKey_VerifiesBeforeNodeSeesPromotion(t *testing.T) {
	slow := open(t)
	fast := slow.openAltered(t, promoteNext)
	for _, made := range kinds {
		if err := made.open(slow, made.make(t, fast)); err != nil {
			t.Errorf("%s: %v", made.name, err)
		}
	}
}

// KY-02: A key is published before it signs, and until its last token has expired (OIDC Core,
// section 10.1.1).
func TestJWKS_PromotionDoesNotChangeIt(t *testing.T) {
	before := open(t)
	after := before.openAltered(t, promoteNext)
	if before.JWKS().ETag != after.JWKS().ETag {
		t.Errorf("got %s, want %s", after.JWKS().Body, before.JWKS().Body)
	}
	if before.AccessToken(t, "ES256") == after.AccessToken(t, "ES256") {
		t.Error("the same key signs")
	}
}

func TestRevokedKey_CachedTokenIsRefusedAtOnce(t *testing.T) {
	h := open(t, "ES256")
	token := h.AccessToken(t, "ES256")
	if err := openAccess(h, token); err != nil {
		t.Fatal(err)
	}
	if _, err := h.Revoke(t.Context(), h.Kid(t, "ES256", storage.KeyActive), "leaked", storage.By{At: noon}); err != nil {
		t.Fatal(err)
	}
	if err := h.ReloadOnce(t.Context(), noon); err != nil {
		t.Fatal(err)
	}
	if err := openAccess(h, token); !errors.Is(err, keys.ErrInvalid) {
		t.Errorf("got %v, want ErrInvalid", err)
	}
}

func TestGoneKey_WithAnotherKeysPublicHalfIsSkipped(t *testing.T) {
	before := open(t, "ES256")
	hint := before.IDToken(t, "ES256")
	foreign := open(t, "ES256")
	theirs := foreign.Rows(t)
	h := before.openAltered(t, func(k *storage.Key) {
		moveActive(storage.KeyGone)(k)
		for _, row := range theirs {
			if k.State == storage.KeyGone && row.Line == k.Line {
				k.Public = row.Public
			}
		}
	})
	if err := openHint(h, hint); !errors.Is(err, keys.ErrInvalid) {
		t.Errorf("got %v, want ErrInvalid", err)
	}
	if err := openHint(h, foreign.IDToken(t, "ES256")); !errors.Is(err, keys.ErrInvalid) {
		t.Errorf("foreign hint: got %v, want ErrInvalid", err)
	}
}

func TestVerifyAccess_CachedTokenExpires(t *testing.T) {
	h := open(t, "ES256")
	token := h.AccessToken(t, "ES256")
	for range 3 {
		if err := openAccess(h, token); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := h.VerifyAccess(token, noon.Add(15*time.Minute)); !errors.Is(err, keys.ErrExpired) {
		t.Errorf("a cached token that expired: got %v, want ErrExpired", err)
	}
}
