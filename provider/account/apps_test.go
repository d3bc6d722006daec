package account_test

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"signet/provider/providertest"
	"signet/storage"
	"signet/storage/storagetest"
)

func TestAccount_AppsShowPermissions(t *testing.T) {
	providertest.Each(t, func(t *testing.T, b *providertest.Testbed) {
		v := b.Visitor(t)
		v.Account(t, "/account/apps").WantText(t, "None yet.")
		page := v.Get(t, b.AuthorizeURL("scope", "openid email offline_access photos:write"))
		page.WantText(t, `href="/account/apps"`)
		b.Redeem(t, v.Allow(t, page).Code(t))
		b.Advance(2 * time.Hour)
		page = v.Account(t, "/account/apps")
		page.WantText(t, "App app", "app.example.com", "know who you are", "see your email address", "keep access while you are away",
			"It keeps its access while you’re away.", "(2 hours ago)")
		v.Account(t, "/account").WantText(t, "1 application has access")
	})
}

// A person starts an application from the list: at its initiate_login_uri, with iss (OIDC Core,
// section 4). A disabled application cannot be started.
func TestAccount_AppsCanBeStarted(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		v := b.Visitor(t)
		b.Redeem(t, v.SignInForCode(t))
		const link = `href="https://app.example.com/begin?`
		if page := v.Account(t, "/account/apps"); strings.Contains(page.Body, link) {
			t.Error("there is a link without an initiate_login_uri")
		}
		b.ChangeClient(t, func(c *storage.Client) { c.Metadata.InitiateLoginURI = "https://app.example.com/begin?tenant=7" })
		v.Account(t, "/account/apps").WantText(t, link+"iss="+url.QueryEscape(b.Issuer)+"&amp;tenant=7", "Open App app")
		if err := b.DB.SetClientEnabled(context.Background(), b.Client.ID, false, storage.By{At: b.Now()}); err != nil {
			t.Fatal(err)
		}
		b.Follow(t)
		if page := v.Account(t, "/account/apps"); strings.Contains(page.Body, link) {
			t.Error("there is a link to a disabled application")
		}
	})
}

// A client may have any name; the page must escape it.
// AD-11: Names, addresses and user agents are escaped wherever they are shown.
func TestAccount_ClientNameStaysText(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		b.Client.Name = `"><script>alert(1)</script>` + "\u202egnp"
		if err := storagetest.ReplaceClient(context.Background(), b.DB, b.Client, storage.By{At: b.Now()}); err != nil {
			t.Fatal(err)
		}
		b.Follow(t)
		v := b.Visitor(t)
		b.Redeem(t, v.SignInForCode(t))
		for _, path := range []string{"/account/apps", "/account/apps/withdraw?client_id=app", "/account/sessions"} {
			page := v.Account(t, path)
			if strings.Contains(page.Body, "<script>alert") || strings.Contains(page.Body, "\u202e") {
				t.Errorf("%s shows the name unescaped", path)
			}
			page.WantText(t, "&lt;script&gt;alert(1)")
		}
	})
}

func TestAccount_WithdrawEndsAccessOfApplication(t *testing.T) {
	providertest.Each(t, func(t *testing.T, b *providertest.Testbed) {
		v := b.Visitor(t)
		online := b.Redeem(t, v.SignInForCode(t))
		b.ConsentTo(t, "openid email offline_access")
		offline := b.Redeem(t, v.CodeFromSession(t, "scope", "openid offline_access"))
		second := b.AsClient(b.Register(t, storage.Web, "second", "https://second.example.com/cb"))
		b.Follow(t)
		page := v.Get(t, second.AuthorizeURL())
		kept := second.Redeem(t, v.Allow(t, page).Code(t))

		ask := v.Account(t, "/account/apps").FormTo(t, "/account/apps/withdraw", "client_id", "app")
		page = v.Get(t, ask.Action+"?"+ask.Values.Encode())
		page.WantAt(t, "/account/apps/withdraw?client_id=app")
		page.WantText(t, "App app", "app.example.com", "keeps while you’re away")
		b.MustRefresh(t, online["refresh_token"]) // the confirmation page changes nothing

		page = v.Submit(t, page.FormTo(t, "/account/apps/withdraw", "", ""))
		page.WantAt(t, "/account/apps?done=app")
		page.WantText(t, "The application no longer has access.", "App second")
		if strings.Contains(page.Body, "App app") {
			t.Error("the application is still in the list")
		}
		b.WantRevoked(t, online)
		b.WantRevoked(t, offline)
		second.MustRefresh(t, kept["refresh_token"])
		if page := v.Get(t, b.AuthorizeURL()); page.At.Path != "/consent" {
			t.Errorf("the next request leads to %s, want the consent page", page.At)
		}
		b.WantEvent(t, storage.ConsentWithdrawn, b.Alice.ID)
	})
}

func TestAccount_ApplicationOfAnotherUserIsNotFound(t *testing.T) {
	providertest.Each(t, func(t *testing.T, b *providertest.Testbed) {
		b.User(t, "bob@example.com", "the password of bob")
		bob := b.Visitor(t)
		page := bob.SignIn(t, bob.Get(t, b.AuthorizeURL()), "bob@example.com", "the password of bob")
		tokens := b.Redeem(t, bob.Allow(t, page).Code(t))
		second, _ := b.Register(t, storage.Web, "second", "https://second.example.com/cb")
		b.Follow(t)
		v := b.Visitor(t)
		page = v.SignIn(t, v.Get(t, b.AsClient(second, "").AuthorizeURL()), providertest.Alice, providertest.Password)
		v.Allow(t, page)
		own := v.Account(t, "/account/apps/withdraw?client_id=second").FormTo(t, "/account/apps/withdraw", "", "")
		for _, id := range []string{"app", "unknown", "", "%"} {
			v.Submit(t, own, "client_id", id).WantPage(t, http.StatusNotFound, "not_found")
			v.Get(t, b.Issuer+"/account/apps/withdraw?client_id="+strings.ReplaceAll(id, "%", "%25")).WantPage(t, http.StatusNotFound, "not_found")
		}
		b.MustRefresh(t, tokens["refresh_token"])
		bob.Account(t, "/account/apps").WantText(t, "App app")
	})
}

// A ticket for one application cannot withdraw another one.
func TestAccount_WithdrawTicketIsForOneApplication(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		second, secret := b.Register(t, storage.Web, "second", "https://second.example.com/cb")
		b.Follow(t)
		v := b.Visitor(t)
		tokens := b.Redeem(t, v.SignInForCode(t))
		b.AsClient(second, secret).Redeem(t, v.Allow(t, v.Get(t, b.AsClient(second, secret).AuthorizeURL())).Code(t))
		f := v.Account(t, "/account/apps/withdraw?client_id=second").FormTo(t, "/account/apps/withdraw", "", "")
		v.Submit(t, f, "client_id", "app").WantPage(t, http.StatusConflict, "stale_form")
		b.MustRefresh(t, tokens["refresh_token"])
	})
}

func TestAccount_WithdrawFromDisabledClient(t *testing.T) {
	providertest.Each(t, func(t *testing.T, b *providertest.Testbed) {
		v := b.Visitor(t)
		v.SignInForCode(t)
		if err := b.DB.SetClientEnabled(context.Background(), "app", false, storage.By{At: b.Now()}); err != nil {
			t.Fatal(err)
		}
		b.Follow(t)
		v.Account(t, "/account/apps").WantText(t, "App app", "not in use now")
		f := v.Account(t, "/account/apps/withdraw?client_id=app").FormTo(t, "/account/apps/withdraw", "", "")
		v.Submit(t, f).WantText(t, "None yet.")
	})
}
