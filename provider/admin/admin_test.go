package provider_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"signet/federation/federationtest"
	"signet/provider"
	"signet/storage"
)

const root = "root@example.com"

// administrator is a browser in which an administrator is signed in, at a page.
func (b *testbed) administrator(t *testing.T, path string) (*visitor, stop) {
	t.Helper()
	b.local(t, storage.User{Email: root, EmailVerified: true, Admin: true}, password)
	v := b.visitor(t)
	return v, v.signIn(t, v.get(t, b.Issuer+path), root, password)
}

func TestAD01_AdminPagesAreForAdministrators(t *testing.T) {
	onSQLite(t, func(t *testing.T, b *testbed) {
		v, page := b.administrator(t, "/admin")
		if page.At.Path != "/admin" || page.StatusCode != http.StatusOK {
			t.Fatalf("after signing in: %s, status %d", page.At, page.StatusCode)
		}
		page.wantText(t, "Administration", "Connectors")
		v.get(t, b.Issuer+"/account").wantText(t, "Administration")

		user := b.visitor(t)
		user.signIn(t, user.get(t, b.Issuer+"/account"), alice, password)
		if strings.Contains(user.get(t, b.Issuer+"/account").Body, "/admin") {
			t.Error("the account page of a user links to the administration")
		}
		for _, path := range routes(t) {
			if !strings.HasPrefix(path, "/admin") {
				continue
			}
			for name, browser := range map[string]*visitor{"stranger": b.visitor(t), "user": user} {
				for _, method := range methods {
					r, err := http.NewRequest(method, b.Issuer+path, nil)
					if err != nil {
						t.Fatal(err)
					}
					r.Header.Set("Accept", "text/html")
					r.Header.Set("Sec-Fetch-Site", "same-origin")
					if a := browser.walk(t, r); a.At.Path != "/login" && a.StatusCode != http.StatusForbidden && a.StatusCode != http.StatusNotFound && a.StatusCode != http.StatusMethodNotAllowed {
						t.Errorf("%s %s as %s: status %d at %s", method, path, name, a.StatusCode, a.At)
					}
				}
			}
		}
		refused := user.get(t, b.Issuer+"/admin/connectors")
		refused.wantPage(t, http.StatusForbidden, "admin_required")
		refused.wantText(t, ">Your account</a>")
		if to := refused.link(t, "start"); to != b.Issuer+"/account" {
			t.Errorf("the way on leads to %s", to)
		}
	})
}

func TestAD03_ADisabledAdministratorIsNoneAtOnce(t *testing.T) {
	onSQLite(t, func(t *testing.T, b *testbed) {
		v, _ := b.administrator(t, "/admin")
		v.get(t, b.Issuer+"/admin").wantText(t, "Administration")
		admin := b.userBy(t, root)
		another := b.user(t, "another@example.com", password) // the last one cannot be disabled
		if _, err := b.DB.GrantAdmin(context.Background(), another.ID, storage.StopIfAttached, storage.By{At: b.now()}); err != nil {
			t.Fatal(err)
		}
		if err := b.DB.SetUserEnabled(context.Background(), admin.ID, false, storage.By{At: b.now()}); err != nil {
			t.Fatal(err)
		}
		if page := v.get(t, b.Issuer+"/admin"); page.At.Path != "/login" {
			t.Errorf("a disabled administrator sees %s, status %d", page.At, page.StatusCode)
		}
	})
}

func TestAD03_ADemotedAdministratorIsNoneAtOnce(t *testing.T) {
	each(t, func(t *testing.T, b *testbed) {
		v, page := b.administrator(t, "/admin/connectors")
		kid := b.kid(t, "RS256", storage.KeyNext)
		revoke := v.get(t, b.Issuer+revokePathOf(kid)).formTo(t, "/admin/keys/revoke", "", "")
		another := b.local(t, storage.User{Email: "another@example.com", Admin: true}, password) // the last one stays
		if err := b.DB.RevokeAdmin(context.Background(), b.userBy(t, root).ID, storage.By{From: storage.Origin{Actor: another.ID}, At: b.now()}); err != nil {
			t.Fatal(err)
		}
		v.get(t, page.At.String()).wantPage(t, http.StatusForbidden, "admin_required")
		v.submit(t, revoke, "confirm", kid).wantPage(t, http.StatusForbidden, "admin_required")
		if b.kid(t, "RS256", storage.KeyNext) != kid {
			t.Error("a form from before has revoked a key")
		}
	})
}

func TestAdminConnectors_SayWhatToRegister(t *testing.T) {
	up, connectors := withUpstreams(t, alter("google", func(c *provider.Connector) {
		c.AllowedDomains, c.AutoLink, c.SignUp, c.Scopes = []string{"corp.example"}, true, false, []string{"calendar"}
	}))
	onSQLite(t, func(t *testing.T, b *testbed) {
		_, page := b.administrator(t, "/admin/connectors")
		page.wantText(t,
			b.Issuer+"/login/google/callback", b.Issuer+"/login/github/callback", b.Issuer+"/login/liar/callback",
			"Authorized redirect URIs", "https://console.cloud.google.com/apis/credentials", "Authorization callback URL",
			"<code>corp.example</code>", "<code>calendar</code>", "<code>user:email</code>", "people are refused", "people get one", up.google.ClientID)
		for _, secret := range []string{up.google.ClientSecret, up.github.ClientSecret, up.liar.ClientSecret} {
			if strings.Contains(page.Body, secret) {
				t.Error("the page shows a client secret")
			}
		}
	}, connectors)
	onSQLite(t, func(t *testing.T, b *testbed) {
		_, page := b.administrator(t, "/admin/connectors")
		page.wantText(t, "There are none", "SIGNET_GOOGLE_CLIENT_ID")
	})
}

// The test of a connector says in words what is wrong with the upstream.
func TestAdminConnectors_TestSaysWhatItFound(t *testing.T) {
	const notWorking = `<div class="alert" id="test-result"`
	up, connectors := withUpstreams(t)
	onSQLite(t, func(t *testing.T, b *testbed) {
		v, page := b.administrator(t, "/admin/connectors")
		tested := func(id string) stop {
			t.Helper()
			return v.submit(t, page.formTo(t, "/admin/connectors/test#test-result", "connector", id))
		}
		for _, id := range []string{"google", "github", "liar"} {
			tested(id).wantText(t, "It answers", "Clock", `<div class="done" id="test-result"`)
		}
		for _, c := range []struct {
			name   string
			faults federationtest.Faults
			want   []string
		}{
			{"other issuer", federationtest.Faults{Discovery: map[string]any{"issuer": "https://evil.example"}}, []string{"did not pass the checks", "issuer"}},
			{"no keys", federationtest.Faults{Wire: map[string]federationtest.Wire{"jwks": federationtest.HTML}}, []string{"fetch keys"}},
			{"no common algorithm", federationtest.Faults{Discovery: map[string]any{"id_token_signing_alg_values_supported": []string{"none"}}}, []string{"do not fit together", "algorithms"}},
			{"hung up", federationtest.Faults{Wire: map[string]federationtest.Wire{"discovery": federationtest.Reset}}, []string{"did not answer"}},
		} {
			up.liar.Tell(c.faults)
			page := tested("liar")
			page.wantText(t, append(c.want, notWorking)...)
			if page.StatusCode != http.StatusOK {
				t.Errorf("%s: got status %d, want 200", c.name, page.StatusCode)
			}
		}
		up.liar.Tell(federationtest.Faults{})
		b.pass(5 * time.Minute) // our clock: that of the Date header stays
		tested("liar").wantText(t, "behind this server", "5m", notWorking)
		up.liar.Close()
		tested("liar").wantText(t, "did not answer", "refused", notWorking)
	}, connectors)
}

func TestAD10_ConnectorTestWantsItsTicket(t *testing.T) {
	up, connectors := withUpstreams(t)
	onSQLite(t, func(t *testing.T, b *testbed) {
		v, page := b.administrator(t, "/admin/connectors")
		asked := len(up.google.Requests())
		f := page.formTo(t, "/admin/connectors/test#test-result", "connector", "google")
		own := f.values.Get("ticket")
		for name, ticket := range map[string]string{
			"none": "", "another connector's": page.formTo(t, "/admin/connectors/test#test-result", "connector", "github").values.Get("ticket"),
		} {
			f.values.Set("ticket", ticket)
			if a := v.submit(t, f); a.StatusCode != http.StatusConflict {
				t.Errorf("ticket %s: got status %d, want 409", name, a.StatusCode)
			}
		}
		f.values.Set("ticket", own)
		r := v.formRequest(t, f)
		r.Header.Set("Origin", "https://evil.example")
		r.Header.Set("Sec-Fetch-Site", "cross-site")
		if a := v.walk(t, r); a.StatusCode != http.StatusForbidden {
			t.Errorf("from another site: got status %d, want 403", a.StatusCode)
		}
		if got := len(up.google.Requests()); got != asked {
			t.Errorf("the upstream was asked %d times", got-asked)
		}
	}, connectors)
}

// How sign-ins go is kept in the database, so that every node shows the same, and
// strangers who make them fail cause a bounded number of writes.
func TestAdminConnectors_ShowLastSuccessAndFailureOfAllNodes(t *testing.T) {
	eachUpstream(t, func(t *testing.T, b *testbed, up *upstreams) {
		fails := func() {
			t.Helper()
			v := b.visitor(t)
			v.wantProblem(t, v.comeBy(t, "google", ""), http.StatusForbidden, "upstream_denied")
		}
		writes := func(do func()) int64 {
			t.Helper()
			_, before := b.DB.Calls()
			do()
			_, after := b.DB.Calls()
			return after - before
		}
		health := func() storage.ConnectorHealth {
			t.Helper()
			known, err := b.DB.ConnectorHealth(context.Background())
			if err != nil {
				t.Fatal(err)
			}
			return known["google"]
		}
		b.follow(t) // which tells the other nodes what this one serves, for half a minute
		if n := writes(func() { fails(); fails(); fails() }); n != 0 {
			t.Errorf("three failed trips wrote %d times while somebody waited", n)
		}
		gone, cancel := context.WithCancel(context.Background())
		cancel()
		if err := b.FollowOnce(gone, b.now()); err == nil {
			t.Error("what cannot be stored is no error")
		}
		if n := writes(func() { b.follow(t); b.follow(t) }); n != 1 { // not lost
			t.Errorf("three failures of one kind: %d writes, want 1", n)
		}
		first := health()
		if first.FailureCode != "upstream_denied" || first.SucceededAt != 0 || !strings.Contains(first.FailureReason, "access_denied") {
			t.Fatalf("got %+v", first)
		}
		b.pass(10 * time.Second)
		if n := writes(func() { fails(); b.follow(t) }); n > 1 { // the refusals' events are one write
			t.Errorf("within the minute: %d more writes", n)
		}
		v := b.visitor(t)
		v.subject(t, v.comeBy(t, "google", "ada"))
		if n := writes(func() { b.follow(t) }); n != 1 {
			t.Errorf("the first success: %d writes, want 1", n)
		}
		b.pass(time.Minute)
		b.follow(t)
		last := health()
		if last.SucceededAt == 0 || last.FailedAt <= first.FailedAt || last.FailedAt > last.SucceededAt {
			t.Errorf("a minute later: got %+v after %+v", last, first)
		}

		other := b.node(t, func(c *provider.Config) { c.Connectors = up.connectors })
		_, page := other.administrator(t, "/admin/connectors")
		page.wantText(t, "upstream_denied", "1 minute ago", "The person or the upstream said no.", "never")
		for _, secret := range []string{up.google.ClientSecret, "code=", "state="} {
			if strings.Contains(page.Body, secret) {
				t.Errorf("the page shows %q", secret)
			}
		}
	})
}
