package example_test

import (
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"signet/cmd/signet/signettest"
)

const example = "../../../examples/react-app"

// appSite is the example in production: one origin with the built app, its API, and Signet
// below /auth.
type appSite struct {
	*signettest.Instance
	*front
	origin, behind string // the origin for the browser, and the address of Signet
	clock          string // URL that moves Signet's clock
}

// startApp builds the example and starts the site.
func startApp(t *testing.T, more ...string) *appSite {
	t.Helper()
	server := httptest.NewUnstartedServer(nil)
	s := newAppSite(t, server, "http://localhost", more...)
	server.Config.Handler = s.site(t, startAPI(t, s.Issuer, "go"))
	server.Start()
	t.Cleanup(server.Close)
	now, clock := signettest.MovedClock(t)
	s.clock = clock
	signettest.StartSignetAt(t, now, s.Issuer, s.Env, "serve")
	return s
}

// startSecureApp starts the site on https, where cookies have their prefixes. All other hosts
// of example.com and example.net serve an empty page, which sets the cookies of its query.
func startSecureApp(t *testing.T) *appSite {
	t.Helper()
	server := httptest.NewUnstartedServer(nil)
	s := newAppSite(t, server, "https://app.example.com")
	mux := http.NewServeMux()
	server.Config.Handler = mux
	server.StartTLS()
	t.Cleanup(server.Close)
	mux.Handle("app.example.com/", s.site(t, startAPI(t, s.Issuer, "go", trusting(t, server)...)))
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		w.Header()["Set-Cookie"] = r.URL.Query()["set"]
		w.Header().Set("Content-Type", "text/html")
		_, _ = io.WriteString(w, "<title>Another site</title><link rel=icon href=data:,>")
	})
	signettest.StartSignet(t, s.behind+"/auth", s.Env, "serve")
	return s
}

// trusting returns the environment of a program that connects to server for every https host.
func trusting(t *testing.T, server *httptest.Server) []string {
	t.Helper()
	certificate := filepath.Join(t.TempDir(), "ca.pem")
	block := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	if err := os.WriteFile(certificate, block, 0o600); err != nil {
		t.Fatal(err)
	}
	tunnel := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		there, err := net.Dial("tcp", server.Listener.Addr().String())
		if err != nil {
			t.Error(err)
			return
		}
		defer there.Close()
		here, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer here.Close()
		_, _ = io.WriteString(here, "HTTP/1.1 200 OK\r\n\r\n")
		go func() { _, _ = io.Copy(there, here) }()
		_, _ = io.Copy(here, there)
	}))
	t.Cleanup(tunnel.Close)
	return []string{"HTTPS_PROXY=" + tunnel.URL, "SSL_CERT_FILE=" + certificate}
}

// newAppSite creates the site for server, with an origin of the scheme and host.
func newAppSite(t *testing.T, server *httptest.Server, host string, more ...string) *appSite {
	t.Helper()
	s := &appSite{Instance: signettest.NewInstance(t), front: newFront()}
	s.origin = fmt.Sprintf("%s:%d", host, server.Listener.Addr().(*net.TCPAddr).Port)
	s.behind, s.Issuer = s.Issuer, s.origin+"/auth"
	s.Env = append(s.Env, append(more, "SIGNET_ISSUER="+s.Issuer)...)
	s.CreateClient(t, "--id", "app", "--type", "spa", "--first-party", "--redirect-uri", s.origin+"/")
	return s
}

// site returns the handler of the whole site.
func (s *appSite) site(t *testing.T, api string) http.Handler {
	t.Helper()
	dist := buildExample(t)
	mux := http.NewServeMux()
	mux.Handle("/auth/", s.pass(s.behind))
	mux.Handle("/api/", s.pass(api))
	mux.Handle("/assets/", http.FileServer(http.Dir(dist)))
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { http.ServeFile(w, r, filepath.Join(dist, "index.html")) })
	return mux
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

// startAPI starts the API of the example in Go or in Node, with additional environment
// variables.
func startAPI(t *testing.T, issuer, language string, more ...string) string {
	t.Helper()
	listen := fmt.Sprintf("127.0.0.1:%d", signettest.FreePort(t))
	command := exec.CommandContext(t.Context(), "node", "api/verify.mjs")
	if language == "go" {
		program, err := builtAPI()
		if err != nil {
			t.Fatal(err)
		}
		command = exec.CommandContext(t.Context(), program)
	}
	command.Dir = example
	command.Env = append(os.Environ(), append(more, "ISSUER="+issuer, "AUDIENCE=app", "LISTEN="+listen)...)
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = command.Wait() }) // the command ends with the test's context
	signettest.Eventually(t, 20*time.Second, "the API in "+language+" answers", func() bool {
		answer, err := http.Get("http://" + listen + "/api/notes")
		if err != nil {
			return false
		}
		answer.Body.Close()
		return answer.StatusCode == http.StatusUnauthorized
	})
	return "http://" + listen
}

// TestFirstParty_ExampleInTheBrowser runs the built example, its API and Signet on one origin
// through every fault of a refresh, including a stolen token.
func TestFirstParty_ExampleInTheBrowser(t *testing.T) {
	t.Parallel()
	s := startApp(t, "SIGNET_LIFETIMES_ACCESS=20s")
	var saw struct {
		Public, Out, In, Second, Other string // the text on the page
		Victim, Robbed, Told, Ended    string // after a stolen token was used; the last two are on Signet's pages
		Gone, Kept                     string // after a sign-out in another tab: in this tab, and after Back
		Account                        string // the same on a page of Signet
		First, Refreshes, LostCalls    map[string]int
		Loads                          int
		Storm, Half, Late, Early       []int             // statuses of /refresh: many calls at once, and calls of thieves
		After, Answered                map[string]string // by the event before: the person on the page, and the error of the next call
		Readable, Unhidden, Complaints []string
	}
	signettest.RunInBrowser(t, "firstparty.mjs", map[string]any{
		"origin": s.origin, "email": s.Email, "password": s.Password, "control": s.control(t), "clock": s.clock,
	}, &saw)
	for _, want := range []struct {
		what      string
		got, want any
	}{
		{"the public page", saw.Public, "Notes"},
		{"the protected page for nobody", saw.Out, "Sign in"},
		{"signed in on Signet's page, the app shows", saw.In, s.Email},
		{"the second tab shows", saw.Second, s.Email},
		{"another browser shows", saw.Other, "Sign in"},
		{"calls to Signet for the first protected page", authCalls(saw.First), 1},
		{"refreshes for two tabs and twenty calls", saw.Refreshes["POST /auth/refresh"], 1},
		{"calls of the API answered in both tabs", saw.Loads, 20},
		{"refreshes sent when an answer was lost", saw.LostCalls["POST /auth/refresh"] > 1, true},
		{"answers to a storm", fmt.Sprint(saw.Storm), fmt.Sprint(slices.Repeat([]int{http.StatusOK}, 100))},
		{"answers to a thief of the refresh cookie alone", fmt.Sprint(saw.Half), "[401]"},
		{"answers to a thief who comes late", fmt.Sprint(saw.Late), "[401]"},
		{"after that, the app's next call ends in", saw.Victim, "Sign in"},
		{"the sign-in page says why", strings.Contains(saw.Told, "used twice"), true},
		{"the account page says why", strings.Contains(saw.Ended, "Ended to protect you"), true},
		{"answers to a thief who comes first, until the owner calls", fmt.Sprint(saw.Early), "[200 200 401]"},
		{"and that call ends in", saw.Robbed, "Sign in"},
		{"signed out in another tab, this one shows", saw.Gone, "Sign in"},
		{"gone back to a page of the app after that", saw.Kept, "Sign in"},
		{"gone back to a page of Signet after that", saw.Account, "/auth/login"},
		{"what scripts can read", len(saw.Readable) + len(saw.Unhidden), 0},
		{"answers with a secret in their body", len(s.leaked), 0},
	} {
		if want.got != want.want {
			t.Errorf("%s: got %v, want %v", want.what, want.got, want.want)
		}
	}
	for _, what := range []string{"lost", "storm", "go back", "load again", "close", "crash", "reload in a refresh", "reloaded in a refresh", "back in a refresh", "went back in a refresh", "expired", "half"} {
		if saw.After[what] != s.Email || saw.Answered[what] != "" {
			t.Errorf("after %q: the app shows %q, and the next call ends in %q", what, saw.After[what], saw.Answered[what])
		}
	}
	if saw.After["late"] != "Sign in" {
		t.Errorf("the thief is shown %q", saw.After["late"])
	}
	signettest.RefuseComplaints(t, slices.DeleteFunc(saw.Complaints, func(c string) bool { // the dropped answer
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

// TestFirstParty_APIsThroughARotation checks that the APIs of the README in Go and Node accept
// the cookies from before and after a rotation without a restart, and no others.
func TestFirstParty_APIsThroughARotation(t *testing.T) {
	t.Parallel()
	i := signettest.NewInstance(t)
	i.Env = append(i.Env, signettest.Soon...)
	i.CreateClient(t, "--id", "app", "--type", "spa", "--first-party", "--redirect-uri", i.Issuer+"/")
	i.Serve(t)
	apis := bothAPIs(t, i.Issuer)
	before := i.AccessCookie(t)
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
	i.Rotate(t)
	after := i.AccessCookie(t)
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

// callAPI calls the API with the cookies and returns the status.
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

// TestFirstParty_CrossSiteInTheBrowser checks that a page of another site or of a sibling
// host cannot sign a browser in as somebody else, and cannot act for the signed-in person,
// even with the cookies that a sibling host can set.
func TestFirstParty_CrossSiteInTheBrowser(t *testing.T) {
	t.Parallel()
	s := startSecureApp(t)
	port := strings.TrimPrefix(s.origin, "https://app.example.com")
	others := []string{"https://evil.example.com" + port + "/", "https://evil.example.net" + port + "/"}
	mallory := map[string]string{"email": "mallory@example.com", "password": "another fine long password"}
	s.Command(t, mallory["password"], nil, "user", "create", "--email", mallory["email"], "--email-verified", "--password-stdin", "--json")
	var saw struct {
		Forms         map[string]int // status by browser, kind, site and path
		Calls         map[string]int
		Changed, Read []string          // cookies at the end, and answers that the other site could read
		Shown         map[string]string // by browser and attack
		Took          map[string][]string
	}
	signettest.RunInBrowser(t, "crosssite.mjs", map[string]any{
		"origin": s.origin, "email": s.Email, "password": s.Password, "control": s.control(t), "others": others, "mallory": mallory,
	}, &saw)
	for form, status := range saw.Forms {
		if status != http.StatusForbidden {
			t.Errorf("a form is answered %d, want 403: %s", status, form)
		}
	}
	for path, browsers := range map[string]int{"/auth/login": 2, "/auth/logout": 1, "/auth/refresh": 1, "/api/notes": 1} {
		// Two forms, and two kinds of fetch that reach the server.
		if got, want := saw.Calls["POST "+path], browsers*len(others)*4; got < want {
			t.Errorf("%s was tried %d times, want %d", path, got, want)
		}
	}
	if len(saw.Changed)+len(saw.Read) > 0 {
		t.Errorf("changed %q, read %q", saw.Changed, saw.Read)
	}
	isAlice := s.Email + " | alice's note | 200 | " + s.Email + " | 200"
	const isNobody = "Sign in |  | 401 |  | 401"
	for after, want := range map[string]string{
		"mallory": mallory["email"] + " | mallory's note | 200 | " + mallory["email"] + " | 200",
		"alice":   isAlice, "alice, planted": isAlice, "alice, jar full": isNobody, "alice again": isAlice,
		"nobody": isNobody, "nobody, planted": isNobody, "nobody, jar full": isNobody,
	} {
		if got := saw.Shown[after]; got != want {
			t.Errorf("%s: the app shows %q, want %q", after, got, want)
		}
	}
	for whose, names := range saw.Took {
		// The cookie without a prefix can be set by sibling hosts, on every path; a cookie without a
		// name is refused.
		planted := slices.DeleteFunc(slices.Clone(names), func(name string) bool { return strings.EqualFold(name, "__Secure-refresh_token") })
		if len(names) < 7 || len(planted) > 0 {
			t.Errorf("in the browser of %s the sibling could plant %q", whose, names)
		}
	}
	if len(saw.Forms) != 20 || len(saw.Took) != 2 {
		t.Errorf("tried %d forms, and planted in %d browsers", len(saw.Forms), len(saw.Took))
	}
}
