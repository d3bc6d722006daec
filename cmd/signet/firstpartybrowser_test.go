package main

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

const example = "../../examples/react-app"

// appSite is the example as it runs in production: one origin with the built app, its
// API, and Signet below /auth.
type appSite struct {
	*instance
	origin string

	mu     sync.Mutex
	calls  map[string]int // by method and path
	leaked []string       // paths whose answer had a token in its body
	cut    string         // the path whose next answer is lost on its way
}

// startApp builds the example and starts all of it, the access token good for so long.
func startApp(t *testing.T, access string, more ...string) *appSite {
	t.Helper()
	dist := buildExample(t)
	front, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	i := newInstance(t)
	behind := i.issuer
	s := &appSite{instance: i, origin: fmt.Sprintf("http://localhost:%d", front.Addr().(*net.TCPAddr).Port), calls: map[string]int{}}
	i.issuer = s.origin + "/auth"
	i.env = append(i.env, append(more, "SIGNET_ISSUER="+i.issuer, "SIGNET_LIFETIMES_ACCESS="+access)...)
	i.createClient(t, "--id", "app", "--type", "spa", "--first-party", "--redirect-uri", s.origin+"/")

	mux := http.NewServeMux()
	mux.Handle("/auth/", s.pass(behind))
	mux.Handle("/api/", s.pass(startAPI(t, i.issuer, "go")))
	mux.HandleFunc("/assets/", http.FileServer(http.Dir(dist)).ServeHTTP)
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { http.ServeFile(w, r, filepath.Join(dist, "index.html")) })
	server := &httptest.Server{Listener: front, Config: &http.Server{Handler: mux}}
	server.Start()
	t.Cleanup(server.Close)
	i.serve(t)
	return s
}

var builtExample = sync.OnceValues(func() (string, error) {
	dist, err := filepath.Abs(example + "/dist")
	if err != nil {
		return "", err
	}
	build := exec.Command("npm", "run", "build", "--silent")
	build.Dir = example
	if said, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w: make test installs what it needs\n%s", err, said)
	}
	return dist, nil
})

func buildExample(t *testing.T) string {
	t.Helper()
	dist, err := builtExample()
	if err != nil {
		t.Fatal(err)
	}
	return dist
}

// pass hands on to a server behind, Host and all; it counts, looks for tokens, and
// loses an answer where it is told to.
func (s *appSite) pass(to string) http.Handler {
	target, _ := url.Parse(to)
	return &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(target)
			r.Out.Host = r.In.Host
			r.Out.Header.Del("Accept-Encoding") // the answer is read here
			s.count(r.In)
		},
		ModifyResponse: s.look,
		ErrorHandler:   func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) },
	}
}

func (s *appSite) count(r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls[r.Method+" "+r.URL.Path]++
}

func (s *appSite) look(r *http.Response) error {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return err
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	s.mu.Lock()
	defer s.mu.Unlock()
	if bytes.Contains(body, []byte("eyJ")) && !strings.Contains(r.Header.Get("Content-Type"), "text/html") {
		s.leaked = append(s.leaked, r.Request.URL.Path) // a page holds its sealed request, which is no token
	}
	if s.cut != "" && r.Request.URL.Path == s.cut {
		s.cut = ""
		return fmt.Errorf("the answer of %s is lost", r.Request.URL.Path)
	}
	return nil
}

// control lets the browser program read and clear the counts, and lose an answer.
func (s *appSite) control(t *testing.T) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		defer s.mu.Unlock()
		if err := json.NewEncoder(w).Encode(s.calls); err != nil {
			t.Error(err)
		}
		s.calls, s.cut = map[string]int{}, r.FormValue("cut")
	}))
	t.Cleanup(server.Close)
	return server.URL
}

var builtAPI = sync.OnceValues(func() (string, error) {
	program, err := filepath.Abs(example + "/api/api")
	if err != nil {
		return "", err
	}
	if said, err := exec.Command("go", "build", "-o", program, example+"/api").CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w: %s", err, said)
	}
	return program, nil
})

// startAPI starts the API of the example, in Go or in Node.
func startAPI(t *testing.T, issuer, language string) string {
	t.Helper()
	listen := fmt.Sprintf("127.0.0.1:%d", freePort(t))
	command := exec.CommandContext(t.Context(), "node", "api/verify.mjs")
	if language == "go" {
		program, err := builtAPI()
		if err != nil {
			t.Fatal(err)
		}
		command = exec.CommandContext(t.Context(), program)
	}
	command.Dir = example
	command.Env = append(os.Environ(), "ISSUER="+issuer, "AUDIENCE=app", "LISTEN="+listen)
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = command.Wait() }) // it ends with the test's context
	eventually(t, 20*time.Second, "the API in "+language+" answers", func() bool {
		answer, err := http.Get("http://" + listen + "/api/notes")
		if err != nil {
			return false
		}
		answer.Body.Close()
		return answer.StatusCode == http.StatusUnauthorized
	})
	return "http://" + listen
}

// TestFirstParty_ExampleInTheBrowser: two tabs and another browser at the built
// example, its API and Signet on one origin.
func TestFirstParty_ExampleInTheBrowser(t *testing.T) {
	t.Parallel()
	s := startApp(t, "4s")
	var saw struct {
		Public, Out, In, Second, Other, Back, Reloaded, Lost, Killed, Gone string

		First, Refreshes, LostCalls map[string]int
		Readable, Complaints        []string
		Unhidden                    []string // cookies that a script can read
		Loads, Answered             int
	}
	runInBrowser(t, "firstparty.mjs", map[string]any{
		"origin": s.origin, "email": s.email, "password": s.password, "control": s.control(t),
	}, &saw)
	for _, want := range []struct {
		what      string
		got, want any
	}{
		{"the public page", saw.Public, "Notes"},
		{"the protected page for nobody", saw.Out, "Sign in"},
		{"signed in on Signet's page, the app shows", saw.In, s.email},
		{"the second tab shows", saw.Second, s.email},
		{"another browser shows", saw.Other, "Sign in"},
		{"calls to Signet for the first protected page", authCalls(saw.First), 1},
		{"refreshes for two tabs and twenty calls", saw.Refreshes["POST /auth/refresh"], 1},
		{"calls of the API answered in both tabs", saw.Loads, 20},
		{"after going back", saw.Back, s.email},
		{"after a reload", saw.Reloaded, s.email},
		{"refreshes sent when an answer was lost", saw.LostCalls["POST /auth/refresh"] > 1, true},
		{"calls answered after one was lost", saw.Answered, 1},
		{"after a lost answer", saw.Lost, s.email},
		{"after a tab was killed in a refresh", saw.Killed, s.email},
		{"signed out in the other tab, this one shows", saw.Gone, "Sign in"},
		{"what scripts can read", len(saw.Readable) + len(saw.Unhidden), 0},
		{"answers with a token in their body", len(s.leaked), 0},
	} {
		if want.got != want.want {
			t.Errorf("%s: got %v, want %v", want.what, want.got, want.want)
		}
	}
	refuseComplaints(t, slices.DeleteFunc(saw.Complaints, func(c string) bool { // the answer that was lost
		return strings.Contains(c, "net::ERR_")
	}))
	if t.Failed() {
		t.Logf("%+v, leaked %v", saw, s.leaked)
	}
}

func authCalls(calls map[string]int) (n int) {
	for call, times := range calls {
		if strings.Contains(call, " /auth/") {
			n += times
		}
	}
	return n
}

// TestFirstParty_APIsThroughARotation: what the README shows for Go and Node takes the
// cookies of before and after a rotation, without a restart, and no others.
func TestFirstParty_APIsThroughARotation(t *testing.T) {
	t.Parallel()
	i := newInstance(t)
	i.env = append(i.env, soon...)
	i.createClient(t, "--id", "app", "--type", "spa", "--first-party", "--redirect-uri", i.issuer+"/")
	i.serve(t)
	apis := bothAPIs(t, i.issuer)
	before := i.accessCookie(t)
	wantAnswers := func(when string, status int, cookies ...string) {
		t.Helper()
		for language, api := range apis {
			if got := callAPI(t, api, cookies...); got != status {
				t.Errorf("%s, in %s: got %d, want %d", when, language, got, status)
			}
		}
	}
	wantAnswers("before", http.StatusOK, before)
	wantAnswers("another signature", http.StatusUnauthorized, before[:len(before)-8]+"AAAAAAAA")
	i.rotate(t)
	after := i.accessCookie(t)
	if tokenKid(t, after) == tokenKid(t, before) {
		t.Fatal("the keys were not rotated")
	}
	wantAnswers("after, with the new key", http.StatusOK, after)
	wantAnswers("after, with the old key", http.StatusOK, before)
}

func tokenKid(t *testing.T, token string) string {
	t.Helper()
	var header struct {
		KeyID string `json:"kid"`
	}
	plain, err := base64.RawURLEncoding.DecodeString(strings.Split(token, ".")[0])
	if err == nil {
		err = json.Unmarshal(plain, &header)
	}
	if err != nil || header.KeyID == "" {
		t.Fatalf("no key id in %s: %v", plain, err)
	}
	return header.KeyID
}

func (i *instance) accessCookie(t *testing.T) string {
	t.Helper()
	return i.appCookies(t)["access_token"]
}

// appCookies signs in as the app does, and gives the cookies that are set.
func (i *instance) appCookies(t *testing.T) map[string]string {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, i.issuer+"/login", strings.NewReader(fmt.Sprintf(`{"username":%q,"password":%q}`, i.email, i.password)))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Origin", strings.TrimSuffix(i.issuer, "/auth"))
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	set := map[string]string{}
	for _, cookie := range answer.Cookies() {
		set[cookie.Name] = cookie.Value
	}
	if set["access_token"] == "" {
		t.Fatalf("no access token: %s, %v", answer.Status, answer.Cookies())
	}
	return set
}

// callAPI gives the status with which the API answers a call with these cookies.
func callAPI(t *testing.T, api string, tokens ...string) int {
	t.Helper()
	return askAPI(t, api, tokens...).StatusCode
}

func askAPI(t *testing.T, api string, tokens ...string) *http.Response {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, api+"/api/notes", nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, token := range tokens {
		request.AddCookie(&http.Cookie{Name: "access_token", Value: token})
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	return answer
}

// TestFirstParty_CrossSiteInTheBrowser: what a page of another site sends is refused and
// changes nothing.
func TestFirstParty_CrossSiteInTheBrowser(t *testing.T) {
	t.Parallel()
	s := startApp(t, "15m")
	evil := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		_, _ = io.WriteString(w, "<title>Another site</title><link rel=icon href=data:,>") // 127.0.0.1 is another site than localhost
	}))
	t.Cleanup(evil.Close)
	var saw struct {
		Answers       map[string]int // by way and path
		Calls         map[string]int
		Changed, Read []string // cookies after, answers that the other site could read
		Who           string
	}
	runInBrowser(t, "crosssite.mjs", map[string]any{
		"origin": s.origin, "email": s.email, "password": s.password, "control": s.control(t), "evil": evil.URL,
	}, &saw)
	for _, path := range []string{"/auth/login", "/auth/logout", "/auth/refresh"} {
		if got := saw.Answers["form "+path]; got != http.StatusForbidden {
			t.Errorf("a form to %s is answered %d, want 403", path, got)
		}
		if saw.Calls["POST "+path] < 2 {
			t.Errorf("%s was tried %d times", path, saw.Calls["POST "+path])
		}
	}
	if len(saw.Changed)+len(saw.Read) > 0 || saw.Who != s.email {
		t.Errorf("changed %q, read %q, the app shows %q", saw.Changed, saw.Read, saw.Who)
	}
}
