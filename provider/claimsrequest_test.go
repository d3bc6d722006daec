package provider_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
)

func TestAZ29_MalformedClaimsParameter(t *testing.T) {
	onSQLite(t, func(t *testing.T, b *testbed) {
		v := b.visitor(t)
		v.flow(t)
		nested := func(n int) string { return strings.Repeat("[", n) + strings.Repeat("]", n) }
		for _, claims := range []string{
			"{", "}", "[]", `"x"`, "1", "null", "true", "{}{}", `{"userinfo":[]}`, `{"userinfo":"email"}`, `{"userinfo":{"email":[]}}`, `{"userinfo":{"email":"yes"}}`,
			`{"userinfo":{"email":{"essential":"yes"}}}`, `{"userinfo":{"email":{"values":"a"}}}`, `{"id_token":1}`, "{'userinfo':{}}", `{"userinfo":{"email":}}`,
			nested(300), `{"userinfo":` + nested(300) + `}`, `{"userinfo":{"email":{"values":` + nested(300) + "[}}}", strings.Repeat(`{"userinfo":`, 80),
			`{"userinfo":{"email":null,"email":null}}`, `{"userinfo":{},"USERINFO":{"email":null}}`, `{"userinfo":{"email":{"value":"\ud800"}}}`, `{"\udfff":{}}`,
			`{"id_token":{"acr":{"essential":true,"value":2}}}`, `{"id_token":{"acr":{"essential":true,"values":["urn:signet:1fa",null]}}}`,
			`{"id_token":{"sub":{"value":5}}}`, `{"id_token":{"sub":{"value":""}}}`, `{"id_token":{"sub":{"values":["` + b.Alice.ID + `","usr_x"]}}}`, `{"id_token":{"sub":{"value":{}}}}`,
		} {
			v.byBoth(t, b.params("claims", claims), func(t *testing.T, s stop) {
				t.Helper()
				if s.Left == nil || s.response(t).Get("error") != "invalid_request" {
					t.Errorf("%.60s: left to %v, at %s", claims, s.Left, s.At.Path)
				}
			})
		}
		v.post(t, b.params("claims", `{"userinfo":{"email":`+nested(10_000)+`}}`)).wantPage(t, http.StatusBadRequest, "invalid_request")
	})
}

// TestAZ29_PolicyDecidesNotTheClaimsParameter: what does not exist, what is ours
// to say, and what other APIs would read, is not to be had by asking.
func TestAZ29_PolicyDecidesNotTheClaimsParameter(t *testing.T) {
	each(t, func(t *testing.T, b *testbed) {
		v := b.visitor(t)
		plain := b.redeem(t, v.flow(t))
		want := names(claimsOf(t, plain["id_token"]))
		wantInfo := names(b.userinfo(t, plain["access_token"].(string)).json(t))
		for _, claims := range []string{
			`{"userinfo":{"password":null,"secret":null,"id":null,"admin":{"essential":true,"value":true},"custom":null,"disabled_at":null,"handle_hash":null}}`,
			`{"id_token":{"iss":{"value":"https://evil.example"},"aud":{"value":"other"},"exp":{"value":99999999999},"iat":{"value":1},"sub":null,"nonce":{"value":"x"},"azp":{"value":"x"}}}`,
			`{"id_token":{"sid":null,"gid":null,"scope":{"value":"admin"},"client_id":{"value":"x"},"cnf":{"value":{}},"act":null,"at_hash":{"value":"x"}}}`,
			`{"id_token":{"acr":{"value":"urn:signet:2fa"},"amr":{"value":["mfa"]},"auth_time":{"value":1}}}`,
			`{"userinfo":{"nickname":{"essential":true,"value":"Al"}},"id_token":null,"access_token":{"roles":null},"unheard_of":[1]}`,
			`{"userinfo":null}`, `{}`, ` { } `, "{\"userinfo\":{\"\u0000\":null,\"\\\"><script>\":null}}",
		} {
			s := v.get(t, b.authorizeURL("claims", strings.ReplaceAll(claims, "\x00", "")))
			if s.At.Path == "/consent" {
				s = v.allow(t, s)
			}
			tokens := b.redeem(t, s.code(t))
			id := claimsOf(t, tokens["id_token"])
			if got := names(id); !slices.Equal(got, want) {
				t.Errorf("%.60s: ID token has %v, want %v", claims, got, want)
			}
			if id["iss"] != b.Issuer || id["sub"] != b.Alice.ID || id["acr"] != "urn:signet:1fa" || id["nonce"] != "n-0S6_WzA2Mj" {
				t.Errorf("%.60s: ID token %v", claims, id)
			}
			if got := names(b.userinfo(t, tokens["access_token"].(string)).json(t)); !slices.Equal(got, wantInfo) {
				t.Errorf("%.60s: userinfo has %v, want %v", claims, got, wantInfo)
			}
		}
	})
}

func names(claims map[string]any) []string {
	var list []string
	for name := range claims {
		list = append(list, name)
	}
	slices.Sort(list)
	return list
}

// TestP28_ClaimsComeWhereTheyWereAskedFor also covers the consent that single
// claims need.
func TestP28_ClaimsComeWhereTheyWereAskedFor(t *testing.T) {
	each(t, func(t *testing.T, b *testbed) {
		v := b.visitor(t)
		v.flow(t, "scope", "openid")
		claims := `{"userinfo":{"given_name":{"essential":true},"nickname":null},"id_token":{"zoneinfo":null,"email":{"essential":true}}}`
		v.get(t, b.authorizeURL("scope", "openid", "claims", claims, "prompt", "none")).wantError(t, "consent_required")
		tokens := b.redeem(t, v.allow(t, v.get(t, b.authorizeURL("scope", "openid", "claims", claims))).code(t))
		id, info := claimsOf(t, tokens["id_token"]), b.userinfo(t, tokens["access_token"].(string)).json(t)
		if id["zoneinfo"] != "Europe/London" || id["email"] != alice || id["given_name"] != nil {
			t.Errorf("ID token: %v", id)
		}
		if info["given_name"] != "Alice" || info["zoneinfo"] != nil || info["email"] != nil {
			t.Errorf("userinfo: %v", info)
		}
		if _, there := info["nickname"]; there {
			t.Errorf("a claim that the user does not have is there: %v", info)
		}
		b.redeem(t, v.again(t, "scope", "openid", "claims", claims, "prompt", "none"))

		// What was asked for once is not there the next time.
		if id := claimsOf(t, b.redeem(t, v.again(t, "scope", "openid"))["id_token"]); id["zoneinfo"] != nil || id["email"] != nil {
			t.Errorf("claims that were not asked for: %v", id)
		}
		// How someone signed in is no secret of the person: no consent is needed.
		b.redeem(t, v.again(t, "scope", "openid", "prompt", "none", "claims", `{"id_token":{"auth_time":{"essential":true},"acr":null,"amr":null,"sub":null,"sid":null,"iss":null,"aud":null,"exp":null,"iat":null,"nonce":null,"at_hash":null}}`))
	})
}
