package interaction_test

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"signet/provider"
	"signet/provider/passkey/passkeytest"
	"signet/provider/providertest"
	"signet/storage"
)

// withPasskey adds a passkey to Alice's account and returns its authenticator.
func withPasskey(t *testing.T, b *providertest.Testbed) *passkeytest.Authenticator {
	t.Helper()
	a := b.Authenticator(t)
	b.Visitor(t).AddPasskey(t, a).WantAt(t, "/account/passkeys?done=passkey")
	return a
}

// A passkey signs its user in without a password. The tokens say which proof was given: a passkey
// that was made after a password alone counts as one factor.
//
// MF-16: acr and amr claim no more than happened.
func TestPasskey_SignsIn(t *testing.T) {
	providertest.EachWithPasskeys(t, func(t *testing.T, b *providertest.Testbed) {
		a := withPasskey(t, b)
		v := b.Visitor(t)
		page := v.Get(t, b.AuthorizeURL())
		page.WantText(t, `autocomplete="username webauthn"`, "Use a passkey")
		claims := providertest.ClaimsOf(t, b.Redeem(t, v.AnswerPages(t, v.UsePasskey(t, page, a)).Code(t))["id_token"])
		amr, _ := claims["amr"].([]any)
		if claims["sub"] != b.Alice.ID || claims["acr"] != storage.ACROneFactor || !slices.Equal(amr, []any{"pop", "user", "swk"}) {
			t.Errorf("claims %v", claims)
		}
		e := b.WantEvent(t, storage.UserSignedIn, b.Alice.ID)
		if e.Detail["acr"] != storage.ACROneFactor {
			t.Errorf("event %+v", e)
		}
		if p := b.PasskeysOf(t, b.Alice.ID)[0]; p.UsedAt == 0 {
			t.Error("the use was not stored")
		}
	})
}

// After a sign-in, the page that goes on tells the browser the name of the account, and after one with a
// passkey also which passkeys there are. It says nothing if the sign-in was refused.
func TestPasskey_SignInTellsTheBrowser(t *testing.T) {
	providertest.EachWithPasskeys(t, func(t *testing.T, b *providertest.Testbed) {
		a := withPasskey(t, b)
		b.Visitor(t).AddPasskey(t, b.Authenticator(t))
		list := b.PasskeysOf(t, b.Alice.ID)
		told := func(v *providertest.Visitor, f providertest.Form, values ...string) string {
			t.Helper()
			return providertest.Do(t, v.Client, v.FormRequest(t, withValues(f, values...))).Body
		}
		want := func(what, page string, name, handles bool) {
			t.Helper()
			if strings.Contains(page, `data-name="`+b.Alice.Email+`"`) != name || strings.Contains(page, `data-accepted="`) != handles ||
				handles && !(strings.Contains(page, list[0].Handle) && strings.Contains(page, list[1].Handle)) {
				t.Errorf("%s: %s", what, page)
			}
		}
		v := b.Visitor(t)
		page := v.Get(t, b.AuthorizeURL())
		want("refused", told(v, page.FormTo(t, "/login", "", ""), "username", providertest.Alice, "password", "wrong"), false, false)
		want("password", told(v, page.FormTo(t, "/login", "", ""), "username", providertest.Alice, "password", providertest.Password), true, false)
		w := b.Visitor(t)
		f, data := w.Get(t, b.AuthorizeURL()).PasskeyForm(t)
		want("passkey", told(w, f, "credential", a.Get(t, data["challenge"])), true, true)
	})
}

// tokensOf returns the claims of the ID token after the last page of a sign-in.
func tokensOf(t *testing.T, v *providertest.Visitor, page providertest.Stop) (acr string, amr []string) {
	t.Helper()
	claims := providertest.ClaimsOf(t, v.Bed.Redeem(t, v.AnswerPages(t, page).Code(t))["id_token"])
	list, _ := claims["amr"].([]any)
	for _, value := range list {
		amr = append(amr, value.(string))
	}
	slices.Sort(amr)
	return claims["acr"].(string), amr
}

// A passkey that was made after a password alone does not replace the second factor. After a
// sign-in with both, the passkey is proven, and signs in alone from then on.
//
// MF-04: A half-finished sign-in has no session.
func TestPasskey_UnprovenOneDoesNotReplaceSecondFactor(t *testing.T) {
	providertest.EachWithPasskeys(t, func(t *testing.T, b *providertest.Testbed) {
		a, owner := withPasskey(t, b), b.Visitor(t)
		owner.Account(t, "/account")
		app := owner.AddAuthenticator(t)
		v := b.Visitor(t)
		asked := v.UsePasskey(t, v.Get(t, b.AuthorizeURL()), a)
		if asked.At.Path != "/login/factor" {
			t.Fatalf("at %s, status %d", asked.At, asked.StatusCode)
		}
		v.WantNoSession(t)
		acr, amr := tokensOf(t, v, v.EnterCode(t, asked, app.Code(t, b.Now())))
		if acr != storage.ACRTwoFactors || !slices.Equal(amr, []string{"mfa", "otp", "pop", "swk", "user"}) {
			t.Errorf("with both: acr %s, amr %q", acr, amr)
		}
		b.WantEvent(t, storage.PasskeyConfirmed, b.Alice.ID)
		w := b.Visitor(t)
		acr, amr = tokensOf(t, w, w.UsePasskey(t, w.Get(t, b.AuthorizeURL("acr_values", storage.ACRPhishingResistant)), a))
		if acr != storage.ACRPhishingResistant || !slices.Equal(amr, []string{"mfa", "pop", "swk", "user"}) {
			t.Errorf("with the passkey alone: acr %s, amr %q", acr, amr)
		}
		// What the passkey opened before the second factor ends with it too.
		id := b.PasskeysOf(t, b.Alice.ID)[0].ID
		w.Submit(t, w.Get(t, b.Issuer+"/account/passkeys/remove?passkey="+id).FormTo(t, "/account/passkeys/remove", "", "")).WantAt(t, "/account/passkeys?done=removed")
		v.WantNoSession(t)
	})
}

// A passkey that was made in a session with two factors signs in alone and resists phishing. A
// stolen password does not remove it, even after the authenticator app was removed.
//
// MF-13: Weaker methods are not enough where a stronger one exists.
func TestPasskey_ProvenOneIsPhishingResistant(t *testing.T) {
	providertest.EachWithPasskeys(t, func(t *testing.T, b *providertest.Testbed) {
		owner, a := b.Visitor(t), b.Authenticator(t)
		owner.Account(t, "/account")
		owner.AddAuthenticator(t)
		owner.AddPasskey(t, a).WantAt(t, "/account/passkeys?done=passkey")
		v := b.Visitor(t)
		acr, _ := tokensOf(t, v, v.UsePasskey(t, v.Get(t, b.AuthorizeURL()), a))
		if acr != storage.ACRTwoFactors {
			t.Errorf("acr %s for a client that asks for none", acr)
		}
		acr, _ = tokensOf(t, v, v.Get(t, b.AuthorizeURL("acr_values", storage.ACRPhishingResistant)))
		if acr != storage.ACRPhishingResistant {
			t.Errorf("acr %s for a client that asks for it", acr)
		}
		v.Submit(t, v.Get(t, b.Issuer+"/account/security/totp/remove").FormTo(t, "/account/security/totp/remove", "", ""))
		if list := b.Discovery(t)["acr_values_supported"]; !slices.Contains(list.([]any), any(storage.ACRPhishingResistant)) {
			t.Errorf("discovery names %v", list)
		}
		thief := b.Visitor(t)
		thief.Account(t, "/account")
		id := b.PasskeysOf(t, b.Alice.ID)[0].ID
		thief.Submit(t, thief.Get(t, b.Issuer+"/account/passkeys/remove?passkey="+id).FormTo(t, "/account/passkeys/remove", "", "")).WantText(t, "Confirm this change with it")
		asked := thief.AddPasskey(t, b.Authenticator(t))
		asked.WantText(t, "Confirm this change with it", `id="cancel"`)
		if asked.At.Path != "/login" || strings.Contains(asked.Body, `type="password"`) {
			t.Errorf("at %s, the password is offered as a way: %s", asked.At, asked.Body)
		}
		if n := len(b.PasskeysOf(t, b.Alice.ID)); n != 1 {
			t.Errorf("%d passkeys, want 1", n)
		}
	})
}

// A password that is entered in a browser with a stronger sign-in lowers nothing while that is recent.
// Later, and for an application that wants a new sign-in, the tokens tell of the password alone:
// auth_time, acr and amr are always of one proof.
//
// MF-16: acr and amr claim no more than happened.
func TestPasskey_PasswordAfterItIsAnotherProof(t *testing.T) {
	providertest.EachWithPasskeys(t, func(t *testing.T, b *providertest.Testbed) {
		owner, a := b.Visitor(t), b.Authenticator(t)
		owner.Account(t, "/account")
		owner.AddAuthenticator(t)
		owner.AddPasskey(t, a).WantAt(t, "/account/passkeys?done=passkey")
		owner.Submit(t, owner.Get(t, b.Issuer+"/account/security/totp/remove").FormTo(t, "/account/security/totp/remove", "", ""))
		v := b.Visitor(t)
		tabs := []providertest.Stop{v.Get(t, b.AuthorizeURL()), v.Get(t, b.AuthorizeURL("max_age", "30")), v.Get(t, b.AuthorizeURL())}
		start := b.Now()
		v.AnswerPages(t, v.UsePasskey(t, v.Get(t, b.AuthorizeURL()), a))
		wantProof := func(when string, page providertest.Stop, authTime time.Time, acr string, amr ...any) {
			t.Helper()
			claims := providertest.ClaimsOf(t, b.Redeem(t, v.AnswerPages(t, page).Code(t))["id_token"])
			at, err := claims["auth_time"].(json.Number).Int64()
			if err != nil {
				t.Fatal(err)
			}
			away := authTime.Sub(time.Unix(at, 0)).Abs() // the clock runs on during a sign-in
			if away > 15*time.Second || claims["acr"] != acr || !slices.Equal(claims["amr"].([]any), amr) {
				t.Errorf("%s: auth_time %v, acr %v, amr %v; want %d, %s, %v", when, claims["auth_time"], claims["acr"], claims["amr"], authTime.Unix(), acr, amr)
			}
		}
		enter := func(tab providertest.Stop) providertest.Stop {
			return v.SignIn(t, tab, b.Alice.Email, providertest.Password)
		}
		phishingResistant := []any{"pop", "user", "mfa", "swk"}
		b.Clock.Advance(time.Minute)
		wantProof("a minute later", enter(tabs[0]), start, storage.ACRTwoFactors, phishingResistant...)
		wantProof("and with max_age", enter(tabs[1]), b.Now(), storage.ACROneFactor, "pwd")
		start = b.Now()
		v.AnswerPages(t, v.UsePasskey(t, v.Get(t, b.AuthorizeURL("prompt", "login")), a))
		wantProof("the passkey again", v.Get(t, b.AuthorizeURL()), start, storage.ACRTwoFactors, phishingResistant...)
		wantProof("with prompt=login", enter(v.Get(t, b.AuthorizeURL("prompt", "login"))), b.Now(), storage.ACROneFactor, "pwd")
		v.AnswerPages(t, v.UsePasskey(t, v.Get(t, b.AuthorizeURL("prompt", "login")), a))
		b.Clock.Advance(6 * time.Minute)
		wantProof("six minutes later", enter(tabs[2]), b.Now(), storage.ACROneFactor, "pwd")
	})
}

// "Keep me signed in" counts for a passkey too.
func TestPasskey_KeepsSignedIn(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		a := withPasskey(t, b)
		for _, keep := range []string{"", "on"} {
			v := b.Visitor(t)
			f, data := v.Get(t, b.AuthorizeURL()).PasskeyForm(t)
			answer := providertest.Do(t, v.Client, v.FormRequest(t, withValues(f, "stay", keep, "credential", a.Get(t, data["challenge"]))))
			lasts := slices.ContainsFunc(answer.Cookies(), func(c *http.Cookie) bool { return c.Name == b.SessionCookie() && c.MaxAge > 0 })
			if lasts != (keep != "") {
				t.Errorf("keep %q: the cookie lasts: %v", keep, lasts)
			}
		}
	}, providertest.WithIssuer(providertest.HTTPSIssuer))
}

func withValues(f providertest.Form, pairs ...string) providertest.Form {
	for i := 0; i < len(pairs); i += 2 {
		f.Values.Set(pairs[i], pairs[i+1])
	}
	return f
}

// An assertion signs in once, on all nodes, in the browser and for the request of its page, and
// only soon.
//
// MF-10: Replay of an assertion, challenge of another session or purpose, expired challenge.
func TestPasskey_AssertionIsForOnePage(t *testing.T) {
	providertest.EachWithPasskeys(t, func(t *testing.T, b *providertest.Testbed) {
		a := withPasskey(t, b)
		v, other := b.Visitor(t), b.Visitor(t)
		f, data := v.Get(t, b.AuthorizeURL()).PasskeyForm(t)
		f.Values.Set("credential", a.Get(t, data["challenge"]))
		stale := func(what string, s providertest.Stop) {
			t.Helper()
			if s.StatusCode != http.StatusConflict || !strings.Contains(s.Body, "stale_form") {
				t.Errorf("%s: status %d at %s", what, s.StatusCode, s.At)
			}
		}
		// The same form in another browser, with its own page open, and with the challenge of
		// another request.
		theirs, _ := other.Get(t, b.AuthorizeURL()).PasskeyForm(t)
		stale("another browser", other.Submit(t, f))
		stale("another request", v.Submit(t, providertest.Form{Action: f.Action, Values: map[string][]string{
			"request": theirs.Values["request"], "challenge": f.Values["challenge"], "credential": f.Values["credential"],
		}}))
		adding, _ := b.Visitor(t).Account(t, "/account/passkeys/add").PasskeyForm(t)
		stale("the challenge of another purpose", v.Submit(t, withValues(providertest.Form{Action: f.Action, Values: map[string][]string{
			"request": f.Values["request"], "credential": f.Values["credential"],
		}}, "challenge", adding.Values.Get("challenge"))))
		other.WantNoSession(t)

		// Ten nodes get it at once, and one signs in.
		request := v.FormRequest(t, f)
		body := f.Values.Encode()
		codes := make([]int, 10)
		providertest.Race(10, func(i int) {
			r := request.Clone(t.Context())
			r.Body = nopCloser{strings.NewReader(body)}
			codes[i] = providertest.Do(t, v.Client, r).StatusCode
		})
		slices.Sort(codes)
		if want := append([]int{http.StatusOK}, slices.Repeat([]int{http.StatusConflict}, 9)...); !slices.Equal(codes, want) {
			t.Errorf("answers %v, want one sign-in", codes)
		}
		late := b.Visitor(t)
		f, data = late.Get(t, b.Issuer+"/account").PasskeyForm(t)
		b.Advance(30 * time.Minute)
		if s := late.Submit(t, f, "credential", a.Get(t, data["challenge"])); s.StatusCode < 400 {
			t.Errorf("half an hour later: status %d at %s", s.StatusCode, s.At)
		}
		late.WantNoSession(t)
	})
}

// The page of a challenge that has expired comes again with a new one: the sign-in page, the page for
// a new proof, and the page that adds a passkey.
func TestPasskey_PageThatWasOpenForLongComesAgain(t *testing.T) {
	providertest.EachWithPasskeys(t, func(t *testing.T, b *providertest.Testbed) {
		a := withPasskey(t, b)
		v := b.Visitor(t)
		useLate := func(page providertest.Stop) providertest.Stop {
			t.Helper()
			b.Advance(30 * time.Minute)
			again := v.UsePasskey(t, page, a)
			if again.StatusCode != http.StatusConflict {
				t.Errorf("%s: status %d", page.At.Path, again.StatusCode)
			}
			again.WantText(t, "This page was open for too long.")
			return again
		}
		v.AnswerPages(t, v.UsePasskey(t, useLate(v.Get(t, b.AuthorizeURL())), a)).Code(t)
		v.AnswerPages(t, v.UsePasskey(t, useLate(v.Get(t, b.AuthorizeURL("prompt", "login"))), a)).Code(t)
	}, func(c *provider.Config) { c.Lifetimes.Request = 2 * time.Hour })
}

type nopCloser struct{ *strings.Reader }

func (nopCloser) Close() error { return nil }

// A wrong assertion shows the sign-in page again and signs nobody in. The page gives the same
// reason for a removed passkey, an unknown one, a disabled user and a wrong signature. Only the log
// and the event of the user name the cause.
//
// MF-11: Origin, port, RP ID and scheme are exactly those of the issuer.
// MF-17: The page does not tell who has passkeys.
func TestPasskey_WrongAssertionSignsNobodyIn(t *testing.T) {
	providertest.EachWithPasskeys(t, func(t *testing.T, b *providertest.Testbed) {
		a := withPasskey(t, b)
		stranger := b.Authenticator(t)
		stranger.Create(t, "challenge", b.Alice.ID)
		refuse := func(what, cause string, recorded bool, use *passkeytest.Authenticator, change ...func(*passkeytest.Answer)) {
			t.Helper()
			v, before := b.Visitor(t), providertest.CountEvents(b.Events(t), storage.UserSignInFailed)
			s := v.UsePasskey(t, v.Get(t, b.AuthorizeURL()), use, change...)
			if s.StatusCode != http.StatusUnprocessableEntity || s.At.Path != "/login/passkey" || !strings.Contains(s.Body, "This passkey doesn’t open an account here.") {
				t.Errorf("%s: status %d at %s", what, s.StatusCode, s.At)
			}
			if strings.Contains(s.Body, "data-unknown") != (cause == "passkey_unknown") {
				t.Errorf("%s: the browser is told to forget the passkey: %v", what, cause != "passkey_unknown")
			}
			v.WantNoSession(t)
			if got := providertest.CountEvents(b.Events(t), storage.UserSignInFailed) - before; (got == 1) != recorded {
				t.Errorf("%s: %d events", what, got)
			}
			if recorded && b.WantEvent(t, storage.UserSignInFailed, b.Alice.ID).Reason != cause {
				t.Errorf("%s: event %+v", what, b.WantEvent(t, storage.UserSignInFailed, b.Alice.ID))
			}
			if !strings.Contains(b.Log.String(), cause) {
				t.Errorf("%s: the log does not say %s", what, cause)
			}
		}
		refuse("another origin", "passkey_origin", false, a, func(a *passkeytest.Answer) { a.ClientData["origin"] = "https://badid.example.com" })
		refuse("another RP ID", "passkey_rp_id", false, a, func(a *passkeytest.Answer) { a.RPID = "example.com" })
		refuse("an unknown passkey", "passkey_unknown", false, stranger)
		refuse("a wrong signature", "passkey_signature", true, a, func(a *passkeytest.Answer) { a.Key = stranger.Keys[0] })
		refuse("another user", "passkey_of_other_user", true, a, func(a *passkeytest.Answer) { a.UserHandle = []byte("usr_x") })
		b.SetAliceEnabled(t, false)
		refuse("a disabled user", "user_disabled", true, a)
		b.SetAliceEnabled(t, true)
		v := b.Visitor(t)
		v.UsePasskey(t, v.Get(t, b.AuthorizeURL()), a).WantText(t, "wants to")
	})
}

// Refused passkeys of one network are limited. The user's own network is not locked out of a
// sign-in with a right one.
func TestPasskey_RefusalsAreLimited(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		a := withPasskey(t, b)
		wrong := func(a *passkeytest.Answer) { a.Signature = func([]byte) []byte { return []byte{1} } }
		var last providertest.Stop
		for range 500 {
			v := b.Visitor(t)
			if last = v.UsePasskey(t, v.Get(t, b.AuthorizeURL()), a, wrong); last.StatusCode == http.StatusTooManyRequests {
				break
			}
		}
		if last.StatusCode != http.StatusTooManyRequests || last.Header.Get("Retry-After") == "" {
			t.Fatalf("status %d after 500 refusals", last.StatusCode)
		}
		last.WantText(t, "Too many passkeys were refused.")
		v := b.Visitor(t)
		v.UsePasskey(t, v.Get(t, b.AuthorizeURL()), a).WantText(t, "wants to")
	}, providertest.WithIssuer(providertest.HTTPSIssuer))
}

// A counter that does not grow is the sign of a copied passkey: the sign-in goes on, with an event,
// a line in the log and a warning on the account page.
func TestPasskey_CounterThatGoesBackIsReported(t *testing.T) {
	providertest.EachWithPasskeys(t, func(t *testing.T, b *providertest.Testbed) {
		a := b.Authenticator(t)
		a.Counts = true
		b.Visitor(t).AddPasskey(t, a)
		signIn := func() {
			v := b.Visitor(t)
			v.UsePasskey(t, v.Get(t, b.Issuer+"/account"), a).WantAt(t, "/account")
		}
		signIn()
		signIn()
		if n := providertest.CountEvents(b.Events(t), storage.PasskeyCounterDecreased); n != 0 {
			t.Fatalf("%d events for a counter that grows", n)
		}
		a.Counter = 0 // a copy from before the first sign-in
		signIn()
		e := b.WantEvent(t, storage.PasskeyCounterDecreased, b.Alice.ID)
		if e.Detail["passkey"] != b.PasskeysOf(t, b.Alice.ID)[0].ID || !strings.Contains(b.Log.String(), "a copy of its key may exist") {
			t.Errorf("event %+v", e)
		}
		v := b.Visitor(t)
		v.Account(t, "/account/passkeys").WantText(t, "A copy of this passkey may exist.")
		if p := b.PasskeysOf(t, b.Alice.ID)[0]; p.Counter != 2 {
			t.Errorf("the stored counter went back to %d", p.Counter)
		}
	})
}

// The page that asks a signed-in user for a new proof offers a passkey if the account has one.
func TestPasskey_ProvesAgain(t *testing.T) {
	providertest.EachWithPasskeys(t, func(t *testing.T, b *providertest.Testbed) {
		v, a := b.Visitor(t), b.Authenticator(t)
		v.Account(t, "/account")
		b.Advance(6 * time.Minute)
		asked := v.Get(t, b.Issuer+"/account/sessions/end-all")
		if strings.Contains(asked.Body, "passkey") {
			t.Errorf("an account without a passkey is asked for one:\n%s", asked.Body)
		}
		v.SignIn(t, asked, providertest.Alice, providertest.Password)
		v.AddPasskey(t, a)
		sid := b.SessionsOf(t, b.Alice.ID)[0].ID
		b.Advance(6 * time.Minute)
		asked = v.Get(t, b.Issuer+"/account/sessions/end-all")
		asked.WantText(t, "Confirm it’s you", "Use a passkey")
		v.UsePasskey(t, asked, a).WantAt(t, "/account/sessions/end-all")
		if after := b.SessionsOf(t, b.Alice.ID); len(after) != 1 || after[0].ID != sid {
			t.Errorf("sessions %+v, want %s", after, sid)
		}
		// An application that asks for a new proof gets one.
		b.Advance(6 * time.Minute)
		page := v.UsePasskey(t, v.Get(t, b.AuthorizeURL("max_age", "60")), a)
		claims := providertest.ClaimsOf(t, b.Redeem(t, v.AnswerPages(t, page).Code(t))["id_token"])
		if claims["acr"] != storage.ACROneFactor {
			t.Errorf("claims %v", claims)
		}
	})
}

// A passkey that was removed while the sign-in page was open signs nobody in.
func TestPasskey_RemovedOneSignsNobodyIn(t *testing.T) {
	providertest.EachWithPasskeys(t, func(t *testing.T, b *providertest.Testbed) {
		owner, v, a := b.Visitor(t), b.Visitor(t), b.Authenticator(t)
		owner.AddPasskey(t, a)
		f, data := v.Get(t, b.AuthorizeURL()).PasskeyForm(t)
		id := b.PasskeysOf(t, b.Alice.ID)[0].ID
		owner.Submit(t, owner.Get(t, b.Issuer+"/account/passkeys/remove?passkey="+id).FormTo(t, "/account/passkeys/remove", "", ""))
		s := v.Submit(t, f, "credential", a.Get(t, data["challenge"]))
		if s.StatusCode != http.StatusUnprocessableEntity {
			t.Errorf("status %d", s.StatusCode)
		}
		v.WantNoSession(t)
	})
}
