package oauth_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"signet/provider/directory"
	"signet/provider/providertest"
	"signet/storage"
	"signet/storage/storagetest"
)

// AZ-33: the sign-out endpoint redirects nobody to an unapproved client. Its page warns, and shows
// the host instead of the name that the client chose.
func TestRegister_UnapprovedClientGetsNoRedirectAfterSignOut(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		const bye = "https://evil.example/bye"
		made := b.RegisterItself(t, "", `{"redirect_uris":["https://evil.example/cb"],"client_name":"Google",
			"post_logout_redirect_uris":["`+bye+`","`+providertest.PostLogoutURI+`"]}`)
		id := made["client_id"].(string)
		v := b.Visitor(t)
		page := v.Get(t, b.EndSessionURL("client_id", id, "post_logout_redirect_uri", bye, "state", "s"))
		if page.LeftTo != nil || page.StatusCode != http.StatusOK {
			t.Fatalf("got %d, left to %v", page.StatusCode, page.LeftTo)
		}
		if strings.Contains(page.Body, "Google") || !strings.Contains(page.Body, "Back to <bdi>evil.example") || !strings.Contains(page.Body, `id="unverified"`) {
			t.Errorf("got\n%s", page.Body)
		}
		if link := page.Link(t, "continue"); link != bye+"?state=s" {
			t.Errorf("the link leads to %q", link)
		}

		// The URI of another client stays that of the other client.
		b.RegisterPostLogoutURI(t)
		if page := v.Get(t, b.EndSessionURL("post_logout_redirect_uri", providertest.PostLogoutURI)); page.LeftTo == nil {
			t.Error("an unapproved client keeps another client from its redirect")
		}

		if err := b.DB.ApproveClient(t.Context(), id, storage.By{At: b.Now()}); err != nil {
			t.Fatal(err)
		}
		b.Follow(t)
		if page := v.Get(t, b.EndSessionURL("client_id", id, "post_logout_redirect_uri", bye)); page.LeftTo == nil || page.LeftTo.String() != bye {
			t.Errorf("approved client: left to %v", page.LeftTo)
		}
	}, providertest.WithRegistration(directory.RegistrationOpen))
}

// AZ-33: an error of an unapproved client in the response mode form_post is a page whose button
// posts the response. The page does not post it by itself, also not by a script.
func TestRegister_UnapprovedClientGetsPostedErrorAfterClick(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		made := b.RegisterItself(t, "", `{"redirect_uris":["https://evil.example/cb"]}`)
		id := made["client_id"].(string)
		client, err := b.DB.Client(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		app := b.AsClient(client, made["client_secret"].(string))
		address := app.AuthorizeURL(formPost("redirect_uri", "https://evil.example/cb", "prompt", "none", "state", `a"b`)...)
		page := b.Visitor(t).Get(t, address)
		page.WantPage(t, http.StatusBadRequest, "login_required")
		form := page.Form(t)
		if form.Action != "https://evil.example/cb" || form.Values.Get("error") != "login_required" || form.Values.Get("state") != `a"b` || form.Values.Get("iss") != b.Issuer {
			t.Errorf("the form posts %v to %s", form.Values, form.Action)
		}
		if strings.Contains(page.Body, "data-send") || !strings.Contains(page.Body, `<button id="start" type="submit">`) || page.Header.Get("Refresh") != "" {
			t.Errorf("the page sends the form by itself:\n%s", page.Body)
		}
		for header, want := range map[string]string{"Content-Security-Policy": "; form-action https:; ", "Referrer-Policy": "strict-origin"} {
			if got := page.Header.Get(header); !strings.Contains(got, want) {
				t.Errorf("%s is %q", header, got)
			}
		}
		if err := b.DB.ApproveClient(t.Context(), id, storage.By{At: b.Now()}); err != nil {
			t.Fatal(err)
		}
		b.Follow(t)
		b.Visitor(t).Get(t, address).WantError(t, "login_required")
	}, providertest.WithRegistration(directory.RegistrationOpen))
}

// DR-07: the right to skip consent belongs to the client that an administrator saw, and a consent
// to the one that the user saw. Neither holds for a client that has changed itself since.
func TestRegister_ChangedClientAsksForConsent(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		for name, skips := range map[string]bool{"skip_consent": true, "remembered consent": false} {
			t.Run(name, func(t *testing.T) {
				made := b.RegisterItself(t, "", webDocument)
				id, by := made["client_id"].(string), storage.By{At: b.Now()}
				client, err := b.DB.ReviseClient(t.Context(), id, func(c *storage.Client) error { c.SkipConsent = skips; return nil }, by)
				if err == nil && skips {
					err = b.DB.ApproveClient(t.Context(), id, by)
				}
				if err != nil {
					t.Fatal(err)
				}
				b.Follow(t)
				app := b.AsClient(client, made["client_secret"].(string))
				v := app.Visitor(t)
				page := v.SignIn(t, v.Get(t, app.AuthorizeURL("redirect_uri", "https://rp.example.org:8443/cb")), providertest.Alice, providertest.Password)
				if !skips {
					page = v.Allow(t, page)
				}
				page.Code(t)
				v.Get(t, app.AuthorizeURL("redirect_uri", "https://rp.example.org:8443/cb")).Code(t)

				b.Advance(time.Second)
				a := b.SendRegistration(t, http.MethodPut, made["registration_client_uri"].(string), made["registration_access_token"].(string), `{"client_id":"`+id+`","redirect_uris":["https://evil.example/cb"]}`)
				if a.StatusCode != http.StatusOK {
					t.Fatalf("got %d %s", a.StatusCode, a.Body)
				}
				b.Follow(t)
				page = v.Get(t, app.AuthorizeURL("redirect_uri", "https://evil.example/cb"))
				if page.LeftTo != nil || !strings.Contains(page.Body, `id="unverified"`) {
					t.Fatalf("the browser was sent to %v without a question", page.LeftTo)
				}
				v.Allow(t, page).Code(t)
				v.Get(t, app.AuthorizeURL("redirect_uri", "https://evil.example/cb")).Code(t)
			})
		}
	}, providertest.WithRegistration(directory.RegistrationOpen))
}

// A client that an initial access token has approved stays approved when it changes itself.
// Therefore it never gets a redirect host that the token does not allow (RFC 7592, section 2.2).
func TestRegister_TokenLimitsLaterRedirectHosts(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		const metadata = `"redirect_uris":["https://rp.example.org/cb"]`
		type change struct {
			name, metadata string
			status         int
		}
		try := func(made map[string]any, rows ...change) {
			t.Helper()
			for _, row := range rows {
				a := b.SendRegistration(t, http.MethodPut, made["registration_client_uri"].(string), made["registration_access_token"].(string), `{"client_id":"`+made["client_id"].(string)+`",`+row.metadata+`}`)
				if a.StatusCode != row.status {
					t.Errorf("%s: got %d %s, want %d", row.name, a.StatusCode, a.Body, row.status)
				}
			}
		}
		limited := b.RegisterItself(t, b.InitialToken(t, 1, "rp.example.org", "b.example.org"), "{"+metadata+"}")
		foreign := change{"foreign host", `"redirect_uris":["https://rp.example.org/cb","https://evil.example/cb"]`, http.StatusBadRequest}
		foreignBye := change{"foreign host after sign-out", metadata + `,"post_logout_redirect_uris":["https://evil.example/"]`, http.StatusBadRequest}
		foreignApp := change{"app", `"redirect_uris":["com.evil:/cb"],"application_type":"native","token_endpoint_auth_method":"none"`, http.StatusBadRequest}
		same := change{"same host", `"redirect_uris":["https://rp.example.org:9/other"]`, http.StatusOK}
		try(limited, foreign, foreignBye, same, change{"other host of the token", `"redirect_uris":["https://rp.example.org/cb","https://b.example.org/cb"]`, http.StatusOK}, same)
		refused := b.SendRegistration(t, http.MethodPost, b.Issuer+"/register", b.InitialToken(t, 1, "rp.example.org"), "{"+foreignBye.metadata+"}")
		providertest.WantOAuthError(t, refused, http.StatusBadRequest, "invalid_client_metadata")

		free := b.RegisterItself(t, b.InitialToken(t, 1), "{"+metadata+"}")
		app := b.RegisterItself(t, b.InitialToken(t, 1), `{"redirect_uris":["com.example.app:/cb"],"application_type":"native"}`)
		try(free, change{"every host", foreign.metadata, http.StatusOK}, same)
		b.Advance(25 * time.Hour) // the tokens have expired
		try(free, foreign, same)
		try(limited, change{"host of the expired token", `"redirect_uris":["https://b.example.org/cb"]`, http.StatusBadRequest}, same)
		try(app, foreignApp)
		if _, err := b.DB.SweepRows(t.Context(), sweepRule(t, "registration_tokens by expires_at"), b.Now().Add(48*time.Hour)); err != nil {
			t.Fatal(err)
		}
		try(limited, foreign, same)
	}, providertest.WithRegistration(directory.RegistrationToken))
}

func sweepRule(t *testing.T, name string) storage.SweepRule {
	t.Helper()
	for _, rule := range storage.SweepRules {
		if rule.String() == name {
			return rule
		}
	}
	t.Fatalf("no rule %s", name)
	return storage.SweepRule{}
}

// DR-11: an installation that gets an existing client has as much time as one that gets a new
// client, before unused clients are deleted.
func TestRegister_SharedClientDoesNotExpireBeforeItsLastInstallation(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, backend storagetest.Backend) {
		b := providertest.StartOn(t, backend, providertest.WithRegistration(directory.RegistrationOpen))
		const document = `{"redirect_uris":["http://127.0.0.1/cb"],"token_endpoint_auth_method":"none"}`
		first := b.RegisterItself(t, "", document)
		b.Advance(storage.UnusedClientLife - time.Minute)
		last := b.RegisterItself(t, "", document)
		if last["client_id"] != first["client_id"] || last["client_id_issued_at"] != first["client_id_issued_at"] {
			t.Errorf("got %v, then %v", first, last)
		}
		for _, row := range []struct {
			wait time.Duration
			kept bool
		}{{time.Hour, true}, {storage.UnusedClientLife + time.Minute, false}} {
			if _, err := b.DB.SweepUnusedClients(t.Context(), storage.MaxUnapprovedClients, b.Now().Add(row.wait), storage.By{At: b.Now()}); err != nil {
				t.Fatal(err)
			}
			if _, err := b.DB.Client(t.Context(), last["client_id"].(string)); (err == nil) != row.kept {
				t.Errorf("%s after the last registration: %v", row.wait, err)
			}
		}
	})
}
