package provider_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/html"

	"signet/federation/federationtest"
	"signet/provider"
	"signet/storage"
	"signet/storage/storagetest"
)

// tap notes every secret that passes between a browser or client and Signet.
type tap struct {
	mu      sync.Mutex
	secrets map[string]string // value → what it was last
	kinds   map[string]bool   // what it was ever

	mine    map[string]string // value → what, of those that no answer gives back but to the one cookie
	answers strings.Builder   // their headers but Set-Cookie, and their bodies
}

// secretNames are the parameters, fields and members whose values nobody else may
// see, wherever they stand.
var secretNames = []string{
	"code", "request", "logout", "ticket", "state", "nonce", "password", "new", "current", "old", "code_verifier", "client_secret", "token",
	"access_token", "refresh_token", "id_token", "id_token_hint",
}

func (p *tap) note(what, value string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(value) >= 12 {
		p.secrets[value], p.kinds[what] = what, true
	}
}

// noteMine notes a secret that its owner alone may send.
func (p *tap) noteMine(what, value string) {
	p.note(what, value)
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(value) >= 12 {
		p.mine[value] = what
	}
}

func (p *tap) noteAll(what string, values url.Values) {
	for name, list := range values {
		if slices.Contains(secretNames, name) || strings.Contains(name, "password") {
			_, secret, found := strings.Cut(list[0], ".") // of an upstream sign-in's state the first part is its id
			if name != "state" || !found {
				secret = list[0]
			}
			p.note(what+" "+name, secret)
		}
	}
}

func (p *tap) RoundTrip(r *http.Request) (*http.Response, error) {
	p.noteAll("query", r.URL.Query())
	if _, credentials, ok := strings.Cut(r.Header.Get("Authorization"), " "); ok {
		p.note("Authorization", credentials)
	}
	for _, cookie := range r.Cookies() {
		p.noteMine("cookie "+cookie.Name, cookie.Value)
	}
	if _, secret, ok := r.BasicAuth(); ok {
		p.noteMine("client secret", secret)
	}
	if r.Body != nil {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, err
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		if form, err := url.ParseQuery(string(body)); err == nil {
			p.noteAll("form", form)
			p.noteMine("form code_verifier", form.Get("code_verifier"))
		}
	}
	response, err := proxy{}.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	return response, p.answer(response)
}

func (p *tap) answer(response *http.Response) error {
	for _, cookie := range response.Cookies() {
		p.noteMine("cookie "+cookie.Name, cookie.Value)
	}
	for _, header := range []string{response.Header.Get("Location"), strings.TrimPrefix(response.Header.Get("Refresh"), "0;url=")} {
		if u, err := url.Parse(header); err == nil {
			p.noteAll("Location", u.Query())
		}
	}
	body, err := io.ReadAll(response.Body)
	response.Body.Close()
	response.Body = io.NopCloser(bytes.NewReader(body))
	if err != nil {
		return err
	}
	p.keep(response.Header, body)
	var members map[string]any
	if json.Unmarshal(body, &members) == nil {
		for name, value := range members {
			if text, ok := value.(string); ok && slices.Contains(secretNames, name) {
				p.note("JSON "+name, text)
			}
		}
		return nil
	}
	page, err := html.Parse(bytes.NewReader(body))
	if err != nil {
		return nil
	}
	for n := range page.Descendants() {
		if n.Type == html.ElementNode && n.Data == "input" && slices.Contains(secretNames, attr(n, "name")) {
			p.note("hidden "+attr(n, "name"), attr(n, "value"))
		}
	}
	return nil
}

func (p *tap) keep(header http.Header, body []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for name, values := range header {
		if name != "Set-Cookie" {
			fmt.Fprintln(&p.answers, name, values)
		}
	}
	p.answers.Write(body)
}

// tapped runs f with the tap in all lines.
func tapped(f func()) *tap {
	p := &tap{secrets: map[string]string{}, kinds: map[string]bool{}, mine: map[string]string{}}
	direct.Transport = p
	defer func() { direct.Transport = proxy{} }()
	f()
	return p
}

// everything goes through all that Signet can do, the right way and the wrong
// ways. It gives more secrets, which no wire shows by their name.
func (b *testbed) everything(t *testing.T) []string {
	t.Helper()
	const wrong, asName, inQuery = "canary-wrong-password-1", "canary-password-as-name-2", "canary-token-in-query-3"
	b.withGoodbye(t)
	service := b.as(b.registerWith(t, storage.Service, "service", func(c *storage.Client) { c.Metadata.Scope = "mail.read" }))
	v := b.visitor(t)
	page := v.get(t, b.authorizeURL("state", "canary-state-44444", "nonce", "canary-nonce-55555", "login_hint", "canary-hint-66666"))
	v.signIn(t, page, alice, wrong)
	v.signIn(t, page, asName, password)
	page = v.signIn(t, page, alice, password)
	v.submit(t, page.form(t), "decision", "allow", "ticket", "canary-forged-ticket-7")
	code := v.allow(t, page).code(t)
	tokens := b.redeem(t, code)
	access, refresh := tokens["access_token"].(string), tokens["refresh_token"].(string)
	b.userinfo(t, access)
	b.userinfo(t, access+"x")
	b.ask(t, http.MethodPost, "", url.Values{"access_token": {access}}.Encode(), "Content-Type", formType)
	b.ask(t, http.MethodGet, "?access_token="+inQuery, "")
	b.post(t, "/introspect", formType, strings.NewReader(url.Values{"token": {access}}.Encode()))
	b.post(t, "/token?client_secret="+inQuery, formType, strings.NewReader(""))
	b.post(t, "/token", formType, strings.NewReader("code=canary-repeated-8888&code=canary-repeated-8888"))
	b.refreshed(t, refresh)
	b.refreshed(t, refresh)
	b.pass(time.Minute)
	b.refuseRefresh(t, refresh, "invalid_grant")
	b.refuseCode(t, code, "invalid_grant")
	b.refuseCode(t, v.again(t), "invalid_grant", "code_verifier", strings.Repeat("canary-verifier-9", 3))
	v.again(t, "prompt", "none", "id_token_hint", tokens["id_token"].(string))
	v.get(t, b.authorizeURL("id_token_hint", "canary-hint-of-nobody-10"))
	b.post(t, "/revoke", formType, strings.NewReader(url.Values{"token": {access}}.Encode()))
	own := service.tokenRequest(t, url.Values{"grant_type": {"client_credentials"}}).json(t)["access_token"].(string)
	service.post(t, "/introspect", formType, strings.NewReader(url.Values{"token": {own}}.Encode()))
	b.tokenRequest(t, b.codeForm("canary-code-11-11-11"), func(r *http.Request) { r.SetBasicAuth(b.Client.ID, "canary-wrong-secret-12") })
	r := v.formRequest(t, v.get(t, b.authorizeURL("prompt", "consent")).form(t))
	r.Header.Set("Origin", "https://evil.example")
	r.Header.Set("Sec-Fetch-Site", "cross-site")
	do(t, v.client, r)
	v.get(t, b.Issuer+"/authorize/next?request=canary-request-1313")
	v.get(t, b.Issuer+"/account/sessions")
	w := b.visitor(t)
	gone := w.arrive(t, alice)
	w.get(t, b.leave("id_token_hint", gone["id_token"].(string), "post_logout_redirect_uri", goodbye, "state", "canary-bye-1414"))
	v.submit(t, v.get(t, b.leave("state", "canary-bye-1515")).form(t), "decision", "allow")
	for _, name := range []string{"X-Api-Key", "X-Forwarded-Access-Token", "Proxy-Authorization"} {
		b.ask(t, http.MethodGet, "", "", name, "canary-header-1616")
	}
	return []string{
		wrong, asName, inQuery, password, verifier, b.Secret, service.Secret, own, "canary-hint-66666", "canary-repeated-8888",
		"canary-hint-of-nobody-10", "canary-code-11-11-11", "canary-wrong-secret-12", "canary-header-1616", "canary-bye-1515",
	}
}

// window is how much of a secret counts as the secret.
const window = 12

// leaks gives the secrets that are in text, whole or in part. In a database a long
// value may lie on several pages.
func leaks(text string, secrets map[string]string) []string {
	parts := map[string]string{} // of window bytes → of what secret
	for secret, what := range secrets {
		for _, form := range []string{secret, hex.EncodeToString([]byte(secret)), base64.StdEncoding.EncodeToString([]byte(secret))} {
			for i := 0; i+window <= len(form); i += 4 * window {
				parts[form[i:i+window]] = fmt.Sprintf("%s: part %d of %s", what, i, secret)
			}
		}
	}
	found := map[string]bool{}
	for i := 0; i+window <= len(text); i++ {
		if what, leaked := parts[text[i:i+window]]; leaked {
			found[what+" ("+text[i:i+window]+")"] = true
		}
	}
	return slices.Sorted(maps.Keys(found))
}

// dumped is all that is in the database: its rows, and on SQLite the bytes of its
// files, where what was deleted may still lie.
func (b *testbed) dumped(t *testing.T) string {
	t.Helper()
	var dump strings.Builder
	for _, table := range b.tables(t) {
		for _, row := range b.table(t, table) {
			for _, value := range row {
				dump.WriteString(value + "\n")
			}
		}
	}
	if b.backend.Name == "sqlite" {
		for _, suffix := range []string{"", "-wal"} {
			raw, err := os.ReadFile(filepath.Join(b.backend.Config().DataDir, "signet.db"+suffix))
			if err != nil {
				t.Fatal(err)
			}
			dump.Write(raw)
		}
	}
	return dump.String()
}

// elsewhere lets somebody come by an upstream whose token is kept, and gives the
// secrets between the two.
func (s *scene) elsewhere(t *testing.T) []string {
	t.Helper()
	const access, refresh = "canary-upstream-access-21", "canary-upstream-refresh-22"
	s.upstream.liar.Tell(federationtest.Faults{Token: map[string]any{"access_token": access, "refresh_token": refresh}})
	s.visitor(t).comeBy(t, "liar", "victim")
	form, _ := s.upstream.liar.LastTokenRequest()
	return []string{
		access, refresh, form.Get("code"), form.Get("code_verifier"),
		s.upstream.liar.ClientSecret, s.upstream.google.ClientSecret, s.upstream.github.ClientSecret,
	}
}

// masterKey is how the beginning of the testbeds' key looks.
var masterKey = []string{string([]byte{1, 2, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0}), "010203000000", "AQIDAAAAAAAA"}

// TestST17_TestCF04_TestCO12_NoSecretInDatabaseOrLog goes through everything, and all
// acts besides, at debug level, and looks for each secret in the rows and the files of
// the database, the events among them, in the log, and in answers to which it does not
// belong.
func TestST17_TestCF04_TestCO12_NoSecretInDatabaseOrLog(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, backend storagetest.Backend) {
		s := newScene(t, backend, nil, alter("liar", func(c *provider.Connector) { c.KeepToken = true }))
		b := s.testbed
		var more []string
		p := tapped(func() {
			more = append(b.everything(t), newPassword)
			more = append(more, s.elsewhere(t)...)
			for _, a := range acts {
				s.newPerson(t)
				a.ready(t, s)()
			}
			s.Drain()
		})
		for _, canary := range append(more, masterKey...) {
			if len(canary) < window {
				t.Errorf("%q is too short to be looked for", canary)
			}
			p.secrets[canary] = "canary"
		}
		for _, canary := range append(slices.Clone(masterKey), password, newPassword, verifier, s.upstream.liar.ClientSecret, s.upstream.google.ClientSecret) {
			p.mine[canary] = "canary"
		}
		answers := p.answers.String()
		for secret, what := range p.mine { // as a whole: tokens of a kind begin alike
			if strings.Contains(answers, secret) {
				t.Errorf("in an answer: %s %s", what, secret)
			}
		}
		if len(p.mine) < 100 || !strings.Contains(answers, "access_token") {
			t.Errorf("%d secrets looked for in %d bytes of answers", len(p.mine), len(answers))
		}
		for _, kind := range []string{
			"cookie signet", "Location code", "Location request", "Location logout", "JSON access_token", "JSON refresh_token", "JSON id_token",
			"cookie refresh_token", "cookie access_token", "client secret", "form new-password", "hidden ticket", "form password", "form code_verifier", "Authorization", "query state", "query nonce",
		} {
			if !p.kinds[kind] {
				t.Errorf("no %s was seen: this run shows nothing about it", kind)
			}
		}
		dump, log := b.dumped(t), b.Log.String()
		for name, text := range map[string]string{"database": dump, "log": log} {
			for _, leak := range leaks(text, p.secrets) {
				t.Errorf("in the %s: %s", name, leak)
			}
		}
		// Both are looked into: what must be there is there.
		if leaks(dump, map[string]string{b.Client.Secrets[0].Hash: "hash"}) == nil || !strings.Contains(dump, alice) {
			t.Error("the dump lacks what is surely in the database")
		}
		for _, line := range []string{`"client_id":"app"`, `"sub":"` + b.Alice.ID, `"path":"/authorize"`, `"path":"/token"`, `"path":"/end_session"`, `"status":401`} {
			if !strings.Contains(log, line) {
				t.Errorf("the log lacks %s", line)
			}
		}
		if strings.Contains(log, "?") && regexp.MustCompile(`"(path|url)":"[^"]*\?`).MatchString(log) {
			t.Error("the log has query strings")
		}
	})
}

// Whoever has read the database has nothing to present.
func TestCO06_WhatIsStoredOpensNothing(t *testing.T) {
	onSQLite(t, func(t *testing.T, b *testbed) {
		v := b.visitor(t)
		tokens := b.redeem(t, v.flow(t))
		b.refuseCode(t, v.again(t), "invalid_grant", "code_verifier", strings.Repeat("w", 43))
		stolen := map[string]bool{}
		for _, table := range []string{"sessions", "grants", "spent", "keys", "clients", "credentials", "events", "consents", "throttles"} {
			for _, row := range b.table(t, table) {
				for column, value := range row {
					if column == "agent" || column == "at" {
						continue
					}
					for _, part := range regexp.MustCompile(`[A-Za-z0-9_.~+/=-]{16,}`).FindAllString(value, -1) {
						stolen[part] = true
					}
				}
			}
		}
		if len(stolen) < 20 {
			t.Fatalf("only %d values were stolen", len(stolen))
		}
		s := &bench{b, v, tokens}
		for value := range stolen {
			for _, consumer := range []string{"bearer", "introspect", "code", "refresh", "next", "cookie", "client secret", "logout"} {
				if consumers[consumer](t, s, value) {
					t.Errorf("a stored value is good as %s: %s", consumer, value)
				}
			}
		}
		b.wantUserinfo(t, tokens["access_token"].(string), http.StatusOK)
	})
}
