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
	"signet/provider/mail/mailtest"
	"signet/storage"
	"signet/storage/storagetest"
)

// Alice is the email address of the testbed's user and Password her password. Callback is the
// redirect URI of the testbed's client.
const (
	Alice    = "alice@example.com"
	Password = "correct horse battery"
	Callback = "https://app.example.com/callback?from=signet"
)

// CheapHash makes argon2id fast.
var CheapHash = credential.Params{Memory: 64, Time: 1, Threads: 1}

// Testbed is a provider behind a real HTTP server on a real database. It has a clock that the
// test moves, the user Alice and one web client.
type Testbed struct {
	*provider.Provider
	DB     *storage.DB
	Issuer string
	Client storage.Client
	Secret string // of Client; "" for a public client
	Alice  storage.User
	Log    *LogBuffer

	Backend storagetest.Backend
	mailbox *mailtest.Server // nil: it sends no mails, or not to a server of the test
	*Clock
}

// Clock is the clock of all nodes of a testbed: the real time plus Moved.
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

// OnSQLite runs the test on SQLite only, for behavior that does not depend on the database,
// such as parsing of requests and the format of answers.
func OnSQLite(t *testing.T, f func(t *testing.T, b *Testbed), options ...Option) {
	t.Helper()
	f(t, StartOn(t, storagetest.SQLite(t), options...))
}

// StartOn starts a testbed on this database.
func StartOn(t testing.TB, backend storagetest.Backend, options ...Option) *Testbed {
	t.Helper()
	return start(t, &Testbed{DB: backend.Open(t), Backend: backend}, options...)
}

// Option changes the configuration before the provider is made.
type Option func(*provider.Config)

// WithIssuer sets the issuer, as for a provider behind a proxy. Direct and Visitors send
// requests for an https issuer to the testbed; see Proxy.
func WithIssuer(issuer string) Option { return func(c *provider.Config) { c.Issuer = issuer } }

// WithIssuerPath appends a path to the issuer.
func WithIssuerPath(path string) Option { return func(c *provider.Config) { c.Issuer += path } }

// Start starts a testbed on an open database.
func Start(t testing.TB, db *storage.DB, options ...Option) *Testbed {
	t.Helper()
	return start(t, &Testbed{DB: db}, options...)
}

func start(t testing.TB, b *Testbed, options ...Option) *Testbed {
	t.Helper()
	b.Log, b.Clock = &LogBuffer{}, &Clock{}
	b.insertFirstKeys(t)
	b.Alice = b.User(t, Alice, Password)
	b.Client, b.Secret = b.Register(t, storage.Web, "app", Callback)
	b.Serve(t, options...)
	return b
}

// Serve starts a provider on the testbed's database and stores it in b. Call it on a copy of
// a Testbed to start a second node; see Node.
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
	if !config.SendsMails() && b.Backend.Name != "" { // an instance has one answer to this
		b.DB = b.Backend.WithoutMails().Open(t)
	}
	b.mailbox = mailboxOf(config)
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

// firstKeys are the signing keys of the first testbed. All later testbeds get the same keys,
// since making RSA keys takes most of the time of a start.
var firstKeys []storage.Key

func (b *Testbed) insertFirstKeys(t testing.TB) {
	t.Helper()
	if _, err := b.DB.StartKeyLines(context.Background(), firstKeys, storage.By{At: b.Now()}); err != nil {
		t.Fatalf("insert keys: %v", err)
	}
}

// Now returns the time of the testbed.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Now().Add(c.Moved)
}

// Advance moves the clock forward by d.
func (c *Clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.Moved += d
}

// AsClient returns a copy of b with this Client and Secret.
func (b *Testbed) AsClient(client storage.Client, secret string) *Testbed {
	other := *b
	other.Client, other.Secret = client, secret
	return &other
}

// Node starts another provider on the same database with the same issuer, and returns a
// Testbed that sends its requests to this second provider.
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

// User creates a user with this password and a verified email address.
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

// Register registers a client of this type with the defaults of the type. It returns the
// client's secret, "" for a client without one. It applies no rule but that of the sector.
func (b *Testbed) Register(t testing.TB, kind storage.ClientType, id string, redirectURIs ...string) (storage.Client, string) {
	t.Helper()
	return b.RegisterWith(t, kind, id, func(c *storage.Client) { c.Metadata.RedirectURIs = redirectURIs })
}

// RegisterWith is Register with a change of the client before it is stored.
func (b *Testbed) RegisterWith(t testing.TB, kind storage.ClientType, id string, change func(*storage.Client)) (storage.Client, string) {
	t.Helper()
	client := directory.NewClient(kind, id, "App "+id)
	change(&client)
	sector, err := directory.SectorOf(client)
	if err != nil {
		t.Fatal(err)
	}
	client.Sector = sector
	secret := ""
	if client.HasSecret() {
		secret = rand.Text()
		client.Secrets[0] = storage.ClientSecret{Hash: storage.SecretHash(secret)}
	}
	if err := b.DB.CreateClient(context.Background(), client, storage.By{At: b.Now()}); err != nil {
		t.Fatalf("create client: %v", err)
	}
	return client, secret
}

// Follow makes the provider read changes from the database, as a running server does once a
// second.
func (b *Testbed) Follow(t testing.TB) {
	t.Helper()
	if err := b.FollowOnce(context.Background(), b.Now()); err != nil {
		t.Fatalf("follow: %v", err)
	}
}

// Verifier is the PKCE code verifier of every test.
const Verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"

// Challenge is the S256 challenge of Verifier (RFC 7636).
func Challenge() string {
	sum := sha256.Sum256([]byte(Verifier))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// Params returns the parameters of a valid authorization request of the testbed's client.
// pairs of name and value change them; an empty value removes the parameter.
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

// AuthorizeURL returns the URL of an authorization request; see Params.
func (b *Testbed) AuthorizeURL(pairs ...string) string {
	return b.Issuer + "/authorize?" + b.Params(pairs...).Encode()
}

// Answer is an HTTP answer with its body read.
type Answer struct {
	*http.Response
	Body string
}

// JSON decodes the body. Numbers are json.Number, in the spelling of the body.
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

// Direct is an HTTP client without cookies. It follows no redirects.
var Direct = &http.Client{
	Transport:     Proxy{},
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}

// Proxy is a transport that plays a TLS proxy. It sends requests for an https issuer to the
// testbed's server over plain HTTP and leaves other requests alone.
type Proxy struct{}

// Proxied maps the host of an https issuer to the address of its server.
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
	return readAnswer(t, response)
}

func readAnswer(t testing.TB, response *http.Response) Answer {
	t.Helper()
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatalf("read body: %v", err)
	}
	return Answer{response, string(body)}
}

// TokenRequest posts a form to /token as the testbed's client, which authenticates by Basic
// if it has a secret.
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

// CodeForm returns the form that redeems a code. pairs change it as in Params.
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

// Redeem redeems a code and returns the token response.
func (b *Testbed) Redeem(t *testing.T, code string) map[string]any {
	t.Helper()
	a := b.TokenRequest(t, b.CodeForm(code))
	if a.StatusCode != http.StatusOK {
		t.Fatalf("redeem: status %d: %s", a.StatusCode, a.Body)
	}
	return a.JSON(t)
}

// RefuseCode redeems a code and fails the test unless the answer is this OAuth error.
func (b *Testbed) RefuseCode(t *testing.T, code, wantError string, pairs ...string) {
	t.Helper()
	WantOAuthError(t, b.TokenRequest(t, b.CodeForm(code, pairs...)), http.StatusBadRequest, wantError)
}

// WantOAuthError fails the test unless the answer is a JSON error with this status and code
// (RFC 6749, section 5.2).
func WantOAuthError(t *testing.T, a Answer, status int, code string) {
	t.Helper()
	if a.StatusCode != status {
		t.Fatalf("status: got %d, want %d: %s", a.StatusCode, status, a.Body)
	}
	if got := a.JSON(t)["error"]; got != code {
		t.Fatalf("error: got %v, want %s: %s", got, code, a.Body)
	}
}

// Userinfo sends an access token to the userinfo endpoint.
func (b *Testbed) Userinfo(t *testing.T, token string) Answer {
	t.Helper()
	r, err := http.NewRequest(http.MethodGet, b.Issuer+"/userinfo", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+token)
	return Do(t, Direct, r)
}

// WantUserinfo fails the test unless userinfo answers the access token with this status.
func (b *Testbed) WantUserinfo(t *testing.T, token string, status int) {
	t.Helper()
	if a := b.Userinfo(t, token); a.StatusCode != status {
		t.Fatalf("userinfo: got %d, want %d: %s", a.StatusCode, status, a.Body)
	}
}

// WantEvent returns the newest event of this type about the grant, session, user or client
// with the id about. It fails the test if there is none.
func (b *Testbed) WantEvent(t *testing.T, kind storage.EventType, about any) storage.Event {
	t.Helper()
	for _, e := range b.Events(t) {
		if e.Type == kind && (e.GrantID == about || e.SessionID == about || e.UserID == about || e.ClientID == about) {
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

// Race runs f in n goroutines that start at the same moment, and waits for all.
func Race(n int, f func(i int)) {
	var wg sync.WaitGroup
	gate := make(chan struct{})
	for i := range n {
		wg.Go(func() { <-gate; f(i) })
	}
	close(gate)
	wg.Wait()
}

// LogBuffer stores the log of the provider, so that tests can search it.
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
