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
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/html"

	"signet/federation/federationtest"
	"signet/provider"
	"signet/provider/providertest"
	"signet/storage"
	"signet/storage/storagetest"
)

// tap records every secret that passes between a browser or client and Signet.
type tap struct {
	mu      sync.Mutex
	secrets map[string]string // value → name under which it was last seen
	kinds   map[string]bool   // names under which secrets were seen

	mine    map[string]string // value → name, of secrets that no answer may contain except as the cookie itself
	answers strings.Builder   // headers without Set-Cookie, and bodies
}

// secretNames are the names of parameters, form fields and JSON members with secret values.
var secretNames = []string{
	"code", "request", "logout", "ticket", "state", "nonce", "password", "new", "current", "old", "code_verifier", "client_secret", "token",
	"access_token", "refresh_token", "id_token", "id_token_hint", "link",
}

func (p *tap) note(what, value string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(value) >= 12 {
		p.secrets[value], p.kinds[what] = what, true
	}
}

// noteMine records a secret that only its owner may send.
func (p *tap) noteMine(what, value string) {
	p.note(what, value)
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(value) >= 12 {
		p.mine[value] = what
	}
}

// noteCookie records a cookie. The sealed request in a cookie is in pages too.
func (p *tap) noteCookie(c *http.Cookie) {
	if strings.Contains(c.Name, "_for_") {
		p.note("cookie "+c.Name, c.Value)
		return
	}
	p.noteMine("cookie "+c.Name, c.Value)
}

func (p *tap) noteAll(what string, values url.Values) {
	for name, list := range values {
		if slices.Contains(secretNames, name) || strings.Contains(name, "password") {
			_, secret, found := strings.Cut(list[0], ".") // the first part of an upstream's state is the id of the attempt
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
		p.noteCookie(cookie)
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
	response, err := providertest.Proxy{}.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	return response, p.answer(response)
}

func (p *tap) answer(response *http.Response) error {
	for _, cookie := range response.Cookies() {
		p.noteCookie(cookie)
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
		if n.Type == html.ElementNode && n.Data == "input" && slices.Contains(secretNames, providertest.Attr(n, "name")) {
			p.note("hidden "+providertest.Attr(n, "name"), providertest.Attr(n, "value"))
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

// tapped runs f with the tap in all connections.
func tapped(f func()) *tap {
	p := &tap{secrets: map[string]string{}, kinds: map[string]bool{}, mine: map[string]string{}}
	providertest.Direct.Transport = p
	defer func() { providertest.Direct.Transport = providertest.Proxy{} }()
	f()
	return p
}

// everything uses all features of Signet, in right and wrong ways. It returns further secrets,
// which the tap cannot recognize by their names.
func everything(t *testing.T, b *providertest.Testbed) []string {
	t.Helper()
	const wrong, asName, inQuery = "canary-wrong-password-1", "canary-password-as-name-2", "canary-token-in-query-3"
	b.RegisterPostLogoutURI(t)
	service := b.AsClient(b.RegisterWith(t, storage.Service, "service", func(c *storage.Client) { c.Metadata.Scope = "mail.read" }))
	v := b.Visitor(t)
	page := v.Get(t, b.AuthorizeURL("state", "canary-state-44444", "nonce", "canary-nonce-55555", "login_hint", "canary-hint-66666"))
	v.SignIn(t, page, providertest.Alice, wrong)
	v.SignIn(t, page, asName, providertest.Password)
	page = v.SignIn(t, page, providertest.Alice, providertest.Password)
	v.Submit(t, page.Form(t), "decision", "allow", "ticket", "canary-forged-ticket-7")
	code := v.Allow(t, page).Code(t)
	tokens := b.Redeem(t, code)
	access, refresh := tokens["access_token"].(string), tokens["refresh_token"].(string)
	b.Userinfo(t, access)
	b.Userinfo(t, access+"x")
	b.RequestUserinfo(t, http.MethodPost, "", url.Values{"access_token": {access}}.Encode(), "Content-Type", providertest.FormType)
	b.RequestUserinfo(t, http.MethodGet, "?access_token="+inQuery, "")
	b.Post(t, "/introspect", providertest.FormType, strings.NewReader(url.Values{"token": {access}}.Encode()))
	b.Post(t, "/token?client_secret="+inQuery, providertest.FormType, strings.NewReader(""))
	b.Post(t, "/token", providertest.FormType, strings.NewReader("code=canary-repeated-8888&code=canary-repeated-8888"))
	b.MustRefresh(t, refresh)
	b.MustRefresh(t, refresh)
	b.Advance(time.Minute)
	b.RefuseRefresh(t, refresh, "invalid_grant")
	b.RefuseCode(t, code, "invalid_grant")
	b.RefuseCode(t, v.CodeFromSession(t), "invalid_grant", "code_verifier", strings.Repeat("canary-verifier-9", 3))
	v.CodeFromSession(t, "prompt", "none", "id_token_hint", tokens["id_token"].(string))
	v.Get(t, b.AuthorizeURL("id_token_hint", "canary-hint-of-nobody-10"))
	b.Post(t, "/revoke", providertest.FormType, strings.NewReader(url.Values{"token": {access}}.Encode()))
	own := service.TokenRequest(t, url.Values{"grant_type": {"client_credentials"}}).JSON(t)["access_token"].(string)
	service.Post(t, "/introspect", providertest.FormType, strings.NewReader(url.Values{"token": {own}}.Encode()))
	b.TokenRequest(t, b.CodeForm("canary-code-11-11-11"), func(r *http.Request) { r.SetBasicAuth(b.Client.ID, "canary-wrong-secret-12") })
	r := v.FormRequest(t, v.Get(t, b.AuthorizeURL("prompt", "consent")).Form(t))
	r.Header.Set("Origin", "https://evil.example")
	r.Header.Set("Sec-Fetch-Site", "cross-site")
	providertest.Do(t, v.Client, r)
	v.Get(t, b.Issuer+"/authorize/next?request=canary-request-1313")
	v.Get(t, b.Issuer+"/account/sessions")
	w := b.Visitor(t)
	gone := w.SignInAndRedeem(t, providertest.Alice)
	w.Get(t, b.EndSessionURL("id_token_hint", gone["id_token"].(string), "post_logout_redirect_uri", providertest.PostLogoutURI, "state", "canary-bye-1414"))
	v.Submit(t, v.Get(t, b.EndSessionURL("state", "canary-bye-1515")).Form(t), "decision", "allow")
	for _, name := range []string{"X-Api-Key", "X-Forwarded-Access-Token", "Proxy-Authorization"} {
		b.RequestUserinfo(t, http.MethodGet, "", "", name, "canary-header-1616")
	}
	return []string{
		wrong, asName, inQuery, providertest.Password, providertest.Verifier, b.Secret, service.Secret, own, "canary-hint-66666", "canary-repeated-8888",
		"canary-hint-of-nobody-10", "canary-code-11-11-11", "canary-wrong-secret-12", "canary-header-1616", "canary-bye-1515",
	}
}

// window is the number of bytes of a secret that count as a leak.
const window = 12

// leaks returns the secrets that are in the text, whole or in part. In a database file, a
// long value may be on several pages.
func leaks(text string, secrets map[string]string) []string {
	parts := map[string]string{} // window bytes → name of the secret
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

// upstreamSecrets signs a user in through an upstream whose token is stored, and returns the
// secrets between Signet and the upstream.
func (s *scene) upstreamSecrets(t *testing.T) []string {
	t.Helper()
	const access, refresh = "canary-upstream-access-21", "canary-upstream-refresh-22"
	s.upstream.Liar.SetFaults(federationtest.Faults{Token: map[string]any{"access_token": access, "refresh_token": refresh}})
	s.Visitor(t).AuthorizeThrough(t, "liar", "victim")
	form, _ := s.upstream.Liar.LastTokenRequest()
	return []string{
		access, refresh, form.Get("code"), form.Get("code_verifier"),
		s.upstream.Liar.ClientSecret, s.upstream.Google.ClientSecret, s.upstream.GitHub.ClientSecret,
	}
}

// masterKey is the beginning of the master key of all testbeds.
var masterKey = []string{string([]byte{1, 2, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0}), "010203000000", "AQIDAAAAAAAA"}

// TestSecrets_NoSecretInDatabaseOrLog uses all features and runs all acts at debug level. It
// then searches for each secret in the rows and files of the database, in the log, and in
// answers that must not contain it.
//
// ST-17: a dump of the database contains no usable secret. CF-04: no secret is in the log.
// CO-12: no code is in the log.
func TestSecrets_NoSecretInDatabaseOrLog(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, backend storagetest.Backend) {
		s := newScene(t, backend, nil, providertest.ChangeConnector("liar", func(c *provider.Connector) { c.KeepToken = true }))
		b := s.Testbed
		var more []string
		p := tapped(func() {
			more = append(everything(t, b), providertest.NewPassword)
			more = append(more, s.upstreamSecrets(t)...)
			for _, a := range allActs(t) {
				s.newUser(t)
				a.ready(t, s)()
			}
			s.Drain()
		})
		for _, canary := range append(more, masterKey...) {
			if len(canary) < window {
				t.Errorf("%q is too short to search for", canary)
			}
			p.secrets[canary] = "canary"
		}
		for _, canary := range append(slices.Clone(masterKey), providertest.Password, providertest.NewPassword, providertest.Verifier, s.upstream.Liar.ClientSecret, s.upstream.Google.ClientSecret) {
			p.mine[canary] = "canary"
		}
		answers := p.answers.String()
		for secret, what := range p.mine { // whole values only: tokens of one kind begin alike
			if strings.Contains(answers, secret) {
				t.Errorf("in an answer: %s %s", what, secret)
			}
		}
		if len(p.mine) < 100 || !strings.Contains(answers, "access_token") {
			t.Errorf("searched for %d secrets in %d bytes of answers: too few", len(p.mine), len(answers))
		}
		for _, kind := range []string{
			"cookie signet", "Location code", "Location request", "Location logout", "JSON access_token", "JSON refresh_token", "JSON id_token",
			"cookie refresh_token", "cookie access_token", "client secret", "form new-password", "hidden ticket", "form password", "form code_verifier", "Authorization", "query state", "query nonce",
		} {
			if !p.kinds[kind] {
				t.Errorf("no %s was seen, so this run proves nothing about it", kind)
			}
		}
		dump, log := b.DumpDatabase(t), b.Log.String()
		for name, text := range map[string]string{"database": dump, "log": log} {
			for _, leak := range leaks(text, p.secrets) {
				t.Errorf("in the %s: %s", name, leak)
			}
		}
		// Make sure that the search works: it finds values that must be there.
		if leaks(dump, map[string]string{b.Client.Secrets[0].Hash: "hash"}) == nil || !strings.Contains(dump, providertest.Alice) {
			t.Error("the dump lacks values that are in the database")
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

// TestSecrets_StoredValuesOpenNothing presents every value of the database at every endpoint
// that accepts a secret.
//
// CO-06: a copy of the database contains no code that can be redeemed.
func TestSecrets_StoredValuesOpenNothing(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		v := b.Visitor(t)
		tokens := b.Redeem(t, v.SignInForCode(t))
		b.RefuseCode(t, v.CodeFromSession(t), "invalid_grant", "code_verifier", strings.Repeat("w", 43))
		stolen := map[string]bool{}
		for _, table := range []string{"sessions", "grants", "spent", "keys", "clients", "credentials", "events", "consents", "throttles"} {
			for _, row := range b.Table(t, table) {
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
			t.Fatalf("found only %d values in the database", len(stolen))
		}
		s := &providertest.Bench{Bed: b, Visitor: v, Tokens: tokens}
		for value := range stolen {
			for _, consumer := range []string{"bearer", "introspect", "code", "refresh", "next", "cookie", "client secret", "logout"} {
				if providertest.Consumers[consumer](t, s, value) {
					t.Errorf("a stored value is accepted as %s: %s", consumer, value)
				}
			}
		}
		b.WantUserinfo(t, tokens["access_token"].(string), http.StatusOK)
	})
}

// TestFirstParty_NoSecretInBodyLogOrDatabase: no body contains a token, and neither the log
// nor the database contains a token or a password.
//
// RT-19: a refresh token is never in a URL, a log or a body. SS-11: no body of a first-party
// answer contains a token.
func TestFirstParty_NoSecretInBodyLogOrDatabase(t *testing.T) {
	providertest.EachApp(t, func(t *testing.T, b *providertest.Testbed) {
		var bodies []string
		p := tapped(func() {
			v := b.Visitor(t)
			keep := func(a providertest.Answer) { bodies = append(bodies, a.Body) }
			keep(v.CallApp(t, "/login", `{"username":"`+providertest.Alice+`","password":"canary-wrong-password"}`))
			keep(v.CallApp(t, "/login", `{"username":"`+providertest.Alice+`","password":"canary-of-wrong-json","password":1}`))
			keep(v.CallApp(t, "/login", providertest.Credentials))
			keep(v.CallApp(t, "/session", ""))
			b.Advance(time.Minute)
			old := v.Cookie(t, "signet").Value
			keep(v.CallApp(t, "/refresh", ""))
			keep(v.CallApp(t, "/refresh", "", providertest.WithHeader("Origin", "https://evil.example"), providertest.WithHeader("Sec-Fetch-Site", "cross-site")))
			keep(v.CallApp(t, "/refresh", `{"refresh_token":"canary-token-in-body"}`))
			s := v.Get(t, b.Issuer+"/login?return_to="+providertest.Shop+"/")
			if s.LeftTo == nil || strings.Contains(s.LeftTo.String(), "token") {
				t.Errorf("left to %v", s.LeftTo)
			}
			keep(v.CallApp(t, "/logout", ""))
			v.SetCookie("signet", old)
			keep(v.CallApp(t, "/refresh", ""))
		})
		for _, canary := range []string{"canary-wrong-password", "canary-of-wrong-json", "canary-token-in-body", providertest.Password} {
			p.secrets[canary] = "canary"
		}
		for _, kind := range []string{"cookie signet", "cookie access_token", "cookie refresh_token"} {
			if !p.kinds[kind] {
				t.Errorf("no %s was seen, so this run proves nothing about it", kind)
			}
		}
		for name, text := range map[string]string{"database": b.DumpDatabase(t), "log": b.Log.String(), "bodies": strings.Join(bodies, "\n")} {
			for _, leak := range leaks(text, p.secrets) {
				t.Errorf("in the %s: %s", name, leak)
			}
		}
		if !strings.Contains(fmt.Sprint(bodies), b.Alice.ID) || !strings.Contains(b.Log.String(), `"path":"/refresh"`) {
			t.Error("bodies or log lack values that must be there")
		}
	})
}
