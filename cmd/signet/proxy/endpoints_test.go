package proxy_test

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"signet/cmd/signet/signettest"
)

// exchange is a request of a test. The answer through a proxy must be the answer of the node.
type exchange struct {
	method, target string
	header         map[string]string
	body           string
	chunked        bool // the body has no announced length
	trailer        bool // a trailer follows the body
	status         int  // that the node answers
}

// exchanges returns a request for every endpoint, ordinary and as large as Signet accepts.
func (s *site) exchanges(t *testing.T) map[string]exchange {
	t.Helper()
	tokens := s.tokens(t)
	form := map[string]string{"Content-Type": "application/x-www-form-urlencoded"}
	with := func(pairs ...string) map[string]string {
		header := maps.Clone(form)
		for i := 0; i < len(pairs); i += 2 {
			header[pairs[i]] = pairs[i+1]
		}
		return header
	}
	own := url.Values{"client_id": {s.web.ID}, "client_secret": {s.web.Secret}}.Encode()
	largest := "grant_type=refresh_token&refresh_token=" + noise(48) + "&" + own + "&x="
	largest += strings.Repeat("x", 64<<10-len(largest))
	ask := s.authorize("short")
	cookies := "a=" + noise(3000) + "; b=" + noise(3100)
	page := map[string]string{"Accept": "text/html"}
	app := map[string]string{"Origin": app, "Content-Type": "application/json"}
	preflight := map[string]string{"Origin": app["Origin"], "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "content-type"}
	return map[string]exchange{
		"discovery":                  {method: "GET", target: "/.well-known/openid-configuration", status: 200},
		"discovery HEAD":             {method: "HEAD", target: "/.well-known/openid-configuration", status: 200},
		"metadata":                   {method: "GET", target: "/.well-known/oauth-authorization-server", status: 200},
		"keys":                       {method: "GET", target: "/jwks", status: 200},
		"keys HEAD":                  {method: "HEAD", target: "/jwks", status: 200},
		"keys unchanged":             {method: "GET", target: "/jwks", header: map[string]string{"If-None-Match": s.etag(t)}, status: 304},
		"keys preflight":             {method: "OPTIONS", target: "/jwks", header: preflight, status: 204},
		"token preflight":            {method: "OPTIONS", target: "/token", header: preflight, status: 204},
		"userinfo preflight":         {method: "OPTIONS", target: "/userinfo", header: preflight, status: 204},
		"app preflight":              {method: "OPTIONS", target: "/login", header: preflight, status: 204},
		"sign-in page":               {method: "GET", target: "/login?return_to=/account", header: page, status: 303},
		"sign-in page HEAD":          {method: "HEAD", target: "/login?return_to=/account", header: page, status: 303},
		"page that needs a session":  {method: "GET", target: "/account", header: page, status: 303},
		"unknown path":               {method: "GET", target: "/nowhere?a=b+c%20d&e", header: page, status: 404},
		"unknown path for a program": {method: "GET", target: "/nowhere", status: 404},
		"wrong method":               {method: "DELETE", target: "/token", status: 405},
		"icon":                       {method: "GET", target: "/favicon.ico", status: 200},
		"alive":                      {method: "GET", target: "/healthz", status: 200},
		"ready":                      {method: "GET", target: "/readyz", status: 200},
		"authorization":              {method: "GET", target: strings.TrimPrefix(ask, issuer), header: page, status: 303},
		"authorization, largest":     {method: "GET", target: strings.TrimPrefix(s.authorize(strings.Repeat("s", 1500)), issuer), header: with("Cookie", cookies, "Accept", "text/html"), status: 303},
		"authorization by POST":      {method: "POST", target: "/authorize", header: form, body: ask[strings.Index(ask, "?")+1:], status: 303},
		"authorization in silence":   {method: "GET", target: strings.TrimPrefix(s.authorize("short", "prompt", "none"), issuer), status: 303},
		"wrong redirect URI":         {method: "GET", target: "/authorize?client_id=" + s.web.ID + "&redirect_uri=https://evil.example/", header: page, status: 400},
		"malformed query":            {method: "GET", target: "/authorize?client_id=%zz", header: page, status: 400},
		"signing out":                {method: "GET", target: "/end_session", header: page, status: 200},
		"token":                      {method: "POST", target: "/token", header: form, body: "grant_type=client_credentials&" + own, status: 400},
		"token with Basic":           {method: "POST", target: "/token", header: with("Authorization", basic(s.web.ID, "wrong")), body: "grant_type=client_credentials", status: 401},
		"token, largest":             {method: "POST", target: "/token", header: with("Cookie", cookies), body: largest, status: 400},
		"token, in chunks":           {method: "POST", target: "/token", header: form, body: largest, chunked: true, status: 400},
		"token, with a trailer":      {method: "POST", target: "/token", header: form, body: largest, chunked: true, trailer: true, status: 400},
		"token, too large":           {method: "POST", target: "/token", header: form, body: largest + "x", status: 413},
		"token, far too large":       {method: "POST", target: "/token", header: form, body: largest + strings.Repeat("x", 300<<10), status: 413},
		"token, after a question":    {method: "POST", target: "/token", header: with("Expect", "100-continue"), body: largest, status: 400},
		"token on a last connection": {method: "POST", target: "/token", header: with("Connection", "close"), body: "grant_type=nothing&" + own, status: 400},
		"no form":                    {method: "POST", target: "/token", header: map[string]string{"Content-Type": "application/json"}, body: "{}", status: 415},
		"userinfo":                   {method: "GET", target: "/userinfo", header: map[string]string{"Authorization": "Bearer " + tokens.Access}, status: 200},
		"userinfo HEAD":              {method: "HEAD", target: "/userinfo", header: map[string]string{"Authorization": "Bearer " + tokens.Access}, status: 200},
		"userinfo by POST":           {method: "POST", target: "/userinfo", header: form, body: "access_token=" + tokens.Access, status: 200},
		"userinfo from an app":       {method: "GET", target: "/userinfo", header: map[string]string{"Authorization": "Bearer " + tokens.Access, "Origin": app["Origin"]}, status: 200},
		"userinfo, no token":         {method: "GET", target: "/userinfo", status: 401},
		"userinfo, large token":      {method: "GET", target: "/userinfo", header: map[string]string{"Authorization": "Bearer " + noise(6000)}, status: 401},
		"introspection":              {method: "POST", target: "/introspect", header: with("Authorization", basic(s.web.ID, s.web.Secret)), body: "token=" + tokens.Access, status: 200},
		"introspection, largest":     {method: "POST", target: "/introspect", header: with("Authorization", basic(s.web.ID, s.web.Secret)), body: "token=" + strings.Repeat("x", 64<<10-6), status: 200},
		"revocation":                 {method: "POST", target: "/revoke", header: form, body: "token=" + noise(40) + "&" + own, status: 200},
		"app without a session":      {method: "GET", target: "/session", header: app, status: 200},
		"app cannot refresh":         {method: "POST", target: "/refresh", header: app, body: "{}", status: 401},
		"app signs out":              {method: "POST", target: "/logout", header: app, body: "", status: 204},
		"app from elsewhere":         {method: "POST", target: "/refresh", header: map[string]string{"Origin": "https://evil.example", "Content-Type": "application/json"}, body: "{}", status: 403},
		"form from elsewhere":        {method: "POST", target: "/account/password", header: with("Origin", "https://evil.example", "Accept", "text/html"), body: "a=b", status: 403},
	}
}

// tokens signs in through the proxy and returns the tokens of the code flow.
func (s *site) tokens(t *testing.T) signettest.Tokens {
	t.Helper()
	b := s.browser(t)
	b.Open(s.authorize("first"))
	b.Send("login", "", map[string]string{"username": s.Email, "password": password})
	return s.redeemed(b, "first")
}

// etag returns the tag of the keys.
func (s *site) etag(t *testing.T) string {
	t.Helper()
	answer, err := http.Get("http://" + s.node + "/jwks")
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	return answer.Header.Get("ETag")
}

func basic(id, secret string) string {
	r := &http.Request{Header: http.Header{}}
	r.SetBasicAuth(url.QueryEscape(id), url.QueryEscape(secret))
	return r.Header.Get("Authorization")
}

// send sends the request to an origin, for the host of the issuer.
func (e exchange) send(t *testing.T, transport http.RoundTripper, origin string) *http.Response {
	t.Helper()
	var body io.Reader
	if e.body != "" {
		body = strings.NewReader(e.body)
	}
	if e.chunked {
		body = io.MultiReader(body)
	}
	r, err := http.NewRequestWithContext(t.Context(), e.method, origin+e.target, body)
	if err != nil {
		t.Fatal(err)
	}
	r.Host = "id.example.com"
	for name, value := range e.header {
		r.Header.Set(name, value)
	}
	if r.Close = r.Header.Get("Connection") == "close"; r.Close {
		r.Header.Del("Connection")
	}
	if e.trailer {
		r.Trailer = http.Header{"X-After": {"the body"}}
	}
	answer, err := transport.RoundTrip(r)
	if err != nil {
		t.Fatalf("%s %.80s: %v", e.method, e.target, err)
	}
	t.Cleanup(func() { answer.Body.Close() })
	return answer
}

// random matches ids, tickets and tokens, which differ from answer to answer.
var random = regexp.MustCompile(`[A-Za-z0-9_.%-]{20,}`)

// hopHeaders belong to one connection, or to the proxy.
var hopHeaders = []string{"Alt-Svc", "Connection", "Content-Length", "Date", "Keep-Alive", "Server", "Transfer-Encoding", "Via"}

// asRead returns status, headers and body of an answer, without the parts that differ from
// answer to answer.
func asRead(t *testing.T, answer *http.Response) string {
	t.Helper()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	header := answer.Header.Clone()
	for _, name := range hopHeaders {
		header.Del(name)
	}
	var text bytes.Buffer
	fmt.Fprintln(&text, answer.StatusCode)
	for _, name := range slices.Sorted(maps.Keys(header)) {
		for _, value := range header[name] {
			fmt.Fprintf(&text, "%s: %s\n", name, random.ReplaceAllString(value, "…"))
		}
	}
	fmt.Fprintf(&text, "\n%s", random.ReplaceAll(body, []byte("…")))
	return text.String()
}

// TestProxies_AnswersPassUnchanged compares the answer of each endpoint through the proxy, by
// HTTP/1.1 and HTTP/2, with the answer of the node.
func TestProxies_AnswersPassUnchanged(t *testing.T) {
	eachProxy(t, func(t *testing.T, proxy string) {
		s := startSite(t, proxy)
		direct := &http.Transport{DisableCompression: true, ExpectContinueTimeout: 5 * time.Second}
		defer direct.CloseIdleConnections()
		byVersion := map[string]http.RoundTripper{"HTTP/1.1": s.proxy.transport(t, visitor{http1: true}), "HTTP/2.0": s.transport}
		for name, e := range s.exchanges(t) {
			answer := e.send(t, direct, "http://"+s.node)
			if answer.StatusCode != e.status {
				t.Errorf("%s: the node answers %s, want %d", name, answer.Status, e.status)
			}
			want := asRead(t, answer)
			for version, transport := range byVersion {
				if e.trailer && proxy == "nginx" && version == "HTTP/2.0" {
					continue // nginx closes such a connection; no browser or client sends trailers
				}
				through := e.send(t, transport, issuer)
				if through.Proto != version {
					t.Errorf("%s: the proxy speaks %s, want %s", name, through.Proto, version)
				}
				if got := asRead(t, through); got != want {
					t.Errorf("%s by %s: got\n%.1500s\nwant\n%.1500s", name, version, got, want)
				}
			}
		}
	})
}

// TestProxies_EveryStatusPasses has a node that answers with the requested status. For
// example, the answer of an overloaded node reaches the visitor with its Retry-After and its page.
func TestProxies_EveryStatusPasses(t *testing.T) {
	t.Parallel()
	node := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		status := 0
		if _, err := fmt.Sscanf(r.URL.Path, "/%d", &status); err != nil {
			status = http.StatusOK // of the check of health
		}
		w.Header().Set("Retry-After", "7")
		w.Header().Set("X-Large", noise(3400))
		w.WriteHeader(status)
		fmt.Fprintf(w, "the page of %d", status)
	}))
	t.Cleanup(node.Close)
	eachProxy(t, func(t *testing.T, proxy string) {
		e := startProxy(t, proxy, strings.TrimPrefix(node.URL, "http://"))
		transport := e.transport(t, visitor{})
		for _, status := range []int{400, 401, 403, 404, 405, 409, 413, 414, 415, 421, 429, 431, 500, 501, 502, 503, 504} {
			answer := exchange{method: "GET", target: fmt.Sprintf("/%d", status)}.send(t, transport, issuer)
			body, err := io.ReadAll(answer.Body)
			if err != nil || answer.StatusCode != status || answer.Header.Get("Retry-After") != "7" || string(body) != fmt.Sprintf("the page of %d", status) {
				t.Errorf("%d: %s, %v, %q, %v", status, answer.Status, answer.Header, body, err)
			}
		}
	})
}
