package oauth_test

import (
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"signet/provider/providertest"
	"signet/storage"
	"signet/storage/storagetest"
)

// DV-05: A device code of another client is invalid_grant.
// DV-09: The tokens come from the approving session, with the narrowed rights of the client.
// CO-08: A device code opens nothing else, and nothing else is a device code.
func TestDevice_CodeGivesTokensOnce(t *testing.T) {
	providertest.Each(t, func(t *testing.T, b *providertest.Testbed) {
		tv := b.Televisions(t)
		a := tv.RequestDevice(t)
		got := a.JSON(t)
		if a.StatusCode != http.StatusOK || a.Header.Get("Cache-Control") != "no-store" {
			t.Fatalf("device authorization: %d %v %s", a.StatusCode, a.Header, a.Body)
		}
		if got["verification_uri"] != b.Issuer+"/device" || got["verification_uri_complete"] != b.Issuer+"/device?user_code="+got["user_code"].(string) ||
			providertest.NumberOf(t, got["expires_in"]) != 600 || providertest.NumberOf(t, got["interval"]) != 5 || !regexp.MustCompile(`^[B-Z]{4}-[B-Z]{4}$`).MatchString(got["user_code"].(string)) {
			t.Errorf("device authorization: %v", got)
		}
		d := tv.StartDevice(t)
		tv.RefusePoll(t, d, "authorization_pending")
		v := b.Visitor(t)
		v.AnswerDevice(t, d, "allow").WantText(t, "You can close this page")

		other := b.AsClient(b.RegisterWith(t, storage.Native, "radio", func(c *storage.Client) {
			c.Metadata.GrantTypes, c.Metadata.ResponseTypes = []string{storage.GrantDevice}, nil
		}))
		other.RefusePoll(t, d, "invalid_grant")
		tv.RefusePoll(t, providertest.Device{Code: d.UserCode}, "invalid_grant")
		for _, form := range []url.Values{
			{"grant_type": {"authorization_code"}, "code": {d.Code}, "redirect_uri": {providertest.Callback}, "code_verifier": {providertest.Verifier}},
			{"grant_type": {"refresh_token"}, "refresh_token": {d.Code}},
		} {
			providertest.WantOAuthError(t, b.TokenRequest(t, form), http.StatusBadRequest, "invalid_grant")
		}

		a = tv.Poll(t, d)
		if a.StatusCode != http.StatusOK {
			t.Fatalf("poll: %d %s", a.StatusCode, a.Body)
		}
		tokens := a.JSON(t)
		claims := providertest.ClaimsOf(t, tokens["id_token"])
		if claims["sub"] != b.Alice.ID || !strings.Contains(fmt.Sprint(claims["aud"]), "tv") || claims["sid"] == nil || claims["auth_time"] == nil || tokens["scope"] != "openid email" {
			t.Errorf("tokens %v, claims %v", tokens, claims)
		}
		tv.WantUserinfo(t, tokens["access_token"].(string), http.StatusOK)
		tokens = tv.MustRefresh(t, tokens["refresh_token"])

		tv.RefusePoll(t, providertest.Device{Code: tokens["refresh_token"].(string)}, "invalid_grant")
		tv.RefusePoll(t, d, "invalid_grant")
		tv.WantUserinfo(t, tokens["access_token"].(string), http.StatusUnauthorized)
		if e := b.WantEvent(t, storage.GrantReplayed, providertest.SidOf(t, tokens)); e.Reason != "device_code_replayed" {
			t.Errorf("event %+v", e)
		}
		b.WantEvent(t, storage.DeviceApproved, b.Alice.ID)
	})
}

// DV-02: Polling too often gets slow_down, and the interval grows. The state is in the database.
func TestDevice_PollingIsSlowedDown(t *testing.T) {
	providertest.Each(t, func(t *testing.T, b *providertest.Testbed) {
		tv := b.Televisions(t)
		node := tv.Node(t)
		d := tv.StartDevice(t)
		poll := func(on *providertest.Testbed, after time.Duration, want string) {
			t.Helper()
			b.Advance(after)
			on.RefusePoll(t, d, want)
		}
		poll(tv, 0, "authorization_pending")
		poll(node, 3*time.Second, "slow_down")                      // the interval is 10 s now
		poll(tv, 6*time.Second, "slow_down")                        // 15 s
		poll(node, 15*time.Second, "authorization_pending")         //
		poll(node, 14*time.Second+500*1e6, "authorization_pending") // a ticker is not exact
		for range 20 {
			poll(tv, time.Second, "slow_down")
		}
		poll(tv, time.Minute, "authorization_pending") // it never grows beyond a minute
		b.NoteRefusals(t)
		for _, e := range b.Events(t) {
			if e.Type == storage.ClientRefused || e.Type == storage.GrantRefused {
				t.Errorf("a poll left the event %+v", e)
			}
		}
		b.Visitor(t).AnswerDevice(t, d, "allow")
		if a := node.Poll(t, d); a.StatusCode != http.StatusOK { // too early, but approved
			t.Errorf("poll after the approval: %d %s", a.StatusCode, a.Body)
		}
	})
}

func TestDevice_DeniedAndExpired(t *testing.T) {
	providertest.Each(t, func(t *testing.T, b *providertest.Testbed) {
		tv, v := b.Televisions(t), b.Visitor(t)
		denied, late, slow := tv.StartDevice(t), tv.StartDevice(t), tv.StartDevice(t)
		v.AnswerDevice(t, denied, "deny").WantText(t, "You denied this device")
		tv.RefusePoll(t, denied, "access_denied")
		b.WantEvent(t, storage.DeviceDenied, b.Alice.ID)

		v.AnswerDevice(t, slow, "allow")
		open := v.OpenDevice(t, late)
		b.Advance(10 * time.Minute)
		tv.RefusePoll(t, late, "expired_token")
		tv.RefusePoll(t, slow, "expired_token")
		v.Submit(t, open.Form(t), "decision", "allow").WantPage(t, http.StatusBadRequest, "device_code_gone")
		tv.RefusePoll(t, late, "expired_token")
	})
}

// DV-11: A confidential client must authenticate at both endpoints.
func TestDevice_RequestIsChecked(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		tv := b.Televisions(t, func(c *storage.Client) {
			c.Metadata.Scope, c.Resources = "openid email", []string{"https://api.example.com"}
		})
		box := b.AsClient(b.RegisterWith(t, storage.Web, "box", func(c *storage.Client) {
			c.Metadata.GrantTypes, c.Metadata.ResponseTypes = []string{storage.GrantDevice}, nil
		}))
		for name, c := range map[string]struct {
			as     *providertest.Testbed
			pairs  []string
			status int
			code   string
		}{
			"no secret":             {box.AsClient(box.Client, ""), nil, http.StatusUnauthorized, "invalid_client"},
			"a wrong secret":        {box.AsClient(box.Client, "x"), nil, http.StatusUnauthorized, "invalid_client"},
			"no grant":              {b, nil, http.StatusBadRequest, "unauthorized_client"},
			"no scope":              {tv, []string{"scope", ""}, http.StatusBadRequest, "invalid_scope"},
			"a malformed scope":     {tv, []string{"scope", `openid "`}, http.StatusBadRequest, "invalid_scope"},
			"a scope of others":     {tv, []string{"scope", "profile"}, http.StatusBadRequest, "invalid_scope"},
			"a resource of others":  {tv, []string{"resource", "https://other.example.com"}, http.StatusBadRequest, "invalid_target"},
			"a request object":      {tv, []string{"request", "e30"}, http.StatusBadRequest, "request_not_supported"},
			"authorization_details": {tv, []string{"authorization_details", "[]"}, http.StatusBadRequest, "invalid_authorization_details"},
			"a scope beside known":  {tv, []string{"scope", "openid profile"}, http.StatusOK, ""},
			"a registered resource": {tv, []string{"resource", "https://api.example.com"}, http.StatusOK, ""},
			"a confidential client": {box, nil, http.StatusOK, ""},
		} {
			a := c.as.RequestDevice(t, c.pairs...)
			if got, _ := a.JSON(t)["error"].(string); a.StatusCode != c.status || got != c.code {
				t.Errorf("%s: got %d %q, want %d %q: %s", name, a.StatusCode, got, c.status, c.code, a.Body)
			}
		}
		long := url.Values{"scope": {"openid"}}
		for i := range 90 {
			long.Add("resource", fmt.Sprintf("https://api%d.example.com/%s", i, storage.NewID("")))
		}
		wide := b.AsClient(b.RegisterWith(t, storage.Native, "wide", func(c *storage.Client) {
			c.Resources, c.Metadata.GrantTypes, c.Metadata.ResponseTypes = long["resource"], []string{storage.GrantDevice}, nil
		}))
		a := wide.Post(t, "/device_authorization", providertest.FormType, strings.NewReader(long.Encode()))
		providertest.WantOAuthError(t, a, http.StatusBadRequest, "invalid_request")

		d := box.StartDevice(t)
		b.Visitor(t).AnswerDevice(t, d, "allow")
		providertest.WantOAuthError(t, box.AsClient(box.Client, "").Poll(t, d), http.StatusUnauthorized, "invalid_client")
		providertest.WantOAuthError(t, tv.Poll(t, providertest.Device{}), http.StatusBadRequest, "invalid_request")
		providertest.WantOAuthError(t, b.Poll(t, d), http.StatusBadRequest, "unauthorized_client")
		if a := box.Poll(t, d); a.StatusCode != http.StatusOK || a.JSON(t)["refresh_token"] != nil {
			t.Errorf("poll of the confidential client: %d %s", a.StatusCode, a.Body)
		}
	})
}

// DV-09: A client that has lost rights after the request has lost them on the page and in the
// tokens.
func TestDevice_RightsAreNarrowed(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		tv, v := b.Televisions(t, func(c *storage.Client) { c.Resources = []string{"https://api.example.com"} }), b.Visitor(t)
		change := func(f func(*storage.Client)) { tv.ChangeClient(t, f) }
		start := func() providertest.Device {
			return tv.StartDevice(t, "scope", "openid email offline_access", "resource", "https://api.example.com")
		}
		before, approved := start(), start()
		v.AnswerDevice(t, approved, "allow")
		page := v.OpenDevice(t, before)
		change(func(c *storage.Client) { c.Metadata.Scope = "openid" })
		v.Submit(t, page.Form(t), "decision", "allow").WantPage(t, http.StatusConflict, "stale_form") // the page showed more
		for _, d := range []providertest.Device{before, approved} {
			if d == before {
				v.AnswerDevice(t, d, "allow")
			}
			if got := tv.Poll(t, d, "resource", "https://api.example.com").JSON(t); got["scope"] != "openid" {
				t.Errorf("got %v, want the scope openid", got)
			}
		}
		lost := start()
		page = v.OpenDevice(t, lost)
		change(func(c *storage.Client) {
			c.Metadata.Scope, c.Metadata.GrantTypes = "", []string{storage.GrantRefresh, storage.GrantCode}
		})
		v.Submit(t, page.Form(t), "decision", "allow").WantPage(t, http.StatusForbidden, "unauthorized_client")
		v.Get(t, page.At.String()).WantPage(t, http.StatusForbidden, "unauthorized_client")
		tv.RefusePoll(t, lost, "unauthorized_client")
	})
}

// DV-12: The live codes of one client are limited, for a public client also by network.
func TestDevice_OpenCodesAreLimited(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		tv := b.Televisions(t)
		for range 50 {
			tv.StartDevice(t)
		}
		a := tv.RequestDevice(t)
		providertest.WantOAuthError(t, a, http.StatusTooManyRequests, "temporarily_unavailable")
		if a.Header.Get("Retry-After") == "" {
			t.Error("no Retry-After")
		}
		if n := len(b.Table(t, "device_codes")); n != 50 {
			t.Errorf("%d rows, want 50", n)
		}
		b.Advance(10 * time.Minute)
		d := tv.StartDevice(t)
		if dump := b.DumpDatabase(t); strings.Contains(dump, d.Code) || strings.Contains(dump, strings.ReplaceAll(d.UserCode, "-", "")) || strings.Contains(dump, d.UserCode) {
			t.Error("the database contains the device code or the user code")
		}
	})
}

// DV-14: Polls at the moment of the approval, on two nodes, give at most one set of tokens.
func TestDevice_PollsAtTheMomentOfTheApproval(t *testing.T) {
	providertest.Each(t, func(t *testing.T, b *providertest.Testbed) {
		tv, v := b.Televisions(t), b.Visitor(t)
		nodes := []*providertest.Testbed{tv, tv.Node(t)}
		d := tv.StartDevice(t)
		form := v.OpenDevice(t, d).Form(t)
		answers := make([]providertest.Answer, 20)
		providertest.Race(len(answers)+1, func(i int) {
			if i == len(answers) {
				v.Submit(t, form, "decision", "allow")
				return
			}
			answers[i] = nodes[i%2].Poll(t, d)
		})
		won := 0
		for _, a := range answers {
			got := a.JSON(t)["error"]
			switch {
			case a.StatusCode == http.StatusOK:
				won++
			case a.StatusCode != http.StatusBadRequest || got != "authorization_pending" && got != "slow_down" && got != "invalid_grant":
				t.Errorf("a poll: %d %s", a.StatusCode, a.Body)
			}
		}
		last := tv.Poll(t, d)
		if last.StatusCode == http.StatusOK {
			won++
		}
		if won != 1 {
			t.Errorf("%d polls got tokens, want 1; the last: %s", won, last.Body)
		}
	})
}

// DV-08: The events of the answer name the network address of the device beside that of the browser, so
// that an administrator can see a device elsewhere.
func TestDevice_EventsNameTheAddressOfTheDevice(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, backend storagetest.Backend) {
		b := providertest.StartOn(t, backend, providertest.BehindProxy)
		tv, v := b.Televisions(t), b.Visitor(t)
		for decision, event := range map[string]storage.EventType{"allow": storage.DeviceApproved, "deny": storage.DeviceDenied} {
			a := tv.Post(t, "/device_authorization", providertest.FormType, strings.NewReader("client_id=tv&scope=openid"), func(r *http.Request) {
				r.Header.Del("Authorization")
				r.Header.Set("X-Forwarded-For", "203.0.113.99")
			})
			if a.StatusCode != http.StatusOK {
				t.Fatalf("got %d %s", a.StatusCode, a.Body)
			}
			v.AnswerDevice(t, providertest.Device{Complete: a.JSON(t)["verification_uri_complete"].(string)}, decision)
			if e := b.WantEvent(t, event, b.Alice.ID); e.Detail["device_address"] != "203.0.113.99" || e.From.Address == "203.0.113.99" {
				t.Errorf("%s: %v from %s", event, e.Detail, e.From.Address)
			}
		}
	})
}

// Device codes and pushed requests of a client that was disabled or deleted are refused at once, also
// those that a user has approved. They are deleted with the client, so a later client with the same id
// does not get them.
func TestDevice_CodesAndPushedRequestsEndWithTheirClient(t *testing.T) {
	providertest.Each(t, func(t *testing.T, b *providertest.Testbed) {
		spa := func(c *storage.Client) {
			c.Metadata.RedirectURIs = []string{providertest.Callback}
			c.Metadata.GrantTypes, c.Metadata.ResponseTypes = []string{storage.GrantCode, storage.GrantDevice, storage.GrantRefresh}, []string{"code"}
		}
		tv, v := b.Televisions(t, spa), b.Visitor(t)
		pending, approved, pushed := tv.StartDevice(t), tv.StartDevice(t), tv.MustPush(t)
		open := v.OpenDevice(t, pending)
		v.AnswerDevice(t, approved, "allow")
		refused := func(why string) {
			t.Helper()
			b.Follow(t)
			for _, d := range []providertest.Device{pending, approved} {
				if a := tv.Poll(t, d); a.StatusCode != http.StatusUnauthorized || a.JSON(t)["error"] != "invalid_client" {
					t.Errorf("%s: poll: %d %s", why, a.StatusCode, a.Body)
				}
			}
			v.Submit(t, open.Form(t), "decision", "allow").WantPage(t, http.StatusBadRequest, "invalid_client")
			v.Get(t, tv.PushedURL(pushed)).WantPage(t, http.StatusBadRequest, "invalid_client")
		}
		b.SetClientEnabledByID(t, "tv", false)
		refused("disabled")
		if err := b.DB.DeleteClient(t.Context(), "tv", storage.By{At: b.Now()}); err != nil {
			t.Fatal(err)
		}
		refused("deleted")
		if n := len(b.Table(t, "device_codes")) + len(b.Table(t, "pushed_requests")); n != 0 {
			t.Errorf("%d rows are left", n)
		}
		tv = b.Televisions(t, spa)
		tv.RefusePoll(t, pending, "invalid_grant")
		tv.RefusePoll(t, approved, "invalid_grant")
		v.Get(t, tv.PushedURL(pushed)).WantPage(t, http.StatusBadRequest, "invalid_request_uri")
	})
}
