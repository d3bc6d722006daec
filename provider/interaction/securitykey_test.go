package interaction_test

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"signet/federation/federationtest"
	"signet/provider/passkey/passkeytest"
	"signet/provider/providertest"
	"signet/storage"
	"signet/storage/storagetest"
)

// withKey adds a security key to alice's account and returns it, with the recovery codes. Her browser
// of that moment is v.
func withKey(t *testing.T, b *providertest.Testbed) (v *providertest.Visitor, key *passkeytest.Authenticator, codes []string) {
	t.Helper()
	v, key = b.Visitor(t), b.SecurityKey(t)
	codes = providertest.CodesOn(v.AddSecurityKey(t, key))
	if len(codes) != 10 {
		t.Fatalf("%d recovery codes, want 10", len(codes))
	}
	return v, key, codes
}

// The journey: password, key, application. The tokens tell of both factors. A recovery code works in
// place of the key, and nothing tells which keys there are before the password was right.
// MF-16, MF-17.
func TestSecurityKey_PasswordAndKeySignIn(t *testing.T) {
	providertest.EachWithPasskeys(t, func(t *testing.T, b *providertest.Testbed) {
		_, key, codes := withKey(t, b)
		v := b.Visitor(t)
		first := v.Get(t, b.AuthorizeURL())
		if _, data := first.PasskeyForm(t); data["allowed"] != "" {
			t.Errorf("the sign-in page names keys: %v", data)
		}
		page := askedForCode(t, v, "claims", `{"id_token":{"acr":{"essential":true,"values":["phr"]}}}`)
		page.WantText(t, providertest.Alice, "Use a security key", "Recovery code", "JavaScript")
		if strings.Contains(page.Body, `inputmode="numeric"`) || strings.Contains(page.Body, `id="switch"`) {
			t.Error("the page asks for the code of an app, and there is none")
		}
		v.WantNoSession(t)
		_, data := page.PasskeyForm(t)
		if handle, _, _ := strings.Cut(data["allowed"], ";"); data["verification"] != "discouraged" || handle == "" || strings.Contains(data["allowed"], ",") {
			t.Errorf("data of the form: %v, want the one key", data)
		}
		acr, amr := tokensOf(t, v, v.UsePasskey(t, page, key))
		if acr != storage.ACRPhishingResistant || !slices.Equal(amr, []string{"mfa", "pop", "pwd"}) {
			t.Errorf("acr %s, amr %q", acr, amr)
		}
		w := b.Visitor(t)
		acr, amr = tokensOf(t, w, w.EnterCode(t, askedForCode(t, w), codes[0]))
		if acr != storage.ACRTwoFactors || !slices.Equal(amr, []string{"mfa", "pwd"}) {
			t.Errorf("with a recovery code: acr %s, amr %q", acr, amr)
		}
	})
}

// After an upstream, a security key is asked for too, and the tokens tell of both factors.
// MF-16.
func TestSecurityKey_UpstreamAndKeySignIn(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, backend storagetest.Backend) {
		up, upstreams := providertest.WithUpstreams(t)
		b := providertest.StartOn(t, backend, providertest.WithLocalhost, upstreams)
		arrive := func(v *providertest.Visitor) providertest.Stop {
			up.Liar.SetFaults(federationtest.Faults{Claims: map[string]any{"sub": "ada", "email": "ada@corp.example", "auth_time": b.Now().Unix()}})
			return v.AuthorizeThrough(t, "liar", "victim", "claims", `{"id_token":{"acr":{"values":["phr"]}}}`)
		}
		owner, key := b.Visitor(t), b.SecurityKey(t)
		tokensOf(t, owner, arrive(owner))
		if codes := providertest.CodesOn(owner.AddSecurityKey(t, key)); len(codes) != 10 {
			t.Fatalf("%d recovery codes, want 10", len(codes))
		}
		v := b.Visitor(t)
		page := arrive(v)
		if page.At.Path != "/login/factor" {
			t.Fatalf("the upstream alone leads to %s (left to %v)", page.At, page.LeftTo)
		}
		v.WantNoSession(t)
		acr, amr := tokensOf(t, v, v.UsePasskey(t, page, key))
		if acr != storage.ACRPhishingResistant || !slices.Equal(amr, []string{"fed", "mfa", "pop"}) {
			t.Errorf("acr %s, amr %q", acr, amr)
		}
	})
}

// With an app too, the page offers all three, and a passkey of the user that is proven.
func TestSecurityKey_AppAndPasskeyAreOfferedBesideIt(t *testing.T) {
	providertest.EachWithPasskeys(t, func(t *testing.T, b *providertest.Testbed) {
		v, app := withFactor(t, b)
		key, own := b.SecurityKey(t), b.Authenticator(t)
		v.AddSecurityKey(t, key).WantAt(t, "/account/security?done=key")
		v.AddPasskey(t, own).WantAt(t, "/account/passkeys?done=passkey")
		w := b.Visitor(t)
		page := askedForCode(t, w)
		page.WantText(t, "Use a security key or passkey", `inputmode="numeric"`)
		if _, data := page.PasskeyForm(t); data["verification"] != "preferred" || strings.Count(data["allowed"], ",") != 1 {
			t.Errorf("data of the form: %v, want the key and the passkey", data)
		}
		w.Get(t, page.Link(t, "switch")).WantText(t, "Recovery code", "Use a security key or passkey")
		for _, c := range []struct {
			what string
			use  func(w *providertest.Visitor, page providertest.Stop) providertest.Stop
			acr  string
			amr  []string
		}{
			{"key", func(w *providertest.Visitor, page providertest.Stop) providertest.Stop {
				return w.UsePasskey(t, page, key)
			}, storage.ACRPhishingResistant, []string{"mfa", "pop", "pwd"}},
			{"passkey", func(w *providertest.Visitor, page providertest.Stop) providertest.Stop {
				return w.UsePasskey(t, page, own)
			}, storage.ACRPhishingResistant, []string{"mfa", "pop", "pwd", "swk", "user"}},
			{"app", func(w *providertest.Visitor, page providertest.Stop) providertest.Stop {
				return w.EnterCode(t, page, app.Code(t, b.Now()))
			}, storage.ACRTwoFactors, []string{"mfa", "otp", "pwd"}},
		} {
			w := b.Visitor(t)
			page := askedForCode(t, w, "acr_values", c.acr)
			acr, amr := tokensOf(t, w, c.use(w, page))
			if acr != c.acr || !slices.Equal(amr, c.amr) {
				t.Errorf("%s: acr %s, amr %q", c.what, acr, amr)
			}
		}
	})
}

// MF-10: an answer counts for the challenge of its own page only: of the same user, browser, request
// and purpose, once, and not for too long. MF-11 is tested in provider/passkey.
func TestSecurityKey_WrongAnswersAreRefused(t *testing.T) {
	providertest.EachWithPasskeys(t, func(t *testing.T, b *providertest.Testbed) {
		_, key, _ := withKey(t, b)
		v := b.Visitor(t)
		page := askedForCode(t, v)
		f, data := page.PasskeyForm(t)
		other, otherData := askedForCode(t, b.Visitor(t)).PasskeyForm(t)
		signIn, signInData := b.Visitor(t).Get(t, b.AuthorizeURL()).PasskeyForm(t)
		for what, c := range map[string]struct{ sealed, challenge string }{
			"another browser": {other.Values.Get("challenge"), otherData["challenge"]},
			"a sign-in":       {signIn.Values.Get("challenge"), signInData["challenge"]},
			"none":            {"", data["challenge"]},
		} {
			v.Submit(t, f, "challenge", c.sealed, "credential", key.Get(t, c.challenge)).WantPage(t, http.StatusConflict, "stale_form")
			if v.Cookie(t, b.SessionCookie()) != nil {
				t.Fatalf("the challenge of %s signs in", what)
			}
		}
		f, data = v.Get(t, page.At.String()).PasskeyForm(t)
		stranger := b.SecurityKey(t)
		stranger.Create(t, "x", "")
		for what, answer := range map[string]string{
			"another key":    stranger.Get(t, data["challenge"]),
			"another origin": key.Get(t, data["challenge"], func(a *passkeytest.Answer) { a.ClientData["origin"] = "https://evil.example" }),
			"no signature":   key.Get(t, data["challenge"], func(a *passkeytest.Answer) { a.Signature = func([]byte) []byte { return nil } }),
			"no answer":      "",
		} {
			s := v.Submit(t, f, "credential", answer)
			s.WantPage(t, http.StatusUnprocessableEntity, "passkey_refused")
			s.WantText(t, "This key doesn’t confirm your account.", "Use a security key")
			if v.Cookie(t, b.SessionCookie()) != nil {
				t.Fatalf("%s signs in", what)
			}
		}
		b.WantEvent(t, storage.UserSignInFailed, b.Alice.ID)
		// The half sign-in of another browser cannot use an answer that was used.
		thief := b.Visitor(t)
		askedForCode(t, thief)
		valid := key.Get(t, data["challenge"])
		v.AnswerPages(t, v.Submit(t, f, "credential", valid)).Code(t)
		thief.Submit(t, f)
		thief.WantNoSession(t)
		late := b.Visitor(t)
		lateForm, lateData := askedForCode(t, late).PasskeyForm(t)
		b.Advance(10 * time.Minute)
		wantSignInAgain(t, late.Submit(t, lateForm, "credential", key.Get(t, lateData["challenge"])))
	})
}

// A security key opens nothing by itself, and a browser is not told to forget it.
func TestSecurityKey_IsNoFirstFactor(t *testing.T) {
	providertest.EachWithPasskeys(t, func(t *testing.T, b *providertest.Testbed) {
		_, key, _ := withKey(t, b)
		v := b.Visitor(t)
		named := func(a *passkeytest.Answer) { a.UserHandle, a.Flags = []byte(b.Alice.ID), a.Flags|passkeytest.Verified }
		for _, change := range []func(*passkeytest.Answer){func(*passkeytest.Answer) {}, named} {
			page := v.UsePasskey(t, v.Get(t, b.AuthorizeURL()), key, change)
			page.WantPage(t, http.StatusUnprocessableEntity, "passkey_refused")
			if strings.Contains(page.Body, "data-unknown") {
				t.Error("the browser is told to forget the key")
			}
			v.WantNoSession(t)
		}
	})
}

// The first-party app and upstreams ask for the key as they do for a code.
func TestSecurityKey_IsAskedForEverywhere(t *testing.T) {
	providertest.EachWithPasskeys(t, func(t *testing.T, b *providertest.Testbed) {
		b.RegisterApp(t)
		withKey(t, b)
		v := b.Visitor(t)
		answer := v.CallApp(t, "/login", `{"username":"`+providertest.Alice+`","password":"`+providertest.Password+`"}`)
		if body := string(answer.Body); !strings.Contains(body, `"error":"interaction_required"`) || !strings.Contains(body, "/login/factor?request=") {
			t.Errorf("the app got %d %s", answer.StatusCode, body)
		}
		v.WantApp(t, false)
	})
}

// A key whose counter goes back may have a copy. The sign-in goes on, and the account says so.
func TestSecurityKey_CounterThatGoesBackIsShown(t *testing.T) {
	providertest.EachWithPasskeys(t, func(t *testing.T, b *providertest.Testbed) {
		owner, key, _ := withKey(t, b)
		for _, counter := range []uint32{10, 3} {
			v := b.Visitor(t)
			page := v.UsePasskey(t, askedForCode(t, v), key, func(a *passkeytest.Answer) { a.Counter = counter })
			v.AnswerPages(t, page).Code(t)
		}
		b.WantEvent(t, storage.PasskeyCounterDecreased, b.Alice.ID)
		owner.Account(t, "/account/security").WantText(t, "A copy of this key may exist.")
	})
}

// A key is removed while it is asked for: the waiting sign-in begins anew, with one factor.
func TestSecurityKey_RemovedWhileItIsAskedFor(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, backend storagetest.Backend) {
		b := providertest.StartOn(t, backend, providertest.WithIssuer(providertest.HTTPSIssuer))
		owner, key, _ := withKey(t, b)
		v := b.Visitor(t)
		page := askedForCode(t, v)
		has, err := b.DB.SecondFactorsOf(t.Context(), b.Alice.ID)
		if err != nil {
			t.Fatal(err)
		}
		ask := owner.Get(t, b.Issuer+"/account/security/keys/remove?"+url.Values{"key": {has.Keys[0].ID}}.Encode())
		ask.WantText(t, "your first way to sign in is enough", "Your recovery codes stop working.")
		owner.Submit(t, ask.FormTo(t, "/account/security/keys/remove", "", "")).WantAt(t, "/account/security?done=no-key")
		wantSignInAgain(t, v.UsePasskey(t, page, key))
		w := b.Visitor(t)
		if s := w.SignIn(t, w.Get(t, b.AuthorizeURL()), providertest.Alice, providertest.Password); s.At.Path == "/login/factor" {
			t.Error("a second factor is asked for, and there is none")
		}
	})
}
