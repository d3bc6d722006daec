package main

import (
	"bytes"
	"fmt"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"signet/cmd/signet/exit"
)

// The next keys are published for two seconds before they sign.
var soon = []string{"SIGNET_KEYS_PUBLISH_BEFORE=2s", "SIGNET_KEYS_JWKS_MAX_AGE=2s"}

// rotate waits until the next keys may sign, rotates, and waits until the server
// publishes those that are next then: a relying party that reads the JWKS before has
// not been given the time that keys are published for.
func (i *instance) rotate(t *testing.T) {
	t.Helper()
	eventually(t, 20*time.Second, "the next keys may sign", func() bool {
		var said bytes.Buffer
		code := run(t.Context(), []string{"keys", "rotate"}, i.env, strings.NewReader(""), &said, &said)
		if code != exit.OK && code != exit.Conflict {
			t.Fatalf("exit code %d: %s", code, said.String())
		}
		return code == exit.OK
	})
	next := i.kid(t, "RS256", "next")
	eventually(t, 20*time.Second, "the server follows", func() bool {
		_, jwks := get(t, i.issuer+"/jwks")
		return strings.Contains(jwks, next)
	})
}

// TestKeys_OpenIDClientThroughRotations starts openid-client afresh before each of
// three rotations: what it read before has the key that signs afterwards.
func TestKeys_OpenIDClientThroughRotations(t *testing.T) {
	t.Parallel()
	c := newCluster(t, "")
	c.client = c.createClient(t, "--type", "web", "--redirect-uri", nowhere, "--skip-consent") // ID tokens with RS256
	c.instance.env = append(c.instance.env, soon...)
	c.env = append(c.env, soon...)
	c.start(t, true)
	kids := map[string]bool{}
	var party *nodeProcess
	wantIn := func(when string) {
		t.Helper()
		code := c.codes(t, 1)[0]
		if said := party.check(nowhere + "?" + url.Values{"code": {code}, "iss": {c.issuer}}.Encode()); said != "ok" {
			t.Errorf("%s: %s", when, said)
		}
		kids[c.kid(t, "RS256", "active")] = true
	}
	for round := range 3 {
		party = startNode(t, "redeemer.mjs", c.issuer, c.client.ID, c.client.Secret, codeVerifier)
		wantIn(fmt.Sprintf("before rotation %d", round))
		c.rotate(t)
		wantIn(fmt.Sprintf("after rotation %d", round))
	}
	if len(kids) != 4 {
		t.Errorf("%d keys have signed, want 4", len(kids))
	}
	if os.Getenv("SIGNET_SOAK") == "" {
		return
	}
	// The library reads an unknown key's JWKS again once its own is a minute old: the
	// same process goes on through a rotation in a window of that length.
	over := time.Now().Add(65 * time.Second)
	eventually(t, 70*time.Second, "the window is over", func() bool { return time.Now().After(over) })
	c.rotate(t)
	wantIn("after a rotation 65 seconds later")
}

// TestKeys_ApacheThroughRotations starts mod_auth_openidc afresh before each of three
// rotations. Those that were started before go on too.
func TestKeys_ApacheThroughRotations(t *testing.T) {
	t.Parallel()
	i := newInstance(t)
	i.env = append(i.env, soon...)
	i.serve(t)
	var origins []string
	for round := range 3 {
		origin := fmt.Sprintf("http://127.0.0.1:%d", freePort(t))
		client := i.createClient(t, "--type", "web", "--redirect-uri", origin+"/secure/callback", "--skip-consent")
		startApache(t, origin, i.issuer, client)
		origins = append(origins, origin)
		i.wantProtectedPage(t, origin, fmt.Sprintf("fresh, before rotation %d", round))
		i.rotate(t)
		for _, origin := range origins {
			i.wantProtectedPage(t, origin, fmt.Sprintf("after rotation %d", round))
		}
	}
}

// wantProtectedPage signs in anew: the ID token is a fresh one.
func (i *instance) wantProtectedPage(t *testing.T, origin, when string) {
	t.Helper()
	b := newFormBrowser(t)
	b.visit(origin + "/secure/page.html")
	b.send("login", "", map[string]string{"username": i.email, "password": i.password})
	b.visit(b.left.String())
	if got := b.text(); !strings.Contains(got, "The protected page.") {
		t.Errorf("%s: the browser is at %s and reads %q", when, b.at, got)
	}
}
