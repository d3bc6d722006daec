package main

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"signet/cmd/signet/signettest"
	"signet/provider/passkey/passkeytest"
	"signet/provider/session"
)

// BenchmarkPasskeySignIn measures a sign-in with a passkey beside the minimal server D of the same run,
// like BenchmarkBesideCeilings. Each connection signs its own user in repeatedly, and each user has one
// passkey, so that the rows of one user do not add to the cost of another.
//
// "page" is the part before the passkey is used: an authorization request that asks for a new sign-in, a
// redirect and the page with its challenge. "sign-in" is the page and the form with the passkey. "form" is
// the form alone: the pages are opened before. It checks the signature and starts the session in one
// transaction. The sign-ins of "page", "sign-in" and "form" continue the session of the browser. "first"
// is the form of a browser that its user has used before, but that has no session. Each of its sign-ins
// adds a session, and a user with more than storage.MaxSessionRows is another case, so -benchtime should
// be at most 3000x.
func BenchmarkPasskeySignIn(b *testing.B) {
	spent := map[string]float64{}
	b.Run("D", func(b *testing.B) {
		address := fmt.Sprintf("127.0.0.1:%d", signettest.FreePort(b))
		pid := startServer(b, "http://"+address+"/healthz", exec.Command("ceiling", "D", address, b.TempDir()), nil)
		spent["D"] = drive(b, pid, func(int) error { return expectOK(postForm("http://"+address+"/", "", "", url.Values{"a": {"b"}})) })
	})
	p := startPasskeys(b)
	b.Run("page", func(b *testing.B) {
		spent["page"] = drive(b, p.pid, func(worker int) error {
			_, err := p.signInPage(worker)
			return err
		})
	})
	b.Run("sign-in", func(b *testing.B) { spent["sign-in"] = drive(b, p.pid, p.signIn) })
	b.Run("form", func(b *testing.B) { spent["form"] = p.driveForms(b) })
	p.forgetSessions()
	b.Run("first", func(b *testing.B) { spent["first"] = p.driveForms(b) })
	if b.Failed() || spent["D"] == 0 {
		return
	}
	fmt.Printf("server CPU: D %.0f µs", spent["D"])
	for _, part := range []string{"page", "sign-in", "form", "first"} {
		fmt.Printf(", %s %.0f µs (%.2f D)", part, spent[part], spent[part]/spent["D"])
	}
	fmt.Println()
}

// driveForms opens the pages of b.N sign-ins, and measures the forms of these pages.
func (p *passkeyLoad) driveForms(b *testing.B) float64 {
	b.Helper()
	forms := make([][]*http.Request, connections)
	eachWorker(b, func(worker int) error {
		for at := worker; at < b.N; at += connections {
			form, err := p.signInForm(worker)
			if err != nil {
				return err
			}
			forms[worker] = append(forms[worker], form)
		}
		return nil
	})
	return driveAll(b, p.pid, func(worker int) error {
		for _, form := range forms[worker] {
			if err := p.send(worker, form); err != nil {
				return err
			}
		}
		return nil
	})
}

// forgetSessions makes the browsers store no session any more.
func (p *passkeyLoad) forgetSessions() {
	for _, browser := range p.browsers {
		jar := withoutSession{browser.Jar}
		jar.SetCookies(p.issuer, []*http.Cookie{{Name: session.DefaultBase, MaxAge: -1}})
		browser.Jar = jar
	}
}

// withoutSession stores all cookies except new ones of a session.
type withoutSession struct{ http.CookieJar }

func (j withoutSession) SetCookies(u *url.URL, list []*http.Cookie) {
	j.CookieJar.SetCookies(u, slices.DeleteFunc(list, func(c *http.Cookie) bool { return c.Name == session.DefaultBase && c.MaxAge >= 0 }))
}

// passkeyLoad is a `signet serve` with a user, a passkey and a browser for each worker.
type passkeyLoad struct {
	issuer         *url.URL
	authorize      string // URL of an authorization request
	pid            int
	b              *testing.B
	authenticators []*passkeytest.Authenticator
	browsers       []*http.Client
}

func startPasskeys(b *testing.B) *passkeyLoad {
	b.Helper()
	i := signettest.NewInstance(b)
	client := i.CreateClient(b, "--type", "web", "--redirect-uri", signettest.Nowhere, "--skip-consent")
	listen := strings.TrimPrefix(i.Issuer, "http://")
	i.Issuer = strings.Replace(i.Issuer, "127.0.0.1", "localhost", 1) // an IP address has no passkeys
	issuer, err := url.Parse(i.Issuer)
	if err != nil {
		b.Fatal(err)
	}
	p := &passkeyLoad{b: b, issuer: issuer, authorize: (&visitors{authorize: i.Issuer + "/authorize", client: client}).authorizeURL() + "&prompt=login"}
	p.pid = startServer(b, i.Issuer+"/healthz", exec.Command("signet", "serve", "--listen", listen), append(i.Env, "SIGNET_ISSUER="+i.Issuer))
	for worker := range connections {
		email := fmt.Sprintf("user%d@example.com", worker)
		i.Command(b, i.Password, nil, "user", "create", "--email", email, "--email-verified", "--password-stdin", "--json")
		owner := signettest.NewFormBrowser(b)
		owner.Open(i.Issuer + "/account/passkeys/add")
		owner.Send("login", "", map[string]string{"username": email, "password": i.Password})
		form := signettest.FindByID(owner.Page, "add-passkey")
		if form == nil {
			b.Fatalf("no form for a passkey at %s: %s", owner.At, owner.Text())
		}
		user, err := base64.RawURLEncoding.DecodeString(signettest.Attribute(form, "data-user"))
		if err != nil {
			b.Fatal(err)
		}
		a := passkeytest.New(b, i.Issuer)
		owner.Send("add-passkey", "", map[string]string{"credential": a.Create(b, signettest.Attribute(form, "data-challenge"), string(user))})
		jar, err := cookiejar.New(nil)
		if err != nil {
			b.Fatal(err)
		}
		p.authenticators = append(p.authenticators, a)
		p.browsers = append(p.browsers, &http.Client{Jar: jar, Transport: signettest.Crowd.Transport})
		if err := p.signIn(worker); err != nil {
			b.Fatal(err)
		}
	}
	return p
}

// openedPage is a page in a browser.
type openedPage struct {
	at   *url.URL
	body []byte
}

// signInPage opens the page that asks for a new sign-in, in the worker's browser.
func (p *passkeyLoad) signInPage(worker int) (page openedPage, err error) {
	response, err := p.browsers[worker].Get(p.authorize)
	if err != nil {
		return page, err
	}
	page.at = response.Request.URL
	page.body, err = bodyOK(response, nil)
	return page, err
}

func (p *passkeyLoad) signIn(worker int) error {
	form, err := p.signInForm(worker)
	if err != nil {
		return err
	}
	return p.send(worker, form)
}

// signInForm opens the page and returns its form with the answer of the passkey.
func (p *passkeyLoad) signInForm(worker int) (*http.Request, error) {
	page, err := p.signInPage(worker)
	if err != nil {
		return nil, err
	}
	document, err := html.Parse(bytes.NewReader(page.body))
	if err != nil {
		return nil, err
	}
	form := signettest.FindByID(document, "passkey-sign-in")
	if form == nil {
		return nil, fmt.Errorf("no form for a passkey on %s", page.at)
	}
	fields := url.Values{}
	for input := range form.Descendants() {
		if name := signettest.Attribute(input, "name"); name != "" {
			fields.Set(name, signettest.Attribute(input, "value"))
		}
	}
	fields.Set("credential", p.authenticators[worker].Get(p.b, signettest.Attribute(form, "data-challenge")))
	target, err := page.at.Parse(signettest.Attribute(form, "action"))
	if err != nil {
		return nil, err
	}
	request, err := http.NewRequest(http.MethodPost, target.String(), strings.NewReader(fields.Encode()))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	request.Header.Set("Origin", target.Scheme+"://"+target.Host)
	return request, nil
}

// send sends a form in the worker's browser.
func (p *passkeyLoad) send(worker int, form *http.Request) error {
	answer, err := p.browsers[worker].Do(form)
	if err := expectOK(answer, err); err != nil {
		return err
	}
	if answer.Header.Get("Refresh") == "" {
		return fmt.Errorf("%s signed nobody in", form.URL)
	}
	return nil
}
