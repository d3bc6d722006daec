package parties_test

import (
	"context"
	"encoding/json"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"signet/cmd/signet/signettest"
)

// TestKubernetes_APIServerAcceptsTokens follows docs/kubernetes.md: the client, the configuration
// of the API server and the arguments of kubelogin are those of the page. The API server is its own
// code, which is slow to build; kubelogin's requests are sent by the two libraries that it uses.
func TestKubernetes_APIServerAcceptsTokens(t *testing.T) {
	if !signettest.InSoak() {
		return
	}
	program := buildParty(t, "./apiserver")
	k := startKubernetes(t, program)
	k.Command(t, "", nil, "user", "update", k.Email, "--group", "kubernetes-admins", "--json")
	var user struct {
		Sub string `json:"sub"`
	}
	k.Command(t, "", &user, "user", "show", k.Email, "--json")
	alice := authenticated{Username: "signet:" + k.Email, Groups: []string{"signet:kubernetes-admins"}}

	k.behind.Store(int64(time.Hour))
	expired := k.signIn(t)
	k.behind.Store(0)
	k.wantRefusal(t, "an expired token", expired.id, "token is expired")

	tokens := k.signIn(t)
	k.wantUser(t, "the ID token", tokens.id, alice)
	refreshed, err := k.config.TokenSource(k.ctx, &oauth2.Token{RefreshToken: tokens.RefreshToken}).Token()
	if err != nil {
		t.Fatal(err)
	}
	k.wantUser(t, "the ID token of a refresh", idTokenOf(t, refreshed), alice)
	k.wantRefusal(t, "the access token", tokens.AccessToken, "audience")
	k.wantRefusal(t, "a changed token", changeSignature(tokens.id), "failed to verify")

	k.Command(t, "", nil, "client", "create", "--id", "other", "--name", "Other", "--type", "native", "--redirect-uri", "http://localhost", "--json")
	mine := k.config.ClientID
	k.config.ClientID = "other"
	signettest.Eventually(t, 10*time.Second, "the server knows the other client", func() bool {
		answer, err := k.browser.Client.Get(k.config.AuthCodeURL("", oauth2.S256ChallengeOption(oauth2.GenerateVerifier())))
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		return answer.StatusCode == http.StatusOK
	})
	k.wantRefusal(t, "a token for another client", k.signIn(t).id, "audience")
	k.config.ClientID = mine

	stranger := startKubernetes(t, program)
	k.wantRefusal(t, "a token of another issuer", stranger.signIn(t).id, "no known issuer")

	// The same process of the API server follows the keys.
	before := k.Kid(t, "ES256", "active")
	k.Rotate(t)
	if k.Kid(t, "ES256", "active") == before {
		t.Error("the rotation did not change the key for ES256")
	}
	k.wantUser(t, "a token by the next key", k.signIn(t).id, alice)
	k.wantUser(t, "a token by the previous key", tokens.id, alice)

	// Without the claims parameter, which no device can send, the name is the subject.
	k.restartAPIServer(t, "configuration of devices")
	k.wantUser(t, "the ID token of a device", k.signInAtDevice(t), authenticated{Username: "signet:" + user.Sub})
}

// authenticated is the answer of the API server to a token.
type authenticated struct {
	Username string
	Groups   []string
	Error    string
}

// kubernetes is an installation behind TLS, since the API server requires https, and an API server.
type kubernetes struct {
	*signettest.Instance
	front   *httptest.Server // its address is the issuer
	behind  *atomic.Int64    // how far the server's clock is behind
	program string           // the API server
	api     *signettest.LineProcess
	browser *signettest.FormBrowser
	config  oauth2.Config
	ctx     context.Context // with the HTTP client that trusts the front
	request url.Values      // more parameters of kubelogin's requests
}

type kubernetesTokens struct {
	*oauth2.Token
	id string
}

func startKubernetes(t *testing.T, program string) *kubernetes {
	t.Helper()
	k := &kubernetes{Instance: signettest.NewInstance(t), behind: &atomic.Int64{}, program: program}
	k.front = startTLSFront(t, k.Issuer)
	k.Env = append(k.Env, "SIGNET_ISSUER="+k.front.URL)
	k.Env = append(k.Env, signettest.Soon...)

	create := strings.Fields(strings.ReplaceAll(signettest.Block(t, "docs/kubernetes.md", "## Sign in to the API server", "console"), "\\\n", " "))
	k.Command(t, "", nil, append(create[2:], "--json")...) // without "$ signet"
	signettest.StartSignetAt(t, func() time.Time { return time.Now().Add(-time.Duration(k.behind.Load())) }, k.Issuer, k.Env, "serve")

	k.browser = signettest.NewFormBrowser(t)
	k.browser.Client.Transport = k.front.Client().Transport
	k.ctx = oidc.ClientContext(t.Context(), k.front.Client())
	provider, err := oidc.NewProvider(k.ctx, k.front.URL)
	if err != nil {
		t.Fatal(err)
	}
	k.config = oauth2.Config{Endpoint: provider.Endpoint(), RedirectURL: "http://localhost:8000", Scopes: []string{oidc.ScopeOpenID}}
	k.readKubelogin(t)
	k.restartAPIServer(t, "configuration")
	return k
}

// readKubelogin reads the arguments of kubelogin from the page.
func (k *kubernetes) readKubelogin(t *testing.T) {
	t.Helper()
	k.request = url.Values{"access_type": {"offline"}} // kubelogin always sends it
	k.config.Scopes = []string{oidc.ScopeOpenID}
	for _, argument := range regexp.MustCompile(`--exec-arg='?(--[^\s']+)`).FindAllStringSubmatch(signettest.Block(t, "docs/kubernetes.md", "### kubectl", "console"), -1) {
		name, value, _ := strings.Cut(argument[1], "=")
		switch name {
		case "--oidc-issuer-url":
			if value != documentedIssuer {
				t.Errorf("the issuer of kubelogin is %s", value)
			}
		case "--oidc-client-id":
			k.config.ClientID = value
		case "--oidc-extra-scope":
			k.config.Scopes = append(k.config.Scopes, value)
		case "--oidc-auth-request-extra-params":
			key, parameter, _ := strings.Cut(value, "=")
			k.request.Set(key, parameter)
		default:
			t.Errorf("the test does not know kubelogin's %s", name)
		}
	}
}

const documentedIssuer = "https://id.example.com"

// restartAPIServer starts the API server with a configuration of the page, and adds the
// certificate of the front.
func (k *kubernetes) restartAPIServer(t *testing.T, name string) {
	t.Helper()
	headings := map[string]string{"configuration": "## Sign in to the API server", "configuration of devices": "### Without a browser"}
	text := signettest.Block(t, "docs/kubernetes.md", headings[name], "yaml")
	certificate := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: k.front.Certificate().Raw}))
	authority := "url: " + k.front.URL + "\n      certificateAuthority: |\n        " + strings.ReplaceAll(certificate, "\n", "\n        ")
	if text = strings.Replace(text, "url: "+documentedIssuer, authority, 1); !strings.Contains(text, k.front.URL) {
		t.Fatalf("the %s names no issuer: %s", name, text)
	}
	file := filepath.Join(t.TempDir(), "authentication.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	k.api = signettest.StartLines(t, ".", k.program, file)
}

// signIn signs in as kubelogin does with a browser, and redeems the code.
func (k *kubernetes) signIn(t *testing.T) kubernetesTokens {
	t.Helper()
	verifier := oauth2.GenerateVerifier()
	parameters := []oauth2.AuthCodeOption{oidc.Nonce("a nonce"), oauth2.S256ChallengeOption(verifier)}
	for name := range k.request {
		parameters = append(parameters, oauth2.SetAuthURLParam(name, k.request.Get(name)))
	}
	b := signettest.NewFormBrowser(t)
	b.Client.Transport = k.front.Client().Transport
	b.Open(k.config.AuthCodeURL("a state", parameters...))
	b.Send("login", "", map[string]string{"username": k.Email, "password": k.Password})
	if b.Left == nil {
		b.Send("consent", "allow", nil)
	}
	tokens, err := k.config.Exchange(k.ctx, b.Left.Query().Get("code"), oauth2.VerifierOption(verifier))
	if err != nil {
		t.Fatalf("after %s: %v", b.Left, err)
	}
	return kubernetesTokens{tokens, idTokenOf(t, tokens)}
}

// signInAtDevice signs in as kubelogin does with --grant-type=device-code.
func (k *kubernetes) signInAtDevice(t *testing.T) (idToken string) {
	t.Helper()
	waiting, err := k.config.DeviceAuth(k.ctx)
	if err != nil {
		t.Fatal(err)
	}
	b := signettest.NewFormBrowser(t)
	b.Client.Transport = k.front.Client().Transport
	b.Visit(waiting.VerificationURI)
	b.Send("login", "", map[string]string{"username": k.Email, "password": k.Password})
	b.Send("device", "", map[string]string{"user_code": waiting.UserCode})
	b.Click("allow")
	waiting.Interval = 1 // the library waits before its first poll
	tokens, err := k.config.DeviceAccessToken(k.ctx, waiting)
	if err != nil {
		t.Fatal(err)
	}
	return idTokenOf(t, tokens)
}

func idTokenOf(t *testing.T, tokens *oauth2.Token) string {
	t.Helper()
	raw, _ := tokens.Extra("id_token").(string)
	if raw == "" {
		t.Fatal("the answer has no ID token")
	}
	return raw
}

// changeSignature changes a character in the middle of the signature.
func changeSignature(token string) string {
	at := strings.LastIndex(token, ".") + 20
	other := "A"
	if token[at] == 'A' {
		other = "B"
	}
	return token[:at] + other + token[at+1:]
}

func (k *kubernetes) authenticate(t *testing.T, token string) (said authenticated) {
	t.Helper()
	if line := k.api.Check(token); json.Unmarshal([]byte(line), &said) != nil {
		t.Fatalf("the API server says %q", line)
	}
	return said
}

func (k *kubernetes) wantUser(t *testing.T, what, token string, want authenticated) {
	t.Helper()
	if got := k.authenticate(t, token); !reflect.DeepEqual(got, want) {
		t.Errorf("%s: the API server sees %+v, want %+v", what, got, want)
	}
}

func (k *kubernetes) wantRefusal(t *testing.T, what, token, reason string) {
	t.Helper()
	if got := k.authenticate(t, token); got.Username != "" || !strings.Contains(got.Error, reason) {
		t.Errorf("%s: the API server says %+v, want the error %q", what, got, reason)
	}
}
