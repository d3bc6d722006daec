package interaction_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"signet/provider/directory"
	"signet/provider/providertest"
	"signet/storage"
)

// enter sends a code on the page for codes and returns the next page.
func enter(t *testing.T, v *providertest.Visitor, code string) providertest.Stop {
	t.Helper()
	return v.Submit(t, v.Account(t, "/device").Form(t), "user_code", code)
}

// DV-13: The user may type the code in lower case, with spaces, without the hyphen, and with
// digits that look like letters.
func TestDevice_CodeIsReadAsPeopleTypeIt(t *testing.T) {
	providertest.Each(t, func(t *testing.T, b *providertest.Testbed) {
		tv, v := b.Televisions(t), b.Visitor(t)
		d := tv.StartDevice(t)
		letters := strings.ReplaceAll(d.UserCode, "-", "")
		for _, typed := range []string{
			d.UserCode, letters, strings.ToLower(d.UserCode), " " + letters[:3] + " " + letters[3:] + "\t", d.UserCode[:4] + "–" + d.UserCode[5:],
			strings.NewReplacer("B", "8", "S", "5", "Z", "2", "G", "6").Replace(letters),
		} {
			page := enter(t, v, typed)
			if page.At.Path != "/device/confirm" {
				t.Errorf("%q leads to %s with %d", typed, page.At.Path, page.StatusCode)
			}
			page.WantText(t, d.UserCode, "App tv", "127.0.0.1", "just now", "Only continue if you started this yourself, on a device in front of you.", `id="allow"`, `id="deny"`)
		}
		for _, typed := range []string{"", letters[:7], letters + "B", "AEIOUAEI", strings.Repeat(" ", 100) + letters, letters[:4] + "\x00" + letters[4:], "<b>" + letters, "BBBBBBBB"} {
			page := enter(t, v, typed)
			if page.At.Path != "/device" || page.StatusCode != http.StatusUnprocessableEntity && page.StatusCode != http.StatusBadRequest {
				t.Errorf("%q leads to %s with %d", typed, page.At.Path, page.StatusCode)
			}
		}
	})
}

// DV-01: Wrong user codes are limited for each user and each network. A right code does not count.
func TestDevice_WrongCodesAreLimited(t *testing.T) {
	providertest.Each(t, func(t *testing.T, b *providertest.Testbed) {
		tv, v := b.Televisions(t), b.Visitor(t)
		d := tv.StartDevice(t)
		for range 3 {
			v.OpenDevice(t, d)
		}
		for range 10 {
			enter(t, v, "BCDF-GHJK").WantText(t, "This code isn’t right, or it has expired.", "invalid_user_code")
		}
		page := enter(t, v, d.UserCode) // a right code is refused too: otherwise guessing would go on
		if page.StatusCode != http.StatusTooManyRequests || page.Header.Get("Retry-After") == "" {
			t.Errorf("the eleventh code: %d %v", page.StatusCode, page.Header)
		}
		page.WantText(t, "too_many_attempts")
		w := b.Visitor(t) // another session of the same user
		if page := enter(t, w, d.UserCode); page.StatusCode != http.StatusTooManyRequests {
			t.Errorf("another session: %d", page.StatusCode)
		}
		for i := range 9 { // other users of the network
			b.User(t, "u"+string(rune('a'+i))+"@example.com", providertest.Password)
			u := b.Visitor(t)
			form := u.SignIn(t, u.Get(t, b.Issuer+"/device"), "u"+string(rune('a'+i))+"@example.com", providertest.Password)
			for range 10 {
				page = u.Submit(t, form.Form(t), "user_code", "BCDF-GHJK")
			}
		}
		if page.StatusCode != http.StatusUnprocessableEntity {
			t.Errorf("the hundredth code of the network: %d", page.StatusCode)
		}
		b.User(t, "last@example.com", providertest.Password)
		u := b.Visitor(t)
		last := u.SignIn(t, u.Get(t, b.Issuer+"/device"), "last@example.com", providertest.Password)
		if page := u.Submit(t, last.Form(t), "user_code", d.UserCode); page.StatusCode != http.StatusTooManyRequests {
			t.Errorf("beyond the limit of the network: %d", page.StatusCode)
		}
		b.NoteRefusals(t)
		b.WantEvent(t, storage.UserRefused, b.Alice.ID)
	})
}

// DV-08: A link with the code, and forms of other sites and sessions, approve nothing.
func TestDevice_OnlyTheOpenPageOfTheUserApproves(t *testing.T) {
	providertest.Each(t, func(t *testing.T, b *providertest.Testbed) {
		tv, v, w := b.Televisions(t), b.Visitor(t), b.Visitor(t)
		b.User(t, "bob@example.com", providertest.Password)
		d := tv.StartDevice(t)
		page := v.OpenDevice(t, d)
		form := page.Form(t)

		cross := v.FormRequest(t, providertest.WithDecision(form, "allow"))
		cross.Header.Set("Origin", "https://evil.example")
		cross.Header.Set("Sec-Fetch-Site", "cross-site")
		if a := providertest.Do(t, v.Client, cross); a.StatusCode != http.StatusForbidden {
			t.Errorf("a form of another site: %d", a.StatusCode)
		}
		v.Submit(t, form, "decision", "allow", "ticket", "").WantPage(t, http.StatusConflict, "stale_form")
		v.Submit(t, page.Form(t), "decision", "allow", "scope", "offline_access").WantPage(t, http.StatusBadRequest, "invalid_request")
		v.Submit(t, page.Form(t)).WantPage(t, http.StatusBadRequest, "invalid_request")
		w.SignIn(t, w.Get(t, d.Complete), "bob@example.com", providertest.Password)
		w.Submit(t, page.Form(t), "decision", "allow").WantPage(t, http.StatusConflict, "stale_form")
		// A link to the page of another user leads to the page on which he enters the code himself.
		own := w.Get(t, page.At.String())
		if own.At.Path != "/device" || own.Form(t).Values.Get("user_code") != d.UserCode {
			t.Errorf("the link leads to %s:\n%s", own.At, own.Body)
		}
		w.Submit(t, own.Form(t)).WantText(t, d.UserCode, "bob@example.com", `id="allow"`) // his own decision, not hers
		b.Visitor(t).Get(t, page.At.String()).WantPage(t, http.StatusConflict, "stale_form")
		tv.RefusePoll(t, d, "authorization_pending")

		code := v.Get(t, b.AuthorizeURL()) // the request of a device is no request for consent, and the reverse
		sealed := code.Form(t).Values.Get("request")
		v.Get(t, b.Issuer+"/device/confirm?request="+url.QueryEscape(sealed)).WantPage(t, http.StatusNotFound, "not_found")
		v.Get(t, b.Issuer+"/consent?request="+url.QueryEscape(form.Values.Get("request"))).WantPage(t, http.StatusNotFound, "not_found")

		if got := v.Submit(t, page.Form(t), "decision", "allow"); got.At.Path != "/device/confirm" {
			t.Errorf("the answer leads to %s", got.At)
		}
		v.Submit(t, page.Form(t), "decision", "deny").WantText(t, "Your device is connected") // the second submit changes nothing
		w.Get(t, page.At.String()).WantPage(t, http.StatusBadRequest, "device_code_gone")
		enter(t, v, d.UserCode).WantText(t, "invalid_user_code")
		if a := tv.Poll(t, d); a.StatusCode != http.StatusOK || providertest.ClaimsOf(t, a.JSON(t)["id_token"])["sub"] != b.Alice.ID {
			t.Errorf("poll: %d %s", a.StatusCode, a.Body)
		}
		v.Account(t, "/account/apps").WantText(t, "App tv")
	})
}

// DV-09: The client's rules about the sign-in apply as in the code flow, also at the answer, and a
// trusted client does not skip the page.
func TestDevice_RulesOfTheClientApply(t *testing.T) {
	providertest.Each(t, func(t *testing.T, b *providertest.Testbed) {
		seconds := int64(60)
		tv, v := b.Televisions(t, func(c *storage.Client) {
			c.Metadata.DefaultMaxAge, c.SkipConsent, c.Metadata.ClientURI = &seconds, true, "https://tv.example.com/"
		}), b.Visitor(t)
		d := tv.StartDevice(t, "scope", "openid offline_access")
		page := v.OpenDevice(t, d)
		page.WantText(t, "tv.example.com", "keep access while you are away")
		b.Advance(2 * 60e9)
		again := v.Submit(t, page.Form(t), "decision", "allow")
		again.WantText(t, "Confirm it’s you", "App tv")
		tv.RefusePoll(t, d, "authorization_pending")
		page = v.SignIn(t, again, providertest.Alice, providertest.Password)
		v.Submit(t, page.Form(t), "decision", "allow").WantText(t, "Your device is connected")
		a := tv.Poll(t, d)
		if a.StatusCode != http.StatusOK {
			t.Fatalf("poll: %d %s", a.StatusCode, a.Body)
		}
		b.SetClientEnabledByID(t, "tv", false)
		b.Follow(t)
		enter(t, v, d.UserCode).WantText(t, "invalid_user_code")
	})
}

// DV-08: The page warns of an application that registered itself and that nobody has approved. It
// does not show the host of client_uri then, because the application can invent it.
func TestDevice_PageWarnsOfUnapprovedApplication(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		made := b.RegisterItself(t, "", `{"redirect_uris":["http://127.0.0.1/cb"],"token_endpoint_auth_method":"none","client_name":"Google","client_uri":"https://www.google.com/"}`)
		client, err := b.DB.ReviseClient(t.Context(), made["client_id"].(string), func(c *storage.Client) error {
			c.Metadata.GrantTypes = append(c.Metadata.GrantTypes, storage.GrantDevice)
			return nil
		}, storage.By{At: b.Now()})
		if err != nil {
			t.Fatal(err)
		}
		b.Follow(t)
		app, v := b.AsClient(client, ""), b.Visitor(t)
		for _, approved := range []bool{false, true} {
			want := 1
			if approved {
				want = 0
				if err := b.DB.ApproveClient(t.Context(), client.ID, storage.By{At: b.Now()}); err != nil {
					t.Fatal(err)
				}
				b.Follow(t)
			}
			page := v.OpenDevice(t, app.StartDevice(t))
			if got := strings.Count(page.Body, `id="unverified"`); page.At.Path != "/device/confirm" || got != want {
				t.Errorf("approved: %v: %s has %d warnings, want %d", approved, page.At.Path, got, want)
			}
			if shown := strings.Contains(page.Body, "www.google.com</bdi>"); shown != approved {
				t.Errorf("approved: %v: the page shows the host of client_uri: %v", approved, shown)
			}
		}
	}, providertest.WithRegistration(directory.RegistrationOpen))
}
