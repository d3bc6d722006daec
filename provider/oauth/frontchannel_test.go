package oauth_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"signet/provider"
	"signet/provider/directory"
	"signet/provider/providertest"
	"signet/storage"
	"signet/storage/storagetest"
)

// withFrontchannel turns front-channel logout on.
func withFrontchannel(c *provider.Config) { c.FrontchannelLogout = true }

// framedClient registers a client at a host of its own, whose frontchannel_logout_uri is this path.
func framedClient(t *testing.T, b *providertest.Testbed, host, path string) *providertest.Testbed {
	t.Helper()
	client, secret := b.RegisterWith(t, storage.Web, host, func(c *storage.Client) {
		c.SkipConsent, c.Metadata.RedirectURIs = true, []string{"https://" + host + "/callback"}
		c.Metadata.PostLogoutRedirectURIs = []string{"https://" + host + "/bye?from=signet"}
		if path != "" {
			c.Metadata.FrontchannelLogoutURI = "https://" + host + path
		}
	})
	b.Follow(t)
	return b.AsClient(client, secret)
}

// use signs alice in to the client in this browser and returns the token response.
func use(t *testing.T, v *providertest.Visitor, b *providertest.Testbed) map[string]any {
	t.Helper()
	page := v.Get(t, b.AuthorizeURL("redirect_uri", b.Client.Metadata.RedirectURIs[0]))
	if page.LeftTo == nil {
		page = v.SignIn(t, page, providertest.Alice, providertest.Password)
	}
	form := b.CodeForm(page.Code(t))
	form.Set("redirect_uri", b.Client.Metadata.RedirectURIs[0])
	return providertest.WantStatus(t, b.TokenRequest(t, form), http.StatusOK).JSON(t)
}

// wantFrames checks the iframes of a page, and that its policy allows their origins and no other.
func wantFrames(t *testing.T, page providertest.Stop, want ...string) {
	t.Helper()
	if got := page.Frames(t); !slices.Equal(got, want) {
		t.Fatalf("at %s: got the frames %q, want %q", page.At, got, want)
	}
	policy := page.Header.Get("Content-Security-Policy")
	if len(want) == 0 {
		if strings.Contains(policy, "frame-src") {
			t.Errorf("a page without frames has the policy %s", policy)
		}
		return
	}
	var origins []string
	for _, frame := range want {
		origins = append(origins, storage.OriginOf(frame))
	}
	if part := "; frame-src " + strings.Join(origins, " ") + ";"; !strings.Contains(policy, part) || !strings.Contains(policy, "frame-ancestors 'none'") {
		t.Errorf("the policy is %s, want %s", policy, part)
	}
	if got := page.Header.Get("Referrer-Policy"); got != "no-referrer" {
		t.Errorf("Referrer-Policy: %s", got)
	}
}

// P-70: The page after a sign-out has one iframe for each client of the session, with iss and sid
// after the query of the registered URI.
// LO-11: The sid is that of the session in this browser, never that of another one.
func TestFrontchannel_EverySignOutFramesEachClientOfTheSession(t *testing.T) {
	for name, signOut := range map[string]func(t *testing.T, b *providertest.Testbed, v *providertest.Visitor, tokens map[string]any) providertest.Stop{
		"end_session with a hint": func(t *testing.T, b *providertest.Testbed, v *providertest.Visitor, tokens map[string]any) providertest.Stop {
			return v.Get(t, b.EndSessionURL("id_token_hint", tokens["id_token"].(string)))
		},
		"end_session confirmed": func(t *testing.T, b *providertest.Testbed, v *providertest.Visitor, _ map[string]any) providertest.Stop {
			return v.Submit(t, v.Get(t, b.EndSessionURL()).Form(t), "decision", "allow")
		},
		"account, this session": func(t *testing.T, b *providertest.Testbed, v *providertest.Visitor, tokens map[string]any) providertest.Stop {
			return v.Submit(t, v.Account(t, "/account/sessions").FormTo(t, "/account/sessions/end", "sid", providertest.SidOf(t, tokens).(string)))
		},
		"account, everywhere": func(t *testing.T, b *providertest.Testbed, v *providertest.Visitor, _ map[string]any) providertest.Stop {
			return v.Submit(t, v.Account(t, "/account/sessions/end-all").FormTo(t, "/account/sessions/end-all", "", ""))
		},
	} {
		t.Run(name, func(t *testing.T) {
			providertest.EachApp(t, func(t *testing.T, b *providertest.Testbed) {
				mail, wiki := framedClient(t, b, "mail.example.com", "/out"), framedClient(t, b, "wiki.example.com", "/out?tenant=7&x=%2F")
				plain, elsewhere := framedClient(t, b, "plain.example.com", ""), framedClient(t, b, "elsewhere.example.com", "/out")
				gone := framedClient(t, b, "gone.example.com", "/out")
				framedClient(t, b, "unused.example.com", "/out")
				v, w := b.Visitor(t), b.Visitor(t)
				tokens := use(t, v, mail)
				for _, other := range []*providertest.Testbed{wiki, plain, gone, mail} {
					use(t, v, other)
				}
				use(t, w, elsewhere)
				b.SetClientEnabledByID(t, gone.Client.ID, false)
				b.Follow(t)

				page := signOut(t, b, v, tokens)
				added := url.Values{"iss": {b.Issuer}, "sid": {providertest.SidOf(t, tokens).(string)}}.Encode()
				wantFrames(t, page, "https://mail.example.com/out?"+added, "https://wiki.example.com/out?tenant=7&x=%2F&"+added)
				if !strings.Contains(page.Body, "Your session in this browser has ended.") {
					t.Errorf("the page does not say that the session has ended:\n%s", page.Body)
				}
				v.WantSignedOut(t)
				b.Advance(61 * time.Second) // the next person at this browser must not see the applications
				wantFrames(t, v.Get(t, page.At.String()))
			}, withFrontchannel)
		})
	}
}

// P-70: The browser goes on to the post_logout_redirect_uri, with state and nothing else, whether
// the frames load or not. Without frames it is redirected at once.
func TestFrontchannel_ContinuesToTheApplication(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		mail, plain := framedClient(t, b, "mail.example.com", "/out"), framedClient(t, b, "plain.example.com", "")
		for _, c := range []struct {
			uses   []*providertest.Testbed
			frames int
		}{{[]*providertest.Testbed{plain}, 0}, {[]*providertest.Testbed{plain, mail}, 1}} {
			v := b.Visitor(t)
			var tokens map[string]any
			for _, client := range c.uses {
				if got := use(t, v, client); tokens == nil {
					tokens = got
				}
			}
			s := v.Get(t, plain.EndSessionURL("id_token_hint", tokens["id_token"].(string), "post_logout_redirect_uri", "https://plain.example.com/bye?from=signet", "state", "a b"))
			const want = "https://plain.example.com/bye?from=signet&state=a+b"
			if s.LeftTo == nil || s.LeftTo.String() != want || len(s.Frames(t)) != c.frames {
				t.Fatalf("left to %v with the frames %v, want %s and %d", s.LeftTo, s.Frames(t), want, c.frames)
			}
			if c.frames == 0 {
				if s.StatusCode != http.StatusSeeOther {
					t.Errorf("without frames: got %d, want a redirect", s.StatusCode)
				}
				continue
			}
			if got := s.Link(t, "continue"); got != want || s.Header.Get("Refresh") != "4;url="+want {
				t.Errorf("the button leads to %s, and Refresh is %q", got, s.Header.Get("Refresh"))
			}
			wantFrames(t, s, "https://mail.example.com/out?"+url.Values{"iss": {b.Issuer}, "sid": {providertest.SidOf(t, tokens).(string)}}.Encode())
		}
	}, withFrontchannel)
}

// A page cannot link to an app with a scheme of its own, so the browser goes there at once.
func TestFrontchannel_AppWithOwnSchemeIsOpenedAtOnce(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		const bye = "com.example.app:/bye"
		native, _ := b.RegisterWith(t, storage.Native, "native", func(c *storage.Client) {
			c.SkipConsent, c.Metadata.RedirectURIs, c.Metadata.PostLogoutRedirectURIs = true, []string{"com.example.app:/cb", "https://app.example.org/cb"}, []string{bye}
			c.Metadata.FrontchannelLogoutURI = "https://app.example.org/out"
		})
		b.Follow(t)
		v := b.Visitor(t)
		page := v.AnswerPages(t, v.SignIn(t, v.Get(t, b.AsClient(native, "").AuthorizeURL("redirect_uri", "com.example.app:/cb")), providertest.Alice, providertest.Password))
		form := b.AsClient(native, "").CodeForm(page.Code(t))
		form.Set("redirect_uri", "com.example.app:/cb")
		tokens := b.AsClient(native, "").TokenRequest(t, form).JSON(t)
		a := v.Fetch(t, b.EndSessionURL("id_token_hint", tokens["id_token"].(string), "post_logout_redirect_uri", bye))
		if a.StatusCode != http.StatusSeeOther || a.Header.Get("Location") != bye {
			t.Errorf("got %d to %s", a.StatusCode, a.Header.Get("Location"))
		}
	}, withFrontchannel)
}

// Every answer passes proxies: with many clients or a long address, the policy names schemes instead
// of origins. The testbed checks the size of all answers.
func TestFrontchannel_ManyClientsFitIntoTheHeaders(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		v := b.Visitor(t)
		var first *providertest.Testbed
		var tokens map[string]any
		var state string
		for i := range 40 {
			client := framedClient(t, b, fmt.Sprintf("host-%d-with-a-long-name-for-the-policy.example.com", i), "/out")
			got := use(t, v, client)
			if first == nil {
				first, tokens = client, got
			}
			if i == 1 {
				state = strings.Repeat("s", 1500)
			}
		}
		s := v.Get(t, b.EndSessionURL("id_token_hint", tokens["id_token"].(string), "post_logout_redirect_uri", first.Client.Metadata.PostLogoutRedirectURIs[0], "state", state))
		if policy := s.Header.Get("Content-Security-Policy"); len(s.Frames(t)) != 40 || !strings.Contains(policy, "; frame-src https:;") {
			t.Errorf("%d frames with the policy %s", len(s.Frames(t)), policy)
		}
	}, withFrontchannel)
}

// While the setting is off, nothing of the feature is visible, and no sign-out reads more from the
// database. The same holds while no client has a frontchannel_logout_uri. The first-party app's
// logout answers programs, which cannot open frames.
func TestFrontchannel_CostsNothingWithoutUse(t *testing.T) {
	reads := map[string]int64{}
	for name, c := range map[string]struct {
		option providertest.Option
		path   string
	}{
		"off": {func(*provider.Config) {}, "/out"}, "no client": {withFrontchannel, ""}, "in use": {withFrontchannel, "/out"},
	} {
		providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
			_, advertised := b.Discovery(t)["frontchannel_logout_supported"]
			if _, session := b.Discovery(t)["frontchannel_logout_session_supported"]; advertised != (name != "off") || session != advertised {
				t.Errorf("%s: advertised %v and %v", name, advertised, session)
			}
			mail := framedClient(t, b, "mail.example.com", c.path)
			v := b.Visitor(t)
			tokens := use(t, v, mail)
			before, _ := b.DB.Calls()
			page := v.Get(t, b.EndSessionURL("id_token_hint", tokens["id_token"].(string)))
			after, _ := b.DB.Calls()
			if reads[name] = after - before; len(page.Frames(t)) != map[bool]int{true: 1}[name == "in use"] {
				t.Errorf("%s: frames %q", name, page.Frames(t))
			}
		}, c.option)
	}
	if reads["off"] != reads["no client"] || reads["in use"] != reads["off"]+1 {
		t.Errorf("reads of the database: %v, want one more only in use", reads)
	}
	providertest.AppOnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		mail := framedClient(t, b, "mail.example.com", "/out")
		v := b.Visitor(t)
		use(t, v, mail)
		if a := providertest.WantStatus(t, v.CallApp(t, "/logout", ""), http.StatusNoContent); a.Body != "" {
			t.Errorf("the app gets %q", a.Body)
		}
	}, withFrontchannel)
}

// P-60: A client that registers itself gets its frontchannel_logout_uri if the setting is on. If it
// is off, the value is left out (RFC 7591, section 3.2.1).
func TestFrontchannel_RegistrationFollowsTheSetting(t *testing.T) {
	const document = `{"redirect_uris":["https://rp.example.org/cb"],"frontchannel_logout_uri":"https://rp.example.org/out","frontchannel_logout_session_required":true}`
	for _, on := range []bool{true, false} {
		providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
			made := b.RegisterItself(t, "", document)
			if _, there := made["frontchannel_logout_uri"]; there != on || (made["frontchannel_logout_session_required"] == true) != on {
				t.Errorf("setting %v: registered %v", on, made)
			}
		}, func(c *provider.Config) { c.FrontchannelLogout, c.Registration.Mode = on, "open" })
	}
}

// A client that sends back what it has read keeps its frontchannel_logout_uri while the setting is
// off (RFC 7592, section 2.2). It gets no other one.
func TestFrontchannel_RegisteredURIOutlivesTheSetting(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		made := b.RegisterItself(t, "", `{"redirect_uris":["https://rp.example.org/cb"],"frontchannel_logout_uri":"https://rp.example.org/out","frontchannel_logout_session_required":true}`)
		token := made["registration_access_token"].(string)
		off := b.Node(t, providertest.WithRegistration(directory.RegistrationOpen))
		address := off.Issuer + "/register/" + made["client_id"].(string)
		read := providertest.WantStatus(t, off.SendRegistration(t, http.MethodGet, address, token, ""), http.StatusOK).JSON(t)
		for _, c := range []struct{ sent, want any }{
			{read["frontchannel_logout_uri"], "https://rp.example.org/out"},
			{"https://rp.example.org/other", nil},
			{"https://rp.example.org/out", nil}, // new again
		} {
			read["frontchannel_logout_uri"] = c.sent
			document, err := json.Marshal(read)
			if err != nil {
				t.Fatal(err)
			}
			now := providertest.WantStatus(t, off.SendRegistration(t, http.MethodPut, address, token, string(document)), http.StatusOK).JSON(t)
			if now["frontchannel_logout_uri"] != c.want || c.want != nil && now["frontchannel_logout_session_required"] != true {
				t.Errorf("sent %v: got %v, want %v", c.sent, now, c.want)
			}
		}
	}, withFrontchannel, providertest.WithRegistration(directory.RegistrationOpen))
}

// ST-14: The session has ended before the page is made. If the clients of the session cannot be read
// then, the page has no iframes, and the log names the cause.
func TestFrontchannel_FailingDatabaseLeavesTheFramesOut(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, backend storagetest.Backend) {
		var fails atomic.Bool
		b := providertest.Start(t, backend.OpenFaulty(t, func(name string) storage.Fault {
			if fails.Load() && name == "list clients of a session" {
				return storage.Fault{When: storage.AtOnce, Err: storage.ErrUnavailable}
			}
			return storage.Fault{}
		}), withFrontchannel)
		mail := framedClient(t, b, "mail.example.com", "/out")
		v := b.Visitor(t)
		tokens := use(t, v, mail)
		fails.Store(true)
		page := v.Get(t, b.EndSessionURL("id_token_hint", tokens["id_token"].(string)))
		wantFrames(t, page)
		if page.StatusCode != http.StatusOK || !strings.Contains(b.Log.String(), "find clients of the session") {
			t.Errorf("got %d, and the log has no cause", page.StatusCode)
		}
		v.WantSignedOut(t)
	})
}
