package provider_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"signet/storage"
)

func TestAccount_AppsSayWhatTheyMay(t *testing.T) {
	each(t, func(t *testing.T, b *testbed) {
		v := b.visitor(t)
		v.account(t, "/account/apps").wantText(t, "None so far.")
		page := v.get(t, b.authorizeURL("scope", "openid email offline_access photos:write"))
		page.wantText(t, `href="/account/apps"`)
		b.redeem(t, v.allow(t, page).code(t))
		b.pass(2 * time.Hour)
		page = v.account(t, "/account/apps")
		page.wantText(t, "App app", "app.example.com", "know who you are", "see your email address", "keep access while you are away",
			"It keeps its access while you are away.", "(2 hours ago)")
		v.account(t, "/account").wantText(t, "One has access")
	})
}

// TestAD11_ClientNameStaysText: what a client calls itself is anything.
func TestAD11_ClientNameStaysText(t *testing.T) {
	onSQLite(t, func(t *testing.T, b *testbed) {
		b.Client.Name = `"><script>alert(1)</script>` + "\u202egnp"
		if err := b.DB.UpdateClient(context.Background(), b.Client, storage.By{At: b.now()}); err != nil {
			t.Fatal(err)
		}
		b.follow(t)
		v := b.visitor(t)
		b.redeem(t, v.flow(t))
		for _, path := range []string{"/account/apps", "/account/apps/withdraw?client_id=app", "/account/sessions"} {
			page := v.account(t, path)
			if strings.Contains(page.Body, "<script>alert") || strings.Contains(page.Body, "\u202e") {
				t.Errorf("%s shows the name as it came", path)
			}
			page.wantText(t, "&lt;script&gt;alert(1)")
		}
	})
}

func TestAccount_WithdrawEndsTheApplication(t *testing.T) {
	each(t, func(t *testing.T, b *testbed) {
		v := b.visitor(t)
		online := b.redeem(t, v.flow(t))
		b.consentTo(t, "openid email offline_access")
		offline := b.redeem(t, v.again(t, "scope", "openid offline_access"))
		second := b.as(b.register(t, storage.Web, "second", "https://second.example.com/cb"))
		b.follow(t)
		page := v.get(t, second.authorizeURL())
		kept := second.redeem(t, v.allow(t, page).code(t))

		ask := v.account(t, "/account/apps").formTo(t, "/account/apps/withdraw", "client_id", "app")
		page = v.get(t, ask.action+"?"+ask.values.Encode())
		page.wantAt(t, "/account/apps/withdraw?client_id=app")
		page.wantText(t, "App app", "app.example.com", "keeps while you are away")
		b.refreshed(t, online["refresh_token"]) // a question changes nothing

		page = v.submit(t, page.formTo(t, "/account/apps/withdraw", "", ""))
		page.wantAt(t, "/account/apps?done=app")
		page.wantText(t, "The application has no access any more.", "App second")
		if strings.Contains(page.Body, "App app") {
			t.Error("it is still on the list")
		}
		b.wantDead(t, online)
		b.wantDead(t, offline)
		second.refreshed(t, kept["refresh_token"])
		if page := v.get(t, b.authorizeURL()); page.At.Path != "/consent" {
			t.Errorf("the next request leads to %s, want the consent page", page.At)
		}
		b.wantEvent(t, storage.ConsentWithdrawn, b.Alice.ID)
	})
}

func TestAccount_ForeignApplicationIsNotThere(t *testing.T) {
	each(t, func(t *testing.T, b *testbed) {
		b.user(t, "bob@example.com", "the password of bob")
		bob := b.visitor(t)
		page := bob.signIn(t, bob.get(t, b.authorizeURL()), "bob@example.com", "the password of bob")
		tokens := b.redeem(t, bob.allow(t, page).code(t))
		second, _ := b.register(t, storage.Web, "second", "https://second.example.com/cb")
		b.follow(t)
		v := b.visitor(t)
		page = v.signIn(t, v.get(t, b.as(second, "").authorizeURL()), alice, password)
		v.allow(t, page)
		own := v.account(t, "/account/apps/withdraw?client_id=second").formTo(t, "/account/apps/withdraw", "", "")
		for _, id := range []string{"app", "unknown", "", "%"} {
			v.submit(t, own, "client_id", id).wantPage(t, http.StatusNotFound, "not_found")
			v.get(t, b.Issuer+"/account/apps/withdraw?client_id="+strings.ReplaceAll(id, "%", "%25")).wantPage(t, http.StatusNotFound, "not_found")
		}
		b.refreshed(t, tokens["refresh_token"])
		bob.account(t, "/account/apps").wantText(t, "App app")
	})
}

// A ticket for one application withdraws no other.
func TestAccount_WithdrawTicketNamesTheApplication(t *testing.T) {
	onSQLite(t, func(t *testing.T, b *testbed) {
		second, secret := b.register(t, storage.Web, "second", "https://second.example.com/cb")
		b.follow(t)
		v := b.visitor(t)
		tokens := b.redeem(t, v.flow(t))
		b.as(second, secret).redeem(t, v.allow(t, v.get(t, b.as(second, secret).authorizeURL())).code(t))
		f := v.account(t, "/account/apps/withdraw?client_id=second").formTo(t, "/account/apps/withdraw", "", "")
		v.submit(t, f, "client_id", "app").wantPage(t, http.StatusConflict, "stale_form")
		b.refreshed(t, tokens["refresh_token"])
	})
}

func TestAccount_DisabledClientCanBeWithdrawnFrom(t *testing.T) {
	each(t, func(t *testing.T, b *testbed) {
		v := b.visitor(t)
		v.flow(t)
		if err := b.DB.SetClientEnabled(context.Background(), "app", false, storage.By{At: b.now()}); err != nil {
			t.Fatal(err)
		}
		b.follow(t)
		v.account(t, "/account/apps").wantText(t, "App app", "not in use now")
		f := v.account(t, "/account/apps/withdraw?client_id=app").formTo(t, "/account/apps/withdraw", "", "")
		v.submit(t, f).wantText(t, "None so far.")
	})
}
