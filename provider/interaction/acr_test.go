package interaction_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"signet/provider"
	"signet/provider/passkey/passkeytest"
	"signet/provider/providertest"
	"signet/storage"
)

// withProvenPasskey gives alice a passkey with which a sign-in has two factors, and no authenticator
// app. It returns a browser in which she has signed in with her password.
func withProvenPasskey(t *testing.T, b *providertest.Testbed) (*providertest.Visitor, *passkeytest.Authenticator) {
	t.Helper()
	owner, a := b.Visitor(t), b.Authenticator(t)
	owner.Account(t, "/account")
	owner.AddAuthenticator(t)
	owner.AddPasskey(t, a).WantAt(t, "/account/passkeys?done=passkey")
	owner.Submit(t, owner.Get(t, b.Issuer+"/account/security/totp/remove").FormTo(t, "/account/security/totp/remove", "", ""))
	v := b.Visitor(t)
	v.SignInForCode(t)
	return v, a
}

func essential(values ...string) string {
	list, _ := json.Marshal(values)
	return `{"id_token":{"acr":{"essential":true,"values":` + string(list) + `}}}`
}

func acrOf(t *testing.T, b *providertest.Testbed, page providertest.Stop) any {
	t.Helper()
	return providertest.ClaimsOf(t, b.Redeem(t, page.Code(t))["id_token"])["acr"]
}

// wantConfirm checks the page that asks for a stronger sign-in: it gives the reason, and it offers
// no way that would not be enough.
func wantConfirm(t *testing.T, page providertest.Stop, reason string) {
	t.Helper()
	if page.At.Path != "/login" || page.StatusCode != http.StatusOK || strings.Contains(page.Body, `type="password"`) {
		t.Errorf("at %s, left to %v, status %d, want a page without a password field:\n%s", page.At, page.LeftTo, page.StatusCode, page.Body)
	}
	page.WantText(t, reason)
}

func decline(t *testing.T, v *providertest.Visitor, page providertest.Stop) providertest.Stop {
	t.Helper()
	return v.Submit(t, page.FormTo(t, "/decline", "", ""))
}

// A preference asks a person for a factor that the account has, once. The answer after "Not now", and
// with prompt=none, has the acr that holds.
//
// MF-13: A weaker method is not offered where a stronger one is wanted.
func TestACR_PreferenceAsksForWhatThePersonHas(t *testing.T) {
	providertest.EachWithPasskeys(t, func(t *testing.T, b *providertest.Testbed) {
		v, a := withProvenPasskey(t, b)
		for name, pair := range map[string][]string{
			"acr_values":         {"acr_values", "mfa phr urn:signet:1fa"},
			"a voluntary claim":  {"claims", `{"id_token":{"acr":{"values":["phr"]}}}`},
			"another preference": {"acr_values", "urn:signet:2fa"},
		} {
			t.Log(name)
			if acr := acrOf(t, b, v.Get(t, b.AuthorizeURL(append(pair, "prompt", "none")...))); acr != storage.ACROneFactor {
				t.Errorf("%s, prompt=none: acr %v", name, acr)
			}
			page := v.Get(t, b.AuthorizeURL(pair...))
			wantConfirm(t, page, "Not now")
			if acr := acrOf(t, b, decline(t, v, page)); acr != storage.ACROneFactor {
				t.Errorf("%s, not now: acr %v", name, acr)
			}
		}
		if acr := acrOf(t, b, v.Get(t, b.AuthorizeURL("acr_values", "urn:signet:1fa phr"))); acr != storage.ACROneFactor {
			t.Errorf("the first preference holds: acr %v", acr)
		}
		page := v.Get(t, b.AuthorizeURL("acr_values", "phr"))
		wantConfirm(t, page, "asks for a passkey or a security key")
		if acr := acrOf(t, b, v.UsePasskey(t, page, a)); acr != storage.ACRPhishingResistant {
			t.Errorf("with the passkey: acr %v", acr)
		}
		// The session keeps it: nobody is asked again.
		for _, pair := range [][]string{{"acr_values", "urn:signet:2fa"}, {"claims", essential("urn:signet:2fa")}} {
			if acr := acrOf(t, b, v.Get(t, b.AuthorizeURL(append(pair, "prompt", "none")...))); acr != storage.ACRTwoFactors {
				t.Errorf("%v later: acr %v", pair, acr)
			}
		}
	})
}

// An essential acr leads to the stronger sign-in (OIDC Core, section 5.5.1.1; OpenID Connect Core
// Error Code unmet_authentication_requirements, section 3).
func TestACR_EssentialClaimLeadsToStrongerSignIn(t *testing.T) {
	providertest.EachWithPasskeys(t, func(t *testing.T, b *providertest.Testbed) {
		v, a := withProvenPasskey(t, b)
		ask := func(pairs ...string) providertest.Stop {
			return v.Get(t, b.AuthorizeURL(append([]string{"claims", essential("mfa", "urn:signet:2fa")}, pairs...)...))
		}
		ask("prompt", "none").WantError(t, "interaction_required")
		page := ask()
		wantConfirm(t, page, "asks for a second factor")
		decline(t, v, page).WantError(t, "unmet_authentication_requirements")
		v.Get(t, b.AuthorizeURL("claims", essential("mfa"))).WantError(t, "unmet_authentication_requirements")
		if acr := acrOf(t, b, v.UsePasskey(t, ask(), a)); acr != storage.ACRTwoFactors {
			t.Errorf("acr %v", acr)
		}
		nobody := b.User(t, "bare@example.com", providertest.Password)
		w := b.Visitor(t)
		w.SignIn(t, w.Get(t, b.AuthorizeURL("claims", essential("urn:signet:2fa"))), nobody.Email, providertest.Password).WantError(t, "unmet_authentication_requirements")
	})
}

// A client that requires an acr gets no weaker sign-in, whatever its requests say. People who cannot
// reach it are led to the page on which they add a factor.
func TestACR_ClientRequiresIt(t *testing.T) {
	providertest.EachWithPasskeys(t, func(t *testing.T, b *providertest.Testbed) {
		v, a := withProvenPasskey(t, b)
		b.ChangeClient(t, func(c *storage.Client) { c.RequireACR = storage.ACRTwoFactors })
		for _, pair := range [][]string{{}, {"acr_values", "urn:signet:1fa"}, {"claims", essential("urn:signet:1fa")}} {
			v.Get(t, b.AuthorizeURL(append(pair, "prompt", "none")...)).WantError(t, "interaction_required")
			page := v.Get(t, b.AuthorizeURL(pair...))
			wantConfirm(t, page, "asks for a second factor")
			decline(t, v, page).WantError(t, "access_denied")
		}
		if acr := acrOf(t, b, v.UsePasskey(t, v.Get(t, b.AuthorizeURL("acr_values", "urn:signet:1fa")), a)); acr != storage.ACRTwoFactors {
			t.Errorf("acr %v, less than the client requires", acr)
		}
		nobody := b.User(t, "bare@example.com", providertest.Password)
		w := b.Visitor(t)
		if page := w.SignIn(t, w.Get(t, b.AuthorizeURL()), nobody.Email, providertest.Password); page.At.Path != "/login/enrol" {
			t.Errorf("at %s, left to %v", page.At, page.LeftTo)
		}
		w.Get(t, b.AuthorizeURL("prompt", "none")).WantError(t, "interaction_required")
	})
}

// With factors.required: all, every request needs two factors, except that one for an act of the
// account pages: it may be the one that adds the factor.
func TestACR_EveryoneNeedsSecondFactor(t *testing.T) {
	providertest.EachWithPasskeys(t, func(t *testing.T, b *providertest.Testbed) {
		v := b.Visitor(t)
		if page := v.SignIn(t, v.Get(t, b.AuthorizeURL()), providertest.Alice, providertest.Password); page.At.Path != "/login/enrol" {
			t.Fatalf("at %s, left to %v", page.At, page.LeftTo)
		}
		v.Get(t, b.AuthorizeURL("prompt", "none")).WantError(t, "interaction_required")
		v.AddAuthenticator(t)
		if acr := acrOf(t, b, v.AnswerPages(t, v.Get(t, b.AuthorizeURL()))); acr != storage.ACRTwoFactors {
			t.Errorf("acr %v", acr)
		}
	}, func(c *provider.Config) { c.EveryFactor = true })
}

// A resource server that needs a stronger or a newer sign-in answers with a challenge, and the client
// sends its values on (RFC 9470). The next access token is enough.
func TestACR_ResourceServerAsksForStepUp(t *testing.T) {
	providertest.EachWithPasskeys(t, func(t *testing.T, b *providertest.Testbed) {
		v, a := withProvenPasskey(t, b)
		api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			token := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
			active := b.Introspect(t, token)
			at := int64(providertest.NumberOf(t, active["auth_time"]))
			if active["acr"] != storage.ACRTwoFactors || b.Now().Unix()-at > 300 {
				w.Header().Set("WWW-Authenticate", `Bearer error="insufficient_user_authentication", acr_values="urn:signet:2fa", max_age="300"`)
				w.WriteHeader(http.StatusUnauthorized)
			}
		}))
		defer api.Close()
		call := func(token any) (int, string) {
			r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, api.URL, nil)
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("Authorization", "Bearer "+token.(string))
			answer, err := http.DefaultClient.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			defer answer.Body.Close()
			return answer.StatusCode, answer.Header.Get("WWW-Authenticate")
		}
		weak := b.Redeem(t, v.CodeFromSession(t))["access_token"]
		status, challenge := call(weak)
		if status != http.StatusUnauthorized {
			t.Fatalf("status %d for one factor", status)
		}
		asked := url.Values{}
		for _, name := range []string{"acr_values", "max_age"} {
			_, rest, _ := strings.Cut(challenge, name+`="`)
			value, _, _ := strings.Cut(rest, `"`)
			asked.Set(name, value)
		}
		stepUp := b.AuthorizeURL("acr_values", asked.Get("acr_values"), "max_age", asked.Get("max_age"))
		page := v.Get(t, stepUp)
		wantConfirm(t, page, "asks for a second factor")
		strong := b.Redeem(t, v.UsePasskey(t, page, a).Code(t))
		if status, _ := call(strong["access_token"]); status != http.StatusOK {
			t.Errorf("status %d after the step-up", status)
		}
		// The grant keeps what it had: a refresh raises nothing, and time makes it too old.
		strong = b.MustRefresh(t, strong["refresh_token"])
		if status, _ := call(strong["access_token"]); status != http.StatusOK {
			t.Errorf("status %d after a refresh", status)
		}
		b.Advance(301 * time.Second)
		fresh := b.MustRefresh(t, strong["refresh_token"])
		if status, _ := call(fresh["access_token"]); status != http.StatusUnauthorized {
			t.Errorf("status %d for a sign-in that is too old", status)
		}
		again := v.Get(t, stepUp)
		if again.At.Path != "/login" {
			t.Fatalf("at %s, left to %v", again.At, again.LeftTo)
		}
		if status, _ := call(b.Redeem(t, v.UsePasskey(t, again, a).Code(t))["access_token"]); status != http.StatusOK {
			t.Errorf("status %d after the second step-up", status)
		}
	})
}

// An act of the account pages that needs the strongest sign-in asks for it and goes on.
func TestACR_StepUpFinishesTheAct(t *testing.T) {
	providertest.EachWithPasskeys(t, func(t *testing.T, b *providertest.Testbed) {
		v, a := withProvenPasskey(t, b)
		page := v.AddPasskey(t, b.Authenticator(t))
		wantConfirm(t, page, "Confirm this change with it")
		page.WantText(t, `id="cancel"`)
		v.UsePasskey(t, page, a).WantAt(t, "/account/passkeys/add")
		v.AddPasskey(t, b.Authenticator(t)).WantAt(t, "/account/passkeys?done=passkey")
		list := b.PasskeysOf(t, b.Alice.ID)
		if proven := slices.DeleteFunc(list, func(p storage.Passkey) bool { return p.ProvenAt == 0 }); len(proven) != 2 {
			t.Errorf("%d proven passkeys, want 2", len(proven))
		}
	})
}
