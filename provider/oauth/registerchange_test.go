package oauth_test

import (
	"net/http"
	"testing"
	"time"

	"signet/provider/directory"
	"signet/provider/providertest"
)

// P-58: A change and the deletion of a client act at once at the node that answered (RFC 7592,
// sections 2.2 and 2.3), although the node has an older copy of the client in memory.
func TestRegister_ChangeActsAtOnce(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		made := b.RegisterItself(t, "", webDocument)
		id, secret, token, address := made["client_id"].(string), made["client_secret"].(string), made["registration_access_token"].(string), made["registration_client_uri"].(string)
		stored, err := b.DB.Client(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		app := b.AsClient(stored, secret)
		v := app.Visitor(t)
		const before, after = "https://rp.example.org:8443/cb", "https://rp.example.org:8443/moved"
		b.Follow(t) // now the client is in memory
		if a := b.SendRegistration(t, http.MethodPut, address, token, `{"client_id":"`+id+`","redirect_uris":["`+after+`"]}`); a.StatusCode != http.StatusOK {
			t.Fatalf("change: got %d %s", a.StatusCode, a.Body)
		}
		v.Get(t, app.AuthorizeURL("redirect_uri", before)).WantPage(t, http.StatusBadRequest, "redirect_uri")
		code := v.SignInForCode(t, "redirect_uri", after)
		if a := app.TokenRequest(t, app.CodeForm(code, "redirect_uri", after)); a.StatusCode != http.StatusOK {
			t.Errorf("redeem: got %d %s", a.StatusCode, a.Body)
		}

		b.Follow(t)
		if a := b.SendRegistration(t, http.MethodDelete, address, token, ""); a.StatusCode != http.StatusNoContent {
			t.Fatalf("delete: got %d %s", a.StatusCode, a.Body)
		}
		providertest.WantOAuthError(t, app.TokenRequest(t, app.CodeForm(code, "redirect_uri", after)), http.StatusUnauthorized, "invalid_client")
		b.Follow(t)
		providertest.WantOAuthError(t, app.TokenRequest(t, app.CodeForm(code, "redirect_uri", after)), http.StatusUnauthorized, "invalid_client")
	}, providertest.WithRegistration(directory.RegistrationOpen))
}

// DR-11: One client can change itself only so often. Refused documents do not count.
func TestRegister_ChangesAreLimited(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		made := b.RegisterItself(t, "", webDocument)
		change := func(uri string) providertest.Answer {
			return b.SendRegistration(t, http.MethodPut, made["registration_client_uri"].(string), made["registration_access_token"].(string),
				`{"client_id":"`+made["client_id"].(string)+`","redirect_uris":["`+uri+`"]}`)
		}
		providertest.WantOAuthError(t, change("http://rp.example.org/"), http.StatusBadRequest, "invalid_redirect_uri")
		for range 60 {
			if a := change("https://rp.example.org/cb"); a.StatusCode != http.StatusOK {
				t.Fatalf("got %d %s", a.StatusCode, a.Body)
			}
		}
		if a := change("https://rp.example.org/cb"); a.StatusCode != http.StatusTooManyRequests || a.Header.Get("Retry-After") == "" {
			t.Errorf("beyond the limit: got %d %s", a.StatusCode, a.Body)
		}
		b.Advance(time.Hour)
		if a := change("https://rp.example.org/cb"); a.StatusCode != http.StatusOK {
			t.Errorf("an hour later: got %d %s", a.StatusCode, a.Body)
		}
	}, providertest.WithRegistration(directory.RegistrationOpen))
}
