package parties_test

import (
	"fmt"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"

	"signet/cmd/signet/signettest"
)

// TestRelyingParty_ApacheThirdPartyLogin starts a sign-in at Apache's module from the list of
// applications (OIDC Core, section 4). The module checks iss, sends its own authorization request,
// and shows the target_link_uri of the registered address. The person presses nothing.
func TestRelyingParty_ApacheThirdPartyLogin(t *testing.T) {
	i := signettest.NewInstance(t)
	apache := fmt.Sprintf("http://127.0.0.1:%d", signettest.FreePort(t))
	front := startTLSFront(t, apache) // pages lead to https only
	callback := front.URL + "/secure/callback"
	client := i.CreateClient(t, "--redirect-uri", callback,
		"--initiate-login-uri", callback+"?"+url.Values{"target_link_uri": {front.URL + "/secure/other.html"}}.Encode())
	i.Serve(t)
	startApache(t, apache, i.Issuer, client, "OIDCRedirectURI "+callback, "OIDCXForwardedHeaders X-Forwarded-Host X-Forwarded-Proto")

	b := signettest.NewFormBrowser(t)
	b.Client.Transport = front.Client().Transport
	b.Visit(front.URL + "/secure/page.html")
	b.Send("login", "", map[string]string{"username": i.Email, "password": i.Password})
	b.Send("consent", "allow", nil)
	b.Visit(b.Left.String())
	if got := b.Text(); !strings.Contains(got, "The protected page.") {
		t.Fatalf("after the sign-in the browser is at %s and reads %q", b.At, got)
	}

	keepOnly(t, b, i.Issuer, "signet") // Apache's session is gone
	b.Visit(i.Issuer + "/account/apps")
	var start string
	for node := range b.Page.Descendants() {
		if link := signettest.Attribute(node, "href"); strings.HasPrefix(link, front.URL) {
			start = link
		}
	}
	if start == "" {
		t.Fatalf("the list of applications has no link to Apache: %q", b.Text())
	}
	b.Visit(start)
	if got := b.Text(); b.At.String() != front.URL+"/secure/other.html" || !strings.Contains(got, "The other page.") {
		t.Errorf("the link in the account leads to %s, which reads %q", b.At, got)
	}
}

// startTLSFront starts a proxy with https before a server. It sends the headers X-Forwarded-*.
func startTLSFront(t *testing.T, server string) *httptest.Server {
	t.Helper()
	target, err := url.Parse(server)
	if err != nil {
		t.Fatal(err)
	}
	front := httptest.NewTLSServer(&httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(target)
		r.SetXForwarded()
	}})
	t.Cleanup(front.Close)
	return front
}

// keepOnly removes all cookies but those of a name and of names that begin with it and "_".
func keepOnly(t *testing.T, b *signettest.FormBrowser, origin, name string) {
	t.Helper()
	at, err := url.Parse(origin)
	if err != nil {
		t.Fatal(err)
	}
	var kept []*http.Cookie
	for _, cookie := range b.Client.Jar.Cookies(at) {
		if cookie.Name == name || strings.HasPrefix(cookie.Name, name+"_") {
			kept = append(kept, cookie)
		}
	}
	if b.Client.Jar, err = cookiejar.New(nil); err != nil {
		t.Fatal(err)
	}
	b.Client.Jar.SetCookies(at, kept)
}
