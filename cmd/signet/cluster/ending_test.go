package cluster_test

import (
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"

	"signet/cmd/signet/signettest"
	"signet/storage/storagetest"
)

// artefact is something that Signet has issued and that may be used later. accepted uses it at a
// process.
type artefact struct {
	name     string
	once     bool // the first use spends it, so it is not tried before
	accepted func(t *testing.T, at string) bool
}

// everyArtefact signs in in several ways and returns everything that this leaves, of each kind.
// The processes of at share the issuer of c. es and rs are clients with ES256 and RS256 ID tokens.
func everyArtefact(t *testing.T, c *signettest.Cluster, at []string, es, rs signettest.CreatedClient) []artefact {
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
		halfway.Open(authorizeURL(c))
		list = append(list, artefact{"sealed request of a sign-in form", true, func(t *testing.T, _ string) bool {
			halfway.T = t
			if signettest.FindByID(halfway.Page, "login") == nil {
				return false // the form was refused before
			}
			halfway.Send("login", "", map[string]string{"username": c.Email, "password": c.Password})
			return halfway.Left != nil
		}})
	}
	for _, code := range c.Codes(t, len(at)) {
		list = append(list, artefact{"code", true, func(t *testing.T, at string) bool {
			status, _, err := c.Redeem(at, code)
			if err != nil {
				t.Fatal(err)
			}
			return status == http.StatusOK
		}})
	}
	offline := c.MustRedeem(t, at[0], c.Codes(t, 1)[0])
	for range at {
		list = append(list, artefact{"offline refresh token", true, refreshed(offline.Refresh)})
	}
	add("access token at introspection", func(t *testing.T, at string) bool { return c.Active(t, at, offline.Access) })
	service := serviceToken(t, c, at[0])
	add("service token at introspection", func(t *testing.T, at string) bool { return c.Active(t, at, service) })
	for alg, client := range map[string]signettest.CreatedClient{"ES256": es, "RS256": rs} {
		party := signettest.NewGoParty(t, c.Instance, client)
		got := party.SignIn(t, c.Instance, signettest.NewFormBrowser(t))
		add(alg+" access token at userinfo", func(t *testing.T, at string) bool {
			status, _ := get(t, at+"/userinfo", func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+got.AccessToken) })
			return status == http.StatusOK
		})
		idToken := got.Extra("id_token").(string)
		add(alg+" ID token at a relying party that fetches the JWKS", func(t *testing.T, at string) bool {
			keys := oidc.NewRemoteKeySet(t.Context(), at+"/jwks")
			_, err := oidc.NewVerifier(c.Issuer, keys, &oidc.Config{ClientID: client.ID, SupportedSigningAlgs: []string{alg}}).Verify(t.Context(), idToken)
			return err == nil
		})
	}
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
	list = append(list, artefact{"first-party cookies at /refresh", true, func(t *testing.T, at string) bool {
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
	var setup struct{ URL string }
	c.Command(t, "", &setup, "setup-link", "--json")
	add("setup link", func(t *testing.T, at string) bool {
		status, _ := get(t, at+strings.TrimPrefix(setup.URL, c.Issuer), func(*http.Request) {})
		return status == http.StatusOK
	})
	return list
}

// TestEndEverything_RefusesEveryArtefact ends everything while two processes run. Nothing that
// was issued before is accepted at either of them, and everything new is.
func TestEndEverything_RefusesEveryArtefact(t *testing.T) {
	for _, backend := range []string{"sqlite", "postgres"} {
		t.Run(backend, func(t *testing.T) {
			t.Parallel()
			database := ""
			if backend == "postgres" {
				database = storagetest.Postgres(t).Config().Database
			}
			c := signettest.NewCluster(t, database)
			c.Command(t, "", nil, "client", "update", c.Client.ID, "--grant-type", "authorization_code", "--grant-type", "refresh_token", "--grant-type", "client_credentials", "--json")
			c.CreateClient(t, "--id", "app", "--type", "spa", "--first-party", "--redirect-uri", c.Issuer+"/")
			receiver := receiveLogouts(t)
			receiver.healthy.Store(true)
			party := []string{"--redirect-uri", signettest.Nowhere, "--skip-consent", "--id-token-signed-response-alg"}
			es := c.CreateClient(t, append(party, "ES256")...)
			rs := c.CreateClient(t, append(party, "RS256", "--backchannel-logout-uri", receiver.URL+"/rs")...)
			at := []string{c.Start(t, true).Address, c.Start(t, false).Address}

			before := everyArtefact(t, c, at, es, rs)
			for _, one := range before {
				for _, process := range at {
					if !one.once && !one.accepted(t, process) {
						t.Fatalf("%s is not accepted before the end", one.name)
					}
				}
			}
			sid := signInAt(t, c, signettest.NewGoParty(t, c.Instance, rs), signettest.NewFormBrowser(t)).sid
			oldKeys := c.Keys(t)

			c.Command(t, "", nil, "end-everything", "--reason", "a drill", "--yes", "--json")
			ended := time.Now()
			for _, one := range before { // the database decides, without any delay
				if slices.Contains([]string{"session cookie", "offline refresh token", "code"}, one.name) && one.accepted(t, at[1]) {
					t.Errorf("%s is accepted at once after the end", one.name)
				}
			}
			signettest.Eventually(t, 10*time.Second, "both processes follow", func() bool {
				for _, process := range at {
					_, jwks := signettest.Get(t, process+"/jwks")
					if slices.ContainsFunc(oldKeys, func(k signettest.KeyRow) bool { return strings.Contains(jwks, k.KeyID) }) {
						return false
					}
				}
				return true
			})
			t.Logf("both processes followed after %v", time.Since(ended).Round(time.Millisecond))
			for _, one := range before {
				for _, process := range at {
					if one.accepted(t, process) {
						t.Errorf("%s is accepted after the end, at %s", one.name, process)
					}
				}
			}
			signettest.Eventually(t, time.Minute, "the client is notified of its session", func() bool {
				receiver.mu.Lock()
				defer receiver.mu.Unlock()
				return slices.ContainsFunc(receiver.tokens["/rs"], func(token string) bool { return idClaims(t, token)["sid"] == sid })
			})
			receiver.sids(t, "/rs", c.Issuer, rs) // verifies the tokens with the new keys

			// Everything works anew, also at once.
			for _, one := range everyArtefact(t, c, at, es, rs) {
				for _, process := range at[:1] {
					if !one.accepted(t, process) {
						t.Errorf("a new %s is not accepted", one.name)
					}
				}
			}
			for _, k := range c.Keys(t) {
				if slices.ContainsFunc(oldKeys, func(o signettest.KeyRow) bool { return o.KeyID == k.KeyID }) && k.State != "revoked" {
					t.Errorf("the old %s key %s is %s, want revoked", k.Alg, k.KeyID, k.State)
				}
			}
		})
	}
}

// TestEndEverything_KilledIsWholeOrNothing kills the command at growing delays. Either every key
// and session has ended or none has, and the command succeeds when it runs again.
func TestEndEverything_KilledIsWholeOrNothing(t *testing.T) {
	t.Parallel()
	c := signettest.NewCluster(t, "")
	p := c.Start(t, true)
	outcomes := map[bool]int{}
	for delay := 20 * time.Millisecond; delay < 5*time.Second && outcomes[true] == 0; delay = delay * 3 / 2 {
		person := signettest.NewFormBrowser(t)
		person.Open(c.Issuer + "/account")
		person.Send("login", "", map[string]string{"username": c.Email, "password": c.Password})
		before := c.Keys(t)
		command, output := c.Background(t, "end-everything", "--reason", "a drill", "--yes")
		time.AfterFunc(delay, func() { _ = command.Process.Kill() })
		_ = command.Wait()
		revoked, known := 0, 0
		for _, k := range c.Keys(t) {
			if !slices.ContainsFunc(before, func(o signettest.KeyRow) bool { return o.KeyID == k.KeyID && o.State != "revoked" }) {
				continue
			}
			if known++; k.State == "revoked" {
				revoked++
			}
		}
		person.Open(c.Issuer + "/account")
		ended := person.At.Path != "/account"
		if (revoked != 0 && revoked != known) || ended != (revoked != 0) {
			t.Fatalf("killed after %v: %d of %d keys are revoked, the session has ended: %v\n%s", delay, revoked, known, ended, output)
		}
		outcomes[ended]++
	}
	if outcomes[false] == 0 || outcomes[true] == 0 {
		t.Errorf("outcomes %v: want a kill before the end and one after it", outcomes)
	}
	checkIntegrity(t, c)
	c.Command(t, "", nil, "end-everything", "--reason", "again", "--yes", "--json")
	signettest.Eventually(t, 10*time.Second, "new sign-ins work", func() bool {
		_, jwks := signettest.Get(t, p.Address+"/jwks")
		return strings.Contains(jwks, c.Kid(t, "ES256", "active"))
	})
	c.MustRedeem(t, p.Address, c.Codes(t, 1)[0])
}
