package admin_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"signet/federation/federationtest"
	"signet/provider"
	"signet/provider/providertest"
	"signet/storage"
)

// AD-01: Every page for administrators refuses everybody else, in all spellings of its path.
func TestAdmin_PagesAreForAdministrators(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		v, page := b.Administrator(t, "/admin")
		if page.At.Path != "/admin" || page.StatusCode != http.StatusOK {
			t.Fatalf("after signing in: %s, status %d", page.At, page.StatusCode)
		}
		page.WantText(t, "Administration", "Connectors")
		v.Get(t, b.Issuer+"/account").WantText(t, "Administration")

		user := b.Visitor(t)
		user.SignIn(t, user.Get(t, b.Issuer+"/account"), providertest.Alice, providertest.Password)
		if strings.Contains(user.Get(t, b.Issuer+"/account").Body, "/admin") {
			t.Error("the account page of a user links to the administration")
		}
		for _, path := range adminRoutes(t) {
			for name, browser := range map[string]*providertest.Visitor{"stranger": b.Visitor(t), "user": user} {
				for _, method := range providertest.Methods {
					r, err := http.NewRequest(method, b.Issuer+path, nil)
					if err != nil {
						t.Fatal(err)
					}
					r.Header.Set("Accept", "text/html")
					r.Header.Set("Sec-Fetch-Site", "same-origin")
					if a := browser.Walk(t, r); a.At.Path != "/login" && a.StatusCode != http.StatusForbidden && a.StatusCode != http.StatusNotFound && a.StatusCode != http.StatusMethodNotAllowed {
						t.Errorf("%s %s as %s: status %d at %s", method, path, name, a.StatusCode, a.At)
					}
				}
			}
		}
		refused := user.Get(t, b.Issuer+"/admin/connectors")
		refused.WantPage(t, http.StatusForbidden, "admin_required")
		refused.WantText(t, ">Your account</a>")
		if to := refused.Link(t, "start"); to != b.Issuer+"/account" {
			t.Errorf("the link on the error page leads to %s", to)
		}
	})
}

// AD-03: The role is read from the database at each request.
func TestAdmin_DisabledAdministratorLosesAccessImmediately(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		v, _ := b.Administrator(t, "/admin")
		v.Get(t, b.Issuer+"/admin").WantText(t, "Administration")
		admin := b.UserByEmail(t, providertest.AdminEmail)
		another := b.User(t, "another@example.com", providertest.Password) // the last administrator cannot be disabled
		if _, err := b.DB.GrantAdmin(context.Background(), another.ID, storage.Administrator, storage.StopIfAttached, storage.By{At: b.Now()}); err != nil {
			t.Fatal(err)
		}
		if err := b.DB.SetUserEnabled(context.Background(), admin.ID, false, storage.By{At: b.Now()}); err != nil {
			t.Fatal(err)
		}
		if page := v.Get(t, b.Issuer+"/admin"); page.At.Path != "/login" {
			t.Errorf("a disabled administrator sees %s, status %d", page.At, page.StatusCode)
		}
	})
}

// AD-03: The role is read from the database at each request.
func TestAdmin_DemotedAdministratorLosesAccessImmediately(t *testing.T) {
	providertest.Each(t, func(t *testing.T, b *providertest.Testbed) {
		v, page := b.Administrator(t, "/admin/connectors")
		kid := b.Kid(t, "RS256", storage.KeyNext)
		revoke := v.Get(t, b.Issuer+providertest.RevokePathOf(kid)).FormTo(t, "/admin/keys/revoke", "", "")
		another := b.CreateUser(t, storage.User{Email: "another@example.com", Admin: true}, providertest.Password) // the last administrator cannot be demoted
		if err := b.DB.RevokeAdmin(context.Background(), b.UserByEmail(t, providertest.AdminEmail).ID, storage.By{From: storage.Origin{Actor: another.ID}, At: b.Now()}); err != nil {
			t.Fatal(err)
		}
		v.Get(t, page.At.String()).WantPage(t, http.StatusForbidden, "admin_required")
		v.Submit(t, revoke, "confirm", kid).WantPage(t, http.StatusForbidden, "admin_required")
		if b.Kid(t, "RS256", storage.KeyNext) != kid {
			t.Error("a form from before the demotion has revoked a key")
		}
	})
}

func TestAdminConnectors_ShowRegistration(t *testing.T) {
	up, connectors := providertest.WithUpstreams(t, providertest.ChangeConnector("google", func(c *provider.Connector) {
		c.AllowedDomains, c.AutoLink, c.SignUp, c.Scopes = []string{"corp.example"}, true, false, []string{"calendar"}
	}))
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		_, page := b.Administrator(t, "/admin/connectors")
		page.WantText(t,
			b.Issuer+"/login/google/callback", b.Issuer+"/login/github/callback", b.Issuer+"/login/liar/callback",
			"Authorized redirect URIs", "https://console.cloud.google.com/apis/credentials", "Authorization callback URL",
			"<code>corp.example</code>", "<code>calendar</code>", "<code>user:email</code>", "are refused", "an account is created", up.Google.ClientID)
		for _, secret := range []string{up.Google.ClientSecret, up.GitHub.ClientSecret, up.Liar.ClientSecret} {
			if strings.Contains(page.Body, secret) {
				t.Error("the page shows a client secret")
			}
		}
	}, connectors)
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		_, page := b.Administrator(t, "/admin/connectors")
		page.WantText(t, "There are none", "SIGNET_GOOGLE_CLIENT_ID")
	})
}

// The test of a connector describes the fault of the upstream in words.
func TestAdminConnectors_TestShowsResult(t *testing.T) {
	const notWorking = `<div class="alert" id="test-result"`
	up, connectors := providertest.WithUpstreams(t)
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		v, page := b.Administrator(t, "/admin/connectors")
		tested := func(id string) providertest.Stop {
			t.Helper()
			return v.Submit(t, page.FormTo(t, "/admin/connectors/test#test-result", "connector", id))
		}
		for _, id := range []string{"google", "github", "liar"} {
			tested(id).WantText(t, "The upstream responds", "Clock", `<div class="done" id="test-result"`)
		}
		for _, c := range []struct {
			name   string
			faults federationtest.Faults
			want   []string
		}{
			{"other issuer", federationtest.Faults{Discovery: map[string]any{"issuer": "https://evil.example"}}, []string{"didn’t pass the checks", "issuer"}},
			{"no keys", federationtest.Faults{Wire: map[string]federationtest.WireFault{"jwks": federationtest.HTML}}, []string{"fetch keys"}},
			{"no common algorithm", federationtest.Faults{Discovery: map[string]any{"id_token_signing_alg_values_supported": []string{"none"}}}, []string{"don’t match", "algorithms"}},
			{"hung up", federationtest.Faults{Wire: map[string]federationtest.WireFault{"discovery": federationtest.Reset}}, []string{"didn’t respond"}},
			{"no page", federationtest.Faults{Wire: map[string]federationtest.WireFault{"authorize": federationtest.ServerError}}, []string{"didn’t respond", "sign-in page"}},
		} {
			up.Liar.SetFaults(c.faults)
			page := tested("liar")
			page.WantText(t, append(c.want, notWorking)...)
			if page.StatusCode != http.StatusOK {
				t.Errorf("%s: got status %d, want 200", c.name, page.StatusCode)
			}
		}
		up.Liar.SetFaults(federationtest.Faults{})
		up.Liar.EditAnswer("/token", func(a *federationtest.Answer) {
			a.Header.Set("Date", b.Now().Add(5*time.Minute).UTC().Format(http.TimeFormat))
		})
		tested("liar").WantText(t, "didn’t pass the checks", "5m0s ahead of this server", notWorking)
		up.Liar.EditAnswer("/token", func(a *federationtest.Answer) {
			a.Status, a.Body = http.StatusUnauthorized, []byte(`{"error":"invalid_client"}`)
		})
		tested("liar").WantText(t, "don’t match", "invalid_client", notWorking)
		up.Liar.EditAnswer("/token", nil)
		up.Liar.EditAnswer("/userinfo", func(a *federationtest.Answer) { a.Status = http.StatusNotFound })
		tested("liar").WantText(t, "The upstream responds", "read userinfo: status 404", `<div class="done" id="test-result"`)
		up.Liar.Close()
		tested("liar").WantText(t, "didn’t respond", "refused", notWorking)
	}, connectors)
}

// AD-10: Forms from another site are refused.
func TestAdmin_ConnectorTestNeedsTicket(t *testing.T) {
	up, connectors := providertest.WithUpstreams(t)
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		v, page := b.Administrator(t, "/admin/connectors")
		asked := len(up.Google.Requests())
		f := page.FormTo(t, "/admin/connectors/test#test-result", "connector", "google")
		own := f.Values.Get("ticket")
		for name, ticket := range map[string]string{
			"none": "", "another connector's": page.FormTo(t, "/admin/connectors/test#test-result", "connector", "github").Values.Get("ticket"),
		} {
			f.Values.Set("ticket", ticket)
			if a := v.Submit(t, f); a.StatusCode != http.StatusConflict {
				t.Errorf("ticket %s: got status %d, want 409", name, a.StatusCode)
			}
		}
		f.Values.Set("ticket", own)
		r := v.FormRequest(t, f)
		r.Header.Set("Origin", "https://evil.example")
		r.Header.Set("Sec-Fetch-Site", "cross-site")
		if a := v.Walk(t, r); a.StatusCode != http.StatusForbidden {
			t.Errorf("from another site: got status %d, want 403", a.StatusCode)
		}
		if got := len(up.Google.Requests()); got != asked {
			t.Errorf("the upstream got %d requests, want none", got-asked)
		}
	}, connectors)
}

// The last success and failure are stored in the database, so that all nodes show the same.
// The number of writes is limited, even if strangers cause many failures.
func TestAdminConnectors_ShowLastSuccessAndFailureOfAllNodes(t *testing.T) {
	providertest.EachUpstream(t, func(t *testing.T, b *providertest.Testbed, up *providertest.Upstreams) {
		fails := func() {
			t.Helper()
			v := b.Visitor(t)
			v.WantProblem(t, v.AuthorizeThrough(t, "google", ""), http.StatusForbidden, "upstream_denied")
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
		b.Follow(t) // writes the settings of this node for the others; not again for half a minute
		if n := writes(func() { fails(); fails(); fails() }); n != 0 {
			t.Errorf("three failed sign-ins wrote %d times during the requests, want 0", n)
		}
		gone, cancel := context.WithCancel(context.Background())
		cancel()
		if err := b.FollowOnce(gone, b.Now()); err == nil {
			t.Error("the job returns no error although it cannot store the failures")
		}
		if n := writes(func() { b.Follow(t); b.Follow(t) }); n != 1 { // the failures are not lost
			t.Errorf("three failures of one kind: %d writes, want 1", n)
		}
		first := health()
		if first.FailureCode != "upstream_denied" || first.SucceededAt != 0 || !strings.Contains(first.FailureReason, "access_denied") {
			t.Fatalf("got %+v", first)
		}
		b.Advance(10 * time.Second)
		if n := writes(func() { fails(); b.Follow(t) }); n > 1 { // the events of the refusals are one write
			t.Errorf("within the minute: %d more writes, want at most 1", n)
		}
		v := b.Visitor(t)
		v.Subject(t, v.AuthorizeThrough(t, "google", "ada"))
		if n := writes(func() { b.Follow(t) }); n != 1 {
			t.Errorf("the first success: %d writes, want 1", n)
		}
		b.Advance(time.Minute)
		b.Follow(t)
		last := health()
		if last.SucceededAt == 0 || last.FailedAt <= first.FailedAt || last.FailedAt > last.SucceededAt {
			t.Errorf("a minute later: got %+v after %+v", last, first)
		}

		other := b.Node(t, func(c *provider.Config) { c.Connectors = up.Connectors })
		_, page := other.Administrator(t, "/admin/connectors")
		page.WantText(t, "upstream_denied", "1 minute ago", "The user or the upstream canceled the sign-in.", "never")
		for _, secret := range []string{up.Google.ClientSecret, "code=", "state="} {
			if strings.Contains(page.Body, secret) {
				t.Errorf("the page shows %q", secret)
			}
		}
	})
}
