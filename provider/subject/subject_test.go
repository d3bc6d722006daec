package subject_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"signet/provider"
	"signet/provider/keys/keeper"
	"signet/provider/keys/vault"
	"signet/provider/providertest"
	"signet/storage"
	"signet/storage/storagetest"
)

// pairwise registers a client with pairwise subjects, all grant types of redirect URIs and all
// response types, whose redirect URI has this host. It skips consent.
func pairwise(t *testing.T, b *providertest.Testbed, id, host string, change ...func(*storage.Client)) *providertest.Testbed {
	t.Helper()
	client, secret := b.RegisterWith(t, storage.Web, id, func(c *storage.Client) {
		c.SkipConsent = true
		m := &c.Metadata
		m.SubjectType, m.RedirectURIs, m.PostLogoutRedirectURIs = storage.SubjectPairwise, []string{"https://" + host + "/callback"}, []string{"https://" + host + "/bye"}
		m.GrantTypes, m.ResponseTypes = append(m.GrantTypes, storage.GrantImplicit), storage.ResponseTypeNames()
		for _, f := range change {
			f(c)
		}
	})
	b.Follow(t)
	return b.AsClient(client, secret)
}

func withDevices(c *storage.Client) {
	c.Metadata.GrantTypes = append(c.Metadata.GrantTypes, storage.GrantDevice)
}

// signInAt signs the user in at the client, unless the browser has a session, and returns the
// tokens.
func signInAt(t *testing.T, v *providertest.Visitor, b *providertest.Testbed, email string, pairs ...string) map[string]any {
	t.Helper()
	page := v.Get(t, b.AuthorizeURL(pairs...))
	if page.LeftTo == nil && page.At.Path == b.Path("/login") {
		page = v.SignIn(t, page, email, providertest.Password)
	}
	if page.LeftTo == nil {
		page = v.Allow(t, page)
	}
	return b.Redeem(t, page.Code(t))
}

func subjectOf(t *testing.T, tokens map[string]any) string {
	t.Helper()
	return providertest.ClaimsOf(t, tokens["id_token"])["sub"].(string)
}

// DR-10, P-61: clients of one sector see a user under one subject, clients of other sectors under
// another one, and two users never share one.
func TestPairwise_EachSectorHasItsOwnSubjects(t *testing.T) {
	providertest.Each(t, func(t *testing.T, b *providertest.Testbed) {
		b.User(t, "bob@example.com", providertest.Password)
		loopback := func(c *storage.Client) { c.Metadata.RedirectURIs = []string{"http://localhost:3000/callback"} }
		beds := map[string]*providertest.Testbed{
			"public": b, "shop": pairwise(t, b, "shop", "shop.example"), "shop again": pairwise(t, b, "shop2", "shop.example"),
			"television": pairwise(t, b, "television", "shop.example", withDevices), "television too": pairwise(t, b, "television2", "shop.example", withDevices),
			"news": pairwise(t, b, "news", "news.example"), "local": pairwise(t, b, "local", "", loopback), "local too": pairwise(t, b, "local2", "", loopback),
		}
		v, w := b.Visitor(t), b.Visitor(t)
		got, seen := map[string]string{}, map[string]string{}
		for name, bed := range beds {
			got[name] = subjectOf(t, signInAt(t, v, bed, providertest.Alice))
			seen[got[name]] = name
			if bob := subjectOf(t, signInAt(t, w, bed, "bob@example.com")); seen[bob] != "" || bob == got[name] {
				t.Errorf("%s: Bob has the subject %s, as Alice has at %q", name, bob, seen[bob])
			}
		}
		if got["public"] != b.Alice.ID || got["shop"] != got["shop again"] {
			t.Errorf("the public client or one sector has other subjects: %v", got)
		}
		if len(seen) != 7 {
			t.Errorf("two sectors share a subject: %v", got)
		}
		if len(got["shop"]) != 43 || strings.Contains(got["shop"], b.Alice.ID) {
			t.Errorf("the subject is %q, want 43 characters of base64url", got["shop"])
		}
	})
}

// flows are all ways in which a client gets tokens or claims about a user. Each returns the
// subjects that the client sees.
var flows = map[string]func(t *testing.T, b *providertest.Testbed, v *providertest.Visitor) []any{
	"code": func(t *testing.T, b *providertest.Testbed, v *providertest.Visitor) []any {
		return allOf(t, b, signInAt(t, v, b, providertest.Alice, "scope", "openid profile email roles groups", "claims", `{"id_token":{"email":null},"userinfo":{"name":null}}`))
	},
	"refresh": func(t *testing.T, b *providertest.Testbed, v *providertest.Visitor) []any {
		return allOf(t, b, b.MustRefresh(t, signInAt(t, v, b, providertest.Alice)["refresh_token"]))
	},
	"hybrid": func(t *testing.T, b *providertest.Testbed, v *providertest.Visitor) []any {
		got := v.Get(t, b.AuthorizeURL("response_type", "code id_token token", "nonce", "n", "scope", "openid profile email")).Response(t)
		front := map[string]any{"id_token": got.Get("id_token"), "access_token": got.Get("access_token")}
		return append(allOf(t, b, front), allOf(t, b, b.Redeem(t, got.Get("code")))...)
	},
	"implicit": func(t *testing.T, b *providertest.Testbed, v *providertest.Visitor) []any {
		got := v.Get(t, b.AuthorizeURL("response_type", "id_token", "nonce", "n", "scope", "openid profile email")).Response(t)
		return []any{providertest.ClaimsOf(t, got.Get("id_token"))["sub"]}
	},
	"device": func(t *testing.T, b *providertest.Testbed, v *providertest.Visitor) []any {
		d := b.StartDevice(t)
		v.AnswerDevice(t, d, "allow")
		return allOf(t, b, providertest.WantStatus(t, b.Poll(t, d), http.StatusOK).JSON(t))
	},
	"hint": func(t *testing.T, b *providertest.Testbed, v *providertest.Visitor) []any {
		before := signInAt(t, v, b, providertest.Alice)
		return allOf(t, b, signInAt(t, v, b, "", "prompt", "none", "id_token_hint", before["id_token"].(string)))
	},
	"pushed": func(t *testing.T, b *providertest.Testbed, v *providertest.Visitor) []any {
		return allOf(t, b, b.Redeem(t, v.Get(t, b.PushedURL(b.MustPush(t))).Code(t)))
	},
}

// allOf returns every subject that a client sees with these tokens: in the tokens themselves, at
// userinfo and at introspection.
func allOf(t *testing.T, b *providertest.Testbed, tokens map[string]any) []any {
	t.Helper()
	var subjects []any
	for _, name := range []string{"id_token", "access_token", "refresh_token"} {
		if tokens[name] == nil {
			continue
		}
		subjects = append(subjects, providertest.ClaimsOf(t, tokens[name])["sub"])
		if name != "id_token" {
			subjects = append(subjects, b.Introspect(t, tokens[name])["sub"])
		}
	}
	a := b.Userinfo(t, tokens["access_token"].(string))
	if a.Header.Get("Content-Type") == "application/jwt" {
		return append(subjects, providertest.ClaimsOf(t, a.Body)["sub"])
	}
	return append(subjects, a.JSON(t)["sub"])
}

// P-47: in every flow, a client sees one subject in all tokens, at userinfo and at introspection.
// Nothing that leaves the provider contains the id of the user or the public subject: not an
// answer, a redirect, a page or the readable part of a token.
func TestPairwise_NothingContainsThePublicSubject(t *testing.T) {
	storagetest.Each(t, func(t *testing.T, backend storagetest.Backend) {
		b := providertest.StartOn(t, backend)
		const chosen = "former|4711-alice"
		if err := b.DB.DeleteUser(t.Context(), b.Alice.ID, storage.By{At: b.Now()}); err != nil {
			t.Fatal(err)
		}
		b.Alice = b.CreateUser(t, storage.User{Email: providertest.Alice, EmailVerified: true, Name: "Alice", Roles: []string{"reader"}, Groups: []string{"staff"}, ChosenSubject: chosen}, providertest.Password)
		var logout []string
		receiver := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			form, _ := url.ParseQuery(string(body))
			logout = append(logout, form.Get("logout_token"))
		}))
		t.Cleanup(receiver.Close)
		for name, signed := range map[string]string{"plain": "", "signed": "ES256"} {
			bed := pairwise(t, b, name, "shop.example", withDevices, func(c *storage.Client) {
				c.Metadata.UserinfoSignedAlg, c.Metadata.BackchannelLogoutURI = signed, receiver.URL
			})
			sent, v, want := record(t), b.Visitor(t), ""
			for flow, run := range flows {
				if want == "" {
					want = subjectOf(t, signInAt(t, v, bed, providertest.Alice))
				}
				for _, got := range run(t, bed, v) {
					if got != want {
						t.Errorf("%s, %s: the subject is %v, want %s", name, flow, got, want)
					}
				}
			}
			tokens := signInAt(t, v, bed, providertest.Alice)
			bye := v.Get(t, b.EndSessionURL("id_token_hint", tokens["id_token"].(string), "post_logout_redirect_uri", "https://shop.example/bye"))
			if bye.LeftTo == nil {
				t.Errorf("sign-out with a hint: got status %d, want a redirect to the client", bye.StatusCode)
			}
			b.Drain()
			if err := b.DeliverOnce(context.Background(), b.Now()); err != nil {
				t.Fatal(err)
			}
			if len(logout) == 0 {
				t.Errorf("%s: no logout token came", name)
			}
			for _, token := range logout {
				sent.add("POST logout", token)
				if got := providertest.ClaimsOf(t, token)["sub"]; got != want {
					t.Errorf("%s: the logout token has the subject %v, want %s", name, got, want)
				}
			}
			logout = nil
			searched := sent.wantHidden(t, b.Alice.ID, chosen)
			for _, path := range []string{"/authorize", "/token", "/userinfo", "/introspect", "/device_authorization", "/par", "/end_session", "logout"} {
				if !searched[path] {
					t.Errorf("no answer of %s was searched: %v", path, searched)
				}
			}
		}
	})
}

// An API and another client that introspects learn the subject of the client that got the token.
func TestPairwise_OthersIntrospectTheSubjectOfTheClient(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		const api = "https://api.example/"
		shop := pairwise(t, b, "shop", "shop.example", func(c *storage.Client) { c.Resources = []string{api} })
		service := b.AsClient(b.RegisterWith(t, storage.Service, "api", func(c *storage.Client) { c.Audiences = []string{api} }))
		b.Follow(t)
		tokens := signInAt(t, b.Visitor(t), shop, providertest.Alice, "resource", api)
		if got := service.Introspect(t, tokens["access_token"])["sub"]; got != subjectOf(t, tokens) {
			t.Errorf("the API learns %v, want %s", got, subjectOf(t, tokens))
		}
	})
}

// AZ-27: the hint of a pairwise client names the user at this client only.
func TestPairwise_HintNamesTheUser(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		b.User(t, "bob@example.com", providertest.Password)
		shop := pairwise(t, b, "shop", "shop.example")
		alice, bob := b.Visitor(t), b.Visitor(t)
		hint := signInAt(t, alice, shop, providertest.Alice)["id_token"].(string)
		sub := providertest.ClaimsOf(t, hint)["sub"].(string)
		signInAt(t, bob, shop, "bob@example.com")
		claims := func(sub string) string { return `{"id_token":{"sub":{"value":"` + sub + `"}}}` }
		for name, c := range map[string]struct {
			v     *providertest.Visitor
			pairs []string
			fails bool
		}{
			"her hint":              {alice, []string{"id_token_hint", hint}, false},
			"her subject":           {alice, []string{"claims", claims(sub)}, false},
			"her id":                {alice, []string{"claims", claims(b.Alice.ID)}, true},
			"her hint at his":       {bob, []string{"id_token_hint", hint}, true},
			"her subject at his":    {bob, []string{"claims", claims(sub)}, true},
			"her id at his browser": {bob, []string{"claims", claims(b.Alice.ID)}, true},
		} {
			t.Run(name, func(t *testing.T) {
				s := c.v.Get(t, shop.AuthorizeURL(append(c.pairs, "prompt", "none")...))
				if c.fails {
					s.WantError(t, "login_required")
				} else {
					shop.Redeem(t, s.Code(t))
				}
			})
		}
		// The pages ask for the user that the hint names.
		if page := bob.Get(t, shop.AuthorizeURL("id_token_hint", hint)); page.At == nil || page.At.Path != b.Path("/login") {
			t.Errorf("with the hint of another user, the browser is at %v, want the sign-in page", page.At)
		}
	})
}

// The subjects stay the same over rotations and revocations of all keys, a rewrap, a restart, and
// on another node.
func TestPairwise_SubjectsStayForever(t *testing.T) {
	providertest.Each(t, func(t *testing.T, b *providertest.Testbed) {
		shop := pairwise(t, b, "shop", "shop.example")
		want := subjectOf(t, signInAt(t, b.Visitor(t), shop, providertest.Alice))
		check := func(what string, b *providertest.Testbed) {
			t.Helper()
			bed := b.AsClient(shop.Client, shop.Secret)
			if got := subjectOf(t, signInAt(t, b.Visitor(t), bed, providertest.Alice)); got != want {
				t.Errorf("%s: the subject is %s, want %s", what, got, want)
			}
		}
		b.Advance(48 * time.Hour)
		by := storage.By{From: providertest.TestOrigin, At: b.Now()}
		if _, err := b.Keeper(t).Rotate(t.Context(), nil, 0, by); err != nil {
			t.Fatal(err)
		}
		if _, err := b.Keeper(t).Rotate(t.Context(), []string{storage.InternalLine}, 0, by); err != nil {
			t.Fatal(err)
		}
		b.Follow(t)
		check("after a rotation", b)
		for _, line := range []string{"ES256", "RS256", storage.InternalLine} {
			b.RevokeKey(t, line)
		}
		b.Follow(t)
		check("after a revocation", b)
		check("on another node", b.Node(t))
		if err := b.Keeper(t).ReplaceKeysAfterRestore(t.Context(), nil, by); err != nil {
			t.Fatal(err)
		}
		b.Follow(t)
		check("after a restore", b)
		former, next := [32]byte{1, 2, 3}, [32]byte{4, 5, 6}
		opened, err := vault.New(vault.Config{Master: former, Masters: func() ([][32]byte, error) { return [][32]byte{former, next}, nil }})
		if err != nil {
			t.Fatal(err)
		}
		rewrapping, err := keeper.New(keeper.Config{DB: b.DB, Vault: opened})
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := rewrapping.Rewrap(t.Context(), by); err != nil {
			t.Fatal(err)
		}
		check("after a rewrap", b)
		check("after a restart with the new master key", b.Node(t, func(c *provider.Config) { c.MasterKey = next }))
	})
}

// A database that was copied to another machine gives the same subjects there.
func TestPairwise_BackupHasTheSubjects(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		shop := pairwise(t, b, "shop", "shop.example")
		want := subjectOf(t, signInAt(t, b.Visitor(t), shop, providertest.Alice))
		folder := t.TempDir()
		if err := storage.Backup(t.Context(), b.Backend.Config(), storage.DatabaseFile(folder)); err != nil {
			t.Fatal(err)
		}
		db, err := storage.Open(t.Context(), storage.Config{DataDir: folder})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { db.Close() })
		if _, err := db.MarkRestored(t.Context(), storage.By{From: providertest.TestOrigin, At: b.Now()}); err != nil {
			t.Fatal(err)
		}
		b.Advance(2 * time.Second)
		other := *b
		other.DB = db
		other.Serve(t)
		bed := other.AsClient(shop.Client, shop.Secret)
		if got := subjectOf(t, signInAt(t, other.Visitor(t), bed, providertest.Alice)); got != want {
			t.Errorf("the restored database gives %s, want %s", got, want)
		}
	})
}

// After a change of subject_type the client sees a stranger. Tokens from before are invalid, and
// the former subject is no hint: a client never gets both subjects of a user for one grant.
func TestPairwise_ChangeOfTypeEndsFormerTokens(t *testing.T) {
	providertest.Each(t, func(t *testing.T, b *providertest.Testbed) {
		for _, types := range [][2]string{{"", storage.SubjectPairwise}, {storage.SubjectPairwise, ""}} {
			shop := pairwise(t, b, storage.NewID("shop-"), "shop.example", func(c *storage.Client) { c.Metadata.SubjectType = types[0] })
			v := b.Visitor(t)
			before := signInAt(t, v, shop, providertest.Alice)
			shop.Client.Metadata.SubjectType, shop.Client.Sector = types[1], ""
			if types[1] != "" {
				shop.Client.Sector = "shop.example"
			}
			_, err := b.DB.ReviseClient(t.Context(), shop.Client.ID, func(c *storage.Client) error {
				c.Metadata.SubjectType, c.Sector = shop.Client.Metadata.SubjectType, shop.Client.Sector
				return nil
			}, storage.By{From: providertest.TestOrigin, At: b.Now()})
			if err != nil {
				t.Fatal(err)
			}
			b.Follow(t)
			shop.WantUserinfo(t, before["access_token"].(string), http.StatusUnauthorized)
			shop.WantInactive(t, "access token", before["access_token"])
			shop.WantInactive(t, "refresh token", before["refresh_token"])
			shop.RefuseRefresh(t, before["refresh_token"], "invalid_grant")
			v.Get(t, shop.AuthorizeURL("prompt", "none", "id_token_hint", before["id_token"].(string))).WantError(t, "login_required")
			after := signInAt(t, v, shop, providertest.Alice)
			if subjectOf(t, after) == subjectOf(t, before) {
				t.Errorf("%q: the subject is the same as before", types)
			}
			shop.MustRefresh(t, after["refresh_token"])
		}
	})
}

// A chosen subject is the subject at every client without pairwise subjects, in every flow, and in
// the logout token also after the user is deleted.
func TestChosenSubject_IsTheSubjectInEveryFlow(t *testing.T) {
	providertest.Each(t, func(t *testing.T, b *providertest.Testbed) {
		const chosen = "auth0|5f7c8ec7c33c6c004bbafe82"
		if err := b.DB.DeleteUser(t.Context(), b.Alice.ID, storage.By{At: b.Now()}); err != nil {
			t.Fatal(err)
		}
		b.Alice = b.CreateUser(t, storage.User{Email: providertest.Alice, EmailVerified: true, ChosenSubject: chosen}, providertest.Password)
		var logout []string
		receiver := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			form, _ := url.ParseQuery(string(body))
			logout = append(logout, form.Get("logout_token"))
		}))
		t.Cleanup(receiver.Close)
		bed := pairwise(t, b, "shop", "shop.example", withDevices, func(c *storage.Client) {
			c.Metadata.SubjectType, c.Metadata.BackchannelLogoutURI = "", receiver.URL
		})
		v := b.Visitor(t)
		signInAt(t, v, bed, providertest.Alice)
		for flow, run := range flows {
			for _, got := range run(t, bed, v) {
				if got != chosen {
					t.Errorf("%s: the subject is %v, want %s", flow, got, chosen)
				}
			}
		}
		if err := b.DB.DeleteUser(t.Context(), b.Alice.ID, storage.By{At: b.Now()}); err != nil {
			t.Fatal(err)
		}
		if err := b.DeliverOnce(context.Background(), b.Now()); err != nil {
			t.Fatal(err)
		}
		subjects := []any{}
		for _, token := range logout {
			subjects = append(subjects, providertest.ClaimsOf(t, token)["sub"])
		}
		if !slices.Contains(subjects, any(chosen)) || len(slices.Compact(subjects)) != 1 {
			t.Errorf("the logout tokens have the subjects %v, want %s", subjects, chosen)
		}
	})
}

// The app of the server itself sees the chosen subject too, and its cookies go on working.
func TestChosenSubject_IsTheSubjectOfTheApp(t *testing.T) {
	providertest.AppOnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		const chosen = "former|1"
		if err := b.DB.DeleteUser(t.Context(), b.Alice.ID, storage.By{At: b.Now()}); err != nil {
			t.Fatal(err)
		}
		b.Alice = b.CreateUser(t, storage.User{Email: providertest.Alice, EmailVerified: true, ChosenSubject: chosen}, providertest.Password)
		v := b.Visitor(t)
		first := v.SignInApp(t)
		b.Advance(time.Minute)
		next := v.RefreshApp(t)
		for what, token := range map[string]any{"access": first.Access.Value, "refresh": first.Refresh.Value, "later access": next.Access.Value} {
			if got := providertest.ClaimsOf(t, token)["sub"]; got != chosen {
				t.Errorf("%s token: the subject is %v, want %s", what, got, chosen)
			}
		}
		if got := v.WantApp(t, true)["user"].(map[string]any)["sub"]; got != chosen {
			t.Errorf("/session: the subject is %v, want %s", got, chosen)
		}
		if next.Generation(t) != first.Generation(t)+1 {
			t.Errorf("the refresh token did not rotate: generation %d after %d", next.Generation(t), first.Generation(t))
		}
	})
}
