package parties_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

	"signet/cmd/signet/signettest"
	"signet/provider/passkey/passkeytest"
	"signet/provider/providertest"
	"signet/storage"
)

// acrPerson is a person at the pages of Signet.
type acrPerson struct {
	email, password string
	app             providertest.Authenticator
	passkey         *passkeytest.Authenticator
	browser         *signettest.FormBrowser
	asked           []string // what the pages asked for since the last visit began
}

// newPerson creates a user and signs in at the account.
func newPerson(t *testing.T, i *signettest.Instance, email string) *acrPerson {
	t.Helper()
	p := &acrPerson{email: email, password: i.Password, browser: signettest.NewFormBrowser(t)}
	i.Command(t, p.password, nil, "user", "create", "--email", email, "--email-verified", "--password-stdin", "--json")
	p.browser.Open(i.Issuer + "/account/security")
	p.browser.Send("login", "", map[string]string{"username": email, "password": p.password})
	return p
}

var shownCode = regexp.MustCompile(`\b[0-9a-z]{5}-[0-9a-z]{5}\b`)

// addApp adds an authenticator app.
func (p *acrPerson) addApp(t *testing.T, i *signettest.Instance) {
	t.Helper()
	p.browser.Open(i.Issuer + "/account/security/totp")
	secret := signettest.FindByID(p.browser.Page, "secret")
	if secret == nil {
		t.Fatalf("no secret at %s: %s", p.browser.At, p.browser.Text())
	}
	p.app.Secret = strings.ReplaceAll(secret.FirstChild.Data, " ", "")
	p.browser.Send("add-totp", "", map[string]string{"code": p.app.Code(t, time.Now())})
	if p.app.Codes = shownCode.FindAllString(p.browser.Text(), -1); len(p.app.Codes) == 0 {
		t.Fatalf("no recovery codes at %s: %s", p.browser.At, p.browser.Text())
	}
}

// addConfirmedPasskey adds a passkey in a session of two factors, and no other factor stays.
func (p *acrPerson) addConfirmedPasskey(t *testing.T, i *signettest.Instance) {
	t.Helper()
	p.addApp(t, i)
	p.passkey = passkeytest.New(t, i.Issuer)
	p.browser.Open(i.Issuer + "/account/passkeys/add")
	form := signettest.FindByID(p.browser.Page, "add-passkey")
	user, err := base64.RawURLEncoding.DecodeString(signettest.Attribute(form, "data-user"))
	if err != nil {
		t.Fatal(err)
	}
	p.browser.Send("add-passkey", "", map[string]string{"credential": p.passkey.Create(t, signettest.Attribute(form, "data-challenge"), string(user))})
	p.browser.Open(i.Issuer + "/account/security/totp/remove")
	p.browser.Click("confirm")
}

// answer does what each page asks for, until the browser leaves Signet. It ends at a page that asks
// for nothing that the person has.
func (p *acrPerson) answer(t *testing.T) {
	t.Helper()
	b := p.browser
	for range 5 {
		shows := func(form string) bool { return signettest.FindByID(b.Page, form) != nil }
		switch {
		case b.Left != nil:
			return
		case shows("login"):
			p.asked = append(p.asked, "password")
			b.Send("login", "", map[string]string{"username": p.email, "password": p.password})
		case shows("second-factor"):
			p.asked = append(p.asked, "code")
			b.Send("second-factor", "", map[string]string{"code": p.app.Codes[0]})
			p.app.Codes = p.app.Codes[1:]
		case shows("passkey-sign-in") && p.passkey != nil:
			p.asked = append(p.asked, "passkey")
			challenge := signettest.Attribute(signettest.FindByID(b.Page, "passkey-sign-in"), "data-challenge")
			b.Send("passkey-sign-in", "", map[string]string{"credential": p.passkey.Get(t, challenge)})
		default:
			return
		}
	}
	t.Fatalf("asked for %v, and the browser is still at %s: %s", p.asked, b.At, b.Text())
}

// acrReport is the report of a story of acrparty.mjs.
type acrReport struct {
	Visit, Failed string

	ACR       string // of the ID token
	Error     string // of the response
	Challenge string // error of the API's first answer
	Statuses  []int  // of the API's answers
	Subject   string
	Stopped   string // path of the page of Signet at which the person stays
}

// tell runs a story in which the person answers the pages of Signet.
func (p *acrPerson) tell(t *testing.T, node *signettest.LineProcess, job map[string]any) acrReport {
	t.Helper()
	p.browser.T, p.asked = t, nil
	line, err := json.Marshal(job)
	if err != nil {
		t.Fatal(err)
	}
	for {
		said := node.Check(string(line))
		var saw acrReport
		if err := json.Unmarshal([]byte(said), &saw); err != nil || saw.Failed != "" {
			t.Fatalf("the story ended with %s (%v); the browser is at %s", said, err, p.browser.At)
		}
		if saw.Visit == "" {
			return saw
		}
		p.browser.Left = nil
		p.browser.Open(saw.Visit)
		p.answer(t)
		if p.browser.Left == nil { // the party gets no response; an error of its own ends the story
			node.Check(signettest.Nowhere)
			return acrReport{Stopped: p.browser.At.Path}
		}
		line = []byte(p.browser.Left.String())
	}
}

// newInstanceForPasskeys returns an installation at the host localhost, since an IP address has no
// passkeys.
func newInstanceForPasskeys(t *testing.T) *signettest.Instance {
	t.Helper()
	i := signettest.NewInstance(t)
	before := "SIGNET_ISSUER=" + i.Issuer
	i.Issuer = strings.Replace(i.Issuer, "127.0.0.1", "localhost", 1)
	i.Env[slices.Index(i.Env, before)] = "SIGNET_ISSUER=" + i.Issuer
	return i
}

const (
	oneFactor, twoFactors, phr = storage.ACROneFactor, storage.ACRTwoFactors, storage.ACRPhishingResistant

	unmet, interaction = "unmet_authentication_requirements", "interaction_required"
)

// TestClients_AskForACR sends requests of openid-client that ask for an acr: people with a password,
// with an authenticator app too, and with a passkey too answer them. A preference is never an error
// (RFC 9470, section 5; OIDC Core, section 5.5.1.1).
func TestClients_AskForACR(t *testing.T) {
	i := newInstanceForPasskeys(t)
	create := []string{"--redirect-uri", signettest.Nowhere, "--skip-consent"}
	plain, strict := i.CreateClient(t, create...), i.CreateClient(t, append(create, "--require-acr", twoFactors)...)
	i.Serve(t)
	node := signettest.StartNode(t, "acrparty.mjs", i.Issuer)

	bare, app, key := newPerson(t, i, "bare@example.com"), newPerson(t, i, "app@example.com"), newPerson(t, i, "key@example.com")
	app.addApp(t, i)
	key.addConfirmedPasskey(t, i)

	claim := func(essential bool, values ...string) map[string]any {
		list, _ := json.Marshal(values)
		return map[string]any{"claims": fmt.Sprintf(`{"id_token":{"acr":{"essential":%t,"values":%s}}}`, essential, list)}
	}
	values := func(acr string) map[string]any { return map[string]any{"acr_values": acr} }
	job := func(client signettest.CreatedClient) map[string]any {
		return map[string]any{"client_id": client.ID, "secret": client.Secret, "redirect_uri": signettest.Nowhere}
	}
	const unknown = "urn:example:unknown"
	// The answers are an acr, an error, or the path of the page at which the person stays.
	for _, row := range []struct {
		name       string
		client     signettest.CreatedClient
		parameters map[string]any
		want       [3]string // for bare, app and key
		silent     [3]string // with prompt=none
	}{
		{"acr_values: two factors", plain, values(twoFactors), [3]string{oneFactor, twoFactors, twoFactors}, [3]string{oneFactor, twoFactors, oneFactor}},
		{"acr_values: phr", plain, values(phr), [3]string{oneFactor, twoFactors, phr}, [3]string{oneFactor, twoFactors, oneFactor}},
		{"acr_values: unknown", plain, values(unknown), [3]string{oneFactor, twoFactors, oneFactor}, [3]string{oneFactor, twoFactors, oneFactor}},
		{"acr_values: unknown, phr, two factors", plain, values(unknown + " " + phr + " " + twoFactors), [3]string{oneFactor, twoFactors, phr}, [3]string{oneFactor, twoFactors, oneFactor}},
		{"voluntary claim: phr", plain, claim(false, phr), [3]string{oneFactor, twoFactors, phr}, [3]string{oneFactor, twoFactors, oneFactor}},
		{"voluntary claim: unknown", plain, claim(false, unknown), [3]string{oneFactor, twoFactors, oneFactor}, [3]string{oneFactor, twoFactors, oneFactor}},
		{"essential claim: one factor", plain, claim(true, oneFactor), [3]string{oneFactor, oneFactor, oneFactor}, [3]string{oneFactor, oneFactor, oneFactor}},
		{"essential claim: two factors", plain, claim(true, twoFactors), [3]string{unmet, twoFactors, twoFactors}, [3]string{unmet, twoFactors, interaction}},
		{"essential claim: phr", plain, claim(true, phr), [3]string{unmet, unmet, phr}, [3]string{unmet, unmet, interaction}},
		{"essential claim: unknown", plain, claim(true, unknown), [3]string{unmet, unmet, unmet}, [3]string{unmet, unmet, unmet}},
		{"the client requires two factors", strict, nil, [3]string{"/login/enrol", twoFactors, twoFactors}, [3]string{interaction, twoFactors, interaction}},
		{"the client requires two factors, the request phr", strict, values(phr), [3]string{"/login/enrol", twoFactors, phr}, [3]string{interaction, twoFactors, interaction}},
	} {
		for n, person := range []*acrPerson{bare, app, key} {
			t.Run(row.name+", "+person.email, func(t *testing.T) {
				if person == key { // a new session of one factor
					person.browser = signettest.NewFormBrowser(t)
					person.browser.Open(i.Issuer + "/account")
					person.browser.Send("login", "", map[string]string{"username": person.email, "password": person.password})
				}
				for _, prompt := range []string{"none", ""} {
					want, asked := row.want[n], []string(nil)
					if prompt == "none" {
						want = row.silent[n]
					} else if want != row.silent[n] && person == key {
						asked = []string{"passkey"}
					}
					asks := job(row.client)
					parameters := map[string]any{}
					for name, value := range row.parameters {
						parameters[name] = value
					}
					if prompt != "" {
						parameters["prompt"] = prompt
					}
					asks["story"], asks["parameters"] = "ask", parameters
					saw := person.tell(t, node, asks)
					if got := saw.ACR + saw.Error + saw.Stopped; got != want || !slices.Equal(person.asked, asked) {
						t.Errorf("prompt %q: got %q, asked for %v; want %q, asked for %v", prompt, got, person.asked, want, asked)
					}
				}
			})
		}
	}

	t.Run("an API asks for two factors", func(t *testing.T) {
		key.browser = signettest.NewFormBrowser(t)
		asks := job(plain)
		asks["story"] = "api"
		saw := key.tell(t, node, asks)
		if saw.Challenge != "insufficient_user_authentication" || !slices.Equal(saw.Statuses, []int{401, 200}) || saw.Subject == "" || !slices.Equal(key.asked, []string{"password", "passkey"}) {
			t.Errorf("the client saw %+v, the person was asked for %v", saw, key.asked)
		}
	})
}

// TestRelyingParty_ApacheAsksForACR protects a path of Apache's module with an acr, by the settings in
// docs/clients.md. The module sends an essential claim for this path and checks the acr of the ID token.
// A person who signed in with a password elsewhere at the site is asked for a passkey there. A person
// without one gets an error once, and is not sent to and fro. A path that only prefers an acr is shown
// to both.
//
// The version of Debian 12 mistakes an error with iss (RFC 9207) for a sign-in that a third party
// starts, so its page does not show the error.
func TestRelyingParty_ApacheAsksForACR(t *testing.T) {
	i := newInstanceForPasskeys(t)
	origin := fmt.Sprintf("http://127.0.0.1:%d", signettest.FreePort(t))
	client := i.CreateClient(t, "--type", "web", "--redirect-uri", origin+"/secure/callback", "--skip-consent")
	i.Serve(t)
	startApache(t, origin, i.Issuer, client, signettest.Block(t, "docs/clients.md", "## Ask for a stronger sign-in", "apache"),
		"<Location /secure/page.html>\nOIDCPathAuthRequestParams acr_values=phr\n</Location>")

	key, bare := newPerson(t, i, "key@example.com"), newPerson(t, i, "bare@example.com")
	key.addConfirmedPasskey(t, i)
	for _, row := range []struct {
		person      *acrPerson
		again       bool   // in a new browser
		path, shows string // shows is part of the text of the page, or of its URL
		asked       []string
	}{
		{key, true, "/secure/other.html", "The other page.", []string{"password"}},
		{key, false, "/secure/strong/page.html", "The strong page.", []string{"passkey"}},
		{key, true, "/secure/page.html", "The protected page.", []string{"password", "passkey"}},
		{bare, true, "/secure/page.html", "The protected page.", []string{"password"}},
		{bare, false, "/secure/strong/page.html", "error=" + unmet, nil},
	} {
		p := row.person
		if p.asked = nil; row.again {
			p.browser = signettest.NewFormBrowser(t)
		}
		p.visit(t, origin+row.path)
		if got := p.browser.Text(); !strings.Contains(got+p.browser.At.String(), row.shows) || !slices.Equal(p.asked, row.asked) {
			t.Errorf("%s at %s: the browser is at %s and reads %q; asked for %v, want %v", p.email, row.path, p.browser.At, got, p.asked, row.asked)
		}
	}
}

// visit opens a page of a relying party and answers the pages of Signet.
func (p *acrPerson) visit(t *testing.T, target string) {
	t.Helper()
	for range 4 {
		p.browser.Visit(target)
		p.answer(t)
		switch {
		case p.browser.Left != nil:
			target = p.browser.Left.String()
		case refreshOf(p.browser.Page) != "":
			target = refreshOf(p.browser.Page)
		default:
			return
		}
	}
	t.Fatalf("sent to and fro, at last to %s", target)
}

// refreshOf returns the URL to which a page leads at once by a meta element; "" if it does not. The
// module answers so, since Apache cannot redirect where access is denied.
func refreshOf(page *html.Node) string {
	for node := range page.Descendants() {
		if node.Data == "meta" && strings.EqualFold(signettest.Attribute(node, "http-equiv"), "refresh") {
			_, target, _ := strings.Cut(signettest.Attribute(node, "content"), "url=")
			return target
		}
	}
	return ""
}

// TestRelyingParty_SpringAsksForACR signs in at two registrations of Spring Security. One of them sends
// acr_values and accepts no ID token with a weaker acr. The person with a passkey is asked for it. The
// other person gets an answer from Signet, which Spring refuses.
func TestRelyingParty_SpringAsksForACR(t *testing.T) {
	if !signettest.InSoak() {
		return
	}
	i := newInstanceForPasskeys(t)
	port := signettest.FreePort(t)
	s := partySite{origin: fmt.Sprintf("http://127.0.0.1:%d", port), port: fmt.Sprint(port), issuer: i.Issuer}
	s.client = i.CreateClient(t, "--library", "spring-security", "--skip-consent",
		"--redirect-uri", s.origin+"/login/oauth2/code/signet", "--redirect-uri", s.origin+"/login/oauth2/code/strong")
	i.Serve(t)
	inJava("SpringParty")(t, s)

	key, bare := newPerson(t, i, "key@example.com"), newPerson(t, i, "bare@example.com")
	key.addConfirmedPasskey(t, i)
	for _, row := range []struct {
		person             *acrPerson
		registration, path string
		asked              []string
	}{
		{key, "signet", "/me", []string{"password"}},
		{key, "strong", "/me", []string{"passkey"}},
		{bare, "signet", "/me", []string{"password"}},
		{bare, "strong", "/login", nil},
	} {
		p := row.person
		if p.asked = nil; row.registration == "signet" {
			p.browser = signettest.NewFormBrowser(t)
		}
		p.visit(t, s.origin+"/oauth2/authorization/"+row.registration)
		if at := p.browser.At; at.Path != row.path || !slices.Equal(p.asked, row.asked) {
			t.Errorf("%s at %s: the browser is at %s and reads %q; asked for %v, want %v", p.email, row.registration, at, p.browser.Text(), p.asked, row.asked)
		}
	}
}
