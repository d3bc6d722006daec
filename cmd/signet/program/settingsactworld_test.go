package program_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/oauth2"

	"signet/cmd/signet/program"
	"signet/cmd/signet/signettest"
	"signet/storage"
)

// installTemplate is an installation with keys, a user and clients. Each value of a setting is tested
// on a copy of it.
type installTemplate struct {
	files       map[string][]byte
	app, asking signettest.CreatedClient
}

func newInstallTemplate(t *testing.T) installTemplate {
	t.Helper()
	i := signettest.NewInstance(t)
	served := runServe(t, append(i.Env, "SIGNET_LISTEN=127.0.0.1:0"), "") // creates the keys
	if served.address == "" {
		t.Fatalf("the first start: %s", served.output)
	}
	h := installTemplate{files: map[string][]byte{}}
	h.app = i.CreateClient(t, "--redirect-uri", signettest.Nowhere, "--skip-consent", "--grant-type", "authorization_code", "--grant-type", "refresh_token", "--grant-type", storage.GrantDevice, "--id-token-signed-response-alg", "ES256")
	h.asking = i.CreateClient(t, "--redirect-uri", signettest.Nowhere)
	for _, id := range []string{"one", "two"} {
		i.CreateClient(t, "--id", id, "--type", "spa", "--redirect-uri", signettest.Nowhere, "--first-party")
	}
	i.Command(t, "", nil, "user", "admin", i.Email, "--json")
	served.stop()
	for _, name := range []string{"signet.db", "master.key"} {
		content, err := os.ReadFile(filepath.Join(i.DataDir(t), name))
		if err != nil {
			t.Fatal(err)
		}
		h.files[name] = content
	}
	return h
}

// world is a copy of the installation with one value of a setting and its own clock.
type world struct {
	*signettest.Instance
	t        *testing.T
	template installTemplate
	dir      string
	ahead    atomic.Int64 // of the real clock
	browser  *signettest.FormBrowser
}

// world creates a copy with the settings, each as NAME=value.
func (h installTemplate) world(t *testing.T, settings ...string) *world {
	t.Helper()
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "data"), 0o700); err != nil {
		t.Fatal(err)
	}
	for name, content := range h.files {
		if err := os.WriteFile(filepath.Join(dir, "data", name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	listen := fmt.Sprintf("127.0.0.1:%d", signettest.FreePort(t))
	w := &world{t: t, template: h, dir: dir, browser: signettest.NewFormBrowser(t), Instance: &signettest.Instance{
		Issuer: "http://" + listen, Email: "alice@example.com", Password: "correct horse battery staple",
		Env: append([]string{"SIGNET_ISSUER=http://" + listen, "SIGNET_LISTEN=" + listen, "SIGNET_DATA_DIR=" + filepath.Join(dir, "data")}, settings...),
	}}
	return w
}

func (w *world) now() time.Time { return time.Now().Add(time.Duration(w.ahead.Load())) }

func (w *world) later(d time.Duration) { w.ahead.Add(int64(d)) }

// serve starts the server.
func (w *world) serve() *world {
	w.t.Helper()
	signettest.StartSignetAt(w.t, w.now, w.Issuer, w.Env, "serve")
	return w
}

// starts starts the server and returns how it ends.
func (w *world) starts() string {
	w.t.Helper()
	served := runServe(w.t, w.Env, "")
	served.stop()
	return fmt.Sprintf("exit code %d, listening: %v", served.code, served.address != "")
}

// command runs a command and returns its exit code and output.
func (w *world) command(stdin string, args ...string) (code int, printed string) {
	w.t.Helper()
	var out bytes.Buffer
	surroundings := signettest.Surroundings(w.Env, stdin, &out, io.Discard)
	surroundings.Now = w.now
	code = program.Run(w.t.Context(), surroundings, args)
	return code, out.String()
}

// document returns a member of a JSON document.
func (w *world) document(path, member string) string {
	w.t.Helper()
	_, body := signettest.Get(w.t, w.Issuer+path)
	var read map[string]any
	if err := json.Unmarshal([]byte(body), &read); err != nil {
		w.t.Fatal(err)
	}
	return fmt.Sprint(read[member])
}

// send sends a request and returns the answer with its body.
func (w *world) send(method, path, body string, header ...string) (*http.Response, string) {
	w.t.Helper()
	request, err := http.NewRequestWithContext(w.t.Context(), method, w.Issuer+path, strings.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		request.Header.Set(header[i], header[i+1])
	}
	answer, err := http.DefaultTransport.RoundTrip(request)
	if err != nil {
		w.t.Fatal(err)
	}
	defer answer.Body.Close()
	content, err := io.ReadAll(answer.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	return answer, string(content)
}

// appLogin signs in like a first-party app.
func (w *world) appLogin(name, password string) (*http.Response, map[string]*http.Cookie) {
	w.t.Helper()
	answer, _ := w.send("POST", "/login", fmt.Sprintf(`{"username":%q,"password":%q}`, name, password), "Content-Type", "application/json", "Origin", w.Issuer)
	cookies := map[string]*http.Cookie{}
	for _, cookie := range answer.Cookies() {
		cookies[cookie.Name] = cookie
	}
	return answer, cookies
}

// authorizeURL returns the URL of an authorization request of a client.
func (w *world) authorizeURL(client signettest.CreatedClient, scope string) string {
	return w.Issuer + "/authorize?" + url.Values{
		"client_id": {client.ID}, "redirect_uri": {signettest.Nowhere}, "response_type": {"code"}, "scope": {scope},
		"code_challenge": {oauth2.S256ChallengeFromVerifier(signettest.CodeVerifier)}, "code_challenge_method": {"S256"},
	}.Encode()
}

// signIn signs in on the page and returns the code; "" if another page follows.
func (w *world) signIn(client signettest.CreatedClient, scope string) string {
	w.t.Helper()
	w.browser.Left = nil
	w.browser.Open(w.authorizeURL(client, scope))
	if w.browser.Left == nil && signettest.FindByID(w.browser.Page, "login") != nil {
		w.browser.Send("login", "", map[string]string{"username": w.Email, "password": w.Password})
	}
	if w.browser.Left == nil {
		return ""
	}
	return w.browser.Left.Query().Get("code")
}

// issued is an answer of the token endpoint.
type issued struct {
	Refresh string `json:"refresh_token"`
	Error   string `json:"error"`
	Life    int    `json:"expires_in"`
	ID      string `json:"id_token"`
}

// outcome returns the error of the answer for comparison; it is empty if there is none.
func (i issued) outcome() string { return "error: " + i.Error }

func (w *world) token(form url.Values) issued {
	w.t.Helper()
	form.Set("client_id", w.template.app.ID)
	form.Set("client_secret", w.template.app.Secret)
	_, body := w.send("POST", "/token", form.Encode(), "Content-Type", "application/x-www-form-urlencoded")
	var got issued
	if err := json.Unmarshal([]byte(body), &got); err != nil {
		w.t.Fatal(err)
	}
	return got
}

func (w *world) redeem(code string) issued {
	w.t.Helper()
	return w.token(url.Values{"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {signettest.Nowhere}, "code_verifier": {signettest.CodeVerifier}})
}

func (w *world) refresh(token string) issued {
	w.t.Helper()
	return w.token(url.Values{"grant_type": {"refresh_token"}, "refresh_token": {token}})
}

// claims returns the claims of a token without verifying it.
func claims(t *testing.T, token string) map[string]any {
	t.Helper()
	read := map[string]any{}
	if parts := strings.Split(token, "."); len(parts) == 3 {
		if err := json.Unmarshal(decoded(t, parts[1]), &read); err != nil {
			t.Fatal(err)
		}
	}
	return read
}
