package cluster_test

import (
	"database/sql"
	"encoding/base64"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"signet/cmd/signet/signettest"
	"signet/provider/passkey/passkeytest"
	"signet/provider/providertest"
	"signet/storage"
	"signet/storage/storagetest"
)

// TestProcesses_UseEachCodeOnce sends a code of an authenticator app, and then a recovery code, 50
// times at once to two processes, in ten browsers that have all entered the password. One sign-in is
// finished, and the other codes are refused as used. Afterwards another recovery code works, so nobody
// is locked out.
//
// MF-01, MF-07: a code works once, over all nodes.
func TestProcesses_UseEachCodeOnce(t *testing.T) {
	signettest.OverProcesses(t, func(t *testing.T, c *signettest.Cluster, at []string) {
		owner := signettest.NewFormBrowser(t)
		owner.Open(c.Issuer + "/account/security/totp")
		owner.Send("login", "", map[string]string{"username": c.Email, "password": c.Password})
		app := providertest.Authenticator{Secret: strings.ReplaceAll(textOf(t, owner, "secret"), " ", "")}
		owner.Send("add-totp", "", map[string]string{"code": app.Code(t, time.Now())})
		app.Codes = recoveryCode.FindAllString(owner.Text(), -1)
		if len(app.Codes) != 10 {
			t.Fatalf("%d recovery codes, want 10, on %s: %s", len(app.Codes), owner.At, owner.Text())
		}
		for name, code := range map[string]string{"code of the app": app.Code(t, time.Now().Add(30*time.Second)), "recovery code": app.Codes[0]} {
			var half []func(address string) *http.Request
			for range 10 {
				half = append(half, halfSignIn(t, c, code))
			}
			answers := map[string]int{}
			var mu sync.Mutex
			var all sync.WaitGroup
			for _, form := range half {
				all.Go(func() {
					got := sendToAll(t, at, 5, form)
					mu.Lock()
					defer mu.Unlock()
					for answer, n := range got {
						answers[answer] += n
					}
				})
			}
			all.Wait()
			refused := answers["422 Unprocessable Entity"] + answers[busy]
			if answers[changed] != 1 || refused != 49 {
				t.Errorf("50 times the same %s: got these answers (one success is wanted): %v", name, answers)
			}
		}
		owner.Open(c.Issuer + "/account/security")
		if owner.At.Path != "/account/security" {
			t.Errorf("the owner's session ended: at %s", owner.At)
		}
		owner.Open(c.Issuer + "/login?return_to=%2Faccount&prompt=login")
		owner.Send("login", "", map[string]string{"username": c.Email, "password": c.Password})
		owner.Send("second-factor", "", map[string]string{"code": app.Codes[1]})
		if owner.At.Path != "/account" {
			t.Errorf("the owner does not get in with another recovery code: at %s: %s", owner.At, owner.Text())
		}
	}, "SIGNET_RATE_LIMITS_ACCOUNT=500", "SIGNET_RATE_LIMITS_NETWORK=1000") // the limits stop none of the codes
}

var recoveryCode = regexp.MustCompile(`\b[0-9a-z]{5}-[0-9a-z]{5}\b`)

// textOf returns the text of the element with the id.
func textOf(t *testing.T, b *signettest.FormBrowser, id string) string {
	t.Helper()
	found := signettest.FindByID(b.Page, id)
	if found == nil || found.FirstChild == nil {
		t.Fatalf("nothing with the id %q on %s: %s", id, b.At, b.Text())
	}
	return found.FirstChild.Data
}

// halfSignIn enters the password in a new browser, and returns requests that send the code.
func halfSignIn(t *testing.T, c *signettest.Cluster, code string) func(address string) *http.Request {
	t.Helper()
	b := signettest.NewFormBrowser(t)
	b.Open(authorizeURL(c))
	b.Send("login", "", map[string]string{"username": c.Email, "password": c.Password})
	return formOf(t, c, b, "second-factor", url.Values{"code": {code}})
}

// formOf returns requests that send the form with the id, or of the button with the id, from this
// browser.
func formOf(t *testing.T, c *signettest.Cluster, b *signettest.FormBrowser, id string, typed url.Values) func(address string) *http.Request {
	t.Helper()
	form := signettest.FindByID(b.Page, id)
	for form != nil && form.Data != "form" {
		form = form.Parent
	}
	if form == nil {
		t.Fatalf("%s shows no form %q: %s", b.At, id, b.Text())
	}
	fields := url.Values{}
	for input := range form.Descendants() {
		if name := signettest.Attribute(input, "name"); name != "" {
			fields.Set(name, signettest.Attribute(input, "value"))
		}
	}
	for name, values := range typed {
		fields[name] = values
	}
	action, err := b.At.Parse(signettest.Attribute(form, "action"))
	if err != nil {
		t.Fatal(err)
	}
	cookies := b.Client.Jar.Cookies(b.At)
	return func(address string) *http.Request {
		request := newForm(t, address+action.Path, fields)
		request.Header.Set("Origin", c.Issuer)
		request.Header.Set("Accept", "text/html")
		for _, cookie := range cookies {
			request.AddCookie(cookie)
		}
		return request
	}
}

// TestProcesses_RemoveTheLastPasskeys removes the two passkeys of a user who has no other way to sign
// in, each 25 times at once at two processes. One of them is removed, and the user signs in with the
// other one.
func TestProcesses_RemoveTheLastPasskeys(t *testing.T) {
	for _, backend := range []string{"sqlite", "postgres"} {
		t.Run(backend, func(t *testing.T) {
			t.Parallel()
			database := ""
			if backend == "postgres" {
				database = storagetest.Postgres(t).Config().Database
			}
			c := signettest.NewCluster(t, database)
			at := []string{startWithPasskeys(t, c).Address, c.Start(t, false).Address}
			for range signettest.Soaking(2, 50) {
				removeLastPasskeys(t, c, at, database)
			}
		})
	}
}

// TestProcesses_RemoveAppAndKeyAtOnce removes the authenticator app and the security key of a user, each
// 25 times at once at two processes. The first change ends the session of the others, so one factor and
// the recovery codes are left, and the password alone does not sign in.
func TestProcesses_RemoveAppAndKeyAtOnce(t *testing.T) {
	for _, backend := range []string{"sqlite", "postgres"} {
		t.Run(backend, func(t *testing.T) {
			t.Parallel()
			database := ""
			if backend == "postgres" {
				database = storagetest.Postgres(t).Config().Database
			}
			c := signettest.NewCluster(t, database)
			at := []string{startWithPasskeys(t, c).Address, c.Start(t, false).Address}
			for range signettest.Soaking(2, 50) {
				removeAppAndKey(t, c, at)
			}
		})
	}
}

func removeAppAndKey(t *testing.T, c *signettest.Cluster, at []string) {
	t.Helper()
	email := storage.NewID("p") + "@example.com"
	c.Command(t, c.Password, nil, "user", "create", "--email", email, "--email-verified", "--password-stdin", "--json")
	owner := signettest.NewFormBrowser(t)
	owner.Open(c.Issuer + "/account/security/totp")
	owner.Send("login", "", map[string]string{"username": email, "password": c.Password})
	app := providertest.Authenticator{Secret: strings.ReplaceAll(textOf(t, owner, "secret"), " ", "")}
	owner.Send("add-totp", "", map[string]string{"code": app.Code(t, time.Now())})
	owner.Open(c.Issuer + "/account/security/keys/add")
	key := passkeytest.NewKey(t, c.Issuer)
	form := signettest.FindByID(owner.Page, "add-security-key")
	owner.Send("add-security-key", "", map[string]string{"credential": key.Create(t, signettest.Attribute(form, "data-challenge"), "")})
	var forms []func(string) *http.Request
	owner.Open(c.Issuer + "/account/security")
	for _, page := range []string{"/account/security/totp/remove", "/account/security/keys/remove?key=" + idsOn(owner, "key")[0]} {
		owner.Open(c.Issuer + page)
		forms = append(forms, formOf(t, c, owner, "confirm", nil))
	}
	answers := map[string]int{}
	var mu sync.Mutex
	var both sync.WaitGroup
	for _, form := range forms {
		both.Go(func() {
			got := sendToAll(t, at, 25, form)
			mu.Lock()
			defer mu.Unlock()
			for answer, n := range got {
				answers[answer] += n
			}
		})
	}
	both.Wait()
	if answers[""] != 1 { // the others find no session, or a new one
		t.Errorf("an app and a key, each removed 25 times at once: got these answers (one success is wanted): %v", answers)
	}
	var user struct{ Factors []struct{ Kind string } }
	c.Command(t, "", &user, "user", "factors", email, "--json")
	left := map[string]int{}
	for _, f := range user.Factors {
		left[f.Kind]++
	}
	if left["totp"]+left["security_key"] != 1 || left["recovery"] == 0 {
		t.Errorf("these factors are left: %v, want the app or the key, and the recovery codes", left)
	}
	b := signettest.NewFormBrowser(t)
	b.Open(authorizeURL(c))
	b.Send("login", "", map[string]string{"username": email, "password": c.Password})
	if b.Left != nil || b.At.Path != "/login/factor" {
		t.Errorf("the password alone leads to %s (left to %v)", b.At, b.Left)
	}
}

// TestProcesses_UseALinkForAPasskeyOnce sends the form of one link for a passkey 50 times at once to
// two processes. One passkey is added, and the other answers say that the link was used.
func TestProcesses_UseALinkForAPasskeyOnce(t *testing.T) {
	for _, backend := range []string{"sqlite", "postgres"} {
		t.Run(backend, func(t *testing.T) {
			t.Parallel()
			database := ""
			if backend == "postgres" {
				database = storagetest.Postgres(t).Config().Database
			}
			c := signettest.NewCluster(t, database)
			at := []string{startWithPasskeys(t, c).Address, c.Start(t, false).Address}
			for round := range signettest.Soaking(2, storage.MostPasskeys) {
				address, fields := passkeyLink(t, c, c.Email)
				answers := sendToAll(t, at, 50, linkForm(t, c, address, fields))
				if answers[""] != 1 || answers["link_used"]+answers[busy] != 49 {
					t.Errorf("50 times the same link: got these answers (\"\" is success): %v", answers)
				}
				wantPasskeys(t, c, c.Email, round+1)
			}
		})
	}
}

func removeLastPasskeys(t *testing.T, c *signettest.Cluster, at []string, database string) {
	t.Helper()
	email := storage.NewID("p") + "@example.com"
	c.Command(t, c.Password, nil, "user", "create", "--email", email, "--email-verified", "--password-stdin", "--json")
	owner := signettest.NewFormBrowser(t)
	authenticators := map[string]*passkeytest.Authenticator{} // by the ID of the passkey
	for i := range 2 {
		owner.Open(c.Issuer + "/account/passkeys/add")
		if i == 0 {
			owner.Send("login", "", map[string]string{"username": email, "password": c.Password})
		}
		form := signettest.FindByID(owner.Page, "add-passkey")
		user, err := base64.RawURLEncoding.DecodeString(signettest.Attribute(form, "data-user"))
		if err != nil {
			t.Fatal(err)
		}
		a := passkeytest.New(t, c.Issuer)
		owner.Send("add-passkey", "", map[string]string{"credential": a.Create(t, signettest.Attribute(form, "data-challenge"), string(user))})
		for _, id := range passkeyIDs(owner) {
			if authenticators[id] == nil {
				authenticators[id] = a
			}
		}
	}
	if len(authenticators) != 2 {
		t.Fatalf("%d passkeys, want 2, on %s: %s", len(authenticators), owner.At, owner.Text())
	}
	deletePassword(t, c, email, database)
	answers := map[string]int{}
	var mu sync.Mutex
	var both sync.WaitGroup
	for id := range authenticators {
		owner.Open(c.Issuer + "/account/passkeys/remove?passkey=" + id)
		form := formOf(t, c, owner, "confirm", nil)
		both.Go(func() {
			got := sendToAll(t, at, 25, form)
			mu.Lock()
			defer mu.Unlock()
			for answer, n := range got {
				answers[answer] += n
			}
		})
	}
	both.Wait()
	if answers[changed] != 1 || answers["409 Conflict"]+answers["404 Not Found"]+answers[busy] != 49 {
		t.Errorf("two passkeys, each removed 25 times at once: got these answers (one success is wanted): %v", answers)
	}
	owner.Open(c.Issuer + "/account/passkeys")
	left := passkeyIDs(owner)
	if len(left) != 1 {
		t.Fatalf("%d passkeys are left, want 1: %s", len(left), owner.Text())
	}
	b := signettest.NewFormBrowser(t)
	b.Open(authorizeURL(c))
	form := signettest.FindByID(b.Page, "passkey-sign-in")
	b.Send("passkey-sign-in", "", map[string]string{"credential": authenticators[left[0]].Get(t, signettest.Attribute(form, "data-challenge"))})
	if b.Left == nil || b.Left.Query().Get("code") == "" {
		t.Errorf("the passkey that is left does not sign in: at %s: %s", b.At, b.Text())
	}
}

// passkeyIDs returns the IDs of the passkeys on their page.
func passkeyIDs(b *signettest.FormBrowser) []string { return idsOn(b, "passkey") }

// idsOn returns the values of the buttons with this name. They are the ids of the keys or apps on the page.
func idsOn(b *signettest.FormBrowser, name string) (ids []string) {
	for n := range b.Page.Descendants() {
		if n.Data == "button" && signettest.Attribute(n, "name") == name {
			ids = append(ids, signettest.Attribute(n, "value"))
		}
	}
	return ids
}

// deletePassword makes the user of the address one who never had a password, such as one who came
// through an upstream.
func deletePassword(t *testing.T, c *signettest.Cluster, email, database string) {
	t.Helper()
	driver := "pgx"
	if database == "" {
		driver, database = sqliteDriver(), storage.DatabaseFile(c.DataDir(t))
	}
	db, err := sql.Open(driver, database)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec(`DELETE FROM credentials WHERE kind = 'password' AND user_id = (SELECT id FROM users WHERE email = '` + email + `')`); err != nil {
		t.Fatal(err)
	}
}
