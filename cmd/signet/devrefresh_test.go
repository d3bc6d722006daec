package main

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"signet/cmd/signet/config"
	"signet/cmd/signet/demo"
	"signet/cmd/signet/node"
	"signet/storage"
)

// signInAtDemo goes the whole way and leaves the browser at the tokens.
func signInAtDemo(t *testing.T, d demoInstance) *formBrowser {
	t.Helper()
	b := newFormBrowser(t)
	b.open(d.issuer + demo.Path + "/login")
	b.send("login", "", map[string]string{"username": demo.UserEmail, "password": d.password})
	b.send("consent", "allow", nil)
	if findByID(b.page, "demo-refresh") == nil {
		t.Fatalf("the demo has no refresh token: %s", visible(b.page))
	}
	return b
}

// press sends one of the demo's forms, which are a button each.
func (b *formBrowser) press(d demoInstance, action string) {
	b.t.Helper()
	request, err := http.NewRequestWithContext(b.t.Context(), http.MethodPost, d.issuer+demo.Path+"/"+action, nil)
	if err != nil {
		b.t.Fatal(err)
	}
	request.Header.Set("Origin", d.issuer)
	b.do(request)
}

// shown is the text of the element with that id, "" if there is none.
func (b *formBrowser) shown(id string) string {
	node := findByID(b.page, id)
	if node == nil {
		return ""
	}
	return visible(node)
}

func TestDemo_RefreshesAndShowsThatTheTokenBeforeIsGone(t *testing.T) {
	d := startDev(t)
	b := signInAtDemo(t, d)
	first := b.shown("token-1")
	if b.shown("refreshed") != "" {
		t.Errorf("before a refresh the demo says %s", b.shown("refreshed"))
	}
	for range 2 {
		b.press(d, "refresh")
		if got := b.shown("refreshed"); got != `{ "active": false }` {
			t.Fatalf("the refresh token before: got %q", got)
		}
		next := b.shown("token-1")
		if next == "" || next == first {
			t.Fatalf("the refresh brought no new access token: %s", visible(b.page))
		}
		first = next
	}
	if b.at.Path != demo.Path || !strings.Contains(visible(b.page), `"email": "`+demo.UserEmail+`"`) {
		t.Errorf("after the refresh the browser is at %s: %s", b.at, visible(b.page))
	}
}

func TestDemo_IntrospectsUntilTheTokenEnds(t *testing.T) {
	d := startDev(t)
	b := signInAtDemo(t, d)
	b.press(d, "introspect")
	if got := b.shown("introspection"); !strings.Contains(got, `"active": true`) || !strings.Contains(got, "offline_access") {
		t.Errorf("a live token: got %s", got)
	}
	// Another program of the machine signs the user out everywhere.
	i := &instance{env: []string{"SIGNET_DATA_DIR=" + d.dir}}
	i.command(t, "", nil, "user", "sign-out", demo.UserEmail)
	b.press(d, "introspect")
	if got := b.shown("introspection"); got != `{ "active": false }` {
		t.Errorf("after a sign-out everywhere: got %s", got)
	}
	b.press(d, "refresh")
	if got := visible(b.page); !strings.Contains(got, "invalid_grant") || findByID(b.page, "demo-sign-in") == nil {
		t.Errorf("a refresh then shows %s", got)
	}
	b.open(d.issuer + demo.Path)
	if findByID(b.page, "demo-sign-in") == nil {
		t.Error("the demo believes that it still has tokens")
	}
}

// TestDemo_SignOutGivesTheRefreshTokenBack: what has offline access would go on
// without the application.
func TestDemo_SignOutGivesTheRefreshTokenBack(t *testing.T) {
	d := startDev(t)
	b := signInAtDemo(t, d)
	i := &instance{env: []string{"SIGNET_DATA_DIR=" + d.dir}}
	var sessions struct {
		Sessions []struct{ Clients []string }
	}
	i.command(t, "", &sessions, "session", "list", demo.UserEmail, "--json")
	if len(sessions.Sessions) != 1 || len(sessions.Sessions[0].Clients) != 1 {
		t.Fatalf("signed in, and there are the sessions %+v", sessions)
	}
	b.press(d, "logout")
	if findByID(b.page, "demo-sign-in") == nil {
		t.Fatalf("after the sign-out the browser is at %s: %s", b.at, visible(b.page))
	}
	i.command(t, "", &sessions, "session", "list", demo.UserEmail, "--json")
	if len(sessions.Sessions) != 0 {
		t.Errorf("signed out, and there are the sessions %+v", sessions)
	}
	settings := config.Default()
	settings.DataDir = d.dir
	db, err := node.OpenDatabase(t.Context(), settings, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	events, err := db.Events(t.Context(), storage.EventFilter{}, 100)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.ContainsFunc(events, func(e storage.Event) bool { return e.Type == storage.GrantRevoked && e.ClientID == demo.ClientID }) {
		t.Errorf("the refresh token was not given back: %+v", events)
	}
}

// TestDemo_NobodyElsePresses: another site's form refreshes nothing.
func TestDemo_NobodyElsePresses(t *testing.T) {
	d := startDev(t)
	b := signInAtDemo(t, d)
	for _, action := range []string{"refresh", "introspect"} {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, d.issuer+demo.Path+"/"+action, nil)
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Origin", "https://evil.example")
		response, err := b.client.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		if response.StatusCode != http.StatusForbidden {
			t.Errorf("%s from elsewhere: %s", action, response.Status)
		}
	}
	b.open(d.issuer + demo.Path)
	if b.shown("refreshed") != "" || b.shown("introspection") != "" {
		t.Error("it was done all the same")
	}
	// Without a sign-in there is nothing to do.
	nobody := newFormBrowser(t)
	nobody.press(d, "refresh")
	if nobody.at.Path != demo.Path || findByID(nobody.page, "demo-sign-in") == nil {
		t.Errorf("nobody's refresh ends at %s", nobody.at)
	}
}
