package federationtest

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"time"

	"signet/federation/foreign"
)

// Setup configures a pretend upstream. Only RedirectURIs is required.
type Setup struct {
	// RedirectURIs of the one client, compared exactly.
	RedirectURIs []string
	Accounts     []Account        // nil: the upstream's own
	Listen       string           // host:port on loopback; "": a free port of 127.0.0.1
	Now          func() time.Time // nil: the wall clock
	ClientSecret string           // "": random
}

// upstream contains the parts that the pretend upstreams share: one client, accounts, a
// sign-in page and codes.
type upstream struct {
	URL          string
	ClientID     string
	ClientSecret string

	name              string
	setup             Setup
	server            *http.Server
	mux               *http.ServeMux
	closed            chan struct{}
	mu                sync.Mutex
	codes             map[string]issued
	tokens            map[string]issued
	requests          []string // method and path, in order
	edits             map[string]func(*Answer)
	lastAuthorization url.Values // the last authorization request
}

// issued holds the sign-in for which a code or a token was issued.
type issued struct {
	account    Account
	asked      url.Values // the authorization request
	signedInAt time.Time
	scope      string
}

func start(name, clientID string, accounts []Account, setup Setup, routes func(*upstream)) (*upstream, error) {
	if setup.Now == nil {
		setup.Now = time.Now
	}
	if setup.Accounts == nil {
		setup.Accounts = accounts
	}
	if setup.Listen == "" {
		setup.Listen = "127.0.0.1:0"
	}
	if setup.ClientSecret == "" {
		setup.ClientSecret = rand.Text() + rand.Text()
	}
	listener, err := net.Listen("tcp", setup.Listen)
	if err != nil {
		return nil, fmt.Errorf("start pretend %s: %w", name, err)
	}
	u := &upstream{
		URL: "http://" + listener.Addr().String(), ClientID: clientID, ClientSecret: setup.ClientSecret,
		name: name, setup: setup, mux: http.NewServeMux(), closed: make(chan struct{}),
		codes: map[string]issued{}, tokens: map[string]issued{}, edits: map[string]func(*Answer){},
	}
	routes(u)
	u.server = &http.Server{Handler: http.HandlerFunc(u.serve), ReadHeaderTimeout: 5 * time.Second}
	go u.server.Serve(listener)
	return u, nil
}

func (u *upstream) serve(w http.ResponseWriter, r *http.Request) {
	u.mu.Lock()
	if r.URL.Path != stylePath { // its page is already counted
		u.requests = append(u.requests, r.Method+" "+r.URL.Path)
	}
	u.mu.Unlock()
	w.Header().Set("X-Frame-Options", "DENY")
	w.Header().Set("Date", u.setup.Now().UTC().Format(http.TimeFormat))
	if !foreign.IsLoopbackAuthority(r.Host) { // another site whose host name points here must not read answers
		http.Error(w, "host_not_loopback: a pretend "+u.name+" answers only localhost and loopback addresses.", http.StatusMisdirectedRequest)
		return
	}
	if r.URL.Path == stylePath {
		serveStyle(w, r)
		return
	}
	u.serveEdited(w, r)
}

// Close stops the server, and ends requests that wait because of a WireFault.
func (u *upstream) Close() {
	select {
	case <-u.closed:
		return
	default:
		close(u.closed)
	}
	u.server.Close()
}

// Requests returns the methods and paths of all requests, in order.
func (u *upstream) Requests() []string {
	u.mu.Lock()
	defer u.mu.Unlock()
	return slices.Clone(u.requests)
}

// CountRequests returns the number of requests with a method and path, such as "GET /path".
func (u *upstream) CountRequests(request string) int {
	n := 0
	for _, r := range u.Requests() {
		if r == request {
			n++
		}
	}
	return n
}

// LastAuthorization returns the parameters of the last authorization request.
func (u *upstream) LastAuthorization() url.Values {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.lastAuthorization
}

func (u *upstream) account(key string) (Account, bool) {
	for _, a := range u.setup.Accounts {
		if a.Key == key {
			return a, true
		}
	}
	return Account{}, false
}

// issueCode issues a code for an account.
func (u *upstream) issueCode(a Account, asked url.Values) string {
	code := "4/" + rand.Text()
	u.mu.Lock()
	defer u.mu.Unlock()
	u.codes[code] = issued{a, asked, u.setup.Now(), asked.Get("scope")}
	return code
}

// redeem redeems a code, which can be done only once, checks redirect URI and verifier, and
// returns an access token. The last result is an OAuth error code; "" if the code is valid.
func (u *upstream) redeem(form url.Values) (issued, string, string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	was, known := u.codes[form.Get("code")]
	delete(u.codes, form.Get("code"))
	sum := sha256.Sum256([]byte(form.Get("code_verifier")))
	challenge := base64.RawURLEncoding.EncodeToString(sum[:])
	if !known || was.asked.Get("redirect_uri") != form.Get("redirect_uri") || was.asked.Get("code_challenge") != challenge {
		return was, "", "invalid_grant"
	}
	token := "ya29." + rand.Text()
	u.tokens[token] = was
	return was, token, ""
}

// byAccessToken returns the sign-in for which the access token of a request was issued.
func (u *upstream) byAccessToken(r *http.Request) (issued, bool) {
	var token string
	if _, err := fmt.Sscanf(r.Header.Get("Authorization"), "Bearer %s", &token); err != nil {
		return issued{}, false
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	was, known := u.tokens[token]
	return was, known
}

// isAuthenticated checks client id and secret in header or body.
func (u *upstream) isAuthenticated(r *http.Request) bool {
	id, secret := r.PostFormValue("client_id"), r.PostFormValue("client_secret")
	if basicID, basicSecret, ok := r.BasicAuth(); ok {
		id, _ = url.QueryUnescape(basicID)
		secret, _ = url.QueryUnescape(basicSecret)
	}
	return id == u.ClientID && secret == u.ClientSecret
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(v)
}
