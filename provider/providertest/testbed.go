package providertest

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"signet/provider"
	"signet/provider/credential"
	"signet/provider/directory"
	"signet/storage"
	"signet/storage/storagetest"
)

// Alice has an account with this password; Callback is her client's redirect URI.
const (
	Alice    = "alice@example.com"
	Password = "correct horse battery"
	Callback = "https://app.example.com/callback?from=signet"
)

// CheapHash makes argon2id cost next to nothing.
var CheapHash = credential.Params{Memory: 64, Time: 1, Threads: 1}

// Testbed is a provider behind a real HTTP server on a real database, with a
// clock that the test moves, one user and one client.
type Testbed struct {
	*provider.Provider
	DB     *storage.DB
	Issuer string
	Client storage.Client
	Secret string
	Alice  storage.User
	Log    *LogBuffer

	Backend storagetest.Backend
	*Clock
}

// Clock is what all nodes of a testbed take for the time.
type Clock struct {
	mu    sync.Mutex
	Moved time.Duration
}

// Each runs the test on every database.
func Each(t *testing.T, f func(t *testing.T, b *Testbed)) {
	storagetest.Each(t, func(t *testing.T, backend storagetest.Backend) {
		f(t, StartOn(t, backend))
	})
}

// OnSQLite runs the test on SQLite alone, for what no database can change: how a
// request is read and how an answer looks.
func OnSQLite(t *testing.T, f func(t *testing.T, b *Testbed), options ...Option) {
	t.Helper()
	f(t, StartOn(t, storagetest.SQLite(t), options...))
}

// StartOn starts a testbed on this database.
func StartOn(t testing.TB, backend storagetest.Backend, options ...Option) *Testbed {
	t.Helper()
	b := Start(t, backend.Open(t), options...)
	b.Backend = backend
	return b
}

// Option changes the configuration before the provider is made.
type Option func(*provider.Config)

// WithIssuer gives the issuer a name of its own, https, behind a proxy.
func WithIssuer(issuer string) Option { return func(c *provider.Config) { c.Issuer = issuer } }

// WithIssuerPath gives the issuer a path.
func WithIssuerPath(path string) Option { return func(c *provider.Config) { c.Issuer += path } }

// Start starts a testbed on an open database.
func Start(t testing.TB, db *storage.DB, options ...Option) *Testbed {
	t.Helper()
	b := &Testbed{DB: db, Log: &LogBuffer{}, Clock: &Clock{}}
	b.lendKeys(t)
	b.Alice = b.User(t, Alice, Password)
	b.Client, b.Secret = b.Register(t, storage.Web, "app", Callback)
	b.Serve(t, options...)
	return b
}

// Serve starts a provider process of its own on the testbed's database: called
// again on a copy, it is a second node.
func (b *Testbed) Serve(t testing.TB, options ...Option) {
	t.Helper()
	var handler http.Handler
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { handler.ServeHTTP(w, r) }))
	t.Cleanup(server.Close)
	config := provider.Config{
		Issuer: server.URL, MasterKey: [32]byte{1, 2, 3}, Passwords: CheapHash, Now: b.Now,
		Log: slog.New(slog.NewJSONHandler(b.Log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
	for _, option := range options {
		option(&config)
	}
	if name, ok := strings.CutPrefix(config.Issuer, "https://"); ok {
		Proxied.Store(strings.Split(name, "/")[0], strings.TrimPrefix(server.URL, "http://"))
	}
	slog.SetDefault(config.Log) // as serve does: the OpenID library logs there, and only there
	p, err := provider.New(context.Background(), config, b.DB)
	if err != nil {
		t.Fatalf("start provider: %v", err)
	}
	b.Provider, b.Issuer, handler = p, config.Issuer, withinBudget(t, strings.HasPrefix(config.Issuer, "https:"), p.Handler())
	if firstKeys == nil {
		if firstKeys, err = b.DB.Keys(context.Background()); err != nil {
			t.Fatalf("read keys: %v", err)
		}
	}
}

// firstKeys are the keys that the first testbed made. Making RSA keys is what a
// testbed would spend most of its time with, so the others get the same.
var firstKeys []storage.Key

func (b *Testbed) lendKeys(t testing.TB) {
	t.Helper()
	if _, err := b.DB.StartKeyLines(context.Background(), firstKeys, storage.By{At: b.Now()}); err != nil {
		t.Fatalf("lend keys: %v", err)
	}
}

// Now is the time that the provider believes in.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Now().Add(c.Moved)
}

// Advance moves the clock.
func (c *Clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.Moved += d
}

// AsClient is the same testbed in the hands of another client.
func (b *Testbed) AsClient(client storage.Client, secret string) *Testbed {
	other := *b
	other.Client, other.Secret = client, secret
	return &other
}

// Node is another process on the same database and under the same issuer; what
// is asked of the result is asked of that process.
func (b *Testbed) Node(t *testing.T, options ...Option) *Testbed {
	t.Helper()
	other := *b
	other.DB = b.Backend.Open(t)
	other.Serve(t, append(options, func(c *provider.Config) { c.Issuer = b.Issuer })...)
	server := httptest.NewServer(other.Handler())
	t.Cleanup(server.Close)
	other.Issuer = server.URL
	return &other
}

// User makes a user with this password and a proven address.
func (b *Testbed) User(t testing.TB, email, pass string) storage.User {
	t.Helper()
	hash, err := credential.New(credential.Config{DB: b.DB, Params: CheapHash}).Hash(context.Background(), pass, storage.User{Email: email})
	if err != nil {
		t.Fatalf("hash password: %v", err)
	}
	user, err := b.DB.CreateUser(context.Background(), storage.User{
		Email: email, EmailVerified: true, Name: "Alice Liddell", GivenName: "Alice", FamilyName: "Liddell",
		Zoneinfo: "Europe/London", Roles: []string{"reader"},
	}, hash, storage.By{At: b.Now()})
	if err != nil {
		t.Fatalf("create user: %v", err)
	}
	return user
}

// Register makes a client of a type with its defaults; a client that has a
// secret gets one.
func (b *Testbed) Register(t testing.TB, kind storage.ClientType, id string, redirectURIs ...string) (storage.Client, string) {
	t.Helper()
	return b.RegisterWith(t, kind, id, func(c *storage.Client) { c.Metadata.RedirectURIs = redirectURIs })
}

// RegisterWith registers a client that is changed before; see Register.
func (b *Testbed) RegisterWith(t testing.TB, kind storage.ClientType, id string, change func(*storage.Client)) (storage.Client, string) {
	t.Helper()
	client := directory.NewClient(kind, id, "App "+id)
	change(&client)
	secret := ""
	if !client.Public() {
		secret = rand.Text()
		client.Secrets[0] = storage.ClientSecret{Hash: storage.SecretHash(secret)}
	}
	if err := b.DB.CreateClient(context.Background(), client, storage.By{At: b.Now()}); err != nil {
		t.Fatalf("create client: %v", err)
	}
	return client, secret
}

// Follow makes the provider notice what changed in the database, as its owner
// does once a second.
func (b *Testbed) Follow(t testing.TB) {
	t.Helper()
	if err := b.FollowOnce(context.Background(), b.Now()); err != nil {
		t.Fatalf("follow: %v", err)
	}
}

// Verifier is the code verifier of every test; challenge is its S256 challenge.
const Verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"

// Challenge is the S256 challenge of Verifier (RFC 7636).
func Challenge() string {
	sum := sha256.Sum256([]byte(Verifier))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// Params are those of a good authorization request, changed by pairs of name and
// value; an empty value removes the parameter.
func (b *Testbed) Params(pairs ...string) url.Values {
	v := url.Values{
		"response_type": {"code"}, "client_id": {b.Client.ID}, "redirect_uri": {b.Client.Metadata.RedirectURIs[0]},
		"scope": {"openid email"}, "state": {"st&te"}, "nonce": {"n-0S6_WzA2Mj"},
		"code_challenge": {Challenge()}, "code_challenge_method": {"S256"},
	}
	for i := 0; i < len(pairs); i += 2 {
		v.Set(pairs[i], pairs[i+1])
		if pairs[i+1] == "" {
			v.Del(pairs[i])
		}
	}
	return v
}

// AuthorizeURL is that of an authorization request; see Params.
func (b *Testbed) AuthorizeURL(pairs ...string) string {
	return b.Issuer + "/authorize?" + b.Params(pairs...).Encode()
}

// Answer is an HTTP answer with its body read.
type Answer struct {
	*http.Response
	Body string
}

// JSON decodes the body; numbers stay as they were written.
func (a Answer) JSON(t *testing.T) map[string]any {
	t.Helper()
	var m map[string]any
	decoder := json.NewDecoder(strings.NewReader(a.Body))
	decoder.UseNumber()
	if err := decoder.Decode(&m); err != nil {
		t.Fatalf("body is not JSON: %v\n%s", err, a.Body)
	}
	return m
}

// Direct is a client that keeps no cookies and follows no redirects.
var Direct = &http.Client{
	Transport:     Proxy{},
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}

// Proxy ends TLS in front of a provider whose issuer is https: the browser's side
// of it sees that name, the provider's side plain HTTP.
type Proxy struct{}

// Proxied says which server stands behind the host of an issuer.
var Proxied sync.Map

func (Proxy) RoundTrip(r *http.Request) (*http.Response, error) {
	if server, ok := Proxied.Load(r.URL.Host); ok && r.URL.Scheme == "https" {
		r = r.Clone(r.Context())
		if r.Host == "" {
			r.Host = r.URL.Host
		}
		r.URL.Scheme, r.URL.Host = "http", server.(string)
	}
	return http.DefaultTransport.RoundTrip(r)
}

// Do sends a request and reads the whole answer.
func Do(t *testing.T, client *http.Client, r *http.Request) Answer {
	t.Helper()
	response, err := client.Do(r)
	if err != nil {
		t.Fatalf("%s %s: %v", r.Method, r.URL.Path, err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatalf("read body: %v", err)
	}
	return Answer{response, string(body)}
}

// TokenRequest posts to /token; the client authenticates by Basic if it has a secret.
func (b *Testbed) TokenRequest(t *testing.T, form url.Values, change ...func(*http.Request)) Answer {
	t.Helper()
	r, err := http.NewRequest(http.MethodPost, b.Issuer+"/token", strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if b.Secret != "" {
		r.SetBasicAuth(url.QueryEscape(b.Client.ID), url.QueryEscape(b.Secret))
	} else {
		form.Set("client_id", b.Client.ID)
		r.Body = io.NopCloser(strings.NewReader(form.Encode()))
		r.ContentLength = int64(len(form.Encode()))
	}
	for _, c := range change {
		c(r)
	}
	return Do(t, Direct, r)
}

// CodeForm redeems a code, changed by pairs of name and value; see Params.
func (b *Testbed) CodeForm(code string, pairs ...string) url.Values {
	v := url.Values{
		"grant_type": {"authorization_code"}, "code": {code},
		"redirect_uri": {b.Client.Metadata.RedirectURIs[0]}, "code_verifier": {Verifier},
	}
	for i := 0; i < len(pairs); i += 2 {
		v.Set(pairs[i], pairs[i+1])
		if pairs[i+1] == "" {
			v.Del(pairs[i])
		}
	}
	return v
}

// Redeem exchanges a code and wants it to work.
func (b *Testbed) Redeem(t *testing.T, code string) map[string]any {
	t.Helper()
	a := b.TokenRequest(t, b.CodeForm(code))
	if a.StatusCode != http.StatusOK {
		t.Fatalf("redeem: status %d: %s", a.StatusCode, a.Body)
	}
	return a.JSON(t)
}

// RefuseCode wants an exchange to fail with this error.
func (b *Testbed) RefuseCode(t *testing.T, code, wantError string, pairs ...string) {
	t.Helper()
	WantOAuthError(t, b.TokenRequest(t, b.CodeForm(code, pairs...)), http.StatusBadRequest, wantError)
}

// WantOAuthError wants a JSON error of this status and code (RFC 6749, section 5.2).
func WantOAuthError(t *testing.T, a Answer, status int, code string) {
	t.Helper()
	if a.StatusCode != status {
		t.Fatalf("status: got %d, want %d: %s", a.StatusCode, status, a.Body)
	}
	if got := a.JSON(t)["error"]; got != code {
		t.Fatalf("error: got %v, want %s: %s", got, code, a.Body)
	}
}

// Userinfo asks for the claims behind an access token.
func (b *Testbed) Userinfo(t *testing.T, token string) Answer {
	t.Helper()
	r, err := http.NewRequest(http.MethodGet, b.Issuer+"/userinfo", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+token)
	return Do(t, Direct, r)
}

// WantUserinfo wants userinfo to answer an access token with this status.
func (b *Testbed) WantUserinfo(t *testing.T, token string, status int) {
	t.Helper()
	if a := b.Userinfo(t, token); a.StatusCode != status {
		t.Fatalf("userinfo: got %d, want %d: %s", a.StatusCode, status, a.Body)
	}
}

// WantEvent wants an event of this type about a grant, a session or a user.
func (b *Testbed) WantEvent(t *testing.T, kind storage.EventType, about any) storage.Event {
	t.Helper()
	for _, e := range b.Events(t) {
		if e.Type == kind && (e.GrantID == about || e.SessionID == about || e.UserID == about) {
			return e
		}
	}
	t.Fatalf("no event %s about %v", kind, about)
	return storage.Event{}
}

// Events lists the newest 1,000 events of the audit log, newest first.
func (b *Testbed) Events(t *testing.T) []storage.Event {
	t.Helper()
	events, err := b.DB.Events(context.Background(), storage.EventFilter{}, 1000)
	if err != nil {
		t.Fatal(err)
	}
	return events
}

// ClaimsOf decodes the payload of a JWT without checking it.
func ClaimsOf(t *testing.T, token any) map[string]any {
	t.Helper()
	return part(t, token, 1)
}

// HeaderOf decodes the header of a JWT without checking it.
func HeaderOf(t *testing.T, token any) map[string]any {
	t.Helper()
	return part(t, token, 0)
}

func part(t *testing.T, token any, i int) map[string]any {
	t.Helper()
	parts := strings.Split(token.(string), ".")
	if len(parts) != 3 {
		t.Fatalf("not a JWT: %v", token)
	}
	raw, err := base64.RawURLEncoding.DecodeString(parts[i])
	if err != nil {
		t.Fatal(err)
	}
	return Answer{Body: string(raw)}.JSON(t)
}

// Race runs f n times at once.
func Race(n int, f func(i int)) {
	var wg sync.WaitGroup
	gate := make(chan struct{})
	for i := range n {
		wg.Go(func() { <-gate; f(i) })
	}
	close(gate)
	wg.Wait()
}

// LogBuffer keeps what the provider logs, for tests that search it.
type LogBuffer struct {
	mu sync.Mutex
	b  strings.Builder
}

func (l *LogBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *LogBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
