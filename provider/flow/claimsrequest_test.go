package flow_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"signet/provider/providertest"
)

// AZ-29: claims that is not valid JSON, is too deep or asks for too much is refused or
// ignored.
func TestClaims_MalformedClaimsParameter(t *testing.T) {
	providertest.OnSQLite(t, func(t *testing.T, b *providertest.Testbed) {
		v := b.Visitor(t)
		v.SignInForCode(t)
		nested := func(n int) string { return strings.Repeat("[", n) + strings.Repeat("]", n) }
		for _, claims := range []string{
			"{", "}", "[]", `"x"`, "1", "null", "true", "{}{}", `{"userinfo":[]}`, `{"userinfo":"email"}`, `{"userinfo":{"email":[]}}`, `{"userinfo":{"email":"yes"}}`,
			`{"userinfo":{"email":{"essential":"yes"}}}`, `{"userinfo":{"email":{"values":"a"}}}`, `{"id_token":1}`, "{'userinfo':{}}", `{"userinfo":{"email":}}`,
			nested(300), `{"userinfo":` + nested(300) + `}`, `{"userinfo":{"email":{"values":` + nested(300) + "[}}}", strings.Repeat(`{"userinfo":`, 80),
			`{"userinfo":{"email":null,"email":null}}`, `{"userinfo":{},"USERINFO":{"email":null}}`, `{"userinfo":{"email":{"value":"\ud800"}}}`, `{"\udfff":{}}`,
			`{"id_token":{"acr":{"essential":true,"value":2}}}`, `{"id_token":{"acr":{"essential":true,"values":["urn:signet:1fa",null]}}}`,
			`{"id_token":{"sub":{"value":5}}}`, `{"id_token":{"sub":{"value":""}}}`, `{"id_token":{"sub":{"values":["` + b.Alice.ID + `","usr_x"]}}}`, `{"id_token":{"sub":{"value":{}}}}`,
		} {
			v.ByBoth(t, b.Params("claims", claims), func(t *testing.T, s providertest.Stop) {
				t.Helper()
				if s.LeftTo == nil || s.Response(t).Get("error") != "invalid_request" {
					t.Errorf("%.60s: left to %v, at %s", claims, s.LeftTo, s.At.Path)
				}
			})
		}
		v.Post(t, b.Params("claims", `{"userinfo":{"email":`+nested(10_000)+`}}`)).WantPage(t, http.StatusBadRequest, "invalid_request")
	})
}

// TestClaims_PolicyDecidesNotTheClaimsParameter checks that the claims parameter releases no
// unknown claim, no internal data and nothing for other APIs, and cannot set the claims that
// Signet decides.
// AZ-29: claims that is not valid JSON, is too deep or asks for too much is refused or
// ignored.
func TestClaims_PolicyDecidesNotTheClaimsParameter(t *testing.T) {
	providertest.Each(t, func(t *testing.T, b *providertest.Testbed) {
		v := b.Visitor(t)
		plain := b.Redeem(t, v.SignInForCode(t))
		want := names(providertest.ClaimsOf(t, plain["id_token"]))
		wantInfo := names(b.Userinfo(t, plain["access_token"].(string)).JSON(t))
		for _, claims := range []string{
			`{"userinfo":{"password":null,"secret":null,"id":null,"admin":{"essential":true,"value":true},"custom":null,"disabled_at":null,"handle_hash":null}}`,
			`{"id_token":{"iss":{"value":"https://evil.example"},"aud":{"value":"other"},"exp":{"value":99999999999},"iat":{"value":1},"sub":null,"nonce":{"value":"x"},"azp":{"value":"x"}}}`,
			`{"id_token":{"sid":null,"gid":null,"scope":{"value":"admin"},"client_id":{"value":"x"},"cnf":{"value":{}},"act":null,"at_hash":{"value":"x"}}}`,
			`{"id_token":{"acr":{"value":"urn:signet:2fa"},"amr":{"value":["mfa"]},"auth_time":{"value":1}}}`,
			`{"userinfo":{"nickname":{"essential":true,"value":"Al"}},"id_token":null,"access_token":{"roles":null},"unheard_of":[1]}`,
			`{"userinfo":null}`, `{}`, ` { } `, "{\"userinfo\":{\"\u0000\":null,\"\\\"><script>\":null}}",
		} {
			s := v.Get(t, b.AuthorizeURL("claims", strings.ReplaceAll(claims, "\x00", "")))
			if s.At.Path == "/consent" {
				s = v.Allow(t, s)
			}
			tokens := b.Redeem(t, s.Code(t))
			id := providertest.ClaimsOf(t, tokens["id_token"])
			if got := names(id); !slices.Equal(got, want) {
				t.Errorf("%.60s: ID token has %v, want %v", claims, got, want)
			}
			if id["iss"] != b.Issuer || id["sub"] != b.Alice.ID || id["acr"] != "urn:signet:1fa" || id["nonce"] != "n-0S6_WzA2Mj" {
				t.Errorf("%.60s: ID token %v", claims, id)
			}
			if got := names(b.Userinfo(t, tokens["access_token"].(string)).JSON(t)); !slices.Equal(got, wantInfo) {
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

// TestClaims_ComeWhereTheyWereRequested also checks that single claims need consent.
// P-28: claims returns the named claims where they are asked for (OIDC Core, section 5.5).
func TestClaims_ComeWhereTheyWereRequested(t *testing.T) {
	providertest.Each(t, func(t *testing.T, b *providertest.Testbed) {
		v := b.Visitor(t)
		v.SignInForCode(t, "scope", "openid")
		claims := `{"userinfo":{"given_name":{"essential":true},"nickname":null},"id_token":{"zoneinfo":null,"email":{"essential":true}}}`
		v.Get(t, b.AuthorizeURL("scope", "openid", "claims", claims, "prompt", "none")).WantError(t, "consent_required")
		tokens := b.Redeem(t, v.Allow(t, v.Get(t, b.AuthorizeURL("scope", "openid", "claims", claims))).Code(t))
		id, info := providertest.ClaimsOf(t, tokens["id_token"]), b.Userinfo(t, tokens["access_token"].(string)).JSON(t)
		if id["zoneinfo"] != "Europe/London" || id["email"] != providertest.Alice || id["given_name"] != nil {
			t.Errorf("ID token: %v", id)
		}
		if info["given_name"] != "Alice" || info["zoneinfo"] != nil || info["email"] != nil {
			t.Errorf("userinfo: %v", info)
		}
		if _, there := info["nickname"]; there {
			t.Errorf("userinfo has a claim without a value: %v", info)
		}
		b.Redeem(t, v.CodeFromSession(t, "scope", "openid", "claims", claims, "prompt", "none"))

		// Claims of an earlier request are not in the next tokens.
		if id := providertest.ClaimsOf(t, b.Redeem(t, v.CodeFromSession(t, "scope", "openid"))["id_token"]); id["zoneinfo"] != nil || id["email"] != nil {
			t.Errorf("claims that were not asked for: %v", id)
		}
		// Claims about the sign-in itself are not personal data and need no consent.
		b.Redeem(t, v.CodeFromSession(t, "scope", "openid", "prompt", "none", "claims", `{"id_token":{"auth_time":{"essential":true},"acr":null,"amr":null,"sub":null,"sid":null,"iss":null,"aud":null,"exp":null,"iat":null,"nonce":null,"at_hash":null}}`))
	})
}
