package admin_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"signet/provider"
	"signet/provider/providertest"
	"signet/storage"
)

// AD-03: if the setting says so, an administrator without a second factor reads every page and
// changes nothing. With one, everything works, and after its removal nothing does.
func TestAdmin_WithoutARequiredFactorPagesAreOnlyRead(t *testing.T) {
	for required, want := range map[bool]int{false: http.StatusOK, true: http.StatusForbidden} {
		providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
			v, _ := b.Administrator(t, "/admin")
			b.Advance(24 * time.Hour) // until the next keys may sign
			page := v.SignIn(t, v.Get(t, b.Issuer+"/admin/keys/rotate"), providertest.AdminEmail, providertest.Password)
			rotate := page.FormTo(t, "/admin/keys/rotate", "", "")
			done := v.Submit(t, rotate)
			if done.StatusCode != want {
				t.Fatalf("required %v: rotation answers %d, want %d", required, done.StatusCode, want)
			}
			rotated := providertest.CountEvents(b.Events(t), storage.KeyRotated)
			if !required {
				return
			}
			done.WantPage(t, http.StatusForbidden, "second_factor_needed")
			if rotated != 0 {
				t.Errorf("%d keys were rotated", rotated)
			}
			for _, path := range providertest.Pages(t, "/admin") {
				v.Get(t, b.Issuer+path).WantText(t, `id="factor-needed"`)
			}
			if to := done.Link(t, "start"); to != b.Issuer+"/account/security" {
				t.Errorf("the page leads to %s", to)
			}
			app := v.AddAuthenticator(t)
			page = v.Get(t, b.Issuer+"/admin/keys/rotate")
			if done = v.Submit(t, page.FormTo(t, "/admin/keys/rotate", "", "")); done.StatusCode != http.StatusOK || providertest.CountEvents(b.Events(t), storage.KeyRotated) == 0 {
				t.Errorf("with a second factor: status %d at %s", done.StatusCode, done.At)
			}
			other := b.Visitor(t)
			page = other.SignIn(t, other.Get(t, b.Issuer+"/admin"), providertest.AdminEmail, providertest.Password)
			other.EnterCode(t, page, app.Code(t, b.Now())).WantAt(t, "/admin")
		}, func(c *provider.Config) { c.AdminFactor = required })
	}
}

// An administrator whose account has a passkey, but who signed in with a password, gives the passkey
// before an act, and then goes on.
func TestAdmin_PasskeyIsAskedForBeforeAnAct(t *testing.T) {
	_, upstreams := providertest.WithUpstreams(t)
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		owner, _ := b.Administrator(t, "/admin")
		a := b.Authenticator(t)
		owner.AddAuthenticator(t)
		owner.AddPasskey(t, a).WantAt(t, "/account/passkeys?done=passkey")
		remove := owner.Get(t, b.Issuer+"/account/security/totp/remove")
		owner.Submit(t, remove.FormTo(t, "/account/security/totp/remove", "", ""))

		for name, begin := range map[string]func(*providertest.Visitor) (asked providertest.Stop, back string){
			"form": func(v *providertest.Visitor) (providertest.Stop, string) {
				page := v.Get(t, b.Issuer+"/admin/connectors")
				return v.Submit(t, page.FormTo(t, "/admin/connectors/test#test-result", "connector", "google")), "/admin/connectors"
			},
			"rotate": func(v *providertest.Visitor) (providertest.Stop, string) {
				return v.Get(t, b.Issuer+"/admin/keys/rotate"), "/admin/keys/rotate"
			},
			"revoke": func(v *providertest.Visitor) (providertest.Stop, string) {
				path := providertest.RevokePathOf(b.Kid(t, "ES256", storage.KeyActive))
				return v.Get(t, b.Issuer+path), path
			},
		} {
			v := b.Visitor(t)
			v.SignIn(t, v.Get(t, b.Issuer+"/admin"), providertest.AdminEmail, providertest.Password).WantText(t, `id="factor-needed"`)
			asked, back := begin(v)
			if asked.At.Path != "/login" {
				t.Errorf("%s: at %s, status %d", name, asked.At, asked.StatusCode)
				continue
			}
			page := v.UsePasskey(t, asked, a)
			page.WantAt(t, back)
			if strings.Contains(page.Body, `id="factor-needed"`) {
				t.Errorf("%s: after the passkey the administrator may still only read", name)
			}
			if name == "form" {
				v.Submit(t, page.FormTo(t, "/admin/connectors/test#test-result", "connector", "google")).WantText(t, `id="test-result"`)
			}
		}
	}, providertest.WithLocalhost, upstreams, func(c *provider.Config) { c.AdminFactor = true })
}
