package admin_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"signet/provider"
	"signet/provider/keys/keeper"
	"signet/provider/providertest"
	"signet/storage"
)

// keyEvent returns the newest event of a type. It fails if there is none.
func keyEvent(t *testing.T, b *providertest.Testbed, kind storage.EventType) storage.Event {
	t.Helper()
	for _, e := range b.Events(t) {
		if e.Type == kind {
			return e
		}
	}
	t.Fatalf("there is no event %s", kind)
	return storage.Event{}
}

// published waits until the next keys may sign, and signs the administrator in again.
func published(t *testing.T, v *providertest.Visitor, path string) providertest.Stop {
	t.Helper()
	v.Bed.Advance(24 * time.Hour)
	return v.SignIn(t, v.Get(t, v.Bed.Issuer+path), providertest.AdminEmail, providertest.Password)
}

// wantQuestion fails if the answer is not the sign-in page.
func wantQuestion(t *testing.T, s providertest.Stop) {
	t.Helper()
	if s.At.Path != "/login" || s.StatusCode != http.StatusOK {
		t.Fatalf("at %s, status %d, want the sign-in page", s.At, s.StatusCode)
	}
	s.WantText(t, "Confirm it’s you", providertest.AdminEmail)
}

func TestAdminKeys_ShowTableTimelineAndReaders(t *testing.T) {
	providertest.Each(t, func(t *testing.T, b *providertest.Testbed) {
		v, page := b.Administrator(t, "/admin/keys")
		page.WantAt(t, "/admin/keys")
		page.WantText(t, `id="nobody-seen"`, "<svg", "next rotation", "today", `class="signing"`, `class="published"`, "in 30 days")
		rows, err := b.DB.Keys(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		for _, k := range b.Keeper(t).Life().Schedule(rows, b.Now()) {
			page.WantText(t, k.ID)
			for _, at := range []time.Time{k.SignsFrom, k.SignsUntil, k.LastTokenExpiry} {
				if !at.IsZero() {
					page.WantText(t, `datetime="`+at.UTC().Format(time.RFC3339)+`"`)
				}
			}
		}
		if strings.Contains(page.Body, "style=") || strings.Contains(page.Body, "<style") {
			t.Error("the page has an inline style")
		}

		read := func(agent string) {
			t.Helper()
			r := providertest.NewGetRequest(t, b.Issuer+"/jwks")
			r.Header.Set("User-Agent", agent)
			providertest.Do(t, providertest.Direct, r)
			if err := b.NoteReadersOnce(context.Background(), b.Now()); err != nil {
				t.Fatal(err)
			}
		}
		read("gateway/1.0")
		published(t, v, "/admin/keys")
		b.Follow(t)
		if _, err := b.Keeper(t).Rotate(t.Context(), nil, 0, storage.By{At: b.Now()}); err != nil {
			t.Fatal(err)
		}
		b.Advance(time.Second)
		read("jose/v6.2.17")
		page = v.Get(t, b.Issuer+"/admin/keys")
		page.WantText(t, "id=\"unseen\">\n<li><bdi>gateway</bdi>: ", "id=\"seen\">\n<li><bdi>jose</bdi>: ", "retired", `class="checking"`)
		for _, never := range []string{" safe", `id="nobody-seen"`} {
			if strings.Contains(page.Body, never) {
				t.Errorf("the page contains %q", never)
			}
		}
	})
}

func TestAdminKeys_RotateNeedsPublishedKeys(t *testing.T) {
	providertest.Each(t, func(t *testing.T, b *providertest.Testbed) {
		v, page := b.Administrator(t, "/admin/keys/rotate")
		before := b.Kid(t, "ES256", storage.KeyNext)
		page.WantText(t, `id="not-ready"`, b.Now().Add(24*time.Hour).UTC().Format("2006-01-02"), before)
		if strings.Contains(page.Body, `id="confirm"`) {
			t.Error("the page offers a rotation that will be refused")
		}

		page = published(t, v, "/admin/keys/rotate")
		page.WantAt(t, "/admin/keys/rotate")
		page.WantText(t, "sign from now on", before)
		f := page.FormTo(t, "/admin/keys/rotate", "", "")
		done := v.Submit(t, f)
		done.WantAt(t, "/admin/keys?done=rotated")
		done.WantText(t, "The keys were rotated.")
		if got := b.Kid(t, "ES256", storage.KeyActive); got != before {
			t.Errorf("%s signs, want the previous next key %s", got, before)
		}
		from := keyEvent(t, b, storage.KeyRotated).From
		if from.Actor != b.UserByEmail(t, providertest.AdminEmail).ID || from.RequestID == "" {
			t.Errorf("origin of the event: %+v", from)
		}
		v.Submit(t, f).WantPage(t, http.StatusConflict, "stale_form")
		if got := b.Kid(t, "ES256", storage.KeyActive); got != before {
			t.Error("a form that was sent twice has rotated twice")
		}
	})
}

// If too many retired keys are published, the page shows when the next rotation is possible.
func TestAdminKeys_RotateRefusedWithTooManyRetiredKeys(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		v, _ := b.Administrator(t, "/admin/keys/rotate")
		keeper := b.KeeperOf(t, provider.Lifetimes{Access: 10 * 24 * time.Hour})
		for range 10 { // the first signing key is retired with the lifetime that it was made for
			if _, err := keeper.Rotate(t.Context(), []string{"ES256"}, 0, storage.By{At: b.Now()}); err != nil {
				t.Fatal(err)
			}
			b.Advance(time.Hour)
		}
		b.Follow(t)
		before := b.Kid(t, "ES256", storage.KeyActive)
		page := published(t, v, "/admin/keys/rotate")
		refused := v.Submit(t, page.FormTo(t, "/admin/keys/rotate", "", ""))
		refused.WantPage(t, http.StatusConflict, "too_many_retired_keys")
		refused.WantText(t, "9 retired ES256 keys", "possible from "+b.Now().UTC().AddDate(0, 0, 8).Format("2006-01-"))
		if got := b.Kid(t, "ES256", storage.KeyActive); got != before {
			t.Error("the keys were rotated")
		}
	})
}

func TestAdminKeys_ParallelRotationsRotateOnce(t *testing.T) {
	providertest.Each(t, func(t *testing.T, b *providertest.Testbed) {
		v, _ := b.Administrator(t, "/admin")
		f := published(t, v, "/admin/keys/rotate").FormTo(t, "/admin/keys/rotate", "", "")
		providertest.Race(2, func(int) { v.Submit(t, f) })
		rotated := 0
		for _, e := range b.Events(t) {
			if e.Type == storage.KeyRotated {
				rotated++
			}
		}
		if rotated != 2 { // ES256 and RS256, once each
			t.Errorf("%d rotations, want 2", rotated)
		}
	})
}

// The page revokes a key like the command: all nodes refuse the key immediately, the next
// key replaces it, and an event is written.
func TestAdminKeys_RevokeActsLikeCommand(t *testing.T) {
	providertest.Each(t, func(t *testing.T, b *providertest.Testbed) {
		other := b.Node(t)
		access := b.Redeem(t, b.Visitor(t).SignInForCode(t))["access_token"].(string)
		kid, next := b.Kid(t, "ES256", storage.KeyActive), b.Kid(t, "ES256", storage.KeyNext)
		v, page := b.Administrator(t, "/admin/keys")
		page.WantText(t, "/admin/keys/revoke?kid="+kid)
		page = v.Get(t, b.Issuer+providertest.RevokePathOf(kid))
		page.WantText(t, "Every access token and ID token that it has signed stops working", "The next key, published since")
		f := page.FormTo(t, "/admin/keys/revoke", "", "")
		for _, typed := range []string{"", kid[:7], next, "x" + kid} {
			refused := v.Submit(t, f, "kid", kid, "confirm", typed, "reason", "lost laptop")
			if refused.StatusCode != http.StatusUnprocessableEntity {
				t.Errorf("typed %q: status %d, want 422", typed, refused.StatusCode)
			}
			refused.WantText(t, "Nothing was changed", `value="lost laptop"`)
		}
		b.WantUserinfo(t, access, http.StatusOK)

		done := v.Submit(t, f, "kid", kid, "confirm", " "+kid[:8], "reason", "lost laptop")
		done.WantAt(t, "/admin/keys?done=revoked&kid="+kid)
		done.WantText(t, "The ES256 key "+kid+" is revoked", next+" signs from now on. It has been published since",
			"until they read the JWKS again: by", "that Signet signed with it expire by", "lost laptop")
		v.Get(t, b.Issuer+"/admin/keys?done=revoked&kid="+next).WantText(t, "The key was revoked.")
		for _, n := range []*providertest.Testbed{b, other} {
			n.Follow(t)
			n.WantUserinfo(t, access, http.StatusUnauthorized)
		}
		if got := b.Kid(t, "ES256", storage.KeyActive); got != next {
			t.Errorf("%s signs, want the previous next key %s", got, next)
		}
		e := keyEvent(t, b, storage.KeyRevokedEvent)
		if e.From.Actor != b.UserByEmail(t, providertest.AdminEmail).ID || e.Detail["kid"] != kid {
			t.Errorf("event: %+v", e)
		}
		again := v.Get(t, b.Issuer+providertest.RevokePathOf(kid))
		again.WantPage(t, http.StatusNotFound, "not_found")
	})
}

func TestAdminKeys_ChangesNeedFreshSignInAndTicket(t *testing.T) {
	providertest.Each(t, func(t *testing.T, b *providertest.Testbed) {
		v, _ := b.Administrator(t, "/admin")
		kid := b.Kid(t, "ES256", storage.KeyActive)
		rotate := published(t, v, "/admin/keys/rotate").FormTo(t, "/admin/keys/rotate", "", "")
		revoke := v.Get(t, b.Issuer+providertest.RevokePathOf(kid)).FormTo(t, "/admin/keys/revoke", "", "")
		revoke.Values.Set("confirm", kid)
		for path, f := range map[string]providertest.Form{"/admin/keys/rotate": rotate, "/admin/keys/revoke": revoke} {
			own := f.Values.Get("ticket")
			for name, ticket := range map[string]string{"none": "", "the other form's": map[bool]providertest.Form{true: rotate, false: revoke}[path == "/admin/keys/revoke"].Values.Get("ticket")} {
				f.Values.Set("ticket", ticket)
				if a := v.Submit(t, f, "kid", kid); a.StatusCode != http.StatusConflict {
					t.Errorf("%s, ticket %s: status %d, want 409", path, name, a.StatusCode)
				}
			}
			f.Values.Set("ticket", own)
		}
		b.Advance(5*time.Minute + time.Second)
		v.Get(t, b.Issuer+"/admin/keys").WantAt(t, "/admin/keys") // reading needs no fresh sign-in
		for _, path := range []string{"/admin/keys/rotate", providertest.RevokePathOf(kid)} {
			wantQuestion(t, v.Get(t, b.Issuer+path))
		}
		wantQuestion(t, v.Submit(t, rotate))
		page := v.Submit(t, revoke, "kid", kid)
		wantQuestion(t, page)
		if got := b.Kid(t, "ES256", storage.KeyActive); got != kid {
			t.Error("a key was changed without a fresh sign-in")
		}
		back := v.SignIn(t, page, providertest.AdminEmail, providertest.Password)
		if !strings.HasPrefix(back.At.String(), b.Issuer+providertest.RevokePathOf(kid)+"&typed=") {
			t.Fatalf("at %s", back.At)
		}
		back.WantText(t, kid)
	})
}

func TestSchedule_MatchesKeeper(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		life := b.Keeper(t).Life()
		of := func(state storage.KeyState) keeper.Scheduled {
			t.Helper()
			rows, err := b.DB.Keys(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			for _, k := range life.Schedule(rows, b.Now()) {
				if k.Line == "ES256" && k.State == state {
					return k
				}
			}
			t.Fatalf("no %s key", state)
			return keeper.Scheduled{}
		}
		next := of(storage.KeyNext)
		b.Advance(next.SignsFrom.Sub(b.Now()) - time.Second)
		if err := b.RotateOnce(t.Context(), b.Now()); err != nil {
			t.Fatal(err)
		}
		if got := of(storage.KeyNext); got.ID != next.ID {
			t.Fatal("the keeper rotated before the scheduled time")
		}
		b.Advance(time.Second)
		if err := b.RotateOnce(t.Context(), b.Now()); err != nil {
			t.Fatal(err)
		}
		if got := of(storage.KeyActive); got.ID != next.ID {
			t.Fatal("the keeper did not rotate at the scheduled time")
		}
	})
}
