package api_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"signet/provider/mail/mailtest"
	"signet/provider/providertest"
	"signet/storage"
	"signet/storage/storagetest"
)

// addIdentity connects an identity to the user of a session.
func addIdentity(t *testing.T, b *providertest.Testbed, s storage.Session) storage.Identity {
	t.Helper()
	i := storage.Identity{Connector: "google", Issuer: "https://accounts.example", Subject: storage.NewID("s"), UserID: s.UserID}
	if err := b.DB.LinkIdentity(t.Context(), storage.IdentityLink{Identity: i, ProofID: storage.NewID("p"), Until: storage.At(b.Now().Add(time.Hour)), SessionID: s.ID}, b.Now()); err != nil {
		t.Fatal(err)
	}
	return i
}

// newestEvent returns the newest event of a user, which must have the client as actor, with address
// and request id.
func newestEvent(t *testing.T, b *providertest.Testbed, o providertest.Operator, kind storage.EventType, userID string) storage.Event {
	t.Helper()
	events, err := b.DB.Events(t.Context(), storage.EventFilter{UserID: userID, Type: kind}, 10)
	if err != nil || len(events) != 1 || events[0].From.Actor != o.Client.ID || events[0].From.Address == "" || events[0].From.RequestID == "" {
		t.Fatalf("%s: got %+v, %v, want one event of the client", kind, events, err)
	}
	return events[0]
}

// TestSupport_LinksAndFactors makes links and resets factors as a helper of users does. The person gets
// a mail without the link, the event has the reason, and the link works.
func TestSupport_LinksAndFactors(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, backend storagetest.Backend) {
		b := providertest.StartOn(t, backend, providertest.WithMail(mailtest.Start(t)), providertest.WithLocalhost)
		o, check := b.Operator(t, storage.ScopeAdminUsers), answerCheck(t, b)
		at := "/users/" + b.Alice.ID
		made := o.Call(t, http.MethodPost, at+"/links", `{"for":"password","reason":"forgot it, called from the known number"}`)
		check(t, made)
		address, _ := made.JSON(t)["link"].(string)
		if made.StatusCode != http.StatusOK || !strings.HasPrefix(address, b.Issuer+"/link/reset?") || made.JSON(t)["expires_at"] == nil {
			t.Fatalf("got %d %s", made.StatusCode, made.Body)
		}
		if e := newestEvent(t, b, o, storage.PasswordResetRequested, b.Alice.ID); e.Detail["reason"] != "forgot it, called from the known number" || e.Reason != "by_administrator" {
			t.Errorf("event: got %+v", e)
		}
		if m := b.Newest(t, providertest.Alice, "An administrator made a link for a new password"); strings.Contains(m.Text, "/link/") {
			t.Errorf("the mail has the link:\n%s", m.Text)
		}
		withKey := func(r *http.Request) { r.Header.Set("Idempotency-Key", "k") }
		o.Call(t, http.MethodPost, at+"/links", `{"for":"passkey","reason":"new laptop"}`, withKey)
		again := o.Call(t, http.MethodPost, at+"/links", `{"for":"passkey","reason":"new laptop"}`, withKey)
		check(t, again)
		if got := again.JSON(t); got["link"] != nil || got["secret_omitted"] != true || got["expires_at"] == nil {
			t.Errorf("a repeated answer: got %s", again.Body)
		}
		b.Visitor(t).Get(t, address).WantAt(t, strings.TrimPrefix(address, b.Issuer))
		b.Newest(t, providertest.Alice, "An administrator made a link for a new passkey")

		reset := o.Call(t, http.MethodPost, at+"/factors/reset", `{"reason":"lost the phone"}`)
		check(t, reset)
		reset.WantProblem(t, "a reset after a link", http.StatusForbidden, "link_and_reset", "")

		admin := b.Operator(t, storage.ScopeAdminAll)
		reset = admin.Call(t, http.MethodPost, at+"/factors/reset", `{"reason":"lost the phone"}`)
		check(t, reset)
		if reset.StatusCode != http.StatusOK || fmt.Sprint(reset.JSON(t)["removed"]) != "[]" {
			t.Errorf("got %d %s", reset.StatusCode, reset.Body)
		}
		v := b.Visitor(t)
		v.SignIn(t, v.Get(t, b.Issuer+"/account"), providertest.Alice, providertest.Password).WantAt(t, "/account")
		v.AddAuthenticator(t)
		reset = admin.Call(t, http.MethodPost, at+"/factors/reset", `{"reason":"lost the phone"}`)
		check(t, reset)
		removed, _ := reset.JSON(t)["removed"].([]any)
		if len(removed) != 2 || !strings.Contains(reset.Body, `"kind":"totp"`) || !strings.Contains(reset.Body, `"left":10`) || strings.Contains(reset.Body, "secret") {
			t.Errorf("got %d %s", reset.StatusCode, reset.Body)
		}
		if e := newestEvent(t, b, admin, storage.FactorsReset, b.Alice.ID); e.Detail["reason"] != "lost the phone" {
			t.Errorf("event: got %+v", e)
		}
		b.Newest(t, providertest.Alice, "Your second factors were removed")
		for _, body := range []string{`{"for":"password","reason":"x"}`, `{"for":"passkey","reason":"x"}`} {
			o.Call(t, http.MethodPost, at+"/links", body).WantProblem(t, "a link after a reset", http.StatusForbidden, "link_and_reset", "")
			if a := admin.Call(t, http.MethodPost, at+"/links", body); a.StatusCode != http.StatusOK {
				t.Errorf("an administrator: got %d %s", a.StatusCode, a.Body)
			}
		}
		for _, c := range []struct {
			path, body  string
			status      int
			code, field string
		}{
			{"/links", `{"for":"password"}`, 422, "missing_member", "reason"},
			{"/links", `{"for":"password","reason":" "}`, 422, "invalid_field", "reason"},
			{"/links", `{"for":"password","reason":"` + strings.Repeat("a", 201) + `"}`, 422, "invalid_field", "reason"},
			{"/links", `{"for":"password","reason":"a\nb"}`, 422, "invalid_field", "reason"},
			{"/links", `{"for":"email","reason":"x"}`, 422, "invalid_value", "for"},
			{"/factors/reset", `{}`, 422, "missing_member", "reason"},
			{"/factors/reset", `{"reason":""}`, 422, "invalid_field", "reason"},
		} {
			admin.Call(t, http.MethodPost, at+c.path, c.body).WantProblem(t, c.path+c.body, c.status, c.code, c.field)
		}
		b.SetAliceEnabled(t, false)
		admin.Call(t, http.MethodPost, at+"/links", `{"for":"password","reason":"x"}`).WantProblem(t, "a disabled user", http.StatusConflict, "user_disabled", "")
	})
}

// TestSupport_WithoutANoticeOnlyByFullOperators: for an unproven address, and for a server without mails,
// a helper of users gets a refusal with the way out, and makes no decision about an unproven account.
func TestSupport_WithoutANoticeOnlyByFullOperators(t *testing.T) {
	mails := mailtest.Start(t)
	for name, options := range map[string][]providertest.Option{"mails": {providertest.WithMail(mails), providertest.WithLocalhost}, "no mails": {providertest.WithLocalhost}} {
		t.Run(name, func(t *testing.T) {
			providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
				o, admin := b.Operator(t, storage.ScopeAdminUsers), b.Operator(t, storage.ScopeAdminAll)
				for _, verified := range []bool{true, false} {
					u := b.CreateUser(t, storage.User{Email: storage.NewID("u") + "@example.com", EmailVerified: verified}, providertest.Password)
					for _, call := range [][2]string{{"/links", `{"for":"password","reason":"x"}`}, {"/links", `{"for":"passkey","reason":"x"}`}, {"/factors/reset", `{"reason":"x"}`}} {
						if verified && name == "mails" {
							break
						}
						o.Call(t, http.MethodPost, "/users/"+u.ID+call[0], call[1]).WantProblem(t, call[0]+call[1], http.StatusForbidden, "no_notice", "")
					}
					at := "/users/" + u.ID + "/links?unproven=keep"
					o.Call(t, http.MethodPost, at, `{"for":"password","reason":"x"}`).WantProblem(t, "a decision", http.StatusForbidden, "insufficient_scope", "unproven")
					if a := admin.Call(t, http.MethodPost, at, `{"for":"password","reason":"x"}`); a.StatusCode != http.StatusOK {
						t.Errorf("an administrator: got %d %s", a.StatusCode, a.Body)
					}
				}
			}, options...)
		})
	}
}

// TestSupport_NoPasskeyLinkWhereBrowsersRefuseThem: an issuer with a network address.
func TestSupport_NoPasskeyLinkWhereBrowsersRefuseThem(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		b.Operator(t, storage.ScopeAdminUsers).Call(t, http.MethodPost, "/users/"+b.Alice.ID+"/links", `{"for":"passkey","reason":"x"}`).
			WantProblem(t, "no RP ID", http.StatusConflict, "no_passkeys", "for")
	})
}

// TestIdentities_RemovedWithTheirSessions removes identities of a user. The last way to sign in stays
// unless the caller says so.
func TestIdentities_RemovedWithTheirSessions(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, backend storagetest.Backend) {
		_, upstreams := providertest.WithUpstreams(t)
		b := providertest.StartOn(t, backend, upstreams)
		o, check := b.Operator(t, storage.ScopeAdminUsers), answerCheck(t, b)
		ada, err := b.DB.SignInThrough(t.Context(), storage.ConnectorSignIn{
			Identity: storage.Identity{Connector: "google", Issuer: "https://accounts.example", Subject: "ada"}, AttemptID: "a", Until: storage.At(b.Now().Add(time.Hour)),
			SignIn: storage.SignIn{HandleHash: "h", IdleFor: time.Hour, AbsoluteFor: time.Hour},
		}, b.Now())
		if err != nil {
			t.Fatal(err)
		}
		session := b.SessionsOf(t, ada.UserID)[0]
		first := storage.Identity{Connector: "google", Issuer: "https://accounts.example", Subject: "ada", UserID: ada.UserID}
		last := addIdentity(t, b, session)
		at := "/users/" + ada.UserID + "/identities"
		list := o.Call(t, http.MethodGet, at, "")
		check(t, list)
		if !strings.Contains(list.Body, `"id":"`+first.Key()+`"`) {
			t.Errorf("got %s", list.Body)
		}
		if a := o.Call(t, http.MethodDelete, at+"/"+first.Key(), ""); a.StatusCode != http.StatusNoContent {
			t.Errorf("remove: got %d %s", a.StatusCode, a.Body)
		}
		newestEvent(t, b, o, storage.IdentityUnlinked, ada.UserID)
		if left := b.SessionsOf(t, ada.UserID); len(left) != 0 {
			t.Errorf("the session that it opened is left: %+v", left)
		}
		o.Call(t, http.MethodDelete, at+"/"+first.Key(), "").WantProblem(t, "again", http.StatusNotFound, "not_found", "")
		o.Call(t, http.MethodDelete, at+"/"+last.Key(), "").WantProblem(t, "the last way", http.StatusConflict, "last_way_in", "")
		if a := b.Operator(t, storage.ScopeAdminAll).Call(t, http.MethodDelete, at+"/"+last.Key()+"?allow_last=true", ""); a.StatusCode != http.StatusNoContent {
			t.Errorf("remove the last: got %d %s", a.StatusCode, a.Body)
		}
	})
}
