package journeys_test

import (
	"encoding/json"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"signet/cmd/signet/signettest"
	"signet/provider/mail/mailtest"
)

const (
	firstPassword = "correct horse battery staple"
	nextPassword  = "a wholly other sentence"
)

// scene is a server, its mail server, and an application. It serves the inbox and the application
// to the browser.
type scene struct {
	*signettest.Instance
	clock  string // a GET moves the clock of the server by ?seconds=
	mails  *mailtest.Server
	inbox  *httptest.Server
	client signettest.CreatedClient
	app    *httptest.Server
	party  *signettest.GoParty

	mu       sync.Mutex
	received []mailtest.Mail
}

// start starts the server with more settings. The application asks for no consent.
func start(t *testing.T, settings ...string) *scene {
	t.Helper()
	s := &scene{Instance: signettest.NewInstance(t), mails: mailtest.Start(t, mailtest.WithoutTLS)}
	s.Issuer = strings.Replace(s.Issuer, "//127.0.0.1:", "//localhost:", 1) // an IP address has no passkeys
	s.Env = append(s.Env, "SIGNET_ISSUER="+s.Issuer)
	s.inbox = httptest.NewServer(http.HandlerFunc(s.serveInbox))
	t.Cleanup(s.inbox.Close)
	s.app = httptest.NewServer(http.HandlerFunc(s.serveApp))
	t.Cleanup(s.app.Close)
	s.client = s.CreateClient(t, "--type", "web", "--redirect-uri", s.app.URL+"/callback", "--client-uri", s.app.URL+"/", "--skip-consent")
	s.Env = slices.Concat(s.Env, []string{
		"SIGNET_SMTP_HOST=" + s.mails.Host, fmt.Sprintf("SIGNET_SMTP_PORT=%d", s.mails.Port), "SIGNET_SMTP_TLS=none", "SIGNET_MAIL_FROM=no-reply@example.com",
	}, settings)
	now, clock := signettest.MovedClock(t)
	s.clock = clock
	signettest.StartSignetAt(t, now, s.Issuer, s.Env, "serve")
	s.party = signettest.NewGoParty(t, s.Instance, s.client, "email", "profile")
	s.party.RedirectURL = s.app.URL + "/callback"
	return s
}

// createUser creates a user with firstPassword.
func (s *scene) createUser(t *testing.T, email string, more ...string) {
	t.Helper()
	s.Command(t, firstPassword, nil, slices.Concat([]string{"user", "create", "--email", email, "--name", "Ada Example", "--password-stdin", "--json"}, more)...)
}

// serveInbox returns the mails to an address, the oldest first, as soon as there are so many.
func (s *scene) serveInbox(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.received = append(s.received, s.mails.Received()...)
	list := []map[string]string{}
	for _, m := range s.received {
		if slices.Contains(m.To, r.FormValue("to")) {
			list = append(list, map[string]string{"subject": m.Subject(), "text": m.Text, "html": m.HTML})
		}
	}
	_ = json.NewEncoder(w).Encode(list)
}

// serveApp is the application: a page with a button, which sends the browser to the server, and
// the callback, which shows the claims of the person.
func (s *scene) serveApp(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	page := func(main string) {
		_, _ = io.WriteString(w, `<!doctype html><html lang="en"><title>An application</title><link rel="icon" href="data:,"><main>`+main+`</main>`)
	}
	switch r.URL.Path {
	case "/":
		page(`<a id="go" href="/go">Sign in</a>`)
	case "/go":
		verifier := oauth2.GenerateVerifier()
		http.SetCookie(w, &http.Cookie{Name: "application", Value: verifier, Path: "/", HttpOnly: true})
		options := []oauth2.AuthCodeOption{oauth2.S256ChallengeOption(verifier)}
		if prompt := r.FormValue("prompt"); prompt != "" {
			options = append(options, oauth2.SetAuthURLParam("prompt", prompt))
		}
		http.Redirect(w, r, s.party.AuthCodeURL(oauth2.GenerateVerifier(), options...), http.StatusFound)
	case "/callback":
		claims, err := s.redeem(r)
		if err != nil {
			page(`<p id="failed">` + html.EscapeString(err.Error()) + `</p>`)
			return
		}
		page(`<pre id="person">` + html.EscapeString(string(claims)) + `</pre>`)
	default:
		http.NotFound(w, r)
	}
}

// redeem exchanges the code, verifies the ID token, and returns its claims and those of the
// userinfo endpoint.
func (s *scene) redeem(r *http.Request) ([]byte, error) {
	verifier, err := r.Cookie("application")
	if err != nil {
		return nil, err
	}
	tokens, err := s.party.Exchange(r.Context(), r.FormValue("code"), oauth2.VerifierOption(verifier.Value))
	if err != nil {
		return nil, err
	}
	written, _ := tokens.Extra("id_token").(string)
	id, err := s.party.Provider.VerifierContext(r.Context(), &oidc.Config{ClientID: s.client.ID}).Verify(r.Context(), written)
	if err != nil {
		return nil, err
	}
	info, err := s.party.Provider.UserInfo(r.Context(), oauth2.StaticTokenSource(tokens))
	if err != nil {
		return nil, err
	}
	var token struct {
		AMR []string `json:"amr"`
	}
	if err := id.Claims(&token); err != nil {
		return nil, err
	}
	return json.Marshal(map[string]any{"sub": id.Subject, "email": info.Email, "verified": info.EmailVerified, "amr": token.AMR})
}

// walk is one way to take a journey.
type walk struct {
	Name       string `json:"name"`
	Wide       bool   `json:"wide"`
	JavaScript bool   `json:"javascript"`
	Email      string `json:"email"` // each walk has a person of its own
	Link       string `json:"link,omitempty"`
}

// walks returns the four ways to take a journey. Its people have the domain name.example.
func walks(journey string) []walk {
	var list []walk
	for _, wide := range []bool{false, true} {
		for _, javascript := range []bool{true, false} {
			name := map[bool]string{false: "phone", true: "wide window"}[wide] + map[bool]string{true: " with JavaScript", false: " without JavaScript"}[javascript]
			list = append(list, walk{Name: name, Wide: wide, JavaScript: javascript, Email: fmt.Sprintf("ada%d@%s.example", len(list), journey)})
		}
	}
	return list
}

// seen is the report of one walk.
type seen struct {
	Problems   []string          // of the pages, one line each
	Pages      []string          // titles, in the order in which they were shown
	Fields     map[string]string // "type autocomplete" of the fields, by page and id
	Saw        map[string]string // texts and facts of the journey
	Complaints []string
}

// take walks the journey in each way, all at the same time, and checks the rules of every page.
func (s *scene) take(t *testing.T, program string, list []walk) map[string]seen {
	t.Helper()
	var report map[string]seen
	signettest.RunInBrowser(t, program, map[string]any{
		"issuer": s.Issuer, "app": s.app.URL, "inbox": s.inbox.URL, "clock": s.clock, "walks": list,
		"password": firstPassword, "next": nextPassword, "every": signettest.InSoak(), "screenshots": os.Getenv("SCREENSHOTS"),
	}, &report)
	for _, w := range list {
		saw, found := report[w.Name]
		if !found || len(saw.Pages) == 0 {
			t.Errorf("%s: no report", w.Name)
		}
		for _, problem := range saw.Problems {
			t.Errorf("%s: %s", w.Name, problem)
		}
		t.Run(w.Name, func(t *testing.T) { signettest.RefuseComplaints(t, saw.Complaints) })
		t.Logf("%s: %s", w.Name, strings.Join(saw.Pages, ", "))
	}
	return report
}

// want compares texts and facts of a walk.
func (s seen) want(t *testing.T, want map[string]string) {
	t.Helper()
	for what, part := range want {
		if got, found := s.Saw[what]; !found || !strings.Contains(got, part) {
			t.Errorf("%s: got %q, want %q in it", what, got, part)
		}
	}
}

// wantFields compares the type and the autocomplete attribute of fields, for password managers.
func (s seen) wantFields(t *testing.T, want map[string]string) {
	t.Helper()
	for field, attributes := range want {
		if got := s.Fields[field]; got != attributes {
			t.Errorf("%s: got %q, want %q", field, got, attributes)
		}
	}
}
