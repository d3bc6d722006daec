package cluster_test

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"signet/cmd/signet/signettest"
	"signet/federation/federationtest"
)

// artefact is something that Signet has issued and that may be used later. accepted uses it at a
// process.
type artefact struct {
	name     string
	once     bool // the first use spends it, so it is not tried before
	byKey    bool // only its key ends it, and a restore keeps the public keys
	accepted func(t *testing.T, at string) bool
}

// issuing is an installation that issues every kind of artefact.
type issuing struct {
	*signettest.Cluster
	receiver *logoutReceiver
	es, rs   signettest.CreatedClient // with ES256 and RS256 ID tokens
	hasAdmin bool                     // on PostgreSQL: a setup link needs that nobody is, a break-glass link that somebody was
}

// wrongPasswords is the limit of wrong passwords for an account in these installations.
const wrongPasswords = 4

// newIssuing creates the installation with a pretend Google. It starts no process.
func newIssuing(t *testing.T, database string) *issuing {
	t.Helper()
	i := &issuing{Cluster: signettest.NewCluster(t, database), receiver: receiveLogouts(t), hasAdmin: database != ""}
	if i.hasAdmin {
		i.Command(t, "", nil, "user", "create", "--email", "root@example.com", "--admin", "--json")
	}
	i.receiver.healthy.Store(true)
	google, err := federationtest.StartGoogle(federationtest.Setup{RedirectURIs: []string{i.Issuer + "/login/google/callback"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(google.Close)
	file := filepath.Join(t.TempDir(), "signet.yaml")
	settings := fmt.Sprintf("connectors:\n  - {id: google, type: google, issuer: %q, client_id: %q, client_secret: %q}\n", google.URL, google.ClientID, google.ClientSecret)
	if err := os.WriteFile(file, []byte(settings), 0o600); err != nil {
		t.Fatal(err)
	}
	// No code expires during the test.
	i.Env = append(i.Env, "SIGNET_CONFIG="+file, "SIGNET_LIFETIMES_CODE=10m", fmt.Sprint("SIGNET_RATE_LIMITS_ACCOUNT=", wrongPasswords))
	i.Command(t, "", nil, "client", "update", i.Client.ID, "--grant-type", "authorization_code", "--grant-type", "refresh_token", "--grant-type", "client_credentials", "--json")
	i.CreateClient(t, "--id", "app", "--type", "spa", "--first-party", "--redirect-uri", i.Issuer+"/")
	party := []string{"--redirect-uri", signettest.Nowhere, "--skip-consent", "--id-token-signed-response-alg"}
	i.es = i.CreateClient(t, append(party, "ES256")...)
	i.rs = i.CreateClient(t, append(party, "RS256", "--backchannel-logout-uri", i.receiver.URL+"/rs")...)
	return i
}

// everyArtefact signs in in several ways and returns everything that this leaves, of each kind.
// The processes of at share the issuer.
func (c *issuing) everyArtefact(t *testing.T, at []string) []artefact {
	t.Helper()
	get := func(t *testing.T, target string, change func(*http.Request)) (int, string) {
		t.Helper()
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, target, nil)
		if err != nil {
			t.Fatal(err)
		}
		change(request)
		answer, err := signettest.Crowd.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		body, err := io.ReadAll(answer.Body)
		if err != nil {
			t.Fatal(err)
		}
		return answer.StatusCode, string(body)
	}
	refreshed := func(token string) func(*testing.T, string) bool {
		return func(t *testing.T, at string) bool {
			status, got, err := c.Refresh(at, token)
			if err != nil {
				t.Fatal(err)
			}
			return status == http.StatusOK || got.Refresh != ""
		}
	}
	var list []artefact
	add := func(name string, accepted func(t *testing.T, at string) bool) {
		list = append(list, artefact{name: name, accepted: accepted})
	}

	person := signettest.NewFormBrowser(t)
	person.Open(c.Issuer + "/account")
	person.Send("login", "", map[string]string{"username": c.Email, "password": c.Password})
	add("session cookie", func(t *testing.T, at string) bool {
		person.T = t
		person.Open(at + "/account")
		return person.At.Path == "/account"
	})
	for range at {
		halfway := signettest.NewFormBrowser(t)
		halfway.Open(authorizeURL(c.Cluster))
		list = append(list, artefact{name: "sealed request of a sign-in form", once: true, accepted: func(t *testing.T, _ string) bool {
			halfway.T = t
			if signettest.FindByID(halfway.Page, "login") == nil {
				return false // the form was refused before
			}
			halfway.Send("login", "", map[string]string{"username": c.Email, "password": c.Password})
			return halfway.Left != nil
		}})
	}
	for _, code := range c.Codes(t, len(at)) {
		list = append(list, artefact{name: "code", once: true, accepted: func(t *testing.T, at string) bool {
			status, _, err := c.Redeem(at, code)
			if err != nil {
				t.Fatal(err)
			}
			return status == http.StatusOK
		}})
	}
	offline := c.MustRedeem(t, at[0], c.Codes(t, 1)[0])
	for range at {
		list = append(list, artefact{name: "offline refresh token", once: true, accepted: refreshed(offline.Refresh)})
	}
	add("access token at introspection", func(t *testing.T, at string) bool { return c.Active(t, at, offline.Access) })
	service := serviceToken(t, c.Cluster, at[0])
	add("service token at introspection", func(t *testing.T, at string) bool { return c.Active(t, at, service) })
	for alg, client := range map[string]signettest.CreatedClient{"ES256": c.es, "RS256": c.rs} {
		party := signettest.NewGoParty(t, c.Instance, client)
		got := party.SignIn(t, c.Instance, signettest.NewFormBrowser(t))
		add(alg+" access token at userinfo", func(t *testing.T, at string) bool {
			status, _ := get(t, at+"/userinfo", func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+got.AccessToken) })
			return status == http.StatusOK
		})
		list = append(list, artefact{name: alg + " refresh token of the session", once: true, accepted: func(t *testing.T, at string) bool {
			there := party.Config
			there.Endpoint.TokenURL = at + "/token"
			_, err := there.TokenSource(t.Context(), &oauth2.Token{RefreshToken: got.RefreshToken}).Token()
			return err == nil
		}})
		idToken := got.Extra("id_token").(string)
		list = append(list, artefact{name: alg + " ID token as a hint", byKey: true, accepted: func(t *testing.T, at string) bool {
			hinted := party.AuthCodeURL("state", oauth2.S256ChallengeOption(signettest.CodeVerifier), oauth2.SetAuthURLParam("prompt", "none"), oauth2.SetAuthURLParam("id_token_hint", idToken))
			stranger := signettest.NewFormBrowser(t)
			stranger.Open(at + strings.TrimPrefix(hinted, c.Issuer))
			if stranger.Left == nil {
				t.Fatalf("prompt=none leads to %s", stranger.At)
			}
			return stranger.Left.Query().Get("error") == "login_required" // a refused hint is an invalid_request
		}})
		list = append(list, artefact{name: alg + " ID token at a relying party that fetches the JWKS", byKey: true, accepted: func(t *testing.T, at string) bool {
			keys := oidc.NewRemoteKeySet(t.Context(), at+"/jwks")
			_, err := oidc.NewVerifier(c.Issuer, keys, &oidc.Config{ClientID: client.ID, SupportedSigningAlgs: []string{alg}}).Verify(t.Context(), idToken)
			return err == nil
		}})
	}
	list = append(list, c.departed(t))
	list = append(list, c.knownDevice(t, at[0]))
	cookies := c.AppCookies(t)
	add("first-party cookies at /session", func(t *testing.T, at string) bool {
		_, body := get(t, at+"/session", func(r *http.Request) {
			r.Header.Set("Origin", c.Issuer)
			for name, value := range cookies {
				r.AddCookie(&http.Cookie{Name: name, Value: value})
			}
		})
		return strings.Contains(body, `"authenticated":true`)
	})
	list = append(list, artefact{name: "first-party cookies at /refresh", once: true, accepted: func(t *testing.T, at string) bool {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, at+"/refresh", nil)
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Origin", c.Issuer)
		for name, value := range cookies {
			request.AddCookie(&http.Cookie{Name: name, Value: value})
		}
		answer, err := signettest.Crowd.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		return answer.StatusCode == http.StatusOK
	}})
	link, args := "setup link", []string{"setup-link", "--json"}
	if c.hasAdmin {
		link, args = "break-glass link", append(args, "--break-glass")
	}
	var setup struct{ URL string }
	c.Command(t, "", &setup, args...)
	add(link, func(t *testing.T, at string) bool {
		status, _ := get(t, at+strings.TrimPrefix(setup.URL, c.Issuer), func(*http.Request) {})
		return status == http.StatusOK
	})
	var password struct{ Link string }
	c.Command(t, "", &password, "user", "link", c.Email, "--for", "password", "--json")
	add("link for a password", func(t *testing.T, at string) bool {
		status, _ := get(t, at+strings.TrimPrefix(password.Link, c.Issuer), func(*http.Request) {})
		return status == http.StatusOK
	})
	return list
}

// departed is a browser that has chosen an account at the upstream and has not come back yet.
func (c *issuing) departed(t *testing.T) artefact {
	t.Helper()
	b := signettest.NewFormBrowser(t)
	b.Open(authorizeURL(c.Cluster))
	b.Click("connector-google")
	if b.Left == nil {
		t.Fatalf("the button of the upstream leads to %s", b.At)
	}
	back, err := federationtest.ChooseAccount(http.DefaultClient, b.Left.String(), "ada")
	if err != nil {
		t.Fatal(err)
	}
	return artefact{name: "attempt at an upstream", once: true, accepted: func(t *testing.T, at string) bool {
		b.T, b.Left = t, nil
		b.Open(c.Issuer + "/login/google/callback?" + back.Encode())
		return b.Left != nil && b.Left.Query().Get("code") != ""
	}}
}

// knownDevice is a browser in which a user has signed in before. Strangers have used up the wrong
// passwords of the account, so the password works in this browser only.
func (c *issuing) knownDevice(t *testing.T, at string) artefact {
	t.Helper()
	instance := *c.Instance
	instance.Email = fmt.Sprintf("person%d@example.com", time.Now().UnixNano())
	person := &signettest.Cluster{Instance: &instance}
	person.Command(t, person.Password, nil, "user", "create", "--email", person.Email, "--email-verified", "--password-stdin", "--json")
	status, device := trySignIn(t, person, at, person.Password, "")
	if status != http.StatusOK {
		t.Fatalf("first sign-in: status %d", status)
	}
	for range wrongPasswords {
		trySignIn(t, person, at, "wrong password", "")
	}
	if status, _ := trySignIn(t, person, at, person.Password, ""); status != http.StatusTooManyRequests {
		t.Fatalf("after %d wrong passwords: status %d, want 429", wrongPasswords, status)
	}
	return artefact{name: "device cookie", accepted: func(t *testing.T, at string) bool {
		// The counts of wrong passwords end with the keys, too.
		for status := 0; status != http.StatusTooManyRequests; {
			status, _ = trySignIn(t, person, at, "wrong password", "")
		}
		status, _ := trySignIn(t, person, at, person.Password, device)
		return status == http.StatusOK
	}}
}
