package parties_test

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"signet/cmd/signet/signettest"
	"signet/provider/directory"
)

// parties are relying parties of other projects with their default settings. Each gets only
// the issuer, the client and its own address. It chooses how it authenticates and whether it
// sends PKCE or a nonce. docs/clients.md lists these parties.
var parties = []struct {
	name  string
	soak  bool // only make soak runs it, because it is slow to install or to build
	story func(t *testing.T)
}{
	{"mod_auth_openidc", false, func(t *testing.T) { testApache(t) }},
	{"openid-client", false, website{name: "openid-client", callback: "/callback", start: inNode("defaultparty.mjs"), refreshes: true, signsOut: true}.story},
	{"passport-openidconnect", false, website{name: "passport-openidconnect", callback: "/callback", start: inNode("passportparty.mjs"), needsPKCEOptional: true}.story},
	{"@auth/core", false, website{name: "@auth/core", callback: "/auth/callback/signet", start: inNode("authjsparty.mjs")}.story},
	{"express-openid-connect", false, website{
		name: "express-openid-connect", callback: "/callback", start: inNode("expressparty.mjs"), signsOut: true,
		create: []string{"--grant-type", "implicit", "--response-type", "id_token"},
	}.story},
	{"zitadel/oidc", true, website{name: "zitadel/oidc", callback: "/callback", start: inGo("./zitadel"), needsPKCEOptional: true, refreshes: true, signsOut: true}.story},
	{"Authlib", true, website{name: "Authlib", callback: "/callback", start: inPython("authlib"), refreshes: true, signsOut: true}.story},
	{"mozilla-django-oidc", true, website{name: "mozilla-django-oidc", callback: "/oidc/callback/", start: inPython("mozilla-django-oidc"), refreshes: true}.story},
	{"python-social-auth", true, website{name: "python-social-auth", callback: "/social/complete/oidc/", start: inPython("python-social-auth"), refreshes: true}.story},
	{"django-allauth", true, website{name: "django-allauth", callback: "/accounts/oidc/signet/login/callback/", start: inPython("django-allauth"), needsPKCEOptional: true}.story},
	{"gitlab-omniauth-openid-connect", true, website{name: "gitlab-omniauth-openid-connect", callback: "/auth/openid_connect/callback", start: inRuby("gitlab.rb"), signsOut: true}.story},
	{"spring-security", true, website{
		name: "spring-security", callback: "/login/oauth2/code/signet", login: "/oauth2/authorization/signet",
		start: inJava("SpringParty"), refreshes: true, signsOut: true,
	}.story},
	{"oauth2-proxy", true, testOAuth2Proxy},
	{"oidc-agent", true, testOIDCAgent},
}

func TestRelyingParty_Defaults(t *testing.T) {
	for _, p := range parties {
		if p.soak && os.Getenv("SIGNET_SOAK") == "" {
			continue
		}
		t.Run(p.name, func(t *testing.T) {
			started := time.Now()
			p.story(t)
			t.Logf("took %s", time.Since(started).Round(10*time.Millisecond))
		})
	}
}

// website is a party that runs a small site for the tests, with these pages:
//
//	/login   starts a sign-in, at once or after a form with the id begin; ends at /me. The field login
//	         names another path
//	/me      shows {"email":…} or {"sub":…} of the person; 401 if nobody is signed in
//	/refresh refreshes the tokens, then shows {"rotated":true} or redirects to /me
//	/logout  signs out at the site and at the provider; ends at /bye
type website struct {
	name     string // in the list of libraries
	callback string // path of its redirect URI
	login    string // path that starts a sign-in; "": /login
	start    func(t *testing.T, s partySite)

	create            []string // more flags of signet client create
	needsPKCEOptional bool     // it sends neither PKCE nor a nonce
	refreshes         bool
	signsOut          bool
}

// partySite is the site of a party, with the settings that the party gets.
type partySite struct {
	origin, port, issuer string
	login                string // path that starts a sign-in
	client               signettest.CreatedClient
}

// story signs a person in, refreshes, makes refreshes fail, and signs out.
func (w website) story(t *testing.T) {
	s, i, front := w.run(t)
	b := signettest.NewFormBrowser(t)
	s.signIn(t, b, i)
	if w.refreshes {
		s.refresh(t, b, "at first")
		for fault := range tokenFaults {
			front.fail(t, fault, 9, func() { b.Visit(s.origin + "/refresh") })
			s.refresh(t, b, "after a failed refresh ("+fault+")")
		}
	}
	if w.signsOut {
		s.signOut(t, b)
	}
	checkES256(t, w.name, i, s.client, func(b *signettest.FormBrowser) { s.begin(b) }, func(b *signettest.FormBrowser) bool {
		return b.At.Path == "/me" && strings.Contains(b.Text(), `"sub"`) || strings.Contains(b.Text(), i.Email)
	})
	if w.needsPKCEOptional {
		wantNoRefusal(t, i, s.client, "code_challenge_missing") // before --pkce-optional was set
	} else {
		wantNoRefusal(t, i, s.client)
	}
}

// checkES256 checks that the party accepts ID tokens with ES256 if and only if the list of libraries
// says so. begin opens the provider's page, and signedIn reports whether the party shows the person.
func checkES256(t *testing.T, party string, i *signettest.Instance, client signettest.CreatedClient, begin func(*signettest.FormBrowser), signedIn func(*signettest.FormBrowser) bool) {
	t.Helper()
	const name = "Known by its new name" // shown by the page, so that the server has read the change
	i.Command(t, "", nil, "client", "update", client.ID, "--name", name, "--id-token-signed-response-alg", "ES256", "--json")
	var b *signettest.FormBrowser
	signettest.Eventually(t, 10*time.Second, "the server follows the change", func() bool {
		b = signettest.NewFormBrowser(t)
		begin(b)
		return strings.Contains(b.Text(), name)
	})
	b.Send("login", "", map[string]string{"username": i.Email, "password": i.Password})
	arrive(b)
	library, known := directory.FindLibrary(party)
	if got := signedIn(b); !known || got != library.ES256 {
		t.Errorf("with an ES256 ID token, %s signs in: %v (the browser is at %s and reads %q); the list of libraries says %v", party, got, b.At, b.Text(), library.ES256)
	}
}

// run starts Signet behind a tokenFront, and the party.
func (w website) run(t *testing.T) (partySite, *signettest.Instance, *tokenFront) {
	t.Helper()
	i, front := newInstanceBehindFront(t)
	port := signettest.FreePort(t)
	s := partySite{origin: fmt.Sprintf("http://127.0.0.1:%d", port), port: fmt.Sprint(port), issuer: i.Issuer, login: cmp.Or(w.login, "/login")}
	create := []string{"--type", "web", "--redirect-uri", s.origin + w.callback, "--post-logout-redirect-uri", s.origin + "/bye"}
	s.client = i.CreateClient(t, append(create, w.create...)...)
	i.Serve(t)
	w.start(t, s)
	if w.needsPKCEOptional {
		s.makePKCEOptional(t, i)
	}
	return s, i, front
}

// makePKCEOptional sets --pkce-optional for the client, as the error of the refused sign-in advises.
func (s partySite) makePKCEOptional(t *testing.T, i *signettest.Instance) {
	t.Helper()
	b := signettest.NewFormBrowser(t)
	signInError := func() string {
		b.Open(s.origin + s.login)
		for b.Left != nil && strings.HasPrefix(b.Left.String(), s.issuer) {
			target := b.Left.String()
			b.Left = nil
			b.Open(target)
		}
		if b.Left == nil {
			return ""
		}
		return b.Left.Query().Get("error_description")
	}
	if refusal := signInError(); !strings.Contains(refusal, "--pkce-optional") {
		t.Fatalf("neither PKCE nor a nonce: got %q, want an error that names --pkce-optional", refusal)
	}
	i.Command(t, "", nil, "client", "update", s.client.ID, "--pkce-optional", "--json")
	signettest.Eventually(t, 10*time.Second, "--pkce-optional takes effect", func() bool { return signInError() == "" })
}

// begin starts a sign-in and follows it to the provider's page.
func (s partySite) begin(b *signettest.FormBrowser) {
	b.T.Helper()
	b.Visit(s.origin + s.login)
	if signettest.FindByID(b.Page, "begin") != nil { // this party begins with a form
		b.Left = nil
		b.Send("begin", "", nil)
		b.Visit(b.Left.String())
	}
}

// signIn signs in, consents, and checks that the party shows the person.
func (s partySite) signIn(t *testing.T, b *signettest.FormBrowser, i *signettest.Instance) {
	t.Helper()
	s.begin(b)
	b.Send("login", "", map[string]string{"username": i.Email, "password": i.Password})
	arrive(b)
	var user struct {
		Sub string `json:"sub"`
	}
	i.Command(t, "", &user, "user", "show", i.Email, "--json")
	me := shownJSON(t, b)
	if b.At.Path != "/me" || me["email"] != i.Email && me["sub"] != user.Sub {
		t.Fatalf("after the sign-in the browser is at %s and reads %v", b.At, me)
	}
}

// arrive consents if the provider asks, and takes the response to the party: by a redirect, or by a
// form.
func arrive(b *signettest.FormBrowser) {
	b.T.Helper()
	if b.Left == nil && signettest.FindByID(b.Page, "consent") != nil {
		b.Send("consent", "allow", nil)
	}
	switch {
	case b.Left != nil:
		b.Visit(b.Left.String())
	case signettest.FindByID(b.Page, "response") != nil:
		b.Send("response", "", nil)
	default:
		b.T.Fatalf("the browser stays at %s and reads %q", b.At, b.Text())
	}
}

// refresh makes the party refresh, and checks that the person stays signed in.
func (s partySite) refresh(t *testing.T, b *signettest.FormBrowser, when string) {
	t.Helper()
	b.Visit(s.origin + "/refresh")
	if got := shownJSON(t, b); got["rotated"] != true && b.At.Path != "/me" || got["error"] != nil {
		t.Errorf("a refresh %s: the browser is at %s and reads %v", when, b.At, got)
	}
	b.Visit(s.origin + "/me")
	if got := shownJSON(t, b); got["error"] != nil || b.At.Path != "/me" {
		t.Errorf("after a refresh %s the browser is at %s and reads %v", when, b.At, got)
	}
}

func (s partySite) signOut(t *testing.T, b *signettest.FormBrowser) {
	t.Helper()
	b.Visit(s.origin + "/logout")
	if signettest.FindByID(b.Page, "allow") != nil { // this party sends no id_token_hint, so the provider asks for confirmation
		b.Left = nil
		b.Click("allow")
		b.Visit(b.Left.String())
	}
	if got := b.Text(); b.At.Path != "/bye" || !strings.Contains(got, "Until next time.") {
		t.Fatalf("after the sign-out the browser is at %s and reads %q", b.At, got)
	}
	s.begin(b)
	if signettest.FindByID(b.Page, "login") == nil {
		t.Errorf("a sign-in after the sign-out: the browser is at %s and reads %q, want the sign-in form", b.At, b.Text())
	}
}

// shownJSON reads the JSON that the page in the browser shows.
func shownJSON(t *testing.T, b *signettest.FormBrowser) map[string]any {
	t.Helper()
	var read map[string]any
	if err := json.Unmarshal([]byte(b.Text()), &read); err != nil {
		t.Fatalf("%s shows %q: %v", b.At, b.Text(), err)
	}
	return read
}

// wantNoRefusal checks that nothing was refused to the client, except for the expected
// reasons. In particular, a party with the right secret must not count as a client that
// guesses secrets.
func wantNoRefusal(t *testing.T, i *signettest.Instance, client signettest.CreatedClient, expected ...string) {
	t.Helper()
	for _, reason := range refusals(t, i, client) {
		if !slices.Contains(expected, reason) {
			t.Errorf("the client was refused: %s", reason)
		}
	}
}

// refusals returns the reasons in the events of refused requests of the client.
func refusals(t *testing.T, i *signettest.Instance, client signettest.CreatedClient) (reasons []string) {
	t.Helper()
	var list struct {
		Events []struct {
			Reason string `json:"reason"`
		}
	}
	i.Command(t, "", &list, "events", "--client", client.ID, "--outcome", "refused", "--json")
	for _, event := range list.Events {
		reasons = append(reasons, event.Reason)
	}
	return reasons
}

func inPython(party string) func(t *testing.T, s partySite) {
	return func(t *testing.T, s partySite) {
		t.Helper()
		const python = "../testdata/python/venv/bin/python"
		if _, err := os.Stat(python); err != nil {
			t.Fatal("the Python packages of testdata/python are missing: run make prepare-soak")
		}
		s.run(t, exec.Command(python, "../testdata/python/parties.py", party, s.issuer, s.client.ID, s.client.Secret, s.port))
	}
}

func inNode(program string) func(t *testing.T, s partySite) {
	return func(t *testing.T, s partySite) {
		t.Helper()
		if _, err := os.Stat("../testdata/browser/node_modules/@auth/core"); err != nil {
			t.Fatal("the npm packages of testdata/browser are missing: run make test, which installs them")
		}
		node := exec.Command("node", program, s.issuer, s.client.ID, s.client.Secret, s.port)
		node.Dir = "../testdata/browser"
		s.run(t, node)
	}
}

func inRuby(program string) func(t *testing.T, s partySite) {
	return func(t *testing.T, s partySite) {
		t.Helper()
		if _, err := exec.LookPath("ruby"); err != nil {
			t.Fatal("Ruby is not installed: run make prepare-soak (on Debian)")
		}
		s.run(t, exec.Command("ruby", "../testdata/ruby/"+program, s.issuer, s.client.ID, s.client.Secret, s.port))
	}
}

// inJava starts a class of testdata/java. The arguments more follow those of every party.
func inJava(class string, more ...string) func(t *testing.T, s partySite) {
	return func(t *testing.T, s partySite) {
		t.Helper()
		args := append(javaClass(t, class), s.issuer, s.client.ID, s.client.Secret, s.port)
		s.run(t, exec.Command("java", append(args, more...)...))
	}
}

// javaClass returns the arguments of java that run a class of testdata/java. The compiler optimizes
// little, since the programs end soon.
func javaClass(t *testing.T, class string) []string {
	t.Helper()
	const target = "../testdata/java/target"
	libraries, err := os.ReadFile(target + "/classpath")
	if err != nil {
		t.Fatal("the Java classes of testdata/java are missing: run make prepare-soak")
	}
	return []string{"-XX:TieredStopAtLevel=1", "-cp", target + "/classes:" + strings.TrimSpace(string(libraries)), "signet.parties." + class}
}

func inGo(pkg string) func(t *testing.T, s partySite) {
	return func(t *testing.T, s partySite) {
		t.Helper()
		s.run(t, exec.Command(buildParty(t, pkg), s.issuer, s.client.ID, s.client.Secret, s.port))
	}
}

// buildParty builds a program of the module in testdata/go. That module is separate, so
// that the module of Signet does not depend on the dependencies of the parties.
func buildParty(t *testing.T, pkg string) (program string) {
	t.Helper()
	program = filepath.Join(t.TempDir(), "party")
	build := exec.Command("go", "build", "-o", program, pkg)
	build.Dir = "../testdata/go"
	if printed, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build %s: %v: %s", pkg, err, printed)
	}
	return program
}

// run starts a party's program and waits until its site answers.
func (s partySite) run(t *testing.T, program *exec.Cmd) {
	t.Helper()
	var output signettest.SyncBuffer
	program.Stdout, program.Stderr = &output, &output
	program.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := program.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		_ = program.Wait()
		close(ended)
	}()
	t.Cleanup(func() {
		_ = program.Process.Kill()
		<-ended
		if t.Failed() {
			t.Logf("output of %s:\n%s", program.Args[0], output.String())
		}
	})
	signettest.Eventually(t, 60*time.Second, program.Args[0]+" answers", func() bool {
		select {
		case <-ended:
			t.Fatalf("%s ended before it answered", program.Args[0])
		default:
		}
		response, err := http.Get(s.origin + "/me")
		if err != nil {
			return false
		}
		response.Body.Close()
		return true
	})
}
