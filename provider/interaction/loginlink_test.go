package interaction_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"signet/provider"
	"signet/provider/providertest"
)

// opens sends a browser to GET /login with this value of Sec-Fetch-Site.
func opens(t *testing.T, v *providertest.Visitor, site string, pairs ...string) providertest.Stop {
	t.Helper()
	query := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		query.Add(pairs[i], pairs[i+1])
	}
	r, err := http.NewRequest(http.MethodGet, v.Bed.Issuer+"/login?"+query.Encode(), nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Accept", "text/html")
	if site != "" {
		r.Header.Set("Sec-Fetch-Site", site)
	}
	return v.Walk(t, r)
}

// wantStep fails unless the browser is at the page of this step.
func wantStep(t *testing.T, s providertest.Stop, path string) {
	t.Helper()
	if s.LeftTo != nil || s.StatusCode != http.StatusOK || s.At.Path != path {
		t.Fatalf("at %s (left to %v) with status %d, want %s:\n%s", s.At, s.LeftTo, s.StatusCode, path, s.Body)
	}
}

func onAppUpstream(t *testing.T, f func(t *testing.T, b *providertest.Testbed, up *providertest.Upstreams)) {
	t.Helper()
	providertest.OnUpstream(t, func(t *testing.T, b *providertest.Testbed, up *providertest.Upstreams) {
		b.RegisterApp(t)
		f(t, b, up)
	}, func(_ *providertest.Upstreams, c *provider.Config) { providertest.WithAppOrigins(providertest.Shop)(c) })
}

// A link with a provider leads directly to that upstream, and the sign-in ends at return_to.
// A link on another site starts no trip.
func TestLoginLink_ProviderStartsTrip(t *testing.T) {
	onAppUpstream(t, func(t *testing.T, b *providertest.Testbed, up *providertest.Upstreams) {
		for _, site := range []string{"same-origin", "same-site", "none", ""} {
			v := b.Visitor(t)
			s := opens(t, v, site, "return_to", providertest.Shop+"/cart", "provider", "google")
			if s.LeftTo == nil || !strings.HasPrefix(s.LeftTo.String(), up.Google.URL) {
				t.Fatalf("from %q: at %s, left to %v:\n%s", site, s.At, s.LeftTo, s.Body)
			}
			if s = v.Get(t, v.ChooseAccount(t, s.LeftTo, "ada")); s.LeftTo == nil || s.LeftTo.String() != providertest.Shop+"/cart" {
				t.Errorf("from %q: the sign-in ends at %s, left to %v:\n%s", site, s.At, s.LeftTo, s.Body)
			}
			v.WantApp(t, true)
			// A signed-in user is not asked again, unless the app sends prompt=login.
			if s = opens(t, v, site, "return_to", providertest.Shop+"/cart", "provider", "google"); s.LeftTo == nil || s.LeftTo.String() != providertest.Shop+"/cart" {
				t.Errorf("from %q, signed in: at %s, left to %v", site, s.At, s.LeftTo)
			}
			if s = opens(t, v, site, "return_to", providertest.Shop+"/cart", "provider", "google", "prompt", "login"); s.LeftTo == nil || !strings.HasPrefix(s.LeftTo.String(), up.Google.URL) {
				t.Errorf("from %q, prompt=login: at %s, left to %v", site, s.At, s.LeftTo)
			}
		}
		v := b.Visitor(t)
		calls := len(up.Google.Requests())
		s := opens(t, v, "cross-site", "return_to", providertest.Shop+"/cart", "provider", "google")
		wantStep(t, s, "/login")
		if len(up.Google.Requests()) != calls || len(v.AttemptCookies(t)) != 0 || strings.Contains(s.Body, `id="problem"`) {
			t.Errorf("a link on another site: %d calls, attempts %v\n%s", len(up.Google.Requests())-calls, v.AttemptCookies(t), s.Body)
		}
		if left := v.PressConnector(t, s, "google"); left == nil {
			t.Errorf("the button of that page leads to %s", s.At)
		}
	})
}

// An unknown provider does not prevent the sign-in: the sign-in page shows a message.
func TestLoginLink_UnknownProviderShowsMessage(t *testing.T) {
	onAppUpstream(t, func(t *testing.T, b *providertest.Testbed, _ *providertest.Upstreams) {
		for _, unknown := range []string{"gitlab", "GOOGLE", "../admin", "<script>", strings.Repeat("x", 1500)} {
			v := b.Visitor(t)
			s := opens(t, v, "same-origin", "return_to", providertest.Shop+"/", "provider", unknown)
			wantStep(t, s, "/login")
			if !strings.Contains(s.Body, "unknown_provider") || !strings.Contains(s.Body, `role="alert"`) {
				t.Errorf("%.20s: no message:\n%s", unknown, s.Body)
			}
			if s = v.SignIn(t, s, providertest.Alice, providertest.Password); s.LeftTo == nil || s.LeftTo.String() != providertest.Shop+"/" {
				t.Errorf("%.20s: the sign-in ends at %s, left to %v", unknown, s.At, s.LeftTo)
			}
			if s = opens(t, v, "same-origin", "return_to", providertest.Shop+"/", "provider", unknown); s.LeftTo == nil {
				t.Errorf("%.20s, signed in: stays at %s", unknown, s.At)
			}
		}
	})
}

// login_hint and prompt have the same meaning as at the authorization endpoint.
func TestLoginLink_LoginHintAndPrompt(t *testing.T) {
	onAppUpstream(t, func(t *testing.T, b *providertest.Testbed, _ *providertest.Upstreams) {
		v := b.Visitor(t)
		hinted := func(s providertest.Stop, hint string) {
			t.Helper()
			wantStep(t, s, "/login")
			if got := s.FormTo(t, "/login", "", "").Values.Get("username"); got != hint {
				t.Errorf("the form begins with %q, want %q", got, hint)
			}
		}
		hinted(opens(t, v, "same-origin", "return_to", providertest.Shop+"/", "login_hint", providertest.Alice), providertest.Alice)
		hinted(opens(t, v, "same-origin", "login_hint", strings.Repeat("x", 2000)), "")
		page := opens(t, v, "same-origin", "return_to", providertest.Shop+"/", "login_hint", providertest.Alice, "prompt", "login")
		b.Advance(40 * 60e9) // longer than the life of a request
		expired := v.Submit(t, page.FormTo(t, "/login", "", ""), "username", providertest.Alice, "password", providertest.Password)
		again := v.Get(t, expired.Link(t, "start"))
		hinted(again, providertest.Alice)
		if s := v.SignIn(t, again, providertest.Alice, providertest.Password); s.LeftTo == nil {
			t.Fatalf("ends at %s", s.At)
		}
		wantStep(t, opens(t, v, "same-origin", "return_to", providertest.Shop+"/", "prompt", "login"), "/login")
		wantStep(t, opens(t, v, "same-origin", "return_to", providertest.Shop+"/", "prompt", "select_account"), "/select")
		if s := opens(t, v, "same-origin", "return_to", providertest.Shop+"/", "prompt", "consent"); s.LeftTo == nil {
			t.Errorf("prompt=consent of a first-party app stays at %s", s.At)
		}
		for _, wrong := range [][]string{
			{"prompt", "none"}, {"prompt", "create"}, {"prompt", "login none"}, {"prompt", "LOGIN"}, {"prompt", "login", "prompt", "login"},
			{"provider", "google", "provider", "github"}, {"login_hint", "a", "login_hint", "b"}, {"return_to", "/", "return_to", "/account"}, {"login_hint", "a\x00"},
		} {
			opens(t, v, "same-origin", wrong...).WantPage(t, http.StatusBadRequest, "invalid_request")
		}
	})
}
