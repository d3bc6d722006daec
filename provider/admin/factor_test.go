package admin_test

import (
	"net/http"
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
			if to := done.Link(t, "start"); to != b.Issuer+"/account/security/totp" {
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
