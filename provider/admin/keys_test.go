package provider_test

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"signet/provider"
	"signet/provider/keys/keeper"
	"signet/storage"
)

// keyEvent is the newest event of a type, which there must be.
func (b *testbed) keyEvent(t *testing.T, kind storage.EventType) storage.Event {
	t.Helper()
	for _, e := range b.events(t) {
		if e.Type == kind {
			return e
		}
	}
	t.Fatalf("there is no event %s", kind)
	return storage.Event{}
}

// published lets the next keys be there for long enough, and the person sign in again.
func (v *visitor) published(t *testing.T, path string) stop {
	t.Helper()
	v.b.pass(24 * time.Hour)
	return v.signIn(t, v.get(t, v.b.Issuer+path), root, password)
}

// wantQuestion: the person is asked to sign in again.
func (s stop) wantQuestion(t *testing.T) {
	t.Helper()
	if s.At.Path != "/login" || s.StatusCode != http.StatusOK {
		t.Fatalf("at %s, status %d, want the sign-in page", s.At, s.StatusCode)
	}
	s.wantText(t, "Confirm it’s you", root)
}

func revokePathOf(kid string) string { return "/admin/keys/revoke?kid=" + url.QueryEscape(kid) }

func TestAdminKeys_ShowTheTableTheTimelineAndWhoHasSeen(t *testing.T) {
	each(t, func(t *testing.T, b *testbed) {
		v, page := b.administrator(t, "/admin/keys")
		page.wantAt(t, "/admin/keys")
		page.wantText(t, `id="nobody-seen"`, "<svg", "next rotation", "today", `class="signing"`, `class="published"`, "in 30 days")
		rows, err := b.DB.Keys(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		for _, k := range b.keeper(t).Life().Schedule(rows, b.now()) {
			page.wantText(t, k.ID)
			for _, at := range []time.Time{k.SignsFrom, k.SignsUntil, k.TokensDieAt} {
				if !at.IsZero() {
					page.wantText(t, `datetime="`+at.UTC().Format(time.RFC3339)+`"`)
				}
			}
		}
		if strings.Contains(page.Body, "style=") || strings.Contains(page.Body, "<style") {
			t.Error("the page holds inline style")
		}

		read := func(agent string) {
			t.Helper()
			r := mustGet(t, b.Issuer+"/jwks")
			r.Header.Set("User-Agent", agent)
			do(t, direct, r)
			if err := b.NoteReadersOnce(context.Background(), b.now()); err != nil {
				t.Fatal(err)
			}
		}
		read("gateway/1.0")
		v.published(t, "/admin/keys")
		b.follow(t)
		if _, err := b.keeper(t).Rotate(t.Context(), nil, 0, storage.Origin{}, b.now()); err != nil {
			t.Fatal(err)
		}
		b.pass(time.Second)
		read("jose/v6.2.17")
		page = v.get(t, b.Issuer+"/admin/keys")
		page.wantText(t, "<bdi>gateway</bdi>: unseen", "<bdi>jose</bdi>: seen", "retired", `class="checking"`)
		for _, never := range []string{" safe", `id="nobody-seen"`} {
			if strings.Contains(page.Body, never) {
				t.Errorf("the page says %q", never)
			}
		}
	})
}

func TestAdminKeys_RotateWaitsUntilTheNextKeysArePublished(t *testing.T) {
	each(t, func(t *testing.T, b *testbed) {
		v, page := b.administrator(t, "/admin/keys/rotate")
		before := b.kid(t, "ES256", storage.KeyNext)
		page.wantText(t, `id="not-ready"`, b.now().Add(24*time.Hour).UTC().Format("2006-01-02"), before)
		if strings.Contains(page.Body, `id="confirm"`) {
			t.Error("the page offers what will be refused")
		}

		page = v.published(t, "/admin/keys/rotate")
		page.wantAt(t, "/admin/keys/rotate")
		page.wantText(t, "sign from now on", before)
		f := page.formTo(t, "/admin/keys/rotate", "", "")
		done := v.submit(t, f)
		done.wantAt(t, "/admin/keys?done=rotated")
		done.wantText(t, "The keys were rotated.")
		if got := b.kid(t, "ES256", storage.KeyActive); got != before {
			t.Errorf("%s signs, want the key that was next, %s", got, before)
		}
		from := b.keyEvent(t, storage.KeyRotated).From
		if from.Actor != b.userBy(t, root).ID || from.RequestID == "" {
			t.Errorf("the event says %+v did it", from)
		}
		v.submit(t, f).wantPage(t, http.StatusConflict, "stale_form")
		if got := b.kid(t, "ES256", storage.KeyActive); got != before {
			t.Error("a form that was sent twice has rotated twice")
		}
	})
}

// Too many retired keys are published: the page says from when on a rotation is possible.
func TestAdminKeys_RotateWaitsWhileRetiredKeysCrowdTheJWKS(t *testing.T) {
	onSQLite(t, func(t *testing.T, b *testbed) {
		v, _ := b.administrator(t, "/admin/keys/rotate")
		keeper := b.keeperOf(t, provider.Lifetimes{Access: 10 * 24 * time.Hour})
		for range 10 { // the key that signed first is retired with the life it was made for
			if _, err := keeper.Rotate(t.Context(), []string{"ES256"}, 0, storage.Origin{}, b.now()); err != nil {
				t.Fatal(err)
			}
			b.pass(time.Hour)
		}
		b.follow(t)
		before := b.kid(t, "ES256", storage.KeyActive)
		page := v.published(t, "/admin/keys/rotate")
		refused := v.submit(t, page.formTo(t, "/admin/keys/rotate", "", ""))
		refused.wantPage(t, http.StatusConflict, "too_many_retired_keys")
		refused.wantText(t, "9 retired ES256 keys", "possible from "+b.now().UTC().AddDate(0, 0, 8).Format("2006-01-"))
		if got := b.kid(t, "ES256", storage.KeyActive); got != before {
			t.Error("it has rotated all the same")
		}
	})
}

func TestAdminKeys_RotateOfTwoAtOnceMakesOneNewKey(t *testing.T) {
	each(t, func(t *testing.T, b *testbed) {
		v, _ := b.administrator(t, "/admin")
		f := v.published(t, "/admin/keys/rotate").formTo(t, "/admin/keys/rotate", "", "")
		race(2, func(int) { v.submit(t, f) })
		rotated := 0
		for _, e := range b.events(t) {
			if e.Type == storage.KeyRotated {
				rotated++
			}
		}
		if rotated != 2 { // ES256 and RS256, once each
			t.Errorf("%d rotations, want 2", rotated)
		}
	})
}

// What the page revokes is revoked as by the command: refused at once on every node,
// replaced by the key that was published as next, told by the event.
func TestAdminKeys_RevokeIsWhatTheCommandDoes(t *testing.T) {
	each(t, func(t *testing.T, b *testbed) {
		other := b.node(t)
		access := b.redeem(t, b.visitor(t).flow(t))["access_token"].(string)
		kid, next := b.kid(t, "ES256", storage.KeyActive), b.kid(t, "ES256", storage.KeyNext)
		v, page := b.administrator(t, "/admin/keys")
		page.wantText(t, "/admin/keys/revoke?kid="+kid)
		page = v.get(t, b.Issuer+revokePathOf(kid))
		page.wantText(t, "Every access and ID token it has signed stops working", "The next key, published since")
		f := page.formTo(t, "/admin/keys/revoke", "", "")
		for _, typed := range []string{"", kid[:7], next, "x" + kid} {
			refused := v.submit(t, f, "kid", kid, "confirm", typed, "reason", "lost laptop")
			if refused.StatusCode != http.StatusUnprocessableEntity {
				t.Errorf("typed %q: status %d, want 422", typed, refused.StatusCode)
			}
			refused.wantText(t, "Nothing was changed", `value="lost laptop"`)
		}
		b.wantUserinfo(t, access, http.StatusOK)

		done := v.submit(t, f, "kid", kid, "confirm", " "+kid[:8], "reason", "lost laptop")
		done.wantAt(t, "/admin/keys?done=revoked&kid="+kid)
		done.wantText(t, "The ES256 key "+kid+" is revoked", next+" signs from now on; it has been published since",
			"until they read the JWKS again: by", "have all expired by", "lost laptop")
		v.get(t, b.Issuer+"/admin/keys?done=revoked&kid="+next).wantText(t, "The key was revoked.")
		for _, n := range []*testbed{b, other} {
			n.follow(t)
			n.wantUserinfo(t, access, http.StatusUnauthorized)
		}
		if got := b.kid(t, "ES256", storage.KeyActive); got != next {
			t.Errorf("%s signs, want the key that was next, %s", got, next)
		}
		e := b.keyEvent(t, storage.KeyRevokedEvent)
		if e.From.Actor != b.userBy(t, root).ID || e.Detail["kid"] != kid {
			t.Errorf("the event says %+v", e)
		}
		again := v.get(t, b.Issuer+revokePathOf(kid))
		again.wantPage(t, http.StatusNotFound, "not_found")
	})
}

func TestAdminKeys_AChangeWantsAFreshSignInAndItsTicket(t *testing.T) {
	each(t, func(t *testing.T, b *testbed) {
		v, _ := b.administrator(t, "/admin")
		kid := b.kid(t, "ES256", storage.KeyActive)
		rotate := v.published(t, "/admin/keys/rotate").formTo(t, "/admin/keys/rotate", "", "")
		revoke := v.get(t, b.Issuer+revokePathOf(kid)).formTo(t, "/admin/keys/revoke", "", "")
		revoke.values.Set("confirm", kid)
		for path, f := range map[string]form{"/admin/keys/rotate": rotate, "/admin/keys/revoke": revoke} {
			own := f.values.Get("ticket")
			for name, ticket := range map[string]string{"none": "", "the other form's": map[bool]form{true: rotate, false: revoke}[path == "/admin/keys/revoke"].values.Get("ticket")} {
				f.values.Set("ticket", ticket)
				if a := v.submit(t, f, "kid", kid); a.StatusCode != http.StatusConflict {
					t.Errorf("%s, ticket %s: status %d, want 409", path, name, a.StatusCode)
				}
			}
			f.values.Set("ticket", own)
		}
		b.pass(5*time.Minute + time.Second)
		v.get(t, b.Issuer+"/admin/keys").wantAt(t, "/admin/keys") // to look is free
		for _, path := range []string{"/admin/keys/rotate", revokePathOf(kid)} {
			v.get(t, b.Issuer+path).wantQuestion(t)
		}
		v.submit(t, rotate).wantQuestion(t)
		page := v.submit(t, revoke, "kid", kid)
		page.wantQuestion(t)
		if got := b.kid(t, "ES256", storage.KeyActive); got != kid {
			t.Error("a key was changed without a fresh sign-in")
		}
		back := v.signIn(t, page, root, password)
		if !strings.HasPrefix(back.At.String(), b.Issuer+revokePathOf(kid)+"&typed=") {
			t.Fatalf("at %s", back.At)
		}
		back.wantText(t, kid)
	})
}

func TestSchedule_SaysWhatTheKeeperDoes(t *testing.T) {
	onSQLite(t, func(t *testing.T, b *testbed) {
		life := b.keeper(t).Life()
		of := func(state storage.KeyState) keeper.Scheduled {
			t.Helper()
			rows, err := b.DB.Keys(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			for _, k := range life.Schedule(rows, b.now()) {
				if k.Line == "ES256" && k.State == state {
					return k
				}
			}
			t.Fatalf("no %s key", state)
			return keeper.Scheduled{}
		}
		next := of(storage.KeyNext)
		b.pass(next.SignsFrom.Sub(b.now()) - time.Second)
		if err := b.RotateOnce(t.Context(), b.now()); err != nil {
			t.Fatal(err)
		}
		if got := of(storage.KeyNext); got.ID != next.ID {
			t.Fatal("rotated before its time")
		}
		b.pass(time.Second)
		if err := b.RotateOnce(t.Context(), b.now()); err != nil {
			t.Fatal(err)
		}
		if got := of(storage.KeyActive); got.ID != next.ID {
			t.Fatal("did not rotate at its time")
		}
	})
}
