package admin_test

import (
	"testing"
	"time"

	"signet/provider"
	"signet/provider/providertest"
	"signet/storage"
)

// A session that has not used the pages for operators for some time signs in again, even if it was used
// elsewhere. Each use of these pages begins the time anew. It may be shorter than the time of a recent
// sign-in.
func TestIdle_PagesAskForASignInAfterATimeWithoutUse(t *testing.T) {
	for idle, start := range map[time.Duration]time.Duration{15 * time.Minute: 20 * time.Minute, time.Minute: 90 * time.Second} {
		providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
			for _, role := range storage.AdminRoles() {
				v, u := b.Operating(t, role)
				for range 5 { // in use for longer than the limit
					v.Get(t, b.Issuer+"/admin").WantAt(t, "/admin")
					b.Advance(idle * 8 / 10)
				}
				v.Get(t, b.Issuer+"/admin").WantAt(t, "/admin")
				for range 3 {
					b.Advance(start / 3)
					v.Get(t, b.Issuer+"/account").WantAt(t, "/account")
				}
				for _, path := range []string{"/admin", "/admin/token"} {
					if page := v.Get(t, b.Issuer+path); page.At.Path != "/login" {
						t.Fatalf("%s, idle limit %s: %s is at %s, status %d", role, idle, path, page.At, page.StatusCode)
					}
				}
				page := v.SignIn(t, v.Get(t, b.Issuer+"/admin"), u.Email, providertest.Password)
				page.WantAt(t, "/admin")
			}
		}, func(c *provider.Config) { c.Lifetimes.AdminIdle = idle })
	}
}
