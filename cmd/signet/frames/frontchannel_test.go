package frames_test

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"

	"golang.org/x/oauth2"

	"signet/cmd/signet/signettest"
)

// framedApp is a relying party at a port of its own. It remembers the person in a cookie, which its
// front-channel logout URI removes if iss and sid are those of its session.
type framedApp struct {
	*httptest.Server
	name, issuer string
	client       signettest.CreatedClient
	hangs        bool // the front-channel logout never answers

	mu  sync.Mutex
	sid string   // of the session
	got []string // queries of the front-channel logouts
}

func startFramedApp(t *testing.T, i *signettest.Instance, name string, hangs bool) *framedApp {
	t.Helper()
	app := &framedApp{name: name, issuer: i.Issuer, hangs: hangs}
	app.Server = httptest.NewServer(app)
	t.Cleanup(app.Close)
	app.client = i.CreateClient(t, "--type", "web", "--redirect-uri", app.URL+"/callback", "--post-logout-redirect-uri", app.URL+"/bye", "--skip-consent",
		"--frontchannel-logout-uri", app.URL+"/out?from=signet", "--frontchannel-logout-session-required")
	return app
}

func (a *framedApp) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/html")
	cookie := http.Cookie{Name: "app_" + a.name, Value: "1", Path: "/", SameSite: http.SameSiteLaxMode}
	says := "an app"
	switch r.URL.Path {
	case "/callback":
		form := url.Values{"grant_type": {"authorization_code"}, "code": {r.FormValue("code")}, "redirect_uri": {a.URL + "/callback"}, "code_verifier": {signettest.CodeVerifier}}
		form.Set("client_id", a.client.ID)
		form.Set("client_secret", a.client.Secret)
		answer, err := http.PostForm(a.issuer+"/token", form)
		if err != nil || answer.StatusCode != http.StatusOK {
			http.Error(w, fmt.Sprint(answer, err), http.StatusBadGateway)
			return
		}
		defer answer.Body.Close()
		sid, err := readSid(answer.Body)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadGateway)
			return
		}
		a.mu.Lock()
		a.sid = sid
		a.mu.Unlock()
		http.SetCookie(w, &cookie)
	case "/out":
		a.mu.Lock()
		a.got = append(a.got, r.URL.RawQuery)
		own := r.FormValue("iss") == a.issuer && r.FormValue("sid") == a.sid
		a.mu.Unlock()
		if a.hangs {
			<-r.Context().Done()
			return
		}
		if own {
			cookie.MaxAge = -1
			http.SetCookie(w, &cookie)
		}
	case "/home":
		says = "signed out"
		if _, err := r.Cookie(cookie.Name); err == nil {
			says = "signed in"
		}
	}
	_, _ = fmt.Fprintf(w, "<!doctype html><title>An app</title><link rel=icon href=data:,>%s", says)
}

// readSid reads the sid of the ID token in a token response.
func readSid(response io.Reader) (string, error) {
	var tokens struct {
		IDToken string `json:"id_token"`
	}
	if err := json.NewDecoder(response).Decode(&tokens); err != nil {
		return "", err
	}
	parts := strings.Split(tokens.IDToken, ".")
	if len(parts) != 3 {
		return "", errors.New("no ID token")
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return "", err
	}
	var claims struct{ Sid string }
	err = json.Unmarshal(payload, &claims)
	return claims.Sid, err
}

// describe returns the settings of the app that the program in the browser needs.
func (a *framedApp) describe() map[string]any {
	start := a.issuer + "/authorize?" + url.Values{
		"client_id": {a.client.ID}, "redirect_uri": {a.URL + "/callback"}, "response_type": {"code"}, "scope": {"openid"}, "state": {"s"},
		"code_challenge": {oauth2.S256ChallengeFromVerifier(signettest.CodeVerifier)}, "code_challenge_method": {"S256"},
	}.Encode()
	return map[string]any{"name": a.name, "origin": a.URL, "start": start, "hangs": a.hangs}
}

// TestFrontchannel_InTheBrowser signs out of two applications of one site, alone and beside one that
// never answers, with scripts and without.
//
// P-70: The iframes sign the person out at the applications. The browser goes on even if an iframe
// takes more than a few seconds.
func TestFrontchannel_InTheBrowser(t *testing.T) {
	i := signettest.NewInstance(t)
	i.Env = append(i.Env, "SIGNET_FRONTCHANNEL_LOGOUT=true")
	mail, wiki, slow := startFramedApp(t, i, "mail", false), startFramedApp(t, i, "wiki", false), startFramedApp(t, i, "slow", true)
	i.Serve(t)
	back := i.Issuer + "/end_session?" + url.Values{"client_id": {mail.client.ID}, "post_logout_redirect_uri": {mail.URL + "/bye"}, "state": {"s"}}.Encode()
	both, all := []any{mail.describe(), wiki.describe()}, []any{mail.describe(), wiki.describe(), slow.describe()}
	cases := map[string]map[string]any{
		"signed-out page":                  {"apps": both, "signOut": i.Issuer + "/end_session", "scripts": true},
		"one never answers":                {"apps": all, "signOut": back, "scripts": true},
		"back to the app, without scripts": {"apps": both, "signOut": back, "scripts": false},
		"checked":                          {"apps": all, "signOut": back, "scripts": true, "checked": true},
	}
	if signettest.InSoak() {
		cases["back to the app"] = map[string]any{"apps": both, "signOut": back, "scripts": true}
		cases["one never answers, no scripts"] = map[string]any{"apps": all, "signOut": back, "scripts": false}
	}
	var report struct {
		Ends map[string]struct {
			Took       int
			At         string
			Known      []string
			Complaints []string
		}
		Problems []string
	}
	signettest.RunInBrowser(t, "frontchannel.mjs", map[string]any{"email": i.Email, "password": i.Password, "issuer": i.Issuer, "cases": cases}, &report)
	for name, c := range cases {
		end, hangs := report.Ends[name], len(c["apps"].([]any)) == 3
		var known []string
		if hangs {
			known = []string{"slow"}
		}
		if !slices.Equal(end.Known, known) {
			t.Errorf("%s: signed in at %v, want %v", name, end.Known, known)
		}
		if want := mail.URL + "/bye?state=s"; c["signOut"] == back && end.At != want {
			t.Errorf("%s: the browser ends at %s, want %s", name, end.At, want)
		}
		if name == "one never answers" && end.Took < 2500 {
			t.Errorf("%s: the browser goes on after %d ms, want at least 3 s, for the frame", name, end.Took)
		}
		signettest.RefuseComplaints(t, end.Complaints)
	}
	for _, problem := range report.Problems {
		t.Errorf("accessibility: %s", problem)
	}
	for _, app := range []*framedApp{mail, wiki, slow} {
		for _, query := range app.got {
			if q, err := url.ParseQuery(query); err != nil || !strings.HasPrefix(query, "from=signet&") || q.Get("iss") != i.Issuer || q.Get("sid") == "" || len(q) != 3 {
				t.Errorf("%s got %s", app.name, query)
			}
		}
		if len(app.got) == 0 {
			t.Errorf("%s was never called", app.name)
		}
	}
}
