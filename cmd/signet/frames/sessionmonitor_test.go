package frames_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"testing"

	"golang.org/x/oauth2"

	"signet/cmd/signet/signettest"
)

// monitorPage is the page of an app with oidc-client-ts. It collects the events of the library and
// the answers of the iframe.
const monitorPage = `<!doctype html><html lang="en"><title>An app</title><link rel="icon" href="data:,"><body>
<script src="/oidc-client-ts.js"></script>
<script>
const events = [], answers = []
const manager = new oidc.UserManager({
  authority: %q, client_id: %q, redirect_uri: location.origin + '/callback', silent_redirect_uri: location.origin + '/silent', scope: 'openid',
  monitorSession: location.pathname !== '/silent', monitorAnonymousSession: location.search === '?anonymous', checkSessionIntervalInSeconds: 1, automaticSilentRenew: false,
})
for (const event of ['UserSignedIn', 'UserSignedOut', 'UserSessionChanged']) manager.events['add' + event](() => events.push(event))
if (location.pathname === '/silent') {
  manager.signinSilentCallback()
} else {
  window.addEventListener('message', e => { if (e.origin === %q) answers.push(e.data) })
}
if (location.pathname === '/start') manager.signinRedirect()
if (location.pathname === '/callback') manager.signinRedirectCallback().then(() => document.body.insertAdjacentHTML('beforeend', '<p id="ready">ready</p>'))
</script>`

// TestSessionManagement_OIDCClientTSSeesChanges runs oidc-client-ts with monitorSession: it sees a
// sign-out, another user and a sign-in in another tab, and nothing while the session stays.
//
// P-74: check_session_iframe answers unchanged, changed or error to the origin of the sender.
func TestSessionManagement_OIDCClientTSSeesChanges(t *testing.T) {
	library, err := os.ReadFile("../testdata/browser/node_modules/oidc-client-ts/dist/browser/oidc-client-ts.min.js")
	if err != nil {
		t.Fatal("the npm packages of testdata/browser are missing: make test installs them")
	}
	i := signettest.NewInstance(t)
	i.Env = append(i.Env, "SIGNET_SESSION_MANAGEMENT=true")
	const other = "bob@example.com"
	i.Command(t, i.Password, nil, "user", "create", "--email", other, "--email-verified", "--password-stdin", "--json")
	var page string
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/oidc-client-ts.js" {
			w.Header().Set("Content-Type", "text/javascript")
			_, _ = w.Write(library)
			return
		}
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = fmt.Fprint(w, page)
	}))
	t.Cleanup(app.Close)
	client := i.CreateClient(t, "--type", "spa", "--redirect-uri", app.URL+"/callback", "--redirect-uri", app.URL+"/silent", "--redirect-uri", app.URL+"/elsewhere", "--skip-consent")
	page = fmt.Sprintf(monitorPage, i.Issuer, client.ID, i.Issuer)
	i.Serve(t)

	type seen struct{ Events, Answers []string }
	var report struct {
		Stays  seen
		Events map[string]seen
		Own    struct {
			WrongLengths                     []int
			OtherState, OtherOrigin, NoState string
			Errors                           []string
		}
		Complaints []string
	}
	signettest.RunInBrowser(t, "sessionmonitor.mjs", map[string]any{
		"issuer": i.Issuer, "app": app.URL, "email": i.Email, "other": other, "password": i.Password,
		"request": map[string]string{
			"client_id": client.ID, "redirect_uri": app.URL + "/elsewhere", "response_type": "code", "scope": "openid", "state": "s",
			"code_challenge": oauth2.S256ChallengeFromVerifier(signettest.CodeVerifier), "code_challenge_method": "S256",
		},
	}, &report)

	if len(report.Stays.Events) != 0 || !slices.Equal(report.Stays.Answers, []string{"unchanged"}) {
		t.Errorf("while the session stays: events %v, answers %v", report.Stays.Events, report.Stays.Answers)
	}
	for name, want := range map[string]string{"sign-out": "UserSignedOut", "another user": "UserSignedOut", "sign-in": "UserSignedIn"} {
		got := report.Events[name]
		if !slices.Equal(got.Events, []string{want}) || !slices.Contains(got.Answers, "changed") {
			t.Errorf("%s: events %v, answers %v, want %s", name, got.Events, got.Answers, want)
		}
	}
	own := report.Own
	if len(own.WrongLengths) != 0 {
		t.Errorf("the hash differs from SHA-256 for client ids with these lengths: %v", own.WrongLengths)
	}
	for name, got := range map[string]string{"another state": own.OtherState, "another origin": own.OtherOrigin, "no state": own.NoState} {
		if got != "changed from "+i.Issuer {
			t.Errorf("%s: got %q, want changed", name, got)
		}
	}
	for n, got := range own.Errors {
		if got != "error from "+i.Issuer {
			t.Errorf("malformed message %d: got %q, want error", n, got)
		}
	}
	signettest.RefuseComplaints(t, report.Complaints)
}
