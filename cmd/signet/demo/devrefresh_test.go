package demo_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"signet/cmd/signet/config"
	"signet/cmd/signet/demo"
	"signet/cmd/signet/node"
	"signet/cmd/signet/signettest"
	"signet/storage"
)

// signInAtDemo signs in at the demo and leaves the browser at the page with the tokens.
func signInAtDemo(t *testing.T, d signettest.DemoInstance) *signettest.FormBrowser {
	t.Helper()
	b := signettest.NewFormBrowser(t)
	b.Open(d.Issuer + demo.Path + "/login")
	b.Send("login", "", map[string]string{"username": demo.UserEmail, "password": d.Password})
	b.Send("consent", "allow", nil)
	if signettest.FindByID(b.Page, "demo-refresh") == nil {
		t.Fatalf("the demo has no refresh token: %s", visible(b.Page))
	}
	return b
}

// press submits one of the demo's forms. Each form is a button.
func press(b *signettest.FormBrowser, d signettest.DemoInstance, action string) {
	b.T.Helper()
	request, err := http.NewRequestWithContext(b.T.Context(), http.MethodPost, d.Issuer+demo.Path+"/"+action, nil)
	if err != nil {
		b.T.Fatal(err)
	}
	request.Header.Set("Origin", d.Issuer)
	b.Do(request)
}

// shown returns the text of the element with the id, or "" if there is none.
func shown(b *signettest.FormBrowser, id string) string {
	node := signettest.FindByID(b.Page, id)
	if node == nil {
		return ""
	}
	return visible(node)
}

func TestDemo_RefreshesAndShowsThatTheTokenBeforeIsGone(t *testing.T) {
	d := signettest.StartDev(t)
	b := signInAtDemo(t, d)
	first := shown(b, "token-1")
	if shown(b, "refreshed") != "" {
		t.Errorf("before a refresh the demo says %s", shown(b, "refreshed"))
	}
	for range 2 {
		press(b, d, "refresh")
		if got := shown(b, "refreshed"); got != `{ "active": false }` {
			t.Fatalf("the refresh token before: got %q", got)
		}
		next := shown(b, "token-1")
		if next == "" || next == first {
			t.Fatalf("the refresh brought no new access token: %s", visible(b.Page))
		}
		first = next
	}
	if b.At.Path != demo.Path || !strings.Contains(visible(b.Page), `"email": "`+demo.UserEmail+`"`) {
		t.Errorf("after the refresh the browser is at %s: %s", b.At, visible(b.Page))
	}
}

func TestDemo_IntrospectsUntilTheTokenEnds(t *testing.T) {
	d := signettest.StartDev(t)
	b := signInAtDemo(t, d)
	press(b, d, "introspect")
	if got := shown(b, "introspection"); !strings.Contains(got, `"active": true`) || !strings.Contains(got, "offline_access") {
		t.Errorf("a live token: got %s", got)
	}
	// Another program on this machine signs the user out everywhere.
	i := &signettest.Instance{Env: []string{"SIGNET_DATA_DIR=" + d.Dir}}
	i.Command(t, "", nil, "user", "sign-out", demo.UserEmail)
	press(b, d, "introspect")
	if got := shown(b, "introspection"); got != `{ "active": false }` {
		t.Errorf("after a sign-out everywhere: got %s", got)
	}
	press(b, d, "refresh")
	if got := visible(b.Page); !strings.Contains(got, "invalid_grant") || signettest.FindByID(b.Page, "demo-sign-in") == nil {
		t.Errorf("a refresh then shows %s", got)
	}
	b.Open(d.Issuer + demo.Path)
	if signettest.FindByID(b.Page, "demo-sign-in") == nil {
		t.Error("the demo believes that it still has tokens")
	}
}

// TestDemo_SignOutGivesTheRefreshTokenBack checks that a sign-out at the demo revokes the
// refresh token. Otherwise offline access would stay without the application.
func TestDemo_SignOutGivesTheRefreshTokenBack(t *testing.T) {
	d := signettest.StartDev(t)
	b := signInAtDemo(t, d)
	i := &signettest.Instance{Env: []string{"SIGNET_DATA_DIR=" + d.Dir}}
	var sessions struct {
		Sessions []struct{ Clients []string }
	}
	i.Command(t, "", &sessions, "session", "list", demo.UserEmail, "--json")
	if len(sessions.Sessions) != 1 || len(sessions.Sessions[0].Clients) != 1 {
		t.Fatalf("signed in, and there are the sessions %+v", sessions)
	}
	press(b, d, "logout")
	if signettest.FindByID(b.Page, "demo-sign-in") == nil {
		t.Fatalf("after the sign-out the browser is at %s: %s", b.At, visible(b.Page))
	}
	i.Command(t, "", &sessions, "session", "list", demo.UserEmail, "--json")
	if len(sessions.Sessions) != 0 {
		t.Errorf("signed out, and there are the sessions %+v", sessions)
	}
	settings := config.Default()
	settings.DataDir = d.Dir
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

// TestDemo_NobodyElsePresses checks that a form of another site refreshes nothing.
func TestDemo_NobodyElsePresses(t *testing.T) {
	d := signettest.StartDev(t)
	b := signInAtDemo(t, d)
	for _, action := range []string{"refresh", "introspect"} {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, d.Issuer+demo.Path+"/"+action, nil)
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Origin", "https://evil.example")
		response, err := b.Client.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		if response.StatusCode != http.StatusForbidden {
			t.Errorf("%s from elsewhere: %s", action, response.Status)
		}
	}
	b.Open(d.Issuer + demo.Path)
	if shown(b, "refreshed") != "" || shown(b, "introspection") != "" {
		t.Error("it was done all the same")
	}
	// Without a sign-in the buttons do nothing.
	nobody := signettest.NewFormBrowser(t)
	press(nobody, d, "refresh")
	if nobody.At.Path != demo.Path || signettest.FindByID(nobody.Page, "demo-sign-in") == nil {
		t.Errorf("nobody's refresh ends at %s", nobody.At)
	}
}
