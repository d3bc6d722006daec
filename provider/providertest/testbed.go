package provider_test

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
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

const (
	alice    = "alice@example.com"
	password = "correct horse battery"
	callback = "https://app.example.com/callback?from=signet"
)

var cheapHash = credential.Params{Memory: 64, Time: 1, Threads: 1}

// testbed is a provider behind a real HTTP server on a real database, with a
// clock that the test moves, one user and one client.
type testbed struct {
	*provider.Provider
	DB     *storage.DB
	Issuer string
	Client storage.Client
	Secret string
	Alice  storage.User
	Log    *logBuffer

	backend storagetest.Backend
	*clock
}

// clock is what all nodes of a testbed take for the time.
type clock struct {
	mu    sync.Mutex
	moved time.Duration
}

// each runs the test on every database.
func each(t *testing.T, f func(t *testing.T, b *testbed)) {
	storagetest.Each(t, func(t *testing.T, backend storagetest.Backend) {
		f(t, startOn(t, backend))
	})
}

// onSQLite runs the test on SQLite alone, for what no database can change: how a
// request is read and how an answer looks.
func onSQLite(t *testing.T, f func(t *testing.T, b *testbed), options ...option) {
	t.Helper()
	f(t, startOn(t, storagetest.SQLite(t), options...))
}

func startOn(t testing.TB, backend storagetest.Backend, options ...option) *testbed {
	t.Helper()
	b := start(t, backend.Open(t), options...)
	b.backend = backend
	return b
}

// option changes the configuration before the provider is made.
type option func(*provider.Config)

// issuedBy gives the issuer a name of its own, https, behind a proxy.
func issuedBy(issuer string) option { return func(c *provider.Config) { c.Issuer = issuer } }

// under gives the issuer a path.
func under(path string) option { return func(c *provider.Config) { c.Issuer += path } }

func start(t testing.TB, db *storage.DB, options ...option) *testbed {
	t.Helper()
	b := &testbed{DB: db, Log: &logBuffer{}, clock: &clock{}}
	b.lendKeys(t)
	b.Alice = b.user(t, alice, password)
	b.Client, b.Secret = b.register(t, storage.Web, "app", callback)
	b.serve(t, options...)
	return b
}

// serve starts a provider process of its own on the testbed's database: called
// again on a copy, it is a second node.
func (b *testbed) serve(t testing.TB, options ...option) {
	t.Helper()
	var handler http.Handler
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { handler.ServeHTTP(w, r) }))
	t.Cleanup(server.Close)
	config := provider.Config{
		Issuer: server.URL, MasterKey: [32]byte{1, 2, 3}, Passwords: cheapHash, Now: b.now,
		Log: slog.New(slog.NewJSONHandler(b.Log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
	for _, option := range options {
		option(&config)
	}
	if name, ok := strings.CutPrefix(config.Issuer, "https://"); ok {
		proxied.Store(strings.Split(name, "/")[0], strings.TrimPrefix(server.URL, "http://"))
	}
	slog.SetDefault(config.Log) // as serve does: the OpenID library logs there, and only there
	p, err := provider.New(context.Background(), config, b.DB)
	if err != nil {
		t.Fatalf("start provider: %v", err)
	}
	b.Provider, b.Issuer, handler = p, config.Issuer, p.Handler()
	if firstKeys == nil {
		if firstKeys, err = b.DB.Keys(context.Background()); err != nil {
			t.Fatalf("read keys: %v", err)
		}
	}
}

// firstKeys are the keys that the first testbed made. Making RSA keys is what a
// testbed would spend most of its time with, so the others get the same.
var firstKeys []storage.Key

func (b *testbed) lendKeys(t testing.TB) {
	t.Helper()
	if _, err := b.DB.StartLines(context.Background(), firstKeys, storage.By{At: b.now()}); err != nil {
		t.Fatalf("lend keys: %v", err)
	}
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Now().Add(c.moved)
}

// pass moves the clock.
func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.moved += d
}

// as is the same testbed in the hands of another client.
func (b *testbed) as(client storage.Client, secret string) *testbed {
	other := *b
	other.Client, other.Secret = client, secret
	return &other
}

// node is another process on the same database and under the same issuer; what
// is asked of the result is asked of that process.
func (b *testbed) node(t *testing.T, options ...option) *testbed {
	t.Helper()
	other := *b
	other.DB = b.backend.Open(t)
	other.serve(t, append(options, func(c *provider.Config) { c.Issuer = b.Issuer })...)
	server := httptest.NewServer(other.Handler())
	t.Cleanup(server.Close)
	other.Issuer = server.URL
	return &other
}

func (b *testbed) user(t testing.TB, email, pass string) storage.User {
	t.Helper()
	hash, err := credential.New(credential.Config{DB: b.DB, Params: cheapHash}).Hash(context.Background(), pass, storage.User{Email: email})
	if err != nil {
		t.Fatalf("hash password: %v", err)
	}
	user, err := b.DB.CreateUser(context.Background(), storage.User{
		Email: email, EmailVerified: true, Name: "Alice Liddell", GivenName: "Alice", FamilyName: "Liddell",
		Zoneinfo: "Europe/London", Roles: []string{"reader"},
	}, hash, storage.By{At: b.now()})
	if err != nil {
		t.Fatalf("create user: %v", err)
	}
	return user
}

// register makes a client of a type with its defaults; a client that has a
// secret gets one.
func (b *testbed) register(t testing.TB, kind storage.ClientType, id string, redirectURIs ...string) (storage.Client, string) {
	t.Helper()
	return b.registerWith(t, kind, id, func(c *storage.Client) { c.Metadata.RedirectURIs = redirectURIs })
}

func (b *testbed) registerWith(t testing.TB, kind storage.ClientType, id string, change func(*storage.Client)) (storage.Client, string) {
	t.Helper()
	client := directory.NewClient(kind, id, "App "+id)
	change(&client)
	secret := ""
	if !client.Public() {
		secret = rand.Text()
		sum := sha256.Sum256([]byte(secret))
		client.Secrets[0] = storage.ClientSecret{Hash: hex.EncodeToString(sum[:])}
	}
	if err := b.DB.CreateClient(context.Background(), client, storage.By{At: b.now()}); err != nil {
		t.Fatalf("create client: %v", err)
	}
	return client, secret
}

// follow makes the provider notice what changed in the database, as its owner
// does once a second.
func (b *testbed) follow(t testing.TB) {
	t.Helper()
	if err := b.FollowOnce(context.Background(), b.now()); err != nil {
		t.Fatalf("follow: %v", err)
	}
}

// verifier is the code verifier of every test; challenge is its S256 challenge.
const verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"

func challenge() string {
	sum := sha256.Sum256([]byte(verifier))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// params are those of a good authorization request, changed by pairs of name and
// value; an empty value removes the parameter.
func (b *testbed) params(pairs ...string) url.Values {
	v := url.Values{
		"response_type": {"code"}, "client_id": {b.Client.ID}, "redirect_uri": {b.Client.Metadata.RedirectURIs[0]},
		"scope": {"openid email"}, "state": {"st&te"}, "nonce": {"n-0S6_WzA2Mj"},
		"code_challenge": {challenge()}, "code_challenge_method": {"S256"},
	}
	for i := 0; i < len(pairs); i += 2 {
		v.Set(pairs[i], pairs[i+1])
		if pairs[i+1] == "" {
			v.Del(pairs[i])
		}
	}
	return v
}

func (b *testbed) authorizeURL(pairs ...string) string {
	return b.Issuer + "/authorize?" + b.params(pairs...).Encode()
}

// answer is an HTTP answer with its body read.
type answer struct {
	*http.Response
	Body string
}

// json decodes the body; numbers stay as they were written.
func (a answer) json(t *testing.T) map[string]any {
	t.Helper()
	var m map[string]any
	decoder := json.NewDecoder(strings.NewReader(a.Body))
	decoder.UseNumber()
	if err := decoder.Decode(&m); err != nil {
		t.Fatalf("body is not JSON: %v\n%s", err, a.Body)
	}
	return m
}

var direct = &http.Client{
	Transport:     proxy{},
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}

// proxy ends TLS in front of a provider whose issuer is https: the browser's side
// of it sees that name, the provider's side plain HTTP.
type proxy struct{}

// proxied says which server stands behind the host of an issuer.
var proxied sync.Map

func (proxy) RoundTrip(r *http.Request) (*http.Response, error) {
	if server, ok := proxied.Load(r.URL.Host); ok && r.URL.Scheme == "https" {
		r = r.Clone(r.Context())
		if r.Host == "" {
			r.Host = r.URL.Host
		}
		r.URL.Scheme, r.URL.Host = "http", server.(string)
	}
	return http.DefaultTransport.RoundTrip(r)
}

func do(t *testing.T, client *http.Client, r *http.Request) answer {
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
	return answer{response, string(body)}
}

// tokenRequest posts to /token; the client authenticates by Basic if it has a secret.
func (b *testbed) tokenRequest(t *testing.T, form url.Values, change ...func(*http.Request)) answer {
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
	return do(t, direct, r)
}

func (b *testbed) codeForm(code string, pairs ...string) url.Values {
	v := url.Values{
		"grant_type": {"authorization_code"}, "code": {code},
		"redirect_uri": {b.Client.Metadata.RedirectURIs[0]}, "code_verifier": {verifier},
	}
	for i := 0; i < len(pairs); i += 2 {
		v.Set(pairs[i], pairs[i+1])
		if pairs[i+1] == "" {
			v.Del(pairs[i])
		}
	}
	return v
}

// redeem exchanges a code and wants it to work.
func (b *testbed) redeem(t *testing.T, code string) map[string]any {
	t.Helper()
	a := b.tokenRequest(t, b.codeForm(code))
	if a.StatusCode != http.StatusOK {
		t.Fatalf("redeem: status %d: %s", a.StatusCode, a.Body)
	}
	return a.json(t)
}

// refuseCode wants an exchange to fail with this error.
func (b *testbed) refuseCode(t *testing.T, code, wantError string, pairs ...string) {
	t.Helper()
	wantOAuthError(t, b.tokenRequest(t, b.codeForm(code, pairs...)), http.StatusBadRequest, wantError)
}

func wantOAuthError(t *testing.T, a answer, status int, code string) {
	t.Helper()
	if a.StatusCode != status {
		t.Fatalf("status: got %d, want %d: %s", a.StatusCode, status, a.Body)
	}
	if got := a.json(t)["error"]; got != code {
		t.Fatalf("error: got %v, want %s: %s", got, code, a.Body)
	}
}

func (b *testbed) userinfo(t *testing.T, token string) answer {
	t.Helper()
	r, err := http.NewRequest(http.MethodGet, b.Issuer+"/userinfo", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+token)
	return do(t, direct, r)
}

func (b *testbed) wantUserinfo(t *testing.T, token string, status int) {
	t.Helper()
	if a := b.userinfo(t, token); a.StatusCode != status {
		t.Fatalf("userinfo: got %d, want %d: %s", a.StatusCode, status, a.Body)
	}
}

// wantEvent wants an event of this type about a grant, a session or a user.
func (b *testbed) wantEvent(t *testing.T, kind storage.EventType, about any) storage.Event {
	t.Helper()
	for _, e := range b.events(t) {
		if e.Type == kind && (e.GrantID == about || e.SessionID == about || e.UserID == about) {
			return e
		}
	}
	t.Fatalf("no event %s about %v", kind, about)
	return storage.Event{}
}

func (b *testbed) events(t *testing.T) []storage.Event {
	t.Helper()
	events, err := b.DB.Events(context.Background(), storage.EventFilter{}, 1000)
	if err != nil {
		t.Fatal(err)
	}
	return events
}

// claimsOf decodes the payload of a JWT without checking it.
func claimsOf(t *testing.T, token any) map[string]any {
	t.Helper()
	return part(t, token, 1)
}

func headerOf(t *testing.T, token any) map[string]any {
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
	return answer{Body: string(raw)}.json(t)
}

// race runs f n times at once.
func race(n int, f func(i int)) {
	var wg sync.WaitGroup
	gate := make(chan struct{})
	for i := range n {
		wg.Go(func() { <-gate; f(i) })
	}
	close(gate)
	wg.Wait()
}

// logBuffer keeps what the provider logs, for tests that search it.
type logBuffer struct {
	mu sync.Mutex
	b  strings.Builder
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
