package federation_test

import (
	"errors"
	"net/http"
	"net/url"
	"sort"
	"strings"
	"testing"
	"time"

	"signet/federation"
	"signet/federation/federationtest"
)

// TestNew_AcceptedSettingsLeaveRoomInURL makes each setting that is part of the URL of the sign-in
// page longer until New refuses it. The longest accepted value must leave room for an endpoint and
// a redirect URI, and the error must name the setting.
func TestNew_AcceptedSettingsLeaveRoomInURL(t *testing.T) {
	settings := map[string]func(c *federation.Config, n int){
		"scopes":    func(c *federation.Config, n int) { c.Scopes = []string{strings.Repeat("s", n)} },
		"client_id": func(c *federation.Config, n int) { c.ClientID = strings.Repeat("/", n+1) },
		"base_url":  func(c *federation.Config, n int) { c.BaseURL = "https://github.example.com/" + strings.Repeat("b", n) },
	}
	for _, kind := range []federation.Kind{federation.OIDC, federation.Google, federation.Microsoft, federation.Apple, federation.GitHub, federation.GitLab} {
		for key, grow := range settings {
			if key == "base_url" && kind != federation.GitHub {
				continue
			}
			build := func(n int) (federation.Connector, error) {
				c := federation.Config{ID: strings.Repeat("i", 32), Kind: kind, ClientID: "signet", ClientSecret: federation.NewSecret("secret")}
				switch kind {
				case federation.OIDC, federation.GitLab:
					c.Issuer = "https://up.example.com"
				case federation.Microsoft:
					c.Tenants = []string{"00000000-0000-0000-0000-000000000001"}
				case federation.Apple:
					apple(t)(&c)
				}
				grow(&c, n)
				return federation.New(c, http.DefaultClient, time.Now)
			}
			most := sort.Search(8000, func(n int) bool { _, err := build(n + 1); return err != nil })
			_, err := build(most + 1)
			if most < 400 || most > federation.MaxAuthorizationURL || !errors.Is(err, federation.ErrMisconfigured) || !strings.Contains(err.Error(), key) {
				t.Errorf("%s: %s of %d characters is accepted, and then: %.300v", kind, key, most, err)
			}
			c, err := build(most)
			if err != nil {
				t.Fatal(err)
			}
			if kind != federation.GitHub {
				continue
			}
			age := int64(1) << 62
			_, page, err := c.Start(t.Context(), federation.Options{RedirectURI: "https://id.example.com/" + strings.Repeat("r", 400), Fresh: true, MaxAge: &age})
			if err != nil || len(page) > federation.MaxAuthorizationURL {
				t.Errorf("%s: %s of %d: a page of %d characters, %v", kind, key, most, len(page), err)
			}
		}
	}
}

// TestProbe_LongEndpointIsRefusedAsInSignIn makes the authorization endpoint of a discovery document
// longer. Probe and Start must accept and refuse the same lengths.
func TestProbe_LongEndpointIsRefusedAsInSignIn(t *testing.T) {
	refused := 0
	for _, n := range []int{100, 1000, 2000, 2500, 2600, 2700, 2800, 3000, 3200} {
		l, up := lying(t, func(c *federation.Config) { c.Scopes = []string{"one", "two"} })
		l.SetFaults(federationtest.Faults{Discovery: map[string]any{"authorization_endpoint": l.URL + "/authorize?long=" + strings.Repeat("e", n)}})
		report := up.Probe(t.Context(), redirectURI)
		age := int64(1) << 62
		_, page, err := up.Start(t.Context(), federation.Options{RedirectURI: redirectURI, Fresh: true, MaxAge: &age})
		tooLong := report.Err != nil && strings.Contains(report.Err.Error(), "too long")
		if (err != nil) != tooLong || err != nil && !errors.Is(err, federation.ErrMisconfigured) || len(page) > federation.MaxAuthorizationURL {
			t.Errorf("an endpoint of %d characters: Probe ends with %v, Start with %v and a URL of %d characters", n, report.Err, err, len(page))
		}
		if u, err := url.Parse(page); err != nil || page != "" && u.Query().Get("scope") == "" {
			t.Errorf("the page is %.200s", page)
		}
		if tooLong {
			refused++
		}
	}
	if refused == 0 || refused == 9 {
		t.Errorf("%d of 9 endpoints are refused", refused)
	}
}
